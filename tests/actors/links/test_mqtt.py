"""The MQTT link against a real broker: what goes out, what comes in, and what an outage does to both."""

from __future__ import annotations

import json
import threading
import time

import pytest

from actors.links.loxone_names import LoxoneNames
from actors.links.mqtt import MqttLink
from actors.messages import Alarm, Incoming, LinkState
from models.types.loxone import Loxone
from models.types.mqtt import Mqtt
from tests.actors.links.broker import Broker, broker, until
from tests.actors.links.wire import Link, Peer, threads_of_the_wire

__all__ = ["broker"]
SET = "loxone/heating/hall/set"


def test_a_command_goes_out_and_telemetry_comes_in(broker: Broker) -> None:
    with Peer(broker.url, SET) as loxone, Link(Mqtt(url=broker.url)) as link:
        link.wait_up()
        link.send(SET, '{"state":"on"}')
        until(lambda: loxone.payloads(SET), "the command arrives")
        loxone.say("loxone/heating/hall/status", b'{"relay":"on","mode":"manual"}')
        until(lambda: link.of(Incoming), "the status arrives")
        status = link.of(Incoming)[0]
        assert (status.topic, status.retained) == ("loxone/heating/hall/status", False)
        assert json.loads(status.payload) == {"relay": "on", "mode": "manual"}
        assert loxone.payloads(SET) == [b'{"state":"on"}']
        until(lambda: link.snapshot["acked"] == 1, "the broker's receipt")
        assert link.of(LinkState) == [LinkState(up=True)]


def test_after_a_restart_of_the_broker_only_what_is_still_wished_goes_out(broker: Broker) -> None:
    with Link(Mqtt(url=broker.url)) as link:
        link.wait_up()
        broker.kill()
        link.wait_down()
        link.send(SET, "old", ttl_s=0.3)
        link.send("loxone/heating/bath/set", "first")
        link.send("loxone/heating/bath/set", "second")
        until(lambda: link.snapshot["expired"] == 1, "the old one is over")
        broker.start()
        with Peer(broker.url, "loxone/heating/+/set") as loxone:
            link.wait_up()
            until(lambda: loxone.heard, "what is wished goes out")
            assert [m.payload for m in loxone.heard] == [b"second"]
        figures = link.snapshot
        assert (figures["acked"], figures["expired"], figures["replaced"]) == (1, 1, 1)
        assert link.of(LinkState)[0].up
        assert link.of(LinkState)[-1].up
        assert {(a.name, a.active) for a in link.of(Alarm)} == {("mqtt", True), ("mqtt", False)}


def test_the_end_sends_what_waits_and_says_goodbye(broker: Broker) -> None:
    with Peer(broker.url, "pems/status", "loxone/#") as ear:
        with Link(Mqtt(url=broker.url)) as link:
            link.wait_quiet()
            broker.freeze()
            for i in range(20):
                link.send(SET, f"{i}", slot=f"{i}")
            until(lambda: len(link.snapshot["waiting"]) == 5, "fifteen are on the way, five wait")
            threading.Timer(0.2, broker.thaw).start()
            begun = time.monotonic()
        assert time.monotonic() - begun < 4.0
        until(lambda: len(ear.payloads("pems/status")) >= 2, "birth and farewell")
        assert ear.payloads("pems/status") == [b'{"online": true}', b'{"online": false}']
        assert ear.payloads(SET) == [f"{i}".encode() for i in range(20)]
    until(lambda: threads_of_the_wire() == 0, "no thread is left")


def test_a_loxone_that_speaks_other_names_and_bare_numbers_is_understood(broker: Broker) -> None:
    wire = Loxone(style="number", relay_set="haus/{room}/heizung", relay_status="haus/{room}/relais", summary="haus/a")
    names = LoxoneNames(("hall",), wire)
    settings = Mqtt(url=broker.url)
    with (
        Peer(broker.url, "haus/hall/heizung") as loxone,
        Link(settings, make=lambda: MqttLink(settings, names=names)) as link,
    ):
        link.wait_up()
        link.send(SET, '{"state":"auto"}')
        until(lambda: loxone.payloads("haus/hall/heizung") == [b"2"], "the command as a number")
        loxone.say("haus/hall/relais", b"3")
        until(lambda: link.of(Incoming), "the status")
        loxone.say("haus/hall/relais", b"nonsense", slot="b")
        until(lambda: link.snapshot["rejected"] == 1, "nonsense is counted")
        status = link.of(Incoming)[0]
        assert (status.topic, json.loads(status.payload)) == (
            "loxone/heating/hall/status", {"relay": "on", "mode": "manual"},
        )  # fmt: skip
        assert "nonsense" in next(a.text for a in link.of(Alarm) if a.name == "mqtt_words")


def test_what_nobody_listens_to_is_said_again_and_told_until_somebody_does(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.links.mqtt_client.DEAF_S", 0.3)
    with Link(Mqtt(url=broker.url)) as link:
        link.wait_up()
        link.send(SET, "on")
        link.send("pems/heartbeat", "1")
        until(lambda: [a for a in link.of(Alarm) if a.name == "mqtt_unheard"], "told")
        alarm = link.of(Alarm)[-1]
        assert alarm.text == f"nobody at the broker listens to {SET}; is the device connected?"
        with Peer(broker.url, SET) as loxone:
            until(lambda: loxone.payloads(SET) == [b"on"], "heard at last")
            until(lambda: not link.of(Alarm)[-1].active, "and the alarm is over")
            sent = link.snapshot["sent"]
            link.send(SET, "off")
            until(lambda: loxone.payloads(SET) == [b"on", b"off"], "once")
            assert sent >= 3


def test_what_nobody_listened_to_in_its_time_is_not_said_later(broker: Broker) -> None:
    with Link(Mqtt(url=broker.url)) as link:
        link.wait_up()
        link.send(SET, "on", ttl_s=0.5)
        until(lambda: link.snapshot["expired"] == 1, "its time is over")
        with Peer(broker.url, SET) as loxone:
            link.send(SET, "off")
            until(lambda: loxone.payloads(SET), "the next wish")
            assert loxone.payloads(SET) == [b"off"]


def test_a_wish_that_nobody_heard_is_not_said_after_a_later_one(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.links.mqtt_client.AGAIN_S", 1.0)
    with Link(Mqtt(url=broker.url)) as link:
        link.wait_up()
        link.send(SET, "on")
        until(lambda: link.snapshot["unheard"] == 1, "nobody is there")
        with Peer(broker.url, SET) as loxone:
            link.send(SET, "off")
            until(lambda: loxone.payloads(SET), "the later wish")
            until(lambda: link.snapshot["replaced"] == 1, "the former is given up")
            link.send("other", "1")
            until(lambda: link.snapshot["sent"] >= 3, "and stays so")
            assert loxone.payloads(SET) == [b"off"]


def test_a_link_that_is_restarted_leaves_no_thread_and_no_second_client_behind(broker: Broker) -> None:
    with Link(Mqtt(url=broker.url)) as link:
        link.wait_up()
        for _ in range(3):
            before = link.of(LinkState).count(LinkState(up=True))  # a busy broker may have dropped us meanwhile
            link.runtime.inject("/io/link", RuntimeError("a bug"))
            until(lambda b=before: link.of(LinkState).count(LinkState(up=True)) > b, "up again")  # type: ignore[misc]
            until(lambda: threads_of_the_wire() == 1, "one thread")
        assert not [a for a in link.of(Alarm) if a.name == "mqtt_takeover"]
