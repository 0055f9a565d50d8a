"""The rooms' actor on the twin of Loxone: no acknowledgement exists, the relay reading that comes back is the proof."""

from __future__ import annotations

import json

import pytest

from actors.devices.base import DeviceTiming
from actors.devices.rooms import DEVICE, HEARTBEAT_TOPIC, PATH, TRIES, points
from actors.links.twin import TwinLink
from actors.messages import Incoming, LinkState, Release, Released, WireWrite
from models.types.command import Level, RelayState
from models.types.reading import RoomsReading
from tests.actors.devices.bench import TwinBench, a_house, a_world

HALL, BATH, HALL_C = "room.hall.relay", "room.bath.relay", "room.hall.setpoint_c"
BATH_C = "room.bath.setpoint_c"
STATUS = "loxone/status"
TIMING = DeviceTiming(
    tick_s=1.0, lease_s=10.0, settle_s=10.0, answer_s=12.0, heartbeat_s=15.0, command_ttl_s=30.0, effect_s=120.0
)


class Rooms(TwinBench):
    """Two rooms on Loxone, with a permit, after the first summary; what is ordered is refreshed while time passes."""

    def __init__(self, **how: object) -> None:
        house = a_house()
        super().__init__(
            {PATH: lambda: DEVICE.make(house, TIMING, None)}, house=house, events=(RoomsReading,),
            link=lambda: TwinLink(tick_s=1.0, deadline_s=60.0, quick=False), **how,  # type: ignore[arg-type]
        )  # fmt: skip
        self.fresh: tuple[str, ...] = ()
        self.start()
        self.permit()
        self.run(12)

    def ask(self, point: str, value: str | float, **how: object) -> None:
        self.order(PATH, point, value, **how)  # type: ignore[arg-type]
        self.fresh = (*self.fresh, point)

    def live(self, seconds: float) -> None:
        """Time passes while the gate refreshes."""
        for _ in range(int(seconds / 3)):
            self.refresh(PATH, *self.fresh)
            self.run(3)

    def relay(self, room: int = 0) -> tuple[bool, bool]:
        """(on, decided by its own thermostat), truly."""
        state = self.twin.loxone.rooms[room]
        return state.relay_on, state.told is RelayState.AUTO

    def summary(self, **changes: object) -> bytes:
        air = {"hall": 19.0, "bath": 21.5}
        words = dict.fromkeys(air, "off")
        body = {"relay": words, "mode": dict.fromkeys(air, "auto"), "temperature": air, "target_temp": {}, **changes}
        return json.dumps(body).encode()

    def air_c(self, room: str = "hall") -> float | None:
        return self.of(RoomsReading)[-1].rooms[room].air_c

    def snapshot(self) -> dict[str, object]:
        return self.runtime.behaviour_snapshot(PATH)

    def release(self, *, wait: bool = True) -> Released:
        answer = self.runtime.ask(PATH, Release(wait=wait), 120.0)
        assert isinstance(answer, Released)
        return answer


def written(rooms: Rooms, point: str) -> list[tuple[str, Level]]:
    return [(w.value, w.level) for w in rooms.of(WireWrite) if w.point == point]


# --- from the order to the proof --------------------------------------------------------------------------------------
def test_a_relay_is_called_applied_when_its_reading_comes_back() -> None:
    rooms = Rooms()
    rooms.ask(HALL, "on")
    rooms.live(9)
    assert rooms.stages(HALL) == ["applied"]
    assert rooms.relay() == (True, False)
    rooms.ask(HALL, "off", request_id="r2")
    rooms.live(9)
    assert rooms.stages(HALL) == ["applied", "applied"] and rooms.relay() == (False, False)


def test_what_is_already_so_is_not_said_again() -> None:
    rooms = Rooms()
    rooms.ask(HALL, "on")
    rooms.live(60)
    assert written(rooms, HALL) == [("on", Level.PLAN)]
    assert written(rooms, BATH) == []


def test_a_setpoint_goes_out_and_is_taken_back_with_a_null() -> None:
    rooms = Rooms()
    rooms.ask(HALL_C, 21.3)
    rooms.live(12)
    assert rooms.twin.loxone.rooms[0].setpoint_c == 21.3
    assert rooms.stages(HALL_C)[-1] == "applied"
    rooms.order(PATH, HALL_C, None, level=Level.DEFAULT, for_s=None, request_id="")
    rooms.live(12)
    assert rooms.twin.loxone.rooms[0].setpoint_c is None


