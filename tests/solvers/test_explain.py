"""Decision cards: what they say is true of the plan, and what they say would flip it does."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from models.errors import PlanError
from models.types.mode import REGULAR, Composite, InverterMode
from pems_actors.workers import codec
from solvers.adapt import Adapter
from solvers.composites.options import runs
from solvers.explain.answers import Answers
from solvers.explain.barred import Bar, Choice, bar
from solvers.explain.cards import DecisionCard, Flip, Quantity
from solvers.explain.explainer import Explainer, slot_of
from solvers.explain.flips import Window, changed, find
from solvers.explain.ledger import slot_time
from solvers.explain.questions import CardQuestion, MarginalQuestion
from solvers.explain.relaxed import heat_block
from solvers.model.frame import shape_of
from solvers.model.kept import KeptModel, Limits
from solvers.problem import PlanProblem
from solvers.pyomo_highs import PyomoHighs, highest_import_kw, result_of
from solvers.result import PlanResult, SignedPlan, Stop
from solvers.signature import signature
from solvers.tiers import tiers
from tests.solvers.houses import BATTERY, house, random_house, room

CHEAP, DEAR = 0.08, 0.45
SPREAD = [0.42] * 8 + [CHEAP] * 8 + [0.42] * 8 + [DEAR] * 24  # a night worth charging in
PLANNER = PyomoHighs()


def planned(problem: PlanProblem) -> PlanResult:
    result = PLANNER.solve(problem, time_limit_s=60.0)
    assert result.modes, result.message
    return result


def explainer(problem: PlanProblem, result: PlanResult) -> Explainer:
    return Explainer(PLANNER.model_of(problem)[0], problem, result, Limits())


def card_at(problem: PlanProblem, slot: int, *, room: str | None = None, flips: bool = True) -> DecisionCard:
    result = planned(problem)
    return explainer(problem, result).card(slot_time(problem, slot), room=room, flips=flips)


def charging() -> tuple[PlanProblem, PlanResult, int]:
    """A house that charges from the grid in its cheap hours, and a slot of that run."""
    slow = replace(BATTERY, soc=0.25, charge_kw=3.0)  # the cheap hours are just long enough
    problem = house(prices=SPREAD, pv_kw=(0.0,) * 48, load_kw=(0.8,) * 48, battery=slow)
    result = planned(problem)
    slot = next(t for t, mode in enumerate(result.modes) if mode.composite is Composite.CHARGE_FROM_GRID)
    return problem, result, slot


# --- the inverter -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("seed", range(40, 64))
def test_terms_sum_to_the_extra_cost_which_is_below_0_only_within_the_gap(seed: int) -> None:
    problem = random_house(seed)
    if problem.battery is None:
        problem = replace(problem, battery=BATTERY)
    result = planned(problem)
    asked = explainer(problem, result)
    at = problem.start
    while at < slot_time(problem, problem.steps):
        card = asked.card(at, flips=False)
        assert card.start <= at < card.end
        at = card.end
        if card.alternative is None:
            assert card.no_alternative and not card.terms
            continue
        assert math.fsum(t.eur for t in card.terms) == pytest.approx(card.alternative.extra_eur, abs=1e-9)
        assert card.alternative.extra_eur >= -result.gap_eur - 1e-6


@pytest.mark.parametrize("seed", range(6))
def test_without_heating_and_far_from_limits_no_alternative_is_cheaper_than_the_plan(seed: int) -> None:
    """The dynamic program is exact there but for its grid of SOCs."""
    drawn = random_house(seed)
    prices = [p + 0.2 for p in drawn.price_import]
    problem = house(prices=prices, pv_kw=drawn.pv_kw, load_kw=drawn.load_kw, battery=replace(BATTERY, soc=0.4))
    result = planned(problem)
    asked = explainer(problem, result)
    for start, _ in runs(result.modes):
        card = asked.card(slot_time(problem, start), flips=False)
        if card.alternative is not None:
            assert card.alternative.extra_eur >= -0.003


def test_the_card_of_a_charge_says_what_it_buys_and_where_that_saves() -> None:
    problem, result, slot = charging()
    card = explainer(problem, result).card(slot_time(problem, slot))
    assert card.what.startswith("charge_from_grid to ") and card.point == "inverter.mode" and not card.running
    assert card.facts.charged_kwh > 4.0 and card.facts.soc_start == pytest.approx(result.soc[slot - 1])
    assert card.alternative is not None and card.alternative.extra_eur > 0.3
    assert all("charge_from_grid" not in span.mode for span in card.alternative.modes)
    first, second = card.terms[:2]
    saved = max(first, second, key=lambda t: t.eur)
    bought = min(first, second, key=lambda t: t.eur)
    assert saved.kwh is not None and saved.kwh < -3.0 and saved.eur_per_kwh == pytest.approx(DEAR, abs=0.01)
    assert bought.kwh is not None and bought.kwh > 4.0 and bought.eur_per_kwh == pytest.approx(CHEAP)
    assert saved.start == card.end and bought.start == card.start
    assert card.more_losses_kwh is not None and card.more_losses_kwh > 0.3


def test_the_alternative_of_a_charge_buys_nothing_for_the_battery_in_its_slots() -> None:
    problem, result, slot = charging()
    start, stop = next((a, b) for a, b in runs(result.modes) if a <= slot < b)
    asked = explainer(problem, result)
    barred = bar(problem, Composite.CHARGE_FROM_GRID, start, stop)
    assert isinstance(barred, Bar) and (barred.start, barred.stop) == (start, stop)
    other = asked._without(barred, 0.0)
    card = asked.card(slot_time(problem, slot), flips=False)
    assert max(other.charge_kw[start:stop]) == 0.0 < max(result.charge_kw[start:stop])
    assert card.alternative is not None
    assert card.alternative.extra_eur == pytest.approx(other.objective_eur - result.objective_eur)


@pytest.mark.parametrize("seed", [16, 25, 44])
def test_an_alternative_is_no_dearer_than_planning_the_house_without_the_choice(seed: int) -> None:
    drawn = random_house(seed)
    problem = drawn if drawn.battery is not None else replace(drawn, battery=BATTERY)
    result, model = planned(problem), KeptModel(shape_of(problem))
    asked, tried = explainer(problem, result), 0
    for start, stop in runs(result.modes):
        composite = result.modes[start].composite
        barred = bar(problem, composite, start, stop, since=start)
        if composite is Composite.REGULAR or not isinstance(barred, Bar):
            continue
        solution = model.solve(problem, Limits())
        relaxed = result_of(problem, solution, "relaxation", Stop.CONVERGED)
        peak_kw = highest_import_kw(problem, solution)
        anew = Adapter(
            problem, lambda fixed, _: model.refine(fixed, Limits()), math.inf, peak_kw=peak_kw, barred=barred
        )
        other = anew.improve(anew.with_modes(relaxed, relaxed.duty))
        card = asked.card(slot_time(problem, start), flips=False)
        assert card.alternative is not None
        assert card.alternative.extra_eur <= other.objective_eur - result.objective_eur + 0.002
        tried += 1
    assert tried


def by_of(flip: Flip) -> float:
    """How `changed` says it."""
    assert flip.flips_at is not None
    return flip.flips_at - flip.now if flip.quantity is Quantity.PRICE else flip.flips_at / flip.now


@pytest.mark.parametrize("quantity", list(Quantity))
def test_a_threshold_flips_the_choice_when_the_house_is_changed_that_far_and_not_at_half_of_it(
    quantity: Quantity,
) -> None:
    """Tried by planning the changed house from nothing."""
    base, _, _ = charging()
    sun = tuple(2.0 * max(0.0, math.sin(math.pi * (t - 18) / 16)) if 18 < t < 34 else 0.0 for t in range(48))
    prices = (0.27,) * 8 + (0.15,) * 8 + (0.27,) * 32  # it pays, but not by much
    problem = replace(base, pv_kw=sun, price_import=prices, price_export=(0.05,) * 48)
    result = planned(problem)
    slot = next(t for t, mode in enumerate(result.modes) if mode.composite is Composite.CHARGE_FROM_GRID)
    start, stop = next((a, b) for a, b in runs(result.modes) if a <= slot < b)
    card = explainer(problem, result).card(slot_time(problem, slot))
    flip = next(f for f in card.flips if f.quantity is quantity)
    assert flip.flips_at is not None, flip
    day = 48 if quantity is not Quantity.PRICE else stop
    assert (flip.start, flip.end) == (slot_time(problem, start), slot_time(problem, day))
    still = 0.0 if quantity is Quantity.PRICE else 1.0
    window = Window(quantity=quantity, start=start, stop=day)

    def charges(by: float) -> bool:
        modes = planned(changed(problem, window, by)).modes
        return any(m.composite is Composite.CHARGE_FROM_GRID for m in modes[start:stop])

    assert charges(still)
    assert charges(still + 0.5 * (by_of(flip) - still))
    assert not charges(still + 1.001 * (by_of(flip) - still))


def test_a_change_leaves_the_worth_of_what_is_left_as_it_was() -> None:
    problem, _, _ = charging()
    dearer = changed(problem, Window(quantity=Quantity.PRICE, start=8, stop=16), 0.1)
    assert dearer.price_import[8] == pytest.approx(CHEAP + 0.1) and dearer.price_import[16] == 0.42
    assert dearer.price_export[8] == pytest.approx(problem.price_export[8] + 0.1)
    assert dearer.soc_end_value_eur_per_kwh is not None and dearer.heat_end_value_eur_per_kwh is not None
    sunny = changed(replace(problem, pv_kw=(1.0,) * 48), Window(quantity=Quantity.SUN, start=0, stop=4), 2.0)
    assert sunny.pv_kw[:5] == (2.0, 2.0, 2.0, 2.0, 1.0)


def test_a_change_of_prices_leaves_what_bent_rules_cost_as_it_was() -> None:
    problem = house(24, prices=[0.4] * 24)
    dearer = changed(problem, Window(quantity=Quantity.PRICE, start=0, stop=4), 0.6)
    assert tiers(dearer) == tiers(problem)


def test_a_threshold_that_is_not_found_says_how_far_it_was_looked_for() -> None:
    problem = house(24, prices=[0.3] * 24)

    def worth(other: PlanProblem) -> float:  # it would end a little below, and falls towards dear prices
        by = other.price_import[0] - 0.3
        return 0.0 if by < -0.05 else max(0.05, 0.1 - 0.2 * by)

    flip = find(problem, Window(quantity=Quantity.PRICE, start=0, stop=4), worth)
    assert flip is not None and flip.flips_at is None
    assert flip.searched[0] == pytest.approx(0.3), "nothing is claimed of the side that was not tried"
    assert flip.searched[1] == pytest.approx(0.4)


def test_a_room_that_is_heated_because_of_what_the_battery_does_is_explained_beside_that_battery() -> None:
    # Fitting heating to the modes moved it into these slots: the relaxation alone would heat nothing there.
    problem = random_house(25)
    result = planned(problem)
    asked = next(t for t, on in enumerate(result.duty[0]) if t >= 10 and on > 0.9)
    card = explainer(problem, result).card(slot_time(problem, asked), room=problem.rooms[0].name)
    assert (card.what, card.facts.heated_kwh) == ("heat", pytest.approx(0.5))
    assert card.alternative is not None and card.alternative.extra_eur > 0.01
    assert any(span.kwh == pytest.approx(-0.5) for span in card.alternative.heat), "without it, it is not heated then"


def test_what_barring_loses_is_the_same_with_and_without_what_is_shared() -> None:
    compared = 0
    for seed in range(30):
        problem = random_house(seed)
        if problem.battery is None or problem.free:
            continue
        result = planned(problem)
        start, stop = next(runs(result.modes))
        barred = bar(problem, result.modes[start].composite, start, stop)
        if isinstance(barred, str):
            continue
        compared += 1
        choice = Choice(problem, _no_heat(problem))
        whole = choice.worth_eur(barred)
        assert choice.worth_eur(barred, replace(problem), until=stop) == pytest.approx(whole, abs=1e-9)
        assert Choice(problem, _no_heat(problem)).worth_eur(barred, problem) == pytest.approx(whole, abs=1e-9)
    assert compared >= 8


def test_regular_is_asked_for_an_hour_for_it_may_run_for_days() -> None:
    problem = house(48, prices=[0.3] * 48)
    card = card_at(problem, 20, flips=False)
    assert card.what == "regular" and card.running
    assert (card.start, card.end) == (slot_time(problem, 0), slot_time(problem, 48))
    assert card.alternative is not None
    assert (card.alternative.start, card.alternative.end) == (slot_time(problem, 20), slot_time(problem, 24))


def test_what_a_person_holds_or_has_only_begun_has_no_alternative() -> None:
    hold = InverterMode(composite=Composite.HOLD, stop_soc=0.5)
    held = house(16, mode_now=hold, mode_held_slots=9, mode_forced_slots=16)
    card = card_at(held, 3)
    assert card.alternative is None and card.flips == () and card.terms == ()
    said = "it is held by hand, by a limit or by a trip over all of these slots: nothing else may run"
    assert card.no_alternative == said
    begun = house(16, prices=[0.3] * 16, mode_now=REGULAR, mode_held_slots=0, min_mode_slots=12)
    card = card_at(begun, 2)
    assert "has not run for its minimum time" in card.no_alternative


def test_a_kept_plan_says_what_keeping_costs() -> None:
    problem, result, slot = charging()
    card = explainer(problem, replace(result, kept_eur=0.04)).card(slot_time(problem, slot), flips=False)
    assert card.kept_eur == 0.04 and card.gap_eur == result.gap_eur


# --- rooms ------------------------------------------------------------------------------------------------------------
def warm_house() -> PlanProblem:
    """A cold room that must be warm when the night's cheap hours are over."""
    steps = 48
    lower = tuple(18.0 if t < 24 else 20.5 for t in range(steps))
    cold = room(steps, name="bath", heater_kw=4.0, air_c=19.6, slab_c=20.0, lower_c=lower, upper_c=(24.0,) * steps)
    return house(prices=SPREAD, rooms=(cold, room(steps, name="hall")))


