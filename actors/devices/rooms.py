"""Seventeen rooms on Loxone: relays (`on`, `off`, `auto`) and setpoints. No acknowledgement exists: the relay
reading that comes back is the proof.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from actors.devices.base import LINK, Device, DeviceActor, DeviceTiming
from actors.devices.growatt import number, parse_json
from actors.messages import Incoming, Outgoing, Permit, Tick
from actors.runtime import Lane
from models.errors import PayloadError
from models.types.command import Level, RelayState, Value
from models.types.house import House
from models.types.point import NumberRange, PointSpec, RelayRule, Words
from models.types.reading import RoomReading, RoomsReading

PATH = "/devices/rooms"
HEARTBEAT_TOPIC = "pems/heartbeat"
SUMMARY_TOPIC = "loxone/status"
TRIES = 3
AIR_LIMITS_C = (-30.0, 60.0)
AIR_JUMP_K = 5.0  # a room does not do that between two messages


def points(house: House) -> tuple[PointSpec, ...]:
    """A relay and a setpoint per room."""
    made: list[PointSpec] = []
    for room in house.rooms:
        relay = RelayRule(
            heater_kw=room.heater_kw,
            phase=room.phase,
            min_on_s=house.relay_min_on_s,
            min_off_s=house.relay_min_off_s,
            starts_per_h=house.relay_starts_per_h,
        )
        off = dict.fromkeys(("floor", "room", "fuse"), RelayState.OFF.value)
        made.append(
            PointSpec(
                name=f"room.{room.name}.relay", device=PATH, envelope=Words(allowed=tuple(s.value for s in RelayState)),
                default=RelayState.AUTO.value, trip={**off, "": RelayState.AUTO.value},
                emergency=RelayState.AUTO.value, requires=(f"room.{room.name}", "meter"), relay=relay,
            )
        )
        band = NumberRange(low=min(room.day_min_c, room.night_min_c), high=room.max_c)
        made.append(
            PointSpec(
                name=f"room.{room.name}.setpoint_c", device=PATH, envelope=band, default=None, trip={"": None},
                emergency=None, requires=(f"room.{room.name}",), heats=made[-1].name, unit="degC",
            )
        )
    return tuple(made)


@dataclass(slots=True)
class _Wish:
    """What a point was told last, and whether it came back."""

    value: Value | None
    request_id: str
    level: Level
    since_s: float
    sent_s: float = -1e9
    tries: int = 0
    stage: str = ""


@dataclass(slots=True)
class _Room:
    """A room as Loxone told it."""

    reading: RoomReading | None = None
    seen_s: float = -1e9
    sent_s: float = -1e9  # of whatever was sent last
    told_s: dict[str, float] = field(default_factory=dict)  # per point, when it was told last
    wishes: dict[str, _Wish] = field(default_factory=dict)
    setpoint_sent: bool = True  # a former life may have sent one: it is taken back first
    setpoint_c: float | None = None  # the last that was sent


class RoomsActor(DeviceActor):
    """Commands relays and setpoints, keeps the heartbeat, and reports what the rooms really do."""

    topics = "loxone/"

    def __init__(self, house: House, timing: DeviceTiming) -> None:
        super().__init__(points(house), timing)
        self._house = house
        self._rooms = {room.name: _Room() for room in house.rooms}
        self._changed = False
        self._beat = 0

    def on_start(self) -> None:
        super().on_start()
        self.ctx.subscribe(Incoming)
        self.ctx.every(self.timing.heartbeat_s, Tick(name="beat"), name="beat")

    def handle(self, message: object) -> None:
        match message:
            case Incoming(topic=topic, retained=retained) if topic.startswith(self.topics):
                if not retained:  # the broker's memory of a Loxone that may be gone is no reading
                    self._hear(message)
            case Incoming():
                pass
            case Tick(name="beat"):
                self._heartbeat()
            case Permit() if not self.permitted():
                super().handle(message)
                self._heartbeat()  # Loxone drops what is said before it hears the heart
            case _:
                super().handle(message)

    def _heartbeat(self) -> None:
        """Loxone returns to its own thermostat when this stops: so it stops with the permit."""
        if not self.permitted():
            return
        self._beat += 1
        body = json.dumps({"beat": self._beat, "boot": self.ctx.epoch.boot})
        expires_s = self.ctx.clock.monotonic() + self.timing.heartbeat_s
        self.ctx.tell(LINK, Outgoing(topic=HEARTBEAT_TOPIC, payload=body.encode(), expires_s=expires_s, slot="beat"))

    def wire_is_back(self) -> None:
        self._heartbeat()  # Loxone, alone for a minute, follows nobody before it hears the heart
        self._say_again()

    def _say_again(self) -> None:
        """What was told and did not come back may have been lost with the wire."""
        for room in self._rooms.values():
            for wish in room.wishes.values():
                if wish.stage == "written":
                    wish.sent_s = -1e9

    # --- what Loxone says -------------------------------------------------------------------------------------------
    def _hear(self, message: Incoming) -> None:
        try:
            body = parse_json(message.payload)
            if message.topic == SUMMARY_TOPIC:
                self._summary(body, message.received_s)
            else:
                self._single(message.topic, body, message.received_s)
        except PayloadError as error:
            self.rejected += 1
            self.alarm("loxone_payload", f"{message.topic} is not believed: {error}")
            return
        self.alarm_over("loxone_payload")

    def _single(self, topic: str, body: Mapping[str, object], at_s: float) -> None:
        """`loxone/heating/{room}/status`: the relay and who decides; the air comes with the summary."""
        parts = topic.split("/")
        room = self._rooms.get(parts[2]) if len(parts) == 4 else None
        if room is None or parts[1] != "heating" or parts[3] != "status":
            return
        reading = self._reading_of(room)
        room.reading = replace(
            reading, relay_on=_relay(body.get("relay", body.get("state"))), automatic=_automatic(body.get("mode"))
        )
        room.seen_s = at_s
        self._verify_room(parts[2], room, at_s)

    def _reading_of(self, room: _Room) -> RoomReading:
        if room.reading is not None:
            return room.reading
        return RoomReading(measured_at=self.ctx.clock.now(), air_c=None, relay_on=None, automatic=None)

    def _summary(self, body: Mapping[str, object], at_s: float) -> None:
        relays, air, target, modes = (_table(body, name) for name in ("relay", "temperature", "target_temp", "mode"))
        now = self.ctx.clock.now()
        for name, room in self._rooms.items():
            before = self._reading_of(room)
            air_c = self._air(air, name, before.air_c, now)
            room.reading = RoomReading(
                measured_at=now,
                air_c=air_c,
                relay_on=_relay(relays[name]) if name in relays else before.relay_on,
                automatic=_automatic(modes[name]) if name in modes else before.automatic,
                setpoint_c=number(target, name, 0, 40),
            )
            room.seen_s = at_s
        self._see_hands(at_s)
        for name, room in self._rooms.items():
            self._verify_room(name, room, at_s)
        self.ctx.publish(
            RoomsReading(
                measured_at=now, rooms={n: r.reading for n, r in self._rooms.items() if r.reading is not None}
            )
        )
        self.act()

    def _air(self, air: Mapping[str, object], name: str, before_c: float | None, now: datetime) -> float | None:
        """The room's air, or None where it is missing or cannot be true (one sensor never spoils the others)."""
        try:
            air_c = number(air, name, *AIR_LIMITS_C)
        except PayloadError as error:
            self.rejected += 1
            self.alarm(f"sensor:{name}", f"temperature of {name} is not believed: {error}")
            return None
        if air_c is not None and before_c is not None and abs(air_c - before_c) > AIR_JUMP_K:
            self.rejected += 1
            self.alarm(f"sensor:{name}", f"temperature of {name} jumped from {before_c:.1f} to {air_c:.1f} degC")
            return None
        if air_c is not None:
            self.alarm_over(f"sensor:{name}")
        return air_c

    # --- what is written ----------------------------------------------------------------------------------------------
    def act(self) -> None:
        at_s = self.ctx.clock.monotonic()
        for name in self.points:
            room_name, kind = name.split(".")[1:]
            self._advance(name, room_name, kind, at_s)

    def _advance(self, name: str, room_name: str, kind: str, at_s: float) -> None:
        value, level, request_id, cause = self.wanted(name)
        room = self._rooms[room_name]
        wish = room.wishes.get(name)
        if wish is None or (wish.value, wish.level <= Level.SAFETY_TRIP) != (value, level <= Level.SAFETY_TRIP):
            wish = room.wishes[name] = _Wish(value=value, request_id=request_id, level=level, since_s=at_s)
        wish.request_id, wish.level = request_id, level
        trip = level <= Level.SAFETY_TRIP
        if room.reading is None and not trip:
            return  # read before write
        # a setpoint that was given back cannot be read: that it was said is all there is
        seen = room.seen_s > room.told_s.get(name, -1e9) or (kind == "setpoint_c" and value is None)
        if seen and self._holds(kind, wish, room):
            if wish.stage not in ("applied", "effective"):
                wish.stage, wish.tries = "applied", 0
                self.confirmed(name, request_id)
                if wish.sent_s > 0:
                    self.proof(name, "applied", str(value), request_id, wish.since_s)
            return
        if at_s - wish.sent_s < self.timing.settle_s:
            return
        if not self.link_up and not trip:
            return
        if wish.tries and room.seen_s <= wish.sent_s and not trip:
            return  # silence is no refusal
        if wish.stage in ("applied", "effective") and level > Level.GRID_OPERATOR:
            return  # it stood, and stands no longer: the next summary tells whose hand that was
        if wish.tries >= TRIES:
            if wish.stage != "failed":
                wish.stage = "failed"
                self.forfeit(name, request_id, f"{value!r} did not come back after {TRIES} tries")
                self.proof(name, "failed", str(value), request_id, wish.since_s, "no read-back")
            elif at_s - wish.sent_s > 60.0:
                wish.tries = 0
            return
        self._send(name, room_name, kind, wish, cause, at_s)

    def _see_hands(self, at_s: float) -> None:
        """Points that stood as we told them and no longer do.

        Rooms that are all back at their own thermostats, and thermostats that are all back at their own edges, are a
        restart of Loxone, or a heartbeat that it missed: they are told again. Everything else is somebody's hand.
        """
        settled = [
            (name, wish, room)
            for room in self._rooms.values()
            for name, wish in room.wishes.items()
            if wish.stage in ("applied", "effective") and wish.level > Level.GRID_OPERATOR
            and at_s - room.sent_s >= self.timing.settle_s and name in self.points
        ]
        held = [(n, w, r) for n, w, r in settled if self._away_from_its_own(n, w.value)]
        moved = [(n, w, r) for n, w, r in settled if not self._holds(n.split(".")[2], w, r)]
        restarted = bool(held) and all(self._at_its_own(n, r.reading) for n, _, r in held)
        restarted = restarted and not (len(held) == 1 and self.hands.meant(held[0][0]))
        if restarted:
            self.alarm("loxone_restart", f"Loxone took {len(held)} rooms back to its own thermostats; told again")
        elif held:
            self.alarm_over("loxone_restart")
        for name, wish, room in moved:
            own_way = restarted and any(name == n for n, _, _ in held)
            if own_way:
                self.hands.taken_back(name)
            value = _seen(name, room.reading)
            if own_way or value is None or not self.hands.found(name, value):
                wish.stage, wish.tries = "", 0  # told again

    def _edges(self, name: str) -> tuple[float, float]:
        """Where a thermostat stands by itself [degC]: the lower edges of its band by day and by night."""
        room = self._house.room(name.split(".")[1])
        return room.day_min_c, room.night_min_c

    def _away_from_its_own(self, name: str, value: Value | None) -> bool:
        """The point is told something that Loxone would not do by itself."""
        if name.endswith(".setpoint_c"):
            return isinstance(value, (int, float)) and not _near(float(value), self._edges(name))
        return value in (RelayState.ON, RelayState.OFF)

    def _at_its_own(self, name: str, reading: RoomReading | None) -> bool:
        """The reading shows what Loxone does by itself."""
        if reading is None:
            return False
        if name.endswith(".setpoint_c"):
            return reading.setpoint_c is not None and _near(reading.setpoint_c, self._edges(name))
        return reading.automatic is True

    def _holds(self, kind: str, wish: _Wish, room: _Room) -> bool:
        """The reading shows what is wished."""
        reading = room.reading
        if reading is None:
            return False
        if kind == "setpoint_c":
            if wish.value is None:
                return not room.setpoint_sent
            assert isinstance(wish.value, (int, float))
            return reading.setpoint_c is not None and _near(reading.setpoint_c, (float(wish.value),))
        if wish.value == RelayState.AUTO:
            return reading.automatic is True
        return reading.automatic is False and reading.relay_on == (wish.value == RelayState.ON)

    def _send(self, name: str, room_name: str, kind: str, wish: _Wish, cause: str, at_s: float) -> None:
        if kind == "setpoint_c":
            topic = f"loxone/temperature/{room_name}/setpoint"
            # null gives the setpoint back to Loxone's own schedule
            body: dict[str, object] = {"target_temperature": wish.value, "unit": "celsius"}
            room = self._rooms[room_name]
            room.setpoint_sent = wish.value is not None
            if isinstance(wish.value, (int, float)):
                room.setpoint_c = float(wish.value)
        else:
            topic, body = f"loxone/heating/{room_name}/set", {"state": wish.value}
        wish.sent_s, wish.stage = at_s, "written"
        told = self._rooms[room_name]
        told.sent_s = told.told_s[name] = at_s
        wish.tries += 1
        self.ctx.tell(
            LINK,
            Outgoing(topic=topic, payload=json.dumps(body).encode(), expires_s=at_s + self.timing.command_ttl_s,
                     slot=name),
            lane=Lane.URGENT if wish.level <= Level.GRID_OPERATOR else Lane.USER,
        )
        said = "its own" if wish.value is None else str(wish.value)
        self.wrote(name, said, wish.level, cause=cause, detail=topic, request_id=wish.request_id)

    def _verify_room(self, room_name: str, room: _Room, at_s: float) -> None:
        for name in room.wishes:
            self._advance(name, room_name, name.split(".")[2], at_s)

    def unverified(self) -> dict[str, str]:
        missing = {}
        for room_name, room in self._rooms.items():
            name = f"room.{room_name}.relay"
            if room.reading is None:
                missing[name] = "Loxone is silent"
            elif room.reading.automatic is not True:
                missing[name] = "not back at its own thermostat yet"
            if self._setpoint_stands(room_name, room):
                missing[f"room.{room_name}.setpoint_c"] = f"still set to {room.setpoint_c:g} degC"
        return missing

    def _setpoint_stands(self, room_name: str, room: _Room) -> bool:
        """What was set last is not known to be gone. Where Loxone stands by itself nothing can be seen of it."""
        name = f"room.{room_name}.setpoint_c"
        if room.setpoint_c is None or _near(room.setpoint_c, self._edges(name)):
            return False
        if room.setpoint_sent or room.seen_s <= room.told_s.get(name, -1e9):
            return True
        return room.reading is not None and room.reading.setpoint_c is not None and _near(
            room.reading.setpoint_c, (room.setpoint_c,)
        )

    def snapshot(self) -> dict[str, object]:
        at_s = self.ctx.clock.monotonic()
        shown = {}
        for name, room in list(self._rooms.items()):
            reading = room.reading
            shown[name] = {
                "air_c": None if reading is None else reading.air_c,
                "relay_on": None if reading is None else reading.relay_on,
                "automatic": None if reading is None else reading.automatic,
                "setpoint_c": None if reading is None else reading.setpoint_c,
                "age_s": None if reading is None else round(at_s - room.seen_s, 1),
                "points": {
                    n: {"wanted": str(w.value), "stage": w.stage or "waiting", "since_s": round(at_s - w.since_s, 1)}
                    for n, w in list(room.wishes.items())
                },
            }
        return {"rooms": shown, "rejected": self.rejected, "alarms": sorted(self._alarms)}


