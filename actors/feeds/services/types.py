"""What travels between the core and the worker that speaks HTTP. Light: no client, no parser."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from models.types.forecast import PriceSeries, WeatherForecast
from models.types.house import PvArray, Site
from models.types.services import PriceService, PvService, WeatherService

INPUTS_PORT = "/io/inputs"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSettings:
    """What the worker is to ask, and for which house. None: not asked at all."""

    site: Site
    prices: PriceService | None = None
    weather: WeatherService | None = None
    pv: PvService | None = None
    arrays: tuple[PvArray, ...] = ()  # the roofs of a PV forecast, and their peak as its limit


@dataclass(frozen=True, slots=True, kw_only=True)
class PricesRequest:
    """What is known of prices at `now` (aware UTC)?"""

    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WeatherRequest:
    """The latest weather forecast issued by `now` (aware UTC)."""

    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PvRequest:
    """The latest PV forecast of somebody else issued by `now` (aware UTC)."""

    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PvSeries:
    """PV power of all roofs together as another service sees it: slot means, NaN is unknown."""

    issued: datetime
    source: str
    start: datetime
    dt_s: float
    pv_kw: tuple[float, ...]
    low_kw: tuple[float, ...] = ()  # 10 % quantile; empty: the service gives none
    high_kw: tuple[float, ...] = ()  # 90 % quantile

    @property
    def end(self) -> datetime:
        """End of the last slot."""
        return self.start + timedelta(seconds=self.dt_s * len(self.pv_kw))


@dataclass(frozen=True, slots=True, kw_only=True)
class PvKnown:
    """Event: the latest PV forecast of another service."""

    pv: PvSeries


@dataclass(frozen=True, slots=True, kw_only=True)
class PricesAnswer:
    """What is known, with what went wrong on the way; `trouble` is "" when nothing did."""

    series: PriceSeries
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeatherAnswer:
    """Likewise for the weather."""

    series: WeatherForecast
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PvAnswer:
    """Likewise for PV."""

    series: PvSeries
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateRequest:
    """What does a euro buy at `now` (aware UTC)?"""

    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeRates:
    """Units of each currency that one euro buys, of one day."""

    issued: datetime  # when we learned of it
    source: str
    day: str  # ISO date for which the bank declared it
    per_eur: dict[str, float] = field(default_factory=dict)


TYPES: tuple[type, ...] = (
    PricesRequest, PricesAnswer, WeatherRequest, WeatherAnswer, PvRequest, PvAnswer, RateRequest, ExchangeRates,
)  # fmt: skip
