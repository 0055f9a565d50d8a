"""What the auditor keeps: how often each invariant was looked at, and where it did not hold."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Protocol

KEPT = 1_000  # breaches with their text; beyond, they are only counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """One invariant that did not hold at one instant."""

    invariant: int  # its number in the list of invariants
    at_s: float  # monotonic
    point: str  # "" where it is about no single point
    text: str

    def __str__(self) -> str:
        where = f" {self.point}" if self.point else ""
        return f"invariant {self.invariant} at {self.at_s:.1f} s{where}: {self.text}"


class Durations(Protocol):
    """What the auditor must know of the house's timing [s]; `config.timing.Timing` has all of them."""

    @property
    def permit_s(self) -> float: ...
    @property
    def gate_tick_s(self) -> float: ...
    @property
    def device_tick_s(self) -> float: ...
    @property
    def lease_s(self) -> float: ...
    @property
    def relay_refresh_s(self) -> float: ...
    @property
    def telemetry_s(self) -> float: ...
    @property
    def telemetry_max_age_s(self) -> float: ...
    @property
    def rooms_max_age_s(self) -> float: ...
    @property
    def settle_s(self) -> float: ...
    @property
    def answer_s(self) -> float: ...


class Book:
    """Counts and breaches of one run.

    Attributes
    ----------
    checks : Counter
        Evaluations by invariant number.
    breaches : list of Breach
        The first `KEPT` of them, in order.
    total : int
        All of them.
    """

    def __init__(self) -> None:
        self.checks: Counter[int] = Counter()
        self.breaches: list[Breach] = []
        self.total = 0

    def breach(self, invariant: int, at_s: float, point: str, text: str) -> None:
        """It did not hold."""
        self.total += 1
        if len(self.breaches) < KEPT:
            self.breaches.append(Breach(invariant=invariant, at_s=at_s, point=point, text=text))

    def check(self, invariant: int, holds: bool, at_s: float, point: str, text: str) -> None:
        """One evaluation."""
        self.checks[invariant] += 1
        if not holds:
            self.breach(invariant, at_s, point, text)
