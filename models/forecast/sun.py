"""The sun over a grid of slots, from pvlib, remembered by day."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
import pvlib

from models.forecast.grid import Array, Grid
from models.types.house import Site

_DAY_S = 86400


@dataclass(frozen=True, slots=True)
class Sun:
    """At the middle of each slot, shape (n,)."""

    zenith_deg: Array
    azimuth_deg: Array
    extra_w_per_m2: Array  # outside the atmosphere, normal to the sun


def sun_over(grid: Grid, site: Site) -> Sun:
    """Position of the sun at the middle of each slot.

    A day costs pvlib some milliseconds and is asked for again every 15 minutes, hence the memory.
    """
    first, last = int(grid.start_s // _DAY_S), int((grid.end.timestamp() - 1) // _DAY_S)
    days = [_day(site.latitude_deg, site.longitude_deg, site.altitude_m, d, grid.dt_s) for d in range(first, last + 1)]
    i = round((grid.start_s - first * _DAY_S) / grid.dt_s)
    part = slice(i, i + grid.steps)
    return Sun(*(np.concatenate([day[k] for day in days])[part] for k in range(3)))


@lru_cache(maxsize=64)
def _day(
    latitude_deg: float, longitude_deg: float, altitude_m: float, day: int, dt_s: float
) -> tuple[Array, Array, Array]:
    middle = day * _DAY_S + dt_s * (np.arange(round(_DAY_S / dt_s)) + 0.5)
    times = pd.DatetimeIndex((middle * 1e9).astype("int64"), tz="UTC")
    position = pvlib.solarposition.get_solarposition(times, latitude_deg, longitude_deg, altitude=altitude_m)
    extra = pvlib.irradiance.get_extra_radiation(times.day_of_year.to_numpy())
    return (
        position["apparent_zenith"].to_numpy(dtype=np.float64),
        position["azimuth"].to_numpy(dtype=np.float64),
        np.asarray(extra, dtype=np.float64),
    )
