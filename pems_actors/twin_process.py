"""The twin of the house on a broker: the topics, payloads and faults of the real devices, on a clock of its own."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from actors.links.inbox import Inbox
from actors.links.mqtt_client import MqttClient
from actors.links.mqtt_connection import Note, Session
from actors.links.topics import CLOCK_TOPIC
from actors.links.twin_clock import clock_message
from actors.messages import Incoming, Outgoing
from actors.runtime import ScaledClock
from config.schema import HouseFile
from models.errors import LinkError
from models.twins.gateway import MIN_WRITE_GAP_S
from models.twins.house import HouseTwin
from models.twins.loxone import LoxoneTopics
from models.twins.message import TwinMessage
from models.twins.telemetry import OFFLINE
from models.twins.world import World
from models.types.mqtt import Mqtt

SOLAR = "energy/solar"
RESULT = f"{SOLAR}/result"
COMMANDS = f"{SOLAR}/command/"
STEP_S = 15.0  # of the integration [s, house time]
LOOK_S = 0.05  # how often it lives on, unless a command comes [s, real]
CLOCK_S, STATE_S = 1.0, 5.0  # how often it tells its time, and shows itself [s, real]
KEPT_S = 30.0  # what could not be sent for this long is of no use [s, real]
JITTER_S = 0.02  # of the wire in real time: in a fast house it must not look like a write that came too soon
LOST_SHARE = 0.3
FREEZE_AFTER_S = 3.0  # telemetry must have been seen before it can be old [s, real]
OFFLINE_FIRST_S, OFFLINE_FOR_S, OFFLINE_EVERY_S = 10.0, 30.0, 60.0  # real
FAULTS = ("slow", "lost", "stale", "liar", "offline")
_TOPICS = LoxoneTopics()
SUBSCRIPTIONS = (
    COMMANDS + "#",
    _TOPICS.relay_set.format(room="+"),
    _TOPICS.setpoint_set.format(room="+"),
    _TOPICS.heartbeat,
)
RETAINED = frozenset({SOLAR, RESULT, _TOPICS.summary})


class Teller(Protocol):
    """Where the twin tells what happens; each call is one line."""

    def __call__(self, event: str, **fields: Any) -> None: ...


@dataclass(slots=True)
class Counts:
    """What came in."""

    commands: int = 0
    heartbeats: int = 0
    retained: int = 0  # on a command topic: never an order


class TwinProcess:
    """A house on a broker.

    Parameters
    ----------
    config : HouseFile
        As of the house file; allowances grow with `speed`.
    world : World
        Recorded truth.
    mqtt : Mqtt
        Which broker, and who the twin is there.
    start : datetime
        Aware; house time begins here.
    speed : float
        House seconds per real second.
    faults : names
        Of `FAULTS`; on from the start, `offline` comes and goes.
    tell : callable
        Where it tells what happens.
    """

    def __init__(
        self,
        config: HouseFile,
        world: World,
        mqtt: Mqtt,
        *,
        password: SecretStr | None,
        start: datetime,
        speed: float,
        faults: Sequence[str],
        tell: Teller,
    ) -> None:
        config = config.at_speed(speed)
        timing = config.timing
        self._speed, self._tell, self._faults = speed, tell, tuple(faults)
        self._zone = ZoneInfo(config.house.site.timezone)
        self.twin = HouseTwin(
            config.house,
            world,
            start=start,
            seed=config.simulation.seed,
            step_s=STEP_S,
            telemetry_s=timing.telemetry_s,
            status_s=max(timing.telemetry_s, 30.0),
            heartbeat_timeout_s=timing.heartbeat_timeout_s,
        )
        self._start = start
        self.clock = ScaledClock(start, speed)  # begins again once the broker is there
        self._wake = threading.Event()
        self._ended = False
        self._first: threading.Event = threading.Event()
        self._reason = ""
        self._results = 0
        self._last_command: datetime | None = None
        self._offline = self._stale = False
        self.counts = Counts()
        self.client = MqttClient(
            mqtt,
            Session(
                subscriptions=SUBSCRIPTIONS, will=Note(topic=SOLAR, payload=OFFLINE), retained=RETAINED, insist=False
            ),
            password=password,
            clock=self.clock,
            inbox=Inbox(lambda topic: topic != _TOPICS.heartbeat),
            listener=self,
        )

    def run(self, over: threading.Event, for_s: float | None = None) -> None:
        """Live on the broker until `over` is set or `for_s` real seconds are gone.

        Raises
        ------
        LinkError
            The first try to connect fails; later losses are told and tried again.
        DataError
            The record ends.
        """
        self.client.start()
        try:
            if not self._first.wait(self.client.settings.connect_s * 2 + 1.0) or not self.client.up:
                raise LinkError(self._reason or f"{self.client.settings.broker} did not answer; mqtt.url")
            self.clock = ScaledClock(self._start, self._speed)
            self.client.set_clock(self.clock)
            self._begin_faults()
            self._live(over, math.inf if for_s is None else for_s)
        finally:
            self._ended = True
            self.client.stop(1.0)

    def _live(self, over: threading.Event, for_s: float) -> None:
        begun = time.monotonic()
        clock, state = _Every(CLOCK_S), _Every(STATE_S)
        while not over.is_set():
            at = time.monotonic() - begun
            if at >= for_s:
                return
            self._come_and_go(at)
            self._hear()
            for message in self.twin.advance(self.clock.now()):
                self._publish(message)
            if clock.due(at):
                self._offer(CLOCK_TOPIC, clock_message(self.clock.now(), self._speed), "clock", CLOCK_S)
            if state.due(at):
                self._tell("state", **self.state())
            self._wake.wait(LOOK_S)
            self._wake.clear()

    # --- the wire -------------------------------------------------------------------------------------------------
    def _hear(self) -> None:
        for message in self.client.take():
            if message.topic == _TOPICS.heartbeat:
                self.counts.heartbeats += 1
            elif message.retained:
                self.counts.retained += 1
                self._tell("ignored", topic=message.topic, why="retained: never an order")
                continue
            else:
                self.counts.commands += 1
                self._tell("command", topic=message.topic, payload=message.payload[:400].decode(errors="replace"))
            self.twin.publish(message.topic, message.payload, self._arrival(message))

    def _arrival(self, message: Incoming) -> datetime:
        """When it came, in house time. In a fast house a write that the wire brought a little early is put right."""
        at = self._start + timedelta(seconds=message.received_s)
        if not message.topic.startswith(COMMANDS):
            return at
        if self._last_command is not None:
            due = self._last_command + timedelta(seconds=MIN_WRITE_GAP_S)
            if timedelta() < due - at <= timedelta(seconds=JITTER_S * (self._speed - 1.0)):
                at = due
        self._last_command = at
        return at

    def _publish(self, message: TwinMessage) -> None:
        slot = message.topic
        if slot == RESULT:  # each answer counts; of the others the latest does
            self._results += 1
            slot = f"result-{self._results}"
        self._offer(message.topic, message.payload, slot, KEPT_S)

    def _offer(self, topic: str, payload: bytes, slot: str, kept_s: float) -> None:
        expires_s = self.clock.monotonic() + kept_s * self._speed
        self.client.offer(Outgoing(topic=topic, payload=payload, expires_s=expires_s, slot=slot))

    # --- faults ---------------------------------------------------------------------------------------------------
    def _begin_faults(self) -> None:
        for name in self._faults:
            match name:
                case "lost":
                    self.twin.inject("lost", LOST_SHARE)
                case "stale" | "offline":
                    continue
                case _:
                    self.twin.inject(name, True)
            self._tell("fault", name=name, active=True)

    def _come_and_go(self, at_s: float) -> None:
        """Old telemetry comes a little later; the inverter's stick is away now and then."""
        if "stale" in self._faults and not self._stale and at_s >= FREEZE_AFTER_S:
            self._stale = True
            self.twin.inject("stale", True)
            self.twin.inject("telemetry_frozen", True)
            self._tell("fault", name="stale", active=True)
        if "offline" not in self._faults:
            return
        offline = at_s >= OFFLINE_FIRST_S and (at_s - OFFLINE_FIRST_S) % OFFLINE_EVERY_S < OFFLINE_FOR_S
        if offline is not self._offline:
            self._offline = offline
            self.twin.inject("offline", offline)
            self._tell("fault", name="offline", active=offline)

    # --- looking --------------------------------------------------------------------------------------------------
    def state(self) -> dict[str, Any]:
        """The house now, as one line of figures. Powers in kW, `battery_kw` > 0 charges, `grid_kw` > 0 imports."""
        truth, wire = self.twin.truth(), self.client.snapshot()
        return {
            "house_time": truth.at.astimezone(self._zone).isoformat(timespec="seconds"),
            "soc": None if truth.soc is None else round(truth.soc, 3),
            "mode": truth.composite.value,
            "pv_kw": round(truth.pv_used_kw, 2),
            "load_kw": round(truth.load_kw + truth.heating_kw, 2),
            "battery_kw": round(truth.battery_kw, 2),
            "grid_kw": round(truth.grid_kw, 2),
            "rooms_heating": sum(room.relay_on for room in truth.rooms),
            "commands": self.counts.commands,
            "refused": self.twin.gateway.refused + self.twin.loxone.refused,
            "heartbeats": self.counts.heartbeats,
            "alone": self.twin.loxone.alone,
            "link": wire["up"],
            "sent": wire["sent"],
        }

    # --- called on the thread of the wire -------------------------------------------------------------------------
    def arrived(self) -> None:
        """A command has come."""
        self._wake.set()

    def link(self, up: bool, reason: str) -> None:
        """The wire is up or down."""
        self._reason = reason
        if self._first.is_set():
            self._tell("link", up=up, reason=reason)
        self._first.set()

    def alarm(self, name: str, active: bool, text: str) -> None:
        """Told by `link`, but for what the broker forbids and for who takes our place."""
        if name != "mqtt":
            self._tell("alarm", name=name, active=active, text=text)

    def alive(self) -> bool:
        """Whether the twin goes on."""
        return not self._ended


class _Every:
    """True once in each period."""

    def __init__(self, period_s: float) -> None:
        self._period_s, self._next_s = period_s, 0.0

    def due(self, at_s: float) -> bool:
        """Whether it is time again."""
        if at_s < self._next_s:
            return False
        self._next_s = at_s + self._period_s
        return True


def json_teller(write: Callable[[str], object]) -> Teller:
    """One line of JSON per event."""

    def tell(event: str, **fields: Any) -> None:
        write(json.dumps({"event": event, **fields}, ensure_ascii=False) + "\n")

    return tell
