"""What is planned is what the inverter does: plans played in its twin, by the driver's registers."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from functools import cache

import pytest

from models.types.mode import Composite
from solvers.problem import PlanProblem
from solvers.pyomo_highs import PyomoHighs
from solvers.result import PlanResult
from tests.solvers.houses import BATTERY, house, room
from tests.solvers.replaying import Difference, difference, play, play_exactly, rms

SEEDS = (1, 3, 4, 7, 12)  # with all five composites between them
ALL_DAY = 96
LATE_KW = 0.2  # RMS: each run begins a minute late, is renewed every two hours, and ends at midnight
LATE_EUR = 0.05  # a day
NETTED_EUR = 0.015  # a day: a slot that imports and exports is priced both ways by the meter, by its mean in a plan


@cache
def planned(seed: int) -> tuple[PlanProblem, PlanResult]:
    """A sunny day with prices that move and a heated room, planned for a battery of any charge."""
    rnd = random.Random(seed)
    spot = [0.22 + 0.14 * math.sin(t / 8 + seed) + rnd.uniform(-0.02, 0.02) for t in range(ALL_DAY)]
    sun = [9.0 * max(0.0, math.sin(math.pi * (t - 28) / 40)) if 28 < t < 68 else 0.0 for t in range(ALL_DAY)]
    battery = replace(BATTERY, soc=rnd.uniform(0.2, 1.0))
    problem = house(
        prices=spot,
        price_export=tuple(p - 0.03 for p in spot),
        pv_kw=tuple(rnd.uniform(0.1, 1.0) * kw for kw in sun),
        load_kw=tuple(rnd.choice((0.3, 0.6, 2.5)) for _ in range(ALL_DAY)),
        battery=battery if seed % 4 else replace(battery, taper_above_soc=1.0),
        rooms=(room(ALL_DAY),) if seed % 2 else (),
    )
    return problem, PyomoHighs().solve(problem, time_limit_s=math.inf)


def compared(seed: int, *, registers: bool) -> Difference:
    problem, result = planned(seed)
    return difference(problem, result, play(problem, result) if registers else play_exactly(problem, result))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_battery_does_in_minutes_what_is_planned_in_quarter_hours(seed: int) -> None:
    found = compared(seed, registers=False)
    assert found.battery_kw == pytest.approx([0.0] * ALL_DAY, abs=0.01)  # sun that grows scarce within the taper
    assert rms(found.grid_kw) <= 0.01  # a charge that ends within the slot buys at first what the sun would have given
    assert abs(found.cost_eur) <= NETTED_EUR


@pytest.mark.parametrize("seed", SEEDS)
def test_registers_written_when_a_run_begins_give_the_planned_flows(seed: int) -> None:
    found = compared(seed, registers=True)
    assert found.rms_kw <= LATE_KW
    assert abs(found.cost_eur) <= LATE_EUR


@pytest.mark.parametrize("seed", SEEDS)
def test_in_the_middle_of_a_run_the_twin_follows_the_plan_closely(seed: int) -> None:
    """A minute's delay shows at the edges of a run; a mode that means something else would show throughout."""
    away = sorted(abs(kw) for kw in compared(seed, registers=True).battery_kw)
    assert away[ALL_DAY * 3 // 4] <= 1e-6


def test_the_plans_that_are_played_use_every_composite() -> None:
    assert {mode.composite for seed in SEEDS for mode in planned(seed)[1].modes} == set(Composite)


@pytest.mark.parametrize(
    "wrong",
    [{"charge_kw": 4.5}, {"discharge_kw": 4.5}, {"capacity_kwh": 9.5}, {"eff_charge_ac": 0.85}, {"soc_min": 0.25}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_an_inverter_unlike_the_planned_one_is_noticed(wrong: dict[str, float]) -> None:
    """The bounds above are tight enough to find a model that is wrong by a twentieth."""
    worst_kw = 0.0
    for seed in SEEDS:
        problem, result = planned(seed)
        assert problem.battery is not None
        other = replace(problem, battery=replace(problem.battery, **wrong))  # type: ignore[arg-type]
        found = difference(problem, result, play_exactly(other, result))
        worst_kw = max(worst_kw, *map(abs, found.battery_kw), rms(found.grid_kw))
    assert worst_kw > 0.02


def test_a_run_commanded_a_minute_ahead_begins_on_time() -> None:
    late = [compared(seed, registers=True).rms_kw for seed in SEEDS]
    ahead = [
        difference(problem, result, play(problem, result, ahead_min=1)).rms_kw
        for problem, result in map(planned, SEEDS)
    ]
    assert sum(ahead) < sum(late)


def test_playing_is_a_function_of_its_seed() -> None:
    problem, result = planned(1)
    assert play(problem, result, seed=3) == play(problem, result, seed=3)
    assert play(problem, result, seed=3) != play(problem, result, seed=4)
