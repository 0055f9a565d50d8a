"""A small house on a real broker: gate, safety and devices on one side, its twin on the other."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from actors.devices.base import DeviceTiming
from actors.devices.inverter_job import InverterExtras
from actors.devices.registry import DEVICES, all_points
from actors.gate.actor import Gate, GateSettings
from actors.links.mqtt import MqttLink
from actors.memory import MemoryTrips, MemoryWear
from actors.messages import Alarm, Incoming, LinkState, Outgoing, Proof, WireWrite
from actors.runtime import Behaviour, ChildSpec, PykkaRuntime, ScaledClock, SupervisorSpec
from actors.safety import Safety, SafetySettings
from config.schema import HouseFile
from models.types.command import Level, Request, Value
from models.types.house import House
from models.types.mqtt import Mqtt
from pems_actors.twin_process import TwinProcess
from tests.actors.devices.bench import BATH, HALL, SITE, START, a_house, a_world
from tests.actors.links.broker import until

T = TypeVar("T")


def house_file() -> HouseFile:
    """A roof, a battery, a hall and a bath."""
    house = a_house()
    return HouseFile(
        site=SITE, arrays=house.arrays, battery=house.battery, connection=house.connection, rooms=(HALL, BATH)
    )


class TwinThread:
    """The twin of that house, on a thread of this process."""

    def __init__(self, url: str, *, speed: float = 1.0, faults: tuple[str, ...] = ()) -> None:
        self.told: list[tuple[float, str, dict[str, Any]]] = []
        self._over = threading.Event()
        self.error: BaseException | None = None
        self.process = TwinProcess(
            house_file(), a_world(), Mqtt(url=url, name="twin"), password=None, start=START, speed=speed, faults=faults,
            tell=self._tell,
        )  # fmt: skip
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _tell(self, event: str, **fields: Any) -> None:
        self.told.append((time.monotonic(), event, fields))

    def _run(self) -> None:
        try:
            self.process.run(self._over)
        except BaseException as error:  # noqa: BLE001 - shown by who waits
            self.error = error

    def __enter__(self) -> TwinThread:
        self._thread.start()
        until(lambda: self.process.client.up or self.error, "the twin is up")
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(5)
        assert self.error is None, self.error

    def commands(self, topic: str) -> list[tuple[float, str]]:
        """(when, payload) of every command on a topic."""
        return [(at, f["payload"]) for at, event, f in list(self.told) if event == "command" and f["topic"] == topic]


class HouseOnWire:
    """Everything of a house but its planning, in the time of the twin."""

    def __init__(self, url: str, twin: TwinThread, *extra: ChildSpec) -> None:
        clock = twin.process.clock
        self.clock = ScaledClock(clock.now(), clock.speed)
        file = house_file().at_speed(clock.speed)
        house, timing = file.house, file.timing
        times = DeviceTiming(
            tick_s=timing.device_tick_s, lease_s=timing.lease_s, settle_s=timing.settle_s, answer_s=timing.answer_s,
            heartbeat_s=timing.heartbeat_s, command_ttl_s=timing.command_ttl_s, effect_s=timing.effect_s,
        )  # fmt: skip
        ages = {"inverter": timing.telemetry_max_age_s, "meter": timing.telemetry_max_age_s}
        ages |= {f"room.{r.name}": timing.rooms_max_age_s for r in house.rooms}
        gate = GateSettings(tick_s=timing.gate_tick_s, refresh_s=timing.relay_refresh_s,
                            meter_settle_s=timing.meter_settle_s, max_age_s=ages)  # fmt: skip
        safety = SafetySettings(permit_s=timing.permit_s, renew_s=timing.permit_renew_s, max_age_s=ages, hold_off_s=0.0)
        extras = InverterExtras(wear=MemoryWear())

        def device(make: Callable[[House, DeviceTiming, object], Behaviour], name: str) -> ChildSpec:
            return ChildSpec(id=name, make=lambda: make(house, times, extras), on_give_up="park")

        groups = {
            "core": (
                ChildSpec(id="gate", make=lambda: Gate(house, all_points(house), gate)),
                ChildSpec(id="safety", make=lambda: Safety(house, safety, MemoryTrips())),
                *extra,
            ),
            "devices": tuple(device(d.make, d.id) for d in DEVICES),
            "io": (ChildSpec(id="link", make=lambda: MqttLink(Mqtt(url=url)), on_give_up="park"),),
        }
        root = SupervisorSpec(id="pems", children=tuple(SupervisorSpec(id=g, children=c) for g, c in groups.items()))
        self.runtime = PykkaRuntime(root, clock=self.clock)
        self.events: list[tuple[float, object]] = []
        self.runtime.listen(lambda e: self.events.append((time.monotonic(), e)), LinkState, Alarm, Proof, WireWrite,
                            Incoming)  # fmt: skip
        self._seq = 0

    def __enter__(self) -> HouseOnWire:
        self.runtime.start()
        until(self._ready, f"the house knows its devices: {self.link}")
        return self

    def __exit__(self, *_: object) -> None:
        self.runtime.stop(5.0 * self.clock.speed)

    def _ready(self) -> bool:
        rooms = self.runtime.behaviour_snapshot("/devices/rooms").get("rooms", {})
        assert isinstance(rooms, dict)
        known = [room["air_c"] is not None for room in rooms.values()]
        inverter = self.runtime.behaviour_snapshot("/devices/inverter")
        return bool(known) and all(known) and inverter.get("soc") is not None

    def ask_for(self, point: str, value: Value) -> float:
        """A person's wish at the gate; when it was said (real monotonic)."""
        self._seq += 1
        now = self.clock.now()
        request = Request(
            id=f"wish-{self._seq}", source="user", level=Level.USER, point=point, value=value, issued=now,
            expires=now + timedelta(hours=20), epoch=(1, 1), seq=self._seq, cause="a test",
        )  # fmt: skip
        at = time.monotonic()
        self.runtime.tell("/core/gate", request)
        return at

    def holds(self, point: str, value: Value) -> bool:
        """The gate has decided this."""
        points = self.runtime.behaviour_snapshot("/core/gate")["points"]
        assert isinstance(points, dict)
        return bool(points[point]["value"] == value)

    def send(self, topic: str, payload: bytes, *, slot: str, ttl_s: float) -> None:
        """A message straight to the link."""
        expires_s = self.clock.monotonic() + ttl_s
        message = Outgoing(topic=topic, payload=payload, expires_s=expires_s, slot=slot)
        self.runtime.tell("/io/link", message)

    def of(self, kind: type[T]) -> list[T]:
        return [e for _, e in list(self.events) if isinstance(e, kind)]

    @property
    def link(self) -> dict[str, Any]:
        return self.runtime.behaviour_snapshot("/io/link")

