"""The last plan that was fit, moved on in time: what to do while no solver answers. Pure Python."""

from __future__ import annotations

import math

from models.types.mode import REGULAR
from solvers.finish import Verdict, failed, finish
from solvers.problem import PlanProblem
from solvers.result import PlanResult, Stop
from solvers.rules import held_long_enough
from solvers.thermostat import thermostat_duty

_LEAST_LEFT_SLOTS = 4  # with less left of the old plan the rules know better


class ShiftedPlan:
    """Remembers one plan and continues it: its modes and duties from now on, then regular mode and thermostats."""

    name = "shifted"

    def __init__(self) -> None:
        self._last: PlanResult | None = None
        self._rooms: list[str] = []

    def remember(self, problem: PlanProblem, result: PlanResult) -> None:
        """Keeps a plan that was found fit."""
        self._last, self._rooms = result, [room.name for room in problem.rooms]

    def solve(self, problem: PlanProblem, *, time_limit_s: float) -> PlanResult:
        """Continues the last plan; fails where there is none or it does not fit this house and time."""
        last = self._last
        if last is None or problem.free:
            return failed(problem, self.name, Stop.NOT_STARTED, "there is no earlier plan to continue")
        gone = (problem.start - last.start).total_seconds() / 3600.0 / problem.dt_h
        whole = round(gone)
        left = len(last.modes) - whole
        same = last.dt_h == problem.dt_h and self._rooms == [room.name for room in problem.rooms]
        if not same or abs(gone - whole) > 1e-6 or whole < 0 or left < min(_LEAST_LEFT_SLOTS, problem.steps):
            return failed(problem, self.name, Stop.NOT_STARTED, f"the plan of {last.start} does not reach far enough")
        keep = min(left, problem.steps)
        wishes = list(last.modes[whole : whole + keep]) + [REGULAR] * (problem.steps - keep)
        for t, known in enumerate(problem.price_known):
            if not known:
                wishes[t] = REGULAR  # neither buying nor selling on a price that nobody knows
        return finish(
            problem,
            Verdict(maker=self.name, stop=Stop.CONVERGED, bound_eur=-math.inf, fallback=True),
            modes=held_long_enough(problem, wishes),
            export_limit_kw=problem.export_allowed_kw,
            duty=thermostat_duty(problem, begun=[row[whole : whole + keep] for row in last.duty]),
        )
