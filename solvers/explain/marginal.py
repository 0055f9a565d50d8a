"""What 1, 2, 4, 8 kWh more would cost at each coming hour: differences of the relaxation's optimum.

The optimum is a convex function of the load, f(b). So each optimum that was solved for bounds f everywhere from below
(by its prices per slot), and two optima of one hour bound all between them from above (by their chord). Only where the
two bounds leave a doubt is another one solved; in plain hours two optima say all there is. One hour's answer starts
from the neighbour's basis, and two solvers share the hours: HiGHS lets go of Python's lock while it works.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count, takewhile
from zoneinfo import ZoneInfo

import numpy as np

from models.errors import PlanError
from solvers.explain.marginal_table import ENERGIES_KWH, MarginalHour, MarginalTable
from solvers.explain.probe import LoadProbe, Optimum, Probe
from solvers.model.frame import Array
from solvers.model.kept import KeptModel, Limits
from solvers.problem import PlanProblem

_DOUBT_EUR = 2e-7  # between the bounds: what is closer is known
_SOLVERS = 2  # each is 11 MB with 17 rooms
_BLOCK = 12  # hours in a row for one solver: neighbours are answered fastest after each other


def marginal_table(
    model: KeptModel,
    problem: PlanProblem,
    limits: Limits,
    *,
    hours: int | None = None,
    energies_kwh: Sequence[float] = ENERGIES_KWH,
    within_s: float = math.inf,
    solvers: int = _SOLVERS,
) -> MarginalTable:
    """The price of more consumption.

    Parameters
    ----------
    model : KeptModel
        Of the problem's shape, warm if it has just planned.
    problem : PlanProblem
        The house as it plans.
    limits : Limits
        Of each solve.
    hours : int, optional
        How many; None: all that fit into the horizon in whole.
    energies_kwh : sequence of float
        In rising order, > 0.
    within_s : float
        Wall time after which no further hour is begun: the table is shorter then, and each of its values as exact.
    solvers : int
        How many work at the same time, 1 or more.

    Returns
    -------
    MarginalTable
        Each cost is within 1e-6 EUR of what solving the relaxation anew would say.

    Raises
    ------
    PlanError
        No whole hour lies within the horizon, or the relaxation has no optimum.
    """
    started = time.perf_counter()
    if hours is not None and hours < 1:
        raise PlanError(f"marginal prices of {hours} hours, must be 1 or more", hint="such as 24")
    starts = hour_starts(problem)[:hours]
    if not starts:
        raise PlanError(
            f"the horizon is {problem.steps * problem.dt_h:g} h long, less than an hour", hint="plan further ahead"
        )
    probe = Probe(model, problem, limits)
    with probe.loads() as loads:
        rises = [rise_kw(problem, start) for start in starts]
        lanes = [loads, *(loads.copy() for _ in range(1, min(solvers, math.ceil(len(starts) / _BLOCK))))]
        curves = [_Curves(lane, rises, list(energies_kwh)) for lane in lanes]

        def work(lane: int) -> dict[int, tuple[tuple[float, ...], tuple[float, ...]]]:
            rows = {}
            for hour in _hours_of(lane, len(lanes), len(starts)):
                if hour and time.perf_counter() - started >= within_s:
                    break
                curves[lane].close(hour)
                rows[hour] = curves[lane].row(hour)
            return rows

        with ThreadPoolExecutor(len(lanes)) as pool:
            found = {hour: row for rows in pool.map(work, range(len(lanes))) for hour, row in rows.items()}
    rows = [
        MarginalHour(start=starts[hour], cost_eur=found[hour][0], bent_eur=found[hour][1])
        for hour in takewhile(found.__contains__, count())
    ]
    return MarginalTable(
        problem_id=problem.id,
        issued=problem.issued,
        energies_kwh=tuple(energies_kwh),
        hours=tuple(rows),
        solves=probe.solves + sum(lane.solves for lane in lanes),
        took_s=time.perf_counter() - started,
    )


def _hours_of(lane: int, lanes: int, hours: int) -> Iterator[int]:
    """The hours of one of several solvers: every so many blocks, so that a table that ends early has its beginning."""
    return (hour for hour in range(hours) if hour // _BLOCK % lanes == lane)


def hour_starts(problem: PlanProblem) -> list[datetime]:
    """Beginnings of the hours that may be asked about: now, then each hour of the local clock; all within the horizon.

    Returns
    -------
    list of datetime
        Aware UTC.
    """
    end = problem.start + timedelta(hours=problem.dt_h * problem.steps)
    local = problem.start.astimezone(ZoneInfo(problem.timezone))
    past = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    at, found = problem.start.astimezone(UTC), list[datetime]()
    while at + timedelta(hours=1) <= end + timedelta(seconds=1):
        found.append(at)
        at = (problem.start - past if at == problem.start else at) + timedelta(hours=1)
    return found


def rise_kw(problem: PlanProblem, start: datetime) -> Array:
    """How much the load of each slot rises when 1 kWh more is drawn evenly over the hour from `start` on.

    Returns
    -------
    ndarray, shape (steps,)
        [kW]; times `dt_h` it sums to 1 kWh.
    """
    first_h = (start - problem.start).total_seconds() / 3600.0
    edges = np.arange(problem.steps + 1) * problem.dt_h
    overlap = np.minimum(edges[1:], first_h + 1.0) - np.maximum(edges[:-1], first_h)
    return np.asarray(np.maximum(0.0, overlap) / problem.dt_h)


@dataclass(frozen=True, slots=True)
class _Cut:
    """A bound from below for every load: value at a load's rise, and its slope per slot."""

    value: float
    load_eur_per_kw: Array

    @staticmethod
    def of(optimum: Optimum, rise: Array) -> _Cut:
        return _Cut(optimum.objective_eur - float(optimum.load_eur_per_kw @ rise), optimum.load_eur_per_kw)


