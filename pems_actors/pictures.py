"""Pictures to look at: a simulated week with its rivals, and one plan.

Drawn off screen and without matplotlib's global state, so any thread or process may draw. Colours are those of Okabe
and Ito or told apart by lightness, because one reader in twelve sees red and green as one.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from io import BytesIO
from itertools import accumulate, groupby, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.errors import ConfigError, DataError
from models.scorecard import COMFORT_TOLERANCE_K, SLOT_H, EvidenceRow, PolicyScore, check_rows, deviations
from models.types.house import House
from models.types.slots import local_midnight
from solvers.problem import PlanProblem
from solvers.result import PlanResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH_PX, WEEK_HEIGHT_PX = 1600, 1800
_DPI = 100
_LEFT_PX, _RIGHT_PX, _GAP_PX, _FOOT_PX = 156, 176, 36, 44

INK, FAINT, GRID = "#20262E", "#6B7683", "#DDE2E7"
SUN, CURTAILED, LOAD, HEAT = "#F2B83B", "#8A6A10", "#7C8896", "#D55E00"
CHARGE, DISCHARGE, IMPORT, EXPORT = "#009E73", "#AA4499", "#34608F", "#56B4E9"
COSTS_TO_SELL, PAID_TO_BUY = "#F1E3F3", "#DDB9E4"
COLD, TOO_WARM, SUN_WARM = "#C1121F", "#5B2A86", "#E08A00"
IN_BAND = ((0.0, (0xC6, 0xDB, 0xEC)), (0.45, (0xFB, 0xF6, 0xE6)), (1.0, (0xF5, 0xCB, 0x8C)))
POLICY_LINES: Mapping[str, tuple[str, str]] = {  # colour, dashes; others are told apart by what is left
    "pems": ("#0072B2", "-"),
    "foresight": ("#009E73", "--"),
    "smart": ("#E69F00", "-."),
    "rules": ("#3D4752", "-"),
    "none": ("#9AA5B1", ":"),
}
COMPOSITES: Mapping[str, str] = {
    "regular": "#DDE2E7",
    "charge_from_grid": "#0072B2",
    "hold": "#F2C14E",
    "discharge_to_grid": "#AA4499",
    "sell_production": "#009E73",
}
OTHER_COMPOSITE = "#3D4752"


# --- the week --------------------------------------------------------------------------------------------------------
def week_picture(
    rows_by_policy: Mapping[str, Sequence[EvidenceRow]],
    path: Path,
    *,
    zone: tzinfo,
    title: str,
    scores: Mapping[str, PolicyScore] | None = None,
    house: House | None = None,
) -> Path:
    """Draw the run of one policy (`pems`, else the first) against the others: 1600 x 1800 pixels.

    Parameters
    ----------
    rows_by_policy : mapping of str to sequence of EvidenceRow
        Evidence as `models.scorecard.check_rows` wants it, over the same run. The tail is not drawn.
    path : Path
        A .png file; its folder is made.
    zone : tzinfo
        Of the time axis.
    title : str
        One line.
    scores : mapping of str to PolicyScore, optional
        Adds the table at the top, and the value of what is left to the costs.
    house : House, optional
        Adds the fuse, the feed-in contract, the battery's window and its wear.

    Raises
    ------
    DataError
        No policy, rows that are no evidence, or policies over different times or rooms.
    ConfigError
        The path is no .png, or cannot be written.
    """
    _png_only(path)
    runs = _runs(rows_by_policy)
    main = "pems" if "pems" in runs else next(iter(runs))
    rows = runs[main]
    axis = _TimeAxis.of([row.time_utc for row in rows], SLOT_H, zone)
    with _canvas(WEEK_HEIGHT_PX) as figure:
        head_px = _header(figure, title, f"{axis.period()}  ·  drawn: {main}", runs, scores)
        heights = (130, 176, 84, 124, 24 * min(len(runs), 3), 0, 136, 150)
        prices, flows, power, soc, ribbon, rooms, grid, cost = _stack(figure, WEEK_HEIGHT_PX, head_px, heights)
        _price_panel(prices, axis, [r.price_import for r in rows], [r.price_export for r in rows])
        _flow_panel(
            flows,
            axis,
            used_kw=[r.pv_kw for r in rows],
            available_kw=[r.pv_available_kw for r in rows],
            load_kw=[r.load_kw for r in rows],
            heating_kw=[r.heating_kw for r in rows],
        )
        _battery_panel(power, axis, [r.battery_kw for r in rows])
        window = (house.battery.soc_min, house.battery.soc_max) if house and house.battery else None
        _soc_panel(soc, axis, {name: [r.soc for r in run] for name, run in runs.items()}, main, window)
        shown = [name for name in dict.fromkeys((main, "foresight", "smart", *runs)) if name in runs][:3]
        _ribbon_panel(ribbon, axis, {name: [r.composite for r in runs[name]] for name in shown})
        _rooms_panel(rooms, axis, _strips(rows))
        rival = "rules" if "rules" in runs and main != "rules" else None
        _grid_panel(
            grid,
            axis,
            [r.grid_kw for r in rows],
            limits_kw=(house.connection.import_limit_kw, house.connection.export_contract_kw) if house else None,
            thin=(rival, [r.grid_kw for r in runs[rival]]) if rival else None,
        )
        _cost_panel(cost, axis, runs, scores, house)
        axis.dress([prices, flows, power, soc, ribbon, rooms, grid, cost], selling=(prices, flows, grid), rows=rows)
        _save(figure, path)
    return path


def _runs(rows_by_policy: Mapping[str, Sequence[EvidenceRow]]) -> dict[str, list[EvidenceRow]]:
    if not rows_by_policy:
        raise DataError("nothing to draw: no policy", hint="give the rows of at least one")
    runs: dict[str, list[EvidenceRow]] = {}
    for name, rows in rows_by_policy.items():
        try:
            check_rows(rows)
        except DataError as bad:
            raise DataError(f"policy {name}: {bad.problem}", hint=bad.hint) from bad
        runs[name] = [row for row in rows if row.phase == "run"]
    first, *others = runs
    for name in others:
        if [row.time_utc for row in runs[name]] != [row.time_utc for row in runs[first]]:
            raise DataError(f"policies {first} and {name} cover different times", hint="draw runs of one simulation")
        if [room.name for room in runs[name][0].rooms] != [room.name for room in runs[first][0].rooms]:
            raise DataError(f"policies {first} and {name} have different rooms", hint="draw runs of one house")
    return runs


# --- one plan --------------------------------------------------------------------------------------------------------
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
    _png_only(path)
    _check_plan(problem, result)
    times = [problem.start + timedelta(hours=problem.dt_h * k) for k in range(problem.steps)]
    axis = _TimeAxis.of(times, problem.dt_h, zone)
    heating_kw = [
        math.fsum(duty[k] * room.heater_kw for duty, room in zip(result.duty, problem.rooms, strict=True))
        for k in range(problem.steps)
    ]
    words = [mode.composite.value for mode in result.modes]
    heights = [170, 220]
    heights += [120, 150] if problem.battery else []
    heights += [28] if len(set(words)) > 1 else []
    heights += [max(24 * len(problem.rooms), 60)] if problem.rooms else []
    heights += [170]
    height_px = 112 + sum(heights) + _GAP_PX * (len(heights) - 1) + _FOOT_PX
    with _canvas(height_px) as figure:
        _header(figure, title, _plan_words(axis, result), {}, None)
        axes = _stack(figure, height_px, 112, heights)
        rest = iter(axes)
        prices, flows = next(rest), next(rest)
        _price_panel(prices, axis, problem.price_import, problem.price_export, problem.price_known)
        _flow_panel(
            flows,
            axis,
            used_kw=result.pv_used_kw,
            available_kw=[used + left for used, left in zip(result.pv_used_kw, result.curtailed_kw, strict=True)],
            load_kw=problem.load_kw,
            heating_kw=heating_kw,
        )
        if problem.battery:
            net = [charge - discharge for charge, discharge in zip(result.charge_kw, result.discharge_kw, strict=True)]
            window = (problem.battery.soc_min, problem.battery.soc_max)
            _battery_panel(next(rest), axis, net)
            _soc_panel(next(rest), axis, {"plan": result.soc}, "plan", window)
        if len(set(words)) > 1:
            _ribbon_panel(next(rest), axis, {"composite": words})
        if problem.rooms:
            _rooms_panel(next(rest), axis, _plan_strips(problem, result))
        grid = next(rest)
        net_kw = [i - e for i, e in zip(result.import_kw, result.export_kw, strict=True)]
        _grid_panel(grid, axis, net_kw, limits_kw=(problem.import_limit_kw, problem.export_limit_kw), thin=None)
        axis.dress(axes, selling=(prices, flows, grid), prices=(problem.price_import, problem.price_export))
        _save(figure, path)
    return path


def _check_plan(problem: PlanProblem, result: PlanResult) -> None:
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


def _plan_words(axis: _TimeAxis, result: PlanResult) -> str:
    money = f"cost {result.cost_eur:.2f} EUR"
    if math.isfinite(result.gap_eur):
        money += f", at most {result.gap_eur:.2g} EUR above the optimum"
    bent = f"  ·  {len(result.bent_rules)} rules bent" if result.bent_rules else ""
    times = f"{result.timings.wall_s:.2f} s"
    return f"{axis.period()}  ·  {result.quality.value} by {result.maker} in {times}: {money}{bent}"


# --- panels ----------------------------------------------------------------------------------------------------------
def _price_panel(
    ax: Axes,
    axis: _TimeAxis,
    buy: Sequence[float],
    sell: Sequence[float],
    known: Sequence[bool] | None = None,
) -> None:
    from matplotlib.patches import Patch

    _label(ax, "Day-ahead price at the meter", "EUR/kWh")
    ax.stairs(buy, axis.edges, baseline=None, color=IMPORT, lw=1.6, label="buying")
    ax.stairs(sell, axis.edges, baseline=None, color=EXPORT, lw=1.6, label="selling")
    below = [min(value, 0.0) for value in sell]
    if min(below) < 0:
        ax.stairs(below, axis.edges, fill=True, color=DISCHARGE, alpha=0.35, lw=0)
    unknown = [not (math.isfinite(b) and math.isfinite(s)) for b, s in zip(buy, sell, strict=True)]
    if known:
        unknown = [missing or not k for missing, k in zip(unknown, known, strict=True)]
    for number, (first, last) in enumerate(_spans(unknown)):
        ax.axvspan(
            axis.edges[first],
            axis.edges[last],
            fc="none",
            ec="#B9C2CB",
            hatch="////",
            lw=0,
            label=None if number else "not yet known",
        )
    ax.axhline(0, color=INK, lw=0.8)
    handles = list(ax.get_legend_handles_labels()[0])
    if any(price < 0 for price in sell):
        handles.append(Patch(fc=COSTS_TO_SELL, label="selling costs"))
    if any(price < 0 for price in buy):
        handles.append(Patch(fc=PAID_TO_BUY, label="buying pays"))
    _legend(ax, handles)


def _flow_panel(
    ax: Axes,
    axis: _TimeAxis,
    *,
    used_kw: Sequence[float],
    available_kw: Sequence[float],
    load_kw: Sequence[float],
    heating_kw: Sequence[float],
) -> None:
    _label(ax, "Sun up, demand down", "kW")
    edges = axis.edges
    ax.stairs(used_kw, edges, fill=True, color=SUN, lw=0, label="PV used")
    if any(there > used + 0.01 for used, there in zip(used_kw, available_kw, strict=True)):
        ax.stairs(
            available_kw,
            edges,
            baseline=used_kw,
            fill=True,
            fc="#FBEFCF",
            ec=CURTAILED,
            hatch="\\\\\\\\",
            lw=0.0,
            label="PV curtailed",
        )
        ax.stairs(available_kw, edges, baseline=None, color=CURTAILED, lw=0.9, label="PV available")
    load = [-kw for kw in load_kw]
    total = [-a - b for a, b in zip(load_kw, heating_kw, strict=True)]
    ax.stairs(load, edges, fill=True, color=LOAD, lw=0, label="house and losses")
    if any(heating_kw):
        ax.stairs(total, edges, baseline=load, fill=True, color=HEAT, alpha=0.8, lw=0, label="heating")
    ax.axhline(0, color=INK, lw=0.8)
    _unsigned(ax)
    _legend(ax)


def _battery_panel(ax: Axes, axis: _TimeAxis, battery_kw: Sequence[float]) -> None:
    _label(ax, "Battery", "kW")
    up, down = [max(kw, 0.0) for kw in battery_kw], [min(kw, 0.0) for kw in battery_kw]
    ax.stairs(up, axis.edges, fill=True, color=CHARGE, lw=0, label="charging")
    ax.stairs(down, axis.edges, fill=True, color=DISCHARGE, lw=0, label="discharging")
    reach = max([*up, *(-kw for kw in down), 0.5]) * 1.12
    ax.set_ylim(-reach, reach)
    ax.axhline(0, color=INK, lw=0.8)
    _unsigned(ax)
    _legend(ax)


def _soc_panel(
    ax: Axes, axis: _TimeAxis, soc: Mapping[str, Sequence[float]], main: str, window: tuple[float, float] | None
) -> None:
    _label(ax, "State of charge", "%")
    ends = axis.edges[1:]  # SOC is that at the end of its slot
    for name, values in soc.items():
        if name == main or all(map(math.isnan, values)):
            continue
        colour, dashes = _policy_line(name)
        ax.plot(ends, [100 * v for v in values], color=colour, ls=dashes, lw=0.9, alpha=0.75, label=name)
    colour = POLICY_LINES["pems"][0]
    ax.plot(ends, [100 * v for v in soc[main]], color=colour, lw=2.2, label=main, zorder=4)
    ax.fill_between(ends, [100 * v for v in soc[main]], color=colour, alpha=0.10, lw=0)
    for limit in window or ():
        ax.axhline(100 * limit, color=FAINT, lw=0.9, ls=(0, (1, 2)))
    ax.set_ylim(0, 106)
    ax.set_yticks([0, 50, 100])
    _legend(ax)


def _ribbon_panel(ax: Axes, axis: _TimeAxis, words: Mapping[str, Sequence[str]]) -> None:
    from matplotlib.patches import Patch

    _label(ax, "What the inverter is told", "")
    seen: set[str] = set()
    for line, composites in enumerate(words.values()):
        heads = [word.partition(" ")[0] for word in composites]  # without the parameters
        seen.update(heads)
        at = 0
        for head, group in groupby(heads):
            length = len(list(group))
            start, end = axis.edges[at], axis.edges[at + length]
            ax.broken_barh([(start, end - start)], (line - 0.42, 0.84), fc=COMPOSITES.get(head, OTHER_COMPOSITE), lw=0)
            at += length
    ax.set_ylim(len(words) - 0.5, -0.5)
    ax.set_yticks(range(len(words)), list(words))
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=False, axis="y")
    ordered = [name for name in COMPOSITES if name in seen] + sorted(seen - COMPOSITES.keys())
    handles = [
        Patch(fc=COMPOSITES.get(name, OTHER_COMPOSITE), label=name.replace("_", " ") or "none") for name in ordered
    ]
    _legend(ax, handles)


@dataclass(frozen=True, slots=True)
class _Strip:
    """One room over time, as the heat map needs it."""

    name: str
    temperature_c: Sequence[float]
    lower_c: Sequence[float]
    upper_c: Sequence[float]
    share: Sequence[float]  # of the heater's time
    deviation: Sequence[tuple[float, bool]]  # as `models.scorecard.deviations`

    def colours(self) -> list[tuple[int, int, int]]:
        return [
            _room_colour((celsius - low) / (high - low), off_k, heated)
            for celsius, low, high, (off_k, heated) in zip(
                self.temperature_c, self.lower_c, self.upper_c, self.deviation, strict=True
            )
        ]


def _strips(rows: Sequence[EvidenceRow]) -> list[_Strip]:
    return [
        _Strip(
            name=room.name,
            temperature_c=[row.rooms[k].temperature_c for row in rows],
            lower_c=[row.rooms[k].lower_c for row in rows],
            upper_c=[row.rooms[k].upper_c for row in rows],
            share=[row.rooms[k].relay_share for row in rows],
            deviation=deviations(rows, k),
        )
        for k, room in enumerate(rows[0].rooms)
    ]


def _plan_strips(problem: PlanProblem, result: PlanResult) -> list[_Strip]:
    strips = []
    for room, air_c, duty in zip(problem.rooms, result.air_c, result.duty, strict=True):
        low = [min(value, celsius) - celsius for value, celsius in zip(air_c, room.lower_c, strict=True)]
        high = [max(value, celsius) - celsius for value, celsius in zip(air_c, room.upper_c, strict=True)]
        heated = list(accumulate(duty, lambda before, now: before or now > 0, initial=False))[1:]
        strips.append(
            _Strip(
                name=room.name,
                temperature_c=air_c,
                lower_c=room.lower_c,
                upper_c=room.upper_c,
                share=duty,
                deviation=[(a + b, bool(h)) for a, b, h in zip(low, high, heated, strict=True)],
            )
        )
    return strips


def _room_colour(position: float, off_k: float, heated: bool) -> tuple[int, int, int]:
    if abs(off_k) > COMFORT_TOLERANCE_K + 1e-9:
        word = COLD if off_k < 0 else TOO_WARM if heated else SUN_WARM
        return int(word[1:3], 16), int(word[3:5], 16), int(word[5:7], 16)
    position = min(max(position, 0.0), 1.0)
    for (low, a), (high, b) in pairwise(IN_BAND):
        if position <= high:
            part = (position - low) / (high - low)
            red, green, blue = (round(x + (y - x) * part) for x, y in zip(a, b, strict=True))
            return red, green, blue
    return IN_BAND[-1][1]


def _rooms_panel(ax: Axes, axis: _TimeAxis, strips: Sequence[_Strip]) -> None:
    from matplotlib.patches import Patch

    _label(ax, "Rooms in their bands", "")
    ax.grid(visible=False, axis="y")
    if not strips:
        ax.set_yticks([])
        ax.text(0.5, 0.5, "no heated rooms", transform=ax.transAxes, ha="center", va="center", color=FAINT)
        return
    count = len(strips)
    picture = [strip.colours() for strip in strips]
    ax.imshow(
        picture,
        extent=(axis.edges[0], axis.edges[-1], count - 0.5, -0.5),
        aspect="auto",
        interpolation="nearest",
        zorder=0.5,
    )
    for line, strip in enumerate(strips):
        floor = line + 0.5
        ax.stairs(
            [floor - 0.36 * share for share in strip.share],
            axis.edges,
            baseline=floor,
            fill=True,
            color=INK,
            alpha=0.62,
            lw=0,
            zorder=1,
        )
        off = sum(abs(k) > COMFORT_TOLERANCE_K + 1e-9 and (k < 0 or h) for k, h in strip.deviation) / len(strip.share)
        mean_c = math.fsum(strip.temperature_c) / len(strip.temperature_c)
        ax.annotate(
            f"{mean_c:.1f} °C" + (f"   {off:.1%} out" if off else ""),
            (1, line),
            (8, 0),
            ha="left",
            va="center_baseline",
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            fontsize=9.5,
            color=COLD if off else FAINT,
        )
    for line in range(1, count):
        ax.axhline(line - 0.5, color="white", lw=1.6, zorder=1.5)
    ax.set_ylim(count - 0.5, -0.5)
    ax.set_yticks(range(count), [strip.name for strip in strips])
    ax.tick_params(axis="y", length=0, labelsize=9.5)
    low, mid, high = (tuple(part / 255 for part in colour) for _, colour in IN_BAND)
    handles = [
        Patch(fc=low, ec=GRID, label="low in band"),
        Patch(fc=mid, ec=GRID, label="middle"),
        Patch(fc=high, ec=GRID, label="high"),
        Patch(fc=COLD, label="too cold"),
        Patch(fc=TOO_WARM, label="too warm by heating"),
        Patch(fc=SUN_WARM, label="too warm by sun"),
        Patch(fc=INK, alpha=0.62, label="heater on"),
    ]
    _legend(ax, handles)


def _grid_panel(
    ax: Axes,
    axis: _TimeAxis,
    grid_kw: Sequence[float],
    *,
    limits_kw: tuple[float, float] | None,
    thin: tuple[str, Sequence[float]] | None,
) -> None:
    _label(ax, "Grid", "kW")
    ax.stairs([max(kw, 0.0) for kw in grid_kw], axis.edges, fill=True, color=IMPORT, lw=0, label="import")
    ax.stairs([min(kw, 0.0) for kw in grid_kw], axis.edges, fill=True, color=EXPORT, lw=0, label="export")
    if thin:
        colour, _ = _policy_line(thin[0])
        ax.stairs(thin[1], axis.edges, baseline=None, color=colour, lw=0.8, alpha=0.8, label=thin[0])
    drawn = [*grid_kw, *(thin[1] if thin else ())]
    top, bottom = max([*drawn, 0.5]) * 1.1, min([*drawn, -0.5]) * 1.1
    if limits_kw:
        fuse_kw, contract_kw = limits_kw
        top = max(top, fuse_kw * 1.1)  # the fuse is what the picture is measured by
        ax.axhline(fuse_kw, color=COLD, lw=1.3, ls=(0, (6, 3)), label=f"import limit {fuse_kw:.1f} kW")
        if -bottom > 0.5 * contract_kw:
            bottom = min(bottom, -1.1 * contract_kw)
            ax.axhline(-contract_kw, color=COLD, lw=1.1, ls=(0, (2, 2)), label=f"export limit {contract_kw:.1f} kW")
    ax.set_ylim(bottom, top)
    ax.axhline(0, color=INK, lw=0.8)
    _unsigned(ax)
    _legend(ax)


def _cost_panel(
    ax: Axes,
    axis: _TimeAxis,
    runs: Mapping[str, Sequence[EvidenceRow]],
    scores: Mapping[str, PolicyScore] | None,
    house: House | None,
) -> None:
    wear = house.battery.wear_eur_per_kwh if house and house.battery else 0.0
    total = {
        name: list(accumulate(row.energy_eur + wear * row.discharged_kwh for row in run)) for name, run in runs.items()
    }
    against = "rules" if "rules" in runs and len(runs) > 1 else None
    base = total[against] if against else [0.0] * len(axis.edges[1:])
    what = "Cost so far" + (f" against plain {against}: lower is cheaper" if against else "")
    ends: dict[str, float] = {}
    for name, values in total.items():
        colour, dashes = _policy_line(name)
        line = [0.0, *(mine - other for mine, other in zip(values, base, strict=True))]
        ax.plot(axis.edges, line, color=colour, ls=dashes, lw=2.4 if name == "pems" else 1.5)
        ends[name] = line[-1]
    tails = scores and all(name in scores for name in runs)
    if scores and tails:
        lines_end = ends
        zero = scores[against].cost_eur if against else 0.0
        ends = {name: scores[name].cost_eur - zero for name in runs}
        for name, value in ends.items():
            colour, _ = _policy_line(name)
            ax.plot([axis.edges[-1]] * 2, [lines_end[name], value], color=colour, lw=0.9, ls=":", clip_on=False)
            ax.plot([axis.edges[-1]], [value], "o", color=colour, ms=6, clip_on=False, zorder=5)
    note = "line: meter" + (" and wear" if wear else "") + ("   ·   dot: with the 72 h after" if tails else "")
    _label(ax, what, "EUR")
    ax.text(1, 1, note, transform=ax.transAxes, ha="right", va="bottom", fontsize=10, color=FAINT)
    ax.margins(y=0.12)
    ax.axhline(0, color=INK, lw=0.8)
    _end_labels(ax, ends)


def _end_labels(ax: Axes, ends: Mapping[str, float]) -> None:
    """Name each line at its right end, pushed apart where the ends are close."""
    low, high = ax.get_ylim()
    step = (high - low) * 0.15
    names = sorted(ends, key=lambda name: (ends[name], name))
    places = [ends[name] for name in names]
    for k in range(1, len(places)):
        places[k] = max(places[k], places[k - 1] + step)
    over = max(places[-1] - max(high - step / 2, ends[names[-1]]), 0.0)  # push the pile down if it grew out of the top
    for k in reversed(range(len(places))):
        places[k] = min(places[k] - over, places[k]) if k == len(places) - 1 else min(places[k], places[k + 1] - step)
    for name, place in zip(names, places, strict=True):
        colour, _ = _policy_line(name)
        ax.annotate(
            f"{name}  {_signed(ends[name], 2, plus=True)}",
            (1, place),
            (12, 0),
            ha="left",
            va="center",
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            fontsize=10.5,
            color=colour,
            annotation_clip=False,
            fontweight="bold" if name == "pems" else "normal",
        )


# --- time ------------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class _TimeAxis:
    """Slots as matplotlib's days since 1970 in UTC; only the labels are local."""

    edges: Sequence[float]
    start: datetime
    end: datetime
    zone: tzinfo

    @classmethod
    def of(cls, starts: Sequence[datetime], dt_h: float, zone: tzinfo) -> _TimeAxis:
        end = starts[-1] + timedelta(hours=dt_h)
        return cls([_days(at) for at in (*starts, end)], starts[0], end, zone)

    def period(self) -> str:
        first, last = self.start.astimezone(self.zone), (self.end - timedelta(seconds=1)).astimezone(self.zone)
        if first.date() == last.date():
            return f"{first:%A} {first.day} {first:%B %Y}, local time"
        same = first.year == last.year
        return f"{first.day} {first:%B}{'' if same else f' {first.year}'} to {last.day} {last:%B %Y}, local time"

    def midnights(self) -> list[datetime]:
        """Local midnights from the one at or before the start to the one at or after the end."""
        day = self.start.astimezone(self.zone).date()
        found = [local_midnight(day, self.zone)]
        while found[-1] < self.end:
            day += timedelta(days=1)
            found.append(local_midnight(day, self.zone))
        return found

    def hours(self, every: int) -> list[datetime]:
        """Local hours that are multiples of `every`, midnights left out; right on days when the clocks change."""
        at = self.start.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        found = []
        while at <= self.end:
            local = at.astimezone(self.zone)
            if at >= self.start and local.hour % every == 0 and local.hour:
                found.append(at)
            at += timedelta(hours=1)
        return found

    def dress(
        self,
        axes: Sequence[Axes],
        *,
        selling: Sequence[Axes],
        rows: Sequence[EvidenceRow] = (),
        prices: tuple[Sequence[float], Sequence[float]] | None = None,
    ) -> None:
        """Give all panels the same time: days named at top and bottom, midnights marked, negative prices shaded."""
        buy, sell = prices or ([r.price_import for r in rows], [r.price_export for r in rows])
        span_days = self.edges[-1] - self.edges[0]
        every = 3 if span_days <= 2.2 else 6 if span_days <= 4.5 else 12
        nights = self.midnights()
        for ax in axes:
            ax.set_xlim(self.edges[0], self.edges[-1])
            ax.set_xticks([_days(at) for at in self.hours(every)], [""] * len(self.hours(every)))
            ax.tick_params(axis="x", length=3, color=FAINT)
            for night in nights:
                if self.start < night < self.end:
                    ax.axvline(_days(night), color="#AEB7C0", lw=1.0, zorder=1.6)
        for ax in selling:
            for first, last in _spans([price < 0 for price in sell]):
                ax.axvspan(self.edges[first], self.edges[last], color=COSTS_TO_SELL, lw=0, zorder=0)
            for first, last in _spans([price < 0 for price in buy]):
                ax.axvspan(self.edges[first], self.edges[last], color=PAID_TO_BUY, lw=0, zorder=0.1)
        foot = axes[-1]
        hours = self.hours(every)
        foot.set_xticks([_days(at) for at in hours], [f"{at.astimezone(self.zone).hour}h" for at in hours])
        foot.tick_params(axis="x", labelsize=8.5, labelcolor=FAINT, pad=1)
        for night, after in pairwise(nights):
            middle = (max(_days(night), self.edges[0]) + min(_days(after), self.edges[-1])) / 2
            share = (min(after, self.end) - max(night, self.start)) / timedelta(days=1)
            if share < 0.06 * span_days:
                continue  # too narrow for its name
            local = night.astimezone(self.zone)
            name = f"{local:%a} {local.day} {local:%b}"
            for ax, place, va, away in ((axes[0], 1.0, "bottom", 24), (foot, 0.0, "top", -17)):
                ax.annotate(
                    name,
                    (middle, place),
                    (0, away),
                    xycoords=("data", "axes fraction"),
                    textcoords="offset points",
                    ha="center",
                    va=va,
                    fontsize=11,
                    fontweight="bold",
                    color=INK,
                )


