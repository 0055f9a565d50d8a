"""Panels that the week and the plan share: prices, flows, battery, state of charge, composites and grid."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from pems_actors.pictures.canvas import (
    CHARGE,
    COLD,
    COSTS_TO_SELL,
    CURTAILED,
    DISCHARGE,
    EXPORT,
    FAINT,
    HEAT,
    IMPORT,
    INK,
    LOAD,
    PAID_TO_BUY,
    POLICY_LINES,
    SUN,
    label,
    legend,
    policy_line,
    unsigned,
)
from pems_actors.pictures.time_axis import TimeAxis, spans

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COMPOSITES: Mapping[str, str] = {
    "regular": "#DDE2E7",
    "charge_from_grid": "#0072B2",
    "hold": "#F2C14E",
    "discharge_to_grid": "#AA4499",
    "sell_production": "#009E73",
}
OTHER_COMPOSITE = "#3D4752"


def price_panel(
    ax: Axes,
    axis: TimeAxis,
    buy: Sequence[float],
    sell: Sequence[float],
    known: Sequence[bool] | None = None,
) -> None:
    from matplotlib.patches import Patch

    label(ax, "Day-ahead price at the meter", "EUR/kWh")
    ax.stairs(buy, axis.edges, baseline=None, color=IMPORT, lw=1.6, label="buying")
    ax.stairs(sell, axis.edges, baseline=None, color=EXPORT, lw=1.6, label="selling")
    below = [min(value, 0.0) for value in sell]
    if min(below) < 0:
        ax.stairs(below, axis.edges, fill=True, color=DISCHARGE, alpha=0.35, lw=0)
    unknown = [not (math.isfinite(b) and math.isfinite(s)) for b, s in zip(buy, sell, strict=True)]
    if known:
        unknown = [missing or not k for missing, k in zip(unknown, known, strict=True)]
    for number, (first, last) in enumerate(spans(unknown)):
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
    legend(ax, handles)


def flow_panel(
    ax: Axes,
    axis: TimeAxis,
    *,
    used_kw: Sequence[float],
    available_kw: Sequence[float],
    load_kw: Sequence[float],
    heating_kw: Sequence[float],
) -> None:
    label(ax, "Sun up, demand down", "kW")
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
    unsigned(ax)
    legend(ax)


def battery_panel(ax: Axes, axis: TimeAxis, battery_kw: Sequence[float]) -> None:
    label(ax, "Battery", "kW")
    up, down = [max(kw, 0.0) for kw in battery_kw], [min(kw, 0.0) for kw in battery_kw]
    ax.stairs(up, axis.edges, fill=True, color=CHARGE, lw=0, label="charging")
    ax.stairs(down, axis.edges, fill=True, color=DISCHARGE, lw=0, label="discharging")
    reach = max([*up, *(-kw for kw in down), 0.5]) * 1.12
    ax.set_ylim(-reach, reach)
    ax.axhline(0, color=INK, lw=0.8)
    unsigned(ax)
    legend(ax)


def soc_panel(
    ax: Axes,
    axis: TimeAxis,
    soc: Mapping[str, Sequence[float]],
    main: str,
    window: tuple[float, float] | None,
    start: float = math.nan,
) -> None:
    """SOC at the end of each slot; `start` is that before the first, where it is known."""
    label(ax, "State of charge", "%")
    for name, values in soc.items():
        if name == main or all(map(math.isnan, values)):
            continue
        colour, dashes = policy_line(name)
        ax.plot(axis.edges[1:], [100 * v for v in values], color=colour, ls=dashes, lw=0.9, alpha=0.75, label=name)
    colour = POLICY_LINES["pems"][0]
    percent = [100 * v for v in (start, *soc[main])]
    ax.plot(axis.edges, percent, color=colour, lw=2.2, label=main, zorder=4)
    ax.fill_between(axis.edges, percent, color=colour, alpha=0.10, lw=0)
    for limit in window or ():
        ax.axhline(100 * limit, color=FAINT, lw=0.9, ls=(0, (1, 2)))
    ax.set_ylim(0, 106)
    ax.set_yticks([0, 50, 100])
    legend(ax)


def ribbon_panel(ax: Axes, axis: TimeAxis, words: Mapping[str, Sequence[str]]) -> None:
    from matplotlib.patches import Patch

    label(ax, "What the inverter is told", "")
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
    legend(ax, handles)


def grid_panel(
    ax: Axes,
    axis: TimeAxis,
    grid_kw: Sequence[float],
    *,
    limits_kw: tuple[Sequence[float], float] | None,
    thin: tuple[str, Sequence[float]] | None,
) -> None:
    """`limits_kw`: of the import, slot by slot, and of the export."""
    label(ax, "Grid", "kW")
    ax.stairs([max(kw, 0.0) for kw in grid_kw], axis.edges, fill=True, color=IMPORT, lw=0, label="import")
    ax.stairs([min(kw, 0.0) for kw in grid_kw], axis.edges, fill=True, color=EXPORT, lw=0, label="export")
    if thin:
        colour, _ = policy_line(thin[0])
        ax.stairs(thin[1], axis.edges, baseline=None, color=colour, lw=0.8, alpha=0.8, label=thin[0])
    drawn = [*grid_kw, *(thin[1] if thin else ())]
    top, bottom = max([*drawn, 0.5]) * 1.1, min([*drawn, -0.5]) * 1.1
    if limits_kw:
        import_kw, contract_kw = limits_kw
        low_kw, high_kw = min(import_kw), max(import_kw)
        top = max(top, high_kw * 1.1)  # the fuse is what the picture is measured by
        told = f"import limit {high_kw:.1f} kW" + (f", at times down to {low_kw:.1f}" if low_kw < high_kw else "")
        ax.stairs(import_kw, axis.edges, baseline=None, color=COLD, lw=1.3, ls=(0, (6, 3)), label=told)
        if -bottom > 0.5 * contract_kw:
            bottom = min(bottom, -1.1 * contract_kw)
            ax.axhline(-contract_kw, color=COLD, lw=1.1, ls=(0, (2, 2)), label=f"export limit {contract_kw:.1f} kW")
    ax.set_ylim(bottom, top)
    ax.axhline(0, color=INK, lw=0.8)
    unsigned(ax)
    legend(ax)
