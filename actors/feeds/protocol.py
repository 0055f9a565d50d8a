"""What the house asks of the outside world: one method each, so that a live service joins in one file.

Each answers with what was known at `now` and never with anything later. `DataError` says that the source has nothing
for that time or is broken; a hole in a series is NaN.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from models.types.forecast import PriceSeries, WeatherForecast
from models.types.forecast_request import MeasuredSeries


class PriceFeed(Protocol):
    """Day-ahead prices."""

    def known_at(self, now: datetime) -> PriceSeries:
        """Recent history and everything published by `now`."""
        ...


class WeatherFeed(Protocol):
    """Weather forecasts."""

    def known_at(self, now: datetime) -> WeatherForecast:
        """The latest forecast issued by `now`."""
        ...


class LoadHistory(Protocol):
    """Measured base load of the house, without heating."""

    def history(self, now: datetime, days: float) -> MeasuredSeries:
        """The last `days` up to the last slot that ended by `now`."""
        ...
