"""What the forecaster's worker process answers. Only that process imports this module: it loads pandas and pvlib."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from models.errors import DataError
from models.forecast.house import forecast
from models.forecast.rooms import forecast_rooms
from models.types.forecast import HouseForecast
from models.types.forecast_request import ForecastRequest, RoomsForecast, RoomsRequest


def methods() -> Mapping[str, Callable[[object], object]]:
    """Methods by name: `forecast` (ForecastRequest -> HouseForecast), `rooms` (RoomsRequest -> RoomsForecast)."""
    return {"forecast": answer_forecast, "rooms": answer_rooms}


def answer_forecast(body: object) -> HouseForecast:
    """Forecast of the house; anything but a `ForecastRequest` is a DataError."""
    if not isinstance(body, ForecastRequest):
        raise DataError(f"forecast got a {type(body).__name__}", hint="send a ForecastRequest")
    return forecast(body)


def answer_rooms(body: object) -> RoomsForecast:
    """Forecast of the rooms; anything but a `RoomsRequest` is a DataError."""
    if not isinstance(body, RoomsRequest):
        raise DataError(f"rooms got a {type(body).__name__}", hint="send a RoomsRequest")
    return forecast_rooms(body)
