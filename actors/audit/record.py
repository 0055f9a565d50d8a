"""Who asked for what, as the auditor remembers it: accepted requests with their ends, trips, the permit."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

from models.types.command import Level, Relinquish, Request, Value
from models.types.mode import Composite, InverterMode
from models.types.point import Modes, NumberRange, PointSpec, Words

ENDED_KEPT = 64  # ended requests remembered per point, for writes that come just after

# Longest time to live [s] by level; None: may be unlimited.
CAP_S: dict[int, float | None] = {1: None, 2: 0.0, 3: 86_400.0, 8: 604_800.0, 10: 3_600.0, 13: 9_000.0, 15: 9_000.0}


@dataclass(slots=True)
class Ask:
    """One accepted request; `until_s` and `ended_s` are monotonic."""

    request: Request
    text: str  # its value inside the envelope, as the wire log spells values
    at_s: float
    until_s: float
    ended_s: float = math.inf
    deferred: bool = False

    def end_s(self) -> float:
        return min(self.until_s, self.ended_s)


def spelled(value: object) -> str:
    """A value as the wire log spells it; what is given back to the device reads `its own`."""
    return "its own" if value is None else str(value)


def finite(value: object) -> bool:
    """A number that a device can mean."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return -1e12 < value < 1e12


def inside(spec: PointSpec, value: object) -> Value | None:
    """The value as it may stand on the wire for that point; None if it may not."""
    envelope = spec.envelope
    if isinstance(envelope, NumberRange):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value or abs(value) == math.inf:
            return None
        return float(min(max(value, envelope.low), envelope.high))
    if isinstance(envelope, Words):
        return value if isinstance(value, str) and value in envelope.allowed else None
    return _mode_inside(envelope, value)


def _mode_inside(envelope: Modes, value: object) -> InverterMode | None:
    if not isinstance(value, InverterMode) or value.composite not in envelope.allowed:
        return None
    soc, rate = value.stop_soc, value.rate
    if any(number is not None and not finite(number) for number in (soc, rate)):
        return None
    if value.composite is Composite.REGULAR:
        return InverterMode(composite=Composite.REGULAR)
    return replace(
        value,
        stop_soc=None if soc is None else min(max(soc, envelope.soc_min), envelope.soc_max),
        rate=None if rate is None else min(max(rate, 0.01), 1.0),
    )


class Asks:
    """The accepted requests of one point, living and lately ended."""

    def __init__(self, spec: PointSpec) -> None:
        self.spec = spec
        self.living: dict[tuple[Level, str], Ask] = {}
        self._ended: deque[Ask] = deque(maxlen=ENDED_KEPT)

    def accept(self, request: Request, until_s: float, at_s: float) -> Ask | None:
        """Enter an accepted request; None where it gives its slot back or means nothing for this point."""
        key = (request.level, request.source)
        self._end(key, at_s)
        if isinstance(request.value, Relinquish):
            return None
        value = inside(self.spec, request.value)
        ask = Ask(request=request, text=str(value), at_s=at_s, until_s=until_s)
        self.living[key] = ask
        return ask

    def _end(self, key: tuple[Level, str], at_s: float) -> None:
        known = self.living.pop(key, None)
        if known is not None:
            known.ended_s = at_s
            self._ended.append(known)

    def end_where(self, at_s: float, *, source: str | None = None, before: tuple[int, int] | None = None) -> None:
        """End what a source asked for in epochs before `before`; without a source, everything."""
        for key, ask in list(self.living.items()):
            mine = source is None or ask.request.source == source
            if mine and (before is None or ask.request.epoch < before):
                self._end(key, at_s)

    def forget(self, at_s: float) -> None:
        """Move what has run out from the living to the ended."""
        for key, ask in list(self.living.items()):
            if at_s >= ask.until_s:
                del self.living[key]
                self._ended.append(ask)

    def named(self, request_id: str) -> Iterator[Ask]:
        """All that went by this id."""
        for ask in self.living.values():
            if ask.request.id == request_id:
                yield ask
        for ask in self._ended:
            if ask.request.id == request_id:
                yield ask

    def wanted_until_s(self, text: str, *, default: float) -> float:
        """When the last request for this value ends, or ended: an equal wish is not written again.

        While a successor has to wait for the relay's minimum times, what stood before it may stand on to its own end.
        """
        waits = any(a.deferred for a in self.living.values())
        ends = [
            a.until_s if waits else a.end_s() for a in (*self.living.values(), *self._ended) if a.text == text
        ]
        return max(ends, default=default)


def cap_holds(request: Request, left_s: float) -> bool:
    """True if the level may ask for so long."""
    if int(request.level) not in CAP_S:
        return False
    cap = CAP_S[int(request.level)]
    return cap is None or left_s <= cap + 1e-6
