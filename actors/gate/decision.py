"""The gate's mind: pure functions from what is asked, allowed and known to what each point shall be.

admit    may this request take its slot?              (finite, in range, time to live, fence, authority)
decide   which living slot holds the point now?       (trip > permit > level > freshness > default)

Nothing here knows an actor, a thread or a clock: times are arguments, monotonic seconds unless they say otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import UnionType

from models.types.command import RELINQUISH, Level, Outcome, Relinquish, Request, Value
from models.types.mode import TRADING, Composite, InverterMode
from models.types.point import Modes, NumberRange, PointSpec, Words
from models.units import is_number, shown

FUTURE_TOLERANCE_S = 5.0
ID_LIMIT = 200
WRITES_OF_ONE_RUN = 5  # stop SOC, rate, AC flag on; AC flag off and one spare at its release

# Longest time to live a request of each level may ask for [s]; only an emergency stop may be unlimited.
TTL_CAP_S: Mapping[Level, float | None] = {
    Level.EMERGENCY_STOP: None,
    Level.SAFETY_TRIP: 0.0,  # trips are latched, not requested
    Level.GRID_OPERATOR: 86_400.0,
    Level.USER: 7 * 86_400.0,
    Level.LOCAL_RULES: 3_600.0,
    Level.PLAN: 2.5 * 3_600.0,
    Level.FALLBACK: 2.5 * 3_600.0,
}

# Who may speak at which level: the first segment of the source's path.
AUTHORITY: Mapping[str, tuple[Level, ...]] = {
    "core": (Level.EMERGENCY_STOP, Level.GRID_OPERATOR),
    "user": (Level.EMERGENCY_STOP, Level.USER),
    "operator": (Level.GRID_OPERATOR,),
    "devices": (Level.USER,),  # what a hand at the device itself did: see actors/devices/third_hand.py
    "plan": (Level.LOCAL_RULES, Level.PLAN, Level.FALLBACK),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A request in its slot, with its end on the monotonic clock (a wall-clock jump cannot lengthen it)."""

    request: Request
    until_s: float | None

    def alive(self, at_s: float) -> bool:
        return self.until_s is None or at_s < self.until_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """The answer to one request: the outcome, why, and what enters the slot (None: nothing)."""

    outcome: Outcome
    reason: str
    held: Held | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a point shall be, and who says so."""

    value: Value | None
    level: Level
    reason: str
    request: Request | None = None
    until_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Latch:
    """A trip as the gate holds it for one point."""

    trip_id: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What the gate knows of the world when it decides one point."""

    at_s: float
    permit: bool
    stale: tuple[str, ...] = ()  # required signals that are not fresh
    soc: float | None = None
    export_price: float | None = None  # EUR/kWh of the running slot; None: unknown
    running: InverterMode | None = None  # the mode decided last
    soc_min: float = 0.0
    soc_max: float = 1.0
    soc_hysteresis: float = 0.005
    writes_left: int | None = None  # stored-register writes left in this day's budget; None: not a stored point


def admit(
    spec: PointSpec | None,
    request: Request,
    *,
    now: datetime,
    at_s: float,
    last: tuple[tuple[int, int], int] | None,
) -> Admission:
    """Judge one request on its own.

    Parameters
    ----------
    spec : PointSpec or None
        Its point; None when there is no such point.
    request : Request
    now, at_s : datetime, float
        House time (aware UTC) and monotonic time [s] of the judgement.
    last : ((boot, incarnation), seq) or None
        Highest (epoch, seq) accepted from this source so far.
    """
    refuse = _refusal(spec, request, now, last)
    if refuse is not None:
        return Admission(outcome=Outcome.REFUSED, reason=refuse)
    assert spec is not None
    until_s = None if request.expires is None else at_s + _time_to_live(request, now)
    if isinstance(request.value, Relinquish):
        return Admission(outcome=Outcome.ACCEPTED, reason="relinquished", held=Held(request=request, until_s=until_s))
    value, note = fit(spec, request.value)
    if value is None:
        return Admission(outcome=Outcome.REFUSED, reason=note)
    outcome = Outcome.ACCEPTED if value == request.value else Outcome.CLAMPED
    return Admission(outcome=outcome, reason=note, held=Held(request=replace(request, value=value), until_s=until_s))


