"""The inverter's actor on the twin: what is written, when it counts as applied, and what a failing stick does to it."""

from __future__ import annotations

import itertools
import json
from datetime import datetime
from pathlib import Path

import pytest

from actors.devices.base import DeviceTiming
from actors.devices.inverter import (
    DEVICE,
    EXPORT,
    MODE,
    PACING_S,
    PATH,
    TRIES,
    points,
)
from actors.devices.inverter_job import InverterExtras, WearLog
from actors.devices.registry import DEVICES, all_points
from actors.devices.write_budget import EXPORT_RESERVE, RESERVE
from actors.links.twin import TwinLink
from actors.memory import MemoryWear
from actors.messages import Incoming, Proof, Release, Released, Wear, WireWrite
from actors.store.boot import Boot
from actors.store.wear import FileWear
from models.types.command import Level
from models.types.mode import REGULAR, Composite, InverterMode
from models.types.reading import InverterReading
from tests.actors.devices.bench import START, TwinBench, a_house, a_world
from tests.actors.devices.test_growatt import payload

CHARGE = InverterMode(composite=Composite.CHARGE_FROM_GRID, stop_soc=0.9)
SELL = InverterMode(composite=Composite.DISCHARGE_TO_GRID, stop_soc=0.3)
HOLD = InverterMode(composite=Composite.HOLD)
SOLAR, RESULT = "energy/solar", "energy/solar/result"
TIMING = DeviceTiming(
    tick_s=1.0, lease_s=10.0, settle_s=30.0, answer_s=12.0, heartbeat_s=15.0, command_ttl_s=30.0, effect_s=120.0
)


class House(TwinBench):
    """An inverter behind its stick, with a permit, after its first telemetry."""

    def __init__(
        self,
        *,
        wear: WearLog | None = None,
        budget: int = 24,
        slot_budget: int = 48,
        quiet: bool = False,
        **how: object,
    ) -> None:
        house = a_house()
        self.wear = wear or MemoryWear()
        extras = InverterExtras(wear=self.wear, budget=budget, slot_budget=slot_budget)
        super().__init__(
            {PATH: lambda: DEVICE.make(house, TIMING, extras)}, house=house, events=(InverterReading, Wear),
            link=lambda: TwinLink(tick_s=1.0, deadline_s=60.0, quick=False), **how,  # type: ignore[arg-type]
        )  # fmt: skip
        self.twin.inject("telemetry_silent", quiet)
        self.start()
        self.permit()
        self.run(12)

    def ask(self, value: InverterMode | float, **how: object) -> None:
        self.order(PATH, EXPORT if isinstance(value, float) else MODE, value, **how)  # type: ignore[arg-type]

    def written(self, point: str = MODE) -> list[str]:
        """Commands that reached the wire for a point, without their bodies."""
        return [w.detail.split(" ", 1)[0] for w in self.of(WireWrite) if w.point == point]

    def release(self, *, wait: bool = True) -> Released:
        answer = self.runtime.ask(PATH, Release(wait=wait), 300.0)
        assert isinstance(answer, Released)
        return answer

    def snapshot(self) -> dict[str, object]:
        return self.runtime.behaviour_snapshot(PATH)


# --- from the order to the power flow ---------------------------------------------------------------------------------
def test_applied_is_said_after_the_read_back_and_effective_only_when_the_power_flows() -> None:
    house = House(soc=0.5)
    house.ask(CHARGE)
    house.run(200)
    assert house.stages(MODE) == ["applied", "effective", "written", "applied", "effective"]  # first of the default
    assert house.twin.truth().battery_kw == pytest.approx(5.0, abs=0.2)
    written, applied, effective = [p.latency_s for p in house.of(Proof) if p.request_id == "r1"]
    assert written < applied < effective
    assert house.alarms(f"ineffective:{MODE}") == []


def test_nothing_is_written_before_the_registers_were_read() -> None:
    house = House()
    quiet = House(quiet=True)
    for bench in (house, quiet):
        bench.ask(HOLD)
        bench.ask(0.0)
        bench.run(5)
    assert house.written() and not quiet.written() and not quiet.written(EXPORT)


