"""The dynamic program over composites with some barred: what else the inverter could do, and what that loses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.types.mode import Composite, InverterMode
from solvers.composites import (
    _ACTIVE,
    _REST,
    OPTIONS,
    Heat,
    _label,
    _Player,
    _running,
    _Table,
    runs,
)
from solvers.model.frame import Array
from solvers.problem import PlanProblem
from solvers.replay import Plant

_BARRED_EUR = 1e4  # per slot: only taken where nothing else may run


@dataclass(frozen=True, slots=True)
class Bar:
    """Composites that may not be chosen in slots start .. stop-1, as indices into the program's options."""

    options: tuple[int, ...]
    start: int
    stop: int


def bar(problem: PlanProblem, composite: Composite, start: int, stop: int, *, since: int | None = None) -> Bar | str:
    """What forbids a composite in some slots of its run; or why it cannot be forbidden.

    Parameters
    ----------
    problem : PlanProblem
        With a battery whose composites are chosen.
    composite : Composite
        Of the run; `hold` and `sell_production` are one option.
    start, stop : int
        Those slots.
    since : int, optional
        First slot of the run; None: `start`.

    Returns
    -------
    Bar or str
        From the first slot on in which something else may run.
    """
    options = tuple(i for i, o in enumerate(OPTIONS) if o.composite is composite)
    options = options or (_REST,)  # sell_production
    begun = forced_modes(problem)
    running, age = _running(problem, begun)
    free = len(begun)
    first = start if since is None else since
    if first <= free and running and options[0] not in _ACTIVE:  # a charge or discharge may rest at any time
        free += max(0, problem.min_mode_slots - age)
    if free >= stop:
        held = "is held by hand" if len(begun) >= stop else "has not run for its minimum time"
        return f"it {held} over all of these slots: nothing else may run"
    return Bar(options, max(start, free), stop)


def forced_modes(problem: PlanProblem) -> tuple[InverterMode, ...]:
    """Modes of the first slots that are not the planner's to choose."""
    if problem.mode_now is None:
        return ()
    return (problem.mode_now,) * min(problem.mode_forced_slots, problem.steps)


class Choice:
    """One problem with its heating decided: which composites run, and what barring some of them loses.

    Parameters
    ----------
    problem : PlanProblem
        With a battery whose composites are chosen.
    duty : ndarray, shape (rooms, steps)
        Heating.
    peak_kw : float
        Import that is reached anyway, for a price on power.
    """

    def __init__(self, problem: PlanProblem, duty: Array, *, peak_kw: float = 0.0) -> None:
        assert problem.battery is not None
        self._problem, self._peak_kw = problem, peak_kw
        self._heat = Heat.of(problem, duty)
        self._begun = forced_modes(problem)
        self._free: _Restricted | None = None

    def without(self, barred: Bar) -> tuple[InverterMode, ...]:
        """The cheapest modes with some barred, labelled as the inverter is told them."""
        player = _Player(self._problem, self._heat.total_kw)
        soc = self._play(player)
        table = self._table(barred)
        options = table.roll_out(self._begun, soc)
        return (*self._begun, *_label(self._problem, player, options, self._begun))

    def worth_eur(self, barred: Bar, changed: PlanProblem | None = None, *, until: int | None = None) -> float:
        """What barring loses, for this problem or for one that differs from it in prices, sun and load before `until`.

        Returns
        -------
        float
            >= 0; 0 where the choice is not worth having.
        """
        if self._free is None:
            self._free = self._table(None)
        if changed is None:
            free, problem = self._free, self._problem
        else:
            problem = changed
            free = self._table(None, problem, tail=self._free, until=until)
        soc = self._play(_Player(problem, self._heat.total_kw))
        best = free.value(self._begun, soc)
        return self._table(barred, problem, tail=free, until=barred.stop).value(self._begun, soc) - best

    def _play(self, player: _Player) -> float:
        for start, stop in runs(self._begun):
            player.soc, _ = player.play(self._begun[start], start, stop)
        return player.soc

    def _table(
        self,
        barred: Bar | None,
        problem: PlanProblem | None = None,
        *,
        tail: _Restricted | None = None,
        until: int | None = None,
    ) -> _Restricted:
        p = self._problem if problem is None else problem
        known = None if tail is None or until is None or until >= p.steps else (tail, until)
        same = tail if tail is not None and tail._p is p else None
        return _Restricted(p, self._heat, self._peak_kw, barred, tail=known, same=same)


class _Restricted(_Table):
    """Stage costs and cost-to-go with some options barred, sharing the far end with another table."""

    def __init__(
        self,
        problem: PlanProblem,
        heat: Heat,
        peak_kw: float,
        barred: Bar | None,
        *,
        tail: tuple[_Restricted, int] | None,
        same: _Restricted | None,
    ) -> None:
        assert problem.battery is not None
        self._barred, self._tail, self._same = barred, tail, same
        self.stages: tuple[Array, NDArray[np.intp], Array]
        super().__init__(problem, problem.battery, heat, peak_kw)

    def _solve(self) -> Array:
        """As the whole program does, but only for the slots before the shared ones."""
        if self._tail is None:
            return super()._solve()
        other, until = self._tail
        p, ages = self._p, self._ages
        cost, cell, weight = self._stages()
        n = len(self._grid)
        base = (np.arange(len(OPTIONS) * ages) * n).reshape(len(OPTIONS), ages, 1)
        after = np.empty_like(other._after)
        after[until:] = other._after[until:]
        older = np.minimum(np.arange(ages) + 1, ages - 1)
        now = np.empty(0)  # cost-to-go at the beginning of the slot after
        for t in range(until, -1, -1):
            w = after[t]
            if t < until:
                w[:] = now[:, older]
                np.minimum(w[:, -1], now[:, 0].min(axis=0) + p.calm.mode_change_eur, out=w[:, -1])
                for i in _ACTIVE:
                    np.minimum(w[i], now[_REST, older], out=w[i])
            at = base + cell[t][:, None, :]
            left = np.take(w, at)
            now = cost[t][:, None, :] + left + weight[t][:, None, :] * (np.take(w, at + 1) - left)
        return after

    def _stages(self) -> tuple[Array, NDArray[np.intp], Array]:
        cost, cell, weight = super()._stages() if self._same is None else self._same.stages
        if self._barred is not None:
            b = self._barred
            cost = cost.copy()
            cost[b.start : b.stop, list(b.options)] += _BARRED_EUR
        self.stages = cost, cell, weight
        return self.stages

    def _try(self, plant: Plant, t: int, o: int, soc: float) -> tuple[float, float]:
        end, cost = super()._try(plant, t, o, soc)
        b = self._barred
        if b is not None and b.start <= t < b.stop and o in b.options:
            cost += _BARRED_EUR
        return end, cost

    def value(self, begun: Sequence[InverterMode], soc: float) -> float:
        """Cost from the first slot that is free on, from the true SOC."""
        p, t = self._p, len(begun)
        if t >= p.steps:
            return 0.0
        plant = Plant(p)
        running, age = _running(p, begun)
        choice = self._candidates(running[0] if running else None, age)
        choice += [(o, min(age, self._ages - 1), 0.0) for o in running[1:]]
        values = []
        for o, a, price in choice:
            end, cost = self._try(plant, t, o, soc)
            values.append(price + cost + self._to_go(t, o, a, end))
        return min(values)
