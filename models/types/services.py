"""How prices, weather and the PV forecasts of others are asked of real services: one class per table of the house file.

Tokens are secrets and stand in none of these (`config.secrets`).
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from models.types.house import Settings

PriceSource = Literal["ote", "entsoe", "energy_charts", "csv", "mqtt"]
_Url = Annotated[str, Field(pattern=r"^https?://[^\s@]+$", max_length=300)]


class PriceService(Settings):
    """Day-ahead prices."""

    source: PriceSource = Field("ote", description="who is asked; csv and mqtt take what another program provides")
    fallbacks: tuple[Literal["ote", "entsoe", "energy_charts"], ...] = Field(
        (), description="asked in this order for a day that the source cannot give whole"
    )
    bidding_zone: str = Field(
        "CZ", pattern=r"^[A-Z]{2}[A-Z0-9_-]{0,13}$", description="as energy-charts writes it: CZ, DE-LU, AT, ..."
    )
    eic: str | None = Field(
        None, pattern=r"^10Y[A-Z0-9-]{13}$", description="ENTSO-E code of the zone, where bidding_zone is not enough"
    )
    market_timezone: str = Field(
        "Europe/Prague",
        description="IANA name; of the exchange, not of the house: Central European time wherever markets are coupled",
    )
    first_ask: dt.time = Field(dt.time(12, 45), description="tomorrow is asked for from then on, local time")
    due: dt.time = Field(dt.time(15), description="tomorrow not complete by then is an alarm, local time")
    every_s: float = Field(900.0, ge=60, le=21600, description="how often to look")
    hurry_s: float = Field(180.0, ge=120, le=900, description="how often between first_ask and due, until complete")
    history_days: int = Field(7, ge=1, le=60, description="days before today that are told as well")
    quietest_peak_eur_per_kwh: float = Field(
        0.002, ge=0, le=0.1, description="a day that never exceeds this is taken for a wrong unit; 0: no such check"
    )
    path: Path | None = Field(None, description="csv: file with time_utc and one column spot_<currency>_per_kwh")
    topic: str | None = Field(None, min_length=1, max_length=200, description="mqtt: where the prices are published")
    currency: str = Field("EUR", pattern=r"^[A-Z]{3}$", description="of csv or entsoe; turned into EUR by the CNB rate")
    url: _Url | None = Field(None, description="instead of the service's own address")

    @field_validator("market_timezone")
    @classmethod
    def _zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{name} is no time zone, an IANA name is wanted: Europe/Prague") from None
        return name

    @model_validator(mode="after")
    def _whole(self) -> PriceService:
        if self.source == "csv" and self.path is None:
            raise ValueError("source csv needs path")
        if self.source == "mqtt" and self.topic is None:
            raise ValueError("source mqtt needs topic")
        if self.currency != "EUR" and self.source not in ("csv", "entsoe"):
            raise ValueError(f"currency {self.currency} is for csv and entsoe: {self.source} gives EUR")
        if "ote" in (self.source, *self.fallbacks) and self.bidding_zone != "CZ":
            raise ValueError(f"ote knows bidding_zone CZ only, not {self.bidding_zone}")
        if self.source in self.fallbacks:
            raise ValueError(f"{self.source} cannot be a fallback of itself")
        if self.first_ask >= self.due:
            raise ValueError(f"first_ask {self.first_ask:%H:%M} must be before due {self.due:%H:%M}")
        return self


class WeatherService(Settings):
    """Weather forecasts of Open-Meteo."""

    resolution: Literal["minutely_15", "hourly"] = Field(
        "minutely_15", description="quarter hours are native in Central Europe and North America"
    )
    horizon_h: int = Field(72, ge=24, le=168, description="how far ahead")
    past_h: int = Field(3, ge=1, le=48, description="how far back: recent sun corrects the forecast")
    every_s: float = Field(3600.0, ge=900, le=21600, description="how often to look")
    stale_h: float = Field(6.0, ge=1, le=48, description="a forecast older than this is an alarm")
    archive_files: int = Field(3000, ge=10, le=100_000, description="issued forecasts kept on disk")
    archive_mb: float = Field(100.0, ge=1, le=10_000, description="and their size")
    url: _Url = Field("https://api.open-meteo.com/v1/forecast", description="the public or an own server")


class PvService(Settings):
    """PV forecasts of others, to compare ours with."""

    source: Literal["solcast", "forecast_solar"] = Field("forecast_solar", description="who is asked")
    resource_id: str | None = Field(
        None, pattern=r"^[A-Za-z0-9-]{4,64}$", description="solcast: the rooftop site's resource id"
    )
    horizon_h: int = Field(72, ge=24, le=168, description="how far ahead, as far as the account allows")
    every_s: float = Field(10800.0, ge=1800, le=86400, description="how often: free accounts allow about 10 a day")
    stale_h: float = Field(12.0, ge=1, le=72, description="a forecast older than this is an alarm")
    archive_files: int = Field(1000, ge=10, le=100_000, description="issued forecasts kept on disk")
    archive_mb: float = Field(20.0, ge=1, le=10_000, description="and their size")
    url: _Url | None = Field(None, description="instead of the service's own address")

    @model_validator(mode="after")
    def _whole(self) -> PvService:
        if self.source == "solcast" and self.resource_id is None:
            raise ValueError("source solcast needs resource_id")
        return self
