"""Where the money of a plan goes, kind by kind and slot by slot, so that two plans can be told apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from solvers.account import account
from solvers.explain.cards import Term, TermKind
from solvers.model.frame import Array
from solvers.model.kept import Solution
from solvers.problem import PlanProblem
from solvers.result import PlanResult
from solvers.tiers import soc_targets, tiers

_SMALL_KWH, _SMALL_EUR = 0.02, 0.0005  # less is told as "other"
_BENT = {"grid": TermKind.LIMIT, "pv": TermKind.LIMIT, "battery": TermKind.RESERVE, "room": TermKind.COMFORT}
_MOST_OF_IT = 0.1  # a window leaves out slots with less than this share of the largest one


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """One plan's objective, taken apart. `costs` with import and export sum to it exactly."""

    import_kwh: Array  # per slot
    export_kwh: Array
    costs: dict[TermKind, float]  # all but energy; worth of what is left counts below 0
    losses_kwh: float
    objective_eur: float

    @staticmethod
    def of_result(problem: PlanProblem, result: PlanResult) -> Ledger:
        """Of an executed plan."""
        dt, prices = problem.dt_h, tiers(problem)
        bill = account(problem, result, result.modes, result.duty)
        bought, sold = dt * np.array(result.import_kw), dt * np.array(result.export_kw)
        money = float(bought @ np.array(problem.price_import) - sold @ np.array(problem.price_export))
        power = 0.0 if problem.peak is None else problem.peak.cost_eur(result.import_kw)
        costs = dict.fromkeys(TermKind, 0.0)
        costs[TermKind.POWER] = power
        costs[TermKind.WEAR] = bill.cost_eur - money - power
        for bent in bill.bent_rules:
            costs[_BENT.get(bent.rule.split(".")[0], TermKind.OTHER)] += bent.cost_eur
        costs[TermKind.CALM] = bill.calm_eur
        b = problem.battery
        stored = 0.0 if b is None else prices.soc_end_eur_per_kwh * b.capacity_kwh * (result.soc[-1] - b.soc_min)
        costs[TermKind.STORED] = -stored
        costs[TermKind.HEAT] = stored - bill.end_value_eur
        costs[TermKind.OTHER] += bill.objective_eur - money - sum(costs.values())
        heat = [r.heater_kw * np.array(d) for r, d in zip(problem.rooms, result.duty, strict=True)]
        used = np.array(problem.load_kw) + sum(heat, np.zeros(problem.steps))
        into = 0.0 if b is None else (result.soc[-1] - b.soc) * b.capacity_kwh
        lost = float(np.sum(bought) - np.sum(sold) + dt * np.sum(np.array(result.pv_used_kw) - used)) - into
        return Ledger(
            import_kwh=bought, export_kwh=sold, costs=costs, losses_kwh=lost, objective_eur=bill.objective_eur
        )

    @staticmethod
    def of_solution(problem: PlanProblem, solution: Solution) -> Ledger:
        """Of a relaxation's optimum."""
        dt, prices, v, b = problem.dt_h, tiers(problem), solution.values, problem.battery
        spilled = np.zeros(problem.steps) if problem.pv_curtailable else v["curtailed"]  # exported all the same
        bought, sold = dt * (v["imported"] + v["over"]), dt * (v["exported"] + spilled)
        money = float(bought @ np.array(problem.price_import) - sold @ np.array(problem.price_export))
        none = np.zeros(problem.steps)
        costs = dict.fromkeys(TermKind, 0.0)
        over_kwh = dt * float(np.sum(v["over"] + v.get("phase_over", none) + spilled))
        costs[TermKind.LIMIT] = prices.over_limit_eur_per_kwh * over_kwh
        # What is spilled at a price below 0 costs nothing in the relaxation.
        costs[TermKind.OTHER] = dt * float(spilled @ np.minimum(0.0, np.array(problem.price_export)))
        if problem.peak is not None:
            costs[TermKind.POWER] = problem.peak.cost_eur((bought / dt).tolist())
        if problem.rooms:
            below, above = float(np.sum(v["below"])), float(np.sum(v["above"]))
            costs[TermKind.COMFORT] = dt * (
                prices.comfort_below_eur_per_kh * below + prices.comfort_above_eur_per_kh * above
            )
        lost = 0.0
        if b is not None:
            pv, ac, out = v["charge_pv"], v["charge_ac"], v["discharge"]
            lost = dt * float(
                np.sum(pv * (1.0 / b.eff_charge_pv - 1.0) + ac * (1.0 / b.eff_charge_ac - 1.0))
                + np.sum(out * (1.0 - b.eff_discharge))
            )
            costs[TermKind.WEAR] = dt * b.wear_eur_per_kwh * float(np.sum(out))
            costs[TermKind.STORED] = -prices.soc_end_eur_per_kwh * b.capacity_kwh * float(v["stored"][-1])
            targets = soc_targets(problem, prices)
            if targets is not None:
                miss = np.array([t.miss_eur_per_kwh for t in targets])
                costs[TermKind.RESERVE] = b.capacity_kwh * float(miss @ v["short"])
        rest = solution.objective_eur - money - sum(costs.values())
        costs[TermKind.HEAT if problem.rooms else TermKind.OTHER] += rest
        return Ledger(
            import_kwh=bought, export_kwh=sold, costs=costs, losses_kwh=lost, objective_eur=solution.objective_eur
        )