def test_heating_costs_more_without_its_block_and_the_card_says_where_it_goes() -> None:
    problem = warm_house()
    result = planned(problem)
    slot = max(range(8, 16), key=lambda t: result.duty[0][t])
    card = explainer(problem, result).card(slot_time(problem, slot), room="bath")
    assert card.point == "room.bath.relay" and card.what == "heat" and card.facts.heated_kwh > 0.5
    other = card.alternative
    assert other is not None and other.extra_eur > 0.0 and other.modes == ()
    assert math.fsum(t.eur for t in card.terms) == pytest.approx(other.extra_eur, abs=1e-9)
    inside = [s for s in other.heat if s.start >= card.start and s.end <= card.end]
    assert inside and all(s.kwh < 0.0 for s in inside)
    assert sum(s.kwh for s in other.heat if s not in inside) > 0.3


def test_the_price_at_which_heating_at_another_time_is_as_cheap_is_exact() -> None:
    problem = warm_house()
    result = planned(problem)
    slot = max(range(8, 16), key=lambda t: result.duty[0][t])
    card = explainer(problem, result).card(slot_time(problem, slot), room="bath")
    (flip,) = card.flips
    assert flip.flips_at is not None and flip.flips_at > flip.now
    block = heat_block(problem, result, 0, slot)
    window = Window(quantity=Quantity.PRICE, start=block.start, stop=block.stop)
    probe = explainer(problem, result)._probe

    def worth_eur(by: float) -> float:
        moved = changed(problem, window, by)
        return probe.solve(moved, block.fixes).objective_eur - probe.solve(moved).objective_eur

    assert worth_eur(by_of(flip)) == pytest.approx(0.0, abs=1e-6)
    assert worth_eur(0.9 * by_of(flip)) > 1e-4


