"""The dynamic program finds what trying everything finds, and what it commands does what it plans."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from models.types.mode import REGULAR, Composite, InverterMode
from solvers.account import account
from solvers.checker import check
from solvers.composites.choose import choose_modes
from solvers.composites.options import OPTIONS
from solvers.finish import Verdict, finish
from solvers.problem import CalmPrices, Commitment, PlanProblem
from solvers.pyomo_highs import PyomoHighs
from solvers.replay import replay
from solvers.result import Stop
from tests.solvers.houses import BATTERY, house

NO_ROOMS = np.zeros((0, 0))
FULL_CELLS = replace(BATTERY, capacity_kwh=12.5, charge_kw=2.0, discharge_kw=2.0, taper_above_soc=1.0)


def objective(problem: PlanProblem, modes: tuple[InverterMode, ...]) -> float:
    played = replay(problem, modes, problem.export_allowed_kw, ())
    return account(problem, played, modes, ()).objective_eur


def best_of_all(problem: PlanProblem) -> float:
    """Objective of the best sequence of options, found by trying all (a rest being a hold of its own)."""
    modes = [InverterMode(composite=o.composite, rate=o.rate) for o in OPTIONS]
    return min(objective(problem, chosen) for chosen in itertools.product(modes, repeat=problem.steps))


@pytest.mark.parametrize(
    "prices",
    [
        [0.10, 0.30, 0.30, 0.12],
        [0.60, -0.20, 0.05, 0.90],
        [0.30, 0.30, 0.30, 0.30],
        [0.05, 0.80, 0.02, 0.70],
    ],
)
@pytest.mark.parametrize("pv", [0.0, 4.0])
def test_no_sequence_of_composites_is_cheaper(prices: list[float], pv: float) -> None:
    # On this battery a slot at full or half power, from any grid point, ends on a grid point: no rounding of SOC.
    problem = house(
        prices=prices,
        battery=FULL_CELLS,
        dt_h=0.25,
        pv_kw=(pv,) * 4,
        mode_now=None,
        min_mode_slots=1,
        calm=CalmPrices(mode_change_eur=0.0),
    )
    found = objective(problem, choose_modes(problem, NO_ROOMS))
    # Rounding a stop SOC to whole percent may cost up to a percent of the battery per run.
    assert found <= best_of_all(problem) + 0.01


def runs(modes: tuple[InverterMode, ...]) -> list[tuple[InverterMode, int]]:
    return [(mode, len(list(group))) for mode, group in itertools.groupby(modes)]


def nervous() -> PlanProblem:
    """Prices that swing each quarter hour: without dwell and price every slot would be another composite."""
    return house(prices=[0.05 if t % 2 else 0.9 for t in range(48)], calm=CalmPrices(mode_change_eur=0.0))


@pytest.mark.parametrize("least", [1, 4, 8])
def test_composites_are_held_for_their_dwell_time(least: int) -> None:
    problem = replace(nervous(), min_mode_slots=least, mode_held_slots=0)
    lengths = [n for _, n in runs(choose_modes(problem, NO_ROOMS))]
    assert all(n >= least for n in lengths[:-1])
    assert len(lengths) > 1


def test_what_runs_now_is_held_for_the_rest_of_its_dwell_time() -> None:
    now = InverterMode(composite=Composite.CHARGE_FROM_GRID, rate=1.0, stop_soc=0.9)
    problem = house(prices=[0.9] * 4 + [0.1] * 20, mode_now=now, mode_held_slots=1)
    modes = choose_modes(problem, NO_ROOMS)
    assert {m.composite for m in modes[:3]} == {Composite.CHARGE_FROM_GRID}
    played = replay(problem, modes, problem.export_allowed_kw, ())
    assert played.charge_kw[:3] == pytest.approx([0.0] * 3)  # it rests: its stop SOC is the SOC it has


@pytest.mark.parametrize("composite", [Composite.HOLD, Composite.SELL_PRODUCTION])
def test_a_rest_that_goes_on_keeps_its_name(composite: Composite) -> None:
    now = InverterMode(composite=composite)
    problem = house(prices=[0.2] * 12 + [0.6] * 12, mode_now=now, mode_held_slots=1, pv_kw=(2.0,) * 4 + (0.0,) * 20)
    modes = choose_modes(problem, NO_ROOMS)
    assert modes[0] == now


def test_a_running_charge_of_unknown_rate_goes_on_at_the_rate_that_suits() -> None:
    now = InverterMode(composite=Composite.CHARGE_FROM_GRID)
    empty = replace(BATTERY, soc=0.2)
    problem = house(prices=[0.1] * 16 + [0.6] * 32, battery=empty, mode_now=now, mode_held_slots=1, load_kw=(2.0,) * 48)
    narrow = choose_modes(replace(problem, import_limit_kw=5.0), NO_ROOMS)[0]
    wide = choose_modes(replace(problem, price_import=(0.05, *problem.price_import[1:])), NO_ROOMS)[0]
    assert (narrow.composite, narrow.rate) == (Composite.CHARGE_FROM_GRID, 0.5)
    assert (wide.composite, wide.rate) == (Composite.CHARGE_FROM_GRID, 1.0)


def test_a_stop_soc_that_is_written_is_kept_for_small_differences() -> None:
    problem = house(prices=[0.10] * 8 + [0.60] * 16, load_kw=(1.5,) * 24, battery=replace(BATTERY, soc=0.3))
    first = choose_modes(problem, NO_ROOMS)
    run = next(m for m in first if m.composite is Composite.CHARGE_FROM_GRID)
    assert run.stop_soc is not None
    near = replace(run, stop_soc=run.stop_soc - 0.02)
    assert choose_modes(replace(problem, mode_now=near), NO_ROOMS)[0] == near
    far = replace(run, stop_soc=run.stop_soc - 0.2)
    assert choose_modes(replace(problem, mode_now=far), NO_ROOMS)[0] == run


def test_a_dear_change_is_not_made_for_less_than_it_costs() -> None:
    cheap = house(prices=[0.10] * 12 + [0.50] * 12)
    calm = replace(cheap, calm=CalmPrices(mode_change_eur=10.0))
    assert len(runs(choose_modes(cheap, NO_ROOMS))) > 1
    assert runs(choose_modes(calm, NO_ROOMS)) == [(REGULAR, 24)]


def test_ties_go_to_regular_and_a_flat_tariff_is_left_alone() -> None:
    problem = house(prices=[0.3] * 48, load_kw=(1.0,) * 48)
    assert runs(choose_modes(problem, NO_ROOMS)) == [(REGULAR, 48)]


def test_the_stop_soc_of_a_run_is_whole_percent_and_reached() -> None:
    problem = house(prices=[0.10] * 6 + [0.60] * 18, load_kw=(3.0,) * 24)
    modes = choose_modes(problem, NO_ROOMS)
    played = replay(problem, modes, problem.export_allowed_kw, ())
    charge = [t for t, m in enumerate(modes) if m.composite is Composite.CHARGE_FROM_GRID]
    assert charge
    stop = modes[charge[0]].stop_soc
    assert stop is not None
    assert stop * 100 == pytest.approx(round(stop * 100))
    assert played.soc[charge[-1]] == pytest.approx(stop, abs=0.01)


def test_nothing_is_bought_for_the_battery_or_sold_from_it_at_unknown_prices() -> None:
    prices = [0.3] * 8 + [-0.1, 0.9] * 8
    problem = house(prices=prices, price_known=tuple(t < 8 for t in range(24)))
    grid = {Composite.CHARGE_FROM_GRID, Composite.DISCHARGE_TO_GRID}
    assert not grid & {m.composite for m in choose_modes(problem, NO_ROOMS)[8:]}
    known = replace(problem, price_known=(True,) * 24)
    assert grid & {m.composite for m in choose_modes(known, NO_ROOMS)[8:]}


def test_the_battery_is_charged_in_the_deepest_negative_slots_not_the_first() -> None:
    prices = [0.2] * 8 + [-0.05] * 8 + [-0.40] * 8 + [0.3] * 8
    # Half full, so that only part of the negative hours is needed.
    problem = house(prices=prices, battery=replace(BATTERY, soc=0.6, taper_above_soc=1.0), load_kw=(0.2,) * 32)
    played = replay(problem, choose_modes(problem, NO_ROOMS), problem.export_allowed_kw, ())
    assert sum(played.charge_kw[16:24]) > 3.0 * sum(played.charge_kw[8:16])


def test_a_battery_that_would_be_full_at_a_negative_noon_is_emptied_before() -> None:
    prices = [0.25] * 16 + [-0.30] * 8 + [0.25] * 8
    problem = house(prices=prices, battery=replace(BATTERY, soc=1.0), load_kw=(0.3,) * 32)
    played = replay(problem, choose_modes(problem, NO_ROOMS), problem.export_allowed_kw, ())
    assert played.soc[15] < 0.8
    assert sum(played.charge_kw[16:24]) > 2.0


def test_nothing_is_discharged_at_a_loss_after_wear() -> None:
    dear_to_use = replace(BATTERY, wear_eur_per_kwh=0.30, soc=0.8)
    problem = house(prices=[0.1, 0.25] * 12, battery=dear_to_use, soc_end_value_eur_per_kwh=0.0)
    modes = choose_modes(problem, NO_ROOMS)
    played = replay(problem, modes, problem.export_allowed_kw, ())
    assert sum(played.discharge_kw) == pytest.approx(0.0, abs=1e-6)


def test_a_reserve_is_never_bought_at_a_spike_nor_sold_into_it() -> None:
    prices = [0.3] * 8 + [1.5] * 8 + [0.2] * 32
    low = replace(BATTERY, soc=0.25, reserve_soc=0.5)
    problem = house(prices=prices, battery=low, load_kw=(1.0,) * 48)
    played = replay(problem, choose_modes(problem, NO_ROOMS), problem.export_allowed_kw, ())
    assert sum(played.charge_kw[8:16]) == pytest.approx(0.0)  # not bought at the spike
    assert played.soc[-1] >= 0.5 - 0.011  # but in the cheap night after it
    full = replace(problem, battery=replace(low, soc=0.5))
    kept = replay(full, choose_modes(full, NO_ROOMS), full.export_allowed_kw, ())
    assert min(kept.soc) >= 0.5 - 0.011  # and not sold into it


def test_a_balancing_charge_is_reached_in_time() -> None:
    problem = house(prices=[0.3] * 48, battery=replace(BATTERY, soc=0.5, full_by_slot=40))
    played = replay(problem, choose_modes(problem, NO_ROOMS), problem.export_allowed_kw, ())
    assert played.soc[40] > 0.985


def test_modes_of_a_plan_change_only_where_they_are_counted() -> None:
    modes = choose_modes(nervous(), NO_ROOMS)
    assert sum(a != b for a, b in pairwise(modes)) == len(runs(modes)) - 1


# --- what a person or the last plan began ----------------------------------------------------------------------------
@pytest.mark.parametrize("known", [True, False])
def test_a_hold_that_was_told_to_charge_rests_where_it_is_once_its_time_is_over(known: bool) -> None:
    hold = InverterMode(composite=Composite.HOLD, stop_soc=0.9)
    problem = house(
        24, prices=[0.3] * 24, price_known=(True, True, *(known,) * 22), battery=replace(BATTERY, soc=0.5,
        battery_first_draw_kw=1.2), mode_now=hold, mode_forced_slots=2, min_mode_slots=8,
    )  # fmt: skip
    result = PyomoHighs().solve(problem, time_limit_s=math.inf)
    assert result.charge_kw[0] > 1.0, "the wish is obeyed"
    assert sum(result.charge_kw[2:]) == 0.0
    assert check(problem, result) == []


def test_a_sale_that_a_person_began_does_not_empty_the_battery_after_its_time() -> None:
    sell = InverterMode(composite=Composite.SELL_PRODUCTION, stop_soc=0.2)
    problem = house(24, prices=[0.3] * 24, price_export=(0.02,) * 24, price_known=(True, True, *(False,) * 22),
                    battery=replace(BATTERY, soc=0.9), mode_now=sell, mode_forced_slots=2,
                    min_mode_slots=8)  # fmt: skip
    result = PyomoHighs().solve(problem, time_limit_s=math.inf)
    assert result.export_kw[0] > 3.0, "the wish is obeyed"
    assert sum(result.export_kw[2:]) == 0.0


def test_a_charge_that_the_last_plan_began_does_not_rest_on_into_unknown_prices() -> None:
    begun = (InverterMode(composite=Composite.CHARGE_FROM_GRID, rate=1.0, stop_soc=0.9),) * 4
    problem = house(
        24, prices=[0.05] * 4 + [0.5] * 12 + [0.55] * 8, price_known=tuple(t < 10 for t in range(24)),
        battery=replace(BATTERY, soc=0.5), load_kw=(0.5,) * 16 + (4.5,) * 8, soc_end_value_eur_per_kwh=0.0,
        commitment=Commitment(modes=begun, at_most_eur=5.0, left_eur=5.0),
    )  # fmt: skip
    result = PyomoHighs().solve(problem, time_limit_s=math.inf)
    assert result.modes[:4] == begun
    assert check(problem, result) == []


def test_the_checker_refuses_a_hold_that_draws_from_the_grid_at_unknown_prices() -> None:
    hold = InverterMode(composite=Composite.HOLD, stop_soc=0.9)
    battery = replace(BATTERY, soc=0.5, battery_first_draw_kw=1.2)
    problem = house(8, prices=[0.3] * 8, price_known=(True,) * 4 + (False,) * 4, battery=battery)
    verdict = Verdict(maker="test", stop=Stop.CONVERGED, bound_eur=-math.inf)
    drawn = finish(problem, verdict, modes=(hold,) * 8, export_limit_kw=problem.export_allowed_kw, duty=())
    assert "slot 4: hold to 90% draws from the grid at a price that is not known" in check(problem, drawn)
    rests = finish(
        problem, verdict, modes=(replace(hold, stop_soc=0.5),) * 8, export_limit_kw=problem.export_allowed_kw, duty=()
    )
    assert check(problem, rests) == []
