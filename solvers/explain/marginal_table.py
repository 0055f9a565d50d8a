"""What more consumption would cost, hour by hour: the answer to "when should the dishwasher run?". Standard library."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

ENERGIES_KWH = (1.0, 2.0, 4.0, 8.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginalHour:
    """One hour: what each energy more, drawn evenly over it, adds to the best plan's objective."""

    start: datetime  # aware UTC
    cost_eur: tuple[float, ...]  # one per energy; negative where consuming is paid
    bent_eur: tuple[float, ...]  # of which for rules that it bends (fuse, comfort, reserve); 0: it just fits


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginalTable:
    """All hours of a horizon that fit in whole: first the 60 minutes from now, then the hours of the clock."""

    problem_id: str
    issued: datetime
    energies_kwh: tuple[float, ...]
    hours: tuple[MarginalHour, ...]
    solves: int  # re-solves that the table took; the other values follow from convexity
    took_s: float
