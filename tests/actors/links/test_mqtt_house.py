"""A house on a broker with its twin: what is wished reaches it, is proven, and survives what the broker does."""

from __future__ import annotations

import json
import time
from functools import partial

import pytest

from actors.messages import Alarm, LinkState, Proof
from models.types.mode import Composite, InverterMode
from tests.actors.links.broker import Broker, broker, until
from tests.actors.links.on_the_wire import HouseOnWire, TwinThread
from tests.actors.links.wire import Peer

__all__ = ["broker"]
SETPOINT = "room.hall.setpoint_c"
SET, TARGET = "loxone/heating/hall/set", "loxone/temperature/hall/setpoint"


def proven(house: HouseOnWire, point: str, stage: str) -> bool:
    return any(p.point == point and p.stage == stage and p.request_id for p in house.of(Proof))


def arrived(twin: TwinThread, celsius: float) -> list[float]:
    """When the twin was told this target."""
    return [at for at, payload in twin.commands(TARGET) if json.loads(payload)["target_temperature"] == celsius]


def test_a_wish_travels_to_the_twin_and_comes_back_as_a_proof(broker: Broker) -> None:
    with TwinThread(broker.url, speed=60) as twin, HouseOnWire(broker.url, twin) as house:
        house.ask_for(SETPOINT, 21.5)
        house.ask_for("inverter.mode", InverterMode(composite=Composite.HOLD, stop_soc=0.4))
        until(lambda: proven(house, SETPOINT, "applied"), "the target is read back", timeout_s=20)
        until(lambda: proven(house, "inverter.mode", "effective"), "the power flow shows the mode", timeout_s=30)
        assert twin.process.twin.inverter.composite is Composite.HOLD
        assert house.link["refused"] == 0
        assert house.link["sent"] == house.link["acked"]


def test_what_is_wished_while_the_broker_is_away_reaches_the_twin_within_two_seconds_of_its_return(
    broker: Broker,
) -> None:
    with TwinThread(broker.url, speed=10) as twin, HouseOnWire(broker.url, twin) as house:
        for number in range(2):
            broker.kill()
            until(lambda: "nothing listens" in house.of(LinkState)[-1].reason, "noticed, and tried again")
            celsius = 20.0 + 0.5 * number
            house.ask_for(SETPOINT, celsius)
            until(partial(house.holds, SETPOINT, celsius), "the gate has it; a dead wire is told nothing")
            returned = time.monotonic()
            broker.start()
            until(partial(arrived, twin, celsius), "re-asserted", timeout_s=5)
            at = arrived(twin, celsius)[0]
            assert at - returned <= 2.0
        assert house.link["expired"] == 0
        told = [json.loads(payload)["target_temperature"] for _, payload in twin.commands(TARGET)]
        assert [c for c in told if c is not None] == [20.0, 20.5]


def test_a_target_that_the_broker_forbids_is_an_alarm_and_not_confirmed_by_the_device(broker: Broker) -> None:
    broker.kill()
    acl = broker.folder / "acl"
    acl.write_text("topic read #\ntopic write pems/#\ntopic write energy/#\ntopic write pems-twin/#\n"
                   "topic write loxone/status\ntopic write loxone/heating/+/status\n")  # fmt: skip
    broker.configure(f"acl_file {acl}")
    broker.start()
    with TwinThread(broker.url, speed=60) as twin, HouseOnWire(broker.url, twin) as house:
        house.ask_for(SETPOINT, 21.5)
        until(lambda: any(a.name == f"unconfirmed:{SETPOINT}" for a in house.of(Alarm)), "the alarm", timeout_s=30)
        alarms = {a.name: a.text for a in house.of(Alarm) if a.active}
        assert "is not confirmed by the device" in alarms[f"unconfirmed:{SETPOINT}"]
        assert "the broker does not let clients without user write loxone/" in alarms["mqtt_forbidden"]
        assert not twin.commands(TARGET)


