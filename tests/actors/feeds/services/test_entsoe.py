"""The Transparency Platform's XML: points left out, several auctions, and documents that are traps."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from actors.feeds.services.check import day_prices
from actors.feeds.services.entsoe import EIC, Entsoe, parse
from actors.feeds.services.http import Http, Refused
from actors.feeds.services.types import PricesRequest, ServiceSettings
from actors.feeds.services.worker import methods
from models.errors import ConfigError, DataError
from models.types.house import Site
from models.types.services import PriceService
from tests.actors.feeds.services.server import Reply, Service, a_client, body

PRAGUE = ZoneInfo("Europe/Prague")
DAY = date(2026, 6, 14)
NOW = datetime(2026, 6, 14, 8, tzinfo=UTC)
TOKEN = "0a1b2c3d-token-4e5f"
SPARSE = "entsoe_2026-06-14_A03.xml"


def values(xml: bytes, day: date = DAY) -> list[float]:
    quoted = parse(xml, day, PRAGUE)
    assert quoted is not None
    return [v * 1000 for v in day_prices(quoted, day, PRAGUE, fetched=NOW).eur_per_kwh]


def spoiled(*changes: tuple[str, str], name: str = SPARSE) -> bytes:
    text = body(name).decode()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text.encode()


def test_a_point_that_was_left_out_repeats_the_one_before() -> None:
    text = body(SPARSE).decode()
    assert text.count("<Point>") < 96 and "<position>54</position>" not in text
    found = values(body(SPARSE))
    assert len(found) == 96 and not any(v != v for v in found)
    assert found[51] == pytest.approx(found[55]) and found[92] == pytest.approx(found[95])


def test_with_fixed_blocks_a_point_that_was_left_out_is_missing() -> None:
    found = values(spoiled(("<curveType>A03</curveType>", "<curveType>A01</curveType>")))
    assert [i for i, v in enumerate(found) if v != v] == [52, 53, 54, 55, 93, 94, 95]


def test_a_shorter_period_is_a_part_of_the_day() -> None:
    found = values(spoiled(("<end>2026-06-14T22:00Z</end>", "<end>2026-06-14T21:15Z</end>")))
    assert [i for i, v in enumerate(found) if v != v] == [93, 94, 95]


def test_the_coupled_auction_is_taken_whatever_comes_first_in_the_document() -> None:
    assert values(body("entsoe_2026-06-14_two_auctions.xml")) == values(body(SPARSE))


def test_hours_on_a_clock_change_day_are_92_quarters() -> None:
    found = values(body("entsoe_2025-03-30_PT60M_A01.xml"), date(2025, 3, 30))
    assert len(found) == 92 and found[:5] == pytest.approx([70.0] * 4 + [71.25])


def test_quarters_are_taken_where_a_zone_quotes_hours_too() -> None:
    text = body(SPARSE).decode()
    series = text[text.index("  <TimeSeries>") : text.index("</Publication")]
    hours = series.replace("PT15M", "PT60M").split("      <Point>")[0]
    hours += "      <Point><position>1</position><price.amount>999</price.amount></Point></Period></TimeSeries>"
    assert values(text.replace("  <TimeSeries>", hours + "  <TimeSeries>").encode()) == values(body(SPARSE))


def test_nothing_published_is_no_fault(service: Service, http: Http) -> None:
    assert parse(body("entsoe_no_data.xml"), DAY, PRAGUE) is None
    assert parse(body(SPARSE), date(2026, 6, 15), PRAGUE) is None
    service.say(Reply(body("entsoe_no_data.xml"), 400))
    assert Entsoe(http, token=TOKEN, bidding_zone="CZ", zone=PRAGUE, url=service.url).fetch(DAY) is None


def test_any_other_refusal_is_told(service: Service, http: Http) -> None:
    with pytest.raises(DataError, match="refused with reason 401: .*check the token"):
        parse(spoiled(("<code>999", "<code>401"), name="entsoe_no_data.xml"), DAY, PRAGUE)
    source = Entsoe(http, token=TOKEN, bidding_zone="CZ", zone=PRAGUE, url=service.url)
    for status in (400, 401):
        service.say(Reply(b"no", status))
        with pytest.raises(Refused):
            source.fetch(DAY)


def test_a_zone_is_asked_about_by_its_code_and_utc_day(service: Service, http: Http) -> None:
    service.say(body(SPARSE))
    source = Entsoe(http, token=TOKEN, bidding_zone="CZ", zone=PRAGUE, url=service.url)
    quoted = source.fetch(DAY)
    assert quoted is not None and quoted.unit == "EUR/MWH"
    assert service.asked[0].query == {
        "documentType": "A44", "in_Domain": "10YCZ-CEPS-----N", "out_Domain": "10YCZ-CEPS-----N",
        "periodStart": "202606132200", "periodEnd": "202606142200", "securityToken": TOKEN,
    }  # fmt: skip


def test_codes_have_their_form_and_an_unknown_zone_is_told() -> None:
    assert all(len(code) == 16 for code in EIC.values()) and len(set(EIC.values())) == len(EIC)
    with pytest.raises(ConfigError, match=r"XX has no known ENTSO-E code; set prices\.eic"):
        Entsoe(a_client(), token=TOKEN, bidding_zone="XX", zone=PRAGUE)
    Entsoe(a_client(), token=TOKEN, bidding_zone="XX", zone=PRAGUE, eic="10YXX-XXXX-----X")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ([("<currency_Unit.name>EUR", "<currency_Unit.name>PLN")], "prices are in PLN"),
        ([("<price_Measure_Unit.name>MWH", "<price_Measure_Unit.name>MAW")], "unit 'EUR/MAW' is not known"),
        ([("<resolution>PT15M", "<resolution>P1D")], "resolution 'P1D'"),
        ([("<position>1</position>", "<position>97</position>")], "position 97 in a period of 96"),
        ([("<position>1</position>", "<position>0</position>")], "position 0"),
        ([("<position>2</position>", "<position>1</position>")], "two prices at position 1"),
        ([("<position>3</position>", "<position>1e9</position>")], "position 1e"),
        ([("<end>2026-06-14T22:00Z</end>", "<end>2036-06-14T22:00Z</end>")], "a period of"),
        ([("<end>2026-06-14T22:00Z</end>", "<end>2026-06-13T22:00Z</end>")], "a period of 0 slots"),
        ([("2026-06-13T22:00Z", "yesterday")], "'yesterday' is no UTC time"),
        ([("2026-06-13T22:00Z", "2026-06-13T22:00")], "is no UTC time"),
        ([("price.amount>", "price>")], "Point without price.amount"),
        ([("Publication_MarketDocument", "GL_MarketDocument")], "a GL_MarketDocument came"),
    ],
)
def test_a_document_of_another_form_is_refused(changes: list[tuple[str, str]], says: str) -> None:
    with pytest.raises(DataError, match=says):
        values(spoiled(*changes))


@pytest.mark.parametrize("price", ["nan", "inf", "1e400", "92,1", "-"])
def test_a_price_that_is_no_finite_number_is_refused(price: str) -> None:
    text = body(SPARSE).decode()
    first = text.index("<price.amount>") + len("<price.amount>")
    with pytest.raises(DataError, match="not a number"):
        parse((text[:first] + price + text[text.index("</price.amount>") :]).encode(), DAY, PRAGUE)


TRAPS = {
    "an entity that grows": b'<!DOCTYPE a [<!ENTITY b "bbbbbbbb"><!ENTITY c "&b;&b;&b;&b;">]><a>&c;</a>',
    "a file": b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    "a declared type": b'<!DOCTYPE html PUBLIC "x" "http://127.0.0.1/x.dtd"><html></html>',
    "depth": b"<a>" * 5000 + b"</a>" * 5000,
    "a page": b"<html><p>Maintenance<br></html>",
    "an encoding nobody knows": b'<?xml version="1.0" encoding="x-none"?><a/>',
    "nothing": b"",
    "blanks": b"  \n",
    "no XML": b"\x00\xff\x00",
}


@pytest.mark.parametrize("trap", TRAPS)
def test_a_trap_is_refused_in_one_line(trap: str) -> None:
    with pytest.raises(DataError) as caught:
        parse(TRAPS[trap], DAY, PRAGUE)
    assert "\n" not in str(caught.value) and "root:" not in str(caught.value) and len(str(caught.value)) < 400


@given(data=st.data())
def test_whatever_is_cut_or_changed_it_is_a_day_no_day_or_refused(data: st.DataObject) -> None:
    xml = bytearray(body(SPARSE))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(xml) - 1))
        xml[at : at + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=12))
    try:
        quoted = parse(bytes(xml), DAY, PRAGUE)
        if quoted is not None:
            day_prices(quoted, DAY, PRAGUE, fetched=NOW)
    except DataError as error:
        assert "\n" not in str(error)


# --- in the worker ----------------------------------------------------------------------------------------------------
def entsoe(service: Service, folder: Path, **how: Any) -> Any:
    settings = ServiceSettings(
        site=Site(latitude_deg=49.2, longitude_deg=16.6),
        prices=PriceService(source="entsoe", url=f"{service.url}/api", history_days=1, **how),
    )
    http = a_client(secrets=(TOKEN,))
    made = methods(settings, folder, {"entsoe_token": SecretStr(TOKEN)}, http=http, cnb_url=f"{service.url}/cnb")
    return made["prices"]


def test_a_currency_that_was_configured_is_converted_by_the_rate_of_the_day(service: Service, tmp_path: Path) -> None:
    forints = spoiled(("<currency_Unit.name>EUR", "<currency_Unit.name>HUF"))
    service.replies = lambda asked: Reply(body("cnb_daily_2026-06-12.txt") if asked.path == "/cnb" else forints)
    with pytest.raises(DataError, match="prices are in HUF, EUR is expected"):
        entsoe(service, tmp_path / "a")(PricesRequest(now=NOW))
    answer = entsoe(service, tmp_path / "b", currency="HUF", quietest_peak_eur_per_kwh=0.0)(PricesRequest(now=NOW))
    first = float(forints.split(b"<price.amount>")[1].split(b"<")[0])
    per_eur = 24.315 / (6.212 / 100)
    assert answer.series.at(datetime(2026, 6, 13, 22, tzinfo=UTC)) == pytest.approx(first / per_eur / 1000)


def test_a_missing_token_is_told_before_anything_is_asked(tmp_path: Path) -> None:
    settings = ServiceSettings(
        site=Site(latitude_deg=49.2, longitude_deg=16.6), prices=PriceService(source="entsoe", bidding_zone="CZ")
    )
    with pytest.raises(ConfigError, match="needs the secret entsoe_token; set PEMS_ENTSOE_TOKEN"):
        methods(settings, tmp_path)


def test_the_token_stands_in_no_trouble_and_in_no_file(service: Service, tmp_path: Path) -> None:
    service.say(Reply(TOKEN.encode(), 401))
    with pytest.raises(DataError) as caught:
        entsoe(service, tmp_path)(PricesRequest(now=NOW))
    assert TOKEN not in str(caught.value) and "check the token" in str(caught.value)
    service.say(spoiled(("<code>999", "<code>401"), ("No matching", f"Bad token {TOKEN}"), name="entsoe_no_data.xml"))
    with pytest.raises(DataError, match="Bad token .hidden.") as caught:
        entsoe(service, tmp_path)(PricesRequest(now=NOW))
    assert TOKEN not in str(caught.value)
    service.say(body(SPARSE))
    entsoe(service, tmp_path)(PricesRequest(now=NOW))
    said = spoiled(("<code>999", "<code>401"), ("No matching", f"Bad token {TOKEN}"), name="entsoe_no_data.xml")
    service.say(said)
    later = entsoe(service, tmp_path)(PricesRequest(now=NOW + timedelta(hours=4)))
    assert "Bad token" in later.trouble and TOKEN not in later.trouble
    written = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert written and all(TOKEN.encode() not in p.read_bytes() for p in written)
