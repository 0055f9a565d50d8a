"""What a planner answers: why it stopped is kept apart from what it left."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from models.types.mode import InverterMode
from solvers.problem import PlanProblem


class Stop(StrEnum):
    """Why the solver stopped."""

    CONVERGED = "converged"
    TIME_LIMIT = "time_limit"
    NODE_LIMIT = "node_limit"
    ERROR = "error"
    NOT_STARTED = "not_started"


class Quality(StrEnum):
    """What it left."""

    OPTIMAL = "optimal"
    FEASIBLE = "feasible"
    FALLBACK = "fallback"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class BentRule:
    """An operating limit that could not be kept, how far it was bent and what that cost."""

    rule: str
    slot: int
    amount: float
    unit: str
    cost_eur: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Seconds spent."""

    build_s: float = 0.0
    update_s: float = 0.0
    solve_s: float = 0.0
    extract_s: float = 0.0
    wall_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanResult:
    """One plan. Series have one value per slot; empty when quality is FAILED."""

    problem_id: str
    maker: str  # "pyomo_highs", "cvxpy", "rules"
    stop: Stop
    quality: Quality
    message: str
    start: datetime
    dt_h: float
    cost_eur: float  # money on the meter, for energy and power, + wear - nothing else
    objective_eur: float  # cost + comfort + calm - end values: what was minimised
    bound_eur: float  # lower bound of the objective (the relaxation)
    gap_eur: float  # objective - bound, >= 0
    modes: tuple[InverterMode, ...]  # composite per slot (regular everywhere for planning cases)
    export_limit_kw: tuple[float, ...]
    charge_kw: tuple[float, ...]  # terminals, >= 0; `case.answer` converts to the AC side
    discharge_kw: tuple[float, ...]
    soc: tuple[float, ...]  # end of slot
    import_kw: tuple[float, ...]
    export_kw: tuple[float, ...]
    pv_used_kw: tuple[float, ...]
    curtailed_kw: tuple[float, ...]
    duty: tuple[tuple[float, ...], ...]  # per room, per slot, 0..1
    air_c: tuple[tuple[float, ...], ...]  # per room, end of slot
    slab_c: tuple[tuple[float, ...], ...]
    bent_rules: tuple[BentRule, ...]
    timings: Timings
    kept_eur: float = 0.0  # what keeping to the last plan costs against the best one known; 0: this is the best
    marginal_eur_per_kwh: tuple[float, ...] = ()  # value of one more stored kWh at the end of each slot; empty: unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """Something odd in a problem that was planned with all the same: what counts instead, for people."""

    about: str  # "room.hall", "battery.reserve_soc", "prices": the same from plan to plan
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedPlan:
    """A plan that the checker re-simulated and found fit. `signature` is sha256 over problem and result."""

    result: PlanResult
    signature: str
    checked_cost_eur: float
    remarks: tuple[Remark, ...] = ()  # follow from the problem, which is signed; they are not


class PlanSolver(Protocol):
    """Anything that plans."""

    def solve(self, problem: PlanProblem, *, time_limit_s: float) -> PlanResult:
        """Plan one horizon. Infeasible and slow are results; only a bug raises."""
