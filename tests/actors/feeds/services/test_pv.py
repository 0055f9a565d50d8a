"""PV forecasts of others: Solcast and forecast.solar behind one protocol."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from actors.feeds.services import forecast_solar, solcast
from actors.feeds.services.types import PvAnswer, PvRequest, PvSeries, ServiceSettings
from actors.feeds.services.worker import methods
from models.errors import ConfigError, DataError
from models.types.house import PvArray, Site
from models.types.services import PvService
from tests.actors.feeds.services.server import Reply, Service, a_client, body
from tests.actors.feeds.services.test_price_sources import json_values

NOW = datetime(2026, 6, 14, 10, 2, tzinfo=UTC)
SITE = Site(latitude_deg=49.2, longitude_deg=16.6)
KEY = "sol-key-98765"
ROOFS = (
    PvArray(name="southeast", azimuth_deg=143, tilt_deg=35, peak_kw=7.5),
    PvArray(name="southwest", azimuth_deg=233, tilt_deg=35, peak_kw=7.5),
)


def half_hours() -> Any:
    return json.loads(body("solcast_forecasts.json"))


def estimate() -> Any:
    return json.loads(body("forecast_solar_estimate.json"))


# --- Solcast ----------------------------------------------------------------------------------------------------------
def test_solcast_gives_means_of_the_half_hour_that_ends_at_its_time() -> None:
    answer = half_hours()
    series = solcast.parse(answer, NOW, peak_kw=15.0)
    assert series.start == datetime(2026, 6, 14, 10, tzinfo=UTC) and series.dt_s == 1800.0
    assert len(series.pv_kw) == 144 == len(series.low_kw) == len(series.high_kw)
    assert series.pv_kw[0] == answer["forecasts"][0]["pv_estimate"]
    assert series.low_kw[5] <= series.pv_kw[5] <= series.high_kw[5]


def test_a_slot_that_solcast_leaves_out_is_unknown() -> None:
    answer = half_hours()
    del answer["forecasts"][3]
    answer["forecasts"][7]["pv_estimate"] = None
    for row in answer["forecasts"]:
        del row["pv_estimate10"]
    series = solcast.parse(answer, NOW, peak_kw=15.0)
    assert [i for i, v in enumerate(series.pv_kw) if math.isnan(v)] == [3, 8]
    assert series.low_kw == () and len(series.high_kw) == 144


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda a: a.update(forecasts=[]), "no forecasts"),
        (lambda a: a["forecasts"][0].update(period="PT7M"), "period 'PT7M'"),
        (lambda a: a["forecasts"][4].update(period="PT5M"), "period differs"),
        (lambda a: a["forecasts"][4].update(period_end="2026-06-14T10:37:00Z"), "off the grid or twice"),
        (lambda a: a["forecasts"].append(a["forecasts"][0]), "off the grid or twice"),
        (lambda a: a["forecasts"][4].update(period_end="2026-06-14T10:30:00"), "a time with its zone"),
        (lambda a: a["forecasts"][4].update(period_end="2096-06-14T10:30:00Z"), "slots, at most"),
        (lambda a: a["forecasts"][4].update(pv_estimate=4500.0), "4500 kW, outside 0 .. 19.5"),
        (lambda a: a["forecasts"][4].update(pv_estimate=-0.1), "-0.1 kW, outside"),
        (lambda a: a["forecasts"][4].update(pv_estimate="1"), "not a number"),
    ],
)
def test_solcast_of_another_form_is_refused(change: Callable[[Any], object], says: str) -> None:
    answer = half_hours()
    change(answer)
    with pytest.raises(DataError, match=says):
        solcast.parse(answer, NOW, peak_kw=15.0)


# --- forecast.solar ---------------------------------------------------------------------------------------------------
def test_forecast_solar_keeps_the_energy_of_each_day() -> None:
    answer = estimate()
    series = forecast_solar.parse([answer], NOW, peak_kw=15.0)
    assert series.dt_s == 900.0 and series.start == datetime(2026, 6, 14, 2, 45, tzinfo=UTC)
    for day, watt_hours in answer["result"]["watt_hours_day"].items():
        kwh = sum(
            kw / 4
            for i, kw in enumerate(series.pv_kw)
            if kw == kw and f"{series.start + timedelta(minutes=15 * i):%Y-%m-%d}" == day
        )
        assert kwh == pytest.approx(watt_hours / 1000, rel=0.01)


def test_a_period_ends_at_its_time_and_the_night_has_no_power() -> None:
    answer = estimate()
    series = forecast_solar.parse([answer], NOW, peak_kw=15.0)
    ten = round((datetime(2026, 6, 14, 10, tzinfo=UTC) - series.start) / timedelta(minutes=15))
    wanted = answer["result"]["watt_hours_period"]["2026-06-14T11:00:00+00:00"] / 1000
    assert series.pv_kw[ten : ten + 4] == pytest.approx((wanted,) * 4)
    midnight = round((datetime(2026, 6, 15, 0, tzinfo=UTC) - series.start) / timedelta(minutes=15))
    assert series.pv_kw[midnight] == 0.0
    assert math.isnan(series.pv_kw[0]), "nobody spoke of the minutes before sunrise of the first day"


def test_two_roofs_are_added() -> None:
    one = forecast_solar.parse([estimate()], NOW, peak_kw=15.0)
    two = forecast_solar.parse([estimate(), estimate()], NOW, peak_kw=15.0)
    assert [v for v in two.pv_kw if v == v] == pytest.approx([2 * v for v in one.pv_kw if v == v])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda a: a.update(message={"code": 400, "text": "Invalid plane"}), "Invalid plane"),
        (lambda a: a["result"].pop("watt_hours_period"), "watt_hours_period is None"),
        (lambda a: a["result"].update(watt_hours_period={}), "0 periods"),
        (lambda a: a["result"]["watt_hours_period"].update({"2026-06-14 12:00:00": 5}), "a time with its zone"),
        (lambda a: a["result"]["watt_hours_period"].update({"2026-06-14T12:00:00+00:00": -5}), "never negative"),
        (lambda a: a["result"]["watt_hours_period"].update({"2026-06-14T14:00:00+02:00": 5}), "two energies"),
        (lambda a: a["result"]["watt_hours_period"].update({"2026-06-14T12:00:00+00:00": 5e6}), "outside 0 .. 19.5"),
        (lambda a: a["result"]["watt_hours_period"].update({"2066-06-14T12:00:00+00:00": 5}), "quarter hours"),
    ],
)
def test_forecast_solar_of_another_form_is_refused(change: Callable[[Any], object], says: str) -> None:
    answer = estimate()
    change(answer)
    with pytest.raises(DataError, match=says):
        forecast_solar.parse([answer], NOW, peak_kw=15.0)


# --- both -------------------------------------------------------------------------------------------------------------
@given(answer=json_values | st.fixed_dictionaries({"forecasts": st.lists(json_values, max_size=3)}))
def test_whatever_json_comes_it_is_refused(answer: object) -> None:
    for parse in (solcast.parse, forecast_solar.parse):
        with pytest.raises(DataError):
            parse(answer, NOW, peak_kw=15.0)
    with pytest.raises(DataError):
        forecast_solar.parse([answer], NOW, peak_kw=15.0)


def worker(service: Service, folder: Path, **how: Any) -> Callable[[datetime], Any]:
    settings = ServiceSettings(site=SITE, arrays=ROOFS, pv=PvService(url=service.url, **how))
    secrets = {"solcast_key": SecretStr(KEY)} if how.get("source") == "solcast" else {}
    method = methods(settings, folder, secrets, http=a_client(secrets=(KEY,)))["pv"]
    return lambda now: method(PvRequest(now=now))


def test_forecast_solar_is_asked_about_each_roof_with_south_as_zero(service: Service, tmp_path: Path) -> None:
    service.say(body("forecast_solar_estimate.json"))
    answer = worker(service, tmp_path, source="forecast_solar")(NOW)
    assert isinstance(answer, PvAnswer) and answer.trouble == "" and answer.series.source == "forecast.solar"
    assert [a.path for a in service.asked] == [
        "/estimate/49.2000/16.6000/35/-37/7.5", "/estimate/49.2000/16.6000/35/53/7.5",
    ]  # fmt: skip
    assert service.asked[0].query == {"time": "utc"}


def test_solcast_is_asked_with_its_key_in_a_header(service: Service, tmp_path: Path) -> None:
    service.say(body("solcast_forecasts.json"))
    ask = worker(service, tmp_path, source="solcast", resource_id="ba75-e17a-7374-95ed")
    series = ask(NOW).series
    assert isinstance(series, PvSeries) and series.issued == NOW
    asked = service.asked[0]
    assert asked.path == "/ba75-e17a-7374-95ed/forecasts" and asked.headers["authorization"] == f"Bearer {KEY}"
    assert ask(NOW + timedelta(hours=2)).series == series and len(service.asked) == 1, "ten requests a day"
    service.say(Reply(b"", 429))
    later = ask(NOW + timedelta(hours=4))
    assert later.series == series and "HTTP 429" in later.trouble and KEY not in later.trouble
    again = worker(service, tmp_path, source="solcast", resource_id="ba75-e17a-7374-95ed")(NOW + timedelta(hours=5))
    assert again.series == series and again.series.issued == NOW


def test_the_key_of_forecast_solar_is_in_no_text(service: Service, tmp_path: Path) -> None:
    settings = ServiceSettings(site=SITE, arrays=ROOFS, pv=PvService(url=service.url))
    secrets = {"forecast_solar_key": SecretStr(KEY)}
    method = methods(settings, tmp_path, secrets, http=a_client(secrets=(KEY,)))["pv"]
    service.say(Reply(b"", 302, {"Location": f"ftp://x/{KEY}"}))
    with pytest.raises(DataError) as caught:
        method(PvRequest(now=NOW))
    assert service.asked[0].path.startswith(f"/{KEY}/estimate/") and KEY not in str(caught.value)


def test_what_is_missing_in_the_settings_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no roof"):
        methods(ServiceSettings(site=SITE, pv=PvService()), tmp_path)
    solcast_ = PvService(source="solcast", resource_id="ba75-e17a")
    with pytest.raises(ConfigError, match="needs the secret solcast_key"):
        methods(ServiceSettings(site=SITE, arrays=ROOFS, pv=solcast_), tmp_path)
