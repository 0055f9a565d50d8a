"""Which quarter hours of a local day were its cheapest or dearest, as a household knows its days.

Decisions behind it:

- *A day* is a local calendar day: 96 quarter hours, 92 or 100 when the clocks change. A fifth of it is
  `floor(0.2 * slots)`: 19, 18 or 20 slots.
- *Unknown prices* (NaN, or slots outside the evidence) are ranked nowhere: the fifth is one of the slots with a known
  price, and a day tells nothing if fewer than half of its slots have one.
- *Ties* count whole: a slot at the price of the last one in the fifth is as good, so it is in. Where ties swell the
  set beyond two fifths of the day (a flat tariff, or a low tariff of 20 hours) nobody could choose: the day tells
  nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, tzinfo

from models.types.slots import day_slots

FIFTH = 0.2
MOST_TIED = 2 * FIFTH  # of a day's ranked slots
LEAST_KNOWN = 0.5  # of a day's slots
_SAME_EUR = 1e-9  # per kWh: prices closer than this are one price


def cheapest_fifth(prices: Mapping[datetime, float], zone: tzinfo) -> dict[datetime, bool]:
    """Whether each quarter hour was among the cheapest fifth of its local day.

    Parameters
    ----------
    prices : mapping of datetime to float
        Slot start (aware UTC) to EUR/kWh; NaN: unknown.
    zone : tzinfo
        Of the household.

    Returns
    -------
    dict of datetime to bool
        Of the slots of which that can be told; the others are missing (see the module's docstring).
    """
    return _fifth(prices, zone, worth=float)


def dearest_fifth(prices: Mapping[datetime, float], zone: tzinfo) -> dict[datetime, bool]:
    """Whether each quarter hour was among the dearest fifth of its local day; as `cheapest_fifth`."""
    return _fifth(prices, zone, worth=lambda price: -price)


def local_days(prices: Mapping[datetime, float], zone: tzinfo) -> Iterator[date]:
    """Local days that the slots touch, in order."""
    yield from sorted({at.astimezone(zone).date() for at in prices})


def _fifth(
    prices: Mapping[datetime, float], zone: tzinfo, *, worth: Callable[[float], float]
) -> dict[datetime, bool]:
    found: dict[datetime, bool] = {}
    for day in local_days(prices, zone):
        slots = list(day_slots(day, zone))
        ranked = {at: worth(prices[at]) for at in slots if not math.isnan(prices.get(at, math.nan))}
        count = math.floor(FIFTH * len(ranked) + _SAME_EUR)
        if count < 1 or len(ranked) < LEAST_KNOWN * len(slots):
            continue
        edge = sorted(ranked.values())[count - 1] + _SAME_EUR
        if sum(value <= edge for value in ranked.values()) > MOST_TIED * len(ranked):
            continue
        found |= {at: value <= edge for at, value in ranked.items()}
    return found
