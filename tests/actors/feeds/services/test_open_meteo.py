"""Open-Meteo: units asserted, means of the right interval, null is missing, every issue archived."""

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

from actors.feeds.services.http import Http, HttpLimits
from actors.feeds.services.open_meteo import OpenMeteo, Resolution, parse
from actors.feeds.services.types import ServiceSettings, WeatherRequest
from actors.feeds.services.worker import methods
from models.errors import DataError
from models.types.house import Site
from models.types.services import WeatherService
from tests.actors.feeds.services.server import Reply, Service, a_client, body, changed
from tests.actors.feeds.services.test_price_sources import json_values

SITE = Site(latitude_deg=49.2, longitude_deg=16.6, altitude_m=237.0)
NOW = datetime(2026, 6, 14, 10, 2, tzinfo=UTC)
QUARTERS, HOURS = "open_meteo_minutely_15.json", "open_meteo_hourly.json"


def answer(name: str = QUARTERS) -> Any:
    return json.loads(body(name))


@pytest.mark.parametrize(("name", "resolution", "dt_s"), [(QUARTERS, "minutely_15", 900), (HOURS, "hourly", 3600)])
def test_a_forecast_reaches_from_hours_ago_to_three_days_ahead(name: str, resolution: Resolution, dt_s: int) -> None:
    sky = parse(answer(name), NOW, resolution)
    weather = sky.weather
    assert weather.start == datetime(2026, 6, 14, 7, tzinfo=UTC) and weather.dt_s == dt_s
    assert len(weather.temp_c) == 75 * 3600 // dt_s == len(weather.ghi_w_per_m2) == len(weather.wind_m_per_s)
    assert weather.issued == NOW and weather.source == f"Open-Meteo {resolution}"
    assert (
        sky.cloud_start == weather.start
        and len(sky.cloud_share) == 75
        and all(0.0 <= c <= 1.0 for c in sky.cloud_share)
    )
    assert max(weather.ghi_w_per_m2) > 500 and min(weather.ghi_w_per_m2) == 0.0


def test_radiation_is_the_mean_that_ends_at_its_time_and_the_rest_is_instants() -> None:
    given_ = answer()
    weather = parse(given_, NOW, "minutely_15").weather
    block = given_["minutely_15"]
    for i in (0, 20, 100):
        assert weather.ghi_w_per_m2[i] == block["shortwave_radiation"][i + 1]
        assert weather.dni_w_per_m2[i] == block["direct_normal_irradiance"][i + 1]
        assert weather.dhi_w_per_m2[i] == block["diffuse_radiation"][i + 1]
        assert weather.temp_c[i] == pytest.approx(sum(block["temperature_2m"][i : i + 2]) / 2)
        assert weather.wind_m_per_s[i] == pytest.approx(sum(block["wind_speed_10m"][i : i + 2]) / 2)


def test_null_is_missing_and_never_zero() -> None:
    given_ = answer()
    given_["minutely_15"]["shortwave_radiation"][11] = None
    given_["minutely_15"]["temperature_2m"][11] = None
    given_["hourly"]["cloud_cover"][2] = None
    sky = parse(given_, NOW, "minutely_15")
    unknown = [i for i, v in enumerate(sky.weather.ghi_w_per_m2) if math.isnan(v)]
    assert unknown == [10]
    assert [i for i, v in enumerate(sky.weather.temp_c) if math.isnan(v)] == [10, 11]
    assert [i for i, v in enumerate(sky.cloud_share) if math.isnan(v)] == [1, 2]


def test_a_place_without_quarter_hours_is_told_what_to_set() -> None:
    given_ = answer()
    series = given_["minutely_15"]["direct_normal_irradiance"]
    series[60:] = [None] * len(series[60:])
    with pytest.raises(DataError, match="direct_normal_irradiance is known in .* slots ahead; set resolution hourly"):
        parse(given_, NOW, "minutely_15")


def test_a_forecast_may_begin_at_any_quarter_while_clouds_are_hourly() -> None:
    given_ = answer()
    for values in given_["minutely_15"].values():
        del values[:1]
    sky = parse(given_, NOW, "minutely_15")
    assert sky.weather.start == datetime(2026, 6, 14, 7, 15, tzinfo=UTC) and len(sky.weather.temp_c) == 299
    assert sky.cloud_start == datetime(2026, 6, 14, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "unit"),
    [("temperature_2m", "°F"), ("wind_speed_10m", "km/h"), ("shortwave_radiation", "MJ/m²"), ("time", "iso8601"),
     ("diffuse_radiation", None)],
)  # fmt: skip
def test_a_unit_that_was_not_asked_for_is_refused(name: str, unit: str | None) -> None:
    given_ = answer()
    given_["minutely_15_units"][name] = unit
    with pytest.raises(DataError, match=f"minutely_15_units.{name} is {unit!r}"):
        parse(given_, NOW, "minutely_15")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [("temperature_2m", 289.5, "289.5 °C, outside"), ("shortwave_radiation", -3.0, "-3 W/m², outside 0 .. 1500"),
     ("direct_normal_irradiance", 9e9, "outside"), ("wind_speed_10m", "3", "not a number"),
     ("temperature_2m", True, "not a number")],
)  # fmt: skip
def test_a_value_that_no_weather_has_is_refused(name: str, value: object, says: str) -> None:
    given_ = answer()
    given_["minutely_15"][name][40] = value
    with pytest.raises(DataError, match=says):
        parse(given_, NOW, "minutely_15")


