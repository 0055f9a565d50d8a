"""PV power and window irradiance from forecast weather, with pvlib."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pvlib

from models.forecast.grid import Array
from models.forecast.sun import Sun
from models.physics.sun import ALBEDO
from models.types.house import PvArray


@dataclass(frozen=True, slots=True)
class Weather:
    """Slot means, each of shape (n,); nothing is NaN."""

    temp_c: Array
    ghi_w_per_m2: Array
    dni_w_per_m2: Array
    dhi_w_per_m2: Array
    wind_m_per_s: Array


@dataclass(frozen=True, slots=True)
class Plane:
    """Irradiance on one plane [W/m²], shape (n,)."""

    beam: Array
    diffuse: Array  # sky (circumsolar part included) and ground
    incidence_deg: Array

    @property
    def total(self) -> Array:
        """Beam and diffuse."""
        return self.beam + self.diffuse


def on_plane(weather: Weather, sun: Sun, *, tilt_deg: float, azimuth_deg: float) -> Plane:
    """Irradiance on a plane of any tilt (90: a window), by the model of Hay and Davies.

    Parameters
    ----------
    weather, sun
        On the same slots.
    tilt_deg, azimuth_deg : float
        The plane's; azimuth clockwise from north.

    References
    ----------
    Hay and Davies, "Calculations of the solar radiation incident on an inclined surface", 1980; `pvlib.irradiance`.
    """
    incidence = pvlib.irradiance.aoi(tilt_deg, azimuth_deg, sun.zenith_deg, sun.azimuth_deg)
    up = sun.zenith_deg < 90.0
    beam = np.where(up, weather.dni_w_per_m2 * np.maximum(0.0, np.cos(np.radians(incidence))), 0.0)
    sky = pvlib.irradiance.haydavies(
        tilt_deg,
        azimuth_deg,
        weather.dhi_w_per_m2,
        np.where(up, weather.dni_w_per_m2, 0.0),
        sun.extra_w_per_m2,
        sun.zenith_deg,
        sun.azimuth_deg,
    )
    ground = pvlib.irradiance.get_ground_diffuse(tilt_deg, weather.ghi_w_per_m2, albedo=ALBEDO)
    return Plane(beam, np.maximum(0.0, sky) + ground, np.asarray(incidence, dtype=np.float64))


def array_dc_kw(array: PvArray, weather: Weather, sun: Sun) -> Array:
    """DC power available from one array [kW], losses taken off, never negative; shape (n,).

    As PVWatts does: reflection is counted for the beam only, the cell is warmed by what falls on the plane (Faiman),
    power is linear in irradiance and cell temperature. What the inverter cannot take is the planner's matter.

    References
    ----------
    NREL/TP-6A20-62641, PVWatts Version 5 Manual, doi:10.2172/1158421; Faiman, doi:10.1002/pip.813.
    """
    plane = on_plane(weather, sun, tilt_deg=array.tilt_deg, azimuth_deg=array.azimuth_deg)
    passed = pvlib.iam.physical(plane.incidence_deg)
    effective = plane.beam * np.nan_to_num(np.asarray(passed, dtype=np.float64)) + plane.diffuse
    cell_c = pvlib.temperature.faiman(plane.total, weather.temp_c, weather.wind_m_per_s)
    dc = pvlib.pvsystem.pvwatts_dc(effective, cell_c, array.peak_kw, array.gamma_per_c)
    return np.maximum(0.0, np.asarray(dc, dtype=np.float64) * (1.0 - array.losses))


def window_w_per_m2(azimuth_deg: float, weather: Weather, sun: Sun) -> Array:
    """Irradiance on a vertical window [W/m²], shape (n,)."""
    return on_plane(weather, sun, tilt_deg=90.0, azimuth_deg=azimuth_deg).total


def recent_ratio(measured_kw: Array, modelled_kw: Array, *, peak_kw: float) -> float:
    """How much more (> 1) or less the arrays gave in the last hours than the forecast says.

    Parameters
    ----------
    measured_kw, modelled_kw : ndarray, shape (m,)
        All arrays together in past slots, the latest last; NaN in `measured_kw`: unknown or curtailed.
    peak_kw : float
        Of all arrays. Slots under 3 % of it say nothing, and a tenth of it pulls a short record towards 1.

    Returns
    -------
    float
        Between 0.4 and 1.6; 1 if nothing is known.
    """
    use = ~np.isnan(measured_kw) & (modelled_kw > 0.03 * peak_kw)
    if not use.any():
        return 1.0
    age = np.arange(len(measured_kw), 0.0, -1.0) / max(1, len(measured_kw))
    weight = np.where(use, np.exp(-1.5 * age), 0.0)
    prior = 0.1 * peak_kw * float(np.max(weight))
    measured = float(np.sum(weight[use] * measured_kw[use])) + prior
    modelled = float(np.sum(weight[use] * modelled_kw[use])) + prior
    return min(1.6, max(0.4, measured / modelled))
