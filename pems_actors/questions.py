"""The console's questions about the plan that runs: asked of the planner, answered as plain JSON values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

from actors.planning.questions import DEADLINE_S, NoAnswer, PlanQuestion, RunningPlan
from actors.runtime import ActorError, Runtime
from models.errors import ConsoleError
from pems_actors.moments import moment
from pems_actors.plain import plain
from pems_actors.plan_file import to_text
from solvers.diagnose.diagnosis import ToldDiagnosis
from solvers.explain.cards import DecisionCard
from solvers.explain.marginal_table import MarginalTable

PLANNER = "/plan/planner"
_MOST_HOURS = 24 * 31


class Questions:
    """Answers `explain`, `marginal`, `diagnose` and `plan`.

    Parameters
    ----------
    runtime : Runtime
    zone : ZoneInfo
        Of the house: times without a zone are meant in it.
    speed : float
        House seconds per real second.
    """

    def __init__(self, runtime: Runtime, zone: ZoneInfo, speed: float) -> None:
        self._runtime, self._zone, self._speed = runtime, zone, speed

    def table(self) -> dict[str, Callable[[dict[str, Any]], object]]:
        """Method name to handler."""
        return {
            "explain": self.explain, "marginal": self.marginal, "diagnose": self.diagnose, "plan": self.plan,
        }  # fmt: skip

    def explain(self, params: dict[str, Any]) -> object:
        """The card of the choice at a time: `at` as a person writes it (none: now), `room` (none: the inverter)."""
        room = params.get("room")
        if room is not None and (not isinstance(room, str) or len(room) > 200):
            raise ConsoleError(f"room {str(room)[:40]!r} is no name")
        answer = self._ask(PlanQuestion(kind="card", at=self._at(params.get("at")), room=room))
        if not isinstance(answer, DecisionCard):
            raise ConsoleError(f"the planner answered with {type(answer).__name__}")
        return self._told(answer)

    def marginal(self, params: dict[str, Any]) -> object:
        """What more consumption costs, for so many `hours` (none: the whole horizon)."""
        hours = params.get("hours")
        if hours is not None and (isinstance(hours, bool) or not isinstance(hours, int) or hours < 1):
            raise ConsoleError(f"hours {hours!r} is no number of hours", hint="1 or more")
        answer = self._ask(PlanQuestion(kind="marginal", hours=None if hours is None else min(hours, _MOST_HOURS)))
        if not isinstance(answer, MarginalTable):
            raise ConsoleError(f"the planner answered with {type(answer).__name__}")
        return self._told(answer)

    def diagnose(self, params: dict[str, Any]) -> object:
        """Which limits conflict where the plan that runs bends any, in words."""
        answer = self._ask(PlanQuestion(kind="diagnosis"))
        if not isinstance(answer, ToldDiagnosis):
            raise ConsoleError(f"the planner answered with {type(answer).__name__}")
        return self._told(answer)

    def plan(self, params: dict[str, Any]) -> object:
        """The plan that runs, with its problem, as `plan_file` reads it."""
        answer = self._ask(PlanQuestion(kind="plan"))
        if not isinstance(answer, RunningPlan):
            raise ConsoleError(f"the planner answered with {type(answer).__name__}")
        return {"zone": str(self._zone), "text": to_text(answer.problem, answer.plan)}

    def _at(self, text: object) -> Any:
        if text is None:
            return None
        if not isinstance(text, str):
            raise ConsoleError(f"at {text!r} is no time", hint="write it as 18:00")
        now = self._runtime.clock.now()
        return moment("--at", text, now=now, zone=self._zone)

    def _ask(self, question: PlanQuestion) -> object:
        try:
            answer = self._runtime.ask(PLANNER, question, (DEADLINE_S + 5.0) * self._speed)
        except ActorError as error:
            raise ConsoleError(str(error)) from None
        if isinstance(answer, NoAnswer):
            raise ConsoleError(answer.reason, hint=answer.hint)
        return answer

    def _told(self, answer: object) -> object:
        told = plain(answer)
        assert isinstance(told, dict)
        return {"zone": str(self._zone), **told}
