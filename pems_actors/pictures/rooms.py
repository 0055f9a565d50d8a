"""Rooms as strips of colour: where each is in its comfort band, and when its heater runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from models.scorecard import COMFORT_TOLERANCE_K, EvidenceRow, deviations
from pems_actors.pictures.canvas import COLD, FAINT, GRID, INK, SUN_WARM, TOO_WARM, label, legend
from pems_actors.pictures.time_axis import TimeAxis
from solvers.problem import PlanProblem
from solvers.result import PlanResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes

IN_BAND = ((0.0, (0xC6, 0xDB, 0xEC)), (0.45, (0xFB, 0xF6, 0xE6)), (1.0, (0xF5, 0xCB, 0x8C)))


@dataclass(frozen=True, slots=True)
class Strip:
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


def strips(rows: Sequence[EvidenceRow]) -> list[Strip]:
    return [
        Strip(
            name=room.name,
            temperature_c=[row.rooms[k].temperature_c for row in rows],
            lower_c=[row.rooms[k].lower_c for row in rows],
            upper_c=[row.rooms[k].upper_c for row in rows],
            share=[row.rooms[k].relay_share for row in rows],
            deviation=deviations(rows, k),
        )
        for k, room in enumerate(rows[0].rooms)
    ]


def plan_strips(problem: PlanProblem, result: PlanResult) -> list[Strip]:
    strips = []
    for room, air_c, duty in zip(problem.rooms, result.air_c, result.duty, strict=True):
        low = [min(value, celsius) - celsius for value, celsius in zip(air_c, room.lower_c, strict=True)]
        high = [max(value, celsius) - celsius for value, celsius in zip(air_c, room.upper_c, strict=True)]
        heated = list(accumulate(duty, lambda before, now: before or now > 0, initial=False))[1:]
        strips.append(
            Strip(
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


def rooms_panel(ax: Axes, axis: TimeAxis, strips: Sequence[Strip]) -> None:
    from matplotlib.patches import Patch

    label(ax, "Rooms in their bands", "")
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
    legend(ax, handles)
