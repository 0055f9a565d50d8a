"""Prices of several days out of what services publish when: late, in parts, twice, or not at all."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from actors.feeds.services.cache import DiskCache
from actors.feeds.services.check import QuotedDay
from actors.feeds.services.day_ahead import DayAhead
from actors.feeds.services.http import Http
from actors.feeds.services.types import PricesAnswer, PricesRequest, ServiceSettings
from actors.feeds.services.worker import methods
from models.errors import DataError, LinkError
from models.types.house import Site
from models.types.services import PriceService
from models.types.slots import day_slots
from tests.actors.feeds.services.server import Asked, Reply, Service, a_client, body, changed

PRAGUE = ZoneInfo("Europe/Prague")
TODAY, TOMORROW = date(2026, 6, 14), date(2026, 6, 15)
MORNING = datetime(2026, 6, 14, 8, tzinfo=UTC)  # 10:00 local
NOON = datetime(2026, 6, 14, 11, tzinfo=UTC)  # 13:00 local
SITE = Site(latitude_deg=49.2, longitude_deg=16.6)


class Market:
    """A source whose days are functions of the day."""

    def __init__(self, name: str = "market", days: dict[date, int] | None = None, *, level: float = 50.0) -> None:
        self.name = name
        self.days = days  # quarter hours published of each; None: every day, whole
        self.level = level
        self.broken: Exception | None = None
        self.asked: list[date] = []

    def fetch(self, day: date) -> QuotedDay | None:
        self.asked.append(day)
        if self.broken is not None:
            raise self.broken
        slots = list(day_slots(day, PRAGUE))
        n = len(slots) if self.days is None else self.days.get(day, 0)
        points = tuple((at, self.level + day.day + i / 10) for i, at in enumerate(slots[:n]))
        return QuotedDay(source=self.name, unit="EUR/MWh", step_s=900.0, points=points) if points else None


def book(folder: Path, *sources: Market, **how: Any) -> DayAhead:
    return DayAhead(sources, DiskCache(folder), PRAGUE, **{"history_days": 2, **how})


def known(answer: PricesAnswer, day: date) -> int:
    return sum(answer.series.at(at) is not None for at in day_slots(day, PRAGUE))


def test_before_the_first_ask_tomorrow_is_not_asked_for(tmp_path: Path) -> None:
    market = Market()
    answer = book(tmp_path, market).ask(MORNING)
    assert TOMORROW not in market.asked and known(answer, TODAY) == 96 and known(answer, TOMORROW) == 0
    assert answer.trouble == "" and answer.series.end == datetime(2026, 6, 14, 22, tzinfo=UTC)
    assert answer.series.issued == MORNING and answer.series.source == "market"


def test_from_the_first_ask_on_tomorrow_is_there_once_published(tmp_path: Path) -> None:
    market = Market(days={TODAY: 96})
    feed = book(tmp_path, market)
    assert known(feed.ask(NOON), TOMORROW) == 0 and feed.ask(NOON).trouble == ""
    market.days = None
    later = NOON + timedelta(minutes=3)
    answer = feed.ask(later)
    assert known(answer, TOMORROW) == 96 and answer.series.issued == later


def test_a_whole_day_is_never_asked_for_again(tmp_path: Path) -> None:
    market = Market()
    feed = book(tmp_path, market)
    for minute in range(5):
        feed.ask(NOON + timedelta(minutes=minute))
    assert sorted(market.asked) == [TODAY - timedelta(days=2), TODAY - timedelta(days=1), TODAY, TOMORROW]


def test_a_part_of_a_day_is_told_and_asked_for_again_until_it_is_whole(tmp_path: Path) -> None:
    market = Market(days={TODAY: 96, TOMORROW: 48})
    feed = book(tmp_path, market)
    half = feed.ask(NOON)
    assert known(half, TOMORROW) == 48 and half.trouble == ""
    assert half.series.end == datetime(2026, 6, 15, 10, tzinfo=UTC), "what is unknown at the end is absent"
    market.days = {TODAY: 96, TOMORROW: 20}
    assert known(feed.ask(NOON), TOMORROW) == 48, "what was known is not forgotten"
    market.days = {TODAY: 96, TOMORROW: 96}
    assert known(feed.ask(NOON), TOMORROW) == 96


def test_a_restart_without_network_answers_from_disk_with_the_true_issue_time(tmp_path: Path) -> None:
    book(tmp_path, Market()).ask(NOON)
    silent = Market()
    silent.broken = LinkError("market: cannot be reached", hint="check the network")
    answer = book(tmp_path, silent).ask(NOON + timedelta(hours=3))
    assert known(answer, TOMORROW) == 96 and answer.series.issued == NOON and silent.asked == []
    assert answer.trouble == "", "nothing was needed of the network"
    next_day = book(tmp_path, silent).ask(NOON + timedelta(hours=24))
    assert known(next_day, TOMORROW) == 96 and next_day.series.issued == NOON
    assert next_day.trouble == "market: cannot be reached; check the network"


def test_with_nothing_known_of_today_there_is_no_answer_but_the_reason(tmp_path: Path) -> None:
    market = Market(days={})
    feed = book(tmp_path, market)
    with pytest.raises(DataError, match="no prices of 2026-06-14: nobody has published them"):
        feed.ask(NOON)
    market.broken = LinkError("market: answered HTTP 500")
    with pytest.raises(DataError, match="no prices of 2026-06-14: market: answered HTTP 500"):
        feed.known_at(NOON)


def test_a_day_that_is_refused_changes_nothing_and_is_told(tmp_path: Path) -> None:
    market = Market()
    feed = book(tmp_path, market)
    feed.ask(MORNING)
    market.level = 90_000.0
    answer = feed.ask(NOON)
    assert known(answer, TOMORROW) == 0 and known(answer, TODAY) == 96
    assert "outside -5 .. 15" in answer.trouble
    assert all(v != v or abs(v) < 1 for v in answer.series.spot_eur_per_kwh)


def test_a_fallback_tells_the_day_that_the_first_cannot(tmp_path: Path) -> None:
    first, second = Market("first", {TODAY: 96, TOMORROW: 30}), Market("second", level=20.0)
    answer = book(tmp_path, first, second).ask(NOON)
    assert known(answer, TOMORROW) == 96 and answer.series.source == "second" and answer.trouble == ""
    assert TODAY not in second.asked, "who has the whole day is not doubted"


def test_a_first_source_that_fails_is_told_although_the_fallback_helps(tmp_path: Path) -> None:
    first, second = Market("first"), Market("second")
    first.broken = LinkError("first: answered HTTP 500")
    answer = book(tmp_path, first, second).ask(NOON)
    assert known(answer, TOMORROW) == 96
    assert "first: answered HTTP 500 (told by second instead)" in answer.trouble


def test_the_past_is_filled_a_few_days_at_a_time_and_its_absence_is_no_trouble(tmp_path: Path) -> None:
    market = Market()
    feed = book(tmp_path, market, history_days=7)
    feed.ask(MORNING)
    assert len(market.asked) == 1 + 3
    feed.ask(MORNING)
    feed.ask(MORNING)
    assert len(market.asked) == 1 + 7
    series = feed.ask(MORNING).series
    assert series.start == datetime(2026, 6, 6, 22, tzinfo=UTC) and len(series.spot_eur_per_kwh) == 96 * 8
    empty = Market(days={TODAY: 96})
    feed = book(tmp_path / "other", empty, history_days=2)
    assert feed.ask(MORNING).trouble == "" and len(empty.asked) == 3
    feed.ask(MORNING + timedelta(hours=1))
    assert len(empty.asked) == 3, "a day that nobody has is left alone for hours"
    feed.ask(MORNING + timedelta(hours=7))
    assert empty.asked.count(TODAY - timedelta(days=1)) == 2


def test_days_that_are_filled_in_later_do_not_make_the_prices_newer(tmp_path: Path) -> None:
    feed = book(tmp_path, Market(), history_days=7)
    first = feed.ask(NOON).series
    later = feed.ask(NOON + timedelta(minutes=30)).series
    assert len(later.spot_eur_per_kwh) > len(first.spot_eur_per_kwh) and later.issued == first.issued == NOON


def test_a_missing_day_in_the_past_is_unknown_not_zero(tmp_path: Path) -> None:
    market = Market(days={TODAY: 96, TODAY - timedelta(days=2): 96})
    series = book(tmp_path, market).ask(MORNING).series
    assert len(series.spot_eur_per_kwh) == 3 * 96
    assert all(map(math.isnan, series.spot_eur_per_kwh[96:192]))


@pytest.mark.parametrize(("day", "slots"), [(date(2026, 3, 29), 92), (date(2026, 10, 25), 100)])
def test_clock_change_days_have_their_slots_today_and_tomorrow(tmp_path: Path, day: date, slots: int) -> None:
    noon = datetime.combine(day, time(13), tzinfo=PRAGUE)
    for folder, now in (("a", noon), ("b", noon - timedelta(days=1))):
        answer = book(tmp_path / folder, Market(), history_days=1).ask(now)
        assert known(answer, day) == slots
        values = answer.series.spot_eur_per_kwh
        assert len(values) == 96 * 2 + slots and not any(map(math.isnan, values))
    first = list(day_slots(day, PRAGUE))
    assert answer.series.at(first[-1]) == pytest.approx((50.0 + day.day + (slots - 1) / 10) / 1000)


@pytest.mark.parametrize(
    "spoil",
    [lambda t: t.replace('"day":"2026-06-14"', '"day":"2026-06-13"'), lambda t: t.replace("[0.064", '["0.064"', 1),
     lambda t: t.replace("[0.064", "[64.0", 1), lambda t: t.replace("[0.064,", "[", 1), lambda t: t[: len(t) // 2]],
)  # fmt: skip
def test_a_file_that_does_not_hold_that_day_is_not_believed(tmp_path: Path, spoil: Callable[[str], str]) -> None:
    book(tmp_path, Market()).ask(MORNING)
    path = tmp_path / "2026-06-14.json"
    spoiled = spoil(path.read_text())
    assert spoiled != path.read_text()
    path.write_text(spoiled)
    market = Market()
    assert known(book(tmp_path, market).ask(MORNING), TODAY) == 96 and market.asked == [TODAY]


def test_a_disk_that_takes_nothing_is_told_and_the_prices_too(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    market = Market()
    feed = book(tmp_path / "file", market)
    answer = feed.ask(NOON)
    assert known(answer, TOMORROW) == 96 and market.asked.count(TODAY) == 1
    assert "cannot be written" in answer.trouble


def test_days_long_gone_leave_the_memory(tmp_path: Path) -> None:
    feed = book(tmp_path, Market())
    for day in range(30):
        feed.ask(NOON + timedelta(days=day))
    assert len(feed._days) <= 6 and len(feed._looked) <= 6


# --- the worker's method against a server -----------------------------------------------------------------------------
def of_day(asked: Asked) -> Reply:
    """A service that has two days."""
    ote, charts = asked.query.get("report_date"), asked.query.get("start")
    if ote in ("2026-06-14", "2026-06-15"):
        return Reply(body(f"ote_{ote}.json"))
    if charts in ("2026-06-14", "2026-06-15"):
        return Reply(body(f"energy_charts_{charts}.json"))
    return Reply(body("ote_not_published.json")) if ote else Reply(b"{}", 404)


def worker(service: Service, folder: Path, http: Http | None = None, **prices: Any) -> Callable[[datetime], Any]:
    settings = ServiceSettings(site=SITE, prices=PriceService(url=service.url, history_days=1, **prices))
    method = methods(settings, folder, http=http or a_client())["prices"]
    return lambda now: method(PricesRequest(now=now))


@pytest.mark.parametrize("source", ["ote", "energy_charts"])
def test_the_worker_tells_today_and_tomorrow(service: Service, tmp_path: Path, source: str) -> None:
    service.replies = of_day
    answer = worker(service, tmp_path, source=source)(NOON)
    assert known(answer, TODAY) == 96 and known(answer, TOMORROW) == 96 and answer.trouble == ""
    assert (tmp_path / "prices" / f"{source}_CZ" / "2026-06-15.json").exists()


def double(answer: Any) -> None:
    answer["data"]["dataLine"][1]["point"] *= 2


def double_but_other(answer: Any) -> None:
    points = answer["data"]["dataLine"][1]["point"]
    points += [{"x": p["x"], "y": p["y"] + 5.0} for p in points]


def crowns(answer: Any) -> None:
    answer["data"]["dataLine"][1]["title"] = "15min price (CZK/MWh)"


def thousandfold(answer: Any) -> None:
    for point in answer["data"]["dataLine"][1]["point"]:
        point["y"] *= 1000


def thousandth(answer: Any) -> None:
    for point in answer["data"]["dataLine"][1]["point"]:
        point["y"] /= 1000


def half(answer: Any) -> None:
    del answer["data"]["dataLine"][1]["point"][48:]


def renamed_today(answer: Any) -> None:
    answer["graph"]["title"] = "Day-Ahead Market Results - 15.06.2026"


TOMORROWS = "ote_2026-06-15.json"
FAULTS: dict[str, tuple[Reply, int, str]] = {
    "500": (Reply(b"oops", 500), 0, "OTE: 127.0.0.1 answered HTTP 500"),
    "429": (Reply(b"", 429, {"Retry-After": "60"}), 0, "too many requests: it is asked again in 60 s"),
    "empty": (Reply(b""), 0, "the answer is empty"),
    "not JSON": (Reply(b"<html>Be back soon</html>"), 0, "is not JSON"),
    "half a day": (Reply(changed(TOMORROWS, half)), 48, ""),
    "a slot twice, alike": (Reply(changed(TOMORROWS, double)), 96, ""),
    "a slot twice, differently": (Reply(changed(TOMORROWS, double_but_other)), 0, "two prices of"),
    "today again": (Reply(changed("ote_2026-06-14.json", renamed_today)), 0, "the very prices of 2026-06-14"),
    "wrong currency": (Reply(changed(TOMORROWS, crowns)), 0, "prices are in CZK"),
    "1000x": (Reply(changed(TOMORROWS, thousandfold)), 0, "outside -5 .. 15"),
    "1/1000": (Reply(changed(TOMORROWS, thousandth)), 0, "a real day exceeds 0.002"),
    "32 MB": (Reply(b" " * (32 * 2**20)), 0, "larger than 4 MB"),
    "cut": (Reply(body(TOMORROWS)[:3000], cut=True), 0, "cannot be reached"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_of_a_service_leaves_what_was_known_and_says_what_it_is(
    service: Service, tmp_path: Path, fault: str
) -> None:
    reply, published, says = FAULTS[fault]
    service.replies = lambda asked: reply if asked.query["report_date"] == "2026-06-15" else of_day(asked)
    ask = worker(service, tmp_path)
    answer = ask(NOON)
    assert known(answer, TODAY) == 96 and known(answer, TOMORROW) == published
    assert says in answer.trouble if says else answer.trouble == ""
    assert 0.0 not in answer.series.spot_eur_per_kwh
    service.replies = of_day
    again = worker(service, tmp_path)(NOON + timedelta(minutes=5))
    assert known(again, TOMORROW) == 96 and again.trouble == ""


def test_a_slow_service_is_given_up_and_what_was_known_is_told(service: Service, tmp_path: Path) -> None:
    service.replies = lambda asked: (
        Reply(stall=service.release) if asked.query["report_date"] == "2026-06-15" else of_day(asked)
    )
    answer = worker(service, tmp_path, a_client(read_s=0.05))(NOON)
    assert known(answer, TODAY) == 96 and "ReadTimeout" in answer.trouble
