"""From power flows to what the inverter executes: an exact dynamic program over composites.

Heating and base load are fixed; what is left is one stored quantity and a choice among few modes, which a dynamic
program over (slot, running option, slots it has run, SOC in steps of about 1 %) solves exactly, dwell times, price per
change, wear, taper and soft targets included. Binaries for the same logic take a MILP solver minutes.

A charge or discharge option that stops early rests: battery first at its stop SOC, and grid first at its, neither
charge nor discharge. So resting after either belongs to the same run, for the stop SOC that ends it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.physics.hybrid import Priority
from models.types.mode import REGULAR, Composite, InverterMode
from models.units import floor_percent
from solvers.inverter import ArrayFlows, array_flows
from solvers.problem import BatteryProblem, PlanProblem
from solvers.replay import Plant, PlantStep, pinned
from solvers.tiers import Tiers, base_target, soc_targets, tiers

Array = NDArray[np.float64]

_GRID = 0.01  # of the SOC
_UNKNOWN_EUR = 100.0  # per slot of forced charging or selling at a price that is not known: never chosen freely
_TIE_EUR = 1e-9
_FULL = 0.005  # SOC: this close to the top of the window a charge means "full"
_SELLING_KW = 0.05
_NEAR_SOC = 0.031  # stop SOCs closer than this are not worth a write


@dataclass(frozen=True, slots=True)
class Option:
    """One thing the inverter can be doing."""

    composite: Composite
    rate: float | None = None


RESTING = Option(Composite.HOLD)
OPTIONS: tuple[Option, ...] = (
    Option(Composite.REGULAR),  # first: ties go to it, since it follows the real load within a slot
    RESTING,
    Option(Composite.CHARGE_FROM_GRID, 0.5),
    Option(Composite.CHARGE_FROM_GRID, 1.0),
    Option(Composite.DISCHARGE_TO_GRID, 0.5),
    Option(Composite.DISCHARGE_TO_GRID, 1.0),
)
_REST = OPTIONS.index(RESTING)
_ACTIVE = tuple(i for i, o in enumerate(OPTIONS) if o.rate is not None)


def choose_modes(
    problem: PlanProblem, duty: Array, *, peak_kw: float = 0.0, begun: Sequence[InverterMode] = ()
) -> tuple[InverterMode, ...]:
    """The cheapest sequence of composites for a house whose heating is decided.

    Parameters
    ----------
    problem : PlanProblem
        A house without battery is left on `regular`.
    duty : ndarray, shape (rooms, steps)
        Share of each slot that each heater is on.
    peak_kw : float
        Import that the plan reaches anyway: only what lies above it (and above what was measured) pays for power here.
        The highest import of a path is no stage cost, so this is what a dynamic program can know of it.
    begun : sequence of InverterMode
        Modes of the first slots that are decided; `mode_forced_slots` of the problem come first.

    Returns
    -------
    tuple of InverterMode
        One per slot, equal within a run, with the stop SOC that the run reaches.
    """
    b = problem.battery
    if b is None:
        return (REGULAR,) * problem.steps
    heat = Heat.of(problem, duty)
    forced = problem.forced_modes
    begun = (*forced, *begun[len(forced) :])
    player = _Player(problem, heat.total_kw)
    for start, stop in runs(begun):
        player.soc, _ = player.play(begun[start], start, stop)
    options = _Table(problem, b, heat, peak_kw).roll_out(begun, player.soc)
    return (*begun, *_label(problem, player, options, begun))


def runs(modes: Sequence[InverterMode]) -> Iterator[tuple[int, int]]:
    """First slot and end of each run of equal modes."""
    start = 0
    for t in range(1, len(modes) + 1):
        if t == len(modes) or modes[t] != modes[start]:
            yield start, t
            start = t


@dataclass(frozen=True, slots=True)
class Heat:
    """Heating that is decided, per slot [kW]: in all, and on the worst phase beyond an even third."""

    total_kw: Array
    uneven_kw: Array

    @staticmethod
    def of(problem: PlanProblem, duty: Array) -> Heat:
        phase = np.zeros((4, problem.steps))
        for room, on in zip(problem.rooms, duty, strict=True):
            phase[room.phase] += room.heater_kw * on
        total = phase.sum(axis=0)
        return Heat(total, phase[1:].max(axis=0) + (phase[0] - total) / 3.0)


class _Table:
    """Stage costs, next SOCs and cost-to-go over (slot, option, age, SOC)."""

    def __init__(self, problem: PlanProblem, battery: BatteryProblem, heat: Heat, peak_kw: float) -> None:
        self._p, self._b, self._prices = problem, battery, tiers(problem)
        self._heat = heat.total_kw
        self._limits = problem.export_allowed_kw
        self._ages = max(1, problem.min_mode_slots)
        low = min(battery.soc_min, battery.soc)
        high = max(battery.soc_max, battery.soc, low + _GRID)  # a window without width still needs two points
        self._grid = np.linspace(low, high, max(2, math.ceil((high - low) / _GRID - 1e-9) + 1))
        self._per_cell = 1.0 / (self._grid[1] - self._grid[0])
        self._bill = _Bill(problem, battery, heat, self._prices, peak_kw)
        self._after = self._solve()

    def _solve(self) -> Array:
        """Cost-to-go after each slot, by (slot, option, age in it, SOC at its end)."""
        p, grid, ages = self._p, self._grid, self._ages
        cost, cell, weight = self._stages()
        n = len(grid)
        base = (np.arange(len(OPTIONS) * ages) * n).reshape(len(OPTIONS), ages, 1)
        worth = self._prices.soc_end_eur_per_kwh * self._b.capacity_kwh
        now = np.broadcast_to(-worth * (grid - self._b.soc_min), (len(OPTIONS), ages, n)).copy()
        after = np.empty((p.steps, len(OPTIONS), ages, n))
        change = p.calm.mode_change_eur
        older = np.minimum(np.arange(ages) + 1, ages - 1)
        for t in range(p.steps - 1, -1, -1):
            w = after[t]
            w[:] = now[:, older]
            np.minimum(w[:, -1], now[:, 0].min(axis=0) + change, out=w[:, -1])
            for i in _ACTIVE:
                np.minimum(w[i], now[_REST, older], out=w[i])
            at = base + cell[t][:, None, :]
            left = np.take(w, at)
            now = cost[t][:, None, :] + left + weight[t][:, None, :] * (np.take(w, at + 1) - left)
        return after

    def _stages(self) -> tuple[Array, NDArray[np.intp], Array]:
        """Cost of each (slot, option, SOC), and where on the grid it ends: cell and share towards its upper end."""
        p, b = self._p, self._b
        pv, load = np.array(p.pv_kw)[:, None], (np.array(p.load_kw) + self._heat)[:, None]
        limit = np.array(self._limits if p.pv_curtailable else [1e6] * p.steps)[:, None]
        costs, ends = [], []
        for option in OPTIONS:
            if option == RESTING:
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
        running, age = _running(p, begun)
        option = running[0] if running else None
        chosen: list[int] = []
        for t in range(len(begun), p.steps):
            best: tuple[float, int, int, float] | None = None
            choice = self._candidates(option, age)
            if t == len(begun):  # a rate that is not known is none to keep
                choice += [(o, min(age, self._ages - 1), 0.0) for o in running[1:]]
            for o, a, price in choice:
                end, cost = self._try(plant, t, o, soc)
                value = price + cost + self._to_go(t, o, a, end)
                if best is None or value < best[0] - _TIE_EUR:
                    best = (value, o, a, end)
            assert best is not None
            _, option, age, soc = best
            age += 1
            chosen.append(option)
        return chosen

    def _candidates(self, option: int | None, age: int) -> list[tuple[int, int, float]]:
        """What may run next: (option, age at its start, price of the change), the cheapest habit first."""
        if option is None:
            return [(o, 0, 0.0) for o in range(len(OPTIONS))]
        last = self._ages - 1
        out = [(option, min(age, last), 0.0)]
        if option in _ACTIVE:
            out.append((_REST, min(age, last), 0.0))
        if age >= self._ages:
            change = self._p.calm.mode_change_eur
            out += [(o, 0, change) for o in range(len(OPTIONS)) if o != option]
        return out

    def _try(self, plant: Plant, t: int, o: int, soc: float) -> tuple[float, float]:
        option, p = OPTIONS[o], self._p
        # The dynamic program rests at exactly the live SOC; the register's whole percent comes with the labels.
        mode = InverterMode(composite=option.composite, rate=option.rate, stop_soc=soc if o == _REST else None)
        step = plant.step(t, mode, self._limits[t], p.load_kw[t] + float(self._heat[t]), soc)
        cost = self._bill.one_slot(t, step, soc)
        if option.rate is not None and not p.price_known[t]:
            cost += _UNKNOWN_EUR
        return step.soc, cost

    def _to_go(self, t: int, o: int, age: int, soc: float) -> float:
        x = (soc - self._grid[0]) * self._per_cell
        cell = min(max(int(x), 0), len(self._grid) - 2)
        row = self._after[t, o, age]
        share = min(max(x - cell, 0.0), 1.0)
        return float(row[cell] + share * (row[cell + 1] - row[cell]))


class _Bill:
    """Money, wear, broken limits and missed targets of a slot: `solvers.account` for one slot at a time."""

    def __init__(
        self, problem: PlanProblem, battery: BatteryProblem, heat: Heat, prices: Tiers, peak_kw: float
    ) -> None:
        p, self._b, self._dt = problem, battery, problem.dt_h
        self._uneven = None if p.phase_limit_kw is None else heat.uneven_kw - p.phase_limit_kw
        self._must_take = None if p.pv_curtailable else np.array(p.pv_kw)
        self._prices = prices
        self._import, self._export = np.array(p.price_import), np.array(p.price_export)
        self._import_limit = np.array([p.import_allowed_kw(t) for t in range(p.steps)])
        self._export_limit = p.export_limit_kw
        self._power_eur_per_kw = 0.0 if p.peak is None else p.peak.eur_per_kw
        self._free_kw = 0.0 if p.peak is None else max(p.peak.measured_kw, peak_kw if p.peak.once else 0.0)
        self._targets = soc_targets(p, prices)
        self._base = base_target(p)

    def all_slots(self, flows: ArrayFlows, soc: Array, end: Array) -> Array:
        """Cost by (slot, SOC)."""
        grid_kw, battery_kw = flows.grid_kw, flows.battery_kw
        dt, out = self._dt, np.maximum(-grid_kw, 0.0)
        into = np.maximum(grid_kw, 0.0)
        cost = dt * (self._import[:, None] * into - self._export[:, None] * out)
        cost += dt * self._b.wear_eur_per_kwh * np.maximum(-battery_kw, 0.0)
        over = np.maximum(into - self._import_limit[:, None], 0.0) + np.maximum(out - self._export_limit, 0.0)
        if self._must_take is not None:
            over = over + np.maximum(self._must_take[:, None] - flows.pv_used_kw, 0.0)
        if self._uneven is not None:
            over = over + np.maximum(self._uneven[:, None] + grid_kw / 3.0, 0.0)
        cost += dt * self._prices.over_limit_eur_per_kwh * over
        if self._b.wear_deep_eur_per_kwh:
            level = self._b.deep_below_soc
            drawn = np.maximum(0.0, np.minimum(soc, level) - np.minimum(end, level))
            cost += self._b.wear_deep_eur_per_kwh * self._b.capacity_kwh * drawn
        if self._power_eur_per_kw:
            cost += self._power_eur_per_kw * np.maximum(into - self._free_kw, 0.0)
        if self._targets is not None:
            target = np.array([t.soc for t in self._targets])[:, None]
            before = np.concatenate([[[self._base]], target[:-1]])
            miss = np.array([t.miss_eur_per_kwh for t in self._targets])[:, None]
            short, was = np.maximum(0.0, target - end), np.maximum(0.0, before - soc)
            deeper = np.maximum(0.0, short - was - np.maximum(0.0, target - before))
            cost += self._b.capacity_kwh * (miss * short + self._prices.reserve_depletion_eur_per_kwh * deeper)
        return np.asarray(cost)

    def one_slot(self, t: int, step: PlantStep, soc: float) -> float:
        """Cost of one slot."""
        grid_kw, battery_kw, end = step.grid_kw, step.battery_kw, step.soc
        into, out = max(grid_kw, 0.0), max(-grid_kw, 0.0)
        over = max(into - float(self._import_limit[t]), 0.0) + max(out - self._export_limit, 0.0)
        if self._must_take is not None:
            over += step.curtailed_kw
        if self._uneven is not None:
            over += max(float(self._uneven[t]) + grid_kw / 3.0, 0.0)
        cost = float(self._import[t]) * into - float(self._export[t]) * out
        cost += self._b.wear_eur_per_kwh * max(-battery_kw, 0.0) + self._prices.over_limit_eur_per_kwh * over
        cost = cost * self._dt + self._power_eur_per_kw * max(into - self._free_kw, 0.0)
        cost += self._b.wear_deep_eur_per_kwh * self._b.deep_kwh(soc, end)
        if self._targets is not None:
            target = self._targets[t]
            before = self._targets[t - 1].soc if t else self._base
            short, was = max(0.0, target.soc - end), max(0.0, before - soc)
            deeper = max(0.0, short - was - max(0.0, target.soc - before))
            missed = short * target.miss_eur_per_kwh + deeper * self._prices.reserve_depletion_eur_per_kwh
            cost += self._b.capacity_kwh * missed
        return cost


def _running(problem: PlanProblem, begun: Sequence[InverterMode]) -> tuple[tuple[int, ...], int]:
    """The options that may be what runs then (several if its rate is not known), and how many slots it has run."""
    mode, held = problem.mode_now, problem.mode_held_slots
    if begun:
        start, stop = list(runs(begun))[-1]
        went_on = start == 0 and mode is not None and mode.composite is begun[-1].composite
        mode, held = begun[-1], stop - start + (held if went_on else 0)
    if mode is None:
        return (), 0
    if mode.composite in (Composite.HOLD, Composite.SELL_PRODUCTION):
        return (_REST,), held
    same = [i for i, o in enumerate(OPTIONS) if o.composite is mode.composite]
    rate = mode.rate
    if rate is not None:
        same = [min(same, key=lambda i: abs((OPTIONS[i].rate or 1.0) - rate))]
    return tuple(same), held


class _Player:
    """Plays one run of a mode through the plant."""

    def __init__(self, problem: PlanProblem, heat_kw: Array) -> None:
        self._plant, self._limits = Plant(problem), problem.export_allowed_kw
        self._load = [load + float(heat) for load, heat in zip(problem.load_kw, heat_kw, strict=True)]
        self.soc = self._plant.soc

    def play(self, mode: InverterMode, start: int, stop: int) -> tuple[float, float]:
        """SOC at the end of slots start .. stop-1 and the mean export over them [kW]."""
        soc, exported, held = self.soc, 0.0, pinned(mode, self.soc)
        for t in range(start, stop):
            step = self._plant.step(t, held, self._limits[t], self._load[t], soc)
            soc, exported = step.soc, exported + max(0.0, -step.grid_kw)
        return soc, exported / (stop - start)


def _label(
    problem: PlanProblem, player: _Player, chosen: list[int], begun: Sequence[InverterMode]
) -> tuple[InverterMode, ...]:
    """Names each run after those that are decided with the parameters it is commanded with, playing one by one."""
    modes = list[InverterMode]()
    now = begun[-1] if begun else problem.mode_now
    options = [_REST] * len(begun) + chosen
    t = len(begun)
    while t < len(options):
        first, active = options[t], _run_end(options, t)
        end = active
        if first in _ACTIVE:  # resting after it is its stop SOC reached; where prices are unknown it is a plain hold
            while end < len(options) and options[end] == _REST and problem.price_known[end]:
                end += 1
        option, begins = OPTIONS[first], t == len(begun)
        mode = InverterMode(composite=option.composite, rate=option.rate)
        goes_on = _going_on(problem, now, first, t, player.soc) if begins else None
        if goes_on is not None:
            mode = goes_on
        elif first in _ACTIVE:
            reached, _ = player.play(mode, t, active)
            stop_soc = _stop_soc(problem, option, player.soc, reached)
            mode = InverterMode(composite=option.composite, rate=option.rate, stop_soc=stop_soc)
            mode = _settled(now, mode, player.soc) if begins else mode
        elif first == _REST and player.play(mode, t, end)[1] > _SELLING_KW:
            mode = InverterMode(composite=Composite.SELL_PRODUCTION)
        player.soc, _ = player.play(mode, t, end)
        modes += [mode] * (end - t)
        t = end
    return tuple(modes)


def _going_on(problem: PlanProblem, now: InverterMode | None, first: int, t: int, soc: float) -> InverterMode | None:
    """A rest at the start that is no new mode: a hold or sale goes on, a charge or discharge stops where it is."""
    if now is None or first != _REST or now.composite is Composite.REGULAR:
        return None
    if now.composite in (Composite.HOLD, Composite.SELL_PRODUCTION):
        return now if t else InverterMode(composite=now.composite)
    if not problem.price_known[t]:
        return None
    stop_soc = _stop_soc(problem, Option(now.composite, now.rate), soc, soc)
    return InverterMode(composite=now.composite, rate=now.rate, stop_soc=stop_soc)


def _settled(now: InverterMode | None, mode: InverterMode, soc: float) -> InverterMode:
    """Keeps the stop SOC that is written already when the new one is hardly another: each write wears the memory."""
    if now is None or now.composite is not mode.composite or now.stop_soc is None or mode.stop_soc is None:
        return mode
    ahead = now.stop_soc > soc if mode.composite is Composite.CHARGE_FROM_GRID else now.stop_soc < soc
    if ahead and abs(now.stop_soc - mode.stop_soc) <= _NEAR_SOC and (now.rate or 1.0) == mode.rate:
        return now
    return mode


def _run_end(options: list[int], start: int) -> int:
    end = start + 1
    while end < len(options) and options[end] == options[start]:
        end += 1
    return end


def _stop_soc(problem: PlanProblem, option: Option, soc: float, reached: float) -> float:
    """Whole percent that ends a run: never buys or sells more than was planned."""
    b = problem.battery
    assert b is not None
    if option.composite is Composite.CHARGE_FROM_GRID:
        if reached >= b.soc_max - _FULL:
            return b.soc_max
        return max(floor_percent(reached), floor_percent(soc)) / 100.0
    return max(b.soc_min, -floor_percent(-reached) / 100.0)
