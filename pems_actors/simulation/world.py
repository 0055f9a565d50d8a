"""Recorded truth of one simulation: the twin's world, the feeds of what was known, and what really comes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from actors.feeds.recorded import (
    RecordedLoad,
    RecordedPrices,
    RecordedWeather,
    TrueLoad,
    TruePrices,
    TrueWeather,
    WeatherErrorSpec,
    load_world_series,
)
from config.schema import HouseFile
from models.errors import ConfigError
from models.twins.house import HouseTwin
from models.twins.world import World
from models.types.forecast import HouseForecast, PriceSeries, WeatherForecast
from models.types.forecast_request import ForecastRequest, MeasuredSeries
from models.types.house import Site
from models.types.slots import local_midnight


class KnownLoad:
    """The base load measured so far; the future only for perfect foresight."""

    problem = ""  # nothing to keep

    def __init__(self, recorded: RecordedLoad, standby_kw: float, *, foresight: bool) -> None:
        self._recorded, self._standby_kw = recorded, standby_kw
        self._true = TrueLoad(recorded) if foresight else None

    def see(self, now: datetime, kw: float) -> None:
        """It is recorded already."""

    def history(self, now: datetime, days: float) -> MeasuredSeries:
        """Base load and standby of the last days."""
        return self._recorded.history(now, days, add_kw=self._standby_kw)

    def known(self, now: datetime, steps: int) -> MeasuredSeries | None:
        """What is to come; None unless this is foresight."""
        return None if self._true is None else self._true.known_at(now, steps, add_kw=self._standby_kw)


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """The recorded inputs of one house file."""

    prices: RecordedPrices
    weather: RecordedWeather
    load: RecordedLoad
    site: Site
    zone: ZoneInfo
    standby_kw: float

    @classmethod
    def of(cls, config: HouseFile, seed: int) -> Recorded:
        """Read the files named in the [data] table; DataError if one is not what it should be."""
        zone = ZoneInfo(config.house.site.timezone)
        data = config.data
        return cls(
            prices=RecordedPrices(data.prices, zone),
            weather=RecordedWeather(
                data.weather,
                config.house.site,
                error=WeatherErrorSpec(**config.weather_error.arguments()),
                seed=seed,
                issue_every_s=config.weather_error.issue_every_s,
            ),
            load=RecordedLoad(
                data.load, zone, year=config.data.load_year, annual_kwh=config.data.load_kwh_per_year
            ),
            site=config.house.site,
            zone=zone,
            standby_kw=config.house.inverter.standby_kw,
        )

    def world(self) -> World:
        """Truth for a twin, over the whole record."""
        return World(site=self.site, **load_world_series(self.weather.table, self.load))

    def known_prices(self, *, foresight: bool = False) -> Callable[[datetime], PriceSeries]:
        """Prices as they were known, or all of them."""
        return TruePrices(self.prices).known_at if foresight else self.prices.known_at

    def known_weather(self, *, foresight: bool = False) -> Callable[[datetime], WeatherForecast]:
        """Weather as it was forecast, or as it came."""
        return TrueWeather(self.weather).known_at if foresight else self.weather.known_at

    def known_load(self, *, foresight: bool = False) -> KnownLoad:
        """Load as measured so far; with what is to come for foresight."""
        return KnownLoad(self.load, self.standby_kw, foresight=foresight)

    def begins(
        self, start: date, config: HouseFile, days: float, *, field: str = "--start"
    ) -> tuple[datetime, datetime, datetime]:
        """(warm-up start, local midnight of `start`, end) in UTC; `field` is where `start` was said, for the message.

        Raises
        ------
        ConfigError
            The record does not cover warm-up, run and tail.
        """
        first = local_midnight(start, self.zone)
        begin = local_midnight(start - timedelta(days=config.simulation.warmup_days), self.zone)
        end = (first.astimezone(self.zone).replace(tzinfo=None) + timedelta(days=days)).replace(tzinfo=self.zone)
        end = end.astimezone(UTC)
        last = end + timedelta(hours=config.simulation.tail_h)
        low = max(self.weather.table.start, self.prices.start, self.load.start)
        high = min(self.weather.table.end, self.prices.end, self.load.end)
        if begin < low or last > high:
            raise ConfigError(
                f"{field} {start}, {days:.3g} day{'' if days == 1 else 's'}: needs records from {begin:%Y-%m-%d} "
                f"(warm-up) to {last:%Y-%m-%d} (tail), there is {low:%Y-%m-%d} to {high:%Y-%m-%d}",
                hint=f"choose another day{'' if days <= 2 else ', or fewer of them'}",
            )
        return begin, first, end


def true_forecast(twin: HouseTwin, load: KnownLoad) -> Callable[[ForecastRequest], HouseForecast]:
    """What really comes, as a forecast: for the policy of perfect foresight only."""
    world = twin.world

    def forecast(request: ForecastRequest) -> HouseForecast:
        middles = [
            request.start + timedelta(seconds=request.dt_s * (i + 0.5)) for i in range(request.steps)
        ]
        known = load.known(request.start, request.steps)
        assert known is not None
        return HouseForecast(
            issued=request.issued,
            source="truth",
            start=request.start,
            dt_s=request.dt_s,
            pv_kw=tuple(tuple(world.pv_kw(a, at) for at in middles) for a in twin.house.arrays),
            load_kw=known.kw,
            outdoor_c=tuple(world.temp_c(at) for at in middles),
            window_w_per_m2={f: tuple(world.window_w_per_m2(f, at) for at in middles) for f in ("S", "E", "W")},
        )

    return forecast
