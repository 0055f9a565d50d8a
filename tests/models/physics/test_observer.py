"""The observer of a room: with parameters that are wrong, what it predicts has no lasting offset."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.physics.observer import RoomObserver, RoomState
from models.physics.rooms import RoomPlant, advance_rooms, longest_step_h

PLANT = RoomPlant(
    name="living", heater_kw=3.0, air_kwh_per_k=3.5, slab_kwh_per_k=0.8, slab_air_kw_per_k=0.48, ua_kw_per_k=0.078,
    neighbours=((1, 0.03),), window_m2=2.0, facing="S", phase=0,
)  # fmt: skip
NEXT_C = 19.0
DT_H = 1 / 12


class Room:
    """A room as it really is, heated by a thermostat, with a daily sun and a swinging outdoor temperature."""

    def __init__(self, true: RoomPlant, *, air_c: float = 20.0) -> None:
        beside = replace(true, name="beside", neighbours=((0, true.neighbours[0][1]),))
        self.plants, self.air, self.slab, self.hours = (true, beside), [air_c, NEXT_C], [air_c + 2.0, NEXT_C], 0.0
        self.on = False

    def inputs(self) -> tuple[float, float, float]:
        """(heat, sun, outdoor) now."""
        day = math.sin(2 * math.pi * (self.hours - 6) / 24)
        return self.plants[0].heater_kw * self.on, max(0.0, day) * 0.5 * self.plants[0].window_m2, 4.0 + 4.0 * day

    def step(self, dt_h: float = DT_H) -> None:
        heat, sun, outdoor = self.inputs()
        advance_rooms(
            self.plants, self.air, self.slab, heat_kw=(heat, 0.0), sun_kw=(sun, 0.0), outdoor_c=outdoor, dt_h=dt_h,
            step_h=longest_step_h(self.plants),
        )  # fmt: skip
        self.air[1] = NEXT_C
        self.hours += dt_h
        self.on = self.air[0] < 20.5 + (0.3 if self.on else 0.0)


def track(true: RoomPlant, hours: float, *, noise: float = 0.0) -> tuple[RoomObserver, Room]:
    room, observer = Room(true), RoomObserver(PLANT, 20.0)
    for i in range(round(hours / DT_H)):
        heat, sun, outdoor = room.inputs()
        room.step()
        measured = room.air[0] + noise * math.sin(i * 2.3)
        observer.update(
            dt_h=DT_H, heat_kw=heat, sun_kw=sun, outdoor_c=outdoor, others_c=(0.0, NEXT_C), air_c=measured
        )
    return observer, room


def ahead(state: RoomState, room: Room, hours: float) -> float:
    """Predicted minus true air after so many hours of the same inputs, with the planner's parameters."""
    believed = Room(PLANT)
    believed.air, believed.slab = [state.air_c, NEXT_C], [state.slab_c, NEXT_C]
    true = Room(room.plants[0])
    true.air, true.slab, true.hours, true.on = list(room.air), list(room.slab), room.hours, room.on
    for _ in range(round(hours / DT_H)):
        heat, sun, outdoor = true.inputs()
        advance_rooms(
            believed.plants, believed.air, believed.slab, heat_kw=(heat, 0.0), sun_kw=(sun + state.disturbance_kw, 0.0),
            outdoor_c=outdoor, dt_h=DT_H, step_h=longest_step_h(believed.plants),
        )  # fmt: skip
        believed.air[1] = NEXT_C
        true.step()
    return believed.air[0] - true.air[0]


def off(factors: tuple[float, float, float, float]) -> RoomPlant:
    air, slab, between, loss = factors
    return replace(
        PLANT, air_kwh_per_k=PLANT.air_kwh_per_k * air, slab_kwh_per_k=PLANT.slab_kwh_per_k * slab,
        slab_air_kw_per_k=PLANT.slab_air_kw_per_k * between, ua_kw_per_k=PLANT.ua_kw_per_k * loss,
    )  # fmt: skip


def mean_error_k(true: RoomPlant, *, forget: bool = False, days: int = 3) -> float:
    """Mean error of three-hour predictions over the last of some days."""
    observer, room = track(true, 24.0 * (days - 1))
    errors = []
    for _ in range(8):
        for _ in range(round(3.0 / DT_H)):
            heat, sun, outdoor = room.inputs()
            room.step()
            observer.update(
                dt_h=DT_H, heat_kw=heat, sun_kw=sun, outdoor_c=outdoor, others_c=(0.0, NEXT_C), air_c=room.air[0]
            )
        state = replace(observer.state, disturbance_kw=0.0) if forget else observer.state
        errors.append(ahead(state, room, 3.0))
    return sum(errors) / len(errors)


