"""Where the sun stands, and what falls on a tilted plane. Plain floats, no tables."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime

from models.types.house import Facing, Site

J2000 = datetime(2000, 1, 1, 12, tzinfo=UTC)
SOLAR_CONSTANT_W_PER_M2 = 1366.1
ALBEDO = 0.2  # grass, the usual assumption for a garden
MIN_COS_ZENITH = 0.01745  # 89 degrees: below, the ratio of beam on plane to beam on ground loses its meaning
FACING_AZIMUTH_DEG: dict[Facing, float] = {"S": 180.0, "E": 90.0, "W": 270.0}


@dataclass(frozen=True, slots=True)
class SunPosition:
    """Direction of the sun's centre as seen from the site, without refraction."""

    elevation_deg: float  # above the horizon; negative at night
    azimuth_deg: float  # clockwise from north, 0 .. 360


def sun_position(at: datetime, site: Site) -> SunPosition:
    """Position of the sun, good to about 0.01 degrees from 1950 to 2050.

    Parameters
    ----------
    at : datetime
        Aware; any zone.
    site : Site
        Latitude and longitude.

    References
    ----------
    Michalsky, J. (1988): The Astronomical Almanac's algorithm for approximate solar position (1950-2050).
    Solar Energy 40 (3), 227-235.
    """
    days = (at - J2000).total_seconds() / 86400.0
    mean_longitude = math.radians((280.460 + 0.9856474 * days) % 360.0)
    anomaly = math.radians((357.528 + 0.9856003 * days) % 360.0)
    ecliptic = mean_longitude + math.radians(1.915 * math.sin(anomaly) + 0.020 * math.sin(2.0 * anomaly))
    obliquity = math.radians(23.439 - 0.0000004 * days)
    declination = math.asin(math.sin(obliquity) * math.sin(ecliptic))
    right_ascension = math.atan2(math.cos(obliquity) * math.sin(ecliptic), math.cos(ecliptic))

    utc_hour = (days * 24.0 + 12.0) % 24.0
    sidereal_h = 6.697375 + 0.0657098242 * days + utc_hour
    hour_angle = math.radians(sidereal_h * 15.0 + site.longitude_deg) - right_ascension

    latitude = math.radians(site.latitude_deg)
    up = math.sin(declination) * math.sin(latitude)
    up += math.cos(declination) * math.cos(latitude) * math.cos(hour_angle)
    east = -math.cos(declination) * math.sin(hour_angle)
    north = math.sin(declination) * math.cos(latitude)
    north -= math.cos(declination) * math.sin(latitude) * math.cos(hour_angle)
    return SunPosition(math.degrees(math.asin(max(-1.0, min(1.0, up)))), math.degrees(math.atan2(east, north)) % 360.0)


def cos_incidence(sun: SunPosition, tilt_deg: float, azimuth_deg: float) -> float:
    """Cosine of the angle between the sun and the plane's normal; negative behind the plane."""
    elevation, tilt = math.radians(sun.elevation_deg), math.radians(tilt_deg)
    across = math.cos(math.radians(sun.azimuth_deg - azimuth_deg))
    return math.sin(elevation) * math.cos(tilt) + math.cos(elevation) * math.sin(tilt) * across


def extraterrestrial_w_per_m2(at: datetime) -> float:
    """Irradiance outside the atmosphere, normal to the sun [W/m2]; it swings by 3.3 % over the year."""
    day_angle = 2.0 * math.pi * (at.timetuple().tm_yday - 1) / 365.0
    return SOLAR_CONSTANT_W_PER_M2 * (1.0 + 0.033 * math.cos(day_angle))


@dataclass(frozen=True, slots=True)
class PlaneIrradiance:
    """Parts of the irradiance on a plane [W/m2], each >= 0."""

    beam: float
    sky: float  # diffuse, circumsolar part included
    ground: float
    cos_incidence: float

    @property
    def total(self) -> float:
        return self.beam + self.sky + self.ground


def plane_irradiance(
    sun: SunPosition,
    *,
    at: datetime,
    tilt_deg: float,
    azimuth_deg: float,
    ghi: float,
    dhi: float,
    dni: float,
) -> PlaneIrradiance:
    """Irradiance on a plane of any tilt (90: a window) from its horizontal components.

    Parameters
    ----------
    sun : SunPosition
        At the middle of the interval that the components are means of.
    at : datetime
        For the distance to the sun.
    tilt_deg, azimuth_deg : float
        The plane's.
    ghi, dhi, dni : float
        Global and diffuse horizontal, direct normal irradiance [W/m2].

    References
    ----------
    Hay, J. and Davies, J. (1980): Calculations of the solar radiation incident on an inclined surface.
    """
    cos_zenith = math.sin(math.radians(sun.elevation_deg))
    cos_aoi = cos_incidence(sun, tilt_deg, azimuth_deg)
    facing = max(0.0, cos_aoi) if cos_zenith > 0.0 else 0.0
    clearness = min(1.0, dni / extraterrestrial_w_per_m2(at))
    view = (1.0 + math.cos(math.radians(tilt_deg))) / 2.0
    return PlaneIrradiance(
        beam=dni * facing,
        sky=dhi * (clearness * facing / max(cos_zenith, MIN_COS_ZENITH) + (1.0 - clearness) * view),
        ground=ghi * ALBEDO * (1.0 - view),
        cos_incidence=cos_aoi,
    )


def window_w_per_m2(facing: Facing, sun: SunPosition, *, at: datetime, ghi: float, dhi: float, dni: float) -> float:
    """Irradiance on a vertical window [W/m2]; 0 for a room without one."""
    if facing == "none":
        return 0.0
    azimuth = FACING_AZIMUTH_DEG[facing]
    return plane_irradiance(sun, at=at, tilt_deg=90.0, azimuth_deg=azimuth, ghi=ghi, dhi=dhi, dni=dni).total
