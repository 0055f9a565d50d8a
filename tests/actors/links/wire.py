"""The link on threads against a broker of its own, and a second client that plays the devices."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import SecretStr

from actors.links.inbox import Inbox
from actors.links.mqtt import MqttLink
from actors.links.mqtt_client import MqttClient
from actors.links.mqtt_connection import Note, Session
from actors.messages import Alarm, Incoming, LinkState, Outgoing
from actors.runtime import ChildSpec, Clock, PykkaRuntime, SupervisorSpec, SystemClock
from models.types.mqtt import Mqtt
from tests.actors.links.broker import until

LINK = "/io/link"
T = TypeVar("T")


class Link:
    """A tree with nothing but the link in it."""

    def __init__(self, settings: Mqtt, password: SecretStr | None = None, *, clock: Clock | None = None,
                 make: Callable[[], MqttLink] | None = None) -> None:
        self.events: list[tuple[float, object]] = []
        self.clock = clock or SystemClock()
        child = ChildSpec(id="link", make=make or (lambda: MqttLink(settings, password)), on_give_up="park")
        root = SupervisorSpec(id="pems", children=(SupervisorSpec(id="io", children=(child,), on_give_up="park"),))
        self.runtime = PykkaRuntime(root, clock=self.clock)
        self.runtime.listen(lambda e: self.events.append((time.monotonic(), e)), Incoming, LinkState, Alarm)

    def __enter__(self) -> Link:
        self.runtime.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.runtime.stop()

    def of(self, kind: type[T]) -> list[T]:
        return [e for _, e in list(self.events) if isinstance(e, kind)]

    def send(self, topic: str, payload: str = "{}", *, slot: str | None = None, ttl_s: float = 30.0) -> None:
        expires_s = self.clock.monotonic() + ttl_s
        message = Outgoing(topic=topic, payload=payload.encode(), expires_s=expires_s, slot=slot or topic)
        self.runtime.tell(LINK, message)

    @property
    def snapshot(self) -> dict[str, Any]:
        return self.runtime.behaviour_snapshot(LINK)

    @property
    def reason(self) -> str:
        states = self.of(LinkState)
        return states[-1].reason if states else ""

    def wait_up(self, timeout_s: float = 10.0) -> float:
        return until(lambda: self.snapshot.get("up"), f"the link is up; {self.snapshot}", timeout_s=timeout_s)

    def wait_quiet(self) -> None:
        """Connected, and the birth has its receipt: the window is empty."""
        self.wait_up()
        until(lambda: not self.snapshot["in_flight"], "the receipt of the birth")

    def wait_down(self, timeout_s: float = 15.0) -> float:
        return until(lambda: self.of(LinkState) and not self.of(LinkState)[-1].up, "the link is down",
                     timeout_s=timeout_s)  # fmt: skip


class Peer:
    """Somebody else on the broker: hears, and speaks as a device or as a fault."""

    def __init__(self, url: str, *topics: str, name: str = "peer", retained: tuple[str, ...] = (),
                 **settings: Any) -> None:
        self.heard: list[Incoming] = []
        self.links: list[tuple[bool, str]] = []
        self.clock = SystemClock()
        self.client = MqttClient(
            Mqtt(url=url, name=name, **settings),
            Session(subscriptions=topics or ("none/none",), will=Note(topic=f"will/{name}", payload=b"gone"),
                    retained=frozenset(retained), insist=False),
            password=None, clock=self.clock, inbox=Inbox(lambda _: True), listener=self,
        )  # fmt: skip
        self._over = False

    def __enter__(self) -> Peer:
        self.client.start()
        until(lambda: self.client.up, f"{self.client.settings.client_id} is up: {self.client.snapshot()}")
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self.client.stop(0.2)

    def say(self, topic: str, payload: bytes = b"{}", *, slot: str | None = None) -> None:
        expires_s = self.clock.monotonic() + 30.0
        self.client.offer(Outgoing(topic=topic, payload=payload, expires_s=expires_s, slot=slot or topic))

    def payloads(self, topic: str) -> list[bytes]:
        return [m.payload for m in list(self.heard) if m.topic == topic]

    # the thread of the wire calls these
    def arrived(self) -> None:
        self.heard += self.client.take()

    def link(self, up: bool, reason: str) -> None:
        self.links.append((up, reason))

    def alarm(self, name: str, active: bool, text: str) -> None:
        pass

    def alive(self) -> bool:
        return not self._over


def threads_of_the_wire() -> int:
    """How many links live in this process."""
    return sum(t.name == "mqtt" and t.is_alive() for t in threading.enumerate())
