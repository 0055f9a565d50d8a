"""Exact steps of one room's air and slab over a slot, with heater, sun and neighbours held. Pure Python.

With x = (air_c, slab_c) and u = (power into air, power into slab) in kW,  dx/dt = M x + B u  has the exact solution
x(dt) = E x + F u,  where  [[E, F], [0, 1]] = exp([[M, B], [0, 0]] dt).  Neighbours' air is held over the slot.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from solvers.problem import PlanProblem, RoomProblem

_TERMS = 14  # Taylor terms after scaling to a norm below 1/4: error below 1e-16


@dataclass(frozen=True, slots=True)
class RoomStep:
    """x_next = e @ x + f @ u for x = (air, slab) and u = (kW into air, kW into slab)."""

    e: tuple[tuple[float, float], tuple[float, float]]
    f: tuple[tuple[float, float], tuple[float, float]]


Matrix = list[list[float]]


def room_step(room: RoomProblem, dt_h: float) -> RoomStep:
    """The exact discretisation of one room.

    Parameters
    ----------
    room : RoomProblem
        Its parameters; its state is not used.
    dt_h : float
        Length of a slot [h].
    """
    out = room.ua_kw_per_k + sum(g for _, g in room.neighbours)
    return _step(out, room.slab_air_kw_per_k, room.air_kwh_per_k, room.slab_kwh_per_k, dt_h)


@lru_cache(maxsize=256)
def _step(out: float, k: float, ca: float, cs: float, dt_h: float) -> RoomStep:
    generator: Matrix = [
        [-(k + out) / ca * dt_h, k / ca * dt_h, dt_h / ca, 0.0],
        [k / cs * dt_h, -k / cs * dt_h, 0.0, dt_h / cs],
        [0.0] * 4,
        [0.0] * 4,
    ]
    m = _exp(generator)
    return RoomStep(((m[0][0], m[0][1]), (m[1][0], m[1][1])), ((m[0][2], m[0][3]), (m[1][2], m[1][3])))


def _exp(m: Matrix) -> Matrix:
    n = len(m)
    norm = max(sum(abs(v) for v in row) for row in m)
    halvings = 0
    while norm > 0.25:
        norm, halvings = norm / 2.0, halvings + 1
    scale = 0.5**halvings
    a = [[v * scale for v in row] for row in m]
    result: Matrix = [[1.0 if i == j else 0.0 for j in range(n)] for i in range(n)]
    term = [row[:] for row in result]
    for order in range(1, _TERMS + 1):
        term = [[v / order for v in row] for row in _product(term, a)]
        result = [[x + y for x, y in zip(r, t, strict=True)] for r, t in zip(result, term, strict=True)]
    for _ in range(halvings):
        result = _product(result, result)
    return result


def _product(a: Matrix, b: Matrix) -> Matrix:
    columns = list(zip(*b, strict=True))
    return [[sum(x * y for x, y in zip(row, col, strict=True)) for col in columns] for row in a]


class Rooms:
    """The rooms of one problem, stepped slot by slot from their observed state."""

    def __init__(self, problem: PlanProblem) -> None:
        self._problem = problem
        self._steps = [room_step(r, problem.dt_h) for r in problem.rooms]
        self.air_c = [r.air_c for r in problem.rooms]
        self.slab_c = [r.slab_c for r in problem.rooms]

    def advance(self, slot: int, duty: list[float]) -> None:
        """Moves every room over one slot.

        Parameters
        ----------
        slot : int
            Which slot's weather to use.
        duty : list of float, one per room
            Share of the slot that the heater is on.
        """
        air, slab = self.air_c, self.slab_c
        outdoor = self._problem.outdoor_c[slot]
        next_air, next_slab = [], []
        for i, (room, step) in enumerate(zip(self._problem.rooms, self._steps, strict=True)):
            into_air = room.ua_kw_per_k * outdoor + room.sun_kw[slot] + room.disturbance_kw
            for j, g in room.neighbours:
                into_air += g * air[j]
            into_slab = room.heater_kw * duty[i]
            (e00, e01), (e10, e11) = step.e
            (f00, f01), (f10, f11) = step.f
            a, s = air[i], slab[i]
            next_air.append(e00 * a + e01 * s + f00 * into_air + f01 * into_slab)
            next_slab.append(e10 * a + e11 * s + f10 * into_air + f11 * into_slab)
        self.air_c, self.slab_c = next_air, next_slab
