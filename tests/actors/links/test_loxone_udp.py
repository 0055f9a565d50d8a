"""Loxone over UDP: the driver sees the topics of MQTT, Loxone sees numbers, and nothing doubtful passes."""

from __future__ import annotations

import json
import math
import socket
import threading
import time
from collections.abc import Callable, Iterator
from queue import Queue
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from actors.devices.rooms import DEVICE
from actors.devices.rooms import PATH as ROOMS
from actors.links.loxone_udp import BEATS, CARRIES, LoxoneUdp
from actors.links.loxone_words import WordsError, lines_of, said_in, told
from actors.links.router import LinkRouter
from actors.links.udp_socket import DATAGRAM_LIMIT, WAITING_LIMIT, UdpSocket
from actors.messages import Alarm, Incoming, LinkState, Outgoing
from actors.runtime import ChildSpec, PykkaRuntime, SupervisorSpec, SystemClock
from models.errors import ConfigError, LinkError
from models.twins.loxone_udp import LoxoneUdpTwin
from models.types.command import RelayState
from models.types.loxone import Loxone, udp_keys
from tests.actors.devices import test_rooms as driver
from tests.actors.devices.bench import Bench, TwinBench, a_house
from tests.actors.links.udp_bench import HOST, Miniserver, Network
from tests.actors.links.udp_bench import settings as table

LINK = "/io/link"
HALL_SET, HALL_C = "loxone/heating/hall/set", "loxone/temperature/hall/setpoint"
ROOM_NAMES = ("hall", "bath")
KEYS = udp_keys(ROOM_NAMES, "heartbeat")


class Link(Bench):
    """The link alone, at a network that the test plays."""

    def __init__(self, loxone: Loxone | None = None, *, taken: str = "") -> None:
        self.network = Network()
        self.network.taken = taken
        super().__init__(
            {LINK: self.network.link(ROOM_NAMES, loxone)}, events=(Incoming, LinkState, Alarm)
        )
        self.start()

    def order(self, topic: str, body: object, *, ttl_s: float = 30.0, slot: str | None = None) -> None:
        expires_s = self.clock.monotonic() + ttl_s
        payload = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.tell(LINK, Outgoing(topic=topic, payload=payload, expires_s=expires_s, slot=slot or topic))

    def arrive(self, *payloads: str | bytes, source: str = HOST) -> None:
        for payload in payloads:
            self.network.socket.arrive(payload if isinstance(payload, bytes) else payload.encode(), source)
        self.runtime.run_until_idle()

    @property
    def sent(self) -> list[str]:
        return [datagram.decode() for datagram in self.network.sent]

    def bodies(self, topic: str) -> list[dict[str, Any]]:
        return [json.loads(m.payload) for m in self.of(Incoming) if m.topic == topic]

    @property
    def snapshot(self) -> dict[str, Any]:
        return self.runtime.behaviour_snapshot(LINK)

    def links(self) -> list[tuple[bool, str]]:
        return [(s.up, s.reason) for s in self.of(LinkState)]


# --- to Loxone --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("topic", "body", "datagram"),
    [
        (HALL_SET, {"state": "off"}, "relay_hall=0"),
        (HALL_SET, {"state": "on"}, "relay_hall=1"),
        (HALL_SET, {"state": "auto"}, "relay_hall=2"),
        (HALL_C, {"target_temperature": 21.5, "unit": "celsius"}, "setpoint_hall=21.50"),
        (HALL_C, {"target_temperature": 21}, "setpoint_hall=21.00"),
        (HALL_C, {"target_temperature": None, "unit": "celsius"}, "setpoint_hall=0"),
    ],
)
def test_a_command_is_one_datagram_with_one_number(topic: str, body: object, datagram: str) -> None:
    link = Link()
    link.order(topic, body)
    link.run(30)
    assert link.sent == [datagram]
    assert link.snapshot["sent"] == 1 and link.snapshot["waiting"] == []


