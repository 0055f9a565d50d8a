"""From duty to setpoint: a thermostat with its hysteresis heats what was planned, in few moves, never too warm."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.planning.setpoints import (
    MOVES_PER_H,
    NEAR_EDGE_K,
    START_K,
    TOP_MARGIN_K,
    Setpoint,
    Wish,
    goal_c,
    held_duty,
)
from models.physics.observer import RoomState
from models.physics.rooms import nominal_plants
from models.types.loxone import THERMOSTAT_HYSTERESIS_K
from tests.actors.devices.bench import HALL, a_house

REST = Wish(heat=False, goal_c=21.0, edge_c=19.0)
HEAT = Wish(heat=True, goal_c=21.0, edge_c=19.0)
MIN_S = 600.0
PLANT = nominal_plants(a_house())[0]


class Thermostat:
    """Loxone's, on a room that warms while it heats and cools while it does not."""

    def __init__(self, air_c: float = 19.5) -> None:
        self.air_c, self.on, self.at_s = air_c, False, 0.0
        self.setpoint = Setpoint(HALL, MIN_S)
        self.levels: list[float] = []
        self.read_c: list[float] = []
        self.heated_s = 0.0

    def run(self, wish: Wish, seconds: float) -> None:
        for _ in range(int(seconds / 60)):
            air_c = round(self.air_c, 1)
            level_c = self.setpoint.level_c(wish, air_c=air_c, relay_on=self.on, at_s=self.at_s)
            self.levels.append(level_c)
            self.read_c.append(air_c)
            if self.air_c < level_c:
                self.on = True
            elif self.air_c > level_c + THERMOSTAT_HYSTERESIS_K:
                self.on = False
            self.air_c += (0.6 if self.on else -0.3) / 60.0
            self.heated_s += 60.0 * self.on
            self.at_s += 60.0

    @property
    def moves(self) -> int:
        return sum(a != b for a, b in itertools.pairwise(self.levels))


# --- one room ---------------------------------------------------------------------------------------------------------
def test_a_run_of_heating_starts_at_once_and_ends_at_the_planned_air() -> None:
    room = Thermostat()
    room.run(HEAT, 60)
    assert room.on and room.levels == [20.6], "its hysteresis below the planned 21"
    room.run(HEAT, 4 * 3600)
    assert room.air_c <= 21.2, "it heats no further"
    assert room.heated_s >= 2 * 3600


def test_a_rise_smaller_than_the_hysteresis_starts_the_thermostat_too() -> None:
    room = Thermostat(20.8)
    room.run(HEAT, 60)
    assert room.on and room.levels == [round(20.8 + START_K, 1)]


def test_a_room_that_rests_is_left_at_the_lower_edge_where_its_thermostat_keeps_it() -> None:
    room = Thermostat(20.0)
    room.run(REST, 8 * 3600)
    assert set(room.levels) == {19.0}
    assert 18.95 <= room.air_c <= 19.5


def test_a_thermostat_that_would_heat_on_is_hushed_until_the_room_is_near_its_edge() -> None:
    room = Thermostat(19.1)
    room.run(Wish(heat=True, goal_c=19.4, edge_c=19.0), 900)
    heated_s = room.heated_s
    assert heated_s == 900.0 and 19.0 < room.air_c < 19.4, "resting at the edge it would heat on to 19.4"
    room.run(REST, 600)
    assert room.heated_s == heated_s and room.levels[-1] < 19.0
    room.run(REST, 1800)
    assert room.levels[-1] == 19.0 and 18.95 <= room.air_c <= 19.2


def test_by_night_there_is_no_room_below_the_edge_to_hush_a_thermostat() -> None:
    room = Thermostat(18.1)
    room.run(Wish(heat=True, goal_c=18.4, edge_c=18.0), 900)
    room.run(Wish(heat=False, goal_c=18.4, edge_c=18.0), 60)
    assert room.on and room.levels[-1] == 18.0


def test_a_room_as_warm_as_planned_is_not_heated_however_much_is_owed() -> None:
    room = Thermostat(21.0)
    room.run(HEAT, 60)
    assert not room.on and room.levels == [19.0]


def test_a_room_of_unknown_temperature_rests() -> None:
    assert Setpoint(HALL, MIN_S).level_c(HEAT, air_c=None, relay_on=True, at_s=0.0) == 19.0


@pytest.mark.parametrize("goal", [22.5, 25.0, 60.0])
def test_no_plan_heats_above_the_maximum_less_its_margin(goal: float) -> None:
    room = Thermostat(21.0)
    room.run(Wish(heat=True, goal_c=goal, edge_c=19.0), 12 * 3600)
    assert max(room.levels) + THERMOSTAT_HYSTERESIS_K <= HALL.max_c - TOP_MARGIN_K + 1e-9
    assert room.air_c < HALL.max_c - TOP_MARGIN_K + 0.05