def _days(at: datetime) -> float:
    return at.timestamp() / 86400.0


def _spans(flags: Sequence[bool]) -> list[tuple[int, int]]:
    """Runs of True as (first index, index after the last)."""
    found, at = [], 0
    for flag, group in groupby(flags):
        length = len(list(group))
        if flag:
            found.append((at, at + length))
        at += length
    return found


# --- paper and pen ---------------------------------------------------------------------------------------------------
@contextmanager
def _canvas(height_px: int) -> Iterator[Figure]:
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    style: Any = {  # the stub wants every name as a literal
        "font.family": "DejaVu Sans",
        "font.size": 10,
        "text.color": INK,
        "axes.edgecolor": "#AEB7C0",
        "axes.labelcolor": FAINT,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.grid.axis": "y",
        "axes.axisbelow": True,
        "grid.color": GRID,
        "grid.linewidth": 0.8,
        "xtick.color": FAINT,
        "ytick.color": INK,
        "ytick.labelsize": 9.5,
        "hatch.linewidth": 0.6,
    }
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(WIDTH_PX / _DPI, height_px / _DPI), dpi=_DPI, facecolor="white")
        FigureCanvasAgg(figure)
        yield figure


def _stack(figure: Figure, height_px: int, head_px: float, heights_px: Sequence[float]) -> list[Axes]:
    """Panels under one another, to the pixel; the one of height 0 takes what is left."""
    left_over = height_px - head_px - _FOOT_PX - sum(heights_px) - _GAP_PX * (len(heights_px) - 1)
    top, axes = head_px, []
    for asked in heights_px:
        height = asked or left_over
        box = (
            _LEFT_PX / WIDTH_PX,
            1 - (top + height) / height_px,
            1 - (_LEFT_PX + _RIGHT_PX) / WIDTH_PX,
            height / height_px,
        )
        axes.append(figure.add_axes(box))
        top += height + _GAP_PX
    return axes


