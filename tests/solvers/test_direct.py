"""The kept model means what it says: on any house, over any sequence, its optimum is that of a second statement.

`tests/solvers/direct.py` writes the relaxation again with highspy alone. Sequences matter most: a kept instance can go
wrong only in what it fails to overwrite, so time moves on, back and far away, and everything that may change does.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from models.types.mode import REGULAR
from solvers.cvxpy_fallback import CvxpyFallback
from solvers.model.frame import Shape, shape_of
from solvers.model.kept import KeptModel, Limits, Solution
from solvers.problem import BatteryProblem, PeakPrice, PlanProblem, RoomProblem
from solvers.pyomo_highs import PyomoHighs
from solvers.rebuilt import Rebuilt
from solvers.thermal import room_step
from tests.solvers.direct import Direct, DirectHouse, exact_step, solve
from tests.solvers.houses import BATTERY, house, random_house, room

TOLERANCE = 1e-6  # EUR, and relative
LENGTHS = (1, 2, 7, 24)
MOVES = (1, 1, 1, 1, 0, 2, 5, -1, 26, 1000)


def examples(ordinary: int) -> int:
    """How many of something: `ordinary`, or in proportion to the 300 that `PEMS_EXAMPLES` replaces."""
    return max(1, ordinary * int(os.environ.get("PEMS_EXAMPLES", "300")) // 300)


def agree(kept: Solution, direct: Direct) -> None:
    assert kept.usable
    assert kept.objective_eur == pytest.approx(direct.objective_eur, abs=TOLERANCE, rel=TOLERANCE)


# --- any house --------------------------------------------------------------------------------------------------------
def wild_house(rnd: random.Random) -> PlanProblem:
    """A house that nobody would build: every number of the matrix at its odd values too."""
    steps = rnd.choice(LENGTHS)
    base = random_house(rnd.randrange(10**6), steps=steps)
    rooms = tuple(_wild_room(rnd, r, i, len(base.rooms)) for i, r in enumerate(base.rooms))
    battery = None if base.battery is None else _wild_battery(rnd, base.battery, steps)
    power_eur = rnd.choice((0.0, 0.2, 8.0))
    peak = PeakPrice(eur_per_kw=power_eur, measured_kw=rnd.uniform(0, 3), once=rnd.random() < 0.5)
    changed = replace(
        base,
        dt_h=rnd.choice((0.25, 0.25, 1.0, 1.0 / 12.0)),
        rooms=rooms,
        battery=battery,
        peak=peak if rnd.random() < 0.4 else None,
        phase_limit_kw=rnd.choice((None, 0.5, 2.0, 7.36)) if rooms else None,
        comfort_eur_per_kh=rnd.choice((2.0, 0.05)),
        soc_end_value_eur_per_kwh=rnd.choice((None, None, 0.0, 0.9)),
        heat_end_value_eur_per_kwh=rnd.choice((None, None, 0.0, 0.4)),
    )
    return later(rnd, changed, 0)


def _wild_battery(rnd: random.Random, b: BatteryProblem, steps: int) -> BatteryProblem:
    low = rnd.choice((0.0, 0.1, 0.3))
    return replace(
        b,
        capacity_kwh=rnd.choice((1.0, 10.0, 60.0)),
        soc_min=low,
        soc_max=rnd.choice((1.0, 0.9, low)),
        charge_kw=rnd.choice((0.0, 2.0, 5.0, 11.0)),
        discharge_kw=rnd.choice((0.0, 3.0, 11.0)),
        eff_charge_pv=rnd.uniform(0.6, 1.0),
        eff_charge_ac=rnd.uniform(0.6, 1.0),
        eff_discharge=rnd.uniform(0.6, 1.0),
        taper_above_soc=rnd.choice((0.0, 0.5, 0.9, 1.0)),
        taper_end_share=rnd.choice((0.0, 0.2, 1.0)),
        reserve_soc=rnd.choice((None, 0.1, 0.4, 1.0)),
        full_by_slot=rnd.choice((None, None, 0, steps // 2, steps)),
        soc_final=rnd.choice((None, None, 0.7)),
    )


def _wild_room(rnd: random.Random, r: RoomProblem, index: int, count: int) -> RoomProblem:
    near = tuple((j, rnd.uniform(0.0, 0.2)) for j in range(count) if j != index and rnd.random() < 0.5)
    return replace(
        r,
        heater_kw=rnd.choice((0.0, 0.5, 4.8)),
        air_kwh_per_k=rnd.choice((0.05, 1.8)),
        slab_kwh_per_k=rnd.choice((0.05, 0.4, 4.0)),
        slab_air_kw_per_k=rnd.choice((0.0, 0.24, 2.0)),
        ua_kw_per_k=rnd.choice((0.0, 0.08, 0.5)),
        neighbours=near,
    )


def later(rnd: random.Random, p: PlanProblem, slots: int) -> PlanProblem:
    """The same house, so and so many slots later: whatever is not in the matrix is new."""
    n, level = p.steps, rnd.choice((-0.1, 0.1, 0.3, 3.0))
    spot = [level + rnd.choice((0.0, rnd.uniform(-0.2, 0.2))) for _ in range(n)]
    known = rnd.choice((n, n, n // 2, 0))
    most = rnd.choice((0.0, 1.5, 22.0))
    limits = tuple(rnd.choice((most, 1.0)) for _ in range(n)) if rnd.random() < 0.3 else ()
    free = p.free  # there the contract's limits are in the matrix
    return replace(
        p,
        start=p.start + slots * timedelta(hours=p.dt_h),
        price_import=tuple(spot),
        price_export=tuple(s - rnd.choice((-0.02, 0.0, 0.1)) for s in spot),
        price_known=tuple(t < known for t in range(n)),
        pv_kw=tuple(rnd.choice((0.0, 0.3, 9.0)) for _ in range(n)),
        load_kw=tuple(rnd.choice((0.0, 0.4, 6.0)) for _ in range(n)),
        outdoor_c=tuple(rnd.uniform(-15.0, 35.0) for _ in range(n)),
        import_limit_kw=p.import_limit_kw if free else most,
        import_limits_kw=limits,
        export_limit_kw=p.export_limit_kw if free else rnd.choice((0.0, 1.0, 10.0)),
        ac_limit_kw=rnd.choice((0.0, 3.0, 10.0)),
        phase_limit_kw=None if p.phase_limit_kw is None else rnd.choice((0.5, 2.0, 7.36)),
        pv_curtailable=rnd.random() < 0.8,
        battery=None if p.battery is None else replace(p.battery, soc=rnd.choice((0.0, 0.29, rnd.random(), 1.0)),
                                                       wear_eur_per_kwh=rnd.choice((0.0, 0.04))),
        peak=None if p.peak is None else replace(p.peak, measured_kw=rnd.choice((0.0, 2.5, 30.0))),
        rooms=tuple(_room_later(rnd, r, n) for r in p.rooms),
        mode_now=REGULAR,
    )  # fmt: skip


def _room_later(rnd: random.Random, r: RoomProblem, n: int) -> RoomProblem:
    low = rnd.uniform(16.0, 22.0)
    return replace(
        r,
        air_c=rnd.choice((low, rnd.uniform(5.0, 30.0))),
        slab_c=rnd.choice((low, rnd.uniform(5.0, 35.0))),
        disturbance_kw=rnd.uniform(-0.1, 0.1),
        sun_kw=tuple(rnd.choice((0.0, 0.6)) for _ in range(n)),
        lower_c=tuple(low + rnd.choice((0.0, 0.0, 1.0)) for _ in range(n)),
        upper_c=tuple(low + rnd.choice((2.0, 0.0, -1.0)) for _ in range(n)),
        forced_slots=rnd.choice((0, 0, 1, n // 2, n + 3)),
        forced_duty=rnd.choice((0.0, 0.3, 1.0)),
    )


@pytest.mark.parametrize("part", range(4))
def test_any_house_has_the_optimum_of_the_second_statement(part: int) -> None:
    for seed in range(part, examples(120), 4):
        problem = wild_house(random.Random(seed)) if seed % 2 else random_house(seed, steps=LENGTHS[seed // 2 % 4])
        kept = KeptModel(shape_of(problem)).solve(problem, Limits())
        try:
            agree(kept, solve(problem))
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error


# --- sequences --------------------------------------------------------------------------------------------------------
def history(rnd: random.Random, count: int) -> Iterator[PlanProblem]:
    """One wild house over time."""
    problem = wild_house(rnd)
    yield problem
    for _ in range(count - 1):
        problem = later(rnd, problem, rnd.choice(MOVES))
        yield problem


@pytest.mark.parametrize("part", range(4))
def test_a_kept_model_finds_the_optimum_of_the_second_statement_through_any_sequence(part: int) -> None:
    for seed in range(part, examples(40), 4):
        rnd, kept = random.Random(1_000_000 + seed), dict[Shape, KeptModel]()
        for turn, problem in enumerate(history(rnd, 8)):
            shape = shape_of(problem)
            model = kept.setdefault(shape, KeptModel(shape))
            solution = model.solve(problem, Limits())
            try:
                agree(solution, solve(problem))
            except AssertionError as error:
                raise AssertionError(f"seed {seed}, turn {turn}: {error}") from error
            _disturb(rnd, kept[shape], problem, solution)


def _disturb(rnd: random.Random, model: KeptModel, problem: PlanProblem, solution: Solution) -> None:
    """What planning does to a kept model between two problems: heating again, directions searched, limits hit."""
    n = problem.steps
    given_up = later(rnd, problem, rnd.choice(MOVES))
    if rnd.random() < 0.3 and shape_of(given_up) == model.shape:  # the next one goes on where this one stopped
        model.solve(given_up, Limits(simplex_iterations=rnd.randint(0, 20)))
        return
    if problem.battery is not None and rnd.random() < 0.5:
        some = slice(rnd.randint(1, n))
        model.refine({name: solution.values[name][some] for name in ("stored", "discharge")}, Limits())
    if problem.free and rnd.random() < 0.5:
        some_binary = {"charges": np.array([rnd.random() < 0.3 for _ in range(n)])}
        model.search(some_binary, solution, Limits(nodes=5))
    elif problem.free:
        model.refine({"charges": np.array([float(rnd.random() < 0.5) for _ in range(n)])}, Limits())


def test_the_planner_claims_the_bound_of_the_second_statement_through_days_of_planning() -> None:
    planner = PyomoHighs()
    for seed in range(4):
        rnd = random.Random(seed)
        problem = replace(random_house(40 + seed), peak=PeakPrice(eur_per_kw=0.5, measured_kw=1.0))
        composites = replace(problem.battery or BATTERY, composites=True)
        problem = replace(problem, battery=composites, phase_limit_kw=2.0)
        for _ in range(examples(10)):
            problem = later(rnd, problem, rnd.choice(MOVES))
            result = planner.solve(problem, time_limit_s=60.0)
            direct = solve(problem)
            assert result.bound_eur == pytest.approx(direct.objective_eur, abs=TOLERANCE, rel=TOLERANCE)


@pytest.mark.parametrize("seed", range(6))
def test_the_other_members_claim_the_same_bound(seed: int) -> None:
    problem = wild_house(random.Random(500 + seed))
    battery = None if problem.battery is None else replace(problem.battery, composites=True)
    problem = replace(problem, battery=battery)
    direct = solve(problem).objective_eur
    assert Rebuilt().solve(problem, time_limit_s=60.0).bound_eur == pytest.approx(direct, abs=1e-6, rel=1e-6)
    assert CvxpyFallback().solve(problem, time_limit_s=60.0).bound_eur == pytest.approx(direct, abs=1e-5, rel=1e-5)


def test_a_phase_limit_is_felt_in_a_house_without_rooms() -> None:
    # Charging at full rate takes 7.8 kW of an even 3.6 kW: what the relaxation buys there is nothing that can be had.
    problem = house(8, prices=[0.05] * 4 + [0.60] * 4, load_kw=(2.0,) * 8, phase_limit_kw=1.2)
    agree(KeptModel(shape_of(problem)).solve(problem, Limits()), solve(problem))


# --- the statement itself ---------------------------------------------------------------------------------------------
def test_what_the_second_statement_decides_is_feasible_for_the_first() -> None:
    # An optimum of one, fixed in the other, costs the same: not only the numbers but the points agree.
    for seed in range(40):
        problem = random_house(seed, steps=12)
        direct, model = solve(problem), KeptModel(shape_of(problem))
        model.solve(problem, Limits())
        names: tuple[str, ...] = ("charge_pv", "charge_ac", "discharge", "duty")
        fixed = {n: np.maximum(direct.values[n], 0.0) for n in names if n in direct.values}
        again = model.refine(fixed, Limits())
        assert again.usable, seed
        assert again.objective_eur == pytest.approx(direct.objective_eur, abs=1e-5, rel=1e-5), seed


def test_the_statement_feels_each_asset() -> None:
    # A second statement that left an asset out would agree with a first that did: each must cost what it should.
    steps = 8
    bare = house(steps, battery=None, prices=[0.3] * steps, load_kw=(1.0,) * steps)
    assert solve(bare).objective_eur == pytest.approx(8 * 0.25 * 0.3)
    over = tiers_over(bare)
    assert solve(replace(bare, import_limit_kw=0.6)).objective_eur == pytest.approx(0.6 + 2.0 * 0.4 * over)
    assert solve(replace(bare, phase_limit_kw=0.3)).objective_eur == pytest.approx(0.6 + 2.0 * (1 / 3 - 0.3) * over)
    peak = PeakPrice(eur_per_kw=2.0, measured_kw=0.25)
    assert solve(replace(bare, peak=peak)).objective_eur == pytest.approx(0.6 + 2.0 * 0.75)
    assert solve(replace(bare, peak=replace(peak, once=False))).objective_eur == pytest.approx(0.6 + 16.0 * 0.75)
    sunny = replace(bare, pv_kw=(3.0,) * steps)
    assert solve(sunny).objective_eur == pytest.approx(-2.0 * 2.0 * 0.2)  # exports earn 0.1 less
    assert solve(replace(sunny, ac_limit_kw=1.5)).objective_eur == pytest.approx(-2.0 * 0.5 * 0.2)
    stored = replace(BATTERY, soc=0.3, taper_above_soc=1.0)
    with_battery = replace(bare, battery=stored, soc_end_value_eur_per_kwh=0.0)
    given = 0.93 * 1.0  # the kWh above the window, less losses
    assert solve(with_battery).objective_eur == pytest.approx(0.6 - 0.3 * given + 0.04)
    assert solve(replace(with_battery, soc_end_value_eur_per_kwh=0.25)).objective_eur == pytest.approx(0.6 - 0.25)
    cold = room(steps, air_c=18.0, slab_c=18.0, heater_kw=0.0, ua_kw_per_k=0.0, slab_air_kw_per_k=0.0)
    chilly = replace(bare, rooms=(cold,), heat_end_value_eur_per_kwh=0.0)
    assert solve(chilly).objective_eur == pytest.approx(0.6 + 2.0 * 2.0 * 2.0)  # 2 K for 2 h at 2 EUR
    assert solve(replace(chilly, heat_end_value_eur_per_kwh=0.1)).objective_eur == pytest.approx(8.6 + 2.0 * 2.2 * 0.1)


def tiers_over(problem: PlanProblem) -> float:
    """What a kWh beyond a limit costs at ordinary prices [EUR]: at least 20 times comfort and 50 times the price."""
    return max(20.0 * problem.comfort_eur_per_kh, 50.0 * max(problem.price_import))


@pytest.mark.parametrize("seed", range(20))
def test_the_step_from_eigenvalues_is_the_step_that_the_checker_plays(seed: int) -> None:
    rnd = random.Random(seed)
    one = _wild_room(rnd, room(1), 0, 3)
    for dt_h in (1.0 / 12.0, 0.25, 1.0):
        kept, driven = exact_step(one, dt_h)
        played = room_step(one, dt_h)
        assert kept == pytest.approx(np.array(played.e), abs=1e-10)
        assert driven == pytest.approx(np.array(played.f), abs=1e-9)


def test_the_second_statement_is_no_larger_than_it_must_be() -> None:
    lp = DirectHouse(house(24, rooms=(room(24),))).lp
    assert len(lp.cost) == 24 * (4 + 2 + 3 + 5)  # battery, sun, grid; duty, air, slab and two sides of a band
    assert len(lp.rows) == 24 * (3 + 2 + 1 + 4)
