"""The worker as a whole: what crosses the process boundary, what is configured, and what settings are refused."""

from __future__ import annotations

import datetime as dt
import math
import socket
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from actors.feeds.services.types import (
    TYPES,
    ExchangeRates,
    PricesAnswer,
    PricesRequest,
    PvAnswer,
    PvRequest,
    PvSeries,
    RateRequest,
    ServiceSettings,
    WeatherAnswer,
    WeatherRequest,
)
from actors.feeds.services.worker import methods
from actors.runtime import JsonCodec, serve
from actors.runtime.frames import Unpacker, pack
from models.types.forecast import PriceSeries, WeatherForecast
from models.types.house import PvArray, Site
from models.types.services import PriceService, PvService, WeatherService
from tests.actors.feeds.services.server import Service, a_client
from tests.actors.feeds.services.test_day_ahead import of_day

NOW = datetime(2026, 6, 14, 11, tzinfo=UTC)
SITE = Site(latitude_deg=49.2, longitude_deg=16.6)
PRICES = PriceSeries(issued=NOW, source="X", start=NOW, dt_s=900.0, spot_eur_per_kwh=(0.1, math.nan, -0.2))
WEATHER = WeatherForecast(
    issued=NOW, source="Y", start=NOW, dt_s=900.0, temp_c=(1.0, math.nan), ghi_w_per_m2=(0.0, 1.0),
    dni_w_per_m2=(0.0, math.nan), dhi_w_per_m2=(0.0, 1.0), wind_m_per_s=(2.0, 3.0),
)  # fmt: skip
PV = PvSeries(issued=NOW, source="Z", start=NOW, dt_s=1800.0, pv_kw=(math.nan, 2.0), low_kw=(0.5, 1.0))


@pytest.mark.parametrize(
    "value",
    [
        PricesRequest(now=NOW), WeatherRequest(now=NOW), PvRequest(now=NOW), RateRequest(now=NOW),
        PricesAnswer(series=PRICES, trouble="late"), WeatherAnswer(series=WEATHER), PvAnswer(series=PV),
        ExchangeRates(issued=NOW, source="CNB", day="2026-06-12", per_eur={"CZK": 24.3}),
    ],
    ids=lambda v: type(v).__name__,
)  # fmt: skip
def test_everything_crosses_the_process_boundary_unchanged_unknown_values_too(value: object) -> None:
    assert type(value) in TYPES
    codec = JsonCodec(*TYPES)
    sent = codec.encode(value)
    back = codec.decode(sent)
    assert type(back) is type(value) and codec.encode(back) == sent
    assert not isinstance(back, PricesAnswer) or math.isnan(back.series.spot_eur_per_kwh[1])


def test_the_worker_serves_its_calls_and_lives_on_after_a_fault(service: Service, tmp_path: Path) -> None:
    service.replies = of_day
    settings = ServiceSettings(site=SITE, prices=PriceService(url=service.url, history_days=1))
    codec = JsonCodec(*TYPES)
    core, worker = socket.socketpair()
    made = methods(settings, tmp_path, http=a_client())
    thread = threading.Thread(target=serve, args=(worker.detach(), made, codec), daemon=True)
    thread.start()
    unpacker = Unpacker()

    def ask(serial: int, body: object) -> tuple[dict[str, Any], object]:
        core.sendall(pack({"id": serial, "method": "prices"}, codec.encode(body)))
        while True:
            for head, answer in unpacker.feed(core.recv(1 << 16)):
                return head, codec.decode(answer) if answer else None

    head, answer = ask(1, PricesRequest(now=NOW))
    assert head["ok"] and isinstance(answer, PricesAnswer) and answer.series.issued == NOW
    head, _ = ask(2, WeatherRequest(now=NOW))
    assert not head["ok"] and "a WeatherRequest came, PricesRequest expected" in head["error"]
    head, _ = ask(3, PricesRequest(now=datetime(2030, 1, 1, tzinfo=UTC)))
    assert not head["ok"] and head["error"].startswith("DataError: no prices of 2030-01-01")
    assert ask(4, PricesRequest(now=NOW))[0]["ok"]
    core.close()
    thread.join(5)
    assert not thread.is_alive()


def test_only_what_is_configured_can_be_asked(tmp_path: Path) -> None:
    nothing = methods(ServiceSettings(site=SITE), tmp_path, http=a_client())
    assert set(nothing) == {"rates"}
    roofs = (PvArray(name="south", azimuth_deg=180, tilt_deg=35, peak_kw=5.0),)
    everything = ServiceSettings(
        site=SITE, prices=PriceService(), weather=WeatherService(), pv=PvService(), arrays=roofs
    )
    assert set(methods(everything, tmp_path, http=a_client())) == {"prices", "weather", "pv", "rates"}
    over_mqtt = ServiceSettings(site=SITE, prices=PriceService(source="mqtt", topic="a/b"))
    assert "prices" not in methods(over_mqtt, tmp_path, http=a_client())
    assert list(tmp_path.iterdir()) == [], "nothing is written before anything was asked"


@pytest.mark.parametrize(
    ("kind", "values", "says"),
    [
        (PriceService, {"source": "csv"}, "source csv needs path"),
        (PriceService, {"source": "mqtt"}, "source mqtt needs topic"),
        (PriceService, {"bidding_zone": "DE-LU"}, "ote knows bidding_zone CZ only"),
        (PriceService, {"source": "energy_charts", "bidding_zone": "AT", "fallbacks": ("ote",)}, "ote knows"),
        (PriceService, {"fallbacks": ("ote",)}, "fallback of itself"),
        (PriceService, {"currency": "CZK"}, "ote gives EUR"),
        (PriceService, {"first_ask": dt.time(16)}, "must be before due"),
        (PriceService, {"hurry_s": 5}, "greater than or equal to 120"),
        (PriceService, {"url": "ftp://x"}, "match pattern"),
        (PriceService, {"url": "https://user:pass@x/"}, "match pattern"),
        (PriceService, {"market_timezone": "Mars/Olympus"}, "no time zone"),
        (PriceService, {"eic": "CZ"}, "match pattern"),
        (WeatherService, {"horizon_h": 10_000}, "less than or equal to 168"),
        (WeatherService, {"resolution": "daily"}, "minutely_15"),
        (PvService, {"source": "solcast"}, "source solcast needs resource_id"),
        (PvService, {"source": "solcast", "resource_id": "../../x"}, "match pattern"),
        (PvService, {"key": "x"}, "Extra inputs"),
    ],
)
def test_settings_that_contradict_themselves_are_refused(kind: type[Any], values: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        kind(**values)


def test_every_setting_says_what_it_is() -> None:
    for kind in (PriceService, WeatherService, PvService):
        for name, field in kind.model_fields.items():
            assert field.description, f"{kind.__name__}.{name}"
