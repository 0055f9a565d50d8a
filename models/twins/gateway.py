"""The MQTT stick in front of the inverter: commands in, results out, with the faults of the real thing."""

from __future__ import annotations

import json
import math
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random

from models.physics.hybrid import Priority
from models.twins.inverter import InverterTwin
from models.twins.registers import SLOTS, WEAR_GROUPS, Holding, pack_time, slot_address, unpack_time

MIN_WRITE_GAP_S = 0.85
ANSWER_S = (0.1, 10.0)
ANSWER_MEDIAN_S, ANSWER_SPREAD = 0.6, 0.8  # log-normal
MAX_BODY_BYTES = 1024  # the stick's buffer
PRIORITIES = {"batteryfirst": Priority.BATTERY_FIRST, "gridfirst": Priority.GRID_FIRST}
STOP_SOC = {
    "batteryfirst": Holding.BATTERY_FIRST_STOP_SOC,
    "gridfirst": Holding.GRID_FIRST_STOP_SOC,
    "loadfirst": Holding.LOAD_FIRST_STOP_SOC,
}
RATE = {"batteryfirst": Holding.BATTERY_FIRST_RATE, "gridfirst": Holding.GRID_FIRST_RATE}


@dataclass(frozen=True, slots=True)
class GatewayFaults:
    """What is wrong with the stick today."""

    slow: bool = False  # every answer takes 5 to 10 s
    lost: float = 0.0  # share of commands that get no answer; half of those are not even carried out
    stale: bool = False  # the previous result is published again instead of the new one
    liar: bool = False  # answers success and writes nothing
    offline: bool = False  # the last will is out: no telemetry, no answers, commands go nowhere


class Refused(Exception):
    """The command fails with this message."""


@dataclass(frozen=True, slots=True)
class _Command:
    due: datetime
    name: str
    body: bytes
    answered: bool
    paced: bool  # False: a write too soon after another