def test_a_mode_in_the_registers_that_the_power_flow_does_not_show_is_an_alarm_until_it_does() -> None:
    house = House(soc=0.5)
    house.twin.inject("inverter_fault", True)
    house.ask(CHARGE)
    house.run(240)
    assert house.alarms(f"ineffective:{MODE}") == [True]
    assert house.stages(MODE)[-1] == "applied"
    house.twin.inject("inverter_fault", False)
    house.run(60)
    assert house.alarms(f"ineffective:{MODE}") == [True, False]
    assert house.stages(MODE)[-1] == "effective"


@pytest.mark.parametrize(
    ("mode", "sun", "sign"),
    [(CHARGE, 0.0, 1), (SELL, 0.0, -1), (HOLD, 0.0, 0), (InverterMode(composite=Composite.SELL_PRODUCTION), 800.0, 0),
     (REGULAR, 0.0, -1)],
    ids=lambda v: str(v),
)  # fmt: skip
def test_every_composite_becomes_effective(mode: InverterMode, sun: float, sign: int) -> None:
    house = House(soc=0.6, world=a_world(sun_w_per_m2=sun))
    house.ask(mode)
    house.run(240)
    assert house.stages(MODE)[-1] == "effective"
    truth = house.twin.truth()
    assert truth.composite is mode.composite
    assert (truth.battery_kw > 0.1) - (truth.battery_kw < -0.1) == sign
    assert not any(truth.equal_writes.values())


def test_one_mode_follows_another_without_ever_buying_and_selling() -> None:
    house = House(soc=0.6)
    for n, mode in enumerate((CHARGE, SELL, HOLD, SELL, CHARGE, REGULAR)):
        house.ask(mode, request_id=f"r{n}")
        for _ in range(150):
            house.run(1)
            r = house.twin.inverter.registers
            assert not (r[1092] == 1 and any(r[1082 + 3 * i] == 1 for i in range(3)))
        assert house.stages(MODE)[-1] == "effective", mode
    assert not any(house.twin.truth().equal_writes.values())


def test_writes_are_paced_and_one_at_a_time() -> None:
    house = House()
    house.ask(CHARGE)
    house.ask(2.0)
    house.run(60)
    times = [w.at_s for w in house.of(WireWrite)]
    assert len(times) == 4
    assert min(b - a for a, b in itertools.pairwise(times)) >= PACING_S - 1e-6
    assert house.twin.gateway.refused == 0


def test_nothing_comes_between_the_registers_of_one_mode_change() -> None:
    house = House()
    house.twin.inject("slow", True)
    house.ask(CHARGE)
    house.run(3)
    house.ask(2.0)
    house.run(90)
    points_written = [w.point for w in house.of(WireWrite)]
    assert points_written == [MODE, MODE, MODE, EXPORT]


def test_a_power_limit_and_the_export_limit_reach_the_device() -> None:
    house = House(world=a_world(sun_w_per_m2=900.0), soc=0.95)
    house.ask(InverterMode(composite=Composite.SELL_PRODUCTION, rate=0.4))
    house.ask(1.5)
    house.run(240)
    assert house.twin.inverter.export_limit_kw == pytest.approx(1.5)
    assert house.twin.truth().grid_kw >= -1.6
    assert house.stages(EXPORT)[-1] == "effective"
    assert house.twin.inverter.registers[1070] == 40


# --- how an order ends ------------------------------------------------------------------------------------------------
def test_a_default_is_not_called_applied_on_a_reading_from_before_the_last_write() -> None:
    house = House(soc=0.5)
    house.ask(CHARGE)
    house.ask(REGULAR, request_id="r2")
    house.run(2.5)
    assert house.written() == ["batteryfirst/set/stopsoc"]
    assert [p.stage for p in house.of(Proof) if p.request_id == "r2"] == [], "what was just written may not show yet"
    house.run(3)
    assert [p.stage for p in house.of(Proof) if p.request_id == "r2"] == ["applied"]


