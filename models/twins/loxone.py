"""The Loxone program: relays and thermostats of the rooms, plain load shedding, and its own way when PEMS is gone.

Each room's relay is told `on`, `off` or `auto`; in `auto` the room's thermostat decides, and only then may the plain
load shedding switch it off. When the heartbeat is lost, every relay returns to `auto` and every setpoint is forgotten.
"""

from __future__ import annotations

import json
from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from models.types.command import RelayState
from models.types.house import House
from models.types.loxone import SETPOINT_LIMITS_C, THERMOSTAT_HYSTERESIS_K
from models.units import is_number

SHED_MARGIN_KW = 0.3  # per phase, below the fuse
RETURN_MARGIN_KW = 0.5  # more than that must be free, per phase, before a shed room comes back
RETURN_AFTER_S = 120.0
RELAY_NUMBERS = {0: RelayState.OFF, 1: RelayState.ON, 2: RelayState.AUTO}
PayloadStyle = Literal["json", "number"]


@dataclass(frozen=True, slots=True)
class LoxoneTopics:
    """Topic templates and payload style; Loxone's UDP interface recognises bare numbers only."""

    relay_set: str = "loxone/heating/{room}/set"
    setpoint_set: str = "loxone/temperature/{room}/setpoint"
    relay_status: str = "loxone/heating/{room}/status"
    temperature: str = "loxone/temperature/{room}/current"
    summary: str = "loxone/status"
    heartbeat: str = "pems/heartbeat"
    style: PayloadStyle = "json"


@dataclass(slots=True)
class RoomState:
    """What the program holds for one room."""

    told: RelayState = RelayState.AUTO
    setpoint_c: float | None = None  # None: the lower edge of the band
    calls: bool = False  # the thermostat wants heat
    shed: bool = False
    relay_on: bool = False
    stuck_on: bool | None = None  # fault: the contact does not follow


