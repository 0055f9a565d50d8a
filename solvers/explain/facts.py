"""What flows while a choice of a plan runs."""

from __future__ import annotations

import math

from solvers.explain.cards import Facts
from solvers.problem import PlanProblem
from solvers.result import PlanResult


def facts(problem: PlanProblem, result: PlanResult, start: int, stop: int, room: int | None = None) -> Facts:
    """What flows in slots start .. stop-1 of a plan; heat of one room, or of all."""
    p, r, dt = problem, result, problem.dt_h
    rooms = range(len(p.rooms)) if room is None else (room,)
    b = p.battery
    return Facts(
        import_kwh=dt * math.fsum(r.import_kw[start:stop]),
        export_kwh=dt * math.fsum(r.export_kw[start:stop]),
        import_eur_per_kwh=math.fsum(p.price_import[start:stop]) / (stop - start),
        export_eur_per_kwh=math.fsum(p.price_export[start:stop]) / (stop - start),
        charged_kwh=dt * math.fsum(r.charge_kw[start:stop]),
        discharged_kwh=dt * math.fsum(r.discharge_kw[start:stop]),
        soc_start=None if b is None else (b.soc if start == 0 else r.soc[start - 1]),
        soc_end=None if b is None else r.soc[stop - 1],
        heated_kwh=dt * math.fsum(p.rooms[i].heater_kw * math.fsum(r.duty[i][start:stop]) for i in rooms),
    )