def test_a_former_life_may_have_left_a_setpoint_so_it_is_taken_back_first() -> None:
    rooms = Rooms()
    sent = [json.loads(p)["target_temperature"] for _, t, p in rooms.orders if t == "loxone/temperature/hall/setpoint"]
    assert sent == [None]


def test_nothing_is_commanded_before_loxone_was_heard_but_a_trip_is() -> None:
    rooms = Rooms()
    silent = Rooms()
    silent.twin.inject("loxone_silent", True)
    silent.runtime.restart(PATH)
    silent.run(1)
    silent.permit()
    before = len(silent.orders)
    silent.ask(HALL, "on")
    silent.live(9)
    assert not [o for o in silent.orders[before:] if o[1] == "loxone/heating/hall/set"]
    silent.order(PATH, HALL, "off", level=Level.SAFETY_TRIP, for_s=None, request_id="")
    silent.run(3)
    assert [p for _, t, p in silent.orders[before:] if t == "loxone/heating/hall/set"] == ['{"state": "off"}']
    assert rooms.air_c() is not None


# --- how an order ends ------------------------------------------------------------------------------------------------
def test_a_relay_returns_to_auto_when_its_lease_ends_without_refresh() -> None:
    rooms = Rooms()
    rooms.ask(HALL, "on")
    rooms.live(60)
    assert rooms.relay() == (True, False)
    rooms.run(TIMING.lease_s + 2)
    assert written(rooms, HALL)[-1] == ("auto", Level.DEFAULT)
    assert rooms.relay()[1]


def test_a_refresh_of_another_gate_or_for_another_point_renews_nothing() -> None:
    rooms = Rooms()
    rooms.ask(HALL, "on")
    for _ in range(6):
        rooms.refresh(PATH, HALL, gate_epoch=(9, 9))
        rooms.refresh(PATH, BATH, "room.attic.relay")
        rooms.run(3)
    assert rooms.relay()[1]


def test_an_order_ends_at_its_time_however_often_it_is_refreshed() -> None:
    rooms = Rooms()
    rooms.ask(HALL, "on", for_s=30.0)
    rooms.live(27)
    assert rooms.relay() == (True, False)
    rooms.live(9)
    assert rooms.relay()[1] and written(rooms, HALL)[-1] == ("auto", Level.DEFAULT)


def test_when_the_permit_lapses_every_relay_returns_to_auto() -> None:
    rooms = Rooms()
    rooms.permit(20.0)
    rooms.ask(HALL, "on")
    rooms.ask(BATH, "off")
    rooms.live(18)
    assert rooms.relay() == (True, False)
    rooms.live(9)
    assert rooms.relay(0)[1] and rooms.relay(1)[1]


def test_the_heart_stops_with_the_permit_and_loxone_goes_its_own_way() -> None:
    rooms = Rooms()
    rooms.permit(100.0)
    rooms.live(99)
    beats = [o for o in rooms.orders if o[1] == HEARTBEAT_TOPIC]
    assert len(beats) >= 6 and not rooms.twin.loxone.alone
    rooms.run(90)
    assert len([o for o in rooms.orders if o[1] == HEARTBEAT_TOPIC]) <= len(beats) + 1
    assert rooms.twin.loxone.alone


def test_the_first_permit_beats_the_heart_at_once() -> None:
    rooms = Rooms()
    rooms.permit(1.0)
    rooms.run(30)
    before = len([o for o in rooms.orders if o[1] == HEARTBEAT_TOPIC])
    rooms.permit(5.0)
    rooms.run(2)
    assert len([o for o in rooms.orders if o[1] == HEARTBEAT_TOPIC]) == before + 1


def test_a_trip_is_written_without_a_permit() -> None:
    rooms = Rooms()
    rooms.ask(HALL, "on")
    rooms.live(9)
    rooms.permit(0.0)
    rooms.order(PATH, HALL, "off", level=Level.SAFETY_TRIP, for_s=None, request_id="")
    rooms.run(5)
    assert rooms.relay() == (False, False)
    assert written(rooms, HALL)[-1] == ("off", Level.SAFETY_TRIP)


def test_a_release_is_answered_when_all_rooms_are_at_their_own_thermostats() -> None:
    rooms = Rooms()
    rooms.ask(HALL, "on")
    rooms.ask(BATH, "off")
    rooms.live(9)
    assert dict(rooms.release(wait=False).unverified).keys() == {HALL, BATH}
    assert rooms.release() == Released(device=PATH, unverified=())
    assert rooms.relay(0)[1] and rooms.relay(1)[1]


