"""One named test per invariant, on the whole small house; the machine beside it looks for what nobody thought of."""

from __future__ import annotations

import itertools
import math
import os
import subprocess
import sys
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.memory import MemoryTrips
from actors.messages import ApprovedSetpoint, Trip
from actors.runtime import Hang
from models.physics.hybrid import Priority
from models.twins.gateway import GatewayFaults
from models.twins.registers import Holding, slot_address
from models.types.command import RELINQUISH, Level, Outcome
from models.types.mode import REGULAR, Composite, InverterMode
from tests.properties.house import EXPORT, GATE, MODE, RELAYS, ROOMS, SAFETY, Lab, a_world, house_file

HALL, BATH, LIVING = RELAYS
CHARGE = InverterMode(composite=Composite.CHARGE_FROM_GRID, stop_soc=0.9)
SELL = InverterMode(composite=Composite.DISCHARGE_TO_GRID, stop_soc=0.3)
HOLD = InverterMode(composite=Composite.HOLD)
READY_S = 660.0  # minimum times count from the first report of a relay


def ready(**how: object) -> Lab:
    """A house that has lived long enough for every relay to be free to switch."""
    return Lab(**how).start(READY_S)  # type: ignore[arg-type]


class StuckTrips(MemoryTrips):
    """A disk that does not answer."""

    stuck = False

    def load(self) -> tuple[Trip, ...]:
        if self.stuck:
            raise Hang
        return super().load()


# --- authority --------------------------------------------------------------------------------------------------------
def test_invariant_01_every_write_names_an_accepted_request_a_trip_or_a_default() -> None:
    lab = ready()
    accepted = {lab.ask(HALL, "on").request_id, lab.ask(MODE, HOLD).request_id, lab.override(BATH, "off")[0].request_id}
    refused = lab.ask(LIVING, "warm").request_id
    lab.run(120)
    trip = lab.trip("floor", (HALL,))
    lab.run(120)
    lab.reset(trip)
    lab.run(1200)
    for write in lab.wire:
        default = write.level is Level.DEFAULT and write.value in ("auto", "regular", "8.0", "its own")
        assert default or write.level is Level.SAFETY_TRIP or write.request_id in accepted, write
        assert write.epoch == (1, 1)
    assert {w.request_id for w in lab.wire} >= accepted
    assert refused not in {w.request_id for w in lab.wire}
    lab.sound()


def test_invariant_02_the_lowest_living_level_decides_and_the_next_follows_when_it_ends() -> None:
    lab = Lab(rules=False).start()
    for level, kw in ((15, 1.0), (10, 2.0), (13, 3.0)):
        lab.ask(EXPORT, kw, level=level, ttl_s=3600.0)
    held = []
    for level in (10, 13, 15, 15):
        lab.run(120)
        held.append((lab.output(EXPORT)["level"], lab.output(EXPORT)["value"], lab.twin.inverter.export_limit_kw))
        lab.ask(EXPORT, RELINQUISH, level=level)
    assert held == [(10, 2.0, 2.0), (13, 3.0, 3.0), (15, 1.0, 1.0), (16, 8.0, 8.0)]
    lab.sound()


@pytest.mark.parametrize(
    ("asked", "outcome", "held"),
    [(99.0, Outcome.CLAMPED, 8.0), (-1.0, Outcome.CLAMPED, 0.0), (4.0, Outcome.ACCEPTED, 4.0),
     ("4", Outcome.REFUSED, 8.0), (math.nan, Outcome.REFUSED, 8.0), (True, Outcome.REFUSED, 8.0)],
)  # fmt: skip
def test_invariant_02_numbers_are_clamped_other_values_refused(asked: object, outcome: Outcome, held: float) -> None:
    lab = Lab(rules=False).start()
    assert lab.offer(lab.request(EXPORT, asked))[0].outcome is outcome
    lab.run(60)
    assert lab.output(EXPORT)["value"] == held
    assert lab.twin.inverter.export_limit_kw == pytest.approx(held)
    lab.sound()


def test_invariant_03_an_override_beats_plan_and_rules_and_the_plan_acts_again_without_being_resent() -> None:
    lab = ready()
    lab.override(HALL, "off", ttl_s=600.0)
    plan = lab.ask(HALL, "on", ttl_s=3600.0)
    lab.ask(HALL, "on", level=10, source="/plan/rules", ttl_s=300.0)
    lab.run(590)
    assert {w.value for w in lab.wire if w.point == HALL} == {"off"}
    lab.ticks(2)
    assert lab.wire[-1].value == "on" and lab.wire[-1].request_id == plan.request_id
    lab.sound()


