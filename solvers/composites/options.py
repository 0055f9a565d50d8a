"""What the inverter can be doing: the options that the dynamic program chooses among."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from models.types.mode import RESTING, Composite, InverterMode
from solvers.problem import PlanProblem


@dataclass(frozen=True, slots=True)
class Option:
    """One thing the inverter can be doing."""

    composite: Composite
    rate: float | None = None


REST_OPTION = Option(Composite.HOLD)
OPTIONS: tuple[Option, ...] = (
    Option(Composite.REGULAR),  # first: ties go to it, since it follows the real load within a slot
    REST_OPTION,
    Option(Composite.CHARGE_FROM_GRID, 0.5),
    Option(Composite.CHARGE_FROM_GRID, 1.0),
    Option(Composite.DISCHARGE_TO_GRID, 0.5),
    Option(Composite.DISCHARGE_TO_GRID, 1.0),
)
REST = OPTIONS.index(REST_OPTION)
ACTIVE = tuple(i for i, o in enumerate(OPTIONS) if o.rate is not None)


def runs(modes: Sequence[InverterMode]) -> Iterator[tuple[int, int]]:
    """First slot and end of each run of equal modes."""
    start = 0
    for t in range(1, len(modes) + 1):
        if t == len(modes) or modes[t] != modes[start]:
            yield start, t
            start = t


def running_options(problem: PlanProblem, begun: Sequence[InverterMode]) -> tuple[tuple[int, ...], int]:
    """The options that may be what runs then (several if its rate is not known), and how many slots it has run."""
    mode, held = problem.mode_now, problem.mode_held_slots
    if begun:
        start, stop = list(runs(begun))[-1]
        went_on = start == 0 and mode is not None and mode.composite is begun[-1].composite
        mode, held = begun[-1], stop - start + (held if went_on else 0)
    if mode is None:
        return (), 0
    if mode.composite in RESTING:
        return (REST,), held
    same = [i for i, o in enumerate(OPTIONS) if o.composite is mode.composite]
    rate = mode.rate
    if rate is not None:
        same = [min(same, key=lambda i: abs((OPTIONS[i].rate or 1.0) - rate))]
    return tuple(same), held
