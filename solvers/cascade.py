"""Never empty: one planner after the other until a plan passes the checker; who failed and why goes with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from models.errors import PemsError, PlanError
from solvers.checker import sign
from solvers.problem import PlanProblem
from solvers.result import PlanResult, PlanSolver, Quality, SignedPlan
from solvers.rules import RulesPlanner
from solvers.shifted import ShiftedPlan
from solvers.validate import remarks, validate


def default_members() -> tuple[PlanSolver, ...]:
    """Kept model, rebuilt model, cvxpy: what needs a solver. Imported on first use: it takes a second."""
    from solvers.pyomo_highs import PyomoHighs

    return (PyomoHighs(), _Late("rebuilt"), _Late("cvxpy"))


class _Late:
    """A member whose imports are paid only when the ones before it have failed."""

    def __init__(self, which: str) -> None:
        self.name = which
        self._made: PlanSolver | None = None

    def solve(self, problem: PlanProblem, *, time_limit_s: float) -> PlanResult:
        """Plans with the member behind the name."""
        if self._made is None:
            if self.name == "rebuilt":
                from solvers.rebuilt import Rebuilt

                self._made = Rebuilt()
            else:
                from solvers.cvxpy_fallback import CvxpyFallback

                self._made = CvxpyFallback()
        return self._made.solve(problem, time_limit_s=time_limit_s)


class Cascade:
    """Asks its members in order; the shifted last plan and the rules stand behind them.

    Parameters
    ----------
    members : sequence of PlanSolver
        The solvers proper, best first.
    clock : callable
        Monotonic seconds, to share out the time limit; a constant in simulations.
    """

    def __init__(
        self, members: Sequence[PlanSolver] | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._shifted = ShiftedPlan()
        solvers = default_members() if members is None else tuple(members)
        self._members: tuple[PlanSolver, ...] = (*solvers, self._shifted, RulesPlanner())
        self._clock = clock

    def plan(self, problem: PlanProblem, *, time_limit_s: float) -> SignedPlan:
        """The first plan that is fit, signed.

        Parameters
        ----------
        problem : PlanProblem
            What to plan.
        time_limit_s : float
            For all solvers together; continuing the last plan and the rules need next to none and always run.

        Returns
        -------
        SignedPlan
            `result.maker` says who made it, `result.message` why those before it did not, `remarks` what was odd in
            the problem.

        Raises
        ------
        DataError
            The problem itself is malformed: no member could answer it.
        PlanError
            Every member failed, the rules included.
        """
        validate(problem)
        started, failures = self._clock(), list[str]()
        for member in self._members:
            name = str(getattr(member, "name", type(member).__name__))
            left = time_limit_s - (self._clock() - started)
            last_resort = isinstance(member, (ShiftedPlan, RulesPlanner))
            if left <= 0.0 and not last_resort:
                failures.append(f"{name}: no time left")
                continue
            try:
                result = member.solve(problem, time_limit_s=left)
                if result.quality is Quality.FAILED:
                    failures.append(f"{name}: {result.message}")
                    continue
                signed = sign(problem, _told(result, failures))
            except PemsError as error:
                failures.append(f"{name}: {error}")
            except Exception as error:  # a crash of one member is the next one's turn
                failures.append(f"{name} crashed: {type(error).__name__}: {error}")
            else:
                if signed.result.quality is not Quality.FALLBACK:  # what is continued was planned, not itself continued
                    self._shifted.remember(problem, signed.result)
                return replace(signed, remarks=remarks(problem))
        raise PlanError(f"no planner found a plan: {'; '.join(failures)}", hint="see the first failure")


def _told(result: PlanResult, failures: list[str]) -> PlanResult:
    """The result with what went wrong before it. Its quality stays its own: another solver's optimum is one."""
    return replace(result, message="; ".join([*failures, result.message] if result.message else failures))
