"""The relaxation turned into a question: by how much must one group of limits be missed while others hold?

All limits but physics are elastic in the model already (see `solvers/model/`). Here each group of them is a set of
columns with two bounds: *in force* (as far as the plan keeps it, so that there always is an answer) and *freed*. The
costs of the plan are replaced by the misses of one group, and one HiGHS instance goes from question to question.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from highspy import HighsModelStatus as Status
from numpy.typing import NDArray

from models.errors import PlanError
from solvers.diagnose.groups import Group, Groups, Index
from solvers.model.assembly import fill
from solvers.model.frame import Array, Ring, shape_of
from solvers.model.kept import Compiled, flat_vectors, load, new_highs
from solvers.problem import PlanProblem
from solvers.result import BentRule

_DUAL = 1e-7
# Each question has another objective: an interior point needs no way to a vertex, and its duals suffice.
_OPTIONS: Mapping[str, str | int] = {
    "presolve": "on", "solver": "ipm", "run_crossover": "off", "simplex_strategy": 4
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    """The least misses, and who else mattered for them."""

    misses: list[Array]  # of each that was asked about, per slot asked [unit]
    total: float  # [unit x h]
    felt: frozenset[str]  # groups in force that hold the misses up; all others do not matter


@dataclass(frozen=True, slots=True)
class Asked:
    """An elastic group, and where its misses count."""

    group: Group
    here: NDArray[np.bool_]  # of the group's slots

    @staticmethod
    def of(group: Group, slots: Iterable[int]) -> Asked:
        return Asked(group, np.isin(group.slots, list(slots)))

    @property
    def columns(self) -> Index:
        return self.group.columns[self.here]


class Elastic:
    """One problem as a linear program whose limits can be freed one by one.

    Parameters
    ----------
    problem : PlanProblem
        What was planned.
    bent : iterable of BentRule
        What the plan bends: each limit counts as kept if it is missed by no more than that.
    deadline_s : float
        When to give up [s on the monotonic clock].
    """

    def __init__(
        self, problem: PlanProblem, bent: Iterable[BentRule] = (), *, deadline_s: float = float("inf")
    ) -> None:
        self.problem, self.solves = problem, 0
        self._deadline_s = deadline_s
        self._relaxed: Array | None = None
        shape, ring = shape_of(problem), Ring(problem.steps)
        self._compiled = Compiled(shape)
        vectors = flat_vectors(self._compiled, fill(problem, shape, self._compiled.layout, ring))
        self._highs = new_highs()
        for option, value in _OPTIONS.items():
            self._highs.setOptionValue(option, value)
        load(self._highs, self._compiled, vectors)
        self.cost = vectors[0]
        self.groups = {g.name: g for g in Groups(problem, self._compiled.layout, ring, bent).all()}
        self._now: frozenset[str] = frozenset(self.groups)  # freed
        self.free(())

    def relaxed(self) -> Array:
        """The cheapest solution in which each limit is kept as far as the plan keeps it."""
        if self._relaxed is None:
            self.free(())
            self._relaxed = self._run(self.cost)
        return self._relaxed

    def free(self, names: Iterable[str]) -> None:
        """Puts every group in force but these."""
        wanted = frozenset(names)
        for name in wanted ^ self._now:
            g = self.groups[name]
            freed = name in wanted
            lower, upper = (g.free_lower, g.free_upper) if freed else (g.lower, g.upper)
            self._bounds(g.columns, lower, upper)
        self._now = wanted

    def least(self, asked: Sequence[Asked], freed: Iterable[str]) -> Answer:
        """The least that some limits must be missed, added up, with other groups freed.

        Parameters
        ----------
        asked : sequence of Asked
            Elastic groups and the slots where they count; elsewhere they are in force.
        freed : iterable of str
            Names of other groups.
        """
        names = {a.group.name for a in asked}
        self.free(set(freed) - names)
        with self._opened(asked) as columns:
            cost = np.zeros_like(self.cost)
            cost[columns] = self.problem.dt_h
            values = self._run(cost)
            felt = self._felt(names)
        misses = [np.maximum(0.0, values[a.columns]) for a in asked]
        return Answer(misses, float(np.maximum(0.0, values[columns]).sum()) * self.problem.dt_h, felt)

    def enough(self, asked: Sequence[Asked], most: float, limits: Mapping[str, float]) -> float | None:
        """How far limits must be moved, alike in all slots, for what is asked to be missed by at most `most`.

        Parameters
        ----------
        asked : sequence of Asked
            What is to be kept.
        most : float
            In all [unit x h].
        limits : mapping
            Names of elastic groups and how far each moves for a unit of the answer; all others are in force.

        Returns
        -------
        float or None
            None: they alone do not help enough, however far they are moved.
        """
        self.free(limits)
        z = len(self.cost)
        with self._opened(asked) as columns, self._rows():
            self._highs.addCol(1.0, 0.0, np.inf, 0, np.array([], dtype=np.int32), np.array([]))
            self._row(most, columns, np.full(len(columns), self.problem.dt_h))
            for name, per_unit in limits.items():
                limit = self.groups[name]
                movable = limit.free_upper > limit.upper
                for column, cap in zip(limit.columns[movable], limit.upper[movable], strict=True):
                    self._row(float(cap), np.array([column, z]), np.array([1.0, -per_unit]))
            values = self._run(np.append(np.zeros_like(self.cost), 1.0), may_fail=True)
            self._highs.deleteCols(1, np.array([z], dtype=np.int32))
        return float(values[z]) if len(values) else None

    def higher(self, asked: Asked) -> float:
        """How much higher a limit must be, alike in all slots asked, to be kept while all others are in force."""
        self.free(())
        z = len(self.cost)
        with self._opened([asked]) as columns, self._rows():
            self._highs.addCol(1.0, 0.0, np.inf, 0, np.array([], dtype=np.int32), np.array([]))
            for column in columns:
                self._row(0.0, np.array([column, z]), np.array([1.0, -1.0]))
            values = self._run(np.append(np.zeros_like(self.cost), 1.0))
            self._highs.deleteCols(1, np.array([z], dtype=np.int32))
        return float(values[z])

    def price_of_keeping(self, asked: Sequence[Asked], most: float) -> float | None:
        """What all else costs more [EUR] if what is asked is missed by at most `most`; None: it cannot be."""
        self.free(())
        with self._opened(asked) as columns, self._rows():
            self._row(most, columns, np.full(len(columns), self.problem.dt_h))
            values = self._run(self.cost, may_fail=True)
        if not len(values):
            return None
        rest = self.cost.copy()
        rest[columns] = 0.0
        return float(rest @ (values - self.relaxed()))

    @contextmanager
    def _opened(self, asked: Sequence[Asked]) -> Iterator[Index]:
        """Lets what is asked be missed without limit for a while."""
        for a in asked:
            self._bounds(a.columns, np.zeros(len(a.columns)), np.full(len(a.columns), np.inf))
        try:
            yield np.concatenate([a.columns for a in asked])
        finally:
            for a in asked:
                self._bounds(a.columns, a.group.lower[a.here], a.group.upper[a.here])

    @contextmanager
    def _rows(self) -> Iterator[None]:
        """Rows added for a while."""
        try:
            yield
        finally:
            added = np.arange(self._compiled.rows, self._highs.getNumRow(), dtype=np.int32)
            self._highs.deleteRows(len(added), added)

    def _row(self, most: float, columns: Index, values: Array) -> None:
        self._highs.addRow(-np.inf, most, len(columns), columns.astype(np.int32), values)

    # --- the solver -------------------------------------------------------------------------------------------------
    def _bounds(self, columns: Index, lower: Array, upper: Array) -> None:
        if len(columns):
            self._highs.changeColsBounds(len(columns), columns.astype(np.int32), lower, upper)

    def _run(self, cost: Array, *, may_fail: bool = False) -> Array:
        h = self._highs
        left = self._deadline_s - time.monotonic()
        h.setOptionValue("time_limit", h.getRunTime() + max(left, 0.0))
        h.changeColsCost(len(cost), np.arange(len(cost), dtype=np.int32), cost)
        h.run()
        if h.getModelStatus() not in (Status.kOptimal, Status.kInfeasible, Status.kTimeLimit):
            h.setOptionValue("solver", "simplex")
            h.run()
            h.setOptionValue("solver", "ipm")
        self.solves += 1
        status = h.getModelStatus()
        if status == Status.kOptimal:
            return np.array(h.getSolution().col_value)
        if may_fail and status == Status.kInfeasible:
            return np.array([])
        if status == Status.kTimeLimit:
            raise PlanError("there was no more time", hint="mend what is told first, and ask again")
        raise PlanError(f"the model without some limits could not be solved: HiGHS says {status.name[1:]}")

    def _felt(self, asked: set[str]) -> frozenset[str]:
        duals = np.array(self._highs.getSolution().col_dual)
        felt = set()
        for g in self.groups.values():
            if g.name in asked or g.name in self._now:
                continue
            d = duals[g.columns]
            up, down = (d < -_DUAL) & (g.free_upper > g.upper), (d > _DUAL) & (g.free_lower < g.lower)
            if np.any(up | down):
                felt.add(g.name)
        return frozenset(felt)
