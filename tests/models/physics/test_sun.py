"""The sun stands where an independent implementation sees it, and shines on planes as geometry demands."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd
import pvlib  # type: ignore[import-untyped]
import pytest

from models.physics.pv import array_dc_kw, reflection_share
from models.physics.sun import SunPosition, plane_irradiance, sun_position, window_w_per_m2
from models.types.house import PvArray, Site

SITES = (Site(latitude_deg=50.775, longitude_deg=6.083), Site(latitude_deg=-33.9, longitude_deg=151.2))
NOON_SOUTH = SunPosition(elevation_deg=40.0, azimuth_deg=180.0)
AT = datetime(2021, 4, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("site", SITES, ids=["Aachen", "Sydney"])
def test_sun_position_agrees_with_pvlib_within_a_fifth_of_a_degree(site: Site) -> None:
    times = pd.date_range("2021-01-01", "2021-12-31", freq="7h", tz="UTC")
    theirs = pvlib.solarposition.get_solarposition(times, site.latitude_deg, site.longitude_deg)
    for at, elevation, azimuth in zip(times, theirs["elevation"], theirs["azimuth"], strict=True):
        ours = sun_position(at.to_pydatetime(), site)
        assert ours.elevation_deg == pytest.approx(elevation, abs=0.02)
        if elevation < 80.0:  # near the zenith azimuth means little
            assert abs((ours.azimuth_deg - azimuth + 180.0) % 360.0 - 180.0) < 0.2


@pytest.mark.parametrize(("tilt", "azimuth"), [(35.0, 143.0), (35.0, 233.0), (90.0, 90.0), (90.0, 270.0), (0.0, 180.0)])
def test_plane_irradiance_agrees_with_pvlibs_hay_davies(tilt: float, azimuth: float) -> None:
    for hours in range(0, 24 * 365, 13):
        at = datetime(2021, 1, 1, tzinfo=UTC) + timedelta(hours=hours)
        sun = sun_position(at, SITES[0])
        if sun.elevation_deg < 2.0:
            continue
        parts = {"ghi": 400.0, "dhi": 150.0, "dni": 350.0}
        ours = plane_irradiance(sun, at=at, tilt_deg=tilt, azimuth_deg=azimuth, **parts)
        theirs = pvlib.irradiance.get_total_irradiance(
            tilt, azimuth, 90.0 - sun.elevation_deg, sun.azimuth_deg, parts["dni"], parts["ghi"], parts["dhi"],
            dni_extra=pvlib.irradiance.get_extra_radiation(pd.Timestamp(at)), model="haydavies", albedo=0.2,
        )
        assert ours.total == pytest.approx(float(theirs["poa_global"]), rel=0.004, abs=0.5)


def test_a_horizontal_plane_sees_the_global_irradiance() -> None:
    sun = SunPosition(elevation_deg=30.0, azimuth_deg=150.0)
    plane = plane_irradiance(sun, at=AT, tilt_deg=0.0, azimuth_deg=180.0, ghi=500.0, dhi=200.0, dni=600.0)
    assert plane.total == pytest.approx(500.0)


def test_no_beam_falls_on_a_plane_from_behind_or_from_below_the_horizon() -> None:
    north = plane_irradiance(NOON_SOUTH, at=AT, tilt_deg=90.0, azimuth_deg=0.0, ghi=600.0, dhi=100.0, dni=800.0)
    assert north.beam == 0.0
    night = SunPosition(elevation_deg=-1.0, azimuth_deg=260.0)
    west = plane_irradiance(night, at=AT, tilt_deg=90.0, azimuth_deg=270.0, ghi=0.0, dhi=0.0, dni=5.0)
    assert west.total == 0.0


def test_the_morning_sun_shines_through_the_east_windows_and_a_room_without_a_window_gets_none() -> None:
    morning = SunPosition(elevation_deg=15.0, azimuth_deg=95.0)
    sky = {"ghi": 250.0, "dhi": 80.0, "dni": 650.0}
    east, west = (window_w_per_m2(side, morning, at=AT, **sky) for side in ("E", "W"))
    assert east > 4.0 * west > 0.0
    assert window_w_per_m2("none", morning, at=AT, **sky) == 0.0


def test_dc_power_agrees_with_pvlibs_pvwatts_and_faiman() -> None:
    array = PvArray(name="roof", azimuth_deg=180.0, tilt_deg=35.0, peak_kw=7.5)
    sky = {"ghi": 600.0, "dhi": 120.0, "dni": 750.0}
    for air_c, wind in ((-5.0, 1.0), (25.0, 0.0), (30.0, 8.0)):
        ours = array_dc_kw(array, NOON_SOUTH, at=AT, air_c=air_c, wind_m_per_s=wind, **sky)
        plane = plane_irradiance(NOON_SOUTH, at=AT, tilt_deg=35.0, azimuth_deg=180.0, **sky)
        aoi = pvlib.irradiance.aoi(35.0, 180.0, 50.0, 180.0)
        effective = plane.beam * pvlib.iam.physical(aoi, n=1.526, K=0.0) + plane.sky + plane.ground
        cell = pvlib.temperature.faiman(plane.total, air_c, wind)
        theirs = pvlib.pvsystem.pvwatts_dc(effective, cell, 7.5, array.gamma_per_c) * 0.85
        assert ours == pytest.approx(float(theirs), rel=1e-3)


def test_dc_power_is_zero_in_the_dark_and_falls_with_heat() -> None:
    array = PvArray(name="roof", azimuth_deg=180.0, tilt_deg=35.0, peak_kw=7.5)
    dark = SunPosition(elevation_deg=-20.0, azimuth_deg=0.0)
    assert array_dc_kw(array, dark, at=AT, ghi=0.0, dhi=0.0, dni=0.0, air_c=5.0, wind_m_per_s=2.0) == 0.0
    cold, hot = (
        array_dc_kw(array, NOON_SOUTH, at=AT, ghi=600.0, dhi=120.0, dni=750.0, air_c=c, wind_m_per_s=2.0)
        for c in (0.0, 35.0)
    )
    assert cold > hot > 0.0


def test_glass_passes_everything_straight_on_and_nothing_at_grazing() -> None:
    shares = [reflection_share(c) for c in (1.0, 0.7, 0.3, 0.1, 0.0, -0.5)]
    assert shares[0] == 1.0
    assert shares == sorted(shares, reverse=True)
    assert shares[-2:] == [0.0, 0.0]
