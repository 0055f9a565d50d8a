"""Speed and optimality of the planner: warm re-plans of the demo house, and the same matrix in raw HiGHS."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from solvers.account import mode_changes
from solvers.checker import check, sign
from solvers.composites.choose import choose_modes
from solvers.pyomo_highs import PyomoHighs
from solvers.result import PlanResult
from tests.bench.replanning import RE_PLANS, Plan, Planned, Row, demo, same_matrix, timed
from tests.solvers.houses import demo_house

PLANS = 25  # of 48 h at 15 min: enough for a p95
NEAR_SHARE, NEAR_EUR = 0.01, 0.02  # of the cost: as near the bound as anybody will notice


def season_rows(season: str) -> list[Row]:
    """48 h at 15 min, with what raw HiGHS takes for the same problems."""
    name = f"{season}, 48 h at 15 min, 17 rooms"
    done = demo(season, plans=PLANS)
    walls = sorted(p.took.wall_s for p in done.warm)
    p95 = walls[int(0.95 * len(walls))]
    some = done.warm[:: max(1, PLANS // RE_PLANS)][:RE_PLANS]
    raw = _raw(some)
    solve = statistics.median(p.result.timings.update_s + p.result.timings.solve_s for p in some)
    return [
        *speed_rows(name, done, 0.5),
        (f"{name}: the same, p95", p95, "s", "<= 1.5", p95 <= 1.5),
        (f"{name}: update + solve / raw HiGHS on the same matrix", solve / raw, "x", "<= 1.5", solve <= 1.5 * raw),
        (f"{name}: warm re-plan / raw HiGHS", done.wall_s / raw, "x", "<= 2", done.wall_s <= 2.0 * raw),
        (f"{name}: extract (composites, replay, bill)", _median_extract(done.warm), "s", "", True),
        (f"{name}: check and sign", _median_check(done.warm), "s", "", True),
        *bound_rows(name, done.warm),
        free_changes_row(name, some),
    ]


def speed_rows(name: str, done: Planned, reach_s: float) -> list[Row]:
    """Re-plans and the first plan; the reach is for the wall."""
    wall = done.wall_s
    return [
        (f"{name}: warm re-plan, update + solve + extract", wall, "s", f"<= {reach_s:g} median", wall <= reach_s),
        (f"{name}: the same, of the processor", done.cpu_s, "CPU s", "", True),
        (f"{name}: first plan, model built", done.cold.took.wall_s, "s", "", True),
        (f"{name}: the same, of the processor", done.cold.took.cpu_s, "CPU s", "", True),
    ]


def bound_rows(name: str, plans: Sequence[Plan]) -> list[Row]:
    """What the inverter's modes cost beyond the relaxation, which knows none."""
    gap = statistics.median(p.result.gap_eur for p in plans)
    lost = statistics.median(p.result.gap_eur - change_eur(p) for p in plans)
    near = near_eur([p.result for p in plans])
    return [
        (f"{name}: cost above the LP bound but for the price of mode changes", lost, "EUR", f"<= {near:.3f} median",
         lost <= near),
        (f"{name}: the same with that price", gap, "EUR", "", True),
    ]  # fmt: skip


def free_changes_row(name: str, plans: Sequence[Plan]) -> Row:
    """What the inverter cannot follow at all: the same problems planned as if changing modes cost nothing.

    What is left in the row above is mostly money that changes would have earned, each less than its price.
    """
    planner = PyomoHighs()
    problems = [replace(p.problem, calm=replace(p.problem.calm, mode_change_eur=0.0)) for p in plans]
    results = [planner.solve(p, time_limit_s=math.inf) for p in problems]
    lost, near = statistics.median(r.gap_eur for r in results), near_eur(results)
    return (f"{name}: cost above the LP bound if mode changes were free", lost, "EUR", f"<= {near:.3f} median",
            lost <= near)  # fmt: skip


def near_eur(results: Sequence[PlanResult]) -> float:
    """How far above its bound a plan may be [EUR]."""
    return statistics.median(max(NEAR_SHARE * abs(r.cost_eur), NEAR_EUR) for r in results)


def change_eur(plan: Plan) -> float:
    """Price of a plan's mode changes."""
    return plan.problem.calm.mode_change_eur * mode_changes(plan.problem, plan.result.modes)


def fine_rows() -> list[Row]:
    """Larger problems: three times the slots, three and a half times the horizon."""
    fine, week = demo("winter", split=3), demo("winter", steps=672)
    return [
        *speed_rows("winter, 48 h at 5 min, 17 rooms", fine, 5.0),
        *bound_rows("winter, 48 h at 5 min, 17 rooms", fine.warm),
        *speed_rows("winter, 7 days at 15 min, 17 rooms", week, 4.0),
    ]


def composites_row() -> Row:
    """The dynamic program alone."""
    problem = demo_house(0)
    duty = np.zeros((len(problem.rooms), problem.steps))
    took = statistics.median(timed(lambda: choose_modes(problem, duty))[1].wall_s for _ in range(RE_PLANS))
    return ("choice of composites, 192 slots", took, "s", "<= 0.05", took <= 0.05)


def _raw(plans: Sequence[Plan]) -> float:
    return statistics.median(same_matrix(p.problem)().took.wall_s for p in plans)


def _median_extract(plans: Sequence[Plan]) -> float:
    return statistics.median(p.result.timings.extract_s for p in plans)


def _median_check(plans: Sequence[Plan]) -> float:
    for plan in plans:
        assert check(plan.problem, plan.result) == []
    return statistics.median(timed(lambda p=p: sign(p.problem, p.result))[1].wall_s for p in plans)  # type: ignore[misc]


def run() -> list[Row]:
    """Figures of the planner; `bench_explain` has those of its cards and prices."""
    return [*season_rows("winter"), *season_rows("spring"), *fine_rows(), composites_row()]


if __name__ == "__main__":
    for row in run():
        print(f"{row[0]:105} {row[1]:8.3f} {row[2]:5} {row[3]:14} {'ok' if row[4] else 'MISSED'}")
