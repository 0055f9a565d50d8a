"""What somebody stronger than a plan holds: the points that the next plan has to take as they are, and for how long."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from actors.messages import Holding
from actors.planning.assemble import ForcedHeat, HeldSetpoint
from models.types.command import Level
from models.types.house import Room

MODE = "inverter.mode"


class Holds:
    """Points held by a person, a limit or a trip, as they were last said.

    Parameters
    ----------
    rooms : sequence of Room
        Of the house.
    slot_s, horizon_s : float
        Of a plan [s]; what is held until further notice is held over the whole horizon.
    """

    def __init__(self, rooms: Sequence[Room], *, slot_s: float, horizon_s: float) -> None:
        self._rooms, self._slot_s, self._horizon_s = rooms, slot_s, horizon_s
        self._held: dict[str, Holding] = {}

    @property
    def points(self) -> Mapping[str, Holding]:
        """Who holds what, by point; some of it may be over."""
        return self._held

    def see(self, holding: Holding) -> None:
        """A point was taken, or left to rules and plans again."""
        if holding.level <= Level.USER:
            self._held[holding.point] = holding
        else:
            self._held.pop(holding.point, None)

    def mode_slots(self, at_s: float, into_s: float) -> int:
        """Slots in which the inverter's mode is not ours."""
        held = self._held.get(MODE)
        return 0 if held is None else self._slots(held, at_s, into_s)

    def heat(self, at_s: float, into_s: float) -> dict[str, ForcedHeat]:
        """Rooms whose relay is held on or off, and for how many slots; the first of them began `into_s` ago."""
        found = {}
        for room in self._rooms:
            held = self._held.get(f"room.{room.name}.relay")
            if held is None or held.value not in ("on", "off"):
                continue  # `auto`: Loxone's thermostat heats it, about as a plan would
            if held.level is Level.GRID_OPERATOR and self._left_s(held, at_s) <= self._slot_s:
                continue  # shed for a minute: it returns by itself before the slot is over
            slots = self._slots(held, at_s, into_s)
            if slots > 0:
                found[room.name] = ForcedHeat(duty=1.0 if held.value == "on" else 0.0, slots=slots)
        return found

    def setpoints(self, at_s: float, into_s: float) -> dict[str, HeldSetpoint]:
        """Rooms that a plan moves by setpoint and whose setpoint is held."""
        found = {}
        for room in self._rooms:
            held = self._held.get(f"room.{room.name}.setpoint_c")
            if room.control != "setpoint" or held is None or not isinstance(held.value, (int, float)):
                continue  # given back to Loxone: its thermostat heats it, about as a plan would
            slots = self._slots(held, at_s, into_s)
            if slots > 0:
                found[room.name] = HeldSetpoint(setpoint_c=float(held.value), slots=slots)
        return found

    def _left_s(self, held: Holding, at_s: float) -> float:
        return self._horizon_s if held.until_s is None else max(0.0, held.until_s - at_s)

    def _slots(self, held: Holding, at_s: float, into_s: float) -> int:
        """Slots that it touches, the running one included."""
        left_s = self._left_s(held, at_s)
        return math.ceil((into_s + left_s) / self._slot_s) if left_s > 0.0 else 0
