"""One suite for every maker of plans: what each of them must do, whoever it is."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from solvers.cascade import Cascade
from solvers.checker import check, sign, verify
from solvers.cvxpy_fallback import CvxpyFallback
from solvers.problem import PlanProblem
from solvers.pyomo_highs import PyomoHighs
from solvers.rebuilt import Rebuilt
from solvers.result import PlanSolver, Quality, Stop
from solvers.rules import RulesPlanner, SmartRules
from tests.solvers.houses import BATTERY, house, random_house, room

MAKERS = (PyomoHighs, Rebuilt, CvxpyFallback, RulesPlanner, SmartRules)
SOLVERS = (PyomoHighs, Rebuilt, CvxpyFallback)
SEEDS = st.integers(0, 100_000)
NO_LIMIT = math.inf
quick = settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
thorough = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


@pytest.fixture(params=MAKERS, ids=lambda m: m.name)
def maker(request: pytest.FixtureRequest) -> PlanSolver:
    made: PlanSolver = request.param()
    return made


@quick
@given(seed=SEEDS)
@pytest.mark.parametrize("make", MAKERS, ids=lambda m: m.name)
def test_whatever_the_house_the_plan_is_signed_and_the_signature_holds(make: type, seed: int) -> None:
    problem = random_house(seed)
    result = make().solve(problem, time_limit_s=NO_LIMIT)
    assert check(problem, result) == []
    signed = sign(problem, result)
    assert verify(signed, problem)
    assert not verify(signed, replace(problem, import_limit_kw=problem.import_limit_kw + 1.0))


@thorough
@given(seed=SEEDS)
def test_the_kept_planner_answers_any_house_with_a_plan_that_the_checker_confirms(seed: int) -> None:
    problem = random_house(seed)
    signed = Cascade().plan(problem, time_limit_s=NO_LIMIT)
    result = signed.result
    assert result.maker == "pyomo_highs", result.message
    assert abs(signed.checked_cost_eur - result.cost_eur) < 1e-6
    assert all(min(c, d) == 0.0 for c, d in zip(result.charge_kw, result.discharge_kw, strict=True))
    assert all(min(i, e) == 0.0 for i, e in zip(result.import_kw, result.export_kw, strict=True))
    assert result.gap_eur >= 0.0
    assert result.objective_eur >= result.bound_eur - 1e-6


@quick
@given(seed=SEEDS)
def test_kept_rebuilt_and_cvxpy_find_the_same_bound(seed: int) -> None:
    problem = random_house(seed)
    bounds = [make().solve(problem, time_limit_s=NO_LIMIT).bound_eur for make in SOLVERS]
    if not problem.free:  # there the relaxations differ in how they state directions
        assert bounds == pytest.approx([bounds[0]] * 3, abs=1e-5)


@quick
@given(seed=SEEDS)
def test_solvers_agree_on_the_cost_of_freely_chosen_flows(seed: int) -> None:
    problem = random_house(seed)
    problem = replace(problem, battery=replace(problem.battery or BATTERY, composites=False))
    found = [make().solve(problem, time_limit_s=NO_LIMIT).objective_eur for make in SOLVERS]
    assert found == pytest.approx([found[0]] * 3, abs=2e-3, rel=1e-4)


@quick
@given(seed=SEEDS)
def test_two_fresh_planners_answer_alike(seed: int) -> None:
    problem = random_house(seed)
    first, second = (PyomoHighs().solve(problem, time_limit_s=NO_LIMIT) for _ in range(2))
    assert replace(first, timings=second.timings) == second


def test_a_malformed_problem_is_a_failed_result_that_names_the_field(maker: PlanSolver) -> None:
    problem = house(8)
    broken = replace(problem, load_kw=(*problem.load_kw[:3], math.nan, *problem.load_kw[4:]))
    result = maker.solve(broken, time_limit_s=NO_LIMIT)
    assert (result.quality, result.stop) == (Quality.FAILED, Stop.NOT_STARTED)
    assert "load_kw slot 3 is nan" in result.message


def test_a_single_slot_is_planned(maker: PlanSolver) -> None:
    problem = house(1, rooms=(room(1),))
    assert check(problem, maker.solve(problem, time_limit_s=NO_LIMIT)) == []


@pytest.mark.parametrize("quarters", [92, 100])
def test_days_on_which_the_clocks_change_are_planned(maker: PlanSolver, quarters: int) -> None:
    problem = house(quarters, timezone="Europe/Prague")
    result = maker.solve(problem, time_limit_s=NO_LIMIT)
    assert check(problem, result) == []
    assert len(result.modes) == quarters


def test_a_house_without_battery_or_rooms_is_planned(maker: PlanSolver) -> None:
    problem = house(8, battery=None, pv_kw=(3.0,) * 8)
    result = maker.solve(problem, time_limit_s=NO_LIMIT)
    assert check(problem, result) == []
    assert result.export_kw == pytest.approx([2.5] * 8)


@pytest.mark.parametrize("soc", [0.0, 0.1, 0.2, 1.0])
def test_any_start_soc_has_an_answer(maker: PlanSolver, soc: float) -> None:
    problem = house(24, battery=replace(BATTERY, soc=soc, soc_max=0.9))
    assert check(problem, maker.solve(problem, time_limit_s=NO_LIMIT)) == []


def cold_start(steps: int) -> PlanProblem:
    return house(steps, rooms=(room(steps, air_c=15.0, slab_c=15.0),))


def test_a_cold_room_is_heated_and_the_bent_band_is_told(maker: PlanSolver) -> None:
    result = maker.solve(cold_start(24), time_limit_s=NO_LIMIT)
    assert sum(result.duty[0][:12]) > 11.0
    first = next(b for b in result.bent_rules if b.rule == "room.room.below")
    assert (first.slot, first.unit) == (0, "K")
    assert first.amount == pytest.approx(20.0 - result.air_c[0][0], abs=1e-9)
    assert first.cost_eur > 0.0


def test_an_inverted_band_is_bent_not_refused(maker: PlanSolver) -> None:
    problem = house(8, rooms=(room(8, lower_c=(21.0,) * 8, upper_c=(19.0,) * 8),))
    result = maker.solve(problem, time_limit_s=NO_LIMIT)
    assert check(problem, result) == []
    assert any(b.rule == "room.room.below" for b in result.bent_rules)


def test_a_load_above_the_connection_is_told_not_refused(maker: PlanSolver) -> None:
    problem = house(8, load_kw=(9.0,) * 8, import_limit_kw=3.0, battery=None)
    result = maker.solve(problem, time_limit_s=NO_LIMIT)
    over = [b for b in result.bent_rules if b.rule == "grid.import_limit"]
    assert [b.slot for b in over] == list(range(8))
    assert over[0].amount == pytest.approx(6.0)


def test_nothing_is_exported_where_that_costs(maker: PlanSolver) -> None:
    prices = [0.02 if 4 <= t < 8 else 0.3 for t in range(12)]
    problem = house(prices=prices, pv_kw=(8.0,) * 12)
    result = maker.solve(problem, time_limit_s=NO_LIMIT)
    assert result.export_limit_kw[4:8] == (0.0,) * 4
    assert result.export_kw[4:8] == pytest.approx([0.0] * 4)
    assert result.export_limit_kw[:4] == (10.0,) * 4


def test_a_room_that_is_not_ours_keeps_its_forced_duty_for_as_long(maker: PlanSolver) -> None:
    problem = house(8, rooms=(room(8, forced_slots=8, forced_duty=0.4), room(8, name="b", forced_slots=3)))
    whole, part = maker.solve(problem, time_limit_s=NO_LIMIT).duty
    assert whole == (0.4,) * 8
    assert part[:3] == (0.0,) * 3


def test_the_planner_is_never_dearer_than_the_rules() -> None:
    planner = PyomoHighs()
    for seed in range(40):
        problem = random_house(seed)
        planned = planner.solve(problem, time_limit_s=NO_LIMIT)
        ruled = RulesPlanner().solve(problem, time_limit_s=NO_LIMIT)
        assert planned.objective_eur <= ruled.objective_eur + 0.02, seed
