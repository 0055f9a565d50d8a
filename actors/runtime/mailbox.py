"""Four lanes, strictly in order; what is put in is taken out, coalesced, refused or counted as dropped."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable
from typing import Final, Protocol

from actors.runtime.envelope import Envelope, Lane, Letter

CONTROL: Final = object()  # the `bound` of a letter for the cell itself: start, halt, inject, exit

FENCED: Final = "sent by an incarnation that has ended"
BUSY: Final = "user lane full"


class Fence(Protocol):
    """Who sends: an incarnation that may have ended."""

    alive: bool


def _nobody() -> None:
    return None


class Mailbox:
    """The letters of one path; it outlives the incarnations that read it.

    One lock guards it. Whether the sender still lives is looked at under that lock, so in the receiver's order a
    letter from a dying incarnation stands before everything that follows from its end, or is refused.

    Attributes
    ----------
    open : bool
        Whether an incarnation takes letters; if not, only controls are handed out and the others wait.
    owner : object or None
        The only one that may take: the thread that runs the cell, or the stepper. An abandoned thread owns nothing.
    closed : str or None
        Why letters are refused at the moment.
    idle : bool
        The owner waits to be notified.
    sent, coalesced, taken, dropped, refused : int
        The ledger: `sent == coalesced + taken + queued` at every instant; `dropped` of the taken reached nobody.
        Refused letters are not among the sent.
    """

    __slots__ = (
        "_latest",
        "_lock",
        "_system",
        "bound",
        "closed",
        "coalesced",
        "controls",
        "dropped",
        "high",
        "idle",
        "lanes",
        "log",
        "notify",
        "open",
        "owner",
        "path",
        "refused",
        "sent",
        "taken",
        "user",
    )

    def __init__(self, path: str, bound: int) -> None:
        self.path = path
        self.bound = bound
        self.controls: deque[Letter] = deque()
        self.lanes: tuple[deque[Letter], ...] = tuple(deque() for _ in Lane)
        self._system = self.lanes[Lane.SYSTEM]
        self.user = self.lanes[Lane.USER]
        self.high = 0  # letters in all but the user lane, controls included
        self._latest: dict[Hashable, Letter] = {}
        self.open = False
        self.owner: object | None = None
        self.closed: str | None = None
        self.idle = False
        self.notify: Callable[[], object] = _nobody
        self.log: Callable[[Envelope], None] | None = None
        self.sent = self.coalesced = self.taken = self.dropped = self.refused = 0
        self._lock = threading.Lock()

    # -- putting in ------------------------------------------------------------------------------------------------

    def put(self, letter: Letter, lane: int, fence: Fence | None) -> str | None:
        """Accept a letter, or say why not. Never blocks for longer than another put or take."""
        wake = False
        with self._lock:
            if fence is not None and not fence.alive:
                self.refused += 1
                return FENCED
            if self.closed is not None:
                self.refused += 1
                return self.closed
            if letter[4] is not None and self._replace(letter, lane):
                pass
            elif lane == 3:
                if len(self.user) >= self.bound:
                    if letter[4] is not None:
                        del self._latest[lane, letter[4]]
                    self.refused += 1
                    return BUSY
                self.user.append(letter)
            else:
                self.lanes[lane].append(letter)
                self.high += 1
            self.sent += 1
            if self.idle:
                self.idle = False
                wake = True
        if wake:
            self.notify()
        if self.log is not None:
            self.log(Envelope(self.path, letter[0], letter[2], letter[1], Lane(lane)))
        return None

    def put_own(self, letter: Letter, lane: int, fence: Fence | None) -> str | None:
        """Accept a letter that the receiver itself has ordered (a timer): a full user lane cannot keep it out.

        It then travels in the SYSTEM lane, so that the bound holds and the receiver still gets on. Each timer has at
        most one letter waiting, so others cannot make these pile up.
        """
        if lane == Lane.USER and len(self.user) >= self.bound:
            lane = Lane.SYSTEM
        reason = self.put(letter, lane, fence)
        return self.put(letter, Lane.SYSTEM, fence) if reason is BUSY else reason

    def put_control(self, letter: Letter) -> None:
        """Accept an order to the cell itself, before all letters and also while closed; void where nobody runs it."""
        with self._lock:
            self.sent += 1
            if self.owner is None:
                self.taken += 1
                self.dropped += 1
                return
            self.controls.append(letter)
            self.high += 1
        self.poke()

    def _replace(self, letter: Letter, lane: int) -> bool:
        key = (lane, letter[4])
        known = key in self._latest
        self._latest[key] = letter
        if known:
            self.coalesced += 1
        return known

    # -- taking out ------------------------------------------------------------------------------------------------

    def take(self, owner: object) -> Letter | None:
        """The next letter for the owner; None if there is none or it is somebody else's by now."""
        with self._lock:
            if self.owner is not owner:
                return None
            if self.high:
                return self._take_high()
            if self.open and self.user:
                letter = self.user.popleft()
                self.taken += 1
                if letter[4] is not None:
                    return self._latest.pop((3, letter[4]))
                return letter
            return None

    def _take_high(self) -> Letter | None:
        if self.controls:
            self.high -= 1
            self.taken += 1
            return self.controls.popleft()
        if not self.open:
            return None
        for lane, letters in enumerate(self.lanes):
            if letters:
                letter = letters.popleft()
                self.high -= 1
                self.taken += 1
                if letter[4] is not None:
                    return self._latest.pop((lane, letter[4]))
                return letter
        raise AssertionError(f"{self.path}: {self.high} letters counted in lanes that are empty")

    def pause(self, owner: object) -> bool:
        """Have the owner notified of the next letter; False if there is something to take already."""
        with self._lock:
            if self.owner is owner:
                if self.controls or (self.open and (self.high or self.user)):
                    return False
                self.idle = True
            return True

    def poke(self) -> None:
        """Wake the owner if it waits, to look again."""
        with self._lock:
            if not self.idle:
                return
            self.idle = False
        self.notify()

    # -- owner and state -------------------------------------------------------------------------------------------

    def attach(self, owner: object, notify: Callable[[], object]) -> None:
        """Give the mailbox to a thread or stepper, which looks into it at once."""
        with self._lock:
            self.owner = owner
            self.notify = notify
            self.idle = False

    def detach(self) -> None:
        """Take it from whoever had it: letters wait for the next incarnation, orders to this one are void."""
        with self._lock:
            void = len(self.controls)
            self.controls.clear()
            self.high -= void
            self.taken += void
            self.dropped += void
            self.owner = None
            self.open = False
            self.idle = False

    def set_open(self, value: bool) -> None:
        """Say whether an incarnation takes letters now."""
        with self._lock:
            self.open = value

    def close(self, reason: str) -> list[Letter]:
        """Refuse letters from now on and hand back those that waited, each to be told to its sender as dead."""
        with self._lock:
            self.closed = reason
            waiting: list[Letter] = []
            for lane, letters in enumerate(self.lanes):
                for letter in letters:
                    key = letter[4]
                    waiting.append(letter if key is None else self._latest.pop((lane, key)))
                letters.clear()
            self.high = len(self.controls)
            self.taken += len(waiting)
            self.dropped += len(waiting)
            return waiting

    def reopen(self) -> None:
        """Accept letters again."""
        with self._lock:
            self.closed = None

    def drop_taken(self) -> None:
        """Count the letter just taken as one that reached nobody."""
        with self._lock:
            self.dropped += 1

    # -- looking ---------------------------------------------------------------------------------------------------

    def queued(self) -> tuple[int, int, int, int]:
        """Letters waiting per lane, signal first (controls count there)."""
        signal, system, urgent, user = (len(lane) for lane in self.lanes)
        return signal + len(self.controls), system, urgent, user

    def ledger(self) -> tuple[int, int, int, int, int]:
        """One consistent reading of (sent, handled, coalesced, dead, queued); sent includes the refused."""
        with self._lock:
            queued = len(self.user) + self.high
            dead = self.dropped + self.refused
            return self.sent + self.refused, self.taken - self.dropped, self.coalesced, dead, queued
