"""Never empty: whichever member fails, and however, the next one answers, and the plan says so."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

import pytest

from models.errors import DataError, PlanError
from models.types.mode import Composite
from solvers.cascade import Cascade
from solvers.checker import verify
from solvers.cvxpy_fallback import CvxpyFallback
from solvers.finish import failed
from solvers.problem import PlanProblem
from solvers.pyomo_highs import PyomoHighs
from solvers.result import PlanResult, Quality, SignedPlan, Stop
from solvers.worker import methods, simulation_methods
from tests.solvers.houses import BATTERY, demo_house, house, room


class Crashing:
    name = "crashing"

    def solve(self, problem: PlanProblem, *, time_limit_s: float) -> PlanResult:
        raise MemoryError("out of memory")


class Failing:
    name = "failing"

    def solve(self, problem: PlanProblem, *, time_limit_s: float) -> PlanResult:
        return failed(problem, self.name, Stop.TIME_LIMIT, "too slow")


class Lying:
    """Solves, and then claims to be cheaper."""

    name = "lying"

    def solve(self, problem: PlanProblem, *, time_limit_s: float) -> PlanResult:
        result = PyomoHighs().solve(problem, time_limit_s=time_limit_s)
        return replace(result, maker=self.name, cost_eur=result.cost_eur - 0.01)


def problem(slot: int = 0) -> PlanProblem:
    base = house(prices=[0.10] * 16 + [0.60] * 32, rooms=(room(48),))
    return replace(base, start=base.start + slot * timedelta(minutes=15), mode_held_slots=8 + slot)


def test_the_first_member_that_answers_makes_the_plan() -> None:
    signed = Cascade().plan(problem(), time_limit_s=60.0)
    assert signed.result.maker == "pyomo_highs"
    assert signed.result.message == ""
    assert verify(signed, problem())


@pytest.mark.parametrize("first", [Crashing(), Failing(), Lying()], ids=lambda m: m.name)
def test_a_member_that_fails_hands_over_and_is_named(first: object) -> None:
    signed = Cascade((first, CvxpyFallback())).plan(problem(), time_limit_s=60.0)  # type: ignore[arg-type]
    assert signed.result.maker == "cvxpy"
    assert signed.result.quality is not Quality.FALLBACK  # another solver's plan is as good
    assert first.name in signed.result.message  # type: ignore[attr-defined]


def test_rules_answer_when_nobody_else_does() -> None:
    signed = Cascade((Crashing(), Failing())).plan(problem(), time_limit_s=60.0)
    assert (signed.result.maker, signed.result.quality) == ("rules", Quality.FALLBACK)
    assert "out of memory" in signed.result.message
    assert "too slow" in signed.result.message


class Once:
    """Plans well once, then never again."""

    name = "once"

    def __init__(self) -> None:
        self._left = 1

    def solve(self, problem: PlanProblem, *, time_limit_s: float) -> PlanResult:
        self._left -= 1
        if self._left < 0:
            return failed(problem, self.name, Stop.ERROR, "worn out")
        return PyomoHighs().solve(problem, time_limit_s=time_limit_s)


def test_the_last_good_plan_goes_on_when_solvers_fail() -> None:
    cascade = Cascade((Once(),))
    first = cascade.plan(problem(), time_limit_s=60.0).result
    second = cascade.plan(problem(slot=3), time_limit_s=60.0).result
    assert (first.maker, second.maker) == ("pyomo_highs", "shifted")
    assert [m.composite for m in second.modes[:40]] == [m.composite for m in first.modes[3:43]]
    assert second.duty[0][:45] == first.duty[0][3:48]
    assert any(m.composite is Composite.CHARGE_FROM_GRID for m in first.modes)


def test_an_old_plan_that_has_run_out_is_not_continued() -> None:
    cascade = Cascade((Once(),))
    cascade.plan(problem(), time_limit_s=60.0)
    assert cascade.plan(problem(slot=46), time_limit_s=60.0).result.maker == "rules"


def test_a_plan_is_continued_until_it_has_run_out_however_often_that_was_done() -> None:
    cascade = Cascade((Once(),))
    makers = [cascade.plan(problem(slot), time_limit_s=60.0).result.maker for slot in range(50)]
    assert makers == ["pyomo_highs"] + ["shifted"] * 44 + ["rules"] * 5


def test_what_the_rules_said_is_asked_of_them_again_and_not_continued() -> None:
    cascade = Cascade((Failing(),))
    assert [cascade.plan(problem(slot), time_limit_s=60.0).result.maker for slot in range(3)] == ["rules"] * 3


def test_the_plan_of_other_rooms_is_not_continued() -> None:
    cascade = Cascade((Once(),))
    cascade.plan(problem(), time_limit_s=60.0)
    other = replace(problem(1), rooms=(replace(problem().rooms[0], name="cellar"),))
    assert cascade.plan(other, time_limit_s=60.0).result.maker == "rules"


def test_a_linear_program_that_was_cut_short_is_no_plan() -> None:
    """What it leaves is no guess of an optimum: heating would be off for no reason but time."""
    cut = CvxpyFallback().solve(demo_house(0), time_limit_s=0.05)
    assert cut.quality is Quality.FAILED


def test_without_time_left_the_rules_answer_at_once() -> None:
    signed = Cascade((PyomoHighs(),)).plan(problem(), time_limit_s=0.0)
    assert signed.result.maker == "rules"
    assert "no time left" in signed.result.message


def test_a_malformed_problem_is_one_clear_line() -> None:
    broken = replace(problem(), pv_kw=(1.0,) * 7)
    with pytest.raises(DataError, match=r"pv_kw has 7 slots, must have 48"):
        Cascade(()).plan(broken, time_limit_s=60.0)


def test_the_worker_plans_and_refuses_what_is_no_problem() -> None:
    for name, maker in (("plan", "pyomo_highs"), ("smart", "smart_rules")):
        method = methods()[name]
        signed = method(problem())
        assert isinstance(signed, SignedPlan)
        assert signed.result.maker == maker
        assert verify(signed, problem())
        with pytest.raises(PlanError, match="must be a PlanProblem"):
            method({"not": "a problem"})


def test_a_simulation_plans_alike_twice() -> None:
    def run() -> list[str]:
        plan = simulation_methods()["plan"]
        return [getattr(plan(problem(slot)), "signature") for slot in range(4)]  # noqa: B009

    assert run() == run()


def test_a_plan_below_its_reserve_recovers_without_buying_at_the_spike() -> None:
    prices = [0.3] * 8 + [1.5] * 8 + [0.2] * 32
    low = replace(BATTERY, soc=0.22, reserve_soc=0.5)
    asked = house(prices=prices, battery=low, load_kw=(1.0,) * 48, rooms=(room(48),))
    result = Cascade().plan(asked, time_limit_s=math.inf).result
    assert sum(result.charge_kw[8:16]) == pytest.approx(0.0)
    assert any(b.rule == "battery.reserve" for b in result.bent_rules)
    assert result.soc[-1] >= 0.49
