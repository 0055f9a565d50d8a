"""A simulated week: one policy drawn, the others beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from models.errors import DataError
from models.scorecard import SLOT_H, EvidenceRow, PolicyScore, check_rows
from models.types.house import House
from pems_actors.pictures.canvas import (
    FAINT,
    HEAD_PX,
    INK,
    LEFT_PX,
    POLICY_LINES,
    WIDTH_PX,
    canvas,
    heading,
    label,
    png_only,
    policy_line,
    put,
    save,
    signed,
    stack,
)
from pems_actors.pictures.panels import battery_panel, flow_panel, grid_panel, price_panel, ribbon_panel, soc_panel
from pems_actors.pictures.rooms import rooms_panel, strips
from pems_actors.pictures.time_axis import TimeAxis

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WEEK_HEIGHT_PX = 1800
WHERE_BILLED = ("power_eur", "deep_wear_eur")  # a house without such a price has no such column

TABLE: tuple[tuple[str, str, float, int], ...] = (  # figure, heading, scale, decimals
    ("cost_eur", "cost\nEUR", 1, 2),
    ("energy_eur", "meter\nEUR", 1, 2),
    ("power_eur", "power\nEUR", 1, 2),
    ("wear_eur", "wear\nEUR", 1, 2),
    ("deep_wear_eur", "deep\nEUR", 1, 2),
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
    png_only(path)
    runs = _runs(rows_by_policy)
    axis = TimeAxis.of([row.time_utc for row in next(iter(runs.values()))], SLOT_H, zone)
    with canvas(WEEK_HEIGHT_PX) as figure:
        _draw(figure, axis, title, runs, scores, house)
        save(figure, path)
    return path


def _draw(
    figure: Figure,
    axis: TimeAxis,
    title: str,
    runs: Mapping[str, Sequence[EvidenceRow]],
    scores: Mapping[str, PolicyScore] | None,
    house: House | None,
) -> None:
    main = "pems" if "pems" in runs else next(iter(runs))
    rows = runs[main]
    heading(figure, title, f"{axis.period()}  ·  drawn: {main}")
    head_px = _table(figure, scores) if scores else HEAD_PX
    shown = [name for name in dict.fromkeys((main, "foresight", "smart", *runs)) if name in runs][:3]
    panels = stack(figure, head_px, (130, 176, 84, 124, 24 * len(shown), 0, 136, 150))
    prices, flows, power, soc, ribbon, rooms, grid, cost = panels
    buy, sell = [r.price_import for r in rows], [r.price_export for r in rows]
    price_panel(prices, axis, buy, sell)
    flow_panel(
        flows,
        axis,
        used_kw=[r.pv_kw for r in rows],
        available_kw=[r.pv_available_kw for r in rows],
        load_kw=[r.load_kw for r in rows],
        heating_kw=[r.heating_kw for r in rows],
    )
    battery_panel(power, axis, [r.battery_kw for r in rows])
    window = (house.battery.soc_min, house.battery.soc_max) if house and house.battery else None
    soc_panel(soc, axis, {name: [r.soc for r in run] for name, run in runs.items()}, main, window)
    ribbon_panel(ribbon, axis, {name: [r.composite for r in runs[name]] for name in shown})
    rooms_panel(rooms, axis, strips(rows))
    rival = "rules" if "rules" in runs and main != "rules" else None
    grid_panel(
        grid,
        axis,
        [r.grid_kw for r in rows],
        limits_kw=([house.connection.import_limit_kw] * len(rows), house.connection.export_contract_kw)
        if house
        else None,
        thin=(rival, [r.grid_kw for r in runs[rival]]) if rival else None,
    )
    _cost_panel(cost, axis, runs, scores, house)
    axis.shade_negative((prices, flows, grid), buy, sell)
    axis.dress(panels)


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


def _cost_panel(
    ax: Axes,
    axis: TimeAxis,
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
        colour, dashes = policy_line(name)
        line = [0.0, *(mine - other for mine, other in zip(values, base, strict=True))]
        ax.plot(axis.edges, line, color=colour, ls=dashes, lw=2.4 if name == "pems" else 1.5)
        ends[name] = line[-1]
    tails = scores and all(name in scores for name in runs)
    if scores and tails:
        lines_end = ends
        zero = scores[against].cost_eur if against else 0.0
        ends = {name: scores[name].cost_eur - zero for name in runs}
        for name, value in ends.items():
            colour, _ = policy_line(name)
            ax.plot([axis.edges[-1]] * 2, [lines_end[name], value], color=colour, lw=0.9, ls=":", clip_on=False)
            ax.plot([axis.edges[-1]], [value], "o", color=colour, ms=6, clip_on=False, zorder=5)
    note = "line: meter" + (" and wear" if wear else "") + ("   ·   dot: with the 72 h after" if tails else "")
    label(ax, what, "EUR")
    ax.text(1, 1, note, transform=ax.transAxes, ha="right", va="bottom", fontsize=10, color=FAINT)
    ax.margins(y=0.12)
    ax.axhline(0, color=INK, lw=0.8)
    end_labels(ax, ends)


def end_labels(ax: Axes, ends: Mapping[str, float]) -> None:
    """Name each line at its right end, pushed apart where the ends are close."""
    low, high = ax.get_ylim()
    step = (high - low) * 0.15
    names = sorted(ends, key=lambda name: (ends[name], name))
    places = [ends[name] for name in names]
    for k in range(1, len(places)):
        places[k] = max(places[k], places[k - 1] + step)
    places[-1] = min(places[-1], max(high, ends[names[-1]]))  # the pile must not grow out of the top
    for k in reversed(range(len(places) - 1)):
        places[k] = min(places[k], places[k + 1] - step)
    for name, place in zip(names, places, strict=True):
        colour, _ = policy_line(name)
        ax.annotate(
            f"{name}  {signed(ends[name], 2, plus=True)}",
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


def _table(figure: Figure, scores: Mapping[str, PolicyScore]) -> float:
    """The scores, a line each. Returns where the panels start, from the top [px]."""
    names_px, top_px, line_px = 90, 104, 21
    billed = {key for key in WHERE_BILLED if any(getattr(score, key) is not None for score in scores.values())}
    columns = [column for column in TABLE if column[0] not in WHERE_BILLED or column[0] in billed]
    step_px = (WIDTH_PX - LEFT_PX - names_px - 50) / len(columns)
    right_px = [LEFT_PX + names_px + step_px * (column + 1) for column in range(len(columns))]
    for x, (_, over, _, _) in zip(right_px, columns, strict=True):
        put(figure, x, top_px, over, fontsize=9, color=FAINT, ha="right")
    listed = [name for name in POLICY_LINES if name in scores]
    listed += [name for name in scores if name not in listed]
    for line, name in enumerate(listed):
        y = top_px + 32 + line_px * line
        weight = "bold" if name == "pems" else "normal"
        put(figure, LEFT_PX, y, name, fontsize=11, color=policy_line(name)[0], fontweight=weight)
        for x, (field, _, scale, decimals) in zip(right_px, columns, strict=True):
            value = getattr(scores[name], field)
            text = "?" if value is None else signed(value * scale, decimals)
            put(figure, x, y, text, fontsize=10.5, ha="right", fontweight=weight)
    return top_px + 32 + line_px * len(listed) + 52
