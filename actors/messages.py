"""What the actors of the house say to one another. Frozen: messages are facts.

    plan | rules | user | safety --Request--> gate --ApprovedSetpoint--> device --Outgoing--> link --> device
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from models.types.command import Level, Value
from models.types.forecast import HouseForecast, PriceSeries, WeatherForecast
from models.types.operator import ImportLimit
from models.types.point import RelayRule
from solvers.problem import PlanProblem
from solvers.result import SignedPlan


# --- safety ------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """Leave to act, from the safety actor. Gate and devices look at it right before each write."""

    epoch: tuple[int, int]
    until_s: float  # monotonic
    scope: str = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trip:
    """A latched safety action: every point named goes to its safe value until a reset names this id."""

    id: str
    kind: str  # "manual", "emergency_stop", "floor", "room", "fuse", "battery", "inverter"
    points: tuple[str, ...]
    reason: str
    tripped_at: datetime
    hold_off_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Latched:
    """Safety to gate: all trips that are latched now, oldest first. Replaces what the gate knew."""

    trips: tuple[Trip, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestTrip:
    """Ask the safety actor to trip points ("*" for all)."""

    kind: str
    points: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetTrip:
    """Ask the safety actor to end one latched trip."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TripReset:
    """A person ended one latched trip."""

    id: str
    at: datetime


# --- gate to device ------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovedSetpoint:
    """An order. Only the gate makes these; drivers take nothing else."""

    point: str
    value: Value | None  # None: give the point back to the device
    level: Level
    until_s: float | None  # monotonic end of the decision; None: a default, a trip
    request_id: str  # "" for defaults and trips
    cause: str
    gate_epoch: tuple[int, int]
    number: int = 0  # rises with each order of this gate: a trip overtakes on its lane, what it overtook is void


@dataclass(frozen=True, slots=True, kw_only=True)
class Refresh:
    """Gate to device: these volatile points are still wanted as last approved (renews their lease)."""

    points: tuple[str, ...]
    gate_epoch: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Stop: put every point back to its default, verify it, then say so with `Released`."""

    wait: bool = True  # False: answer at once with what is not verified yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """A device's answer to `Release`: points that could not be verified, each with why."""

    device: str
    unverified: tuple[tuple[str, str], ...]


# --- device events -------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class WireWrite:
    """One entry of the wire log: what was handed to the link for a point."""

    at: datetime
    at_s: float
    point: str
    value: str
    level: Level
    cause: str
    epoch: tuple[int, int]  # of the device actor
    detail: str  # register or topic
    request_id: str
    counted: bool = False  # wears a stored register


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """How far an order got: written, applied (read back), effective (the power flow shows it) or failed."""

    at: datetime
    point: str
    stage: str  # "written" | "applied" | "effective" | "failed" | "lapsed"
    value: str
    request_id: str
    latency_s: float
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """Something a person should know. Said once when it begins and once when it ends; it stands, as LinkState does."""

    at: datetime
    name: str
    active: bool
    text: str

    def standing(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """Who holds a point now. Said when somebody stronger than the house's own rules and plans takes or leaves it."""

    point: str
    value: Value | None
    level: Level
    until_s: float | None  # monotonic; None: until it is reset


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortOfPower:
    """A person's wish waits for power at the connection. Said at each look while it waits."""

    point: str
    missing_kw: Mapping[int, float]  # by phase; 0: the whole connection
    may_yield: Mapping[str, RelayRule]  # relays that are on, for nobody in person, past their minimum time


# --- grid operator -------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorLimits:
    """All limits of the grid operator that are not over, by their start. Replaces what was said before; it stands.

    It outlives its speaker, each limit to its own end: a gate that begins anew while nobody can tell it is not free.
    """

    limits: tuple[ImportLimit, ...]
    outlives: ClassVar[bool] = True

    def standing(self) -> str:
        return "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitImport:
    """Ask the operator's actor to keep one limit. What it says is not checked yet."""

    start: datetime
    end: datetime
    import_kw: float
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LiftLimits:
    """Ask the operator's actor to end all limits, running and coming ones."""


# --- link ----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A message from the wire."""

    topic: str
    payload: bytes
    retained: bool
    received_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A message for the wire. It is dropped, and counted, once its time to live is over."""

    topic: str
    payload: bytes
    expires_s: float
    slot: str  # one slot per point: the latest wins while the link is away


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkState:
    """A wire is up or down. It stands: who subscribes later hears it too."""

    up: bool
    reason: str = ""
    carries: tuple[str, ...] = ("",)  # beginnings of the topics that go over this wire

    def standing(self) -> tuple[str, ...]:
        return self.carries

    def concerns(self, topic: str) -> bool:
        """True if messages of this topic go over this wire."""
        return topic.startswith(self.carries)


# --- inputs and planning -------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class PricesKnown:
    """The latest published prices."""

    prices: PriceSeries


@dataclass(frozen=True, slots=True, kw_only=True)
class WeatherKnown:
    """The latest weather forecast."""

    weather: WeatherForecast


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastReady:
    """A new forecast of the house."""

    forecast: HouseForecast


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanReady:
    """A signed plan that passed verification."""

    plan: SignedPlan
    problem: PlanProblem
    took_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFailed:
    """No new plan: the last one goes on while it lasts, then the rules."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A timer's message. `name` tells which."""

    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wear:
    """How many stored-register writes a device's points may still make in this running day."""

    points: tuple[str, ...]
    used_24h: int
    left: int
