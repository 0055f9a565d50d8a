"""The forecaster's process answers the requests it knows and nothing else."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from actors.forecasting.worker import methods
from models.errors import DataError
from models.types.forecast import HouseForecast
from models.types.forecast_request import ForecastRequest, RoomsForecast, RoomsRequest
from tests.models.forecast.conftest import HOUSE


def test_house_and_rooms_are_forecast_one_after_the_other(request_at: Callable[..., ForecastRequest]) -> None:
    house = methods()["forecast"](request_at(2021, 2, 8, 10, steps=96))
    assert isinstance(house, HouseForecast)
    now = {room.name: 20.0 for room in HOUSE.rooms}
    rooms = methods()["rooms"](RoomsRequest(house=HOUSE, forecast=house, air_c=now, slab_c=now))
    assert isinstance(rooms, RoomsForecast)
    assert rooms.issued == house.issued
    assert len(rooms.air_c["hall"]) == 96
    assert rooms.air_c["hall"][-1] < 20.0, "February"


@pytest.mark.parametrize("method", ["forecast", "rooms"])
def test_anything_else_is_refused(method: str) -> None:
    with pytest.raises(DataError, match=f"{method} got a dict; send a"):
        methods()[method]({"steps": 4})


def test_the_core_can_read_feeds_and_requests_without_any_heavy_library() -> None:
    code = (
        "import sys\n"
        "import actors.feeds.recorded, actors.feeds.protocol, models.types.forecast_request\n"
        "print([m for m in ('numpy', 'pandas', 'pvlib', 'scipy', 'pyomo', 'cvxpy') if m in sys.modules])\n"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
