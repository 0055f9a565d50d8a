"""What arrived and was not handed on yet: the latest of each topic, except where each message counts."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from actors.messages import Incoming

TOPICS = 1000  # that may wait at once: a house has some dozens
IN_A_ROW = 512  # messages of the topics where each counts


class Inbox:
    """Filled by the thread of the wire, emptied by the actor.

    A message of a topic that tells a state replaces the one that waits, and takes the place behind all others; so what
    is handed on is in the order of arrival. Where each counts (`each`), all are kept, up to a bound.

    Parameters
    ----------
    each : callable
        Whether every message of a topic counts.

    Attributes
    ----------
    received, coalesced, dropped : int
        received = handed on + coalesced + dropped + waiting.
    """

    def __init__(self, each: Callable[[str], bool]) -> None:
        self._each = each
        self._lock = threading.Lock()
        self._waiting: dict[object, Incoming] = {}
        self._in_a_row: deque[int] = deque()
        self._number = 0
        self.received = 0
        self.coalesced = 0
        self.dropped = 0

    def put(self, message: Incoming) -> None:
        """Keep a message."""
        with self._lock:
            self.received += 1
            if self._each(message.topic):
                self._number += 1
                self._in_a_row.append(self._number)
                self._waiting[self._number] = message
                if len(self._in_a_row) > IN_A_ROW:
                    self._waiting.pop(self._in_a_row.popleft())
                    self.dropped += 1
            elif self._waiting.pop(message.topic, None) is not None:
                self.coalesced += 1
                self._waiting[message.topic] = message
            elif len(self._waiting) >= TOPICS:
                self.dropped += 1
            else:
                self._waiting[message.topic] = message

    def take(self) -> list[Incoming]:
        """All that wait, in the order of arrival."""
        with self._lock:
            taken, self._waiting = self._waiting, {}
            self._in_a_row.clear()
        return list(taken.values())

    def __len__(self) -> int:
        return len(self._waiting)
