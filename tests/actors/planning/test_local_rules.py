"""Fast local rules: nothing is fed in while that costs money, whoever plans."""

from __future__ import annotations

import itertools
import math

import pytest

from actors.messages import PricesKnown
from actors.planning.local_rules import EXPORT, LocalRules
from actors.requests import GATE
from models.types.command import RELINQUISH, Level, Request
from tests.actors.devices.bench import Bench, a_house
from tests.actors.planning.plans import prices

PATH = "/plan/local_rules"
FEE = a_house().tariff.export_fee


@pytest.fixture
def bench() -> Bench:
    made = Bench({PATH: lambda: LocalRules(a_house(), tick_s=30.0)}, ears=(GATE,))
    made.start()
    return made


def asked(bench: Bench) -> list[tuple[Level, str, object]]:
    return [(r.level, r.point, r.value) for r in bench.told(GATE, Request)]


def test_export_is_off_exactly_while_feeding_in_costs_and_given_back_once_after(bench: Bench) -> None:
    bench.publish(PricesKnown(prices=prices([0.2, FEE - 0.001, -0.3, FEE, 0.2])))
    assert asked(bench) == []
    bench.run(900)
    assert asked(bench)[0] == (Level.LOCAL_RULES, EXPORT, 0.0)
    assert "costs 0.001 EUR/kWh" in bench.told(GATE, Request)[0].note
    bench.run(900)
    assert {v for _, _, v in asked(bench)} == {0.0}
    bench.run(910)
    bench.run(1000)
    values = [v for _, _, v in asked(bench)]
    assert values[-1] == RELINQUISH and values.count(RELINQUISH) == 1


def test_each_request_is_short_lived_and_renewed_before_it_ends(bench: Bench) -> None:
    bench.publish(PricesKnown(prices=prices([-0.1] * 8)))
    bench.run(600)
    requests = bench.told(GATE, Request)
    for a, b in itertools.pairwise(requests):
        assert a.expires is not None and b.issued < a.expires
        assert (a.expires - a.issued).total_seconds() <= 90


@pytest.mark.parametrize("spot", [[], [math.nan]])
def test_an_unknown_price_forbids_nothing_and_permits_nothing(bench: Bench, spot: list[float]) -> None:
    bench.publish(PricesKnown(prices=prices(spot)))
    bench.run(120)
    assert asked(bench) == []


def test_when_the_price_becomes_unknown_the_rule_gives_back(bench: Bench) -> None:
    bench.publish(PricesKnown(prices=prices([-0.1])))
    bench.run(930)
    assert asked(bench)[-1][2] == RELINQUISH


def test_without_prices_it_is_silent(bench: Bench) -> None:
    bench.run(300)
    assert bench.heard[GATE] == []
