"""The safety actor: permit, limits, trips that outlive everything, and alarms said once."""

from __future__ import annotations

import pytest

from actors.memory import MemoryTrips
from actors.messages import Permit, Trip
from actors.runtime import AskDead
from models.errors import StoreError
from models.types.command import Level
from models.types.mode import Composite, InverterMode
from tests.properties.house import EXPORT, MODE, RELAYS, ROOMS, SAFETY, START, Lab, house_file

HALL, BATH, LIVING = RELAYS


class BadDisk(MemoryTrips):
    """Neither read nor written for now."""

    readable, writable = True, True

    def load(self) -> tuple[Trip, ...]:
        if not self.readable:
            raise StoreError("trips.json is torn")
        return super().load()

    def save(self, trips: tuple[Trip, ...]) -> None:
        if not self.writable:
            raise StoreError("the disk is full")
        super().save(trips)


def safety(lab: Lab) -> dict[str, object]:
    return lab.runtime.behaviour_snapshot(SAFETY)


def said(lab: Lab, name: str) -> bool:
    """This alarm is on."""
    return lab.alarms[name].active


def test_the_permit_is_renewed_four_times_in_its_life() -> None:
    lab = Lab(config=house_file(tick_s=1.0))
    permits: list[Permit] = []
    lab.runtime.listen(lambda p: permits.append(p), Permit)  # type: ignore[arg-type]
    lab.start(10.0)
    ends = [p.until_s for p in permits]
    assert len(ends) == 21 and ends == sorted(ends) and ends[-1] == 12.0
    assert {p.epoch for p in permits} == {(1, 1)}
    lab.kill(SAFETY)
    assert permits[-1].epoch == (1, 2)
    lab.sound()


def test_a_trip_acts_although_it_cannot_be_persisted_and_says_so_until_it_is() -> None:
    trips = BadDisk()
    trips.writable = False
    lab = Lab(trips=trips).start()
    trip = lab.trip("floor", (HALL,))
    assert lab.output(HALL)["tripped"] == trip and said(lab, "trips_unsaved")
    trips.writable = True
    second = lab.trip("manual", (BATH,))
    assert not said(lab, "trips_unsaved") and set(lab.latched()) == {trip, second}
    lab.sound()


def test_trips_that_cannot_be_read_mean_that_everything_is_tripped() -> None:
    trips = BadDisk()
    trips.readable = False
    lab = Lab(trips=trips).start()
    assert lab.alarms["trips_unreadable"].active
    assert all(lab.output(p)["tripped"] for p in lab.points)
    assert "trips.json is torn" in str(safety(lab)["trips"])
    lab.run(60)
    assert lab.standing(EXPORT) == "0.0"


@pytest.mark.parametrize(
    ("kind", "hold_off_s"), [("floor", 60.0), ("fuse", 60.0), ("manual", 0.0), ("emergency_stop", 0.0)]
)
def test_what_people_trip_has_no_hold_off(kind: str, hold_off_s: float) -> None:
    lab = Lab().start()
    lab.trip(kind)
    assert lab.trips.load()[0].hold_off_s == hold_off_s


def test_two_trips_in_one_second_have_two_names_and_each_reset_names_one() -> None:
    lab = Lab().start()
    one, two = lab.trip("manual", (HALL,)), lab.trip("manual", (BATH,))
    assert one != two
    assert lab.reset("floor-1") == {"ok": False, "reason": f"no trip 'floor-1'; latched: {one}, {two}"}
    assert lab.reset(one) == {"ok": True, "reason": ""}
    assert lab.reset(one)["reason"] == f"no trip {one!r}; latched: {two}"
    lab.reset(two)
    assert lab.reset(two)["reason"] == f"no trip {two!r}; latched: none is latched"
    assert [a.active for n, a in lab.alarms.items() if n.startswith("trip:")] == [False, False]
    lab.sound()


