"""Loxone's twin over UDP: texts that are looked for in datagrams, values that are sent on change and repeated."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.links.loxone_words import lines_of, said_in, told
from models.twins.loxone_udp import LoxoneUdpTwin
from models.twins.message import TwinMessage
from models.types.command import RelayState
from models.types.loxone import RELAY_STATUS, SUMMARY, TEMPERATURE, udp_keys
from tests.models.twins import test_loxone as conformance
from tests.models.twins.demo import Wire
from tests.models.twins.demo import wire as mqtt_wire

LIVING = 16


class UdpWire(Wire):
    """The same client as `Wire`, with datagrams in between: it says and hears topics."""

    def __init__(self, wire: Wire) -> None:
        super().__init__(wire.twin)
        self.keys = udp_keys([room.name for room in wire.twin.house.rooms], "heartbeat")
        self.udp = LoxoneUdpTwin(wire.twin, self.keys)
        self.datagrams: list[bytes] = []
        self._tables: dict[str, dict[str, Any]] = {"relay": {}, "mode": {}, "temperature": {}, "target_temp": {}}

    def send(self, datagram: bytes) -> None:
        self.udp.receive(datagram, self.twin.now)

    def say(self, topic: str, body: object) -> None:
        if topic == "pems/heartbeat":
            self.send(b"heartbeat=17")
            return
        _, kind, room, _ = topic.split("/")
        word = "relay" if kind == "heating" else "setpoint"
        number = told("relay" if word == "relay" else "setpoint", json.dumps(body).encode())
        self.send(f"{word}_{room}={number}".encode())

    def run(self, **duration: float) -> None:
        others, datagrams = self.udp.advance(self.twin.now + timedelta(**duration))
        for message in others:
            self.heard[message.topic] = message.payload
        for datagram in datagrams:
            self._hear(datagram)

    def _hear(self, datagram: bytes) -> None:
        self.datagrams.append(datagram)
        for line in lines_of(datagram):
            kind, room, value = said_in(line, self.keys)
            if kind == "temp":
                self._tables["temperature"][room] = value
                self._keep(TEMPERATURE.format(room=room), {"temperature": value, "unit": "celsius"})
            elif kind == "target":
                self._tables["target_temp"][room] = value
            elif kind == "relay":
                self._tables["relay"][room] = "on" if value else "off"
            else:
                self._tables["mode"][room] = "auto" if value else "manual"
            pair = {"relay": self._tables["relay"].get(room), "mode": self._tables["mode"].get(room)}
            self._keep(RELAY_STATUS.format(room=room), pair)
        self._keep(SUMMARY, self._tables)

    def _keep(self, topic: str, body: object) -> None:
        payload = json.dumps(body).encode()
        self.heard[topic] = payload
        self.log.append(TwinMessage(topic, payload, False, self.twin.now))


def udp_wire(**options: Any) -> UdpWire:
    return UdpWire(mqtt_wire(rooms=True, **{k: v for k, v in options.items() if k != "rooms"}))


SAME_OVER_UDP = (  # the others look at what UDP does not carry (`shed`, the retain flag, JSON) or past the wire
    conformance.test_a_setpoint_moves_the_thermostat_and_null_gives_it_back,
    conformance.test_without_a_heartbeat_for_more_than_60_s_loxone_returns_to_its_own_thermostat,
    conformance.test_temperatures_are_those_of_the_rooms,
    conformance.test_a_relay_change_is_reported_at_once,
    conformance.test_load_shedding_leaves_relays_that_are_told_on_alone,
    conformance.test_a_silent_sensor_is_missing_from_every_report,
    conformance.test_a_deaf_loxone_loses_the_heartbeat_and_a_silent_one_says_nothing,
)


@pytest.mark.parametrize("rule", SAME_OVER_UDP, ids=lambda rule: rule.__name__.removeprefix("test_"))
def test_loxone_is_the_same_over_udp(rule: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    assert not inspect.signature(rule).parameters
    monkeypatch.setattr(conformance, "wire", udp_wire)
    rule()


def status(w: UdpWire, room: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(w.heard[f"loxone/heating/{room}/status"])
    return found


@pytest.mark.parametrize(
    ("number", "shown"), [("1", ("on", "manual")), ("0", ("off", "manual")), ("1.0", ("on", "manual"))]
)
def test_numbers_are_relay_commands(number: str, shown: tuple[str, str]) -> None:
    w = udp_wire()
    w.beat()
    w.send(f"relay_obyvak={number}".encode())
    w.run(seconds=1)
    assert (status(w, "obyvak")["relay"], status(w, "obyvak")["mode"]) == shown
    w.send(b"relay_obyvak=2")
    w.run(seconds=1)
    assert status(w, "obyvak")["mode"] == "auto"


def test_while_the_heartbeat_is_lost_datagrams_are_dropped_and_not_remembered() -> None:
    w = udp_wire()
    w.send(b"relay_obyvak=1")
    w.run(seconds=30)
    w.beat()
    w.run(seconds=30)
    assert status(w, "obyvak")["mode"] == "auto"
    w.send(b"relay_obyvak=1")
    w.run(seconds=1)
    assert status(w, "obyvak") == {"relay": "on", "mode": "manual"}


def test_a_stuck_relay_is_read_back_as_it_is() -> None:
    w = udp_wire()
    w.twin.inject("relay_stuck_off.obyvak", True)
    w.beat()
    w.send(b"relay_obyvak=1")
    w.run(seconds=30)
    assert status(w, "obyvak") == {"relay": "off", "mode": "manual"}


def test_several_inputs_may_find_their_text_in_one_datagram() -> None:
    w = udp_wire()
    w.send(b"heartbeat=5\nrelay_obyvak=1;setpoint_pracovna=23.5 relay_hosti=0")
    w.run(seconds=1)
    assert status(w, "obyvak")["relay"] == "on" and status(w, "hosti")["mode"] == "manual"
    assert w.twin.loxone.target_c(9, 12.0) == 23.5


@pytest.mark.parametrize(
    "text", ["relay_obyvak=", "relay_obyvak=on", "relay_obyvak 1", "relay_nobody=1", "", "RELAY_obyvak=1"]
)
def test_a_datagram_in_which_no_input_finds_its_text_and_a_number_changes_nothing(text: str) -> None:
    w = udp_wire()
    w.beat()
    w.send(text.encode())
    w.run(seconds=1)
    assert w.twin.loxone.rooms[LIVING].told is RelayState.AUTO and w.udp.unheard == 1


@pytest.mark.parametrize("number", ["3", "-1", "0.5", "7000"])
def test_a_relay_number_without_meaning_is_not_followed(number: str) -> None:
    w = udp_wire()
    w.beat()
    w.send(f"relay_obyvak={number}".encode())
    w.run(seconds=1)
    assert w.twin.loxone.rooms[LIVING].told is RelayState.AUTO and w.twin.loxone.refused == 1


def test_values_are_sent_on_change_and_repeated_every_half_minute() -> None:
    w = udp_wire()
    w.run(seconds=1)
    first = [d for d in w.datagrams if d.startswith(b"auto_obyvak;")]
    assert first == [b"auto_obyvak;1\n"] and len(w.datagrams) == 4 * 17
    w.run(seconds=28)
    assert [d for d in w.datagrams if d.startswith(b"auto_obyvak;")] == first
    w.run(seconds=2)
    assert len([d for d in w.datagrams if d.startswith(b"auto_obyvak;")]) == 2
    w.beat()
    w.datagrams.clear()
    w.send(b"relay_obyvak=1")
    w.run(seconds=0.5)
    assert {d for d in w.datagrams if b"temp" not in d} == {b"relay_obyvak;1\n", b"auto_obyvak;0\n"}


def test_the_other_devices_of_the_house_are_left_alone() -> None:
    w = udp_wire()
    w.run(seconds=10)
    assert "energy/solar" in w.heard


def test_a_miniserver_looks_for_its_text_anywhere_so_endings_must_differ() -> None:
    """Why `udp_keys` refuses some names: with them, one datagram means two things."""
    w = udp_wire()
    w.beat()
    w.send(b"setpoint_my_relay_obyvak=1")
    w.run(seconds=1)
    assert w.twin.loxone.rooms[LIVING].told is RelayState.ON


@settings(max_examples=300, deadline=None)
@given(datagram=st.binary(max_size=80) | st.text("relay_setpoint_obyvak=;0123456789.-", max_size=40).map(str.encode))
def test_no_datagram_breaks_it(datagram: bytes) -> None:
    twin = SHARED
    twin.send(datagram)
    twin.run(seconds=1)
    assert 5.0 <= twin.twin.loxone.target_c(LIVING, 12.0) <= 30.0


SHARED = udp_wire()
