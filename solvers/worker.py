"""What the optimizer worker answers: one cascade, kept between calls."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from models.errors import PlanError
from solvers.cascade import Cascade, default_members
from solvers.checker import sign
from solvers.problem import PlanProblem
from solvers.rules import SmartRules

DEFAULT_TIME_LIMIT_S = 20.0


def methods(
    *, time_limit_s: float = DEFAULT_TIME_LIMIT_S, clock: Callable[[], float] = time.monotonic
) -> dict[str, Callable[[object], object]]:
    """Methods of the worker: from `PlanProblem` to `SignedPlan` `plan`, and `smart`, the careful owner's rules; `card`,
    `marginal` and `diagnosis` answer questions about a plan.

    Parameters
    ----------
    time_limit_s : float
        For the solvers of one plan together; `math.inf` in simulations, whose plans may not depend on the machine.
    clock : callable
        Monotonic seconds.
    """
    from solvers.explain.answers import Answers  # noqa: PLC0415 - a second of imports, paid where plans are made
    from solvers.pyomo_highs import PyomoHighs  # noqa: PLC0415

    planner, *others = default_members()
    assert isinstance(planner, PyomoHighs)
    cascade, owner, answers = Cascade((planner, *others), clock=clock), SmartRules(), Answers(planner)

    def plan(body: object) -> object:
        return cascade.plan(_problem(body), time_limit_s=time_limit_s)

    def smart(body: object) -> object:
        problem = _problem(body)
        return sign(problem, owner.solve(problem, time_limit_s=time_limit_s))

    asked = {"card": answers.card, "marginal": answers.marginal, "diagnosis": answers.diagnosis}
    return {"plan": plan, "smart": smart, **asked}


def simulation_methods() -> dict[str, Callable[[object], object]]:
    """The same without any time limit: a run is a function of its seed."""
    return methods(time_limit_s=math.inf, clock=lambda: 0.0)


def _problem(body: object) -> PlanProblem:
    if not isinstance(body, PlanProblem):
        raise PlanError(f"the optimizer got a {type(body).__name__}, must be a PlanProblem")
    return body