_TABLE: tuple[tuple[str, str, float, int], ...] = (  # figure, heading, scale, decimals
    ("cost_eur", "cost\nEUR", 1, 2),
    ("energy_eur", "meter\nEUR", 1, 2),
    ("wear_eur", "wear\nEUR", 1, 2),
    ("tail_eur", "72 h after\nEUR", 1, 2),
    ("import_kwh", "import\nkWh", 1, 1),
    ("export_kwh", "export\nkWh", 1, 1),
    ("peak_import_kw", "peak\nkW", 1, 1),
    ("comfort_share", "out of\nband %", 100, 2),
    ("worst_room_share", "worst\nroom %", 100, 2),
    ("deepest_k", "deepest\nK", 1, 2),
    ("overheat_kh", "sun-warm\nK·h", 1, 1),
    ("mean_room_c", "rooms\n°C", 1, 2),
    ("cycles", "battery\ncycles", 1, 1),
    ("relay_switches", "relay\nswitches", 1, 0),
    ("setting_writes", "setting\nwrites", 1, 0),
)


def _header(
    figure: Figure,
    title: str,
    below: str,
    runs: Mapping[str, Sequence[EvidenceRow]],
    scores: Mapping[str, PolicyScore] | None,
) -> float:
    """Title, one line below it, and the table of scores. Returns the height that the panels start at [px]."""
    height_px = figure.get_figheight() * _DPI

    def put(x_px: float, y_px: float, text: str, **how: object) -> None:
        figure.text(x_px / WIDTH_PX, 1 - y_px / height_px, text, **how)  # type: ignore[arg-type]

    put(_LEFT_PX, 38, title, fontsize=19, fontweight="bold", va="center")
    put(_LEFT_PX, 66, below, fontsize=11.5, color=FAINT, va="center")
    listed = [name for name in POLICY_LINES if scores and name in scores]
    listed += [name for name in scores or () if name not in listed]
    if not scores or not listed:
        return 116
    step = (WIDTH_PX - _LEFT_PX - 50 - 90) / len(_TABLE)
    top = 104
    for column, (_, heading, _, _) in enumerate(_TABLE):
        put(_LEFT_PX + 90 + step * (column + 1), top, heading, fontsize=9, color=FAINT, ha="right", va="center")
    for line, name in enumerate(listed):
        y = top + 32 + 21 * line
        bold = "bold" if name == "pems" else "normal"
        put(_LEFT_PX, y, name, fontsize=11, color=_policy_line(name)[0], fontweight=bold, va="center")
        for column, (figure_name, _, scale, decimals) in enumerate(_TABLE):
            x = _LEFT_PX + 90 + step * (column + 1)
            value = getattr(scores[name], figure_name)
            put(
                x,
                y,
                "?" if value is None else _signed(value * scale, decimals),
                fontsize=10.5,
                ha="right",
                va="center",
                fontweight=bold,
            )
    return top + 32 + 21 * len(listed) + 52


