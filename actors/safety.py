"""The safety actor: checks the rules, renews the permit, latches trips. If it dies, the permit lapses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from actors.messages import Alarm, Latched, OperatorLimits, Permit, RequestTrip, ResetTrip, Tick, Trip, TripReset
from actors.requests import GATE, Asker
from actors.runtime import Behaviour, Lane
from models.errors import StoreError
from models.safety import Action, Finding, Memory, View, check, worst
from models.types.command import RELINQUISH, Level, Relinquish, Value
from models.types.house import House
from models.types.operator import ImportLimit, strictest
from models.types.reading import InverterReading, MeterReading, RoomsReading

TRIP_KIND = {"floor_maximum": "floor", "room_stuck": "room", "fuse_overload": "fuse", "battery_heat": "battery"}


class TripStore(Protocol):
    """Where latched trips survive."""

    def load(self) -> tuple[Trip, ...]:
        """What was latched. StoreError when it cannot be known."""

    def save(self, trips: tuple[Trip, ...]) -> None:
        """Persist, durably, before it returns. StoreError when it cannot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetySettings:
    """What the safety actor needs of the house file."""

    permit_s: float
    renew_s: float
    max_age_s: Mapping[str, float]  # per signal: "inverter", "meter", "room.<name>"
    hold_off_s: float = 60.0