def test_small_changes_of_the_plan_move_nothing() -> None:
    setpoint = Setpoint(HALL, MIN_S)
    first = setpoint.level_c(HEAT, air_c=19.5, relay_on=False, at_s=0.0)
    nearly = Wish(heat=True, goal_c=21.1, edge_c=19.0)
    assert setpoint.level_c(nearly, air_c=19.6, relay_on=True, at_s=60.0) == first == 20.6
    warmer = Wish(heat=True, goal_c=21.3, edge_c=19.0)
    assert setpoint.level_c(warmer, air_c=19.6, relay_on=True, at_s=120.0) == 20.9


def test_while_it_heats_the_setpoint_is_not_lowered_by_each_new_plan() -> None:
    setpoint = Setpoint(HALL, MIN_S)
    assert setpoint.level_c(HEAT, air_c=19.5, relay_on=False, at_s=0.0) == 20.6
    cooler = Wish(heat=True, goal_c=20.5, edge_c=19.0)
    assert setpoint.level_c(cooler, air_c=19.8, relay_on=True, at_s=900.0) == 20.6
    assert setpoint.level_c(cooler, air_c=20.5, relay_on=True, at_s=3000.0) == 19.0, "there: it rests"


def test_the_step_of_the_band_is_followed_even_after_all_other_moves() -> None:
    setpoint = Setpoint(HALL, MIN_S)
    night, warm = Wish(heat=False, goal_c=21.0, edge_c=18.0), Wish(heat=True, goal_c=21.0, edge_c=18.0)
    asked = [
        setpoint.level_c(warm if minute % 2 else night, air_c=18.5, relay_on=False, at_s=60.0 * minute)
        for minute in range(50)
    ]
    assert asked[-1] == 18.0, "who may no longer start rests"
    assert setpoint.level_c(REST, air_c=18.5, relay_on=False, at_s=3500.0) == 19.0


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    wishes=st.lists(
        st.tuples(st.booleans(), st.floats(17.0, 26.0), st.sampled_from([18.0, 19.0]), st.integers(1, 40)),
        min_size=1, max_size=20,
    ),
    air_c=st.floats(17.0, 23.0),
)  # fmt: skip
def test_whatever_is_planned_there_are_few_moves_and_no_level_lets_the_room_get_cold_or_hot(
    wishes: list[tuple[bool, float, float, int]], air_c: float
) -> None:
    room, edges = Thermostat(air_c), list[float]()
    steps = 0
    for heat, goal, edge, minutes in wishes:
        if edges and edge > edges[-1] and steps:  # the band steps up once a day
            edge = edges[-1]
        steps += bool(edges) and edge > edges[-1]
        room.run(Wish(heat=heat, goal_c=goal, edge_c=edge), 60 * minutes)
        edges += [edge] * minutes
    for level, edge, read_c in zip(room.levels, edges, room.read_c, strict=True):
        assert HALL.lowest_c <= level <= HALL.max_c - TOP_MARGIN_K - THERMOSTAT_HYSTERESIS_K
        assert level >= edge or read_c > edge + NEAR_EDGE_K, "below its edge it is told nothing"
    moved = [i for i, (a, b) in enumerate(itertools.pairwise(room.levels)) if a != b]
    wished = [i for i in moved if edges[i + 1] <= edges[i]]  # without the step of the band
    assert all(sum(i <= j < i + 60 for j in wished) <= MOVES_PER_H for i in wished)


# --- what the plan says -----------------------------------------------------------------------------------------------
def test_the_goal_is_the_warmest_planned_air_of_this_run_of_heating() -> None:
    duty = (1.0, 1.0, 0.3, 0.0, 1.0, 0.0)
    air = (20.0, 20.5, 20.4, 20.6, 21.5, 21.9)
    assert goal_c(duty, air, 0) == 20.5
    assert goal_c(duty, air, 2) == 20.4
    assert goal_c(duty, air, 3) == 21.5, "a debt that is paid before the next run heats for that one"
    assert goal_c(duty, air, 5) == 21.9


# --- a thermostat that somebody else holds ----------------------------------------------------------------------------
def duty(setpoint_c: float, *, hours: int = 8, outdoor_c: float = 0.0, sun_kw: float = 0.0) -> float:
    state = RoomState(20.0, 21.0, 0.0)
    n = hours * 4
    return held_duty(PLANT, state, setpoint_c, outdoor_c=(outdoor_c,) * n, sun_kw=(sun_kw,) * n, dt_h=0.25)


def test_a_held_thermostat_takes_what_keeps_the_room_there() -> None:
    long_hold = duty(20.0, hours=48)
    assert long_hold == pytest.approx(0.020 * 20.2 / 1.2, abs=0.05), "its loss at 20.2 degC"
    assert duty(22.0, hours=48) > long_hold > duty(18.0, hours=48)
    assert duty(20.0, hours=48, outdoor_c=-15.0) > long_hold > duty(20.0, hours=48, sun_kw=0.2)


def test_a_held_thermostat_warms_first_and_never_takes_more_than_the_heater_gives() -> None:
    assert duty(22.0, hours=4) > duty(22.0, hours=24)
    assert duty(30.0, hours=1) == 1.0
    assert duty(15.0, hours=2) == 0.0
    assert duty(21.0, hours=0) == 0.0
