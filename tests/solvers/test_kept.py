"""A model that is kept answers as a new one does, wherever its ring stands."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

import pytest

from solvers.model.frame import Ring, shape_of
from solvers.model.kept import KeptModel, Limits
from solvers.problem import PlanProblem
from solvers.pyomo_highs import PyomoHighs
from solvers.result import Quality, Stop
from tests.solvers.houses import BATTERY, demo_house, house, random_house, room


def moved(problem: PlanProblem, slots: int) -> PlanProblem:
    return replace(problem, start=problem.start + slots * timedelta(hours=problem.dt_h))


@pytest.mark.parametrize("slots", [0, 1, 5, 24, 25, 1000, -3])
def test_a_model_turned_by_any_number_of_slots_finds_the_same_optimum(slots: int) -> None:
    problem = random_house(11)
    model = KeptModel(shape_of(problem))
    first = model.solve(problem, Limits())
    again = model.solve(moved(problem, slots), Limits())
    assert again.objective_eur == pytest.approx(first.objective_eur, abs=1e-7)
    assert model.ring.holder == (1 + slots) % (problem.steps + 2)


def test_a_warm_start_after_one_slot_takes_a_fraction_of_the_iterations() -> None:
    steps = 96
    rooms = tuple(room(steps, name=f"r{i}", air_c=20.2 + 0.1 * i) for i in range(4))
    problem = house(steps, rooms=rooms, pv_kw=tuple(3.0 * max(0.0, math.sin(t / 15.0)) for t in range(steps)))
    model = KeptModel(shape_of(problem))
    cold = model.solve(problem, Limits())
    warm = model.solve(moved(problem, 1), Limits())
    assert warm.usable
    assert warm.iterations < cold.iterations / 3


def test_problems_of_one_shape_share_a_model_and_others_do_not() -> None:
    a, b = house(24), house(24, load_kw=(1.0,) * 24)
    assert shape_of(a) == shape_of(b)
    assert shape_of(a) != shape_of(house(25))
    assert shape_of(a) != shape_of(house(24, battery=replace(BATTERY, capacity_kwh=11.0)))


def test_building_happens_once_per_shape() -> None:
    planner = PyomoHighs()
    first = planner.solve(house(24), time_limit_s=math.inf)
    second = planner.solve(house(24, load_kw=(1.0,) * 24), time_limit_s=math.inf)
    assert first.timings.build_s > 0.0
    assert second.timings.build_s == 0.0


def test_an_iteration_limit_is_a_result_that_says_so_and_the_next_plan_is_whole_again() -> None:
    problem = house(24, rooms=(room(24),), pv_kw=(2.0,) * 24)
    result = PyomoHighs(simplex_iterations=1).solve(problem, time_limit_s=math.inf)
    assert (result.quality, result.stop) == (Quality.FAILED, Stop.NODE_LIMIT)
    model = KeptModel(shape_of(problem))
    assert not model.solve(problem, Limits(simplex_iterations=1)).usable
    whole = model.solve(problem, Limits())
    assert whole.usable and whole.objective_eur == KeptModel(shape_of(problem)).solve(problem, Limits()).objective_eur


def test_a_time_limit_is_a_result_that_says_so() -> None:
    problem = house(96, rooms=tuple(room(96, name=f"r{i}") for i in range(6)))
    result = PyomoHighs().solve(problem, time_limit_s=0.0)
    assert (result.quality, result.stop) == (Quality.FAILED, Stop.TIME_LIMIT)


def test_the_ring_gives_each_slot_one_position_and_none_to_the_holder_and_the_spare() -> None:
    ring = Ring(5)
    ring.advance(4)
    assert (ring.holder, ring.spare) == (5, 4)
    assert ring.slots.tolist() == [6, 0, 1, 2, 3]


def test_one_more_stored_kwh_is_worth_what_it_saves_later() -> None:
    # Empty battery, flat dear evening: a kWh more replaces 0.93 kWh at 0.50 and wears 0.04.
    empty = replace(BATTERY, soc=0.2, soc_min=0.2)
    problem = house(prices=[0.5] * 12, battery=empty, load_kw=(2.0,) * 12, soc_end_value_eur_per_kwh=0.0)
    marginal = PyomoHighs().solve(problem, time_limit_s=math.inf).marginal_eur_per_kwh
    assert marginal[0] == pytest.approx(0.93 * 0.5 - 0.04, abs=1e-6)


def test_a_solve_that_ran_out_of_its_limits_goes_on_where_it_stopped() -> None:
    planner, problem = PyomoHighs(simplex_iterations=3000), demo_house(0)  # it takes about 8,000 from nothing
    tries = 1
    while (result := planner.solve(problem, time_limit_s=math.inf)).quality is Quality.FAILED:
        assert result.stop is Stop.NODE_LIMIT
        tries += 1
        assert tries <= 5, "each begins anew"
    assert tries > 1
    fresh = PyomoHighs().solve(problem, time_limit_s=math.inf)
    assert result.objective_eur == pytest.approx(fresh.objective_eur, abs=1e-6)


def test_a_plan_that_is_out_of_time_at_once_says_so() -> None:
    result = PyomoHighs().solve(demo_house(0), time_limit_s=0.01)
    assert (result.quality, result.stop) == (Quality.FAILED, Stop.TIME_LIMIT)
