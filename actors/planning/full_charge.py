"""When the battery was full last: cells are balanced there, so a plan brings it there every so many days."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

FULL_WITHIN = 0.01  # of the highest SOC
_SAVED_EVERY = timedelta(hours=1)  # while it stays full


class FullStore(Protocol):
    """Where the instant survives a restart."""

    @property
    def problem(self) -> str:
        """Why it could not be read or written last; empty: all is well."""

    def load(self) -> datetime | None:
        """What was saved last, aware UTC; None: nothing, or it cannot be read."""

    def save(self, at: datetime) -> None:
        """Keep it."""


class LastFull:
    """Counts the days since the battery was at its highest SOC.

    Where nothing is known, it counts from the first reading: a battery is not charged at any price because PEMS is new.

    Parameters
    ----------
    soc_max : float
        The highest SOC that the battery is charged to, a fraction.
    store : FullStore
    """

    def __init__(self, soc_max: float, store: FullStore) -> None:
        self._full_soc, self._store = soc_max - FULL_WITHIN, store
        self._saved = store.load()
        self._at = self._saved

    @property
    def problem(self) -> str:
        """Why a restart would not know; empty: it would."""
        return self._store.problem

    def see(self, now: datetime, soc: float) -> None:
        """One reading of the SOC, a fraction."""
        if soc >= self._full_soc or self._at is None:
            self._at = now
        if self._saved is None or self._at - self._saved >= _SAVED_EVERY or self._store.problem:
            self._store.save(self._at)
            self._saved = self._at

    def days(self, now: datetime) -> float:
        """Days since then; 0 before the first reading."""
        return 0.0 if self._at is None else max(0.0, (now - self._at).total_seconds() / 86_400.0)
