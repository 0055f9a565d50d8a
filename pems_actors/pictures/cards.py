"""One plan with its decision cards: a box at each switch says what it saves and what would flip it."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

from pems_actors.pictures.canvas import (
    FAINT,
    FOOT_PX,
    GAP_PX,
    GRID,
    HEAD_PX,
    INK,
    LEFT_PX,
    RIGHT_PX,
    WIDTH_PX,
    canvas,
    heading,
    png_only,
    save,
    signed,
    stack,
)
from pems_actors.pictures.panels import COMPOSITES, OTHER_COMPOSITE, ribbon_panel
from pems_actors.pictures.plan import check_plan, plan_axis, plan_words
from pems_actors.pictures.plan_panels import plan_panels
from pems_actors.pictures.time_axis import TimeAxis, days
from solvers.explain.cards import DecisionCard, Quantity
from solvers.problem import PlanProblem
from solvers.result import PlanResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BOX_PX, LINE_PX, PAD_PX, ROW_GAP_PX = 208, 16, 8, 16
TEXT_COLUMNS = 30
_WORDS = {Quantity.PRICE: "price", Quantity.SUN: "sun", Quantity.LOAD: "load"}


def cards_picture(
    problem: PlanProblem,
    result: PlanResult,
    cards: Sequence[DecisionCard],
    path: Path,
    *,
    zone: tzinfo,
    title: str,
) -> Path:
    """Draw a plan and the cards of its switches.

    Parameters
    ----------
    problem, result : PlanProblem, PlanResult
        What was asked and what was answered; series of one length.
    cards : sequence of DecisionCard
        In order of time.
    path, zone, title
        As in `plan_picture`. The picture is 1600 pixels wide and as high as it needs.

    Raises
    ------
    DataError
        The plan failed, or its series do not fit the problem's.
    ConfigError
        The path is no .png, or cannot be written.
    """
    png_only(path)
    check_plan(problem, result)
    axis = plan_axis(problem, zone)
    boxes = [_Box(card, axis, zone) for card in cards]
    tops, notes_px = _pack(boxes)
    words = [mode.composite.value for mode in result.modes]
    heights = [150, 28, notes_px]
    heights += [110, 140] if problem.battery else []
    heights += [190, 150]
    with canvas(HEAD_PX + sum(heights) + GAP_PX * (len(heights) - 1) + FOOT_PX) as figure:
        heading(figure, title, plan_words(axis, result))
        panels = stack(figure, HEAD_PX, heights)
        prices, ribbon, notes, *rest = panels
        flows, grid = rest[-2:]
        plan_panels(problem, result, axis, prices=prices, flows=flows, battery=rest[:-2], grid=grid)
        ribbon_panel(ribbon, axis, {"composite": words})
        _draw(notes, axis, boxes, tops, notes_px)
        axis.dress(panels)
        save(figure, path)
    return path


class _Box:
    """One card as lines of text at a place."""

    def __init__(self, card: DecisionCard, axis: TimeAxis, zone: tzinfo) -> None:
        self.card = card
        span = axis.edges[-1] - axis.edges[0]
        per_px = span / (WIDTH_PX - LEFT_PX - RIGHT_PX)
        self.at = min(max(days(card.start), axis.edges[0]), axis.edges[-1])
        self.width = BOX_PX * per_px
        self.left = min(self.at, axis.edges[-1] - self.width)
        self.gap = PAD_PX * per_px
        self.row = 0
        self.lines = _lines(card, zone)
        self.height_px = LINE_PX * len(self.lines) + 2 * PAD_PX
        word = card.what.split(" ")[0]
        self.colour = COMPOSITES.get(word, OTHER_COMPOSITE)


def _lines(card: DecisionCard, zone: tzinfo) -> list[tuple[str, str]]:
    """Lines of a box, with their weight."""
    start, end = card.start.astimezone(zone), card.end.astimezone(zone)
    until = f"{end:%H:%M}" if end.date() == start.date() else f"{end:%a %H:%M}"
    out = [(f"{start:%H:%M}\u2013{until}", "bold"), *_wrapped(card.what.replace("_", " "))]
    other = card.alternative
    if other is None:
        return [*out, *_wrapped(card.no_alternative)]
    saves = "saves" if other.extra_eur >= 0.0 else "costs"
    out.append((f"{saves} {signed(abs(other.extra_eur), 3)} EUR", "bold"))
    if other.modes:
        more = f" +{len(other.modes) - 1}" if len(other.modes) > 1 else ""
        out += _wrapped(f"else {other.modes[0].mode.replace('_', ' ')}{more}")
    for flip in card.flips:
        if flip.flips_at is not None:
            digits = 3 if flip.quantity is Quantity.PRICE else 1
            side = "\u2265" if flip.flips_at > flip.now else "\u2264"
            now, at = signed(flip.now, digits), signed(flip.flips_at, digits)
            out += _wrapped(f"flips: {_WORDS[flip.quantity]} {side} {at} ({now})")
    return out


def _wrapped(text: str) -> list[tuple[str, str]]:
    return [(line, "normal") for line in textwrap.wrap(text, TEXT_COLUMNS)]


def _pack(boxes: Sequence[_Box]) -> tuple[list[int], int]:
    """Put each box into the first row that has room for it; the rows' upper edges, and the height of all [px]."""
    ends, heights = list[float](), list[int]()
    for box in boxes:
        free = (row for row, end in enumerate(ends) if box.left >= end + box.gap)
        box.row = next(free, len(ends))
        if box.row == len(ends):
            ends.append(0.0)
            heights.append(0)
        ends[box.row] = box.left + box.width
        heights[box.row] = max(heights[box.row], box.height_px)
    tops = [ROW_GAP_PX + sum(heights[:row]) + ROW_GAP_PX * row for row in range(len(heights))]
    return tops, max(60, sum(heights) + ROW_GAP_PX * (len(heights) + 1))


def _draw(ax: Axes, axis: TimeAxis, boxes: Sequence[_Box], tops: Sequence[int], height_px: int) -> None:
    from matplotlib.patches import FancyBboxPatch

    title = ax.text(0, 1, "Why: what each choice saves, what else there was, and what would flip it")
    title.set(transform=ax.transAxes, va="bottom", fontsize=11.5, fontweight="bold", zorder=5)
    title.set_bbox({"fc": "white", "ec": "none", "pad": 2})  # leaders pass behind it
    ax.grid(visible=False)
    ax.set_yticks([])
    ax.set_ylim(height_px, 0.0)
    ax.spines["left"].set_visible(False)
    ax.set_xlim(axis.edges[0], axis.edges[-1])
    if not boxes:
        ax.text(0.5, 0.5, "nothing to choose", transform=ax.transAxes, ha="center", va="center", color=FAINT)
    for box in boxes:
        top, own = tops[box.row], box.height_px
        ax.plot([box.at, box.at], [-GAP_PX, top + 6], color=INK, lw=0.9, alpha=0.5, clip_on=False, zorder=1)
        ax.add_patch(
            FancyBboxPatch(
                (box.left, top), box.width, own, boxstyle="square,pad=0", fc="white", ec=GRID, lw=1.0, zorder=2
            )
        )
        ax.plot([box.left, box.left], [top, top + own], color=box.colour, lw=4, solid_capstyle="butt", zorder=3)
        for k, (line, weight) in enumerate(box.lines):
            ax.text(
                box.left + box.gap,
                top + PAD_PX + LINE_PX * (k + 0.5),
                line,
                fontsize=8.5,
                fontweight=weight,
                va="center",
                color=INK if weight == "bold" or k == 1 else FAINT,
                zorder=4,
            )
