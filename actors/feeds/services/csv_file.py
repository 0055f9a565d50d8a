"""Prices from a CSV file that another program keeps up to date: `time_utc` and one column `spot_<currency>_per_kwh`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

from actors.feeds.services.check import HIGHEST_EUR_PER_KWH, LOWEST_EUR_PER_KWH, QUARTER_S
from actors.feeds.services.types import PricesAnswer
from actors.feeds.table import Column, SeriesTable, read_series
from models.errors import DataError
from models.types.forecast import PriceSeries
from models.types.slots import floor_slot, local_midnight

_STEPS_S = (900.0, 1800.0, 3600.0)


class CsvPrices:
    """What stands in the file now, read again when it has changed.

    Parameters
    ----------
    path : Path
    zone : tzinfo
        Zone of the delivery day.
    currency : str
        Of the column; other than EUR needs `per_eur`.
    per_eur : callable
        Units of each currency that a euro buys, as known at a time.
    """

    def __init__(
        self,
        path: Path,
        zone: tzinfo,
        *,
        currency: str = "EUR",
        history_days: int = 7,
        quietest_peak_eur_per_kwh: float = 0.002,
        per_eur: Callable[[datetime], Mapping[str, float]] = lambda _: {},
    ) -> None:
        self._path, self._zone, self._currency, self._per_eur = path, zone, currency, per_eur
        self._history = timedelta(days=history_days)
        self._quietest = quietest_peak_eur_per_kwh
        self._read: tuple[tuple[int, int], SeriesTable] | None = None

    def known_at(self, now: datetime) -> PriceSeries:
        """History, today and whatever else the file has of the future.

        Raises
        ------
        DataError
            The file is not a price series, or has nothing of today.
        """
        table, written = self._table()
        rate = self._rate(now)
        prices = _quarters(table, f"spot_{self._currency.lower()}_per_kwh", rate)
        today = now.astimezone(self._zone).date()
        wanted = local_midnight(today - self._history, self._zone)
        skip = max(0, math.ceil((wanted - table.start).total_seconds() / QUARTER_S))
        start = table.start + skip * timedelta(seconds=QUARTER_S)
        series = PriceSeries(
            issued=min(now, written),
            source=f"CSV {self._path.name}",
            start=start,
            dt_s=QUARTER_S,
            spot_eur_per_kwh=_trimmed(prices[skip:]),
        )
        if series.end <= floor_slot(now) or series.start > now:
            raise DataError(
                f"{self._path}: prices from {table.start:%Y-%m-%d %H:%M} to {series.end:%Y-%m-%d %H:%M} UTC, "
                f"it is {now:%Y-%m-%d %H:%M}",
                hint="the program that writes this file has to add the days that are published",
            )
        return series

    def ask(self, now: datetime) -> PricesAnswer:
        """The same in the form of the worker."""
        return PricesAnswer(series=self.known_at(now))

    def _table(self) -> tuple[SeriesTable, datetime]:
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            written = datetime.fromtimestamp(status.st_mtime, UTC)
        except OSError:
            stamp, written = (-1, -1), datetime.fromtimestamp(0, UTC)  # what is wrong is said by the reader
        if self._read is None or self._read[0] != stamp:
            rate = self._bound()
            column = Column(
                name=f"spot_{self._currency.lower()}_per_kwh",
                low=LOWEST_EUR_PER_KWH * rate,
                high=HIGHEST_EUR_PER_KWH * rate,
                remedy=f"prices are {self._currency}/kWh without tax: divide {self._currency}/MWh by 1000",
                may_miss=True,
                peak=self._quietest,
                peak_remedy=f"prices are {self._currency}/kWh: was {self._currency}/MWh divided by 1000 twice?",
            )
            self._read = stamp, read_series(self._path, (column,), steps_s=_STEPS_S)
        return self._read[1], written

    def _rate(self, now: datetime) -> float:
        if self._currency == "EUR":
            return 1.0
        rate = self._per_eur(now).get(self._currency)
        if rate is None:
            raise DataError(
                f"{self._path}: the bank has no rate of {self._currency}", hint="check currency, or write EUR"
            )
        return rate

    def _bound(self) -> float:
        """A generous rate for the limits of the file, which must not move with the day's rate."""
        return 1.0 if self._currency == "EUR" else 1000.0


def _quarters(table: SeriesTable, name: str, rate: float) -> tuple[float, ...]:
    repeat = round(table.dt_s / QUARTER_S)
    prices = [v / rate for v in table.columns[name]]
    for i, price in enumerate(prices):
        if price == price and not LOWEST_EUR_PER_KWH <= price <= HIGHEST_EUR_PER_KWH:
            raise DataError(
                f"{table.path} row {i + 2}: {price:g} EUR/kWh is outside {LOWEST_EUR_PER_KWH:g} .. "
                f"{HIGHEST_EUR_PER_KWH:g}",
                hint="prices are per kWh: divide those per MWh by 1000",
            )
    return tuple(price for price in prices for _ in range(repeat))


def _trimmed(values: tuple[float, ...]) -> tuple[float, ...]:
    """Without the unknown ones at the end."""
    end = len(values)
    while end and math.isnan(values[end - 1]):
        end -= 1
    return values[:end]
