"""Prices over MQTT: the documented payload, its faults, and the actor that hears it."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.feeds.services.actor import price_feed
from actors.feeds.services.price_payload import joined, parse
from actors.messages import Alarm, Incoming, PricesKnown
from actors.runtime import Started
from models.errors import PayloadError
from models.types.forecast import PriceSeries
from models.types.services import PriceService
from tests.actors.devices.bench import Bench
from tests.actors.feeds.services.test_price_sources import json_values

PRAGUE = ZoneInfo("Europe/Prague")
TODAY = datetime(2026, 6, 13, 22, tzinfo=UTC)
NOW = datetime(2026, 6, 14, 8, tzinfo=UTC)
TOPIC = "energy/prices"


def payload(**changes: Any) -> bytes:
    message = {
        "start": "2026-06-13T22:00:00Z", "step_min": 15, "unit": "EUR/MWh", "prices": [50.0 + i for i in range(96)],
    } | changes  # fmt: skip
    return json.dumps({k: v for k, v in message.items() if v is not ...}).encode()


def parsed(**changes: Any) -> PriceSeries:
    return parse(payload(**changes), NOW, topic=TOPIC)


def test_a_payload_is_a_series_on_quarter_hours() -> None:
    series = parsed()
    assert series.start == TODAY and series.dt_s == 900.0 and series.issued == NOW and series.source == "MQTT"
    assert series.spot_eur_per_kwh[:2] == (0.05, 0.051) and len(series.spot_eur_per_kwh) == 96
    hours = parsed(step_min=60, prices=[80.0, -20.0], unit="EUR / MWh", source="my broker", issued="2026-06-14T07:00Z")
    assert hours.spot_eur_per_kwh == (0.08,) * 4 + (-0.02,) * 4
    assert hours.source == "my broker" and hours.issued == datetime(2026, 6, 14, 7, tzinfo=UTC)
    assert parsed(start="2026-06-14T00:00:00+02:00").start == TODAY


def test_null_is_unknown_and_absent_at_the_end() -> None:
    series = parsed(prices=[80.0, None, 90.0, None, None])
    assert len(series.spot_eur_per_kwh) == 3 and math.isnan(series.spot_eur_per_kwh[1])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"start": "2026-06-13T22:00:00"}, "a time with its zone"),
        ({"start": "2026-06-13T22:05:00Z"}, "not a multiple of 15 minutes"),
        ({"start": 5}, "start is 5, not a text"),
        ({"start": ...}, "start is None"),
        ({"step_min": 7}, "step_min 7, 15, 30 or 60"),
        ({"unit": "CZK/MWh"}, "prices are in CZK"),
        ({"unit": "ct/kWh"}, "unit 'ct/kWh' is not known"),
        ({"unit": "EUR/kWh"}, "outside -5 .. 15"),
        ({"prices": []}, "0 prices"),
        ({"prices": [None, None]}, "no price is known"),
        ({"prices": [1.0] * 20_000}, "20000 prices"),
        ({"prices": ["50,1"]}, "not a number"),
        ({"prices": [True]}, "not a number"),
        ({"prices": 50.0}, "not a list"),
        ({"prices": [0.05] * 96}, "no price exceeds 5e-05 EUR/kWh"),
        ({"prices": [2500.0] * 96}, "the median is 2.5"),
        ({"issued": "2026-06-15T08:00:00Z"}, "lies in the future"),
        ({"price": 5}, "unknown key 'price'"),
        ({"source": "x" * 300_000}, "bytes, limit 262144"),
    ],
)
def test_each_fault_is_refused_in_one_line(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(PayloadError, match=says) as caught:
        parsed(**changes)
    assert TOPIC in str(caught.value) and "docs/services.md" in str(caught.value)


@given(
    message=json_values
    | st.fixed_dictionaries(
        {"start": json_values | st.just("2026-06-13T22:00:00Z"), "step_min": json_values | st.just(15),
         "unit": json_values | st.just("EUR/kWh"), "prices": json_values | st.lists(json_values | st.floats(-1, 1))}
    )
)  # fmt: skip
def test_whatever_json_comes_it_is_prices_or_refused(message: object) -> None:
    try:
        series = parse(json.dumps(message).encode(), NOW, topic=TOPIC)
        assert all(v != v or abs(v) <= 15 for v in series.spot_eur_per_kwh)
    except PayloadError as error:
        assert "\n" not in str(error)


@given(noise=st.binary(max_size=100))
def test_whatever_bytes_come_they_are_refused(noise: bytes) -> None:
    with pytest.raises(PayloadError):
        parse(noise, NOW, topic=TOPIC)


def test_tomorrow_alone_does_not_make_the_house_forget_today() -> None:
    today = parsed()
    tomorrow = parse(payload(start="2026-06-15T00:00:00+02:00"), NOW + timedelta(hours=4), topic=TOPIC)
    both = joined(today, tomorrow, TODAY)
    assert both.start == TODAY and len(both.spot_eur_per_kwh) == 192 and both.issued == tomorrow.issued
    assert both.at(TODAY) == 0.05 and both.at(tomorrow.start) == 0.05
    assert joined(today, tomorrow, tomorrow.start).start == tomorrow.start
    assert joined(today, tomorrow, TODAY + timedelta(days=2)) == tomorrow


def test_the_later_issue_wins_and_an_old_one_fills_only_holes() -> None:
    old = parsed(prices=[10.0] * 96, issued="2026-06-13T11:00Z")
    new = parsed(prices=[90.0] * 48 + [None] * 47 + [91.0], issued="2026-06-14T07:00Z")
    for both in (joined(old, new, TODAY), joined(new, old, TODAY)):
        assert both.spot_eur_per_kwh == pytest.approx((0.09,) * 48 + (0.01,) * 47 + (0.091,))
        assert both.issued == new.issued


def test_days_between_two_payloads_are_unknown() -> None:
    later = parsed(start="2026-06-17T00:00:00+02:00")
    both = joined(parsed(), later, TODAY)
    assert len(both.spot_eur_per_kwh) == 96 * 4 and all(map(math.isnan, both.spot_eur_per_kwh[96 : 96 * 3]))


# --- the actor --------------------------------------------------------------------------------------------------------
def test_the_example_of_the_guide_is_understood() -> None:
    guide = (Path(__file__).parents[4] / "docs" / "services.md").read_text()
    example = guide[guide.index('    {"start"') : guide.index("A payload with tomorrow alone")]
    series = parse(example.encode(), datetime(2026, 6, 14, 12, tzinfo=UTC), topic=TOPIC)
    assert series.source == "my broker" and len(series.spot_eur_per_kwh) == 4
    assert series.spot_eur_per_kwh[1] == 0.088 and math.isnan(series.spot_eur_per_kwh[2])


def a_bench(start: datetime = NOW) -> Bench:
    settings = PriceService(source="mqtt", topic=TOPIC)
    bench = Bench({"/io/prices": lambda: price_feed(settings)}, events=(PricesKnown, Alarm), start=start)
    bench.start()
    return bench


def hear(bench: Bench, body: bytes, *, topic: str = TOPIC, retained: bool = False) -> None:
    bench.publish(Incoming(topic=topic, payload=body, retained=retained, received_s=bench.clock.monotonic()))


def test_what_arrives_is_told_also_to_who_starts_later_and_also_when_retained() -> None:
    bench = a_bench()
    hear(bench, payload(), retained=True)
    assert bench.of(PricesKnown)[0].prices.at(NOW) == pytest.approx(0.09)
    bench.publish(Started(path="/plan/planner", incarnation=2))
    assert len(bench.of(PricesKnown)) == 2 and bench.of(Alarm) == []
    hear(bench, payload(prices=[99.0]), topic="energy/other")
    assert len(bench.of(PricesKnown)) == 2


def test_a_refused_payload_is_one_alarm_until_a_good_one_comes() -> None:
    bench = a_bench()
    hear(bench, payload())
    for _ in range(5):
        hear(bench, b'{"prices": [1, 2]}')
    assert bench.alarms("feed:prices") == [True] and "start is None" in bench.of(Alarm)[0].text
    assert len(bench.of(PricesKnown)) == 1 and bench.runtime.behaviour_snapshot("/io/prices")["rejected"] == 5
    hear(bench, payload())
    assert bench.alarms("feed:prices") == [True, False]


def test_no_prices_and_a_late_tomorrow_are_alarms() -> None:
    bench = a_bench()
    bench.run(70)
    assert bench.of(Alarm)[0].text == f"{TOPIC}: no prices have arrived"
    hear(bench, payload())
    assert bench.alarms("feed:prices") == [True, False]
    bench.run(5 * 3600)
    assert bench.alarms("feed:prices") == [True, False, True]
    assert "0 of 96 quarter hours of 2026-06-15 known" in bench.of(Alarm)[-1].text
    hear(bench, payload(start="2026-06-15T00:00:00+02:00"))
    assert bench.alarms("feed:prices")[-1] is False