def _time_to_live(request: Request, now: datetime) -> float:
    """Seconds left, by the smaller of what was asked for and what the wall clock still grants."""
    assert request.expires is not None
    return min((request.expires - request.issued).total_seconds(), (request.expires - now).total_seconds())


def _refusal(
    spec: PointSpec | None, request: Request, now: datetime, last: tuple[tuple[int, int], int] | None
) -> str | None:
    if spec is None:
        return f"no such point: {request.point[:80]!r}"
    if len(request.id) > ID_LIMIT:
        return f"request id is longer than {ID_LIMIT} characters"
    allowed = AUTHORITY.get(request.source.lstrip("/").split("/", 1)[0], ())
    if request.level not in allowed:
        return f"{request.source!r} may not speak at level {int(request.level)}"
    if last is not None and (request.epoch, request.seq) <= last:
        return "not newer than what this source said before (duplicate, reordered or from an older life)"
    if request.issued.tzinfo is None or (request.expires is not None and request.expires.tzinfo is None):
        return "issued and expires must be aware UTC"
    ahead_s = (request.issued - now).total_seconds()
    if ahead_s > FUTURE_TOLERANCE_S:
        return f"issued {ahead_s:.0f} s in the future, limit {FUTURE_TOLERANCE_S:.0f} s"
    cap_s = TTL_CAP_S[request.level]
    if request.expires is None:
        return None if cap_s is None else f"level {int(request.level)} needs an end, at most {cap_s:.0f} s ahead"
    left_s = _time_to_live(request, now)
    if left_s <= 0:
        return "expired before it arrived"
    if cap_s is not None and left_s > cap_s:
        return f"time to live {left_s:.0f} s, limit {cap_s:.0f} s at level {int(request.level)}"
    return None


def malformed(request: Request) -> str:
    """What of the request is not of its kind; empty if all is. Annotations bind nobody who sends.

    The value is not looked at: `fit` does that. Everything else here may rely on the types once this is empty.
    """
    kinds: tuple[tuple[str, object, type | UnionType], ...] = (
        ("id", request.id, str),
        ("source", request.source, str),
        ("point", request.point, str),
        ("cause", request.cause, str),
        ("note", request.note, str),
        ("level", request.level, Level),
        ("issued", request.issued, datetime),
        ("expires", request.expires, datetime | None),
        ("epoch", request.epoch, tuple),
    )
    wrong = [name for name, found, kind in kinds if not isinstance(found, kind)]
    if not _whole(request.seq):
        wrong.append("seq")
    if "epoch" not in wrong and not (len(request.epoch) == 2 and all(_whole(number) for number in request.epoch)):
        wrong.append("epoch")
    return f"malformed request: {', '.join(wrong)}" if wrong else ""


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def fit(spec: PointSpec, value: Value) -> tuple[Value | None, str]:
    """The value inside the point's envelope, or None with the reason: numbers are clamped, all else is refused."""
    envelope = spec.envelope
    if isinstance(envelope, NumberRange):
        if not is_number(value):
            return None, f"{shown(value)} is not a finite number"
        assert isinstance(value, (int, float))
        clamped = min(max(float(value), envelope.low), envelope.high)
        note = "" if clamped == value else f"{value:g} {spec.unit} clamped to {envelope.low:g} .. {envelope.high:g}"
        return clamped, note
    if isinstance(envelope, Words):
        if not isinstance(value, str) or value not in envelope.allowed:
            return None, f"{shown(value)} is not one of {', '.join(envelope.allowed)}"
        return str(value), ""
    return _fit_mode(envelope, value)


def _fit_mode(envelope: Modes, value: Value) -> tuple[Value | None, str]:
    if (
        not isinstance(value, InverterMode)
        or not isinstance(value.composite, Composite)  # an equal word is not a composite
        or value.composite not in envelope.allowed
    ):
        names = ", ".join(c.value for c in envelope.allowed)
        return None, f"{shown(value)} is not one of {names}"
    soc, rate = value.stop_soc, value.rate
    for name, number in (("stop_soc", soc), ("rate", rate)):
        if number is not None and not is_number(number):
            return None, f"{name} {shown(number)} is not a finite number"
    if value.composite in TRADING and soc is None:
        return None, f"{value.composite.value} needs a stop_soc"
    if value.composite is Composite.REGULAR:
        fitted = InverterMode(composite=Composite.REGULAR)
    else:
        fitted = InverterMode(
            composite=value.composite,
            stop_soc=None if soc is None else min(max(soc, envelope.soc_min), envelope.soc_max),
            rate=None if rate is None else min(max(rate, 0.01), 1.0),
        )
    return fitted, "" if fitted == value else f"{value} clamped to {fitted}"