def _signed(value: float, decimals: int, *, plus: bool = False) -> str:
    """A number with a real minus, and never a negative zero."""
    text = f"{value:+.{decimals}f}" if plus else f"{value:.{decimals}f}"
    return f"{0:.{decimals}f}" if not float(text) else text.replace("-", "\u2212")


def _policy_line(name: str) -> tuple[str, str]:
    return POLICY_LINES.get(name, ("#AA4499", "-"))


def _label(ax: Axes, what: str, unit: str) -> None:
    ax.text(0, 1, what, transform=ax.transAxes, ha="left", va="bottom", fontsize=11.5, fontweight="bold")
    if unit:
        ax.set_ylabel(unit, fontsize=10)
        ax.yaxis.set_label_coords(-54 / (WIDTH_PX - _LEFT_PX - _RIGHT_PX), 0.5)


def _legend(ax: Axes, handles: Sequence[Any] | None = None) -> None:
    shown = list(handles) if handles is not None else ax.get_legend_handles_labels()[0]
    if shown:
        ax.legend(
            handles=shown,
            loc="lower right",
            bbox_to_anchor=(1.0, 1.0),
            ncols=len(shown),
            frameon=False,
            fontsize=10,
            handlelength=1.4,
            handletextpad=0.5,
            columnspacing=1.5,
            borderaxespad=0.0,
            borderpad=0.15,
        )


def _unsigned(ax: Axes) -> None:
    """Directions are told by up and down, so the numbers need no sign."""
    ax.yaxis.set_major_formatter(lambda value, _: f"{abs(value):g}")


def _png_only(path: Path) -> None:
    if path.suffix.lower() != ".png":
        raise ConfigError(f"cannot draw {path.name}: pictures are PNG", hint="name a file that ends in .png")


def _save(figure: Figure, path: Path) -> None:
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(buffer.getvalue())
        draft.replace(path)
    except OSError as bad:
        raise ConfigError(f"cannot write {path}: {bad.strerror or bad}", hint="name another file with --plot") from bad
    finally:
        with suppress(OSError):  # nothing to remove: the folder itself could not be made
            draft.unlink(missing_ok=True)
