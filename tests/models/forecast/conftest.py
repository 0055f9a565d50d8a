"""A house with two roofs and two rooms, and the recorded year it lives in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from actors.feeds.recorded import RecordedLoad, RecordedWeather
from models.forecast.grid import Array
from models.physics.pv import array_dc_kw
from models.physics.sun import sun_position
from models.types.forecast import WeatherForecast
from models.types.forecast_request import ForecastRequest, MeasuredSeries
from models.types.house import House, PvArray, Room, Site

DATA = Path(__file__).parents[3] / "config" / "data"
BERLIN = ZoneInfo("Europe/Berlin")
SITE = Site(latitude_deg=50.775, longitude_deg=6.083)
HOUSE = House(
    site=SITE,
    arrays=(
        PvArray(name="southeast", azimuth_deg=143, tilt_deg=35, peak_kw=7.5),
        PvArray(name="southwest", azimuth_deg=233, tilt_deg=35, peak_kw=7.5),
    ),
    rooms=(
        Room(name="hall", heater_kw=1.8, area_m2=19, ua_w_per_k=32, day_min_c=19, night_min_c=18, max_c=22, facing="S"),
        Room(name="living", heater_kw=4.8, area_m2=39.5, ua_w_per_k=78, day_min_c=21, night_min_c=20, max_c=23.5),
    ),
)
QUARTER = timedelta(minutes=15)


def clear_weather(
    start: datetime, steps: int, *, issued: datetime | None = None, dt_s: float = 900.0
) -> WeatherForecast:
    """A cloudless, mild time: any site, any day."""
    ghi, dni, dhi = [], [], []
    for i in range(steps):
        at = start + timedelta(seconds=dt_s * (i + 0.5))
        up = max(0.0, float(np.sin(np.radians(sun_position(at, SITE).elevation_deg))))
        dni.append(800.0 if up > 0.05 else 0.0)
        dhi.append(90.0 * up)
        ghi.append(dhi[-1] + dni[-1] * up)
    return WeatherForecast(
        issued=issued or start,
        source="clear",
        start=start,
        dt_s=dt_s,
        temp_c=(10.0,) * steps,
        ghi_w_per_m2=tuple(ghi),
        dni_w_per_m2=tuple(dni),
        dhi_w_per_m2=tuple(dhi),
        wind_m_per_s=(2.0,) * steps,
    )


@dataclass(frozen=True)
class Year:
    """The recorded year, its true PV power, and requests as they would have been made."""

    weather: RecordedWeather
    load: RecordedLoad
    pv_kw: Array  # what the twin's roofs could give, all arrays, on the weather's slots

    def index(self, at: datetime) -> int:
        return self.weather.table.index(at)

    def request(self, now: datetime, *, steps: int = 192, corrected: bool = True) -> ForecastRequest:
        i = self.index(now)
        past = MeasuredSeries(start=now - 12 * QUARTER, dt_s=900.0, kw=tuple(self.pv_kw[i - 12 : i].tolist()))
        return ForecastRequest(
            issued=now,
            start=now,
            dt_s=900.0,
            steps=steps,
            house=HOUSE,
            weather=self.weather.known_at(now),
            load_history=self.load.history(now, 35, add_kw=0.06),
            pv_history=past if corrected else None,
        )


@pytest.fixture(scope="session")
def year() -> Year:
    weather = RecordedWeather(DATA / "weather_aachen_2021_15min.csv.gz", SITE)
    load = RecordedLoad(DATA / "load_paris_2007_2008_60min.csv.gz", BERLIN)
    table = weather.table
    c = table.columns
    pv = np.zeros(len(table))
    for i, ghi in enumerate(c["ghi_w_per_m2"]):
        if ghi > 0.0:
            at = table.start + i * QUARTER + QUARTER / 2
            sun = sun_position(at, SITE)
            for array in HOUSE.arrays:
                pv[i] += array_dc_kw(
                    array, sun, at=at, ghi=ghi, dhi=c["dhi_w_per_m2"][i], dni=c["dni_w_per_m2"][i],
                    air_c=c["temp_c"][i], wind_m_per_s=c["wind_m_per_s"][i],
                )
    return Year(weather, load, pv)


@pytest.fixture
def request_at(year: Year) -> Callable[..., ForecastRequest]:
    def at(y: int, month: int, day: int, hour: int, *, steps: int = 192) -> ForecastRequest:
        return year.request(datetime(y, month, day, hour, tzinfo=UTC), steps=steps)

    return at
