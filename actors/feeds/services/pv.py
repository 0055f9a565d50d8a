"""PV forecasts of others: what each of them is to us."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from actors.feeds.services.types import PvSeries
from models.errors import DataError

ABOVE_PEAK = 1.3  # of the roofs' peak: clouds' edges and a cold module give a little more than the label


class PvService(Protocol):
    """Somebody who forecasts the power of our roofs."""

    def known_at(self, now: datetime) -> PvSeries:
        """The latest forecast issued by `now`; `DataError` if there is none."""
        ...


class PvSource(Protocol):
    """How to ask one of them, and what the answer means."""

    @property
    def name(self) -> str:
        """For people."""

    def fetch(self) -> object:
        """The answer as JSON; `LinkError` or `DataError` if there is none."""

    def parse(self, answer: object, issued: datetime) -> PvSeries:
        """The forecast in it; `DataError` if it is none."""


def assert_power(source: str, name: str, values: Sequence[float], peak_kw: float) -> None:
    """Refuse power that these roofs cannot have, NaN aside.

    Raises
    ------
    DataError
        A value is negative or far above the peak: another unit, or another house.
    """
    limit_kw = ABOVE_PEAK * peak_kw
    for i, value in enumerate(values):
        if not math.isnan(value) and not 0.0 <= value <= limit_kw:
            raise DataError(
                f"{source}: {name}[{i}] is {value:g} kW, outside 0 .. {limit_kw:g} (the roofs have {peak_kw:g} kWp)",
                hint="compare the roofs there with [[arrays]] here; power is kW there, not W",
            )
