"""The safety rules: pure functions from what is seen to what must not go on.

Each rule answers with findings. A LIMIT holds a point at a value while its cause lasts and ends by itself, with
hysteresis; a TRIP is latched until a person resets it. Of two findings for one point the more severe wins.

rule            cause                                      action   ends when                        who may override
fuse            a phase above its rating                   LIMIT    room for the load and 1 kW       levels 1, 2
fuse_overload   a phase above 1.1 x for 60 s               TRIP     reset                            level 1
room_maximum    air at the room's maximum                  LIMIT    0.2 K below                      levels 1, 2
room_stuck      1.5 K above it and the relay still on      TRIP     reset                            level 1
floor_maximum   floor sensor at its maximum                TRIP     reset                            level 1
frost           air at the frost limit                     LIMIT    0.5 K above                      fuse, levels 1, 2
inverter_fault  the inverter reports a fault               LIMIT    it no longer does                levels 1, 2
battery_heat    battery at 55 degC or above                TRIP     reset                            level 1
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from models.types.command import Value
from models.types.house import House
from models.types.mode import REGULAR
from models.types.reading import InverterReading, MeterReading, RoomReading

ROOM_HYSTERESIS_K = 0.2
FROST_HYSTERESIS_K = 0.5
STUCK_ABOVE_MAX_K = 1.5
OVERLOAD_SHARE = 1.1
OVERLOAD_S = 60.0
SHED_RETURN_KW = 1.0
BATTERY_HOT_C = 55.0


class Action(IntEnum):
    """In rising severity: the worst wins."""

    NONE = 0
    LIMIT = 1
    TRIP = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One rule speaking about one point."""

    rule: str
    action: Action
    point: str
    value: Value | None  # of a LIMIT; a TRIP uses the point's own safe value
    text: str
    rank: int = 0  # among limits of one point the higher rank wins (fuse before maximum before frost)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Everything the rules may look at. Readings that are too old are None here: worst case, not last value."""

    at_s: float
    inverter: InverterReading | None
    meter: MeterReading | None
    rooms: Mapping[str, RoomReading]


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What hysteresis needs from one check to the next."""

    limited: frozenset[tuple[str, str]] = frozenset()  # (rule, point) that were found last time
    shed: tuple[str, ...] = ()  # rooms shed by the fuse rule, first shed first
    overload_since_s: float | None = None
    roomy_since_s: float | None = None


def check(house: House, view: View, memory: Memory) -> tuple[tuple[Finding, ...], Memory]:
    """All rules once.

    Returns
    -------
    findings, memory
        What was found, and what to hand to the next check.
    """
    findings = [*_rooms(house, view, memory), *_inverter(view)]
    fuse, shed, overload_s, roomy_s = _fuse(house, view, memory)
    findings += fuse
    limited = frozenset((f.rule, f.point) for f in findings if f.action is Action.LIMIT)
    return tuple(findings), Memory(limited=limited, shed=shed, overload_since_s=overload_s, roomy_since_s=roomy_s)


def worst(findings: tuple[Finding, ...]) -> dict[str, Finding]:
    """The finding that holds each point: the most severe, then the highest rank."""
    held: dict[str, Finding] = {}
    for finding in findings:
        known = held.get(finding.point)
        if known is None or (finding.action, finding.rank) > (known.action, known.rank):
            held[finding.point] = finding
    return held


def _rooms(house: House, view: View, memory: Memory) -> list[Finding]:
    found: list[Finding] = []
    for room in house.rooms:
        reading = view.rooms.get(room.name)
        if reading is None:
            continue  # stale or silent: the gate lets nothing that depends on it act
        point = f"room.{room.name}.relay"
        if reading.slab_c is not None and reading.slab_c >= room.floor_max_c:
            text = f"floor {reading.slab_c:.1f} degC, limit {room.floor_max_c:.1f}"
            found.append(Finding(rule="floor_maximum", action=Action.TRIP, point=point, value=None, text=text))
        if reading.air_c is None:
            continue
        if reading.air_c >= room.max_c + STUCK_ABOVE_MAX_K and reading.relay_on:
            text = f"{reading.air_c:.1f} degC, maximum {room.max_c:.1f}, and the relay is still on"
            found.append(Finding(rule="room_stuck", action=Action.TRIP, point=point, value=None, text=text))
        held = ("room_maximum", point) in memory.limited
        if reading.air_c >= room.max_c - (ROOM_HYSTERESIS_K if held else 0.0):
            text = f"{reading.air_c:.1f} degC, maximum {room.max_c:.1f}"
            found.append(
                Finding(rule="room_maximum", action=Action.LIMIT, point=point, value="off", text=text, rank=2)
            )
        held = ("frost", point) in memory.limited
        if reading.air_c <= house.frost_c + (FROST_HYSTERESIS_K if held else 0.0):
            text = f"{reading.air_c:.1f} degC, frost limit {house.frost_c:.1f}"
            found.append(Finding(rule="frost", action=Action.LIMIT, point=point, value="auto", text=text, rank=1))
    return found


def _inverter(view: View) -> list[Finding]:
    found: list[Finding] = []
    reading = view.inverter
    if reading is None:
        return found
    if reading.fault:
        text = "the inverter reports a fault"
        found.append(
            Finding(rule="inverter_fault", action=Action.LIMIT, point="inverter.mode", value=REGULAR, text=text)
        )
    if reading.battery_c is not None and reading.battery_c >= BATTERY_HOT_C:
        text = f"battery {reading.battery_c:.0f} degC, limit {BATTERY_HOT_C:.0f}"
        found.append(Finding(rule="battery_heat", action=Action.TRIP, point="inverter.mode", value=None, text=text))
    return found


def phase_loads_kw(house: House, grid_kw: float, rooms: Mapping[str, RoomReading]) -> dict[int, float]:
    """Import per phase: heaters where they are wired, all the rest spread evenly (the meter reports a sum only)."""
    on = {1: 0.0, 2: 0.0, 3: 0.0}
    for room in house.rooms:
        reading = rooms.get(room.name)
        if reading is not None and reading.relay_on:
            for phase in (1, 2, 3) if room.phase == 0 else (room.phase,):
                on[phase] += room.heater_kw / (3 if room.phase == 0 else 1)
    rest = (grid_kw - sum(on.values())) / 3
    return {phase: rest + kw for phase, kw in on.items()}


def _fuse(
    house: House, view: View, memory: Memory
) -> tuple[list[Finding], tuple[str, ...], float | None, float | None]:
    """Shed heating in the configured order while a phase is above its rating; let it return with hysteresis."""
    connection = house.connection
    rating = connection.fuse_a * connection.voltage_v / 1000.0
    if view.meter is None:  # the gate lets no relay be switched on; what runs stays under Loxone's own shedding
        return _shed_findings(memory.shed, "grid power is not known"), memory.shed, None, None
    loads = phase_loads_kw(house, view.meter.grid_kw, view.rooms)
    if connection.phases == 1:
        loads = {1: view.meter.grid_kw}
    peak = max(loads.values())
    overload_s = memory.overload_since_s
    if peak > OVERLOAD_SHARE * rating:
        overload_s = view.at_s if overload_s is None else overload_s
    else:
        overload_s = None
    shed, roomy_s = memory.shed, memory.roomy_since_s
    if peak > rating:
        shed, roomy_s = _shed_more(house, view, shed, loads, rating), None
    elif shed:
        last = house.room(shed[-1])
        phases = (1, 2, 3) if last.phase == 0 or connection.phases == 1 else (last.phase,)
        share = last.heater_kw / (3 if last.phase == 0 and connection.phases == 3 else 1)
        roomy = all(loads[p] + share + SHED_RETURN_KW / 3 <= rating for p in phases if p in loads)
        roomy_s = (view.at_s if roomy_s is None else roomy_s) if roomy else None
        if roomy_s is not None and view.at_s - roomy_s >= OVERLOAD_S:
            shed, roomy_s = shed[:-1], None
    findings = _shed_findings(shed, f"phase at {peak:.1f} kW, rating {rating:.1f}")
    if overload_s is not None and view.at_s - overload_s >= OVERLOAD_S:
        text = f"phase at {peak:.1f} kW for {view.at_s - overload_s:.0f} s, rating {rating:.1f}"
        findings += [
            Finding(rule="fuse_overload", action=Action.TRIP, point=f"room.{r.name}.relay", value=None, text=text)
            for r in house.rooms
        ]
    return findings, shed, overload_s, roomy_s


def _shed_findings(shed: tuple[str, ...], text: str) -> list[Finding]:
    return [
        Finding(rule="fuse", action=Action.LIMIT, point=f"room.{name}.relay", value="off", text=text, rank=3)
        for name in shed
    ]


def _shed_more(
    house: House, view: View, shed: tuple[str, ...], loads: Mapping[int, float], rating: float
) -> tuple[str, ...]:
    over = {p: kw - rating for p, kw in loads.items()}
    for room in house.rooms:
        if max(over.values()) <= 0:
            break
        reading = view.rooms.get(room.name)
        if room.name in shed or reading is None or not reading.relay_on:
            continue
        phases = [p for p in over if len(over) == 1 or room.phase in (0, p)]
        if not any(over[p] > 0 for p in phases):
            continue
        for p in phases:
            over[p] -= room.heater_kw / (3 if room.phase == 0 and len(over) == 3 else 1)
        shed = (*shed, room.name)
    return shed
