"""The most that a battery could have earned in one day, everything else of the day being as it was.

Sun, base load and heating are taken from the rows; free are the battery's power in each slot (within its rating and
window) and how much sun is curtailed. The battery begins and ends the day at the charge it really had, so that nothing
is earned by emptying it. What is left is a shortest path over the stored energy, solved exactly:

    F(e) = least cost to store e so far;   F'(e') = min over b of F(e' - b h) + cost(b);   0.25 h = h

`cost` is piecewise linear in the battery's power b and convex (below), so is F, and the minimum of such a sum is had by
merging the pieces of both in the order of their slopes: no grid, no tolerance, some ten pieces at a time. Where deep
cycles have a price, F is not convex, and `models/battery_reach.py` does the same arc by arc.

*Cost of a slot.* Discharged energy costs wear, and more of it what is drawn from the deep part of the battery, in slots
of unknown price too. At the meter (`eff` of the inverter; charging takes from the roof what
it can before it buys, as the inverter's battery first does):

    grid = house - sun + draw(b);  draw = eff_discharge b below 0, b / eff_pv up to what the roof gives, then b / eff_ac
    cost = price_import grid above 0, price_export grid below, sun curtailed where export is punished or would be more
           than contract and inverter allow; where each slot pays for its power, that price above what is free

Where prices make that concave (export dearer than import, or an import price so negative that burning energy pays)
its convex hull stands for it. Tapers, modes and dwell times are left out too. So the bound is never below what was
possible. What was done is priced alike, sun curtailed where that pays: selling at a negative price is not told here.

A day is judged within itself: charge kept for a dearer tomorrow is taken as given, at both ends. A price on a month's
peak is left out on both sides: the peak is of one quarter hour of the month, and no day's to earn.

*An unknown price* leaves the slot out: the battery does there what it did.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from models.battery_reach import Corners, DeepReach, Reach
from models.scorecard import SLOT_H, EvidenceRow
from models.scorecard_bill import slot_power_eur
from models.types.house import Battery, House, Tariff


@dataclass(frozen=True, slots=True, kw_only=True)
class BatteryDay:
    """What a battery earned in one day, against spreading its change of charge evenly over the day."""

    earned_eur: float  # net of wear; < 0: it had better rested
    bound_eur: float  # what perfect choice would have earned; never below earned_eur


@dataclass(frozen=True, slots=True)
class _Slot:
    """What one slot makes of the battery's power."""

    price_import: float
    price_export: float
    house_kw: float  # with heating, without the battery's losses
    sun_kw: float  # there is
    sun_dc_kw: float  # what it can charge, at the terminals
    floor_kw: float  # lowest flow at the meter: -export
    wear_eur_per_kwh: float
    effs: tuple[float, float, float]  # charging from the roof, charging from AC, discharging
    tariff: Tariff  # its price on power

    def cost_eur(self, battery_kw: float) -> float:
        """Money and wear of the slot."""
        sunless_kw = self.house_kw + _draw_kw(battery_kw, self.sun_dc_kw, self.effs)
        grid_kw = max(sunless_kw - self.sun_kw, self.floor_kw)
        if self.price_export < 0:
            grid_kw = max(grid_kw, min(sunless_kw, 0.0))  # curtailed; what the battery gives cannot be
        price = self.price_import if grid_kw > 0 else self.price_export
        energy_eur = (grid_kw * price + max(-battery_kw, 0.0) * self.wear_eur_per_kwh) * SLOT_H
        return energy_eur + slot_power_eur(grid_kw, self.tariff)

    def lowest_kw(self) -> float:
        """Fastest discharge that still finds a taker; what comes from the battery cannot be curtailed."""
        return _battery_kw(self.floor_kw - self.house_kw, self.sun_dc_kw, self.effs)

    def kinks_kw(self) -> list[float]:
        """Battery powers at which the cost changes its slope."""
        meter_kw = (0.0, self.floor_kw, self.tariff.peak_free_kw)
        flows_kw = (-self.house_kw, *(kw + self.sun_kw - self.house_kw for kw in meter_kw))
        return [0.0, self.sun_dc_kw, *(_battery_kw(kw, self.sun_dc_kw, self.effs) for kw in flows_kw)]


