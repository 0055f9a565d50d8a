"""Answers about a plan, from the model that made it: it is warm, and asked between two plans."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from models.errors import PlanError
from solvers.diagnose.diagnosis import ToldDiagnosis
from solvers.diagnose.search import diagnose
from solvers.diagnose.words import lines
from solvers.explain.cards import DecisionCard
from solvers.explain.explainer import Explainer
from solvers.explain.ledger import slot_time
from solvers.explain.marginal import marginal_table
from solvers.explain.marginal_table import MarginalTable
from solvers.explain.questions import CardQuestion, DiagnosisQuestion, MarginalQuestion
from solvers.model.kept import Limits
from solvers.problem import PlanProblem
from solvers.pyomo_highs import PyomoHighs
from solvers.result import SignedPlan
from solvers.validate import remarks, validate

_LIMITS = Limits(time_s=10.0)  # of each re-solve
_TABLE_S = 12.0  # a plan may wait behind a table or a diagnosis for so long: then it ends where it is


class Answers:
    """What the optimizer worker answers beside plans.

    Parameters
    ----------
    planner : PyomoHighs
        Its kept models are asked; one is built where there is none of the problem's shape.
    limits : Limits
        Of each re-solve.
    """

    def __init__(self, planner: PyomoHighs, limits: Limits = _LIMITS) -> None:
        self._planner, self._limits = planner, limits

    def card(self, body: object) -> DecisionCard:
        """The card of the choice at a time. PlanError where nothing is chosen then."""
        if not isinstance(body, CardQuestion):
            raise PlanError(f"the optimizer got a {type(body).__name__}, must be a CardQuestion")
        validate(body.problem)
        model, _ = self._planner.model_of(body.problem)
        return Explainer(model, body.problem, body.plan.result, self._limits).card(body.at, room=body.room)

    def marginal(self, body: object) -> MarginalTable:
        """What more consumption would cost."""
        if not isinstance(body, MarginalQuestion):
            raise PlanError(f"the optimizer got a {type(body).__name__}, must be a MarginalQuestion")
        validate(body.problem)
        model, _ = self._planner.model_of(body.problem)
        return marginal_table(model, body.problem, self._limits, hours=body.hours, within_s=_TABLE_S)

    def diagnosis(self, body: object) -> ToldDiagnosis:
        """Which limits conflict where the plan bends any, in words; times in the house's zone."""
        if not isinstance(body, DiagnosisQuestion):
            raise PlanError(f"the optimizer got a {type(body).__name__}, must be a DiagnosisQuestion")
        problem, result = body.problem, body.plan.result
        validate(problem)
        found = diagnose(problem, result, time_limit_s=_TABLE_S)
        return ToldDiagnosis(
            problem_id=problem.id, issued=problem.issued, start=problem.start, dt_h=problem.dt_h, maker=result.maker,
            lines=lines(problem, result, found, zone=ZoneInfo(problem.timezone)),
            remarks=tuple(remark.text for remark in remarks(problem)), diagnosis=found,
        )  # fmt: skip

    def all_cards(self, problem: PlanProblem, plan: SignedPlan) -> tuple[DecisionCard, ...]:
        """The cards of all switches of the inverter in a plan, in order of time; empty without a battery."""
        validate(problem)
        if problem.battery is None:
            return ()
        model, _ = self._planner.model_of(problem)
        explainer = Explainer(model, problem, plan.result, self._limits)
        found: list[DecisionCard] = []
        at = problem.start
        while at < slot_time(problem, problem.steps):
            found.append(explainer.card(at))
            at = found[-1].end
        return tuple(found)