def test_with_the_right_parameters_it_finds_the_slab_it_cannot_see() -> None:
    observer, room = track(PLANT, 24.0)
    assert observer.state.slab_c == pytest.approx(room.slab[0], abs=0.3)
    assert observer.state.air_c == pytest.approx(room.air[0], abs=0.02)
    assert abs(observer.state.disturbance_kw) < 0.05


@pytest.mark.parametrize(
    "factors", [(1.2, 0.8, 1.2, 1.2), (0.8, 1.2, 0.8, 0.8), (1.0, 1.0, 1.0, 1.2), (0.8, 0.8, 1.2, 0.8)]
)
def test_with_parameters_off_by_a_fifth_its_predictions_carry_no_lasting_offset(
    factors: tuple[float, float, float, float],
) -> None:
    with_it, without = mean_error_k(off(factors)), mean_error_k(off(factors), forget=True)
    assert abs(with_it) < 0.06, "three hours ahead, mean over a day"
    assert abs(with_it) < 0.5 * abs(without) or abs(without) < 0.03


factor = st.floats(0.8, 1.2)


@settings(max_examples=10)
@given(st.tuples(factor, factor, factor, factor))
def test_whatever_is_off_by_up_to_a_fifth_the_offset_stays_small(factors: tuple[float, float, float, float]) -> None:
    assert abs(mean_error_k(off(factors), days=2)) < 0.08


def test_heat_that_nobody_told_of_is_found_as_a_disturbance() -> None:
    observer, room = RoomObserver(PLANT, 20.0), Room(PLANT)
    for _ in range(12 * 24):
        heat, sun, outdoor = room.inputs()
        room.step()
        room.air[0] += 0.3 * DT_H / PLANT.air_kwh_per_k  # a guest, a stove: 300 W
        observer.update(
            dt_h=DT_H, heat_kw=heat, sun_kw=sun, outdoor_c=outdoor, others_c=(0.0, NEXT_C), air_c=room.air[0]
        )
    assert observer.state.disturbance_kw == pytest.approx(0.3, abs=0.06)


def test_heat_that_begins_after_days_of_calm_is_found_within_hours() -> None:
    observer, room = track(PLANT, 72.0)
    calm_kw = observer.state.disturbance_kw
    for _ in range(12 * 6):
        heat, sun, outdoor = room.inputs()
        room.step()
        room.air[0] += 0.3 * DT_H / PLANT.air_kwh_per_k
        observer.update(
            dt_h=DT_H, heat_kw=heat, sun_kw=sun, outdoor_c=outdoor, others_c=(0.0, NEXT_C), air_c=room.air[0]
        )
    assert abs(calm_kw) < 0.05
    assert observer.state.disturbance_kw == pytest.approx(0.3, abs=0.1)


def test_a_noisy_sensor_is_smoothed() -> None:
    observer, room = track(PLANT, 24.0, noise=0.1)
    assert abs(observer.state.air_c - room.air[0]) < 0.1
    assert abs(observer.state.disturbance_kw) < 0.2


def test_a_long_gap_is_bridged_in_small_steps() -> None:
    observer, room = track(PLANT, 24.0)
    heat, sun, outdoor = 0.0, 0.0, 4.0
    room.on, room.hours = False, 18.0
    for _ in range(72):
        advance_rooms(
            room.plants, room.air, room.slab, heat_kw=(0.0, 0.0), sun_kw=(0.0, 0.0), outdoor_c=4.0, dt_h=DT_H,
            step_h=longest_step_h(room.plants),
        )  # fmt: skip
        room.air[1] = NEXT_C
    observer.update(
        dt_h=6.0, heat_kw=heat, sun_kw=sun, outdoor_c=outdoor, others_c=(0.0, NEXT_C), air_c=room.air[0]
    )
    state = observer.state
    assert state.air_c == pytest.approx(room.air[0], abs=0.05)
    assert math.isfinite(state.slab_c) and abs(state.slab_c - room.slab[0]) < 1.0


def test_it_begins_where_the_thermometer_is() -> None:
    assert RoomObserver(PLANT, 21.5).state == RoomState(21.5, 21.5, 0.0)
