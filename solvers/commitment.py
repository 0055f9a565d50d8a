"""Calm: keeping to what the last plan would do now, as long as that costs next to nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from models.types.mode import TRADING, InverterMode
from solvers.composites.labels import NEAR_SOC
from solvers.problem import PlanProblem
from solvers.result import PlanResult


def keep_to_it(
    problem: PlanProblem, best: PlanResult, replan: Callable[[Sequence[InverterMode]], PlanResult]
) -> PlanResult:
    """The best plan, or the best that begins as the last one would have gone on.

    Two plans of one quarter hour apart often differ by less than forecasts are worth. Following each of them wears
    registers and trust; so what the last plan would run for the next dwell time stands, if the regret (its objective
    less the best one's) is within what the commitment allows this time and for the rest of the day.

    Parameters
    ----------
    problem : PlanProblem
        Its `commitment` says what the last plan would do; None: nothing to keep to.
    best : PlanResult
        Of this problem, without regard to the last one.
    replan : callable
        From modes of the first slots to the best plan that begins with them.

    Returns
    -------
    PlanResult
        With `kept_eur`, the regret, if it keeps to the last plan.
    """
    c = problem.commitment
    if c is None or problem.free or problem.battery is None:
        return best
    begun = c.modes[: min(max(problem.min_mode_slots, 1), problem.steps)]
    blind = any(m.composite in TRADING and not known for m, known in zip(begun, problem.price_known, strict=False))
    if not begun or blind or all(_same(a, b) for a, b in zip(begun, best.modes, strict=False)):
        return best
    kept = replan(begun)
    regret_eur = kept.objective_eur - best.objective_eur
    if regret_eur <= min(c.at_most_eur, c.left_eur):
        return replace(kept, kept_eur=max(0.0, regret_eur))
    return best


def _same(a: InverterMode, b: InverterMode) -> bool:
    """Nothing would be written to go from one to the other."""
    if a.composite is not b.composite or (a.rate or 1.0) != (b.rate or 1.0):
        return False
    if a.stop_soc is None or b.stop_soc is None:
        return True
    return abs(a.stop_soc - b.stop_soc) <= NEAR_SOC
