"""Stores that live as long as the process: for simulation and tests, where nothing has to outlast it."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta

from actors.messages import Trip
from models.types.operator import ImportLimit

DAY = timedelta(hours=24)


class MemoryTrips:
    """Latched trips; survives restarts of the safety actor."""

    def __init__(self) -> None:
        self._trips: tuple[Trip, ...] = ()

    def load(self) -> tuple[Trip, ...]:
        return self._trips

    def save(self, trips: tuple[Trip, ...]) -> None:
        self._trips = trips


class MemoryWear:
    """Writes of stored registers; survives restarts of the inverter's actor."""

    def __init__(self) -> None:
        self._writes: deque[tuple[datetime, bool]] = deque()
        self.total = 0
        self.problem = ""  # memory has none

    def record(self, at: datetime, register: str, *, slot: bool, exempt: bool) -> None:
        """One write; exempt ones are counted like all others."""
        self._writes.append((at, slot))
        self.total += 1

    def used(self, now: datetime) -> tuple[int, int]:
        """Writes in the last 24 h: (stop SOC, rate and flags; slots)."""
        while self._writes and now - self._writes[0][0] > DAY:
            self._writes.popleft()
        slots = sum(slot for _, slot in self._writes)
        return len(self._writes) - slots, slots


class MemoryPeaks:
    """The month's highest import; survives restarts of the planner."""

    def __init__(self) -> None:
        self.problem = ""  # memory has none
        self._saved: tuple[tuple[int, int], float] | None = None

    def load(self) -> tuple[tuple[int, int], float] | None:
        return self._saved

    def save(self, month: tuple[int, int], kw: float) -> None:
        self._saved = month, kw


class MemoryFullCharge:
    """When the battery was full last; survives restarts of the planner."""

    def __init__(self) -> None:
        self.problem = ""  # memory has none
        self._saved: datetime | None = None

    def load(self) -> datetime | None:
        return self._saved

    def save(self, at: datetime) -> None:
        self._saved = at


class MemoryLimits:
    """Limits of the grid operator; survives restarts of the actor that keeps them."""

    def __init__(self) -> None:
        self._limits: tuple[ImportLimit, ...] = ()

    def load(self) -> tuple[ImportLimit, ...]:
        return self._limits

    def save(self, limits: tuple[ImportLimit, ...]) -> None:
        self._limits = limits
