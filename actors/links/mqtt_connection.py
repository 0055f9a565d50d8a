"""One connection to the broker, from CONNECT to its end, around one gmqtt client that is never used again.

gmqtt 0.8.0, as it is: `stop_reconnect()` does not stop its reconnecting (0 retries still allow the first), a lost
client may say "connected" and refuse every publish, refusals in a PUBACK are dropped, and it waits 12 s for a frozen
broker. So its reconnecting is off, one packet tap sees what it hides, and silence is counted here. What is used of its
inside is pinned by `tests/actors/links/test_mqtt_gmqtt.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gmqtt
from gmqtt.mqtt.constants import MQTTCommands
from gmqtt.storage import PersistentStorage
from pydantic import SecretStr

from actors.links import mqtt_words as words
from actors.links.mqtt_words import Ended
from actors.messages import Outgoing
from models.types.mqtt import Mqtt

TICK_S = 0.25
UNCONFIRMED_S = 10.0  # a broker that talks but does not confirm for this long has lost what we sent
GOODBYE_S = 0.3
NEVER = -2  # retries: gmqtt takes -1 for "for ever" and still tries once at 0
NO_LISTENER = 0x10
REFUSED = 0x80
_QUIET = logging.getLogger("actors.links.gmqtt")
_QUIET.setLevel(logging.CRITICAL)  # what it would say is said in better words by LinkState
logging.getLogger("gmqtt").setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A retained message about ourselves."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What a client says of itself and wants to hear."""

    subscriptions: tuple[str, ...]
    will: Note  # the broker says it when we are gone
    birth: Note | None = None
    retained: frozenset[str] = frozenset()  # topics whose messages the broker keeps; commands never are
    insist: bool = True  # what nobody subscribes to is said again while it is valid
    unasked: frozenset[str] = frozenset()  # topics that nobody has to listen to


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """Called on the thread of the connection; all are quick."""

    up: Callable[[], None]
    message: Callable[[str, bytes, bool], None]  # topic, payload, retained
    confirmed: Callable[[Outgoing, int], None]  # with the reason of the PUBACK: 0 taken, 16 nobody listens, >= 128 not
    malformed: Callable[[str], None]
    tick: Callable[[], bool]  # False: this connection is no longer wanted


class _Receipts(PersistentStorage):  # type: ignore[misc]  # gmqtt is not typed
    """gmqtt keeps unconfirmed messages here: the public place where packet ids are learnt and forgotten."""

    def __init__(self, sent: Callable[[int], None], confirmed: Callable[[int], None]) -> None:
        super().__init__()
        self._sent, self._confirmed = sent, confirmed

    def push_message(self, mid: int, raw_package: bytes) -> None:
        super().push_message(mid, raw_package)
        self._sent(mid)

    def remove_message_by_mid(self, mid: int) -> None:
        super().remove_message_by_mid(mid)
        self._confirmed(mid)


