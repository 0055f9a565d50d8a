"""The worker process `inputs`: everything that speaks HTTP, so that no service can touch the core."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from actors.feeds.services.archive import Archived
from actors.feeds.services.cache import DiskCache
from actors.feeds.services.cnb import Cnb
from actors.feeds.services.csv_file import CsvPrices
from actors.feeds.services.day_ahead import DayAhead, DaySource
from actors.feeds.services.energy_charts import EnergyCharts
from actors.feeds.services.entsoe import Entsoe
from actors.feeds.services.forecast_solar import ForecastSolar
from actors.feeds.services.http import Http
from actors.feeds.services.open_meteo import OpenMeteo
from actors.feeds.services.ote import Ote
from actors.feeds.services.pv import PvSource
from actors.feeds.services.solcast import Solcast
from actors.feeds.services.types import (
    PricesAnswer,
    PricesRequest,
    PvAnswer,
    PvRequest,
    RateRequest,
    ServiceSettings,
    WeatherAnswer,
    WeatherRequest,
)
from models.errors import ConfigError, DataError, PemsError
from models.types.services import PriceService, PvService, WeatherService

Method = Callable[[object], object]
SECRETS = ("entsoe_token", "solcast_key", "forecast_solar_key")


class _Prices(Protocol):
    """Where prices come from."""

    def ask(self, now: datetime) -> PricesAnswer:
        """What is known at `now`."""


def methods(
    settings: ServiceSettings,
    cache_dir: Path,
    secrets: Mapping[str, SecretStr] | None = None,
    *,
    http: Http | None = None,
    cnb_url: str | None = None,
) -> dict[str, Method]:
    """What the worker can be asked: `prices`, `weather` and `pv` as far as configured, and `rates`.

    Parameters
    ----------
    settings : ServiceSettings
    cache_dir : Path
        Where answers are remembered; one folder a service below it.
    secrets : mapping of name to SecretStr
        Those of `SECRETS` that there are.
    http : Http, optional
        For tests; else one that knows the secrets, to keep them out of every text.
    cnb_url : str, optional
        Instead of the bank's own address.

    Raises
    ------
    ConfigError
        A service needs a token that is not there, or does not know the place.
    """
    tokens = {name: secret.get_secret_value() for name, secret in (secrets or {}).items()}
    client = http or Http(secrets=tuple(tokens.values()))
    bank = Cnb(client, DiskCache(cache_dir / "rates" / "cnb"), **({} if cnb_url is None else {"url": cnb_url}))
    made: dict[str, Method] = {}
    if settings.prices is not None and settings.prices.source != "mqtt":
        feed = _prices(settings.prices, cache_dir, client, tokens, bank)
        made["prices"] = lambda request: feed.ask(_now(request, PricesRequest))
    if settings.weather is not None:
        made["weather"] = _weather(settings.weather, settings, cache_dir, client)
    if settings.pv is not None:
        made["pv"] = _pv(settings.pv, settings, cache_dir, client, tokens)
    made["rates"] = lambda request: bank.known_at(_now(request, RateRequest))
    return {name: _timed(client, method) for name, method in made.items()}


def _timed(http: Http, method: Method) -> Method:
    """Each call has its own time, and says no secret even if a service repeats one."""

    def call(request: object) -> object:
        http.begin()
        try:
            answer = method(request)
        except PemsError as error:
            hint = None if error.hint is None else http.safe(error.hint)
            raise DataError(http.safe(error.problem), hint=hint) from None
        if isinstance(answer, PricesAnswer | WeatherAnswer | PvAnswer) and answer.trouble:
            return replace(answer, trouble=http.safe(answer.trouble))
        return answer

    return call


def _now(request: object, kind: type[PricesRequest | WeatherRequest | PvRequest | RateRequest]) -> datetime:
    if not isinstance(request, kind):
        raise TypeError(f"a {type(request).__name__} came, {kind.__name__} expected")
    return request.now


# --- prices -----------------------------------------------------------------------------------------------------------
def _prices(settings: PriceService, cache_dir: Path, http: Http, tokens: Mapping[str, str], bank: Cnb) -> _Prices:
    zone = ZoneInfo(settings.market_timezone)

    def per_eur(now: datetime) -> Mapping[str, float]:
        """The rate of the currency that was configured, and of no other: a wrong currency stays a fault."""
        if settings.currency == "EUR":
            return {}
        rates = bank.known_at(now).per_eur
        return {settings.currency: rates[settings.currency]} if settings.currency in rates else {}

    if settings.source == "csv":
        assert settings.path is not None
        return CsvPrices(
            settings.path,
            zone,
            currency=settings.currency,
            history_days=settings.history_days,
            quietest_peak_eur_per_kwh=settings.quietest_peak_eur_per_kwh,
            per_eur=per_eur,
        )
    names = (settings.source, *settings.fallbacks)
    sources = [_source(name, settings, http, tokens, own_url=i == 0) for i, name in enumerate(names)]
    folder = f"{settings.source}_{settings.eic or settings.bidding_zone}"
    return DayAhead(
        sources,
        DiskCache(cache_dir / "prices" / folder, max_files=settings.history_days + 400),
        zone,
        history_days=settings.history_days,
        first_ask=settings.first_ask,
        quietest_peak_eur_per_kwh=settings.quietest_peak_eur_per_kwh,
        per_eur=per_eur,
    )


def _source(name: str, settings: PriceService, http: Http, tokens: Mapping[str, str], *, own_url: bool) -> DaySource:
    zone = ZoneInfo(settings.market_timezone)
    url = {"url": settings.url} if own_url and settings.url else {}
    match name:
        case "ote":
            return Ote(http, zone=zone, **url)
        case "energy_charts":
            return EnergyCharts(http, bidding_zone=settings.bidding_zone, zone=zone, **url)
        case "entsoe":
            token = _token(tokens, "entsoe_token", "prices from entsoe")
            return Entsoe(http, token=token, bidding_zone=settings.bidding_zone, zone=zone, eic=settings.eic, **url)
        case _:
            raise ConfigError(f"prices.source {name!r} is not known", hint="ote, entsoe, energy_charts, csv or mqtt")


def _token(tokens: Mapping[str, str], name: str, what: str) -> str:
    token = tokens.get(name)
    if not token:
        raise ConfigError(
            f"{what} needs the secret {name}",
            hint=f"set PEMS_{name.upper()} or a file of that name in [secrets] dir; see docs/services.md",
        )
    return token


# --- weather and PV ---------------------------------------------------------------------------------------------------
def _weather(service: WeatherService, settings: ServiceSettings, cache_dir: Path, http: Http) -> Method:
    site = settings.site
    source = OpenMeteo(
        http,
        site,
        resolution=service.resolution,
        horizon_h=service.horizon_h,
        past_h=service.past_h,
        url=service.url,
    )
    place = f"{site.latitude_deg:+.4f}{site.longitude_deg:+.4f}_{service.resolution}"
    feed = Archived(
        "weather forecast",
        source.fetch,
        source.parse,
        _archive(cache_dir / "weather" / place, service),
        slots=lambda w: len(w.temp_c),
        every_s=service.every_s,
    )

    def weather(request: object) -> object:
        latest = feed.ask(_now(request, WeatherRequest))
        return WeatherAnswer(series=latest.series, trouble=latest.trouble)

    return weather


def _pv(
    service: PvService, settings: ServiceSettings, cache_dir: Path, http: Http, tokens: Mapping[str, str]
) -> Method:
    if not settings.arrays:
        raise ConfigError("a PV forecast of no roof is asked for", hint="describe the roofs in [[arrays]]")
    source = _pv_source(service, settings, http, tokens)
    place = service.resource_id or f"{settings.site.latitude_deg:+.4f}{settings.site.longitude_deg:+.4f}"
    feed = Archived(
        f"PV forecast of {source.name}",
        source.fetch,
        source.parse,
        _archive(cache_dir / "pv" / f"{service.source}_{place}", service),
        slots=lambda p: len(p.pv_kw),
        every_s=service.every_s,
    )

    def pv(request: object) -> object:
        latest = feed.ask(_now(request, PvRequest))
        return PvAnswer(series=latest.series, trouble=latest.trouble)

    return pv


def _pv_source(service: PvService, settings: ServiceSettings, http: Http, tokens: Mapping[str, str]) -> PvSource:
    url = {"url": service.url} if service.url else {}
    if service.source == "forecast_solar":
        return ForecastSolar(http, settings.site, settings.arrays, key=tokens.get("forecast_solar_key"), **url)
    assert service.resource_id is not None
    return Solcast(
        http,
        key=_token(tokens, "solcast_key", "a PV forecast from solcast"),
        resource_id=service.resource_id,
        peak_kw=sum(a.peak_kw for a in settings.arrays),
        horizon_h=service.horizon_h,
        **url,
    )


def _archive(folder: Path, service: WeatherService | PvService) -> DiskCache:
    return DiskCache(folder, max_files=service.archive_files, max_bytes=round(service.archive_mb * 2**20))
