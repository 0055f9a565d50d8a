"""Properties of every plan, whatever the house, its state, its prices and what is forecast.

Plans are judged here by a second set of books: limits, flows, states and money are worked out again from what a plan
says will flow and from the problem alone; nothing of the account, the replay or the checker is used for it. The same
300 examples are tried each time; `PEMS_EXAMPLES=100000` tries as many.
"""

from __future__ import annotations

import math
import os
import random
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.types.mode import REGULAR, Composite, InverterMode
from solvers.cascade import Cascade
from solvers.checker import check, sign, verify
from solvers.problem import BatteryProblem, CalmPrices, Commitment, PeakPrice, PlanProblem, RoomProblem
from solvers.result import PlanResult, Quality, SignedPlan
from solvers.rules import SmartRules
from solvers.shifted import ShiftedPlan
from solvers.tiers import tiers
from tests.solvers.direct import exact_step

START = datetime(2021, 3, 27, 20, tzinfo=UTC)
TOLD_ABOVE = 1e-4  # K, kW or SOC: what is bent by less is not told
NEAR = 1e-6
HALF_A_PERCENT = 0.005  # of the SOC: what a battery may show below its window without being below it
MODES = (
    REGULAR,
    InverterMode(composite=Composite.HOLD),
    InverterMode(composite=Composite.HOLD, stop_soc=0.4),
    InverterMode(composite=Composite.CHARGE_FROM_GRID, stop_soc=0.9),
    InverterMode(composite=Composite.CHARGE_FROM_GRID, stop_soc=0.6, rate=0.5),
    InverterMode(composite=Composite.DISCHARGE_TO_GRID, stop_soc=0.3, rate=1.0),
    InverterMode(composite=Composite.SELL_PRODUCTION),
)


