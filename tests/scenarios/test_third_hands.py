"""Somebody else's hand: the inverter's app, a switch at the wall, a restart of Loxone."""

from __future__ import annotations

import json
from datetime import timedelta

from models.twins.registers import Holding
from models.types.command import Level, RelayState
from models.types.mode import Composite, InverterMode
from tests.scenarios.home import CHEAP_NIGHT, DISPATCHER, EXPORT, HALL, HOUR_S, LIVING, MODE, NOON, Home, spot

HOLD = InverterMode(composite=Composite.HOLD)


def at_home(**how: object) -> Home:
    return Home(prices=spot(NOON, CHEAP_NIGHT), **how).start(HOUR_S)  # type: ignore[arg-type]


def of_the_app(home: Home, name: str, **body: object) -> None:
    """The inverter's own app: it goes by the vendor's cloud, none of it crosses our wire."""
    home.twin.publish(f"energy/solar/command/{name}", json.dumps(body).encode(), home.clock.now())
    home.run(15)


def alarms(home: Home, point: str) -> list[str]:
    return [a.text for a in home.alarms if a.name == f"third_hand:{point}" and a.active]


def relay(home: Home, room: str) -> RelayState:
    return home.twin.loxone.rooms[[r.name for r in home.house.rooms].index(room)].told


def at_the_wall(home: Home, room: str, state: RelayState) -> None:
    home.twin.loxone.rooms[[r.name for r in home.house.rooms].index(room)].told = state


def test_a_room_switched_at_the_wall_stays_so_for_two_hours_and_then_the_plan_has_it_again() -> None:
    home = at_home()
    held = home.output(HALL)["value"]
    other = RelayState.ON if held != "on" else RelayState.OFF
    at_the_wall(home, "hall", other)
    home.run(300)
    shown = home.output(HALL)
    assert (shown["holder"], shown["level"], shown["value"]) == ("/devices/rooms", Level.USER, other)
    assert "somebody else" in str(shown["reason"]) and len(alarms(home, HALL)) == 1
    told = len(home.orders)
    home.run(HOUR_S)
    assert relay(home, "hall") is other, "never fought over"
    assert not [o for o in home.orders[told:] if "hall" in o[1] and o[2].get("state") not in (None, other)]
    home.run(HOUR_S + 600)
    assert home.output(HALL)["holder"] == DISPATCHER
    assert len(alarms(home, HALL)) == 1
    home.sound()


def test_a_trip_still_beats_the_hand_at_the_wall() -> None:
    home = at_home()
    at_the_wall(home, "hall", RelayState.ON)
    home.run(300)
    home.trip("floor", (HALL,))
    home.run(120)
    assert relay(home, "hall") is RelayState.OFF
    home.sound()


def test_all_rooms_back_at_their_own_thermostats_is_a_restart_and_they_are_told_again() -> None:
    home = at_home()
    for point in (HALL, LIVING):
        home.override(point, "off", ttl_s=4 * HOUR_S)
    home.run(900)
    commanded = [r.name for r in home.house.rooms if relay(home, r.name) is not RelayState.AUTO]
    assert len(commanded) >= 2
    for state in home.twin.loxone.rooms:
        state.told = RelayState.AUTO
    home.run(120)
    assert relay(home, "hall") is relay(home, "living") is RelayState.OFF
    assert alarms(home, HALL) == []
    assert len([a for a in home.alarms if a.name == "loxone_restart" and a.active]) == 1
    home.sound()


def test_a_mode_set_in_the_inverters_app_is_told_respected_and_ends() -> None:
    falling = spot(NOON, [0.3 - hour / 100.0 for hour in range(24)])  # nothing is worth waiting for
    home = Home(prices=falling, sun=0.0, soc=0.6).start(HOUR_S)
    home.run(HOUR_S + 300)
    assert home.twin.truth().composite is Composite.REGULAR
    soon = home.clock.now() + timedelta(hours=1, minutes=3)  # the inverter's clock knows no summer time: UTC+1
    of_the_app(home, "batteryfirst/set/stopsoc", value=60)
    of_the_app(home, "batteryfirst/set/timeslot", start=f"{soon:%H:%M}", stop="23:00", enabled=True, slot=1)
    home.run(300)
    shown = home.output(MODE)
    assert (shown["holder"], shown["level"]) == ("/devices/inverter", Level.USER)
    assert shown["value"] == "hold" and "set to hold by somebody else" in alarms(home, MODE)[-1]
    home.run(HOUR_S)
    assert home.twin.truth().composite is Composite.HOLD
    home.run(HOUR_S + 1200)
    assert home.output(MODE)["holder"] != "/devices/inverter"
    assert home.twin.truth().composite is not Composite.HOLD or "hold" in str(home.output(MODE)["value"])
    home.sound()


def slot_of_tonight(home: Home) -> bool:
    return bool(home.twin.inverter.registers[Holding.GRID_FIRST_SLOT1 + 5])  # slot 2: start, stop, enabled


def test_a_slot_for_tonight_set_in_the_app_is_left_alone_for_two_hours_and_then_put_back() -> None:
    home = at_home(sun=0.0, soc=0.6)
    of_the_app(home, "gridfirst/set/timeslot", start="03:00", stop="04:00", enabled=True, slot=2)
    home.run(HOUR_S)
    (text,) = alarms(home, MODE)
    assert "left alone for" in text and slot_of_tonight(home)
    home.run(HOUR_S + 900)
    assert not slot_of_tonight(home)


def test_an_export_limit_set_in_the_app_is_respected_too() -> None:
    home = at_home()
    of_the_app(home, "modbus/set", id=123, type="16b", registerType="H", value=250)
    home.run(300)
    shown = home.output(EXPORT)
    assert (shown["holder"], shown["value"]) == ("/devices/inverter", 2.5)
    home.run(2 * HOUR_S + 900)
    assert home.output(EXPORT)["holder"] != "/devices/inverter"


def test_where_hands_are_not_respected_they_are_taken_back_but_not_twice_in_ten_minutes() -> None:
    home = at_home(third_hand_s=0.0)
    before = relay(home, "hall")
    other = RelayState.ON if before is not RelayState.ON else RelayState.OFF
    at_the_wall(home, "hall", other)
    home.run(240)
    assert home.output(HALL)["holder"] != "/devices/rooms" and "taken back" in alarms(home, HALL)[0]
    at_the_wall(home, "hall", RelayState.OFF if home.output(HALL)["value"] != "off" else RelayState.ON)
    home.run(120)
    assert home.output(HALL)["holder"] == "/devices/rooms"
