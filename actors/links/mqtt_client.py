"""The thread that owns the wire: connects again and again, sends what is still valid, hands on what arrives."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import structlog
from pydantic import SecretStr

from actors.links import mqtt_words as words
from actors.links.inbox import Inbox
from actors.links.mqtt_connection import NO_LISTENER, REFUSED, TICK_S, Connection, Hooks, Note, Session
from actors.links.mqtt_words import Ended
from actors.links.outbox import Outbox
from actors.messages import Incoming, Outgoing
from actors.runtime import Clock
from actors.runtime.clock import speed_of
from models.types.mqtt import Mqtt

HAND_ON_S = 0.02  # what arrives is handed on at most this often: a burst of thousands is a few dozen turns
TAKEN_S = (5.0, 60.0)  # pauses while another client uses our id: two that throw each other out help nobody
REFUSED_S = (1.0, 5.0)
GHOSTS = 20
CLOSED_WITHIN_S, CLOSED_OFTEN = 10.0, 4  # closed so soon after it stood, so often in a row: somebody takes our place
AGAIN_S = 0.2  # what nobody heard is said again after, while it is valid
DEAF_S = 5.0  # and a person is told after
CALM_S = 60.0  # the take-over alarm ends after this long without one

log = structlog.get_logger(__name__)


class Listener(Protocol):
    """Who uses the wire. Called on its thread, so each must be quick."""

    def arrived(self) -> None:
        """The inbox has something."""

    def link(self, up: bool, reason: str) -> None:
        """The wire is up, or down and why; only when that changes."""

    def alarm(self, name: str, active: bool, text: str) -> None:
        """Something a person should know begins or ends."""

    def alive(self) -> bool:
        """False: nobody is left to carry for."""


@dataclass(slots=True)
class Counters:
    """What the wire did so far."""

    connections: int = 0
    sent: int = 0
    acked: int = 0  # taken by the broker, for somebody
    resent: int = 0
    refused: int = 0  # publishes the broker did not take
    unheard: int = 0  # publishes nobody subscribes to
    dropped_oversize: int = 0
    malformed: int = 0
    taken_over: int = 0
    last_error: str = ""


class Retry:
    """How long to wait before the next try: doubling, with jitter, longer where trying does harm."""

    def __init__(self, settings: Mqtt, rng: random.Random) -> None:
        self._usual = (settings.retry_first_s, settings.retry_max_s)
        self._random = rng
        self._kind = ""
        self._times = 0

    def after(self, ended: Ended, up_s: float) -> float:
        """Pause [s], at most four fifths of the longest."""
        kind = ended.kind if ended.kind in ("taken", "refused", "tls") else "usual"
        healthy_s = CALM_S if kind == "taken" else 0.0  # a connection that stood makes the next try a first one again
        if kind != self._kind or (ended.was_up and up_s >= healthy_s):
            self._kind, self._times = kind, 0
        first_s, longest_s = {"taken": TAKEN_S, "refused": REFUSED_S, "tls": REFUSED_S}.get(kind, self._usual)
        base_s = min(longest_s, first_s * 2.0**self._times)
        self._times = min(self._times + 1, 30)
        return base_s * self._random.uniform(0.4, 0.8)


class MqttClient:
    """Keeps a connection to the broker, on a thread of its own.

    Parameters
    ----------
    settings : Mqtt
        Which broker, who we are, how patient we are.
    session : Session
        What to subscribe to, last will, birth.
    password : SecretStr or None
        Of `settings.user`.
    clock : Clock
        Of `Outgoing.expires_s` and `Incoming.received_s`; the wire's own patience is real time.
    inbox : Inbox
        Where arrivals wait.
    listener : Listener
    farewell : Note, optional
        Retained message that says in an orderly end what the last will says in another.
    """

    def __init__(
        self,
        settings: Mqtt,
        session: Session,
        *,
        password: SecretStr | None,
        clock: Clock,
        inbox: Inbox,
        listener: Listener,
        farewell: Note | None = None,
        seed: int | None = None,
    ) -> None:
        self.settings, self.inbox, self.counters = settings, inbox, Counters()
        self._session, self._password, self._clock, self._listener = session, password, clock, listener
        self._farewell = farewell or session.will
        self._retry = Retry(settings, random.Random(seed))
        self._lock = threading.Lock()
        self._outbox = Outbox()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._stopping = False
        self._flush_s = 0.0
        self._woken = False
        self._connection: Connection | None = None
        self._said: tuple[bool, str] | None = None
        self._up_at = 0.0
        self._told_at = 0.0
        self._told = False
        self._alarms: dict[str, str] = {}
        self._forbidden: dict[str, int] = {}
        self._again: list[Outgoing] = []
        self._unheard: dict[str, float] = {}  # topic, since when
        self._taken_at: float | None = None
        self._ghosts = 0  # own tries that got no answer: a broker that thaws may serve them late, and throw us out
        self._closed = 0  # connections in a row that the broker closed soon after they stood
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)

    # --- from any thread ------------------------------------------------------------------------------------------
    def start(self) -> None:
        """Begin to connect."""
        self._thread.start()

    def offer(self, message: Outgoing) -> None:
        """Have a message sent while it is valid; it replaces what waits in its slot. Never blocks."""
        with self._lock:
            self._outbox.put(message)
            if self._woken:
                return
            self._woken = True
        self._call(self._pump)

    def set_clock(self, clock: Clock) -> None:
        """Another clock from now on; nothing may wait that was stamped by the one before."""
        self._clock = clock

    def take(self) -> list[Incoming]:
        """What has arrived, in order."""
        return self.inbox.take()

    def stop(self, flush_s: float = 1.0) -> bool:
        """Send what still waits, for at most `flush_s`, then disconnect; True if the thread has ended."""
        with self._lock:
            self._stopping, self._flush_s = True, flush_s
        self._call(lambda: self._stop.set() if self._stop is not None else None)
        if self._thread.is_alive():
            self._thread.join(flush_s + 1.0)
        return not self._thread.is_alive()

    @property
    def up(self) -> bool:
        """Connected and subscribed."""
        connection = self._connection
        return connection is not None and connection.up

    def snapshot(self) -> dict[str, object]:
        """Figures for the console."""
        counters, outbox, inbox, connection = self.counters, self._outbox, self.inbox, self._connection
        with self._lock:
            waiting = outbox.waiting
        return {
            "broker": str(self.settings.broker),
            "client_id": self.settings.client_id,
            "up": self.up,
            "reason": "" if self._said is None else self._said[1],
            "connections": counters.connections,
            "sent": counters.sent,
            "acked": counters.acked,
            "resent": counters.resent,
            "in_flight": 0 if connection is None else connection.in_flight,
            "waiting": list(waiting),
            "replaced": outbox.replaced,
            "expired": outbox.expired,
            "shed": outbox.shed,
            "refused": counters.refused,
            "unheard": counters.unheard,
            "received": inbox.received,
            "waiting_in": len(inbox),
            "coalesced": inbox.coalesced,
            "dropped": inbox.dropped,
            "dropped_oversize": counters.dropped_oversize,
            "malformed": counters.malformed,
            "taken_over": counters.taken_over,
            "alarms": sorted(self._alarms),
            "last_error": counters.last_error,
        }

    def _call(self, function: Callable[[], object]) -> None:
        loop = self._loop
        if loop is None:
            return
        try:
            loop.call_soon_threadsafe(function)
        except RuntimeError:  # the thread has ended
            return

    # --- on the thread --------------------------------------------------------------------------------------------
    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except Exception:
            log.exception("mqtt.thread_failed")
            self._listener.link(False, "the thread of the link failed; see the log")

    async def _main(self) -> None:
        loop = asyncio.get_running_loop()
        self._stop = stop = asyncio.Event()
        self._loop = loop
        while not self._stopping and self._listener.alive():
            connection = self._connection = Connection(self.settings, self._session, self._password, self._hooks())
            ended = await self._live(connection, stop)
            self._give_back(connection)
            if stop.is_set() or ended.kind == "stopped":
                break
            up_s = loop.time() - self._up_at if ended.was_up else 0.0
            ended = self._judge(ended, up_s)
            self._note(ended)
            await self._pause(stop, self._retry.after(ended, up_s))
        self._loop = None

    async def _live(self, connection: Connection, stop: asyncio.Event) -> Ended:
        life = asyncio.ensure_future(connection.run())
        stopping = asyncio.ensure_future(stop.wait())
        await asyncio.wait({life, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not life.done():
            if connection.up:
                await self._flush(connection)
            life.cancel()
        stopping.cancel()
        try:
            return await life
        except asyncio.CancelledError:
            return Ended("stopped", "stopped")

    async def _flush(self, connection: Connection) -> None:
        """Everything that is still valid goes out, for a moment; then the farewell."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._flush_s
        while loop.time() < deadline and connection.up and (len(self._outbox) or connection.in_flight):
            self._pump()
            await asyncio.sleep(0.005)
        if connection.up:
            await connection.leave(self._farewell)

    async def _pause(self, stop: asyncio.Event, seconds: float) -> None:
        deadline = asyncio.get_running_loop().time() + seconds
        while not stop.is_set() and self._tick():
            left_s = deadline - asyncio.get_running_loop().time()
            if left_s <= 0:
                return
            try:
                await asyncio.wait_for(stop.wait(), min(left_s, TICK_S))
            except TimeoutError:
                continue

    def _hooks(self) -> Hooks:
        return Hooks(
            up=self._is_up, message=self._arrived, confirmed=self._confirmed, malformed=self._malformed, tick=self._tick
        )

    def _tick(self) -> bool:
        with self._lock:
            self._outbox.expire(self._clock.monotonic())
        calm = self._taken_at is not None and asyncio.get_running_loop().time() - self._taken_at > CALM_S
        if calm and self.up:
            self._taken_at = None
            self._alarm_over("mqtt_takeover")
        if self._ghosts and self.up and asyncio.get_running_loop().time() - self._up_at > CALM_S:
            self._ghosts = 0
        deaf = self._deaf()
        if deaf:
            more = f" and {len(deaf) - 1} more" if len(deaf) > 1 else ""
            self._alarm("mqtt_unheard", f"nobody at the broker listens to {deaf[0]}{more}; is the device connected?")
        return self._listener.alive()

    # --- sending --------------------------------------------------------------------------------------------------
    def _pump(self) -> None:
        """Send while there is room and something valid."""
        with self._lock:
            self._woken = False
        connection = self._connection
        while connection is not None and connection.room:
            at_s = self._clock.monotonic()
            with self._lock:
                message = self._outbox.take(at_s)
            if message is None:
                return
            left_s = (message.expires_s - at_s) / speed_of(self._clock)
            connection.send(message, max(1, int(min(left_s, 2.0**31))))
            self.counters.sent += 1

    def _confirmed(self, message: Outgoing, reason: int) -> None:
        counters, topic = self.counters, message.topic
        if reason >= REFUSED:
            counters.refused += 1
            self._forbidden[topic] = reason
            who = f"user {self.settings.user!r}" if self.settings.user else "clients without user"
            self._alarm("mqtt_forbidden", f"the broker does not let {who} write {topic}; allow it in its ACL")
        else:
            if self._forbidden.pop(topic, None) is not None and not self._forbidden:
                self._alarm_over("mqtt_forbidden")
            if reason == NO_LISTENER:
                self._not_heard(message)
            else:
                counters.acked += 1
                self._heard(topic)
        self._pump()

    def _heard(self, topic: str) -> None:
        if self._unheard.pop(topic, None) is not None and not self._deaf():
            self._alarm_over("mqtt_unheard")

    def _not_heard(self, message: Outgoing) -> None:
        """Nobody subscribes yet: after a broker's return the device comes back when it will. It is said again."""
        self.counters.unheard += 1
        if not self._session.insist:
            return
        loop = asyncio.get_running_loop()
        self._unheard.setdefault(message.topic, loop.time())
        self._again.append(message)
        if len(self._again) == 1:
            loop.call_later(AGAIN_S, self._say_again)

    def _say_again(self) -> None:
        again, self._again = self._again, []
        with self._lock:
            self._outbox.give_back(again)
        self._pump()

    def _deaf(self) -> list[str]:
        """Topics that nobody has heard for a while, though we spoke."""
        since = asyncio.get_running_loop().time() - DEAF_S
        return [topic for topic, at in self._unheard.items() if at <= since and topic not in self._session.unasked]

    def _give_back(self, connection: Connection) -> None:
        """What a lost connection had not confirmed is sent again, while it is valid and nothing newer is wished."""
        back = [*self._again, *connection.unconfirmed()]
        self._again = []
        self._unheard.clear()
        with self._lock:
            self._outbox.give_back(back)
            self._outbox.expire(self._clock.monotonic())
        self.counters.resent += len(back)

    # --- state ----------------------------------------------------------------------------------------------------
    def _is_up(self) -> None:
        self.counters.connections += 1
        self._up_at = asyncio.get_running_loop().time()
        self._pump()
        self._say(True, "")
        self._alarm_over("mqtt")

    def _note(self, ended: Ended) -> None:
        self.counters.last_error = ended.text
        if ended.kind == "taken":
            self.counters.taken_over += 1
            self._taken_at = asyncio.get_running_loop().time()
            self._alarm("mqtt_takeover", ended.text)
        self._say(False, ended.text)
        self._alarm("mqtt", ended.text)

    def _judge(self, ended: Ended, up_s: float) -> Ended:
        """Who takes our place: some brokers say so, others only close, again and again, and let us in at once.

        After a broker froze it is most likely an own try of that time, served late: no reason to keep away.
        """
        if ended.unanswered or ended.kind == "silent":
            self._ghosts = min(self._ghosts + 1, GHOSTS)
        closed = ended.kind == "lost" and ended.was_up and up_s < CLOSED_WITHIN_S
        self._closed = self._closed + 1 if closed else 0
        if ended.kind != "taken" and self._closed < CLOSED_OFTEN:
            return ended
        if self._ghosts > 0:
            self._ghosts -= 1
            return replace(ended, kind="lost")
        return ended if ended.kind == "taken" else words.closed_often(self.settings, self._closed)

    def _say(self, up: bool, reason: str) -> None:
        if (up, reason) != self._said:
            self._said = (up, reason)
            self._listener.link(up, reason)

    def _alarm(self, name: str, text: str) -> None:
        if self._alarms.get(name) != text:
            self._alarms[name] = text
            self._listener.alarm(name, True, text)

    def _alarm_over(self, name: str) -> None:
        if self._alarms.pop(name, None) is not None:
            self._listener.alarm(name, False, "")

    # --- arrivals -------------------------------------------------------------------------------------------------
    def _arrived(self, topic: str, payload: bytes, retained: bool) -> None:
        if len(payload) > self.settings.payload_max_bytes:
            self.counters.dropped_oversize += 1
            self.counters.last_error = f"{topic}: {len(payload)} bytes, limit {self.settings.payload_max_bytes}"
            return
        self.inbox.put(
            Incoming(topic=topic, payload=payload, retained=retained, received_s=self._clock.monotonic())
        )
        if self._told:
            return
        loop = asyncio.get_running_loop()
        self._told = True
        wait_s = self._told_at + HAND_ON_S - loop.time()
        if wait_s <= 0:
            self._hand_on()
        else:
            loop.call_later(wait_s, self._hand_on)

    def _hand_on(self) -> None:
        self._told = False
        self._told_at = asyncio.get_running_loop().time()
        self._listener.arrived()

    def _malformed(self, what: str) -> None:
        self.counters.malformed += 1
        self.counters.last_error = f"a packet could not be read: {what}"
