"""Every topic between PEMS and the house, in both directions: what is subscribed to, and what docs/mqtt.md tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from actors.devices.growatt import COMMAND_TOPIC, RESULT_TOPIC, TELEMETRY_TOPIC
from models.types.loxone import HEARTBEAT, RELAY_SET, RELAY_STATUS, SETPOINT_SET, SUMMARY, TEMPERATURE
from models.types.mqtt import Mqtt

CLOCK_TOPIC = "pems-twin/clock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One topic. `{room}` and `{command}` stand for the name of a room and of a command."""

    name: str
    way: Literal["to PEMS", "from PEMS", "from the twin"]
    says: str
    retained: bool = False
    each: bool = False  # every message counts; of the others the latest does
    heard: bool = True  # subscribed to, where it comes to PEMS

    @property
    def filter(self) -> str:
        """As a subscription."""
        return self.name.replace("{room}", "+").replace("{command}", "#")


TOPICS = (
    Topic(name=TELEMETRY_TOPIC, way="to PEMS", retained=True, says="telemetry and settings of the inverter, every 5 s"),
    Topic(
        name=RESULT_TOPIC, way="to PEMS", retained=True, each=True,
        says="answer to a command; retained ones are old answers and are dropped, like those to others",
    ),
    Topic(name=SUMMARY, way="to PEMS", retained=True, says="all rooms: relay, who decides, air, target"),
    Topic(name=RELAY_STATUS, way="to PEMS", says="one relay, when it changes and every 30 s"),
    Topic(
        name=TEMPERATURE, way="to PEMS", heard=False,
        says="air of one room; not subscribed to: it stands in the summary",
    ),
    Topic(name=COMMAND_TOPIC + "{command}", way="from PEMS", says="writes one setting of the inverter"),
    Topic(name=RELAY_SET, way="from PEMS", says="switches a relay, or gives it back"),
    Topic(name=SETPOINT_SET, way="from PEMS", says="target of a room; null gives it back"),
    Topic(name=HEARTBEAT, way="from PEMS", says="PEMS lives and may act, every 15 s"),
    Topic(
        name=str(Mqtt.model_fields["status_topic"].default), way="from PEMS", retained=True,
        says="whether PEMS is here: birth, farewell and last will",
    ),
    Topic(name=CLOCK_TOPIC, way="from the twin", says="house time and speed of a twin, every second"),
)  # fmt: skip
EACH = frozenset(t.name for t in TOPICS if t.each)
_LOXONE = (SUMMARY, RELAY_STATUS, TEMPERATURE)
SUBSCRIPTIONS = tuple(t.filter for t in TOPICS if t.way == "to PEMS" and t.heard)


class Heard(Protocol):
    """Topics of the wire that stand for others of ours."""

    heard: tuple[str, ...]


def subscriptions(names: Heard | None) -> tuple[str, ...]:
    """What the link subscribes to; with names of the wire, those stand in for Loxone's own."""
    if names is None:
        return SUBSCRIPTIONS
    own = tuple(t.filter for t in TOPICS if t.way == "to PEMS" and t.heard and t.name not in _LOXONE)
    return (*own, *names.heard)
