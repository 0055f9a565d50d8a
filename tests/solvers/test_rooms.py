"""Heating that is planned: bands are met in time, cheap hours are used, and the end is not filled for nothing."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from solvers.model.frame import RoomShape
from solvers.model.rooms import steps
from solvers.pyomo_highs import PyomoHighs
from solvers.thermal import Rooms, room_step
from tests.solvers.houses import house, random_house, room


@pytest.mark.parametrize("ua", [0.0, 0.05, 3.0])
@pytest.mark.parametrize("dt_h", [1 / 12, 0.25, 1.0, 24.0])
def test_two_ways_to_the_exact_step_agree(ua: float, dt_h: float) -> None:
    r = room(1, ua_kw_per_k=ua, neighbours=((1, 0.015),))
    e, f = steps(
        RoomShape(
            r.heater_kw, r.air_kwh_per_k, r.slab_kwh_per_k, r.slab_air_kw_per_k, r.ua_kw_per_k, r.neighbours, r.phase
        ),
        dt_h,
    )
    mine = room_step(r, dt_h)
    assert np.array(mine.e) == pytest.approx(e, abs=1e-12)
    assert np.array(mine.f) == pytest.approx(f, abs=1e-11)


def test_the_exact_step_is_the_limit_of_small_euler_steps() -> None:
    r = room(1, air_c=19.0, slab_c=27.0)
    problem = house(1, rooms=(r,), outdoor_c=(-3.0,))
    exact = Rooms(problem)
    exact.advance(0, [0.7])
    air, slab, n = 19.0, 27.0, 20_000
    for _ in range(n):
        into = r.slab_air_kw_per_k * (slab - air)
        air, slab = (
            air + 0.25 / n * (into - r.ua_kw_per_k * (air + 3.0)) / r.air_kwh_per_k,
            slab + 0.25 / n * (r.heater_kw * 0.7 - into) / r.slab_kwh_per_k,
        )
    assert (exact.air_c[0], exact.slab_c[0]) == pytest.approx((air, slab), abs=1e-4)


def test_the_morning_band_is_reached_in_time_and_not_long_before() -> None:
    lower = tuple(18.0 if t < 48 else 21.0 for t in range(96))
    warm = room(96, air_c=18.5, slab_c=20.0, lower_c=lower, upper_c=(24.0,) * 96)
    result = PyomoHighs().solve(house(prices=[0.3] * 96, rooms=(warm,)), time_limit_s=math.inf)
    assert result.air_c[0][48] >= 21.0 - 1e-3
    assert result.air_c[0][20] < 19.0


def test_heat_is_stored_before_a_dear_evening() -> None:
    prices = [0.1] * 32 + [0.8] * 16 + [0.3] * 48
    warm = room(96, air_c=20.2, slab_c=22.0)
    flat = PyomoHighs().solve(house(prices=[0.3] * 96, rooms=(warm,), battery=None), time_limit_s=math.inf)
    result = PyomoHighs().solve(house(prices=prices, rooms=(warm,), battery=None), time_limit_s=math.inf)
    assert sum(result.duty[0][32:48]) < 0.5
    assert result.air_c[0][31] > flat.air_c[0][31] + 0.3
    assert min(result.air_c[0]) >= 20.0 - 1e-3


def test_rooms_do_not_run_to_their_maximum_at_the_end() -> None:
    prices = [0.25 + 0.05 * math.sin(t / 6.0) for t in range(96)]
    result = PyomoHighs().solve(house(prices=prices, rooms=(room(96),), battery=None), time_limit_s=math.inf)
    assert result.air_c[0][-1] < 20.6


def test_comfort_is_kept_through_any_price_spike() -> None:
    prices = [0.3] * 40 + [6.0] * 4 + [0.3] * 4
    cool = room(48, air_c=20.05, slab_c=21.5)
    result = PyomoHighs().solve(house(prices=prices, rooms=(cool,), outdoor_c=(-12.0,) * 48), time_limit_s=math.inf)
    assert min(result.air_c[0][16:]) >= 20.0 - 1e-3  # the slab needs some hours to warm up


def test_heaters_on_one_phase_take_turns() -> None:
    rooms = tuple(room(48, name=f"r{i}", air_c=19.0, slab_c=20.0, heater_kw=3.0, phase=1) for i in range(3))
    asked = house(48, rooms=rooms, phase_limit_kw=7.0, battery=None, load_kw=(0.3,) * 48)
    result = PyomoHighs().solve(asked, time_limit_s=math.inf)
    heat = [3.0 * sum(d[t] for d in result.duty) for t in range(48)]
    assert max(heat) <= 7.0 + 1e-6
    free = PyomoHighs().solve(replace(asked, phase_limit_kw=None), time_limit_s=math.inf)
    assert max(3.0 * sum(d[t] for d in free.duty) for t in range(48)) > 8.0


def test_temperatures_of_the_relaxation_are_those_of_the_replay() -> None:
    from solvers.model.frame import shape_of
    from solvers.model.kept import KeptModel, Limits

    problem = random_house(3)
    assert problem.rooms
    solution = KeptModel(shape_of(problem)).solve(problem, Limits())
    rooms = Rooms(problem)
    for t in range(problem.steps):
        rooms.advance(t, [float(d) for d in solution.values["duty"][:, t]])
        for i, r in enumerate(problem.rooms):
            v = solution.values
            air = r.lower_c[t] + v["within"][i, t] + v["above"][i, t] - v["below"][i, t]
            assert air == pytest.approx(rooms.air_c[i], abs=1e-5)
            assert r.lower_c[t] + v["slab"][i, t] == pytest.approx(rooms.slab_c[i], abs=1e-5)
