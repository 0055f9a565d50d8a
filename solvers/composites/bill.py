"""What one slot costs: `solvers.account` for a slot at a time, of one SOC or of all on a grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solvers.inverter import ArrayFlows
from solvers.problem import BatteryProblem, PlanProblem
from solvers.replay import PlantStep
from solvers.tiers import Tiers, base_target, soc_targets

Array = NDArray[np.float64]


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


class SlotBill:
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
            miss = np.array([t.miss_eur_per_kwh for t in self._targets])[:, None]
            short = np.maximum(0.0, target - end)
            deeper = np.maximum(0.0, np.maximum(0.0, self._base - end) - np.maximum(0.0, self._base - soc))
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
            short = max(0.0, target.soc - end)
            deeper = max(0.0, max(0.0, self._base - end) - max(0.0, self._base - soc))
            missed = short * target.miss_eur_per_kwh + deeper * self._prices.reserve_depletion_eur_per_kwh
            cost += self._b.capacity_kwh * missed
        return cost
