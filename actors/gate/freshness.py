"""Which signals are fresh. A signal that went stale is believed again only after several consecutive samples."""

from __future__ import annotations

from dataclasses import dataclass

CONSECUTIVE_SAMPLES = 3


@dataclass(slots=True)
class _Signal:
    max_age_s: float
    seen_s: float | None = None
    in_a_row: int = 0


class Freshness:
    """Ages of signals on the monotonic clock."""

    def __init__(self, max_age_s: dict[str, float], samples: int = CONSECUTIVE_SAMPLES) -> None:
        self._signals = {name: _Signal(age) for name, age in max_age_s.items()}
        self._samples = samples

    def seen(self, name: str, at_s: float) -> None:
        """A plausible sample of this signal arrived."""
        signal = self._signals.get(name)
        if signal is None:
            return
        broken = signal.seen_s is None or at_s - signal.seen_s > signal.max_age_s
        signal.in_a_row = 1 if broken else min(signal.in_a_row + 1, self._samples)
        signal.seen_s = at_s

    def stale(self, names: tuple[str, ...], at_s: float) -> tuple[str, ...]:
        """Those of `names` that nothing may depend on now."""
        return tuple(n for n in names if not self._fresh(n, at_s))

    def age_s(self, name: str, at_s: float) -> float | None:
        """Seconds since the last sample; None if there was none."""
        signal = self._signals.get(name)
        return None if signal is None or signal.seen_s is None else at_s - signal.seen_s

    def _fresh(self, name: str, at_s: float) -> bool:
        signal = self._signals.get(name)
        if signal is None or signal.seen_s is None:
            return False
        return at_s - signal.seen_s <= signal.max_age_s and signal.in_a_row >= self._samples

    def names(self) -> tuple[str, ...]:
        return tuple(self._signals)
