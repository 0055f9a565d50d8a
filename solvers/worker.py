"""What the optimizer worker answers: one cascade, kept between calls."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import cast

from models.errors import PlanError
from solvers.cascade import Cascade
from solvers.checker import sign
from solvers.problem import PlanProblem
from solvers.result import SignedPlan
from solvers.rules import SmartRules

DEFAULT_TIME_LIMIT_S = 20.0


def methods(
    *, time_limit_s: float = DEFAULT_TIME_LIMIT_S, clock: Callable[[], float] = time.monotonic
) -> dict[str, Callable[[object], object]]:
    """Methods of the worker: `plan` (the cascade) and `smart` (a careful owner's rules), `PlanProblem` to `SignedPlan`.

    Parameters
    ----------
    time_limit_s : float
        For the solvers of one plan together; `math.inf` in simulations, whose plans may not depend on the machine.
    clock : callable
        Monotonic seconds.
    """
    cascade = Cascade(clock=clock)

    def plan(body: object) -> object:
        if not isinstance(body, PlanProblem):
            raise PlanError(f"plan: got a {type(body).__name__}, must be a PlanProblem")
        return cast(object, cascade.plan(body, time_limit_s=time_limit_s))

    def smart(body: object) -> object:
        if not isinstance(body, PlanProblem):
            raise PlanError(f"smart: got a {type(body).__name__}, must be a PlanProblem")
        return cast(object, sign(body, SmartRules().solve(body, time_limit_s=time_limit_s)))

    return {"plan": plan, "smart": smart}


def simulation_methods() -> dict[str, Callable[[object], object]]:
    """The same without any time limit: a run is a function of its seed."""
    return methods(time_limit_s=math.inf, clock=lambda: 0.0)


__all__ = ["SignedPlan", "methods", "simulation_methods"]