def battery_day(rows: Sequence[EvidenceRow], *, house: House, start_soc: float) -> BatteryDay | None:
    """What the battery earned and could have earned over consecutive slots, usually those of a local day.

    Parameters
    ----------
    rows : sequence of EvidenceRow
        Consecutive quarter hours.
    house : House
        Battery, inverter and export contract.
    start_soc : float
        State of charge before the first row, a fraction.

    Returns
    -------
    BatteryDay or None
        None: no battery, or no slot with known prices.
    """
    battery = house.battery
    priced = [row for row in rows if row.priced]
    if battery is None or not priced:
        return None
    even_kw = math.fsum(row.battery_kw for row in priced) / len(priced)
    stored = _stored_kwh(rows, start_soc * battery.capacity_kwh)
    low = min(battery.soc_min * battery.capacity_kwh, *stored)
    high = max(battery.soc_max * battery.capacity_kwh, *stored)
    limits = (
        -max(battery.discharge_kw, *(-row.battery_kw for row in rows)),
        max(battery.charge_kw, *(row.battery_kw for row in rows)),
    )
    best = _reach(stored[0], battery)
    even_eur = real_eur = 0.0
    even = [stored[0]]
    for row in rows:
        if row.priced:
            slot = _slot(row, house)
            best.move(_hull(slot, limits))
            even_eur += slot.cost_eur(even_kw)
            real_eur += slot.cost_eur(row.battery_kw)
        else:
            best.move([(row.battery_kw * SLOT_H, 0.0)])  # the battery does what it did
        best.clip(low, high)
        even.append(even[-1] + (even_kw if row.priced else row.battery_kw) * SLOT_H)
    even_eur += _deep_eur(even, battery)
    real_eur += _deep_eur(stored, battery)
    earned_eur = even_eur - real_eur
    bound_eur = even_eur - best.cost_at(stored[-1])
    return BatteryDay(earned_eur=earned_eur, bound_eur=max(bound_eur, earned_eur))  # rounding may swap the two


def _stored_kwh(rows: Sequence[EvidenceRow], start_kwh: float) -> list[float]:
    stored = [start_kwh]
    for row in rows:
        stored.append(stored[-1] + row.battery_kw * SLOT_H)
    return stored


def _reach(start_kwh: float, battery: Battery) -> Reach:
    if not battery.wear_deep_eur_per_kwh:
        return Reach(start_kwh)
    level_kwh = battery.deep_below_soc * battery.capacity_kwh
    return DeepReach(start_kwh, level_kwh=level_kwh, eur_per_kwh=battery.wear_deep_eur_per_kwh)


def _deep_eur(stored: Sequence[float], battery: Battery) -> float:
    """What deep cycles wear on top along a path of stored energies."""
    level_kwh = battery.deep_below_soc * battery.capacity_kwh
    drawn = math.fsum(max(min(a, level_kwh) - min(b, level_kwh), 0.0) for a, b in pairwise(stored))
    return drawn * battery.wear_deep_eur_per_kwh


def _slot(row: EvidenceRow, house: House) -> _Slot:
    inverter = house.inverter
    effs = (inverter.eff_charge_pv, inverter.eff_charge_ac, inverter.eff_discharge)
    sun_dc_kw = row.pv_available_kw * inverter.eff_charge_pv
    house_kw = row.grid_kw + row.pv_kw - _draw_kw(row.battery_kw, sun_dc_kw, effs)  # without the battery's losses
    # What was really exported was possible, whatever the limits of the house file say.
    floor_kw = min(max(-house.connection.export_contract_kw, house_kw - inverter.ac_limit_kw), row.grid_kw)
    return _Slot(
        price_import=row.price_import,
        price_export=row.price_export,
        house_kw=house_kw,
        sun_kw=row.pv_available_kw,
        sun_dc_kw=sun_dc_kw,
        floor_kw=floor_kw,
        wear_eur_per_kwh=house.battery.wear_eur_per_kwh if house.battery else 0.0,
        effs=effs,
        tariff=house.tariff,
    )


def _draw_kw(battery_kw: float, sun_dc_kw: float, effs: tuple[float, float, float]) -> float:
    """What a power at the terminals takes from the rest of the house, losses included [kW]."""
    from_sun, from_ac, given = effs
    if battery_kw <= 0:
        return battery_kw * given
    sunny_kw = min(battery_kw, sun_dc_kw)
    return sunny_kw / from_sun + (battery_kw - sunny_kw) / from_ac


def _battery_kw(draw_kw: float, sun_dc_kw: float, effs: tuple[float, float, float]) -> float:
    """The inverse of `_draw_kw`."""
    from_sun, from_ac, given = effs
    if draw_kw <= 0:
        return draw_kw / given
    sunny_kw = min(draw_kw * from_sun, sun_dc_kw)
    return sunny_kw + (draw_kw - sunny_kw / from_sun) * from_ac


def _hull(slot: _Slot, limits: tuple[float, float]) -> Corners:
    """Corners (kWh stored, EUR) of the largest convex function below the slot's cost."""
    low_kw, high_kw = max(limits[0], min(slot.lowest_kw(), 0.0)), limits[1]
    powers = sorted({low_kw, high_kw, *(kw for kw in slot.kinks_kw() if low_kw < kw < high_kw)})
    corners: list[tuple[float, float]] = []
    for kw in powers:
        point = (kw * SLOT_H, slot.cost_eur(kw))
        while len(corners) > 1 and _above(corners[-2], corners[-1], point):
            corners.pop()
        corners.append(point)
    return corners


def _above(left: tuple[float, float], middle: tuple[float, float], right: tuple[float, float]) -> bool:
    """The middle point is on or above the line through the others."""
    return (middle[1] - left[1]) * (right[0] - left[0]) >= (right[1] - left[1]) * (middle[0] - left[0])
