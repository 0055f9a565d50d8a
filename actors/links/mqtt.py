"""The MQTT link: the wire between the devices' actors and the broker, with every rule of a wire that acts.

One slot per point in the outbox, the latest wish wins, each with its time to live; a queue of old commands is never
replayed. Sent is never applied: only the device's own state confirms.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Protocol

from pydantic import SecretStr

from actors.links.inbox import Inbox
from actors.links.mqtt_client import MqttClient
from actors.links.mqtt_connection import Note, Session
from actors.links.topics import CLOCK_TOPIC, EACH, subscriptions
from actors.links.twin_clock import TwinClock
from actors.messages import Alarm, Incoming, LinkState, Outgoing
from actors.runtime import Behaviour, Lane
from models.errors import PemsError
from models.types.loxone import HEARTBEAT
from models.types.mqtt import Mqtt

FLUSH_S = 1.0
SKEW_REAL_S = 2.0  # a wire may be late by this much


@dataclass(frozen=True, slots=True)
class _Arrived:
    """The inbox has something."""


@dataclass(frozen=True, slots=True)
class _Alarm:
    name: str
    active: bool
    text: str


class Names(Protocol):
    """What the wire calls otherwise than PEMS does; `actors.links.loxone_names.LoxoneNames` is one.

    Attributes
    ----------
    heard : tuple of str
        Topics on the wire to subscribe to.
    """

    heard: tuple[str, ...]

    def out(self, message: Outgoing) -> Outgoing:
        """For the wire. PemsError if it cannot be said there."""

    def back(self, topic: str, payload: bytes) -> tuple[str, bytes]:
        """From the wire. PemsError if it means nothing."""


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
    names : Names, optional
        Where Loxone's topics or words are others than those of `models.types.loxone`.
    also : tuple of str
        Further topic filters; no set or command topic is ever subscribed to.
    twin : TwinClock, optional
        The clock of a twin that the house lives in: a twin that leaves it is an alarm.
    carries : tuple of str
        Beginnings of the topics that go over this wire; all, unless there is another.
    """

    def __init__(
        self,
        settings: Mqtt,
        password: SecretStr | None = None,
        *,
        names: Names | None = None,
        also: tuple[str, ...] = (),
        twin: TwinClock | None = None,
        carries: tuple[str, ...] = ("",),
    ) -> None:
        self._carries = carries
        self._settings, self._password, self._names, self._twin = settings, password, names, twin
        self._subscriptions = (*subscriptions(names), *also, *([] if twin is None else [CLOCK_TOPIC]))
        self._inbox = Inbox(EACH.__contains__)
        self._client: MqttClient | None = None
        self.rejected = 0
        self._rejected_text = ""
        self._skewed = False

    def on_start(self) -> None:
        topic = self._settings.status_topic
        beat = Outgoing(topic=HEARTBEAT, payload=b"", expires_s=0.0, slot="")
        session = Session(
            subscriptions=self._subscriptions,
            will=Note(topic=topic, payload=_status(False)),
            birth=Note(topic=topic, payload=_status(True)),
            unasked=frozenset({beat.topic if self._names is None else self._names.out(beat).topic}),
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
                self._send(message)
            case _Arrived():
                for incoming in self._inbox.take():
                    self._hand_on(incoming)
            case LinkState():
                self.ctx.publish(message)
            case _Alarm(name=name, active=active, text=text):
                self.ctx.publish(Alarm(at=self.ctx.clock.now(), name=name, active=active, text=text))
            case _:
                super().handle(message)

    def _send(self, message: Outgoing) -> None:
        assert self._client is not None
        try:
            self._client.offer(message if self._names is None else self._names.out(message))
        except PemsError as error:
            self._reject(str(error))

    def _hand_on(self, message: Incoming) -> None:
        if self._twin is not None and message.topic == CLOCK_TOPIC:
            self._look_at_clock(self._twin, message)
            return
        if self._names is not None:
            try:
                topic, payload = self._names.back(message.topic, message.payload)
            except PemsError as error:
                self._reject(str(error))
                return
            if topic is not message.topic:
                message = replace(message, topic=topic, payload=payload)
        self.ctx.publish(message)

    def _look_at_clock(self, clock: TwinClock, message: Incoming) -> None:
        """A twin that was started again, or stood still, lives in another time than ours."""
        if message.retained:
            return
        try:
            skew_s = clock.skew_s(message.payload)
        except PemsError as error:
            self._reject(str(error))
            return
        skewed = abs(skew_s) > SKEW_REAL_S * clock.speed
        if skewed is not self._skewed:
            self._skewed = skewed
            way = "ahead of" if skew_s > 0 else "behind"
            text = f"the twin is {abs(skew_s):.0f} s {way} the house that follows it; start `run` again"
            alarm = Alarm(at=self.ctx.clock.now(), name="mqtt_clock", active=skewed, text=text if skewed else "")
            self.ctx.publish(alarm)

    def _reject(self, text: str) -> None:
        self.rejected += 1
        self._rejected_text = text
        if self.rejected == 1:
            self.ctx.publish(Alarm(at=self.ctx.clock.now(), name="mqtt_words", active=True, text=text))

    def snapshot(self) -> dict[str, object]:
        if self._client is None:
            return {}
        return {**self._client.snapshot(), "rejected": self.rejected, "last_rejected": self._rejected_text}

    # --- called on the thread of the wire ---------------------------------------------------------------------------
    def arrived(self) -> None:
        """The inbox has something."""
        self.ctx.post(_Arrived(), coalesce="arrived")

    def link(self, up: bool, reason: str) -> None:
        """The wire is up or down."""
        self.ctx.post(LinkState(up=up, reason=reason, carries=self._carries), lane=Lane.URGENT)

    def alarm(self, name: str, active: bool, text: str) -> None:
        """Something a person should know."""
        self.ctx.post(_Alarm(name, active, text))

    def alive(self) -> bool:
        """Whether this life of the link goes on."""
        return self.ctx.alive


def _status(online: bool) -> bytes:
    return json.dumps({"online": online}).encode()
