"""Invariants 1-8, 10, 12-14, 27, 28, 33 on the wire log: who may decide a point, for how long, and on what grounds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from datetime import datetime

from actors.audit.book import Book, Durations
from actors.audit.record import Ask, Asks, cap_holds, inside, spelled
from actors.audit.signals import Signals
from actors.devices.distrust import FIRST_S
from actors.messages import Alarm, Latched, Permit, Proof, Trip, TripReset, WireWrite
from models.types.command import Level, Outcome, Request, Verdict
from models.types.mode import Composite, InverterMode
from models.types.point import Modes, NumberRange, PointSpec, Words

MODE, EXPORT = "inverter.mode", "inverter.export_limit_kw"
EPS_S = 1e-6


class Authority:
    """Judges every write by its own record of requests, trips and permits.

    Parameters
    ----------
    points : iterable of PointSpec
    times : Durations
    signals : Signals
        What the devices reported.
    book : Book
    """

    def __init__(self, points: Iterable[PointSpec], times: Durations, signals: Signals, book: Book) -> None:
        self.asks = {spec.name: Asks(spec) for spec in points}
        self.last: dict[str, WireWrite] = {}  # per point, the write that stands
        self.permit_until_s = -math.inf
        self._times, self._signals, self._book = times, signals, book
        self._slack_s = times.gate_tick_s + times.device_tick_s
        self._away_s = -math.inf  # when the inverter was silent or offline last
        self.at_default: Callable[[PointSpec], bool] = lambda _: False  # as the device reports it
        self._offered: Request | None = None
        self._fence: dict[str, tuple[tuple[int, int], int]] = {}
        self._trips: dict[str, tuple[Trip, float]] = {}
        self._reset_s: dict[str, float] = {}  # point -> when its last trip ended
        self._lives: dict[str, int] = {}  # device path -> incarnation
        self._alive_s: dict[str, float] = {}  # device path -> running since
        self._gate_s = 0.0
        self.begun_s = -math.inf  # when any actor began its present life last
        self._failed: dict[str, str] = {}  # point -> request whose read-backs failed
        self._failed_s: dict[str, float] = {}  # point -> when; until a wish is proven there
        self._alarms: set[str] = set()
        self._clock_s: float | None = None  # house time minus monotonic
        self._jumped = False

    # --- what is heard --------------------------------------------------------------------------------------------
    def offered(self, request: Request) -> None:
        """A request reached the gate; its verdict follows."""
        self._offered = request

    def verdict(self, verdict: Verdict, now: datetime, at_s: float) -> None:
        """The gate's answer."""
        request = self._offered
        if verdict.outcome is Outcome.DEFERRED:
            asks = self.asks.get(verdict.point)
            for ask in () if asks is None else asks.named(verdict.request_id):
                ask.deferred = True
            return
        self._offered = None
        if verdict.outcome is Outcome.REFUSED or request is None or request.id != verdict.request_id:
            return
        self._accepted(request, now, at_s)

    def _accepted(self, request: Request, now: datetime, at_s: float) -> None:
        book, point = self._book, str(request.point)[:80]
        left_s = math.inf
        if request.expires is not None:
            left_s = min((request.expires - request.issued).total_seconds(), (request.expires - now).total_seconds())
        asks = self.asks.get(point)
        book.check(1, asks is not None, at_s, point, "a request for a point that does not exist was accepted")
        book.check(7, left_s > 0 and cap_holds(request, left_s), at_s, point, f"accepted for {left_s:.0f} s")
        ahead_s = (request.issued - now).total_seconds()
        book.check(28, ahead_s <= 5.0 + EPS_S, at_s, point, f"accepted though issued {ahead_s:.0f} s in the future")
        last, newest = self._fence.get(request.source), (request.epoch, request.seq)
        book.check(8, last is None or newest > last, at_s, point, f"{request.source}: {newest} accepted after {last}")
        self._fence[request.source] = newest
        if last is not None and last[0] < request.epoch:
            for other in self.asks.values():
                other.end_where(at_s, source=request.source, before=request.epoch)
        if asks is None:
            return
        ask = asks.accept(request, at_s + left_s, at_s)
        book.check(
            2, ask is None or inside(asks.spec, request.value) is not None, at_s, point,
            f"{str(request.value)[:80]} was accepted, which no envelope holds",
        )  # fmt: skip

    def permit(self, permit: Permit) -> None:
        """The permit was renewed."""
        self.permit_until_s = permit.until_s

    def tripped(self, trip: Trip, at_s: float) -> None:
        """A trip was latched."""
        self._trips[trip.id] = (trip, at_s)

    def latched(self, latched: Latched, at_s: float) -> None:
        """What a safety actor found latched when it began: all that was not reset must be there."""
        known = {trip.id for trip in latched.trips}
        everything = any("*" in trip.points for trip in latched.trips)
        for trip_id in self._trips:
            self._book.check(5, trip_id in known or everything, at_s, "", f"{trip_id} is gone without a reset")
        for trip in latched.trips:
            self._trips.setdefault(trip.id, (trip, at_s))

    def reset(self, reset: TripReset, at_s: float) -> None:
        """A person ended a trip."""
        known = self._trips.pop(reset.id, None)
        self._book.check(5, known is not None, at_s, "", f"{reset.id} was reset, but was not latched")
        if known is not None:
            trip, since_s = known
            held_s = at_s - since_s
            self._book.check(
                5, held_s >= trip.hold_off_s - EPS_S, at_s, "",
                f"{reset.id} was reset after {held_s:.0f} s, hold-off {trip.hold_off_s:.0f} s",
            )  # fmt: skip
            for name in self._points_of(trip):
                self._reset_s[name] = at_s

    def _tripping(self, name: str) -> list[Trip]:
        return [t for t, _ in self._trips.values() if "*" in t.points or name in t.points]

    def _points_of(self, trip: Trip) -> Iterable[str]:
        return tuple(self.asks) if "*" in trip.points else trip.points

    def started(self, path: str, incarnation: int, at_s: float) -> None:
        """A life began."""
        self._lives[path], self._alive_s[path] = incarnation, at_s
        self.begun_s = at_s
        if path == "/core/gate":
            self._gate_s = at_s
            self._fence.clear()
            for asks in self.asks.values():
                asks.end_where(at_s)
        for asks in self.asks.values():
            if asks.spec.device == path:  # what its former life had written, this one reads before it writes
                self._failed.pop(asks.spec.name, None)
                self._failed_s.pop(asks.spec.name, None)

    def ended(self, path: str) -> None:
        """A life ended."""
        self._alive_s.pop(path, None)

    def alarm(self, alarm: Alarm) -> None:
        """An alarm began or ended."""
        (self._alarms.add if alarm.active else self._alarms.discard)(alarm.name)

    def proof(self, proof: Proof, at_s: float) -> None:
        """How far an order got; `applied` is judged where the read-backs are known."""
        if proof.stage == "failed":
            raised = f"unconfirmed:{proof.point}" in self._alarms
            self._book.check(14, raised, at_s, proof.point, "read-backs failed without an alarm")
            if proof.request_id:
                self._failed[proof.point] = proof.request_id
                self._failed_s[proof.point] = at_s
        elif proof.stage == "applied" and proof.request_id:
            self._failed_s.pop(proof.point, None)

    # --- what is written ------------------------------------------------------------------------------------------
    def write(self, write: WireWrite, now: datetime) -> None:
        """Judge one entry of the wire log."""
        self._watch_clock(now, write.at_s)
        point, at_s, book = write.point, write.at_s, self._book
        asks = self.asks.get(point)
        book.check(1, asks is not None, at_s, point, "a write for a point that does not exist")
        if asks is None:
            return
        spec = asks.spec
        life = self._lives.get(spec.device)
        book.check(1, life is None or write.epoch[1] >= life, at_s, point, f"written by an ended life: {write.epoch}")
        book.check(34, life is None or write.epoch[1] >= life, at_s, point, f"written by an ended life: {write.epoch}")
        book.check(28, self._spelled(spec, write.value), at_s, point, f"{write.value!r} on the wire")
        self._judge_trip(spec, write)
        if write.level is Level.DEFAULT:
            book.check(1, write.value == spelled(spec.default), at_s, point, f"{write.value} as a default")
        elif write.level > Level.SAFETY_TRIP:
            self._judge_request(asks, write)
        else:
            self._judge_stop(asks, write)
        self.last[point] = write

    def _watch_clock(self, now: datetime, at_s: float) -> None:
        offset_s = now.timestamp() - at_s
        if self._clock_s is not None and abs(offset_s - self._clock_s) > 1.0:
            self._jumped = True
        self._clock_s = offset_s

    def _spelled(self, spec: PointSpec, text: str) -> bool:
        """The text is one that the point may show on the wire."""
        if text == spelled(spec.default) or text in {spelled(v) for v in spec.trip.values()}:
            return True
        envelope = spec.envelope
        if isinstance(envelope, Words):
            return text in envelope.allowed
        if isinstance(envelope, NumberRange):
            try:
                return envelope.low <= float(text) <= envelope.high
            except ValueError:
                return False
        assert isinstance(envelope, Modes)
        return text.split(" ")[0] in {c.value for c in envelope.allowed}

    def _judge_trip(self, spec: PointSpec, write: WireWrite) -> None:
        """While a point is tripped every write is its safe value (the very instant of the trip apart)."""
        at_s, allowed, oldest = write.at_s, set[str](), None
        for trip, since_s in self._trips.values():
            if "*" not in trip.points and spec.name not in trip.points:
                continue
            if since_s < at_s - EPS_S:
                oldest = trip
            allowed.add(_safe(spec, trip.kind))
        if oldest is None:
            return
        holds = write.value in allowed or ("hold" in allowed and write.value.startswith("hold"))
        emergency = write.level is Level.EMERGENCY_STOP
        self._book.check(4, holds or emergency, at_s, spec.name, f"{write.value} while tripped by {oldest.id}")

    def _judge_stop(self, asks: Asks, write: WireWrite) -> None:
        """Levels 1 and 2 act on a latched trip or an emergency request only."""
        at_s, name = write.at_s, asks.spec.name
        tripped = bool(self._tripping(name))
        lately = at_s - self._reset_s.get(name, -math.inf) <= self._slack_s
        asked = any(a.request.level is Level.EMERGENCY_STOP for a in asks.living.values()) or any(
            at_s <= a.end_s() + self._slack_s for a in asks.named(write.request_id)
        )
        text = f"{write.value} at level {int(write.level)} without a trip"
        self._book.check(1, tripped or lately or asked, at_s, name, text)

    def _judge_request(self, asks: Asks, write: WireWrite) -> None:
        book, at_s, point, slack_s = self._book, write.at_s, write.point, self._slack_s
        named = [a for a in asks.named(write.request_id) if a.request.level is write.level and a.text == write.value]
        book.check(1, bool(named), at_s, point, f"{write.value} names {write.request_id!r}, which was not accepted so")
        book.check(10, at_s < self.permit_until_s, at_s, point, f"level {int(write.level)} without a permit")
        if not named:
            return
        ask = max(named, key=Ask.end_s)
        waits = any(a.deferred for a in asks.living.values())
        late_s = at_s - (max(a.until_s for a in named) if waits else ask.end_s())
        book.check(6, late_s < slack_s, at_s, point, f"decided by a request that ended {late_s:.0f} s ago")
        if self._gate_s > ask.at_s:
            book.check(12, late_s < slack_s, at_s, point, "decided by a request of before the gate's restart")
        if self._jumped:
            book.check(33, late_s < slack_s, at_s, point, "a clock jump lengthened a request")
        book.check(14, self._failed.get(point) != write.request_id, at_s, point, "tried again after three read-backs")
        if write.level >= Level.LOCAL_RULES:
            pause_s = at_s - self._failed_s.get(point, -math.inf)
            book.check(14, pause_s >= FIRST_S, at_s, point, f"a program tries again after {pause_s:.0f} s")
        self._judge_priority(asks, ask, write)
        if write.level >= Level.LOCAL_RULES:
            for signal in asks.spec.requires:
                why = self._signals.unfit(signal, at_s - slack_s)
                book.check(27, not why, at_s, point, f"level {int(write.level)} acts on {signal}: {why}")

    def _judge_priority(self, asks: Asks, ask: Ask, write: WireWrite) -> None:
        """No living request of a smaller number, or of an earlier source at the same, was passed over."""
        mine = (write.level, ask.request.source)
        for key, other in asks.living.items():
            if key >= mine or other.at_s > write.at_s - self._slack_s or other.until_s <= write.at_s:
                continue
            if other.deferred or self._may_wait(asks.spec, other, write.at_s):
                continue
            text = f"{write.value} of {mine[1]} decides, {other.text} of {key[1]} at level {int(key[0])} lives"
            self._book.check(2, False, write.at_s, write.point, text)
            if key[0] is Level.USER:
                self._book.check(3, False, write.at_s, write.point, text)
        self._book.checks[2] += 1
        self._book.checks[3] += 1

    def _may_wait(self, spec: PointSpec, ask: Ask, at_s: float) -> bool:
        """Something in the house may stand in its way, so that the next level acts."""
        if self._failed.get(spec.name) == ask.request.id:
            return True
        if ask.request.level >= Level.LOCAL_RULES and spec.name in self._failed_s:
            return True
        if ask.request.level >= Level.LOCAL_RULES and any(
            self._signals.unfit(s, at_s) or self._signals.unfit(s, at_s - self._slack_s) for s in spec.requires
        ):
            return True
        value = ask.request.value
        if not isinstance(value, InverterMode) or value.composite is Composite.REGULAR:
            return spec.relay is not None  # minimum times and headroom: see the relays' own book
        return self._signals.hinders(value, at_s, self._slack_s)

    def by_hand(self, point: str) -> bool:
        """Somebody else's hand at the device holds a point, as the device has told the gate."""
        return point in self.asks and any(source.startswith("/devices/") for _, source in self.asks[point].living)

    # --- what stands ----------------------------------------------------------------------------------------------
    def settled(self, at_s: float) -> None:
        """Volatile points are back at their default when what held them is over."""
        slack_s = self._slack_s + self._times.lease_s + self._times.relay_refresh_s
        up_s = self._signals.link_up_s
        if up_s is None or at_s - up_s < slack_s:
            return  # a dead wire is told nothing; what stands behind it ends by itself, see the heartbeat
        if not self._signals.fresh("inverter", at_s):
            self._away_s = at_s
        for name, write in self.last.items():
            spec = self.asks[name].spec
            if name == EXPORT and at_s - self._away_s < slack_s:
                continue  # an inverter that is away cannot be written
            since_s = self._alive_s.get(spec.device)
            if write.level <= Level.SAFETY_TRIP or name == MODE or write.value == spelled(spec.default):
                continue
            if self.at_default(spec):
                continue  # what was written last never took
            if self.by_hand(name):
                continue  # somebody else's hand ended it, and is respected: the device is there without a write
            if write.value in {_safe(spec, t.kind) for t in self._tripping(name)}:
                continue  # a trip to the value that stands writes nothing
            if since_s is None or at_s - since_s < slack_s or not self._signals.heard_since(spec, since_s):
                continue
            over_s = at_s - self.asks[name].wanted_until_s(write.value, default=write.at_s)
            self._book.check(13, over_s < slack_s, at_s, name, f"{write.value} stands {over_s:.0f} s after its end")
            lapsed_s = at_s - self.permit_until_s
            text = f"{write.value} stands {lapsed_s:.0f} s after the permit"
            self._book.check(10, lapsed_s < slack_s, at_s, name, text)
        for asks in self.asks.values():
            asks.forget(at_s - slack_s)


def _safe(spec: PointSpec, kind: str) -> str:
    """The safe value of a point under a kind of trip, as the wire log spells it."""
    if kind != "emergency_stop":
        return spelled(spec.trip_value(kind))
    value = spec.emergency
    return "hold" if isinstance(value, InverterMode) else spelled(value)