def test_an_order_ends_by_itself_and_the_default_is_written_and_proven() -> None:
    house = House(soc=0.5)
    house.ask(CHARGE, for_s=300.0)
    house.run(299)
    assert house.twin.truth().composite is Composite.CHARGE_FROM_GRID
    house.run(60)
    truth = house.twin.truth()
    assert truth.composite is Composite.REGULAR
    assert house.of(Proof)[-1].value == "regular" and house.stages(MODE)[-1] == "effective"
    assert house.twin.inverter.registers[1092] == 0


def test_what_is_stored_ends_with_its_slot_when_we_die() -> None:
    house = House(soc=0.5)
    house.ask(CHARGE, for_s=600.0)
    house.run(120)
    house.runtime.stop()
    end = house.clock.now()
    house.twin.advance(end.replace(minute=end.minute + 10))
    assert house.twin.truth().composite is Composite.REGULAR


def test_when_the_permit_lapses_everything_goes_back() -> None:
    house = House(soc=0.5)
    house.permit(100.0)
    house.ask(CHARGE)
    house.ask(0.0)
    house.run(99)
    assert house.twin.truth().composite is Composite.CHARGE_FROM_GRID and house.twin.inverter.export_limit_kw == 0
    before = len(house.of(WireWrite))
    house.run(40)
    assert {w.level for w in house.of(WireWrite)[before:]} == {Level.DEFAULT}
    assert house.of(WireWrite)[before].at_s <= 113.0
    assert house.twin.truth().composite is Composite.REGULAR
    assert house.twin.inverter.export_limit_kw == 8.0


def test_a_trip_needs_no_permit_and_does_not_wait_for_an_answer() -> None:
    house = House(soc=0.7)
    house.twin.inject("slow", True)
    house.ask(CHARGE)
    house.run(3)
    house.permit(0.0)
    stop = InverterMode(composite=Composite.HOLD, stop_soc=0.5)
    at_s = house.clock.monotonic()
    house.order(PATH, MODE, stop, level=Level.EMERGENCY_STOP, for_s=None, request_id="")
    house.order(PATH, EXPORT, 0.0, level=Level.EMERGENCY_STOP, for_s=None, request_id="")
    house.run(2)
    urgent = [w for w in house.of(WireWrite) if w.level is Level.EMERGENCY_STOP]
    assert urgent and urgent[0].at_s - at_s <= PACING_S
    house.run(200)
    assert house.twin.truth().composite is Composite.HOLD
    assert house.twin.inverter.export_limit_kw == 0.0
    assert house.twin.inverter.registers[1091] == 50
    assert abs(house.twin.truth().battery_kw) < 0.01


def test_an_order_of_an_older_gate_or_for_another_point_is_refused() -> None:
    house = House()
    house.ask(2.0, gate_epoch=(2, 1))
    house.ask(5.0, gate_epoch=(1, 9))
    house.order(PATH, "room.hall.relay", "on", gate_epoch=(2, 1))
    house.run(30)
    assert house.twin.inverter.export_limit_kw == 2.0
    assert house.snapshot()["rejected"] == 2


def test_a_run_too_short_for_a_slot_writes_nothing_and_is_never_called_applied() -> None:
    house = House(soc=0.5)
    house.ask(CHARGE, for_s=30.0)
    house.run(60)
    assert house.written() == []
    assert "r1" not in {p.request_id for p in house.of(Proof)}


def test_near_midnight_a_mode_waits_for_the_new_day_before_it_is_called_applied() -> None:
    house = House(start=datetime(2021, 2, 8, 22, 57, 30, tzinfo=START.tzinfo), world=a_world(), soc=0.5)
    house.ask(HOLD)
    house.run(120)
    assert house.written() == []
    assert "r1" not in {p.request_id for p in house.of(Proof)}
    house.run(240)
    assert house.stages(MODE)[-1] == "effective"
    assert house.twin.truth().composite is Composite.HOLD


