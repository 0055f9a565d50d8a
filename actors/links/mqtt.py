"""The MQTT link: the wire between the devices' actors and the broker, with every rule of a wire that acts.

One slot per point in the outbox, the latest wish wins, each with its time to live; a queue of old commands is never
replayed. Sent is never applied: only the device's own state confirms.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import SecretStr

from actors.links.inbox import Inbox
from actors.links.mqtt_client import MqttClient
from actors.links.mqtt_connection import Note, Session
from actors.links.topics import EACH, SUBSCRIPTIONS
from actors.messages import Alarm, LinkState, Outgoing
from actors.runtime import Behaviour, Lane
from models.types.mqtt import Mqtt

FLUSH_S = 1.0


@dataclass(frozen=True, slots=True)
class _Arrived:
    """The inbox has something."""


@dataclass(frozen=True, slots=True)
class _Alarm:
    name: str
    active: bool
    text: str


class MqttLink(Behaviour):
    """Carries messages between devices and the broker.

    Handles  Outgoing
    Sends    publishes Incoming, LinkState and Alarm
    Fails    never on what it carries, nor on what the broker does

    Parameters
    ----------
    settings : Mqtt
        The [mqtt] table.
    password : SecretStr, optional
        The secret `mqtt_password`.
    subscriptions : tuple of str
        Topic filters; no set or command topic is ever among them.
    each : callable
        Whether every message of a topic counts; of the others the latest does.
    """

    def __init__(
        self,
        settings: Mqtt,
        password: SecretStr | None = None,
        *,
        subscriptions: tuple[str, ...] = SUBSCRIPTIONS,
        each: Callable[[str], bool] = EACH.__contains__,
    ) -> None:
        self._settings, self._password, self._subscriptions = settings, password, subscriptions
        self._inbox = Inbox(each)
        self._client: MqttClient | None = None

    def on_start(self) -> None:
        topic = self._settings.status_topic
        session = Session(
            subscriptions=self._subscriptions,
            will=Note(topic=topic, payload=_status(False)),
            birth=Note(topic=topic, payload=_status(True)),
        )
        self._client = MqttClient(
            self._settings, session, password=self._password, clock=self.ctx.clock, inbox=self._inbox, listener=self
        )
        self._client.start()

    def on_stop(self) -> None:
        if self._client is not None:
            self._client.stop(FLUSH_S)

    def handle(self, message: object) -> None:
        match message:
            case Outgoing():
                assert self._client is not None
                self._client.offer(message)
            case _Arrived():
                for incoming in self._inbox.take():
                    self.ctx.publish(incoming)
            case LinkState():
                self.ctx.publish(message)
            case _Alarm(name=name, active=active, text=text):
                self.ctx.publish(Alarm(at=self.ctx.clock.now(), name=name, active=active, text=text))
            case _:
                super().handle(message)

    def snapshot(self) -> dict[str, object]:
        return {} if self._client is None else self._client.snapshot()

    # --- called on the thread of the wire ---------------------------------------------------------------------------
    def arrived(self) -> None:
        """The inbox has something."""
        self.ctx.post(_Arrived(), coalesce="arrived")

    def link(self, up: bool, reason: str) -> None:
        """The wire is up or down."""
        self.ctx.post(LinkState(up=up, reason=reason), lane=Lane.URGENT)

    def alarm(self, name: str, active: bool, text: str) -> None:
        """Something a person should know."""
        self.ctx.post(_Alarm(name, active, text))

    def alive(self) -> bool:
        """Whether this life of the link goes on."""
        return self.ctx.alive


def _status(online: bool) -> bytes:
    return json.dumps({"online": online}).encode()