@settings(max_examples=10)
@given(
    st.permutations(
        [(8, "on", "user"), (10, "on", "/plan/a"), (13, "on", "/plan/b"), (3, "on", "operator"), (0, "", "")]
    )
)
def test_invariant_04_a_trip_wins_whatever_arrives_in_whatever_order(order: list[tuple[int, str, str]]) -> None:
    lab = ready()
    tripped_s = math.inf
    for level, word, source in order:
        if level == 0:
            lab.trip("floor", (HALL,))
            tripped_s = lab.clock.monotonic()
        else:
            lab.offer(lab.request(HALL, word, level=level, source=source))
        lab.run(5)
    lab.run(300)
    assert [w.value for w in lab.wire if w.point == HALL and w.at_s > tripped_s and w.value != "off"] == []
    assert not lab.twin.truth().rooms[0].relay_on
    lab.sound()


def test_invariant_04_an_order_that_a_trip_overtook_has_no_effect() -> None:
    lab = Lab(rules=False).start()
    for number, value, level in ((8, 0.0, Level.SAFETY_TRIP), (7, 5.0, Level.PLAN)):  # the trip came on a faster lane
        order = ApprovedSetpoint(
            point=EXPORT, value=value, level=level, until_s=None, request_id="", cause="t", gate_epoch=(9, 9),
            number=number,
        )  # fmt: skip
        lab.runtime.tell("/devices/inverter", order)
    lab.runtime.run_for(60.0)
    assert lab.standing(EXPORT) == "0.0" and lab.twin.inverter.export_limit_kw == 0.0


def test_invariant_04_a_trip_right_after_the_restart_of_the_gate_wins_over_its_default() -> None:
    lab = Lab(rules=False, faults=GatewayFaults(slow=True)).start()
    lab.ask(EXPORT, 0.0)
    lab.kill(GATE)
    lab.kill(GATE)
    lab.trip("manual")
    lab.run(60)
    assert lab.twin.inverter.export_limit_kw == 0.0 and "8.0" not in {w.value for w in lab.wire}
    lab.sound()


def test_invariant_04_of_two_trips_the_one_that_knows_the_point_decides() -> None:
    lab = ready()
    manual = lab.trip("manual", (HALL,))
    assert lab.output(HALL)["value"] == "auto"
    lab.trip("floor", (HALL,))
    assert lab.output(HALL)["value"] == "off"
    lab.reset(manual)
    assert lab.output(HALL)["value"] == "off"
    lab.sound()


def test_invariant_05_a_trip_latches_over_restarts_and_boots_and_ends_by_its_name_after_the_hold_off() -> None:
    trips = MemoryTrips()
    lab = ready(trips=trips)
    trip = lab.trip("floor", (HALL,))
    for path in (GATE, SAFETY, "/devices/rooms"):
        lab.kill(path)
        lab.run(30)
        assert lab.output(HALL)["tripped"] == trip and lab.standing(HALL) == "off"
    assert {w.value for w in lab.wire if w.point == HALL} == {"off"}, "no restart let go of it, even for an instant"
    lab.runtime.stop()
    lab.sound()

    again = Lab(trips=trips).start()
    assert again.output(HALL)["tripped"] == trip and again.standing(HALL) == "off"
    assert again.reset("no such trip")["ok"] is False
    again.clock.wrong_s += 3600.0
    early = again.reset(trip)
    assert early["ok"] is False and "hold-off" in str(early["reason"]), "the wall clock does not shorten it"
    again.run(60)
    assert again.reset(trip)["ok"] is True
    again.run(30)
    assert again.standing(HALL) == "auto" and again.latched() == ()
    again.sound()


def test_invariant_05_a_gate_that_does_not_know_yet_what_is_latched_lets_nothing_go() -> None:
    trips = StuckTrips()
    lab = Lab(config=house_file(tick_s=1.0), trips=trips).start(700.0)
    lab.trip("floor", (HALL,))
    lab.run(30)
    trips.stuck = True  # the next safety actor hangs in its start, for 10 s
    lab.kill(GATE)
    lab.killed[SAFETY] += 1
    lab.run(8.0)
    assert lab.ask(EXPORT, 2.0).outcome is Outcome.ACCEPTED
    assert lab.output(HALL)["value"] is None and lab.standing(HALL) == "off", "neither the trip nor a default: nothing"
    trips.stuck = False
    lab.run(60.0)
    assert lab.output(HALL)["level"] == 2 and {w.value for w in lab.wire if w.point == HALL} == {"off"}
    lab.sound()


def test_invariant_06_an_expired_request_has_no_effect_one_tick_later() -> None:
    lab = ready()
    lab.ask(HALL, "on", ttl_s=95.0)
    lab.run(90)
    assert lab.standing(HALL) == "on"
    lab.run(5)
    lab.ticks(1)
    assert lab.standing(HALL) == "auto"
    lab.sound()


