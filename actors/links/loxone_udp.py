"""The link to Loxone by its native UDP: the rooms' topics on our side, numbers under unique names on its side.

UDP has no acknowledgement and no session. What is sent may be lost, so the reading that comes back is the only proof,
and the driver asks again without it. What is heard is kept with its age: an old value is unknown, not what it was.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from actors.links.loxone_values import RoomValues
from actors.links.loxone_words import WordsError, lines_of, said_in, told
from actors.links.outbox import Outbox
from actors.links.udp_socket import Datagram, DatagramSocket, UdpSocket
from actors.messages import Alarm, Incoming, LinkState, Outgoing, Tick
from actors.runtime import Behaviour
from models.errors import ConfigError, PemsError
from models.types.loxone import (
    HEARTBEAT,
    RELAY_SET,
    RELAY_STATUS,
    SETPOINT_SET,
    SUMMARY,
    TEMPERATURE,
    Kind,
    Loxone,
    udp_keys,
)
from models.units import shown

WIRE = "loxone udp"
BEATS = 1_000_000  # the heartbeat's number begins anew here
TAKEN_AT_ONCE = 256  # datagrams, before whoever else waits has a turn
REOPEN_S = 5.0
QUIET_S = 600.0  # a kind of rejection is over when it did not happen for so long

OpenSocket = Callable[[Callable[[], object], Callable[[], bool]], DatagramSocket]


@dataclass(frozen=True, slots=True)
class Arrived:
    """The socket to its actor: look."""


@dataclass(slots=True)
class _Rejected:
    """What was not believed: counted by kind, said once per kind."""

    counts: Counter[str] = field(default_factory=Counter)
    last: str = ""
    last_s: dict[str, float] = field(default_factory=dict)  # of kinds that are being alarmed


CARRIES = ("loxone/", HEARTBEAT)


class LoxoneUdp(Behaviour):
    """Carries the rooms' topics as datagrams.

    Handles  Outgoing, Tick, what the socket's thread heard
    Sends    publishes Incoming, LinkState and Alarm
    Fails    on bugs only; what cannot be sent or believed is counted, a port that cannot be had is asked for again

    Parameters
    ----------
    rooms : sequence of str
        Their names.
    loxone : Loxone
        Addresses, ports and the age above which a value is unknown.
    tick_s : float
        How often it looks at ages and at what waits to be sent [s].
    open_socket : callable, optional
        From (wake, owned) to a socket; None: a real one at the addresses of `loxone`.

    Raises
    ------
    ConfigError
        Names of this house cannot be told apart in a datagram, or there is no address to send to.
    """

    def __init__(
        self, rooms: Sequence[str], loxone: Loxone, *, tick_s: float, open_socket: OpenSocket | None = None
    ) -> None:
        self._rooms, self._settings, self._tick_s = tuple(rooms), loxone, tick_s
        self._keys = udp_keys(self._rooms, loxone.udp_heartbeat_key)
        self._open = open_socket or _opener(loxone)
        self._commands: dict[str, tuple[Kind, str]] = {}
        for room in self._rooms:
            self._commands[RELAY_SET.format(room=room)] = ("relay", room)
            self._commands[SETPOINT_SET.format(room=room)] = ("setpoint", room)
        self._outbox = Outbox()
        self._values = RoomValues(self._rooms, loxone.udp_max_age_s)
        self._socket: DatagramSocket | None = None
        self._tried_s: float | None = None
        self._trouble = ""
        self._up: bool | None = None
        self._rejected = _Rejected()
        self._dropped = 0  # by sockets that are closed
        self.sent = self.datagrams = 0

    def on_start(self) -> None:
        # Never the number a former life ended with, without remembering it: Loxone must see a change.
        self._beat = int(self.ctx.clock.now().timestamp()) % BEATS
        self._started_s = self.ctx.clock.monotonic()
        self.ctx.every(self._tick_s, Tick(name="look"), name="look")
        self._look()

    def on_stop(self) -> None:
        self._close()

    def handle(self, message: object) -> None:
        match message:
            case Outgoing():
                self._take(message)
            case Arrived():
                self._hear()
            case Tick():
                self._look()
            case _:
                super().handle(message)

    # --- the socket -------------------------------------------------------------------------------------------------
    def _look(self) -> None:
        at_s = self.ctx.clock.monotonic()
        if self._socket is not None and self._socket.failure:
            self._trouble = self._socket.failure
            self._close()
        if self._socket is None and (self._tried_s is None or at_s - self._tried_s >= REOPEN_S):
            self._tried_s = at_s
            self._connect()
        self._hear()
        self._flush()
        self._judge(at_s)
        self._publish(SUMMARY, self._values.summary(at_s), at_s)
        for kind in [k for k, last_s in self._rejected.last_s.items() if at_s - last_s > QUIET_S]:
            del self._rejected.last_s[kind]
            self._alarm(f"loxone_udp:{kind}", active=False)

    def _connect(self) -> None:
        context = self.ctx  # of this life: the thread must not reach into the next one
        try:
            self._socket = self._open(lambda: context.post(Arrived(), coalesce="arrived"), lambda: context.alive)
        except PemsError as error:
            self._trouble = str(error)
            return
        self._trouble = ""

    def _close(self) -> None:
        if self._socket is not None:
            self._dropped += self._socket.dropped
            self._socket.close()
            self._socket = None

    # --- to Loxone --------------------------------------------------------------------------------------------------
    def _take(self, message: Outgoing) -> None:
        try:
            text = self._text(message)
        except WordsError as error:
            self._reject(error.kind, f"{shown(message.topic)}: {error}")
            return
        self._outbox.put(replace(message, payload=text.encode("ascii")))
        self._flush()

    def _text(self, message: Outgoing) -> str:
        if message.topic == HEARTBEAT:
            self._beat = (self._beat + 1) % BEATS
            return f"{self._keys.heartbeat}={self._beat}"
        command = self._commands.get(message.topic)
        if command is None:
            raise WordsError("unfit_order", "this wire has no word for it")
        return f"{self._keys.told[command]}={told(command[0], message.payload)}"

    def _flush(self) -> None:
        """One datagram for each command: the Miniserver looks for one text in each."""
        at_s = self.ctx.clock.monotonic()
        self._outbox.expire(at_s)
        while (message := self._outbox.take(at_s)) is not None:
            if not self._hand_over(message.payload):
                self._outbox.give_back([message])
                return
            self.sent += 1

    def _hand_over(self, datagram: bytes) -> bool:
        if self._socket is None:
            return False
        try:
            self._socket.send(datagram)
        except OSError as error:
            self._trouble = f"sending to {self._settings.udp_host}: {error.strerror or error}"
            return False
        self._trouble = ""
        return True

    # --- from Loxone ------------------------------------------------------------------------------------------------
    def _hear(self) -> None:
        if self._socket is None:
            return
        arrived = self._socket.take(TAKEN_AT_ONCE)
        for datagram in arrived:
            self._datagram(datagram)
        if len(arrived) == TAKEN_AT_ONCE:
            self.ctx.post(Arrived(), coalesce="arrived")

    def _datagram(self, datagram: Datagram) -> None:
        if datagram.source != self._settings.udp_host:
            self._reject("stranger", f"from {datagram.source}, but Loxone is {self._settings.udp_host}")
            return
        self.datagrams += 1
        try:
            lines = lines_of(datagram.payload)
        except WordsError as error:
            self._reject(error.kind, str(error))
            return
        at_s, relays = self.ctx.clock.monotonic(), dict[str, None]()
        for line in lines:
            try:
                kind, room, value = said_in(line, self._keys)
            except WordsError as error:
                self._reject(error.kind, str(error))
                continue
            self._values.keep(kind, room, value, at_s)
            if kind == "temp":
                self._publish(TEMPERATURE, {"temperature": value, "unit": "celsius"}, at_s, room)
            elif kind != "target":
                relays[room] = None
        for room in relays:
            self._publish(RELAY_STATUS, self._values.status(room, at_s), at_s, room)

    def _publish(self, topic: str, body: dict[str, object] | None, at_s: float, room: str = "") -> None:
        if body is None:
            return
        payload = json.dumps(body, separators=(",", ":")).encode()
        self.ctx.publish(Incoming(topic=topic.format(room=room), payload=payload, retained=False, received_s=at_s))

    # --- what people are told -----------------------------------------------------------------------------------------
    def _judge(self, at_s: float) -> None:
        """Up while Loxone is heard; nothing is said before that could have been."""
        heard_s = self._values.heard_s
        if self._socket is not None and not self._values.silent(at_s):
            self._say(True, "")
        elif self._trouble:
            self._say(False, self._trouble)
        elif heard_s is not None:
            self._say(False, f"nothing heard from {self._settings.udp_host} for {at_s - heard_s:.0f} s")
        elif at_s - self._started_s > self._settings.udp_max_age_s:
            self._say(False, f"nothing heard from {self._settings.udp_host} yet")

    def _say(self, up: bool, reason: str) -> None:
        if up is self._up:
            return
        was_down, self._up = self._up is False, up
        text = f"{WIRE}: {reason}" if reason else WIRE
        self.ctx.publish(LinkState(up=up, reason=text, carries=CARRIES))
        if was_down or not up:
            self._alarm("link:loxone_udp", active=not up, text=text)

    def _reject(self, kind: str, what: str) -> None:
        self._rejected.counts[kind] += 1
        self._rejected.last = f"{kind}: {what}"
        if kind not in self._rejected.last_s:
            self._alarm(f"loxone_udp:{kind}", active=True, text=f"{WIRE} is not believed: {what}")
        self._rejected.last_s[kind] = self.ctx.clock.monotonic()

    def _alarm(self, name: str, *, active: bool, text: str = "") -> None:
        self.ctx.publish(Alarm(at=self.ctx.clock.now(), name=name, active=active, text=text if active else ""))

    def snapshot(self) -> dict[str, object]:
        at_s, heard_s, socket = self.ctx.clock.monotonic(), self._values.heard_s, self._socket
        return {
            "wire": WIRE,
            "up": self._up,
            "peer": f"{self._settings.udp_host}:{self._settings.udp_port}",
            "heard_s_ago": None if heard_s is None else round(at_s - heard_s, 1),
            "trouble": self._trouble,
            "sent": self.sent,
            "expired": self._outbox.expired,
            "waiting": sorted(self._outbox.waiting),
            "datagrams": self.datagrams,
            "values": self._values.count,
            "dropped": self._dropped + (0 if socket is None else socket.dropped),
            "rejected": dict(self._rejected.counts),
            "last_rejected": self._rejected.last,
        }


def _opener(loxone: Loxone) -> OpenSocket:
    host = loxone.udp_host
    if host is None:
        raise ConfigError("loxone.udp_host is missing", hint="write the Miniserver's address, such as '192.168.1.77'")
    listen, peer = (loxone.udp_listen_address, loxone.udp_listen_port), (host, loxone.udp_port)
    return lambda wake, owned: UdpSocket(listen, peer, wake=wake, owned=owned)