def test_the_heart_is_a_number_that_changes_with_every_beat_and_after_a_restart() -> None:
    link = Link()
    for beat in (1, 2, 3):
        link.order("pems/heartbeat", {"beat": beat}, slot="beat")
        link.run(15)
    link.runtime.restart(LINK)
    link.run(1)
    link.order("pems/heartbeat", {"beat": 1}, slot="beat")
    numbers = [int(text.removeprefix("heartbeat=")) for text in link.sent]
    assert len(set(numbers)) == 4 and all(0 <= n < BEATS for n in numbers)
    assert [n - numbers[0] for n in numbers[:3]] == [0, 1, 2]


@pytest.mark.parametrize(
    ("topic", "body"),
    [
        (HALL_SET, {"state": "ON"}), (HALL_SET, {"state": 1}), (HALL_SET, {"state": None}), (HALL_SET, {}),
        (HALL_SET, b""), (HALL_SET, b"on"), (HALL_SET, b"[" * 3000), (HALL_SET, {"state": []}),
        (HALL_C, {"target_temperature": True}), (HALL_C, {"target_temperature": "21"}), (HALL_C, {}),
        (HALL_C, b'{"target_temperature":NaN}'), (HALL_C, b'{"target_temperature":1e999}'),
        (HALL_C, {"target_temperature": 4.9}), (HALL_C, {"target_temperature": 30.1}),
        (HALL_C, b'{"target_temperature":' + b"9" * 900 + b"}"),
        ("loxone/heating/attic/set", {"state": "on"}), ("energy/solar/command/list", {}), ("", {}),
    ],
)  # fmt: skip
def test_an_order_that_no_number_stands_for_is_not_sent_and_said_once(topic: str, body: object) -> None:
    link = Link()
    link.order(topic, body)
    link.order(topic, body)
    assert link.sent == []
    assert link.snapshot["rejected"] == {"unfit_order": 2}
    assert link.alarms("loxone_udp:unfit_order") == [True]


def test_while_the_network_refuses_the_latest_wish_of_each_point_waits_for_its_time() -> None:
    link = Link()
    link.network.refusal = "Network is unreachable"
    link.order(HALL_SET, {"state": "on"}, slot="a")
    link.order(HALL_SET, {"state": "off"}, slot="a")
    link.order(HALL_C, {"target_temperature": 20.0}, slot="b", ttl_s=5.0)
    link.run(10)
    assert link.sent == [] and link.snapshot["waiting"] == ["a"] and link.snapshot["expired"] == 1
    assert link.links() == [(False, f"loxone udp: sending to {HOST}: Network is unreachable")]
    link.network.refusal = ""
    link.run(1)
    assert link.sent == ["relay_hall=0"]


def test_an_expired_order_is_never_sent() -> None:
    link = Link()
    link.order(HALL_SET, {"state": "on"}, ttl_s=0.0)
    assert link.sent == [] and link.snapshot["expired"] == 1


def test_a_port_that_is_taken_is_named_and_asked_for_again() -> None:
    link = Link(taken="loxone.udp_listen_port 7001: Address already in use")
    link.order(HALL_SET, {"state": "on"}, ttl_s=60.0)
    link.run(12)
    assert link.links() == [(False, "loxone udp: loxone.udp_listen_port 7001: Address already in use")]
    link.network.taken = ""
    link.run(5)
    assert link.sent == ["relay_hall=1"]
    link.arrive("temp_hall;20.5")
    link.run(1)
    assert link.links()[-1][0] is True


def test_a_socket_that_fails_is_closed_and_opened_again() -> None:
    link = Link()
    link.run(10)
    first = link.network.socket
    first.failure = "Bad file descriptor"
    link.run(2)
    assert first.closed and len(link.network.sockets) == 2
    assert link.links() == []


def test_the_socket_is_closed_with_the_life_that_had_it() -> None:
    link = Link()
    first = link.network.socket
    link.runtime.restart(LINK)
    link.run(1)
    assert first.closed and len(link.network.sockets) == 2