def test_a_release_of_silent_rooms_says_so() -> None:
    rooms = Rooms()
    rooms.twin.inject("loxone_silent", True)
    rooms.runtime.restart(PATH)
    rooms.run(1)
    assert dict(rooms.release(wait=False).unverified) == {HALL: "Loxone is silent", BATH: "Loxone is silent"}


# --- a Loxone that fails ----------------------------------------------------------------------------------------------
def test_a_relay_that_never_follows_is_tried_three_times_and_then_left_to_its_thermostat_with_an_alarm() -> None:
    rooms = Rooms()
    rooms.twin.inject("relay_stuck_off.hall", True)
    rooms.ask(HALL, "on")
    rooms.live(60)
    assert written(rooms, HALL)[:TRIES] == [("on", Level.PLAN)] * TRIES
    assert rooms.stages(HALL)[0] == "failed"
    assert rooms.alarms(f"unconfirmed:{HALL}")[0]
    assert rooms.relay() == (False, True)
    rooms.twin.inject("relay_stuck_off.hall", False)
    rooms.ask(HALL, "on", request_id="r2")
    rooms.live(12)
    assert rooms.relay() == (False, True), "programs leave it alone for a while"
    rooms.ask(HALL, "on", request_id="r3", level=Level.USER)
    rooms.live(12)
    assert rooms.relay() == (True, False)
    assert rooms.alarms(f"unconfirmed:{HALL}")[-1] is False


def test_over_a_dead_wire_the_rooms_are_given_back_without_a_long_wait_and_named() -> None:
    rooms = Rooms()
    rooms.run(5)
    rooms.ask(HALL, "on")
    rooms.live(12)
    rooms.publish(LinkState(up=False, reason="broker away"))
    begun_s = rooms.runtime.clock.monotonic()
    answer = rooms.runtime.ask(PATH, Release(), 60.0)
    assert isinstance(answer, Released)
    assert dict(answer.unverified)[HALL].endswith("its wire is down")
    assert rooms.runtime.clock.monotonic() - begun_s <= 10.0


def test_a_wire_that_froze_is_no_relay_that_refuses() -> None:
    rooms = Rooms()
    rooms.run(5)
    rooms.twin.inject("loxone_deaf", True)
    rooms.twin.inject("loxone_silent", True)
    rooms.ask(HALL, "on")
    rooms.live(90)
    assert written(rooms, HALL) == [("on", Level.PLAN)], "silence is no refusal"
    assert not rooms.alarms(f"unconfirmed:{HALL}")


def test_the_state_of_another_wire_is_no_news() -> None:
    rooms = Rooms()
    rooms.run(5)
    rooms.publish(LinkState(up=False, carries=("energy/",)))
    rooms.ask(HALL, "on")
    rooms.live(12)
    assert rooms.relay() == (True, False)
    rooms.publish(LinkState(up=False, carries=("loxone/",)))
    before = len(written(rooms, HALL))
    rooms.ask(HALL, "off", request_id="r2")
    rooms.live(12)
    assert len(written(rooms, HALL)) == before, "a dead wire is told nothing"


def test_a_trip_that_a_relay_does_not_follow_is_told_again_every_minute_until_it_does() -> None:
    rooms = Rooms()
    rooms.twin.inject("relay_stuck_on.hall", True)
    rooms.run(5)
    rooms.order(PATH, HALL, "off", level=Level.SAFETY_TRIP, for_s=None, request_id="")
    rooms.live(240)
    assert TRIES < len(written(rooms, HALL)) <= 4 * TRIES
    assert f"unconfirmed:{HALL}" in str(rooms.snapshot()["alarms"])
    rooms.twin.inject("relay_stuck_on.hall", False)
    rooms.live(90)
    assert rooms.relay() == (False, False) and rooms.stages(HALL)[-1] == "applied"


def test_a_deaf_loxone_misses_the_heart_and_is_found_at_its_own_thermostat() -> None:
    rooms = Rooms()
    rooms.ask(HALL, "on")
    rooms.live(9)
    rooms.twin.inject("loxone_deaf", True)
    rooms.order(PATH, HALL, "auto", level=Level.DEFAULT, for_s=None, request_id="")
    rooms.live(120)
    assert rooms.alarms(f"unconfirmed:{HALL}") == [True, False]
    assert rooms.relay()[1] and rooms.stages(HALL)[-1] == "applied"


