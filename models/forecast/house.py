"""One forecast of the whole house: PV, base load, outdoor temperature and window irradiance on the planner's slots."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from models.errors import DataError
from models.forecast.grid import Array, Grid, resample
from models.forecast.load import forecast_load
from models.forecast.pv import Weather, array_dc_kw, recent_ratio, window_w_per_m2
from models.forecast.sun import sun_over
from models.physics.sun import FACING_AZIMUTH_DEG
from models.types.forecast import HouseForecast, WeatherForecast
from models.types.forecast_request import ForecastRequest, MeasuredSeries

MAX_STEPS = 2016  # a week at five minutes
HISTORY_DAYS = 35
_PV_RECENT = timedelta(hours=3)
_PV_FADE_S = 3 * 3600.0  # how fast the correction by the last hours is forgotten
_PERSIST_DAYS = (*range(-1, -8, -1), *range(1, 8))  # where an unknown hour of weather looks for its like
_MIN_WEATHER_H = 24.0  # of the horizon's weather must be known, or half of a shorter horizon
_WEATHER_LIMITS = {
    "temp_c": (-70.0, 60.0),
    "ghi_w_per_m2": (0.0, 1500.0),
    "dni_w_per_m2": (0.0, 1500.0),
    "dhi_w_per_m2": (0.0, 1200.0),
    "wind_m_per_s": (0.0, 100.0),
}


def forecast(request: ForecastRequest) -> HouseForecast:
    """The forecast that a request allows; the same request always gives the same one.

    PV follows from the forecast weather and is corrected by what the last three hours gave against the same forecast,
    fading over three hours. The load comes from recent weeks. Unknown weather takes the values of the same hour a
    day before (or after); `source` says for how many slots.

    Raises
    ------
    DataError
        The request contradicts itself or knows something from after its issue, no load was ever measured, or too little
        of the weather is known.
    """
    target = _target(request)
    work = _working_grid(target, request.weather.dt_s)
    weather, persisted = _weather(request.weather, work, asked=round(target.steps * target.dt_s / work.dt_s))
    holes = int(np.sum(resample(persisted.astype(np.float64), work, target) > 0.0))
    sun = sun_over(work, request.house.site)
    arrays = [array_dc_kw(array, weather, sun) for array in request.house.arrays]
    factor, pv_note = _pv_factor(request, arrays, persisted, work)
    load, load_note = _load(request, target)
    notes = [request.weather.source, load_note, pv_note, f"weather persisted in {holes} slots" if holes else ""]
    return HouseForecast(
        issued=request.issued,
        source="; ".join(note for note in notes if note),
        start=request.start,
        dt_s=request.dt_s,
        pv_kw=tuple(
            _floats(resample(np.minimum(kw * factor, array.peak_kw), work, target))
            for kw, array in zip(arrays, request.house.arrays, strict=True)
        ),
        load_kw=_floats(load),
        outdoor_c=_floats(resample(weather.temp_c, work, target)),
        window_w_per_m2={
            facing: _floats(resample(window_w_per_m2(azimuth, weather, sun), work, target))
            for facing, azimuth in FACING_AZIMUTH_DEG.items()
        },
    )


def _target(request: ForecastRequest) -> Grid:
    """The grid that is asked for, after checking the request as a whole."""
    if not 1 <= request.steps <= MAX_STEPS:
        raise DataError(f"steps {request.steps} is outside 1 .. {MAX_STEPS}", hint="ask for a week at most")
    known = {"weather.issued": request.weather.issued, "load_history.end": request.load_history.end}
    if request.pv_history is not None:
        known["pv_history.end"] = request.pv_history.end
    for name, at in known.items():
        if at > request.issued:
            raise DataError(
                f"{name} {at.isoformat()} is later than the forecast's issue {request.issued.isoformat()}",
                hint="a forecast may only use what was known when it was issued",
            )
    return Grid(request.start, request.dt_s, request.steps)


def _working_grid(target: Grid, weather_dt_s: float) -> Grid:
    """The finer of both steps, begun early enough for the correction by the last hours."""
    dt_s = math.gcd(round(target.dt_s), round(weather_dt_s)) if weather_dt_s >= 60.0 else target.dt_s
    return Grid(target.start, dt_s, round(target.steps * target.dt_s / dt_s)).reaching(target.start - _PV_RECENT)


def _weather(forecast: WeatherForecast, work: Grid, *, asked: int) -> tuple[Weather, NDArray[np.bool_]]:
    """The forecast on the working grid without holes, and which slots were unknown; its last `asked` slots matter."""
    have, series = _checked(forecast)
    moved = _together(series, have, work)
    unknown: NDArray[np.bool_] = np.any(np.isnan(list(moved.values())), axis=0)
    known = asked - int(np.sum(unknown[-asked:]))
    if known * work.dt_s < min(_MIN_WEATHER_H * 3600.0, 0.5 * asked * work.dt_s):
        raise DataError(
            f"the weather forecast of {forecast.issued.isoformat()} knows {known} of {asked} slots that are asked for",
            hint="a day is needed, or half of a shorter horizon: get a longer or newer forecast",
        )
    left = unknown.copy()
    for days in _PERSIST_DAYS:
        if not left.any():
            break
        like = _together(series, have, Grid(work.start + timedelta(days=days), work.dt_s, work.steps))
        use = left & ~np.any(np.isnan(list(like.values())), axis=0)
        for name, values in moved.items():
            values[use] = like[name][use]
        left &= ~use
    if left[-asked:].any():  # before, only the correction of PV by the last hours would have used it
        at = work.start + timedelta(seconds=work.dt_s * (work.steps - asked + int(np.argmax(left[-asked:]))))
        raise DataError(
            f"the weather forecast of {forecast.issued.isoformat()} knows nothing of {at:%H:%M} UTC on any day",
            hint="get a longer or newer forecast",
        )
    return Weather(**moved), unknown


def _checked(forecast: WeatherForecast) -> tuple[Grid, dict[str, Array]]:
    """The series of a forecast by name, each as long as the others and in its unit; NaN is unknown."""
    steps = len(forecast.temp_c)
    have = Grid(forecast.start, forecast.dt_s, steps)
    series: dict[str, Array] = {}
    for name, (low, high) in _WEATHER_LIMITS.items():
        values = np.asarray(getattr(forecast, name), dtype=np.float64)
        if values.shape != (steps,):
            raise DataError(
                f"weather.{name} has {values.size} values, temp_c has {steps}", hint="every slot needs all five series"
            )
        wrong = ~np.isnan(values) & ~((values >= low) & (values <= high))
        if wrong.any():
            first = int(np.argmax(wrong))
            raise DataError(
                f"weather.{name} {values[first]:g} in slot {first} is outside {low:g} .. {high:g}",
                hint="check the units: degC, W/m2, m/s",
            )
        series[name] = values
    return have, series


def _together(series: dict[str, Array], have: Grid, to: Grid) -> dict[str, Array]:
    return {name: resample(values, have, to) for name, values in series.items()}


def _pv_factor(
    request: ForecastRequest, arrays: list[Array], persisted: NDArray[np.bool_], work: Grid
) -> tuple[Array, str]:
    """What PV is multiplied with, and a note; shape (work.steps,)."""
    one = np.ones(work.steps)
    if request.pv_history is None or not request.pv_history.kw or not arrays:
        return one, ""
    peak_kw = sum(array.peak_kw for array in request.house.arrays)
    measured = resample(*_measured("pv_history", request.pv_history, 2.0 * peak_kw), work)
    past = max(0, min(work.steps, int((request.issued.timestamp() - work.start_s) // work.dt_s)))
    recent = slice(max(0, past - round(_PV_RECENT.total_seconds() / work.dt_s)), past)
    ratio = recent_ratio(
        np.where(persisted, np.nan, measured)[recent], np.sum(arrays, axis=0)[recent], peak_kw=peak_kw
    )
    lead_s = work.start_s + work.dt_s * (np.arange(work.steps) + 0.5) - request.issued.timestamp()
    factor = 1.0 + (ratio - 1.0) * np.exp(-np.maximum(0.0, lead_s) / _PV_FADE_S)
    return factor, f"PV x {ratio:.2f} from the last hours" if ratio != 1.0 else ""


def _load(request: ForecastRequest, target: Grid) -> tuple[Array, str]:
    """Base load of the target; what is known of it already is taken as it is."""
    known = np.full(target.steps, np.nan)
    if request.known_load is not None and request.known_load.kw:
        known = resample(*_measured("known_load", request.known_load, 100.0), target)
        if not np.isnan(known).any():
            return known, "load known"
    values, have = _measured("load_history", _last_days(request.load_history, request.issued), 100.0)
    steps = math.floor(have.steps * have.dt_s / target.dt_s)
    end = Grid(target.start, target.dt_s, 0)
    lag = math.ceil((target.start_s - have.end.timestamp()) / target.dt_s)
    history = Grid(end.start - timedelta(seconds=target.dt_s * (lag + steps)), target.dt_s, steps)
    found = forecast_load(resample(values, have, history), history, target, request.house.site.timezone)
    return np.where(np.isnan(known), found.kw, known), f"load: {found.how}"


def _last_days(series: MeasuredSeries, issued: datetime) -> MeasuredSeries:
    """At most the last `HISTORY_DAYS`: older weeks say nothing about this season."""
    extra = math.floor((issued - timedelta(days=HISTORY_DAYS) - series.start).total_seconds() / max(1.0, series.dt_s))
    if extra <= 0:
        return series
    start = series.start + timedelta(seconds=series.dt_s * extra)
    return MeasuredSeries(start=start, dt_s=series.dt_s, kw=series.kw[extra:])


def _measured(name: str, series: MeasuredSeries, limit_kw: float) -> tuple[Array, Grid]:
    values = np.asarray(series.kw, dtype=np.float64)
    wrong = ~np.isnan(values) & ~((values >= 0.0) & (values <= limit_kw))
    if wrong.any():
        raise DataError(
            f"{name} {values[np.argmax(wrong)]:g} kW in slot {int(np.argmax(wrong))} is outside 0 .. {limit_kw:g} kW",
            hint="power is kW and never negative here: divide W by 1000; mark what is unknown as NaN",
        )
    return values, Grid(series.start, series.dt_s, values.size)


def _floats(values: Array) -> tuple[float, ...]:
    return tuple(float(v) for v in values)
