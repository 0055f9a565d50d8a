"""Heated rooms: air and slab of each, exact over a slot, with a comfort band that may be left at a price.

Variables, per room and slot: `duty` (share of the slot that the heater is on), `slab` [K above the lower edge of the
band], and the air as its distance from that edge, split by price [K]: `within` the band (free), `above` and `below` it
(dear):

    air = lower + within + above - below

so that the band needs no rows of its own. With x = (air, slab), E = exp(M dt) and F its integral (see
`solvers/thermal.py` for M), neighbours' air held over the slot:

    air[p]  = E00 air[p-1] + E01 slab[p-1] + F00 (ua outdoor + sun + disturbance + sum g air_j[p-1]) + F01 heater duty
    slab[p] = E10 air[p-1] + E11 slab[p-1] + F10 (         the same          ) + F11 heater duty

Heat left in air and slab at the end is worth `heat_end_eur_per_kwh`.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pyomo.environ as pyo
from scipy.linalg import expm

from solvers.model.frame import Array, Given, Linear, Model, RoomShape, Shape, Vectors, columns, rows


@lru_cache(maxsize=256)
def steps(room: RoomShape, dt_h: float) -> tuple[Array, Array]:
    """E and F of one room, 2 x 2 each."""
    out = room.ua_kw_per_k + sum(g for _, g in room.neighbours)
    k, ca, cs = room.slab_air_kw_per_k, room.air_kwh_per_k, room.slab_kwh_per_k
    generator = np.zeros((4, 4))
    generator[0] = [-(k + out) / ca, k / ca, 1.0 / ca, 0.0]
    generator[1] = [k / cs, -k / cs, 0.0, 1.0 / cs]
    full = expm(generator * dt_h)
    return full[:2, :2], full[:2, 2:]


def declare(m: Model, shape: Shape) -> None:
    """Columns and rows of all rooms."""
    if not shape.rooms:
        return
    m.R = pyo.RangeSet(0, len(shape.rooms) - 1)
    for name in ("duty", "slab", "within", "above", "below"):
        columns(m, name, m.R, m.P)
    both = [steps(r, shape.dt_h) for r in shape.rooms]
    before = m.before

    def air(i: int, p: int) -> Linear:
        return m.within[i, p] + m.above[i, p] - m.below[i, p]

    def kept(i: int, p: int, state: int) -> Linear:
        """What the state keeps of the slot before, and what the heater adds; everything else is right-hand side."""
        e, f = both[i]
        q = before[p]
        out = float(e[state, 0]) * air(i, q) + float(e[state, 1]) * m.slab[i, q]
        out = out + float(f[state, 1]) * shape.rooms[i].heater_kw * m.duty[i, p]
        for j, g in shape.rooms[i].neighbours:
            out = out + float(f[state, 0]) * g * air(j, q)
        return out

    rows(m, "air_step", m.R, m.P, body=lambda i, p: air(i, p) - kept(i, p, 0), equal=True)
    rows(m, "slab_step", m.R, m.P, body=lambda i, p: m.slab[i, p] - kept(i, p, 1), equal=True)


def fill(v: Vectors, given: Given, shape: Shape) -> None:
    """State, weather, band and prices of one problem."""
    p, rooms = given.problem, given.problem.rooms
    if not rooms:
        return
    lower = np.array([r.lower_c for r in rooms])
    upper = np.maximum(lower, np.array([r.upper_c for r in rooms]))
    edge_before = lower[:, :-1]
    air_before = np.concatenate([np.array([[r.air_c] for r in rooms]), edge_before], axis=1)
    slab_before = np.concatenate([np.array([[r.slab_c] for r in rooms]), edge_before], axis=1)
    outdoor, sun = np.array(p.outdoor_c), np.array([r.sun_kw for r in rooms])
    air_rhs, slab_rhs, gains = np.empty_like(lower), np.empty_like(lower), np.empty_like(lower)
    for i, (room, fixed) in enumerate(zip(rooms, shape.rooms, strict=True)):
        e, f = steps(fixed, shape.dt_h)
        gain = room.ua_kw_per_k * outdoor + sun[i] + room.disturbance_kw
        for j, g in room.neighbours:
            gain = gain + g * air_before[j]
        gains[i] = gain
        air_rhs[i] = e[0, 0] * air_before[i] + e[0, 1] * slab_before[i] + f[0, 0] * gain - lower[i]
        slab_rhs[i] = e[1, 0] * air_before[i] + e[1, 1] * slab_before[i] + f[1, 0] * gain - lower[i]
    v.put(v.rhs, "air_step", air_rhs)
    v.put(v.rhs, "slab_step", slab_rhs)
    v.put(v.upper, "within", upper - lower)
    v.put(v.cost, "below", given.tiers.comfort_below_eur_per_kh * p.dt_h)
    v.put(v.cost, "above", given.tiers.comfort_above_eur_per_kh * p.dt_h)
    _fill_duty(v, given)
    v.put(v.lower, "slab", -np.inf)
    _fill_end(v, given, shape, (air_before[:, -1], slab_before[:, -1], gains[:, -1]))


def _fill_duty(v: Vectors, given: Given) -> None:
    """While a room is not ours to heat it runs at its forced duty."""
    rooms, ring = given.problem.rooms, v.ring
    bounds = np.array([[r.duty_bounds(t) for t in range(given.problem.steps)] for r in rooms])
    v.lower["duty"][:, ring.slots] = bounds[:, :, 0]
    v.upper["duty"][:, ring.slots] = bounds[:, :, 1]


def _fill_end(v: Vectors, given: Given, shape: Shape, came_from: tuple[Array, Array, Array]) -> None:
    """Worth of the heat left, written on what it follows from: the states a slot earlier and the last duty.

    The last slot's own states then cost nothing, and enter the basis without a detour when the slot is new.
    `came_from`: air and slab that the last slot's deviations count from, and its gain.
    """
    worth, last = given.tiers.heat_end_eur_per_kwh, int(v.ring.slots[-1])
    before = (last - 1) % v.ring.size
    for i, (room, fixed) in enumerate(zip(given.problem.rooms, shape.rooms, strict=True)):
        e, f = steps(fixed, given.problem.dt_h)
        stores = worth * np.array([room.air_kwh_per_k, room.slab_kwh_per_k])
        per_air, per_slab = (float(x) for x in stores @ e)
        per_gain, per_heat = (float(x) for x in stores @ f)
        air, slab, gain = (float(x[i]) for x in came_from)
        v.offset_eur -= per_air * air + per_slab * slab + per_gain * gain - float(stores.sum()) * room.lower_c[-1]
        v.cost["slab"][i, before] -= per_slab
        v.cost["duty"][i, last] -= per_heat * room.heater_kw
        for j, per_k in ((i, per_air), *((j, per_gain * g) for j, g in room.neighbours)):
            for name, sign in (("within", 1.0), ("above", 1.0), ("below", -1.0)):
                v.cost[name][j, before] -= sign * per_k