@pytest.mark.parametrize(
    ("level", "source", "cap_s"),
    [(3, "operator", 86_400.0), (8, "user", 604_800.0), (10, "/plan/x", 3_600.0), (13, "/plan/x", 9_000.0),
     (15, "/plan/x", 9_000.0)],
)  # fmt: skip
def test_invariant_07_only_the_first_level_asks_for_longer_than_its_cap(level: int, source: str, cap_s: float) -> None:
    lab = Lab().start()
    ask = [lab.request(EXPORT, 1.0, level=level, source=source, ttl_s=s) for s in (cap_s, cap_s + 1.0, None, 0.0, -5.0)]
    assert [v.outcome for v in lab.offer(*ask)] == [Outcome.ACCEPTED] + [Outcome.REFUSED] * 4
    unlimited = lab.request(EXPORT, 0.0, level=1, source="user", ttl_s=None)
    assert lab.offer(unlimited)[0].outcome is Outcome.ACCEPTED
    lab.sound()


def test_invariant_08_epochs_and_numbers_of_a_source_only_rise_and_a_new_life_ends_the_old_ones_requests() -> None:
    lab = ready()
    first = lab.request(HALL, "on", epoch=(1, 1), seq=5)
    lab.offer(first, lab.request(BATH, "on", epoch=(1, 1), seq=6))
    old = [
        lab.request(HALL, "off", epoch=(1, 1), seq=5),
        lab.request(HALL, "off", epoch=(1, 1), seq=1),
        lab.request(HALL, "off", epoch=(0, 9), seq=99),
    ]
    assert [v.outcome for v in lab.offer(*old)] == [Outcome.REFUSED] * 3
    lab.offer(lab.request(BATH, "on", epoch=(1, 2), seq=1))
    lab.ticks(1)
    assert (lab.standing(HALL), lab.standing(BATH)) == ("auto", "on")
    lab.sound()


@settings(max_examples=8)
@given(again=st.lists(st.integers(0, 2), max_size=6), seed=st.integers(0, 3))
def test_invariant_09_a_request_offered_often_acts_as_one_offered_once(again: list[int], seed: int) -> None:
    def live(repeats: list[int]) -> list[tuple[float, str, str]]:
        lab = Lab(seed=seed).start()
        asked = [lab.request(HALL, "on"), lab.request(EXPORT, 2.0), lab.request(MODE, HOLD)]
        lab.offer(*asked)
        for i in repeats:
            lab.offer(asked[i])
        lab.run(300)
        for i in repeats:
            lab.offer(asked[i])
        lab.run(900)
        lab.sound()
        return [(w.at_s, w.point, w.value) for w in lab.wire]

    assert live(again) == live([])


def test_invariant_10_without_a_permit_everything_is_at_its_default_within_a_tick() -> None:
    trips = StuckTrips()
    lab = Lab(config=house_file(tick_s=1.0), trips=trips).start(700.0)
    lab.override(HALL, "on")
    lab.ask(MODE, HOLD)
    lab.run(150)
    assert lab.standing(HALL) == "on" and lab.twin.truth().composite is Composite.HOLD
    trips.stuck = True  # the next safety actor hangs in its start, for 10 s
    lab.kill(SAFETY)
    lab.killed[SAFETY] += 1
    before = len(lab.wire)
    lab.run(lab.config.timing.permit_s + lab.config.timing.gate_tick_s)
    assert lab.standing(HALL) == "auto", "at default within a tick of the lapse"
    lab.override(BATH, "on")
    lab.run(6.0)
    assert {w.level for w in lab.wire[before:]} == {Level.DEFAULT}, "and nothing numbered 3 or more passes"
    trips.stuck = False
    lab.run(READY_S)
    assert lab.standing(HALL) == lab.standing(BATH) == "on", "the overrides still live"
    lab.sound()


def test_invariant_10_a_device_alone_lets_go_when_the_permit_lapses() -> None:
    trips = StuckTrips()
    lab = Lab(config=house_file(tick_s=1.0), trips=trips).start(700.0)
    lab.override(HALL, "on")
    lab.run(30)
    trips.stuck = True
    lab.kill(GATE)  # its next life waits for the safety actor, which hangs: nobody tells the device anything
    lab.killed[SAFETY] += 1
    lab.run(1.5)
    assert lab.standing(HALL) == "on"
    lab.run(1.5)
    assert lab.standing(HALL) == "auto" and lab.wire[-1].cause == "no permit", "well before its lease ends"
    lab.sound()


def test_invariant_10_a_trip_needs_no_permit() -> None:
    lab = Lab(config=house_file(tick_s=1.0)).start(700.0)
    lab.trip("floor", (HALL,))
    lab.killed[SAFETY] += 1
    lab.runtime.inject(SAFETY, Hang())
    lab.run(5.0)
    assert [w.value for w in lab.wire if w.point == HALL] == ["off"]
    lab.sound()


