"""The planner: one Pyomo model per shape, kept in HiGHS, then the exact choice of composites."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from highspy import HighsModelStatus as Status

from models.errors import PemsError
from solvers.account import mode_changes
from solvers.composites import choose_modes
from solvers.finish import Verdict, failed, finish, free_modes
from solvers.free import free_trajectory
from solvers.model.frame import Array, shape_of
from solvers.model.kept import KeptModel, Limits, Solution
from solvers.problem import PlanProblem
from solvers.result import PlanResult, Stop, Timings
from solvers.validate import validate

_KEPT_SHAPES = 4
_CASE_GAP_SHARE = 1e-5  # of the money at stake: what a planning case may be away from its exact optimum

STOPS = {
    Status.kOptimal: Stop.CONVERGED,
    Status.kTimeLimit: Stop.TIME_LIMIT,
    Status.kIterationLimit: Stop.NODE_LIMIT,
    Status.kSolutionLimit: Stop.NODE_LIMIT,
}


class PyomoHighs:
    """Plans with kept models; the first plan of a shape builds one (about a second for 17 rooms over 48 h).

    Parameters
    ----------
    simplex_iterations, nodes : int
        Limits that do not depend on the machine, for runs that must be a function of their seed.
    refine_above_eur : float
        What choosing composites may cost beyond their price of change before heating is adapted to them, at the cost
        of another, smaller solve.
    """

    name = "pyomo_highs"

    def __init__(
        self, *, simplex_iterations: int = 2_000_000, nodes: int = 200_000, refine_above_eur: float = 0.03
    ) -> None:
        self._iterations, self._nodes, self._refine_above = simplex_iterations, nodes, refine_above_eur
        self._kept: OrderedDict[object, KeptModel] = OrderedDict()

    def solve(self, problem: PlanProblem, *, time_limit_s: float) -> PlanResult:
        """Plans one horizon.

        Parameters
        ----------
        problem : PlanProblem
            The house, its state, forecasts and prices.
        time_limit_s : float
            For HiGHS; `math.inf` in simulations.

        Returns
        -------
        PlanResult
            `FAILED` with one line of reason where there is no plan.
        """
        started = time.perf_counter()
        try:
            validate(problem)
        except PemsError as error:
            return failed(problem, self.name, Stop.NOT_STARTED, str(error))
        model, build_s = self._model(problem)
        limits = self._limits(problem, time_limit_s)
        solution = model.solve(problem, limits)
        stop = STOPS.get(solution.status, Stop.ERROR)
        if not solution.usable:
            self._kept.pop(model.shape, None)  # start afresh: a basis that led here is no help
            return failed(problem, self.name, stop, f"HiGHS stopped: {solution.status.name[1:]}")
        solved = time.perf_counter()
        result = result_of(problem, solution, self.name, stop)
        result, again_s = self._refined(problem, model, limits, result)
        done = time.perf_counter()
        timings = Timings(
            build_s=build_s,
            update_s=solution.update_s,
            solve_s=solution.solve_s + again_s,
            extract_s=done - solved - again_s,
            wall_s=done - started,
        )
        return replace(result, timings=timings)

    def _refined(
        self, problem: PlanProblem, model: KeptModel, limits: Limits, result: PlanResult
    ) -> tuple[PlanResult, float]:
        """Heating adapted to the battery's composites, where that is worth it; and the seconds it took."""
        b = problem.battery
        calm = problem.calm.mode_change_eur * mode_changes(problem, result.modes)
        if b is None or problem.free or not problem.rooms or result.gap_eur - calm <= self._refine_above:
            return result, 0.0
        fixed = {"soc": np.array(result.soc), "discharge": np.array(result.discharge_kw)}
        solution = model.refine(fixed, limits)
        if not solution.usable:
            return result, solution.solve_s
        again = finish(
            problem,
            Verdict(
                maker=self.name,
                stop=result.stop,
                bound_eur=result.bound_eur,
                marginal_eur_per_kwh=result.marginal_eur_per_kwh,
            ),
            modes=result.modes,
            export_limit_kw=result.export_limit_kw,
            duty=[tuple(row) for row in _duty(problem, solution.values).tolist()],
        )
        return (again if again.objective_eur < result.objective_eur else result), solution.solve_s

    def _model(self, problem: PlanProblem) -> tuple[KeptModel, float]:
        shape = shape_of(problem)
        model = self._kept.get(shape)
        if model is not None:
            self._kept.move_to_end(shape)
            return model, 0.0
        while len(self._kept) >= _KEPT_SHAPES:
            self._kept.popitem(last=False)
        model = self._kept[shape] = KeptModel(shape)
        return model, model.build_s

    def _limits(self, problem: PlanProblem, time_limit_s: float) -> Limits:
        return Limits(
            time_s=time_limit_s,
            simplex_iterations=self._iterations,
            nodes=self._nodes,
            gap_abs_eur=case_gap_eur(problem),
        )


def case_gap_eur(problem: PlanProblem) -> float:
    """Gap at which a search over directions may stop: small against the money that the battery can move."""
    b = problem.battery
    if b is None:
        return 1e-6
    spread = max(problem.price_import) - min(problem.price_export)
    days = problem.steps * problem.dt_h / 24.0
    return max(1e-6, _CASE_GAP_SHARE * spread * b.capacity_kwh * (b.soc_max - b.soc_min) * days)


def result_of(problem: PlanProblem, solution: Solution, maker: str, stop: Stop) -> PlanResult:
    """Turns a solution of the relaxation into a plan that the inverter executes (or free flows, in planning cases)."""
    duty = _duty(problem, solution.values)
    rows = [tuple(row) for row in duty.tolist()]
    b, free = problem.battery, problem.free
    marginal = () if b is None else tuple((solution.soc_dual_eur / b.capacity_kwh).tolist())
    return finish(
        problem,
        Verdict(maker=maker, stop=stop, bound_eur=solution.bound_eur, marginal_eur_per_kwh=marginal),
        modes=free_modes(problem) if free else choose_modes(problem, duty),
        export_limit_kw=problem.export_allowed_kw,
        duty=rows,
        trajectory=free_trajectory(problem, solution.values, rows) if free else None,
    )


def _duty(problem: PlanProblem, values: Mapping[str, Array]) -> Array:
    """Duties within 0 .. 1, rounding of the simplex method removed."""
    if not problem.rooms:
        return np.zeros((0, problem.steps))
    return np.asarray(np.clip(np.round(values["duty"], 9), 0.0, 1.0))