# --- from Loxone ------------------------------------------------------------------------------------------------------
def test_values_come_back_as_the_topics_and_payloads_of_mqtt() -> None:
    link = Link()
    link.arrive("temp_hall;20.87", "relay_hall;1\nauto_hall;0\n", "target_hall;21.5\r\n\r\ntemp_bath;-3.0")
    link.run(5)
    assert link.bodies("loxone/temperature/hall/current") == [{"temperature": 20.87, "unit": "celsius"}]
    assert link.bodies("loxone/heating/hall/status") == [{"relay": "on", "mode": "manual"}]
    assert link.bodies("loxone/status") == [
        {
            "relay": {"hall": "on", "bath": None},
            "mode": {"hall": "manual", "bath": None},
            "temperature": {"hall": 20.87, "bath": -3.0},
            "target_temp": {"hall": 21.5},
        }
    ]
    assert not any(m.retained for m in link.of(Incoming))


def test_lines_of_the_miniservers_logger_are_read_too() -> None:
    link = Link()
    link.arrive("2026-11-22 12:00:00;temp_hall;20.9")
    assert link.bodies("loxone/temperature/hall/current")[0]["temperature"] == 20.9


def test_a_relay_is_reported_only_with_who_decides_over_it() -> None:
    link = Link()
    link.arrive("relay_hall;1")
    assert link.bodies("loxone/heating/hall/status") == []
    link.arrive("auto_hall;1")
    assert link.bodies("loxone/heating/hall/status") == [{"relay": "on", "mode": "auto"}]


def test_the_first_summary_waits_for_every_room_but_not_for_ever() -> None:
    whole, half = Link(), Link()
    for link in (whole, half):
        link.arrive("temp_hall;20.5", "relay_hall;1", "auto_hall;0", "target_hall;21")
        link.run(2)
        assert link.bodies("loxone/status") == []
    whole.arrive("temp_bath;20.5", "relay_bath;1", "auto_bath;0", "target_bath;21")
    for link in (whole, half):
        link.run(1)
    assert len(whole.bodies("loxone/status")) == 1 and half.bodies("loxone/status") == []
    half.run(3)
    assert half.bodies("loxone/status")[0]["relay"] == {"hall": "on", "bath": None}


def test_what_switches_together_is_summed_up_together() -> None:
    link = Link()
    link.arrive(*(f"{name};{int(name.startswith(('temp', 'target')))}" for name in KEYS.said))
    link.run(1.5)
    assert len(link.bodies("loxone/status")) == 1
    link.arrive("auto_hall;1")
    link.run(0.7)  # the actor looks at 2 s: the other room is on its way
    link.arrive("auto_bath;1")
    link.run(1.5)
    assert [body["mode"] for body in link.bodies("loxone/status")[1:]] == [{"hall": "auto", "bath": "auto"}]


def test_the_summary_comes_at_a_third_of_the_age_and_soon_after_something_switched() -> None:
    link = Link()
    for second in range(31):
        link.arrive(f"temp_hall;{20 + second / 100}", "relay_hall;0")
        link.run(1)
    assert len(link.bodies("loxone/status")) == 6
    link.arrive("relay_hall;1")
    link.run(1)
    assert link.bodies("loxone/status")[-1]["relay"]["hall"] == "on"
    assert len(link.bodies("loxone/status")) == 7


def test_a_value_that_is_too_old_is_unknown_and_not_what_it_was() -> None:
    link = Link()
    link.arrive("temp_hall;20.5", "relay_hall;1", "auto_hall;0", "target_hall;21")
    for _ in range(20):
        link.arrive("temp_bath;22.0")
        link.run(1)
    summary = link.bodies("loxone/status")[-1]
    assert summary["temperature"] == {"bath": 22.0} and summary["target_temp"] == {}
    assert summary["relay"]["hall"] is None and summary["mode"]["hall"] is None


def test_a_silent_loxone_gives_no_summary_and_takes_the_wire_down_with_its_name() -> None:
    link = Link()
    link.arrive("temp_hall;20.5")
    link.run(60)
    assert len(link.bodies("loxone/status")) == 1
    assert link.links() == [(True, "loxone udp"), (False, f"loxone udp: nothing heard from {HOST} for 16 s")]
    assert link.alarms("link:loxone_udp") == [True]
    link.arrive("temp_hall;20.6")
    link.run(1)
    assert link.links()[-1] == (True, "loxone udp") and link.alarms("link:loxone_udp") == [True, False]


