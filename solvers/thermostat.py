"""Heating without a planner: each room holds the lower edge of its band, under the connection's limit."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from solvers.problem import PlanProblem
from solvers.thermal import Rooms

_ON_BELOW_K = 0.05  # above the lower edge
_OFF_ABOVE_K = 0.25
_SUN_STOP_K = 0.5  # below the upper edge: where heating on surplus ends

Surplus = Callable[[int, float], float]


def thermostat_duty(
    problem: PlanProblem, *, begun: Sequence[Sequence[float]] = (), surplus: Surplus | None = None
) -> tuple[tuple[float, ...], ...]:
    """Duty of every room under plain thermostats.

    Parameters
    ----------
    problem : PlanProblem
        Rooms in shedding order: the first is shed first when the connection would carry too much.
    begun : sequence of sequences, optional
        Per room, duties that are decided for the first slots; thermostats take over after them.
    surplus : callable, optional
        (slot, heating so far in kW) -> sun left for more heating [kW]: rooms below the top of their band take it,
        the coldest in its band first.

    Returns
    -------
    tuple of tuples
        Per room and slot, 0 or 1 (or what was begun or forced).
    """
    rooms = Rooms(problem)
    on = [r.relay_on for r in problem.rooms]
    chosen: list[list[float]] = []
    for t in range(problem.steps):
        if begun and t < len(begun[0]):
            duty = [row[t] for row in begun]
        else:
            on = [_wants(problem, rooms, i, t, was) for i, was in enumerate(on)]
            duty = _shed(problem, t, [float(o) for o in on])
            if surplus is not None:
                duty = _on_surplus(problem, rooms, t, duty, surplus)
        duty = [r.forced_duty if t < r.forced_slots else d for d, r in zip(duty, problem.rooms, strict=True)]
        rooms.advance(t, duty)
        chosen.append(duty)
    return tuple(zip(*chosen, strict=True))


def _wants(problem: PlanProblem, rooms: Rooms, i: int, t: int, was_on: bool) -> bool:
    over = rooms.air_c[i] - problem.rooms[i].lower_c[t]
    return over < _ON_BELOW_K or (was_on and over < _OFF_ABOVE_K)


def _shed(problem: PlanProblem, t: int, duty: list[float]) -> list[float]:
    left = problem.import_allowed_kw(t) - problem.load_kw[t]
    heat = sum(r.heater_kw * d for r, d in zip(problem.rooms, duty, strict=True))
    for i, room in enumerate(problem.rooms):
        if heat <= left:
            break
        if duty[i] > 0.0 and t >= room.forced_slots:
            heat -= room.heater_kw * duty[i]
            duty[i] = 0.0
    return duty


def _on_surplus(problem: PlanProblem, rooms: Rooms, t: int, duty: list[float], surplus: Surplus) -> list[float]:
    heat = sum(r.heater_kw * d for r, d in zip(problem.rooms, duty, strict=True))
    left = surplus(t, heat)
    order = sorted(range(len(duty)), key=lambda i: (rooms.air_c[i] - problem.rooms[i].lower_c[t], i))
    for i in order:
        room = problem.rooms[i]
        cool = rooms.air_c[i] < room.upper_c[t] - _SUN_STOP_K
        if duty[i] == 0.0 and t >= room.forced_slots and cool and 0.0 < room.heater_kw <= left:
            duty[i] = 1.0
            left -= room.heater_kw
    return duty
