"""Questions under way. Each ends exactly once: taking it out of the table is what decides how."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Literal

from actors.runtime.envelope import Answer, Dead, Lane, TimedOut

if TYPE_CHECKING:
    from actors.runtime.context import Context
    from actors.runtime.runtime import Runtime
    from actors.runtime.timers import Timer

Outcome = Literal["answer", "timeout", "dead"]


class Ask:
    """One question: who asks (an incarnation, or a caller outside the tree) and who has it in hand."""

    __slots__ = ("asker", "asker_cause", "done", "id", "outcome", "responder", "tag", "timer", "to", "value")

    def __init__(self, ask_id: int, to: str, asker: Context | None, tag: object, cause: str) -> None:
        self.id = ask_id
        self.to = to
        self.asker = asker
        self.asker_cause = cause
        self.tag = tag
        self.responder: Context | None = None
        self.timer: Timer | None = None
        self.outcome: Outcome | None = None
        self.value: object = None
        self.done: threading.Lock | None = None  # held until the end, for a caller outside the tree


class Asks:
    """The table of open asks of one runtime."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._open: dict[int, Ask] = {}
        self._lock = threading.Lock()
        self._last = 0

    def open(self, to: str, asker: Context | None, tag: object, cause: str) -> Ask:
        """Enter a new ask."""
        with self._lock:
            self._last += 1
            ask = Ask(self._last, to, asker, tag, cause)
            self._open[ask.id] = ask
            if asker is not None:
                asker.asking[ask.id] = ask
            return ask

    def taken(self, ask: Ask, responder: Context) -> None:
        """Note which incarnation has the ask in hand, so that it ends if that one does."""
        ask.responder = responder
        responder.answering[ask.id] = ask

    def end(self, ask: Ask, outcome: Outcome, value: object = None, *, by: Context | None = None) -> bool:
        """End an ask, if nobody else has; `by` is the answering incarnation, which must still live."""
        with self._lock:
            if by is not None and not by.alive:
                return False
            if self._open.pop(ask.id, None) is None:
                return False
        if ask.timer is not None:
            self._runtime.timers.cancel(ask.timer)
        if ask.responder is not None:
            ask.responder.answering.pop(ask.id, None)
        asker = ask.asker
        if asker is None:
            ask.outcome, ask.value = outcome, value
            if ask.done is not None:
                ask.done.release()
            return True
        asker.asking.pop(ask.id, None)
        if outcome == "answer":
            message: object = Answer(ask.id, ask.tag, value)
        elif outcome == "timeout":
            message = TimedOut(ask.id, ask.tag)
        else:
            message = Dead(ask.id, ask.tag, str(value))
        self._runtime.post_bound(asker, message, Lane.SYSTEM, ask.asker_cause, by.path if by is not None else None)
        return True

    def forget(self, asker: Context) -> None:
        """Drop what an ended incarnation has asked: nobody is left to hear it."""
        for ask in list(asker.asking.values()):
            with self._lock:
                self._open.pop(ask.id, None)
            if ask.timer is not None:
                self._runtime.timers.cancel(ask.timer)
            if ask.responder is not None:
                ask.responder.answering.pop(ask.id, None)
        asker.asking.clear()

    def count(self) -> int:
        """Open asks."""
        return len(self._open)