def test_a_loxone_that_was_never_heard_is_said_once_after_its_age() -> None:
    link = Link()
    link.run(14)
    assert link.links() == []
    link.run(60)
    assert link.links() == [(False, f"loxone udp: nothing heard from {HOST} yet")]


# --- what is not believed ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        ("temp_hall;nan", "not_a_number"), ("temp_hall;inf", "not_a_number"), ("temp_hall;-Infinity", "not_a_number"),
        ("temp_hall;1e308", "not_a_number"), ("temp_hall;20,5", "not_a_number"), ("temp_hall;", "not_a_number"),
        ("temp_hall;true", "not_a_number"), ("temp_hall;1_0", "not_a_number"), ("temp_hall;20.5 C", "not_a_number"),
        ("temp_hall;" + "9" * 400, "not_a_number"), ("temp_hall;0x10", "not_a_number"),
        ("temp_hall;+1", "not_a_number"),
        ("relay_hall;2", "out_of_range"), ("auto_hall;0.5", "out_of_range"), ("target_hall;41", "out_of_range"),
        ("temp_attic;20", "unknown_name"), ("setpoint_hall;20", "unknown_name"), ("heartbeat;3", "unknown_name"),
        (";20", "unknown_name"), ("TEMP_hall;20", "unknown_name"),
        ("temp_hall=20", "not_a_pair"), ("hello", "not_a_pair"), ("a;b;c;d", "not_a_pair"),
        ("yesterday;temp_hall;20", "not_a_pair"),
        ("temp_hall;20°".encode(), "not_text"), (b"\xff\xfe", "not_text"), (b"\x00\xff" * 500, "not_text"),
        (b"temp_hall;20\n" * 200, "too_long"), (b"x" * (DATAGRAM_LIMIT + 1), "too_long"),
    ],
    ids=lambda v: repr(v[:30]),
)  # fmt: skip
def test_what_is_not_believed_is_counted_said_once_and_changes_nothing(payload: str | bytes, kind: str) -> None:
    link = Link()
    link.arrive(payload, payload, payload)
    link.run(5)
    assert link.of(Incoming) == []
    assert link.snapshot["rejected"] == {kind: 3} and link.snapshot["last_rejected"].startswith(f"{kind}: ")
    assert "\n" not in link.snapshot["last_rejected"] and len(link.snapshot["last_rejected"]) < 200
    assert link.alarms(f"loxone_udp:{kind}") == [True]
    link.run(700)
    assert link.alarms(f"loxone_udp:{kind}") == [True, False]


def test_one_bad_line_does_not_spoil_the_others() -> None:
    link = Link()
    link.arrive("temp_hall;nan\ntemp_bath;21.5\nrubbish\nrelay_bath;1\nauto_bath;1")
    assert link.bodies("loxone/temperature/bath/current") and link.bodies("loxone/heating/bath/status")
    assert link.snapshot["rejected"] == {"not_a_number": 1, "not_a_pair": 1}


def test_only_loxone_is_believed() -> None:
    link = Link()
    link.arrive("temp_hall;20.5", source="192.168.1.78")
    link.arrive("temp_hall;20.5", source="127.0.0.1")
    link.run(60)
    assert link.of(Incoming) == [] and link.snapshot["rejected"] == {"stranger": 2}
    assert link.links() == [(False, f"loxone udp: nothing heard from {HOST} yet")]
    assert [a.text for a in link.of(Alarm) if a.name == "loxone_udp:stranger"] == [
        f"loxone udp is not believed: from 192.168.1.78, but Loxone is {HOST}"
    ]


def test_a_burst_is_heard_whole_and_in_order() -> None:
    link = Link()
    link.arrive(*(f"temp_hall;{n / 100:.2f}" for n in range(900)))
    values = [body["temperature"] for body in link.bodies("loxone/temperature/hall/current")]
    assert values == [n / 100 for n in range(900)]


