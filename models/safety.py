"""The safety rules: pure functions from what is seen to what must not go on.

Each rule answers with findings. A LIMIT holds a point at a value while its cause lasts and ends by itself, with
hysteresis; a TRIP is latched until a person resets it. Of two findings for one point the more severe wins.

rule            cause                                      action   ends when                        who may override
fuse            a phase above its rating                   LIMIT    room for the load and 1 kW       levels 1, 2
operator        the grid operator's limit passed for 15 s  LIMIT    room for the load and 1 kW       frost, levels 1, 2
                ... for 30 s, the battery charged from it  LIMIT    the limit's end                  levels 1, 2
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
from zoneinfo import ZoneInfo

from models.fuse import FuseMemory, watch_fuse
from models.types.command import Value
from models.types.house import House
from models.types.mode import REGULAR, Composite
from models.types.operator import ImportLimit
from models.types.reading import InverterReading, MeterReading, RoomReading

ROOM_HYSTERESIS_K = 0.2
FROST_HYSTERESIS_K = 0.5
STUCK_ABOVE_MAX_K = 1.5
BATTERY_HOT_C = 55.0
LIMIT_PATIENCE_S = 30.0  # a kettle is over, and what was shed shows in the meter; leaving a mode wears registers


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
    rank: int = 0  # among limits of one point the higher wins (fuse, then maximum, then frost, then operator)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Everything the rules may look at. Readings that are too old are None here: worst case, not last value."""

    at_s: float
    inverter: InverterReading | None
    meter: MeterReading | None
    rooms: Mapping[str, RoomReading]
    limit: ImportLimit | None = None  # of the grid operator, if one holds now


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What hysteresis needs from one check to the next."""

    limited: frozenset[tuple[str, str]] = frozenset()  # (rule, point) that were found last time
    fuse: FuseMemory = FuseMemory()


def check(house: House, view: View, memory: Memory) -> tuple[tuple[Finding, ...], Memory]:
    """All rules once.

    Returns
    -------
    findings, memory
        What was found, and what to hand to the next check.
    """
    fuse = watch_fuse(
        house, at_s=view.at_s, meter=view.meter, rooms=view.rooms, memory=memory.fuse, limit=view.limit
    )
    findings = [
        *_rooms(house, view, memory), *_inverter(view), *_charging(house, view, memory, fuse), *_fuse(house, view, fuse)
    ]  # fmt: skip
    limited = frozenset((f.rule, f.point) for f in findings if f.action is Action.LIMIT)
    return tuple(findings), Memory(limited=limited, fuse=fuse)


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


def _limit_text(house: House, view: View) -> str:
    if view.limit is None:
        return "room for it is awaited after a grid operator's limit"
    return view.limit.told(ZoneInfo(house.site.timezone))


def _charging(house: House, view: View, memory: Memory, fuse: FuseMemory) -> list[Finding]:
    """Where shedding heaters is not enough for the grid operator, the battery is not charged from the grid."""
    if view.limit is None:
        return []
    point = "inverter.mode"
    mode = None if view.inverter is None else view.inverter.mode
    charges = mode is not None and mode.composite is Composite.CHARGE_FROM_GRID
    since_s = fuse.limit_over_since_s
    broken = charges and since_s is not None and view.at_s - since_s > LIMIT_PATIENCE_S
    if not broken and ("operator", point) not in memory.limited:
        return []
    return [Finding(rule="operator", action=Action.LIMIT, point=point, value=REGULAR, text=_limit_text(house, view))]


def _fuse(house: House, view: View, fuse: FuseMemory) -> list[Finding]:
    unknown = "grid power is not known" if view.meter is None else ""
    findings = []
    for name in fuse.shed:
        dimmed = name in fuse.dimmed
        text = unknown or (_limit_text(house, view) if dimmed else fuse.text)
        rule, rank = ("operator", 0) if dimmed else ("fuse", 3)
        point = f"room.{name}.relay"
        findings.append(Finding(rule=rule, action=Action.LIMIT, point=point, value="off", text=text, rank=rank))
    if fuse.overloaded:
        findings += [
            Finding(rule="fuse_overload", action=Action.TRIP, point=f"room.{r.name}.relay", value=None, text=fuse.text)
            for r in house.rooms
        ]
    return findings
