"""The planner: one Pyomo model per shape, kept in HiGHS, then the exact choice of composites."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import replace

import numpy as np
from highspy import HighsModelStatus as Status

from models.errors import PemsError
from solvers.adapt import REFINE_ABOVE_EUR, Adapter
from solvers.commitment import keep_to_it
from solvers.composites.choose import choose_modes
from solvers.directions import separate
from solvers.finish import Verdict, failed, finish, free_modes
from solvers.free import duties, free_trajectory
from solvers.model.frame import shape_of
from solvers.model.kept import KeptModel, Limits, Solution
from solvers.problem import PlanProblem
from solvers.result import PlanResult, Stop, Timings
from solvers.validate import validate

_KEPT_SHAPES = 2  # of 45 MB each for 17 rooms
_LEAST_S = 0.01
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
    search_s : float
        Seconds for proving a planning case with negative prices optimal, after a point that nearly always is was found.
    """

    name = "pyomo_highs"

    def __init__(
        self,
        *,
        simplex_iterations: int = 2_000_000,
        nodes: int = 200_000,
        refine_above_eur: float = REFINE_ABOVE_EUR,
        search_s: float = 2.0,
    ) -> None:
        self._iterations, self._nodes, self._refine_above = simplex_iterations, nodes, refine_above_eur
        self._search_s = search_s
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
        model, build_s = self.model_of(problem)
        limits = self._limits(problem, time_limit_s - (time.perf_counter() - started))
        solution = model.solve(problem, limits)
        if solution.usable and problem.free:
            solution = separate(model, problem, solution, limits, search_s=self._search_s)
        stop = STOPS.get(solution.status, Stop.ERROR)
        if not solution.usable:
            if stop not in (Stop.TIME_LIMIT, Stop.NODE_LIMIT):  # who ran out of them goes on there next time
                self._kept.pop(model.shape, None)  # anything else starts afresh: a basis that led here is no help
            return failed(problem, self.name, stop, f"HiGHS stopped: {solution.status.name[1:]}")
        solved = time.perf_counter()
        result = result_of(problem, solution, self.name, stop)
        peak_kw = highest_import_kw(problem, solution)
        limits = self._limits(problem, time_limit_s - (solved - started))
        adapter = Adapter(
            problem, lambda fixed, left_s: model.refine(fixed, replace(limits, time_s=left_s)), limits.time_s,
            peak_kw=peak_kw, refine_above_eur=self._refine_above,
        )
        best = adapter.improve(result)
        result = keep_to_it(problem, best, lambda begun: adapter.beginning(best, begun))
        again_s = adapter.solve_s
        done = time.perf_counter()
        timings = Timings(
            build_s=build_s,
            update_s=solution.update_s,
            solve_s=solution.solve_s + again_s,
            extract_s=done - solved - again_s,
            wall_s=done - started,
        )
        return replace(result, timings=timings)

    def model_of(self, problem: PlanProblem) -> tuple[KeptModel, float]:
        """The kept model of the problem's shape, and what building it took [s]: 0 if it was there."""
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
            time_s=max(time_limit_s, _LEAST_S),
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


def highest_import_kw(problem: PlanProblem, solution: Solution) -> float:
    """What a price on power leaves of the highest import; 0 where there is none."""
    if problem.peak is None:
        return 0.0
    return float(np.max(solution.values["imported"] + solution.values["over"]))


def result_of(problem: PlanProblem, solution: Solution, maker: str, stop: Stop) -> PlanResult:
    """Turns a solution of the relaxation into a plan that the inverter executes (or free flows, in planning cases)."""
    duty = duties(problem, solution.values)
    rows = [tuple(row) for row in duty.tolist()]
    b, free = problem.battery, problem.free
    saves = solution.soc_dual_eur
    marginal = () if b is None or saves is None else tuple((saves / b.capacity_kwh).tolist())
    peak_kw = highest_import_kw(problem, solution)
    return finish(
        problem,
        Verdict(maker=maker, stop=stop, bound_eur=solution.bound_eur, marginal_eur_per_kwh=marginal),
        modes=free_modes(problem) if free else choose_modes(problem, duty, peak_kw=peak_kw),
        export_limit_kw=problem.export_allowed_kw,
        duty=rows,
        trajectory=free_trajectory(problem, solution.values, rows) if free else None,
    )
