"""The checker believes nothing: each claim that is a little off is found."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest

from models.errors import PlanError
from models.types.mode import Composite, InverterMode
from solvers.checker import check, sign, verify
from solvers.problem import PlanProblem
from solvers.pyomo_highs import PyomoHighs
from solvers.result import BentRule, PlanResult, Timings
from solvers.signature import signature
from tests.solvers.houses import BATTERY, house, room


@pytest.fixture(scope="module")
def problem() -> PlanProblem:
    prices = [0.10] * 12 + [0.60] * 12
    return house(prices=prices, rooms=(room(24, air_c=19.9),), pv_kw=(0.0, 3.0) * 12)


@pytest.fixture(scope="module")
def result(problem: PlanProblem) -> PlanResult:
    return PyomoHighs().solve(problem, time_limit_s=math.inf)


@pytest.fixture(scope="module")
def free_problem() -> PlanProblem:
    battery = replace(BATTERY, composites=False, eff_charge_pv=0.95, eff_charge_ac=0.95)
    return house(prices=[0.10] * 12 + [0.60] * 12, battery=battery, pv_kw=(0.0, 3.0) * 12)


@pytest.fixture(scope="module")
def free_result(free_problem: PlanProblem) -> PlanResult:
    return PyomoHighs().solve(free_problem, time_limit_s=math.inf)


def spoiled(result: PlanResult, **changes: Any) -> PlanResult:
    return replace(result, **changes)


SERIES = ("charge_kw", "discharge_kw", "soc", "import_kw", "export_kw", "pv_used_kw", "curtailed_kw")


def off_by(values: tuple[float, ...], slot: int, amount: float) -> tuple[float, ...]:
    return (*values[:slot], values[slot] + amount, *values[slot + 1 :])


@pytest.mark.parametrize("name", SERIES)
@pytest.mark.parametrize("amount", [1e-4, math.nan])
def test_a_flow_or_state_that_is_off_is_found(
    problem: PlanProblem, result: PlanResult, name: str, amount: float
) -> None:
    assert check(problem, result) == []
    assert check(problem, spoiled(result, **{name: off_by(getattr(result, name), 5, amount)}))


@pytest.mark.parametrize("name", SERIES)
def test_a_freely_chosen_flow_that_is_off_is_found(
    free_problem: PlanProblem, free_result: PlanResult, name: str
) -> None:
    assert check(free_problem, free_result) == []
    assert check(free_problem, spoiled(free_result, **{name: off_by(getattr(free_result, name), 5, 1e-4)}))


@pytest.mark.parametrize("name", ["air_c", "slab_c", "duty"])
def test_a_room_that_is_off_is_found(problem: PlanProblem, result: PlanResult, name: str) -> None:
    rows = getattr(result, name)
    assert check(problem, spoiled(result, **{name: (off_by(rows[0], 3, 1e-3),)}))


@pytest.mark.parametrize("name", ["cost_eur", "objective_eur"])
def test_money_that_is_off_is_found(problem: PlanProblem, result: PlanResult, name: str) -> None:
    assert check(problem, spoiled(result, **{name: getattr(result, name) + 1e-4}))


def test_a_bent_rule_that_is_hidden_or_made_up_is_found(problem: PlanProblem, result: PlanResult) -> None:
    assert result.bent_rules, "the room starts below its band"
    assert check(problem, replace(result, bent_rules=()))
    extra = BentRule(rule="grid.import_limit", slot=3, amount=1.0, unit="kW", cost_eur=0.0)
    assert check(problem, replace(result, bent_rules=(*result.bent_rules, extra)))
    first, *rest = result.bent_rules
    for changed in ({"cost_eur": 0.0}, {"unit": "bananas"}, {"amount": first.amount + 9e-5}):
        assert check(problem, replace(result, bent_rules=(replace(first, **changed), *rest))), changed


def replaced_mode(result: PlanResult, mode: InverterMode) -> PlanResult:
    return replace(result, modes=(mode, *result.modes[1:]))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda r: replaced_mode(r, InverterMode(composite=Composite.DISCHARGE_TO_GRID)),
        lambda r: replaced_mode(r, InverterMode(composite=Composite.HOLD, stop_soc=55.0)),
        lambda r: replaced_mode(r, InverterMode(composite=Composite.CHARGE_FROM_GRID, rate=math.nan)),
        lambda r: replace(r, modes=r.modes[1:]),
        lambda r: replace(r, problem_id="another"),
        lambda r: replace(r, export_limit_kw=(99.0,) * 24),
        lambda r: replace(r, duty=()),
        lambda r: replace(r, dt_h=0.5),
    ],
    ids=["other mode", "percent", "nan rate", "too short", "other problem", "export limit", "no rooms", "other step"],
)
def test_a_decision_that_does_not_fit_is_found(
    problem: PlanProblem, result: PlanResult, spoil: Callable[[PlanResult], PlanResult]
) -> None:
    assert check(problem, spoil(result))


def test_export_at_a_negative_price_is_found() -> None:
    problem = house(prices=[0.05] * 8, pv_kw=(4.0,) * 8)
    result = PyomoHighs().solve(problem, time_limit_s=math.inf)
    assert check(problem, result) == []
    assert "export limit" in check(problem, replace(result, export_limit_kw=(10.0,) * 8))[0]


def test_what_is_not_fit_is_not_signed(problem: PlanProblem, result: PlanResult) -> None:
    with pytest.raises(PlanError, match="cost_eur"):
        sign(problem, replace(result, cost_eur=result.cost_eur - 1.0))


def test_a_signature_holds_for_this_plan_of_this_problem_only(problem: PlanProblem, result: PlanResult) -> None:
    signed = sign(problem, result)
    assert verify(signed, problem)
    assert not verify(signed, replace(problem, price_import=off_by(problem.price_import, 0, 1e-9)))
    changed = replace(result, duty=(off_by(result.duty[0], 0, 1e-9),))
    assert not verify(replace(signed, result=changed), problem)
    assert not verify(replace(signed, signature="0" * 64), problem)


def test_a_signature_survives_a_trip_through_json(problem: PlanProblem, result: PlanResult) -> None:
    def there_and_back(values: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(json.loads(json.dumps([int(v) if v == int(v) else v for v in values])))

    travelled = spoiled(result, **{name: there_and_back(getattr(result, name)) for name in SERIES})
    assert signature(problem, travelled) == signature(problem, result)
    assert signature(problem, replace(result, timings=Timings(wall_s=9.0))) == signature(problem, result)


def test_every_field_of_a_result_but_its_timings_is_signed(problem: PlanProblem, result: PlanResult) -> None:
    for field in fields(result):
        other = spoiled(result, **{field.name: None})
        assert (signature(problem, other) == signature(problem, result)) == (field.name == "timings"), field.name


def test_verifying_and_checking_need_no_solver_and_no_numpy() -> None:
    code = (
        "import sys; import solvers.checker, solvers.signature, solvers.rules, solvers.shifted, solvers.problem;"
        "bad = {'numpy', 'pyomo', 'highspy', 'cvxpy', 'scipy', 'solvers.model'} & set(sys.modules);"
        "sys.exit(f'imported {bad}' if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
