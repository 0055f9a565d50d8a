"""One Pyomo model kept in one HiGHS instance: compiled once, then only vectors move.

Pyomo's standard-form compiler turns the assembled model into its matrix; after that a new problem means new bounds,
right-hand sides and costs, handed over as whole vectors, and a warm start from the basis that the instance still has.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import highspy
import numpy as np
from highspy import HighsModelStatus as Status
from numpy.typing import NDArray
from pyomo.repn.plugins.standard_form import LinearStandardFormCompiler

from models.memory import give_back
from solvers.model.assembly import Layout, assemble, fill
from solvers.model.frame import Array, Ring, Shape, Vectors
from solvers.problem import PlanProblem

_LARGE = 5_000  # columns; the circles of a smaller model are not worth a collection, which takes as long as building it


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When to stop. Simulations give no time limit, so that a run depends on its seed alone."""

    time_s: float = np.inf
    simplex_iterations: int = 2_000_000
    nodes: int = 200_000
    gap_abs_eur: float = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """What HiGHS left, in order of time: columns by name with shape (steps,) or (rooms, steps)."""

    status: Status = Status.kOptimal
    values: Mapping[str, Array]  # empty unless a feasible point was left
    columns: Array = field(default_factory=lambda: np.array([]), repr=False)  # the same, as the solver has it
    objective_eur: float
    bound_eur: float
    soc_dual_eur: Array | None = None  # what one more unit of SOC at the end of each slot saves; None: not known
    iterations: int = 0
    update_s: float = 0.0
    solve_s: float = 0.0

    @property
    def usable(self) -> bool:
        return bool(self.values)


class Compiled:
    """The matrix of a shape, in the order of its layout."""

    def __init__(self, shape: Shape) -> None:
        model = assemble(shape)  # let go of when its matrix is written
        self.layout = Layout.of(model)
        order = [v[i] for name in self.layout.columns for v in (model.component(name),) for i in v]
        form = LinearStandardFormCompiler().write(model, mixed_form=True, column_order=order)
        at = {id(v): i for i, v in enumerate(order)}
        place = np.array([at[id(v)] for v in form.columns], dtype=np.int32)
        self.rows = len(form.rows)
        self.columns = len(order)
        coo = form.A.tocoo()
        self.coo = (coo.row.astype(np.int32), place[coo.col], coo.data)
        # One row per constraint, in order of declaration: the layout's names index them.
        self.equal = np.array([kind == 0 for _, kind in form.rows])
        expected = sum(int(np.prod(s)) for s in self.layout.rows.values())
        assert self.rows == expected, f"{self.rows} compiled rows, {expected} declared"

    def flat(self, table: Mapping[str, Array], names: Mapping[str, tuple[int, ...]]) -> Array:
        return np.concatenate([table[name].ravel() for name in names])