@settings(max_examples=12)
@given(
    st.permutations(
        [("/plan/a", 13, HALL, "on"), ("/plan/b", 13, HALL, "off"), ("/plan/c", 15, HALL, "on"),
         ("/plan/d", 10, EXPORT, 1.0), ("user", 8, BATH, "off"), ("/plan/e", 13, BATH, "on"),
         ("/plan/f", 13, EXPORT, 3.0)]
    )
)  # fmt: skip
def test_invariant_11_any_order_of_the_same_requests_settles_to_the_same_state(
    order: list[tuple[str, int, str, object]],
) -> None:
    def settled(requests: list[tuple[str, int, str, object]]) -> list[object]:
        lab = ready()
        for source, level, point, value in requests:
            lab.offer(lab.request(point, value, level=level, source=source, seq=1, ttl_s=3600.0))
        lab.run(1300.0)  # longer than any minimum time that an earlier order may have begun
        lab.sound()
        return [(lab.output(p)["value"], lab.output(p)["level"], lab.output(p)["holder"]) for p in (*RELAYS, EXPORT)]

    assert settled(order) == settled(sorted(order, key=str))


def test_invariant_12_after_a_restart_the_gate_is_at_default_until_sources_offer_again() -> None:
    lab = ready()
    lab.override(HALL, "on")
    lab.ask(BATH, "on")
    trip = lab.trip("fuse", (LIVING,))
    lab.run(30)
    assert lab.standing(HALL) == lab.standing(BATH) == "on"
    lab.kill(GATE)
    lab.ticks(1)
    assert lab.standing(HALL) == lab.standing(BATH) == "auto"
    assert lab.output(LIVING)["tripped"] == trip and lab.standing(LIVING) == "off"
    lab.run(READY_S)
    assert lab.standing(HALL) == "auto", "nothing of before the restart acts by itself"
    lab.override(HALL, "on")
    assert lab.standing(HALL) == "on"
    lab.sound()


def test_invariant_13_a_relay_without_refresh_falls_back_after_its_lease() -> None:
    lab = ready()
    lab.runtime.tell(  # an order of a gate that is never heard of again
        "/devices/rooms",
        ApprovedSetpoint(
            point=HALL, value="on", level=Level.PLAN, until_s=None, request_id="x", cause="test", gate_epoch=(99, 1)
        ),
    )
    lab.runtime.run_for(0.0)
    assert lab.standing(HALL) == "on"
    lease_s, tick_s = lab.config.timing.lease_s, lab.config.timing.device_tick_s
    lab.runtime.run_for(lease_s + tick_s)
    assert lab.standing(HALL) == "auto" and lab.wire[-1].cause == "lease ended"


def test_invariant_13_what_is_stored_in_the_inverter_ends_with_its_slot_when_all_of_us_are_dead() -> None:
    lab = Lab().start()
    lab.ask(MODE, CHARGE, ttl_s=7200.0)
    lab.run(180)
    assert lab.twin.truth().composite is Composite.CHARGE_FROM_GRID
    lab.sound()
    at = lab.twin.now  # from here on only the twin lives
    lab.twin.advance(at + timedelta(hours=2, minutes=2))
    assert lab.twin.truth().composite is Composite.REGULAR


def test_invariant_14_applied_is_said_after_the_read_back_only() -> None:
    lab = Lab().start()
    asked = lab.ask(MODE, HOLD)
    lab.run(120)
    said = [p for p in lab.proofs if p.request_id == asked.request_id]
    assert [p.stage for p in said] == ["written", "applied", "effective"]
    assert lab.twin.inverter.registers[slot_address(Priority.BATTERY_FIRST, 1) + 2] == 1
    lab.sound()


def test_invariant_14_three_read_backs_that_fail_mean_default_and_alarm() -> None:
    lab = Lab(faults=GatewayFaults(liar=True)).start()
    asked = lab.ask(MODE, CHARGE, ttl_s=7200.0)
    lab.run(900)
    stages = [p.stage for p in lab.proofs if p.request_id == asked.request_id]
    assert "failed" in stages and "applied" not in stages
    assert f"unconfirmed:{MODE}" in lab.alarms and lab.twin.truth().composite is Composite.REGULAR
    tries = [w for w in lab.wire if w.request_id == asked.request_id]
    assert max(sum(w.detail == t.detail for w in tries) for t in tries) <= 3
    lab.sound()