def test_a_heater_at_rest_is_tried_on_for_an_hour() -> None:
    problem = warm_house()
    result = planned(problem)
    slot = next(t for t in range(24, 40) if max(result.duty[1][t : t + 4]) < 0.02)
    card = explainer(problem, result).card(slot_time(problem, slot), room="hall", flips=False)
    assert card.what == "off" and card.end - card.start == timedelta(hours=1)
    assert card.alternative is not None and card.alternative.extra_eur > 0.0
    assert any(s.kwh > 0.5 and s.start == card.start for s in card.alternative.heat)


def test_a_room_that_a_person_holds_has_no_alternative() -> None:
    steps = 16
    problem = house(steps, rooms=(room(steps, forced_slots=steps, forced_duty=1.0),))
    card = card_at(problem, 4, room="room")
    assert card.alternative is None and "held by hand, by a limit or by a trip" in card.no_alternative


# --- planning cases ---------------------------------------------------------------------------------------------------
def test_flows_of_a_planning_case_are_explained_on_the_relaxation() -> None:
    free = replace(BATTERY, composites=False, soc=0.2, soc_final=0.2, wear_eur_per_kwh=0.0)
    problem = house(prices=SPREAD, battery=free, load_kw=(0.8,) * 48)
    result = planned(problem)
    slot = max(range(48), key=lambda t: result.charge_kw[t])
    card = explainer(problem, result).card(slot_time(problem, slot))
    assert card.point == "battery" and card.what == "charge" and card.alternative is not None
    assert card.alternative.extra_eur > 0.0
    assert math.fsum(t.eur for t in card.terms) == pytest.approx(card.alternative.extra_eur, abs=1e-9)
    rests = next(t for t in range(48) if result.charge_kw[t] == result.discharge_kw[t] == 0.0)
    idle = explainer(problem, result).card(slot_time(problem, rests))
    assert idle.alternative is None and "rests" in idle.no_alternative


