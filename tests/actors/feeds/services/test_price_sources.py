"""OTE and energy-charts: what their answers mean, and what no answer of theirs may do."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.feeds.services import energy_charts, ote
from actors.feeds.services.check import QuotedDay, day_prices
from actors.feeds.services.http import Http
from models.errors import DataError
from tests.actors.feeds.services.server import Reply, Service, body, changed

PRAGUE = ZoneInfo("Europe/Prague")
DAY = date(2026, 6, 14)
NOW = datetime(2026, 6, 14, 11, tzinfo=UTC)
Parse = Callable[[bytes, date, ZoneInfo], QuotedDay | None]
PARSERS = pytest.mark.parametrize(
    ("parse", "name"), [(ote.parse, "ote_2026-06-14.json"), (energy_charts.parse, "energy_charts_2026-06-14.json")]
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
prices_or_not = st.lists(json_values | st.floats(-500, 4000), max_size=5)
like_energy_charts = st.fixed_dictionaries(
    {"unix_seconds": st.lists(json_values | st.integers(1781388000, 1781474400), max_size=5), "price": prices_or_not},
    optional={"unit": json_values | st.just("EUR / MWh")},
)
like_ote = st.fixed_dictionaries(
    {
        "data": st.fixed_dictionaries(
            {
                "dataLine": st.lists(
                    st.fixed_dictionaries(
                        {
                            "title": json_values
                            | st.sampled_from(["15min price (EUR/MWh)", "Price ()", "Cena (CZK/MWh)"]),
                            "point": json_values
                            | st.lists(
                                st.fixed_dictionaries({"x": json_values | st.integers(1, 101), "y": json_values})
                            ),
                        }
                    ),
                    max_size=3,
                )
            }
        ),
        "graph": json_values | st.fixed_dictionaries({"title": st.sampled_from(["14.06.2026", "99.99.2026", ""])}),
    }
)


def whole_day(quoted: QuotedDay | None, day: date) -> tuple[float, ...]:
    assert quoted is not None
    return day_prices(quoted, day, PRAGUE, fetched=NOW).eur_per_kwh


# --- OTE --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "day", "slots"),
    [
        ("ote_2026-06-14.json", DAY, 96),
        ("ote_2026-03-29_92.json", date(2026, 3, 29), 92),
        ("ote_2025-10-26_100.json", date(2025, 10, 26), 100),
        ("ote_2025-09-30_hourly.json", date(2025, 9, 30), 96),
    ],
)
def test_ote_counts_its_periods_through_the_local_day(name: str, day: date, slots: int) -> None:
    values = whole_day(ote.parse(body(name), day, PRAGUE), day)
    assert len(values) == slots and all(v == v for v in values)


def test_ote_has_the_quarter_hourly_line_and_not_the_hourly_reference() -> None:
    values = whole_day(ote.parse(body("ote_2026-06-14.json"), DAY, PRAGUE), DAY)
    lines = json.loads(body("ote_2026-06-14.json"))["data"]["dataLine"]
    assert [round(v * 1000, 2) for v in values] == [p["y"] for p in lines[1]["point"]]
    assert min(values) == pytest.approx(-0.0432), "a negative price at noon is kept"


def test_ote_with_an_hourly_line_beside_the_quarter_hourly_one_is_read_in_quarters() -> None:
    def add(answer: Any) -> None:
        hourly = dict(answer["data"]["dataLine"][2], title="Price (EUR/MWh)")
        answer["data"]["dataLine"].insert(0, hourly)

    found = ote.parse(changed("ote_2026-06-14.json", add), DAY, PRAGUE)
    assert found == ote.parse(body("ote_2026-06-14.json"), DAY, PRAGUE)


def test_ote_is_asked_about_one_day(service: Service, http: Http) -> None:
    service.say(body("ote_2026-06-14.json"))
    quoted = ote.Ote(http, zone=PRAGUE, url=service.url).fetch(DAY)
    assert quoted is not None and quoted.step_s == 900.0 and quoted.unit == "EUR/MWh"
    assert service.asked[0].query == {"report_date": "2026-06-14", "time_resolution": "PT15M"}


def test_ote_without_lines_or_with_the_day_before_has_not_published_yet() -> None:
    assert ote.parse(body("ote_not_published.json"), date(2026, 6, 15), PRAGUE) is None
    assert ote.parse(body("ote_2026-06-14.json"), date(2026, 6, 15), PRAGUE) is None

    def without_prices(answer: Any) -> None:
        answer["data"]["dataLine"][1]["point"] = []

    assert ote.parse(changed("ote_2026-06-14.json", without_prices), DAY, PRAGUE) is None


def test_ote_about_a_later_day_is_refused() -> None:
    with pytest.raises(DataError, match="asked about 2026-06-13, answered about 2026-06-14"):
        ote.parse(body("ote_2026-06-14.json"), date(2026, 6, 13), PRAGUE)


def test_ote_with_other_lines_is_refused_and_they_are_named() -> None:
    def rename(answer: Any) -> None:
        answer["data"]["dataLine"][1]["title"] = "Price per half hour"

    with pytest.raises(DataError, match="no line '15min price .* 'Price per half hour'"):
        ote.parse(changed("ote_2026-06-14.json", rename), DAY, PRAGUE)


def test_ote_in_crowns_is_refused_by_its_unit() -> None:
    def rename(answer: Any) -> None:
        answer["data"]["dataLine"][1]["title"] = "15min price (CZK/MWh)"

    quoted = ote.parse(changed("ote_2026-06-14.json", rename), DAY, PRAGUE)
    assert quoted is not None
    with pytest.raises(DataError, match="prices are in CZK"):
        day_prices(quoted, DAY, PRAGUE, fetched=NOW)


@pytest.mark.parametrize("x", ["0", "101", "1.5", "one", None, True, -3, [1], "9" * 30])
def test_ote_with_a_period_that_no_day_has_is_refused(x: object) -> None:
    def spoil(answer: Any) -> None:
        answer["data"]["dataLine"][1]["point"][5]["x"] = x

    with pytest.raises(DataError, match=r"point\[5\].x"):
        ote.parse(changed("ote_2026-06-14.json", spoil), DAY, PRAGUE)


# --- energy-charts ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "day", "slots"),
    [
        ("energy_charts_2026-06-14.json", DAY, 96),
        ("energy_charts_2026-03-29_92.json", date(2026, 3, 29), 92),
        ("energy_charts_2025-10-26_100.json", date(2025, 10, 26), 100),
        ("energy_charts_2024-06-14_hourly.json", date(2024, 6, 14), 96),
    ],
)
def test_energy_charts_gives_instants(name: str, day: date, slots: int) -> None:
    values = whole_day(energy_charts.parse(body(name), day, PRAGUE), day)
    assert len(values) == slots and all(v == v for v in values)


def test_energy_charts_is_asked_about_one_zone_and_day(service: Service, http: Http) -> None:
    service.say(body("energy_charts_2026-06-14.json"))
    quoted = energy_charts.EnergyCharts(http, bidding_zone="DE-LU", zone=PRAGUE, url=service.url).fetch(DAY)
    assert quoted is not None and len(quoted.points) == 96
    assert service.asked[0].query == {"bzn": "DE-LU", "start": "2026-06-14", "end": "2026-06-14"}


def test_energy_charts_says_404_for_what_it_has_not(service: Service, http: Http) -> None:
    service.say(Reply(b'{"detail":"no content available"}', 404))
    assert energy_charts.EnergyCharts(http, bidding_zone="CZ", zone=PRAGUE, url=service.url).fetch(DAY) is None
    assert energy_charts.parse(body("energy_charts_2026-06-14.json"), date(2026, 6, 15), PRAGUE) is None


def test_a_null_price_is_unknown() -> None:
    def spoil(answer: Any) -> None:
        answer["price"][7] = None

    values = whole_day(energy_charts.parse(changed("energy_charts_2026-06-14.json", spoil), DAY, PRAGUE), DAY)
    assert values[7] != values[7] and sum(v == v for v in values) == 95


def test_lists_of_different_length_are_refused() -> None:
    def spoil(answer: Any) -> None:
        answer["price"].pop()

    with pytest.raises(DataError, match="96 unix_seconds and 95 prices"):
        energy_charts.parse(changed("energy_charts_2026-06-14.json", spoil), DAY, PRAGUE)


# --- both -------------------------------------------------------------------------------------------------------------
@PARSERS
@pytest.mark.parametrize(
    "spoiled", [b"", b"  ", b"<html>maintenance</html>", b"null", b"[]", b'{"price": NaN}', b"\xff"]
)
def test_what_is_no_answer_is_refused_in_one_line(parse: Parse, name: str, spoiled: bytes) -> None:
    with pytest.raises(DataError) as caught:
        parse(spoiled, DAY, PRAGUE)
    assert "\n" not in str(caught.value) and caught.value.hint


@PARSERS
@pytest.mark.parametrize("price", ["92,1", "92.1", True, [1], 10**400, {"a": 1}])
def test_a_price_that_is_no_number_is_refused(parse: Parse, name: str, price: object) -> None:
    def spoil(answer: Any) -> None:
        if "price" in answer:
            answer["price"][3] = price
        else:
            answer["data"]["dataLine"][1]["point"][3]["y"] = price

    with pytest.raises(DataError, match="not a (finite )?number"):
        parse(changed(name, spoil), DAY, PRAGUE)


@PARSERS
def test_deep_nesting_is_refused(parse: Parse, name: str) -> None:
    with pytest.raises(DataError):
        parse(b'{"a":' * 100_000 + b"1" + b"}" * 100_000, DAY, PRAGUE)


@given(answer=json_values | like_ote | like_energy_charts)
def test_whatever_json_comes_it_is_a_day_no_day_or_refused(answer: object) -> None:
    text = json.dumps(answer).encode()
    for parse in (ote.parse, energy_charts.parse):
        try:
            quoted = parse(text, DAY, PRAGUE)
            if quoted is not None:
                day_prices(quoted, DAY, PRAGUE, fetched=NOW)
        except DataError as error:
            assert "\n" not in str(error)


@given(noise=st.binary(max_size=200))
def test_whatever_bytes_come_they_are_refused(noise: bytes) -> None:
    for parse in (ote.parse, energy_charts.parse):
        try:
            parse(noise, DAY, PRAGUE)
        except DataError as error:
            assert "\n" not in str(error)
