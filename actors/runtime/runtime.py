"""What both runtimes share: the tree of cells, the services behind `Context`, and the counters."""

from __future__ import annotations

import itertools
import logging
import threading
from collections import deque
from collections.abc import Callable, Hashable
from functools import partial
from typing import TYPE_CHECKING, Any

from actors.runtime.asks import Ask, Asks
from actors.runtime.behaviour import Behaviour
from actors.runtime.cell import Cell, Down, Up
from actors.runtime.clock import Clock, real_floor
from actors.runtime.envelope import Busy, DeadLetter, Envelope, Epoch, Lane, Terminated
from actors.runtime.errors import ActorError, AskDead, AskTimeout, UnknownPathError
from actors.runtime.mailbox import BUSY, FENCED, Mailbox
from actors.runtime.spec import ChildSpec, SupervisorSpec, check_spec, child_path
from actors.runtime.stats import CellStats, Ledger
from actors.runtime.stream import Coalesce, Standing, Stream, Subscription
from actors.runtime.supervisor import RestartChild, Supervisor
from actors.runtime.timers import Timer, Timers

if TYPE_CHECKING:
    from actors.runtime.context import Context

_log = logging.getLogger(__name__)

MAX_ABANDONED = 3  # threads that hang and cannot be killed; more of them and only a new process helps


