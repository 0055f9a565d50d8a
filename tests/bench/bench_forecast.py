"""How long forecasts and their inputs take: `run()` for the table of all figures. CPU time of this process."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from actors.feeds.recorded import RecordedLoad, RecordedWeather
from actors.feeds.services.cache import DiskCache, Stamped
from actors.feeds.services.check import day_prices
from actors.feeds.services.open_meteo import parse as parse_weather
from actors.feeds.services.ote import parse as parse_ote
from models.forecast.house import forecast
from models.types.forecast_request import ForecastRequest, MeasuredSeries
from models.types.slots import QUARTER
from tests.actors.feeds.services.server import body
from tests.models.forecast.conftest import BERLIN, DATA, HOUSE, SITE

Row = tuple[str, float, str, str, bool]
WEATHER = DATA / "weather_aachen_2021_15min.csv.gz"
NOW = datetime(2021, 6, 15, 10, tzinfo=UTC)


def _cpu_s(work: Callable[[], object], rounds: int) -> list[float]:
    took = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        took.append(time.process_time() - began)
    return took


def load_year_ms() -> float:
    """Reading a year of quarter-hourly weather and telling one forecast of it; best of three."""
    return 1000 * min(_cpu_s(lambda: RecordedWeather(WEATHER, SITE).known_at(datetime(2021, 2, 8, tzinfo=UTC)), 3))


def warm_forecast_ms() -> float:
    """A forecast of the house over two days, each a quarter hour after the one before; median of nine."""
    load = RecordedLoad(DATA / "load_paris_2007_2008_60min.csv.gz", BERLIN)
    weather = RecordedWeather(WEATHER, SITE)
    requests = [_request(NOW + i * QUARTER, load, weather) for i in range(10)]
    forecast(requests.pop(0))
    return 1000 * statistics.median(_cpu_s(lambda: forecast(requests.pop(0)), 9))


def _request(now: datetime, load: RecordedLoad, weather: RecordedWeather) -> ForecastRequest:
    return ForecastRequest(
        issued=now,
        start=now,
        dt_s=900.0,
        steps=192,
        house=HOUSE,
        weather=weather.known_at(now),
        load_history=load.history(now, 35, add_kw=0.06),
        pv_history=MeasuredSeries(start=now - 12 * QUARTER, dt_s=900.0, kw=tuple(4.0 + i / 10 for i in range(12))),
    )


def parse_answers_ms() -> float:
    """A day of OTE's prices read and checked, and three days of quarter-hourly weather read and archived."""
    zone, day = ZoneInfo("Europe/Prague"), datetime(2026, 6, 14, 10, 2, tzinfo=UTC)
    prices, weather = body("ote_2026-06-14.json"), body("open_meteo_minutely_15.json")
    with tempfile.TemporaryDirectory() as folder:
        cache = DiskCache(Path(folder))

        def once() -> None:
            quoted = parse_ote(prices, day.date(), zone)
            assert quoted is not None
            day_prices(quoted, day.date(), zone, fetched=day)
            answer = json.loads(weather)
            parse_weather(answer, day, "minutely_15")
            cache.write("20260614T100200Z.json.gz", Stamped(day, answer))

        return 1000 * statistics.median(_cpu_s(once, 9))


def run() -> list[Row]:
    """The figures with their targets."""
    measured = (
        ("a warm forecast, 48 h at 15 min", warm_forecast_ms(), 60.0),
        ("loading a year of recorded weather", load_year_ms(), 400.0),
        ("reading a day of prices and a weather answer", parse_answers_ms(), 50.0),
    )
    return [(name, value, "ms CPU", f"<= {limit:g}", value <= limit) for name, value, limit in measured]


if __name__ == "__main__":
    for row in run():
        print(*row)