class KeptModel:
    """The model of one shape and its solver instance.

    Parameters
    ----------
    shape : Shape
        What the matrix is made of.
    """

    def __init__(self, shape: Shape) -> None:
        started = time.perf_counter()
        self.shape = shape
        self.ring = Ring(shape.steps)
        self._start: float | None = None
        self.compiled = Compiled(shape)
        self.highs = new_highs()
        self.loaded = False
        self._integral: NDArray[np.int32] = np.array([], dtype=np.int32)
        self._last: Vectors | None = None
        if self.compiled.columns >= _LARGE:
            give_back()  # Pyomo's model is full of circles: 30 MB with 17 rooms
        self.build_s = time.perf_counter() - started

    def solve(self, problem: PlanProblem, limits: Limits) -> Solution:
        """Solves the relaxation of one problem of this shape, from wherever the last one ended."""
        started = time.perf_counter()
        self.turn(problem)
        self._last = self.vectors(problem)
        return self.solve_vectors(self._last, limits, started)

    def refine(self, fixed: Mapping[str, Array], limits: Limits) -> Solution:
        """Solves the last problem again with some columns fixed in the first slots, given in order of time.

        The rest adapts to what is decided: heating to a battery whose composites are chosen.
        """
        assert self._last is not None
        started = time.perf_counter()
        vectors = copy.copy(self._last)
        vectors.lower, vectors.upper = dict(vectors.lower), dict(vectors.upper)
        for name, values in fixed.items():
            for table in (vectors.lower, vectors.upper):
                table[name] = table[name].copy()
                table[name][..., self.ring.slots[: values.shape[-1]]] = values
        return self.solve_vectors(vectors, limits, started)

    def search(self, binary: Mapping[str, NDArray[np.bool_]], start: Solution | None, limits: Limits) -> Solution:
        """Solves the last problem again with some columns binary at some slots, from a feasible point if there is one.

        Parameters
        ----------
        binary : mapping
            Column name -> shape (steps,), True where it must be 0 or 1.
        start : Solution, optional
            A feasible point of the last problem, from `refine`.
        limits : Limits
            When to stop.
        """
        assert self._last is not None
        self._push(self._last)
        set_limits(self.highs, limits)
        self._make_integral(binary)
        if start is not None:
            point = highspy.HighsSolution()
            point.col_value = start.columns.tolist()
            self.highs.setSolution(point)
        try:
            return self._run(self._last, 0.0)
        finally:
            self._make_integral({})

    def vectors(self, problem: PlanProblem) -> Vectors:
        """Bounds, right-hand sides and costs of a problem that begins where the last one did."""
        return fill(problem, self.shape, self.compiled.layout, self.ring)

    def solve_vectors(self, vectors: Vectors, limits: Limits, started: float | None = None) -> Solution:
        """Solves the relaxation for vectors as they are; `search` and `refine` still start from the last problem."""
        started = time.perf_counter() if started is None else started
        self._push(vectors)
        set_limits(self.highs, limits)
        return self._run(vectors, time.perf_counter() - started)

    def turn(self, problem: PlanProblem) -> None:
        """Moves the holder by the slots that went by since the last problem, so that the basis still fits."""
        at = problem.start.timestamp() / (problem.dt_h * 3600.0)
        if self._start is not None:
            self.ring.advance(round(at - self._start))
        self._start = at

    def _push(self, v: Vectors) -> None:
        c = self.compiled
        cost, lower, upper, row_lower, row_upper = vectors = flat_vectors(c, v)
        if not self.loaded:
            load(self.highs, c, vectors)
            self.loaded = True
            return
        columns, rows = np.arange(c.columns, dtype=np.int32), np.arange(c.rows, dtype=np.int32)
        self.highs.changeColsCost(c.columns, columns, cost)
        self.highs.changeColsBounds(c.columns, columns, lower, upper)
        self.highs.changeRowsBounds(c.rows, rows, row_lower, row_upper)

    def _run(self, v: Vectors, update_s: float) -> Solution:
        started = time.perf_counter()
        self.highs.run()
        solved = time.perf_counter()
        status, info = self.highs.getModelStatus(), self.highs.getInfo()
        feasible = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
        whole = status == Status.kOptimal
        mip = len(self._integral) > 0
        objective = info.objective_function_value + v.offset_eur
        bound = info.mip_dual_bound + v.offset_eur if mip else (objective if whole else -np.inf)
        values: dict[str, Array] = {}
        columns = np.array([])
        duals = None
        if feasible and (whole or mip):
            solution = self.highs.getSolution()
            columns = np.array(solution.col_value)
            values = self._unpack(columns, self.compiled.layout.columns)
            if not mip and self.shape.battery is not None:
                duals = -self._unpack(np.array(solution.row_dual), self.compiled.layout.rows)["soc_balance"]
        return Solution(
            status=status,
            values=values,
            columns=columns,
            objective_eur=objective,
            bound_eur=bound,
            soc_dual_eur=duals,
            iterations=int(info.simplex_iteration_count),
            update_s=update_s,
            solve_s=solved - started,
        )

    def _unpack(self, flat: Array, names: Mapping[str, tuple[int, ...]]) -> dict[str, Array]:
        out, at, slots = {}, 0, self.ring.slots
        for name, size in names.items():
            n = int(np.prod(size))
            out[name] = flat[at : at + n].reshape(size)[..., slots]
            at += n
        return out

    def _make_integral(self, chosen: Mapping[str, NDArray[np.bool_]]) -> None:
        kind = highspy.HighsVarType
        if len(self._integral):
            self.highs.changeColsIntegrality(
                len(self._integral), self._integral, np.full(len(self._integral), kind.kContinuous)
            )
        wanted: list[int] = []
        at = 0
        for name, size in self.compiled.layout.columns.items():
            if name in chosen:
                wanted += [at + int(p) for p in self.ring.slots[chosen[name]]]
            at += int(np.prod(size))
        self._integral = np.array(wanted, dtype=np.int32)
        if wanted:
            self.highs.changeColsIntegrality(len(wanted), self._integral, np.full(len(wanted), kind.kInteger))