class _Curves:
    """One convex curve per hour over the energies, known at some of them and bounded between."""

    def __init__(self, loads: LoadProbe, rises: Sequence[Array], energies: list[float]) -> None:
        self._loads, self._rises, self._energies = loads, rises, energies
        self._points: list[dict[float, Optimum]] = [{0.0: loads.base} for _ in rises]
        none = np.zeros_like(rises[0])
        self._values = np.array([_Cut.of(loads.base, none).value])
        self._slopes = np.array([[float(loads.base.load_eur_per_kw @ rise) for rise in rises]])

    def close(self, hour: int) -> None:
        """Solves until all of an hour is known, each optimum from one that is near: up one hour and down the next."""
        for energy in self._energies[:: 1 if hour % 2 else -1]:
            if not self._known(hour, energy):
                self._solve(hour, energy)

    def _solve(self, hour: int, energy: float) -> None:
        rise = energy * self._rises[hour]
        optimum = self._loads.at(rise)
        self._points[hour][energy] = optimum
        cut = _Cut.of(optimum, rise)
        self._values = np.append(self._values, cut.value)
        slopes = [float(cut.load_eur_per_kw @ r) for r in self._rises]
        self._slopes = np.vstack([self._slopes, slopes])

    def _known(self, hour: int, energy: float) -> bool:
        points = self._points[hour]
        if energy in points:
            return True
        if energy > max(points):
            return False
        return self._chord(hour, energy)[0] - self._least(hour, energy) <= _DOUBT_EUR

    def _least(self, hour: int, energy: float) -> float:
        return float(np.max(self._values + energy * self._slopes[:, hour]))

    def _chord(self, hour: int, energy: float) -> tuple[float, float]:
        """Objective and its bent part on the chord between the nearest optima of the hour."""
        points = self._points[hour]
        low, high = max(e for e in points if e <= energy), min(e for e in points if e >= energy)
        share = 0.0 if high == low else (energy - low) / (high - low)
        a, b = points[low], points[high]
        value = a.objective_eur + share * (b.objective_eur - a.objective_eur)
        return value, a.bent_eur + share * (b.bent_eur - a.bent_eur)

    def row(self, hour: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """What each energy costs at this hour, and how much of that is for bent rules."""
        base = self._loads.base
        both = [self._chord(hour, energy) for energy in self._energies]
        return (
            tuple(value - base.objective_eur for value, _ in both),
            tuple(max(0.0, bent - base.bent_eur) for _, bent in both),
        )