def gap(a: Any) -> None:
    for series in a["minutely_15"].values():
        del series[30]


def shifted(a: Any) -> None:
    a["minutely_15"]["time"] = [t + 60 for t in a["minutely_15"]["time"]]


def short(a: Any) -> None:
    a["minutely_15"]["wind_speed_10m"].pop()


def gone(a: Any) -> None:
    del a["minutely_15"]["diffuse_radiation"]


def one(a: Any) -> None:
    a["minutely_15"]["time"] = a["minutely_15"]["time"][:1]


def failed(a: Any) -> object:
    return {"error": True, "reason": "Latitude must be in range of -90 to 90."}


@pytest.mark.parametrize(
    ("spoil", "says"),
    [(gap, "14:15 to 2026-06-14 14:45"), (shifted, "begins at 07:01:00"), (short, "has 300 values, .* has 301"),
     (gone, "diffuse_radiation is None, not a list"), (one, "1 times"), (failed, "Latitude must be in range")],
)  # fmt: skip
def test_an_answer_of_another_form_is_refused(spoil: Callable[[Any], object], says: str) -> None:
    with pytest.raises(DataError, match=says):
        parse(json.loads(changed(QUARTERS, spoil)), NOW, "minutely_15")


@given(answer=json_values)
def test_whatever_json_comes_it_is_refused(answer: object) -> None:
    with pytest.raises(DataError):
        parse(answer, NOW, "minutely_15")


@given(data=st.data())
def test_whatever_stands_in_a_block_it_is_weather_or_refused(data: st.DataObject) -> None:
    spoiled = answer()
    block = data.draw(st.sampled_from(["minutely_15", "minutely_15_units", "hourly", "hourly_units"]))
    name = data.draw(st.sampled_from(sorted(spoiled[block])))
    spoiled[block][name] = data.draw(json_values | st.lists(json_values, max_size=3))
    try:
        parse(spoiled, NOW, "minutely_15")
    except DataError as error:
        assert "\n" not in str(error)


# --- asking -----------------------------------------------------------------------------------------------------------
def worker(service: Service, folder: Path, http: Http | None = None, **how: Any) -> Callable[[datetime], Any]:
    settings = ServiceSettings(site=SITE, weather=WeatherService(url=service.url, **how))
    method = methods(settings, folder, http=http or a_client())["weather"]
    return lambda now: method(WeatherRequest(now=now))


def test_the_service_is_asked_for_metres_per_second_celsius_and_unix_time(service: Service, http: Http) -> None:
    service.say(body(QUARTERS))
    OpenMeteo(http, SITE, url=service.url).fetch()
    query = service.asked[0].query
    assert query["latitude"] == "49.2000" and query["longitude"] == "16.6000" and query["elevation"] == "237"
    assert query["wind_speed_unit"] == "ms" and query["temperature_unit"] == "celsius"
    assert query["timeformat"] == "unixtime" and query["timezone"] == "GMT"
    assert query["forecast_minutely_15"] == "289" and query["past_minutely_15"] == "12"
    assert query["minutely_15"].split(",") == [
        "temperature_2m", "shortwave_radiation", "direct_normal_irradiance", "diffuse_radiation", "wind_speed_10m",
    ]  # fmt: skip
    service.say(body(HOURS))
    OpenMeteo(http, SITE, resolution="hourly", url=service.url).fetch()
    assert "minutely_15" not in service.asked[1].query and "cloud_cover" in service.asked[1].query["hourly"]


def test_a_forecast_is_asked_for_again_when_it_is_old_enough_and_each_is_archived(
    service: Service, tmp_path: Path
) -> None:
    service.say(body(QUARTERS))
    ask = worker(service, tmp_path)
    first = ask(NOW)
    assert ask(NOW + timedelta(minutes=30)) == first and len(service.asked) == 1
    later = ask(NOW + timedelta(minutes=60))
    assert later.series.issued == NOW + timedelta(minutes=60) and len(service.asked) == 2
    (folder,) = (tmp_path / "weather").iterdir()
    assert folder.name == "+49.2000+16.6000_minutely_15"
    assert sorted(p.name for p in folder.iterdir()) == ["20260614T100200Z.json.gz", "20260614T110200Z.json.gz"]


def test_a_restart_without_network_answers_from_the_archive_with_the_true_issue_time(
    service: Service, tmp_path: Path
) -> None:
    service.say(body(QUARTERS))
    worker(service, tmp_path)(NOW)
    service.say(Reply(b"", 500))
    found = worker(service, tmp_path)(NOW + timedelta(hours=5))
    assert found.series.issued == NOW
    assert "HTTP 500" in found.trouble and "the one of 2026-06-14 10:02 UTC stays" in found.trouble
    with pytest.raises(DataError, match="no weather forecast: Open-Meteo: 127.0.0.1 answered HTTP 500"):
        worker(service, tmp_path)(NOW + timedelta(hours=80))
    with pytest.raises(DataError, match="no weather forecast"):
        worker(service, tmp_path)(NOW - timedelta(hours=1))


