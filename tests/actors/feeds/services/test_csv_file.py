"""Prices from a file that another program writes."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from actors.feeds.services.csv_file import CsvPrices
from actors.feeds.services.types import PricesAnswer, PricesRequest, ServiceSettings
from actors.feeds.services.worker import methods
from models.errors import DataError
from models.types.house import Site
from models.types.services import PriceService
from tests.actors.feeds.services.server import Service, a_client, body

PRAGUE = ZoneInfo("Europe/Prague")
START = datetime(2026, 6, 12, 22, tzinfo=UTC)  # midnight of the 13th
NOW = datetime(2026, 6, 14, 8, 7, tzinfo=UTC)


def write(path: Path, *, hours: int = 72, currency: str = "eur", level: float = 0.05, unknown: int = 0) -> Path:
    rows = [f"time_utc,spot_{currency}_per_kwh"]
    for i in range(hours):
        price = "" if i >= hours - unknown else f"{level + i / 1000:.4f}"
        rows.append(f"{START + timedelta(hours=i):%Y-%m-%dT%H:%M:%SZ},{price}")
    path.write_text("\n".join(rows) + "\n")
    os.utime(path, (NOW.timestamp() - 600, NOW.timestamp() - 600))
    return path


def test_the_file_is_told_with_the_time_at_which_it_was_written(tmp_path: Path) -> None:
    series = CsvPrices(write(tmp_path / "p.csv"), PRAGUE).known_at(NOW)
    assert series.start == START and len(series.spot_eur_per_kwh) == 4 * 72
    assert series.issued == NOW - timedelta(minutes=10) and series.source == "CSV p.csv"
    assert series.spot_eur_per_kwh[:5] == (0.05, 0.05, 0.05, 0.05, 0.051)
    assert series.at(NOW) == pytest.approx(0.05 + 34 / 1000)


def test_only_so_much_history_is_told(tmp_path: Path) -> None:
    series = CsvPrices(write(tmp_path / "p.csv"), PRAGUE, history_days=0).known_at(NOW)
    assert series.start == START + timedelta(days=1)


def test_what_is_unknown_at_the_end_is_absent(tmp_path: Path) -> None:
    series = CsvPrices(write(tmp_path / "p.csv", unknown=24), PRAGUE).known_at(NOW)
    assert len(series.spot_eur_per_kwh) == 4 * 48


def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    feed = CsvPrices(write(tmp_path / "p.csv", hours=48), PRAGUE)
    assert feed.known_at(NOW).at(NOW) == pytest.approx(0.084)
    write(tmp_path / "p.csv", hours=72, level=0.1)
    later = feed.known_at(NOW)
    assert later.at(NOW) == pytest.approx(0.134) and len(later.spot_eur_per_kwh) == 4 * 72


def test_a_file_that_ended_before_now_is_told_what_it_lacks(tmp_path: Path) -> None:
    feed = CsvPrices(write(tmp_path / "p.csv", hours=24), PRAGUE)
    with pytest.raises(DataError, match=r"2026-06-13 22:00 UTC, it is 2026-06-14 08:07"):
        feed.known_at(NOW)
    with pytest.raises(DataError, match="it is 2026-06-01"):
        feed.known_at(datetime(2026, 6, 1, tzinfo=UTC))
    with pytest.raises(DataError, match="it is 2026-06-14"):
        CsvPrices(write(tmp_path / "q.csv", hours=48, unknown=40), PRAGUE).known_at(NOW)


def test_a_missing_file_is_told_and_found_once_it_is_there(tmp_path: Path) -> None:
    feed = CsvPrices(tmp_path / "p.csv", PRAGUE)
    with pytest.raises(DataError, match="no such file"):
        feed.known_at(NOW)
    write(tmp_path / "p.csv")
    assert feed.known_at(NOW).at(NOW) is not None


@pytest.mark.parametrize(
    ("level", "says"), [(50.0, "outside -5 .. 15; prices are EUR/kWh"), (-6.0, "outside -5"), (-0.036, "")]
)
def test_prices_of_another_unit_are_refused_and_negative_ones_kept(tmp_path: Path, level: float, says: str) -> None:
    feed = CsvPrices(write(tmp_path / "p.csv", level=level), PRAGUE)
    if says:
        with pytest.raises(DataError, match=says):
            feed.known_at(NOW)
    else:
        assert feed.known_at(NOW).spot_eur_per_kwh[0] == level


def test_a_tiny_series_is_refused_unless_told_so(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    rows = [f"{START + timedelta(hours=i):%Y-%m-%dT%H:%M:%SZ},0.0001" for i in range(72)]
    path.write_text("time_utc,spot_eur_per_kwh\n" + "\n".join(rows) + "\n")
    with pytest.raises(DataError, match="divided by 1000 twice"):
        CsvPrices(path, PRAGUE).known_at(NOW)
    assert CsvPrices(path, PRAGUE, quietest_peak_eur_per_kwh=0.0).known_at(NOW).at(NOW) == 0.0001


def test_crowns_are_converted_by_the_rate_of_the_day(service: Service, tmp_path: Path) -> None:
    service.say(body("cnb_daily_2026-06-12.txt"))
    prices = PriceService(source="csv", path=write(tmp_path / "p.csv", currency="czk", level=2.0), currency="CZK")
    settings = ServiceSettings(site=Site(latitude_deg=49.2, longitude_deg=16.6), prices=prices)
    ask = methods(settings, tmp_path / "cache", http=a_client(), cnb_url=service.url)["prices"]
    answer = ask(PricesRequest(now=NOW))
    assert isinstance(answer, PricesAnswer)
    assert answer.series.spot_eur_per_kwh[0] == pytest.approx(2.0 / 24.315)


def test_a_currency_without_a_rate_or_with_absurd_prices_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "p.csv", currency="xau", level=2.0)
    with pytest.raises(DataError, match="no rate of XAU"):
        CsvPrices(path, PRAGUE, currency="XAU").known_at(NOW)
    with pytest.raises(DataError, match="row 2: 20 EUR/kWh is outside"):
        CsvPrices(path, PRAGUE, currency="XAU", per_eur=lambda _: {"XAU": 0.1}).known_at(NOW)
