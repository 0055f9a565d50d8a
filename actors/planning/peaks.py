"""The highest import of the month so far, on quarter-hour means as a tariff on power bills it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from models.types.slots import floor_slot

HOUR, QUARTER = timedelta(hours=1), timedelta(minutes=15)

Month = tuple[int, int]  # year, month of the house's calendar


class PeakStore(Protocol):
    """Where the month's peak survives a restart."""

    @property
    def problem(self) -> str:
        """Why it could not be read or written last; empty: all is well."""

    def load(self) -> tuple[Month, float] | None:
        """What was saved last; None: nothing, or it cannot be read."""

    def save(self, month: Month, kw: float) -> None:
        """Keep it."""


class MonthPeak:
    """Means of quarter hours, and the highest of the month.

    A reading holds until the next one. Where that is too long the house was not seen, and what was not seen counts as
    nothing imported: no mean is above what the meter of the grid operator has billed.

    Parameters
    ----------
    zone : ZoneInfo
        Of the house: months are its own.
    store : PeakStore
    stale_s : float
        A reading says nothing of what is later than that [s].
    """

    def __init__(self, zone: ZoneInfo, store: PeakStore, *, stale_s: float) -> None:
        self._zone, self._store, self._stale_s = zone, store, stale_s
        saved = store.load()
        self._month, self._kw = saved if saved is not None else ((0, 0), 0.0)
        self._last: tuple[datetime, float] | None = None
        self._slot: datetime | None = None
        self._kwh = 0.0

    def see(self, at: datetime, grid_kw: float) -> None:
        """One reading of the meter; > 0 imports."""
        last, self._last = self._last, (at, max(0.0, grid_kw))
        if last is not None and (at - last[0]).total_seconds() <= self._stale_s:
            since, kw = last
            while since < at:
                until = min(at, floor_slot(since) + QUARTER)
                self._enter(floor_slot(since))
                self._kwh += kw * ((until - since) / HOUR)
                since = until
        self._enter(floor_slot(at))

    @property
    def problem(self) -> str:
        """Why a restart would not know the peak; empty: it would. Tried again each quarter hour."""
        return self._store.problem

    def measured_kw(self, now: datetime) -> float:
        """The highest quarter hour of this month [kW]; 0: none was measured yet."""
        return self._kw if self._month == self._of(now) else 0.0

    def _enter(self, slot: datetime) -> None:
        """Time has come to this quarter hour: one before it is over."""
        if self._slot is not None and slot > self._slot:
            month, kw = self._of(self._slot), self._kwh / (QUARTER / HOUR)
            if month != self._month or kw > self._kw:
                self._month, self._kw = month, kw
                self._store.save(month, kw)
            elif self._store.problem:
                self._store.save(self._month, self._kw)
        if slot != self._slot:
            self._slot, self._kwh = slot, 0.0

    def _of(self, at: datetime) -> Month:
        local = at.astimezone(self._zone)
        return local.year, local.month
