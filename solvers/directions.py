"""Planning cases at negative prices: flows that the relaxation sends both ways at once are told to choose.

Where energy is worth less than nothing the relaxation burns it by charging and discharging at once; no battery can.
Binaries at those slots alone make it exact, but a branch and bound over hundreds of equal slots may take minutes. So
a feasible point comes first: a dynamic program over the SOC on a fine grid chooses the directions, the linear program
then finds the best flows for them (exactly, not on a grid), and the search starts from there.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from highspy import HighsModelStatus
from numpy.typing import NDArray
from scipy.ndimage import minimum_filter1d

from solvers.model.assembly import DIRECTIONS
from solvers.model.kept import KeptModel, Limits, Solution
from solvers.problem import BatteryProblem, PlanProblem
from solvers.tiers import soc_targets, tiers

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

BOTH_KW = 1e-6  # less than this in both directions at once is rounding
_MOST_CELLS = 3_000  # of the SOC window
_MOST_POINTS = 16_000_000  # of the table (slots x cells): 128 MB


def both_ways(values: Mapping[str, Array], name: str) -> Mask:
    """Slots where both directions of a pair carry power."""
    one, other = DIRECTIONS[name]
    if one[0] not in values:
        return np.zeros(0, dtype=bool)
    total = sum(values[n] for n in one)
    return np.asarray(np.minimum(total, values[other]) > BOTH_KW)


def separate(model: KeptModel, problem: PlanProblem, relaxed: Solution, limits: Limits, *, search_s: float) -> Solution:
    """The best point found in which no slot uses both directions, with the best bound proved.

    Parameters
    ----------
    model : KeptModel
        Has just solved the relaxation.
    problem : PlanProblem
        A planning case.
    relaxed : Solution
        Of the relaxation; returned as it is where it is clean.
    limits : Limits
        Gap and nodes; its time is shared.
    search_s : float
        Seconds for proving and improving, once a feasible point is known.
    """
    clash = {name: both_ways(relaxed.values, name) for name in DIRECTIONS}
    if not any(c.any() for c in clash.values()):
        return relaxed
    until = time.perf_counter() + min(search_s, limits.time_s)
    start = model.refine(choose_directions(problem, relaxed.values), limits)
    best = start if start.usable else None
    bound, solve_s = relaxed.bound_eur, relaxed.solve_s + start.solve_s
    chosen = {name: np.zeros(problem.steps, dtype=bool) for name in DIRECTIONS}
    status = HighsModelStatus.kOptimal
    while any(c.any() for c in clash.values()):
        left = until - time.perf_counter()
        if best is not None and (best.objective_eur - bound <= limits.gap_abs_eur or left <= 0.0):
            status = HighsModelStatus.kOptimal if left > 0.0 else HighsModelStatus.kTimeLimit
            break
        chosen = {name: chosen[name] | clash[name] for name in DIRECTIONS}
        found = model.search(chosen, best, replace(limits, time_s=max(left, 0.1)))
        bound, solve_s, status = max(bound, found.bound_eur), solve_s + found.solve_s, found.status
        if not found.usable:
            break
        clash = {name: both_ways(found.values, name) for name in DIRECTIONS}
        clean = not any(c.any() for c in clash.values())
        if clean and (best is None or found.objective_eur < best.objective_eur):
            best = found
        if status != HighsModelStatus.kOptimal:
            break
    if best is None:
        return replace(relaxed, status=status, values={}, solve_s=solve_s)
    return replace(
        best, status=status, bound_eur=bound, solve_s=solve_s, soc_dual_eur=relaxed.soc_dual_eur,
        update_s=relaxed.update_s,
    )


def choose_directions(problem: PlanProblem, values: Mapping[str, Array]) -> dict[str, Array]:
    """Whether each slot charges and imports, 1 or 0: the best schedule on a grid of the SOC.

    Parameters
    ----------
    problem : PlanProblem
        A planning case; its rooms are heated as `values` say.
    values : mapping
        `duty`, shape (rooms, steps), where there are rooms.
    """
    b = problem.battery
    assert b is not None
    heat = np.zeros(problem.steps)
    for i, room in enumerate(problem.rooms):
        heat += room.heater_kw * values["duty"][i]
    grid = _Grid.of(problem, b)
    cost, import_kw = _stage(problem, b, grid, np.array(problem.load_kw) + heat)
    moves = _moves(problem, b, grid, cost)
    idle = moves == 0
    charges = np.where(idle, np.array(problem.pv_kw) > np.array(problem.load_kw) + heat, moves > 0)
    at = moves + grid.down
    return {"charges": charges.astype(float), "imports": (import_kw[np.arange(problem.steps), at] > 0.0).astype(float)}


@dataclass(frozen=True, slots=True)
class _Grid:
    """SOCs in steps that a full charging slot is a multiple of; a slot may go `down` or `up` so many of them."""

    low: float
    step: float
    size: int
    start: int
    down: int
    up: int

    @staticmethod
    def of(problem: PlanProblem, b: BatteryProblem) -> _Grid:
        low, high = min(b.soc_min, b.soc), max(b.soc_max, b.soc)
        window = max(high - low, 1e-6)
        cells = min(_MOST_CELLS, _MOST_POINTS // problem.steps)
        up_soc = min(window, b.charge_kw * problem.dt_h / b.capacity_kwh)
        down_soc = min(window, b.discharge_kw * problem.dt_h / b.capacity_kwh)
        step = window / cells
        if up_soc > step:
            step = up_soc / round(up_soc / step)
        size = math.floor(window / step + 1e-9) + 1
        up, down = (min(size - 1, int(most / step + 1e-9)) for most in (up_soc, down_soc))
        return _Grid(low, step, size, min(size - 1, round((b.soc - low) / step)), down, up)


def _stage(problem: PlanProblem, b: BatteryProblem, grid: _Grid, load_kw: Array) -> tuple[Array, Array]:
    """Cost of each (slot, SOC change) with curtailment at its best, and the grid power that goes with it."""
    moved = np.arange(-grid.down, grid.up + 1) * grid.step * b.capacity_kwh / problem.dt_h  # kW at the terminals
    ac = np.where(moved > 0.0, moved / b.eff_charge_ac, moved * b.eff_discharge)
    pv = np.array(problem.pv_kw)[:, None]
    least = load_kw[:, None] + ac - pv
    most = least + pv if problem.pv_curtailable else least
    over = tiers(problem).over_limit_eur_per_kwh
    into, out = np.array(problem.price_import)[:, None], np.array(problem.price_export)[:, None]
    best = np.full(least.shape, np.inf)
    power = np.zeros(least.shape)
    allowed = np.array([problem.import_allowed_kw(t) for t in range(problem.steps)])[:, None]
    for wanted in (least, most, 0.0, allowed, -problem.export_limit_kw):
        g = np.clip(wanted, least, most)
        cost = into * np.maximum(g, 0.0) - out * np.maximum(-g, 0.0)
        cost += over * (np.maximum(g - allowed, 0.0) + np.maximum(-g - problem.export_limit_kw, 0.0))
        power = np.where(cost < best - 1e-12, g, power)
        best = np.minimum(cost, best)
    wear = b.wear_eur_per_kwh * np.maximum(-moved, 0.0)
    return problem.dt_h * (best + wear), power


def _moves(problem: PlanProblem, b: BatteryProblem, grid: _Grid, cost: Array) -> NDArray[np.intp]:
    """The best SOC change of each slot, in grid steps."""
    prices = tiers(problem)
    targets = soc_targets(problem, prices)
    soc = grid.low + grid.step * np.arange(grid.size)
    after = np.empty((problem.steps, grid.size))  # cost-to-go by the SOC at the end of each slot
    go = np.asarray(-prices.soc_end_eur_per_kwh * b.capacity_kwh * soc, dtype=np.float64)
    for t in range(problem.steps - 1, -1, -1):
        if targets is not None:
            go += b.capacity_kwh * targets[t].miss_eur_per_kwh * np.maximum(0.0, targets[t].soc - soc)
        after[t] = go
        go = _best_move(go, cost[t], grid.down)
    at, moves = grid.start, np.empty(problem.steps, dtype=np.intp)
    for t in range(problem.steps):
        first, last = max(0, at - grid.down), min(grid.size, at + grid.up + 1)
        ahead = after[t, first:last] + cost[t, first - at + grid.down : last - at + grid.down]
        to = first + int(np.argmin(ahead))
        moves[t], at = to - at, to
    return moves


def _best_move(go: Array, cost: Array, down: int) -> Array:
    """min over k of cost[k] + go[i + k - down] for every i.

    The cost of a move is linear in pieces, and over a linear piece the minimum is that of a sliding window: the work is
    that of a few windows, not of all pairs.
    """
    size, width = len(go), len(cost)
    padded = np.full(size + 2 * width, np.inf)
    padded[width : width + size] = go
    place = np.arange(len(padded), dtype=float)
    best = np.full(size, np.inf)
    for first, last in _pieces(cost):
        length = last - first + 1
        slope = (cost[last] - cost[first]) / (last - first) if last > first else 0.0
        lowest = minimum_filter1d(padded + slope * place, length, mode="constant", cval=np.inf)
        begin = width + first - down + length // 2  # of the window's middle, for i = 0
        from_here = cost[first] - slope * place[begin - length // 2 :][:size]
        np.minimum(best, lowest[begin : begin + size] + from_here, out=best)
    return best


def _pieces(cost: Array) -> list[tuple[int, int]]:
    """First and last index of each linear piece; neighbours share their point."""
    if len(cost) < 3:
        return [(k, k) for k in range(len(cost))]
    scale = max(1e-12, 1e-9 * float(np.abs(np.diff(cost)).max()))
    knees = np.flatnonzero(np.abs(np.diff(cost, n=2)) > scale) + 1
    ends = [0, *knees.tolist(), len(cost) - 1]
    return list(pairwise(ends))
