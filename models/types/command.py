"""Who may say what to which point: levels, requests and verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum

from models.types.mode import InverterMode

Value = float | str | InverterMode  # a number with its unit in the point's name, a relay word, or a composite


class Level(IntEnum):
    """A subset of BACnet's priority array: a smaller number wins."""

    EMERGENCY_STOP = 1
    SAFETY_TRIP = 2
    GRID_OPERATOR = 3
    USER = 8
    LOCAL_RULES = 10
    PLAN = 13
    FALLBACK = 15
    DEFAULT = 16  # nobody asks: the point's default


class RelayState(StrEnum):
    """What a room's relay can be told."""

    ON = "on"
    OFF = "off"
    AUTO = "auto"  # Loxone's own thermostat decides


@dataclass(frozen=True, slots=True)
class Relinquish:
    """"I no longer ask for anything at this point": the value of a request that gives its slot back."""


RELINQUISH = Relinquish()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A wish for one point. The gate decides whether it becomes an order."""

    id: str
    source: str  # path of the actor, or "user" / "operator"
    level: Level
    point: str
    value: Value | Relinquish
    issued: datetime  # aware UTC
    expires: datetime | None  # None only at level 1
    epoch: tuple[int, int]  # (boot number, incarnation) of the source
    seq: int  # rises with each request of this source in this epoch
    cause: str  # causality id: what made the source ask
    note: str = ""  # one short sentence for `why`


class Outcome(StrEnum):
    """What the gate said."""

    ACCEPTED = "accepted"
    CLAMPED = "clamped"
    DEFERRED = "deferred"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The gate's answer to one request; every one is an event."""

    request_id: str
    source: str
    level: Level
    point: str
    outcome: Outcome
    reason: str
    at: datetime
    value: Value | Relinquish
    cause: str
