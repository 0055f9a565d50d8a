"""The UDP side of a Miniserver: virtual inputs that look for their text in a datagram, virtual outputs that repeat.

It stands before the twin of the house, which knows Loxone's program, and turns datagrams into what that hears and what
it says into datagrams. Inverter and stick are left alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from models.twins.house import HouseTwin
from models.twins.message import TwinMessage
from models.types.loxone import UdpKeys

_VALUE = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_STATES = {0.0: "off", 1.0: "on", 2.0: "auto"}
DECIMALS = 2  # as `<v.2>` in the commands of the virtual outputs


class LoxoneUdpTwin:
    """The house behind a Miniserver that speaks UDP.

    Parameters
    ----------
    house : HouseTwin
        With its usual topics and JSON payloads.
    keys : UdpKeys
        The names in the datagrams.
    repeat_s : float
        A virtual output repeats its value after this long, and sends a changed one at once.
    """

    def __init__(self, house: HouseTwin, keys: UdpKeys, *, repeat_s: float = 30.0) -> None:
        self.house, self.unheard = house, 0
        self._keys, self._repeat = keys, timedelta(seconds=repeat_s)
        self._topics = house.loxone.topics
        self._said: dict[str, tuple[str, datetime]] = {}  # name -> value as sent, when
        self._inputs = {f"{keys.heartbeat}=": (self._topics.heartbeat, "beat")}
        for (kind, room), key in keys.told.items():
            topic = self._topics.relay_set if kind == "relay" else self._topics.setpoint_set
            self._inputs[f"{key}="] = (topic.format(room=room), kind)

    def receive(self, datagram: bytes, at: datetime) -> None:
        """One datagram: every virtual input looks for its own text in it, as `\\irelay_hall=\\i\\v` does."""
        text = datagram.decode("latin-1")
        found = False
        for name, (topic, kind) in self._inputs.items():
            place = text.find(name)
            number = None if place < 0 else _VALUE.match(text, place + len(name))
            if number is not None:
                found = True
                self.house.publish(topic, _body(kind, float(number[0])), at)
        self.unheard += not found

    def advance(self, until: datetime) -> tuple[list[TwinMessage], list[bytes]]:
        """Lives until `until`: what the other devices published, and Loxone's datagrams, one value each."""
        others: list[TwinMessage] = []
        datagrams: list[bytes] = []
        for message in self.house.advance(until):
            if message.topic == self._topics.summary:
                datagrams += self._outputs(json.loads(message.payload), message.at)
            elif not message.topic.startswith("loxone/"):
                others.append(message)
        return others, datagrams

    def _outputs(self, body: Mapping[str, Mapping[str, object]], at: datetime) -> list[bytes]:
        lines = []
        for name, (kind, room) in self._keys.said.items():
            value = _value(kind, body, room)
            if value is None:
                continue
            before, said_at = self._said.get(name, ("", at))
            if value != before or at - said_at >= self._repeat:
                self._said[name] = (value, at)
                lines.append(f"{name};{value}\n".encode("ascii"))
        return lines


def _body(kind: str, value: float) -> bytes:
    """What Loxone's program makes of a number at one of its inputs."""
    if kind == "relay":
        return json.dumps({"state": _STATES.get(value, f"number {value:g}")}).encode()
    if kind == "setpoint":
        return json.dumps({"target_temperature": value or None, "unit": "celsius"}).encode()
    return json.dumps({"beat": value}).encode()


def _value(kind: str, body: Mapping[str, Mapping[str, object]], room: str) -> str | None:
    """The value of a virtual output as text; None while there is none to send."""
    if kind == "relay":
        return str(int(body["relay"][room] == "on"))
    if kind == "auto":
        return str(int(body["mode"][room] == "auto"))
    value = body["temperature" if kind == "temp" else "target_temp"].get(room)
    return f"{value:.{DECIMALS}f}" if isinstance(value, (int, float)) else None