NONSENSE: list[tuple[str, object]] = [
    (EXPORT, math.nan), (EXPORT, math.inf), (EXPORT, "5"), (EXPORT, 10**400), (EXPORT, None), (EXPORT, [1.0]),
    (HALL, "warm"), (HALL, 1), (HALL, True), (HALL, None), (HALL, ["on"]), (HALL, b"on"), (HALL, "on" * 100_000),
    (MODE, "charge_from_grid"), (MODE, InverterMode(composite="charge_from_grid")),  # type: ignore[arg-type]
    (MODE, InverterMode(composite=Composite.CHARGE_FROM_GRID)), (MODE, InverterMode(composite=None)),  # type: ignore[arg-type]
    (MODE, InverterMode(composite=Composite.HOLD, stop_soc=math.nan)),
    (MODE, InverterMode(composite=Composite.HOLD, rate=-math.inf)),
    (MODE, InverterMode(composite=Composite.HOLD, stop_soc=10**400)),
    ("room.cellar.relay", "on"), ("", "on"), (7, "on"), (["x"], "on"), (None, "on"),  # type: ignore[list-item]
]  # fmt: skip


@pytest.mark.parametrize(("point", "value"), NONSENSE)
def test_invariant_15_nonsense_is_refused_with_a_reason_and_harms_nobody(point: str, value: object) -> None:
    lab = Lab().start()
    verdict = lab.offer(lab.request(point, value))[0]
    assert verdict.outcome is Outcome.REFUSED and 0 < len(verdict.reason) < 600
    lab.run(60)
    assert [w for w in lab.wire if w.level is not Level.DEFAULT] == []
    lab.sound()


@pytest.mark.parametrize(
    "wrong",
    [{"seq": math.nan}, {"seq": "9"}, {"epoch": (1,), "name": "x"}, {"epoch": (1, "x")}, {"epoch": 7, "name": "x"},
     {"source": 3}, {"source": ["/plan/x"]}, {"level": 99}, {"level": "plan"}, {"name": 5}, {"name": "x" * 300},
     {"ttl_s": 1e9}, {"issued_in_s": 6.0}, {"issued_in_s": -1e9}],
)  # fmt: skip
def test_invariant_15_a_request_that_is_not_one_is_refused(wrong: dict[str, object]) -> None:
    lab = Lab().start()
    verdict = lab.offer(lab.request(HALL, "on", **wrong))[0]  # type: ignore[arg-type]
    assert verdict.outcome is Outcome.REFUSED and verdict.reason
    assert lab.ask(HALL, "on").outcome is Outcome.ACCEPTED, "the gate goes on"
    lab.sound()


# --- physics ----------------------------------------------------------------------------------------------------------
def test_invariant_16_no_charge_begins_at_a_full_battery_and_no_discharge_at_an_empty_one() -> None:
    for soc, mode, sun in ((1.0, CHARGE, 1.0), (0.2, SELL, 0.0)):
        lab = Lab(soc=soc, rules=False, world=a_world(sun=sun)).start()
        lab.override(MODE, mode)
        lab.run(300)
        assert [w for w in lab.wire if w.point == MODE] == []
        lab.sound()


def test_invariants_21_and_22_buying_and_selling_never_stand_in_the_registers_together() -> None:
    lab = Lab(soc=0.6).start()
    for i in range(4):
        lab.ask(MODE, (CHARGE, SELL)[i % 2], ttl_s=7200.0)
        for _ in range(120):
            lab.runtime.run_for(1.0)
            stored = lab.twin.inverter.registers
            battery = any(stored[slot_address(Priority.BATTERY_FIRST, n) + 2] for n in (1, 2, 3))
            grid = any(stored[slot_address(Priority.GRID_FIRST, n) + 2] for n in (1, 2, 3))
            assert not (grid and stored[Holding.BATTERY_FIRST_AC_CHARGE])
            assert not (grid and battery)
    assert {w.value.split(" ")[0] for w in lab.wire if w.point == MODE} == {"charge_from_grid", "discharge_to_grid"}
    lab.sound()


def test_invariant_21_a_stick_that_lies_about_switching_off_is_not_believed_before_switching_on() -> None:
    lab = Lab(soc=0.6).start()
    lab.ask(MODE, SELL, ttl_s=7200.0)
    lab.run(120)
    lab.twin.inject("liar", True)
    lab.ask(MODE, CHARGE, ttl_s=7200.0)
    lab.run(600)
    made = [w for w in lab.wire if w.detail.startswith("batteryfirst/set/timeslot") and '"enabled": true' in w.detail]
    assert made == [] and not lab.twin.inverter.registers[Holding.BATTERY_FIRST_AC_CHARGE]
    lab.sound()


def test_invariant_21_a_new_life_of_the_driver_waits_for_what_the_former_one_had_in_flight() -> None:
    lab = Lab(soc=0.6, faults=GatewayFaults(slow=True)).start()
    lab.ask(MODE, CHARGE, ttl_s=7200.0)
    while not any("timeslot" in w.detail for w in lab.wire):
        lab.run(1.0)
    lab.kill("/devices/inverter")  # its last command takes 5 to 10 s to arrive
    lab.ask(MODE, SELL, ttl_s=7200.0)
    for _ in range(120):
        lab.runtime.run_for(1.0)
        stored = lab.twin.inverter.registers
        grid = stored[slot_address(Priority.GRID_FIRST, 1) + 2]
        assert not (grid and stored[slot_address(Priority.BATTERY_FIRST, 1) + 2])
        assert not (grid and stored[Holding.BATTERY_FIRST_AC_CHARGE])
    lab.sound()