class Runtime:
    """The tree and its services; a subclass says who calls `Cell.step`.

    Parameters
    ----------
    root : SupervisorSpec
        The whole tree; its id is not used, its path is `/`.
    clock : Clock
        Time for timers, limits and behaviours.
    boot : int
        Boot number, first part of every epoch.
    seed : int
        Of all random numbers behaviours and supervisors use.
    on_escalate : callable, optional
        Called once, with the reason, when the tree cannot help itself: a supervisor under the root or a child of the
        root has given up, the root failed, or three threads hang. Comes in a thread of the tree, so it should wake the
        main thread to end the process, and not wait for `stop` itself.

    Raises
    ------
    SpecError
        The tree cannot be built as described.
    """

    def __init__(
        self,
        root: SupervisorSpec,
        *,
        clock: Clock,
        boot: int = 1,
        seed: int = 0,
        on_escalate: Callable[[str], None] | None = None,
    ) -> None:
        check_spec(root)
        self.clock = clock
        self.boot = boot
        self.seed = seed
        self.escalated: str | None = None
        self._on_escalate = on_escalate
        self._send_log: Callable[[Envelope], None] | None = None
        self._causes = itertools.count(1)
        self._lock = threading.Lock()
        self._watchers: dict[str, list[Context]] = {}
        self._unknown = 0
        self._recent_dead: deque[DeadLetter] = deque(maxlen=256)
        self._lost_threads = 0
        self.timers = Timers(clock)
        self.asks = Asks(self)
        self.stream = Stream()
        self.cells: dict[str, Cell] = {}
        self.boxes: dict[str, Mailbox] = {}
        self.root = self._build(root, "/", None)

    def _build(self, spec: SupervisorSpec, path: str, parent: Cell | None) -> Cell:
        cell = Cell(self, path, "supervisor", lambda: Supervisor(self, spec, path), parent=parent)
        self._enter(cell)
        for child in spec.children:
            here = child_path(path, child.id)
            if isinstance(child, SupervisorSpec):
                self._build(child, here, cell)
            else:
                self._enter(self._child(child, here, cell))
        return cell

    def _child(self, spec: ChildSpec, path: str, parent: Cell) -> Cell:
        limit = spec.handle_timeout_s
        return Cell(
            self,
            path,
            "actor",
            spec.make,
            parent=parent,
            bound=spec.mailbox_bound,
            start_timeout_s=real_floor(self.clock, spec.start_timeout_s),
            handle_timeout_s=None if limit is None else real_floor(self.clock, limit),
            shutdown_s=real_floor(self.clock, spec.shutdown_s),
        )

    def _enter(self, cell: Cell) -> None:
        self.cells[cell.path] = cell
        self.boxes[cell.path] = cell.mailbox

    # -- what a runtime must say -----------------------------------------------------------------------------------

    def host(self, cell: Cell) -> None:
        """Give a cell that has no owner one: a new thread, or the stepper."""
        raise NotImplementedError

    def hang(self, cell: Cell, life: Context) -> None:
        """Do as a handler that never returns."""
        raise NotImplementedError

    def look_at(self, cell: Cell) -> None:
        """A cell was asked to stop: see to it that it is noticed if it does not."""

    def root_reports(self, report: Up | Down) -> None:
        """The root supervisor is up or down."""
        if isinstance(report, Down) and report.how != "stopped":
            self.escalate(f"the root supervisor failed: {report.reason}")

    # -- from outside the tree -------------------------------------------------------------------------------------

    def tell(self, path: str, message: object, *, lane: Lane = Lane.USER, coalesce: Hashable | None = None) -> None:
        """Send a message from outside the tree; never raises."""
        cause = self.new_cause()
        box = self.boxes.get(path)
        if box is None:
            self.unknown(path, message, None, cause)
            return
        refused = box.put((message, cause, None, None, coalesce, None), lane, None)
        if refused is not None:
            self._dead_letter(path, message, refused, None, cause)

    def ask(self, path: str, message: object, timeout_s: float, *, lane: Lane = Lane.USER) -> object:
        """Ask from outside the tree and wait for the reply.

        Raises
        ------
        AskTimeout
            No reply within `timeout_s` (in the runtime's clock, at least 1 s of real time).
        AskDead
            There will be none.
        """
        ask = self.asks.open(path, None, None, self.new_cause())
        ask.done = threading.Lock()
        ask.done.acquire()
        self._deliver(ask, message, lane, None)
        self._wait(ask, real_floor(self.clock, timeout_s))
        if ask.outcome == "answer":
            return ask.value
        if ask.outcome == "dead":
            raise AskDead(f"{path} cannot answer {type(message).__name__}: {ask.value}")
        raise AskTimeout(f"{path} did not answer {type(message).__name__} within {timeout_s:g} s")

    def _wait(self, ask: Ask, timeout_s: float) -> None:
        raise NotImplementedError

    def restart(self, path: str, reason: str = "asked for") -> None:
        """Have an actor or supervisor restarted, with its group if it has one; not counted against it.

        Raises
        ------
        UnknownPathError
            Nothing lives there, or it is the root.
        """
        cell = self._cell(path)
        if cell.parent is None:
            raise UnknownPathError("the root cannot be restarted", hint="restart the process, or name a child")
        self.post_to(cell.parent, RestartChild(path, reason), None)

    def inject(self, path: str, error: BaseException) -> None:
        """Have `error` raised in that actor, before any message that waits there."""
        self._cell(path).inject(error)

    def publish(self, event: object, life: Context | None = None) -> None:
        """Send an event to its subscribers and listeners; `life` is the incarnation that publishes."""
        cause = self.new_cause() if life is None else life.cause
        if life is None or life.alive:
            self.stream.stand(event, life, cause)
        for subscription in self.stream.subscribers(type(event)):
            self._hand_on(subscription, Standing(event, life, cause))
            if life is not None:
                self.cells[life.path].sent += 1
        if life is None or life.alive:
            for listener in self.stream.listeners(event):
                _call_outside(listener, event)

    def subscribe(self, life: Context, event_type: type, coalesce: Coalesce | None, lane: Lane) -> None:
        """Have a life hear of events of a type, from those that stand on."""
        self.stream.subscribe(life, event_type, coalesce, lane, self._hand_on)

    def _hand_on(self, to: Subscription, what: Standing) -> None:
        event, life, cause = what
        key = self._key(to.coalesce, event) if to.coalesce is not None else None
        sender = None if life is None else life.path
        refused = self.boxes[to.life.path].put((event, cause, sender, None, key, to.life), to.lane, life)
        if refused is not None:
            self._dead_letter(to.life.path, event, refused, sender, cause)

    @staticmethod
    def _key(coalesce: Callable[[object], Hashable | None], event: object) -> Hashable | None:
        try:
            key = coalesce(event)
        except Exception:
            _log.exception("a subscriber's coalesce function failed on %s", type(event).__name__)
            return None  # the publisher is not to suffer for it
        return None if key is None else (type(event), key)

    def listen(self, listener: Callable[[object], None], *event_types: type) -> None:
        """Have a function called with each event of these types, in the publisher's thread: it must be quick."""
        self.stream.listen(listener, event_types)

    @property
    def send_log(self) -> Callable[[Envelope], None] | None:
        """Called with every accepted message, in the sender's thread."""
        return self._send_log

    @send_log.setter
    def send_log(self, log: Callable[[Envelope], None] | None) -> None:
        self._send_log = log
        for box in self.boxes.values():
            box.log = None if log is None else partial(_call_outside, log)

    # -- looking ---------------------------------------------------------------------------------------------------

    def stats(self) -> list[CellStats]:
        """Every path, supervisors before their children."""
        now = self.clock.monotonic()
        return [self._stats(cell, now) for cell in self.cells.values()]

    def _stats(self, cell: Cell, now: float) -> CellStats:
        life = cell.life
        busy = life.busy_since if life is not None else None
        behaviour = life.behaviour if life is not None else None
        _, handled, coalesced, dead, _ = cell.mailbox.ledger()
        return CellStats(
            path=cell.path,
            kind=cell.kind,
            state=cell.state,
            incarnation=cell.incarnation,
            epoch=Epoch(self.boot, cell.incarnation),
            restarts=cell.restarts,
            handled=handled,
            sent=cell.sent,
            failed=cell.failed,
            coalesced=coalesced,
            dead_letters=dead,
            queued=cell.mailbox.queued(),
            busy_since=busy,
            busy_s=None if busy is None else now - busy,
            last_error=cell.last_error,
            behaviour=None if behaviour is None else type(behaviour).__name__,
        )

    def behaviour_snapshot(self, path: str) -> dict[str, object]:
        """What the behaviour shows of itself, read past its mailbox; empty if there is none at the moment.

        Raises
        ------
        UnknownPathError, ActorError
            Nothing lives there; its `snapshot` failed.
        """
        life = self._cell(path).life
        if life is None or life.behaviour is None:
            return {}
        try:
            return life.behaviour.snapshot()
        except Exception as error:
            raise ActorError(f"{path} cannot show its state: {type(error).__name__}: {error}") from error

    def dead_letters(self) -> list[DeadLetter]:
        """The latest dead letters, oldest first."""
        with self._lock:
            return list(self._recent_dead)

    def ledger(self) -> Ledger:
        """Totals over all mailboxes; exact when nothing is being sent at the moment."""
        totals = [self._unknown, 0, 0, self._unknown, 0]
        for box in self.boxes.values():
            for i, count in enumerate(box.ledger()):
                totals[i] += count
        return Ledger(*totals)

    # -- services behind Context -----------------------------------------------------------------------------------

    def new_cause(self) -> str:
        """A new causality id."""
        return f"{self.boot}.{next(self._causes)}"

    def post_own(self, life: Context, message: object, lane: Lane, key: Hashable | None) -> bool:
        """Put a message into the mailbox of a living incarnation, for it alone."""
        cause = self.new_cause()
        refused = self.boxes[life.path].put((message, cause, life.path, None, key, life), lane, life)
        if refused is not None:
            self._dead_letter(life.path, message, refused, life.path, cause)
        return refused is None

    def post_bound(self, life: Context, message: object, lane: Lane, cause: str, sender: str | None) -> None:
        """Deliver something only that incarnation has waited for."""
        refused = self.boxes[life.path].put((message, cause, sender, None, None, life), lane, None)
        if refused is not None:
            self._dead_letter(life.path, message, refused, sender, cause)

    def post_to(self, cell: Cell, message: object, sender: str | None) -> None:
        """Tell a supervisor something, ahead of ordinary messages."""
        cell.mailbox.put((message, self.new_cause(), sender, None, None, None), Lane.SYSTEM, None)

    def refused(self, life: Context, to: str, message: object, reason: str, key: object, cause: str) -> None:
        """A send of `life` was refused: a dead letter, and `Busy` for it if the receiver was full."""
        self._dead_letter(to, message, reason, life.path, cause)
        if reason is BUSY and key is None:
            self.post_bound(life, Busy(to, message), Lane.SYSTEM, cause, to)

    def unknown(self, to: str, message: object, sender: str | None, cause: str) -> None:
        """A send to a path where nothing lives."""
        with self._lock:
            self._unknown += 1
        self._dead_letter(to, message, "unknown path", sender, cause)

    def dead(self, to: str, message: object, reason: str, sender: str | None, cause: str) -> None:
        """A letter that the mailbox of `to` has counted as dropped."""
        self._dead_letter(to, message, reason, sender, cause)

    def _dead_letter(self, to: str, message: object, reason: str, sender: str | None, cause: str) -> None:
        letter = DeadLetter(to, type(message).__name__, reason, sender, cause)
        with self._lock:
            self._recent_dead.append(letter)
        if not isinstance(message, DeadLetter):  # one about a dead letter would go round for ever
            self.publish(letter)

    def ask_from(self, life: Context, to: str, message: object, timeout_s: float, tag: object, lane: Lane) -> int:
        """Send an ask of an incarnation."""
        cause = life.cause
        self.cells[life.path].sent += 1
        with life.end_lock:
            if not life.alive:
                self._refuse_late(to, message, life)
                return 0
            ask = self.asks.open(to, life, tag, cause)
            ask.timer = self.timers.add(timeout_s, lambda _: self._time_out(ask))
        self._deliver(ask, message, lane, life)
        return ask.id

    def _time_out(self, ask: Ask) -> None:
        self.asks.end(ask, "timeout")

    def _deliver(self, ask: Ask, message: object, lane: Lane, life: Context | None) -> None:
        sender = life.path if life is not None else None
        box = self.boxes.get(ask.to)
        if box is None:
            self.unknown(ask.to, message, sender, ask.asker_cause)
            self.asks.end(ask, "dead", "unknown path")
            return
        refused = box.put((message, ask.asker_cause, sender, ask, None, None), lane, life)
        if refused is not None:
            self._dead_letter(ask.to, message, refused, sender, ask.asker_cause)
            self.asks.end(ask, "dead", refused)

    def answer(self, life: Context, ask: Ask | None, value: object) -> None:
        """End an ask with a reply; a dead letter if nobody waits for it any more."""
        if ask is None or not self.asks.end(ask, "answer", value, by=life):
            to = "(nobody)" if ask is None or ask.asker is None else ask.asker.path
            reason = FENCED if not life.alive else "nobody waits for this reply"
            with self._lock:
                self._unknown += 1
            self._dead_letter(to, value, reason, life.path, life.cause)

    def set_timer(
        self, life: Context, delay_s: float, period_s: float | None, message: object, name: str | None, lane: Lane
    ) -> str:
        """Set a timer of an incarnation."""
        box = self.boxes[life.path]
        with life.end_lock:
            if not life.alive:
                self._refuse_late(life.path, message, life)
                return name or ""

            def fire(timer: Timer) -> None:
                key = None if period_s is None else ("timer", id(timer))
                refused = box.put_own((message, self.new_cause(), None, None, key, timer), lane, life)
                if refused is not None:
                    self._dead_letter(life.path, message, refused, None, life.cause)

            name = name if name is not None else f"timer {next(self._causes)}"
            known = life.timers.pop(name, None)
            if known is not None:
                self.timers.cancel(known)
            life.timers[name] = self.timers.add(delay_s, fire, period_s=period_s, name=name)
            return name

    def _refuse_late(self, to: str, message: object, life: Context) -> None:
        with self._lock:
            self._unknown += 1
        self._dead_letter(to, message, FENCED, life.path, life.cause)

    def watch(self, life: Context, path: str) -> None:
        """Have `Terminated` sent when the present life of `path` ends."""
        cell = self.cells.get(path)
        with self._lock:
            if not life.alive:
                return
            watched = cell.life if cell is not None else None
            if watched is not None and watched.alive:
                watchers = self._watchers.setdefault(path, [])
                if life not in watchers:
                    watchers.append(life)
                    life.watching.add(path)
                return
        reason = "unknown path" if cell is None else f"not running: {cell.state}"
        incarnation = cell.incarnation if cell is not None else 0
        self.post_bound(life, Terminated(path, incarnation, reason), Lane.SYSTEM, life.cause, None)

    def pop_watchers(self, life: Context) -> list[Context]:
        """Who watches this life, which has just ended and watches nobody itself from now on."""
        with self._lock:
            for path in life.watching:
                watched = self._watchers.get(path)
                if watched is not None and life in watched:
                    watched.remove(life)
            return [w for w in self._watchers.pop(life.path, []) if w.alive]

    # -- trouble ---------------------------------------------------------------------------------------------------

    def escalate(self, reason: str) -> None:
        """The tree cannot help itself: tell whoever runs the process, once."""
        with self._lock:
            if self.escalated is not None:
                return
            self.escalated = reason
        if self._on_escalate is not None:
            _call_outside(self._on_escalate, reason)

    def lost_thread(self, cell: Cell) -> None:
        """A thread was abandoned in a handler."""
        with self._lock:
            self._lost_threads += 1
            lost = self._lost_threads
        if lost >= MAX_ABANDONED:
            self.escalate(f"too many abandoned threads: {lost}, the last in {cell.path}")

    def found_thread(self) -> None:
        """An abandoned thread came back and ended."""
        with self._lock:
            self._lost_threads -= 1

    def _cell(self, path: str) -> Cell:
        cell = self.cells.get(path)
        if cell is None:
            raise UnknownPathError(f"nothing lives at {path}", hint=_nearest(path, self.cells))
        return cell


def _call_outside(function: Callable[[Any], None], value: object) -> None:
    """Call a function of whoever runs the tree; its errors must not end an actor's life."""
    try:
        function(value)
    except Exception:
        _log.exception("%r failed on %s", function, type(value).__name__)


def _nearest(path: str, known: dict[str, Cell]) -> str:
    import difflib

    near = difflib.get_close_matches(path, known, n=1, cutoff=0.4)
    return f"did you mean {near[0]}?" if near else "see `tree` for the paths there are"


__all__ = ["MAX_ABANDONED", "Behaviour", "Runtime"]