def decide(
    spec: PointSpec, slots: Iterable[Held], *, latch: Latch | None, conditions: Conditions
) -> Decision:
    """What the point shall be now: the lowest level that lives and may act, else the default.

    `slots` may come in any order: of two sources at one level the first by name wins, so that the order of delivery
    never matters.
    """
    at_s = conditions.at_s
    living = sorted(
        (h for h in slots if h.alive(at_s) and h.request.value is not RELINQUISH),
        key=lambda h: (h.request.level, h.request.source),
    )
    if living and living[0].request.level is Level.EMERGENCY_STOP:
        held = living[0]
        return Decision(
            value=emergency_value(spec, conditions.soc),
            level=Level.EMERGENCY_STOP,
            reason="emergency stop",
            request=held.request,
            until_s=held.until_s,
        )
    if latch is not None:
        value = emergency_value(spec, conditions.soc) if latch.kind == "emergency_stop" else spec.trip_value(latch.kind)
        level = Level.EMERGENCY_STOP if latch.kind == "emergency_stop" else Level.SAFETY_TRIP
        return Decision(value=value, level=level, reason=f"tripped: {latch.trip_id}")
    if not conditions.permit:
        return Decision(value=spec.default, level=Level.DEFAULT, reason="no permit from safety")
    passed_over = ""
    for held in living:
        level = held.request.level
        if level >= Level.LOCAL_RULES and conditions.stale:
            passed_over = f"stale: {', '.join(conditions.stale)}"
            continue
        wish = held.request.value
        assert not isinstance(wish, Relinquish)
        hindrance = mode_hindrance(wish, conditions) if isinstance(wish, InverterMode) else ""
        if hindrance and level > Level.SAFETY_TRIP:
            passed_over = hindrance
            continue
        return Decision(
            value=wish,
            level=level,
            reason=held.request.note or level.name.lower(),
            request=held.request,
            until_s=held.until_s,
        )
    return Decision(value=spec.default, level=Level.DEFAULT, reason=passed_over or "nobody asks")


def emergency_value(spec: PointSpec, soc: float | None) -> Value | None:
    """The emergency value of a point; the inverter's hold never asks for more than it has, nor more than half."""
    value = spec.emergency
    if isinstance(value, InverterMode) and value.composite is Composite.HOLD and isinstance(spec.envelope, Modes):
        half = spec.envelope.soc_min if soc is None else min(soc, 0.5)
        return replace(value, stop_soc=max(half, spec.envelope.soc_min))
    return value


def mode_hindrance(mode: InverterMode, conditions: Conditions) -> str:
    """Why this composite must not be entered or kept now; empty if nothing speaks against it."""
    soc, h = conditions.soc, conditions.soc_hysteresis
    sells = mode.composite in (Composite.DISCHARGE_TO_GRID, Composite.SELL_PRODUCTION)
    if mode.composite is Composite.REGULAR:
        return ""
    if sells and conditions.export_price is None:
        return f"{mode.composite.value} with an unknown export price"
    if sells and conditions.export_price is not None and conditions.export_price < 0:
        return f"{mode.composite.value} at a negative export price ({conditions.export_price:.3f} EUR/kWh)"
    if conditions.running == mode:
        return ""  # what already runs ends by its own stop SOC; leaving it for an instant would only wear registers
    goes_on = conditions.running is not None and conditions.running.composite is mode.composite
    if not goes_on and conditions.writes_left is not None and conditions.writes_left < WRITES_OF_ONE_RUN:
        return f"write budget: {conditions.writes_left} left today, a run needs {WRITES_OF_ONE_RUN}"
    if soc is None:
        return "" if goes_on else "SOC is not known"
    if mode.composite is Composite.CHARGE_FROM_GRID and soc >= conditions.soc_max - h:
        return f"battery is full ({soc:.1%})"
    if mode.composite is Composite.DISCHARGE_TO_GRID and soc <= conditions.soc_min + h:
        return f"battery is empty ({soc:.1%})"
    return ""
