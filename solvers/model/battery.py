"""The battery: two ways in, one way out, a taper near full, soft targets, and what is left at the end.

Variables, per slot: `charge_pv`, `charge_ac`, `discharge` [kW at the terminals], `stored` [SOC above soc_min,
end of slot].

    stored[p] - stored[p-1] - (charge_pv + charge_ac - discharge) * dt / capacity = 0
    charge_pv + charge_ac + charge_kw / discharge_kw * discharge <= charge_kw              (never both at full power)
    charge_pv + charge_ac + share * slope * stored[p-1] <= share * (charge_kw + slope * (knee - soc_min))    (taper)

On a linear taper power decays exponentially: `share` is its mean over a slot by its first. Where a slot begins below
the knee that is a little more than the battery takes, so the row relaxes the truth, which is concave there.

The second row is the convex hull of "charges or discharges". In planning cases it is split by `charges` in [0, 1],
made binary where the relaxation does both. Targets (reserve, balancing charge, final SOC) are soft, `short` is what is
missing [SOC]:

    -stored - short <= soc_min - target

Missing costs little per hour, so that no reserve is refilled at a spike. Going deeper below the target costs more than
any price in sight, so that none is sold at a spike either; that is not convex and is left to the dynamic program over
composites. So is what deep cycles wear on top: which part of the battery a kWh is drawn from is not convex either, and
without it the relaxation is still a bound. No charging from the grid in slots whose price is not known yet, unless a
mode does that a person holds.
"""

from __future__ import annotations

import numpy as np

from models.physics.hybrid import taper_mean_share, taper_slope_kw
from solvers.model.frame import Given, Linear, Model, Shape, Vectors, columns, rows
from solvers.tiers import soc_targets


def declare(m: Model, shape: Shape) -> None:
    """Columns and rows of the battery."""
    b = shape.battery
    if b is None:
        return
    for name in ("charge_pv", "charge_ac", "discharge", "stored"):
        columns(m, name, m.P)
    per_kw = shape.dt_h / b.capacity_kwh
    before = m.before

    def into(p: int) -> Linear:
        return m.charge_pv[p] + m.charge_ac[p]

    rows(
        m,
        "soc_balance",
        m.P,
        body=lambda p: m.stored[p] - m.stored[before[p]] - per_kw * into(p) + per_kw * m.discharge[p],
        equal=True,
    )
    if b.free:
        columns(m, "charges", m.P)
        rows(m, "may_charge", m.P, body=lambda p: into(p) - b.charge_kw * m.charges[p])
        rows(m, "may_discharge", m.P, body=lambda p: m.discharge[p] + b.discharge_kw * m.charges[p])
    else:
        ratio = b.charge_kw / b.discharge_kw if b.discharge_kw > 0.0 else 0.0
        rows(m, "one_way", m.P, body=lambda p: into(p) + ratio * m.discharge[p])
    slope, share = _taper(shape)
    if slope > 0.0:
        rows(m, "taper", m.P, body=lambda p: into(p) + share * slope * m.stored[before[p]])
    if b.targets:
        columns(m, "short", m.P)
        rows(m, "target", m.P, body=lambda p: -1.0 * m.stored[p] - m.short[p])


def _taper(shape: Shape) -> tuple[float, float]:
    """Its slope [kW per unit of SOC], 0 without; the mean of a slot by its first power."""
    b = shape.battery
    if b is None:
        return 0.0, 1.0
    slope = taper_slope_kw(b.charge_kw, b.taper_above_soc, b.taper_end_share)
    return slope, taper_mean_share(slope, b.capacity_kwh, shape.dt_h)


def fill(v: Vectors, given: Given, shape: Shape) -> None:
    """State, window, wear, targets and end value of one problem."""
    p, b = given.problem, given.problem.battery
    if b is None or shape.battery is None:
        return
    now = b.soc - b.soc_min
    v.put(v.lower, "stored", min(0.0, now))
    v.put(v.upper, "stored", max(b.soc_max, b.soc) - b.soc_min)
    v.first(v.rhs, "soc_balance", now)
    for name in ("charge_pv", "charge_ac"):
        v.put(v.upper, name, b.charge_kw)
    v.put(v.upper, "discharge", b.discharge_kw)
    if b.composites:
        buys = [b.charge_kw if p.may_charge_from_grid(t) else 0.0 for t in range(p.steps)]
        v.put(v.upper, "charge_ac", np.array(buys))
        v.put(v.rhs, "one_way", b.charge_kw)
    else:
        v.put(v.upper, "charges", 1.0)
        v.put(v.rhs, "may_discharge", b.discharge_kw)
    v.put(v.cost, "discharge", b.wear_eur_per_kwh * p.dt_h)
    slope, share = _taper(shape)
    if slope > 0.0:
        most = share * (b.charge_kw + slope * (b.taper_above_soc - b.soc_min))
        v.put(v.rhs, "taper", most)
        v.first(v.rhs, "taper", most - share * slope * now)
    _fill_targets(v, given)
    v.cost["stored"][v.ring.slots[-1]] -= given.tiers.soc_end_eur_per_kwh * b.capacity_kwh


def _fill_targets(v: Vectors, given: Given) -> None:
    b, targets = given.problem.battery, soc_targets(given.problem, given.tiers)
    if b is None or targets is None:
        return
    v.put(v.cost, "short", np.array([t.miss_eur_per_kwh for t in targets]) * b.capacity_kwh)
    v.put(v.rhs, "target", b.soc_min - np.array([t.soc for t in targets]))