def test_shedding_by_loxone_counts_as_its_own_decision() -> None:
    rooms = Rooms()
    rooms.ask(HALL, "off")
    rooms.live(9)
    rooms.hear("loxone/heating/hall/status", b'{"relay":"off","mode":"shed"}')
    reading = rooms.snapshot()["rooms"]
    assert isinstance(reading, dict) and reading["hall"]["automatic"] is True


# --- what is not believed ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "bad", [b"", b"[]", b"\xff\xfe", b"nan", b'{"temperature":5}', b'{"relay":"on"}', b'{"mode":[]}',
            b'{"target_temp":{"hall":1e9}}', b'{"temperature":{"hall":NaN}}', b"{" * 70_000],
    ids=lambda b: repr(b[:30]),
)  # fmt: skip
def test_a_bad_summary_is_counted_said_once_and_changes_nothing(bad: bytes) -> None:
    rooms = Rooms()
    before = len(rooms.of(RoomsReading))
    rooms.hear(STATUS, bad)
    rooms.hear(STATUS, bad)
    assert len(rooms.of(RoomsReading)) == before
    assert rooms.snapshot()["rejected"] == 2
    assert rooms.alarms("loxone_payload") == [True]
    rooms.run(6)
    assert rooms.alarms("loxone_payload") == [True, False]


@pytest.mark.parametrize("wrong", [-31.0, 61.0, "19", True, None])
def test_one_sensor_that_lies_does_not_spoil_the_others(wrong: object) -> None:
    rooms = Rooms()
    rooms.hear(STATUS, rooms.summary(temperature={"hall": wrong, "bath": 21.4}))
    assert rooms.air_c("hall") is None and rooms.air_c("bath") == 21.4
    assert rooms.alarms("sensor:hall") == [True]
    rooms.hear(STATUS, rooms.summary())
    assert rooms.air_c("hall") == 19.0
    assert rooms.alarms("sensor:hall") == [True, False]


def test_a_temperature_that_jumps_is_not_believed() -> None:
    rooms = Rooms()
    rooms.hear(STATUS, rooms.summary(temperature={"hall": 35.0, "bath": 21.5}))
    assert rooms.air_c("hall") is None
    assert rooms.snapshot()["rejected"] == 1


def test_a_temperature_that_stays_after_its_jump_is_believed() -> None:
    rooms = Rooms()
    for _ in range(4):
        rooms.hear(STATUS, rooms.summary(temperature={"hall": 27.0, "bath": 21.5}))
    assert rooms.air_c("hall") == 27.0


def test_a_room_whose_sensor_is_silent_is_unknown_and_not_what_it_was() -> None:
    rooms = Rooms()
    rooms.twin.inject("sensor_silent.hall", True)
    rooms.run(10)
    assert rooms.air_c("hall") is None and rooms.air_c("bath") is not None
    assert rooms.alarms("sensor:hall") == [], "silence is not a lie: the signal goes stale"


@pytest.mark.parametrize(
    ("word", "known"),
    [("on", True), ("off", False), (1, True), (0, False), (True, True), ("ON", None), (2, None), (None, None),
     ([], None)],
)  # fmt: skip
def test_a_relay_word_is_on_off_or_unknown(word: object, known: bool | None) -> None:
    rooms = Rooms()
    rooms.hear("loxone/heating/hall/status", json.dumps({"relay": word, "mode": "manual"}).encode())
    shown = rooms.snapshot()["rooms"]
    assert isinstance(shown, dict)
    assert (shown["hall"]["relay_on"], shown["hall"]["automatic"]) == (known, False)


@pytest.mark.parametrize(
    "topic", ["loxone/heating/attic/status", "loxone/heating/hall/set", "loxone/heating", "loxone/x/hall/status"]
)
def test_topics_of_nobody_are_passed_over(topic: str) -> None:
    rooms = Rooms()
    before = rooms.snapshot()["rooms"]
    rooms.hear(topic, b'{"relay":"on","mode":"manual"}')
    assert rooms.snapshot()["rooms"] == before and rooms.snapshot()["rejected"] == 0


def test_a_retained_order_is_never_an_order() -> None:
    rooms = Rooms()
    rooms.hear("loxone/heating/hall/set", b'{"state":"on"}', retained=True)
    rooms.run(10)
    assert not rooms.relay()[0] and written(rooms, HALL) == []


