"""The day's budget of stored registers: each write wears the inverter's flash, so no plan may write as it likes."""

from __future__ import annotations

from datetime import datetime

from actors.devices.growatt import Write
from actors.devices.inverter_job import WearLog
from models.types.command import Level

RESERVE, SLOT_RESERVE = 2, 4  # writes of a day's budget that only the way back to the default may use
EXPORT_RESERVE = 6  # writes a day kept for the feed-in limit: three spells of negative prices


class WriteBudget:
    """What may still be written in the running 24 hours.

    Parameters
    ----------
    wear : WearLog
        Counts, across restarts.
    writes, slots : int
        A day's budget of single registers, and of whole time slots.
    """

    def __init__(self, wear: WearLog, *, writes: int, slots: int) -> None:
        self._wear, self._writes, self._slots = wear, writes, slots

    @property
    def problem(self) -> str:
        """Why writes are not known or not kept; empty: they are."""
        return self._wear.problem

    def used(self, now: datetime) -> tuple[int, int]:
        """Writes in the last 24 h: (single registers, slots)."""
        return self._wear.used(now)

    def left(self, now: datetime) -> int:
        """What modes may still write; negative: less than nothing."""
        used, slots = self._wear.used(now)
        return min(self._writes - EXPORT_RESERVE - used, self._slots - slots)

    def allows(self, write: Write, level: Level, now: datetime) -> bool:
        """Whether one more fits.

        The way back to the default has a reserve, a trip may always write, and modes leave enough for the feed-in to
        be switched off when it costs.
        """
        if level <= Level.SAFETY_TRIP:
            return True
        used, slots = self._wear.used(now)
        back = level is Level.DEFAULT
        if write.slot:
            return slots < self._slots - (0 if back else SLOT_RESERVE)
        reserve = 0 if back else RESERVE if write.register.startswith("export.") else RESERVE + EXPORT_RESERVE
        return used < self._writes - reserve

    def record(self, write: Write, level: Level, now: datetime) -> None:
        """One write went out; what a trip writes is counted like all else."""
        self._wear.record(now, write.register, slot=write.slot, exempt=level <= Level.SAFETY_TRIP)