def flat_vectors(c: Compiled, v: Vectors) -> tuple[Array, Array, Array, Array, Array]:
    """Costs, column bounds and row bounds in matrix order.

    Rows at the holder and behind it hold nothing. At the holder they get a box around 0 that is never felt: a row that
    was tight a slot ago then leaves the basis' way by one pivot of its own, where a free row would send the dual
    simplex method into its first phase and through the whole horizon.
    """
    lower, upper = c.flat(v.lower, c.layout.columns), c.flat(v.upper, c.layout.columns)
    cost = c.flat(v.cost, c.layout.columns)
    row_upper = c.flat(v.rhs, c.layout.rows)
    row_lower = np.where(c.equal, row_upper, -np.inf)
    at = 0
    for size in c.layout.rows.values():
        width, end = size[-1], at + int(np.prod(size))
        row_lower[at + v.ring.spare : end : width], row_upper[at + v.ring.spare : end : width] = -np.inf, np.inf
        row_lower[at + v.ring.holder : end : width], row_upper[at + v.ring.holder : end : width] = -1.0, 1.0
        at = end
    return cost, lower, upper, row_lower, row_upper


def new_highs() -> highspy.Highs:
    """A quiet, single-threaded, deterministic instance."""
    h = highspy.Highs()
    h.setOptionValue("output_flag", False)
    h.setOptionValue("threads", 1)
    h.setOptionValue("random_seed", 1)
    h.setOptionValue("presolve", "off")  # the warm start needs the model as it is, and the model has little to remove
    h.setOptionValue("mip_rel_gap", 0.0)
    return h


def set_limits(h: highspy.Highs, limits: Limits) -> None:
    """Gives the next run of an instance its limits."""
    h.setOptionValue("time_limit", h.getRunTime() + float(limits.time_s))  # its clock runs on over solves
    h.setOptionValue("simplex_iteration_limit", int(limits.simplex_iterations))
    h.setOptionValue("mip_max_nodes", int(limits.nodes))
    h.setOptionValue("mip_abs_gap", float(limits.gap_abs_eur))


def copied(h: highspy.Highs) -> highspy.Highs:
    """An instance of its own with the same options, model and basis: both can run at the same time."""
    other = highspy.Highs()
    other.passOptions(h.getOptions())
    other.passModel(h.getLp())
    other.setBasis(h.getBasis())
    return other


def load(h: highspy.Highs, c: Compiled, vectors: tuple[Array, Array, Array, Array, Array]) -> None:
    """Hands a compiled model with its vectors (cost, column bounds, row bounds) to an instance."""
    from scipy.sparse import csc_array

    row, col, data = c.coo
    matrix = csc_array((data, (row, col)), shape=(c.rows, c.columns))
    matrix.sort_indices()
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = c.columns, c.rows
    lp.col_cost_, lp.col_lower_, lp.col_upper_, lp.row_lower_, lp.row_upper_ = vectors
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = matrix.indptr, matrix.indices, matrix.data
    h.passModel(lp)
