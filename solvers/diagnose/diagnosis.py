"""What a diagnosis says: which limits of a plan are bent, why, and what would help. Pure data, no solver."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

# Limits go by the name of the rule that is bent where they are not kept. All phases have one name; the operator's
# limit, which bends the same rule as the connection, has its own. Holds and unknown prices are there or not.
BATTERY_RULES = ("battery.reserve", "battery.full_charge", "battery.soc_final")
CONNECTION, OPERATOR, PHASES, EXPORT = "grid.import_limit", "grid.operator_limit", "grid.phase", "grid.export_limit"
FUSE = "grid.fuse"  # the connection and its three phases together, as a remedy
SHARED = (CONNECTION, OPERATOR, PHASES)  # limits on power that several may run into together
UNKNOWN_PRICES = "prices.unknown"
HELD = ".held"  # ends the name of a room's heater that somebody holds


class Reason(StrEnum):
    """Why a limit is bent."""

    CONFLICT = "conflict"  # other limits do not let it be kept
    PHYSICS = "physics"  # no plan could keep it, whatever the other limits
    PRICE = "price"  # keeping it costs more than it is worth
    EXECUTION = "execution"  # powers chosen freely would keep it; what the inverter runs, or rules, do not


@dataclass(frozen=True, slots=True, kw_only=True)
class Miss:
    """One limit that is bent over some slots."""

    limit: str  # a group: "grid.import_limit", "battery.reserve", "room.hall.below", ...
    first_slot: int
    last_slot: int
    worst_slot: int
    amount: float  # in the worst slot
    unit: str
    cost_eur: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """One limit that, moved alone, would let the others be kept."""

    limit: str
    by: float | None  # how far; None: it is there or not (a hold, prices that are not known)
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Where a miss comes from, added up over its slots [unit x h]."""

    physics: float
    conflict: float
    price: float
    execution: float

    @property
    def reason(self) -> Reason:
        """The largest part."""
        return max(Reason, key=lambda r: float(getattr(self, r.value)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """Limits that cannot be kept together; with another reason than `CONFLICT` a single one."""

    reason: Reason
    misses: tuple[Miss, ...]  # dearest first
    limits: tuple[str, ...]  # all that take part, the bent ones first
    remedies: tuple[Remedy, ...]
    parts: Parts
    kept_from_slot: int | None = None  # PHYSICS: the first slot at whose end it could be kept; None: not in this plan
    keeping_eur: float | None = None  # PRICE: what keeping it would cost more


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """All that a plan bends, explained, dearest first."""

    conflicts: tuple[Conflict, ...]
    untold: int  # misses that were not looked into: cheaper than those that were, or it was stopped before
    solves: int
    wall_s: float
    stopped: str = ""  # why it ended before its time


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldDiagnosis:
    """A diagnosis with what is needed to read it: the answer to somebody who has not got the plan at hand."""

    problem_id: str
    issued: datetime
    start: datetime  # of slot 0
    dt_h: float
    maker: str  # of the plan
    lines: tuple[str, ...]  # in words, dearest first; empty where nothing is bent
    remarks: tuple[str, ...]  # what is odd in the problem
    diagnosis: Diagnosis