def numbers_of(value: object) -> Iterator[float]:
    if isinstance(value, dict):
        for one in value.values():
            yield from numbers_of(one)
    elif isinstance(value, (int, float)):
        yield value


NAMES = st.sampled_from([*KEYS.said, "temp_attic", "relay_hall ", "", "2026-11-22 12:00:00"])
VALUES = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True).map(str), st.integers().map(str), st.text(max_size=8),
    st.sampled_from(["0", "1", "20.5", "nan", "inf", "1e400", "-0", "1,5", "٣", "1_000"]),
)
LINES = st.one_of(
    st.tuples(NAMES, VALUES).map(";".join), st.tuples(NAMES, NAMES, VALUES).map(";".join), st.text(max_size=20)
)
DATAGRAMS = st.one_of(st.binary(max_size=200), st.lists(LINES, max_size=5).map(lambda lines: "\n".join(lines).encode()))


SHARED = Link()


@settings(max_examples=500, deadline=None)
@given(datagrams=st.lists(st.tuples(DATAGRAMS, st.sampled_from([HOST, HOST, "10.0.0.1", ""])), max_size=6))
def test_no_datagram_crashes_the_link_and_no_number_passes_that_is_not_finite(
    datagrams: list[tuple[bytes, str]]
) -> None:
    link = SHARED
    link.events.clear()
    before = sum(link.snapshot["rejected"].values()) + link.snapshot["values"]
    for payload, source in datagrams:
        link.arrive(payload, source=source)
    link.run(6)  # fails if the actor did
    for message in link.of(Incoming):
        body = json.loads(message.payload)
        assert all(math.isfinite(number) for number in numbers_of(body))
        assert message.topic == "loxone/status" or message.topic.split("/")[2] in ROOM_NAMES
    told_of = sum(link.snapshot["rejected"].values()) + link.snapshot["values"] - before
    assert told_of == sum(_findings(payload) if source == HOST else 1 for payload, source in datagrams)


def _findings(payload: bytes) -> int:
    """A line is a value or one mistake; what has no lines is one mistake as a whole."""
    try:
        return len(lines_of(payload))
    except WordsError:
        return 1


@settings(max_examples=300, deadline=None)
@given(line=LINES)
def test_every_line_is_a_value_in_its_range_or_a_counted_mistake(line: str) -> None:
    try:
        kind, room, value = said_in(line, KEYS)
    except WordsError as error:
        assert error.kind in ("not_a_pair", "unknown_name", "not_a_number", "out_of_range") and str(error)
        return
    assert room in ROOM_NAMES and math.isfinite(value)
    assert kind == "temp" or 0 <= value <= (40 if kind == "target" else 1)


@settings(max_examples=300, deadline=None)
@given(body=st.binary(max_size=60) | st.builds(
    lambda key, value: json.dumps({key: value}).encode(),
    st.sampled_from(["state", "target_temperature"]),
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5) | st.sampled_from(["on", "auto"]),
), kind=st.sampled_from(["relay", "setpoint"]))
def test_every_order_is_a_plain_number_or_a_counted_mistake(body: bytes, kind: Any) -> None:
    try:
        text = told(kind, body)
    except WordsError as error:
        assert error.kind == "unfit_order"
        return
    assert text in ("0", "1", "2") or 5.0 <= float(text) <= 30.0


# --- names ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("rooms", "heartbeat", "names"),
    [
        (("hall", "hall"), "heartbeat", ("hall",)),
        (("x", "a_relay_x"), "heartbeat", ("relay_a_relay_x", "relay_x")),
        (("hall",), "relay_hall", ("relay_hall",)),
        (("hall", "y_heartbeat"), "heartbeat", ("y_heartbeat", "heartbeat")),
    ],
)
def test_names_that_a_miniserver_would_mistake_are_refused_in_one_line(
    rooms: tuple[str, ...], heartbeat: str, names: tuple[str, ...]
) -> None:
    with pytest.raises(ConfigError) as error:
        LoxoneUdp(rooms, table(udp_heartbeat_key=heartbeat), tick_s=1.0)
    assert all(name in str(error.value) for name in names) and "\n" not in str(error.value)