def tried(share: float) -> settings:
    """So many of the 300 examples, or of those that `PEMS_EXAMPLES` asks for; the same ones each time."""
    count = max(1, round(share * int(os.environ.get("PEMS_EXAMPLES", "300"))))
    return settings(max_examples=count, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


# --- any house --------------------------------------------------------------------------------------------------------
T = TypeVar("T")


class Dice:
    """Draws numbers and series from one seed: what makes a house odd is for hypothesis to shrink, noise is not."""

    def __init__(self, seed: int) -> None:
        self._rnd = random.Random(seed)

    def number(self, low: float, high: float, *odd: float) -> float:
        """A number of a range, or now and then an end of it or an odd value; rounded, as settings and readings are."""
        if self._rnd.random() < 0.25:
            return self._rnd.choice((low, high, *odd))
        return round(self._rnd.uniform(low, high), 3)

    def one(self, *values: T) -> T:
        return self._rnd.choice(values)

    def series(self, steps: int, low: float, high: float) -> tuple[float, ...]:
        """A forecast: swinging, in two levels, with a spike, noise, or flat, within its range."""
        a, b = self.number(low, high), self.number(low, high)
        at, length = self._rnd.randrange(steps), self._rnd.randint(1, 8)
        kind = self.one("swing", "levels", "spike", "noise", "flat")
        if kind == "flat":
            return (a,) * steps
        if kind == "levels":
            return tuple(a if t < at else b for t in range(steps))
        if kind == "spike":
            return tuple(b if at <= t < at + length else a for t in range(steps))
        if kind == "swing":
            return tuple(a + (b - a) * 0.5 * (1.0 + math.sin((t + at) / length)) for t in range(steps))
        return tuple(round(self._rnd.uniform(min(a, b), max(a, b)), 4) for _ in range(steps))


def a_battery(dice: Dice, steps: int) -> BatteryProblem:
    low = dice.number(0.0, 0.5)
    high = dice.number(low, 1.0, max(low, 0.9))
    return BatteryProblem(
        capacity_kwh=dice.number(2.0, 30.0, 10.0),
        soc=dice.number(0.0, 1.0, low, high),
        soc_min=low,
        soc_max=high,
        charge_kw=dice.number(1.0, 11.0, 5.0, 0.0),
        discharge_kw=dice.number(1.0, 11.0, 5.0, 0.0),
        eff_charge_pv=dice.number(0.8, 1.0),
        eff_charge_ac=dice.number(0.8, 1.0),
        eff_discharge=dice.number(0.8, 1.0),
        wear_eur_per_kwh=dice.one(0.0, 0.04, 0.04, 0.2),
        deep_below_soc=dice.one(0.0, 0.4),
        wear_deep_eur_per_kwh=dice.one(0.0, 0.05),
        taper_above_soc=dice.one(1.0, 0.9, 0.5),
        taper_end_share=dice.one(0.2, 1.0, 0.0),
        reserve_soc=dice.one(None, None, 0.1, 0.4, 1.0),
        full_by_slot=dice.one(None, None, None, 0, steps // 2),
        battery_first_draw_kw=dice.one(0.0, 1.2),
    )


def a_room(dice: Dice, steps: int, index: int, count: int) -> RoomProblem:
    low = dice.number(16.0, 22.0)
    band = dice.one(2.0, 0.5, 0.0, -1.0)  # the last one is inverted
    lower = dice.series(steps, low, low + 1.0)
    return RoomProblem(
        name=f"room_{index}",
        heater_kw=dice.one(0.0, 0.5, 2.0, 4.8),
        air_kwh_per_k=dice.number(0.3, 3.0),
        slab_kwh_per_k=dice.number(0.3, 3.0),
        slab_air_kw_per_k=dice.number(0.05, 0.6),
        ua_kw_per_k=dice.number(0.0, 0.1),
        neighbours=tuple((j, 0.015) for j in (index - 1, index + 1) if 0 <= j < count),
        air_c=dice.number(15.0, 24.0, low, 8.0, 30.0),
        slab_c=dice.number(16.0, 28.0, low, 8.0, 35.0),
        disturbance_kw=dice.one(0.0, 0.05, -0.1),
        sun_kw=dice.series(steps, 0.0, 0.6),
        lower_c=lower,
        upper_c=tuple(x + band for x in lower),
        phase=dice.one(0, 1, 2, 3),
        forced_slots=dice.one(0, 0, 0, 2, steps),
        forced_duty=dice.one(0.0, 0.4, 1.0),
    )


def a_house(seed: int, steps: int, rooms: int, battery: bool, forced_slots: int, level: float) -> PlanProblem:
    """A house of this size; everything else about it follows from the seed."""
    dice, n = Dice(seed), steps
    buys, fee = dice.series(n, level - 0.2, level + 0.6), dice.one(0.1, 0.0, -0.05)  # the last: exports are dearer
    most, known = dice.one(22.0, 22.0, 22.0, 7.0, 2.0, 0.0), dice.one(n, n, n, n // 2, 0)
    mode, begun = dice.one(None, *MODES), dice.one(*MODES)
    power = PeakPrice(eur_per_kw=dice.one(0.2, 4.0), measured_kw=dice.one(0.0, 2.5), once=dice.one(True, False))
    kept = Commitment(modes=(begun,) * 6, at_most_eur=dice.one(0.0, 0.05), left_eur=1.0)
    return PlanProblem(
        id="property",
        issued=START,
        start=START,
        dt_h=dice.one(0.25, 0.25, 1.0, 1.0 / 12.0),
        price_import=buys,
        price_export=tuple(p - fee for p in buys),
        price_known=tuple(t < known for t in range(n)),
        pv_kw=dice.series(n, 0.0, dice.one(0.0, 9.0)),
        load_kw=dice.series(n, 0.0, dice.one(1.0, 6.0)),
        outdoor_c=dice.series(n, -15.0, 30.0),
        import_limit_kw=most,
        export_limit_kw=dice.one(10.0, 10.0, 1.0, 0.0),
        ac_limit_kw=dice.one(10.0, 10.0, 3.0, 0.0),
        pv_curtailable=dice.one(True, True, True, False),
        battery=a_battery(dice, n) if battery else None,
        rooms=tuple(a_room(dice, n, i, rooms) for i in range(rooms)),
        phase_limit_kw=dice.one(None, 7.36, 1.5),
        import_limits_kw=dice.one((), (), dice.series(n, 0.0, most)),
        peak=dice.one(None, None, power),
        mode_now=mode,
        mode_held_slots=dice.one(0, 2, 4, 9),
        mode_forced_slots=0 if mode is None else forced_slots,
        commitment=dice.one(None, None, None, kept),
        min_mode_slots=dice.one(4, 2, 1, 8),
        calm=CalmPrices(mode_change_eur=dice.one(0.02, 0.02, 0.0, 0.3)),
        timezone="Europe/Berlin",
    )


def houses() -> st.SearchStrategy[PlanProblem]:
    """Up to three rooms and 24 slots, with all that may be odd about them."""
    return st.builds(
        a_house,
        seed=st.integers(0, 2**32),
        steps=st.sampled_from((24, 24, 24, 16, 6, 2, 1)),
        rooms=st.integers(0, 3),
        battery=st.sampled_from((True, True, True, True, False)),
        forced_slots=st.sampled_from((0, 0, 0, 0, 3, 24)),
        level=st.sampled_from((0.2, 0.2, 0.05, -0.3, 2.0)),
    )


# --- the second set of books ------------------------------------------------------------------------------------------
def bent_by(problem: PlanProblem, result: PlanResult) -> Iterator[tuple[str, int, float]]:
    """Every limit of the problem that the plan's own flows and states leave: (rule, slot, by how much)."""
    p, r = problem, result
    for t in range(p.steps):
        limit = min([p.import_limit_kw, *p.import_limits_kw[t : t + 1]])
        yield "grid.import_limit", t, r.import_kw[t] - limit
        yield "grid.export_limit", t, r.export_kw[t] - p.export_limit_kw
        if not p.pv_curtailable:
            yield "pv.not_curtailable", t, p.pv_kw[t] - r.pv_used_kw[t]
        if p.phase_limit_kw is not None:
            yield "grid.phase", t, max(phases_kw(p, r, t)) - p.phase_limit_kw  # the worst one is told
        b = p.battery
        if b is not None:
            yield soc_rule(b, r, t)
        for room, air in zip(p.rooms, r.air_c, strict=True):
            low, high = room.lower_c[t], max(room.lower_c[t], room.upper_c[t])
            yield f"room.{room.name}.below", t, low - air[t]
            yield f"room.{room.name}.above", t, air[t] - high


def soc_rule(b: BatteryProblem, r: PlanResult, t: int) -> tuple[str, int, float]:
    """What the SOC should be at the end of a slot: full when that is due, else the reserve or the window's edge."""
    if t == b.full_by_slot:
        return "battery.full_charge", t, b.soc_max - r.soc[t]
    if b.reserve_soc is None and b.full_by_slot is None and b.soc >= b.soc_min - HALF_A_PERCENT:
        return "battery.reserve", t, 0.0  # nothing is asked of a battery that starts at its edge
    return "battery.reserve", t, max(b.soc_min, b.reserve_soc or 0.0) - r.soc[t]


def phases_kw(p: PlanProblem, r: PlanResult, t: int) -> list[float]:
    """What each phase carries: its own heaters, a third of those on all three, and a third of the rest."""
    heat = [r_.heater_kw * duty[t] for r_, duty in zip(p.rooms, r.duty, strict=True)]
    own = [sum(h for h, room in zip(heat, p.rooms, strict=True) if room.phase == ph) for ph in (0, 1, 2, 3)]
    even = (r.import_kw[t] - r.export_kw[t] - sum(heat) + own[0]) / 3.0
    return [even + own[ph] for ph in (1, 2, 3)]


def cost_eur(p: PlanProblem, r: PlanResult) -> float:
    """Energy, power and wear."""
    total = 0.0
    above = [max(0.0, kw - p.peak.measured_kw) for kw in r.import_kw] if p.peak else [0.0]
    total += p.peak.eur_per_kw * (max(above) if p.peak.once else sum(above)) if p.peak else 0.0
    soc = p.battery.soc if p.battery else 0.0
    for t in range(p.steps):
        total += p.dt_h * (r.import_kw[t] * p.price_import[t] - r.export_kw[t] * p.price_export[t])
        if p.battery is not None:
            b = p.battery
            total += p.dt_h * r.discharge_kw[t] * b.wear_eur_per_kwh
            deep = max(0.0, min(soc, b.deep_below_soc) - r.soc[t]) if r.soc[t] < b.deep_below_soc else 0.0
            total += deep * b.capacity_kwh * b.wear_deep_eur_per_kwh
            soc = r.soc[t]
    return total


def changes(p: PlanProblem, r: PlanResult) -> int:
    """Writes of another mode; going on with what runs is none, even to another stop SOC."""
    count = sum(a != b for a, b in zip(r.modes, r.modes[1:], strict=False))
    if p.mode_now is None:
        return count
    same = r.modes[0].composite is p.mode_now.composite
    same = same and (p.mode_now.rate is None or p.mode_now.rate == (r.modes[0].rate or 1.0))
    return count + (not same)


def worth_of_what_is_left(p: PlanProblem, r: PlanResult) -> float:
    prices = tiers(p)
    worth = 0.0
    if p.battery is not None:
        worth += prices.soc_end_eur_per_kwh * p.battery.capacity_kwh * (r.soc[-1] - p.battery.soc_min)
    for room, air, slab in zip(p.rooms, r.air_c, r.slab_c, strict=True):
        low = room.lower_c[-1]
        kwh = room.air_kwh_per_k * (air[-1] - low) + room.slab_kwh_per_k * (slab[-1] - low)
        worth += prices.heat_end_eur_per_kwh * kwh
    return worth


def out_of_balance(p: PlanProblem, r: PlanResult) -> Iterator[str]:
    """Physics: energy is neither made nor lost, nothing is used both ways, no device does what it cannot."""
    soc, air = (p.battery.soc if p.battery else 0.0), [room.air_c for room in p.rooms]
    slab = [room.slab_c for room in p.rooms]
    for t in range(p.steps):
        into, out = r.charge_kw[t], r.discharge_kw[t]
        heat = sum(room.heater_kw * duty[t] for room, duty in zip(p.rooms, r.duty, strict=True))
        need = p.load_kw[t] + heat - r.import_kw[t] + r.export_kw[t]  # from the inverter, AC
        tolerance = 1e-6 * max(1.0, need, into, r.pv_used_kw[t])
        if min(into, out) > NEAR:
            yield f"slot {t}: charges and discharges"
        if min(r.import_kw[t], r.export_kw[t]) > NEAR:
            yield f"slot {t}: imports and exports"
        if min(into, out, r.import_kw[t], r.export_kw[t], r.curtailed_kw[t], r.pv_used_kw[t]) < -NEAR:
            yield f"slot {t}: a negative flow"
        if abs(r.pv_used_kw[t] + r.curtailed_kw[t] - p.pv_kw[t]) > tolerance:
            yield f"slot {t}: sun is made or lost"
        b = p.battery
        if b is None:
            if abs(need - r.pv_used_kw[t]) > tolerance:
                yield f"slot {t}: the AC side is out of balance by {need - r.pv_used_kw[t]}"
        else:
            # The AC side gets the one or the other end of what it may: charged from the sun alone, or from the grid.
            from_sun = min(into, r.pv_used_kw[t] * b.eff_charge_pv)
            most = r.pv_used_kw[t] + out * b.eff_discharge - into / b.eff_charge_ac
            least = r.pv_used_kw[t] - from_sun / b.eff_charge_pv - (into - from_sun) / b.eff_charge_ac
            least += out * b.eff_discharge
            if not min(most, least) - tolerance <= need <= max(most, least) + tolerance:
                yield f"slot {t}: the AC side needs {need}, the inverter has {least} to {most}"
            soc += (into - out) * p.dt_h / b.capacity_kwh
            if abs(soc - r.soc[t]) > NEAR:
                yield f"slot {t}: SOC {r.soc[t]}, adds up to {soc}"
            if into > b.charge_kw + NEAR or out > b.discharge_kw + NEAR:
                yield f"slot {t}: more than the battery's rating"
            if not min(b.soc_min, b.soc) - NEAR <= r.soc[t] <= max(b.soc_max, b.soc) + NEAR:
                yield f"slot {t}: SOC {r.soc[t]} outside of its window"
        air, slab = heated(p, r, t, air, slab)
        for i, room in enumerate(p.rooms):
            if abs(air[i] - r.air_c[i][t]) > 1e-5 or abs(slab[i] - r.slab_c[i][t]) > 1e-5:
                yield f"slot {t}: {room.name} is said to be {r.air_c[i][t]}, becomes {air[i]}"


def heated(
    p: PlanProblem, r: PlanResult, t: int, air: list[float], slab: list[float]
) -> tuple[list[float], list[float]]:
    """Air and slab of all rooms a slot later."""
    next_air, next_slab = [], []
    for i, room in enumerate(p.rooms):
        kept, driven = exact_step(room, p.dt_h)
        gain = room.ua_kw_per_k * p.outdoor_c[t] + room.sun_kw[t] + room.disturbance_kw
        gain += sum(g * air[j] for j, g in room.neighbours)
        state = kept @ [air[i], slab[i]] + driven @ [gain, room.heater_kw * r.duty[i][t]]
        next_air.append(float(state[0]))
        next_slab.append(float(state[1]))
    return next_air, next_slab


def assert_books_agree(problem: PlanProblem, result: PlanResult) -> None:
    """Bent rules are exactly those that the second books find, and money adds up."""
    assert list(out_of_balance(problem, result)) == []
    all_limits = {(rule, t): by for rule, t, by in bent_by(problem, result)}
    found = {k: by for k, by in all_limits.items() if by > TOLD_ABOVE}
    rest = {k: by for k, by in all_limits.items() if by <= TOLD_ABOVE}
    told = {(re.sub(r"^grid.phase_[123]$", "grid.phase", b.rule), b.slot): b.amount for b in result.bent_rules}
    assert len(told) == len(result.bent_rules), "each is told once"
    untold_rules = {k: by for k, by in found.items() if by > TOLD_ABOVE + NEAR and k not in told}
    assert untold_rules == {}
    for key, amount in told.items():
        assert amount == pytest.approx(all_limits[key], abs=1e-6), key
    for b in result.bent_rules:
        if b.rule.startswith("grid.phase_"):
            kw = phases_kw(problem, result, b.slot)
            assert kw[int(b.rule[-1]) - 1] == pytest.approx(max(kw), abs=1e-6), "the phase that is named is the worst"
        fine = fine_eur(problem, b.rule, b.amount)
        assert b.cost_eur >= 0.0 if fine is None else b.cost_eur == pytest.approx(fine), b
    assert result.cost_eur == pytest.approx(cost_eur(problem, result), abs=1e-6, rel=1e-6)
    bent_eur = sum(b.cost_eur for b in result.bent_rules)
    calm_eur = problem.calm.mode_change_eur * changes(problem, result)
    whole = result.cost_eur + bent_eur + calm_eur - worth_of_what_is_left(problem, result)
    untold = sum(by for by in rest.values() if by > 0.0) * dearest_eur(problem)
    assert whole - 1e-6 <= result.objective_eur + 1e-6 * abs(whole)
    assert result.objective_eur <= whole + untold + 1e-6 * (1.0 + abs(whole))


def fine_eur(p: PlanProblem, rule: str, amount: float) -> float | None:
    """What bending a rule by so much costs in one slot; None where it depends on the slots before."""
    prices = tiers(p)
    if rule.startswith(("grid.", "pv.")):
        return p.dt_h * amount * prices.over_limit_eur_per_kwh
    if rule.startswith("room."):
        below = rule.endswith(".below")
        return p.dt_h * amount * (prices.comfort_below_eur_per_kh if below else prices.comfort_above_eur_per_kh)
    return None


def dearest_eur(p: PlanProblem) -> float:
    """No rule costs more than this per kW, K or unit of SOC in one slot."""
    prices, capacity = tiers(p), p.battery.capacity_kwh if p.battery else 0.0
    missed = prices.full_charge_eur_per_kwh + prices.reserve_hold_eur_per_kwh_h + prices.reserve_depletion_eur_per_kwh
    return max(prices.over_limit_eur_per_kwh * p.dt_h, prices.comfort_below_eur_per_kh * p.dt_h, capacity * missed)


def assert_sound(problem: PlanProblem, signed: SignedPlan) -> None:
    result = signed.result
    assert verify(signed, problem)
    assert check(problem, result) == []
    assert signed.checked_cost_eur == pytest.approx(result.cost_eur, abs=1e-6, rel=1e-6)
    assert result.quality is not Quality.FAILED
    assert result.objective_eur >= result.bound_eur - 1e-6 * max(1.0, abs(result.bound_eur))
    assert len(result.modes) == problem.steps
    forced = 0 if problem.mode_now is None or problem.battery is None else problem.mode_forced_slots
    assert all(m == problem.mode_now for m in result.modes[:forced])
    for room, duty in zip(problem.rooms, result.duty, strict=True):
        held = min(room.forced_slots, problem.steps)
        assert duty[:held] == pytest.approx((room.forced_duty,) * held, abs=1e-9)


# --- the properties ---------------------------------------------------------------------------------------------------
@tried(0.5)
@given(problem=houses())
def test_every_house_gets_a_signed_plan_whose_books_agree(problem: PlanProblem) -> None:
    signed = Cascade().plan(problem, time_limit_s=math.inf)
    assert signed.result.maker == "pyomo_highs", signed.result.message
    assert_sound(problem, signed)
    assert_books_agree(problem, signed.result)


HOLD, CHARGE = MODES[1], MODES[3]
PLAIN = PlanProblem(
    id="plain", issued=START, start=START, dt_h=0.25, price_import=(0.3,) * 8, price_export=(0.1,) * 8,
    price_known=(True,) * 8, pv_kw=(0.0,) * 8, load_kw=(0.5,) * 8, outdoor_c=(5.0,) * 8, import_limit_kw=22.0,
    export_limit_kw=10.0, mode_now=REGULAR, mode_held_slots=8,
    battery=BatteryProblem(
        capacity_kwh=10.0, soc=0.5, soc_min=0.1, soc_max=1.0, charge_kw=5.0, discharge_kw=5.0,
        eff_charge_pv=0.97, eff_charge_ac=0.92, eff_discharge=0.93,
    ),
)  # fmt: skip
STUCK = replace(PLAIN, battery=replace(PLAIN.battery, soc_min=0.5, soc_max=0.5))  # type: ignore[type-var]
LAST = Commitment(modes=(CHARGE,) * 8, at_most_eur=5.0, left_eur=5.0)
ODD = {
    "a window of no width": STUCK,
    "a held mode without a battery": replace(PLAIN, battery=None, mode_now=HOLD, mode_forced_slots=3),
    "a horizon shorter than what the last plan would hold": replace(
        PLAIN, price_import=(0.3,) * 2, price_export=(0.1,) * 2, price_known=(True,) * 2, pv_kw=(0.0,) * 2,
        load_kw=(0.5,) * 2, outdoor_c=(5.0,) * 2, commitment=LAST,
    ),
    "a last plan that would buy at prices no longer known": replace(PLAIN, price_known=(False,) * 8, commitment=LAST),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_odd_corners_are_planned_by_the_first_member(name: str) -> None:
    signed = Cascade().plan(ODD[name], time_limit_s=math.inf)
    assert_books_agree(ODD[name], signed.result)
    assert signed.result.maker == "pyomo_highs", signed.result.message


FORBIDDEN = {
    "a charge that runs on into prices that are not known": replace(
        PLAIN, price_import=(-0.3,) * 8, price_export=(-0.4,) * 8, price_known=(False,) * 8, mode_now=CHARGE,
        mode_forced_slots=4,
    ),
    "a hold below its stop SOC, which draws from the grid": replace(
        PLAIN, price_import=(-0.3,) * 8, price_export=(-0.4,) * 8, price_known=(False,) * 8,
        mode_now=replace(HOLD, stop_soc=0.9), mode_forced_slots=8,
        battery=replace(PLAIN.battery, battery_first_draw_kw=1.2),  # type: ignore[type-var]
    ),
    "sun that must be exported, and so relieves the phases": replace(
        PLAIN, battery=None, mode_now=None, pv_kw=(9.0,) * 8, export_limit_kw=0.0, pv_curtailable=False,
        phase_limit_kw=1.0, rooms=(a_room(Dice(7), 8, 0, 1),),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FORBIDDEN)
def test_no_plan_is_below_its_bound(name: str) -> None:
    result = Cascade().plan(FORBIDDEN[name], time_limit_s=math.inf).result
    assert result.objective_eur >= result.bound_eur - 1e-6


def test_careful_rules_end_a_charge_where_prices_are_no_longer_known() -> None:
    prices = (0.5,) * 4 + (0.01,) * 8 + (0.9,) * 12
    known = (True,) * 10 + (False,) * 14
    load, none = (1.0,) * 24, (0.0,) * 24
    asked = replace(
        PLAIN, price_import=prices, price_export=none, price_known=known, pv_kw=none, load_kw=load, outdoor_c=none,
        mode_held_slots=0, min_mode_slots=8,
    )  # fmt: skip
    assert check(asked, SmartRules().solve(asked, time_limit_s=math.inf)) == []


@tried(0.2)
@given(problem=houses(), seed=st.integers(0, 10**6))
def test_the_same_problems_give_the_same_plans(problem: PlanProblem, seed: int) -> None:
    rnd = random.Random(seed)
    sequence = [problem]
    for _ in range(2):
        sequence.append(after(rnd, sequence[-1]))
    runs = [[cascade.plan(p, time_limit_s=math.inf) for p in sequence] for cascade in (Cascade(), Cascade())]
    assert [s.signature for s in runs[0]] == [s.signature for s in runs[1]]
    for asked, signed in zip(sequence, runs[0], strict=True):
        assert_sound(asked, signed)
        assert_books_agree(asked, signed.result)


def after(rnd: random.Random, p: PlanProblem) -> PlanProblem:
    """The house some slots later, not quite as forecast."""
    slots = rnd.choice((0, 1, 1, 3))

    def turned(values: tuple[float, ...]) -> tuple[float, ...]:
        return (*values[slots % p.steps :], *values[: slots % p.steps])

    return replace(
        p,
        start=p.start + slots * timedelta(hours=p.dt_h),
        load_kw=tuple(max(0.0, kw + rnd.uniform(-0.3, 0.3)) for kw in p.load_kw),
        battery=None if p.battery is None else replace(p.battery, soc=rnd.random()),
        rooms=tuple(replace(r, air_c=r.air_c + rnd.uniform(-1.0, 1.0)) for r in p.rooms),
        mode_held_slots=p.mode_held_slots + slots,
        mode_forced_slots=max(0, p.mode_forced_slots - slots),
        price_import=turned(p.price_import),
        price_export=turned(p.price_export),
        pv_kw=turned(p.pv_kw),
    )


@tried(0.2)
@given(problem=houses())
def test_without_any_solver_there_is_a_signed_plan_whose_books_agree(problem: PlanProblem) -> None:
    cascade = Cascade(())
    ruled = cascade.plan(problem, time_limit_s=math.inf)
    last = ShiftedPlan()
    last.remember(problem, ruled.result)
    gone_on = sign(problem, last.solve(problem, time_limit_s=math.inf))
    smart = SmartRules().solve(problem, time_limit_s=math.inf)
    assert (ruled.result.maker, gone_on.result.maker) == ("rules", "shifted")
    for signed in (ruled, gone_on):
        assert_sound(problem, signed)
        assert_books_agree(problem, signed.result)
    assert check(problem, smart) == []
    assert_books_agree(problem, smart)


@tried(0.1)
@given(problem=houses())
def test_freely_chosen_flows_are_signed_and_their_books_agree(problem: PlanProblem) -> None:
    battery = problem.battery or BatteryProblem(
        capacity_kwh=10.0, soc=0.5, soc_min=0.1, soc_max=1.0, charge_kw=5.0, discharge_kw=5.0,
        eff_charge_pv=0.97, eff_charge_ac=0.92, eff_discharge=0.93,
    )  # fmt: skip
    free = replace(problem, battery=replace(battery, composites=False), mode_now=None, mode_forced_slots=0)
    signed = Cascade().plan(free, time_limit_s=math.inf)
    assert_sound(free, signed)
    assert_books_agree(free, signed.result)
