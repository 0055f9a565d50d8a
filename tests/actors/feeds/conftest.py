"""The demo house's records, read once."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from actors.feeds.recorded import RecordedLoad, RecordedPrices, RecordedWeather
from models.types.house import Site

DATA = Path(__file__).parents[3] / "config" / "data"
WEATHER = DATA / "weather_aachen_2021_15min.csv.gz"
PRICES = DATA / "price_de_lu_2021_60min.csv.gz"
LOAD = DATA / "load_paris_2007_2008_60min.csv.gz"
BERLIN = ZoneInfo("Europe/Berlin")
AACHEN = Site(latitude_deg=50.775, longitude_deg=6.083)


@pytest.fixture(scope="session")
def prices() -> RecordedPrices:
    return RecordedPrices(PRICES, BERLIN)


@pytest.fixture(scope="session")
def weather() -> RecordedWeather:
    return RecordedWeather(WEATHER, AACHEN)


@pytest.fixture(scope="session")
def load() -> RecordedLoad:
    return RecordedLoad(LOAD, BERLIN)
