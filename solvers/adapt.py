"""What the composites cannot follow, heating makes up for: the two are fitted to each other where that is worth it.

The relaxation decides heating for a battery that can do anything; the composites then chosen do a little less. Mostly
that costs a cent or two. Where it costs more, heating is solved again for the battery as it will run; where a limit
would still be broken, modes are chosen again for that heating, and for the heating of plain thermostats. And a plan
that changes modes for little is compared with one that does not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from models.types.mode import REGULAR, InverterMode
from solvers.account import mode_changes
from solvers.composites.choose import choose_modes
from solvers.composites.table import Bar
from solvers.finish import Verdict, finish
from solvers.free import Array, duties
from solvers.model.kept import Solution
from solvers.problem import PlanProblem
from solvers.result import PlanResult
from solvers.rules import held_long_enough
from solvers.thermostat import thermostat_duty

REFINE_ABOVE_EUR = 0.03  # less than that is not worth solving anything again
_RETHINK_ABOVE_EUR_PER_DAY = 0.15  # more than rounding to composites ever costs while limits are kept
_ADAPT_H = 48.0  # what lies further ahead is planned again many times before it is due


Refine = Callable[[Mapping[str, Array], float], Solution | None]


class Adapter:
    """Improves one plan.

    Parameters
    ----------
    problem : PlanProblem
        As solved.
    refine : callable
        Solves its relaxation with columns fixed in the first slots, within so many seconds; None: it could not.
    time_s : float
        For all that is solved again together.
    refine_above_eur : float
        What composites may cost beyond their price of change before anything is solved again.
    peak_kw : float
        Highest import of the relaxation, which only a price on power asks for.
    barred : Bar, optional
        What may not run: the best plan without a choice is made as the one with it.
    """

    def __init__(
        self, problem: PlanProblem, refine: Refine, time_s: float, *, peak_kw: float,
        refine_above_eur: float = REFINE_ABOVE_EUR, barred: Bar | None = None,
    ) -> None:
        self._problem, self._refine, self._peak_kw, self._barred = problem, refine, peak_kw, barred
        self._until = time.perf_counter() + time_s
        self._refine_above = refine_above_eur
        self._rethink_above = _RETHINK_ABOVE_EUR_PER_DAY * problem.steps * problem.dt_h / 24.0
        self.solve_s = 0.0

    def improve(self, result: PlanResult) -> PlanResult:
        """The same plan or a cheaper one."""
        p = self._problem
        if p.battery is None or p.free or not p.rooms:
            return result
        return self._calmer(self._adapted(result))

    def _adapted(self, result: PlanResult) -> PlanResult:
        """With modes and heating fitted to each other, where composites lose much."""
        p = self._problem
        if self._lost(result) <= self._refine_above:
            return result
        best = self._with_heating(result)
        if best is not result:  # modes that were best for the old heating may not be for the new
            best = min(best, self.with_modes(best, best.duty), key=lambda r: r.objective_eur)
        if self._lost(best) <= self._rethink_above:
            return best
        for duty in (best.duty, thermostat_duty(p)):
            again = self._with_heating(self.with_modes(best, duty))
            best = min(best, again, key=lambda r: r.objective_eur)
        return best

    def _calmer(self, result: PlanResult) -> PlanResult:
        """Regular throughout, with heating fitted to it, where that is cheaper: on flat prices heating may be at any
        time, and a plan that spares the battery for it at one time has only chosen that time badly.
        """
        p = self._problem
        if not mode_changes(p, result.modes):
            return result
        modes = held_long_enough(p, (REGULAR,) * p.steps)
        if self._barred is not None and self._barred.meets(modes):
            return result
        regular = self._finish(replace(result, modes=modes), np.array(result.duty))
        bent = sum(b.cost_eur for b in regular.bent_rules)  # heating that is fitted to it may bend nothing
        if regular.gap_eur - bent > self._rethink_above:
            return result
        return min(result, self._with_heating(regular), key=lambda r: r.objective_eur)

    def _lost(self, result: PlanResult) -> float:
        """What is lost against the relaxation, the price of mode changes aside [EUR]."""
        return result.gap_eur - self._problem.calm.mode_change_eur * mode_changes(self._problem, result.modes)

    def beginning(self, result: PlanResult, begun: Sequence[InverterMode]) -> PlanResult:
        """The same plan with the modes of its first slots decided."""
        return self.with_modes(result, result.duty, begun)

    def with_modes(
        self, result: PlanResult, duty: Sequence[Sequence[float]], begun: Sequence[InverterMode] = ()
    ) -> PlanResult:
        """A plan with this heating, shape (rooms, steps), and the modes that are best for it."""
        heat = np.array(duty).reshape(-1, self._problem.steps)
        modes = choose_modes(self._problem, heat, peak_kw=self._peak_kw, begun=begun, barred=self._barred)
        return self._finish(replace(result, modes=modes), heat)

    def _with_heating(self, result: PlanResult) -> PlanResult:
        """Heating solved again for the battery as this plan runs it; the plan itself if that is no cheaper."""
        b = self._problem.battery
        assert b is not None
        ahead = slice(round(_ADAPT_H / self._problem.dt_h))
        fixed = {"stored": np.array(result.soc[ahead]) - b.soc_min, "discharge": np.array(result.discharge_kw[ahead])}
        left_s = self._until - time.perf_counter()
        if left_s <= 0.0:
            return result
        solution = self._refine(fixed, left_s)
        if solution is None:
            return result
        self.solve_s += solution.solve_s
        if not solution.usable:
            return result
        again = self._finish(result, duties(self._problem, solution.values))
        return again if again.objective_eur < result.objective_eur else result

    def _finish(self, like: PlanResult, duty: Array) -> PlanResult:
        verdict = Verdict(
            maker=like.maker,
            stop=like.stop,
            bound_eur=like.bound_eur,
            marginal_eur_per_kwh=like.marginal_eur_per_kwh,
        )
        return finish(
            self._problem,
            verdict,
            modes=like.modes,
            export_limit_kw=like.export_limit_kw,
            duty=[tuple(row) for row in duty.tolist()],
        )
