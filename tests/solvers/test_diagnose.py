"""What a diagnosis says is so: what it blames is to blame, and what it says would help does help."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from models.errors import PlanError
from models.types.mode import Composite, InverterMode
from solvers.diagnose.diagnosis import CONNECTION, OPERATOR, PHASES, UNKNOWN_PRICES, Conflict, Diagnosis, Reason
from solvers.diagnose.groups import beginning
from solvers.diagnose.lp import Asked, Elastic
from solvers.diagnose.search import diagnose, misses
from solvers.diagnose.words import lines
from solvers.finish import failed
from solvers.problem import PlanProblem, RoomProblem
from solvers.pyomo_highs import PyomoHighs
from solvers.result import BentRule, PlanResult, Stop
from solvers.rules import RulesPlanner
from solvers.tiers import tiers
from tests.solvers.houses import BATTERY, house, random_house, room

N = 48
PLANNER = PyomoHighs()
HOLD = InverterMode(composite=Composite.HOLD, stop_soc=0.2)


def planned(problem: PlanProblem) -> PlanResult:
    return PLANNER.solve(problem, time_limit_s=math.inf)


def diagnosed(problem: PlanProblem) -> tuple[Diagnosis, tuple[str, ...]]:
    result = planned(problem)
    found = diagnose(problem, result)
    return found, lines(problem, result, found)


def only(problem: PlanProblem) -> tuple[Conflict, str]:
    found, said = diagnosed(problem)
    assert len(found.conflicts) == len(said) == 1, said
    return found.conflicts[0], said[0]


def bent_kh(result: PlanResult, rule: str) -> float:
    return sum(b.amount for b in result.bent_rules if b.rule == rule) * result.dt_h


def warming(name: str, **changes: object) -> RoomProblem:
    """A room that is to be two degrees warmer by seven in the morning."""
    base = room(
        N, name=name, air_c=18.2, slab_c=19.0, heater_kw=2.0, lower_c=(18.0,) * 28 + (20.0,) * 20, phase=0
    )  # fmt: skip
    return replace(base, **changes)  # type: ignore[arg-type]


def heated(*rooms: RoomProblem, **changes: object) -> PlanProblem:
    """A house without a battery at one price."""
    base: dict[str, object] = {
        "prices": [0.3] * N, "battery": None, "load_kw": (1.0,) * N, "rooms": rooms, "outdoor_c": (-5.0,) * N, **changes
    }  # fmt: skip
    return house(**base)  # type: ignore[arg-type]


def charging(**changes: object) -> PlanProblem:
    """A low battery with a reserve of 30 %, at one price."""
    base: dict[str, object] = {
        "prices": [0.3] * N, "battery": replace(BATTERY, soc=0.12, soc_min=0.1, reserve_soc=0.3), **changes
    }  # fmt: skip
    return house(**base)  # type: ignore[arg-type]


# --- conflicts --------------------------------------------------------------------------------------------------------
def test_two_rooms_and_a_small_connection_are_one_conflict_of_three() -> None:
    rooms = tuple(warming(n, lower_c=(18.0,) * 28 + (20.5,) * 20, ua_kw_per_k=0.06) for n in ("hall", "bath"))
    conflict, said = only(heated(*rooms, import_limit_kw=2.8))
    assert conflict.reason is Reason.CONFLICT
    assert set(conflict.limits) == {"room.hall.below", "room.bath.below", CONNECTION}
    for word in ("hall", "bath", "20.5 degC", "connection of 2.8 kW", "cannot all be kept", "1.8 kW left"):
        assert word in said


def test_the_remedy_helps_and_half_of_it_does_not() -> None:
    rooms = tuple(warming(n, lower_c=(18.0,) * 28 + (20.5,) * 20, ua_kw_per_k=0.06) for n in ("hall", "bath"))
    problem = heated(*rooms, import_limit_kw=2.8)
    conflict, _ = only(problem)
    (remedy,) = conflict.remedies
    assert remedy.limit == CONNECTION and remedy.by is not None
    before, half, whole, physics = (
        sum(bent_kh(planned(replace(problem, import_limit_kw=2.8 + share * remedy.by)), f"room.{n}.below")
            for n in ("hall", "bath"))
        for share in (0.0, 0.5, 1.0, 10.0)
    )  # fmt: skip
    assert half - physics > 0.2 * (before - physics)
    assert whole - physics < 0.05 * (before - physics)


def test_a_room_that_is_in_another_s_way_could_be_cooler_instead() -> None:
    small = warming("bath", heater_kw=1.0, lower_c=(18.0,) * N)
    large = warming("hall", air_c=19.0, lower_c=(18.9,) * N, ua_kw_per_k=0.1, heater_kw=2.0)
    problem = heated(large, small, import_limit_kw=1.9)
    found, _ = diagnosed(problem)
    (conflict,) = [c for c in found.conflicts if CONNECTION in c.limits]
    assert {m.limit for m in conflict.misses} | {r.limit for r in conflict.remedies} == set(conflict.limits)


def test_a_reserve_beside_a_large_load_names_the_connection_and_what_it_leaves() -> None:
    load_kw = (9.0,) * 24 + (1.0,) * 24
    found, said = diagnosed(charging(load_kw=load_kw, import_limit_kw=8.0, price_export=(0.1,) * N))
    reasons = {c.misses[0].limit: c.reason for c in found.conflicts}
    assert reasons == {CONNECTION: Reason.PHYSICS, "battery.reserve": Reason.CONFLICT}
    (reserve,) = [c for c in found.conflicts if c.reason is Reason.CONFLICT]
    assert reserve.limits == ("battery.reserve", CONNECTION)
    told = " ".join(said)
    for word in ("reserve of 30 %", "starts at 12 %", "5.0 kW at most", "connection of 8.0 kW", "9.0 kW"):
        assert word in told


def test_phases_and_connection_are_told_as_one_fuse_when_neither_helps_alone() -> None:
    rooms = tuple(warming(n, phase=p, heater_kw=3.0, ua_kw_per_k=0.08) for p, n in enumerate(("a", "b", "c"), 1))
    conflict, said = only(heated(*rooms, import_limit_kw=3.2, phase_limit_kw=3.2 / 3))
    assert PHASES in conflict.limits or CONNECTION in conflict.limits
    assert [r.limit for r in conflict.remedies] == ["grid.fuse"]
    assert "the connection and its phases together" in said


def test_an_operator_s_limit_is_told_apart_from_the_connection() -> None:
    limits = tuple(2.0 if 8 <= t < 16 else 22.0 for t in range(N))
    conflict, said = only(heated(load_kw=(3.0,) * N, import_limits_kw=limits))
    assert (conflict.reason, conflict.limits) == (Reason.PHYSICS, (OPERATOR,))
    assert conflict.remedies[0].by == pytest.approx(1.0, abs=1e-3)
    assert "the operator's limit of 2.0 kW" in said and "02:00 to 04:00" in said


def test_a_heater_that_somebody_holds_off_is_named() -> None:
    conflict, said = only(heated(warming("hall", forced_slots=40)))
    assert conflict.limits == ("room.hall.below", "room.hall.held")
    assert [(r.limit, r.by) for r in conflict.remedies] == [("room.hall.held", None)]
    assert "hall's heater held at 0 %" in said and "hall not held" in said


def test_a_full_charge_waits_for_prices_and_says_so() -> None:
    unknown = charging(battery=replace(BATTERY, soc=0.3, full_by_slot=30), price_known=(False,) * N)
    conflict, said = only(unknown)
    assert conflict.limits == ("battery.full_charge", UNKNOWN_PRICES)
    assert "prices not yet known" in said


# --- other reasons ----------------------------------------------------------------------------------------------------
def test_a_cold_room_alone_is_physics_with_the_first_slot_it_can_be_warm() -> None:
    cold = warming("hall", air_c=17.0, slab_c=17.5, heater_kw=2.0, ua_kw_per_k=0.03, lower_c=(18.0,) * N)
    problem = heated(cold)
    conflict, said = only(problem)
    assert conflict.reason is Reason.PHYSICS and conflict.limits == ("room.hall.below",)
    warm = next(t for t, c in enumerate(planned(problem).air_c[0]) if c >= 18.0 - 1e-3)
    assert conflict.kept_from_slot == warm
    assert "starts at 17.0 degC with a heater of 2.0 kW" in said


def test_what_could_not_be_avoided_ends_where_it_could_and_the_rest_has_its_own_reason() -> None:
    cold = warming("hall", air_c=17.0, slab_c=17.5, heater_kw=2.0, ua_kw_per_k=0.03, lower_c=(18.0,) * N)
    problem = heated(cold)
    best = planned(problem)
    warm = next(t for t, c in enumerate(best.air_c[0]) if c >= 18.0 - 1e-3)
    late = planned(heated(replace(cold, forced_slots=3)))
    (miss,) = misses(problem, late.bent_rules)
    assert miss.first_slot < warm <= miss.last_slot, "the plan starts too late: its rest could be avoided"
    found = diagnose(problem, replace(late, maker="rules"))
    begins, rest = sorted(found.conflicts, key=lambda c: c.misses[0].first_slot)
    assert (begins.reason, begins.kept_from_slot, begins.misses[0].last_slot) == (Reason.PHYSICS, warm, warm - 1)
    assert rest.reason is not Reason.PHYSICS
    assert (rest.misses[0].first_slot, rest.misses[0].last_slot) == (warm, miss.last_slot)
    said = lines(problem, late, found)
    assert [("no plan could avoid" in line, "at the earliest" in line) for line in said].count((True, True)) == 1
    at = f"{problem.start + timedelta(hours=problem.dt_h * warm):%H:%M}"
    (physics,) = [line for line in said if "no plan could avoid" in line]
    assert f"to {at}: " in physics and f"at the earliest from Mon {at}" in physics


def test_a_reserve_that_waits_for_a_spike_to_pass_is_a_matter_of_price() -> None:
    problem = charging(prices=[1.5] * 12 + [0.2] * 36, load_kw=(1.0,) * N, soc_end_value_eur_per_kwh=0.22)
    conflict, said = only(replace(problem, battery=replace(BATTERY, soc=0.22, reserve_soc=0.5)))
    assert conflict.reason is Reason.PRICE
    assert conflict.keeping_eur is not None and conflict.keeping_eur > 0.5
    assert f"dearer by {conflict.keeping_eur:.2f} EUR" in said


def test_a_reserve_above_what_the_battery_may_hold_is_told_with_that_limit() -> None:
    _, said = only(charging(battery=replace(BATTERY, soc_max=0.8, reserve_soc=0.9)))
    assert "the reserve of 90 %" in said and "may hold 80 % at most" in said


def test_a_mode_that_somebody_holds_is_blamed_for_what_it_prevents() -> None:
    problem = charging(mode_now=HOLD, mode_held_slots=8, mode_forced_slots=20, load_kw=(0.5,) * N)
    conflict, said = only(replace(problem, battery=replace(BATTERY, soc=0.2, full_by_slot=12)))
    assert conflict.reason is Reason.EXECUTION
    assert "held in hold until Mon 05:00" in said


def test_rules_do_not_look_ahead_and_the_diagnosis_says_so() -> None:
    problem = heated(warming("hall", ua_kw_per_k=0.03, air_c=18.6, slab_c=19.5))
    result = RulesPlanner().solve(problem, time_limit_s=1.0)
    said = lines(problem, result, diagnose(problem, result))
    assert said and all("made by rules, without a solver" in line for line in said)
    assert not planned(problem).bent_rules


def test_sun_that_cannot_be_curtailed_is_stronger_than_the_export_limit() -> None:
    conflict, said = only(
        house(prices=[0.3] * N, pv_kw=(9.0,) * N, export_limit_kw=2.0, pv_curtailable=False)
    )  # fmt: skip
    assert conflict.reason is Reason.PHYSICS
    assert "export limit of 2.0 kW" in said and "9.0 kW and cannot be curtailed" in said


def test_a_load_that_no_phase_can_carry_is_told_as_stronger_than_its_fuse() -> None:
    conflict, said = only(house(prices=[0.3] * N, battery=None, load_kw=(6.0,) * N, phase_limit_kw=1.5))
    assert (conflict.limits, conflict.reason) == ((PHASES,), Reason.PHYSICS)
    assert "fuse of 1.5 kW per phase" in said and "the load without heating is 6.0 kW" in said


def test_a_charge_that_a_person_holds_at_unknown_prices_is_diagnosed_as_one_at_known_ones() -> None:
    charge = InverterMode(composite=Composite.CHARGE_FROM_GRID)
    held = house(N, mode_now=charge, mode_forced_slots=8, battery=replace(BATTERY, soc=0.2, reserve_soc=0.4))
    assert diagnosed(replace(held, price_known=(False,) * N))[1] == diagnosed(held)[1] != ()


def test_why_nothing_was_found_is_told_and_not_that_it_is_cheap() -> None:
    problem = house(prices=[0.3] * N, battery=None, load_kw=(6.0,) * N, phase_limit_kw=1.5)
    result = planned(problem)
    found = diagnose(problem, result, time_limit_s=0.0)
    assert (found.conflicts, found.untold) == ((), 1)
    assert lines(problem, result, found) == (
        "1 limit is bent and was not looked into: there was no more time; mend what is told first, and ask again.",
    )


# --- how it is found --------------------------------------------------------------------------------------------------
def test_what_bends_nothing_is_not_solved_again() -> None:
    found, said = diagnosed(house(N))
    assert (found.conflicts, found.solves, said) == ((), 0, ())


def test_neighbouring_slots_are_one_miss_and_distant_ones_two() -> None:
    def bent(slot: int, amount: float) -> BentRule:
        return BentRule(rule="grid.phase_2", slot=slot, amount=amount, unit="kW", cost_eur=amount)

    found = list(misses(house(N), [bent(20, 1.0), bent(2, 0.5), bent(3, 2.0), bent(6, 0.1)]))
    assert [(m.limit, m.first_slot, m.last_slot, m.worst_slot) for m in found] == [
        (PHASES, 2, 6, 3), (PHASES, 20, 20, 20),
    ]  # fmt: skip
    assert found[0].cost_eur == pytest.approx(2.6)


def test_conflicts_are_minimal_by_brute_force() -> None:
    """With its limits alone in force most of a miss stays; with any single one of them freed as well it does not."""
    checked = 0
    for seed in range(30):
        problem = random_house(seed, steps=16)
        result = planned(problem)
        lp = Elastic(problem, result.bent_rules)
        for conflict in diagnose(problem, result).conflicts:
            if conflict.reason is not Reason.CONFLICT or len(conflict.misses) > 1:
                continue
            (miss,) = conflict.misses
            asked = [Asked.of(lp.groups[miss.limit], range(miss.first_slot, miss.last_slot + 1))]
            others = set(conflict.limits) - {miss.limit}

            def least(in_force: set[str], lp: Elastic = lp, asked: list[Asked] = asked) -> float:
                return lp.least(asked, set(lp.groups) - in_force).total

            floor, whole = least(set()), least(set(lp.groups))
            half = floor + 0.5 * (whole - floor)
            assert others and least(others) > half - 1e-6
            for name in others:
                assert least(others - {name}) <= half + 1e-6, f"seed {seed}: {name} is not needed"
            checked += 1
    assert checked >= 8


@pytest.mark.parametrize("seed", range(100, 112))
def test_every_miss_is_told_or_counted_and_each_in_one_line(seed: int) -> None:
    problem = random_house(seed, steps=16)
    for result in (planned(problem), RulesPlanner().solve(problem, time_limit_s=1.0)):
        found = diagnose(problem, result, most=3)
        bent = {(m.limit, m.first_slot) for m in misses(problem, result.bent_rules)}  # the rest of one is no other
        told = sum((m.limit, m.first_slot) in bent for c in found.conflicts for m in c.misses)
        assert told + found.untold == len(list(misses(problem, result.bent_rules)))
        assert told >= min(3, told + found.untold)
        for line in lines(problem, result, found):
            assert "\n" not in line and line.endswith(".") and "nan" not in line.replace("buy nothing", "")


def test_a_cheap_miss_that_takes_part_in_a_known_conflict_is_told_with_it_and_costs_no_search() -> None:
    rooms = tuple(warming(n, lower_c=(18.0,) * 28 + (20.5,) * 20, ua_kw_per_k=0.06) for n in ("hall", "bath"))
    problem = heated(*rooms, import_limit_kw=2.8)
    result = planned(problem)
    assert len(list(misses(problem, result.bent_rules))) == 2
    one, all_of_them = diagnose(problem, result, most=1), diagnose(problem, result)
    assert one.untold == 0
    assert replace(one, wall_s=0.0) == replace(all_of_them, wall_s=0.0)


def test_the_operators_limit_is_told_as_it_was_even_where_a_room_is_coldest_after_it() -> None:
    dimmed = (9.0,) * 4 + (0.5,) * 24 + (9.0,) * 20
    hall = warming("hall", lower_c=(18.0,) * 20 + (20.0,) * 28)
    conflict, said = only(heated(hall, load_kw=(0.4,) * N, import_limit_kw=9.0, import_limits_kw=dimmed))
    assert OPERATOR in conflict.limits and conflict.misses[0].worst_slot >= 28
    assert "the operator's limit of 0.5 kW" in said, said


def test_without_time_everything_is_counted_as_not_looked_into() -> None:
    problem = heated(warming("hall", forced_slots=40))
    result = planned(problem)
    found = diagnose(problem, result, time_limit_s=0.0)
    assert found.conflicts == () and found.untold == len(list(misses(problem, result.bent_rules)))
    assert "not looked into" in lines(problem, result, found)[0]


def test_a_plan_that_was_never_made_cannot_be_diagnosed() -> None:
    with pytest.raises(PlanError, match="no plan to diagnose: too slow"):
        diagnose(house(N), failed(house(N), "test", Stop.TIME_LIMIT, "too slow"))


def test_times_are_told_in_the_house_s_zone() -> None:
    problem = heated(warming("hall", ua_kw_per_k=0.03, air_c=18.6, slab_c=19.5, forced_slots=40))
    result = planned(problem)
    found = diagnose(problem, result)
    utc, berlin = (lines(problem, result, found, zone=ZoneInfo(z))[0] for z in ("UTC", "Europe/Berlin"))
    assert utc.startswith("Mon 02:00 to 12:00") and berlin.startswith("Mon 03:00 to 13:00")


def test_the_words_need_no_solver() -> None:
    code = "import sys, solvers.diagnose.words; sys.exit(any(m in sys.modules for m in ('numpy', 'highspy', 'pyomo')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_beginning_of_a_problem_prices_bent_rules_as_the_whole_of_it() -> None:
    whole = house(prices=[0.3] * 24 + [3.0] * 24)
    first = beginning(whole, 24)
    assert tiers(first).over_limit_eur_per_kwh == tiers(whole).over_limit_eur_per_kwh
    assert tiers(first).comfort_below_eur_per_kh == tiers(whole).comfort_below_eur_per_kh
