"""The frame that assets are mounted in: what fixes the matrix, the ring of slots, and the vectors that change.

A plan is made again every quarter hour, so the model is built to stay: everything that changes between two plans is a
bound, a right-hand side or a cost; the matrix depends on the house and the step alone (`Shape`).

Time is a **ring** of steps + 2 positions. The *holder* stands for "now", behind it is a *spare* one: their columns are
fixed to 0. When time moves on by a slot the holder moves on by a position, and the spare one becomes the last slot. So
each slot of the future keeps its columns from plan to plan, and the simplex method starts from a basis and edge weights
that still fit. What makes the turn cheap (each found by reading the solver's log; together a third of the iterations):

* States are deviations: from the edge of a band or window, and at the holder from what was measured, which enters the
  right-hand sides of the first slot. So a state that the turn leaves at 0 is an ordinary one.
* Behind the holder's rows all columns are fixed, so a row that was tight a slot ago leaves by a pivot of its own.
* The worth of what is left is written on what it follows from, so a new last slot enters without a detour.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyomo.environ as pyo
from numpy.typing import NDArray

from solvers.problem import BatteryProblem, PlanProblem, RoomProblem
from solvers.tiers import Tiers, soc_targets, tiers

Array = NDArray[np.float64]
Model = Any  # a pyomo ConcreteModel; Pyomo has no types
Linear = Any  # an expression of its variables


@dataclass(frozen=True, slots=True)
class RoomShape:
    """What of a room is in the matrix."""

    heater_kw: float
    air_kwh_per_k: float
    slab_kwh_per_k: float
    slab_air_kw_per_k: float
    ua_kw_per_k: float
    neighbours: tuple[tuple[int, float], ...]
    phase: int


@dataclass(frozen=True, slots=True)
class BatteryShape:
    """What of the battery is in the matrix."""

    capacity_kwh: float
    charge_kw: float
    discharge_kw: float
    eff_charge_pv: float
    eff_charge_ac: float
    eff_discharge: float
    taper_above_soc: float
    taper_end_share: float
    targets: bool  # soft lower targets of the SOC exist
    free: bool  # charges and discharges freely: directions may need binaries


@dataclass(frozen=True, slots=True)
class Shape:
    """Everything that the matrix depends on; two problems of one shape share one model."""

    steps: int
    dt_h: float
    battery: BatteryShape | None
    rooms: tuple[RoomShape, ...]
    phases: bool
    spills: bool  # sun that cannot be curtailed goes out through the phases
    peak: str | None  # "once", "each": how a price on power is paid; None: there is none
    directions: tuple[float, float] | None  # import and export limit where grid directions may need binaries


def shape_of(problem: PlanProblem) -> Shape:
    """The shape of a problem."""
    b = problem.battery
    free = b is not None and not b.composites
    return Shape(
        steps=problem.steps,
        dt_h=problem.dt_h,
        battery=None if b is None else _battery_shape(b, soc_targets(problem, tiers(problem)) is not None),
        rooms=tuple(_room_shape(r) for r in problem.rooms),
        phases=problem.phase_limit_kw is not None,
        spills=problem.phase_limit_kw is not None and not problem.pv_curtailable,
        peak=None if problem.peak is None else "once" if problem.peak.once else "each",
        directions=(problem.import_limit_kw, problem.export_limit_kw) if free else None,
    )


def _battery_shape(b: BatteryProblem, targets: bool) -> BatteryShape:
    return BatteryShape(
        b.capacity_kwh,
        b.charge_kw,
        b.discharge_kw,
        b.eff_charge_pv,
        b.eff_charge_ac,
        b.eff_discharge,
        b.taper_above_soc,
        b.taper_end_share,
        targets,
        not b.composites,
    )


def _room_shape(r: RoomProblem) -> RoomShape:
    return RoomShape(
        r.heater_kw,
        r.air_kwh_per_k,
        r.slab_kwh_per_k,
        r.slab_air_kw_per_k,
        r.ua_kw_per_k,
        r.neighbours,
        r.phase,
    )


class Ring:
    """Which position of the ring each slot has."""

    def __init__(self, steps: int) -> None:
        self.size = steps + 2
        self.holder = 1

    def advance(self, slots: int) -> None:
        """Time moved on (or back) by whole slots."""
        self.holder = (self.holder + slots) % self.size

    @property
    def spare(self) -> int:
        """The position between the last slot and the holder."""
        return (self.holder - 1) % self.size

    @property
    def slots(self) -> NDArray[np.intp]:
        """Positions of slots 0 .. steps-1, in order of time."""
        return (self.holder + 1 + np.arange(self.size - 2)) % self.size


class Vectors:
    """Bounds, costs and right-hand sides of one problem, by component name.

    Every array has the ring's positions on its last axis. Columns start as [0, inf) at no cost, and are fixed to 0 at
    the holder and the spare position; right-hand sides start as 0.
    """

    def __init__(self, columns: dict[str, tuple[int, ...]], rows: dict[str, tuple[int, ...]], ring: Ring) -> None:
        self.ring = ring
        self.lower = {n: np.zeros(s) for n, s in columns.items()}
        self.upper = {n: np.full(s, np.inf) for n, s in columns.items()}
        self.cost = {n: np.zeros(s) for n, s in columns.items()}
        self.rhs = {n: np.zeros(s) for n, s in rows.items()}
        self.offset_eur = 0.0  # constant part of the objective
        for upper in self.upper.values():
            upper[..., [ring.spare, ring.holder]] = 0.0

    def put(self, table: dict[str, Array], name: str, values: Array | float) -> None:
        """Writes a series given in order of time."""
        table[name][..., self.ring.slots] = values

    def first(self, table: dict[str, Array], name: str, values: Array | float) -> None:
        """Writes the first slot alone: where what is measured enters."""
        table[name][..., self.ring.slots[0]] = values


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A problem with its prices and series as arrays, made once for all assets."""

    problem: PlanProblem
    tiers: Tiers
    price_import: Array
    price_export: Array
    known: NDArray[np.bool_]
    import_allowed_kw: Array

    @staticmethod
    def of(problem: PlanProblem) -> Given:
        return Given(
            problem=problem,
            tiers=tiers(problem),
            price_import=np.array(problem.price_import, dtype=float),
            price_export=np.array(problem.price_export, dtype=float),
            known=np.array(problem.price_known, dtype=bool),
            import_allowed_kw=np.array([problem.import_allowed_kw(t) for t in range(problem.steps)], dtype=float),
        )


def columns(m: Model, name: str, *index: pyo.Set) -> None:
    """Declares variables with a cost that may change between plans."""
    m.add_component(name, pyo.Var(*index))
    m.add_component(f"{name}_cost", pyo.Param(*index, mutable=True, initialize=0.0))


def rows(m: Model, name: str, *index: pyo.Set, body: Callable[..., Linear], equal: bool = False) -> None:
    """Declares `body <= rhs` (or `body == rhs`) for each index, with a right-hand side that may change.

    Parameters
    ----------
    m : ConcreteModel
        Where to.
    name : str
        Of the constraint; its right-hand side is the mutable parameter `NAME_rhs`.
    index : Set
        The last one is the ring.
    body : callable
        Takes the indices; linear in variables, with constants as coefficients: the matrix never changes.
    equal : bool
        Whether it is an equation.
    """
    param = pyo.Param(*index, mutable=True, initialize=0.0)
    m.add_component(f"{name}_rhs", param)

    def rule(_: Model, *at: int) -> Linear:
        value = param[at if len(at) > 1 else at[0]]
        return body(*at) == value if equal else body(*at) <= value

    m.add_component(name, pyo.Constraint(*index, rule=rule))