# --- mistakes ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("hours", [-3.0, -0.1, 6.0, 100.0])
def test_a_time_outside_the_horizon_is_told_with_the_horizon(hours: float) -> None:
    problem = house(24)
    with pytest.raises(PlanError, match=r"is outside the plan, which goes from 2021-02-08 00:00 to 2021-02-08 06:00"):
        explainer(problem, planned(problem)).card(problem.start + timedelta(hours=hours))
    assert slot_of(problem, problem.start + timedelta(hours=5.99)) == 23


def test_a_house_without_battery_has_rooms_to_ask_about_or_nothing() -> None:
    with_room = house(16, battery=None, rooms=(room(16, name="hall"),))
    with pytest.raises(PlanError, match=r"no battery, so the inverter has nothing to choose; ask for a room: hall"):
        card_at(with_room, 0)
    assert card_at(with_room, 0, room="hall").point == "room.hall.relay"
    with pytest.raises(PlanError, match=r"no battery.*there are no heated rooms either"):
        card_at(house(16, battery=None), 0)


def test_an_unknown_room_is_told_with_one_that_was_meant() -> None:
    rooms = (room(16, name="koupelna"), room(16, name="hall"))
    with pytest.raises(PlanError, match="no heated room is called 'koupeln'; such as koupelna$"):
        card_at(house(16, rooms=rooms), 0, room="koupeln")
    with pytest.raises(PlanError, match="no heated room is called 'x'; there is none"):
        card_at(house(16), 0, room="x")


