"""The limits of a problem as groups of columns of its linear program: in force, or freed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from solvers.diagnose.diagnosis import BATTERY_RULES, CONNECTION, EXPORT, HELD, OPERATOR, PHASES, UNKNOWN_PRICES
from solvers.model.assembly import Layout
from solvers.model.frame import Array, Ring
from solvers.problem import PlanProblem
from solvers.result import BentRule
from solvers.tiers import soc_targets, tiers

_SLACK = 2e-4  # K, kW or SOC: twice what is told as bent

Index = NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One limit over the horizon: the columns that it bounds, in order of time, and what freeing it allows."""

    name: str
    slots: NDArray[np.intp]
    columns: Index
    lower: Array  # in force
    upper: Array
    free_lower: Array
    free_upper: Array
    elastic: bool  # its columns are misses [kW, K or SOC]; False: a hold, which is there or not


class Groups:
    """Finds the columns of every limit.

    Parameters
    ----------
    problem : PlanProblem
        Whose limits.
    layout, ring : Layout, Ring
        Where its columns are.
    bent : iterable of BentRule
        What its plan bends: in force means kept as far as there.
    """

    def __init__(self, problem: PlanProblem, layout: Layout, ring: Ring, bent: Iterable[BentRule]) -> None:
        self._p, self._layout, self._ring = problem, layout, ring
        self._levels = _levels(bent)

    def all(self) -> Iterator[Group]:
        """Every limit that the problem has."""
        p = self._p
        allowed = np.array([p.import_allowed_kw(t) for t in range(p.steps)])
        dimmed = allowed < p.import_limit_kw - 1e-9
        over = self._at("over")
        yield self._elastic(CONNECTION, over, ~dimmed)
        yield self._elastic(OPERATOR, over, dimmed, most=p.import_limit_kw - allowed)
        yield self._elastic(PHASES, self._at("phase_over"), None)
        if not p.pv_curtailable:
            yield self._elastic(EXPORT, self._at("curtailed"), None)
        yield from self._battery_groups()
        for i, room in enumerate(p.rooms):
            for side in ("below", "above"):
                yield self._elastic(f"room.{room.name}.{side}", self._at(side, i), None)
            held = np.arange(min(room.forced_slots, p.steps))
            if len(held):
                duty, ones = self._at("duty", i)[held], np.ones(len(held))
                forced = ones * room.forced_duty
                yield Group(
                    name=f"room.{room.name}{HELD}", slots=held, columns=duty, lower=forced, upper=forced,
                    free_lower=0.0 * ones, free_upper=ones, elastic=False,
                )  # fmt: skip

    def _battery_groups(self) -> Iterator[Group]:
        p, b = self._p, self._p.battery
        if b is None:
            return
        targets = soc_targets(p, tiers(p))
        for rule in BATTERY_RULES if targets is not None else ():
            of_rule = np.array([t.rule == rule for t in targets or ()])
            yield self._elastic(rule, self._at("short"), of_rule)
        unknown = np.array([t for t in range(p.steps) if not p.may_charge_from_grid(t)], dtype=np.intp)
        if len(unknown):
            zeros = np.zeros(len(unknown))
            yield Group(
                name=UNKNOWN_PRICES, slots=unknown, columns=self._at("charge_ac")[unknown], lower=zeros, upper=zeros,
                free_lower=zeros, free_upper=zeros + b.charge_kw, elastic=False,
            )  # fmt: skip

    def _at(self, name: str, room: int | None = None) -> Index:
        """Columns of a component in order of time."""
        at = 0
        for other, size in self._layout.columns.items():
            if other == name:
                first = at + (0 if room is None else room * size[-1])
                return first + self._ring.slots
            at += int(np.prod(size))
        return np.array([], dtype=np.intp)

    def _elastic(
        self,
        name: str,
        columns: Index,
        where: NDArray[np.bool_] | None,
        most: Array | None = None,
    ) -> Group:
        """A group of misses, each at most what the plan misses when in force."""
        slots = np.arange(len(columns)) if where is None else np.flatnonzero(where[: len(columns)])
        columns = columns[slots]
        level = self._levels.get(CONNECTION if name == OPERATOR else name, {})
        cap = np.array([level.get(int(t), 0.0) for t in slots]) + _SLACK
        return Group(
            name=name, slots=slots, columns=columns, lower=np.zeros(len(slots)), upper=cap,
            free_lower=np.zeros(len(slots)),
            free_upper=np.full(len(slots), np.inf) if most is None else cap + most[slots], elastic=True,
        )  # fmt: skip


def _levels(bent: Iterable[BentRule]) -> dict[str, dict[int, float]]:
    """What a plan misses, by group and slot; the worst phase stands for all, both sides of the export for one."""
    out: dict[str, dict[int, float]] = {}
    for b in bent:
        slots = out.setdefault(group_of(b.rule), {})
        slots[b.slot] = slots.get(b.slot, 0.0) + b.amount
    return out


def group_of(rule: str) -> str:
    """The group that a bent rule belongs to; the operator's limit and the connection bend one rule."""
    if rule.startswith("grid.phase"):
        return PHASES
    return EXPORT if rule == "pv.not_curtailable" else rule


def beginning(problem: PlanProblem, steps: int) -> PlanProblem:
    """The first slots of a problem; what is left at their end, and what a bent rule costs, as in the whole of it."""
    if steps >= problem.steps:
        return problem
    b, worth = problem.battery, tiers(problem)
    if b is not None:
        due = b.full_by_slot if b.full_by_slot is not None and b.full_by_slot < steps else None
        b = replace(b, full_by_slot=due, soc_final=None)
    rooms = tuple(
        replace(r, sun_kw=r.sun_kw[:steps], lower_c=r.lower_c[:steps], upper_c=r.upper_c[:steps])
        for r in problem.rooms
    )
    return replace(
        problem,
        price_import=problem.price_import[:steps],
        price_export=problem.price_export[:steps],
        price_known=problem.price_known[:steps],
        pv_kw=problem.pv_kw[:steps],
        load_kw=problem.load_kw[:steps],
        outdoor_c=problem.outdoor_c[:steps],
        import_limits_kw=problem.import_limits_kw[:steps],
        battery=b,
        rooms=rooms,
        soc_end_value_eur_per_kwh=worth.soc_end_eur_per_kwh,
        heat_end_value_eur_per_kwh=worth.heat_end_eur_per_kwh,
        scale_prices=problem.scale_prices or problem.price_import,
    )
