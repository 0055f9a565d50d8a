"""How far the market, the sun or the house would have to differ for a choice to be worth nothing: found by re-solving.

`changed` says what a problem looks like then, so that a threshold can be tried: everything else stays as it was, the
prices of bent rules and the worth of what is left at the end included.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from solvers.explain.cards import Flip, Quantity
from solvers.explain.ledger import slot_time
from solvers.problem import PlanProblem
from solvers.tiers import tiers

_WORTH_EUR = 1e-6  # a choice that is worth less is a tie
_DAY_H = 24.0
_MOST_FACTOR = 3.0  # of sun and load
_PROBE_SHARE = 0.02  # of the range: a first step to see which way the worth falls
_BEYOND = 1.03  # a guess aims a little beyond the edge, so that it mostly closes the bracket
_FLAT = 1e-6  # EUR per unit
_TRIES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Slots in which one quantity moves."""

    quantity: Quantity
    start: int
    stop: int


def windows(problem: PlanProblem, start: int, stop: int) -> tuple[Window, ...]:
    """What may move for a choice that runs over some slots: its prices, and sun and load of the day that follows."""
    day = min(problem.steps, start + round(_DAY_H / problem.dt_h))
    day = max(day, stop)
    return (
        Window(quantity=Quantity.PRICE, start=start, stop=stop),
        Window(quantity=Quantity.SUN, start=start, stop=day),
        Window(quantity=Quantity.LOAD, start=start, stop=day),
    )


def changed(problem: PlanProblem, window: Window, by: float) -> PlanProblem:
    """The problem with one quantity moved.

    Parameters
    ----------
    problem : PlanProblem
        As forecast.
    window : Window
        What moves, and when.
    by : float
        Price: added to import and export [EUR/kWh]. Sun and load: the factor.
    """
    inside = [window.start <= t < window.stop for t in range(problem.steps)]
    ends = tiers(problem)
    pinned = replace(
        problem,
        soc_end_value_eur_per_kwh=ends.soc_end_eur_per_kwh,
        heat_end_value_eur_per_kwh=ends.heat_end_eur_per_kwh,
        scale_prices=problem.scale_prices or problem.price_import,
    )

    def added(series: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(x + by if i else x for x, i in zip(series, inside, strict=True))

    def scaled(series: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(x * by if i else x for x, i in zip(series, inside, strict=True))

    match window.quantity:
        case Quantity.PRICE:
            return replace(
                pinned, price_import=added(problem.price_import), price_export=added(problem.price_export)
            )
        case Quantity.SUN:
            return replace(pinned, pv_kw=scaled(problem.pv_kw))
        case Quantity.LOAD:
            return replace(pinned, load_kw=scaled(problem.load_kw))


def price_range(problem: PlanProblem) -> tuple[float, float]:
    """How far down and up prices are tried [EUR/kWh]."""
    spread = max(problem.price_import) - min(problem.price_import)
    return -0.1 - 2.0 * spread, 0.1 + 2.0 * spread


def find(
    problem: PlanProblem, window: Window, worth_eur: Callable[[PlanProblem], float], *, slope: float | None = None
) -> Flip | None:
    """The nearest value of one quantity at which a choice is worth nothing, the way its worth falls.

    Parameters
    ----------
    problem : PlanProblem
        As forecast.
    window : Window
        What moves.
    worth_eur : callable
        What the choice is worth in a changed problem, >= 0: two re-solves, with and without it.
    slope : float, optional
        How the worth changes with `by` of `changed`, if that is known already.

    Returns
    -------
    Flip or None
        None where the quantity is 0 all along, so that no factor moves it. At `flips_at` the choice is worth nothing;
        the first such value is nearer by at most a tenth of the way.
    """
    series = {Quantity.PRICE: problem.price_import, Quantity.SUN: problem.pv_kw, Quantity.LOAD: problem.load_kw}
    values = np.array(series[window.quantity][window.start : window.stop])
    if window.quantity is Quantity.PRICE:
        still, far, now = 0.0, price_range(problem), float(np.mean(values))
    else:
        still, far, now = 1.0, (0.0, _MOST_FACTOR), float(np.sum(values)) * problem.dt_h
        if now <= 1e-3:
            return None

    def told(by: float) -> float:
        return now + by if window.quantity is Quantity.PRICE else now * by

    edge = _Edge(lambda by: worth_eur(changed(problem, window, by)), (still, worth_eur(problem)), far)
    at = edge.nearest(slope)
    return Flip(
        quantity=window.quantity,
        unit="EUR/kWh" if window.quantity is Quantity.PRICE else "kWh",
        start=slot_time(problem, window.start),
        end=slot_time(problem, window.stop),
        now=now,
        flips_at=None if at is None else told(at),
        searched=(told(edge.tried[0]), told(edge.tried[1])),
    )


Point = tuple[float, float]  # by, worth


class _Edge:
    """Where a worth that mostly falls along a few straight lines comes to its end."""

    def __init__(self, worth: Callable[[float], float], here: Point, far: tuple[float, float]) -> None:
        self._ask, self._here, self._far = worth, here, far
        self.tried = (here[0], here[0])  # between here and there it was looked for

    def _worth(self, by: float) -> float:
        self.tried = (min(self.tried[0], by), max(self.tried[1], by))
        return self._ask(by)

    def nearest(self, slope: float | None) -> float | None:
        """The edge in the direction of falling worth; None if the worth does not end within the range."""
        x, value = self._here
        low, high = self._far
        step = _PROBE_SHARE * (high - low)
        tried: Point | None = None
        if slope is None or abs(slope) < _FLAT:
            tried = (x + step, self._worth(x + step))
            slope = (tried[1] - value) / step
        if abs(slope) < _FLAT:  # flat around here: look at the ends
            ends = [end for end in (low, high) if abs(end - x) > step and self._worth(end) <= _WORTH_EUR]
            return self._between(self._here, min(ends, key=lambda e: abs(e - x))) if ends else None
        end = high if slope < 0.0 else low
        last = tried if tried is not None and end == high else self._here
        if last[1] <= _WORTH_EUR:
            return self._between(self._here, last[0])
        guess = x - _BEYOND * value / slope
        for _ in range(_TRIES):
            at_end = (guess - end) * (end - x) >= 0.0
            guess = end if at_end else guess
            found = (guess, self._worth(guess))
            if found[1] <= _WORTH_EUR:
                return self._between(last, guess)
            if at_end:
                return None
            fall = (last[1] - found[1]) / abs(found[0] - last[0])
            ahead = _BEYOND * found[1] / fall if fall > _FLAT else math.inf
            reach = abs(found[0] - x)
            guess = found[0] + math.copysign(min(max(ahead, 0.25 * reach), 2.0 * reach), end - x)
            last = found
        return None

    def _between(self, last: Point, end: float) -> float:
        """The edge between a point of some worth and one of none."""
        for _ in range(_TRIES):
            if abs(end - last[0]) <= max(0.1 * abs(end - self._here[0]), 0.0025 * (self._far[1] - self._far[0])):
                break
            middle = 0.5 * (last[0] + end)
            value = self._worth(middle)
            if value <= _WORTH_EUR:
                end = middle
            else:
                last = (middle, value)
        return end
