"""Power at the connection: which heaters are shed, when they return, and when it is an overload.

Two things limit it. The fuse limits each phase. The grid operator, while one of his events lasts, limits what the meter
shows, all phases together: key 0 of the mappings here, beside 1..3 for the phases.

Judged once per meter reading, with the relay states that were known when it came: the meter shows what flowed before
the relays' latest switch, and a newer relay state against an older sum would blame the wrong phase.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from models.types.house import House, Room
from models.types.operator import ImportLimit
from models.types.reading import MeterReading, RoomReading

OVERLOAD_SHARE = 1.1
OVERLOAD_S = 60.0
SETTLE_S = 10.0  # until what was shed shows in the meter
SHED_RETURN_KW = 1.0
RETURN_AFTER_S = 60.0
LIMIT_SHED_S = 15.0  # above the operator's limit: plans and people that keep to it are given the time to do so
WHOLE = 0  # the connection as a whole, beside its phases


@dataclass(frozen=True, slots=True, kw_only=True)
class FuseMemory:
    """What one judgement leaves for the next."""

    shed: tuple[str, ...] = ()  # first shed first
    dimmed: frozenset[str] = frozenset()  # those of them that only the operator's limit keeps off
    text: str = ""
    overloaded: bool = False  # above 1.1 x the rating for more than a minute
    judged_at: datetime | None = None  # of the meter reading
    shed_s: float = float("-inf")  # monotonic time of the last shedding
    overload_since_s: float | None = None
    roomy_since_s: float | None = None
    limit_over_since_s: float | None = None  # above the operator's limit


def phase_loads_kw(house: House, grid_kw: float, rooms: Mapping[str, RoomReading]) -> dict[int, float]:
    """Import per phase: heaters where they are wired, all the rest spread evenly (the meter reports a sum only)."""
    if house.connection.phases == 1:
        return {1: grid_kw}
    on = {1: 0.0, 2: 0.0, 3: 0.0}
    for room in house.rooms:
        reading = rooms.get(room.name)
        if reading is not None and reading.relay_on:
            for phase, kw in _shares(house, room).items():
                on[phase] += kw
    rest = (grid_kw - sum(on.values())) / 3
    return {phase: rest + kw for phase, kw in on.items()}


def _shares(house: House, room: Room) -> dict[int, float]:
    """Heater power by phase [kW]."""
    if house.connection.phases == 1:
        return {1: room.heater_kw}
    return dict.fromkeys((1, 2, 3), room.heater_kw / 3) if room.phase == 0 else {room.phase: room.heater_kw}


def _weight(house: House, room: Room) -> dict[int, float]:
    """The same, with the connection as a whole [kW]."""
    return {WHOLE: room.heater_kw, **_shares(house, room)}


def watch_fuse(
    house: House,
    *,
    at_s: float,
    meter: MeterReading | None,
    rooms: Mapping[str, RoomReading],
    memory: FuseMemory,
    limit: ImportLimit | None = None,
) -> FuseMemory:
    """One judgement.

    Parameters
    ----------
    at_s : float
        Monotonic time [s].
    meter : MeterReading or None
        None: not known. What is shed stays shed; nothing may be switched on without it (the gate sees to that).
    rooms : mapping
        Relay states by room.
    limit : ImportLimit or None
        Of the grid operator, if one holds now.
    """
    if meter is None:
        return replace(
            memory, overload_since_s=None, limit_over_since_s=None, roomy_since_s=None, overloaded=False
        )
    if meter.measured_at == memory.judged_at:
        return memory
    rating = house.connection.fuse_a * house.connection.voltage_v / 1000.0
    phases = phase_loads_kw(house, meter.grid_kw, rooms)
    peak = max(phases.values())
    free = {phase: rating - kw for phase, kw in phases.items()}
    if limit is not None:
        free[WHOLE] = limit.import_kw - meter.grid_kw
    limited_s = memory.limit_over_since_s if memory.limit_over_since_s is not None else at_s
    over_since_s = memory.overload_since_s if memory.overload_since_s is not None else at_s
    over = peak > OVERLOAD_SHARE * rating
    new = replace(
        memory,
        judged_at=meter.measured_at,
        text=f"phase at {peak:.1f} kW, rating {rating:.1f}",
        overload_since_s=over_since_s if over else None,
        limit_over_since_s=limited_s if free.get(WHOLE, 0.0) < 0 else None,
        overloaded=over and at_s - over_since_s > OVERLOAD_S,
    )
    if min(free.values()) >= 0:
        return _let_return(house, new, free, at_s) if memory.shed else new
    if free.get(WHOLE, 0.0) < 0 and at_s - limited_s < LIMIT_SHED_S:
        del free[WHOLE]
    if min(free.values()) >= 0 or at_s - memory.shed_s < SETTLE_S:
        return replace(new, roomy_since_s=None)
    return _shed_more(house, rooms, replace(new, shed_s=at_s, roomy_since_s=None), free)


def _shed_more(
    house: House, rooms: Mapping[str, RoomReading], memory: FuseMemory, free: Mapping[int, float]
) -> FuseMemory:
    """As many more as are needed, in their order. One that is off for the operator may be on all the same, in the
    frost: the fuse sheds it for good."""
    left, shed, dimmed = dict(free), list(memory.shed), set(memory.dimmed)
    for room in house.rooms:
        if min(left.values()) >= 0:
            break
        reading = rooms.get(room.name)
        if (room.name in shed and room.name not in dimmed) or reading is None or not reading.relay_on:
            continue
        weight = {key: kw for key, kw in _weight(house, room).items() if key in left}
        if not any(left[key] < 0 for key in weight):
            continue
        fuse = any(left[key] < 0 for key in weight if key != WHOLE)
        if room.name in shed and not fuse:
            continue
        for key, kw in weight.items():
            left[key] += kw
        (dimmed.discard if fuse else dimmed.add)(room.name)
        if room.name not in shed:
            shed.append(room.name)
    return replace(memory, shed=tuple(shed), dimmed=frozenset(dimmed))


def _let_return(house: House, memory: FuseMemory, free: Mapping[int, float], at_s: float) -> FuseMemory:
    """Those that were shed last return first, as many as fit, once there has been room for a minute.

    Under an operator's limit one that does not fit lets the next pass: a large heater may not fit for hours.
    """
    phases = sum(key != WHOLE for key in free)
    left = {key: kw - (SHED_RETURN_KW if key == WHOLE else SHED_RETURN_KW / phases) for key, kw in free.items()}
    kept = list(memory.shed)
    for name in reversed(memory.shed):
        weight = {key: kw for key, kw in _weight(house, house.room(name)).items() if key in left}
        if any(left[key] < kw for key, kw in weight.items()):
            if name in memory.dimmed and WHOLE in left:
                continue
            break
        for key, kw in weight.items():
            left[key] -= kw
        kept.remove(name)
    if len(kept) == len(memory.shed):
        return replace(memory, roomy_since_s=None)
    since_s = at_s if memory.roomy_since_s is None else memory.roomy_since_s
    if at_s - since_s < RETURN_AFTER_S:
        return replace(memory, roomy_since_s=since_s)
    return replace(memory, shed=tuple(kept), dimmed=memory.dimmed & set(kept), roomy_since_s=None)