def test_a_long_run_is_renewed_once_near_the_end_of_its_slot() -> None:
    house = House(soc=0.9)
    house.ask(HOLD, for_s=3 * 3600.0)
    house.run(2.5 * 3600)
    assert house.written() == ["batteryfirst/set/stopsoc", "batteryfirst/set/timeslot", "batteryfirst/set/timeslot"]
    assert house.twin.truth().composite is Composite.HOLD
    assert house.twin.inverter.registers[1091] == 89, "the SOC of the moment it began, floored"


# --- a stick that fails -----------------------------------------------------------------------------------------------
def test_a_liar_is_believed_three_times_and_then_the_point_is_at_its_default_with_an_alarm() -> None:
    house = House(soc=0.5)
    house.twin.inject("liar", True)
    house.ask(CHARGE)
    house.run(400)
    assert house.written().count("batteryfirst/set/stopsoc") == TRIES
    assert [w.level for w in house.of(WireWrite)[3 * TRIES :]] == [Level.DEFAULT], "what may have arrived is undone"
    assert house.stages(MODE)[2:4] == ["written", "failed"]
    assert "applied" not in [p.stage for p in house.of(Proof) if p.request_id == "r1"]
    assert house.alarms(f"unconfirmed:{MODE}")[0]
    assert house.twin.truth().composite is Composite.REGULAR
    house.twin.inject("liar", False)
    house.run(60)
    assert house.twin.truth().composite is Composite.REGULAR, "the same request is not tried again"
    house.ask(CHARGE, request_id="r2")
    house.run(200)
    assert house.twin.truth().composite is Composite.REGULAR, "nor a new one of a program, for a while"
    house.ask(CHARGE, request_id="r3", level=Level.USER)
    house.run(200)
    assert house.twin.truth().composite is Composite.CHARGE_FROM_GRID, "a person is obeyed"
    assert house.alarms(f"unconfirmed:{MODE}")[-1] is False


def test_a_program_that_asks_a_liar_again_and_again_wears_it_ever_more_rarely() -> None:
    house = House(soc=0.5, budget=100)
    house.twin.inject("liar", True)
    for number in range(12 * 3):  # three hours, a new request every five minutes
        house.ask(CHARGE, request_id=f"r{number}")
        house.run(300)
    failed_s = [p.at.timestamp() for p in house.of(Proof) if p.stage == "failed" and p.request_id]
    pauses = [b - a for a, b in itertools.pairwise(failed_s)]
    assert len(pauses) >= 2 and pauses[0] >= 900.0
    assert all(b > 1.5 * a for a, b in itertools.pairwise(pauses)), pauses
    assert house.alarms(f"unconfirmed:{MODE}") == [True], "one trouble, said once"


def test_a_liar_that_mends_is_trusted_again_when_its_pause_is_over() -> None:
    house = House(soc=0.5)
    house.twin.inject("liar", True)
    house.ask(CHARGE, for_s=7200.0)
    house.run(200)
    house.twin.inject("liar", False)
    house.run(1000)
    assert house.alarms(f"unconfirmed:{MODE}") == [True, False]
    house.ask(CHARGE, request_id="r2")
    house.run(200)
    assert house.twin.truth().composite is Composite.CHARGE_FROM_GRID


def test_an_answer_that_lies_never_lets_selling_start_while_buying_is_on() -> None:
    house = House(soc=0.6)
    house.ask(CHARGE)
    house.run(120)
    house.twin.inject("liar", True)
    house.ask(SELL, request_id="r2")
    house.run(300)
    assert "gridfirst/set/timeslot" not in house.written()
    assert "failed" in house.stages(MODE)