def test_a_plan_that_failed_has_nothing_to_explain() -> None:
    problem = house(16)
    result = planned(problem)
    with pytest.raises(PlanError, match="there is no plan to explain: it failed"):
        explainer(problem, replace(result, import_kw=()))


# --- the worker -------------------------------------------------------------------------------------------------------
def test_answers_and_questions_travel_between_core_and_worker() -> None:
    problem, result, slot = charging()
    plan = SignedPlan(result=result, signature=signature(problem, result), checked_cost_eur=result.cost_eur)
    wire, answers = codec("optimizer"), Answers(PLANNER)
    question = CardQuestion(problem=problem, plan=plan, at=slot_time(problem, slot))
    assert wire.decode(wire.encode(question)) == question
    card = answers.card(question)
    assert wire.decode(wire.encode(card)) == card
    about = MarginalQuestion(problem=problem, hours=1)
    assert wire.decode(wire.encode(about)) == about
    found = answers.marginal(about)
    assert wire.decode(wire.encode(found)) == found
    assert replace(answers.card(question), took_s=0.0) == replace(card, took_s=0.0)  # asked again: the same
    with pytest.raises(PlanError, match="the optimizer got a str, must be a CardQuestion"):
        answers.card("x")
    with pytest.raises(PlanError, match="must be a MarginalQuestion"):
        answers.marginal(problem)


def test_all_cards_of_a_plan_cover_its_horizon_without_a_hole() -> None:
    problem, result, _ = charging()
    plan = SignedPlan(result=result, signature=signature(problem, result), checked_cost_eur=result.cost_eur)
    cards = Answers(PLANNER).all_cards(problem, plan)
    assert cards[0].start == problem.start and cards[-1].end == slot_time(problem, problem.steps)
    assert all(a.end == b.start for a, b in pairwise(cards))
    assert len(cards) == sum(1 for _ in runs(result.modes))
    assert Answers(PLANNER).all_cards(house(16, battery=None), plan) == ()


def _no_heat(problem: PlanProblem) -> NDArray[np.float64]:
    return np.zeros((len(problem.rooms), problem.steps))
