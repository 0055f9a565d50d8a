"""Questions to a kept model: the same problem with another load, other prices or something forbidden, solved warm.

The model that has just planned answers in milliseconds, where one of its own would cost a second and as much memory
again. It keeps whatever basis the last question leaves; its next plan pushes its own numbers over all that were asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
from highspy import Highs
from highspy import HighsModelStatus as Status
from numpy.typing import NDArray

from models.errors import PlanError
from solvers.model.frame import Array, Vectors
from solvers.model.kept import KeptModel, Limits, Solution, copied, flat_vectors, set_limits
from solvers.problem import PlanProblem
from solvers.result import PlanResult
from solvers.tiers import tiers

Indices = NDArray[np.int32]

_ELASTIC = ("over", "phase_over", "below", "above", "short")  # columns that bend a rule


@dataclass(frozen=True, slots=True)
class Fix:
    """Columns held at a value: `name[row]` (or the whole series, without a row) in slots start .. stop-1."""

    name: str
    start: int
    stop: int
    value: Array | float
    row: int | None = None


def battery_fixes(problem: PlanProblem, result: PlanResult) -> tuple[Fix, ...]:
    """The battery held to what it does in a plan."""
    b = problem.battery
    if b is None:
        return ()
    return (
        Fix("stored", 0, problem.steps, np.array(result.soc) - b.soc_min),
        Fix("discharge", 0, problem.steps, np.array(result.discharge_kw)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimum:
    """The best plan of a relaxation for one load."""

    objective_eur: float
    bent_eur: float  # of the objective, for bent rules
    load_eur_per_kw: Array  # per slot: what a little more load in it adds (a subgradient)


class Probe:
    """Asks a kept model about variations of one problem.

    Parameters
    ----------
    model : KeptModel
        Of the problem's shape.
    problem : PlanProblem
        What is varied.
    limits : Limits
        When to stop, for each question.

    Raises
    ------
    PlanError
        The relaxation has no optimum within the limits.
    """

    def __init__(self, model: KeptModel, problem: PlanProblem, limits: Limits) -> None:
        self._model, self._problem, self._limits = model, problem, limits
        self.solves = 0
        self._base: Solution | None = None
        if model.loaded:
            model.turn(problem)
        else:
            self._base = self._usable(model.solve(problem, limits))

    @property
    def base(self) -> Solution:
        """The optimum of the problem itself."""
        if self._base is None:
            self._base = self.solve(self._problem)
        return self._base

    def solve(self, problem: PlanProblem, fixes: Sequence[Fix] = ()) -> Solution:
        """The optimum of a variation of the problem (same shape, same start), with some columns fixed."""
        vectors = self._model.vectors(problem)
        slots = vectors.ring.slots
        for fix in fixes:
            at = slots[fix.start : fix.stop]
            for table in (vectors.lower, vectors.upper):
                series = table[fix.name] if fix.row is None else table[fix.name][fix.row]
                series[..., at] = fix.value
        with self._quiet():
            return self._usable(self._model.solve_vectors(vectors, self._limits))

    @contextmanager
    def loads(self) -> Iterator[LoadProbe]:
        """For many questions about load alone: each moves a few right-hand sides only."""
        with self._quiet():
            direction = self._direction()
            raw_eur = float(self._model.highs.getInfo().objective_function_value)
            offset_eur = self.base.objective_eur - raw_eur
            yield LoadProbe(self._model.highs, self._limits, direction, offset_eur)

    def _direction(self) -> _Direction:
        """Which right-hand sides the load is in, found by asking for a little more of it."""
        p, m = self._problem, self._model
        before = self._model.vectors(p)
        after = self._model.vectors(_with_load(p, np.ones(p.steps)))
        self._base = self._usable(m.solve_vectors(before, self._limits))
        flat, more = flat_vectors(m.compiled, before), flat_vectors(m.compiled, after)
        lower, upper = flat[3], flat[4]
        rise = np.zeros_like(upper)
        finite = np.isfinite(upper)
        rise[finite] = more[4][finite] - upper[finite]
        rows = np.flatnonzero(np.abs(rise) > 1e-12).astype(np.int32)
        slot_at = np.full(m.ring.size, -1)
        slot_at[m.ring.slots] = np.arange(p.steps)
        slot = slot_at[_positions(m)[rows]]
        return _Direction(p.steps, rows, slot, rise[rows], lower[rows], upper[rows], _elastic_cost(m, before, p))

    def _usable(self, solution: Solution) -> Solution:
        self.solves += 1
        if not solution.usable or solution.status != Status.kOptimal:
            raise PlanError(
                f"the question has no answer: HiGHS stopped with {solution.status.name[1:]}",
                hint="ask again after the next plan",
            )
        return solution

    @contextmanager
    def _quiet(self) -> Iterator[None]:
        """Without perturbed costs: from an optimal basis they only have to be cleaned up again."""
        name = "dual_simplex_cost_perturbation_multiplier"
        highs = self._model.highs
        _, before = highs.getOptionValue(name)
        highs.setOptionValue(name, 0.0)
        try:
            yield
        finally:
            highs.setOptionValue(name, before)


@dataclass(frozen=True, slots=True)
class _Direction:
    """Rows that hold the load: index, slot, what a kW adds to their right-hand side, their bounds at present."""

    steps: int
    rows: Indices
    slot: NDArray[np.intp]
    per_kw: Array
    lower: Array
    upper: Array
    elastic: tuple[Indices, Array]  # columns that bend rules, and their prices


class LoadProbe:
    """The relaxation's value as a function of the load; `base` is its optimum without any rise."""

    def __init__(self, highs: Highs, limits: Limits, direction: _Direction, offset_eur: float) -> None:
        self._highs, self._limits, self._d, self._offset_eur = highs, limits, direction, offset_eur
        self._raised: NDArray[np.intp] = np.array([], dtype=np.intp)
        self.solves = 0
        self.base = self._optimum()

    def copy(self) -> LoadProbe:
        """One that answers beside this one, in a thread of its own; to be taken before the first question."""
        other = copied(self._highs)
        set_limits(other, self._limits)
        other.run()  # it is where this one is, and has only to find that out
        return LoadProbe(other, self._limits, self._d, self._offset_eur)

    def at(self, rise_kw: Array) -> Optimum:
        """The optimum with that much more load per slot, shape (steps,) [kW]."""
        d = self._d
        raised = np.flatnonzero(rise_kw[d.slot])
        touched = np.union1d(raised, self._raised)
        moved = d.per_kw[touched] * rise_kw[d.slot[touched]]
        self._highs.changeRowsBounds(len(touched), d.rows[touched], d.lower[touched] + moved, d.upper[touched] + moved)
        self._raised = raised
        set_limits(self._highs, self._limits)
        self._highs.run()
        self.solves += 1
        status = self._highs.getModelStatus()
        if status != Status.kOptimal:
            raise PlanError(f"the question has no answer: HiGHS stopped with {status.name[1:]}", hint="ask again")
        return self._optimum()

    def _optimum(self) -> Optimum:
        solution, d = self._highs.getSolution(), self._d
        duals = np.array(solution.row_dual)[d.rows] * d.per_kw
        columns, prices = d.elastic
        bent = float(np.array(solution.col_value)[columns] @ prices)
        value = float(self._highs.getInfo().objective_function_value) + self._offset_eur
        prices_by_slot = np.zeros(d.steps)
        np.add.at(prices_by_slot, d.slot, duals)
        return Optimum(objective_eur=value, bent_eur=bent, load_eur_per_kw=prices_by_slot)


