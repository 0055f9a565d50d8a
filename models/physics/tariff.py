"""From the spot price to the price at the meter. An unknown spot price stays unknown: None or NaN, never 0."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo

from models.errors import DataError
from models.types.house import Tariff


def import_price(spot_eur_per_kwh: float | None, local_hour: int, tariff: Tariff) -> float | None:
    """Price of one kWh taken from the grid [EUR/kWh]; None where the spot price is unknown.

    Parameters
    ----------
    spot_eur_per_kwh : float or None
        May be negative; None or NaN: unknown.
    local_hour : int
        0 .. 23 on the wall clock of the house: distribution is dearer in `tariff.high_hours`.
    """
    if spot_eur_per_kwh is None or math.isnan(spot_eur_per_kwh):
        return None
    distribution = tariff.distribution_high if local_hour in tariff.high_hours else tariff.distribution
    return (spot_eur_per_kwh + tariff.import_fee + distribution) * (1.0 + tariff.vat)


def export_price(spot_eur_per_kwh: float | None, tariff: Tariff) -> float | None:
    """What one kWh fed in earns [EUR/kWh], negative if it costs; None where the spot price is unknown."""
    if spot_eur_per_kwh is None or math.isnan(spot_eur_per_kwh):
        return None
    return spot_eur_per_kwh - tariff.export_fee


def import_prices(
    spot_eur_per_kwh: Sequence[float], *, start: datetime, dt_s: float, tariff: Tariff, zone: tzinfo
) -> tuple[float, ...]:
    """`import_price` over slots `start + i*dt_s`; NaN where the spot price is unknown.

    Raises
    ------
    DataError
        `start` is not aware.
    """
    if start.tzinfo is None:
        raise DataError(f"start {start} has no time zone", hint="give it as aware UTC")
    prices: list[float] = []
    for i, spot in enumerate(spot_eur_per_kwh):
        hour = (start + timedelta(seconds=i * dt_s)).astimezone(zone).hour
        price = import_price(spot, hour, tariff)
        prices.append(math.nan if price is None else price)
    return tuple(prices)


def export_prices(spot_eur_per_kwh: Sequence[float], *, tariff: Tariff) -> tuple[float, ...]:
    """`export_price` of each slot; NaN where the spot price is unknown."""
    prices = (export_price(spot, tariff) for spot in spot_eur_per_kwh)
    return tuple(math.nan if price is None else price for price in prices)
