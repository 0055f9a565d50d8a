"""What may be asked about a plan, as it travels to the worker that made it. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from solvers.problem import PlanProblem
from solvers.result import SignedPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class CardQuestion:
    """Why does the plan do what it does at a time: answered with a `DecisionCard`."""

    problem: PlanProblem
    plan: SignedPlan
    at: datetime  # aware
    room: str | None = None  # None: the inverter


@dataclass(frozen=True, slots=True, kw_only=True)
class DiagnosisQuestion:
    """Which limits conflict where the plan bends any: answered with a `ToldDiagnosis`."""

    problem: PlanProblem
    plan: SignedPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginalQuestion:
    """What would more consumption cost: answered with a `MarginalTable`."""

    problem: PlanProblem
    hours: int | None = None  # None: all of the horizon
