"""What waits for the wire: one slot per point, the latest wish wins, and nothing is sent after its time."""

from __future__ import annotations

from collections.abc import Iterable

from actors.messages import Outgoing

BOUND = 2000  # slots: a house has some dozens


class Outbox:
    """Waiting messages by slot, in the order in which they were last wished. Knows no thread and no clock.

    A wish is withdrawn by another of its slot that is over already: nothing goes out, and the former never returns.

    Attributes
    ----------
    replaced, expired, shed : int
        Messages that a later one of their slot replaced, whose time was over, that a full box gave up (its oldest).
    """

    def __init__(self, bound: int = BOUND) -> None:
        self._bound = bound
        self._slots: dict[str, Outgoing] = {}
        self._newest: dict[str, Outgoing] = {}  # last wish of each slot, also when it has gone out
        self.replaced = 0
        self.expired = 0
        self.shed = 0

    def put(self, message: Outgoing) -> None:
        """Keep a message; what waited in its slot is no longer wished."""
        if self._slots.pop(message.slot, None) is not None:
            self.replaced += 1
        elif len(self._slots) >= self._bound:
            del self._slots[next(iter(self._slots))]
            self.shed += 1
        self._slots[message.slot] = message
        self._newest.pop(message.slot, None)
        self._newest[message.slot] = message
        if len(self._newest) > 2 * self._bound:
            del self._newest[next(iter(self._newest))]

    def give_back(self, messages: Iterable[Outgoing]) -> None:
        """Messages that were sent and never confirmed go to the front again, unless there was a later wish."""
        given = list(messages)
        back = {m.slot: m for m in given if self._newest.get(m.slot) is m and m.slot not in self._slots}
        self.replaced += len(given) - len(back)
        self._slots = {**back, **self._slots}

    def take(self, at_s: float) -> Outgoing | None:
        """The next message that is still valid at `at_s` (the clock of `Outgoing.expires_s`); None: there is none."""
        while self._slots:
            message = self._slots.pop(next(iter(self._slots)))
            if at_s < message.expires_s:
                return message
            self.expired += 1
        return None

    def expire(self, at_s: float) -> None:
        """Forget what nobody may send any more."""
        over = [slot for slot, message in self._slots.items() if at_s >= message.expires_s]
        for slot in over:
            del self._slots[slot]
        self.expired += len(over)

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def waiting(self) -> tuple[str, ...]:
        """Slots that hold a message, the next to be sent first."""
        return tuple(self._slots)