@pytest.mark.parametrize(
    ("reply", "says"),
    [(Reply(b""), "answer is empty"), (Reply(b"<html>"), "not JSON"),
     (Reply(b"", 429, {"Retry-After": "60"}), "HTTP 429"),
     (Reply(b" " * (32 * 2**20)), "larger than 4 MB"), (Reply(changed(QUARTERS, gap)), "steps are 900 s"),
     (Reply(b'{"error":true,"reason":"Daily API request limit exceeded."}', 429), "HTTP 429")],
)  # fmt: skip
def test_each_fault_leaves_the_last_forecast_and_says_what_it_is(
    service: Service, tmp_path: Path, reply: Reply, says: str
) -> None:
    service.say(body(QUARTERS))
    ask = worker(service, tmp_path)
    first = ask(NOW)
    service.say(reply)
    found = ask(NOW + timedelta(hours=1))
    assert found.series == first.series and says in found.trouble
    assert len(list((tmp_path / "weather").glob("*/*.json.gz"))) == 1


def test_an_archive_that_cannot_be_read_is_passed_over(service: Service, tmp_path: Path) -> None:
    service.say(body(QUARTERS))
    ask = worker(service, tmp_path)
    ask(NOW)
    ask(NOW + timedelta(hours=1))
    (newest,) = (tmp_path / "weather").glob("*/20260614T11*.json.gz")
    newest.write_bytes(newest.read_bytes()[:100])
    service.say(Reply(b"", 500))
    assert worker(service, tmp_path)(NOW + timedelta(hours=2)).series.issued == NOW


def test_the_archive_is_bounded(service: Service, tmp_path: Path) -> None:
    service.say(body(QUARTERS))
    ask = worker(service, tmp_path, archive_files=10)
    for hour in range(14):
        ask(NOW + timedelta(hours=hour))
    assert len(list((tmp_path / "weather").glob("*/*.json.gz"))) == 10


def test_another_place_has_its_own_archive(service: Service, tmp_path: Path) -> None:
    service.say(body(QUARTERS))
    worker(service, tmp_path)(NOW)
    elsewhere = ServiceSettings(
        site=Site(latitude_deg=50.0, longitude_deg=-3.0), weather=WeatherService(url=service.url)
    )
    methods(elsewhere, tmp_path, http=a_client())["weather"](WeatherRequest(now=NOW))
    assert len(service.asked) == 2 and len(list((tmp_path / "weather").iterdir())) == 2


def test_our_forecaster_makes_a_house_forecast_of_it(service: Service, tmp_path: Path) -> None:
    from models.forecast.house import forecast
    from models.types.forecast_request import ForecastRequest, MeasuredSeries
    from models.types.house import House, PvArray

    house = House(site=SITE, arrays=(PvArray(name="south", azimuth_deg=180, tilt_deg=35, peak_kw=8.0),))
    slot = datetime(2026, 6, 14, 10, 15, tzinfo=UTC)
    load = MeasuredSeries(start=slot - timedelta(days=14), dt_s=900.0, kw=(0.5,) * (96 * 14))
    for name, resolution in ((QUARTERS, "minutely_15"), (HOURS, "hourly")):
        given_ = answer(name)
        given_["minutely_15" if name == QUARTERS else "hourly"]["shortwave_radiation"][30] = None
        service.say(json.dumps(given_).encode())
        weather = worker(service, tmp_path, resolution=resolution)(NOW).series
        request = ForecastRequest(
            issued=slot, start=slot, dt_s=900.0, steps=192, house=house, weather=weather, load_history=load
        )
        made = forecast(request)
        noon = made.pv_kw[0][:12]
        assert all(2.0 < kw < 8.0 for kw in noon) and not any(math.isnan(v) for v in made.pv_kw[0])


def test_a_clock_that_jumps_back_finds_the_forecast_of_that_time(service: Service, tmp_path: Path) -> None:
    service.say(body(QUARTERS))
    ask = worker(service, tmp_path)
    ask(NOW)
    ask(NOW + timedelta(hours=1))
    service.say(Reply(b"", 500))
    for asker in (ask, worker(service, tmp_path)):
        assert asker(NOW + timedelta(minutes=20)).series.issued == NOW
        with pytest.raises(DataError):
            asker(NOW - timedelta(minutes=1))


def test_each_call_of_the_worker_has_its_own_time(service: Service, tmp_path: Path) -> None:
    at = [0.0]
    http = Http(HttpLimits(call_s=60.0), sleep=lambda _: None, monotonic=lambda: at[0])
    service.say(body(QUARTERS))
    ask = worker(service, tmp_path, http)
    ask(NOW)
    at[0] += 3600.0
    assert ask(NOW + timedelta(hours=1)).trouble == ""
