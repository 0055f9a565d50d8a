"""The grid connection and the balance on the AC side.

Variables [kW], per slot: `imported` within the connection limit, `over` what is imported beyond it (elastic, dear),
`exported`, and `phase_over`, by how much the worst phase is beyond its fuse.

    imported + over - exported + pv_ac + eff_discharge * discharge - charge_ac / eff_charge_ac
        - sum of heater * duty = load
    heat_on_phase - heat / 3 + (imported + over - exported) / 3  <=  phase_limit + phase_over        for each phase

Heaters load their own phase, all else is taken as even. Sun that cannot be curtailed goes out through the phases too.
A house does not export where that costs: its bound is 0.
In planning cases `imported` and `exported` exclude each other: `imports` in [0, 1], made binary where it matters.
"""

from __future__ import annotations

import numpy as np
import pyomo.environ as pyo

from solvers.model.frame import Given, Linear, Model, Shape, Vectors, columns, rows


def declare(m: Model, shape: Shape) -> None:
    """Columns of the connection; `balance` comes last, when every asset is there."""
    for name in ("imported", "over", "exported"):
        columns(m, name, m.P)
    if shape.directions is not None:
        import_kw, export_kw = shape.directions
        columns(m, "imports", m.P)
        rows(m, "may_import", m.P, body=lambda p: m.imported[p] - import_kw * m.imports[p])
        rows(m, "may_export", m.P, body=lambda p: m.exported[p] + export_kw * m.imports[p])


def balance(m: Model, shape: Shape) -> None:
    """The AC balance and the phases, over all assets."""
    heaters = list(enumerate(shape.rooms))
    b = shape.battery

    def ac(p: int) -> Linear:
        out = m.imported[p] + m.over[p] - m.exported[p] + m.pv_ac[p]
        if b is not None:
            out = out + b.eff_discharge * m.discharge[p] - (1.0 / b.eff_charge_ac) * m.charge_ac[p]
        return out - pyo.quicksum(r.heater_kw * m.duty[i, p] for i, r in heaters)

    rows(m, "balance", m.P, body=ac, equal=True)
    if not shape.phases:
        return
    columns(m, "phase_over", m.P)
    m.PHASES = pyo.RangeSet(1, 3)

    def phase(ph: int, p: int) -> Linear:
        share = {0: 0.0, ph: 2.0 / 3.0}  # its own load less the third that the even rest counts
        heat = pyo.quicksum(share.get(r.phase, -1.0 / 3.0) * r.heater_kw * m.duty[i, p] for i, r in heaters)
        net = m.imported[p] + m.over[p] - m.exported[p]
        if shape.spills:
            net = net - m.curtailed[p]
        return heat + (1.0 / 3.0) * net - m.phase_over[p]

    rows(m, "phase", m.PHASES, m.P, body=phase)


def fill(v: Vectors, given: Given, shape: Shape) -> None:
    """Prices, limits and load of one problem."""
    p, dt = given.problem, given.problem.dt_h
    v.put(v.cost, "imported", given.price_import * dt)
    v.put(v.cost, "over", (given.price_import + given.tiers.over_limit_eur_per_kwh) * dt)
    v.put(v.cost, "exported", -given.price_export * dt)
    v.put(v.upper, "imported", given.import_allowed_kw)
    v.put(v.upper, "exported", np.array(p.export_allowed_kw))
    v.put(v.rhs, "balance", np.array(p.load_kw))
    if shape.directions is not None:
        v.put(v.upper, "imports", 1.0)
        v.put(v.rhs, "may_export", shape.directions[1])
    if shape.phases and p.phase_limit_kw is not None:
        v.put(v.cost, "phase_over", given.tiers.over_limit_eur_per_kwh * dt)
        v.put(v.rhs, "phase", p.phase_limit_kw)
