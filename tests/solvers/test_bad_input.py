"""Odd problems are planned with the bent rule named, broken ones are one clear line: field, value, limit, remedy."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models.errors import DataError
from models.types.mode import REGULAR, Composite, InverterMode
from solvers.cascade import Cascade
from solvers.checker import check, sign, verify
from solvers.cvxpy_fallback import CvxpyFallback
from solvers.diagnose.search import diagnose
from solvers.diagnose.words import lines
from solvers.problem import CalmPrices, Commitment, PeakPrice, PlanProblem
from solvers.pyomo_highs import PyomoHighs
from solvers.rebuilt import Rebuilt
from solvers.result import PlanResult, Quality, SignedPlan
from solvers.rules import RulesPlanner, SmartRules
from solvers.validate import remarks, validate
from tests.solvers.houses import BATTERY, demo_house, house, room

N = 12
KEPT = PyomoHighs()
MAKERS: tuple[Any, ...] = (KEPT, Rebuilt(), CvxpyFallback(), RulesPlanner(), SmartRules())
NAN, INF = math.nan, math.inf


def a_house(**changes: object) -> PlanProblem:
    """A battery, a roof and two rooms over three hours."""
    rooms = (room(N, name="hall", neighbours=((1, 0.01),)), room(N, name="bath", neighbours=((0, 0.01),)))
    return replace(house(N, pv_kw=(1.5,) * N, rooms=rooms), **changes)  # type: ignore[arg-type]


def battery(**changes: object) -> PlanProblem:
    return a_house(battery=replace(BATTERY, **changes))  # type: ignore[arg-type]


def hall(**changes: object) -> PlanProblem:
    first, second = a_house().rooms
    return a_house(rooms=(replace(first, **changes), second))  # type: ignore[arg-type]


def at(series: tuple[float, ...], slot: int, value: Any) -> tuple[float, ...]:
    return (*series[:slot], value, *series[slot + 1 :])


def all_plan(problem: PlanProblem) -> list[PlanResult]:
    """Every maker's plan; each is fit."""
    results = [m.solve(problem, time_limit_s=60.0) for m in MAKERS]
    for result in results:
        assert check(problem, result) == [], result.maker
    return results


def bent(result: PlanResult) -> set[str]:
    return {b.rule for b in result.bent_rules}


