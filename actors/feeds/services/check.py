"""Is this a day of prices? Currency, unit, slots, duplicates, gaps and size, before anybody plans on it.

A genuine negative price is kept; a hole stays a hole (NaN); what cannot be right is refused whole, because a day with
one absurd price has a cause that the others share.
"""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

from models.errors import DataError
from models.types.slots import QUARTER, day_slots, local_midnight

QUARTER_S = 900.0
LOWEST_EUR_PER_KWH, HIGHEST_EUR_PER_KWH = -5.0, 15.0  # the coupled auction has been within -0.5 .. 4 (5 since 2022)
MEDIAN_EUR_PER_KWH = (-1.0, 1.5)  # of a whole day; the dearest day of 2022 was 0.75
_STEPS_S = (900.0, 1800.0, 3600.0)
_JUDGED = 20  # known values, below which a day is too short to judge its unit by its size
_LIVELY = 0.02  # EUR/kWh: where yesterday exceeded this, a day within a tenth of a cent is no calm day
_UNIT = re.compile(r"\s*([A-Za-z]{3})\s*/\s*(MWh|kWh)\s*", re.IGNORECASE)
_PER_KWH = {"MWH": 1000.0, "KWH": 1.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotedDay:
    """Prices of one day as a service wrote them; slots that it left out or null are not here."""

    source: str
    unit: str  # such as "EUR / MWh"
    step_s: float
    points: tuple[tuple[datetime, float], ...]  # start of the slot (aware UTC), price in `unit`


@dataclass(frozen=True, slots=True, kw_only=True)
class DayPrices:
    """Quarter hours of one local day: 96, or 92 and 100 when the clocks change. NaN: not published."""

    day: date
    source: str
    fetched: datetime  # aware UTC
    start: datetime
    eur_per_kwh: tuple[float, ...]

    @property
    def known(self) -> int:
        """Quarter hours with a price."""
        return sum(not math.isnan(v) for v in self.eur_per_kwh)

    @property
    def whole(self) -> bool:
        """Whether every quarter hour has a price."""
        return self.known == len(self.eur_per_kwh)


def day_prices(
    quoted: QuotedDay,
    day: date,
    zone: tzinfo,
    *,
    fetched: datetime,
    before: DayPrices | None = None,
    quietest_peak_eur_per_kwh: float = 0.002,
    per_eur: Mapping[str, float] | None = None,
) -> DayPrices:
    """A checked day.

    Parameters
    ----------
    quoted : QuotedDay
        What the service said.
    day, zone : date, tzinfo
        The delivery day and the zone of its midnights.
    before : DayPrices, optional
        The day before, if it is known: its copy is no new day, and its size tells what is usual.
    quietest_peak_eur_per_kwh : float
        A whole day within this is taken for EUR/kWh read as EUR/MWh, unless the day before was as calm; 0: never.
    per_eur : mapping, optional
        Units of other currencies that a euro buys.

    Raises
    ------
    DataError
        It is none, in one line that names what, value, limit and remedy.
    """
    scale = unit_scale(quoted.unit, quoted.source, per_eur or {})
    prices = _slots(quoted, day, zone, scale)
    quarters = _quarters(prices, quoted.step_s, day, zone)
    _size(quoted.source, day, quarters, before, quietest_peak_eur_per_kwh)
    if before is not None and before.day == day - timedelta(days=1):
        _no_copy(quoted.source, day, quarters, before)
    return DayPrices(
        day=day,
        source=quoted.source,
        fetched=fetched,
        start=local_midnight(day, zone),
        eur_per_kwh=quarters,
    )


def unit_scale(unit: str, source: str, per_eur: Mapping[str, float]) -> float:
    """What a price in `unit` is divided by to be EUR/kWh."""
    match = _UNIT.fullmatch(unit)
    if match is None:
        raise DataError(f"{source}: unit {unit[:40]!r} is not known", hint="EUR/MWh and EUR/kWh are")
    currency = match[1].upper()
    rate = 1.0 if currency == "EUR" else per_eur.get(currency)
    if rate is None or not rate > 0.0:
        raise DataError(
            f"{source}: prices are in {currency}, EUR is expected",
            hint="set the currency of [prices], or choose a source that quotes EUR",
        )
    return rate * _PER_KWH[match[2].upper()]


def _slots(quoted: QuotedDay, day: date, zone: tzinfo, scale: float) -> dict[datetime, float]:
    start, end = local_midnight(day, zone), local_midnight(day + timedelta(days=1), zone)
    if quoted.step_s not in _STEPS_S:
        raise DataError(f"{quoted.source}: slots of {quoted.step_s:g} s", hint="900, 1800 and 3600 s are understood")
    prices: dict[datetime, float] = {}
    for at, value in quoted.points:
        if not start <= at < end:
            raise DataError(
                f"{quoted.source}: a price of {at:%Y-%m-%d %H:%M} UTC in the answer about {day}",
                hint="the service answers about another day; it is asked again",
            )
        if (at - start).total_seconds() % quoted.step_s:
            raise DataError(
                f"{quoted.source}: a price of {at:%H:%M:%S} UTC is off the grid of {quoted.step_s:g} s",
                hint="the service is at fault; choose a fallback if it lasts",
            )
        price = value / scale
        if not LOWEST_EUR_PER_KWH <= price <= HIGHEST_EUR_PER_KWH:
            raise DataError(
                f"{quoted.source}: {price:g} EUR/kWh at {at:%Y-%m-%d %H:%M} UTC is outside "
                f"{LOWEST_EUR_PER_KWH:g} .. {HIGHEST_EUR_PER_KWH:g}",
                hint=f"is {quoted.unit} its unit? EUR/MWh taken for EUR/kWh is 1000 times too much",
            )
        known = prices.setdefault(at, price)
        if known != price:
            raise DataError(
                f"{quoted.source}: two prices of {at:%Y-%m-%d %H:%M} UTC, {known:g} and {price:g} EUR/kWh",
                hint="the service is at fault; it is asked again",
            )
    return prices


def _quarters(prices: Mapping[datetime, float], step_s: float, day: date, zone: tzinfo) -> tuple[float, ...]:
    """Longer slots are repeated; what nobody quoted is NaN."""
    repeat = round(step_s / QUARTER_S)
    spread = {at + i * QUARTER: price for at, price in prices.items() for i in range(repeat)}
    return tuple(spread.get(at, math.nan) for at in day_slots(day, zone))


def _size(source: str, day: date, quarters: Sequence[float], before: DayPrices | None, quietest: float) -> None:
    known = [v for v in quarters if not math.isnan(v)]
    if len(known) < _JUDGED:
        return
    median = statistics.median(known)
    low, high = MEDIAN_EUR_PER_KWH
    if not low <= median <= high:
        raise DataError(
            f"{source}: the median of {day} is {median:g} EUR/kWh, outside {low:g} .. {high:g}",
            hint="another currency, or EUR/MWh taken for EUR/kWh? compare with the market's own page",
        )
    peak = max(abs(v) for v in known)
    usual = None if before is None else max((abs(v) for v in before.eur_per_kwh if not math.isnan(v)), default=None)
    if peak < quietest and (usual is None or usual > _LIVELY):
        raise DataError(
            f"{source}: no price of {day} exceeds {peak:g} EUR/kWh, a real day exceeds {quietest:g}",
            hint="EUR/kWh taken for EUR/MWh? if it is a calm market, lower quietest_peak_eur_per_kwh",
        )


def _no_copy(source: str, day: date, quarters: Sequence[float], before: DayPrices) -> None:
    """A service that has no tomorrow yet may show today again under its date."""
    if len(set(quarters)) > 1 and tuple(quarters) == before.eur_per_kwh:
        raise DataError(
            f"{source}: {day} has the very prices of {before.day}, all {len(quarters)}",
            hint="the service shows an old day again; it is asked again",
        )
