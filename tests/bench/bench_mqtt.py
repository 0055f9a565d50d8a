"""The wire through a real broker: how fast a wish travels, what an outage costs, how soon a frozen broker is noticed,
and what a burst of readings does to the core.
"""

from __future__ import annotations

import json
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from actors.messages import Incoming, LinkState
from actors.runtime import Behaviour, ChildSpec
from models.types.mqtt import Mqtt
from pems_actors.core import SWITCH_S
from tests.actors.links.broker import MOSQUITTO, Broker
from tests.actors.links.on_the_wire import HouseOnWire, TwinThread
from tests.actors.links.wire import Link

Row = tuple[str, float, str, str, bool]
WISH_MS, REASSERT_S, FROZEN_S, CORE_MS = 100.0, 2.0, 10.0, 20.0
WISHES, KILLS, READINGS, ROUNDS = 150, 40, 10_000, 5
BUSY = 2  # processes that solve for ever, nice 10 as the optimizer is
SETPOINT = "room.hall.setpoint_c"
TARGET = "loxone/temperature/hall/setpoint"
STATE_TOPICS = ("energy/solar", "loxone/status", *(f"loxone/heating/{room}/status" for room in "abcdefgh"))


def run() -> list[Row]:
    """All rows; without mosquitto they say so and count as missed."""
    if MOSQUITTO is None:
        reason = "mosquitto is not installed: apt-get install mosquitto"
        return [(reason, float("nan"), "", "", False)]
    sys.setswitchinterval(SWITCH_S)  # as the core does
    return [*wish_rows(), *outage_rows(), *frozen_rows(), *burst_rows()]


@contextmanager
def a_broker() -> Iterator[Broker]:
    with tempfile.TemporaryDirectory() as folder:
        broker = Broker(Path(folder)).start()
        try:
            yield broker
        finally:
            broker.kill()


def wait(holds: Callable[[], object], seconds: float) -> bool:
    """Whether something came to hold in time."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)
    return True


def p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[98] if len(values) > 1 else values[0]


# --- a wish -----------------------------------------------------------------------------------------------------------
@contextmanager
def busy_processes(number: int) -> Iterator[None]:
    """Others that want the processor as the optimizer does."""
    code = "import os\nos.nice(10)\nwhile True: sum(i * i for i in range(10_000))"
    others = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(number)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def wish_rows() -> list[Row]:
    """From a person's request at the gate to the twin, through gate, device, link and broker."""
    rows: list[Row] = []
    with a_broker() as broker, TwinThread(broker.url) as twin, HouseOnWire(broker.url, twin) as house:
        for name, number in (("idle", 0), (f"{BUSY} processes solving", BUSY)):
            with busy_processes(number):
                took = wishes(twin, house)
            value = p99(took) * 1000
            rows.append((f"request to twin over mosquitto, p99, {name}", value, "ms", f"<= {WISH_MS:g}",
                         len(took) == WISHES and value <= WISH_MS))  # fmt: skip
    return rows


def wishes(twin: TwinThread, house: HouseOnWire) -> list[float]:
    """Seconds that each wish took; one that never arrived is missing."""
    took = []
    for number in range(WISHES):
        celsius = another(house, number)
        before = len(twin.commands(TARGET))
        said = house.ask_for(SETPOINT, celsius)
        if wait(lambda n=before, c=celsius: arrived_s(twin, n, c), 5.0):  # type: ignore[misc]
            took.append(arrived_s(twin, before, celsius)[0] - said)
        time.sleep(0.02)
    return took


def arrived_s(twin: TwinThread, before: int, celsius: float) -> list[float]:
    """When this target arrived, after the first `before` messages; the default said at the start is none."""
    return [at for at, told in twin.commands(TARGET)[before:] if json.loads(told)["target_temperature"] == celsius]


def another(house: HouseOnWire, number: int) -> float:
    """A target that differs from the last one, and from what Loxone has reported."""
    rooms = house.runtime.behaviour_snapshot("/devices/rooms")["rooms"]
    assert isinstance(rooms, dict)
    celsius = 19.0 + (number % 15) / 5
    reported = rooms["hall"]["setpoint_c"]
    return celsius + 0.1 if reported is not None and abs(reported - celsius) < 0.09 else celsius


# --- outages ----------------------------------------------------------------------------------------------------------
def outage_rows() -> list[Row]:
    """The broker dies and comes back without memory; a wish of the meantime arrives, an expired one does not."""
    took: list[float] = []
    old, rng = 0, random.Random(1)
    with a_broker() as broker, TwinThread(broker.url) as twin, HouseOnWire(broker.url, twin) as house:
        for number in range(KILLS):
            broker.kill()
            wait(lambda: not house.of(LinkState)[-1].up, 15.0)
            house.ask_for(SETPOINT, another(house, number))
            expired = house.link["expired"]
            house.send("energy/solar/command/list", b'{"correlationId":"old"}', slot="old", ttl_s=0.1)
            wait(lambda n=expired: house.link["expired"] > n, 5.0)  # type: ignore[misc]
            time.sleep(rng.uniform(0.0, 2.0))
            before, back = len(twin.commands(TARGET)), time.monotonic()
            broker.start()
            wait(lambda n=before: len(twin.commands(TARGET)) > n, 10.0)  # type: ignore[misc]
            arrived = twin.commands(TARGET)[before:]
            took.append(arrived[0][0] - back if arrived else 10.0)
            wait(lambda: twin.process.client.up and house.link["up"], 10.0)
            time.sleep(rng.uniform(0.0, 0.5))
        old = len(twin.commands("energy/solar/command/list"))
    value = p99(took)
    return [
        (f"broker killed and back x {KILLS}: wish at the twin after its return, p99", value, "s", f"<= {REASSERT_S:g}",
         value <= REASSERT_S),
        ("  expired requests sent", float(old), "", "0", old == 0),
    ]  # fmt: skip


