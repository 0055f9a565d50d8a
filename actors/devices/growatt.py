"""The Growatt hybrid on the wire: its telemetry, its registers, and the writes that lead from one mode to another.

Pure functions; `inverter.py` hosts them. Percent, hour*256+minute and watts live here and nowhere else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from models.errors import PayloadError
from models.types.mode import Composite, InverterMode
from models.types.reading import InverterReading
from models.units import W_PER_KW, floor_percent, is_number

TELEMETRY_TOPIC = "energy/solar"
RESULT_TOPIC = "energy/solar/result"
COMMAND_TOPIC = "energy/solar/command/"
PAYLOAD_LIMIT = 65_536
EXPORT_LIMIT_REGISTER = 123  # holding register, 0.1 %
POWER_LIMIT_W = 60_000.0
LOAD_FIRST, BATTERY_FIRST, GRID_FIRST = 0, 1, 2  # `CurrentMode`
SLOT_AHEAD_MAX_S = 7200.0  # the lease of what is stored: a slot ends at most this far ahead


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One daily time slot on the inverter's own clock, minutes of its day."""

    start_min: int = 0
    stop_min: int = 0
    enabled: bool = False

    def covers(self, minute: int) -> bool:
        return self.enabled and self.start_min <= minute < self.stop_min


@dataclass(frozen=True, slots=True, kw_only=True)
class Registers:
    """The stored settings that a mode touches, as read back. Percent, whole numbers."""

    battery_soc: int
    battery_rate: int
    ac_charge: bool
    battery_slots: tuple[Slot, Slot, Slot]
    grid_soc: int
    grid_rate: int
    grid_slots: tuple[Slot, Slot, Slot]
    export_limited: bool
    export_percent: float
    running: int | None = None  # what it runs on now: 0 load, 1 battery, 2 grid first; None: not reported


