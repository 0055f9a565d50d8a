"""`wires`: listen to a house and ask it, change nothing, and say what is there and what is missing."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from actors.devices.growatt import COMMAND_TOPIC, RESULT_TOPIC, TELEMETRY_TOPIC, parse_json, parse_telemetry
from actors.links.inbox import Inbox
from actors.links.loxone_names import LoxoneNames
from actors.links.mqtt_client import MqttClient
from actors.links.mqtt_connection import Note, Session
from actors.links.topics import CLOCK_TOPIC, subscriptions
from actors.links.twin_clock import read_clock
from actors.messages import Incoming, Outgoing
from actors.runtime import SystemClock
from config.schema import HouseFile
from models.errors import LinkError, PayloadError, PemsError
from models.types.house import House
from models.types.loxone import SUMMARY
from models.types.mqtt import Mqtt

ASK = COMMAND_TOPIC + "batteryfirst/get"  # reads settings, writes nothing
CLOCK_SKEW_S = 120.0
ROOM_C = (5.0, 40.0)  # a room outside of this is more likely a sensor or a unit
SHOWN = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the table."""

    wire: str  # topic, or topic and field
    ok: bool
    value: str = ""
    age_s: float | None = None
    remedy: str = ""  # what is wrong and how to get it right


@dataclass(slots=True)
class _Heard:
    """The last message of a topic."""

    payload: bytes
    at_s: float
    retained: bool
    count: int = 1


@dataclass(slots=True)
class _Ear:
    """Listens on the wire's thread."""

    done: threading.Event = field(default_factory=threading.Event)
    up: threading.Event = field(default_factory=threading.Event)
    trouble: str = ""

    def arrived(self) -> None:
        """Taken by the listener below."""

    def link(self, up: bool, reason: str) -> None:
        self.trouble = "" if up else reason
        self.up.set()

    def alarm(self, name: str, active: bool, text: str) -> None:
        """Told by `link` as well."""

    def alive(self) -> bool:
        return True


def listen(config: HouseFile, mqtt: Mqtt, password: SecretStr | None, *, for_s: float) -> list[Finding]:
    """Listen for a while, ask once, and judge.

    Parameters
    ----------
    for_s : float
        How long to listen [s]; Loxone may take 30 s to say everything once.

    Raises
    ------
    LinkError
        The broker cannot be reached, or refuses us.
    """
    names = LoxoneNames([room.name for room in config.rooms], config.loxone)
    ear, clock = _Ear(), SystemClock()
    own = mqtt.model_copy(update={"name": f"{mqtt.name[:12]}-wires", "status_topic": "pems/wires"})
    session = Session(
        subscriptions=(*subscriptions(names), CLOCK_TOPIC), will=Note(topic="pems/wires", payload=b""), insist=False
    )
    client = MqttClient(own, session, password=password, clock=clock, inbox=Inbox(lambda _: False), listener=ear)
    heard: dict[str, _Heard] = {}
    client.start()
    try:
        if not ear.up.wait(own.connect_s + 5.0) or ear.trouble:
            raise LinkError(ear.trouble or f"the broker at {own.broker} does not answer", hint="check [mqtt] url")
        question = f"wires-{int(clock.monotonic() * 1000)}"
        body = json.dumps({"correlationId": question}).encode()
        client.offer(Outgoing(topic=ASK, payload=body, expires_s=clock.monotonic() + for_s, slot="ask"))
        ends_s, asked_s, answered_s = time.monotonic() + for_s, time.monotonic(), math.nan
        while time.monotonic() < ends_s:
            ear.done.wait(0.2)
            for message in client.take():
                message = _named(names, message)
                _note(heard, message)
                if math.isnan(answered_s) and message.topic == RESULT_TOPIC and _answers(message, question):
                    answered_s = time.monotonic() - asked_s
    finally:
        client.stop(0.0)
    return list(judge(config, heard_now(heard), answered_s, datetime.now(UTC)))


def _named(names: LoxoneNames, message: Incoming) -> Incoming:
    try:
        topic, payload = names.back(message.topic, message.payload)
    except PemsError:
        return message
    return Incoming(topic=topic, payload=payload, retained=message.retained, received_s=message.received_s)


def _note(heard: dict[str, _Heard], message: Incoming) -> None:
    before = heard.get(message.topic)
    count = 1 if before is None else before.count + 1
    heard[message.topic] = _Heard(message.payload, time.monotonic(), message.retained, count)


def _answers(message: Incoming, question: str) -> bool:
    try:
        return not message.retained and parse_json(message.payload).get("correlationId") == question
    except PayloadError:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Last:
    """The last word of a topic as the judgement needs it."""

    payload: bytes
    age_s: float
    retained: bool
    count: int


def heard_now(heard: dict[str, _Heard]) -> dict[str, Last]:
    """Ages as of now."""
    now_s = time.monotonic()
    return {
        topic: Last(payload=h.payload, age_s=now_s - h.at_s, retained=h.retained, count=h.count)
        for topic, h in heard.items()
    }


def judge(config: HouseFile, heard: dict[str, Last], answered_s: float, now: datetime) -> Iterator[Finding]:
    """What each wire says, what is wrong with it, what is missing.

    Parameters
    ----------
    heard : dict of str to Last
        By topic, in PEMS's own names.
    answered_s : float
        After this the gateway answered our question; NaN: it did not.
    now : datetime
        Aware UTC.
    """
    twin = heard.get(CLOCK_TOPIC)
    if twin is not None:
        try:
            now = read_clock(twin.payload)[0]
        except PayloadError as error:
            yield Finding(wire=CLOCK_TOPIC, ok=False, age_s=twin.age_s, remedy=str(error))
    yield from _inverter(config.house, heard.get(TELEMETRY_TOPIC), now)
    late = math.isnan(answered_s)
    yield Finding(
        wire=ASK, ok=not late, value="" if late else f"answered after {answered_s:.1f} s",
        remedy="no answer on energy/solar/result: does the stick subscribe to its commands?" if late else "",
    )
    if config.loxone.via == "udp":
        yield Finding(wire="loxone (UDP)", ok=True, value="not looked at: ask Loxone's monitor")
        return
    yield from _rooms(config.house, heard.get(SUMMARY))


