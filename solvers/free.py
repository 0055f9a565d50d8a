"""A relaxation's numbers made clean: duties within bounds, and flows balanced exactly where they are chosen freely."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from solvers.problem import PlanProblem
from solvers.replay import Trajectory
from solvers.thermal import Rooms

Array = NDArray[np.float64]

_ROUNDING_KW = 1e-6


def duties(problem: PlanProblem, values: Mapping[str, Array]) -> Array:
    """Duties within 0 .. 1 without the rounding of the simplex method, shape (rooms, steps)."""
    if not problem.rooms:
        return np.zeros((0, problem.steps))
    return np.asarray(np.clip(np.round(values["duty"], 9), 0.0, 1.0))


def free_trajectory(
    problem: PlanProblem, values: Mapping[str, Array], duty: Sequence[Sequence[float]]
) -> Trajectory:
    """Trajectory of a relaxation's flows: battery and curtailment as chosen, the grid closes the balance.

    Parameters
    ----------
    problem : PlanProblem
        With a battery.
    values : mapping
        `charge_pv`, `charge_ac`, `discharge` [kW, terminals], `curtailed` [kW], shape (steps,).
    duty : sequence of sequences
        Per room and slot.
    """
    b = problem.battery
    assert b is not None
    from_pv, from_ac = np.maximum(values["charge_pv"], 0.0), np.maximum(values["charge_ac"], 0.0)
    give, curtailed = np.maximum(values["discharge"], 0.0), np.maximum(values["curtailed"], 0.0)
    for flow in (from_pv, from_ac, give, curtailed):
        flow[flow < _ROUNDING_KW] = 0.0
    pv = np.array(problem.pv_kw)
    curtailed = np.minimum(curtailed, pv)
    from_pv = np.minimum(from_pv, (pv - curtailed) * b.eff_charge_pv)
    change = (from_pv + from_ac - give) * (problem.dt_h / b.capacity_kwh)
    heat = sum((r.heater_kw * np.array(d) for r, d in zip(problem.rooms, duty, strict=True)), np.zeros_like(pv))
    pv_ac = pv - curtailed - from_pv / b.eff_charge_pv
    grid = np.array(problem.load_kw) + heat + from_ac / b.eff_charge_ac - pv_ac - give * b.eff_discharge
    grid[np.abs(grid) < _ROUNDING_KW * 1e-3] = 0.0
    rooms = Rooms(problem)
    air, slab = [], []
    for t in range(problem.steps):
        rooms.advance(t, [d[t] for d in duty])
        air.append(rooms.air_c)
        slab.append(rooms.slab_c)
    return Trajectory(
        charge_kw=tuple((from_pv + from_ac).tolist()),
        discharge_kw=tuple(give.tolist()),
        soc=tuple(np.clip(b.soc + np.cumsum(change), 0.0, 1.0).tolist()),  # the last bit of a sum may lie beyond
        import_kw=tuple(np.maximum(grid, 0.0).tolist()),
        export_kw=tuple(np.maximum(-grid, 0.0).tolist()),
        pv_used_kw=tuple((pv - curtailed).tolist()),
        curtailed_kw=tuple(curtailed.tolist()),
        air_c=tuple(zip(*air, strict=True)),
        slab_c=tuple(zip(*slab, strict=True)),
    )