def test_invariant_23_relays_keep_their_minimum_times_and_starts_whatever_is_asked() -> None:
    lab = Lab(rules=False).start()
    room, switched, was = 0, [], False
    for i in range(240):
        word = "on" if i % 2 else "off"
        (lab.override if i % 3 else lab.ask)(HALL, word)
        for _ in range(3):
            lab.runtime.run_for(10.0)
            now = lab.twin.truth().rooms[room].relay_on
            if now != was:
                was = now
                switched.append(lab.clock.monotonic())
    lab.run(1)
    assert len(switched) > 5
    assert min(b - a for a, b in itertools.pairwise(switched)) >= 600.0 - 10.0
    lab.sound()


def test_invariant_23_a_relay_with_short_times_starts_no_more_than_four_times_an_hour() -> None:
    lab = Lab(config=house_file(relay_min_s=60.0), rules=False).start(120.0)
    starts, was = [], False
    for i in range(120):
        lab.override(BATH, "off" if i % 2 else "on")
        lab.run(60.0)
        now = lab.twin.truth().rooms[1].relay_on
        if now and not was:
            starts.append(lab.clock.monotonic())
        was = now
    assert len(starts) >= 8
    assert min(b - a for a, b in zip(starts, starts[4:], strict=False)) >= 3600.0 - 60.0
    lab.sound()


def test_invariant_23_after_a_restart_of_the_gate_a_relay_is_not_switched_before_its_state_is_known() -> None:
    lab = ready()
    lab.override(HALL, "on")
    lab.run(30)
    lab.twin.inject("loxone_silent", True)
    lab.kill(GATE)
    lab.run(20)
    lab.override(HALL, "on")
    lab.run(30)
    assert lab.output(HALL)["waiting"] == "the relay's state is not known yet" and lab.standing(HALL) == "auto"
    lab.sound()


def test_invariants_18_and_24_a_limit_switches_off_at_once_whatever_the_minimum_time() -> None:
    lab = ready()
    lab.override(LIVING, "on", ttl_s=7200.0)
    lab.run(30)
    assert lab.twin.truth().rooms[2].relay_on
    lab.twin._air[2] = ROOMS[2].max_c + 0.3
    lab.run(2 * lab.config.timing.telemetry_s)
    assert not lab.twin.truth().rooms[2].relay_on and lab.standing(LIVING) == "off"
    lab.sound()


def test_invariant_18_an_overloaded_phase_is_shed_in_order_and_returns() -> None:
    lab = Lab(world=a_world(load_kw=0.4, sun=0.0), config=house_file(fuse_a=16.0), soc=0.2).start(READY_S)
    for relay in RELAYS:
        lab.override(relay, "on", ttl_s=7200.0)
        lab.run(60)
    assert all(r.relay_on for r in lab.twin.truth().rooms)
    lab.twin._load_kw = 6.0  # a kettle, an oven and a car; until the quarter hour ends
    lab.runtime.run_for(70.0)
    assert not lab.twin.truth().rooms[0].relay_on, "the first of the order is shed first"
    assert max(lab.twin.truth().phase_import_kw) <= 16.0 * 230.0 / 1000.0
    lab.run(1800.0)
    assert all(r.relay_on for r in lab.twin.truth().rooms), "they return when there is room"
    lab.sound()


def test_invariant_20_feed_in_is_off_while_it_costs_money() -> None:
    lab = Lab(spot=[0.1] * 2 + [-0.05] * 4 + [0.1] * 40, soc=1.0).start()
    lab.run(1200)
    exported = lab.twin.truth().grid_kw
    lab.run(900)
    assert exported < -0.5 and lab.standing(EXPORT) == "0.0" and lab.twin.truth().grid_kw >= -0.05
    lab.run(3600)
    assert lab.standing(EXPORT) == "8.0" and lab.audit.checks[20] > 10
    lab.sound()


def test_invariant_20_an_unknown_price_permits_no_selling() -> None:
    lab = Lab(spot=[math.nan] * 40, soc=0.9).start()
    lab.override(MODE, SELL)
    lab.run(300)
    assert [w for w in lab.wire if w.point == MODE] == []
    lab.know([0.2] * 40)
    lab.run(60)
    assert lab.standing(MODE).startswith("discharge_to_grid")
    lab.sound()


