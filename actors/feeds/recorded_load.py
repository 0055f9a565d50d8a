"""A recorded home as the base load of another year: moved by whole weeks, scaled, on quarter hours."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping
from datetime import date, datetime, timedelta, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from actors.feeds.table import Column, SeriesTable, read_series
from models.errors import DataError
from models.types.forecast_request import MeasuredSeries
from models.types.slots import floor_slot, local_midnight

QUARTER = timedelta(minutes=15)
_WEEK = timedelta(weeks=1)
_HOUR = timedelta(hours=1)
_MAX_WEEKS_AWAY = 8  # how far a missing hour may look for its like
COLUMNS = (
    Column(
        name="load_kw",
        low=0.0,
        high=100.0,
        remedy="load is kW and never negative: divide W by 1000",
        may_miss=True,
        peak=0.05,
        peak_remedy="load is kW: multiply MW by 1000",
    ),
)


class RecordedLoad:
    """The base load of a home in `year`, made from a record of another year.

    The record is moved by whole weeks on the local clock, so that weekday, hour and season (to within six days) stay,
    and scaled to `annual_kwh`. Slots longer than a quarter hour are repeated. A missing hour takes the same hour of the
    week before, else after, else two weeks before and so on; `filled_hours` counts them. Heating and the inverter's
    standby are not part of it.

    Parameters
    ----------
    path : Path
        CSV with `time_utc,load_kw`.
    zone : tzinfo
        Zone of the house.
    year : int
        Year the load is wanted for.
    annual_kwh : float
        Energy of that (local) year.
    source_zone : tzinfo
        Zone in whose clock the recorded home lived; Europe/Paris if not given.

    Raises
    ------
    DataError
        The file is not a load record, is shorter than the year, or has a hole that nothing can fill.
    """

    def __init__(
        self,
        path: Path,
        zone: tzinfo,
        *,
        year: int = 2021,
        annual_kwh: float = 4500.0,
        source_zone: tzinfo | None = None,
    ) -> None:
        table = read_series(path, COLUMNS, steps_s=(900.0, 1800.0, 3600.0))
        self._path = path
        step = timedelta(seconds=table.dt_s)
        by_clock, first = _by_clock(table, source_zone or ZoneInfo("Europe/Paris"))
        weeks = (date(year, 1, 1) - first).days // 7
        year_start, year_end = local_midnight(date(year, 1, 1), zone), local_midnight(date(year + 1, 1, 1), zone)
        self._start = max(year_start - timedelta(days=7), local_midnight(first + weeks * _WEEK, zone))
        last = (table.end - timedelta(days=1)).astimezone(zone).date() + weeks * _WEEK
        self._end = min(year_end + timedelta(days=10), local_midnight(last, zone))
        if self._end < year_end:
            raise DataError(
                f"{path}: ends {table.end:%Y-%m-%d}, too early for a whole year from {first}",
                hint="record at least 54 weeks or name another file in the [data] table",
            )
        self.filled_hours = 0.0
        values = array("d")
        at, repeat = self._start, round(step / QUARTER)
        while at < self._end:
            clock = at.astimezone(zone).replace(tzinfo=None) - weeks * _WEEK
            value = by_clock.get(clock, math.nan)
            if math.isnan(value):
                value = self._like(by_clock, clock)
                self.filled_hours += step / _HOUR
            values.extend([value] * repeat)
            at += step
        i, j = (round((t - self._start) / QUARTER) for t in (year_start, year_end))
        energy_kwh = sum(values[i:j]) * 0.25
        if energy_kwh <= 0.0:
            raise DataError(f"{path}: the load of the year is 0", hint="check the column load_kw")
        scale = annual_kwh / energy_kwh
        self._kw = array("d", (v * scale for v in values))

    @property
    def start(self) -> datetime:
        """First slot."""
        return self._start

    @property
    def end(self) -> datetime:
        """End of the last slot."""
        return self._end

    def kw(self, start: datetime, steps: int) -> tuple[float, ...]:
        """Load of `steps` quarter hours from the slot that holds `start` [kW].

        Raises
        ------
        DataError
            They lie outside the record.
        """
        i = math.floor((start - self._start) / QUARTER)
        if i < 0 or i + steps > len(self._kw):
            raise DataError(
                f"{self._path}: no load for {steps} quarter hours from {start:%Y-%m-%d %H:%M} UTC, "
                f"there is {self._start:%Y-%m-%d} to {self._end:%Y-%m-%d}",
                hint="start within the year or name another file in the [data] table",
            )
        return tuple(self._kw[i : i + steps])

    def history(self, now: datetime, days: float, *, add_kw: float = 0.0) -> MeasuredSeries:
        """The quarter hours of the last `days` that have ended by `now`, as far as recorded.

        Parameters
        ----------
        add_kw : float
            What the meter of the house sees all the time besides: the inverter's standby.
        """
        return self.between(floor_slot(now - timedelta(days=days)), floor_slot(now), add_kw=add_kw)

    def between(self, start: datetime, end: datetime, *, add_kw: float = 0.0) -> MeasuredSeries:
        """The quarter hours in `[start, end)`, as far as recorded; empty if there are none."""
        start = max(start, self._start)
        steps = max(0, round((min(end, self._end) - start) / QUARTER))
        values = self.kw(start, steps) if steps else ()
        return MeasuredSeries(start=start, dt_s=900.0, kw=tuple(v + add_kw for v in values))

    def _like(self, by_clock: Mapping[datetime, float], clock: datetime) -> float:
        """The same hour of the nearest week that has it, the past first."""
        for weeks in range(1, _MAX_WEEKS_AWAY + 1):
            for other in (clock - weeks * _WEEK, clock + weeks * _WEEK):
                value = by_clock.get(other, math.nan)
                if not math.isnan(value):
                    return value
        raise DataError(
            f"{self._path}: load_kw is missing around {clock:%Y-%m-%d %H:%M} local and in {_MAX_WEEKS_AWAY} weeks "
            "before and after",
            hint="fill the gap",
        )


class TrueLoad:
    """The same load with the future known, for the perfect-foresight policy only."""

    def __init__(self, recorded: RecordedLoad) -> None:
        self._recorded = recorded

    def known_at(self, now: datetime, steps: int, *, add_kw: float = 0.0) -> MeasuredSeries:
        """The next `steps` quarter hours from the slot in hand, as far as recorded."""
        start = floor_slot(now)
        return self._recorded.between(start, start + steps * QUARTER, add_kw=add_kw)


def _by_clock(table: SeriesTable, zone: tzinfo) -> tuple[dict[datetime, float], date]:
    """The record by the clock on the home's wall, and its first whole day.

    Of the hour that comes twice in autumn the first is kept; the hour that spring skips is missing and filled like any.
    """
    values: dict[datetime, float] = {}
    at, step = table.start, timedelta(seconds=table.dt_s)
    for value in table.columns[COLUMNS[0].name]:
        values.setdefault(at.astimezone(zone).replace(tzinfo=None), value)
        at += step
    first = min(values)
    whole = first.date() if first.time() == datetime.min.time() else first.date() + timedelta(days=1)
    return values, whole