def test_a_trip_cannot_be_reset_while_its_cause_lasts() -> None:
    lab = Lab().start(700.0)
    lab.override(HALL, "on", ttl_s=7200.0)
    lab.run(30)
    lab.twin.inject("relay_stuck_on.hall", True)
    lab.twin._air[0] = ROOMS[0].max_c + 1.6
    lab.run(30)
    (trip,) = lab.latched()
    assert trip.startswith("room-") and lab.output(HALL)["value"] == "off"
    lab.twin._air[0] = ROOMS[0].max_c + 1.6
    lab.run(60)
    lab.twin._air[0] = ROOMS[0].max_c + 1.6
    lab.run(20)
    assert "cause still lasts" in str(lab.reset(trip)["reason"])
    lab.twin.inject("relay_stuck_on.hall", False)
    lab.run(30)
    assert lab.reset(trip)["ok"] is True
    lab.sound()


def test_a_cause_that_lasts_trips_once() -> None:
    lab = Lab().start(700.0)
    lab.twin.inject("relay_stuck_on.hall", True)
    for _ in range(12):
        lab.twin._air[0] = ROOMS[0].max_c + 1.7
        lab.run(10)
    assert len(lab.latched()) == 1
    lab.sound()


def test_a_limit_holds_while_its_cause_lasts_and_is_given_back_with_one_alarm_each() -> None:
    lab = Lab().start(700.0)
    lab.override(LIVING, "on", ttl_s=7200.0)
    lab.run(30)
    lab.twin._air[2] = ROOMS[2].max_c + 0.2
    lab.run(20)
    assert lab.output(LIVING)["level"] == 3 and lab.output(LIVING)["holder"] == SAFETY
    assert lab.alarms[f"limit:{LIVING}"].active and "room_maximum" in lab.alarms[f"limit:{LIVING}"].text
    assert "room_maximum" in str(safety(lab)["findings"])
    lab.twin._air[2] = 22.0
    lab.run(20.0 + 2 * lab.config.timing.permit_s)
    assert not lab.alarms[f"limit:{LIVING}"].active and lab.output(LIVING)["holder"] != SAFETY
    lab.sound()


def test_a_limit_ends_by_itself_when_the_safety_actor_dies() -> None:
    lab = Lab().start(700.0)
    lab.override(LIVING, "on", ttl_s=7200.0)
    lab.run(30)
    lab.twin._air[2] = ROOMS[2].max_c + 0.2
    lab.run(20)
    slots = lab.output(LIVING)["slots"]
    assert isinstance(slots, list)
    left_s = {s["level"]: s["left_s"] for s in slots}[3]
    assert 0 < left_s <= 2 * lab.config.timing.permit_s


def test_an_inverter_fault_limits_the_mode_and_a_hot_battery_trips_it() -> None:
    lab = Lab(rules=False).start()
    lab.override(MODE, InverterMode(composite=Composite.HOLD))
    lab.run(30)
    lab.twin.inject("inverter_fault", True)
    lab.run(30)
    assert (lab.output(MODE)["value"], lab.output(MODE)["level"]) == ("regular", 3)
    lab.twin.inject("inverter_fault", False)
    lab.run(30)
    assert lab.output(MODE)["level"] == 8
    lab.twin.battery_c = lambda: 56.0  # type: ignore[method-assign]
    lab.run(30)
    assert lab.latched()[0].startswith("battery-") and lab.output(MODE)["level"] == Level.SAFETY_TRIP
    lab.sound()


def test_old_readings_are_no_readings() -> None:
    lab = Lab().start(700.0)
    lab.twin._air[2] = ROOMS[2].max_c + 0.2
    lab.run(20)
    assert f"limit:{LIVING}" in str(safety(lab)["alarms"])
    lab.twin.inject("loxone_silent", True)
    lab.run(lab.config.timing.rooms_max_age_s + 30.0)
    assert safety(lab)["findings"] == [] and not lab.alarms[f"limit:{LIVING}"].active
    lab.sound()


def test_what_is_not_for_the_safety_actor_is_a_dead_letter() -> None:
    lab = Lab().start()
    with pytest.raises(AskDead):
        lab.runtime.ask(SAFETY, lab.request(HALL, "on"), 5.0)
    assert lab.clock.now() > START
