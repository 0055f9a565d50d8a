"""Weather of Open-Meteo: irradiance, temperature, wind and cloud for one place.

What the service means (open-meteo.com/en/docs): radiation at time t is the mean of the interval that *ends* at t;
temperature, wind and cloud are those of the instant t. So slot `[t, t + dt)` takes the radiation of t + dt, and of the
others the mean of both its ends. Every unit is asserted against the `..._units` of the answer, since the service gives
km/h or Fahrenheit to those who ask otherwise. A null is unknown.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal

from actors.feeds.services.http import Http
from actors.feeds.services.json_text import instant, items, load, maybe_number, table
from models.errors import DataError
from models.types.forecast import WeatherForecast
from models.types.house import Site

URL = "https://api.open-meteo.com/v1/forecast"
NAME = "Open-Meteo"
Resolution = Literal["minutely_15", "hourly"]
STEP_S = {"minutely_15": 900.0, "hourly": 3600.0}
_LEAST_KNOWN = 0.5  # of the slots ahead: below, the place has no such resolution


@dataclass(frozen=True, slots=True)
class Variable:
    """One series of the answer: its name there, its unit, its range and whether it is the mean that ends at t."""

    name: str
    unit: str
    low: float
    high: float
    mean: bool = False


TEMP = Variable("temperature_2m", "°C", -70.0, 60.0)
GHI = Variable("shortwave_radiation", "W/m²", 0.0, 1500.0, mean=True)
DNI = Variable("direct_normal_irradiance", "W/m²", 0.0, 1400.0, mean=True)
DHI = Variable("diffuse_radiation", "W/m²", 0.0, 1200.0, mean=True)
WIND = Variable("wind_speed_10m", "m/s", 0.0, 90.0)
CLOUD = Variable("cloud_cover", "%", 0.0, 100.0)
VARIABLES = (TEMP, GHI, DNI, DHI, WIND)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sky:
    """A forecast with its cloud cover, which our own forecaster does not use but the archive keeps."""

    weather: WeatherForecast
    cloud_start: datetime  # of its first hour, which is a full one
    cloud_share: tuple[float, ...]  # hourly means, 0..1; NaN unknown


class OpenMeteo:
    """`GET /v1/forecast` for one place."""

    name = NAME

    def __init__(
        self,
        http: Http,
        site: Site,
        *,
        resolution: Resolution = "minutely_15",
        horizon_h: int = 72,
        past_h: int = 3,
        url: str = URL,
    ) -> None:
        self._http, self._site, self._url = http, site, url
        self._resolution: Resolution = resolution
        self._horizon_h, self._past_h = horizon_h, past_h

    def fetch(self) -> object:
        """The answer as JSON; `LinkError` or `DataError` if there is none."""
        return load(self._http.get(self._url, source=NAME, params=self.params()), NAME)

    def params(self) -> dict[str, str]:
        """What is asked."""
        wanted = ",".join(v.name for v in VARIABLES)
        params = {
            "latitude": f"{self._site.latitude_deg:.4f}",
            "longitude": f"{self._site.longitude_deg:.4f}",
            "elevation": f"{self._site.altitude_m:.0f}",
            "hourly": CLOUD.name if self._resolution == "minutely_15" else f"{wanted},{CLOUD.name}",
            "wind_speed_unit": "ms",
            "temperature_unit": "celsius",
            "timeformat": "unixtime",
            "timezone": "GMT",
            "past_hours": str(self._past_h),
            "forecast_hours": str(self._horizon_h + 1),
        }
        if self._resolution == "minutely_15":
            params |= {
                "minutely_15": wanted,
                "past_minutely_15": str(self._past_h * 4),
                "forecast_minutely_15": str(self._horizon_h * 4 + 1),
            }
        return params

    def parse(self, answer: object, issued: datetime) -> WeatherForecast:
        """The forecast in an answer; `DataError` if it is none."""
        return parse(answer, issued, self._resolution).weather


def parse(answer_: object, issued: datetime, resolution: Resolution) -> Sky:
    """A forecast out of an answer.

    Parameters
    ----------
    answer_ : object
        Decoded JSON.
    issued : datetime
        When it was fetched: the service does not tell the run of the models behind it.
    resolution : "minutely_15" or "hourly"
        Which block of the answer is taken.

    Raises
    ------
    DataError
        A block, series or unit is missing or not as asked for, a value is out of range, or too little is known.
    """
    answer = table(answer_, NAME, "the answer")
    if answer.get("error"):
        raise DataError(f"{NAME}: {str(answer.get('reason'))[:200]}", hint="check [site] and the weather settings")
    start, series = _block(answer, resolution, VARIABLES, STEP_S[resolution])
    ahead = max(0, math.floor((issued - start).total_seconds() / STEP_S[resolution]))
    for variable in VARIABLES:
        values = series[variable.name][ahead:]
        known = sum(v == v for v in values)
        if known < _LEAST_KNOWN * max(1, len(values)):
            raise DataError(
                f"{NAME}: {resolution} {variable.name} is known in {known} of {len(values)} slots ahead",
                hint="set resolution hourly: quarter hours are not given everywhere",
            )
    weather = WeatherForecast(
        issued=issued,
        source=f"{NAME} {resolution}",
        start=start,
        dt_s=STEP_S[resolution],
        temp_c=series[TEMP.name],
        ghi_w_per_m2=series[GHI.name],
        dni_w_per_m2=series[DNI.name],
        dhi_w_per_m2=series[DHI.name],
        wind_m_per_s=series[WIND.name],
    )
    cloud_start, cloud = _block(answer, "hourly", (CLOUD,), 3600.0)
    share = tuple(percent / 100.0 for percent in cloud[CLOUD.name])
    return Sky(weather=weather, cloud_start=cloud_start, cloud_share=share)


def _block(
    answer: dict[str, object], name: str, variables: Sequence[Variable], step_s: float
) -> tuple[datetime, dict[str, tuple[float, ...]]]:
    """Start of the first slot and slot means of each variable."""
    block = table(answer.get(name), NAME, name)
    units = table(answer.get(f"{name}_units"), NAME, f"{name}_units")
    _assert_unit(units, name, "time", "unixtime")
    times = [
        instant(t, NAME, f"{name}.time[{i}]") for i, t in enumerate(items(block.get("time"), NAME, f"{name}.time"))
    ]
    if len(times) < 2:
        raise DataError(f"{NAME}: {name} has {len(times)} times", hint="at least 2 are needed; it is asked again")
    step = timedelta(seconds=step_s)
    for a, b in pairwise(times):
        if b - a != step:
            raise DataError(
                f"{NAME}: {name} goes from {a:%Y-%m-%d %H:%M} to {b:%Y-%m-%d %H:%M} UTC, steps are {step_s:g} s",
                hint="the answer has a gap or a repetition; it is asked again",
            )
    if times[0].timestamp() % step_s:
        raise DataError(
            f"{NAME}: {name} begins at {times[0]:%H:%M:%S} UTC, not on a full slot", hint="asked again later"
        )
    series = {}
    for variable in variables:
        _assert_unit(units, name, variable.name, variable.unit)
        values = _values(block, name, variable, len(times))
        series[variable.name] = _means(values, variable.mean)
    return times[0], series


def _values(block: dict[str, object], name: str, variable: Variable, wanted: int) -> list[float]:
    label = f"{name}.{variable.name}"
    written = items(block.get(variable.name), NAME, label)
    if len(written) != wanted:
        raise DataError(
            f"{NAME}: {label} has {len(written)} values, {name}.time has {wanted}", hint="asked again later"
        )
    values = []
    for i, item in enumerate(written):
        value = maybe_number(item, NAME, f"{label}[{i}]")
        if not variable.low <= value <= variable.high and value == value:
            raise DataError(
                f"{NAME}: {label}[{i}] is {value:g} {variable.unit}, outside {variable.low:g} .. {variable.high:g}",
                hint="no weather is like that: the answer is refused and asked for again",
            )
        values.append(value)
    return values


def _means(values: Sequence[float], mean: bool) -> tuple[float, ...]:
    """Slot means; a slot with an unknown end is unknown."""
    return tuple(b if mean else (a + b) / 2.0 for a, b in pairwise(values))


def _assert_unit(units: dict[str, object], block: str, name: str, wanted: str) -> None:
    if units.get(name) != wanted:
        raise DataError(
            f"{NAME}: {block}_units.{name} is {units.get(name)!r}, {wanted!r} was asked for",
            hint="the values are not converted on a guess; check the url setting",
        )
