"""The flows of `models.physics.hybrid` for whole arrays of slots and SOCs at once.

A vectorised copy for the dynamic program over composites; a test holds it to the scalar original.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.physics.hybrid import Priority, taper_slope_kw
from solvers.problem import BatteryProblem

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ArrayFlows:
    """Powers [kW], all of one broadcast shape; signs as in `models.physics.hybrid`."""

    battery_kw: Array
    grid_kw: Array
    pv_used_kw: Array


def charge_limit_kw(soc: Array, b: BatteryProblem, dt_h: float, most_kw: Array | float) -> Array:
    """Mean charging power that the battery takes through slots that begin at these SOCs, at its terminals."""
    most = np.minimum(b.charge_kw, most_kw)
    slope = taper_slope_kw(b.charge_kw, b.taper_above_soc, b.taper_end_share)
    if slope > 0.0:
        now = np.maximum(0.0, b.charge_kw - slope * (soc - b.taper_above_soc))
        reached = np.minimum(most, now)
        hours = b.capacity_kwh / slope  # of the exponential decay
        with np.errstate(divide="ignore", invalid="ignore"):
            untapered = np.where(most > 0.0, np.clip((now - most) * hours / most, 0.0, dt_h), dt_h)
        most = (most * untapered - reached * hours * np.expm1((untapered - dt_h) / hours)) / dt_h
    return np.where(soc >= b.soc_max, 0.0, most)


def array_flows(
    priority: Priority,
    *,
    stop_soc: Array | float,
    rate: float,
    ac_charge: bool,
    pv_kw: Array,
    load_kw: Array,
    soc: Array,
    battery: BatteryProblem,
    ac_limit_kw: float,
    export_limit_kw: Array | float,
    dt_h: float,
) -> ArrayFlows:
    """Flows of one priority; arrays broadcast against each other, usually slots x SOC grid.

    Parameters
    ----------
    priority, stop_soc, rate, ac_charge
        Resolved settings of the inverter, as in `models.physics.hybrid.WorkMode`.
    pv_kw, load_kw, export_limit_kw : ndarray
        DC power available, AC load with heating, feed-in limit [kW].
    soc : ndarray
        At the start of the slot, a fraction.
    battery : BatteryProblem
        Ratings, window, taper and efficiencies.
    ac_limit_kw, dt_h : float
        Of the inverter [kW]; length of a slot [h].
    """
    b, per_soc = battery, battery.capacity_kwh / dt_h
    zero = np.zeros(np.broadcast_shapes(np.shape(pv_kw), np.shape(soc)))
    if priority is Priority.BATTERY_FIRST:
        draw = min(ac_limit_kw if ac_charge else b.battery_first_draw_kw, ac_limit_kw)
        offered = np.minimum(pv_kw * b.eff_charge_pv + draw * b.eff_charge_ac, rate * b.charge_kw)
        limit = charge_limit_kw(soc, b, dt_h, offered)
        room = np.maximum(0.0, np.minimum(limit, (np.minimum(stop_soc, b.soc_max) - soc) * per_soc))
        from_pv = np.minimum(pv_kw, room / b.eff_charge_pv)
        rest = np.maximum(0.0, room - from_pv * b.eff_charge_pv)
        from_ac = np.minimum(draw, rest / b.eff_charge_ac)
        return _to_ac(pv_kw, load_kw, from_pv, from_ac, zero, b, ac_limit_kw, export_limit_kw)
    floor = np.maximum(stop_soc, b.soc_min)
    able = np.where(soc > b.soc_min, b.discharge_kw, 0.0)
    can_give = np.maximum(0.0, np.minimum(able, (soc - floor) * per_soc))
    if priority is Priority.GRID_FIRST:
        wanted = np.minimum(can_give, rate * b.discharge_kw)
        outlet = np.minimum(ac_limit_kw, load_kw + export_limit_kw)
        give = np.maximum(0.0, np.minimum(wanted, (outlet - np.minimum(pv_kw, outlet)) / b.eff_discharge))
        return _to_ac(pv_kw, load_kw, zero, zero, give, b, ac_limit_kw, export_limit_kw)
    pv_to_load = np.minimum(np.minimum(pv_kw, load_kw), ac_limit_kw)
    left = pv_kw - pv_to_load
    limit = charge_limit_kw(soc, b, dt_h, left * b.eff_charge_pv)
    take = np.maximum(0.0, np.minimum(limit, (b.soc_max - soc) * per_soc))
    from_pv = np.minimum(left, take / b.eff_charge_pv)
    deficit = np.minimum(load_kw, ac_limit_kw) - pv_to_load
    give = np.where(from_pv > 0.0, 0.0, np.maximum(0.0, np.minimum(can_give, deficit / b.eff_discharge)))
    return _to_ac(pv_kw, load_kw, from_pv, zero, give, b, ac_limit_kw, export_limit_kw)


def _to_ac(
    pv_kw: Array,
    load_kw: Array,
    from_pv: Array,
    from_ac: Array,
    give: Array,
    b: BatteryProblem,
    ac_limit_kw: float,
    export_limit_kw: Array | float,
) -> ArrayFlows:
    given_ac = give * b.eff_discharge
    outlet = np.minimum(ac_limit_kw, load_kw + from_ac + export_limit_kw) - given_ac
    pv_ac = np.maximum(0.0, np.minimum(pv_kw - from_pv, outlet))
    charge = from_pv * b.eff_charge_pv + from_ac * b.eff_charge_ac
    return ArrayFlows(charge - give, load_kw + from_ac - pv_ac - given_ac, from_pv + pv_ac)
