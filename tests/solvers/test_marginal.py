"""What more consumption costs: the table agrees with planning anew, wherever the hours begin and whatever binds."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest

from models.errors import PlanError
from models.types.mode import Composite, InverterMode
from solvers.explain.marginal import hour_starts, marginal_table, rise_kw
from solvers.explain.marginal_table import ENERGIES_KWH, MarginalTable
from solvers.model.frame import shape_of
from solvers.model.kept import KeptModel, Limits
from solvers.problem import PeakPrice, PlanProblem
from solvers.pyomo_highs import PyomoHighs
from tests.solvers.houses import START, house, random_house, room

NOW = Limits()


def table(problem: PlanProblem, hours: int | None = None) -> MarginalTable:
    return marginal_table(KeptModel(shape_of(problem)), problem, NOW, hours=hours)


def optimum_eur(problem: PlanProblem) -> float:
    """From nothing: a model of its own."""
    solution = KeptModel(shape_of(problem)).solve(problem, NOW)
    assert solution.usable
    return solution.objective_eur


def with_more(problem: PlanProblem, start: datetime, kwh: float) -> PlanProblem:
    load = np.array(problem.load_kw) + kwh * rise_kw(problem, start)
    return replace(problem, load_kw=tuple(load.tolist()))


@pytest.mark.parametrize("seed", range(10))
def test_every_value_is_what_planning_anew_with_that_load_would_say(seed: int) -> None:
    problem = random_house(seed)
    found = table(problem, hours=2)
    base = optimum_eur(problem)
    assert len(found.hours) == 2 and found.energies_kwh == ENERGIES_KWH
    for hour in found.hours:
        for kwh, cost in zip(ENERGIES_KWH, hour.cost_eur, strict=True):
            assert cost == pytest.approx(optimum_eur(with_more(problem, hour.start, kwh)) - base, abs=1e-6), kwh


def test_a_kwh_costs_its_import_price_where_nothing_else_can_give_it() -> None:
    prices = [0.30] * 4 + [0.20] * 4 + [0.50] * 4
    found = table(house(prices=prices, battery=None))
    assert [hour.cost_eur[0] for hour in found.hours] == pytest.approx([0.30, 0.20, 0.50])
    assert found.hours[2].cost_eur[3] == pytest.approx(4.0)
    assert all(bent == 0.0 for hour in found.hours for bent in hour.bent_eur)


def test_sun_that_would_be_thrown_away_costs_nothing_and_the_rest_its_price() -> None:
    steps = 8
    spare = house(steps, prices=[0.3] * steps, battery=None, pv_kw=(3.5,) * 4 + (0.0,) * 4, export_limit_kw=0.0)
    first = table(spare).hours[0]
    assert first.cost_eur[:2] == pytest.approx((0.0, 0.0), abs=1e-9)  # 3 kW are left over in that hour
    assert first.cost_eur[2:] == pytest.approx((0.3, 1.5))


def test_what_exceeds_the_fuse_is_told_as_a_bent_rule() -> None:
    found = table(house(8, prices=[0.3] * 8, battery=None, import_limit_kw=3.0))
    hour = found.hours[0]
    assert hour.bent_eur[1] == pytest.approx(0.0, abs=1e-9) and hour.cost_eur[1] == pytest.approx(0.6)
    assert hour.bent_eur[2] > 10.0  # 4 kWh in an hour on top of 0.5 kW pass the 3 kW by 1.5 kW
    assert hour.cost_eur[2] == pytest.approx(4.0 * 0.3 + hour.bent_eur[2])


def test_more_never_costs_less_per_kwh_the_more_it_is() -> None:
    """The optimum is convex in the load: what is certain about it is used, and must come out."""
    for seed in range(30, 36):
        for hour in table(random_house(seed), hours=2).hours:
            each = np.diff((0.0, *hour.cost_eur)) / np.diff((0.0, *ENERGIES_KWH))
            assert all(b >= a - 1e-6 for a, b in pairwise(each)), seed


def test_hours_begin_now_and_then_with_the_hours_of_the_local_clock() -> None:
    start = datetime(2021, 2, 8, 10, 45, tzinfo=UTC)
    starts = hour_starts(house(16, start=start, issued=start, timezone="Asia/Kolkata"))  # half an hour off UTC
    assert starts[:3] == [start, datetime(2021, 2, 8, 11, 30, tzinfo=UTC), datetime(2021, 2, 8, 12, 30, tzinfo=UTC)]
    assert starts[-1] + timedelta(hours=1) <= start + timedelta(hours=4)


@pytest.mark.parametrize("dt_h", [1 / 12, 0.25, 0.5, 1.0, 2.0])
def test_a_kwh_more_is_a_kwh_more_whatever_the_length_of_a_slot(dt_h: float) -> None:
    start = START + timedelta(minutes=20)
    problem = house(24, dt_h=dt_h, start=start)
    for at in hour_starts(problem):
        assert float(np.sum(rise_kw(problem, at))) * dt_h == pytest.approx(1.0)


def test_a_horizon_of_less_than_an_hour_has_no_hour_to_ask_about() -> None:
    with pytest.raises(PlanError, match=r"the horizon is 0.5 h long, less than an hour; plan further ahead"):
        table(house(2))


def test_a_table_that_takes_too_long_ends_early_and_what_it_says_is_exact() -> None:
    problem = house(24, rooms=(room(24),))
    model = KeptModel(shape_of(problem))
    short, whole = (marginal_table(model, problem, NOW, within_s=s) for s in (0.0, 60.0))
    assert len(short.hours) == 1 and len(whole.hours) == 6
    assert short.hours[0].cost_eur == pytest.approx(whole.hours[0].cost_eur, abs=1e-6)


def test_two_solvers_share_the_hours_and_say_what_one_says() -> None:
    problem = house(96, rooms=(room(96),))
    model = KeptModel(shape_of(problem))
    one, two = (marginal_table(model, problem, NOW, solvers=n) for n in (1, 2))
    assert [hour.start for hour in two.hours] == hour_starts(problem)
    for alone, shared in zip(one.hours, two.hours, strict=True):
        assert shared.cost_eur == pytest.approx(alone.cost_eur, abs=1e-6)
        assert shared.bent_eur == pytest.approx(alone.bent_eur, abs=1e-6)


def test_a_table_of_two_solvers_that_ends_early_has_no_hole() -> None:
    problem = house(96, rooms=(room(96),))
    short = marginal_table(KeptModel(shape_of(problem)), problem, NOW, within_s=0.0)
    assert [hour.start for hour in short.hours] == [problem.start]


def test_a_price_on_power_and_a_held_mode_do_not_confuse_it() -> None:
    hold = InverterMode(composite=Composite.HOLD, stop_soc=0.5)
    problem = house(
        24, peak=PeakPrice(eur_per_kw=2.0, measured_kw=1.0), mode_now=hold, mode_forced_slots=6,
        rooms=(room(24),),
    )  # fmt: skip
    found = table(problem, hours=2)
    for hour in found.hours:
        anew = optimum_eur(with_more(problem, hour.start, 4.0)) - optimum_eur(problem)
        assert hour.cost_eur[2] == pytest.approx(anew, abs=1e-6)


def test_questions_leave_the_planner_as_able_as_before() -> None:
    problem = house(24, rooms=(room(24),))
    planner = PyomoHighs()
    before = planner.solve(problem, time_limit_s=60.0)
    model, _ = planner.model_of(problem)
    first = marginal_table(model, problem, NOW)
    again = marginal_table(model, problem, NOW)
    after = planner.solve(problem, time_limit_s=60.0)
    assert after.objective_eur == pytest.approx(before.objective_eur, abs=1e-6)
    for one, two in zip(first.hours, again.hours, strict=True):
        assert one.cost_eur == pytest.approx(two.cost_eur, abs=1e-7)
    assert first.solves < 1 + 6 * len(ENERGIES_KWH)  # convexity saves some of them
