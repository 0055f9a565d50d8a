"""Counters of the runtime, readable at any time without asking the actor."""

from __future__ import annotations

from dataclasses import dataclass

from actors.runtime.envelope import Epoch


@dataclass(frozen=True, slots=True)
class CellStats:
    """One path at one instant.

    Attributes
    ----------
    kind : str
        "actor" or "supervisor".
    state : str
        starting, running, restarting, parked or stopped; abandoned while a thread of it still hangs and no new
        incarnation runs.
    queued : tuple of int
        Letters waiting per lane: signal, system, urgent, user.
    busy_since, busy_s : float or None
        Clock reading at which the message in hand was taken, and how long ago that is [s]; None: idle.
    dead_letters : int
        Messages to this path that reached nobody.
    """

    path: str
    kind: str
    state: str
    incarnation: int
    epoch: Epoch
    restarts: int
    handled: int
    sent: int
    failed: int
    coalesced: int
    dead_letters: int
    queued: tuple[int, int, int, int]
    busy_since: float | None
    busy_s: float | None
    last_error: str | None
    behaviour: str | None


@dataclass(frozen=True, slots=True)
class Ledger:
    """Where all messages have gone; at rest `sent == handled + coalesced + dead_letters + queued`."""

    sent: int
    handled: int
    coalesced: int
    dead_letters: int
    queued: int

    @property
    def balanced(self) -> bool:
        """Whether nothing has vanished and nothing was made up."""
        return self.sent == self.handled + self.coalesced + self.dead_letters + self.queued
