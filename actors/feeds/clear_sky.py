"""A light sun for bounding irradiance series: cosine of the zenith angle and clear-sky irradiance per slot.

The twin and the forecaster have their own, finer sun; this one only says where night begins and what no cloudless hour
exceeds, for a year of slots in some ten milliseconds.
"""

from __future__ import annotations

import math
from array import array
from datetime import UTC, datetime, timedelta
from functools import cache

SOLAR_W_PER_M2 = 1361.0
_MIN_BEAM_COS = math.sin(math.radians(3.0))  # below 3 degrees a beam computed from horizontal values is noise


@cache
def _day(year: int, day_of_year: int) -> tuple[float, float, float]:
    """Sine and cosine of the declination and the equation of time [min] at noon of a day.

    Fourier series of Spencer, "Fourier series representation of the position of the sun", Search 2 (5), 1971; within
    0.1 degree and 0.6 min, which is enough for a bound.
    """
    del year  # the series knows ordinary years only; the year keeps the cache apart
    g = 2.0 * math.pi * (day_of_year - 0.5) / 365.0
    declination = (
        0.006918 - 0.399912 * math.cos(g) + 0.070257 * math.sin(g) - 0.006758 * math.cos(2 * g)
        + 0.000907 * math.sin(2 * g) - 0.002697 * math.cos(3 * g) + 0.00148 * math.sin(3 * g)
    )
    equation_min = 229.18 * (
        0.000075 + 0.001868 * math.cos(g) - 0.032077 * math.sin(g)
        - 0.014615 * math.cos(2 * g) - 0.04089 * math.sin(2 * g)
    )
    return math.sin(declination), math.cos(declination), equation_min


def mean_cos_zenith(
    start: datetime, dt_s: float, steps: int, *, latitude_deg: float, longitude_deg: float
) -> array[float]:
    """Cosine of the sun's zenith angle, 0 below the horizon, averaged over each slot.

    Parameters
    ----------
    start : datetime
        Aware start of slot 0.
    dt_s, steps : float, int
        Length [s] and number of slots.
    latitude_deg, longitude_deg : float
        North and east positive.
    """
    sin_lat, cos_lat = math.sin(math.radians(latitude_deg)), math.cos(math.radians(latitude_deg))
    result = array("d", bytes(8 * steps))
    at, step = start.astimezone(UTC), timedelta(seconds=dt_s)
    per_s = 2.0 * math.pi / 86400.0
    half = 0.5 * dt_s * per_s
    spread = half / 1.5  # three samples in the thirds of a slot that sees sunrise or sunset
    for i in range(steps):
        sin_decl, cos_decl, equation_min = _day(at.year, at.timetuple().tm_yday)
        seconds = at.hour * 3600 + at.minute * 60 + at.second + 240.0 * longitude_deg + 60.0 * equation_min
        angle = (seconds - 43200.0) * per_s + half
        base, swing = sin_lat * sin_decl, cos_lat * cos_decl
        middle = base + swing * math.cos(angle)
        if middle > 0.1:
            result[i] = middle
        elif middle > -0.1:
            ends = (base + swing * math.cos(angle - spread), base + swing * math.cos(angle + spread))
            result[i] = (max(0.0, ends[0]) + max(0.0, middle) + max(0.0, ends[1])) / 3.0
        at += step
    return result


def clear_sky_ghi(cos_zenith: float) -> float:
    """Global horizontal irradiance of a cloudless hour [W/m²]; 0 at night.

    Haurwitz, "Insolation in relation to cloudiness and cloud density", J. Meteorology 2, 1945.
    """
    return 1098.0 * cos_zenith * math.exp(-0.057 / cos_zenith) if cos_zenith > 0.0 else 0.0


def clear_sky_beam(cos_zenith: float) -> float:
    """Upper bound of the direct normal irradiance [W/m²]: Meinel's clear beam and a tenth; 0 under 3 degrees.

    Meinel and Meinel, "Applied Solar Energy", 1976; air mass after Kasten and Young, Applied Optics 28 (22), 1989.
    """
    if cos_zenith < _MIN_BEAM_COS:
        return 0.0
    elevation_deg = math.degrees(math.asin(min(1.0, cos_zenith)))
    air_mass = 1.0 / (cos_zenith + 0.50572 * (elevation_deg + 6.07995) ** -1.6364)
    return float(1.1 * 1353.0 * 0.7 ** (air_mass**0.678))


def diffuse_share(ghi: float, cos_zenith: float) -> float:
    """Diffuse share of global irradiance from the clearness index.

    Erbs, Klein and Duffie, "Estimation of the diffuse radiation fraction", Solar Energy 28 (4), 1982.
    """
    if cos_zenith <= 0.0:
        return 1.0
    kt = min(1.0, ghi / (SOLAR_W_PER_M2 * cos_zenith))
    if kt <= 0.22:
        return 1.0 - 0.09 * kt
    if kt <= 0.80:
        return 0.9511 - 0.1604 * kt + 4.388 * kt**2 - 16.638 * kt**3 + 12.336 * kt**4
    return 0.165