def frozen_rows() -> list[Row]:
    """SIGSTOP: no sign of life, no end of the connection either."""
    with a_broker() as broker, Link(Mqtt(url=broker.url)) as link:
        link.wait_up()
        time.sleep(1.0)
        broker.freeze()
        begun = time.monotonic()
        noticed = wait(lambda: not link.of(LinkState)[-1].up, 30.0)
        value = time.monotonic() - begun
        broker.thaw()
        back = wait(lambda: link.snapshot["up"], 30.0)
    return [("frozen broker noticed", value, "s", f"<= {FROZEN_S:g}", noticed and back and value <= FROZEN_S)]


# --- a burst ----------------------------------------------------------------------------------------------------------
class Probe(Behaviour):
    """How long a message waits in the core: each carries when it was sent."""

    def __init__(self, took: list[float]) -> None:
        self._took = took

    def handle(self, message: object) -> None:
        assert isinstance(message, float)
        self._took.append(time.monotonic() - message)


def burst_rows() -> list[Row]:
    """Thousands of readings at once, several times; the core is looked at every 2 ms meanwhile."""
    took: list[float] = []
    lost = coalesced = wrong = 0
    handed: Counter[str] = Counter()
    probe = ChildSpec(id="probe", make=lambda: Probe(took))
    with a_broker() as broker, ExitStack() as stack:
        twin = stack.enter_context(TwinThread(broker.url))
        house = stack.enter_context(HouseOnWire(broker.url, twin, probe))
        for number in range(ROUNDS):
            figures, seen = house.link, len(house.events)
            received, merged = figures["received"], figures["coalesced"]
            over = threading.Event()
            watching = threading.Thread(target=watch, args=(house, over))
            watching.start()
            burst(broker.port, number)
            wait(lambda n=received: house.link["received"] >= n + READINGS, 20.0)  # type: ignore[misc]
            wait(lambda: not house.link["waiting_in"], 5.0)
            time.sleep(0.2)
            over.set()
            watching.join()
            last: dict[str, int] = {}
            for _, event in house.events[seen:]:
                if isinstance(event, Incoming) and b'"burst"' in event.payload:
                    count = json.loads(event.payload)["burst"]
                    wrong += count <= last.get(event.topic, -1)
                    last[event.topic] = count
                    handed[event.topic] += 1
            per_topic = READINGS // len(STATE_TOPICS)
            lost += sum(last.get(topic) != per_topic - 1 for topic in STATE_TOPICS) + house.link["dropped"]
            lost += max(0, received + READINGS - house.link["received"])
            coalesced += house.link["coalesced"] - merged
    value = p99(took) * 1000
    return [
        (f"burst of {READINGS:,} readings x {ROUNDS}: lost, or reordered per topic", float(lost + wrong), "", "0",
         lost + wrong == 0),
        ("  coalesced to the latest of their topic, counted", float(coalesced), "", "", True),
        ("  handed to the devices", float(sum(handed.values())), "", "", True),
        ("  core latency meanwhile, p99", value, "ms", f"<= {CORE_MS:g}", value <= CORE_MS),
        ("  core latency meanwhile, longest", max(took) * 1000, "ms", "", True),
    ]  # fmt: skip


def watch(house: HouseOnWire, over: threading.Event) -> None:
    while not over.wait(0.002):
        house.runtime.tell("/core/probe", time.monotonic())


def burst(port: int, number: int) -> None:
    """All readings in one breath, at QoS 0, from a process of its own."""
    code = f"from tests.bench.bench_mqtt import pour; pour({port}, {number})"
    subprocess.run([sys.executable, "-c", code], check=True)


def pour(port: int, number: int) -> None:
    """What the other process does."""
    per_topic = READINGS // len(STATE_TOPICS)
    packets = bytearray()
    for count in range(per_topic):
        for topic in STATE_TOPICS:
            packets += publish(topic, json.dumps({"burst": count, "round": number, "relay": "on", "mode": "auto"}))
    with socket.create_connection(("127.0.0.1", port)) as wire:
        wire.sendall(bytes([0x10, 15, 0, 4]) + b"MQTT" + bytes([5, 2, 0, 60, 0, 0, 2]) + b"b" + str(number).encode())
        wire.recv(64)
        wire.sendall(packets)
        wire.sendall(bytes([0xE0, 0]))
        wire.recv(64)


def publish(topic: str, payload: str) -> bytes:
    body = len(topic).to_bytes(2, "big") + topic.encode() + b"\x00" + payload.encode()
    size, length = len(body), bytearray()
    while True:
        size, byte = divmod(size, 128)
        length.append(byte | (0x80 if size else 0))
        if not size:
            return bytes([0x30]) + bytes(length) + body