def test_a_default_that_fails_is_tried_again_ever_more_rarely_until_it_stands() -> None:
    house = House(soc=0.5)
    house.ask(CHARGE, for_s=200.0)
    house.run(120)
    house.twin.inject("liar", True)
    house.run(100 + 1200)
    times = [w.at_s for w in house.of(WireWrite) if '{"value": 0}' in w.detail]
    pauses = [b - a for a, b in zip(times[TRIES - 1 :: TRIES], times[TRIES::TRIES], strict=False)]
    assert len(pauses) >= 3
    assert all(b > 1.7 * a for a, b in itertools.pairwise(pauses)), pauses
    assert f"unconfirmed:{MODE}" in str(house.snapshot()["alarms"])
    house.twin.inject("liar", False)
    house.run(2000)
    assert house.twin.inverter.registers[1092] == 0
    assert house.stages(MODE)[-1] == "effective"
    assert house.alarms(f"unconfirmed:{MODE}")[-1] is False


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_when_no_answer_ever_comes_the_telemetry_tells(seed: int) -> None:
    house = House(soc=0.5, seed=seed)
    house.twin.inject("lost", 1.0)
    house.ask(CHARGE)
    house.run(600)
    per_register = [house.written().count(c) for c in set(house.written())]
    assert max(per_register) <= 2 * TRIES
    stages = [p.stage for p in house.of(Proof) if p.request_id == "r1"]
    shows = house.twin.truth().composite is Composite.CHARGE_FROM_GRID
    assert stages in (["applied", "effective"], ["failed"])
    assert shows is (stages[-1] == "effective")
    assert not any(house.twin.truth().equal_writes.values())


def test_a_slow_stick_is_waited_for() -> None:
    house = House(soc=0.5)
    house.twin.inject("slow", True)
    house.ask(CHARGE)
    house.run(300)
    assert house.stages(MODE)[-1] == "effective"
    assert len(house.written()) == 3
    assert not any(house.twin.truth().equal_writes.values())


def test_results_of_another_question_are_counted_and_not_believed() -> None:
    house = House(soc=0.5)
    house.twin.inject("stale", True)
    house.ask(CHARGE)
    house.run(300)
    assert house.snapshot()["rejected"] == len(house.written()) - 1, "all but the very first, which has no forerunner"
    assert house.stages(MODE)[-1] == "effective", "the read-back has proven it"


def test_a_retained_result_is_an_old_answer() -> None:
    house = House()
    house.twin.inject("lost", 1.0)
    house.ask(HOLD)
    right = json.dumps({"correlationId": "pems-1.1-1", "command": "batteryfirst/set/stopsoc", "success": True}).encode()
    house.hear(RESULT, right, retained=True)
    assert "written" not in house.stages(MODE)
    house.hear(RESULT, right)
    assert house.stages(MODE)[-1] == "written"
    assert house.snapshot()["rejected"] == 0


@pytest.mark.parametrize(
    "bad", [b"", b"{", b"[]", b'{"correlationId":"pems-9.9-9","success":true}', b'{"success":true}']
)
def test_a_result_that_nobody_waits_for_is_counted(bad: bytes) -> None:
    house = House()
    house.hear(RESULT, bad)
    assert house.snapshot()["rejected"] == 1


def test_a_refused_command_is_tried_again_after_the_read_back() -> None:
    house = House(soc=0.5)
    house.twin.inject("lost", 1.0)
    house.ask(HOLD)
    no = json.dumps({"correlationId": "pems-1.1-1", "command": "x", "success": False, "message": "busy"}).encode()
    house.twin.inject("offline", True)
    house.hear(RESULT, no)
    house.run(1)
    assert len(house.written()) == 1, "not before telemetry"
    house.twin.inject("offline", False)
    house.twin.inject("lost", 0.0)
    house.run(120)
    assert house.stages(MODE)[-1] == "effective"


# --- telemetry that is not believed -----------------------------------------------------------------------------------
def test_a_bad_payload_is_counted_said_once_and_leaves_the_state_as_it_was() -> None:
    house = House(soc=0.5)
    readings, shown = len(house.of(InverterReading)), house.snapshot()["soc"]
    for bad in (b"garbage", b'{"InverterStatus":1,"SOC":900}', payload(SOC="full"), b"\xff" * 70_000):
        house.hear(SOLAR, bad)
    assert len(house.of(InverterReading)) == readings
    assert house.snapshot()["rejected"] == 4 and house.snapshot()["soc"] == shown
    assert house.alarms("inverter_payload") == [True]
    house.run(10)
    assert house.alarms("inverter_payload") == [True, False]


