"""Questions to the planner about the plan that runs: handed to the optimizer with the plan, answered when it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from actors.messages import Holding
from actors.runtime import Clock, Context, ReplyToken, WorkerCall, WorkerDone, WorkerFailed
from actors.runtime.clock import speed_of
from models.types.command import Level
from models.types.house import Room
from solvers.explain.questions import CardQuestion, DiagnosisQuestion, MarginalQuestion
from solvers.problem import PlanProblem
from solvers.result import SignedPlan

DEADLINE_S = 20.0  # real: plans wait behind questions for no longer
_MOST = 2  # at once: the worker is there for plans
_OUR_ERROR = "PlanError: "  # how a worker tells a refusal in words for people


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanQuestion:
    """Ask the planner: `card`, `marginal` and `diagnosis` are answered by the worker, `plan` with a `RunningPlan` at
    once."""

    kind: Literal["card", "marginal", "diagnosis", "plan"]
    at: datetime | None = None  # card; None: now
    room: str | None = None  # card; None: the inverter
    hours: int | None = None  # marginal; None: the whole horizon


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningPlan:
    """The plan that runs, and what was asked."""

    problem: PlanProblem
    plan: SignedPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class NoAnswer:
    """Why a question has none, in one line."""

    reason: str
    hint: str | None = None


_WHO = {
    Level.EMERGENCY_STOP: "the emergency stop", Level.SAFETY_TRIP: "a trip", Level.GRID_OPERATOR: "a limit",
    Level.USER: "a person",
}  # fmt: skip


def left_to_itself(
    question: PlanQuestion, rooms: Sequence[Room], held: Mapping[str, Holding], clock: Clock
) -> NoAnswer | None:
    """Why a plan's choice for a room cannot act: somebody stronger has given it back to its own thermostat.

    The planner goes on as if it heated such a room, about as the thermostat does: its card would be about nothing. A
    relay or setpoint that is held at a value is in the problem, and told by the card.
    """
    room = next((r for r in rooms if r.name == question.room), None)
    if question.kind != "card" or room is None:
        return None
    point = f"room.{room.name}.{'setpoint_c' if room.control == 'setpoint' else 'relay'}"
    by = held.get(point)
    if by is None or by.value in ("on", "off") or isinstance(by.value, (int, float)):
        return None
    in_s = 0.0 if question.at is None else (question.at - clock.now()).total_seconds()
    if by.until_s is not None and by.until_s <= clock.monotonic() + in_s:
        return None
    return NoAnswer(
        reason=f"{room.name} is left to its own thermostat by {_WHO.get(by.level, 'somebody')}: no plan acts on it",
        hint=f"`why {point}` tells more",
    )


class OpenQuestions:
    """Questions that wait for the optimizer, of one life of the planner.

    Parameters
    ----------
    ctx : Context
        Of the planner.
    port : str
        Path of the optimizer.
    """

    def __init__(self, ctx: Context, port: str) -> None:
        self._ctx, self._port = ctx, port
        self._open: dict[str, ReplyToken] = {}
        self._ends_s: dict[str, float] = {}  # when the port gives each of them up, monotonic
        self._number = 0

    def left_s(self) -> float:
        """For so long at most the optimizer may still be busy with questions; what is asked now waits behind them."""
        return max(0.0, max(self._ends_s.values(), default=0.0) - self._ctx.clock.monotonic())

    def ask(self, question: PlanQuestion, running: RunningPlan | None) -> None:
        """Takes the question in hand; its answer goes to who asked, now or later."""
        if running is None:
            self._ctx.reply(NoAnswer(reason="there is no plan yet", hint="`status` tells what the planner waits for"))
        elif question.kind == "plan":
            self._ctx.reply(running)
        elif len(self._open) >= _MOST:
            self._ctx.reply(NoAnswer(reason=f"{_MOST} questions are being answered already", hint="ask again"))
        elif self._ctx.asked:
            self._send(question, running)

    def _send(self, question: PlanQuestion, running: RunningPlan) -> None:
        self._number += 1
        epoch = self._ctx.epoch
        call_id = f"{question.kind}-{epoch.boot}.{epoch.incarnation}-q{self._number}"
        self._open[call_id] = self._ctx.reply_token()
        body: object
        if question.kind == "card":
            at = self._ctx.clock.now() if question.at is None else question.at
            body = CardQuestion(problem=running.problem, plan=running.plan, at=at, room=question.room)
        elif question.kind == "diagnosis":
            body = DiagnosisQuestion(problem=running.problem, plan=running.plan)
        else:
            body = MarginalQuestion(problem=running.problem, hours=question.hours)
        deadline_s = DEADLINE_S * speed_of(self._ctx.clock)
        self._ends_s[call_id] = self._ctx.clock.monotonic() + deadline_s
        self._ctx.tell(self._port, WorkerCall(id=call_id, method=question.kind, body=body, deadline_s=deadline_s))

    def answered(self, outcome: WorkerDone | WorkerFailed) -> bool:
        """Whether this was the answer to one of them; it is on its way then."""
        token = self._open.pop(outcome.id, None)
        self._ends_s.pop(outcome.id, None)
        if token is None:
            return False
        if isinstance(outcome, WorkerDone):
            self._ctx.reply_to(token, outcome.value)
        elif outcome.kind == "error" and outcome.reason.startswith(_OUR_ERROR):
            self._ctx.reply_to(token, NoAnswer(reason=outcome.reason.removeprefix(_OUR_ERROR)))
        else:
            reason = f"the optimizer did not answer: {outcome.kind}: {outcome.reason}"
            self._ctx.reply_to(token, NoAnswer(reason=reason))
        return True