def test_invariant_25_a_frozen_room_may_heat_whatever_is_asked() -> None:
    lab = ready()
    lab.override(HALL, "off", ttl_s=7200.0)
    lab.run(60)
    lab.twin._air[0] = 7.5
    lab.twin._slab[0] = 7.5
    lab.run(2 * lab.config.timing.telemetry_s + 20.0)
    lab.twin._air[0] = 7.5
    lab.run(60.0)
    assert lab.standing(HALL) == "auto" and lab.twin.truth().rooms[0].relay_on
    lab.sound()


def test_invariant_27_a_silent_sensor_ends_the_plans_hold_and_is_believed_after_three_samples() -> None:
    lab = ready()
    lab.ask(HALL, "on", ttl_s=7200.0)
    lab.override(BATH, "on", ttl_s=7200.0)
    lab.run(30)
    lab.twin.inject("sensor_silent.hall", True)
    lab.twin.inject("sensor_silent.bath", True)
    max_age_s, tick_s = lab.config.timing.rooms_max_age_s, lab.config.timing.telemetry_s
    lab.run(max_age_s - 30.0)
    assert lab.standing(HALL) == "on"
    lab.run(30.0 + 2 * tick_s)
    assert lab.standing(HALL) == "auto" and lab.standing(BATH) == "on", "an override is a person's own responsibility"
    lab.run(READY_S)
    lab.twin.inject("sensor_silent.hall", False)
    lab.runtime.run_for(2.5 * tick_s)
    assert lab.standing(HALL) == "auto"
    lab.run(2 * tick_s)
    assert lab.standing(HALL) == "on"
    lab.sound()


GARBAGE = [
    b"", b"{", b"null", b"[1]", b"\xff\xfe", b'{"InverterStatus":NaN}', b'{"InverterStatus":1e999}',
    b'{"InverterStatus":1,"SOC":140}', b'{"InverterStatus":1,"SOC":-3}', b'{"InverterStatus":1,"SOC":"50"}',
    b'{"InverterStatus":1,"SOC":true}', b'{"InverterStatus":1,"SOC":1' + b"0" * 400 + b"}", b"[" * 3000,
    b'{"InverterStatus":1,"ACPowerToUser":9e9}', b'{"SOC":50}', b'{"InverterStatus":1,"InverterStatus":1}',
    b'{"InverterStatus":1,"SOC":50,"SystemYear":21,"SystemMonth":13,"SystemDay":1,"SystemHour":1,"SystemMinute":1,'
    b'"SystemSecond":1}', b"x" * 200_000,
]  # fmt: skip


@pytest.mark.parametrize("payload", GARBAGE, ids=lambda p: repr(p[:30]))
def test_invariant_28_telemetry_that_cannot_be_is_counted_and_changes_nothing(payload: bytes) -> None:
    lab = Lab().start()
    before = lab.runtime.behaviour_snapshot("/devices/inverter")
    for topic in ("energy/solar", "energy/solar/result", "loxone/status", "loxone/heating/hall/status"):
        lab.hear(topic, payload)
    after = lab.runtime.behaviour_snapshot("/devices/inverter")
    assert {k: v for k, v in after.items() if k not in ("rejected", "alarms", "age_s")} == {
        k: v for k, v in before.items() if k not in ("rejected", "alarms", "age_s")
    }
    assert after["rejected"] > before["rejected"]  # type: ignore[operator]
    assert lab.output(MODE)["value"] == "regular"
    lab.run(60)
    lab.sound()


def test_invariant_28_one_impossible_temperature_spoils_one_room_only() -> None:
    lab = Lab().start()
    lab.hear("loxone/status", b'{"temperature":{"hall":900,"bath":21.4},"relay":{"hall":"on"}}')
    rooms = lab.runtime.behaviour_snapshot("/devices/rooms")["rooms"]
    assert isinstance(rooms, dict)
    assert rooms["hall"]["air_c"] is None and rooms["bath"]["air_c"] == 21.4


def test_invariant_29_a_day_of_changing_minds_stays_within_the_write_budgets() -> None:
    lab = Lab(config=house_file(tick_s=60.0), soc=0.6, rules=False).start()
    for i in range(24 * 12):
        mode = (CHARGE, SELL, HOLD, REGULAR)[i % 4]
        lab.ask(MODE, mode, ttl_s=7200.0)
        lab.ask(EXPORT, float(i % 7), ttl_s=3600.0)
        if i % 50 == 20:
            lab.kill("/devices/inverter")
        lab.run(300.0)
    slots = sum("timeslot" in w.detail for w in lab.wire)
    others = sum(w.counted for w in lab.wire) - slots
    assert 20 <= others <= 24 and slots <= 48
    assert sum(lab.twin.inverter.equal_writes.values()) == 0
    lab.sound()


