"""Heat in the rooms: slab and air of each, coupled to the next rooms and to the outside.

The heater warms the slab, the slab warms the air, the air loses heat to the outside and exchanges it with its
neighbours in the list, the sun warms the air through the window:

    slab_kwh_per_k * d slab_c/dt = heater_kw - slab_air * (slab_c - air_c)
    air_kwh_per_k  * d air_c/dt  = slab_air * (slab_c - air_c) - ua * (air_c - outdoor_c)
                                   + sum of neighbour * (other_air_c - air_c) + sun_kw
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from models.types.house import Facing, House

MAX_STEP_SHARE = 0.1  # of the fastest time constant: explicit Euler is then stable and within 0.1 K


@dataclass(frozen=True, slots=True)
class RoomPlant:
    """The thermal parameters of one room."""

    name: str
    heater_kw: float
    air_kwh_per_k: float
    slab_kwh_per_k: float
    slab_air_kw_per_k: float
    ua_kw_per_k: float
    neighbours: tuple[tuple[int, float], ...]  # (index into the rooms, kW/K); symmetric: each pair is in both rooms
    window_m2: float  # effective gain area
    facing: Facing
    phase: int  # of the heater; 0: all three


def nominal_plants(house: House) -> tuple[RoomPlant, ...]:
    """Rooms as the house file describes them: what a planner knows.

    Rooms that follow each other in the list are neighbours. `neighbour_kw_per_k_m2` times its area is what a room
    shares with both: half towards each, and a pair has the mean of its two halves.
    """
    t = house.thermal
    between = [
        t.neighbour_kw_per_k_m2 * (a.area_m2 + b.area_m2) / 4.0
        for a, b in zip(house.rooms, house.rooms[1:], strict=False)
    ]
    return tuple(
        RoomPlant(
            name=room.name,
            heater_kw=room.heater_kw,
            air_kwh_per_k=t.air_kwh_per_k_m2 * room.area_m2,
            slab_kwh_per_k=t.slab_kwh_per_k_m2 * room.area_m2,
            slab_air_kw_per_k=t.slab_air_kw_per_k_m2 * room.area_m2,
            ua_kw_per_k=room.ua_w_per_k / 1000.0,
            neighbours=neighbours_of(i, between),
            window_m2=0.0 if room.facing == "none" else t.window_m2_per_m2 * room.area_m2,
            facing=room.facing,
            phase=room.phase,
        )
        for i, room in enumerate(house.rooms)
    )


def neighbours_of(index: int, between: Sequence[float]) -> tuple[tuple[int, float], ...]:
    """Links of one room in a chain; `between[i]` joins rooms i and i+1 [kW/K]."""
    before = ((index - 1, between[index - 1]),) if index > 0 else ()
    after = ((index + 1, between[index]),) if index < len(between) else ()
    return before + after


def longest_step_h(plants: Sequence[RoomPlant]) -> float:
    """Longest explicit step that stays stable and accurate [h]."""
    fastest = 0.0
    for p in plants:
        around = p.slab_air_kw_per_k + p.ua_kw_per_k + sum(g for _, g in p.neighbours)
        fastest = max(fastest, around / p.air_kwh_per_k, p.slab_air_kw_per_k / p.slab_kwh_per_k)
    return math.inf if fastest == 0.0 else MAX_STEP_SHARE / fastest


def advance_rooms(
    plants: Sequence[RoomPlant],
    air_c: list[float],
    slab_c: list[float],
    *,
    heat_kw: Sequence[float],
    sun_kw: Sequence[float],
    outdoor_c: float,
    dt_h: float,
    step_h: float,
) -> None:
    """Moves `air_c` and `slab_c` (in place) over `dt_h`, in sub-steps of at most `step_h`.

    Parameters
    ----------
    plants : sequence of RoomPlant
        n rooms.
    air_c, slab_c : list of float, length n
        Temperatures [degC]; overwritten.
    heat_kw, sun_kw : sequence of float, length n
        Heater power into the slab, sun through the window into the air; constant over `dt_h` [kW].
    outdoor_c : float
        Outdoor air [degC].
    dt_h, step_h : float
        Interval and longest sub-step [h]; for the latter see `longest_step_h`.
    """
    steps = max(1, math.ceil(dt_h / step_h - 1e-9))
    h = dt_h / steps
    for _ in range(steps):
        before = air_c.copy()
        for i, p in enumerate(plants):
            air = before[i]
            from_slab = p.slab_air_kw_per_k * (slab_c[i] - air)
            gain = from_slab - p.ua_kw_per_k * (air - outdoor_c) + sun_kw[i]
            for other, g in p.neighbours:
                gain += g * (before[other] - air)
            air_c[i] = air + h * gain / p.air_kwh_per_k
            slab_c[i] += h * (heat_kw[i] - from_slab) / p.slab_kwh_per_k
