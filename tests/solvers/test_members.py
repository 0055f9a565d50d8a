"""One suite for every member of the cascade: what each must do when it is its turn, and how it is passed over.

The members: the kept model, the model built anew, cvxpy with HiGHS, cvxpy with CLARABEL where HiGHS gives up, the last
plan moved on, and rules. A member that hangs is killed with its process (`tests/actors/planning`); here a clock tells
that it has used up its time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import cvxpy
import pytest

from models.errors import DataError
from models.types.mode import REGULAR, Composite, InverterMode
from solvers.cascade import Cascade
from solvers.checker import check, sign, verify
from solvers.cvxpy_fallback import CvxpyFallback
from solvers.problem import PeakPrice, PlanProblem
from solvers.pyomo_highs import PyomoHighs
from solvers.rebuilt import Rebuilt
from solvers.result import PlanResult, PlanSolver, Quality, Stop
from solvers.rules import RulesPlanner
from solvers.shifted import ShiftedPlan
from tests.properties.test_plans import assert_books_agree
from tests.solvers.direct import solve as directly
from tests.solvers.houses import BATTERY, house, random_house, room

N = 24


class Clarabel:
    """The cvxpy member on a day on which HiGHS fails it."""

    name = "cvxpy"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def solve(self, problem: PlanProblem, *, time_limit_s: float) -> PlanResult:
        asked, real = self.asked, cvxpy.Problem.solve

        def without_highs(self: Any, *args: Any, solver: str, **options: Any) -> Any:
            asked.append(solver)
            if solver == cvxpy.HIGHS:
                raise cvxpy.SolverError("HiGHS is ill")
            return real(self, *args, solver=solver, **options)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(cvxpy.Problem, "solve", without_highs)
            return CvxpyFallback().solve(problem, time_limit_s=time_limit_s)


class GoesOn(ShiftedPlan):
    """The last plan, of two slots ago and seen from the same house."""

    def solve(self, problem: PlanProblem, *, time_limit_s: float) -> PlanResult:
        earlier = replace(problem, start=problem.start - 2 * timedelta(hours=problem.dt_h), mode_forced_slots=0)
        self.remember(earlier, PyomoHighs().solve(earlier, time_limit_s=math.inf))
        return super().solve(problem, time_limit_s=time_limit_s)


MEMBERS: dict[str, Callable[[], PlanSolver]] = {
    "kept": PyomoHighs,
    "rebuilt": Rebuilt,
    "cvxpy with HiGHS": CvxpyFallback,
    "cvxpy with CLARABEL": Clarabel,
    "last plan": GoesOn,
    "rules": RulesPlanner,
}
SOLVERS = tuple(MEMBERS)[:4]
NAMES = dict(zip(MEMBERS, ("pyomo_highs", "rebuilt", "cvxpy", "cvxpy", "shifted", "rules"), strict=True))


def evening() -> PlanProblem:
    """A cheap hour, a dear one, some sun and two rooms, one of them cold."""
    prices = [0.10] * 8 + [0.60] * 8 + [0.25] * 8
    rooms = (room(N, air_c=19.0, neighbours=((1, 0.01),)), room(N, name="b", neighbours=((0, 0.01),), phase=1))
    sun = tuple(3.0 if 2 <= t < 8 else 0.0 for t in range(N))
    return house(prices=prices, rooms=rooms, pv_kw=sun, load_kw=(0.8,) * N, phase_limit_kw=7.36)


HOUSES: dict[str, PlanProblem] = {
    "evening": evening(),
    "below its reserve": replace(evening(), battery=replace(BATTERY, soc=0.15, reserve_soc=0.5)),
    "balancing charge": replace(evening(), battery=replace(BATTERY, soc=0.3, full_by_slot=12)),
    "negative": replace(evening(), price_import=(-0.2,) * N, price_export=(-0.3,) * N),
    "unknown prices": replace(evening(), price_known=(True,) * 8 + (False,) * 16),
    "operator's limit": replace(evening(), import_limits_kw=(22.0,) * 6 + (1.0,) * 18),
    "price on power": replace(evening(), peak=PeakPrice(eur_per_kw=1.0, measured_kw=2.0)),
    "held mode": replace(evening(), mode_now=InverterMode(composite=Composite.HOLD), mode_forced_slots=6),
    "no battery": replace(evening(), battery=None),
    "no rooms": replace(evening(), rooms=(), phase_limit_kw=None),
    "over its fuse": replace(evening(), load_kw=(9.0,) * N, import_limit_kw=4.0),
    "sun that must go": replace(evening(), pv_curtailable=False, export_limit_kw=1.0),
}


@pytest.fixture(params=MEMBERS)
def member(request: pytest.FixtureRequest) -> str:
    return str(request.param)


# --- each answers, and its answer is sound ----------------------------------------------------------------------------
@pytest.mark.parametrize("name", HOUSES)
def test_each_member_answers_with_a_plan_that_is_signed_and_says_who_it_is(member: str, name: str) -> None:
    problem = HOUSES[name]
    result = MEMBERS[member]().solve(problem, time_limit_s=60.0)
    assert result.maker == NAMES[member]
    assert result.problem_id == problem.id
    assert check(problem, result) == []
    signed = sign(problem, result)
    assert verify(signed, problem)
    assert_books_agree(problem, result)
    assert result.quality is not Quality.FAILED
    assert (result.quality is Quality.FALLBACK) == (member in ("last plan", "rules"))


@pytest.mark.parametrize("name", HOUSES)
def test_no_plan_is_below_its_bound_and_bounds_are_those_of_the_second_statement(name: str) -> None:
    problem = HOUSES[name]
    least = directly(problem).objective_eur
    for member, make in MEMBERS.items():
        result = make().solve(problem, time_limit_s=60.0)
        near = 2e-5 * max(1.0, abs(least)) if "CLARABEL" in member else 1e-6 * max(1.0, abs(least))
        assert result.objective_eur >= least - near, member
        if member in SOLVERS:
            assert result.bound_eur == pytest.approx(least, abs=near), member
            assert result.gap_eur == pytest.approx(max(0.0, result.objective_eur - result.bound_eur), abs=1e-9)
        else:
            assert result.bound_eur == -math.inf, "who proves nothing claims nothing"


@pytest.mark.parametrize("seed", range(20))
def test_members_stand_in_the_order_of_their_worth(seed: int) -> None:
    problem = random_house(seed)
    if problem.free:
        problem = replace(problem, battery=replace(problem.battery or BATTERY, composites=True))
    kept, rebuilt, ruled = (m().solve(problem, time_limit_s=60.0) for m in (PyomoHighs, Rebuilt, RulesPlanner))
    for result in (kept, rebuilt, ruled):
        assert check(problem, result) == []
    assert kept.objective_eur <= rebuilt.objective_eur + 0.05 + kept.kept_eur, "the first one adapts heating too"
    assert kept.objective_eur <= ruled.objective_eur + 0.02 + kept.kept_eur


def test_each_member_answers_alike_when_it_is_new(member: str) -> None:
    first, second = (MEMBERS[member]().solve(evening(), time_limit_s=math.inf) for _ in range(2))
    assert sign(evening(), first).signature == sign(evening(), second).signature


def test_a_solver_without_time_fails_as_a_result_or_answers_at_once(member: str) -> None:
    result = MEMBERS[member]().solve(evening(), time_limit_s=0.0)
    if result.quality is Quality.FAILED:
        assert member in SOLVERS
        assert result.stop in (Stop.TIME_LIMIT, Stop.ERROR)
        assert result.message
    else:
        assert check(evening(), result) == []


def test_clarabel_is_asked_only_after_highs_and_its_duties_are_clean() -> None:
    member = Clarabel()
    result = member.solve(evening(), time_limit_s=60.0)
    assert member.asked == [cvxpy.HIGHS, cvxpy.CLARABEL]
    best = PyomoHighs().solve(evening(), time_limit_s=60.0)
    assert result.objective_eur <= best.objective_eur + 0.05, "an interior point is as good a start for the modes"
    assert all(0.0 <= d <= 1.0 for row in result.duty for d in row)


def test_the_last_plan_goes_on_with_what_it_was_going_to_do() -> None:
    last = PyomoHighs().solve(evening(), time_limit_s=math.inf)
    later = replace(evening(), start=evening().start + timedelta(minutes=30), mode_now=last.modes[1], mode_held_slots=9)
    shifted = ShiftedPlan()
    shifted.remember(evening(), last)
    result = shifted.solve(later, time_limit_s=0.0)
    assert result.modes[: N - 2] == last.modes[2:]
    assert result.duty[0][: N - 2] == last.duty[0][2:]
    assert set(result.modes[N - 2 :]) <= {REGULAR, last.modes[-1]}


# --- how a member is passed over --------------------------------------------------------------------------------------
class Faulty:
    """A member that fails in one way, and counts how often it was asked."""

    def __init__(self, name: str, answer: Callable[[PlanProblem], Any]) -> None:
        self.name, self._answer, self.limits_s = name, answer, list[float]()

    def solve(self, problem: PlanProblem, *, time_limit_s: float) -> PlanResult:
        self.limits_s.append(time_limit_s)
        result: PlanResult = self._answer(problem)
        return result


def raising(error: Exception) -> Callable[[PlanProblem], Any]:
    def answer(_: PlanProblem) -> Any:
        raise error

    return answer


def spoiled(**changes: Any) -> Callable[[PlanProblem], Any]:
    """A good plan with something wrong in it."""

    def answer(problem: PlanProblem) -> Any:
        return replace(PyomoHighs().solve(problem, time_limit_s=60.0), **changes)

    return answer


def too_warm(problem: PlanProblem) -> Any:
    good = PyomoHighs().solve(problem, time_limit_s=60.0)
    return replace(good, air_c=tuple(tuple(a + 0.5 for a in row) for row in good.air_c))


FAULTS: dict[str, Callable[[PlanProblem], Any]] = {
    "raises": raising(RuntimeError("no licence")),
    "is out of memory": raising(MemoryError()),
    "recurses": raising(RecursionError("too deep")),
    "returns nothing": lambda _: None,
    "returns something else": lambda _: "a plan",
    "answers another question": spoiled(problem_id="another"),
    "claims too little": spoiled(cost_eur=-100.0),
    "claims no number": spoiled(objective_eur=math.nan),
    "hides a bent rule": lambda p: replace(PyomoHighs().solve(p, time_limit_s=60.0), bent_rules=()),
    "forgets a slot": lambda p: replace(PyomoHighs().solve(p, time_limit_s=60.0), soc=(0.5,) * (N - 1)),
    "has no modes": spoiled(modes=()),
    "promises warmth": too_warm,
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("following", ["kept", "cvxpy with CLARABEL", "nobody"])
def test_who_fails_is_passed_over_and_named(fault: str, following: str) -> None:
    faulty = Faulty("faulty", FAULTS[fault])
    behind = () if following == "nobody" else (MEMBERS[following](),)
    signed = Cascade((faulty, *behind)).plan(HOUSES["below its reserve"], time_limit_s=60.0)
    assert signed.result.maker == ("rules" if following == "nobody" else NAMES[following])
    assert "faulty" in signed.result.message
    assert verify(signed, HOUSES["below its reserve"])
    assert len(faulty.limits_s) == 1, "it is not asked twice"


class Clock:
    """Seconds that pass only while somebody plans."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.mark.parametrize("slow_s", [1.0, 9.5, 10.0, 400.0])
