"""Sun on the DC side: what is available goes to the AC side, into the battery, or is curtailed.

Variables [kW, DC], per slot: `pv_ac`, `curtailed`; `charge_pv` (terminals) belongs to the battery.

    pv_ac + charge_pv / eff_charge_pv + curtailed = pv
    pv_ac + eff_discharge * discharge <= ac_limit

Curtailing is free. Where the plant cannot curtail, the sun beyond the export limit goes to the grid all the same: then
`curtailed` is that export, as dear as a broken limit, less what it earns.
"""

from __future__ import annotations

import numpy as np

from solvers.model.frame import Given, Linear, Model, Shape, Vectors, columns, rows


def declare(m: Model, shape: Shape) -> None:
    """Columns and rows of the sun; after the battery."""
    b = shape.battery
    columns(m, "pv_ac", m.P)
    columns(m, "curtailed", m.P)

    def dc(p: int) -> Linear:
        out = m.pv_ac[p] + m.curtailed[p]
        return out if b is None else out + (1.0 / b.eff_charge_pv) * m.charge_pv[p]

    def ac(p: int) -> Linear:
        return m.pv_ac[p] if b is None else m.pv_ac[p] + b.eff_discharge * m.discharge[p]

    rows(m, "dc", m.P, body=dc, equal=True)
    rows(m, "ac_output", m.P, body=ac)


def fill(v: Vectors, given: Given, shape: Shape) -> None:
    """Sun and AC limit of one problem."""
    p = given.problem
    v.put(v.rhs, "dc", np.array(p.pv_kw))
    v.put(v.rhs, "ac_output", p.ac_limit_kw)
    if not p.pv_curtailable:
        earned = np.maximum(0.0, given.price_export)
        v.put(v.cost, "curtailed", (given.tiers.over_limit_eur_per_kwh - earned) * p.dt_h)