class GatewayTwin:
    """Takes commands, carries them out after a delay and answers on one topic.

    Commands are carried out in the order in which they came. A write that comes less than 0.85 s after the last
    accepted one fails.
    """

    def __init__(self, inverter: InverterTwin, *, random: Random, faults: GatewayFaults | None = None) -> None:
        self.inverter = inverter
        self.faults = faults or GatewayFaults()
        self.received = 0
        self.refused = 0
        self._random = random
        self._queue: deque[_Command] = deque()
        self._last_write: datetime | None = None
        self._previous: bytes | None = None

    def set_fault(self, name: str, value: object) -> None:
        """Switches one of `GatewayFaults`."""
        if name == "lost":
            number = float(value) if isinstance(value, (int, float)) else math.nan
            if not 0.0 <= number <= 1.0:
                raise ValueError(f"lost is a share 0 .. 1, got {value!r}")
            self.faults = replace(self.faults, lost=number)
        elif not isinstance(value, bool):
            raise ValueError(f"{name} is true or false, got {value!r}")
        else:
            self.faults = replace(self.faults, **{name: value})
            if name == "offline" and value:
                self._queue.clear()

    def receive(self, command: str, body: bytes, at: datetime) -> None:
        """One message on a command topic."""
        if self.faults.offline:
            return
        self.received += 1
        carried_out = answered = True
        if self.faults.lost > 0.0 and self._random.random() < self.faults.lost:
            answered, carried_out = False, self._random.random() < 0.5
        low, high = (5.0, ANSWER_S[1]) if self.faults.slow else ANSWER_S
        wait = self._random.lognormvariate(math.log(ANSWER_MEDIAN_S), ANSWER_SPREAD)
        due = at + timedelta(seconds=min(high, max(low, wait)))
        if self._queue:
            due = max(due, self._queue[-1].due)
        if carried_out:
            self._queue.append(_Command(due, command, body, answered, self._paced(command, at)))

    def _paced(self, command: str, at: datetime) -> bool:
        """False for a write that comes too soon; pacing counts arrivals, as the driver paces what it sends."""
        if not _writes(command):
            return True
        if self._last_write is not None and (at - self._last_write).total_seconds() < MIN_WRITE_GAP_S - 1e-6:
            return False
        self._last_write = at
        return True

    def next_due(self) -> datetime | None:
        """When the next command is carried out."""
        return self._queue[0].due if self._queue else None

    def answers(self, at: datetime) -> list[bytes]:
        """Carries out what is due and returns the results to publish, retained."""
        published: list[bytes] = []
        while self._queue and self._queue[0].due <= at:
            command = self._queue.popleft()
            result = self._carry_out(command)
            shown = self._previous if self.faults.stale and self._previous is not None else result
            self._previous = result
            if command.answered:
                published.append(shown)
        return published

    def _carry_out(self, command: _Command) -> bytes:
        result: dict[str, object] = {"command": command.name}
        try:
            request = _parse(command.body)
            if "correlationId" in request:
                result = {"correlationId": request["correlationId"], **result}
            if not command.paced:
                raise Refused("Failed to write: inverter busy")
            handler = self._handler(command.name)
            lies = self.faults.liar and _writes(command.name)
            extra = {} if lies else handler(request, command.due)
            result |= {"success": True, "message": "success", **extra}
        except Refused as refused:
            self.refused += 1
            result |= {"success": False, "message": str(refused)}
        return json.dumps(result, separators=(",", ":")).encode()

    # -- commands ------------------------------------------------------------------------------------------------

    def _handler(self, command: str) -> Callable[[dict[str, object], datetime], dict[str, object]]:
        family, _, action = command.partition("/")
        if action == "set/timeslot" and family in PRIORITIES:
            return lambda request, at: self._set_slot(PRIORITIES[family], request, at)
        if action == "set/stopsoc" and family in STOP_SOC:
            return lambda request, at: self._set(STOP_SOC[family], _integer(request, "value", 0, 100), at)
        if action == "set/powerrate" and family in RATE:
            return lambda request, at: self._set(RATE[family], _integer(request, "value", 0, 100), at)
        if action == "get" and family in PRIORITIES:
            return lambda request, at: self._get(family)
        others: dict[str, Callable[[dict[str, object], datetime], dict[str, object]]] = {
            "batteryfirst/set/acchargeenabled": self._set_ac_charge,
            "export/enable": lambda request, at: self._set_export(1000, at),
            "export/disable": lambda request, at: self._set_export(0, at),
            "modbus/get": self._modbus_get,
            "modbus/set": self._modbus_set,
            "datetime/get": lambda request, at: {"value": f"{self.inverter.clock(at):%Y-%m-%d %H:%M:%S}"},
            "datetime/set": self._set_clock,
            "list": lambda request, at: {"commands": COMMANDS},
        }
        if command not in others:
            raise Refused(f"Unknown command: {command[:60]}")
        return others[command]

    def _set(self, address: int, value: int, at: datetime) -> dict[str, object]:
        self.inverter.write(address, (value,), at)
        return {}

    def _set_slot(self, priority: Priority, request: dict[str, object], at: datetime) -> dict[str, object]:
        start, stop = _minute(request, "start"), _minute(request, "stop")
        number = _integer(request, "slot", 1, SLOTS)
        enabled = request.get("enabled")
        if not isinstance(enabled, bool):
            raise Refused("'enabled' field is required (true or false)")
        if start == stop:
            raise Refused("'start' and 'stop' must differ")
        if start > stop:
            raise Refused("a time slot cannot cross midnight")
        values = (pack_time(start), pack_time(stop), int(enabled))
        self.inverter.write(slot_address(priority, number), values, at)
        return {}

    def _set_ac_charge(self, request: dict[str, object], at: datetime) -> dict[str, object]:
        if isinstance(request.get("value"), bool):
            return {}  # the firmware reads an integer: a boolean changes nothing, and is called a success
        return self._set(Holding.BATTERY_FIRST_AC_CHARGE, _integer(request, "value", 0, 1), at)

    def _set_export(self, value: int, at: datetime) -> dict[str, object]:
        if self.inverter.registers[Holding.EXPORT_LIMIT_FLAG] != 1:
            self.inverter.write(Holding.EXPORT_LIMIT_FLAG, (1,), at)
        return self._set(Holding.EXPORT_LIMIT_VALUE, value, at)

    def _set_clock(self, request: dict[str, object], at: datetime) -> dict[str, object]:
        text = request.get("value")
        try:
            value = datetime.strptime(text if isinstance(text, str) else "", "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007
        except ValueError:
            raise Refused("Invalid datetime format") from None
        if not 2000 <= value.year <= 2099:  # the register holds the year of the century
            raise Refused("Invalid datetime format")
        self.inverter.set_clock(value, at)
        return {}

    def _get(self, family: str) -> dict[str, object]:
        r, priority = self.inverter.registers, PRIORITIES[family]
        found: dict[str, object] = {"powerRate": r[RATE[family]], "stopSOC": r[STOP_SOC[family]]}
        if priority is Priority.BATTERY_FIRST:
            found["acChargeEnabled"] = r[Holding.BATTERY_FIRST_AC_CHARGE] == 1
        slots = []
        for number in range(1, SLOTS + 1):
            address = slot_address(priority, number)
            start, stop = unpack_time(r[address]), unpack_time(r[address + 1])
            slots.append({"slot": number, "start": _hhmm(start), "stop": _hhmm(stop), "enabled": r[address + 2] == 1})
        return found | {"timeSlots": slots}

    def _modbus_get(self, request: dict[str, object], at: datetime) -> dict[str, object]:
        address = _address(request)
        if address not in self.inverter.registers:
            raise Refused(f"Failed to read holding register {address}")
        value = self.inverter.registers[address]
        return {"id": address, "type": "16b", "registerType": "H", "value": value}

    def _modbus_set(self, request: dict[str, object], at: datetime) -> dict[str, object]:
        address = _address(request)
        if address not in WEAR_GROUPS or address not in self.inverter.registers:
            raise Refused(f"Failed to write holding register {address}")
        limit = MODBUS_LIMITS.get(address)
        if limit is None:
            raise Refused(f"holding register {address} has its own command")
        return self._set(address, _integer(request, "value", 0, limit), at)


MODBUS_LIMITS: dict[int, int] = {Holding.EXPORT_LIMIT_FLAG: 1, Holding.EXPORT_LIMIT_VALUE: 1000}
COMMANDS = [
    *(f"{family}/get" for family in PRIORITIES),
    *(f"{family}/set/timeslot" for family in PRIORITIES),
    *(f"{family}/set/stopsoc" for family in STOP_SOC),
    *(f"{family}/set/powerrate" for family in RATE),
    "batteryfirst/set/acchargeenabled",
    *("export/enable", "export/disable", "modbus/get", "modbus/set", "datetime/get", "datetime/set", "list"),
]


def _writes(command: str) -> bool:
    return "set" in command.split("/") or command in ("export/enable", "export/disable")


def _parse(body: bytes) -> dict[str, object]:
    if len(body) > MAX_BODY_BYTES:
        raise Refused(f"body of {len(body)} bytes, limit {MAX_BODY_BYTES}")
    try:
        request = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused("Failed to parse JSON") from None
    if not isinstance(request, dict):
        raise Refused("Failed to parse JSON: not an object")
    return request


def _integer(request: dict[str, object], field: str, low: int, high: int) -> int:
    value = request.get(field)
    if isinstance(value, bool) or not isinstance(value, int):
        raise Refused(f"'{field}' field is required (an integer)")
    if not low <= value <= high:
        raise Refused(f"'{field}' field not in range ({low}-{high})")
    return value


def _minute(request: dict[str, object], field: str) -> int:
    text = request.get(field)
    if not isinstance(text, str) or re.fullmatch("[0-9]{2}:[0-9]{2}", text) is None:
        raise Refused(f"'{field}': invalid time format (must be HH:MM)")
    hour, minute = int(text[:2]), int(text[3:])
    if hour > 23 or minute > 59:
        raise Refused("Invalid time values (hours: 0-23, minutes: 0-59)")
    return hour * 60 + minute


def _address(request: dict[str, object]) -> int:
    if request.get("type") != "16b" or request.get("registerType") != "H":
        raise Refused("only 16b holding registers (type 16b, registerType H)")
    return _integer(request, "id", 0, 65535)


def _hhmm(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"
