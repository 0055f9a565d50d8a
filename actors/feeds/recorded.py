"""Everything that is replayed from files, and what a twin is given of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TypedDict

from actors.feeds.recorded_load import RecordedLoad, TrueLoad
from actors.feeds.recorded_prices import RecordedPrices, TruePrices
from actors.feeds.recorded_weather import COLUMNS, RecordedWeather, TrueWeather
from actors.feeds.table import SeriesTable, read_series
from actors.feeds.weather_error import PERFECT, WeatherErrorSpec
from models.errors import DataError

__all__ = [
    "PERFECT",
    "RecordedLoad",
    "RecordedPrices",
    "RecordedWeather",
    "TrueLoad",
    "TruePrices",
    "TrueWeather",
    "WeatherErrorSpec",
    "WorldSeries",
    "load_world_series",
]


class WorldSeries(TypedDict):
    """Arguments of a twin's world: recorded truth on quarter hours."""

    start: datetime
    dt_s: float
    temp_c: tuple[float, ...]
    ghi: tuple[float, ...]
    dhi: tuple[float, ...]
    dni: tuple[float, ...]
    wind: tuple[float, ...]
    load_kw: tuple[float, ...]


def load_world_series(
    weather: Path | SeriesTable,
    load: RecordedLoad,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
) -> WorldSeries:
    """Truth of weather and load where both are recorded.

    Parameters
    ----------
    weather : Path or SeriesTable
        The record, or the `table` of a `RecordedWeather` that has read it already.
    load : RecordedLoad
        Base load without heating and standby.
    start, end : datetime, optional
        Cut to this period.

    Raises
    ------
    DataError
        The weather is not on quarter hours, or the two have no time in common.
    """
    table = weather if isinstance(weather, SeriesTable) else read_series(weather, COLUMNS, steps_s=(900.0,))
    if table.dt_s != 900.0:
        raise DataError(f"{table.path}: step {table.dt_s:g} s, the twin needs 900 s", hint="average to quarter hours")
    first = max(table.start, load.start, *([start] if start else []))
    last = min(table.end, load.end, *([end] if end else []))
    i, j = table.index(first), table.index(last)
    if j <= i:
        raise DataError(
            f"{table.path}: nothing between {first:%Y-%m-%d %H:%M} and {last:%Y-%m-%d %H:%M} UTC where both weather "
            "and load are recorded",
            hint="choose files and a period of the same year",
        )
    column = {name: tuple(values[i:j]) for name, values in table.columns.items()}
    return WorldSeries(
        start=table.start + timedelta(seconds=table.dt_s * i),
        dt_s=table.dt_s,
        temp_c=column["temp_c"],
        ghi=column["ghi_w_per_m2"],
        dhi=column["dhi_w_per_m2"],
        dni=column["dni_w_per_m2"],
        wind=column["wind_m_per_s"],
        load_kw=load.kw(table.start + timedelta(seconds=table.dt_s * i), j - i),
    )