# --- broken: one clear line -------------------------------------------------------------------------------------------
PRICES = a_house().price_import
CHARGE = InverterMode(composite=Composite.CHARGE_FROM_GRID)
BROKEN: list[tuple[Callable[[], PlanProblem], str, str]] = [
    (lambda: a_house(price_import=at(PRICES, 3, NAN)), "price_import slot 3 is nan, must be -20 to 20", "stand-in"),
    (lambda: a_house(price_import=at(PRICES, 11, INF)), "price_import slot 11 is inf", "stand-in"),
    (lambda: a_house(price_export=at(PRICES, 0, None)), "price_export slot 0 is missing", "stand-in"),
    (lambda: a_house(price_import=at(PRICES, 5, "0.3")), "price_import slot 5 is '0.3', must be a number", "stand-in"),
    (lambda: a_house(price_import=at(PRICES, 2, 85.3)), "price_import slot 2 is 85.3, must be -20 to 20", "EUR/MWh"),
    (lambda: a_house(price_import=at(PRICES, 2, -85.3)), "price_import slot 2 is -85.3", "EUR/MWh"),
    (lambda: a_house(price_known=(True,) * 4), "price_known has 4 slots, must have 12", "ends at 2021-02-08 01:00"),
    (lambda: a_house(pv_kw=(1.0,) * 7), "pv_kw has 7 slots, must have 12", "ends at 2021-02-08 01:45 UTC: plan no"),
    (lambda: a_house(load_kw=(1.0,) * 48), "load_kw has 48 slots, must have 12", "another step"),
    (lambda: a_house(load_kw=()), "load_kw has 0 slots, must have 12", "get more of it"),
    (lambda: a_house(load_kw=(450.0,) * N), "load_kw slot 0 is 450, must be 0 to 200", "in W"),
    (lambda: a_house(pv_kw=at((1.0,) * N, 6, -0.5)), "pv_kw slot 6 is -0.5, must be 0 to 200", "signed"),
    (lambda: a_house(outdoor_c=(NAN,) * N), "outdoor_c slot 0 is nan, must be -80 to 80", "degC"),
    (lambda: house(prices=[]), "0 slots, must be 1 to 10000", "at least one price per slot"),
    (lambda: a_house(dt_h=0.0), "dt_h is 0, must be 0.0001 to 24", "a quarter hour is 0.25"),
    (lambda: a_house(dt_h=-0.25), "dt_h is -0.25", "hours per slot"),
    (lambda: a_house(dt_h=15.0 * 60), "dt_h is 900, must be 0.0001 to 24", "hours per slot"),
    (lambda: a_house(start=datetime(2021, 2, 8)), "start 2021-02-08 00:00:00 has no time zone", "aware UTC"),
    (lambda: a_house(timezone="Europe/Atlantis"), "timezone 'Europe/Atlantis' is not known", "Europe/Prague"),
    (lambda: a_house(import_limit_kw=-1.0), "import_limit_kw is -1, must be at least 0", "never negative"),
    (lambda: a_house(export_limit_kw=NAN), "export_limit_kw is nan, must be at least 0", "kW"),
    (lambda: a_house(phase_limit_kw=-2.0), "phase_limit_kw is -2", "kW per phase"),
    (lambda: a_house(import_limits_kw=(4.0,) * 3), "import_limits_kw has 3 slots, must have 12", "more of it"),
    (lambda: a_house(import_limits_kw=at((4.0,) * N, 2, NAN)), "import_limits_kw slot 2 is nan", "kW"),
    (lambda: a_house(peak=PeakPrice(eur_per_kw=-1.0)), "peak.eur_per_kw is -1, must be 0 to", "EUR per kW"),
    (lambda: a_house(peak=PeakPrice(eur_per_kw=1.0, measured_kw=NAN)), "peak.measured_kw is nan", "kW"),
    (lambda: a_house(calm=CalmPrices(mode_change_eur=NAN)), "calm.mode_change_eur is nan", "EUR"),
    (lambda: a_house(comfort_eur_per_kh=-2.0), "comfort_eur_per_kh is -2, must be 0 to", "per K and hour"),
    (lambda: a_house(soc_end_value_eur_per_kwh=NAN), "soc_end_value_eur_per_kwh is nan", "derived from the prices"),
    (lambda: a_house(commitment=Commitment(modes=(), at_most_eur=NAN, left_eur=1.0)), "commitment.at_most_eur", "EUR"),
    (lambda: a_house(mode_forced_slots=-1), "mode_forced_slots is -1, must be at least 0", "slots"),
    (lambda: a_house(min_mode_slots=2.5), "min_mode_slots is 2.5, must be a whole number, at least 0", "slots"),
    (lambda: a_house(price_known=at((True,) * N, 4, NAN)), "price_known slot 4 is nan, must be true or false", "mend"),
    (lambda: a_house(mode_now=replace(CHARGE, rate=0.0)), "mode_now.rate is 0, must be 0.001 to 1", "leave it out"),
    (lambda: a_house(mode_now=replace(CHARGE, stop_soc=1.2)), "mode_now.stop_soc is 1.2, must be 0 to 1", "30 %"),
    (
        lambda: a_house(commitment=Commitment(modes=(replace(CHARGE, rate=7.0),), at_most_eur=0.0, left_eur=0.0)),
        "commitment.modes[0].rate is 7, must be 0.001 to 1", "fraction",
    ),
    (lambda: battery(capacity_kwh=-10.0), "battery.capacity_kwh is -10, must be 0.001 to", "without a battery"),
    (lambda: battery(capacity_kwh=0.0), "battery.capacity_kwh is 0, must be 0.001 to", "without a battery"),
    (lambda: battery(soc_min=0.9, soc_max=0.5), "battery.soc_min 0.9 is above soc_max 0.5", "swap them"),
    (lambda: battery(soc=50.0), "battery.soc is 50, must be 0 to 1", "30 % is written 0.30"),
    (lambda: battery(soc=None), "battery.soc is missing", "fraction"),
    (lambda: battery(charge_kw=-5.0), "battery.charge_kw is -5, must be 0 to", "0 for a battery that does not charge"),
    (lambda: battery(eff_discharge=0.0), "battery.eff_discharge is 0, must be 0.05 to 1", "fraction"),
    (lambda: battery(eff_charge_ac=95.0), "battery.eff_charge_ac is 95, must be 0.05 to 1", "fraction"),
    (lambda: battery(deep_below_soc=20.0), "battery.deep_below_soc is 20, must be 0 to 1", "fraction"),
    (lambda: battery(wear_deep_eur_per_kwh=-0.1), "battery.wear_deep_eur_per_kwh is -0.1", "per kWh"),
    (lambda: battery(reserve_soc=30.0), "battery.reserve_soc is 30, must be 0 to 1", "30 % is written 0.30"),
    (lambda: battery(full_by_slot=-1), "battery.full_by_slot is -1, must be at least 0", "leave it out"),
    (lambda: hall(heater_kw=-1.0), "rooms[0] hall: heater_kw is -1, must be 0 to", "0 for a room without a heater"),
    (lambda: hall(air_kwh_per_k=0.0), "rooms[0] hall: air_kwh_per_k is 0, must be 0.0001 to", "kWh/K"),
    (lambda: hall(air_c=NAN), "rooms[0] hall: air_c is nan, must be -60 to 120", "degC"),
    (lambda: hall(lower_c=(20.0,) * 5), "rooms[0] hall: lower_c has 5 slots, must have 12", "more of it"),
    (lambda: hall(upper_c=at((23.0,) * N, 7, NAN)), "rooms[0] hall: upper_c slot 7 is nan", "degC"),
    (lambda: hall(neighbours=((0, 0.01),)), "rooms[0] hall: neighbour 0, must be another room's index", "from 0"),
    (lambda: hall(neighbours=((1, NAN),)), "rooms[0] hall: neighbour is nan", "kW/K"),
    (lambda: hall(phase=4), "rooms[0] hall: phase 4, must be 0 (all three), 1, 2 or 3", "mend it"),
    (lambda: hall(forced_duty=1.5), "rooms[0] hall: forced_duty is 1.5, must be 0 to 1", "fraction"),
    (lambda: hall(name="bath"), "two rooms are called 'bath'", "a name of its own"),
]


