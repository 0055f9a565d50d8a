"""The host of one path: it builds behaviours, feeds them letters one at a time and ends their lives, each once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from actors.runtime.behaviour import Behaviour, Managed
from actors.runtime.context import Context
from actors.runtime.envelope import Abandoned, Epoch, Failed, Lane, Letter, Restarted, Started, Stopped, Terminated
from actors.runtime.errors import Hang, Unhandled
from actors.runtime.mailbox import CONTROL, Mailbox
from actors.runtime.timers import Timer

if TYPE_CHECKING:
    from actors.runtime.runtime import Runtime

State = Literal["starting", "running", "restarting", "parked", "stopped", "abandoned"]
STALE = "for an incarnation that has ended"


# --- orders to a cell ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Start:
    """Build a behaviour and start it."""

    incarnation: int


@dataclass(frozen=True, slots=True)
class Halt:
    """End that life in order. `final`: a managed one has taken down what is below it."""

    incarnation: int
    reason: str
    final: bool = False
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Inject:
    """Raise this in the actor."""

    error: BaseException


# --- what a cell tells its supervisor -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Up:
    """That incarnation has started."""

    path: str
    incarnation: int


@dataclass(frozen=True, slots=True)
class Down:
    """That incarnation has ended."""

    path: str
    incarnation: int
    how: Literal["stopped", "failed", "abandoned"]
    reason: str


class Cell:
    """One path of the tree, over all its incarnations.

    Whoever owns the mailbox calls `step`: a thread, or the stepper. Everything else here may be called by the
    supervisor while an owner is inside `step`.
    """

    __slots__ = (
        "_end_reason",
        "_make",
        "_monotonic",
        "_runtime",
        "failed",
        "halt_since",
        "handle_timeout_s",
        "incarnation",
        "kind",
        "last_error",
        "life",
        "mailbox",
        "parent",
        "path",
        "restarts",
        "sent",
        "shutdown_s",
        "start_timeout_s",
        "state",
        "trace",
    )

    def __init__(
        self,
        runtime: Runtime,
        path: str,
        kind: str,
        make: Callable[[], Behaviour],
        *,
        parent: Cell | None,
        bound: int = 10_000,
        start_timeout_s: float | None = None,
        handle_timeout_s: float | None = None,
        shutdown_s: float | None = None,
    ) -> None:
        self._runtime = runtime
        self._monotonic = runtime.clock.monotonic
        self._make = make
        self._end_reason = ""
        self.path = path
        self.kind = kind
        self.parent = parent
        self.mailbox = Mailbox(path, bound)
        self.start_timeout_s = start_timeout_s
        self.handle_timeout_s = handle_timeout_s
        self.shutdown_s = shutdown_s
        self.state: State = "stopped"
        self.life: Context | None = None
        self.incarnation = 0
        self.restarts = 0
        self.sent = 0
        self.failed = 0
        self.last_error: str | None = None
        self.halt_since: float | None = None
        self.trace: Callable[[str, int, object], None] | None = None

    # -- orders ----------------------------------------------------------------------------------------------------

    def begin(self) -> int:
        """Have the next incarnation started; returns its number."""
        self.incarnation += 1
        if self.incarnation > 1:
            self.restarts += 1
        self.state = "starting"
        self.halt_since = None
        self.mailbox.reopen()
        if self.mailbox.owner is None:
            self._runtime.host(self)
        self._order(Start(self.incarnation))
        return self.incarnation

    def halt(self, incarnation: int, reason: str, *, final: bool = False, failed: bool = False) -> None:
        """Have that incarnation end in order, before whatever waits in its mailbox."""
        if incarnation != self.incarnation:
            return  # an order for a life that has ended must not put its successor under a time limit
        if self.halt_since is None:
            self.halt_since = self._monotonic()
        self._order(Halt(incarnation, reason, final, failed))
        self._runtime.look_at(self)

    def inject(self, error: BaseException) -> None:
        """Have `error` raised in the actor."""
        self._order(Inject(error))

    def close(self, state: State, reason: str) -> None:
        """Stay down: letters that wait, and new ones, are dead letters with this reason."""
        self.state = state
        for message, cause, sender, ask, _, bound in self.mailbox.close(reason):
            if not isinstance(bound, Timer):
                self._runtime.dead(self.path, message, reason, sender, cause)
            if ask is not None:
                self._runtime.asks.end(ask, "dead", reason)

    def _order(self, order: object) -> None:
        self.mailbox.put_control((order, self._runtime.new_cause(), None, None, None, CONTROL))

    # -- one letter ------------------------------------------------------------------------------------------------

    def step(self, owner: object) -> bool:
        """Handle one letter; False if there was none for this owner."""
        life = self.life  # read before taking: if the letter is ours, so is this life
        letter = self.mailbox.take(owner)
        if letter is None:
            return False
        message, cause, sender, ask, _, bound = letter
        if bound is not None:
            if bound is CONTROL:
                self._control(message)
                return True
            if not self._still_wanted(letter, life):
                return True
        if life is None:
            self._drop(letter, STALE)
            return True
        life.cause = cause
        life.sender = sender
        life.ask_in_hand = ask
        if ask is not None:
            self._runtime.asks.taken(ask, life)
        if self.trace is not None:
            self.trace(self.path, life.epoch.incarnation, message)
        life.busy_since = self._monotonic()
        try:
            life.handle(message)
        except BaseException as error:  # noqa: BLE001 - SystemExit and its kind end this life only
            self._raised(life, letter, error)
        else:
            life.busy_since = None
        return True

    def _still_wanted(self, letter: Letter, life: Context | None) -> bool:
        bound = letter[5]
        if isinstance(bound, Timer):
            if bound.cancelled or life is None:
                self.mailbox.drop_taken()
                return False
            if bound.period_s is None and life.timers.get(bound.name) is bound:
                del life.timers[bound.name]
            return True
        if bound is not life:
            self._drop(letter, STALE)
            return False
        return True

    def _drop(self, letter: Letter, reason: str) -> None:
        self.mailbox.drop_taken()
        self._runtime.dead(self.path, letter[0], reason, letter[2], letter[1])
        if letter[3] is not None:
            self._runtime.asks.end(letter[3], "dead", reason)

    def _raised(self, life: Context, letter: Letter, error: BaseException) -> None:
        if isinstance(error, Unhandled):
            life.busy_since = None
            self._drop(letter, "unhandled")
        elif isinstance(error, Hang):
            self._runtime.hang(self, life)
        else:
            self._fail(life, error)

    # -- lives -----------------------------------------------------------------------------------------------------

    def _control(self, order: object) -> None:
        life = self.life
        if self.trace is not None:
            self.trace(self.path, self.incarnation, order)
        if isinstance(order, Start):
            self._start(order.incarnation)
        elif isinstance(order, Halt):
            if life is not None and life.epoch.incarnation == order.incarnation:
                self._halt(life, order)
        elif isinstance(order, Inject) and life is not None:
            if isinstance(order.error, Hang):
                life.busy_since = self._monotonic()
                self._runtime.hang(self, life)
            else:
                self._fail(life, order.error)

    def _start(self, incarnation: int) -> None:
        if self.life is not None and self._let_go(self.life):  # left over by a supervisor that ended in disorder
            self._end(self.life, "failed", "its supervisor failed")
        life = Context(self, self._runtime, Epoch(self._runtime.boot, incarnation))
        life.busy_since = self._monotonic()
        self.life = life
        try:
            behaviour = self._make()
            behaviour.ctx = life
            life.behaviour = behaviour
            life.handle = behaviour.handle
            behaviour.on_start()
        except Hang:
            self._runtime.hang(self, life)
            return
        except BaseException as error:  # noqa: BLE001
            self._fail(life, error)
            return
        life.busy_since = None
        if life.alive:
            self.mailbox.set_open(True)
            if not isinstance(behaviour, Managed):
                self.report_started(life)

    def report_started(self, life: Context) -> None:
        """The life is up: say so to the supervisor and on the stream."""
        if not life.alive:
            return
        incarnation = life.epoch.incarnation
        life.phase = "handle"
        self.state = "running"
        self._runtime.publish(Started(self.path, incarnation))
        if incarnation > 1:
            self._runtime.publish(Restarted(self.path, incarnation, self._end_reason))
        self._report(Up(self.path, incarnation))

    def _halt(self, life: Context, order: Halt) -> None:
        behaviour = life.behaviour
        if isinstance(behaviour, Managed) and not order.final:
            try:
                behaviour.begin_stop(order.reason)
            except BaseException as error:  # noqa: BLE001
                self._fail(life, error)
            return
        if self._let_go(life):
            self._end(life, "failed" if order.failed else "stopped", order.reason)

    def _fail(self, life: Context, error: BaseException) -> None:
        reason = describe(error)
        if not life.alive:
            return  # abandoned meanwhile: what it raises is of no more concern than what it sends
        behaviour = life.behaviour
        life.busy_since = None
        if isinstance(behaviour, Managed) and life.ended_by is None:
            life.ended_by = reason
            try:
                behaviour.begin_failure(reason)
            except BaseException as second:  # noqa: BLE001
                reason = f"{reason}; then {describe(second)}"
            else:
                return
        self.last_error = reason
        if self._let_go(life):
            self._end(life, "failed", reason)

    def _let_go(self, life: Context) -> bool:
        """Run `on_stop`; False if the life did not come back from it."""
        if life.behaviour is None:
            return True
        life.phase = "stop"
        life.ask_in_hand = None
        life.busy_since = self._monotonic()
        try:
            life.behaviour.on_stop()
        except Hang:
            self._runtime.hang(self, life)
            return False
        except BaseException as error:  # noqa: BLE001 - the life ends anyway
            self.last_error = f"on_stop: {describe(error)}"
        return True

    def _end(self, life: Context, how: Literal["stopped", "failed", "abandoned"], reason: str) -> bool:
        """End a life, whoever comes first: its own thread or the supervisor that abandons it."""
        with life.end_lock:
            if not life.alive:
                return False
            life.alive = False
        if how != "abandoned":
            life.busy_since = None
            self.mailbox.set_open(False)
        self.life = None
        self._end_reason = reason
        self.state = "stopped" if how == "stopped" else "restarting"
        runtime = self._runtime
        incarnation = life.epoch.incarnation
        for timer in life.timers.values():
            runtime.timers.cancel(timer)
        runtime.stream.leave(life)
        runtime.asks.forget(life)
        for ask in list(life.answering.values()):
            runtime.asks.end(ask, "dead", reason)
        if how == "stopped":
            runtime.publish(Stopped(self.path, incarnation, reason))
        else:
            self.failed += 1
            self.last_error = reason
            event = Failed if how == "failed" else Abandoned
            runtime.publish(event(self.path, incarnation, reason))
        for watcher in runtime.pop_watchers(life):
            terminated = Terminated(self.path, incarnation, reason)
            runtime.post_bound(watcher, terminated, Lane.SYSTEM, life.cause, self.path)
        self._report(Down(self.path, incarnation, how, reason))
        return True

    def _report(self, report: Up | Down) -> None:
        if self.parent is None:
            self._runtime.root_reports(report)
            return
        cause = self._runtime.new_cause()
        self.parent.mailbox.put((report, cause, self.path, None, None, None), Lane.SYSTEM, None)

    # -- lives that do not come back -------------------------------------------------------------------------------

    def due(self) -> float | None:
        """Monotonic time at which the present life is overdue, if nothing changes [s]."""
        life = self.life
        if life is None:
            return None
        moments: list[float] = []
        since = life.busy_since
        if since is not None:
            limit = self._limit_s(life.phase)
            if limit is not None:
                moments.append(since + limit)
        if self.halt_since is not None and self.shutdown_s is not None:
            moments.append(self.halt_since + self.shutdown_s)
        return min(moments, default=None)

    def overdue(self) -> str | None:
        """Why the present life should be abandoned; None if it should not."""
        due = self.due()
        life = self.life
        if due is None or life is None or self._monotonic() < due:
            return None
        if self.halt_since is not None:
            return f"did not stop within {self.shutdown_s} s"
        return f"hung in {life.phase} for more than {self._limit_s(life.phase)} s"

    def _limit_s(self, phase: str) -> float | None:
        if phase == "start":
            return self.start_timeout_s
        return self.handle_timeout_s if phase == "handle" else self.shutdown_s

    def abandon(self, reason: str) -> bool:
        """Give up the present life and its thread; the mailbox waits for the next."""
        life = self.life
        if life is None:
            return False
        self.mailbox.detach()
        self._runtime.lost_thread(self)
        return self._end(life, "abandoned", reason)

    def thread_ended(self, reason: str) -> None:
        """Somebody stopped the thread from outside: the life ends as a failure."""
        self.mailbox.detach()
        life = self.life
        if life is not None and self._let_go(life):
            self._end(life, "failed", reason)


def describe(error: BaseException) -> str:
    """One line on an exception: type, text and where it was raised."""
    try:
        text = " ".join(str(error).split())[:300]
    except Exception:  # noqa: BLE001 - an exception whose text fails is still to be told
        text = "(no text)"
    where = ""
    trace = error.__traceback__
    if trace is not None:
        while trace.tb_next is not None:
            trace = trace.tb_next
        code = trace.tb_frame.f_code
        where = f" ({code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno} in {code.co_name})"
    return f"{type(error).__name__}: {text}{where}" if text else f"{type(error).__name__}{where}"
