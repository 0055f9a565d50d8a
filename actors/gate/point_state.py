"""One point as the gate holds it, and how people and programs are shown it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from actors.gate.decision import Decision, Held, Latch
from actors.gate.hindrance import RelayHistory
from models.types.command import Level, Relinquish, Value, Verdict
from models.types.mode import Composite, InverterMode
from models.types.point import PointSpec
from models.units import is_number, shown

VALUE_LIMIT = 200  # characters of a value that is none


@dataclass(slots=True)
class PointState:
    """One point as it stands."""

    spec: PointSpec
    slots: dict[tuple[Level, str], Held] = field(default_factory=dict)
    latch: Latch | None = None
    output: Decision | None = None  # what was approved last
    waiting: str = ""  # why the decision is not approved yet
    deferred: str = ""  # id of the request that was told so last
    short: Decision | None = None  # a person's wish that waits for power: nothing weaker may take it meanwhile
    since_s: float = 0.0
    verdicts: deque[Verdict] = field(default_factory=lambda: deque(maxlen=8))
    relay: RelayHistory = field(default_factory=RelayHistory)
    pending_s: float | None = None  # its heater was started, and the meter may not show it yet
    air_c: float | None = None  # of the room that the relay heats
    writes_left: int | None = None


def describe(point: PointState, at_s: float) -> dict[str, object]:
    """Everything of a point that `why` and `status` tell."""
    output = point.output
    slots = sorted(point.slots.items(), key=lambda item: item[0])
    return {
        "value": None if output is None else show(output.value),
        "level": None if output is None else int(output.level),
        "holder": "default" if output is None or output.request is None else output.request.source,
        "reason": "" if output is None else output.reason,
        "waiting": point.waiting,
        "for_s": round(at_s - point.since_s, 1),
        "left_s": None if output is None or output.until_s is None else round(output.until_s - at_s, 1),
        "default": show(point.spec.default),
        "tripped": None if point.latch is None else point.latch.trip_id,
        "slots": [
            {
                "level": int(level),
                "source": source,
                "value": show(held.request.value),
                "left_s": None if held.until_s is None else round(held.until_s - at_s, 1),
                "note": held.request.note,
                "cause": held.request.cause,
            }
            for (level, source), held in slots
        ],
        "verdicts": [
            {"at": v.at.isoformat(), "source": v.source, "outcome": v.outcome.value, "reason": v.reason,
             "value": show(v.value)}
            for v in list(point.verdicts)
        ],
    }


def told(value: object) -> Value | Relinquish:
    """A value as events may carry it: what is no value at all becomes a short text."""
    if isinstance(value, Relinquish):
        return value
    if (
        isinstance(value, InverterMode)
        and isinstance(value.composite, Composite)
        and all(number is None or is_number(number) for number in (value.stop_soc, value.rate))
    ):
        return value
    if isinstance(value, (int, float)) and is_number(value):
        return float(value)
    return (value if isinstance(value, str) else shown(value))[:VALUE_LIMIT]


def show(value: Value | Relinquish | None) -> str | float | None:
    """A value as people and JSON read it."""
    if isinstance(value, (InverterMode, Relinquish)):
        return "relinquish" if isinstance(value, Relinquish) else str(value)
    return value
