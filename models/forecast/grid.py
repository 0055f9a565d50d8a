"""Series moved from one grid of slots to another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from models.errors import DataError

Array = NDArray[np.float64]
_COVERED = 0.999  # of a slot must be known for its mean to be known


@dataclass(frozen=True, slots=True)
class Grid:
    """Slots `[start + i*dt, start + (i+1)*dt)`, i < steps. `start` is aware UTC, `dt_s` divides an hour."""

    start: datetime
    dt_s: float
    steps: int

    def __post_init__(self) -> None:
        if self.start.tzinfo is None:
            raise DataError(f"start {self.start.isoformat()} has no time zone", hint="give aware UTC times")
        if not 60.0 <= self.dt_s <= 3600.0 or 3600.0 % self.dt_s:
            raise DataError(f"dt_s {self.dt_s:g} does not divide an hour", hint="use 60 .. 3600 s, such as 900")
        if self.start.timestamp() % self.dt_s:
            raise DataError(f"start {self.start.isoformat()} is not a multiple of {self.dt_s:g} s", hint="floor it")

    @property
    def start_s(self) -> float:
        """Seconds since the Unix epoch."""
        return self.start.timestamp()

    @property
    def end(self) -> datetime:
        """End of the last slot."""
        return self.start + timedelta(seconds=self.dt_s * self.steps)

    def edges_s(self) -> Array:
        """Slot edges as seconds since the Unix epoch, shape (steps + 1,)."""
        return self.start_s + self.dt_s * np.arange(self.steps + 1, dtype=np.float64)

    def reaching(self, start: datetime) -> Grid:
        """The same grid, begun earlier so that it holds `start`."""
        extra = max(0, int(np.ceil((self.start_s - start.timestamp()) / self.dt_s)))
        begin = (self.start - timedelta(seconds=self.dt_s * extra)).astimezone(UTC)
        return Grid(begin, self.dt_s, self.steps + extra)


def resample(values: Sequence[float] | Array, of: Grid, to: Grid) -> Array:
    """Slot means of a series on another grid, by the time that slots share.

    Parameters
    ----------
    values : sequence of float, shape (of.steps,)
        Slot means; NaN is unknown.
    of, to : Grid
        Where they are and where they are wanted.

    Returns
    -------
    ndarray, shape (to.steps,)
        NaN where less than a whole slot is known.
    """
    have = np.asarray(values, dtype=np.float64)
    if have.shape != (of.steps,):
        raise DataError(f"a series has {have.size} values, its grid {of.steps}", hint="give every slot one, or NaN")
    offset = (to.start_s - of.start_s) / of.dt_s
    if of.dt_s == to.dt_s and offset == int(offset):  # the usual case: only moved
        result = np.full(to.steps, np.nan)
        first = int(offset)
        i, j = max(0, first), min(of.steps, first + to.steps)
        if j > i:
            result[i - first : j - first] = have[i:j]
        return result
    known = ~np.isnan(have)
    edges = of.edges_s()
    area = np.concatenate(([0.0], np.cumsum(np.where(known, have, 0.0) * of.dt_s)))
    time = np.concatenate(([0.0], np.cumsum(known * of.dt_s)))
    wanted = to.edges_s()
    covered_s = np.diff(np.interp(wanted, edges, time))
    total = np.diff(np.interp(wanted, edges, area))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(covered_s >= _COVERED * to.dt_s, total / covered_s, np.nan)
