"""How a warm re-plan grows with the horizon and with the rooms of the house.

Seconds of the processor, so that a busy machine does not bend the curve. The fit is a line of least squares through
the logarithms of the medians; its slope is the exponent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np

from tests.bench.replanning import ROOMS, Row, demo

DAYS = (1, 2, 3, 5, 7)
ROOM_COUNTS = (1, 5, 10, 20, 40)
SLOTS_PER_DAY = 96
EXPONENT = 1.4


def exponent(points: Iterable[tuple[float, float]]) -> float:
    """Slope of log(seconds) over log(size)."""
    sizes, seconds = zip(*points, strict=True)
    return float(np.polyfit([math.log(x) for x in sizes], [math.log(s) for s in seconds], 1)[0])


def growth_rows(name: str, sizes: Iterable[int], unit: str, cpu_s: Callable[[int], float]) -> list[Row]:
    """The points, then their fit."""
    points = [(size, cpu_s(size)) for size in sizes]
    fitted = exponent(points)
    return [
        *((f"{name}: warm re-plan, {size} {unit}", took, "CPU s", "", True) for size, took in points),
        (f"{name}: fitted exponent", fitted, "", f"<= {EXPONENT:g}", fitted <= EXPONENT),
    ]


def run() -> list[Row]:
    """Figures of growth, in winter, where every room is heated."""
    return [
        *growth_rows(
            f"horizon at 15 min, {ROOMS} rooms", DAYS, "days", lambda d: demo("winter", steps=d * SLOTS_PER_DAY).cpu_s
        ),
        *growth_rows("rooms, 48 h at 15 min", ROOM_COUNTS, "rooms", lambda n: demo("winter", rooms=n).cpu_s),
    ]


if __name__ == "__main__":
    for row in run():
        print(f"{row[0]:90} {row[1]:8.3f} {row[2]:5} {row[3]:14} {'ok' if row[4] else 'MISSED'}")
