"""From decisions to a `PlanResult`: the house is played through, the bill added up, broken rules named.

Pure Python, shared by every maker; what differs between makers is only how decisions are found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from models.types.mode import REGULAR, InverterMode
from solvers.account import account
from solvers.problem import PlanProblem
from solvers.replay import Trajectory, replay
from solvers.result import PlanResult, Quality, Stop, Timings

_OPTIMAL_SHARE = 1e-4  # of the objective: a plan this close to its bound is called optimal
_OPTIMAL_EUR = 1e-5


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Who made a plan, and how the making ended."""

    maker: str
    stop: Stop
    bound_eur: float
    message: str = ""
    fallback: bool = False
    timings: Timings = field(default_factory=Timings)
    marginal_eur_per_kwh: tuple[float, ...] = ()


def finish(
    problem: PlanProblem,
    verdict: Verdict,
    *,
    modes: Sequence[InverterMode],
    export_limit_kw: Sequence[float],
    duty: Sequence[Sequence[float]],
    trajectory: Trajectory | None = None,
) -> PlanResult:
    """Completes a plan.

    Parameters
    ----------
    problem : PlanProblem
        What was asked.
    verdict : Verdict
        Who answers, how it stopped, and the lower bound found (-inf: none).
    modes, export_limit_kw, duty
        The decisions, per slot; duty per room and slot.
    trajectory : Trajectory, optional
        Flows chosen freely (planning cases); None: what the inverter makes of the decisions.
    """
    t = trajectory if trajectory is not None else replay(problem, modes, export_limit_kw, duty)
    bill = account(problem, t, modes, duty)
    objective = bill.objective_eur
    gap = max(0.0, objective - verdict.bound_eur)
    near = gap <= max(_OPTIMAL_EUR, _OPTIMAL_SHARE * abs(objective))
    quality = Quality.FALLBACK if verdict.fallback else (Quality.OPTIMAL if near else Quality.FEASIBLE)
    return PlanResult(
        problem_id=problem.id,
        maker=verdict.maker,
        stop=verdict.stop,
        quality=quality,
        message=verdict.message,
        start=problem.start,
        dt_h=problem.dt_h,
        cost_eur=bill.cost_eur,
        objective_eur=objective,
        bound_eur=verdict.bound_eur,
        gap_eur=gap,
        modes=tuple(modes),
        export_limit_kw=tuple(export_limit_kw),
        charge_kw=t.charge_kw,
        discharge_kw=t.discharge_kw,
        soc=t.soc,
        import_kw=t.import_kw,
        export_kw=t.export_kw,
        pv_used_kw=t.pv_used_kw,
        curtailed_kw=t.curtailed_kw,
        duty=tuple(tuple(d) for d in duty),
        air_c=t.air_c,
        slab_c=t.slab_c,
        bent_rules=bill.bent_rules,
        timings=verdict.timings,
        marginal_eur_per_kwh=verdict.marginal_eur_per_kwh,
    )


def failed(problem: PlanProblem, maker: str, stop: Stop, message: str, timings: Timings | None = None) -> PlanResult:
    """A result that says why there is no plan."""
    nan = float("nan")
    return PlanResult(
        problem_id=problem.id,
        maker=maker,
        stop=stop,
        quality=Quality.FAILED,
        message=message,
        start=problem.start,
        dt_h=problem.dt_h,
        cost_eur=nan,
        objective_eur=nan,
        bound_eur=nan,
        gap_eur=nan,
        modes=(),
        export_limit_kw=(),
        charge_kw=(),
        discharge_kw=(),
        soc=(),
        import_kw=(),
        export_kw=(),
        pv_used_kw=(),
        curtailed_kw=(),
        duty=(),
        air_c=(),
        slab_c=(),
        bent_rules=(),
        timings=timings or Timings(),
    )


def free_modes(problem: PlanProblem) -> tuple[InverterMode, ...]:
    """Modes of a plan whose flows are chosen freely."""
    return (REGULAR,) * problem.steps
