"""The dispatcher: from the plan of this moment to requests at the gate, and back to nothing when it is too old."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta

import pytest

from actors.messages import Alarm, PlanReady
from actors.planning.dispatcher import EXPORT, MODE, Dispatcher, DispatchSettings
from actors.requests import GATE
from actors.runtime import Started
from models.types.command import RELINQUISH, Level, Request
from models.types.house import House
from models.types.mode import REGULAR, Composite, InverterMode
from solvers.result import Quality
from tests.actors.devices.bench import START, Bench, a_house
from tests.actors.planning.plans import plan, rooms

PATH = "/plan/dispatcher"
HALL = "room.hall.relay"


def charge(stop: float, rate: float | None = None) -> InverterMode:
    return InverterMode(composite=Composite.CHARGE_FROM_GRID, stop_soc=stop, rate=rate)


HOLD = InverterMode(composite=Composite.HOLD)


class Desk(Bench):
    """A dispatcher, and an ear where the gate would be."""

    def __init__(self, house: House | None = None, *, level: Level = Level.PLAN) -> None:
        made = house or a_house()
        settings = DispatchSettings(tick_s=10.0)
        super().__init__({PATH: lambda: Dispatcher(made, settings, level=level)}, ears=(GATE,), events=(Alarm,))
        self.start()

    def asked(self, point: str) -> list[Request]:
        return [r for r in self.told(GATE, Request) if r.point == point]

    def values(self, point: str) -> list[object]:
        return [r.value for r in self.asked(point)]

    def ttl_s(self, request: Request) -> float:
        assert request.expires is not None
        return (request.expires - request.issued).total_seconds()

    def follow(self, ready: PlanReady) -> None:
        self.publish(ready)

    def snapshot(self) -> dict[str, object]:
        return self.runtime.behaviour_snapshot(PATH)


# --- inverter ---------------------------------------------------------------------------------------------------------
def test_a_run_is_asked_for_once_until_its_end() -> None:
    desk = Desk()
    desk.follow(plan(modes=(HOLD,) * 4))
    desk.run(3000)
    (request,) = desk.asked(MODE)
    assert request.value == HOLD and request.level is Level.PLAN and request.source == PATH
    assert desk.ttl_s(request) == 3600.0
    desk.run(700)
    assert desk.values(MODE) == [HOLD, REGULAR]


def test_a_run_that_began_before_the_plan_was_made_lasts_until_the_end_of_its_slots() -> None:
    desk = Desk()
    desk.run(400)
    desk.follow(plan(modes=(HOLD,) * 2))
    assert desk.ttl_s(desk.asked(MODE)[0]) == 1400.0


def test_a_charge_goes_to_the_stop_soc_of_the_last_slot_of_its_run() -> None:
    desk = Desk()
    desk.follow(plan(modes=(charge(0.6), charge(0.7), charge(0.8), HOLD)))
    assert desk.values(MODE) == [charge(0.8)]
    assert desk.ttl_s(desk.asked(MODE)[0]) == 2700.0


def test_another_rate_is_another_run() -> None:
    desk = Desk()
    desk.follow(plan(modes=(charge(0.6, 0.5), charge(0.8, 1.0))))
    assert desk.values(MODE) == [charge(0.6, 0.5)]
    desk.run(910)
    assert desk.values(MODE)[-1] == charge(0.8, 1.0)


def test_a_long_run_is_leased_two_hours_at_a_time_and_renewed_near_the_end() -> None:
    desk = Desk()
    desk.follow(plan(modes=(HOLD,) * 24))
    desk.run(6880)
    assert len(desk.asked(MODE)) == 1
    assert desk.ttl_s(desk.asked(MODE)[0]) == 7200.0
    desk.run(60)
    first, second = desk.asked(MODE)
    assert second.value == HOLD and 6890 <= (second.issued - first.issued).total_seconds() <= 6930


def test_a_new_plan_with_the_same_mode_asks_nothing_anew() -> None:
    desk = Desk()
    desk.follow(plan(modes=(InverterMode(composite=Composite.HOLD, stop_soc=0.52),) * 8))
    desk.run(900)
    desk.follow(plan(start=START + timedelta(minutes=15), modes=(replace(HOLD, stop_soc=0.49),) * 7))
    desk.run(60)
    assert len(desk.asked(MODE)) == 1, "of a hold only the composite counts"


def test_a_new_plan_with_another_target_asks_anew() -> None:
    desk = Desk()
    desk.follow(plan(modes=(charge(0.8),) * 8))
    desk.run(900)
    desk.follow(plan(start=START + timedelta(minutes=15), modes=(charge(0.9),) * 7))
    assert desk.values(MODE) == [charge(0.8), charge(0.9)]


def test_the_export_limit_follows_the_plan_and_says_why() -> None:
    desk = Desk()
    desk.follow(plan(export_limit_kw=(8.0, 0.0, 0.0, *(8.0,) * 21)))
    desk.run(4 * 900)
    assert desk.values(EXPORT) == [8.0, 0.0, 8.0]
    assert "below zero" in desk.asked(EXPORT)[1].note


def test_a_house_without_a_battery_is_asked_for_no_mode() -> None:
    desk = Desk(a_house(battery=None))
    desk.follow(plan(modes=(HOLD,)))
    assert desk.asked(MODE) == [] and desk.asked(EXPORT)


def test_requests_are_numbered_dated_and_at_the_level_it_was_given() -> None:
    desk = Desk(level=Level.FALLBACK)
    desk.follow(plan(modes=(HOLD,), duty={"hall": 1.0}))
    desk.run(2000)
    requests = desk.told(GATE, Request)
    assert {r.level for r in requests} == {Level.FALLBACK}
    assert [r.seq for r in requests] == list(range(1, len(requests) + 1))
    assert len({r.id for r in requests}) == len(requests)
    assert all(r.epoch == (1, 1) and r.expires is not None and r.expires > r.issued for r in requests)


# --- which plans are followed -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("spoil", ["signature", "result", "problem"])
def test_an_unsigned_or_changed_plan_moves_nothing(spoil: str) -> None:
    desk = Desk()
    ready = plan(modes=(HOLD,) * 4, duty={"hall": 1.0})
    greedy = replace(ready.plan.result, modes=(charge(1.0),) * 24)
    bad = {
        "signature": replace(ready, plan=replace(ready.plan, signature="")),
        "result": replace(ready, plan=replace(ready.plan, result=greedy)),
        "problem": replace(ready, problem=replace(ready.problem, import_limit_kw=99.0)),
    }[spoil]
    desk.follow(bad)
    desk.run(60)
    assert desk.heard[GATE] == []
    assert desk.snapshot()["refused_plans"] == 1
    desk.follow(ready)
    desk.follow(bad)
    desk.run(60)
    assert desk.values(MODE) == [HOLD], "the last good plan is followed on"


def test_without_a_plan_nothing_is_asked() -> None:
    desk = Desk()
    desk.run(600)
    assert desk.heard[GATE] == []


def test_a_plan_that_is_too_old_is_given_back_once_with_one_alarm_until_a_new_one_comes() -> None:
    desk = Desk()
    desk.follow(plan(modes=(HOLD,) * 24, duty={"hall": 0.99}))
    desk.run(7190)
    assert RELINQUISH not in desk.values(MODE)
    desk.run(1000)
    assert {r.point for r in desk.told(GATE, Request) if r.value == RELINQUISH} == {MODE, EXPORT, HALL}
    assert desk.alarms("plan_old") == [True]
    count = len(desk.heard[GATE])
    desk.run(1000)
    assert len(desk.heard[GATE]) == count
    desk.follow(plan(start=START + timedelta(seconds=9000), modes=(HOLD,) * 4))
    assert desk.alarms("plan_old") == [True, False]
    assert desk.values(MODE)[-1] == HOLD


def test_a_plan_that_ends_before_it_is_old_is_given_back_too() -> None:
    desk = Desk()
    desk.follow(plan(modes=(HOLD,) * 4, steps=4))
    desk.run(3700)
    assert desk.values(MODE)[-1] == RELINQUISH


def test_a_new_gate_is_told_everything_again() -> None:
    desk = Desk()
    desk.follow(plan(modes=(HOLD,) * 8, duty={"hall": 1.0}))
    desk.run(60)
    before = {p: len(desk.asked(p)) for p in (MODE, EXPORT, HALL)}
    desk.publish(Started(path="/devices/rooms", incarnation=2))
    assert {p: len(desk.asked(p)) for p in before} == before
    desk.publish(Started(path=GATE, incarnation=2))
    assert {p: len(desk.asked(p)) for p in before} == {p: n + 1 for p, n in before.items()}
    assert desk.values(MODE)[-1] == HOLD


# --- rooms ------------------------------------------------------------------------------------------------------------
def hours_of_heating(desk: Desk, hours: float) -> float:
    """Seconds on, of a relay that does what is asked."""
    on_s, on = 0.0, False
    for _ in range(round(hours * 360)):
        asked = desk.values(HALL)
        on = bool(asked) and asked[-1] == "on"
        desk.publish(rooms({"hall": 20.0}, on=("hall",) if on else ()))
        desk.run(10)
        on_s += 10.0 * on
    return on_s


@pytest.mark.parametrize("duty", [0.25, 0.7])
def test_a_duty_becomes_pulses_that_deliver_it(duty: float) -> None:
    desk = Desk()
    desk.follow(plan(duty={"hall": duty}))
    assert hours_of_heating(desk, 1.9) == pytest.approx(duty * 1.9 * 3600, abs=900)
    assert set(desk.values(HALL)) == {"on", "off"}


def test_each_slot_has_its_own_duty() -> None:
    desk = Desk()
    desk.follow(plan(duty={"hall": (0.0,) * 4 + (1.0,) * 4 + (0.0,) * 16}))
    assert hours_of_heating(desk, 1.0) == 0.0
    assert hours_of_heating(desk, 1.0) > 3500 - 30
    assert hours_of_heating(desk, 1.0) < 60


def test_a_relay_request_is_renewed_before_it_ends() -> None:
    desk = Desk()
    desk.follow(plan(duty={"hall": 1.0}))
    assert hours_of_heating(desk, 1.0) > 3500
    asked = desk.asked(HALL)[1:]  # the first says in which half of its band this room begins
    assert {r.value for r in asked} == {"on"}
    for a, b in itertools.pairwise(asked):
        assert a.expires is not None and b.issued < a.expires
    assert len(asked) <= 7


def test_rules_leave_the_rooms_to_their_thermostats() -> None:
    desk = Desk()
    desk.follow(plan(duty={"hall": 1.0}))
    desk.run(30)
    assert desk.values(HALL)[-1] == "on"
    desk.follow(plan(duty={"hall": 1.0}, quality=Quality.FALLBACK, modes=(HOLD,) * 4))
    desk.run(600)
    assert desk.values(HALL)[-2:] == ["on", RELINQUISH]
    assert desk.values(MODE)[-1] == HOLD, "their mode is followed"


# --- rooms by setpoint ------------------------------------------------------------------------------------------------
HALL_C = "room.hall.setpoint_c"
WARM = ((19.5, 20.0, 20.5, 21.0) + (21.0,) * 20,)  # planned air


def by_setpoint() -> House:
    house = a_house()
    return house.model_copy(
        update={"rooms": (house.rooms[0].model_copy(update={"control": "setpoint"}), *house.rooms[1:])}
    )


def heating(hours: float = 1.0, **changes: object) -> PlanReady:
    """A run of heating, then none."""
    slots = round(hours * 4)
    return plan(duty={"hall": (1.0,) * slots + (0.0,) * (24 - slots)}, air_c=WARM, **changes)  # type: ignore[arg-type]


def seen(desk: Desk, air_c: float, *, on: bool = False) -> None:
    desk.publish(rooms({"hall": air_c}, on=("hall",) if on else ()))


def test_a_room_by_setpoint_is_set_to_what_the_plan_heats_it_to_and_its_relay_is_left_alone() -> None:
    desk = Desk(by_setpoint())
    seen(desk, 19.2)
    desk.follow(heating())
    desk.run(60)
    assert desk.values(HALL_C)[-1] == 20.6, "the thermostat stops its hysteresis above: at the planned 21"
    seen(desk, 21.0, on=True)
    desk.run(3700)
    assert desk.values(HALL_C)[-1] == 19.0, "the lower edge"
    assert desk.asked(HALL) == []


def test_a_setpoint_is_leased_renewed_before_it_ends_and_moved_seldom() -> None:
    desk = Desk(by_setpoint())
    seen(desk, 19.2)
    desk.follow(heating(5.0))
    for _ in range(36):
        desk.run(200)
        seen(desk, 19.4, on=True)
    asked = desk.asked(HALL_C)
    for a, b in itertools.pairwise(asked):
        assert a.expires is not None and b.issued < a.expires
    assert {desk.ttl_s(r) for r in asked} == {900.0}
    assert sum(a.value != b.value for a, b in itertools.pairwise(asked)) <= 1, "the first says where it stood"


def test_a_room_by_setpoint_is_given_back_when_the_plan_is_too_old_and_left_to_its_thermostat_by_rules() -> None:
    desk = Desk(by_setpoint())
    seen(desk, 19.2)
    desk.follow(heating())
    desk.run(60)
    desk.follow(heating(quality=Quality.FALLBACK))
    desk.run(60)
    assert desk.values(HALL_C)[-2:] == [20.6, RELINQUISH]
    desk.follow(heating())
    desk.run(60)
    assert desk.values(HALL_C)[-1] == 20.6
    desk.run(8000)
    assert desk.values(HALL_C)[-1] == RELINQUISH


def test_a_room_by_setpoint_rests_at_the_edge_of_its_local_hour() -> None:
    desk = Desk(by_setpoint())
    desk.run(11 * 3600 + 1800)  # 21:30 local
    seen(desk, 20.5)
    desk.follow(plan(start=START + timedelta(hours=11, minutes=30), duty={"hall": 0.0}))
    desk.run(3600)
    assert [v for v, _ in itertools.groupby(desk.values(HALL_C))] == [19.0, 18.0]


def test_the_snapshot_names_plan_maker_and_wishes() -> None:
    desk = Desk()
    assert desk.snapshot()["plan"] is None
    desk.follow(plan(modes=(HOLD,) * 4))
    shown = desk.snapshot()
    assert (shown["plan"], shown["maker"]) == ("p-0900", "test")
    assert shown["asked"] == {MODE: "hold", EXPORT: "8.0"}