def test_rooms_of_which_one_begins_like_the_other_can_be_told_apart() -> None:
    assert udp_keys(("pokoj", "pokoj_1", "maly_pokoj"), "heartbeat").told["relay", "pokoj_1"] == "relay_pokoj_1"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"relay_set": "loxone/heating/set"}, ("relay_set", "no {room}")),
        ({"temperature": "{room}/{room}"}, ("temperature", "more than once")),
        ({"relay_status": "a/{room}/{floor}"}, ("relay_status", "braces")),
        ({"setpoint_set": "a/{room}/#"}, ("setpoint_set", "+ or #")),
        ({"relay_set": "a b/{room}"}, ("relay_set", "blank")),
        ({"summary": "loxone/{room}"}, ("summary", "{room}")),
        ({"heartbeat": ""}, ("heartbeat", "characters")),
        ({"relay_set": "x/{room}", "relay_status": "x/{room}"}, ("relay_set", "relay_status")),
        ({"style": "xml"}, ("style",)),
        ({"via": "udp"}, ("udp_host",)),
        ({"udp_host": "miniserver.local"}, ("udp_host", "IP address")),
        ({"udp_host": "::1"}, ("udp_host", "IPv4")),
        ({"udp_host": "224.0.0.1"}, ("udp_host", "single")),
        ({"via": "udp", "udp_host": "0.0.0.0"}, ("udp_host",)),
        ({"via": "udp", "udp_host": "192.168.1.77"}, ("udp_listen_address 127.0.0.1", "192.168.1.77")),
        ({"via": "udp", "udp_host": "127.0.0.1", "udp_port": 7001}, ("udp_port", "7001")),
        ({"udp_port": 0}, ("udp_port",)), ({"udp_listen_port": 65536}, ("udp_listen_port",)),
        ({"udp_max_age_s": 5}, ("udp_max_age_s",)), ({"udp_heartbeat_key": "Beat!"}, ("udp_heartbeat_key",)),
        ({"upd_host": "127.0.0.1"}, ("upd_host",)),
    ],
)  # fmt: skip
def test_a_bad_table_is_refused_and_the_setting_named(changes: dict[str, object], words: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError) as error:
        Loxone.model_validate(changes)
    assert error.value.error_count() == 1
    (found,) = error.value.errors()
    text = ".".join(map(str, found["loc"])) + " " + found["msg"]
    assert all(word in text for word in words), text


def test_the_defaults_speak_mqtt_and_listen_to_this_computer_only() -> None:
    loxone = Loxone()
    assert (loxone.via, loxone.udp_listen_address) == ("mqtt", "127.0.0.1")
    with pytest.raises(ConfigError, match="udp_host"):
        LoxoneUdp(ROOM_NAMES, loxone, tick_s=1.0)


# --- the driver over this wire ----------------------------------------------------------------------------------------
class UdpRooms(driver.Rooms):
    """The bench of the rooms' driver, with UDP and the Miniserver's twin in between."""

    def __init__(self, **how: Any) -> None:
        house = a_house()
        self.network = Network()
        path = "/io/miniserver"
        TwinBench.__init__(
            self,
            {ROOMS: lambda: DEVICE.make(house, driver.TIMING, None), path: lambda: Miniserver(self.udp, self.network)},
            house=house, events=(driver.RoomsReading, Incoming), link=self.network.link(ROOM_NAMES), **how,
        )  # fmt: skip
        self.udp = LoxoneUdpTwin(self.twin, KEYS, repeat_s=5.0)
        publish = self.twin.publish

        def noted(topic: str, payload: bytes, at: Any) -> None:
            self.orders.append((self.clock.monotonic(), topic, payload.decode()))
            publish(topic, payload, at)

        self.twin.publish = noted  # type: ignore[method-assign]
        self.fresh = ()
        self.start()
        self.permit()
        self.run(12)