class LoxoneTwin:
    """The program for one house. Temperatures and loads are given to it; it only decides and reports.

    Parameters
    ----------
    house : House
        Rooms in shedding order (the first is shed first), bands, phases and fuse.
    start : datetime
        Aware; no heartbeat has been heard then.
    topics : LoxoneTopics
        Names and style of what it says and hears.
    heartbeat_timeout_s : float
        Silence after which it goes its own way.
    """

    def __init__(
        self,
        house: House,
        *,
        start: datetime,
        topics: LoxoneTopics | None = None,
        heartbeat_timeout_s: float = 60.0,
    ) -> None:
        self.topics = topics or LoxoneTopics()
        self.rooms = [RoomState() for _ in house.rooms]
        self.refused = 0  # messages it could not understand or did not follow
        self.deaf = False  # fault: hears nothing
        self.alone = True  # no heartbeat: its own thermostats decide
        self._house = house
        self._timeout = timedelta(seconds=heartbeat_timeout_s)
        self._heard: datetime | None = None
        self._shed_at: datetime = start
        self._known = [(state.relay_on, state.told, state.shed) for state in self.rooms]
        self._index = {room.name: i for i, room in enumerate(house.rooms)}
        self._commands = {self.topics.relay_set.format(room=r.name): ("relay", i) for i, r in enumerate(house.rooms)}
        self._commands |= {
            self.topics.setpoint_set.format(room=r.name): ("setpoint", i) for i, r in enumerate(house.rooms)
        }
        self._phases = house.connection.phases
        self._phase_limit_kw = house.connection.import_limit_kw / house.connection.phases - SHED_MARGIN_KW
        self._share = [self._shares(room.heater_kw, room.phase) for room in house.rooms]

    def _shares(self, heater_kw: float, phase: int) -> tuple[float, ...]:
        if phase == 0 or self._phases == 1:
            return (heater_kw / self._phases,) * self._phases
        return tuple(heater_kw if p == phase else 0.0 for p in range(1, self._phases + 1))

    # -- what it hears -------------------------------------------------------------------------------------------

    def hears(self, topic: str) -> bool:
        """Whether a topic is one of its own."""
        return topic in self._commands or topic == self.topics.heartbeat

    def receive(self, topic: str, payload: bytes, at: datetime) -> None:
        """One message on one of its topics. What it cannot follow leaves its state as it is."""
        if self.deaf:
            return
        if topic == self.topics.heartbeat:
            self._heard, self.alone = at, False
            return
        self.watch(at)
        kind, i = self._commands[topic]
        if self.alone or not (self._relay(i, payload) if kind == "relay" else self._setpoint(i, payload)):
            self.refused += 1

    def watch(self, at: datetime) -> None:
        """Goes its own way when the last heartbeat is older than the time-out."""
        if not self.alone and self._heard is not None and at - self._heard > self._timeout:
            self.alone = True
            for state in self.rooms:
                state.told, state.setpoint_c = RelayState.AUTO, None

    def next_event(self) -> datetime | None:
        """When the heartbeat will be too old."""
        if self.alone or self._heard is None:
            return None
        return self._heard + self._timeout + timedelta(milliseconds=1)

    def _relay(self, i: int, payload: bytes) -> bool:
        if self.topics.style == "number":
            number = _number(payload)
            if number is None or number not in RELAY_NUMBERS:
                return False
            self.rooms[i].told = RELAY_NUMBERS[int(number)]
            return True
        body = _object(payload)
        if body is None or body.get("state") not in ("on", "off", "auto"):
            return False
        self.rooms[i].told = RelayState(str(body["state"]))
        return True

    def _setpoint(self, i: int, payload: bytes) -> bool:
        if self.topics.style == "number":
            value: object = _number(payload)
        else:
            body = _object(payload)
            if body is None or body.get("unit", "celsius") != "celsius" or "target_temperature" not in body:
                return False
            value = body["target_temperature"]
            if value is None:  # given back: the band's lower edge again
                self.rooms[i].setpoint_c = None
                return True
        if not (isinstance(value, (int, float)) and is_number(value)):
            return False
        if value == 0 and self.topics.style == "number":  # numbers have no null: 0 gives the setpoint back
            self.rooms[i].setpoint_c = None
            return True
        if not SETPOINT_LIMITS_C[0] <= value <= SETPOINT_LIMITS_C[1]:
            return False
        self.rooms[i].setpoint_c = float(value)
        return True

    # -- what it decides -----------------------------------------------------------------------------------------

    def target_c(self, i: int, local_hour: float) -> float:
        """What the thermostat of a room holds at least."""
        own = self.rooms[i].setpoint_c
        if own is not None:
            return own
        return self._house.rooms[i].lower_c(local_hour, self._house.day_starts_h, self._house.day_ends_h)

    def decide(
        self, air_c: Sequence[float], *, local_hour: float, phase_import_kw: Sequence[float], at: datetime
    ) -> list[int]:
        """Sets every relay from the temperatures and the import per phase just measured.

        Returns the rooms whose contact changed, or who decides over it.
        """
        self.watch(at)
        wanted: list[bool] = []
        for i, state in enumerate(self.rooms):
            target = self.target_c(i, local_hour)
            if air_c[i] < target:
                state.calls = True
            elif air_c[i] > target + THERMOSTAT_HYSTERESIS_K:
                state.calls = False
            wanted.append(state.calls if state.told is RelayState.AUTO else state.told is RelayState.ON)
        self._shed(wanted, phase_import_kw, at)
        changed: list[int] = []
        for i, state in enumerate(self.rooms):
            on = wanted[i] and not state.shed if state.stuck_on is None else state.stuck_on
            now = (on, state.told, state.shed)
            if now != self._known[i]:
                self._known[i] = now
                changed.append(i)
            state.relay_on = on
        return changed

    def _shed(self, wanted: Sequence[bool], phase_import_kw: Sequence[float], at: datetime) -> None:
        """Load shedding of the plain house: per phase, in room order, back in reverse order when there is room."""
        free = [self._phase_limit_kw - kw for kw in phase_import_kw]
        for i, state in enumerate(self.rooms):
            if state.told is not RelayState.AUTO or not wanted[i]:
                state.shed = False
            will = wanted[i] and not state.shed
            for p, kw in enumerate(self._share[i]):
                free[p] += kw * (state.relay_on - will)
        for i, state in enumerate(self.rooms):
            if min(free) >= 0.0:
                break
            helps = any(kw > 0.0 and free[p] < 0.0 for p, kw in enumerate(self._share[i]))
            if helps and wanted[i] and not state.shed and state.told is RelayState.AUTO:
                state.shed, self._shed_at = True, at
                free = [room + kw for room, kw in zip(free, self._share[i], strict=True)]
        if (at - self._shed_at).total_seconds() < RETURN_AFTER_S:
            return
        for i in range(len(self.rooms) - 1, -1, -1):
            state = self.rooms[i]
            fits = all(kw == 0.0 or free[p] >= kw + RETURN_MARGIN_KW for p, kw in enumerate(self._share[i]))
            if state.shed and fits:
                state.shed = False
                free = [room - kw for room, kw in zip(free, self._share[i], strict=True)]

    # -- what it says --------------------------------------------------------------------------------------------

    def relay_status(self, i: int) -> bytes:
        """Payload of a room's relay status: the contact, and who decides."""
        state = self.rooms[i]
        if self.topics.style == "number":
            return str(int(state.relay_on) + 2 * (state.told is not RelayState.AUTO)).encode()
        return _dump({"relay": _word(state.relay_on), "mode": self.mode(i), "shed": state.shed})

    def mode(self, i: int) -> str:
        """Who decides: `auto` (thermostat and load shedding) or `manual` (PEMS)."""
        return "auto" if self.rooms[i].told is RelayState.AUTO else "manual"

    def temperature(self, air_c: float) -> bytes:
        """Payload of a room's temperature."""
        value = round(air_c, 2)
        if self.topics.style == "number":
            return str(value).encode()
        return _dump({"temperature": value, "unit": "celsius"})

    def summary(self, air_c: Sequence[float], *, local_hour: float, without: Container[int] = ()) -> bytes:
        """Payload of the retained summary, always JSON; rooms in `without` have no temperature to show."""
        names = [room.name for room in self._house.rooms]
        return _dump(
            {
                "relay": {n: _word(s.relay_on) for n, s in zip(names, self.rooms, strict=True)},
                "mode": {n: self.mode(i) for i, n in enumerate(names)},
                "temperature": {n: round(air_c[i], 2) for i, n in enumerate(names) if i not in without},
                "target_temp": {n: self.target_c(i, local_hour) for i, n in enumerate(names)},
            }
        )


def _word(on: bool) -> str:
    return "on" if on else "off"


def _dump(body: object) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()


def _object(payload: bytes) -> dict[str, object] | None:
    if len(payload) > 1024:
        return None
    try:
        body = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def _number(payload: bytes) -> float | None:
    try:
        value = float(payload[:32])
    except ValueError:
        return None
    return value if is_number(value) else None