def test_a_retained_message_on_a_command_topic_is_followed_by_nobody(broker: Broker) -> None:
    command = "energy/solar/command/batteryfirst/set/stopsoc"
    with Peer(broker.url, retained=(command, SET)) as somebody:
        somebody.say(command, b'{"value":100,"correlationId":"old"}')
        somebody.say(SET, b'{"state":"on"}')
        until(lambda: somebody.client.counters.unheard == 2, "kept by the broker")
        with TwinThread(broker.url, speed=60) as twin, HouseOnWire(broker.url, twin):
            until(lambda: twin.process.counts.retained == 2, "seen, and not followed")
            assert not twin.commands(SET)
            assert not twin.commands(command)
            assert twin.process.twin.gateway.received == 0


@pytest.mark.parametrize("fault", ["slow", "lost", "liar", "stale"])
def test_each_fault_switch_of_the_twin_does_what_it_says(
    broker: Broker, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pems_actors.twin_process.FREEZE_AFTER_S", 0.3)
    ask = "energy/solar/command/gridfirst/set/stopsoc"
    with (
        Peer(broker.url, "energy/solar", "energy/solar/result") as ear,
        TwinThread(broker.url, speed=60, faults=(fault,)) as twin,
    ):
        until(lambda: ("fault", {"name": fault, "active": True}) in [t[1:] for t in twin.told], "it begins")
        for number in range(12):
            ear.say(ask, json.dumps({"value": 30 + number, "correlationId": str(number)}).encode())
            until(lambda n=number: len(twin.commands(ask)) == n + 1, "it hears")  # type: ignore[misc]
        until(lambda: len(ear.payloads("energy/solar")) > 12, "telemetry goes on")
        until(lambda: len(ear.payloads("energy/solar/result")) > 4, "answers")
        answers = [json.loads(p) for p in ear.payloads("energy/solar/result")]
        asked = [str(n) for n in range(12)]
        match fault:
            case "slow":
                assert [a["correlationId"] for a in answers] == asked[: len(answers)]
                first = next(m.received_s for m in ear.heard if m.topic.endswith("/result"))
                assert first - (twin.commands(ask)[0][0] - time.monotonic() + ear.clock.monotonic()) >= 5.0 / 60
            case "lost":
                until(lambda: not twin.process.twin.gateway.next_due(), "all that was kept is done")
                assert len(ear.payloads("energy/solar/result")) < 12
            case "liar":
                assert all(a["success"] for a in answers)
                assert twin.process.twin.inverter.registers[1071] not in range(30, 42)
            case _:
                assert [a["correlationId"] for a in answers][1:] == asked[: len(answers) - 1]  # each one late
                told = [json.loads(p) for p in ear.payloads("energy/solar")]
                assert len({t["SystemMinute"] * 60 + t["SystemSecond"] for t in told[-4:]}) == 4  # under fresh stamps
                clock = ("SystemMinute", "SystemSecond", "SystemHour")
                assert len({json.dumps({k: v for k, v in t.items() if k not in clock}) for t in told[-4:]}) == 1


def test_a_stick_that_is_offline_says_so_and_comes_back(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pems_actors.twin_process.OFFLINE_FIRST_S", 0.3)
    monkeypatch.setattr("pems_actors.twin_process.OFFLINE_FOR_S", 0.3)
    offline = b'{"InverterStatus":-1}'
    with Peer(broker.url, "energy/solar") as ear, TwinThread(broker.url, speed=60, faults=("offline",)):
        until(lambda: offline in ear.payloads("energy/solar"), "offline is told")
        until(lambda: ear.payloads("energy/solar")[-1] != offline, "it is back")


def test_a_twin_that_dies_leaves_its_last_will(broker: Broker) -> None:
    with Peer(broker.url, "energy/solar") as ear, TwinThread(broker.url, speed=60) as twin:
        until(lambda: ear.heard, "telemetry")
        inner = twin.process.client._connection
        assert inner is not None
        twin.process.client._loop.call_soon_threadsafe(inner._cut)  # type: ignore[union-attr]
        until(lambda: b'{"InverterStatus":-1}' in ear.payloads("energy/solar"), "the last will")
        until(lambda: ear.payloads("energy/solar")[-1] != b'{"InverterStatus":-1}', "and it comes back")
