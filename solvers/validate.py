"""Is a problem well-formed? One clear line if not; contradicting limits are not errors, they get bent at a price."""

from __future__ import annotations

import math
from collections.abc import Sequence

from models.errors import DataError
from solvers.problem import BatteryProblem, PlanProblem, RoomProblem

_MAX_STEPS = 10_000
_MAX_PRICE = 100.0  # EUR/kWh
_MAX_KW = 1e4


def validate(problem: PlanProblem) -> None:
    """Checks lengths, signs and plausibility of every field.

    Raises
    ------
    DataError
        Names the field, its value, the limit and the remedy.
    """
    n = problem.steps
    if not 1 <= n <= _MAX_STEPS:
        raise DataError(f"plan problem: {n} slots, must be 1 to {_MAX_STEPS}", hint="give at least one price per slot")
    if not 0.0 < problem.dt_h <= 24.0:
        raise DataError(f"plan problem: dt_h {problem.dt_h}, must be above 0 and at most 24", hint="hours per slot")
    if problem.start.tzinfo is None:
        raise DataError(f"plan problem: start {problem.start} has no time zone", hint="use aware UTC")
    for name in ("price_import", "price_export"):
        _series(name, getattr(problem, name), n, -_MAX_PRICE, _MAX_PRICE, "EUR/kWh; use a stand-in where unknown")
    if len(problem.price_known) != n:
        raise DataError(f"plan problem: price_known has {len(problem.price_known)} slots, must have {n}")
    for name in ("pv_kw", "load_kw"):
        _series(name, getattr(problem, name), n, 0.0, _MAX_KW, "kW, never negative")
    _series("outdoor_c", problem.outdoor_c, n, -80.0, 80.0, "degC")
    for name in ("import_limit_kw", "export_limit_kw", "ac_limit_kw"):
        _number(name, getattr(problem, name), 0.0, 1e9)
    if problem.phase_limit_kw is not None:
        _number("phase_limit_kw", problem.phase_limit_kw, 0.0, 1e9)
    if problem.battery is not None:
        _battery(problem.battery)
    for i, room in enumerate(problem.rooms):
        _room(room, i, len(problem.rooms), n)


def _battery(b: BatteryProblem) -> None:
    _number("battery.capacity_kwh", b.capacity_kwh, 1e-3, 1e5)
    for name in ("soc", "soc_min", "soc_max"):
        _number(f"battery.{name}", getattr(b, name), 0.0, 1.0)
    if b.soc_min > b.soc_max:
        raise DataError(
            f"battery.soc_min {b.soc_min} is above soc_max {b.soc_max}", hint="the window must not be empty"
        )
    for name in ("charge_kw", "discharge_kw", "wear_eur_per_kwh", "battery_first_draw_kw"):
        _number(f"battery.{name}", getattr(b, name), 0.0, _MAX_KW)
    for name in ("eff_charge_pv", "eff_charge_ac", "eff_discharge"):
        _number(f"battery.{name}", getattr(b, name), 0.05, 1.0)
    _number("battery.taper_above_soc", b.taper_above_soc, 0.0, 1.0)
    _number("battery.taper_end_share", b.taper_end_share, 0.0, 1.0)
    for name in ("soc_final", "reserve_soc"):
        if getattr(b, name) is not None:
            _number(f"battery.{name}", getattr(b, name), 0.0, 1.0)


def _room(room: RoomProblem, index: int, count: int, steps: int) -> None:
    at = f"rooms[{index}] {room.name}"
    for name in ("air_kwh_per_k", "slab_kwh_per_k"):
        _number(f"{at}: {name}", getattr(room, name), 1e-4, 1e4)
    for name in ("heater_kw", "slab_air_kw_per_k", "ua_kw_per_k"):
        _number(f"{at}: {name}", getattr(room, name), 0.0, _MAX_KW)
    for name in ("air_c", "slab_c"):
        _number(f"{at}: {name}", getattr(room, name), -60.0, 120.0)
    _number(f"{at}: disturbance_kw", room.disturbance_kw, -_MAX_KW, _MAX_KW)
    _number(f"{at}: forced_duty", room.forced_duty, 0.0, 1.0)
    _number(f"{at}: forced_slots", room.forced_slots, 0, math.inf)
    if room.phase not in (0, 1, 2, 3):
        raise DataError(f"{at}: phase {room.phase}, must be 0 (all), 1, 2 or 3")
    for other, g in room.neighbours:
        _number(f"{at}: neighbour", g, 0.0, _MAX_KW)
        if not 0 <= other < count or other == index:
            raise DataError(f"{at}: neighbour {other}, must be another room's index below {count}")
    _series(f"{at}: sun_kw", room.sun_kw, steps, -_MAX_KW, _MAX_KW, "kW")
    _series(f"{at}: lower_c", room.lower_c, steps, -60.0, 60.0, "degC")
    _series(f"{at}: upper_c", room.upper_c, steps, -60.0, 60.0, "degC")


def _number(name: str, value: float, low: float, high: float) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise DataError(f"plan problem: {name} {value}, must be {low:g} to {high:g}")


def _series(name: str, values: Sequence[float], steps: int, low: float, high: float, hint: str) -> None:
    if len(values) != steps:
        raise DataError(f"plan problem: {name} has {len(values)} slots, must have {steps}", hint=hint)
    if min(values) >= low and max(values) <= high and math.isfinite(sum(values)):
        return
    for t, value in enumerate(values):
        if not (math.isfinite(value) and low <= value <= high):
            raise DataError(f"plan problem: {name} slot {t} is {value}, must be {low:g} to {high:g}", hint=hint)