def test_invariant_26_relays_are_not_switched_on_beyond_the_connection() -> None:
    lab = Lab(world=a_world(sun=0.0, load_kw=6.0), soc=0.2).start(READY_S)
    for relay in RELAYS:  # 6 kW of 11 are in use; 1.2, 0.6 and 4.8 kW are wanted in the same instant
        lab.override(relay, "on", ttl_s=7200.0)
    lab.run(300)
    assert [r.relay_on for r in lab.twin.truth().rooms] == [True, True, False]
    lab.sound()


def test_invariant_29_what_could_not_be_read_back_yet_is_not_written_again() -> None:
    lab = Lab(rules=False).start()
    lab.twin.inject("telemetry_silent", True)
    lab.twin.inject("offline", True)
    lab.ask(EXPORT, 2.0, ttl_s=3600.0)
    lab.run(50.0)
    assert [w.value for w in lab.wire if w.counted] == ["2.0"]
    lab.sound()


def test_invariant_29_a_default_that_never_comes_back_is_tried_ever_more_rarely() -> None:
    lab = Lab(rules=False).start()
    lab.ask(EXPORT, 2.0, ttl_s=600.0)
    lab.run(300.0)
    lab.twin.inject("liar", True)
    lab.run(300.0 + 3600.0)
    assert 6 < sum(w.counted for w in lab.wire) <= 20, "the day's budget is not gone in an hour"
    lab.sound()


@pytest.mark.parametrize("jump_s", [-7200.0, -10.0, 10.0, 3600.0, 86_400.0])
def test_invariant_33_a_clock_jump_lengthens_nothing_and_switches_no_relay(jump_s: float) -> None:
    lab = ready()
    lab.ask(HALL, "on", ttl_s=600.0)
    lab.run(60)
    before = len([w for w in lab.wire if w.point in RELAYS])
    lab.clock.wrong_s += jump_s
    lab.run(530)
    assert len([w for w in lab.wire if w.point in RELAYS]) == before and lab.standing(HALL) == "on"
    lab.run(10)
    lab.ticks(1)
    assert lab.standing(HALL) == "auto", "600 s after it was asked for, by the clock that does not jump"
    lab.sound()


# --- actors -----------------------------------------------------------------------------------------------------------
def test_invariant_34_an_order_of_an_older_gate_has_no_effect() -> None:
    lab = ready()
    lab.kill(GATE)
    lab.run(30)
    order = ApprovedSetpoint(
        point=HALL, value="on", level=Level.PLAN, until_s=None, request_id="old", cause="test", gate_epoch=(1, 1)
    )
    lab.runtime.tell("/devices/rooms", order)
    lab.run(60)
    assert "on" not in {w.value for w in lab.wire if w.point == HALL}
    lab.sound()


def test_invariant_36_a_device_that_gives_up_changes_no_other_output() -> None:
    lab = ready()
    lab.override(HALL, "on", ttl_s=7200.0)
    lab.ask(MODE, HOLD, ttl_s=7200.0)
    lab.run(60)
    for _ in range(20):
        lab.kill("/devices/meter")
        lab.run(10.0)
    state = {s.path: s.state for s in lab.runtime.stats()}
    assert state["/devices/meter"] == "parked" and state["/devices/rooms"] == state[GATE] == "running"
    assert lab.standing(HALL) == "on" and lab.standing(MODE).startswith("hold")
    lab.sound()


def test_invariant_37_every_message_is_accounted_for_in_the_whole_house() -> None:
    lab = Lab(shuffle=True).start()
    lab.override(HALL, "on")
    for path in (GATE, "/devices/rooms", "/io/link", SAFETY):
        lab.kill(path)
        lab.run(15.0)
        assert lab.runtime.ledger().balanced


def _story(seed: int) -> Lab:
    lab = Lab(seed=seed, trace=True, shuffle=True, faults=GatewayFaults(lost=0.2)).start()
    lab.ask(MODE, HOLD)
    lab.override(HALL, "on")
    lab.run(400)
    lab.kill("/devices/rooms")
    lab.trip("floor", (BATH,))
    lab.run(400)
    return lab


def test_invariant_45_the_same_seed_writes_the_same_wire_and_another_seed_another_trace() -> None:
    one, two, other = _story(1), _story(1), _story(2)
    assert one.wire == two.wire and one.runtime.trace_hash() == two.runtime.trace_hash()
    assert one.runtime.trace_hash() != other.runtime.trace_hash()


def test_invariant_45_a_run_is_the_same_in_another_process_with_another_hash_seed() -> None:
    code = "from tests.properties.test_invariants import _story; print(_story(1).runtime.trace_hash())"
    found = set()
    for seed in ("0", "77"):
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True,
            check=True, timeout=120,
        )  # fmt: skip
        found.add(done.stdout.strip())
    assert found == {_story(1).runtime.trace_hash()}
