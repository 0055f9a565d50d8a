"""The worker process `inputs`: everything that speaks HTTP, so that no service can touch the core."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from actors.feeds.services.archive import Archived
from actors.feeds.services.cache import DiskCache
from actors.feeds.services.day_ahead import DayAhead, DaySource
from actors.feeds.services.energy_charts import EnergyCharts
from actors.feeds.services.http import Http
from actors.feeds.services.open_meteo import OpenMeteo
from actors.feeds.services.ote import Ote
from actors.feeds.services.types import PricesRequest, ServiceSettings, WeatherAnswer, WeatherRequest
from models.errors import ConfigError
from models.types.services import PriceService

Method = Callable[[object], object]


def methods(
    settings: ServiceSettings,
    cache_dir: Path,
    secrets: Mapping[str, SecretStr] | None = None,
    *,
    http: Http | None = None,
) -> dict[str, Method]:
    """What the worker can be asked: `prices`, `weather`, as far as configured.

    Parameters
    ----------
    settings : ServiceSettings
    cache_dir : Path
        Where answers are remembered; one folder a service below it.
    secrets : mapping of name to SecretStr
        `entsoe_token`, `solcast_key`, `forecast_solar_key`, as far as there are.
    http : Http, optional
        For tests.

    Raises
    ------
    ConfigError
        A service needs a token that is not there.
    """
    tokens = {name: secret.get_secret_value() for name, secret in (secrets or {}).items()}
    client = http or Http(secrets=tuple(tokens.values()))
    made: dict[str, Method] = {}
    if settings.prices is not None and settings.prices.source != "mqtt":
        made["prices"] = _prices(settings.prices, cache_dir, client, tokens)
    if settings.weather is not None:
        made["weather"] = _weather(settings, cache_dir, client)
    return made


def _prices(settings: PriceService, cache_dir: Path, http: Http, tokens: Mapping[str, str]) -> Method:
    zone = ZoneInfo(settings.market_timezone)
    names = (settings.source, *settings.fallbacks)
    sources = [_source(name, settings, http, tokens, first=i == 0) for i, name in enumerate(names)]
    folder = f"{settings.source}_{settings.bidding_zone}"
    feed = DayAhead(
        sources,
        DiskCache(cache_dir / "prices" / folder, max_files=settings.history_days + 400),
        zone,
        history_days=settings.history_days,
        first_ask=settings.first_ask,
        quietest_peak_eur_per_kwh=settings.quietest_peak_eur_per_kwh,
    )

    def prices(request: object) -> object:
        assert isinstance(request, PricesRequest)
        http.begin()
        return feed.ask(request.now)

    return prices


def _source(name: str, settings: PriceService, http: Http, tokens: Mapping[str, str], *, first: bool) -> DaySource:
    zone = ZoneInfo(settings.market_timezone)
    url = {"url": settings.url} if first and settings.url else {}
    match name:
        case "ote":
            return Ote(http, zone=zone, **url)
        case "energy_charts":
            return EnergyCharts(http, bidding_zone=settings.bidding_zone, zone=zone, **url)
        case _:
            raise ConfigError(f"prices.source {name!r} is not known", hint="ote, entsoe, energy_charts, csv or mqtt")


def _weather(settings: ServiceSettings, cache_dir: Path, http: Http) -> Method:
    service, site = settings.weather, settings.site
    assert service is not None
    source = OpenMeteo(
        http,
        site,
        resolution=service.resolution,
        horizon_h=service.horizon_h,
        past_h=service.past_h,
        url=service.url,
    )
    place = f"{site.latitude_deg:+.4f}{site.longitude_deg:+.4f}_{service.resolution}"
    cache = DiskCache(
        cache_dir / "weather" / place,
        max_files=service.archive_files,
        max_bytes=round(service.archive_mb * 2**20),
    )
    feed = Archived(
        "weather forecast",
        source.fetch,
        source.parse,
        cache,
        slots=lambda w: len(w.temp_c),
        every_s=service.every_s,
    )

    def weather(request: object) -> object:
        assert isinstance(request, WeatherRequest)
        http.begin()
        latest = feed.ask(request.now)
        return WeatherAnswer(series=latest.series, trouble=latest.trouble)

    return weather
