"""What a forecaster is asked with. Crosses the process boundary: plain numbers only, no arrays."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from models.types.forecast import WeatherForecast
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
    load_history: MeasuredSeries  # base load without heating, standby included: five weeks are used, none is survived
    pv_history: MeasuredSeries | None = None  # DC power of all arrays in the last hours; NaN where it was curtailed
    known_load: MeasuredSeries | None = None  # perfect foresight only: taken as it is where it covers a slot
