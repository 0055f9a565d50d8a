"""The same problem written in cvxpy: an independent statement of the model for when the Pyomo way fails.

Time runs straight here, and rooms are matrices, so nothing is shared with `solvers.model` but the numbers of a
problem. HiGHS solves it; if HiGHS fails, CLARABEL solves the relaxation.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace
from typing import Any

import cvxpy as cp
import numpy as np
from numpy.typing import NDArray

from models.errors import PemsError
from models.physics.hybrid import taper_mean_share, taper_slope_kw
from solvers.directions import both_ways
from solvers.finish import failed
from solvers.model.kept import Solution
from solvers.problem import PlanProblem
from solvers.pyomo_highs import case_gap_eur, result_of
from solvers.result import PlanResult, Stop, Timings
from solvers.thermal import room_step
from solvers.tiers import Tiers, soc_targets, tiers
from solvers.validate import validate

Array = NDArray[np.float64]

_OPTIMAL = (cp.OPTIMAL, cp.OPTIMAL_INACCURATE)


class CvxpyFallback:
    """Plans with cvxpy, building the problem each time."""

    name = "cvxpy"

    def solve(self, problem: PlanProblem, *, time_limit_s: float) -> PlanResult:
        """Plans one horizon; see `PyomoHighs.solve`."""
        started = time.perf_counter()
        try:
            validate(problem)
        except PemsError as error:
            return failed(problem, self.name, Stop.NOT_STARTED, str(error))
        built = _House(problem)
        ready = time.perf_counter()
        answer = built.search(time_limit_s)
        if answer is None:
            return failed(problem, self.name, Stop.ERROR, "neither HiGHS nor CLARABEL found a plan through cvxpy")
        solution, stop = answer
        solved = time.perf_counter()
        result = result_of(problem, solution, self.name, stop)
        done = time.perf_counter()
        timings = Timings(
            build_s=ready - started, solve_s=solved - ready, extract_s=done - solved, wall_s=done - started
        )
        return replace(result, timings=timings)


@dataclass(slots=True)
class _Parts:
    """What the assets contribute."""

    constraints: list[Any] = field(default_factory=list)
    cost: Any = 0.0
    columns: dict[str, Any] = field(default_factory=dict)


class _House:
    """One problem as a cvxpy problem."""

    def __init__(self, problem: PlanProblem) -> None:
        self._p, self._prices, self._parts = problem, tiers(problem), _Parts()
        self._binary: dict[str, NDArray[np.bool_]] = {}
        p, dt = problem, problem.dt_h
        heat = self._rooms()
        charge_ac, into_ac, from_sun = self._battery()
        pv_ac, curtailed = self._new("pv_ac", p.steps), self._new("curtailed", p.steps)
        grid = self._grid()
        if not p.pv_curtailable:
            earned = np.maximum(0.0, np.array(p.price_export))
            self._parts.cost += dt * ((self._prices.over_limit_eur_per_kwh - earned) @ curtailed)
        self._parts.constraints += [
            pv_ac + curtailed + from_sun == np.array(p.pv_kw),
            pv_ac + into_ac <= p.ac_limit_kw,
            grid + pv_ac + into_ac - charge_ac - heat == np.array(p.load_kw),
        ]

    def _new(self, name: str, *shape: int) -> Any:
        column = self._parts.columns[name] = cp.Variable(shape, nonneg=True, name=name)
        return column

    def _grid(self) -> Any:
        p, dt, parts = self._p, self._p.dt_h, self._parts
        imported, over, exported = (self._new(n, p.steps) for n in ("imported", "over", "exported"))
        prices_in, prices_out = np.array(p.price_import), np.array(p.price_export)
        parts.cost += dt * (prices_in @ (imported + over) - prices_out @ exported)
        parts.cost += dt * self._prices.over_limit_eur_per_kwh * cp.sum(over)
        allowed = np.array([p.import_allowed_kw(t) for t in range(p.steps)])
        parts.constraints += [imported <= allowed, exported <= np.array(p.export_allowed_kw)]
        if p.peak is not None:
            above = cp.pos(imported + over - p.peak.measured_kw)
            parts.cost += p.peak.eur_per_kw * (cp.max(above) if p.peak.once else cp.sum(above))
        net = imported + over - exported
        if p.phase_limit_kw is not None:
            beyond = self._new("phase_over", p.steps)
            parts.cost += dt * self._prices.over_limit_eur_per_kwh * cp.sum(beyond)
            spilled = 0.0 if p.pv_curtailable else parts.columns["curtailed"]
            if not p.rooms:
                parts.constraints.append((net - spilled) / 3.0 <= p.phase_limit_kw + beyond)
                return net
            heaters, duty = np.array([r.heater_kw for r in p.rooms]), parts.columns["duty"]
            for phase in (1, 2, 3):
                share = np.array([1.0 if r.phase == phase else 1 / 3 if r.phase == 0 else 0.0 for r in p.rooms])
                uneven = ((share - 1 / 3) * heaters) @ duty
                parts.constraints.append(uneven + (net - spilled) / 3.0 <= p.phase_limit_kw + beyond)
        return net

    def _battery(self) -> tuple[Any, Any, Any]:
        """AC power into the charger, AC power given, DC power taken."""
        p, b, parts = self._p, self._p.battery, self._parts
        zero = np.zeros(p.steps)
        if b is None:
            return zero, zero, zero
        pv, ac, give = (self._new(n, p.steps) for n in ("charge_pv", "charge_ac", "discharge"))
        soc = cp.Variable(p.steps, name="soc")
        before = cp.hstack([np.array([b.soc]), soc[:-1]]) if p.steps > 1 else np.array([b.soc])
        into = pv + ac
        parts.constraints += [
            soc == before + (into - give) * (p.dt_h / b.capacity_kwh),
            soc >= min(b.soc_min, b.soc),
            soc <= max(b.soc_max, b.soc),
            give <= b.discharge_kw,
            into <= b.charge_kw,
        ]
        if b.charge_kw > 0.0 and b.discharge_kw > 0.0:
            parts.constraints.append(into / b.charge_kw + give / b.discharge_kw <= 1.0)
        if b.composites:
            buys = [b.charge_kw if p.may_charge_from_grid(t) else 0.0 for t in range(p.steps)]
            parts.constraints.append(ac <= np.array(buys))
        slope = taper_slope_kw(b.charge_kw, b.taper_above_soc, b.taper_end_share)
        if slope > 0.0:
            share = taper_mean_share(slope, b.capacity_kwh, p.dt_h)
            parts.constraints.append(into <= share * (b.charge_kw - slope * (before - b.taper_above_soc)))
        parts.cost += p.dt_h * b.wear_eur_per_kwh * cp.sum(give)
        parts.cost -= self._prices.soc_end_eur_per_kwh * b.capacity_kwh * (soc[-1] - b.soc_min)
        self._targets(soc)
        return ac / b.eff_charge_ac, b.eff_discharge * give, pv / b.eff_charge_pv

    def _targets(self, soc: Any) -> None:
        p, b, targets = self._p, self._p.battery, soc_targets(self._p, self._prices)
        if b is None or targets is None:
            return
        short = self._new("short", p.steps)
        self._parts.constraints.append(soc + short >= np.array([t.soc for t in targets]))
        self._parts.cost += b.capacity_kwh * (np.array([t.miss_eur_per_kwh for t in targets]) @ short)

    def _rooms(self) -> Any:
        """Heating power."""
        p, parts, n = self._p, self._parts, len(self._p.rooms)
        if not n:
            return np.zeros(p.steps)
        duty = self._new("duty", n, p.steps)
        below, above = self._new("below", n, p.steps), self._new("above", n, p.steps)
        air, slab = cp.Variable((n, p.steps), name="air"), cp.Variable((n, p.steps), name="slab")
        m = _RoomMatrices(p)
        air_now, slab_now = np.array([[r.air_c] for r in p.rooms]), np.array([[r.slab_c] for r in p.rooms])
        air_before = cp.hstack([air_now, air[:, :-1]]) if p.steps > 1 else air_now
        slab_before = cp.hstack([slab_now, slab[:, :-1]]) if p.steps > 1 else slab_now
        lower = np.array([r.lower_c for r in p.rooms])
        upper = np.maximum(lower, np.array([r.upper_c for r in p.rooms]))
        parts.constraints += [
            air == m.air_air @ air_before + m.air_slab @ slab_before + m.air_duty @ duty + m.air_gain,
            slab == m.slab_air @ air_before + m.slab_slab @ slab_before + m.slab_duty @ duty + m.slab_gain,
            air + below >= lower,
            air - above <= upper,
            duty >= np.array([[r.duty_bounds(t)[0] for t in range(p.steps)] for r in p.rooms]),
            duty <= np.array([[r.duty_bounds(t)[1] for t in range(p.steps)] for r in p.rooms]),
        ]
        prices: Tiers = self._prices
        parts.cost += p.dt_h * prices.comfort_below_eur_per_kh * cp.sum(below)
        parts.cost += p.dt_h * prices.comfort_above_eur_per_kh * cp.sum(above)
        low = lower[:, -1]
        capacities = np.array([(r.air_kwh_per_k, r.slab_kwh_per_k) for r in p.rooms])
        left = capacities[:, 0] @ (air[:, -1] - low) + capacities[:, 1] @ (slab[:, -1] - low)
        parts.cost -= prices.heat_end_eur_per_kwh * left
        return np.array([r.heater_kw for r in p.rooms]) @ duty

    def search(self, time_limit_s: float) -> tuple[Solution, Stop] | None:
        """Solves; where both directions are used at once, again with a binary there, until none is."""
        started, bound = time.perf_counter(), -math.inf
        while True:
            problem = cp.Problem(cp.Minimize(self._parts.cost), self._parts.constraints)
            left = time_limit_s - (time.perf_counter() - started)
            if not _run(problem, left, case_gap_eur(self._p)):
                return None
            values = {n: np.asarray(c.value, dtype=float) for n, c in self._parts.columns.items()}
            converged = problem.status == cp.OPTIMAL
            objective = float(problem.value)
            if bound == -math.inf and converged:
                bound = objective  # of the relaxation: binaries only raise it
            if not (self._p.free and converged and self._separate(values)):
                return Solution(values=values, objective_eur=objective, bound_eur=bound), (
                    Stop.CONVERGED if converged else Stop.TIME_LIMIT
                )

    def _separate(self, values: dict[str, Array]) -> bool:
        p, b, more = self._p, self._p.battery, False
        assert b is not None
        c = self._parts.columns
        most = {"charges": (b.charge_kw, b.discharge_kw), "imports": (p.import_limit_kw, p.export_limit_kw)}
        flows = {
            "charges": (c["charge_pv"] + c["charge_ac"], c["discharge"]),
            "imports": (c["imported"], c["exported"]),
        }
        for name, (one, other) in flows.items():
            fresh = both_ways(values, name) & ~self._binary.get(name, np.zeros(p.steps, dtype=bool))
            if not fresh.any():
                continue
            slots = np.flatnonzero(fresh)
            chosen = cp.Variable(len(slots), boolean=True)
            first, second = most[name]
            self._parts.constraints += [one[slots] <= first * chosen, other[slots] <= second * (1 - chosen)]
            self._binary[name] = self._binary.get(name, np.zeros(p.steps, dtype=bool)) | fresh
            more = True
        return more


class _RoomMatrices:
    """All rooms as matrices: next state = matrices @ (air, slab, duty) + gains."""

    def __init__(self, p: PlanProblem) -> None:
        n = len(p.rooms)
        steps = [room_step(r, p.dt_h) for r in p.rooms]
        between, own = np.zeros((n, n)), np.zeros((n, p.steps))
        for i, room in enumerate(p.rooms):
            own[i] = room.ua_kw_per_k * np.array(p.outdoor_c) + np.array(room.sun_kw) + room.disturbance_kw
            for j, g in room.neighbours:
                between[i, j] += g
        heater = np.array([r.heater_kw for r in p.rooms])

        def part(table: str, row: int, column: int) -> Array:
            return np.array([getattr(s, table)[row][column] for s in steps])

        self.air_air = np.diag(part("e", 0, 0)) + part("f", 0, 0)[:, None] * between
        self.air_slab = np.diag(part("e", 0, 1))
        self.air_duty = np.diag(part("f", 0, 1) * heater)
        self.air_gain = part("f", 0, 0)[:, None] * own
        self.slab_air = np.diag(part("e", 1, 0)) + part("f", 1, 0)[:, None] * between
        self.slab_slab = np.diag(part("e", 1, 1))
        self.slab_duty = np.diag(part("f", 1, 1) * heater)
        self.slab_gain = part("f", 1, 0)[:, None] * own


def _run(problem: Any, time_limit_s: float, gap_eur: float) -> bool:
    options: dict[str, Any] = {"threads": 1, "mip_rel_gap": 0.0, "mip_abs_gap": gap_eur}
    if math.isfinite(time_limit_s):
        options["time_limit"] = max(time_limit_s, 0.01)
    whole = problem.is_mixed_integer()
    usable = (*_OPTIMAL, cp.USER_LIMIT) if whole else _OPTIMAL  # a search that is cut short has a plan, an LP a guess
    try:
        problem.solve(solver=cp.HIGHS, **options)
        if problem.status in usable and problem.value is not None:
            return True
    except cp.SolverError:
        pass
    if whole or problem.status == cp.USER_LIMIT:
        return False
    try:
        problem.solve(solver=cp.CLARABEL)
    except cp.SolverError:
        return False
    return problem.status in _OPTIMAL and problem.value is not None
