"""The whole house as one Pyomo model, and its vectors: every asset declares itself and fills in its numbers.

A new asset is one file with `declare` and `fill`, and one line in each of the two functions here.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyomo.environ as pyo

from solvers.model import battery, grid, peak, pv, rooms
from solvers.model.frame import Given, Model, Ring, Shape, Vectors
from solvers.problem import PlanProblem

# Columns that become binary where the relaxation uses both directions at once, and what each separates.
DIRECTIONS = {"charges": (("charge_pv", "charge_ac"), "discharge"), "imports": (("imported",), "exported")}


def assemble(shape: Shape) -> Model:
    """The model of a shape: variables, rows and a linear objective, all numbers that change as mutable parameters.

    Positions of the ring are `m.P`; `m.before[p]` is the position a slot earlier.
    """
    m = pyo.ConcreteModel()
    size = Ring(shape.steps).size
    m.P = pyo.RangeSet(0, size - 1)
    m.before = {p: (p - 1) % size for p in range(size)}
    battery.declare(m, shape)
    pv.declare(m, shape)
    rooms.declare(m, shape)
    grid.declare(m, shape)
    grid.balance(m, shape)
    peak.declare(m, shape)
    m.objective = pyo.Objective(
        expr=pyo.quicksum(
            m.component(f"{v.name}_cost")[i] * v[i] for v in m.component_objects(pyo.Var) for i in v
        )
    )
    return m


def fill(problem: PlanProblem, shape: Shape, layout: Layout, ring: Ring) -> Vectors:
    """Everything of one problem that is not in the matrix."""
    v = Vectors(layout.columns, layout.rows, ring)
    given = Given.of(problem)
    battery.fill(v, given, shape)
    pv.fill(v, given, shape)
    rooms.fill(v, given, shape)
    grid.fill(v, given, shape)
    peak.fill(v, given, shape)
    return v


@dataclass(frozen=True, slots=True)
class Layout:
    """Names and array shapes of all columns and rows, in the order in which the model declares them."""

    columns: dict[str, tuple[int, ...]]
    rows: dict[str, tuple[int, ...]]

    @staticmethod
    def of(m: Model) -> Layout:
        width = len(m.P)

        def sizes(kind: type) -> dict[str, tuple[int, ...]]:
            parts = m.component_objects(kind)
            return {c.local_name: (width,) if c.dim() == 1 else (len(c) // width, width) for c in parts}

        return Layout(sizes(pyo.Var), sizes(pyo.Constraint))
