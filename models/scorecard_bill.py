"""What a bill has beside energy: a price on power, and what deep cycles wear on top. Of quarter hours alone.

Decisions behind the figures:

- *Power* is billed on the net mean of a quarter hour, and whether its energy has a known price does not matter.
- *By the month*: the highest quarter hour of each month of the house's calendar, above what is free. A period that
  spans two months has two peaks; one that is a part of a month pays for that part's peak in full. What was measured
  earlier in its first month is paid already.
- *By the slot*: each quarter hour pays for what it has above what is free.
- *Deep* is what was drawn from below `deep_below_soc`, from one end of a quarter hour to the next: discharged and
  charged again within one it is not seen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from typing import Protocol
from zoneinfo import ZoneInfo

from models.errors import DataError
from models.types.house import Battery, House, Tariff
from models.types.slots import QUARTER

_SLOT_H = QUARTER / timedelta(hours=1)


class Slot(Protocol):
    """What is needed of a quarter hour; `models.scorecard.EvidenceRow` has it."""

    @property
    def time_utc(self) -> datetime: ...
    @property
    def grid_kw(self) -> float: ...
    @property
    def battery_kw(self) -> float: ...
    @property
    def soc(self) -> float: ...


def power_eur(slots: Sequence[Slot], *, house: House, measured_kw: float = 0.0) -> float | None:
    """The price on power of a period.

    Parameters
    ----------
    slots : sequence of Slot
        Consecutive quarter hours.
    house : House
        Tariff and time zone.
    measured_kw : float
        Highest quarter hour that the first slot's month had before it; of no account where each slot pays for itself.

    Returns
    -------
    float or None
        EUR; None: the tariff does not bill power.

    Raises
    ------
    DataError
        `measured_kw` is no power.
    """
    if not (math.isfinite(measured_kw) and measured_kw >= 0.0):
        raise DataError(f"measured_kw is {measured_kw:g}, must be 0 or more", hint="0: nothing was measured yet")
    tariff = house.tariff
    if tariff.peak_eur_per_kw <= 0.0:
        return None
    if tariff.peak_per == "slot":
        return math.fsum(slot_power_eur(slot.grid_kw, tariff) for slot in slots)
    zone, free_kw = ZoneInfo(house.site.timezone), max(tariff.peak_free_kw, measured_kw)
    above: list[float] = []
    for _, month in groupby(slots, key=lambda slot: _month(slot.time_utc, zone)):
        above.append(max(0.0, *(slot.grid_kw - free_kw for slot in month)))
        free_kw = tariff.peak_free_kw  # every later month begins with nothing measured
    return tariff.peak_eur_per_kw * math.fsum(above)


def _month(at: datetime, zone: ZoneInfo) -> tuple[int, int]:
    local = at.astimezone(zone)
    return local.year, local.month


def slot_power_eur(grid_kw: float, tariff: Tariff) -> float:
    """What the power of one quarter hour costs where each pays for itself [EUR]; 0 where a month's peak does."""
    return tariff.peak_eur_per_kw * max(grid_kw - tariff.peak_free_kw, 0.0) if tariff.peak_per == "slot" else 0.0


def deep_drawn_kwh(slots: Sequence[Slot], battery: Battery | None) -> list[float] | None:
    """Energy drawn from the deep part of the battery in each of consecutive quarter hours [kWh].

    Returns
    -------
    list of float or None
        One per slot, never negative. None: no battery, no price for it, or the SOC is not known.
    """
    if battery is None or not battery.wear_deep_eur_per_kwh or any(math.isnan(slot.soc) for slot in slots):
        return None
    states = [soc_before(slots[0], battery), *(slot.soc for slot in slots)] if slots else []
    level = battery.deep_below_soc
    return [battery.capacity_kwh * max(min(a, level) - min(b, level), 0.0) for a, b in pairwise(states)]


def soc_before(slot: Slot, battery: Battery) -> float:
    """State of charge at the start of a quarter hour, by what flowed in it."""
    return slot.soc - slot.battery_kw * _SLOT_H / battery.capacity_kwh