class Safety(Behaviour):
    """Looks at the readings itself, not through the planner's eyes.

    Handles  readings, OperatorLimits, RequestTrip, ResetTrip, Tick
    Sends    Permit (stream and gate), Latched, level 3 requests while a limit is broken; publishes Trip, TripReset,
             Alarm, and Latched at its start
    Fails    when a rule raises: no permit, everything at default, until it has restarted
    """

    def __init__(self, house: House, settings: SafetySettings, store: TripStore) -> None:
        self._house, self._settings, self._store = house, settings, store
        self._inverter: tuple[InverterReading, float] | None = None
        self._meter: tuple[MeterReading, float] | None = None
        self._rooms: tuple[RoomsReading, float] | None = None
        self._limits: tuple[ImportLimit, ...] = ()
        self._memory = Memory()
        self._trips: tuple[Trip, ...] = ()
        self._latched_s: dict[str, float] = {}  # monotonic, in this life: a wall clock may jump over a hold-off
        self._asked: dict[str, Value | None] = {}  # limits in force, by point
        self._findings: tuple[Finding, ...] = ()
        self._alarms: dict[str, str] = {}

    def on_start(self) -> None:
        ctx = self.ctx
        self._asker = Asker(ctx, Level.GRID_OPERATOR)
        ctx.subscribe(InverterReading, coalesce=lambda _: "inverter", lane=Lane.URGENT)
        ctx.subscribe(MeterReading, coalesce=lambda _: "meter", lane=Lane.URGENT)
        ctx.subscribe(RoomsReading, coalesce=lambda _: "rooms", lane=Lane.URGENT)
        ctx.subscribe(OperatorLimits, lane=Lane.URGENT)
        self._began_s = ctx.clock.monotonic()
        self._trips = self._load()
        ctx.tell(GATE, Latched(trips=self._trips), lane=Lane.URGENT)
        ctx.publish(Latched(trips=self._trips))
        ctx.every(self._settings.renew_s, Tick(name="renew"), name="renew", lane=Lane.URGENT)
        self._renew()

    def _load(self) -> tuple[Trip, ...]:
        try:
            return self._store.load()
        except StoreError as error:  # fail closed: what was latched cannot be known, so everything is
            self._alarm("trips_unreadable", str(error))
            return (self._make_trip("manual", ("*",), f"latched trips could not be read: {error}"),)

    def handle(self, message: object) -> None:
        match message:
            case Tick(name="renew"):
                self._check()
                self._renew()
            case InverterReading():
                self._inverter = (message, self.ctx.clock.monotonic())
            case MeterReading():
                self._meter = (message, self.ctx.clock.monotonic())
                self._check()
            case RoomsReading():
                self._rooms = (message, self.ctx.clock.monotonic())
                self._check()
            case OperatorLimits(limits=limits):
                self._limits = limits
            case RequestTrip():
                trip = self._trip(message.kind, message.points, message.reason)
                self.ctx.reply({"id": trip.id, "points": list(trip.points)})
            case ResetTrip():
                self.ctx.reply(self._reset(message.id))
            case _:
                super().handle(message)

    # --- the permit -------------------------------------------------------------------------------------------
    def _renew(self) -> None:
        until_s = self.ctx.clock.monotonic() + self._settings.permit_s
        permit = Permit(epoch=(self.ctx.epoch.boot, self.ctx.epoch.incarnation), until_s=until_s)
        self.ctx.tell(GATE, permit, lane=Lane.URGENT)
        self.ctx.publish(permit)

    # --- the rules --------------------------------------------------------------------------------------------
    def _check(self) -> None:
        at_s = self.ctx.clock.monotonic()
        self._findings, self._memory = check(self._house, self._view(at_s), self._memory)
        held = worst(self._findings)
        tripped: dict[tuple[str, str], list[str]] = {}
        for point, finding in held.items():
            if finding.action is Action.TRIP and not self._is_tripped(point, TRIP_KIND[finding.rule]):
                tripped.setdefault((TRIP_KIND[finding.rule], finding.text), []).append(point)
        for (kind, text), points in tripped.items():
            self._trip(kind, tuple(points), text)
        self._limit({p: f for p, f in held.items() if f.action is Action.LIMIT})

    def _view(self, at_s: float) -> View:
        ages = self._settings.max_age_s

        def fresh(seen_s: float, signal: str) -> bool:
            return at_s - seen_s <= ages.get(signal, 60.0)

        inverter = self._inverter[0] if self._inverter and fresh(self._inverter[1], "inverter") else None
        meter = self._meter[0] if self._meter and fresh(self._meter[1], "meter") else None
        rooms = {}
        if self._rooms is not None:
            rooms = {n: r for n, r in self._rooms[0].rooms.items() if fresh(self._rooms[1], f"room.{n}")}
        limit = strictest(self._limits, self.ctx.clock.now()) if self._limits else None
        return View(at_s=at_s, inverter=inverter, meter=meter, rooms=rooms, limit=limit)

    def _limit(self, limits: Mapping[str, Finding]) -> None:
        for point in [p for p in self._asked if p not in limits]:
            del self._asked[point]
            self._request(point, RELINQUISH, "limit no longer broken")
            self._alarm_over(f"limit:{point}")
        for point, finding in limits.items():
            assert finding.value is not None
            self._asked[point] = finding.value
            self._request(point, finding.value, f"{finding.rule}: {finding.text}")
            self._alarm(f"limit:{point}", f"{finding.rule}: {finding.text}")

    def _request(self, point: str, value: Value | Relinquish, note: str) -> None:
        self._asker.ask(point, value, ttl_s=2 * self._settings.permit_s, note=note)

    # --- trips ------------------------------------------------------------------------------------------------
    def _is_tripped(self, point: str, kind: str) -> bool:
        return any(t.kind == kind and (point in t.points or "*" in t.points) for t in self._trips)

    def _make_trip(self, kind: str, points: tuple[str, ...], reason: str) -> Trip:
        now = self.ctx.clock.now()
        taken = {t.id for t in self._trips}
        number = 1
        while f"{kind}-{now:%Y%m%dT%H%M%S}-{number}" in taken:
            number += 1
        return Trip(
            id=f"{kind}-{now:%Y%m%dT%H%M%S}-{number}",
            kind=kind,
            points=points,
            reason=reason,
            tripped_at=now,
            hold_off_s=self._settings.hold_off_s if kind not in ("manual", "emergency_stop") else 0.0,
        )

    def _trip(self, kind: str, points: tuple[str, ...], reason: str) -> Trip:
        trip = self._make_trip(kind, points, reason)
        self._trips = (*self._trips, trip)
        self._latched_s[trip.id] = self.ctx.clock.monotonic()
        self.ctx.tell(GATE, Latched(trips=self._trips), lane=Lane.URGENT)  # act first, persist second
        self._save()
        self._alarm(f"trip:{trip.id}", reason)
        self.ctx.publish(trip)
        return trip

    def _reset(self, trip_id: str) -> dict[str, object]:
        trip = next((t for t in self._trips if t.id == trip_id), None)
        if trip is None:
            known = ", ".join(t.id for t in self._trips) or "none is latched"
            return {"ok": False, "reason": f"no trip {trip_id!r}; latched: {known}"}
        age_s = self.ctx.clock.monotonic() - self._latched_s.get(trip_id, self._began_s)
        if age_s < trip.hold_off_s:
            return {"ok": False, "reason": f"hold-off: {trip.hold_off_s - age_s:.0f} s left"}
        causes = [f.text for f in self._findings if f.action is Action.TRIP and TRIP_KIND[f.rule] == trip.kind]
        if causes:
            return {"ok": False, "reason": f"its cause still lasts: {causes[0]}"}
        self._trips = tuple(t for t in self._trips if t.id != trip_id)
        self._latched_s.pop(trip_id, None)
        self._save()
        self.ctx.tell(GATE, Latched(trips=self._trips), lane=Lane.URGENT)
        self._alarm_over(f"trip:{trip_id}")
        self.ctx.publish(TripReset(id=trip_id, at=self.ctx.clock.now()))
        return {"ok": True, "reason": ""}

    def _save(self) -> None:
        try:
            self._store.save(self._trips)
        except StoreError as error:
            self._alarm("trips_unsaved", f"trips act but could not be persisted: {error}")
        else:
            self._alarm_over("trips_unsaved")

    # --- alarms: once when they begin, once when they end -------------------------------------------------------
    def _alarm(self, name: str, text: str) -> None:
        if name not in self._alarms:
            self.ctx.publish(Alarm(at=self.ctx.clock.now(), name=name, active=True, text=text))
        self._alarms[name] = text

    def _alarm_over(self, name: str) -> None:
        if self._alarms.pop(name, None) is not None:
            self.ctx.publish(Alarm(at=self.ctx.clock.now(), name=name, active=False, text=""))

    def snapshot(self) -> dict[str, object]:
        return {
            "trips": [{"id": t.id, "kind": t.kind, "points": list(t.points), "reason": t.reason} for t in self._trips],
            "findings": [{"rule": f.rule, "action": f.action.name, "point": f.point, "text": f.text}
                         for f in self._findings],
            "alarms": dict(self._alarms),
        }
