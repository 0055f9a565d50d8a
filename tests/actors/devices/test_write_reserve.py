"""A busy day of modes never uses up the writes that switch the feed-in off."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from actors.devices.base import DeviceTiming
from actors.devices.growatt import Write
from actors.devices.inverter import EXPORT, MODE, InverterActor
from actors.devices.inverter_job import Job
from actors.memory import MemoryWear
from actors.runtime import ChildSpec, ManualClock, StepRuntime, SupervisorSpec
from config.load import DEMO, load
from models.types.command import Level

NOW = datetime(2021, 5, 23, 7, tzinfo=UTC)
TIMING = DeviceTiming(
    tick_s=1.0, lease_s=10.0, settle_s=30.0, answer_s=12.0, heartbeat_s=15.0, command_ttl_s=30.0, effect_s=120.0
)


def test_modes_leave_enough_of_the_write_budget_to_switch_the_feed_in_off() -> None:
    wear = MemoryWear()
    made: list[InverterActor] = []

    def make() -> InverterActor:
        made.append(InverterActor(load(DEMO).house, TIMING, wear, budget=24, slot_budget=48))
        return made[-1]

    runtime = StepRuntime(SupervisorSpec(id="root", children=(ChildSpec(id="inverter", make=make),)),
                          clock=ManualClock(NOW))
    runtime.start()
    for minute in range(17):  # a day full of mode changes
        wear.record(NOW - timedelta(minutes=minute), "gridfirst.soc", slot=False, exempt=False)
    mode = Job(request_id="m", value=None, level=Level.PLAN, cause="c", since_s=0.0)
    export = Job(request_id="e", value=0.0, level=Level.LOCAL_RULES, cause="c", since_s=0.0)
    soc = Write(register="batteryfirst.soc", command="batteryfirst/set/stopsoc", body={"value": 50})
    off = Write(register="export.value", command="modbus/set", body={"value": 0})
    assert not made[0]._affordable(soc, mode), MODE
    assert made[0]._affordable(off, export), EXPORT
