"""The panels that every picture of a plan has: prices, flows, battery and grid, from one problem and its answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pems_actors.pictures.panels import battery_panel, flow_panel, grid_panel, price_panel, soc_panel
from pems_actors.pictures.time_axis import TimeAxis
from solvers.problem import PlanProblem
from solvers.result import PlanResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plan_panels(
    problem: PlanProblem,
    result: PlanResult,
    axis: TimeAxis,
    *,
    prices: Axes,
    flows: Axes,
    battery: Sequence[Axes],
    grid: Axes,
) -> None:
    """Draw them; `battery` is two panels, its power and its SOC, or none where the house has no battery."""
    price_panel(prices, axis, problem.price_import, problem.price_export, problem.price_known)
    flow_panel(
        flows,
        axis,
        used_kw=result.pv_used_kw,
        available_kw=[used + left for used, left in zip(result.pv_used_kw, result.curtailed_kw, strict=True)],
        load_kw=problem.load_kw,
        heating_kw=[
            math.fsum(duty[k] * room.heater_kw for duty, room in zip(result.duty, problem.rooms, strict=True))
            for k in range(problem.steps)
        ],
    )
    if problem.battery:
        power, soc = battery
        window = (problem.battery.soc_min, problem.battery.soc_max)
        battery_panel(power, axis, [a - b for a, b in zip(result.charge_kw, result.discharge_kw, strict=True)])
        soc_panel(soc, axis, {"plan": result.soc}, "plan", window, start=problem.battery.soc)
    allowed_kw = [problem.import_allowed_kw(t) for t in range(problem.steps)]
    grid_kw = [bought - sold for bought, sold in zip(result.import_kw, result.export_kw, strict=True)]
    grid_panel(grid, axis, grid_kw, limits_kw=(allowed_kw, problem.export_limit_kw), thin=None)
    axis.shade_negative((prices, flows, grid), problem.price_import, problem.price_export)