def test_a_jump_of_the_soc_is_believed_when_it_repeats_itself() -> None:
    house = House(soc=0.575)
    house.hear(SOLAR, payload(SOC=0))
    assert house.snapshot()["soc"] == 0.57
    house.hear(SOLAR, payload(SOC=57))
    house.hear(SOLAR, payload(SOC=0))
    house.hear(SOLAR, payload(SOC=0))
    assert house.snapshot()["soc"] == 0.57 and house.snapshot()["rejected"] == 3
    house.hear(SOLAR, payload(SOC=0))
    assert house.snapshot()["soc"] == 0.0


def test_a_silent_inverter_is_not_written_to() -> None:
    house = House()
    house.twin.inject("telemetry_silent", True)
    house.run(130)
    house.ask(HOLD)
    house.run(60)
    assert house.written() == []
    assert "silent" in dict(house.release(wait=False).unverified)[MODE]
    house.twin.inject("telemetry_silent", False)


def test_offline_is_published_and_nothing_is_known_then() -> None:
    house = House()
    house.twin.inject("offline", True)
    house.run(6)
    assert house.of(InverterReading)[-1].online is False
    assert house.snapshot()["soc"] is None


def test_an_inverter_without_a_clock_still_gets_its_slot() -> None:
    house = House(soc=0.57)
    house.twin.inject("telemetry_silent", True)
    house.run(6)
    house.hear(SOLAR, payload(SystemDay=None))
    house.ask(HOLD)
    house.run(10)
    assert house.written()[-1] == "batteryfirst/set/timeslot"
    body = json.loads([w.detail for w in house.of(WireWrite)][-1].split(" ", 1)[1])
    assert body["start"].startswith("09:"), "UTC stands in"


# --- wear -------------------------------------------------------------------------------------------------------------
def test_a_used_up_budget_stops_wishes_but_not_the_way_back() -> None:
    house = House(soc=0.6, budget=2 + RESERVE + EXPORT_RESERVE)
    house.ask(CHARGE)
    house.run(120)
    assert house.wear.used(house.clock.now()) == (2, 1)
    house.ask(SELL, request_id="r2")
    house.run(120)
    assert house.alarms("write_budget") == [True]
    assert house.wear.used(house.clock.now())[0] == 2, "the rest is for the feed-in and the way back"
    for n in range(EXPORT_RESERVE + 2):
        house.ask(float(n % 2), request_id=f"x{n}")
        house.run(30)
    assert len(house.written(EXPORT)) == EXPORT_RESERVE
    house.permit(0.0)
    house.run(60)
    assert house.twin.truth().composite is Composite.REGULAR
    assert house.twin.inverter.registers[1092] == 0


def test_a_trip_is_written_whatever_the_budget() -> None:
    house = House(soc=0.6, budget=4, slot_budget=8)
    for _ in range(20):
        house.wear.record(house.clock.now(), "x", slot=True, exempt=False)
        house.wear.record(house.clock.now(), "x", slot=False, exempt=False)
    house.order(PATH, EXPORT, 0.0, level=Level.SAFETY_TRIP, for_s=None, request_id="")
    house.run(30)
    assert house.twin.inverter.export_limit_kw == 0.0
    assert house.of(Wear)[-1].left < 0 and house.of(Wear)[-1].used_24h == 41


class BrokenLog(MemoryWear):
    def record(self, at: datetime, register: str, *, slot: bool, exempt: bool) -> None:
        super().record(at, register, slot=slot, exempt=exempt)
        self.problem = "disk full"


def test_a_write_that_cannot_be_kept_is_an_alarm_until_one_can_and_still_written() -> None:
    wear = BrokenLog()
    house = House(wear=wear)
    house.ask(2.0)
    house.run(30)
    assert house.alarms("wear_unsaved") == [True]
    assert house.twin.inverter.export_limit_kw == 2.0
    wear.problem = ""
    house.run(1000)
    assert house.alarms("wear_unsaved") == [True, False]