def stored(registers: Registers, *, export: bool) -> object:
    """What is stored for the feed-in limit, or for the mode."""
    limit = (registers.export_limited, registers.export_percent)
    return limit if export else replace(registers, export_limited=False, export_percent=0.0, running=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One command to the gateway that changes one stored register."""

    register: str  # name of the register group, for counting and read-back
    command: str  # below the command topic
    body: Mapping[str, object]
    slot: bool = False  # slots have a write budget of their own

    @property
    def export(self) -> bool:
        """It belongs to the export limit, not to the mode."""
        return self.register.startswith("export.")

    @property
    def makes(self) -> bool:
        """It switches a mode's slot or the purchase from the grid on."""
        return self.body.get("enabled") is True or (self.register == "ac_charge" and self.body.get("value") == 1)

    @property
    def breaks(self) -> bool:
        """It switches one off."""
        return self.body.get("enabled") is False or (self.register == "ac_charge" and self.body.get("value") == 0)


def _no_constant(text: str) -> object:
    raise PayloadError(f"{text} is not a number that a device can mean")


def _no_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise PayloadError("a key appears twice")
    return found


def parse_json(payload: bytes) -> dict[str, object]:
    """A JSON object from a payload; PayloadError names what is wrong with anything else."""
    if len(payload) > PAYLOAD_LIMIT:
        raise PayloadError(f"{len(payload)} bytes, limit {PAYLOAD_LIMIT}")
    try:
        found = json.loads(payload.decode("utf-8"), parse_constant=_no_constant, object_pairs_hook=_no_duplicates)
    except (ValueError, RecursionError) as error:
        raise PayloadError(f"not JSON: {str(error)[:100]}") from None
    if not isinstance(found, dict):
        raise PayloadError(f"a JSON object is expected, not {type(found).__name__}")
    return found


def number(body: Mapping[str, object], name: str, low: float, high: float) -> float | None:
    """A field in its range; None when it is not there."""
    if name not in body:
        return None
    value = body[name]
    if not is_number(value):
        raise PayloadError(f"{name} {str(value)[:40]!r} is not a number")
    assert isinstance(value, (int, float))
    if not low <= value <= high:
        raise PayloadError(f"{name} {value:g}, limits {low:g} .. {high:g}")
    return float(value)


def _power_kw(body: Mapping[str, object], name: str) -> float | None:
    watts = number(body, name, 0.0, POWER_LIMIT_W)
    return None if watts is None else watts / W_PER_KW


def _difference(plus: float | None, minus: float | None) -> float | None:
    return None if plus is None or minus is None else plus - minus


def parse_telemetry(payload: bytes, received_at: datetime) -> tuple[InverterReading, Registers | None]:
    """One message of `energy/solar`.

    Raises
    ------
    PayloadError
        Not JSON, or a field outside of what the device can mean; nothing of such a message is believed.
    """
    body = parse_json(payload)
    status = number(body, "InverterStatus", -1, 10)
    if status is None:
        raise PayloadError("InverterStatus is missing")
    if status == -1:
        offline = InverterReading(measured_at=received_at, online=False, fault=False, soc=None, pv_kw=None,
                                  battery_kw=None, grid_kw=None, load_kw=None)
        return offline, None
    soc = number(body, "SOC", 0, 100)
    pv1, pv2 = _power_kw(body, "PV1InputPower"), _power_kw(body, "PV2InputPower")
    registers = _registers(body)
    reading = InverterReading(
        measured_at=received_at,
        online=True,
        fault=status == 3,
        soc=None if soc is None else soc / 100.0,
        pv_kw=None if pv1 is None or pv2 is None else pv1 + pv2,
        battery_kw=_difference(_power_kw(body, "ChargePower"), _power_kw(body, "DischargePower")),
        grid_kw=_difference(_power_kw(body, "ACPowerToUser"), _power_kw(body, "ACPowerToGrid")),
        load_kw=_power_kw(body, "INVPowerToLocalLoad"),
        battery_c=number(body, "BatteryTemperature", -40, 120),
        import_today_kwh=number(body, "EnergyToUserToday", 0, 2000),
        export_today_kwh=number(body, "EnergyToGridToday", 0, 2000),
        inverter_clock=_clock(body),
        composite=None,
    )
    if registers is not None and reading.inverter_clock is not None:
        minute = reading.inverter_clock.hour * 60 + reading.inverter_clock.minute
        composite = decode(registers, minute, reading.soc)
        stop_soc, rate = _parameters(registers, composite)
        reading = replace(reading, composite=composite, stop_soc=stop_soc, rate=rate)
    return reading, registers


def _clock(body: Mapping[str, object]) -> datetime | None:
    names = ("SystemYear", "SystemMonth", "SystemDay", "SystemHour", "SystemMinute", "SystemSecond")
    parts = [number(body, name, 0, 9999) for name in names]
    if any(p is None for p in parts):
        return None
    year, month, day, hour, minute, second = (int(p) for p in parts if p is not None)
    try:
        full = year + 2000 if year < 100 else year
        return datetime(full, month, day, hour, minute, second)  # noqa: DTZ001 - its own clock has no zone
    except ValueError as error:
        raise PayloadError(f"the inverter's clock is impossible: {error}") from None


def _registers(body: Mapping[str, object]) -> Registers | None:
    def percent(name: str) -> int | None:
        value = number(body, name, 0, 100)
        return None if value is None else round(value)

    def slots(prefix: str) -> tuple[Slot, Slot, Slot] | None:
        found = []
        for i in (1, 2, 3):
            start, stop, on = (number(body, f"{prefix}{i}{part}", 0, 65_535) for part in ("Start", "Stop", "En"))
            if start is None or stop is None or on is None:
                return None
            found.append(Slot(start_min=_minutes(start), stop_min=_minutes(stop), enabled=on == 1))
        return found[0], found[1], found[2]

    battery, grid = slots("BattSlot"), slots("GridSlot")
    values = [percent(n) for n in ("BattFirstSOC", "BattFirstPwrRate", "GridFirstSOC", "GridFirstPwrRate")]
    flag, limited = number(body, "BattFirstACChrg", 0, 1), number(body, "ExportLimitFlag", 0, 1)
    export = number(body, "ExportLimitValue", 0, 100)
    if battery is None or grid is None or flag is None or limited is None or export is None or None in values:
        return None
    battery_soc, battery_rate, grid_soc, grid_rate = (v for v in values if v is not None)
    return Registers(
        battery_soc=battery_soc, battery_rate=battery_rate, ac_charge=flag == 1, battery_slots=battery,
        grid_soc=grid_soc, grid_rate=grid_rate, grid_slots=grid, export_limited=limited == 1, export_percent=export,
        running=_running(body),
    )


def _running(body: Mapping[str, object]) -> int | None:
    mode = number(body, "CurrentMode", 0, 2)
    return None if mode is None else int(mode)


def _minutes(raw: float) -> int:
    hour, minute = divmod(int(raw), 256)
    if hour > 23 or minute > 59:
        raise PayloadError(f"slot time {raw:g} is not hour*256 + minute")
    return hour * 60 + minute


def decode(registers: Registers, minute: int, soc: float | None) -> Composite | None:
    """Which composite the inverter runs: what it says of itself, else what its registers describe for this minute."""
    running = registers.running
    if running is None:
        covered = [any(s.covers(minute) for s in slots) for slots in (registers.battery_slots, registers.grid_slots)]
        running = BATTERY_FIRST if covered[0] else GRID_FIRST if covered[1] else LOAD_FIRST
    if running == BATTERY_FIRST:
        return Composite.CHARGE_FROM_GRID if registers.ac_charge else Composite.HOLD
    if running == GRID_FIRST:
        holds = soc is not None and registers.grid_soc >= floor_percent(soc)
        return Composite.SELL_PRODUCTION if holds else Composite.DISCHARGE_TO_GRID
    return Composite.REGULAR


def _parameters(registers: Registers, composite: Composite | None) -> tuple[float | None, float | None]:
    """Stop SOC and rate (fractions) of the charge or the sale that runs."""
    if composite is Composite.CHARGE_FROM_GRID:
        return registers.battery_soc / 100.0, registers.battery_rate / 100.0
    if composite is Composite.DISCHARGE_TO_GRID:
        return registers.grid_soc / 100.0, registers.grid_rate / 100.0
    return None, None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A mode as registers, fixed when it is adopted (a hold holds the SOC of that moment)."""

    composite: Composite
    stop_percent: int
    rate_percent: int


def target_of(mode: InverterMode, soc: float | None) -> Target:
    """Registers that make the mode, at the SOC of this moment."""
    live = None if soc is None else floor_percent(soc)
    asked = None if mode.stop_soc is None else floor_percent(mode.stop_soc)
    rate = 100 if mode.rate is None else max(1, round(mode.rate * 100))
    match mode.composite:
        case Composite.HOLD:  # never above the live SOC: battery first would buy up to it
            stop = min(p for p in (asked, live, 100) if p is not None)
        case Composite.SELL_PRODUCTION:  # never below it: grid first would discharge down to it
            stop = max((p for p in (asked, live) if p is not None), default=100)
        case _:
            stop = 100 if asked is None else asked
    return Target(composite=mode.composite, stop_percent=stop, rate_percent=rate)


def mode_writes(target: Target, until: datetime | None, clock: datetime, live: Registers) -> list[Write]:
    """What must still be written, in order, so that the registers make the mode; empty: they do.

    Break before make: what another mode switched on is switched off before anything is switched on, so that charging
    from the grid and selling never stand in the registers together. Equal values are never written again.

    Parameters
    ----------
    until : datetime or None
        End of the run on the inverter's clock; the slot ends then, at most two hours ahead.
    clock : datetime
        The inverter's clock now (zone-less, its own).
    """
    battery = target.composite in (Composite.CHARGE_FROM_GRID, Composite.HOLD)
    grid = target.composite in (Composite.DISCHARGE_TO_GRID, Composite.SELL_PRODUCTION)
    writes = [_slot_write("gridfirst", i, s, False) for i, s in _superfluous(live.grid_slots, keep_first=grid)]
    if live.ac_charge and target.composite is not Composite.CHARGE_FROM_GRID:
        writes.append(Write(register="ac_charge", command="batteryfirst/set/acchargeenabled", body={"value": 0}))
    superfluous = _superfluous(live.battery_slots, keep_first=battery)
    writes += [_slot_write("batteryfirst", i, s, False) for i, s in superfluous]
    if not battery and not grid:
        return writes
    group = "batteryfirst" if battery else "gridfirst"
    present = (live.battery_slots if battery else live.grid_slots)[0]
    wanted = wanted_slot(target, until, clock, live)
    if wanted is None:
        return writes  # nothing is prepared, and nothing wears, for a run that cannot begin now
    soc, rate = (live.battery_soc, live.battery_rate) if battery else (live.grid_soc, live.grid_rate)
    if soc != target.stop_percent:
        body: dict[str, object] = {"value": target.stop_percent}
        writes.append(Write(register=f"{group}.soc", command=f"{group}/set/stopsoc", body=body))
    if rate != target.rate_percent and target.composite is not Composite.HOLD:
        body = {"value": target.rate_percent}
        writes.append(Write(register=f"{group}.rate", command=f"{group}/set/powerrate", body=body))
    if target.composite is Composite.CHARGE_FROM_GRID and not live.ac_charge:
        writes.append(Write(register="ac_charge", command="batteryfirst/set/acchargeenabled", body={"value": 1}))
    if wanted != present:
        writes.append(_slot_write(group, 1, wanted, True))
    return writes


def _superfluous(slots: tuple[Slot, Slot, Slot], *, keep_first: bool) -> list[tuple[int, Slot]]:
    return [(i, s) for i, s in enumerate(slots, start=1) if s.enabled and not (keep_first and i == 1)]


def wanted_slot(target: Target, until: datetime | None, clock: datetime, live: Registers) -> Slot | None:
    """The slot that makes the run: the present one while it does, else a new one; None while no slot can begin.

    A slot begins only when the inverter's clock crosses its start: one whose write arrived in that very minute, or
    later, waits until tomorrow. So the start is a whole `ARRIVES_S` ahead, and a slot that should run and does not is
    written again. None crosses midnight, and none begins after its run has ended.
    """
    battery = target.composite in (Composite.CHARGE_FROM_GRID, Composite.HOLD)
    slot = (live.battery_slots if battery else live.grid_slots)[0]
    missed = live.running is not None and live.running != (BATTERY_FIRST if battery else GRID_FIRST)
    minute = clock.hour * 60 + clock.minute
    end = clock + timedelta(seconds=SLOT_AHEAD_MAX_S)
    if until is not None and until < end:
        end = until
    stop = 23 * 60 + 59 if end.date() != clock.date() else _ceil_minute(end)
    start = minute + (1 if clock.second <= 60 - ARRIVES_S else 2)
    begins = start < stop and minute < NO_START_MIN
    if slot.enabled and slot.start_min <= minute + 3 and minute < slot.stop_min:
        renew = slot.stop_min - minute <= RENEW_BEFORE_MIN and stop > slot.stop_min
        late = slot.stop_min > stop + 1  # the run ends earlier than the slot: shorten it
        asleep = missed and minute - slot.start_min >= ASLEEP_MIN
        if not asleep and not (begins and (renew or late)):
            return slot
    return Slot(start_min=start, stop_min=stop, enabled=True) if begins else None


NO_START_MIN = 23 * 60 + 57  # what would begin later ends at once: wait for the new day
RENEW_BEFORE_MIN = 3
ARRIVES_S = 20  # a command is carried out within 10 s; twice that, for clocks that differ
ASLEEP_MIN = 4  # a mode change takes about 10 s plus up to a minute


def _ceil_minute(at: datetime) -> int:
    return min(at.hour * 60 + at.minute + (1 if at.second or at.microsecond else 0), 23 * 60 + 59)


def _slot_write(group: str, index: int, slot: Slot, enabled: bool) -> Write:
    start, stop = slot.start_min, slot.stop_min
    if start >= stop:  # somebody else's: the stick takes no such times, not even to switch the slot off
        start, stop = 0, 1
    body = {"start": _hhmm(start), "stop": _hhmm(stop), "enabled": enabled, "slot": index}
    return Write(register=f"{group}.slot{index}", command=f"{group}/set/timeslot", body=body, slot=True)


def _hhmm(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def export_writes(limit_kw: float, contract_kw: float, rated_kw: float, live: Registers) -> list[Write]:
    """What must be written so that the export limit holds.

    `export/enable` switches the limit register on and sets it to 100 %; the value itself is holding register 123.
    """
    percent = round(min(limit_kw, contract_kw) / rated_kw * 1000) / 10
    percent = min(max(percent, 0.0), 100.0)
    if not live.export_limited:
        if percent >= 100.0:
            return []
        return [Write(register="export.flag", command="export/enable", body={"value": True})]
    if abs(live.export_percent - percent) <= 0.05:
        return []
    body = {"id": EXPORT_LIMIT_REGISTER, "type": "16b", "registerType": "H", "value": round(percent * 10)}
    return [Write(register="export.value", command="modbus/set", body=body)]


def assume(live: Registers, write: Write) -> Registers:
    """The registers as they stand once a successful write has arrived."""
    body = write.body
    value = body.get("value")
    match write.register:
        case "ac_charge":
            return replace(live, ac_charge=value == 1)
        case "batteryfirst.soc":
            return replace(live, battery_soc=_int(value))
        case "batteryfirst.rate":
            return replace(live, battery_rate=_int(value))
        case "gridfirst.soc":
            return replace(live, grid_soc=_int(value))
        case "gridfirst.rate":
            return replace(live, grid_rate=_int(value))
        case "export.flag":
            return replace(live, export_limited=True, export_percent=100.0)
        case "export.value":
            return replace(live, export_percent=_int(value) / 10)
    group, _, index = write.register.partition(".slot")
    start, stop = (int(str(body[k])[:2]) * 60 + int(str(body[k])[3:]) for k in ("start", "stop"))
    slot = Slot(start_min=start, stop_min=stop, enabled=bool(body["enabled"]))
    old = live.battery_slots if group == "batteryfirst" else live.grid_slots
    changed = [slot if i == int(index) else s for i, s in enumerate(old, start=1)]
    slots = (changed[0], changed[1], changed[2])
    return replace(live, battery_slots=slots) if group == "batteryfirst" else replace(live, grid_slots=slots)


def _int(value: object) -> int:
    assert isinstance(value, int)
    return value
