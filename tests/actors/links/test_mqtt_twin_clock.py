"""The twin's clock over the wire: who runs on a twin lives in its time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.links.mqtt import MqttLink
from actors.links.twin_clock import TwinClock, clock_message, follow_twin, read_clock
from actors.messages import Alarm, Incoming
from models.errors import LinkError, PayloadError
from models.types.mqtt import Mqtt
from tests.actors.links.broker import Broker, broker, free_port, until
from tests.actors.links.on_the_wire import TwinThread
from tests.actors.links.wire import Link, Peer

__all__ = ["broker"]
NOON = datetime(2021, 2, 8, 11, 0, tzinfo=UTC)
LATE_S = 60.0  # house seconds: one real second between two looks, on a busy machine


@given(st.datetimes(datetime(2000, 1, 1), datetime(2090, 1, 1), timezones=st.just(timezone(timedelta(hours=2)))),
       st.floats(1, 3600))  # fmt: skip
def test_a_clock_message_says_what_was_told(at: datetime, speed: float) -> None:
    time, told = read_clock(clock_message(at, speed))
    assert abs((time - at).total_seconds()) < 0.0011
    assert told == speed


@pytest.mark.parametrize(
    "payload",
    [b"", b"{}", b"[]", b"noon", b'{"time":"noon","speed":60}', b'{"time":"2021-02-08T11:00:00","speed":60}',
     b'{"time":"2021-02-08T11:00:00+00:00","speed":0}', b'{"time":"2021-02-08T11:00:00+00:00","speed":1e9}',
     b'{"time":"2021-02-08T11:00:00+00:00","speed":true}', b'{"time":5,"speed":60}', b"\xff"],
)  # fmt: skip
def test_a_message_that_tells_no_time_is_refused(payload: bytes) -> None:
    with pytest.raises(PayloadError):
        read_clock(payload)


def test_a_house_lives_in_the_time_of_its_twin(broker: Broker) -> None:
    with TwinThread(broker.url, speed=60) as twin:
        clock = follow_twin(Mqtt(url=broker.url))
        assert clock.speed == 60
        assert abs((clock.now() - twin.process.clock.now()).total_seconds()) < LATE_S
        assert abs(clock.skew_s(clock_message(twin.process.clock.now(), 60))) < LATE_S
    with Peer(broker.url, "pems/#") as late:
        until(lambda: late.client.up, "up")
        assert not late.heard  # reading the clock leaves nothing at the broker


def test_a_clock_kept_by_the_broker_is_of_a_twin_that_was(broker: Broker) -> None:
    with Peer(broker.url, retained=("pems-twin/clock",)) as gone:
        gone.say("pems-twin/clock", clock_message(NOON, 60))
        until(lambda: gone.client.counters.unheard == 1, "kept")
    with pytest.raises(LinkError, match="no twin tells its time at .* within 0.6 s .* start one: .* twin --broker"):
        follow_twin(Mqtt(url=broker.url), timeout_s=0.6)


def test_without_a_broker_it_is_told_why() -> None:
    with pytest.raises(LinkError, match="nothing listens at 127.0.0.1"):
        follow_twin(Mqtt(url=f"mqtt://127.0.0.1:{free_port()}"))


def test_a_twin_that_jumped_is_seen_in_the_skew() -> None:
    clock = TwinClock(NOON, 60.0)
    assert clock.skew_s(clock_message(NOON + timedelta(hours=1), 60)) == pytest.approx(3600, abs=30)


def test_a_twin_that_leaves_the_time_of_its_house_is_an_alarm(broker: Broker) -> None:
    clock, settings = TwinClock(NOON, 60.0), Mqtt(url=broker.url)
    with (
        Peer(broker.url) as twin,
        Link(settings, clock=clock, make=lambda: MqttLink(settings, twin=clock)) as link,
    ):
        link.wait_up()
        twin.say("pems-twin/clock", clock_message(clock.now() + timedelta(hours=1), 60))
        until(lambda: any(a.active for a in link.of(Alarm)), "told")
        twin.say("pems-twin/clock", clock_message(clock.now(), 60))
        until(lambda: not link.of(Alarm)[-1].active, "and over")
        twin.say("pems-twin/clock", b"noon")
        until(lambda: link.snapshot["rejected"] == 1, "refused")
        told = [(a.active, a.text) for a in link.of(Alarm) if a.name == "mqtt_clock"]
        assert [active for active, _ in told] == [True, False]
        assert "s ahead of the house that follows it" in told[0][1]
        assert not link.of(Incoming)
