"""One plan: what was known, what it does, and where that leads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta, tzinfo
from pathlib import Path

from models.errors import DataError
from pems_actors.pictures.canvas import FOOT_PX, GAP_PX, HEAD_PX, canvas, heading, png_only, save, signed, stack
from pems_actors.pictures.panels import ribbon_panel
from pems_actors.pictures.plan_panels import plan_panels
from pems_actors.pictures.rooms import plan_strips, rooms_panel
from pems_actors.pictures.time_axis import TimeAxis
from solvers.problem import PlanProblem
from solvers.result import PlanResult


def plan_picture(problem: PlanProblem, result: PlanResult, path: Path, *, zone: tzinfo, title: str) -> Path:
    """Draw one plan: prices, sun and demand, battery, SOC, composites and rooms where it has them, and the grid.

    Parameters
    ----------
    problem, result : PlanProblem, PlanResult
        What was asked and what was answered; series of one length.
    path, zone, title
        As in `week_picture`. The picture is 1600 pixels wide and as high as it needs.

    Raises
    ------
    DataError
        The plan failed (there is nothing to draw), or its series do not fit the problem's.
    ConfigError
        The path is no .png, or cannot be written.
    """
    png_only(path)
    check_plan(problem, result)
    axis = plan_axis(problem, zone)
    words = [mode.composite.value for mode in result.modes]
    heights = [170, 220]
    heights += [120, 150] if problem.battery else []
    heights += [28] if len(set(words)) > 1 else []
    heights += [max(24 * len(problem.rooms), 60)] if problem.rooms else []
    heights += [170]
    with canvas(HEAD_PX + sum(heights) + GAP_PX * (len(heights) - 1) + FOOT_PX) as figure:
        heading(figure, title, plan_words(axis, result))
        panels = stack(figure, HEAD_PX, heights)
        rest = iter(panels)
        prices, flows, grid = next(rest), next(rest), panels[-1]
        battery = [next(rest), next(rest)] if problem.battery else []
        plan_panels(problem, result, axis, prices=prices, flows=flows, battery=battery, grid=grid)
        if len(set(words)) > 1:
            ribbon_panel(next(rest), axis, {"composite": words})
        if problem.rooms:
            rooms_panel(next(rest), axis, plan_strips(problem, result))
        axis.dress(panels)
        save(figure, path)
    return path


def plan_axis(problem: PlanProblem, zone: tzinfo) -> TimeAxis:
    """The horizon in local time."""
    times = [problem.start + timedelta(hours=problem.dt_h * k) for k in range(problem.steps)]
    return TimeAxis.of(times, problem.dt_h, zone)


def check_plan(problem: PlanProblem, result: PlanResult) -> None:
    """DataError where a plan failed, or its series do not fit the problem's."""
    steps = problem.steps
    if not steps or not result.import_kw:
        raise DataError(f"nothing to draw: the plan is {result.quality.value} ({result.message or 'no series'})")
    series: dict[str, Sequence[float]] = {
        name: getattr(problem, name) for name in ("price_import", "price_export", "price_known", "pv_kw", "load_kw")
    }
    names = ("import_kw", "export_kw", "pv_used_kw", "curtailed_kw", "charge_kw", "discharge_kw", "soc")
    series |= {name: getattr(result, name) for name in names if problem.battery or name not in names[4:]}
    for kind in ("duty", "air_c"):
        per_room = getattr(result, kind)
        if len(per_room) != len(problem.rooms):
            raise DataError(f"plan: {kind} has {len(per_room)} rooms, must be {len(problem.rooms)}")
        series |= {f"{kind}[{room.name}]": per_room[k] for k, room in enumerate(problem.rooms)}
    for name, values in series.items():
        if len(values) != steps:
            raise DataError(f"plan: {name} has {len(values)} values, must be {steps}", hint="one value per slot")
        if not name.startswith("price") and not all(map(math.isfinite, values)):
            raise DataError(f"plan: {name} holds a value that is not finite")


def plan_words(axis: TimeAxis, result: PlanResult) -> str:
    """Period, maker, cost and distance from the bound, in one line."""
    money = f"cost {signed(result.cost_eur, 2)} EUR"
    if math.isfinite(result.gap_eur):
        money += f", at most {max(result.gap_eur, 0.0):.3f} EUR above the optimum"
    count = len(result.bent_rules)
    bent = f"  ·  {count} rule{'' if count == 1 else 's'} bent" if count else ""
    made = f"{result.quality.value} by {result.maker} in {result.timings.wall_s:.2f} s"
    return f"{axis.period()}  ·  {made}: {money}{bent}"