def test_a_wear_file_that_is_lost_is_an_alarm_from_the_start_and_the_days_budget_used_up(tmp_path: Path) -> None:
    house = House(wear=FileWear(tmp_path, Boot(number=2, fresh=False), START))
    house.ask(CHARGE)
    house.run(60)
    assert house.alarms("wear_unsaved") == [True] and house.of(Wear)[-1].left < 0
    assert house.twin.inverter.registers[1092] == 0


def test_the_running_day_forgets_old_writes() -> None:
    wear = MemoryWear()
    wear.record(START.replace(day=7, hour=9, minute=5), "x", slot=False, exempt=False)
    house = House(wear=wear)
    assert house.of(Wear)[-1].used_24h == 1
    house.run(1000)
    assert house.of(Wear)[-1].used_24h == 0


# --- release and restart ----------------------------------------------------------------------------------------------
def test_a_release_is_answered_when_every_register_is_back_and_read() -> None:
    house = House(soc=0.6)
    house.ask(CHARGE)
    house.ask(0.0)
    house.run(120)
    released = house.release()
    assert released == Released(device=PATH, unverified=())
    r = house.twin.inverter.registers
    assert (r[1092], r[1102], r[123]) == (0, 0, 800)
    house.ask(CHARGE, request_id="late")
    house.run(30)
    assert house.twin.inverter.registers[1092] == 0, "after a release nothing is ordered any more"


def test_a_release_that_does_not_wait_names_what_is_not_verified_yet() -> None:
    house = House(soc=0.6)
    house.ask(CHARGE)
    house.run(120)
    released = house.release(wait=False)
    assert dict(released.unverified).keys() == {MODE}
    house.run(60)
    assert house.release(wait=False).unverified == ()


def test_a_new_life_reads_first_and_asks_under_another_number() -> None:
    house = House(soc=0.6)
    house.ask(CHARGE)
    house.run(2)
    house.runtime.inject(PATH, RuntimeError("injected"))
    house.runtime.run_until_idle()
    house.permit()
    house.runtime.run_for(2)
    before = len(house.written())
    house.ask(CHARGE, request_id="r2")
    house.runtime.run_for(120)
    ids = [json.loads(p)["correlationId"] for _, t, p in house.orders if t.startswith("energy/solar/command")]
    assert ids[0] == "pems-1.1-1" and ids[-1].startswith("pems-1.2-")
    assert house.twin.truth().composite is Composite.CHARGE_FROM_GRID
    assert len(house.written()) > before
    assert not any(house.twin.truth().equal_writes.values())


# --- the table of points ----------------------------------------------------------------------------------------------
def test_a_house_without_a_battery_has_no_mode_to_command() -> None:
    assert [p.name for p in points(a_house(battery=None))] == [EXPORT]


def test_the_registry_names_every_point_once_with_the_device_that_writes_it() -> None:
    house = a_house()
    names = [p.name for p in all_points(house)]
    assert len(names) == len(set(names)) == 2 + 2 * len(house.rooms)
    assert {p.device for p in all_points(house)} <= {f"/devices/{d.id}" for d in DEVICES}


def test_the_snapshot_shows_each_point_with_its_stage() -> None:
    house = House()
    shown = house.snapshot()["points"]
    assert isinstance(shown, dict)
    assert shown[MODE] == {"wanted": "regular", "stage": "effective", "since_s": 7.0}
    json.dumps(house.snapshot())


def test_retained_telemetry_is_the_brokers_memory_and_makes_nothing_fresh() -> None:
    house = House()
    heard = len(house.of(InverterReading))
    house.publish(Incoming(topic=SOLAR, payload=payload(SOC=33), retained=True, received_s=house.clock.monotonic()))
    assert len(house.of(InverterReading)) == heard
    offline = b'{"InverterStatus":-1}'
    house.publish(Incoming(topic=SOLAR, payload=offline, retained=True, received_s=house.clock.monotonic()))
    assert house.of(InverterReading)[-1].online is False, "a last will is news"