class Connection:
    """Connects, subscribes, carries messages, notices its end.

    Attributes
    ----------
    up : bool
        Connected and subscribed: messages may be sent.
    """

    def __init__(self, settings: Mqtt, session: Session, password: SecretStr | None, hooks: Hooks) -> None:
        self._settings, self._session, self._password, self._hooks = settings, session, password, hooks
        self.up = False
        self._flying: dict[int, tuple[Outgoing | None, float]] = {}
        self._sending: Outgoing | None = None
        self._refused: dict[int, int] = {}
        self._window = settings.window
        self._heard = False
        self._reason: int | None = None
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._ready: asyncio.Future[Ended | None] = loop.create_future()
        self._over: asyncio.Future[None] = loop.create_future()
        self._receipts = _Receipts(self._sent, self._confirmed)
        self._client = self._make()

    # --- sending --------------------------------------------------------------------------------------------------
    @property
    def room(self) -> bool:
        """Whether one more message may be sent."""
        return self.up and not self._over.done() and len(self._flying) < self._window

    @property
    def in_flight(self) -> int:
        """Messages without a receipt."""
        return len(self._flying)

    def unconfirmed(self) -> list[Outgoing]:
        """What was sent and has no receipt, oldest first."""
        return [message for message, _ in self._flying.values() if message is not None]

    def send(self, message: Outgoing, expiry_s: int) -> None:
        """Send one message at QoS 1; the broker drops it if it cannot deliver it within `expiry_s`."""
        self._sending = message
        if message.topic in self._session.retained:
            self._client.publish(message.topic, message.payload, qos=1, retain=True)
        else:
            self._client.publish(message.topic, message.payload, qos=1, message_expiry_interval=expiry_s)
        self._sending = None

    def tell(self, note: Note) -> None:
        """Send a retained message about ourselves."""
        self._client.publish(note.topic, note.payload, qos=1, retain=True)

    def _sent(self, mid: int) -> None:
        self._flying[mid] = (self._sending, self._loop.time())

    def _confirmed(self, mid: int) -> None:
        message, _ = self._flying.pop(mid, (None, 0.0))
        reason = self._refused.pop(mid, 0)
        if message is not None:
            self._hooks.confirmed(message, reason)

    # --- life -----------------------------------------------------------------------------------------------------
    async def run(self) -> Ended:
        """Live until the connection ends; never raises for what the network does. Cancelled, it is cut."""
        broker = self._settings.broker
        connecting: asyncio.Future[None] | None = None
        try:
            tls = words.tls_context(self._settings)
            connecting = asyncio.ensure_future(
                self._client.connect(
                    broker.host, broker.port, ssl=tls or False, keepalive=round(self._settings.keepalive_s)
                )
            )
            ended = await self._until_up(connecting)
            return ended if ended is not None else await self._watch()
        except Exception as error:  # noqa: BLE001 - a bad certificate file, an address that cannot be resolved
            return words.failed(error, self._settings)
        finally:
            self.up = False
            if not self._over.done():
                self._over.set_result(None)
            if connecting is not None:
                connecting.cancel()
                await asyncio.wait({connecting}, timeout=GOODBYE_S)
            self._cut()

    async def _until_up(self, connecting: asyncio.Future[None]) -> Ended | None:
        deadline = self._loop.time() + self._settings.connect_s
        waiting: set[asyncio.Future[Any]] = {connecting, self._ready, self._over}
        while True:
            done, _ = await asyncio.wait(
                waiting, timeout=max(0.0, deadline - self._loop.time()), return_when=asyncio.FIRST_COMPLETED
            )
            if self._over in done and connecting not in done:  # a refusal closes the connection in the same breath
                await asyncio.wait({connecting}, timeout=0.05)
            if connecting.done() and (error := connecting.exception()) is not None:
                return words.failed(error, self._settings)
            if self._ready.done():
                return self._ready.result()
            if self._over.done():
                return words.goodbye(self._reason, self._settings, was_up=False)
            if not done:
                return words.no_answer(self._settings)
            waiting.discard(connecting)

    async def _watch(self) -> Ended:
        """Until the end, or silence. Ticks are counted, not time: a computer that slept has not been left alone."""
        quiet = 0
        while True:
            await asyncio.wait({self._over}, timeout=TICK_S)
            if self._over.done():
                return words.goodbye(self._reason, self._settings, was_up=True)
            quiet = 0 if self._heard else quiet + 1
            self._heard = False
            if quiet * TICK_S >= self._settings.silence_s:
                return words.silent(self._settings, f"no sign of life for {quiet * TICK_S:g} s")
            oldest = next(iter(self._flying.values()), None)
            if oldest is not None and self._loop.time() - oldest[1] > UNCONFIRMED_S:
                return words.silent(self._settings, f"no receipt for {UNCONFIRMED_S:g} s")
            if not self._hooks.tick():
                return Ended("stopped", "its owner is gone", True)

    async def leave(self, note: Note) -> None:
        """Say goodbye: an orderly end sends no last will."""
        with contextlib.suppress(Exception):
            self.tell(note)
            await asyncio.wait_for(self._receipts.wait_empty(), GOODBYE_S)
        with contextlib.suppress(Exception):
            await asyncio.wait_for(self._client.disconnect(), GOODBYE_S)

    def _cut(self) -> None:
        """End the connection so that nothing that still waits in it is sent later."""
        inner = getattr(self._client, "_connection", None)
        transport = getattr(inner, "_transport", None)
        if transport is None or transport.is_closing():
            return
        raw = transport.get_extra_info("socket")
        if raw is not None:
            with contextlib.suppress(OSError):
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()

    # --- gmqtt ----------------------------------------------------------------------------------------------------
    def _make(self) -> Any:
        settings, will = self._settings, self._session.will
        client = gmqtt.Client(
            settings.client_id,
            clean_session=True,
            will_message=gmqtt.Message(will.topic, will.payload, qos=1, retain=True),
            persistent_storage=self._receipts,
            logger=_QUIET,
            session_expiry_interval=0,
            maximum_packet_size=settings.packet_max_bytes,
        )
        client.set_config({"reconnect_retries": NEVER})
        if settings.user is not None:
            client.set_auth_credentials(settings.user, self._password and self._password.get_secret_value())
        client.on_connect = self._on_connect
        client.on_message = self._on_message
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        self._tap(client)
        return client

    def _tap(self, client: Any) -> None:
        """See every packet before gmqtt does."""
        handler = client._package_handler
        inner = handler._handle_packet

        def tapped(command: int, packet: bytes) -> None:
            self._see(command & 0xF0, packet)
            try:
                inner(command, packet)
            except Exception as error:  # noqa: BLE001 - one packet that cannot be read is not the end
                self._hooks.malformed(f"{type(error).__name__}: {str(error)[:100]}")

        handler._handle_packet = tapped

    def _see(self, command: int, packet: bytes) -> None:
        if command == MQTTCommands.DISCONNECT:
            if packet and self._reason is None:
                self._reason = packet[0]
            return  # also made up by gmqtt when the connection breaks: no sign of life
        self._heard = True
        if command == MQTTCommands.PUBACK and len(packet) > 2:
            (mid,) = struct.unpack("!H", packet[:2])
            self._refused[mid] = packet[2]

    def _on_connect(self, client: Any, flags: int, result: int, properties: dict[str, Any]) -> None:
        maximum = properties.get("receive_maximum", [self._settings.window + 2])[0]
        self._window = max(1, min(self._settings.window, maximum - 2))
        client.subscribe([gmqtt.Subscription(topic, qos=1) for topic in self._session.subscriptions])

    def _on_subscribe(self, client: Any, mid: int, granted: tuple[int, ...], properties: dict[str, Any]) -> None:
        if self._ready.done():
            return
        refused = [t for t, qos in zip(self._session.subscriptions, granted, strict=False) if qos >= REFUSED]
        if refused:
            self._ready.set_result(words.not_subscribed(refused, self._settings))
            return
        self.up = True
        self._ready.set_result(None)
        if self._session.birth is not None:
            self.tell(self._session.birth)
        self._hooks.up()

    def _on_message(self, client: Any, topic: Any, payload: Any, qos: int, properties: dict[str, Any]) -> None:
        if not isinstance(topic, str):
            self._hooks.malformed("a topic that is not UTF-8")
            return
        self._hooks.message(topic, bytes(payload), bool(properties.get("retain")))

    def _on_disconnect(self, client: Any, packet: bytes, exc: object = None) -> None:
        if not self._over.done():
            self._over.set_result(None)
