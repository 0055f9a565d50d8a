"""Speed of the planner: a warm re-plan of the demo house, and the same matrix in raw HiGHS."""

from __future__ import annotations

import math
import statistics
import time
from dataclasses import replace

import numpy as np

from solvers.checker import check, sign
from solvers.composites import choose_modes
from solvers.model.assembly import fill
from solvers.model.frame import Ring, shape_of
from solvers.model.kept import Compiled, flat_vectors, load, new_highs
from solvers.problem import PlanProblem
from solvers.pyomo_highs import PyomoHighs
from solvers.result import PlanResult
from tests.solvers.houses import demo_house

PLANS = 25
Row = tuple[str, float, str, str, bool]


def next_problem(slot: int, season: str, before: PlanResult, rnd: np.random.Generator) -> PlanProblem:
    """A quarter hour later: the state is where the plan led but for noise, and forecasts have moved a little."""
    p = demo_house(slot, season=season)
    lead = np.arange(p.steps)
    load_kw = np.array(p.load_kw) * (1.0 + 0.1 * rnd.standard_normal() * np.exp(-lead / 8.0))
    pv_kw = np.array(p.pv_kw) * (1.0 + 0.1 * rnd.standard_normal() * np.exp(-lead / 12.0))
    rooms = tuple(
        replace(r, air_c=air[0] + 0.02 * rnd.standard_normal(), slab_c=slab[0] + 0.03 * rnd.standard_normal())
        for r, air, slab in zip(p.rooms, before.air_c, before.slab_c, strict=True)
    )
    assert p.battery is not None
    soc = min(1.0, max(0.2, before.soc[0] + 0.003 * rnd.standard_normal()))
    return replace(
        p,
        load_kw=tuple(np.maximum(0.05, load_kw).tolist()),
        pv_kw=tuple(np.maximum(0.0, pv_kw).tolist()),
        rooms=rooms,
        battery=replace(p.battery, soc=soc),
        mode_now=before.modes[0],
        mode_held_slots=8,
    )


def raw_s(problem: PlanProblem) -> float:
    """Seconds that a new HiGHS instance takes for the same matrix, with its own presolve."""
    shape = shape_of(problem)
    compiled = Compiled(shape)
    vectors = flat_vectors(compiled, fill(problem, shape, compiled.layout, Ring(shape.steps)))
    highs = new_highs()
    highs.setOptionValue("presolve", "choose")
    load(highs, compiled, vectors)
    started = time.perf_counter()
    highs.run()
    return time.perf_counter() - started


def season_rows(season: str) -> list[Row]:
    planner, rnd = PyomoHighs(), np.random.default_rng(1)
    problem = demo_house(0, season=season)
    result = planner.solve(problem, time_limit_s=math.inf)
    cold = result.timings
    walls, solves, extracts, gaps, checks = [], [], [], [], []
    for slot in range(1, PLANS + 1):
        problem = next_problem(slot, season, result, rnd)
        result = planner.solve(problem, time_limit_s=math.inf)
        started = time.perf_counter()
        sign(problem, result)
        checks.append(time.perf_counter() - started)
        assert check(problem, result) == []
        walls.append(result.timings.wall_s)
        solves.append(result.timings.update_s + result.timings.solve_s)
        extracts.append(result.timings.extract_s)
        gaps.append(result.gap_eur)
    raw = statistics.median(raw_s(problem) for _ in range(3))
    wall, solve = statistics.median(walls), statistics.median(solves)
    p95 = sorted(walls)[int(0.95 * len(walls))]
    name = f"{season}: demo house, 48 h at 15 min, 17 rooms"
    return [
        (f"{name}: warm re-plan, update + solve + extract", wall, "s", "<= 0.5 median", wall <= 0.5),
        (f"{name}: the same, p95", p95, "s", "<= 1.5", p95 <= 1.5),
        (f"{name}: update + solve / raw HiGHS on the same matrix", solve / raw, "x", "<= 1.5", solve <= 1.5 * raw),
        (f"{name}: warm re-plan / raw HiGHS", wall / raw, "x", "<= 2", wall <= 2.0 * raw),
        (f"{name}: extract (composites, replay, bill)", statistics.median(extracts), "s", "", True),
        (f"{name}: check and sign", statistics.median(checks), "s", "", True),
        (f"{name}: first plan, model built", cold.wall_s, "s", "", True),
        (f"{name}: cost above the LP bound", statistics.median(gaps), "EUR", "", True),
    ]


def composites_row() -> Row:
    problem = demo_house(0)
    duty = np.zeros((len(problem.rooms), problem.steps))
    times = []
    for _ in range(9):
        started = time.perf_counter()
        choose_modes(problem, duty)
        times.append(time.perf_counter() - started)
    took = statistics.median(times)
    return ("choice of composites, 192 slots", took, "s", "<= 0.05", took <= 0.05)


def run() -> list[Row]:
    """Figures of the planner."""
    return [*season_rows("winter"), *season_rows("spring"), composites_row()]


if __name__ == "__main__":
    for row in run():
        print(f"{row[0]:75} {row[1]:8.3f} {row[2]:4} {row[3]:14} {'ok' if row[4] else 'MISSED'}")
