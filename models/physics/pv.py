"""DC power of a PV array from irradiance and weather."""

from __future__ import annotations

import math
from datetime import datetime

from models.physics.sun import SunPosition, plane_irradiance
from models.types.house import PvArray

GLASS_INDEX = 1.526  # refraction of the front glass
FAIMAN_U0, FAIMAN_U1 = 25.0, 6.84  # heat loss of a free-standing module [W/m2K], [Ws/m3K]
STC_W_PER_M2, STC_CELL_C = 1000.0, 25.0


def reflection_share(cos_incidence: float) -> float:
    """Share of the beam that passes the glass, relative to normal incidence: 1 straight on, 0 from behind.

    Fresnel's equations for one air-glass surface.
    """
    if cos_incidence <= 1e-6:
        return 0.0
    incidence = math.acos(min(1.0, cos_incidence))
    normal = 4.0 * GLASS_INDEX / (1.0 + GLASS_INDEX) ** 2
    if incidence < 1e-4:
        return 1.0
    inside = math.asin(math.sin(incidence) / GLASS_INDEX)
    minus, plus = inside - incidence, inside + incidence
    reflected = 0.5 * ((math.sin(minus) / math.sin(plus)) ** 2 + (math.tan(minus) / math.tan(plus)) ** 2)
    return max(0.0, (1.0 - reflected) / normal)


def cell_c(poa_w_per_m2: float, air_c: float, wind_m_per_s: float) -> float:
    """Cell temperature [degC], after Faiman (2008), doi:10.1002/pip.813."""
    return air_c + poa_w_per_m2 / (FAIMAN_U0 + FAIMAN_U1 * max(0.0, wind_m_per_s))


def array_dc_kw(
    array: PvArray,
    sun: SunPosition,
    *,
    at: datetime,
    ghi: float,
    dhi: float,
    dni: float,
    air_c: float,
    wind_m_per_s: float,
) -> float:
    """DC power available from one array [kW], losses taken off, never negative.

    Parameters
    ----------
    array : PvArray
        Plane, rating, losses and temperature coefficient.
    sun, at
        Position at the middle of the interval, and that instant.
    ghi, dhi, dni : float
        Global and diffuse horizontal, direct normal irradiance [W/m2], means of the interval.
    air_c, wind_m_per_s : float
        Air temperature and wind speed.

    References
    ----------
    NREL/TP-6A20-62641, PVWatts Version 5 Manual, doi:10.2172/1158421, module model.
    """
    plane = plane_irradiance(
        sun, at=at, tilt_deg=array.tilt_deg, azimuth_deg=array.azimuth_deg, ghi=ghi, dhi=dhi, dni=dni
    )
    effective = plane.beam * reflection_share(plane.cos_incidence) + plane.sky + plane.ground
    if effective <= 0.0:
        return 0.0
    heat = 1.0 + array.gamma_per_c * (cell_c(plane.total, air_c, wind_m_per_s) - STC_CELL_C)
    return max(0.0, effective / STC_W_PER_M2 * array.peak_kw * heat * (1.0 - array.losses))
