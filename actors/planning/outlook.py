"""Prices over a horizon: what is known, and a flagged stand-in beyond publication. Never 0, never silent."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from models.physics.tariff import export_prices, import_prices
from models.types.forecast import PriceSeries
from models.types.house import Tariff

STAND_IN_DAYS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """Prices at the meter per slot [EUR/kWh]; `known` is False for a stand-in. None of them is NaN."""

    price_import: tuple[float, ...]
    price_export: tuple[float, ...]
    known: tuple[bool, ...]


def price_outlook(
    prices: PriceSeries, *, start: datetime, dt_s: float, steps: int, tariff: Tariff, zone: ZoneInfo
) -> Outlook | None:
    """Prices for a horizon; None when not even a stand-in can be made.

    A stand-in is the mean of the same quarter hour (by wall clock) of the last seven known days.
    """
    spot: list[float] = []
    known: list[bool] = []
    for i in range(steps):
        at = start + timedelta(seconds=i * dt_s)
        price = prices.at(at)
        known.append(price is not None)
        if price is None:
            price = _stand_in(prices, at, zone)
        if price is None:
            return None
        spot.append(price)
    series = tuple(spot)
    return Outlook(
        price_import=import_prices(series, start=start, dt_s=dt_s, tariff=tariff, zone=zone),
        price_export=export_prices(series, tariff=tariff),
        known=tuple(known),
    )


def _stand_in(prices: PriceSeries, at: datetime, zone: ZoneInfo) -> float | None:
    local = at.astimezone(zone)
    found = []
    for back in range(1, STAND_IN_DAYS + 3):
        day = local.date() - timedelta(days=back)
        same = datetime(day.year, day.month, day.day, local.hour, local.minute, tzinfo=zone)
        price = prices.at(same)
        if price is not None and not math.isnan(price):
            found.append(price)
        if len(found) == STAND_IN_DAYS:
            break
    return sum(found) / len(found) if found else None
