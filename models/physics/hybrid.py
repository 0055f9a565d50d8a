"""Steady power flows of a hybrid inverter over one interval: what each composite makes of sun, load and battery.

One scalar function, shared by the twin of the inverter, the plan checker and (as the reference of a vectorised copy)
the planner. It knows priorities, stop SOC, rate and AC flag, and nothing of slots, clocks or registers: see
`models/twins/inverter.py` for those.

Sides and signs. `pv_kw` is DC power available (array losses are already in it). `battery_kw` is at the terminals,
> 0 charging, so that SOC moves by `battery_kw * dt_h / capacity_kwh`. `grid_kw` > 0 imports. `load_kw` is everything
in the house on the AC side: base load, heating and the inverter's own standby. Conversion losses are reported apart:

    grid_kw == load_kw + loss_kw + battery_kw - pv_used_kw      and      pv_used_kw + curtailed_kw == pv_kw

What each priority does:

* *load first*: PV serves the load, the surplus charges the battery, what is left is exported up to the limit and
  the rest curtailed. A deficit discharges the battery down to its floor, then comes from the grid.
* *battery first*: PV charges the battery before it serves the load, up to the stop SOC; below it the grid helps, at
  up to the charging rate with the AC flag on, with `battery_first_draw_kw` with the flag off. At or above the stop
  SOC the battery rests: it does not discharge, and surplus is exported, not stored.
* *grid first*: the battery discharges at its rate down to the stop SOC, load first, the rest exported; PV is exported
  too and never stored. Under an export or AC limit the discharge is reduced before PV is curtailed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum

from models.types.house import Battery, Inverter
from models.types.mode import Composite, InverterMode
from models.units import floor_percent


class Priority(IntEnum):
    """`CurrentMode` of the device, in its own numbers."""

    LOAD_FIRST = 0
    BATTERY_FIRST = 1
    GRID_FIRST = 2


@dataclass(frozen=True, slots=True)
class WorkMode:
    """What the inverter runs on: one priority with its settings, all of them resolved."""

    priority: Priority
    stop_soc: float  # fraction; charge up to it (battery first), discharge down to it (load first, grid first)
    rate: float = 1.0  # fraction of rated battery power; load first always has all of it
    ac_charge: bool = False  # battery first only: may buy at full rate


@dataclass(frozen=True, slots=True)
class Flows:
    """Powers over one interval [kW]; the module docstring has sides, signs and balance."""

    pv_used_kw: float  # DC, >= 0
    battery_kw: float  # terminals, > 0 charging
    grid_kw: float  # > 0 importing
    curtailed_kw: float  # DC that was available and not taken
    loss_kw: float  # of charging and discharging


def conversion_loss_kw(battery_kw: float, pv_used_kw: float, inverter: Inverter) -> float:
    """What charging and discharging loses, told from the powers that an inverter reports [kW].

    Each priority charges from PV before it buys, so the split between the two is no secret.

    Parameters
    ----------
    battery_kw : float
        At the terminals, > 0 charging.
    pv_used_kw : float
        DC.
    inverter : Inverter
        Its efficiencies.
    """
    if battery_kw <= 0.0:
        return -battery_kw * (1.0 - inverter.eff_discharge)
    from_pv = min(battery_kw, pv_used_kw * inverter.eff_charge_pv)
    bought = battery_kw - from_pv
    return from_pv * (1.0 / inverter.eff_charge_pv - 1.0) + bought * (1.0 / inverter.eff_charge_ac - 1.0)


def taper_slope_kw(charge_kw: float, above_soc: float, end_share: float) -> float:
    """Charging power lost per unit of SOC above the knee [kW]; 0 without a taper."""
    return 0.0 if above_soc >= 1.0 else charge_kw * (1.0 - end_share) / (1.0 - above_soc)


def taper_mean_share(slope_kw: float, capacity_kwh: float, dt_h: float) -> float:
    """Mean over an interval of a power that decays along the taper, as a share of its first."""
    time_constants = slope_kw * dt_h / capacity_kwh
    return -math.expm1(-time_constants) / time_constants if time_constants > 0.0 else 1.0


def charge_limit_kw(
    soc: float,
    battery: Battery,
    battery_c: float | None = None,
    *,
    dt_h: float = 0.0,
    most_kw: float = math.inf,
) -> float:
    """Charging power that the battery takes, at its terminals [kW]: at this SOC, or as a mean over an interval.

    Falls linearly from `taper_above_soc` to `taper_end_share` of the rating at SOC 1, is 0 from `soc_max` on, and
    falls linearly from `cold_below_c` to 0 at 0 degC. An unknown temperature (None) is taken as warm.

    Parameters
    ----------
    soc : float
        At the start of the interval, a fraction.
    battery : Battery
        Rating, window and taper.
    battery_c : float, optional
        Cell temperature [degC].
    dt_h : float
        Length of the interval [h]. On a linear taper power decays exponentially, with the time constant
        capacity / slope, from where the taper meets what is offered; 0: the power at this moment.
    most_kw : float
        What is offered to the battery.
    """
    if soc >= battery.soc_max:
        return 0.0
    rating, knee = battery.charge_kw, battery.taper_above_soc
    if battery_c is not None and battery_c < battery.cold_below_c:
        rating *= max(0.0, battery_c / battery.cold_below_c) if battery.cold_below_c > 0.0 else 0.0
    most = min(rating, most_kw)
    slope = taper_slope_kw(rating, knee, battery.taper_end_share)
    if slope <= 0.0 or most <= 0.0:
        return most
    now = rating - slope * (soc - knee)
    if dt_h <= 0.0 or now <= 0.0:
        return min(most, max(0.0, now))
    untapered_h = max(0.0, (now - most) / slope * battery.capacity_kwh / most)
    if untapered_h >= dt_h:
        return most
    time_constant_h = battery.capacity_kwh / slope
    tapered_kwh = -min(most, now) * time_constant_h * math.expm1((untapered_h - dt_h) / time_constant_h)
    return (most * untapered_h + tapered_kwh) / dt_h


def discharge_limit_kw(soc: float, battery: Battery, battery_c: float | None = None) -> float:
    """Discharging power that the battery gives now, at its terminals [kW]: its rating above `soc_min`, else 0.

    Cold limits charging only; `battery_c` is taken so that callers treat both limits alike.
    """
    return battery.discharge_kw if soc > battery.soc_min else 0.0


def work_mode(mode: InverterMode, *, soc: float, battery: Battery) -> WorkMode:
    """Settings that a composite stands for, given the live SOC.

    Parameters
    ----------
    mode : InverterMode
        Without a stop SOC: `hold` and `sell_production` stop at the whole percent below the live SOC,
        `charge_from_grid` at `soc_max`, `discharge_to_grid` and `regular` at `soc_min`. Without a rate: full.
    soc : float
        Live SOC, a fraction.
    battery : Battery
        Its window.
    """
    rate = 1.0 if mode.rate is None else mode.rate
    live = floor_percent(soc) / 100.0
    match mode.composite:
        case Composite.HOLD:
            return WorkMode(Priority.BATTERY_FIRST, live if mode.stop_soc is None else mode.stop_soc, rate)
        case Composite.CHARGE_FROM_GRID:
            stop = battery.soc_max if mode.stop_soc is None else mode.stop_soc
            return WorkMode(Priority.BATTERY_FIRST, stop, rate, ac_charge=True)
        case Composite.DISCHARGE_TO_GRID:
            return WorkMode(Priority.GRID_FIRST, battery.soc_min if mode.stop_soc is None else mode.stop_soc, rate)
        case Composite.SELL_PRODUCTION:
            return WorkMode(Priority.GRID_FIRST, live if mode.stop_soc is None else mode.stop_soc, rate)
        case Composite.REGULAR:
            return WorkMode(Priority.LOAD_FIRST, battery.soc_min)


def flows(
    mode: InverterMode,
    *,
    pv_kw: float,
    load_kw: float,
    soc: float,
    battery: Battery | None,
    inverter: Inverter,
    export_limit_kw: float,
    dt_h: float,
    battery_c: float | None = None,
) -> Flows:
    """Flows of one composite over one interval.

    Parameters
    ----------
    mode : InverterMode
        What the inverter is told; see `work_mode` for what is left open in it.
    pv_kw, load_kw : float
        DC power available; AC power of everything in the house, heating and standby included [kW]. Both >= 0.
    soc : float
        At the start of the interval, a fraction.
    battery : Battery or None
        None: a house without one; the mode then only matters to nobody.
    inverter : Inverter
        Efficiencies, AC limit and the draw of battery first. Standby is not added here.
    export_limit_kw : float
        Highest feed-in [kW], >= 0.
    dt_h : float
        Length of the interval [h], > 0. The battery never passes a stop SOC or its window within it.
    battery_c : float, optional
        Cell temperature [degC]; None: warm.

    Returns
    -------
    Flows
        Never charging and discharging at once.
    """
    if battery is None:
        return _to_ac(pv_kw, load_kw, 0.0, 0.0, 0.0, inverter, export_limit_kw)
    work = work_mode(mode, soc=soc, battery=battery)
    return work_flows(
        work,
        pv_kw=pv_kw,
        load_kw=load_kw,
        soc=soc,
        battery=battery,
        inverter=inverter,
        export_limit_kw=export_limit_kw,
        dt_h=dt_h,
        battery_c=battery_c,
    )


def work_flows(
    work: WorkMode,
    *,
    pv_kw: float,
    load_kw: float,
    soc: float,
    battery: Battery,
    inverter: Inverter,
    export_limit_kw: float,
    dt_h: float,
    battery_c: float | None = None,
) -> Flows:
    """As `flows`, for settings that are already resolved (the twin reads them from its registers)."""
    per_soc = battery.capacity_kwh / dt_h  # kW that move the SOC by 1 within the interval
    if work.priority is Priority.BATTERY_FIRST:
        draw = min(inverter.ac_limit_kw if work.ac_charge else inverter.battery_first_draw_kw, inverter.ac_limit_kw)
        offered = min(pv_kw * inverter.eff_charge_pv + draw * inverter.eff_charge_ac, work.rate * battery.charge_kw)
        limit = charge_limit_kw(soc, battery, battery_c, dt_h=dt_h, most_kw=offered)
        room_kw = max(0.0, min(limit, (min(work.stop_soc, battery.soc_max) - soc) * per_soc))
        from_pv = min(pv_kw, room_kw / inverter.eff_charge_pv)
        rest = max(0.0, room_kw - from_pv * inverter.eff_charge_pv)
        from_ac = min(draw, rest / inverter.eff_charge_ac)
        return _to_ac(pv_kw, load_kw, from_pv, from_ac, 0.0, inverter, export_limit_kw)

    floor = max(work.stop_soc, battery.soc_min)
    can_give = max(0.0, min(discharge_limit_kw(soc, battery, battery_c), (soc - floor) * per_soc))
    if work.priority is Priority.GRID_FIRST:
        wanted = min(can_give, work.rate * battery.discharge_kw)
        pv_ac = min(pv_kw, inverter.ac_limit_kw, load_kw + export_limit_kw)
        outlet = min(inverter.ac_limit_kw, load_kw + export_limit_kw) - pv_ac
        give = max(0.0, min(wanted, outlet / inverter.eff_discharge))
        return _to_ac(pv_kw, load_kw, 0.0, 0.0, give, inverter, export_limit_kw)

    pv_to_load = min(pv_kw, load_kw, inverter.ac_limit_kw)
    left = pv_kw - pv_to_load
    limit = charge_limit_kw(soc, battery, battery_c, dt_h=dt_h, most_kw=left * inverter.eff_charge_pv)
    take = max(0.0, min(limit, (battery.soc_max - soc) * per_soc))
    from_pv = min(left, take / inverter.eff_charge_pv)
    deficit = min(load_kw, inverter.ac_limit_kw) - pv_to_load
    give = 0.0 if from_pv > 0.0 else max(0.0, min(can_give, deficit / inverter.eff_discharge))
    return _to_ac(pv_kw, load_kw, from_pv, 0.0, give, inverter, export_limit_kw)


def _to_ac(
    pv_kw: float,
    load_kw: float,
    pv_to_battery_kw: float,
    ac_to_battery_kw: float,
    give_kw: float,
    inverter: Inverter,
    export_limit_kw: float,
) -> Flows:
    """Closes the balance on the AC side once the battery's share is known: export what may be, curtail the rest.

    `pv_to_battery_kw` is DC before the charger, `ac_to_battery_kw` AC before it, `give_kw` at the terminals.
    """
    given_ac = give_kw * inverter.eff_discharge
    outlet = min(inverter.ac_limit_kw, load_kw + ac_to_battery_kw + export_limit_kw) - given_ac
    pv_ac = max(0.0, min(pv_kw - pv_to_battery_kw, outlet))
    charge = pv_to_battery_kw * inverter.eff_charge_pv + ac_to_battery_kw * inverter.eff_charge_ac
    pv_used = pv_to_battery_kw + pv_ac
    loss = pv_to_battery_kw + ac_to_battery_kw - charge + give_kw - given_ac
    return Flows(
        pv_used_kw=pv_used,
        battery_kw=charge - give_kw,
        grid_kw=load_kw + ac_to_battery_kw - pv_ac - given_ac,
        curtailed_kw=max(0.0, pv_kw - pv_used),
        loss_kw=loss,
    )
