"""Plans without a solver: what the devices do alone, and what a careful owner's rules make of them. Pure Python.

`RulesPlanner` is the last resort of the cascade and the policy that the planner is measured against; `SmartRules` is
the stronger comparison: it reads the day's prices and the sun as an owner would, in whole local hours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from models.errors import PemsError
from models.types.mode import REGULAR, TRADING, Composite, InverterMode
from models.units import floor_percent
from solvers.finish import Verdict, failed, finish
from solvers.problem import BatteryProblem, PlanProblem
from solvers.result import PlanResult, Stop
from solvers.thermostat import thermostat_duty
from solvers.validate import validate

_NO_BOUND = -math.inf


class RulesPlanner:
    """Regular mode and plain thermostats at the lower edge of the band; export off where it costs."""

    name = "rules"

    def solve(self, problem: PlanProblem, *, time_limit_s: float) -> PlanResult:
        """Plans one horizon; `time_limit_s` is never needed."""
        try:
            validate(problem)
        except PemsError as error:
            return failed(problem, self.name, Stop.NOT_STARTED, str(error))
        return finish(
            problem,
            Verdict(maker=self.name, stop=Stop.CONVERGED, bound_eur=_NO_BOUND, fallback=True),
            modes=(*problem.forced_modes, *(REGULAR,) * problem.steps)[: problem.steps],
            export_limit_kw=export_where_it_pays(problem),
            duty=thermostat_duty(problem),
        )


class SmartRules:
    """A careful owner's rules.

    Rooms are heated on sun that the battery cannot take. On each local day whose spread pays for losses and wear, the
    battery is charged in the cheapest hours before the dearest one, leaving room for the day's sun, and kept for hours
    dear enough; export is off where it costs. Nothing is pre-heated from the grid.
    """

    name = "smart_rules"

    def solve(self, problem: PlanProblem, *, time_limit_s: float) -> PlanResult:
        """Plans one horizon; `time_limit_s` is never needed."""
        try:
            validate(problem)
        except PemsError as error:
            return failed(problem, self.name, Stop.NOT_STARTED, str(error))
        return finish(
            problem,
            Verdict(maker=self.name, stop=Stop.CONVERGED, bound_eur=_NO_BOUND, fallback=True),
            modes=(REGULAR,) * problem.steps if problem.free else smart_modes(problem),
            export_limit_kw=export_where_it_pays(problem),
            duty=thermostat_duty(problem, surplus=_Surplus(problem)),
        )


def export_where_it_pays(problem: PlanProblem) -> tuple[float, ...]:
    """Feed-in limit per slot [kW]: 0 where the price (or its stand-in) is negative, else the contract."""
    stop = problem.pv_curtailable
    return tuple(0.0 if p < 0.0 and stop else problem.export_limit_kw for p in problem.price_export)


class _Surplus:
    """Sun that neither the house nor the battery can take [kW]; counts what the battery has taken so far."""

    def __init__(self, problem: PlanProblem) -> None:
        self._p = problem
        b = problem.battery
        self._room_kwh = 0.0 if b is None else max(0.0, b.soc_max - b.soc) * b.capacity_kwh

    def __call__(self, slot: int, heat_kw: float) -> float:
        p, b = self._p, self._p.battery
        spare = max(0.0, p.pv_kw[slot] - p.load_kw[slot] - heat_kw)
        if b is None:
            return spare
        taken = min(spare, b.charge_kw / b.eff_charge_pv, self._room_kwh / p.dt_h / b.eff_charge_pv)
        self._room_kwh -= taken * b.eff_charge_pv * p.dt_h
        return spare - taken


@dataclass(frozen=True, slots=True)
class _Hour:
    """One local hour of one day, as far as the horizon holds it."""

    slots: tuple[int, ...]
    price: float
    sun_kwh: float  # beyond the base load


def smart_modes(problem: PlanProblem) -> tuple[InverterMode, ...]:
    """Composite per slot by the owner's rules."""
    b = problem.battery
    if b is None:
        return (REGULAR,) * problem.steps
    modes = [REGULAR] * problem.steps
    for hours in _days(problem).values():
        for hour, mode in zip(hours, _day_modes(problem, b, hours), strict=True):
            for t in hour.slots:
                modes[t] = mode
    return held_long_enough(problem, modes)


