"""What a trajectory costs and which rules it bends: the one definition of the objective, in plain Python."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from models.types.mode import InverterMode
from solvers.problem import PlanProblem
from solvers.result import BentRule
from solvers.tiers import Tiers, base_target, soc_targets, tiers

_TELL_ABOVE = 1e-4  # K, kW or SOC: less is rounding, not a bent rule


class Flows(Protocol):
    """What an account needs to know; a `Trajectory` and a `PlanResult` both have it."""

    @property
    def discharge_kw(self) -> tuple[float, ...]: ...
    @property
    def soc(self) -> tuple[float, ...]: ...
    @property
    def import_kw(self) -> tuple[float, ...]: ...
    @property
    def export_kw(self) -> tuple[float, ...]: ...
    @property
    def curtailed_kw(self) -> tuple[float, ...]: ...
    @property
    def air_c(self) -> tuple[tuple[float, ...], ...]: ...
    @property
    def slab_c(self) -> tuple[tuple[float, ...], ...]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One bill. `cost_eur` is money for energy, power and wear; the objective adds what is bent, restless and left."""

    cost_eur: float
    bent_eur: float
    calm_eur: float
    end_value_eur: float
    bent_rules: tuple[BentRule, ...]

    @property
    def objective_eur(self) -> float:
        return self.cost_eur + self.bent_eur + self.calm_eur - self.end_value_eur


def account(
    problem: PlanProblem, flows: Flows, modes: Sequence[InverterMode], duty: Sequence[Sequence[float]]
) -> Account:
    """Adds up one trajectory.

    Parameters
    ----------
    problem : PlanProblem
        Prices and limits.
    flows : Flows
        Powers per slot, SOC and temperatures at the end of each slot.
    modes : sequence of InverterMode
        Composite per slot, for the price of changes.
    duty : sequence of sequences
        Per room and slot; phases are loaded by heaters.

    Returns
    -------
    Account
        In EUR. Rules bent by less than 1e-4 are paid for but not told.
    """
    prices = tiers(problem)
    money = problem.dt_h * sum(
        i * pi - e * pe
        for i, e, pi, pe in zip(
            flows.import_kw, flows.export_kw, problem.price_import, problem.price_export, strict=True
        )
    )
    power = 0.0 if problem.peak is None else problem.peak.cost_eur(flows.import_kw)
    wear = 0.0
    if problem.battery is not None:
        wear = problem.dt_h * problem.battery.wear_eur_per_kwh * sum(flows.discharge_kw)
        if problem.battery.wear_deep_eur_per_kwh:
            states = pairwise((problem.battery.soc, *flows.soc))
            wear += problem.battery.wear_deep_eur_per_kwh * sum(problem.battery.deep_kwh(a, b) for a, b in states)
    bent = [b for rules in _bent(problem, flows, duty, prices) for b in rules]
    return Account(
        cost_eur=money + power + wear,
        bent_eur=sum(b.cost_eur for b in bent),
        calm_eur=problem.calm.mode_change_eur * mode_changes(problem, modes),
        end_value_eur=end_value(problem, flows, prices),
        bent_rules=tuple(b for b in bent if b.amount > _TELL_ABOVE),
    )


def mode_changes(problem: PlanProblem, modes: Sequence[InverterMode]) -> int:
    """How often another mode is written: composite, rate or stop SOC.

    What runs now may get another stop SOC free, and another rate if the one it has is not known.
    """
    changes, now, first = sum(a != b for a, b in pairwise(modes)), problem.mode_now, modes[0]
    if now is None:
        return changes
    other_rate = now.rate is not None and now.rate != (first.rate or 1.0)
    return changes + (now.composite is not first.composite or other_rate)


def end_value(problem: PlanProblem, flows: Flows, prices: Tiers) -> float:
    """Worth of what is left in battery (above its window) and rooms (above their band) [EUR]."""
    worth = 0.0
    b = problem.battery
    if b is not None:
        worth += prices.soc_end_eur_per_kwh * b.capacity_kwh * (flows.soc[-1] - b.soc_min)
    for room, air, slab in zip(problem.rooms, flows.air_c, flows.slab_c, strict=True):
        low = room.lower_c[-1]
        heat = room.air_kwh_per_k * (air[-1] - low) + room.slab_kwh_per_k * (slab[-1] - low)
        worth += prices.heat_end_eur_per_kwh * heat
    return worth


