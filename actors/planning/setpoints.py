"""From a duty to a setpoint: the room's own thermostat switches, the plan only says how warm it shall get.

For rooms with `control = "setpoint"`. The same account of owed heat as for relays (`pulses`) says *when* a room shall
heat; here it is said *how*:

heat    just above the air, so that the thermostat starts, and at least so high that it stops (its hysteresis above the
        setpoint) where the plan wants the air to be by the end of this run of heating. Already that warm: rest.
rest    the lower edge of the band: the thermostat is quiet, and starts by itself before the room gets cold.
quiet   a thermostat that has started goes on until the air is its hysteresis above the setpoint. So where the air is
        within that of the lower edge, the room rests below the edge, as far as its night band goes, until the air is
        nearly there. (If PEMS is gone before, Loxone is back at the edge with the next missed heartbeat.)
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from models.physics.observer import RoomState
from models.physics.rooms import RoomPlant
from models.types.house import Room
from models.types.loxone import SETPOINT_LIMITS_C, THERMOSTAT_HYSTERESIS_K

START_K = 0.2  # above the air: more than a reading is rounded, so that the thermostat surely starts
TOP_MARGIN_K = 0.3  # heating stops so far below the room's maximum: the slab goes on giving
LEAST_MOVE_K = 0.2
NEAR_EDGE_K = 0.1  # who rests below the edge is back there when the air is so near
MOVES_PER_H = 4  # and the step of the band, which is always followed
IDLE_DUTY = 0.02  # a slot with less is not part of a run of heating


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a plan wants of one room now."""

    heat: bool
    goal_c: float  # air by the end of the run of heating that is on
    edge_c: float  # lower edge of the band now


def goal_c(duty: Sequence[float], air_c: Sequence[float], slot: int) -> float:
    """Warmest planned air from this slot to the end of the run of heating that holds it [degC].

    Parameters
    ----------
    duty, air_c : sequences of float, length n
        Of one room: planned duty of each slot, and planned air at its end [degC].
    slot : int
        The running slot.
    """
    last = slot
    while last + 1 < len(duty) and duty[last + 1] >= IDLE_DUTY:
        last += 1
    return max(air_c[slot : last + 1])


def held_duty(
    plant: RoomPlant, state: RoomState, setpoint_c: float, *, outdoor_c: Sequence[float], sun_kw: Sequence[float],
    dt_h: float,
) -> float:
    """Mean duty of a thermostat that somebody else holds at a setpoint: what brings the room there and keeps it there.

    Its heat is spread evenly over the hold, though a thermostat heats first what is cold: the sum is right, which is
    what battery and connection are planned with. Neighbours are taken as equally warm.

    Parameters
    ----------
    plant, state : RoomPlant, RoomState
        The room as believed, and where it is now.
    setpoint_c : float
        Held [degC].
    outdoor_c, sun_kw : sequences of float, length n
        Of the slots for which it is held [degC], [kW].
    dt_h : float
        Length of a slot [h].

    Returns
    -------
    float
        0..1.
    """
    slots = len(outdoor_c)
    if slots == 0 or plant.heater_kw <= 0.0:
        return 0.0
    air_c = setpoint_c + THERMOSTAT_HYSTERESIS_K / 2
    loss_kw = plant.ua_kw_per_k * (air_c - sum(outdoor_c) / slots)
    need_kw = max(0.0, loss_kw - sum(sun_kw) / slots - state.disturbance_kw)
    slab_c = air_c + need_kw / plant.slab_air_kw_per_k
    stored_kwh = plant.air_kwh_per_k * (air_c - state.air_c) + plant.slab_kwh_per_k * (slab_c - state.slab_c)
    return min(max((need_kw + stored_kwh / (slots * dt_h)) / plant.heater_kw, 0.0), 1.0)


class Setpoint:
    """The setpoint of one room: where it stands, and when it moved.

    Parameters
    ----------
    room : Room
    min_s : float
        Heating and resting last at least this long, as the relay's own times ask [s].
    """

    def __init__(self, room: Room, min_s: float) -> None:
        self._min_s, self._lowest_c = min_s, room.lowest_c
        self._top_c = min(room.max_c - TOP_MARGIN_K - THERMOSTAT_HYSTERESIS_K, SETPOINT_LIMITS_C[1])
        self._now_c: float | None = None
        self._heats = self._quiet = False
        self._turned_s = -math.inf  # from rest to heat or back
        self._moved_s: deque[float] = deque(maxlen=MOVES_PER_H)

    def level_c(self, wish: Wish, *, air_c: float | None, relay_on: bool, at_s: float) -> float:
        """Where the setpoint shall stand now [degC], in tenths; it stays where it is while a move would change little.

        Parameters
        ----------
        wish : Wish
            What the plan wants.
        air_c : float or None
            Air as measured; None: not known, and then nothing is heated beyond the lower edge.
        relay_on : bool
            As reported: the thermostat heats.
        at_s : float
            Monotonic time [s].
        """
        edge_c = round(wish.edge_c, 1)
        top_c = max(edge_c, self._top_c)
        goal_c = min(wish.goal_c, top_c + THERMOSTAT_HYSTERESIS_K)
        heats = wish.heat and air_c is not None and air_c < goal_c
        left = MOVES_PER_H - sum(at_s - s < 3600.0 for s in self._moved_s)
        wanted_c = rest_c = self._rest_c(edge_c, air_c, relay_on and left > 1)
        if heats and air_c is not None:
            wanted_c = min(max(self._heating_c(goal_c, air_c, relay_on), edge_c), top_c)
        now_c = self._now_c
        if now_c is None or now_c < min(edge_c, rest_c):  # what keeps the room in its band is never put off
            return self._move(wanted_c, heats, at_s, quiet=False)
        if wanted_c == now_c:
            self._heats = heats
            return now_c
        turns = heats is not self._heats
        early = at_s - self._turned_s < self._min_s if turns else abs(wanted_c - now_c) < LEAST_MOVE_K - 1e-9
        if early or left <= (2 if heats else 0):  # who starts must be able to hush the thermostat and to come back
            return now_c
        return self._move(wanted_c, heats, at_s, quiet=wanted_c < edge_c)

    def _rest_c(self, edge_c: float, air_c: float | None, hush: bool) -> float:
        """The setpoint at which the thermostat rests: the edge, or (`hush`) below it where it would heat on else."""
        now_c = self._now_c
        if air_c is None or now_c is None or air_c <= edge_c + NEAR_EDGE_K:
            return edge_c
        if self._quiet and now_c < edge_c:
            return now_c
        if self._heats and hush and air_c <= edge_c + THERMOSTAT_HYSTERESIS_K:
            quiet_c = math.floor((air_c - THERMOSTAT_HYSTERESIS_K) * 10.0 - 0.5) / 10.0
            return quiet_c if quiet_c >= self._lowest_c else edge_c
        return edge_c

    def _heating_c(self, goal_c: float, air_c: float, relay_on: bool) -> float:
        """The setpoint that heats to `goal_c`; while it heats it is only ever raised."""
        stops_c = round(goal_c - THERMOSTAT_HYSTERESIS_K, 1)
        if self._heats and self._now_c is not None and (relay_on or air_c < self._now_c):
            return max(stops_c, self._now_c)
        return max(stops_c, round(air_c + START_K, 1))

    def _move(self, level_c: float, heats: bool, at_s: float, *, quiet: bool) -> float:
        if level_c != self._now_c:
            self._moved_s.append(at_s)
        if heats is not self._heats:
            self._turned_s = at_s
        self._now_c, self._heats, self._quiet = level_c, heats, quiet
        return level_c
