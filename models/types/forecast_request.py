"""What a forecaster is asked with. Crosses the process boundary: plain numbers only, no arrays."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from models.types.forecast import HouseForecast, WeatherForecast
from models.types.house import House


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredSeries:
    """Mean power of past slots `[start + i*dt, start + (i+1)*dt)`; NaN: not measured, never 0."""

    start: datetime  # aware UTC
    dt_s: float
    kw: tuple[float, ...]

    @property
    def end(self) -> datetime:
        """End of the last slot."""
        return self.start + timedelta(seconds=self.dt_s * len(self.kw))


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastRequest:
    """Everything that a house forecast may depend on: the same request always gives the same answer."""

    issued: datetime  # aware UTC: nothing in here was known later
    start: datetime  # start of slot 0, aware UTC
    dt_s: float  # length of a slot
    steps: int
    house: House
    weather: WeatherForecast
    load_history: MeasuredSeries  # base load without heating, standby included: up to five weeks
    pv_history: MeasuredSeries | None = None  # DC power of all arrays in the last hours; NaN where it was curtailed
    known_load: MeasuredSeries | None = None  # perfect foresight only: taken as it is where it covers a slot


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomsRequest:
    """Where the rooms stand and what will act on them."""

    house: House
    forecast: HouseForecast  # outdoor temperature and sun on the windows; its slots are the answer's
    air_c: dict[str, float]  # of every room, now
    slab_c: dict[str, float]
    duty: dict[str, tuple[float, ...]] = field(default_factory=dict)  # share of each slot a relay is on; absent: off
    disturbance_kw: dict[str, float] = field(default_factory=dict)  # what an observer found the model lacks; absent: 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomsForecast:
    """Temperatures at the end of each slot, by room."""

    issued: datetime  # of the forecast it rests on
    source: str
    start: datetime
    dt_s: float
    air_c: dict[str, tuple[float, ...]]
    slab_c: dict[str, tuple[float, ...]]
