"""All rooms' observers: fed by readings and weather, quiet about rooms that are silent."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

import pytest

from actors.planning.rooms_tracker import UPDATE_S, ObservedRooms
from models.physics.rooms import nominal_plants
from tests.actors.devices.bench import START, a_house
from tests.actors.planning.plans import rooms, weather

HOUSE = a_house()
PLANTS = nominal_plants(HOUSE)


def tracker() -> ObservedRooms:
    made = ObservedRooms(HOUSE, PLANTS, silent_s=3600.0)
    made.see_weather(weather())
    return made


def feed(
    seen: ObservedRooms, seconds: float, air: dict[str, float | None], *, on: tuple[str, ...] = (), from_s: float = 0.0
) -> float:
    at_s = from_s
    while at_s < from_s + seconds:
        at_s += 30.0
        seen.see_rooms(rooms(air, on=on, at=START + timedelta(seconds=at_s)), at_s)
    return at_s


def test_a_room_is_known_from_its_first_temperature_on() -> None:
    seen = tracker()
    assert not seen.ready()
    feed(seen, 30, {"hall": 20.0, "bath": None})
    assert seen.ready() and set(seen.states(30.0)) == {"hall"}
    assert seen.states(30.0)["hall"].air_c == 20.0


def test_a_room_that_is_silent_for_an_hour_is_given_up_until_it_speaks_again() -> None:
    seen = tracker()
    at_s = feed(seen, 600, {"hall": 20.0, "bath": 21.0})
    at_s = feed(seen, 3700, {"hall": 20.0, "bath": None}, from_s=at_s)
    assert set(seen.states(at_s)) == {"hall"}
    at_s = feed(seen, 30, {"hall": 20.0, "bath": 22.0}, from_s=at_s)
    assert set(seen.states(at_s)) == {"hall", "bath"}


def test_heating_warms_the_slab_it_cannot_see() -> None:
    cold, warm = tracker(), tracker()
    for seen, on in ((cold, ()), (warm, ("hall",))):
        feed(seen, 3600, {"hall": 20.0, "bath": 21.0}, on=on)
    assert warm.states(3600.0)["hall"].slab_c > cold.states(3600.0)["hall"].slab_c + 1.0
    assert warm.states(3600.0)["bath"].slab_c == pytest.approx(cold.states(3600.0)["bath"].slab_c)


def test_observers_step_every_five_minutes_not_with_every_reading() -> None:
    seen = tracker()
    feed(seen, UPDATE_S - 60, {"hall": 20.0, "bath": 21.0})
    feed(seen, 30, {"hall": 20.4, "bath": 21.0}, from_s=UPDATE_S - 60)
    assert seen.states(UPDATE_S)["hall"].air_c == 20.0
    feed(seen, 60, {"hall": 20.4, "bath": 21.0}, from_s=UPDATE_S)
    assert seen.states(UPDATE_S)["hall"].air_c == pytest.approx(20.4, abs=0.1)


def test_without_weather_or_beyond_it_the_observers_rest() -> None:
    past, unknown = weather(hours=1, start=START - timedelta(hours=5)), replace(weather(), temp_c=(math.nan,) * 288)
    for known in (None, past, unknown):
        seen = ObservedRooms(HOUSE, PLANTS)
        if known is not None:
            seen.see_weather(known)
        feed(seen, 1800, {"hall": 20.0, "bath": 21.0}, on=("hall",))
        assert seen.states(1800.0)["hall"].slab_c == 20.0


def test_sun_through_a_window_is_not_taken_for_a_disturbance() -> None:
    dark, sunny = tracker(), tracker()
    sunny.see_weather(weather(ghi=500.0))
    for seen in (dark, sunny):
        feed(seen, 2 * 3600, {"hall": 20.0, "bath": 21.0})
    assert sunny.states(7200.0)["bath"].disturbance_kw < dark.states(7200.0)["bath"].disturbance_kw - 0.02
    assert sunny.states(7200.0)["hall"].disturbance_kw == pytest.approx(dark.states(7200.0)["hall"].disturbance_kw)
