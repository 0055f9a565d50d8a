"""The dynamic program: stage costs and cost-to-go over (slot, option, age, SOC)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.physics.hybrid import Priority
from models.types.mode import Composite, InverterMode
from solvers.composites.bill import Array, Heat, SlotBill
from solvers.composites.options import ACTIVE, OPTIONS, REST, REST_OPTION, running_options
from solvers.inverter import array_flows
from solvers.problem import PlanProblem
from solvers.replay import Plant
from solvers.tiers import tiers

_GRID = 0.01  # of the SOC
_UNKNOWN_EUR = 100.0  # per slot of forced charging or selling at a price that is not known: never chosen freely
_BARRED_EUR = 1e4  # per slot: only taken where nothing else may run
_TIE_EUR = 1e-9


@dataclass(frozen=True, slots=True)
class Bar:
    """Options (as indices) that may not be chosen in slots start .. stop-1."""

    options: tuple[int, ...]
    start: int
    stop: int

    def forbids(self, slot: int, option: int) -> bool:
        return self.start <= slot < self.stop and option in self.options

    def meets(self, modes: Sequence[InverterMode]) -> bool:
        """Whether a sequence of modes holds what is barred."""
        composites = {OPTIONS[i].composite for i in self.options}
        return any(mode.composite in composites for mode in modes[self.start : self.stop])


class Table:
    """Stage costs, next SOCs and cost-to-go of one problem with its heating decided.

    Parameters
    ----------
    problem : PlanProblem
        With a battery.
    heat : Heat
        Decided.
    peak_kw : float
        Import that is reached anyway, for a price on power.
    barred : Bar, optional
        What may not run.
    like : Table, optional
        Of the same problem with the same heating: its stages are shared.
    beyond : (Table, int), optional
        From that slot on the problem is that table's: its cost-to-go is shared.
    """

    def __init__(
        self,
        problem: PlanProblem,
        heat: Heat,
        peak_kw: float,
        *,
        barred: Bar | None = None,
        like: Table | None = None,
        beyond: tuple[Table, int] | None = None,
    ) -> None:
        battery = problem.battery
        assert battery is not None
        self._p, self._b, self._prices, self._barred = problem, battery, tiers(problem), barred
        self._heat = heat.total_kw
        self._limits = problem.export_allowed_kw
        self._ages = max(1, problem.min_mode_slots)
        low = min(battery.soc_min, battery.soc)
        high = max(battery.soc_max, battery.soc, low + _GRID)  # a window without width still needs two points
        self._grid = np.linspace(low, high, max(2, math.ceil((high - low) / _GRID - 1e-9) + 1))
        self._per_cell = 1.0 / (self._grid[1] - self._grid[0])
        self._bill = SlotBill(problem, battery, heat, self._prices, peak_kw)
        self._stages: tuple[Array, NDArray[np.intp], Array] = self._staged() if like is None else like._stages
        self._after = self._solve(beyond)

    def _solve(self, beyond: tuple[Table, int] | None) -> Array:
        """Cost-to-go after each slot, by (slot, option, age in it, SOC at its end)."""
        p, grid, ages = self._p, self._grid, self._ages
        cost, cell, weight = self._stages
        if self._barred is not None:
            cost = cost.copy()
            cost[self._barred.start : self._barred.stop, list(self._barred.options)] += _BARRED_EUR
        n = len(grid)
        base = (np.arange(len(OPTIONS) * ages) * n).reshape(len(OPTIONS), ages, 1)
        after = np.empty((p.steps, len(OPTIONS), ages, n))
        older = np.minimum(np.arange(ages) + 1, ages - 1)

        def slot(t: int) -> Array:
            """Cost-to-go before a slot from that after it."""
            w, at = after[t], base + cell[t][:, None, :]
            left = np.take(w, at)
            return np.asarray(cost[t][:, None, :] + left + weight[t][:, None, :] * (np.take(w, at + 1) - left))

        if beyond is None:
            worth = self._prices.soc_end_eur_per_kwh * self._b.capacity_kwh
            now = np.broadcast_to(-worth * (grid - self._b.soc_min), (len(OPTIONS), ages, n)).copy()
            until = p.steps
        else:
            other, until = beyond
            after[until:] = other._after[until:]
            now = slot(until)
        for t in range(until - 1, -1, -1):
            w = after[t]
            w[:] = now[:, older]
            np.minimum(w[:, -1], now[:, 0].min(axis=0) + p.calm.mode_change_eur, out=w[:, -1])
            for i in ACTIVE:
                np.minimum(w[i], now[REST, older], out=w[i])
            now = slot(t)
        return after

    def _staged(self) -> tuple[Array, NDArray[np.intp], Array]:
        """Cost of each (slot, option, SOC), and where on the grid it ends: cell and share towards its upper end."""
        p, b = self._p, self._b
        pv, load = np.array(p.pv_kw)[:, None], (np.array(p.load_kw) + self._heat)[:, None]
        limit = np.array(self._limits if p.pv_curtailable else [1e6] * p.steps)[:, None]
        costs, ends = [], []
        for option in OPTIONS:
            if option == REST_OPTION:
                kind, stop, ac = Priority.BATTERY_FIRST, self._grid, False
            elif option.composite is Composite.CHARGE_FROM_GRID:
                kind, stop, ac = Priority.BATTERY_FIRST, np.array(b.soc_max), True
            elif option.composite is Composite.DISCHARGE_TO_GRID:
                kind, stop, ac = Priority.GRID_FIRST, np.array(b.soc_min), False
            else:
                kind, stop, ac = Priority.LOAD_FIRST, np.array(b.soc_min), False
            f = array_flows(
                kind,
                stop_soc=stop,
                rate=option.rate or 1.0,
                ac_charge=ac,
                pv_kw=pv,
                load_kw=load,
                soc=self._grid,
                battery=b,
                ac_limit_kw=p.ac_limit_kw,
                export_limit_kw=limit,
                dt_h=p.dt_h,
            )
            end = self._grid + f.battery_kw * (p.dt_h / b.capacity_kwh)
            cost = self._bill.all_slots(f, self._grid, end)
            if option.rate is not None:
                cost += np.where(np.array(p.price_known), 0.0, _UNKNOWN_EUR)[:, None]
            costs.append(cost)
            ends.append(end)
        x = (np.stack(ends, axis=1) - self._grid[0]) * self._per_cell
        cell = np.clip(x.astype(np.intp), 0, len(self._grid) - 2)
        return np.stack(costs, axis=1), cell, np.clip(x - cell, 0.0, 1.0)

    def roll_out(self, begun: Sequence[InverterMode], soc: float) -> list[int]:
        """Follows the best choices from the true SOC after the slots that are decided."""
        p = self._p
        plant = Plant(p)
        running, age = running_options(p, begun)
        option = running[0] if running else None
        chosen: list[int] = []
        for t in range(len(begun), p.steps):
            best: tuple[float, int, int, float] | None = None
            rates = running[1:] if t == len(begun) else ()
            for value, o, a, end in self._values(plant, t, option, rates, age, soc):
                if best is None or value < best[0] - _TIE_EUR:
                    best = (value, o, a, end)
            assert best is not None
            _, option, age, soc = best
            age += 1
            chosen.append(option)
        return chosen

    def value(self, begun: Sequence[InverterMode], soc: float) -> float:
        """Cost from the first slot that is free on, from the true SOC."""
        p, t = self._p, len(begun)
        if t >= p.steps:
            return 0.0
        running, age = running_options(p, begun)
        option = running[0] if running else None
        return min(value for value, *_ in self._values(Plant(p), t, option, running[1:], age, soc))

    def _values(
        self, plant: Plant, t: int, option: int | None, rates: Sequence[int], age: int, soc: float
    ) -> Iterator[tuple[float, int, int, float]]:
        """What each choice for a slot comes to: (cost from here on, option, age at its start, SOC at its end).

        `rates`: other options that may be what runs, because its rate is not known and so none to keep.
        """
        choice = self._candidates(option, age) + [(o, min(age, self._ages - 1), 0.0) for o in rates]
        for o, a, price in choice:
            end, cost = self._try(plant, t, o, soc)
            yield price + cost + self._to_go(t, o, a, end), o, a, end

    def _candidates(self, option: int | None, age: int) -> list[tuple[int, int, float]]:
        """What may run next: (option, age at its start, price of the change), the cheapest habit first."""
        if option is None:
            return [(o, 0, 0.0) for o in range(len(OPTIONS))]
        last = self._ages - 1
        out = [(option, min(age, last), 0.0)]
        if option in ACTIVE:
            out.append((REST, min(age, last), 0.0))
        if age >= self._ages:
            change = self._p.calm.mode_change_eur
            out += [(o, 0, change) for o in range(len(OPTIONS)) if o != option]
        return out

    def _try(self, plant: Plant, t: int, o: int, soc: float) -> tuple[float, float]:
        option, p = OPTIONS[o], self._p
        # The dynamic program rests at exactly the live SOC; the register's whole percent comes with the labels.
        mode = InverterMode(composite=option.composite, rate=option.rate, stop_soc=soc if o == REST else None)
        step = plant.step(t, mode, self._limits[t], p.load_kw[t] + float(self._heat[t]), soc)
        cost = self._bill.one_slot(t, step, soc)
        if option.rate is not None and not p.price_known[t]:
            cost += _UNKNOWN_EUR
        if self._barred is not None and self._barred.forbids(t, o):
            cost += _BARRED_EUR
        return step.soc, cost

    def _to_go(self, t: int, o: int, age: int, soc: float) -> float:
        x = (soc - self._grid[0]) * self._per_cell
        cell = min(max(int(x), 0), len(self._grid) - 2)
        row = self._after[t, o, age]
        share = min(max(x - cell, 0.0), 1.0)
        return float(row[cell] + share * (row[cell + 1] - row[cell]))