def _with_load(problem: PlanProblem, rise_kw: Array) -> PlanProblem:
    return replace(problem, load_kw=tuple((np.array(problem.load_kw) + rise_kw).tolist()))


def _positions(model: KeptModel) -> NDArray[np.intp]:
    """The ring's position of each row."""
    sizes: Mapping[str, tuple[int, ...]] = model.compiled.layout.rows
    return np.concatenate([np.tile(np.arange(s[-1]), int(np.prod(s[:-1], dtype=int))) for s in sizes.values()])


def _elastic_cost(model: KeptModel, v: Vectors, problem: PlanProblem) -> tuple[Indices, Array]:
    """Columns that bend a rule and what each unit costs; of imports above the limit only what is beyond their price."""
    prices = tiers(problem)
    plain = {
        "over": prices.over_limit_eur_per_kwh * problem.dt_h,
        "below": prices.comfort_below_eur_per_kh * problem.dt_h,
        "above": prices.comfort_above_eur_per_kh * problem.dt_h,
    }
    at, columns, costs = 0, [np.array([], dtype=np.int32)], [np.array([])]
    for name, size in model.compiled.layout.columns.items():
        n = int(np.prod(size))
        if name in _ELASTIC:
            columns.append(np.arange(at, at + n, dtype=np.int32))
            costs.append(np.full(n, plain[name]) if name in plain else v.cost[name].ravel())
        at += n
    return np.concatenate(columns), np.concatenate(costs)
