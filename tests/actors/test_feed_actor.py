"""Feed actors: what is known is told, a failure is said once, and so is its end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import pytest

from actors.feeds.actor import Feed
from actors.messages import Alarm, PricesKnown
from actors.runtime import Started
from models.errors import DataError
from models.types.forecast import PriceSeries
from tests.actors.devices.bench import START, Bench
from tests.actors.planning.plans import prices

PATH = "/io/prices"


@dataclass
class Source:
    """A feed that can be broken."""

    broken: bool = False
    asked: int = 0

    def known_at(self, now: datetime) -> PriceSeries:
        self.asked += 1
        if self.broken:
            raise DataError("the exchange is closed", hint="try later")
        return prices([float(self.asked)])


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def bench(source: Source) -> Bench:
    def make() -> Feed[PriceSeries]:
        return Feed("prices", lambda: source.known_at, lambda p: PricesKnown(prices=p), every_s=300.0)

    return Bench({PATH: make}, events=(PricesKnown, Alarm))


def told(bench: Bench) -> list[float]:
    return [e.prices.spot_eur_per_kwh[0] for e in bench.of(PricesKnown)]


def test_it_asks_at_its_start_and_then_at_its_pace(bench: Bench) -> None:
    bench.start()
    bench.run(899)
    assert [v for i, v in enumerate(told(bench)) if i == 0 or v != told(bench)[i - 1]] == [1.0, 2.0, 3.0]
    assert bench.of(Alarm) == []
    assert bench.runtime.behaviour_snapshot(PATH) == {
        "source": "test", "issued": START.isoformat(), "failing": False,
    }  # fmt: skip


def test_a_failure_is_said_once_and_its_end_once(bench: Bench, source: Source) -> None:
    bench.start()
    source.broken = True
    bench.run(1000)
    assert bench.alarms("feed:prices") == [True]
    assert "exchange is closed; try later" in bench.of(Alarm)[0].text
    assert bench.runtime.behaviour_snapshot(PATH)["failing"] is True
    source.broken = False
    bench.run(700)
    assert bench.alarms("feed:prices") == [True, False]


def test_while_it_fails_the_last_series_stays_what_it_is(bench: Bench, source: Source) -> None:
    bench.start()
    source.broken = True
    bench.run(1000)
    assert set(told(bench)) == {1.0}
    bench.publish(Started(path="/plan/planner", incarnation=2))
    assert told(bench)[-1] == 1.0


def test_a_feed_that_fails_from_the_beginning_says_so_and_invents_nothing(bench: Bench, source: Source) -> None:
    source.broken = True
    bench.start()
    bench.publish(Started(path="/plan/planner", incarnation=1))
    bench.run(10)
    assert told(bench) == [] and bench.alarms("feed:prices") == [True]
    assert bench.runtime.behaviour_snapshot(PATH)["source"] is None


def test_who_starts_later_hears_what_is_known_without_asking_the_source_again(bench: Bench, source: Source) -> None:
    bench.start()
    before, asked = len(told(bench)), source.asked
    bench.publish(Started(path="/plan/planner", incarnation=2))
    assert len(told(bench)) == before + 1 and source.asked == asked