def terms(problem: PlanProblem, plan: Ledger, other: Ledger, start: int, stop: int) -> tuple[Term, ...]:
    """Why a plan is cheaper than another one, kind by kind.

    Parameters
    ----------
    problem : PlanProblem
        Of both.
    plan, other : Ledger
        The plan with the choice, and the best one without it.
    start, stop : int
        Slots of the choice: energy is told apart by whether it flows while the choice runs.

    Returns
    -------
    tuple of Term
        The weightiest first; their sum is `other.objective_eur - plan.objective_eur`.
    """
    inside = np.zeros(problem.steps, dtype=bool)
    inside[start:stop] = True
    found = [
        *_energy(problem, TermKind.IMPORT, plan.import_kwh - other.import_kwh, problem.price_import, inside, -1.0),
        *_energy(problem, TermKind.EXPORT, plan.export_kwh - other.export_kwh, problem.price_export, inside, 1.0),
        *(Term(kind=kind, eur=other.costs[kind] - plan.costs[kind]) for kind in TermKind if kind in plan.costs),
    ]
    told = [t for t in found if abs(t.eur) >= _SMALL_EUR or abs(t.kwh or 0.0) >= _SMALL_KWH]
    told = [t for t in told if t.kind is not TermKind.OTHER]
    rest = other.objective_eur - plan.objective_eur - sum(t.eur for t in told)
    told.sort(key=lambda t: -abs(t.eur))
    return (*told, Term(kind=TermKind.OTHER, eur=rest)) if abs(rest) > 1e-9 else tuple(told)


def _energy(
    problem: PlanProblem, kind: TermKind, more: Array, price: tuple[float, ...], inside: Array, sign: float
) -> Iterator[Term]:
    """More and less of one energy, while the choice runs and otherwise; `sign`: what a kWh more does to our money."""
    prices = np.array(price)
    for where in (inside, np.logical_not(inside)):
        for which in (more > 0.0, more < 0.0):
            kwh = np.where(np.logical_and(where, which), more, 0.0)
            total = float(np.sum(kwh))
            if total == 0.0:
                continue
            eur = float(kwh @ prices)
            first, last = _window(np.abs(kwh))
            yield Term(
                kind=kind,
                eur=sign * eur,
                kwh=total,
                eur_per_kwh=eur / total,
                start=slot_time(problem, first),
                end=slot_time(problem, last),
            )


def _window(amount: Array) -> tuple[int, int]:
    large = np.flatnonzero(amount >= _MOST_OF_IT * float(np.max(amount)))
    return int(large[0]), int(large[-1]) + 1


def slot_time(problem: PlanProblem, slot: int) -> datetime:
    """Beginning of a slot, aware UTC; `problem.steps` is the end of the horizon."""
    return problem.start + timedelta(hours=problem.dt_h * slot)


def local(problem: PlanProblem, at: datetime) -> str:
    """A time as the house's clocks show it."""
    return f"{at.astimezone(ZoneInfo(problem.timezone)):%Y-%m-%d %H:%M}"
