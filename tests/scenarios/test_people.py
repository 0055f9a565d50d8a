"""An owner, a plan and a trip: who holds a point, and who has it next."""

from __future__ import annotations

from actors.memory import MemoryTrips
from models.types.command import RELINQUISH, Level, Outcome
from models.types.mode import Composite, InverterMode
from tests.scenarios.home import (
    BATH,
    CHEAP_NIGHT,
    DISPATCHER,
    FLAT,
    HALL,
    HOUR_S,
    LIVING,
    MODE,
    NOON,
    SAFETY,
    Home,
    spot,
)

HOLD = InverterMode(composite=Composite.HOLD)


def planned(**how: object) -> Home:
    """A house under its plan, its relays free to switch."""
    home = Home(prices=spot(NOON, CHEAP_NIGHT), **how).start(HOUR_S)  # type: ignore[arg-type]
    assert home.output(HALL)["holder"] == home.output(BATH)["holder"] == DISPATCHER
    return home


def test_an_owner_overrides_a_room_and_the_plan_comes_back_by_itself() -> None:
    home = planned()
    plan = home.output(HALL)["value"]
    other = "off" if plan == "on" else "on"
    assert home.override(HALL, other, ttl_s=1800).outcome is Outcome.ACCEPTED
    home.run(1500)
    held = home.output(HALL)
    assert (held["holder"], held["level"], held["value"]) == ("user", Level.USER, other)
    assert home.room("hall").relay_on is (other == "on")
    assert {slot["source"] for slot in held["slots"]} == {"user", DISPATCHER}  # the plan goes on asking behind it
    home.run(600)
    assert home.output(HALL)["holder"] == DISPATCHER
    asked = {v.point for v in home.verdicts if v.source == "user"}
    assert asked == {HALL}
    home.sound()


def test_an_owner_gives_a_point_back_before_its_time() -> None:
    home = planned()
    home.override(MODE, HOLD, ttl_s=4 * HOUR_S)
    home.run(300)
    assert home.output(MODE)["holder"] == "user"
    home.override(MODE, RELINQUISH, ttl_s=60)
    assert home.output(MODE)["holder"] == DISPATCHER
    home.run(600)
    home.sound()


def test_a_trip_beats_plan_and_owner_and_survives_restarts_until_it_is_reset_by_name() -> None:
    trips = MemoryTrips()
    home = planned(trips=trips)
    home.override(HALL, "on", ttl_s=3 * HOUR_S)
    home.run(900)
    assert home.room("hall").relay_on
    trip = home.trip("floor", (HALL,))
    home.run(60)
    assert not home.room("hall").relay_on
    home.override(HALL, "on", ttl_s=3 * HOUR_S)
    home.fail(SAFETY)
    home.run(900)
    assert home.output(HALL)["tripped"] == trip and not home.room("hall").relay_on
    assert home.output(BATH)["tripped"] is None
    home.sound()

    again = planned_or_tripped(trips)
    assert again.output(HALL)["tripped"] == trip and not again.room("hall").relay_on
    assert again.reset("floor-of-another-day")["ok"] is False
    assert again.reset(trip)["ok"] is True
    again.run(900)
    assert again.output(HALL)["tripped"] is None and again.output(HALL)["holder"] == DISPATCHER
    again.sound()


def planned_or_tripped(trips: MemoryTrips) -> Home:
    """The next life of the house: another boot, the same file of trips."""
    return Home(prices=spot(NOON, CHEAP_NIGHT), trips=trips, boot=2).start(HOUR_S)


def test_an_emergency_stop_neither_discharges_nor_buys_and_leaves_the_rooms_to_their_thermostats() -> None:
    home = planned(soc=0.9)
    before = home.twin.truth()
    home.trip("emergency_stop")
    home.run(600)
    held = home.twin.truth()
    assert home.output(MODE)["level"] == Level.EMERGENCY_STOP
    assert held.composite is Composite.HOLD and held.battery_kw >= -0.01
    assert held.meters.export_kwh - before.meters.export_kwh < 0.2  # what left before the limit took hold
    assert [home.output(p)["value"] for p in (HALL, BATH, LIVING)] == ["auto"] * 3
    home.run(600)
    home.sound()


def test_a_wish_under_a_full_connection_makes_the_plan_give_way_within_seconds() -> None:
    home = Home(prices=spot(NOON, FLAT), tick_s=5.0, fuse_a=10.0, sun=0.0, soc=0.2, temp_c=-8.0).start(HOUR_S)
    for _ in range(40):  # until the plan heats the living room, and there is no power left for the hall
        held = home.output(LIVING)
        if held["value"] == "on" and held["for_s"] > 900 and not home.room("hall").relay_on:
            break
        home.run(300)
    assert held["holder"] == DISPATCHER and home.twin.truth().grid_kw > 5.0
    home.override(HALL, "on", ttl_s=1200)
    assert "on the connection" in home.output(HALL)["waiting"] or "on phase" in home.output(HALL)["waiting"]
    home.run(60)
    assert home.output(HALL)["holder"] == "user" and home.room("hall").relay_on
    assert not home.room("living").relay_on
    assert any(f"makes room for {HALL}" in slot["note"] for slot in home.output(LIVING)["slots"])
    home.run(1500)
    assert home.output(HALL)["holder"] != "user"
    home.sound()