def _inverter(house: House, last: Last | None, now: datetime) -> Iterator[Finding]:
    if last is None:
        yield Finding(
            wire=TELEMETRY_TOPIC, ok=False, remedy="silent: is the stick on this broker, and its topic energy/solar?"
        )
        return
    try:
        reading, registers = parse_telemetry(last.payload, now)
    except PayloadError as error:
        yield Finding(wire=TELEMETRY_TOPIC, ok=False, age_s=last.age_s, remedy=str(error))
        return
    if not reading.online or (last.retained and last.count == 1):
        what = "says it is offline" if not reading.online else "only its retained last word was heard"
        yield Finding(wire=TELEMETRY_TOPIC, ok=False, age_s=last.age_s, remedy=f"{what}: check inverter and stick")
        return
    yield Finding(wire=TELEMETRY_TOPIC, ok=True, value=f"{last.count} messages", age_s=last.age_s)
    peak_kw = sum(array.peak_kw for array in house.arrays)
    limit_kw = house.connection.import_limit_kw
    for name, value, unit, high in (
        ("SOC", reading.soc, "", 1.0),
        ("PV", reading.pv_kw, " kW", 1.3 * peak_kw + 0.5),
        ("battery", reading.battery_kw, " kW", math.inf if house.battery is None else 2.0 * house.battery.charge_kw),
        ("grid", reading.grid_kw, " kW", 1.5 * limit_kw),
        ("load", reading.load_kw, " kW", 1.5 * limit_kw + house.inverter.ac_limit_kw),
        ("import today", reading.import_today_kwh, " kWh", 24.0 * limit_kw),
        ("export today", reading.export_today_kwh, " kWh", 24.0 * limit_kw),
    ):
        wire = f"{TELEMETRY_TOPIC} {name}"
        if value is None:
            yield Finding(wire=wire, ok=False, remedy="missing: the stick's firmware must report it")
        elif abs(value) > high:
            remedy = f"above {high:.1f}{unit}: wrong unit?"
            yield Finding(wire=wire, ok=False, value=f"{value:.2f}{unit}", remedy=remedy)
        else:
            yield Finding(wire=wire, ok=True, value=f"{value:.2f}{unit}")
    yield Finding(
        wire=f"{TELEMETRY_TOPIC} settings", ok=registers is not None,
        value="" if registers is None else "slots, stop SOC, rates, AC flag, export limit",
        remedy="" if registers is not None else "not read back: without it nothing can be verified (docs/growatt.md)",
    )
    yield _skew(house, reading.inverter_clock, now)


def _skew(house: House, told: datetime | None, now: datetime) -> Finding:
    wire = f"{TELEMETRY_TOPIC} clock"
    if told is None:
        return Finding(wire=wire, ok=False, remedy="missing: slots run on it; set SystemYear .. SystemSecond to report")
    zone = ZoneInfo(house.site.timezone)
    local = now.astimezone(zone)
    standard = (now + (local.utcoffset() or timedelta(0)) - (local.dst() or timedelta(0))).replace(tzinfo=None)
    skew_s = (told - standard).total_seconds()
    ok = abs(skew_s) <= CLOCK_SKEW_S
    remedy = "" if ok else f"set it to local standard time, now {standard:%Y-%m-%d %H:%M}: it knows no summer time"
    return Finding(wire=wire, ok=ok, value=f"{skew_s:+.0f} s", remedy=remedy)


def _rooms(house: House, last: Last | None) -> Iterator[Finding]:
    if last is None:
        yield Finding(wire=SUMMARY, ok=False, remedy="silent: Loxone's program must publish it (docs/loxone.md)")
        return
    try:
        body = parse_json(last.payload)
    except PayloadError as error:
        yield Finding(wire=SUMMARY, ok=False, age_s=last.age_s, remedy=str(error))
        return
    yield Finding(wire=SUMMARY, ok=True, value=f"{last.count} messages", age_s=last.age_s)
    tables = {name: found if isinstance(found := body.get(name), dict) else {} for name in ("relay", "mode",
              "temperature", "target_temp")}  # fmt: skip
    for room in house.rooms:
        missing = [name for name, table in tables.items() if room.name not in table]
        air = tables["temperature"].get(room.name)
        value = " ".join(str(table.get(room.name, "-")) for table in tables.values())[:SHOWN]
        remedy = ""
        if missing:
            remedy = f"{', '.join(missing)} missing: add the room to Loxone's summary, spelled {room.name!r}"
        elif not isinstance(air, (int, float)) or not ROOM_C[0] <= air <= ROOM_C[1]:
            remedy = f"temperature {air!r} is not within {ROOM_C[0]:g} .. {ROOM_C[1]:g} degC: sensor or unit?"
        yield Finding(wire=f"{SUMMARY} {room.name}", ok=not remedy, value=value, remedy=remedy)
    known = {room.name for room in house.rooms}
    for name in sorted({str(n) for table in tables.values() for n in table} - known):
        yield Finding(wire=f"{SUMMARY} {name}", ok=False, remedy="not in the house file: add a [[rooms]] or correct it")
