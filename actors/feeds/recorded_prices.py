"""Day-ahead prices from a file, told only when the market would have told them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from pathlib import Path

from actors.feeds.table import Column, SeriesTable, read_series
from models.errors import DataError
from models.types.forecast import PriceSeries
from models.types.slots import floor_slot, local_midnight

QUARTER_S = 900.0
_DAY = timedelta(days=1)
COLUMNS = (
    Column(
        name="spot_eur_per_kwh",
        low=-1.0,
        high=5.0,  # harmonised limits of the coupled auction have been -0.5 .. 4 (5 since 2022) EUR/kWh
        remedy="prices are EUR/kWh without tax: divide EUR/MWh by 1000",
        may_miss=True,
        peak=0.002,
        peak_remedy="prices are EUR/kWh: was EUR/MWh divided by 1000 twice?",
    ),
)


class RecordedPrices:
    """A recorded price series seen day by day.

    The market day D + 1 (local) appears at `published` local time on day D, all quarter hours at once: 92, 96 or 100 of
    them. Hourly prices are repeated four times. A price that the record lacks stays NaN.

    Parameters
    ----------
    path : Path
        CSV with `time_utc,spot_eur_per_kwh`.
    zone : tzinfo
        Zone of the market day.
    history_days : int
        How many days before today are told as well.
    published : time
        Local time at which tomorrow becomes known.

    Raises
    ------
    DataError
        The file is not a price series.
    """

    def __init__(self, path: Path, zone: tzinfo, *, history_days: int = 14, published: time = time(13)) -> None:
        self._table = read_series(path, COLUMNS, steps_s=(900.0, 1800.0, 3600.0))
        self._quarters = _quarters(self._table)
        self._zone = zone
        self._history_days = history_days
        self._published = published
        self._told: tuple[tuple[date, datetime], PriceSeries] | None = None
        self._source = f"recorded {path.name}"

    @property
    def start(self) -> datetime:
        """Start of the record."""
        return self._table.start

    @property
    def end(self) -> datetime:
        """End of the record."""
        return self._table.end

    def known_at(self, now: datetime) -> PriceSeries:
        """What was known at `now`: history, today, and tomorrow once it is published.

        Raises
        ------
        DataError
            The record holds nothing of the local day of `now`.
        """
        today = now.astimezone(self._zone).date()
        issued = self._publication(today)
        last = today + _DAY
        if now < issued:
            issued, last = self._publication(today - _DAY), today
        if self._told is None or self._told[0] != (today, issued):
            self._told = (today, issued), self._series(today, last + _DAY, issued, self._source)
        return self._told[1]

    def series(self, first: datetime, last: datetime, issued: datetime, source: str) -> PriceSeries:
        """Quarter hours of the record within `[first, last)`.

        Raises
        ------
        DataError
            There are none.
        """
        begin, end = floor_slot(max(first, self.start)), min(last, self.end)
        i, j = (round((t - self.start).total_seconds() / QUARTER_S) for t in (begin, end))
        if j <= i:
            raise DataError(
                f"{self._table.path}: no prices from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC, "
                f"the record is {self.start:%Y-%m-%d} to {self.end:%Y-%m-%d}",
                hint="start within the record or name another file in the [data] table",
            )
        return PriceSeries(
            issued=issued, source=source, start=begin, dt_s=QUARTER_S, spot_eur_per_kwh=self._quarters[i:j]
        )

    def day_start(self, now: datetime) -> datetime:
        """Start of the told history at `now`."""
        today = now.astimezone(self._zone).date()
        return local_midnight(today - timedelta(days=self._history_days), self._zone)

    def _series(self, today: date, end: date, issued: datetime, source: str) -> PriceSeries:
        midnight = local_midnight(today, self._zone)
        if not self.start <= midnight < self.end:  # history alone would hide that the present is unknown
            self.series(midnight, local_midnight(end, self._zone), issued, source)
        first = local_midnight(today - timedelta(days=self._history_days), self._zone)
        return self.series(first, local_midnight(end, self._zone), issued, source)

    def _publication(self, day: date) -> datetime:
        """When the prices of the day after `day` became known."""
        return datetime.combine(day, self._published, tzinfo=self._zone).astimezone(UTC)


class TruePrices:
    """The same record with the future known, for the perfect-foresight policy only."""

    def __init__(self, recorded: RecordedPrices, *, ahead_days: float = 4.0) -> None:
        self._recorded = recorded
        self._ahead = timedelta(days=ahead_days)

    def known_at(self, now: datetime) -> PriceSeries:
        """History and the next `ahead_days`, as far as recorded."""
        return self._recorded.series(
            self._recorded.day_start(now), floor_slot(now) + self._ahead, now, "recorded prices, future known"
        )


def _quarters(table: SeriesTable) -> tuple[float, ...]:
    """The record on quarter hours: longer slots are repeated."""
    repeat = round(table.dt_s / QUARTER_S)
    return tuple(v for v in table.columns[COLUMNS[0].name] for _ in range(repeat))
