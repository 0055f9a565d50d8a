"""Prices over a horizon: what is known, and a flagged stand-in beyond publication. Never 0, never silent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
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
    prices: PriceSeries, *, start: datetime, dt_s: float, steps: int, tariff: Tariff, zone: ZoneInfo,
    caution: float = 0.0,
) -> Outlook | None:
    """Prices for a horizon; None when not even a stand-in can be made.

    A stand-in is a band: the lowest, mean and highest of the same quarter hour (by wall clock) of the last seven known
    days. Buying is planned at the mean plus a share, `caution`, of the way to the highest, selling at the mean less the
    same share of the way to the lowest: 0 trusts the mean, 1 expects the worst of a week.
    """  # fmt: skip
    buy: list[float] = []
    sell: list[float] = []
    known: list[bool] = []
    for i in range(steps):
        at = start + timedelta(seconds=i * dt_s)
        price = _mean(prices, at, dt_s)
        known.append(price is not None)
        band = (price, price, price) if price is not None else _stand_in(prices, at, dt_s, zone)
        if band is None:
            return None
        low, mean, high = band
        buy.append(mean + caution * (high - mean))
        sell.append(mean - caution * (mean - low))
    return Outlook(
        price_import=import_prices(tuple(buy), start=start, dt_s=dt_s, tariff=tariff, zone=zone),
        price_export=export_prices(tuple(sell), tariff=tariff),
        known=tuple(known),
    )


def _mean(prices: PriceSeries, at: datetime, dt_s: float) -> float | None:
    """Mean spot price of a slot; None where any part of it is unknown."""
    parts = max(1, round(dt_s / prices.dt_s))
    found = [prices.at(at + timedelta(seconds=i * prices.dt_s)) for i in range(parts)]
    known = [price for price in found if price is not None]
    return sum(known) / parts if len(known) == parts else None


def _stand_in(prices: PriceSeries, at: datetime, dt_s: float, zone: ZoneInfo) -> tuple[float, float, float] | None:
    """Lowest, mean and highest spot price of this slot on the last known days."""
    local = at.astimezone(zone)
    found = []
    for back in range(1, STAND_IN_DAYS + 3):
        day = local.date() - timedelta(days=back)
        same = datetime(day.year, day.month, day.day, local.hour, local.minute, tzinfo=zone)
        price = _mean(prices, same.astimezone(UTC), dt_s)
        if price is not None:
            found.append(price)
        if len(found) == STAND_IN_DAYS:
            break
    return (min(found), sum(found) / len(found), max(found)) if found else None
