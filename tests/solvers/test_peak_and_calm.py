"""A price on power, limits of the operator, modes that are held, and plans that keep to what the last one said."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from models.types.mode import REGULAR, Composite, InverterMode
from solvers.checker import check, sign
from solvers.cvxpy_fallback import CvxpyFallback
from solvers.problem import Commitment, PeakPrice, PlanProblem
from solvers.pyomo_highs import PyomoHighs
from solvers.rebuilt import Rebuilt
from solvers.result import PlanResult
from tests.solvers.houses import demo_house

HOLD = InverterMode(composite=Composite.HOLD)


def solved(problem: PlanProblem, planner: PyomoHighs | None = None) -> PlanResult:
    result = (planner or PyomoHighs()).solve(problem, time_limit_s=math.inf)
    assert check(problem, result) == []
    sign(problem, result)
    return result


@pytest.fixture(scope="module")
def winter() -> PlanProblem:
    whole = demo_house(0, steps=96)
    rooms = tuple(replace(r, neighbours=tuple((j, g) for j, g in r.neighbours if j < 6)) for r in whole.rooms[:6])
    assert whole.battery is not None
    load_kw = tuple(kw + 2.0 for kw in whole.load_kw)
    return replace(whole, rooms=rooms, load_kw=load_kw, battery=replace(whole.battery, soc=0.3))


def test_a_price_on_power_lowers_the_peak_and_never_the_bill_without_it(winter: PlanProblem) -> None:
    plain = solved(winter)
    priced = solved(replace(winter, peak=PeakPrice(eur_per_kw=2.0, measured_kw=3.0)))
    assert max(priced.import_kw) < max(plain.import_kw) - 1.0
    power_eur = 2.0 * max(0.0, max(priced.import_kw) - 3.0)
    assert priced.cost_eur - power_eur >= plain.cost_eur - 0.05, "energy alone is no cheaper"
    assert priced.objective_eur >= priced.bound_eur - 1e-6


def test_below_the_peak_of_the_month_power_costs_nothing(winter: PlanProblem) -> None:
    plain = solved(winter)
    high = solved(replace(winter, peak=PeakPrice(eur_per_kw=50.0, measured_kw=max(plain.import_kw) + 1.0)))
    assert high.objective_eur == pytest.approx(plain.objective_eur, abs=1e-6)


def test_where_each_slot_pays_for_its_power_many_peaks_cost_more_than_one(winter: PlanProblem) -> None:
    once = solved(replace(winter, peak=PeakPrice(eur_per_kw=0.2, measured_kw=3.0)))
    each = solved(replace(winter, peak=PeakPrice(eur_per_kw=0.2, measured_kw=3.0, once=False)))
    assert each.objective_eur > once.objective_eur
    above = sum(max(0.0, kw - 3.0) for kw in each.import_kw)
    assert above < sum(max(0.0, kw - 3.0) for kw in once.import_kw)


@pytest.mark.parametrize("once", [True, False])
def test_all_makers_agree_on_the_price_of_power(winter: PlanProblem, once: bool) -> None:
    problem = replace(winter, peak=PeakPrice(eur_per_kw=1.0, measured_kw=3.0, once=once))
    bounds = [m.solve(problem, time_limit_s=60.0).bound_eur for m in (PyomoHighs(), Rebuilt(), CvxpyFallback())]
    assert bounds[1] == pytest.approx(bounds[0], abs=1e-5)
    assert bounds[2] == pytest.approx(bounds[0], abs=1e-4)


def test_a_dimming_event_is_planned_around(winter: PlanProblem) -> None:
    plain = solved(winter)
    hot = max(range(4, 60), key=lambda t: plain.import_kw[t])
    limits = tuple(4.2 if hot <= t < hot + 8 else winter.import_limit_kw for t in range(winter.steps))
    dimmed = solved(replace(winter, import_limits_kw=limits))
    assert plain.import_kw[hot] > 4.2
    assert max(dimmed.import_kw[hot : hot + 8]) <= 4.2 + 1e-6
    assert not [b for b in dimmed.bent_rules if b.rule.startswith("grid.")]


def test_a_mode_that_somebody_holds_is_planned_with_and_not_against(winter: PlanProblem) -> None:
    held = replace(winter, mode_now=HOLD, mode_held_slots=8, mode_forced_slots=12)
    result = solved(held)
    assert {m.composite for m in result.modes[:12]} == {Composite.HOLD}
    assert max(result.discharge_kw[:12]) == 0.0
    free = solved(replace(held, mode_forced_slots=0))
    assert free.objective_eur <= result.objective_eur + 1e-9


def test_where_deep_cycles_wear_more_less_is_drawn_from_the_deep_part(winter: PlanProblem) -> None:
    assert winter.battery is not None
    gentle = replace(winter.battery, soc=0.8, deep_below_soc=0.5, wear_deep_eur_per_kwh=1.0)
    deep = solved(replace(winter, battery=gentle))
    plain = solved(replace(winter, battery=replace(gentle, wear_deep_eur_per_kwh=0.0)))
    assert min(plain.soc) < 0.4 <= 0.49 < min(deep.soc)
    assert deep.objective_eur >= plain.objective_eur - 1e-9


def test_what_is_drawn_from_the_deep_part_is_counted_where_it_is_deep() -> None:
    whole = demo_house(0, steps=1).battery
    assert whole is not None
    battery = replace(whole, capacity_kwh=10.0, deep_below_soc=0.3)
    drawn = [battery.deep_kwh(a, b) for a, b in ((0.8, 0.4), (0.4, 0.2), (0.2, 0.1), (0.1, 0.5))]
    assert drawn == pytest.approx([0.0, 1.0, 1.0, 0.0])


# --- calm -------------------------------------------------------------------------------------------------------------
def committed(problem: PlanProblem, first: InverterMode, at_most_eur: float, left_eur: float) -> PlanProblem:
    return replace(problem, commitment=Commitment(modes=(first,) * 8, at_most_eur=at_most_eur, left_eur=left_eur))


def test_what_the_last_plan_said_stands_while_that_costs_next_to_nothing(winter: PlanProblem) -> None:
    best = solved(winter)
    other = HOLD if best.modes[0].composite is Composite.REGULAR else REGULAR
    kept = solved(committed(winter, other, 100.0, 100.0))
    assert {m.composite for m in kept.modes[: winter.min_mode_slots]} == {other.composite}
    regret_eur = kept.objective_eur - best.objective_eur
    assert kept.kept_eur == pytest.approx(max(0.0, regret_eur), abs=1e-9)
    assert regret_eur > 0.0
    for at_most, left in ((regret_eur / 2, 100.0), (100.0, regret_eur / 2)):
        again = solved(committed(winter, other, at_most, left))
        assert again.modes == best.modes and again.kept_eur == 0.0, "too dear, or nothing left for today"


def test_a_commitment_to_what_is_best_anyway_costs_nothing(winter: PlanProblem) -> None:
    best = solved(winter)
    same = solved(replace(winter, commitment=Commitment(modes=best.modes, at_most_eur=0.0, left_eur=0.0)))
    assert (same.modes, same.kept_eur) == (best.modes, 0.0)
