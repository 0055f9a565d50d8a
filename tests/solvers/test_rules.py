"""Rules in the words of their owner."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from models.types.mode import REGULAR, Composite, InverterMode
from solvers.rules import RulesPlanner, SmartRules, held_long_enough, smart_modes
from tests.solvers.houses import BATTERY, house, room

CHARGE, HOLD = Composite.CHARGE_FROM_GRID, Composite.HOLD


def day(prices: list[float]) -> list[float]:
    """24 hourly prices as quarter hours."""
    return [p for p in prices for _ in range(4)]


NIGHT_CHEAP = [0.30] * 2 + [0.05] * 2 + [0.30] * 14 + [0.70] * 3 + [0.30] * 3


def test_the_battery_is_charged_in_the_cheapest_hours_before_the_dearest() -> None:
    modes = smart_modes(house(prices=day(NIGHT_CHEAP), mode_held_slots=9))
    charged = {t // 4 for t, m in enumerate(modes) if m.composite is CHARGE}
    assert charged == {2, 3}
    assert {m.composite for m in modes[18 * 4 : 21 * 4]} == {Composite.REGULAR}


def test_a_spread_that_does_not_pay_for_losses_and_wear_is_left_alone() -> None:
    flat = [p * 0.1 + 0.27 for p in NIGHT_CHEAP]
    assert set(smart_modes(house(prices=day(flat)))) == {REGULAR}


def test_the_battery_is_kept_for_hours_that_pay() -> None:
    prices = [0.05] * 2 + [0.08] * 16 + [0.70] * 3 + [0.30] * 3
    modes = smart_modes(house(prices=day(prices), mode_held_slots=9))
    assert {m.composite for m in modes[3 * 4 : 17 * 4]} == {HOLD}


def test_room_is_left_for_the_sun_of_the_day() -> None:
    sun = tuple(1.2 if 40 <= t < 56 else 0.0 for t in range(96))
    modes = smart_modes(house(prices=day(NIGHT_CHEAP), pv_kw=sun, load_kw=(0.0,) * 96, mode_held_slots=9))
    stop = next(m.stop_soc for m in modes if m.composite is CHARGE)
    assert stop is not None
    assert stop == pytest.approx(1.0 - 4 * 1.2 * 0.97 / 10, abs=0.01)


def test_local_days_are_the_houses_not_those_of_utc() -> None:
    start = datetime(2021, 6, 1, 22, tzinfo=UTC)  # midnight in Prague
    problem = house(prices=day(NIGHT_CHEAP), start=start, timezone="Europe/Prague", mode_held_slots=9)
    charged = {t // 4 for t, m in enumerate(smart_modes(problem)) if m.composite is CHARGE}
    assert charged == {2, 3}
    # Taken in UTC the first two hours would be a day of their own, too short to hold the cheap and the dear hours.
    shifted = [*NIGHT_CHEAP[:1], 0.01, *NIGHT_CHEAP[2:]]
    in_utc = house(prices=day(shifted), start=start, timezone="UTC", mode_held_slots=9)
    there = replace(in_utc, timezone="Europe/Prague")
    assert smart_modes(in_utc) != smart_modes(there)


def test_only_known_prices_are_acted_on() -> None:
    problem = house(prices=day(NIGHT_CHEAP), price_known=(False,) * 96)
    assert set(smart_modes(problem)) == {REGULAR}


def test_rooms_take_the_sun_that_the_battery_cannot() -> None:
    full = replace(BATTERY, soc=1.0)
    problem = house(48, battery=full, pv_kw=(5.0,) * 48, rooms=(room(48, air_c=21.0),))
    plain = RulesPlanner().solve(problem, time_limit_s=1.0)
    smart = SmartRules().solve(problem, time_limit_s=1.0)
    assert sum(smart.duty[0]) > sum(plain.duty[0])
    assert max(smart.air_c[0]) <= 23.0
    empty = replace(problem, battery=replace(BATTERY, soc=0.2, capacity_kwh=200.0))
    assert sum(SmartRules().solve(empty, time_limit_s=1.0).duty[0]) == sum(plain.duty[0])


def test_plain_thermostats_hold_the_lower_edge() -> None:
    problem = house(192, outdoor_c=(-5.0,) * 192, rooms=(room(192, air_c=20.1, slab_c=24.0),))
    air = RulesPlanner().solve(problem, time_limit_s=1.0).air_c[0]
    assert min(air[40:]) > 19.8
    assert max(air[40:]) < 20.9


def test_heating_is_shed_in_room_order_under_the_connection() -> None:
    rooms = tuple(room(8, name=n, air_c=18.0, heater_kw=2.0) for n in ("first", "second", "third"))
    result = RulesPlanner().solve(house(8, rooms=rooms, import_limit_kw=5.0, load_kw=(0.5,) * 8), time_limit_s=1.0)
    assert [duty[0] for duty in result.duty] == [0.0, 1.0, 1.0]


def test_wishes_wait_until_what_runs_has_run_long_enough() -> None:
    charge = InverterMode(composite=CHARGE, stop_soc=0.9)
    problem = house(12, mode_now=REGULAR, mode_held_slots=2)
    wishes = [charge] * 3 + [REGULAR] * 9
    held = held_long_enough(problem, wishes)
    assert [m.composite is CHARGE for m in held] == [False] * 2 + [True] * 4 + [False] * 6


def test_rules_claim_no_bound() -> None:
    result = RulesPlanner().solve(house(4), time_limit_s=1.0)
    assert result.bound_eur == -math.inf
    assert result.gap_eur == pytest.approx(math.inf)


def test_another_stop_soc_is_not_a_change_of_what_runs() -> None:
    charge, more = (InverterMode(composite=CHARGE, stop_soc=soc, rate=1.0) for soc in (0.5, 0.8))
    problem = house(24, mode_now=charge, mode_held_slots=10)
    held = held_long_enough(problem, [charge, more, *[REGULAR] * 22])
    assert held[:3] == (charge, more, REGULAR), "it has run for long enough"
