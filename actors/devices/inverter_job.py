"""What the inverter's driver works with: its orders on their way into registers, and where writes are counted."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from actors.devices.growatt import Target, Write
from models.types.command import Level, Value


class WearLog(Protocol):
    """Where writes of stored registers are counted, across restarts; `problem` says why they are not, or no longer."""

    problem: str

    def record(self, at: datetime, register: str, *, slot: bool, exempt: bool) -> None:
        """One write."""

    def used(self, now: datetime) -> tuple[int, int]:
        """Writes in the last 24 h: (stop SOC, rate and flags; slots)."""


@dataclass(slots=True)
class Job:
    """One order on its way into the registers."""

    request_id: str
    value: Value | None
    level: Level
    cause: str
    since_s: float
    target: Target | None = None
    begun: bool = False  # at least one register written
    tries: dict[str, int] = field(default_factory=dict)
    stage: str = ""  # "", "written", "applied", "effective", "failed"
    applied_s: float = 0.0
    failures: int = 0  # rounds of three tries that did not come back


@dataclass(slots=True)
class Flight:
    """The one command that is waiting for its answer."""

    correlation: str
    write: Write
    point: str
    job: Job
    sent_s: float
    level: Level


@dataclass(frozen=True, slots=True, kw_only=True)
class InverterExtras:
    """What only the inverter needs."""

    wear: WearLog
    budget: int = 24
    slot_budget: int = 48