SAME_OVER_UDP = [  # the others say words of their own on the wire's topics, which no wire takes part in
    driver.test_a_relay_is_called_applied_when_its_reading_comes_back,
    driver.test_what_is_already_so_is_not_said_again,
    driver.test_a_setpoint_goes_out_and_is_taken_back_with_a_null,
    driver.test_a_former_life_may_have_left_a_setpoint_so_it_is_taken_back_first,
    driver.test_nothing_is_commanded_before_loxone_was_heard_but_a_trip_is,
    driver.test_a_relay_returns_to_auto_when_its_lease_ends_without_refresh,
    driver.test_an_order_ends_at_its_time_however_often_it_is_refreshed,
    driver.test_when_the_permit_lapses_every_relay_returns_to_auto,
    driver.test_the_heart_stops_with_the_permit_and_loxone_goes_its_own_way,
    driver.test_the_first_permit_beats_the_heart_at_once,
    driver.test_a_trip_is_written_without_a_permit,
    driver.test_a_release_is_answered_when_all_rooms_are_at_their_own_thermostats,
    driver.test_a_release_of_silent_rooms_says_so,
    driver.test_a_relay_that_never_follows_is_tried_three_times_and_then_left_to_its_thermostat_with_an_alarm,
    driver.test_a_trip_that_a_relay_does_not_follow_is_told_again_every_minute_until_it_does,
    driver.test_a_deaf_loxone_misses_the_heart_and_is_found_at_its_own_thermostat,
]


@pytest.mark.parametrize("rule", SAME_OVER_UDP, ids=lambda rule: rule.__name__.removeprefix("test_"))
def test_the_driver_sees_no_difference(rule: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "Rooms", UdpRooms)
    rule()


def test_a_room_whose_sensor_is_silent_is_unknown_once_its_value_is_too_old() -> None:
    rooms = UdpRooms()
    rooms.twin.inject("sensor_silent.hall", True)
    rooms.run(10)
    assert rooms.air_c("hall") is not None
    rooms.run(15)
    assert rooms.air_c("hall") is None and rooms.air_c("bath") is not None


def test_a_lost_datagram_is_asked_for_again() -> None:
    rooms = UdpRooms()
    reached, lost = rooms.network.reached, list[bytes]()
    rooms.network.reached = lambda d: lost.append(d) if d == b"relay_hall=1" and not lost else reached(d)
    rooms.ask(driver.HALL, "on")
    rooms.live(30)
    assert lost == [b"relay_hall=1"] and rooms.relay() == (True, False)
    assert rooms.stages(driver.HALL) == ["applied"]


def test_rooms_go_to_their_own_thermostats_when_the_wire_is_cut() -> None:
    rooms = UdpRooms()
    rooms.ask(driver.HALL, "on")
    rooms.live(9)
    rooms.network.refusal = "Network is unreachable"
    rooms.live(75)
    assert rooms.twin.loxone.rooms[0].told is RelayState.AUTO
    rooms.network.refusal = ""
    rooms.live(30)
    assert rooms.relay() == (True, False), "the order still holds, so it is told again"


# --- several wires ----------------------------------------------------------------------------------------------------
def test_each_message_goes_to_the_wire_of_its_topic() -> None:
    bench = Bench(
        {LINK: lambda: LinkRouter({"loxone/": "/io/a", "pems/heartbeat": "/io/a", "": "/io/b", "loxone/x": "/io/b"})},
        ears=("/io/a", "/io/b"),
    )
    bench.start()
    for topic in (HALL_SET, "energy/solar/command/list", "pems/heartbeat", "loxone/x/1", HALL_C):
        bench.tell(LINK, Outgoing(topic=topic, payload=b"{}", expires_s=1.0, slot=topic))
    assert [m.topic for m in bench.told("/io/a", Outgoing)] == [HALL_SET, "pems/heartbeat", HALL_C]
    assert [m.topic for m in bench.told("/io/b", Outgoing)] == ["energy/solar/command/list", "loxone/x/1"]
    assert bench.runtime.behaviour_snapshot(LINK)["passed"] == {"/io/a": 3, "/io/b": 2}


