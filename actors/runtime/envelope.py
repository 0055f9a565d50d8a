"""What travels: lanes, letters, the runtime's own messages and the events on its stream."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from actors.runtime.asks import Ask


class Lane(IntEnum):
    """The four lanes of a mailbox; a smaller number is handled first, always."""

    SIGNAL = 0
    SYSTEM = 1
    URGENT = 2
    USER = 3


@dataclass(frozen=True, slots=True, order=True)
class Epoch:
    """Which life of a path: later boots and later incarnations are greater."""

    boot: int
    incarnation: int


# A letter is a bare tuple, since building one is on the path of every message:
# (message, cause, sender, ask, coalesce key, bound). `bound` ties it to one incarnation or timer, or marks a control.
Letter: TypeAlias = "tuple[object, str, str | None, Ask | None, Hashable | None, object | None]"


class Envelope(NamedTuple):
    """A message on its way, as shown to `runtime.send_log`."""

    to: str
    message: object
    sender: str | None
    cause: str
    lane: Lane


@dataclass(frozen=True, slots=True)
class ReplyToken:
    """The right to answer one ask later, from any message of the same incarnation."""

    ask_id: int


# --- messages from the runtime to a behaviour, all in the SYSTEM lane ---------------------------------------------


@dataclass(frozen=True, slots=True)
class Answer:
    """The reply to an ask."""

    ask_id: int
    tag: object
    value: object


@dataclass(frozen=True, slots=True)
class TimedOut:
    """Nobody replied to an ask in its time."""

    ask_id: int
    tag: object


@dataclass(frozen=True, slots=True)
class Dead:
    """An ask that can no longer be answered."""

    ask_id: int
    tag: object
    reason: str


@dataclass(frozen=True, slots=True)
class Terminated:
    """A watched life has ended; watch again to hear of the next. `incarnation` is 0 for a path never started."""

    path: str
    incarnation: int
    reason: str


@dataclass(frozen=True, slots=True)
class Busy:
    """The user lane of `to` was full and `message` was refused."""

    to: str
    message: object


# --- events on the stream -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Started:
    """An incarnation has come through `on_start`."""

    path: str
    incarnation: int


@dataclass(frozen=True, slots=True)
class Restarted:
    """So has one that is not the first; `reason` is what ended the one before."""

    path: str
    incarnation: int
    reason: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """A life ended in order."""

    path: str
    incarnation: int
    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """A life ended by an exception, in start, handler or timer."""

    path: str
    incarnation: int
    reason: str


@dataclass(frozen=True, slots=True)
class Abandoned:
    """A life was given up while its thread still hung in a handler."""

    path: str
    incarnation: int
    reason: str


@dataclass(frozen=True, slots=True)
class GaveUp:
    """Restarting no longer helps: parked (tried again later) or escalated. An alarm."""

    path: str
    reason: str
    parked: bool


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that reached nobody, and why."""

    to: str
    message_type: str
    reason: str
    sender: str | None
    cause: str
