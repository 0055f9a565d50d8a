"""Fast local rules: nothing is fed in while that costs money, whoever plans."""

from __future__ import annotations

import itertools
import math

import pytest

from actors.messages import PricesKnown, ShortOfPower
from actors.planning.local_rules import EXPORT, LocalRules, who_yields
from actors.requests import GATE
from models.types.command import RELINQUISH, Level, Request
from models.types.point import RelayRule
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


def rule(kw: float, phase: int = 0) -> RelayRule:
    return RelayRule(heater_kw=kw, phase=phase, min_on_s=600, min_off_s=600, starts_per_h=4)


def test_as_few_relays_as_possible_yield_and_only_on_the_phase_that_is_full() -> None:
    relays = {"a": rule(1.0, 1), "b": rule(2.5, 1), "c": rule(3.0, 2), "d": rule(0.6, 1)}
    assert who_yields({1: 0.4}, relays) == ("d",)
    assert who_yields({1: 2.0}, relays) == ("b",)
    assert who_yields({1: 3.2}, relays) == ("b", "a")
    assert who_yields({0: 4.0, 2: 0.1}, relays) == ("c", "a")


def test_nobody_yields_where_all_together_would_not_suffice() -> None:
    assert who_yields({1: 4.0}, {"a": rule(1.0, 1), "b": rule(2.5, 1), "c": rule(3.0, 2)}) == ()


def test_room_is_made_once_and_the_meter_gets_time_to_show_it(bench: Bench) -> None:
    short = ShortOfPower(point="room.hall.relay", missing_kw={0: 0.5}, may_yield={"room.bath.relay": rule(1.0)})
    for _ in range(5):
        bench.publish(short)
        bench.run(1)
    assert asked(bench) == [(Level.LOCAL_RULES, "room.bath.relay", "off")]
    assert "room.hall.relay" in bench.told(GATE, Request)[0].note


def test_a_room_whose_thermostat_switches_it_yields_to_nobody() -> None:
    house = a_house()
    hall, bath = house.rooms
    house = house.model_copy(update={"rooms": (hall, bath.model_copy(update={"control": "setpoint"}))})
    bench = Bench({PATH: lambda: LocalRules(house, tick_s=30.0)}, ears=(GATE,))
    bench.start()
    may_yield = {"room.bath.relay": rule(2.0), "room.hall.relay": rule(1.0)}
    bench.publish(ShortOfPower(point="room.living.relay", missing_kw={0: 0.5}, may_yield=may_yield))
    assert asked(bench) == [(Level.LOCAL_RULES, "room.hall.relay", "off")]
