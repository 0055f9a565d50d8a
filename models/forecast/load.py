"""Base load from the same hours of recent weeks, corrected by the last hours."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.errors import DataError
from models.forecast.grid import Array, Grid

_MEMORY_DAYS = 16.0  # weight of a day falls by e
_SAME_WEEKDAY, _SAME_KIND, _OTHER_KIND = 1.0, 0.5, 0.12  # how alike two days are
_SMOOTH_S = 1800.0  # people are not punctual: same hour means within this
_RECENT_S = 5400.0  # what counts as the last hours
_FADE_S = 9000.0  # how fast their correction is forgotten
_TRUST = 0.75  # share of the last hours' deviation that is believed to last


@dataclass(frozen=True, slots=True)
class LoadForecast:
    """Base load of each slot and how it was found."""

    kw: Array  # shape (n,), never NaN
    how: str


def forecast_load(history_kw: Array, history: Grid, target: Grid, zone: str) -> LoadForecast:
    """Mean of the same local hour on past days that are alike, moved by what the last hours deviate.

    Parameters
    ----------
    history_kw : ndarray, shape (history.steps,)
        Measured base load; NaN where unknown.
    history, target : Grid
        Same `dt_s`; the history ends at or before the start of the target, or some slots after it.
    zone : str
        IANA name: hours and weekdays are local.

    Raises
    ------
    DataError
        Nothing at all is known.
    """
    known = history_kw[~np.isnan(history_kw)]
    if known.size == 0:
        raise DataError(
            "load_history holds no measured value",
            hint="let the house be metered for some hours; it runs on rules until then",
        )
    floor_kw = float(np.quantile(known, 0.02))  # standby: the house never takes less
    if known.size * history.dt_s < 86400.0:  # not one day: an hour's like does not exist yet
        return LoadForecast(np.full(target.steps, float(np.mean(known))), f"mean of {known.size} slots")

    recent = round(_RECENT_S / target.dt_s)
    around = target.reaching(target.start - timedelta(seconds=_RECENT_S))
    usual = _usual(history_kw, history, around, zone)
    usual = np.where(np.isnan(usual), float(np.mean(known)), usual)
    return LoadForecast(_corrected(usual, history_kw, history, around, recent, floor_kw), "recent weeks")


def _corrected(usual: Array, history_kw: Array, history: Grid, around: Grid, recent: int, floor_kw: float) -> Array:
    """The usual load of the target, plus a fading part of what the last hours deviate."""
    offset = round((around.start_s - history.start_s) / history.dt_s)
    past = np.full(recent, np.nan)
    for k in range(recent):
        if 0 <= offset + k < history.steps:
            past[k] = history_kw[offset + k]
    result = usual[recent:].copy()
    seen = ~np.isnan(past)
    if seen.any():
        deviation = float(np.mean((past - usual[:recent])[seen]))
        lead_s = around.dt_s * (np.arange(result.size) + 0.5)
        result += _TRUST * deviation * np.exp(-lead_s / _FADE_S)
    return np.maximum(result, floor_kw)


def _usual(history_kw: Array, history: Grid, target: Grid, zone: str) -> Array:
    """Weighted mean of the same local time on past days; NaN where no past day has it."""
    per_day = round(86400.0 / history.dt_s)
    day, slot = _local(history, zone)
    want_day, want_slot = _local(target, zone)
    first = int(day[0])
    table = np.full((int(max(day[-1], want_day[-1])) - first + 1, per_day), np.nan)
    table[day - first, slot] = history_kw  # the hour that comes twice in autumn keeps its second pass
    table = _smoothed(table, max(1, round(_SMOOTH_S / history.dt_s)))
    rows = np.arange(table.shape[0]) + first
    result = np.full(target.steps, np.nan)
    for this in np.unique(want_day):
        age = this - rows
        weight = np.where(age > 0, np.exp(-age / _MEMORY_DAYS) * _alike(rows, int(this)), 0.0)
        seen = ~np.isnan(table)
        total = weight @ np.where(seen, table, 0.0)
        share = weight @ seen.astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            profile = np.where(share > 0.0, total / share, np.nan)
        here = want_day == this
        result[here] = profile[want_slot[here]]
    return result


def _alike(days: NDArray[np.int64], this: int) -> Array:
    """Weight of past days for one day; day 0 is Thursday, 1 January 1970."""
    weekday, wanted = (days + 3) % 7, (this + 3) % 7
    same_kind = (weekday >= 5) == (wanted >= 5)
    return np.where(weekday == wanted, _SAME_WEEKDAY, np.where(same_kind, _SAME_KIND, _OTHER_KIND))


def _smoothed(table: Array, width: int) -> Array:
    """Triangular mean over time; unknown slots do not count."""
    flat = table.ravel()
    seen = ~np.isnan(flat)
    kernel = np.concatenate((np.arange(1, width + 2), np.arange(width, 0, -1))).astype(np.float64)
    total = np.convolve(np.where(seen, flat, 0.0), kernel, mode="same")
    share = np.convolve(seen.astype(np.float64), kernel, mode="same")
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(seen, total / share, np.nan).reshape(table.shape)


def _local(grid: Grid, zone: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Local day number since 1970 and slot of the day, for each slot."""
    times = pd.date_range(grid.start, periods=grid.steps, freq=pd.Timedelta(seconds=grid.dt_s)).tz_convert(zone)
    seconds = times.tz_localize(None).to_numpy().astype("datetime64[s]").astype(np.int64)
    return seconds // 86400, (seconds % 86400) // round(grid.dt_s)
