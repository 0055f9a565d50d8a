"""The bank's rates: what its text means, how old it may be, and what no text may do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.feeds.services.cache import DiskCache
from actors.feeds.services.cnb import Cnb, parse
from actors.feeds.services.http import Http
from actors.feeds.services.types import ExchangeRates, RateRequest, ServiceSettings
from actors.feeds.services.worker import methods
from models.errors import DataError
from models.types.house import Site
from tests.actors.feeds.services.server import Reply, Service, a_client, body

NOW = datetime(2026, 6, 14, 11, tzinfo=UTC)
DAILY = body("cnb_daily_2026-06-12.txt").decode()


def test_a_rate_is_units_of_a_currency_for_one_euro() -> None:
    rates = parse(DAILY, NOW)
    assert rates.day == "2026-06-12" and rates.issued == NOW and rates.source == "CNB"
    assert rates.per_eur["EUR"] == 1.0 and rates.per_eur["CZK"] == 24.315
    assert rates.per_eur["USD"] == pytest.approx(24.315 / 20.877)
    assert rates.per_eur["HUF"] == pytest.approx(24.315 / 0.06212), "a hundred forints are quoted"


def test_the_czech_page_means_the_same() -> None:
    czech = parse(body("cnb_denni_kurz_2026-06-12.txt").decode(), NOW)
    english = parse(DAILY, NOW)
    assert czech.day == english.day
    assert czech.per_eur == {code: english.per_eur[code] for code in czech.per_eur}


def test_what_follows_an_empty_line_is_not_a_rate() -> None:
    assert "ATS" not in parse(DAILY + "\nCountry|Currency|Amount|Code|Rate\nAustria|schilling|1|ATS|2.5\n", NOW).per_eur


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("12.Jun.2026 #112", "<html>", "first line is '<html>'"),
        ("12.Jun.2026", "32.Jun.2026", "is no date"),
        ("12.Jun.2026", "12.Foo.2026", "is no date"),
        ("|EUR|24.315", "|EUR|0.0411", "a euro for 0.0411 CZK, 15 .. 45 expected"),
        ("EMU|euro|1|EUR|24.315\n", "", "a euro for None CZK"),
        ("|USD|20.877", "|USD|-1", "line 14"),
        ("|USD|20.877", "|USD|nan", "line 14"),
        ("|1|USD", "|0|USD", "line 14"),
        ("|USD|", "|Dollar|", "line 14"),
        ("USA|dollar", "USA", "4 cells, 5 expected"),
    ],
)
def test_a_text_of_another_form_is_refused(old: str, new: str, says: str) -> None:
    assert old in DAILY
    with pytest.raises(DataError, match=says):
        parse(DAILY.replace(old, new), NOW)


@given(text=st.text(max_size=200) | st.text(max_size=40).map(lambda t: DAILY[:60] + t + DAILY[60:]))
def test_whatever_text_comes_it_is_rates_or_refused(text: str) -> None:
    try:
        assert isinstance(parse(text, NOW), ExchangeRates)
    except DataError as error:
        assert "\n" not in str(error)


def test_rates_are_remembered_but_not_for_ever(service: Service, http: Http, tmp_path: Path) -> None:
    service.say(DAILY.encode())
    bank = Cnb(http, DiskCache(tmp_path), url=service.url)
    first = bank.known_at(NOW)
    assert bank.known_at(NOW + timedelta(hours=5)) == first and len(service.asked) == 1
    service.say(Reply(b"", 500))
    restarted = Cnb(http, DiskCache(tmp_path), url=service.url)
    assert restarted.known_at(NOW + timedelta(days=5)) == first
    with pytest.raises(DataError, match="the latest rates are of 2026-06-12, 11 days old, limit 10"):
        restarted.known_at(NOW + timedelta(days=9))
    with pytest.raises(DataError, match="no exchange rates: CNB"):
        restarted.known_at(NOW + timedelta(days=30))


def test_old_rates_from_the_bank_itself_are_no_rates(service: Service, http: Http, tmp_path: Path) -> None:
    service.say(DAILY.encode())
    with pytest.raises(DataError, match="days old, limit 10"):
        Cnb(http, DiskCache(tmp_path), url=service.url).known_at(NOW + timedelta(days=40))


def test_the_worker_tells_rates(service: Service, tmp_path: Path) -> None:
    service.say(DAILY.encode())
    settings = ServiceSettings(site=Site(latitude_deg=49.2, longitude_deg=16.6))
    rates = methods(settings, tmp_path, http=a_client(), cnb_url=service.url)["rates"](RateRequest(now=NOW))
    assert isinstance(rates, ExchangeRates) and rates.per_eur["CZK"] == 24.315
