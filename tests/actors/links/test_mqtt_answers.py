"""What brokers may answer, each in the words of who must mend it; and how long the link then waits."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.links.mqtt_client import REFUSED_S, TAKEN_S, Retry
from actors.links.mqtt_words import Ended, goodbye
from actors.messages import Alarm, Incoming
from models.types.mqtt import Mqtt
from tests.actors.links import fake_broker as fake
from tests.actors.links.broker import until
from tests.actors.links.fake_broker import FakeBroker
from tests.actors.links.wire import Link


def of(broker: FakeBroker, **more: object) -> Mqtt:
    return Mqtt.model_validate({"url": broker.url, "connect_s": 0.5, "retry_max_s": 0.2, **more})


@pytest.mark.parametrize(
    ("code", "said"),
    [(0x84, "does not speak MQTT 5"), (0x85, "does not accept our client id"), (0x86, "user or password is wrong"),
     (0x87, "not authorized"), (0x88, "not available now"), (0x8A, "banned"), (0xEE, "reason 0xee")],
)  # fmt: skip
def test_a_refusal_is_told_with_its_reason(code: int, said: str) -> None:
    with FakeBroker(connack=fake.refused(code)) as broker, Link(of(broker)) as link:
        link.wait_down()
        assert said in link.reason
        assert link.snapshot["connections"] == 0


def test_a_broker_that_says_another_took_our_place_is_an_alarm_at_once() -> None:
    with FakeBroker(after=fake.goodbye(0x8E), close=True) as broker, Link(of(broker)) as link:
        until(lambda: [a for a in link.of(Alarm) if a.name == "mqtt_takeover"], "told")
        assert "another client" in link.reason
        assert link.snapshot["taken_over"] == 1
        assert broker.connections == 1


def test_a_broker_that_shuts_down_says_so() -> None:
    with FakeBroker(after=fake.goodbye(0x8B), close=True) as broker, Link(of(broker)) as link:
        link.wait_down()
        assert link.reason.endswith("ended the connection: it is shutting down")


def test_a_topic_we_may_not_read_is_named() -> None:
    with FakeBroker(grant=lambda i: 0x87 if i == 1 else 1) as broker, Link(of(broker)) as link:
        link.wait_down()
        assert "does not let a client without user read energy/solar/result; allow it in its ACL" in link.reason
        assert not link.snapshot["up"]


def test_something_that_is_no_broker_is_told_as_such() -> None:
    with FakeBroker(connack=b"HTTP/1.1 400 Bad Request\r\n\r\n") as broker, Link(of(broker)) as link:
        link.wait_down()
        assert "did not answer" in link.reason or "closed the connection" in link.reason
        assert "mqtt.url" in link.reason


def test_a_packet_that_cannot_be_read_is_counted_and_the_others_still_come() -> None:
    broken = bytes([0x30, 2, 0xFF, 0xFF])  # a topic longer than the packet
    not_utf8 = fake.publish(b"loxone/\xff\xfe/status", b"1")
    good = fake.publish(b"loxone/status", b"{}", retained=True)
    with FakeBroker(after=broken + not_utf8 + good) as broker, Link(of(broker)) as link:
        until(lambda: link.of(Incoming), "the good one")
        assert [(m.topic, m.retained) for m in link.of(Incoming)] == [("loxone/status", True)]
        assert link.snapshot["malformed"] == 2


def test_the_brokers_own_window_is_kept_when_it_is_smaller_than_ours() -> None:
    connack = bytes([0x20, 6, 0, 0, 3, 0x21, 0, 6])  # receive maximum 6
    with FakeBroker(connack=connack, receipts=False) as broker, Link(of(broker)) as link:
        link.wait_up()
        for i in range(30):
            link.send("a", f"{i}", slot=f"{i}")
        until(lambda: link.snapshot["in_flight"] == 4, "the window is full")
        assert broker.most_open <= 6
        assert len(link.snapshot["waiting"]) == 27  # three of the four are wishes, one is our birth message


def test_a_broker_that_gives_no_receipts_is_left_for_a_new_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.links.mqtt_connection.UNCONFIRMED_S", 0.5)
    with FakeBroker(receipts=False) as broker, Link(of(broker)) as link:
        link.wait_up()
        link.wait_down()
        assert "no receipt for 0.5 s" in link.reason
        until(lambda: broker.connections >= 2, "tried again")


# --- words and pauses -------------------------------------------------------------------------------------------------
def test_a_clean_and_a_broken_end_are_told_apart() -> None:
    mqtt = Mqtt(url="mqtt://127.0.0.1:1")
    assert goodbye(None, mqtt, was_up=True).text == "127.0.0.1:1 is gone: the connection broke"
    assert "before it answered" in goodbye(None, mqtt, was_up=False).text
    assert goodbye(0x8E, mqtt, was_up=True).kind == "taken"


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.integers(1, 12))
def test_pauses_double_up_to_their_longest_with_jitter(seed: int, tries: int) -> None:
    retry = Retry(Mqtt(), random.Random(seed))
    for n in range(tries):
        pause_s = retry.after(Ended("unreachable", ""), 0.0)
        assert 0.4 <= pause_s / min(2.0, 0.1 * 2**n) <= 0.8


def test_pauses_are_longer_where_trying_does_harm_and_short_again_after_a_healthy_time() -> None:
    retry = Retry(Mqtt(), random.Random(1))
    assert [retry.after(Ended("taken", "", True), 0.1) >= 0.4 * s for s in (5, 10, 20, 40, 60, 60)] == [True] * 6
    assert retry.after(Ended("taken", "", True), 1.0) <= 0.8 * TAKEN_S[1]
    assert retry.after(Ended("refused", ""), 0.0) >= 0.4 * REFUSED_S[0]
    for _ in range(9):
        retry.after(Ended("unreachable", ""), 0.0)
    assert retry.after(Ended("lost", "", True), 5.0) <= 0.08