def test_a_topic_without_a_wire_is_counted_and_said_once() -> None:
    bench = Bench({LINK: lambda: LinkRouter({"loxone/": "/io/a"})}, ears=("/io/a",), events=(Alarm,))
    bench.start()
    for _ in range(3):
        bench.tell(LINK, Outgoing(topic="energy/solar", payload=b"", expires_s=1.0, slot="s"))
    assert bench.alarms("link:no_wire") == [True] and bench.runtime.behaviour_snapshot(LINK)["unknown"] == 3


def test_a_router_without_routes_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match="routes"):
        LinkRouter({})


# --- real sockets on this computer ------------------------------------------------------------------------------------
@pytest.fixture
def miniserver() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.settimeout(10.0)
        yield peer


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_over_real_sockets_a_command_goes_out_and_a_reading_comes_back(miniserver: socket.socket) -> None:
    port = free_port()
    loxone = Loxone(via="udp", udp_host="127.0.0.1", udp_port=miniserver.getsockname()[1], udp_listen_port=port)
    child = ChildSpec(id="link", make=lambda: LoxoneUdp(("hall",), loxone, tick_s=0.05), on_give_up="park")
    root = SupervisorSpec(id="pems", children=(SupervisorSpec(id="io", children=(child,), on_give_up="park"),))
    runtime = PykkaRuntime(root, clock=SystemClock(), seed=1)
    heard: Queue[object] = Queue()
    runtime.listen(heard.put, Incoming, LinkState)
    runtime.start()
    try:
        order = Outgoing(topic=HALL_SET, payload=b'{"state":"on"}', expires_s=time.monotonic() + 30.0, slot="a")
        runtime.tell(LINK, order)
        datagram, address = miniserver.recvfrom(1000)
        assert datagram == b"relay_hall=1" and address == ("127.0.0.1", port)
        miniserver.sendto(b"temp_hall;20.5\nrelay_hall;1\nauto_hall;0\ntarget_hall;21", address)
        events = [heard.get(timeout=10.0) for _ in range(4)]
        assert LinkState(up=True, reason="loxone udp", carries=CARRIES) in events
        bodies = {m.topic: json.loads(m.payload) for m in events if isinstance(m, Incoming)}
        assert bodies["loxone/heating/hall/status"] == {"relay": "on", "mode": "manual"}
        assert bodies["loxone/status"]["temperature"] == {"hall": 20.5}
    finally:
        runtime.stop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
        again.bind(("127.0.0.1", port))  # it has let go of its port


def test_a_real_socket_cuts_what_is_too_long_and_counts_what_is_too_much(miniserver: socket.socket) -> None:
    woken = threading.Event()
    own = UdpSocket(("127.0.0.1", 0), ("127.0.0.1", free_port()), wake=woken.set, owned=lambda: True)
    try:
        miniserver.sendto(b"x" * 60_000, ("127.0.0.1", own.port))
        assert woken.wait(10.0)
        (found,) = own.take(5)
        assert len(found.payload) == DATAGRAM_LIMIT + 1 and found.source == "127.0.0.1"
        sent = 0
        while own.dropped < 5:
            assert sent < 200_000, "a flood was kept whole"
            miniserver.sendto(b"flood", ("127.0.0.1", own.port))
            sent += 1
        assert 0 < len(own.take(10**6)) <= WAITING_LIMIT
    finally:
        own.close()
        own.close()


def test_a_taken_port_is_one_clear_line(miniserver: socket.socket) -> None:
    taken = miniserver.getsockname()[1]
    with pytest.raises(LinkError, match=f"loxone.udp_listen_address 127.0.0.1, udp_listen_port {taken}: .*use"):
        UdpSocket(("127.0.0.1", taken), ("127.0.0.1", 9), wake=lambda: None, owned=lambda: True)


def test_a_socket_whose_owner_is_gone_lets_go_of_its_port() -> None:
    own = UdpSocket(("127.0.0.1", 0), ("127.0.0.1", 9), wake=lambda: None, owned=lambda: False)
    own._thread.join(10.0)
    with pytest.raises(OSError):
        own.send(b"x")
    own.close()
