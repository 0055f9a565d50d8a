"""What a behaviour may do, for the length of one incarnation: afterwards every call is refused and counted."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, NoReturn, TypeVar

from actors.runtime.clock import real_floor
from actors.runtime.envelope import Epoch, Lane, ReplyToken
from actors.runtime.errors import BehaviourFailed
from actors.runtime.mailbox import BUSY, FENCED

if TYPE_CHECKING:
    from actors.runtime.asks import Ask
    from actors.runtime.behaviour import Behaviour
    from actors.runtime.cell import Cell
    from actors.runtime.clock import Clock
    from actors.runtime.mailbox import Mailbox
    from actors.runtime.runtime import Runtime
    from actors.runtime.timers import Timer

_USER = Lane.USER
T = TypeVar("T")


class Context:
    """One incarnation seen from inside: its name, its clock and everything it may send, set or ask.

    Attributes
    ----------
    path : str
        Stable name of the actor, e.g. `/core/gate`.
    epoch : Epoch
        (boot, incarnation) of this life.
    clock : Clock
        The runtime's clock.
    cause : str
        Causality id of the message in hand; copied to everything sent while handling it.
    sender : str or None
        Path of who sent it; None from outside the tree and from timers.
    alive : bool
        False once this incarnation has ended; nothing it does has an effect from then on.
    """

    __slots__ = (
        "_boxes",
        "_cell",
        "_random",
        "_runtime",
        "alive",
        "answering",
        "ask_in_hand",
        "asking",
        "behaviour",
        "busy_since",
        "cause",
        "clock",
        "end_lock",
        "ended_by",
        "epoch",
        "handle",
        "hanging",
        "path",
        "phase",
        "sender",
        "timers",
        "watching",
    )

    def __init__(self, cell: Cell, runtime: Runtime, epoch: Epoch) -> None:
        self._cell = cell
        self._runtime = runtime
        self._boxes: dict[str, Mailbox] = runtime.boxes
        self._random: random.Random | None = None
        self.path = cell.path
        self.epoch = epoch
        self.clock: Clock = runtime.clock
        self.alive = True
        self.end_lock = threading.Lock()  # ending a life, and giving it a timer, exclude one another
        self.ended_by: str | None = None
        self.cause = runtime.new_cause()
        self.sender: str | None = None
        self.ask_in_hand: Ask | None = None
        self.asking: dict[int, Ask] = {}
        self.answering: dict[int, Ask] = {}
        self.timers: dict[str, Timer] = {}
        self.watching: set[str] = set()
        self.busy_since: float | None = None
        self.hanging = False  # simulated: see errors.Hang
        self.phase = "start"
        self.behaviour: Behaviour | None = None
        self.handle: Callable[[object], None] = _not_started

    @property
    def random(self) -> random.Random:
        """Random numbers from a seed of runtime, path and incarnation."""
        if self._random is None:
            self._random = random.Random(f"{self._runtime.seed}:{self.path}:{self.epoch.incarnation}")
        return self._random

    # -- sending ---------------------------------------------------------------------------------------------------

    def tell(
        self,
        to: str,
        message: object,
        *,
        lane: Lane = _USER,
        coalesce: Hashable | None = None,
        cause: str | None = None,
    ) -> None:
        """Send a message; never raises, never blocks.

        Parameters
        ----------
        to : str
            Path of the receiver.
        lane : Lane
            Urgency: within a lane the order of one sender is kept.
        coalesce : hashable, optional
            A waiting message of the same key and lane is replaced by this one, in its place.
        cause : str, optional
            Causality id, if not that of the message in hand (for work put off earlier).

        Notes
        -----
        What reaches nobody becomes a counted dead letter. If the user lane of the receiver is full and the message has
        no key, `Busy` comes back.
        """
        self._cell.sent += 1
        box = self._boxes.get(to)
        if box is None:
            self._runtime.unknown(to, message, self.path, self.cause)
            return
        refused = box.put((message, cause or self.cause, self.path, None, coalesce, None), lane, self)
        if refused is not None:
            self._runtime.refused(self, to, message, refused, coalesce, cause or self.cause)

    def post(self, message: object, *, lane: Lane = _USER, coalesce: Hashable | None = None) -> bool:
        """Send a message to this incarnation itself, from any thread; False if it was refused or life is over."""
        return self._runtime.post_own(self, message, lane, coalesce)

    def publish(self, event: object) -> None:
        """Send an event to all who have subscribed to its type."""
        self._runtime.publish(event, self)

    def subscribe(
        self,
        *event_types: type,
        coalesce: Callable[[object], Hashable | None] | None = None,
        lane: Lane = _USER,
    ) -> None:
        """Hear of events of these types and their subtypes until this incarnation ends; first of those that stand.

        `coalesce` gives the key under which only the latest waiting event of one type is kept; None keeps all.
        """
        with self.end_lock:
            if self.alive:
                for event_type in event_types:
                    self._runtime.subscribe(self, event_type, coalesce, lane)

    def standing(self, event_type: type[T]) -> tuple[T, ...]:
        """Events of a type that stand now, the newest of each key: what a subscription would hear first."""
        return self._runtime.stream.standing(event_type)

    # -- asking ----------------------------------------------------------------------------------------------------

    def ask(self, to: str, message: object, *, timeout_s: float, tag: object = None, lane: Lane = _USER) -> int:
        """Ask a question; exactly one of `Answer`, `TimedOut` and `Dead` comes as a message, with this number.

        `timeout_s` is in the runtime's clock, but lasts at least 1 s (or itself) of real time.
        """
        return self._runtime.ask_from(self, to, message, real_floor(self.clock, timeout_s), tag, lane)

    @property
    def asked(self) -> bool:
        """Whether the message in hand is an ask."""
        return self.ask_in_hand is not None

    def reply(self, value: object) -> None:
        """Answer the ask in hand."""
        self._runtime.answer(self, self.ask_in_hand, value)

    def reply_token(self) -> ReplyToken:
        """Keep the ask in hand for later; if this incarnation ends first, the asker hears `Dead`."""
        if self.ask_in_hand is None:
            raise BehaviourFailed(f"{self.path}: no ask in hand, so there is nothing to reply to")
        return ReplyToken(self.ask_in_hand.id)

    def reply_to(self, token: ReplyToken, value: object) -> None:
        """Answer a kept ask; too late is a dead letter."""
        ask = self.answering.get(token.ask_id)
        self._runtime.answer(self, ask, value)

    # -- time ------------------------------------------------------------------------------------------------------

    def after(self, delay_s: float, message: object, *, name: str | None = None, lane: Lane = _USER) -> str:
        """Have `message` come to this incarnation in `delay_s`; a timer of the same name is replaced.

        Returns the name, made up if none was given.
        """
        return self._runtime.set_timer(self, delay_s, None, message, name, lane)

    def every(self, period_s: float, message: object, *, name: str | None = None, lane: Lane = _USER) -> str:
        """Have it come every `period_s`, first one period from now, at most one waiting, missed ones skipped."""
        return self._runtime.set_timer(self, period_s, period_s, message, name, lane)

    def cancel(self, name: str) -> None:
        """Forget a timer, also one whose message waits in the mailbox already."""
        timer = self.timers.pop(name, None)
        if timer is not None:
            self._runtime.timers.cancel(timer)

    # -- lives -----------------------------------------------------------------------------------------------------

    def watch(self, path: str) -> None:
        """Have `Terminated` come when the present life of `path` ends; at once if there is none."""
        self._runtime.watch(self, path)

    def fail(self, reason: str) -> NoReturn:
        """End this life as a failure."""
        raise BehaviourFailed(reason)

    def stop_self(self, reason: str = "stopped itself") -> None:
        """End this life in order after the message in hand; a permanent child is started again."""
        self._cell.halt(self.epoch.incarnation, reason)

    # -- for supervisors -------------------------------------------------------------------------------------------

    def finish_stop(self, reason: str) -> None:
        """Say that a stop begun by `begin_stop` is done."""
        self._cell.halt(self.epoch.incarnation, reason, final=True)

    def finish_failure(self, reason: str) -> None:
        """Say that everything below is down and this life may fail."""
        self._cell.halt(self.epoch.incarnation, reason, final=True, failed=True)

    def report_started(self) -> None:
        """Say that a start which took several messages is done."""
        self._cell.report_started(self)


def _not_started(message: object) -> None:
    raise BehaviourFailed(f"{type(message).__name__} came before the start")


__all__ = ["BUSY", "FENCED", "Context"]
