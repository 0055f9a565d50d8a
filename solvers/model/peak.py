"""A price on power: what importing more than ever before costs.

Variables, per slot: `peak` [kW above what was measured so far].

    imported + over - peak <= measured
    peak[p-1] - peak[p] <= 0                  (only if paid once: the last slot holds the highest, and the price)

Where every slot above a free power pays for itself there is no second row, and each slot has the price.
"""

from __future__ import annotations

from solvers.model.frame import Given, Model, Shape, Vectors, columns, rows


def declare(m: Model, shape: Shape) -> None:
    """Columns and rows of the peak; needs the columns of the grid."""
    if shape.peak is None:
        return
    columns(m, "peak", m.P)
    rows(m, "peak_seen", m.P, body=lambda p: m.imported[p] + m.over[p] - m.peak[p])
    if shape.peak == "once":
        rows(m, "peak_kept", m.P, body=lambda p: m.peak[m.before[p]] - m.peak[p])


def fill(v: Vectors, given: Given, shape: Shape) -> None:
    """The peak so far and its price."""
    peak = given.problem.peak
    if peak is None or shape.peak is None:
        return
    v.put(v.rhs, "peak_seen", peak.measured_kw)
    if peak.once:
        v.cost["peak"][v.ring.slots[-1]] = peak.eur_per_kw
    else:
        v.put(v.cost, "peak", peak.eur_per_kw)
