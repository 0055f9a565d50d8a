"""Recorded weather as truth, and the forecasts of it that would have been issued."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

from actors.feeds.clear_sky import clear_sky_beam, clear_sky_ghi, diffuse_share, mean_cos_zenith
from actors.feeds.table import Column, SeriesTable, read_series
from actors.feeds.weather_error import ErrorField, WeatherErrorSpec, at_fractions
from models.errors import DataError
from models.types.forecast import WeatherForecast
from models.types.house import Site
from models.types.slots import floor_slot

_IRRADIANCE = "irradiance is W/m² and never negative: set a pyranometer's night offset to 0"
_KW = "irradiance is W/m²: multiply kW/m² by 1000"
COLUMNS = (
    Column(name="temp_c", low=-60.0, high=60.0, remedy="temperature is degrees Celsius: subtract 273.15 from kelvin"),
    Column(name="ghi_w_per_m2", low=0.0, high=1500.0, remedy=_IRRADIANCE, peak=5.0, peak_remedy=_KW),
    Column(name="dni_w_per_m2", low=0.0, high=1400.0, remedy=_IRRADIANCE),
    Column(name="dhi_w_per_m2", low=0.0, high=1200.0, remedy=_IRRADIANCE, peak=2.0, peak_remedy=_KW),
    Column(name="wind_m_per_s", low=0.0, high=75.0, remedy="wind speed is m/s: divide km/h by 3.6"),
)
_HOUR = timedelta(hours=1)
_DARKEST = 0.02  # of the clear sky: the thickest cloud lets this through
_SMOOTH = 1  # slots on either side: no weather model resolves single clouds
_CLIP_LOSS = 0.93  # share of the index error that is left after the bounds (measured on the Aachen record)


@dataclass(frozen=True, slots=True)
class _Sky:
    """What the record says of the sky, one value per slot of the record."""

    cos_zenith: array[float]
    clear_ghi: array[float]
    index: array[float]  # smoothed GHI over clear-sky GHI, 0..1
    diffuse: array[float]  # smoothed diffuse share, 0..1
    index_sd: float  # size of the index error one day ahead that gives the wanted irradiance error


class RecordedWeather:
    """A weather record and its forecasts: the smoothed truth and a seeded error that grows with lead time.

    A forecast is issued every `issue_every_s` (counted from midnight UTC), and holds `past_h` before its issue (as live
    services do: the analysis of the last hours, which carries the error of lead 0) and `horizon_h` after it, as far as
    recorded. The irradiance error is one of the clear-sky index, so that irradiance is 0 at night, never negative and
    never above the clear sky; the diffuse share follows the index, and GHI = DHI + DNI cos z holds.

    Parameters
    ----------
    path : Path
        CSV with `time_utc,temp_c,ghi_w_per_m2,dni_w_per_m2,dhi_w_per_m2,wind_m_per_s`.
    site : Site
        Where it was recorded.
    error : WeatherErrorSpec
        Size and shape of the error.
    seed : int
        The error is a function of seed, target time and lead time.

    Raises
    ------
    DataError
        The file is not a weather record.
    """

    def __init__(
        self,
        path: Path,
        site: Site,
        *,
        error: WeatherErrorSpec | None = None,
        seed: int = 1,
        issue_every_s: float = 10800.0,
        horizon_h: int = 72,
        past_h: int = 3,
    ) -> None:
        self._table = read_series(path, COLUMNS, steps_s=(300.0, 600.0, 900.0, 1800.0, 3600.0))
        self._site = site
        self._error = error or WeatherErrorSpec()
        if not issue_every_s >= self._table.dt_s:
            raise DataError(f"issue_every_s {issue_every_s:g} is below {self._table.dt_s:g}", hint="10800 is usual")
        self._issue_every = timedelta(seconds=issue_every_s)
        self._horizon, self._past = timedelta(hours=horizon_h), timedelta(hours=past_h)
        self._fields = {name: ErrorField(seed, name, self._error) for name in ("temperature", "irradiance", "wind")}
        self._source = f"recorded {path.name}, seeded error"
        self._issued: WeatherForecast | None = None

    @property
    def table(self) -> SeriesTable:
        """The truth."""
        return self._table

    def known_at(self, now: datetime) -> WeatherForecast:
        """The latest forecast issued by `now`.

        Raises
        ------
        DataError
            It would lie outside the record.
        """
        issued = floor_slot(now, self._issue_every)
        if self._issued is None or self._issued.issued != issued:
            self._issued = self._forecast(issued)
        return self._issued

    forecast_at = known_at

    def truth(
        self, issued: datetime, start: datetime, end: datetime, source: str = "recorded truth"
    ) -> WeatherForecast:
        """The record itself within `[start, end)`, in the form of a forecast.

        Raises
        ------
        DataError
            It lies outside the record.
        """
        i, j = self._range(start, end)
        columns = self._table.columns
        return WeatherForecast(
            issued=issued,
            source=source,
            start=self._table.start + i * timedelta(seconds=self._table.dt_s),
            dt_s=self._table.dt_s,
            temp_c=tuple(columns["temp_c"][i:j]),
            ghi_w_per_m2=tuple(columns["ghi_w_per_m2"][i:j]),
            dni_w_per_m2=tuple(columns["dni_w_per_m2"][i:j]),
            dhi_w_per_m2=tuple(columns["dhi_w_per_m2"][i:j]),
            wind_m_per_s=tuple(columns["wind_m_per_s"][i:j]),
        )

    def _range(self, start: datetime, end: datetime) -> tuple[int, int]:
        table = self._table
        i, j = max(0, table.index(start)), min(len(table), table.index(end))
        if j <= i:
            raise DataError(
                f"{table.path}: no weather from {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC, "
                f"the record is {table.start:%Y-%m-%d} to {table.end:%Y-%m-%d}",
                hint="start within the record or name another file in the [data] table",
            )
        return i, j

    def _forecast(self, issued: datetime) -> WeatherForecast:
        truth = self.truth(issued, issued - self._past, issued + self._horizon, self._source)
        n = len(truth.temp_c)
        per_hour = round(3600.0 / self._table.dt_s)
        whole = floor_slot(truth.start, _HOUR)
        skip = round((truth.start - whole).total_seconds() / self._table.dt_s)

        def errors(variable: str, size: float) -> list[float]:
            if size == 0.0:
                return [0.0] * n
            hourly = self._fields[variable].hourly(issued, whole, (n + skip) // per_hour + 2)
            return [size * e for e in at_fractions(hourly, per_hour)[skip : skip + n]]

        temp = errors("temperature", self._error.temperature_k)
        wind = errors("wind", self._error.wind_m_per_s)
        ghi, dni, dhi = self._irradiance(truth, errors("irradiance", self._sky.index_sd))
        return WeatherForecast(
            issued=issued,
            source=self._source,
            start=truth.start,
            dt_s=truth.dt_s,
            temp_c=tuple(t + e for t, e in zip(truth.temp_c, temp, strict=True)),
            ghi_w_per_m2=ghi,
            dni_w_per_m2=dni,
            dhi_w_per_m2=dhi,
            wind_m_per_s=tuple(max(0.0, w + e) for w, e in zip(truth.wind_m_per_s, wind, strict=True)),
        )

    def _irradiance(
        self, truth: WeatherForecast, index_error: list[float]
    ) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
        """GHI, DNI and DHI of a forecast [W/m²] from the error of its clear-sky index."""
        if self._error.irradiance_share == 0.0:
            return truth.ghi_w_per_m2, truth.dni_w_per_m2, truth.dhi_w_per_m2
        sky, first = self._sky, self._table.index(truth.start)
        result = []
        for i, error in enumerate(index_error, start=first):
            cos_z, clear = sky.cos_zenith[i], sky.clear_ghi[i]
            if clear <= 0.0:
                result.append((0.0, 0.0, 0.0))
                continue
            ghi = clear * min(1.0, max(_DARKEST, sky.index[i] + error))
            was = clear * sky.index[i]
            share = sky.diffuse[i] + diffuse_share(ghi, cos_z) - diffuse_share(was, cos_z)
            dni = min(clear_sky_beam(cos_z), ghi * (1.0 - min(1.0, max(0.05, share))) / cos_z)
            result.append((ghi, dni, ghi - dni * cos_z))
        ghis, dnis, dhis = zip(*result, strict=True)
        return ghis, dnis, dhis

    @cached_property
    def _sky(self) -> _Sky:
        """Clear sky, smoothed index and diffuse share of the record, and the error that fits its climate."""
        table = self._table
        ghi, dhi = table.columns["ghi_w_per_m2"], table.columns["dhi_w_per_m2"]
        latitude_deg, longitude_deg = self._site.latitude_deg, self._site.longitude_deg
        cos_z = mean_cos_zenith(
            table.start, table.dt_s, len(table), latitude_deg=latitude_deg, longitude_deg=longitude_deg
        )
        clear = array("d", map(clear_sky_ghi, cos_z))
        index, diffuse = array("d", bytes(8 * len(ghi))), array("d", bytes(8 * len(ghi)))
        sum_ghi = sum_clear2 = sum_miss2 = 0.0
        up = 0
        for i, top in enumerate(clear):
            if top <= 0.0:
                continue
            window = slice(max(0, i - _SMOOTH), i + _SMOOTH + 1)
            light = sum(ghi[window])
            index[i] = smooth = min(1.0, max(_DARKEST, light / sum(clear[window])))
            diffuse[i] = min(1.0, sum(dhi[window]) / light) if light > 0.0 else 1.0
            up += 1
            sum_ghi += ghi[i]
            sum_clear2 += top * top
            sum_miss2 += (smooth * top - ghi[i]) ** 2
        if not up or sum_ghi <= 0.0:
            raise DataError(f"{table.path}: no daylight at the site", hint="check the position in [site]")
        # RMSE² = (what smoothing misses)² + (index error x clear sky)², each relative to mean daytime GHI.
        mean_ghi = sum_ghi / up
        grown2 = max(0.0, self._error.irradiance_share**2 - sum_miss2 / up / mean_ghi**2)
        index_sd = math.sqrt(grown2) * mean_ghi / math.sqrt(sum_clear2 / up) / _CLIP_LOSS
        return _Sky(cos_z, clear, index, diffuse, index_sd)


class TrueWeather:
    """The same record with the future known, for the perfect-foresight policy only."""

    def __init__(self, recorded: RecordedWeather, *, horizon_h: int = 72, past_h: int = 3) -> None:
        self._recorded = recorded
        self._horizon, self._past = timedelta(hours=horizon_h), timedelta(hours=past_h)

    def known_at(self, now: datetime) -> WeatherForecast:
        """The truth of the next hours, as far as recorded."""
        slot = floor_slot(now, timedelta(seconds=self._recorded.table.dt_s))
        return self._recorded.truth(now, slot - self._past, slot + self._horizon)
