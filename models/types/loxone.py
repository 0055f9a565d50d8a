"""The wire to Loxone: by MQTT or by its own UDP, under which names, and in which words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal

from pydantic import Field, field_validator, model_validator

from models.errors import ConfigError
from models.types.house import Settings

Via = Literal["mqtt", "udp"]
Style = Literal["json", "number"]
Kind = Literal["temp", "relay", "auto", "target", "setpoint"]

# The names under which the house itself speaks of Loxone, whatever the names on the wire are.
RELAY_SET = "loxone/heating/{room}/set"
SETPOINT_SET = "loxone/temperature/{room}/setpoint"
RELAY_STATUS = "loxone/heating/{room}/status"
TEMPERATURE = "loxone/temperature/{room}/current"
SUMMARY = "loxone/status"
HEARTBEAT = "pems/heartbeat"

# Loxone's thermostat switches on below its target and off when the air is so far above it.
THERMOSTAT_HYSTERESIS_K = 0.4
SETPOINT_LIMITS_C = (5.0, 30.0)  # what it accepts as a target

SAID_KINDS: tuple[Kind, ...] = ("temp", "relay", "auto", "target")  # Loxone to us
TOLD_KINDS: tuple[Kind, ...] = ("relay", "setpoint")  # we to Loxone
ROOM_TOPICS = ("relay_set", "setpoint_set", "relay_status", "temperature")
HOUSE_TOPICS = ("summary", "heartbeat")
TOPIC_CHARS = 200
_NOT_IN_A_TOPIC = re.compile(r"[+#\s\x00-\x1f\x7f]")


class Loxone(Settings):
    """[loxone]: how the rooms are reached."""

    via: Via = Field("mqtt", description="the wire to Loxone: mqtt (through the broker) or udp (its own way)")
    style: Style = Field("json", description="payloads over MQTT: json, or bare numbers; UDP has numbers only")
    relay_set: str = Field(RELAY_SET, description="MQTT topic of relay commands; {room} stands for the room's name")
    setpoint_set: str = Field(SETPOINT_SET, description="MQTT topic of setpoints; with {room}")
    relay_status: str = Field(RELAY_STATUS, description="MQTT topic of a relay and who decides over it; with {room}")
    temperature: str = Field(TEMPERATURE, description="MQTT topic of a room's temperature; with {room}")
    summary: str = Field(SUMMARY, description="MQTT topic of all rooms at once")
    heartbeat: str = Field(HEARTBEAT, description="MQTT topic under which PEMS says that it lives")
    udp_host: str | None = Field(None, description="address of the Miniserver, such as 192.168.1.77; udp needs it")
    udp_port: int = Field(7000, ge=1, le=65535, description="port of its virtual UDP input")
    udp_listen_address: str = Field(
        "127.0.0.1", description="our own address in the Miniserver's network; the default hears this computer only"
    )
    udp_listen_port: int = Field(7001, ge=1, le=65535, description="port to which its virtual outputs send")
    udp_max_age_s: float = Field(
        90.0, ge=10, le=600, description="older values are unknown, longer silence is a dead wire: 3 of its repeats"
    )
    udp_heartbeat_key: str = Field(
        "heartbeat", pattern=r"^[a-z][a-z0-9_]{0,31}$", description="name of the heartbeat in our datagrams"
    )

    @field_validator(*ROOM_TOPICS)
    @classmethod
    def _room_topic(cls, topic: str) -> str:
        count = topic.count("{room}")
        if count != 1:
            said = "no {room}: all rooms would share it" if count == 0 else "{room} more than once"
            raise ValueError(f"topic {topic!r} has {said}; write it like {RELAY_SET!r}")
        _plain_topic(topic, topic.replace("{room}", "room"))
        return topic

    @field_validator(*HOUSE_TOPICS)
    @classmethod
    def _house_topic(cls, topic: str) -> str:
        if "{room}" in topic:
            raise ValueError(f"topic {topic!r} has a {{room}}, but it is one for the house; write it like {SUMMARY!r}")
        _plain_topic(topic, topic)
        return topic

    @field_validator("udp_host", "udp_listen_address")
    @classmethod
    def _address(cls, address: str | None) -> str | None:
        if address is None:
            return None
        try:
            found = ip_address(address)
        except ValueError:
            raise ValueError(f"{address!r} is no IP address; write it like '192.168.1.77', not as a name") from None
        if found.version != 4 or found.is_multicast:
            raise ValueError(f"{address} is no single IPv4 address; the Miniserver's UDP has no other")
        return address

    @model_validator(mode="after")
    def _fits_together(self) -> Loxone:
        names = (*ROOM_TOPICS, *HOUSE_TOPICS)
        topics = [getattr(self, name) for name in names]
        twice = [name for name, topic in zip(names, topics, strict=True) if topics.count(topic) > 1]
        if twice:
            raise ValueError(f"{twice[0]} and {twice[1]} are the same topic; each needs its own")
        if self.via == "udp":
            self._reachable()
        return self

    def _reachable(self) -> None:
        if self.udp_host is None:
            raise ValueError("via = 'udp' needs udp_host; write the Miniserver's address, such as '192.168.1.77'")
        host, here = ip_address(self.udp_host), ip_address(self.udp_listen_address)
        if host.is_unspecified:
            raise ValueError(f"udp_host {host} is no computer's address; write the Miniserver's")
        if here.is_loopback and not host.is_loopback:
            raise ValueError(
                f"udp_listen_address {here} cannot be reached from udp_host {host}; "
                "write this computer's address in that network"
            )
        if host == here and self.udp_port == self.udp_listen_port:
            raise ValueError(f"udp_port and udp_listen_port are both {self.udp_port} on {here}; choose another one")


def _plain_topic(topic: str, filled: str) -> None:
    if not topic or len(topic) > TOPIC_CHARS:
        raise ValueError(f"a topic has 1 to {TOPIC_CHARS} characters, this one {len(topic)}; shorten it or write one")
    if "{" in filled or "}" in filled:
        raise ValueError(f"topic {topic!r} has braces other than {{room}}; remove them")
    if _NOT_IN_A_TOPIC.search(topic):
        raise ValueError(f"topic {topic!r} has a blank, + or #; a topic to publish on has none of them")


@dataclass(frozen=True, slots=True, kw_only=True)
class UdpKeys:
    """The names in the datagrams of one house."""

    heartbeat: str
    told: Mapping[tuple[Kind, str], str]  # (kind, room) -> key in `key=value`, to Loxone
    said: Mapping[str, tuple[Kind, str]]  # name in `name;value`, from Loxone -> (kind, room)


def udp_keys(rooms: Sequence[str], heartbeat: str) -> UdpKeys:
    """The names of a house's datagrams, each of them unmistakable.

    Parameters
    ----------
    rooms : sequence of str
        Names of the rooms.
    heartbeat : str
        Name of the heartbeat.

    Raises
    ------
    ConfigError
        A name stands for two things. The Miniserver looks for `name=` anywhere in a datagram, so a name that ends
        like another one is mistaken for it, too.
    """
    told = {(kind, room): f"{kind}_{room}" for room in rooms for kind in TOLD_KINDS}
    said = {f"{kind}_{room}": (kind, room) for room in rooms for kind in SAID_KINDS}
    for room in rooms:
        if list(rooms).count(room) > 1:
            raise ConfigError(f"room {room!r} is there twice", hint="its datagrams could not be told apart: rename one")
    keys = [heartbeat, *told.values()]
    for key in keys:
        for other in keys:
            if (key is not other) and key.endswith(other):
                raise ConfigError(
                    f"UDP name {key!r} ends like {other!r}: Loxone would take one for the other",
                    hint="rename the room or loxone.udp_heartbeat_key",
                )
    return UdpKeys(heartbeat=heartbeat, told=told, said=said)