@pytest.mark.parametrize(("make", "said", "remedy"), BROKEN, ids=[said[:40] for _, said, _ in BROKEN])
def test_what_cannot_be_planned_is_one_line_with_field_value_limit_and_remedy(
    make: Callable[[], PlanProblem], said: str, remedy: str
) -> None:
    broken = make()
    with pytest.raises(DataError) as error:
        Cascade(()).plan(broken, time_limit_s=10.0)
    line = str(error.value)
    assert line.startswith("plan problem: ") and said in line and remedy in line and "\n" not in line
    for maker in MAKERS:  # and no member crashes on it, asked directly
        result = maker.solve(broken, time_limit_s=10.0)
        assert (result.quality, result.message) == (Quality.FAILED, line)


def test_checking_a_whole_house_takes_a_few_milliseconds() -> None:
    problem = demo_house()
    best_s = math.inf
    for _ in range(5):
        began = time.perf_counter()
        validate(problem)
        best_s = min(best_s, time.perf_counter() - began)
    assert best_s < 0.02


# --- odd, but planned -------------------------------------------------------------------------------------------------
STILL = InverterMode(composite=Composite.HOLD)
ODD: dict[str, Callable[[], PlanProblem]] = {
    "one slot": lambda: house(
        1, pv_kw=(2.0,), rooms=(room(1, name="hall"),), battery=replace(BATTERY, reserve_soc=0.8)
    ),
    "one slot of a day": lambda: replace(house(1, rooms=(room(1),)), dt_h=24.0),
    "a battery that cannot charge": lambda: battery(charge_kw=0.0),
    "a battery that cannot discharge": lambda: battery(discharge_kw=0.0),
    "a battery that can do nothing": lambda: battery(charge_kw=0.0, discharge_kw=0.0),
    "a planning case of a battery that can do nothing": lambda: replace(
        battery(charge_kw=0.0, discharge_kw=0.0, composites=False, soc_final=0.9), rooms=()
    ),
    "a window of one SOC": lambda: battery(soc_min=0.5, soc_max=0.5),
    "a SOC above its window": lambda: battery(soc=1.0, soc_max=0.8),
    "a SOC below its window": lambda: battery(soc=0.0),
    "an empty battery of a gram": lambda: battery(capacity_kwh=0.001, soc=0.2),
    "a heater of 0 kW": lambda: hall(heater_kw=0.0, air_c=18.0),
    "rooms that lose nothing": lambda: hall(ua_kw_per_k=0.0, slab_air_kw_per_k=0.0, neighbours=()),
    "no connection": lambda: a_house(load_kw=(4.0,) * N, import_limit_kw=0.0, export_limit_kw=0.0),
    "no inverter": lambda: a_house(ac_limit_kw=0.0),
    "a load above the fuse": lambda: replace(
        hall(air_c=22.5, phase=1), load_kw=(9.0,) * N, import_limit_kw=4.0, phase_limit_kw=1.4
    ),
    "prices of zero": lambda: a_house(price_import=(0.0,) * N, price_export=(0.0,) * N),
    "prices all negative": lambda: a_house(price_import=(-0.2,) * N, price_export=(-0.3,) * N),
    "the dearest prices that are believed": lambda: a_house(price_import=(20.0,) * N),
    "no price known": lambda: a_house(price_known=(False,) * N),
    "equal import and export prices": lambda: a_house(price_export=PRICES),
    "export dearer than import": lambda: a_house(price_export=tuple(p + 0.2 for p in PRICES)),
    "export dearer than import in a planning case": lambda: replace(
        battery(composites=False, soc_final=0.5), price_export=tuple(p + 0.2 for p in PRICES), rooms=()
    ),
    "a mode held for longer than the plan": lambda: a_house(mode_now=STILL, mode_forced_slots=10_000),
    "a room held for longer than the plan": lambda: hall(forced_slots=10_000, forced_duty=1.0),
    "a full charge due after the end": lambda: battery(full_by_slot=500),
    "an operator who allows nothing": lambda: a_house(load_kw=(4.0,) * N, import_limits_kw=(0.0,) * N),
    "sun that may go nowhere": lambda: replace(
        battery(soc=1.0), pv_kw=(9.0,) * N, export_limit_kw=0.0, pv_curtailable=False
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_an_odd_house_is_planned_by_every_maker(name: str) -> None:
    problem = ODD[name]()
    results = all_plan(problem)
    signed = Cascade((KEPT,)).plan(problem, time_limit_s=60.0)
    assert verify(signed, problem) and signed.result.maker == "pyomo_highs"
    best = results[0]
    assert best.objective_eur >= best.bound_eur - 1e-6
    said = lines(problem, best, diagnose(problem, best))
    assert bool(best.bent_rules) <= bool(said), "what is bent is explained"


def test_limits_that_nothing_can_keep_are_named_as_bent() -> None:
    """In houses without a room, so that nothing else bends: exactly the rules that their oddity breaks."""
    expected = {
        "no connection": {"grid.import_limit"},
        "an operator who allows nothing": {"grid.import_limit"},
        "a SOC below its window": {"battery.reserve"},
        "one slot": {"battery.reserve"},
        "sun that may go nowhere": {"grid.export_limit"},
        "a full charge due after the end": set(),
        "no inverter": set(),
    }
    found = {}
    for name in expected:
        found[name] = bent(KEPT.solve(replace(ODD[name](), rooms=()), time_limit_s=60.0))
    assert found == expected
    assert bent(KEPT.solve(ODD["a heater of 0 kW"](), time_limit_s=60.0)) == {"room.hall.below"}
    assert bent(KEPT.solve(ODD["a load above the fuse"](), time_limit_s=60.0)) >= {"grid.import_limit", "grid.phase_1"}


# --- limits that contradict -------------------------------------------------------------------------------------------
def test_an_inverted_room_band_is_kept_at_its_lower_edge_and_told() -> None:
    problem = hall(lower_c=(21.0,) * N, upper_c=(20.0,) * N, air_c=20.5)
    for result in all_plan(problem)[:3]:
        assert result.air_c[0][-1] >= 21.0 - 0.05
    (remark,) = remarks(problem)
    assert remark.about == "room.hall"
    assert "room hall: upper_c 20.00 is below lower_c 21.00 degC in slots 0 to 11 (from Mon 00:00)" in remark.text
    assert "kept at lower_c there, and the rule room.hall.above begins at lower_c" in remark.text


def test_each_room_with_an_inverted_band_is_named_with_its_slots_on_the_houses_clocks() -> None:
    inverted = tuple(20.0 if t in (2, 3, 5, 7, 9, 10) else 23.0 for t in range(N))
    odd = room(N, name="bath", lower_c=(21.0,) * N, upper_c=inverted)
    problem = replace(house(N, rooms=(room(N, name="hall"), odd)), timezone="Europe/Prague")
    (remark,) = remarks(problem)
    assert remark.about == "room.bath"
    assert "in slots 2 to 3, 5, 7 and 2 later ones (from Mon 01:30)" in remark.text
    (remark,) = remarks(replace(problem, rooms=(replace(odd, upper_c=(23.0,) * 4 + (20.0,) + (23.0,) * (N - 5)),)))
    assert "in slot 4 (from Mon 02:00)" in remark.text


def test_an_export_price_above_the_import_price_is_planned_and_told_with_its_worst_slot() -> None:
    problem = a_house(price_export=(*PRICES[:3], PRICES[3] + 0.2, PRICES[4] + 0.1, *PRICES[5:]))
    (remark,) = remarks(problem)
    assert remark.about == "prices" and "in slots 3 to 4 (" in remark.text
    assert f"in slot 3 {PRICES[3] + 0.2:g} above {PRICES[3]:g} EUR/kWh" in remark.text


def test_remarks_come_with_the_plan_and_are_no_part_of_what_is_signed() -> None:
    problem = hall(lower_c=(21.0,) * N, upper_c=(20.0,) * N, air_c=20.5)
    signed = Cascade((KEPT,)).plan(problem, time_limit_s=60.0)
    assert signed.remarks == remarks(problem) != ()
    assert signed.signature == sign(problem, signed.result).signature and verify(signed, problem)
    assert Cascade((KEPT,)).plan(a_house(), time_limit_s=60.0).remarks == ()


def test_a_reserve_above_the_window_is_bent_and_told() -> None:
    problem = battery(soc_max=0.6, reserve_soc=0.8)
    assert all("battery.reserve" in bent(r) for r in all_plan(problem))
    (remark,) = remarks(problem)
    assert remark.text == "battery.reserve_soc 0.8 is above soc_max 0.6: the battery is filled to soc_max"


def test_a_final_soc_above_the_window_is_bent_and_told() -> None:
    problem = replace(battery(soc_max=0.6, soc_final=0.8, composites=False), rooms=())
    result = KEPT.solve(problem, time_limit_s=60.0)
    missing = [b for b in result.bent_rules if b.rule == "battery.soc_final"]
    assert [b.amount for b in missing] == [pytest.approx(0.2, abs=1e-4)]
    assert "soc_final 0.8 is above soc_max 0.6" in remarks(problem)[0].text


def test_a_battery_that_starts_above_its_window_comes_down_and_is_told() -> None:
    problem = battery(soc=0.95, soc_max=0.8)
    for result in all_plan(problem):
        assert max(result.soc) <= 0.95 + 1e-6
    (remark,) = remarks(problem)
    assert remark.text.startswith("battery.soc 0.95 is above soc_max 0.8: it is used from where it is")
    assert remarks(battery(soc=0.81, soc_max=0.8)) == (), "an inverter fills a percent beyond"


def test_limits_that_do_not_contradict_are_not_remarked() -> None:
    assert remarks(demo_house()) == remarks(house(N)) == ()


# --- days and prices --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("begin", "slots"),
    [("2021-03-27T23:00", 92), ("2021-10-30T22:00", 100), ("2021-02-07T23:00", 96)],
)
def test_days_of_92_96_and_100_quarters_are_planned_on_every_quarter(begin: str, slots: int) -> None:
    start = datetime.fromisoformat(begin).replace(tzinfo=UTC)
    cheap = [0.1 if 8 <= t < 20 else 0.4 for t in range(slots)]
    problem = replace(house(prices=cheap, rooms=(room(slots),)), start=start, issued=start, timezone="Europe/Prague")
    for maker in (KEPT, SmartRules()):
        result = maker.solve(problem, time_limit_s=60.0)
        assert check(problem, result) == []
        assert len(result.import_kw) == len(result.modes) == len(result.duty[0]) == slots
        assert sum(result.charge_kw[8:20]) * 0.25 == pytest.approx(sum(result.charge_kw) * 0.25, abs=0.3)


def flat(**changes: object) -> PlanProblem:
    n = 48
    sun = tuple(max(0.0, 3.0 * math.sin(math.pi * t / n)) for t in range(n))
    base = house(prices=[0.25] * n, pv_kw=sun, rooms=(room(n, name="hall"), room(n, name="bath", air_c=21.0)))
    return replace(base, **changes)  # type: ignore[arg-type]


def test_a_flat_tariff_is_planned_alike_each_time_and_without_needless_changes() -> None:
    def run() -> list[SignedPlan]:
        cascade = Cascade((PyomoHighs(),), clock=lambda: 0.0)
        moved = [flat(start=flat().start + timedelta(minutes=15) * i, mode_held_slots=8 + i) for i in range(3)]
        return [cascade.plan(p, time_limit_s=math.inf) for p in moved]

    first, second = run(), run()
    assert [s.signature for s in first] == [s.signature for s in second]
    for signed in first:
        assert {m.composite for m in signed.result.modes} == {Composite.REGULAR}, "ties are left as they run"


def test_a_flat_tariff_takes_no_more_iterations_than_a_lively_one() -> None:
    lively = replace(flat(), price_import=tuple(0.25 + 0.1 * math.sin(t / 3.0) for t in range(48)))
    seconds: dict[str, float] = {}
    for name, problem in (("flat", flat()), ("lively", lively)):
        planner = PyomoHighs()
        planner.solve(problem, time_limit_s=60.0)
        best_s = math.inf
        for _ in range(3):
            began = time.process_time()
            assert planner.solve(problem, time_limit_s=60.0).quality is not Quality.FAILED
            best_s = min(best_s, time.process_time() - began)
        seconds[name] = best_s
    assert seconds["flat"] < 3.0 * seconds["lively"] + 0.1


def test_nothing_is_bought_to_be_sold_at_the_same_price() -> None:
    problem = flat(price_export=(0.25,) * 48, rooms=(), pv_kw=(0.0,) * 48)
    result = KEPT.solve(problem, time_limit_s=60.0)
    assert max(result.export_kw) == 0.0
    assert sum(result.charge_kw) == 0.0, "losses and wear are never earned back at one price"


def test_where_export_is_dearer_the_battery_trades_as_far_as_that_pays() -> None:
    trade = flat(price_export=(0.60,) * 48, rooms=(), pv_kw=(0.0,) * 48, soc_end_value_eur_per_kwh=0.2)
    result = KEPT.solve(trade, time_limit_s=60.0)
    assert check(trade, result) == []
    assert sum(result.export_kw) * 0.25 > 2.0
    for into, out in zip(result.import_kw, result.export_kw, strict=True):
        assert min(into, out) == 0.0, "never in a circle through the meter"


# --- answers that are no plans (a solver that lies, or is lost) -------------------------------------------------------
class Numberless:
    """Answers with what is not a number."""

    name = "numberless"

    def __init__(self, field: str, *, only_last: bool) -> None:
        self._field, self._only_last = field, only_last

    def solve(self, problem: PlanProblem, *, time_limit_s: float) -> PlanResult:
        good = KEPT.solve(problem, time_limit_s=time_limit_s)
        series = getattr(good, self._field)
        broken = at(series, len(series) - 1, NAN) if self._only_last else (NAN,) * len(series)
        return replace(good, maker=self.name, **{self._field: broken})  # type: ignore[arg-type]


@pytest.mark.parametrize("only_last", [True, False])
@pytest.mark.parametrize("field", ["charge_kw", "import_kw", "soc", "export_limit_kw"])
def test_an_answer_that_is_not_a_number_is_never_signed(field: str, only_last: bool) -> None:
    problem = a_house()
    signed = Cascade((Numberless(field, only_last=only_last),)).plan(problem, time_limit_s=60.0)
    assert signed.result.maker == "rules"
    assert f"{field} holds a value that is not a number" in signed.result.message


class Inaccurate:
    """Solves to a tolerance of 1e-4 kW: what an inaccurate status leaves."""

    name = "inaccurate"

    def solve(self, problem: PlanProblem, *, time_limit_s: float) -> PlanResult:
        good = KEPT.solve(problem, time_limit_s=time_limit_s)
        return replace(good, maker=self.name, import_kw=tuple(kw + 1e-4 for kw in good.import_kw))


def test_an_inaccurate_answer_is_never_signed() -> None:
    signed = Cascade((Inaccurate(),)).plan(a_house(), time_limit_s=60.0)
    assert signed.result.maker == "rules" and "import_kw" in signed.result.message


def test_a_solver_that_runs_out_of_time_hands_over_within_a_second() -> None:
    """A model that is kept is told when to stop; the last plan or the rules need next to no time after that."""
    cascade, limit_s = Cascade((PyomoHighs(),)), 0.02
    cascade.plan(demo_house(steps=96), time_limit_s=60.0)
    began = time.monotonic()
    signed = cascade.plan(demo_house(30, steps=96, season="spring"), time_limit_s=limit_s)
    assert time.monotonic() - began <= limit_s + 1.0
    assert signed.result.maker in ("shifted", "pyomo_highs")


def test_regular_is_what_a_house_without_plans_runs() -> None:
    result = RulesPlanner().solve(a_house(), time_limit_s=0.0)
    assert set(result.modes) == {REGULAR}
