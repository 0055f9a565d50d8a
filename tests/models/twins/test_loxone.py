"""Conformance of Loxone: relays, thermostats, heartbeat, load shedding, and what it says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.twins.loxone import LoxoneTopics
from models.types.house import Connection
from tests.models.twins.demo import Wire, demo_house, wire

LIVING = 16


def told(w: Wire, topic: str) -> Any:
    return json.loads(w.heard[topic])


def relay(w: Wire, room: str, state: object) -> None:
    w.say(f"loxone/heating/{room}/set", {"state": state})


def setpoint(w: Wire, room: str, value: object) -> None:
    w.say(f"loxone/temperature/{room}/setpoint", {"target_temperature": value, "unit": "celsius"})


def keep(w: Wire, minutes: int) -> None:
    """Lives on with a heartbeat every half minute."""
    for _ in range(2 * minutes):
        w.beat()
        w.run(seconds=30)


def test_a_relay_obeys_on_and_off_and_the_status_tells_relay_and_who_decides() -> None:
    w = wire(rooms=True)
    w.beat()
    for state in ("on", "off"):
        relay(w, "obyvak", state)
        w.run(seconds=1)
        assert told(w, "loxone/heating/obyvak/status") == {"relay": state, "mode": "manual", "shed": False}
    relay(w, "obyvak", "auto")
    w.run(seconds=1)
    assert told(w, "loxone/heating/obyvak/status")["mode"] == "auto"


def test_in_auto_the_thermostat_holds_the_lower_band_with_four_tenths_of_hysteresis() -> None:
    w = wire(rooms=True, load_kw=0.3)
    band = [room.day_min_c for room in w.twin.house.rooms]
    w.run(hours=6)
    switched_on, switched_off = False, False
    for _ in range(3 * 60):  # the band is that of the day until 22:00
        before = [(r.air_c, r.relay_on) for r in w.twin.truth().rooms]
        w.run(minutes=1)
        for i, room in enumerate(w.twin.truth().rooms):
            if room.relay_on and not before[i][1]:
                assert before[i][0] < band[i] + 0.05
                switched_on = True
            if before[i][1] and not room.relay_on:
                assert room.air_c > band[i] + 0.35
                switched_off = True
    assert switched_on and switched_off


def test_the_band_follows_the_wall_clock() -> None:
    w = wire(rooms=True)
    night, day = 20.0, 21.0
    w.run(minutes=1)
    assert told(w, "loxone/status")["target_temp"]["obyvak"] == day
    w.run(hours=10)  # 22:01 in Germany
    assert told(w, "loxone/status")["target_temp"]["obyvak"] == night
    w.run(hours=7, minutes=58)
    assert told(w, "loxone/status")["target_temp"]["obyvak"] == night
    w.run(minutes=2)
    assert told(w, "loxone/status")["target_temp"]["obyvak"] == day


def test_a_setpoint_moves_the_thermostat_and_null_gives_it_back() -> None:
    w = wire(rooms=True)
    w.beat()
    setpoint(w, "pracovna", 23.0)
    w.run(seconds=30)
    status = told(w, "loxone/status")
    assert (status["target_temp"]["pracovna"], status["relay"]["pracovna"]) == (23.0, "on")
    assert status["mode"]["pracovna"] == "auto"
    w.beat()
    setpoint(w, "pracovna", None)
    w.run(seconds=30)
    assert told(w, "loxone/status")["target_temp"]["pracovna"] == 20.5


def test_without_a_heartbeat_for_more_than_60_s_loxone_returns_to_its_own_thermostat() -> None:
    w = wire(rooms=True)
    w.beat()
    relay(w, "obyvak", "on")
    setpoint(w, "pracovna", 23.0)
    w.run(seconds=60)
    assert told(w, "loxone/heating/obyvak/status")["mode"] == "manual"
    w.run(seconds=5)
    assert told(w, "loxone/heating/obyvak/status")["mode"] == "auto"
    assert w.twin.loxone.target_c(9, 12.0) == 20.5


def test_while_the_heartbeat_is_lost_commands_are_dropped() -> None:
    w = wire(rooms=True)
    relay(w, "obyvak", "on")
    w.run(seconds=30)
    assert told(w, "loxone/heating/obyvak/status")["mode"] == "auto"
    w.beat()
    w.run(seconds=30)
    assert told(w, "loxone/heating/obyvak/status")["mode"] == "auto"  # and not remembered either
    relay(w, "obyvak", "on")
    w.run(seconds=1)
    assert told(w, "loxone/heating/obyvak/status") == {"relay": "on", "mode": "manual", "shed": False}


def test_the_summary_is_retained_and_names_relay_temperature_and_target_of_every_room() -> None:
    w = wire(rooms=True)
    w.run(minutes=2)
    summary = told(w, "loxone/status")
    names = {room.name for room in w.twin.house.rooms}
    assert all(set(summary[key]) == names for key in ("relay", "temperature", "target_temp", "mode"))
    assert {m.retain for m in w.log if m.topic == "loxone/status"} == {True}
    assert {m.retain for m in w.log if m.topic.startswith(("loxone/heating", "loxone/temperature"))} == {False}


def test_temperatures_are_those_of_the_rooms() -> None:
    w = wire(rooms=True)
    w.run(minutes=30)
    for room in w.twin.truth().rooms:
        said = told(w, f"loxone/temperature/{room.name}/current")
        assert said == {"temperature": pytest.approx(room.air_c, abs=0.02), "unit": "celsius"}


def test_a_relay_change_is_reported_at_once() -> None:
    w = wire(rooms=True)
    w.beat()
    w.run(seconds=7)
    relay(w, "zachod", "on")
    w.run(seconds=0.5)
    assert told(w, "loxone/status")["relay"]["zachod"] == "on"


@settings(max_examples=80, deadline=None)
@given(body=st.binary(max_size=40) | st.sampled_from(
    [b"", b"null", b'{"state":"ON"}', b'{"state":1}', b'{"state":true}', b"on", b"[" * 2000, b'{"stat":"on"}']))
def test_a_payload_it_cannot_read_leaves_a_relay_as_it_is(body: bytes) -> None:
    w = wire(rooms=True)
    w.beat()
    relay(w, "obyvak", "on")
    w.twin.publish("loxone/heating/obyvak/set", body, w.twin.now)
    w.run(seconds=1)
    assert told(w, "loxone/heating/obyvak/status")["relay"] == "on"
    assert w.twin.loxone.refused == 1


@pytest.mark.parametrize("value", [True, "21", 4.9, 30.1, float("nan"), [21]])
def test_a_setpoint_it_cannot_read_is_not_followed(value: object) -> None:
    w = wire(rooms=True)
    w.beat()
    setpoint(w, "pracovna", value)
    w.run(seconds=1)
    assert w.twin.loxone.target_c(9, 12.0) == 20.5
    assert w.twin.loxone.refused == 1


def test_bare_numbers_are_the_other_payload_style() -> None:
    w = wire(rooms=True, topics=LoxoneTopics(style="number", relay_set="lox/{room}/r", relay_status="lox/{room}/s"))
    w.beat()
    w.say("lox/obyvak/r", 1)
    w.say("loxone/temperature/pracovna/setpoint", 22.5)
    w.run(seconds=30)
    assert w.heard["lox/obyvak/s"] == b"3"  # on, manual
    assert float(w.heard["loxone/temperature/obyvak/current"]) == pytest.approx(
        w.twin.truth().rooms[LIVING].air_c, abs=0.02
    )
    assert told(w, "loxone/status")["target_temp"]["pracovna"] == 22.5
    w.say("lox/obyvak/r", 2)
    w.say("loxone/temperature/pracovna/setpoint", 0)
    w.run(seconds=30)
    assert w.heard["lox/obyvak/s"] in (b"0", b"1")
    assert told(w, "loxone/status")["target_temp"]["pracovna"] == 20.5


# -- the plain house under its fuse --------------------------------------------------------------------------------


def cold_house(fuse_a: float = 32.0, load_kw: float = 3.0) -> Wire:
    """All rooms far below their band, the battery empty: everything wants to heat."""
    w = wire(rooms=True, load_kw=load_kw, soc=0.2, house=demo_house(connection=Connection(fuse_a=fuse_a)))
    w.twin.chill(-5.0)
    return w


def test_the_plain_house_sheds_heating_in_room_order_below_its_fuse() -> None:
    w = cold_house()
    w.run(minutes=5)
    truth = w.twin.truth()
    limit = 32.0 * 0.230
    assert max(truth.phase_import_kw) <= limit
    shed = [room.name for room, state in zip(truth.rooms, w.twin.loxone.rooms, strict=True) if state.shed]
    assert shed and "obyvak" not in shed
    for phase in (1, 2, 3):  # on each phase the first in the list are the first to go
        pairs = zip(w.twin.house.rooms, w.twin.loxone.rooms, strict=True)
        on_phase = [state.shed for room, state in pairs if room.phase == phase]
        assert on_phase == sorted(on_phase, reverse=True)


def test_without_load_shedding_the_cold_house_would_blow_its_fuse() -> None:
    w = cold_house(fuse_a=63.0)
    w.run(minutes=5)
    assert max(w.twin.truth().phase_import_kw) > 32.0 * 0.230


def test_shed_rooms_return_when_there_is_room_again_and_do_not_flap() -> None:
    w = cold_house()
    w.run(minutes=30)
    first = w.twin.truth()
    assert any(state.shed for state in w.twin.loxone.rooms)
    w.run(minutes=30)
    switches = [b.switches - a.switches for a, b in zip(first.rooms, w.twin.truth().rooms, strict=True)]
    assert max(switches) <= 1
    w.run(hours=40)
    assert not any(state.shed for state in w.twin.loxone.rooms)
    assert all(room.air_c > 15.0 for room in w.twin.truth().rooms)


def test_load_shedding_leaves_relays_that_are_told_on_alone() -> None:
    w = cold_house()
    for room in w.twin.house.rooms[:8]:
        w.beat()
        relay(w, room.name, "on")
    keep(w, 4)
    assert all(room.relay_on for room in w.twin.truth().rooms[:8])


# -- faults --------------------------------------------------------------------------------------------------------


def test_a_stuck_relay_follows_nothing() -> None:
    w = wire(rooms=True)
    w.twin.inject("relay_stuck_off.obyvak", True)
    w.beat()
    relay(w, "obyvak", "on")
    w.run(seconds=30)
    assert told(w, "loxone/heating/obyvak/status") == {"relay": "off", "mode": "manual", "shed": False}
    w.twin.inject("relay_stuck_off.obyvak", False)
    w.run(seconds=30)
    assert told(w, "loxone/heating/obyvak/status")["relay"] == "on"


def test_a_silent_sensor_is_missing_from_every_report() -> None:
    w = wire(rooms=True)
    w.twin.inject("sensor_silent.obyvak", True)
    w.run(minutes=2)
    assert "loxone/temperature/obyvak/current" not in w.heard
    assert "obyvak" not in told(w, "loxone/status")["temperature"]
    assert "pracovna" in told(w, "loxone/status")["temperature"]


def test_a_deaf_loxone_loses_the_heartbeat_and_a_silent_one_says_nothing() -> None:
    w = wire(rooms=True)
    w.beat()
    relay(w, "obyvak", "on")
    w.run(seconds=10)
    w.twin.inject("loxone_deaf", True)
    keep(w, 2)
    assert told(w, "loxone/heating/obyvak/status")["mode"] == "auto"
    w.twin.inject("loxone_silent", True)
    said = sum(m.topic.startswith("loxone/") for m in w.log)
    w.run(minutes=5)
    assert sum(m.topic.startswith("loxone/") for m in w.log) == said