def _bent(
    problem: PlanProblem, flows: Flows, duty: Sequence[Sequence[float]], prices: Tiers
) -> Iterator[Iterator[BentRule]]:
    yield _bent_grid(problem, flows, prices)
    yield _bent_phases(problem, flows, duty, prices)
    yield _bent_soc(problem, flows, prices)
    yield _bent_rooms(problem, flows, prices)


def _bent_grid(problem: PlanProblem, flows: Flows, prices: Tiers) -> Iterator[BentRule]:
    price = prices.over_limit_eur_per_kwh * problem.dt_h
    for t in range(problem.steps):
        over = flows.import_kw[t] - problem.import_allowed_kw(t)
        if over > 0.0:
            yield BentRule(rule="grid.import_limit", slot=t, amount=over, unit="kW", cost_eur=over * price)
        over = flows.export_kw[t] - problem.export_limit_kw
        if over > 0.0:
            yield BentRule(rule="grid.export_limit", slot=t, amount=over, unit="kW", cost_eur=over * price)
        over = flows.curtailed_kw[t]
        if over > 0.0 and not problem.pv_curtailable:
            yield BentRule(rule="pv.not_curtailable", slot=t, amount=over, unit="kW", cost_eur=over * price)


def _bent_phases(
    problem: PlanProblem, flows: Flows, duty: Sequence[Sequence[float]], prices: Tiers
) -> Iterator[BentRule]:
    """Heaters load their own phase, everything else all three alike; the worst phase of a slot is told."""
    if problem.phase_limit_kw is None:
        return
    price = prices.over_limit_eur_per_kwh * problem.dt_h
    for t in range(problem.steps):
        heat = [0.0, 0.0, 0.0, 0.0]
        for room, on in zip(problem.rooms, duty, strict=True):
            heat[room.phase] += room.heater_kw * on[t]
        rest = (flows.import_kw[t] - flows.export_kw[t] - sum(heat)) / 3.0 + heat[0] / 3.0
        worst = max((1, 2, 3), key=lambda phase: heat[phase])
        over = rest + heat[worst] - problem.phase_limit_kw
        if over > 0.0:
            yield BentRule(rule=f"grid.phase_{worst}", slot=t, amount=over, unit="kW", cost_eur=over * price)


def _bent_soc(problem: PlanProblem, flows: Flows, prices: Tiers) -> Iterator[BentRule]:
    b, targets = problem.battery, soc_targets(problem, prices)
    if b is None or targets is None:
        return
    base = base_target(problem)  # what deeper is deeper than: a charge that falls due gives nothing away after it
    below_before = max(0.0, base - b.soc)
    for t, target in enumerate(targets):
        short, below = max(0.0, target.soc - flows.soc[t]), max(0.0, base - flows.soc[t])
        deeper = max(0.0, below - below_before)
        if short > 0.0:
            cost = b.capacity_kwh * (
                short * target.miss_eur_per_kwh + deeper * prices.reserve_depletion_eur_per_kwh
            )
            yield BentRule(rule=target.rule, slot=t, amount=short, unit="soc", cost_eur=cost)
        below_before = below


def _bent_rooms(problem: PlanProblem, flows: Flows, prices: Tiers) -> Iterator[BentRule]:
    for room, air in zip(problem.rooms, flows.air_c, strict=True):
        for t, now in enumerate(air):
            below = room.lower_c[t] - now
            above = now - max(room.lower_c[t], room.upper_c[t])
            if below > 0.0:
                cost = below * prices.comfort_below_eur_per_kh * problem.dt_h
                yield BentRule(rule=f"room.{room.name}.below", slot=t, amount=below, unit="K", cost_eur=cost)
            elif above > 0.0:
                cost = above * prices.comfort_above_eur_per_kh * problem.dt_h
                yield BentRule(rule=f"room.{room.name}.above", slot=t, amount=above, unit="K", cost_eur=cost)