def _days(problem: PlanProblem) -> dict[date, list[_Hour]]:
    """Hours with known prices, by local day, in order of time."""
    zone = ZoneInfo(problem.timezone)
    by_hour: dict[datetime, list[int]] = {}
    for t in range(problem.steps):
        if problem.price_known[t]:
            at = (problem.start + timedelta(hours=problem.dt_h * t)).astimezone(ZoneInfo("UTC"))
            by_hour.setdefault(at.replace(minute=0, second=0, microsecond=0), []).append(t)
    days: dict[date, list[_Hour]] = {}
    for at, slots in by_hour.items():
        price = sum(problem.price_import[t] for t in slots) / len(slots)
        sun = problem.dt_h * sum(max(0.0, problem.pv_kw[t] - problem.load_kw[t]) for t in slots)
        days.setdefault(at.astimezone(zone).date(), []).append(_Hour(tuple(slots), price, sun))
    return days


def _day_modes(problem: PlanProblem, b: BatteryProblem, hours: Sequence[_Hour]) -> list[InverterMode]:
    window_kwh = (b.soc_max - b.soc_min) * b.capacity_kwh
    needed = max(1, math.ceil(window_kwh / max(b.charge_kw, 1e-9) - 1e-9))
    dearest = max(range(len(hours)), key=lambda i: (hours[i].price, -i))
    cheap = sorted(range(dearest), key=lambda i: (hours[i].price, i))[:needed]
    dear = sorted((h.price for h in hours), reverse=True)[:needed]
    sun_kwh = sum(h.sun_kwh for h in hours) * b.eff_charge_pv
    target = b.soc_max - min(window_kwh, sun_kwh) / b.capacity_kwh
    if not cheap or b.charge_kw <= 0.0:
        return [REGULAR] * len(hours)
    paid = sum(hours[i].price for i in cheap) / len(cheap) / b.eff_charge_ac
    if sum(dear) / len(dear) * b.eff_discharge - b.wear_eur_per_kwh <= paid:
        return [REGULAR] * len(hours)
    charge = InverterMode(composite=Composite.CHARGE_FROM_GRID, stop_soc=floor_percent(target) / 100.0)
    hold = InverterMode(composite=Composite.HOLD)
    out = []
    for i, hour in enumerate(hours):
        pays = hour.price * b.eff_discharge - b.wear_eur_per_kwh > paid
        if i in cheap and target > b.soc_min:
            out.append(charge)
        elif pays or hour.sun_kwh > 0.0 or i > dearest:
            out.append(REGULAR)
        else:
            out.append(hold)
    return out


def held_long_enough(problem: PlanProblem, modes: Sequence[InverterMode]) -> tuple[InverterMode, ...]:
    """The same wishes, each composite held for `min_mode_slots`, the present one included; what is forced stays.

    A charge or sale that began at known prices does not last into slots whose price nobody knows.
    """
    first = True  # still what ran when the plan began: it may have to end its dwell time
    running, held = problem.mode_now, problem.mode_held_slots
    out = list(problem.forced_modes)
    held += len(out)
    for t, wish in enumerate(modes[len(out) :], start=len(out)):
        blind = running is not None and running.composite in TRADING and not problem.price_known[t] and not first
        if running is not None and wish.composite is running.composite:
            running = wish  # another stop SOC or power: not a change of what runs
        elif running is None or held >= problem.min_mode_slots or blind:
            running, held, first = wish, 0, False
        out.append(running)
        held += 1
    return tuple(out)
