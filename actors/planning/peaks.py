"""The highest import of the month so far, on quarter-hour means as a tariff on power bills it."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from models.types.slots import floor_slot

Month = tuple[int, int]  # year, month of the house's calendar


class PeakStore(Protocol):
    """Where the month's peak survives a restart."""

    def load(self) -> tuple[Month, float] | None:
        """What was saved last; None: nothing, or it cannot be read."""

    def save(self, month: Month, kw: float) -> None:
        """Keep it."""


class MonthPeak:
    """Means of quarter hours, and the highest of the month.

    Parameters
    ----------
    zone : ZoneInfo
        Of the house: months are its own.
    store : PeakStore
    """

    def __init__(self, zone: ZoneInfo, store: PeakStore) -> None:
        self._zone, self._store = zone, store
        saved = store.load()
        self._month, self._kw = saved if saved is not None else ((0, 0), 0.0)
        self._slot: datetime | None = None
        self._sum, self._count = 0.0, 0

    def see(self, at: datetime, grid_kw: float) -> None:
        """One reading of the meter; > 0 imports."""
        slot = floor_slot(at)
        if slot != self._slot:
            self._close()
            self._slot, self._sum, self._count = slot, 0.0, 0
        self._sum += max(0.0, grid_kw)
        self._count += 1

    def measured_kw(self, now: datetime) -> float:
        """The highest quarter hour of this month [kW]; 0: none was measured yet."""
        return self._kw if self._month == self._of(now) else 0.0

    def _close(self) -> None:
        if self._slot is None or not self._count:
            return
        month, kw = self._of(self._slot), self._sum / self._count
        if month != self._month or kw > self._kw:
            self._month, self._kw = month, kw
            self._store.save(month, kw)

    def _of(self, at: datetime) -> Month:
        local = at.astimezone(self._zone)
        return local.year, local.month
