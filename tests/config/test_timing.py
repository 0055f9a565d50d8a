"""Durations keep their promise at every speed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from config.load import DEMO, load
from config.timing import ALLOWANCES, OUTLASTS, PERIODS, Timing


def test_at_real_time_nothing_changes() -> None:
    assert Timing().at_speed(1.0) == Timing()


def test_at_speed_60_a_permit_of_two_seconds_is_one_real_second_long() -> None:
    timing = Timing().at_speed(60)
    assert (timing.permit_s, timing.permit_renew_s) == (60, 15)
    assert timing.lease_s == 60
    assert timing.telemetry_max_age_s == 60
    assert timing.rooms_max_age_s == 600
    assert timing.replan_s == 900


@given(speed=st.floats(1.0, 3600.0, allow_nan=False))
def test_no_allowance_falls_under_its_real_floor_and_each_outlasts_its_period(speed: float) -> None:
    timing = Timing().at_speed(speed)
    for name in ALLOWANCES:
        assert getattr(timing, name) >= getattr(Timing(), name)
        if speed > 1:
            assert getattr(timing, name) / speed >= timing.min_real_s * (1 - 1e-6)
    for name in PERIODS:
        if speed > 1:
            assert getattr(timing, name) / speed >= timing.real_step_s * (1 - 1e-6)
    for allowance, (period, times) in OUTLASTS.items():
        assert getattr(timing, allowance) >= times * getattr(timing, period) * (1 - 1e-6), allowance


@given(tick_s=st.floats(5.0, 300.0, allow_nan=False))
def test_in_simulation_nothing_happens_more_often_than_the_tick(tick_s: float) -> None:
    timing = Timing().for_simulation(tick_s)
    assert all(getattr(timing, name) >= tick_s * (1 - 1e-6) for name in PERIODS)
    assert timing.permit_s >= 2 * timing.permit_renew_s
    assert timing.lease_s >= 3 * timing.relay_refresh_s


def test_the_workers_deadlines_are_wall_time_and_grow_with_the_speed() -> None:
    file = load(DEMO)
    fast = file.at_speed(60)
    assert fast.planner.solve_deadline_s == 60 * file.planner.solve_deadline_s
    assert fast.house == file.house
    assert file.for_simulation().timing.gate_tick_s == file.simulation.tick_s
