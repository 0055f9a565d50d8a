"""Forecasts, prices and signed plans for the tests of planning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from actors.messages import PlanReady
from models.physics.observer import RoomState
from models.types.forecast import HouseForecast, PriceSeries, WeatherForecast
from models.types.house import House
from models.types.mode import REGULAR, InverterMode
from models.types.reading import InverterReading, RoomReading, RoomsReading
from solvers.problem import PlanProblem
from solvers.result import PlanResult, Quality, SignedPlan, Stop, Timings
from solvers.signature import signature
from tests.actors.devices.bench import START
from tests.solvers.houses import house as a_problem
from tests.solvers.houses import room as a_room


def prices(spot: Sequence[float], *, start: datetime = START, dt_s: float = 900.0) -> PriceSeries:
    return PriceSeries(issued=START, source="test", start=start, dt_s=dt_s, spot_eur_per_kwh=tuple(spot))


def weather(*, start: datetime = START, hours: int = 72, temp_c: float = 2.0, ghi: float = 0.0) -> WeatherForecast:
    n = hours * 4
    return WeatherForecast(
        issued=start, source="test", start=start, dt_s=900.0, temp_c=(temp_c,) * n, ghi_w_per_m2=(ghi,) * n,
        dni_w_per_m2=(ghi,) * n, dhi_w_per_m2=(ghi * 0.3,) * n, wind_m_per_s=(2.0,) * n,
    )  # fmt: skip


def forecast(*, start: datetime = START, steps: int = 192, dt_s: float = 900.0, pv_kw: float = 1.0) -> HouseForecast:
    """Two roofs of the same power; the outdoor temperature rises by 0.1 K a slot."""
    return HouseForecast(
        issued=start, source="test", start=start, dt_s=dt_s, pv_kw=((pv_kw,) * steps, (pv_kw,) * steps),
        load_kw=(0.5,) * steps, outdoor_c=tuple(i / 10 for i in range(steps)),
        window_w_per_m2=dict.fromkeys(("S", "E", "W"), (100.0,) * steps),
    )  # fmt: skip


def inverter(soc: float | None = 0.5, **changes: object) -> InverterReading:
    base: dict[str, object] = {
        "measured_at": START, "online": True, "fault": False, "soc": soc, "pv_kw": 0.0, "battery_kw": 0.0,
        "grid_kw": 0.8, "load_kw": 0.8, **changes,
    }  # fmt: skip
    return InverterReading(**base)  # type: ignore[arg-type]


def rooms(air_c: dict[str, float | None], *, on: Sequence[str] = (), at: datetime = START) -> RoomsReading:
    return RoomsReading(
        measured_at=at,
        rooms={n: RoomReading(measured_at=at, air_c=c, relay_on=n in on, automatic=True) for n, c in air_c.items()},
    )


def states(house: House, air_c: float = 20.0) -> dict[str, RoomState]:
    return {r.name: RoomState(air_c, air_c + 1.0, 0.0) for r in house.rooms}


def signed(problem: PlanProblem, **changes: object) -> SignedPlan:
    """A plan for a problem with a fitting signature; what it says need not be true."""
    n = problem.steps
    base: dict[str, object] = {
        "problem_id": problem.id, "maker": "test", "stop": Stop.CONVERGED, "quality": Quality.OPTIMAL, "message": "",
        "start": problem.start, "dt_h": problem.dt_h, "cost_eur": 1.0, "objective_eur": 1.0, "bound_eur": 1.0,
        "gap_eur": 0.0, "modes": (REGULAR,) * n, "export_limit_kw": (8.0,) * n, "charge_kw": (0.0,) * n,
        "discharge_kw": (0.0,) * n, "soc": (0.5,) * n, "import_kw": (0.5,) * n, "export_kw": (0.0,) * n,
        "pv_used_kw": (0.0,) * n, "curtailed_kw": (0.0,) * n, "duty": ((0.0,) * n,) * len(problem.rooms),
        "air_c": ((20.0,) * n,) * len(problem.rooms), "slab_c": ((20.0,) * n,) * len(problem.rooms), "bent_rules": (),
        "timings": Timings(), **changes,
    }  # fmt: skip
    result = PlanResult(**base)  # type: ignore[arg-type]
    return SignedPlan(result=result, signature=signature(problem, result), checked_cost_eur=1.0)


def plan(
    *,
    start: datetime = START,
    modes: Sequence[InverterMode] = (),
    duty: Mapping[str, float | Sequence[float]] | None = None,
    steps: int = 24,
    **changes: object,
) -> PlanReady:
    """A plan that is ready to be followed; missing slots are regular."""
    duty = duty or {}
    problem = a_problem(
        steps, id=f"p-{start:%H%M}", start=start, issued=start, rooms=tuple(a_room(steps, name=n) for n in duty)
    )
    filled = (*modes, *(REGULAR,) * (steps - len(modes)))
    rows = tuple((d,) * steps if isinstance(d, (int, float)) else tuple(d) for d in duty.values())
    made = signed(problem, modes=filled, duty=rows, **changes)
    return PlanReady(plan=made, problem=problem, took_s=0.1)
