"""The rooms as they really are: the house file's numbers with deviations that no planner knows."""

from __future__ import annotations

from random import Random

from models.physics.rooms import RoomPlant, neighbours_of, nominal_plants
from models.types.house import House

DEVIATION = 0.2  # each parameter of each room, uniform


def deviated_plants(house: House, random: Random) -> tuple[RoomPlant, ...]:
    """Rooms with every thermal parameter off by up to 20 %; a link between two rooms is off the same for both.

    Heater ratings are on their labels and stay as they are.
    """
    nominal = nominal_plants(house)

    def off() -> float:
        return random.uniform(1.0 - DEVIATION, 1.0 + DEVIATION)

    between = [dict(room.neighbours)[i + 1] * off() for i, room in enumerate(nominal[:-1])]
    return tuple(
        RoomPlant(
            name=room.name,
            heater_kw=room.heater_kw,
            air_kwh_per_k=room.air_kwh_per_k * off(),
            slab_kwh_per_k=room.slab_kwh_per_k * off(),
            slab_air_kw_per_k=room.slab_air_kw_per_k * off(),
            ua_kw_per_k=room.ua_kw_per_k * off(),
            neighbours=neighbours_of(i, between),
            window_m2=room.window_m2 * off(),
            facing=room.facing,
            phase=room.phase,
        )
        for i, room in enumerate(nominal)
    )
