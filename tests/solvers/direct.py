"""The relaxation of a planning problem written a second time, with highspy alone: what the kept model is held to.

Nothing of `solvers.model` is used, and the statement differs wherever it may: time runs straight, states are absolute
(SOC, degC), the battery's directions are a hull without indicator columns, the exact step of a room comes from the
eigenvalues of its two masses, and the instance is new for each problem. Shared are the numbers that define what is
asked: `PlanProblem` and the prices of `solvers.tiers`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import highspy
import numpy as np
from numpy.typing import NDArray

from models.types.mode import Composite
from solvers.problem import BatteryProblem, PlanProblem, RoomProblem
from solvers.tiers import soc_targets, tiers

Array = NDArray[np.float64]
Terms = list[tuple[int, float]]  # (column, coefficient)

INF = math.inf


@dataclass(slots=True)
class Lp:
    """A linear program as it grows: columns with costs and bounds, rows with two limits."""

    cost: list[float] = field(default_factory=list)
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)
    rows: list[Terms] = field(default_factory=list)
    row_low: list[float] = field(default_factory=list)
    row_high: list[float] = field(default_factory=list)
    constant: float = 0.0

    def column(self, *, cost: float = 0.0, low: float = 0.0, high: float = INF) -> int:
        """A new column."""
        self.cost.append(cost)
        self.low.append(low)
        self.high.append(high)
        return len(self.cost) - 1

    def equal(self, terms: Terms, value: float) -> None:
        """A new equation."""
        self._row(terms, value, value)

    def at_most(self, terms: Terms, value: float) -> None:
        """A new inequality."""
        self._row(terms, -INF, value)

    def _row(self, terms: Terms, low: float, high: float) -> None:
        self.rows.append(terms)
        self.row_low.append(low)
        self.row_high.append(high)

    def to_highs(self) -> highspy.HighsLp:
        """The same as HiGHS takes it, row by row; a column that a row names twice is added up."""
        start, index, value = [0], list[int](), list[float]()
        for terms in self.rows:
            summed: dict[int, float] = {}
            for column, factor in terms:
                summed[column] = summed.get(column, 0.0) + factor
            index += summed.keys()
            value += summed.values()
            start.append(len(index))
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_, lp.offset_ = len(self.cost), len(self.rows), self.constant
        lp.col_cost_, lp.col_lower_, lp.col_upper_ = np.array(self.cost), np.array(self.low), np.array(self.high)
        lp.row_lower_, lp.row_upper_ = np.array(self.row_low), np.array(self.row_high)
        lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        lp.a_matrix_.start_ = np.array(start, dtype=np.int32)
        lp.a_matrix_.index_ = np.array(index, dtype=np.int32)
        lp.a_matrix_.value_ = np.array(value)
        return lp


@dataclass(frozen=True, slots=True, kw_only=True)
class Direct:
    """The optimum of a relaxation; series in order of time, rooms first where there are rooms."""

    objective_eur: float
    values: dict[str, Array]


class DirectHouse:
    """One problem as a linear program.

    Parameters
    ----------
    problem : PlanProblem
        A well-formed one.
    """

    def __init__(self, problem: PlanProblem) -> None:
        self.lp, self._p, self._prices = Lp(), problem, tiers(problem)
        self._series: dict[str, list[int]] = {}  # columns by name and slot
        self._tables: dict[str, list[list[int]]] = {}  # by name, room and slot
        n = problem.steps
        # What each asset takes from (+) or gives to (-) the AC side, and takes from the DC side, per slot.
        self._ac: list[Terms] = [[] for _ in range(n)]
        self._dc: list[Terms] = [[] for _ in range(n)]
        self._inverter_out: list[Terms] = [[] for _ in range(n)]
        if problem.battery is not None:
            self._battery(problem.battery)
        self._sun()
        duty = self._rooms()
        net = self._grid()
        self._phases(duty, net)

    def _named(self, name: str, columns: list[int]) -> list[int]:
        self._series[name] = columns
        return columns

    def _battery(self, b: BatteryProblem) -> None:
        p, lp, n = self._p, self.lp, self._p.steps
        held = p.mode_now.composite if p.mode_now is not None and not p.free else None
        rests = held in (Composite.HOLD, Composite.SELL_PRODUCTION) and b.battery_first_draw_kw > 0.0
        forced = p.mode_forced_slots if rests or held is Composite.CHARGE_FROM_GRID else 0
        buys = [b.charge_kw if k or p.free or t < forced else 0.0 for t, k in enumerate(p.price_known)]
        sun = self._named("charge_pv", [lp.column(high=b.charge_kw) for _ in range(n)])
        grid = self._named("charge_ac", [lp.column(high=kw) for kw in buys])
        wear = p.dt_h * b.wear_eur_per_kwh
        give = self._named("discharge", [lp.column(cost=wear, high=b.discharge_kw) for _ in range(n)])
        low, high = min(b.soc_min, b.soc), max(b.soc_max, b.soc)
        soc = self._named("soc", [lp.column(low=low, high=high) for _ in range(n)])
        share = p.dt_h / b.capacity_kwh
        tapers = b.charge_kw > 0.0 and b.taper_above_soc < 1.0 and b.taper_end_share < 1.0
        for t in range(n):
            now, moved = (b.soc, Terms()) if t == 0 else (0.0, [(soc[t - 1], -1.0)])
            lp.equal([(soc[t], 1.0), *moved, (sun[t], -share), (grid[t], -share), (give[t], share)], now)
            if b.charge_kw > 0.0 and b.discharge_kw > 0.0:
                into = [(sun[t], 1.0 / b.charge_kw), (grid[t], 1.0 / b.charge_kw)]
                lp.at_most([*into, (give[t], 1.0 / b.discharge_kw)], 1.0)
            else:
                lp.at_most([(sun[t], 1.0), (grid[t], 1.0)], b.charge_kw)
            if tapers:
                lost = b.charge_kw * (1.0 - b.taper_end_share) / (1.0 - b.taper_above_soc)
                k = lost * share  # how far the power decays along the taper in a slot
                mean = (1.0 - math.exp(-k)) / k
                most = mean * (b.charge_kw + lost * b.taper_above_soc)
                state = [(soc[t - 1], mean * lost)] if t else []
                lp.at_most([(sun[t], 1.0), (grid[t], 1.0), *state], most - (0.0 if t else mean * lost * b.soc))
            self._ac[t] += [(grid[t], 1.0 / b.eff_charge_ac), (give[t], -b.eff_discharge)]
            self._dc[t] += [(sun[t], 1.0 / b.eff_charge_pv)]
            self._inverter_out[t] += [(give[t], b.eff_discharge)]
        worth = self._prices.soc_end_eur_per_kwh * b.capacity_kwh
        lp.cost[soc[-1]] -= worth
        lp.constant += worth * b.soc_min
        for t, target in enumerate(soc_targets(p, self._prices) or ()):
            short = lp.column(cost=target.miss_eur_per_kwh * b.capacity_kwh)
            lp.at_most([(soc[t], -1.0), (short, -1.0)], -target.soc)

    def _sun(self) -> None:
        p, lp = self._p, self.lp
        over = self._prices.over_limit_eur_per_kwh
        used = self._named("pv_ac", [lp.column() for _ in range(p.steps)])
        price = [0.0 if p.pv_curtailable else p.dt_h * (over - max(0.0, earned)) for earned in p.price_export]
        lost = self._named("curtailed", [lp.column(cost=eur) for eur in price])
        for t in range(p.steps):
            lp.equal([(used[t], 1.0), (lost[t], 1.0), *self._dc[t]], p.pv_kw[t])
            lp.at_most([(used[t], 1.0), *self._inverter_out[t]], p.ac_limit_kw)
            self._ac[t].append((used[t], -1.0))

    def _grid(self) -> list[Terms]:
        """Closes the AC side; returns what is imported less what is exported, per slot."""
        p, lp, n = self._p, self.lp, self._p.steps
        over_eur = self._prices.over_limit_eur_per_kwh
        buy = [lp.column(cost=p.dt_h * eur, high=p.import_allowed_kw(t)) for t, eur in enumerate(p.price_import)]
        over = [lp.column(cost=p.dt_h * (eur + over_eur)) for eur in p.price_import]
        sold = zip(p.price_export, p.export_allowed_kw, strict=True)
        sell = [lp.column(cost=-p.dt_h * eur, high=kw) for eur, kw in sold]
        self._named("imported", buy)
        self._named("over", over)
        self._named("exported", sell)
        for t in range(n):
            lp.equal([(buy[t], 1.0), (over[t], 1.0), (sell[t], -1.0), *_times(self._ac[t], -1.0)], p.load_kw[t])
            if p.free and p.import_limit_kw > 0.0 and p.export_limit_kw > 0.0:
                lp.at_most([(buy[t], 1.0 / p.import_limit_kw), (sell[t], 1.0 / p.export_limit_kw)], 1.0)
        if p.peak is not None:
            one = lp.column(cost=p.peak.eur_per_kw) if p.peak.once else -1
            for t in range(n):
                above = one if p.peak.once else lp.column(cost=p.peak.eur_per_kw)
                lp.at_most([(buy[t], 1.0), (over[t], 1.0), (above, -1.0)], p.peak.measured_kw)
        return [[(buy[t], 1.0), (over[t], 1.0), (sell[t], -1.0)] for t in range(n)]

    def _phases(self, duty: Sequence[Sequence[int]], net: Sequence[Terms]) -> None:
        """What flows at the connection, less the heaters, is even; heaters load their own phase, or all three."""
        p, lp = self._p, self.lp
        if p.phase_limit_kw is None:
            return
        for t in range(p.steps):
            beyond = lp.column(cost=p.dt_h * self._prices.over_limit_eur_per_kwh)
            even = _times(net[t], 1.0 / 3.0)
            if not p.pv_curtailable:
                even.append((self._series["curtailed"][t], -1.0 / 3.0))
            even += [(on[t], -r.heater_kw / 3.0) for r, on in zip(p.rooms, duty, strict=True)]
            for phase in (1, 2, 3):
                own = {0: 1.0 / 3.0, phase: 1.0}
                mine = [(on[t], own.get(r.phase, 0.0) * r.heater_kw) for r, on in zip(p.rooms, duty, strict=True)]
                lp.at_most([*even, *mine, (beyond, -1.0)], p.phase_limit_kw)

    def _rooms(self) -> list[list[int]]:
        """Air and slab of every room; returns the columns of their duties."""
        p, lp, n = self._p, self.lp, self._p.steps
        below_eur = p.dt_h * self._prices.comfort_below_eur_per_kh
        above_eur = p.dt_h * self._prices.comfort_above_eur_per_kh
        air = [[lp.column(low=-INF) for _ in range(n)] for _ in p.rooms]
        slab = [[lp.column(low=-INF) for _ in range(n)] for _ in p.rooms]
        duty = [[lp.column(low=low, high=high) for low, high in map(r.duty_bounds, range(n))] for r in p.rooms]
        self._tables |= {"air": air, "slab": slab, "duty": duty}
        for i, room in enumerate(p.rooms):
            kept, driven = exact_step(room, p.dt_h)
            for t in range(n):
                for state, column in ((0, air[i][t]), (1, slab[i][t])):
                    terms, known = [(column, 1.0)], 0.0
                    gain = float(driven[state, 0])
                    known += gain * (room.ua_kw_per_k * p.outdoor_c[t] + room.sun_kw[t] + room.disturbance_kw)
                    terms.append((duty[i][t], -float(driven[state, 1]) * room.heater_kw))
                    before = [(air, i, float(kept[state, 0])), (slab, i, float(kept[state, 1]))]
                    before += [(air, j, gain * g) for j, g in room.neighbours]
                    for table, j, factor in before:
                        if t:
                            terms.append((table[j][t - 1], -factor))
                        else:
                            known += factor * (p.rooms[j].air_c if table is air else p.rooms[j].slab_c)
                    lp.equal(terms, known)
                low = room.lower_c[t]
                lp.at_most([(air[i][t], -1.0), (lp.column(cost=below_eur), -1.0)], -low)
                lp.at_most([(air[i][t], 1.0), (lp.column(cost=above_eur), -1.0)], max(low, room.upper_c[t]))
                self._ac[t].append((duty[i][t], room.heater_kw))
            worth, edge = self._prices.heat_end_eur_per_kwh, room.lower_c[-1]
            lp.cost[air[i][-1]] -= worth * room.air_kwh_per_k
            lp.cost[slab[i][-1]] -= worth * room.slab_kwh_per_k
            lp.constant += worth * (room.air_kwh_per_k + room.slab_kwh_per_k) * edge
        return duty

    def close(self, name: str, slot: int) -> None:
        """Lets a column of the house carry nothing in one slot: how directions are tried one by one."""
        self.lp.high[self._series[name][slot]] = 0.0

    def optimum(self) -> float:
        """Objective of the best point [EUR]; infinite where there is none."""
        h = self._run()
        if h.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return INF
        return float(h.getInfo().objective_function_value)

    def solve(self) -> Direct:
        """Solves it from scratch, with HiGHS's own presolve and tolerances a hundredth of the usual.

        Raises
        ------
        AssertionError
            HiGHS finds no optimum: there always is one.
        """
        h = self._run()
        status = h.getModelStatus()
        assert status == highspy.HighsModelStatus.kOptimal, status
        point = np.array(h.getSolution().col_value)
        values = {name: point[np.array(columns, dtype=np.intp)] for name, columns in self._series.items()}
        values |= {name: point[np.array(table, dtype=np.intp)] for name, table in self._tables.items() if table}
        return Direct(objective_eur=float(h.getInfo().objective_function_value), values=values)

    def _run(self) -> highspy.Highs:
        """At such tolerances the dual simplex method gives up now and then after presolve, never without."""
        h = highspy.Highs()
        h.setOptionValue("output_flag", False)
        h.setOptionValue("threads", 1)
        for name in ("primal_feasibility_tolerance", "dual_feasibility_tolerance"):
            h.setOptionValue(name, 1e-9)
        for presolve in ("on", "off"):
            h.setOptionValue("presolve", presolve)
            h.passModel(self.lp.to_highs())
            h.run()
            if h.getModelStatus() in (highspy.HighsModelStatus.kOptimal, highspy.HighsModelStatus.kInfeasible):
                break
        return h


def solve(problem: PlanProblem) -> Direct:
    """The relaxation of a problem, from scratch."""
    return DirectHouse(problem).solve()


def exact_step(room: RoomProblem, dt_h: float) -> tuple[Array, Array]:
    """Next (air, slab) from the ones before and from the powers into air and slab, held over the slot; 2 x 2 each.

    Two masses that exchange heat and lose some have real eigenvalues <= 0; a mode with eigenvalue r keeps exp(r dt) of
    itself and takes in (exp(r dt) - 1) / r of what drives it.
    """
    out = room.ua_kw_per_k + sum(g for _, g in room.neighbours)
    between = room.slab_air_kw_per_k
    capacity = np.array([room.air_kwh_per_k, room.slab_kwh_per_k])
    flow = np.array([[-(between + out), between], [between, -between]])  # kW per K, symmetric
    scale = 1.0 / np.sqrt(capacity)
    rates, modes = np.linalg.eigh(scale[:, None] * flow * scale[None, :])
    kept = np.exp(rates * dt_h)
    taken = np.array([math.expm1(r * dt_h) / r if abs(r) > 1e-12 else dt_h for r in rates])
    into, back = scale[:, None] * modes, modes.T / scale[None, :]
    return (into * kept) @ back, ((into * taken) @ back) / capacity[None, :]


def _times(terms: Sequence[tuple[int, float]], factor: float) -> Terms:
    return [(column, value * factor) for column, value in terms]