def _near(value_c: float, others_c: Iterable[float]) -> bool:
    """The same temperature, as far as Loxone's numbers tell."""
    return any(abs(value_c - other_c) < 0.06 for other_c in others_c)


def _seen(point: str, reading: RoomReading | None) -> Value | None:
    """What somebody left a point at; None: not known."""
    if reading is None:
        return None
    if point.endswith(".setpoint_c"):
        return reading.setpoint_c
    if reading.automatic:
        return RelayState.AUTO.value
    return None if reading.relay_on is None else (RelayState.ON if reading.relay_on else RelayState.OFF).value


def _table(body: Mapping[str, object], name: str) -> Mapping[str, object]:
    table = body.get(name, {})
    if not isinstance(table, dict):
        raise PayloadError(f"{name} is not an object of rooms")
    return table


def _relay(value: object) -> bool | None:
    """A relay as Loxone reports it: 1/0, true/false, "on"/"off"; None for anything else."""
    if isinstance(value, str):
        return {"on": True, "off": False}.get(value)
    if isinstance(value, (bool, int, float)) and value in (0, 1):
        return bool(value)
    return None


def _automatic(mode: object) -> bool | None:
    """Who decides: True for Loxone itself (its thermostat or its load shedding), False for us."""
    return None if mode not in ("auto", "shed", "manual") else mode != "manual"


def make(house: House, timing: DeviceTiming, extras: object) -> DeviceActor:
    """Built by the registry."""
    return RoomsActor(house, timing)


DEVICE = Device(id="rooms", points=points, make=make)
