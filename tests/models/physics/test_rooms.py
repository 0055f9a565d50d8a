"""Heat is conserved in the rooms, and the explicit steps are stable and near the exact solution."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.physics.rooms import RoomPlant, advance_rooms, longest_step_h, nominal_plants
from tests.models.twins.demo import demo_house

PLANTS = nominal_plants(demo_house())
N = len(PLANTS)


def stored_kwh(plants: tuple[RoomPlant, ...], air: list[float], slab: list[float]) -> float:
    return sum(p.air_kwh_per_k * a + p.slab_kwh_per_k * s for p, a, s in zip(plants, air, slab, strict=True))


@settings(max_examples=40, deadline=None)
@given(
    air=st.lists(st.floats(10.0, 28.0), min_size=N, max_size=N),
    heat=st.lists(st.floats(0.0, 5.0), min_size=N, max_size=N),
    sun=st.lists(st.floats(0.0, 2.0), min_size=N, max_size=N),
)
def test_without_losses_to_the_outside_stored_heat_grows_by_heater_and_sun(
    air: list[float], heat: list[float], sun: list[float]
) -> None:
    closed = tuple(
        RoomPlant(p.name, p.heater_kw, p.air_kwh_per_k, p.slab_kwh_per_k, p.slab_air_kw_per_k, 0.0, p.neighbours,
                  p.window_m2, p.facing, p.phase)
        for p in PLANTS
    )
    slab = [a + 2.0 for a in air]
    before = stored_kwh(closed, air, slab)
    advance_rooms(closed, air, slab, heat_kw=heat, sun_kw=sun, outdoor_c=-10.0, dt_h=0.25, step_h=1.0 / 60.0)
    assert stored_kwh(closed, air, slab) - before == pytest.approx(0.25 * (sum(heat) + sum(sun)), abs=1e-8)


def test_a_day_of_steps_stays_within_a_tenth_of_a_degree_of_the_exact_solution() -> None:
    a = np.zeros((2 * N, 2 * N))
    b = np.zeros(2 * N)
    for i, p in enumerate(PLANTS):
        around = p.slab_air_kw_per_k + p.ua_kw_per_k + sum(g for _, g in p.neighbours)
        a[i, i], a[i, N + i] = -around / p.air_kwh_per_k, p.slab_air_kw_per_k / p.air_kwh_per_k
        for j, g in p.neighbours:
            a[i, j] = g / p.air_kwh_per_k
        a[N + i, i], a[N + i, N + i] = (s * p.slab_air_kw_per_k / p.slab_kwh_per_k for s in (1, -1))
        b[i], b[N + i] = p.ua_kw_per_k * -5.0 / p.air_kwh_per_k, 0.5 * p.heater_kw / p.slab_kwh_per_k
    values, vectors = np.linalg.eig(a)
    rest = -np.linalg.solve(a, b)
    start = np.concatenate([np.full(N, 20.0), np.full(N, 22.0)])
    exact = (rest + (vectors * np.exp(24.0 * values)) @ np.linalg.solve(vectors, start - rest)).real

    air, slab, step_h = [20.0] * N, [22.0] * N, longest_step_h(PLANTS)
    for _ in range(96):
        advance_rooms(PLANTS, air, slab, heat_kw=[0.5 * p.heater_kw for p in PLANTS], sun_kw=[0.0] * N,
                      outdoor_c=-5.0, dt_h=0.25, step_h=step_h)
    assert np.abs(np.array(air + slab) - exact).max() < 0.1


def test_a_week_in_one_call_is_stable() -> None:
    air, slab = [20.0] * N, [22.0] * N
    advance_rooms(PLANTS, air, slab, heat_kw=[0.0] * N, sun_kw=[0.0] * N, outdoor_c=0.0, dt_h=168.0,
                  step_h=longest_step_h(PLANTS))
    assert all(-1e-9 < t < 20.0 for t in air)


def test_neighbours_are_the_next_rooms_in_the_list_and_share_one_link() -> None:
    assert [j for j, _ in PLANTS[0].neighbours] == [1]
    assert [j for j, _ in PLANTS[5].neighbours] == [4, 6]
    for i, p in enumerate(PLANTS):
        for j, g in p.neighbours:
            assert dict(PLANTS[j].neighbours)[i] == g > 0.0


def test_parameters_scale_with_the_floor_area() -> None:
    bath = PLANTS[14]
    assert (bath.slab_kwh_per_k, bath.air_kwh_per_k) == (pytest.approx(0.12), pytest.approx(0.54))
    assert (bath.slab_air_kw_per_k, bath.ua_kw_per_k) == (pytest.approx(0.072), pytest.approx(0.007))
    assert bath.window_m2 == pytest.approx(0.3)
