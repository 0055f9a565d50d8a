"""The clock of a twin on a broker: who runs a house on a twin lives in the twin's time."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime

from pydantic import SecretStr

from actors.devices.growatt import parse_json
from actors.links.inbox import Inbox
from actors.links.mqtt_client import MqttClient
from actors.links.mqtt_connection import Note, Session
from actors.links.topics import CLOCK_TOPIC
from actors.runtime import ScaledClock, SystemClock
from models.errors import LinkError, PayloadError
from models.types.mqtt import Mqtt
from models.units import is_number

SPEED_MAX = 3600.0


class TwinClock(ScaledClock):
    """House time as the twin told it once, going on at the twin's speed.

    A reading never jumps: durations hang on it. How far the twin has gone from it since is `skew_s`.

    Attributes
    ----------
    speed : float
        House seconds per real second.
    """

    def skew_s(self, payload: bytes) -> float:
        """House seconds that a later message of the twin is ahead of this clock. PayloadError if it cannot be read."""
        told, _ = read_clock(payload)
        return (told - self.now()).total_seconds()


def clock_message(now: datetime, speed: float) -> bytes:
    """What the twin publishes about its time."""
    return json.dumps({"time": now.astimezone(UTC).isoformat(timespec="milliseconds"), "speed": speed}).encode()


def read_clock(payload: bytes) -> tuple[datetime, float]:
    """(house time, speed) of a clock message.

    Raises
    ------
    PayloadError
        It is none.
    """
    body = parse_json(payload)
    text, speed = body.get("time"), body.get("speed")
    if not isinstance(text, str) or not is_number(speed):
        raise PayloadError(f"{CLOCK_TOPIC}: time and speed are expected, got {str(body)[:80]}")
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise PayloadError(f"{CLOCK_TOPIC}: time {text[:40]!r} is no instant") from None
    assert isinstance(speed, (int, float))
    if time.tzinfo is None or not 0 < speed <= SPEED_MAX:
        raise PayloadError(f"{CLOCK_TOPIC}: time needs a zone, speed must be above 0 and at most {SPEED_MAX:g}")
    return time.astimezone(UTC), float(speed)


def follow_twin(settings: Mqtt, password: SecretStr | None = None, *, timeout_s: float = 10.0) -> TwinClock:
    """The clock of the twin on this broker, from its first word.

    Raises
    ------
    LinkError
        The broker cannot be reached or refuses us, or no twin tells its time there within `timeout_s`.
    """
    ear = _Ear()
    settings = settings.model_copy(update={"name": f"{settings.name[:12]}-clock", "status_topic": "pems/clock"})
    nothing = Note(topic="pems/clock", payload=b"")  # an empty retained message leaves nothing behind
    client = MqttClient(
        settings, Session(subscriptions=(CLOCK_TOPIC,), will=nothing), password=password, clock=SystemClock(),
        inbox=Inbox(lambda _: False), listener=ear,
    )  # fmt: skip
    ear.client = client
    client.start()
    try:
        heard = ear.done.wait(timeout_s)
    finally:
        client.stop(0.0)
    if ear.clock is not None:
        return ear.clock
    if ear.trouble:
        raise LinkError(ear.trouble)
    what = "no twin tells its time" if not heard else "the clock cannot be read"
    raise LinkError(
        f"{what} at {settings.broker} within {timeout_s:g} s (topic {CLOCK_TOPIC})",
        hint=f"start one: python -m pems_actors twin --broker {settings.url}",
    )


class _Ear:
    """Waits for the first word, or for the first reason why there is none."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.client: MqttClient | None = None
        self.clock: TwinClock | None = None
        self.trouble = ""

    def arrived(self) -> None:
        assert self.client is not None
        for message in self.client.take():
            if message.retained or self.clock is not None:
                continue  # a retained one is of a twin that was
            try:
                time, speed = read_clock(message.payload)
            except PayloadError:
                continue
            self.clock = TwinClock(time, speed)
            self.done.set()

    def link(self, up: bool, reason: str) -> None:
        if not up:
            self.trouble = reason
            self.done.set()

    def alarm(self, name: str, active: bool, text: str) -> None:
        """Told by `link` as well."""

    def alive(self) -> bool:
        return True