def test_who_takes_its_time_leaves_the_rest_of_it_to_the_others_and_rules_need_none(slow_s: float) -> None:
    clock = Clock()

    def slow(_: PlanProblem) -> Any:
        clock.now_s += slow_s
        raise TimeoutError("still thinking")

    first, second = Faulty("slow", slow), Faulty("next", raising(ValueError("no")))
    signed = Cascade((first, second), clock=clock).plan(evening(), time_limit_s=10.0)
    assert first.limits_s == [10.0]
    assert second.limits_s == ([10.0 - slow_s] if slow_s < 10.0 else [])
    assert signed.result.maker == "rules"
    assert "next: no time left" in signed.result.message or slow_s < 10.0


def test_a_solver_that_runs_out_of_iterations_hands_over() -> None:
    steps = 96
    rooms = tuple(room(steps, name=f"r{i}", air_c=19.0 + 0.2 * i, phase=i % 3 + 1) for i in range(4))
    big = house(steps, rooms=rooms, phase_limit_kw=7.36)
    signed = Cascade((PyomoHighs(simplex_iterations=5),)).plan(big, time_limit_s=60.0)
    assert signed.result.maker == "rules"
    assert "pyomo_highs: HiGHS stopped" in signed.result.message
    assert check(big, signed.result) == []


def test_a_member_that_failed_once_is_asked_again_next_time() -> None:
    good, count = PyomoHighs(), iter(range(10))

    def now_and_then(problem: PlanProblem) -> Any:
        if next(count) % 2 == 0:
            raise OSError("busy")
        return good.solve(problem, time_limit_s=60.0)

    cascade = Cascade((Faulty("moody", now_and_then),))
    makers = [
        cascade.plan(
            replace(evening(), start=evening().start + k * timedelta(minutes=15)), time_limit_s=60.0
        ).result.maker
        for k in range(4)
    ]
    assert makers == ["rules", "pyomo_highs", "shifted", "pyomo_highs"]


def test_what_nobody_can_answer_is_told_before_anybody_is_asked() -> None:
    faulty = Faulty("faulty", raising(RuntimeError("asked")))
    broken = replace(evening(), price_import=(*evening().price_import[:-1], math.nan))
    with pytest.raises(DataError, match="price_import"):
        Cascade((faulty,)).plan(broken, time_limit_s=60.0)
    assert faulty.limits_s == []