def test_each_room_has_a_relay_and_a_setpoint_with_their_safe_values() -> None:
    relay, setpoint = points(a_house())[:2]
    assert (relay.name, relay.default, relay.emergency) == (HALL, "auto", "auto")
    assert [relay.trip_value(k) for k in ("floor", "room", "fuse", "manual")] == ["off", "off", "off", "auto"]
    assert (setpoint.name, setpoint.default, setpoint.emergency) == (HALL_C, None, None)


def test_the_world_warms_a_room_that_is_told_to_heat() -> None:
    rooms = Rooms(world=a_world(temp_c=10.0))
    rooms.ask(HALL, "on")
    before = rooms.twin.truth().rooms[0].slab_c
    rooms.live(900)
    assert rooms.twin.truth().rooms[0].slab_c > before + 0.5


def test_a_reading_from_before_an_order_proves_nothing_of_it() -> None:
    rooms = Rooms()
    rooms.live(60)
    rooms.twin.inject("loxone_silent", True)
    rooms.ask(HALL, "on")
    rooms.run(2)
    rooms.ask(HALL, "auto")  # the status still shows the `auto` from before: it must be told all the same
    rooms.run(2)
    assert [value for value, _ in written(rooms, HALL)][-2:] == ["on", "auto"]


def test_a_retained_summary_is_the_brokers_memory_and_no_reading() -> None:
    rooms = Rooms()
    rooms.live(60)
    before = rooms.air_c()
    rooms.publish(Incoming(topic="loxone/status", payload=rooms.summary(temperature={"hall": 11.0}), retained=True,
                           received_s=rooms.clock.monotonic()))
    assert rooms.air_c() == before


def test_a_wire_that_returns_hears_the_heart_first_and_then_what_is_still_wished() -> None:
    rooms = Rooms()
    rooms.live(60)
    rooms.publish(LinkState(up=False, reason="test"))
    rooms.ask(HALL, "on")
    rooms.run(3)
    assert "on" not in [value for value, _ in written(rooms, HALL)], "nothing that could go out late"
    orders = len(rooms.orders)
    rooms.publish(LinkState(up=True))
    rooms.run(1)
    topics = [topic for _, topic, _ in rooms.orders[orders:]]
    assert topics[0] == "pems/heartbeat" and "loxone/heating/hall/set" in topics


def test_thermostats_that_all_fell_back_to_their_own_edges_are_a_restart_and_are_told_again() -> None:
    rooms = Rooms()
    rooms.live(6)
    rooms.ask(HALL_C, 21.3)
    rooms.ask(BATH_C, 23.0)
    rooms.live(30)
    for state in rooms.twin.loxone.rooms:
        state.setpoint_c = None
    rooms.live(30)
    assert [state.setpoint_c for state in rooms.twin.loxone.rooms] == [21.3, 23.0]
    assert rooms.alarms("loxone_restart")[0] and not rooms.alarms(f"third_hand:{HALL_C}")


@pytest.mark.parametrize("hand_c", [20.2, 19.0])
def test_one_thermostat_that_is_moved_while_others_stand_is_a_hand(hand_c: float) -> None:
    rooms = Rooms()
    rooms.live(6)
    rooms.ask(HALL_C, 21.3)
    rooms.ask(BATH_C, 23.0)
    rooms.live(30)
    rooms.twin.loxone.rooms[0].setpoint_c = hand_c
    rooms.live(30)
    assert rooms.twin.loxone.rooms[0].setpoint_c == hand_c
    assert rooms.alarms(f"third_hand:{HALL_C}")[0] and not rooms.alarms("loxone_restart")


def test_a_release_waits_until_a_setpoint_is_seen_to_be_gone() -> None:
    rooms = Rooms()
    rooms.live(6)
    rooms.ask(HALL_C, 21.3)
    rooms.live(30)
    assert dict(rooms.release(wait=False).unverified) == {HALL_C: "still set to 21.3 degC"}
    assert rooms.release() == Released(device=PATH, unverified=())
    assert rooms.twin.loxone.rooms[0].setpoint_c is None


def test_a_setpoint_that_could_not_be_given_back_over_a_dead_wire_is_named() -> None:
    rooms = Rooms()
    rooms.live(6)
    rooms.ask(HALL_C, 21.3)
    rooms.live(30)
    rooms.publish(LinkState(up=False, reason="broker away"))
    assert dict(rooms.release().unverified) == {HALL_C: "still set to 21.3 degC; its wire is down"}
