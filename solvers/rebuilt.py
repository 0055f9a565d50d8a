"""The same Pyomo model built anew and handed to HiGHS by Pyomo itself: nothing is kept, nothing is compiled by us.

Slower by the building (some seconds for a house), and independent of everything that a kept instance could have got
wrong: the second member of the cascade, and the proof that the kept vectors say the same as the model.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np
import pyomo.environ as pyo
from pyomo.contrib.solver.common.factory import SolverFactory
from pyomo.contrib.solver.common.results import SolutionStatus, TerminationCondition

from models.errors import PemsError
from solvers.directions import both_ways
from solvers.finish import failed
from solvers.model.assembly import DIRECTIONS, Layout, assemble, fill
from solvers.model.frame import Array, Model, Ring, Vectors, shape_of
from solvers.model.kept import Solution
from solvers.problem import PlanProblem
from solvers.pyomo_highs import case_gap_eur, result_of
from solvers.result import PlanResult, Stop, Timings
from solvers.validate import validate

_STOPS = {
    TerminationCondition.convergenceCriteriaSatisfied: Stop.CONVERGED,
    TerminationCondition.maxTimeLimit: Stop.TIME_LIMIT,
    TerminationCondition.iterationLimit: Stop.NODE_LIMIT,
}


class Rebuilt:
    """Builds the model for one problem, solves it through Pyomo's own HiGHS interface, and forgets it."""

    name = "rebuilt"

    def solve(self, problem: PlanProblem, *, time_limit_s: float) -> PlanResult:
        """Plans one horizon; see `PyomoHighs.solve`."""
        started = time.perf_counter()
        try:
            validate(problem)
        except PemsError as error:
            return failed(problem, self.name, Stop.NOT_STARTED, str(error))
        shape = shape_of(problem)
        ring, model = Ring(shape.steps), assemble(shape)
        layout = Layout.of(model)
        vectors = fill(problem, shape, layout, ring)
        write(model, layout, vectors)
        built = time.perf_counter()
        solution, stop, why = _solve(problem, model, layout, vectors, time_limit_s)
        if solution is None:
            return failed(problem, self.name, stop, f"HiGHS stopped: {why}")
        solved = time.perf_counter()
        result = result_of(problem, solution, self.name, stop)
        done = time.perf_counter()
        timings = Timings(
            build_s=built - started, solve_s=solved - built, extract_s=done - solved, wall_s=done - started
        )
        return replace(result, timings=timings)


def write(m: Model, layout: Layout, v: Vectors) -> None:
    """Writes bounds, costs and right-hand sides into the model's variables and parameters; frees the holder's rows."""
    for name, size in layout.columns.items():
        var, cost = m.component(name), m.component(f"{name}_cost")
        for at in np.ndindex(*size):
            index = at if len(at) > 1 else at[0]
            low, high = v.lower[name][at], v.upper[name][at]
            var[index].setlb(None if math.isinf(low) else float(low))
            var[index].setub(None if math.isinf(high) else float(high))
            cost[index] = float(v.cost[name][at])
    for name, size in layout.rows.items():
        row, right = m.component(name), m.component(f"{name}_rhs")
        keys = np.array(list(row.keys()), dtype=object).reshape(*size, -1)
        for at in np.ndindex(*size):
            key = tuple(keys[at])
            index = key if len(key) > 1 else key[0]
            if at[-1] in (v.ring.holder, v.ring.spare):
                row[index].deactivate()
            else:
                right[index] = float(v.rhs[name][at])


def _solve(
    problem: PlanProblem, m: Model, layout: Layout, v: Vectors, time_limit_s: float
) -> tuple[Solution | None, Stop, str]:
    """Solves, makes directions binary where both are used, and solves again until none is."""
    opt, started = SolverFactory("highs"), time.perf_counter()
    bound, why = -math.inf, ""
    chosen = {name: np.zeros(problem.steps, dtype=bool) for name in DIRECTIONS}
    while True:
        left = time_limit_s - (time.perf_counter() - started)
        result = opt.solve(
            m,
            time_limit=None if math.isinf(left) else max(left, 0.01),
            threads=1,
            load_solutions=False,
            raise_exception_on_nonoptimal_result=False,
            solver_options={"mip_rel_gap": 0.0, "mip_abs_gap": case_gap_eur(problem)},
        )
        stop = _STOPS.get(result.termination_condition, Stop.ERROR)
        why = str(result.termination_condition.name)
        usable = (SolutionStatus.optimal, SolutionStatus.feasible)
        if result.solution_status not in usable:
            return None, stop, why
        result.solution_loader.load_vars()
        values = _values(m, layout, v)
        proven = result.objective_bound
        if proven is None or not math.isfinite(proven):
            proven = result.incumbent_objective if stop is Stop.CONVERGED else -math.inf
        bound = max(bound, float(proven) + v.offset_eur)
        fresh = {name: both_ways(values, name) & ~chosen[name] for name in DIRECTIONS if name in values}
        if stop is not Stop.CONVERGED or not any(f.any() for f in fresh.values()):
            objective = float(result.incumbent_objective) + v.offset_eur
            return Solution(values=values, objective_eur=objective, bound_eur=bound), stop, why
        for name, slots in fresh.items():
            chosen[name] |= slots
            for p in v.ring.slots[slots]:
                m.component(name)[int(p)].domain = pyo.Binary


def _values(m: Model, layout: Layout, v: Vectors) -> dict[str, Array]:
    out = {}
    for name, size in layout.columns.items():
        flat = np.array([x if x is not None else 0.0 for x in (d.value for d in m.component(name).values())])
        out[name] = flat.reshape(size)[..., v.ring.slots]
    return out
