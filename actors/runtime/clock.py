"""Clocks, always injected: one for durations (monotonic), one for house time (aware UTC)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

REAL_FLOOR_S = 1.0  # a time-out never falls under this in real time, however fast house time runs


class Clock(Protocol):
    """What the runtime and its behaviours know about time."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary origin, never jumping: for durations [s]."""

    def now(self) -> datetime:
        """House time, aware UTC: for slots and prices."""


class SystemClock:
    """Real time."""

    speed = 1.0

    def monotonic(self) -> float:
        """Real monotonic seconds."""
        return time.monotonic()

    def now(self) -> datetime:
        """Aware UTC wall time."""
        return datetime.now(UTC)


class ScaledClock:
    """House time that begins at `start` and runs `speed` times as fast as real time, durations included.

    Derived from the real monotonic clock alone, so a jump of the wall clock moves neither of its readings.
    """

    def __init__(self, start: datetime, speed: float) -> None:
        if speed <= 0:
            raise ValueError(f"speed is {speed}, must be above 0")
        self.speed = speed
        self._start = _aware(start)
        self._origin = time.monotonic()

    def monotonic(self) -> float:
        """House seconds since the clock was made."""
        return (time.monotonic() - self._origin) * self.speed

    def now(self) -> datetime:
        """`start` plus the house seconds passed."""
        return self._start + timedelta(seconds=self.monotonic())


class ManualClock:
    """Time that passes only when told to; for the stepper and for tests."""

    speed = 1.0

    def __init__(self, start: datetime) -> None:
        self._start = _aware(start)
        self._elapsed_s = 0.0
        self._listeners: list[Callable[[], None]] = []
        self._lock = threading.Lock()

    def monotonic(self) -> float:
        """Seconds advanced so far."""
        return self._elapsed_s

    def now(self) -> datetime:
        """`start` plus what was advanced."""
        return self._start + timedelta(seconds=self._elapsed_s)

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass and wake whoever waits for time."""
        if not seconds >= 0:
            raise ValueError(f"cannot advance by {seconds} s: time does not run backwards")
        with self._lock:
            self._elapsed_s += seconds
        self._tell()

    def advance_to(self, monotonic_s: float) -> None:
        """Move to an exact reading of `monotonic()`; earlier ones are ignored (no sum of rounding errors)."""
        with self._lock:
            self._elapsed_s = max(self._elapsed_s, monotonic_s)
        self._tell()

    def on_change(self, listener: Callable[[], None]) -> None:
        """Have `listener` called after each advance."""
        self._listeners.append(listener)

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()


def speed_of(clock: Clock) -> float:
    """How many seconds of `clock` pass in one real second."""
    return float(getattr(clock, "speed", 1.0))


def real_floor(clock: Clock, seconds: float) -> float:
    """Stretch a time-out so that it lasts at least 1 s, or itself if shorter, of real time.

    House time may run 60 times faster than the machine; a 2 s limit would then cut off whoever lost the processor
    for 33 ms.
    """
    return max(seconds, min(seconds, REAL_FLOOR_S) * speed_of(clock))


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError(f"clock start {moment.isoformat()} has no time zone")
    return moment.astimezone(UTC)
