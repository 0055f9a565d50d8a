"""A workbench: a few actors on the step runtime, ears at the paths they talk to, and what was published."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TypeVar

from actors.messages import Alarm, ApprovedSetpoint, Incoming, Permit, Proof, Refresh, WireWrite
from actors.runtime import Behaviour, ChildSpec, FunctionWorker, ManualClock, Port, StepRuntime, SupervisorSpec
from models.twins.gateway import GatewayFaults
from models.twins.house import HouseTwin
from models.twins.world import World
from models.types.command import Level, Value
from models.types.house import Battery, Connection, House, PvArray, Room, Site
from models.types.twin_wire import TwinExchange, TwinOutput, WireMessage

START = datetime(2021, 2, 8, 9, 0, tzinfo=UTC)
SITE = Site(latitude_deg=50.775, longitude_deg=6.083, timezone="Europe/Berlin")
HALL = Room(name="hall", heater_kw=1.2, area_m2=12, ua_w_per_k=20, day_min_c=19, night_min_c=18, max_c=22.5, phase=1)
BATH = Room(name="bath", heater_kw=0.6, area_m2=6, ua_w_per_k=8, day_min_c=21, night_min_c=20, max_c=24.5, facing="S")
T = TypeVar("T")


def a_house(**changes: object) -> House:
    """A roof, a battery and two rooms."""
    return House(
        site=SITE,
        arrays=(PvArray(name="south", azimuth_deg=180.0, tilt_deg=35.0, peak_kw=8.0),),
        battery=Battery(capacity_kwh=10.0, charge_kw=5.0, discharge_kw=5.0),
        connection=Connection(export_contract_kw=8.0),
        rooms=(HALL, BATH),
    ).model_copy(update=changes)


def a_world(*, sun_w_per_m2: float = 0.0, temp_c: float = 2.0, load_kw: float = 0.8, days: int = 3) -> World:
    """The same weather and load all the time."""
    n = days * 96
    return World(
        START, 900.0, [temp_c] * n, [sun_w_per_m2] * n, [sun_w_per_m2 * 0.3] * n, [sun_w_per_m2] * n, [2.0] * n,
        [load_kw] * n, site=SITE,
    )  # fmt: skip


class Ear(Behaviour):
    """Remembers what it is told."""

    def __init__(self, heard: list[object]) -> None:
        self._heard = heard

    def handle(self, message: object) -> None:
        self._heard.append(message)


class Bench:
    """Actors at their paths, in the order given; ears where they are asked for.

    Parameters
    ----------
    actors : mapping of path to callable
        Two-part paths, such as "/devices/inverter", and what makes the behaviour.
    ears : paths
        Whatever is told to these is kept in `heard[path]`.
    events : types
        Published events to keep in `events`.
    """

    def __init__(
        self,
        actors: Mapping[str, Callable[[], Behaviour]],
        *,
        ears: tuple[str, ...] = (),
        events: tuple[type, ...] = (),
        start: datetime = START,
    ) -> None:
        self.clock = ManualClock(start)
        self.heard: dict[str, list[object]] = {path: [] for path in ears}
        made = {**{path: self._ear(path) for path in ears}, **actors}
        groups: dict[str, list[ChildSpec]] = {}
        for path, make in made.items():
            _, group, name = path.split("/")
            groups.setdefault(group, []).append(ChildSpec(id=name, make=make, on_give_up="park"))
        root = SupervisorSpec(
            id="pems",
            children=tuple(SupervisorSpec(id=g, children=tuple(c), on_give_up="park") for g, c in groups.items()),
        )
        self.runtime = StepRuntime(root, clock=self.clock, seed=1)
        self.events: list[object] = []
        if events:
            self.runtime.listen(self.events.append, *events)

    def _ear(self, path: str) -> Callable[[], Behaviour]:
        return lambda: Ear(self.heard[path])

    def start(self) -> Bench:
        self.runtime.start()
        return self

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.runtime.run_for(seconds)
        failed = {c.path: c.last_error for c in self.runtime.cells.values() if c.failed}
        assert not failed, failed

    def publish(self, event: object) -> None:
        self.runtime.publish(event)
        self.runtime.run_until_idle()

    def tell(self, path: str, message: object) -> None:
        self.runtime.tell(path, message)
        self.runtime.run_until_idle()

    def of(self, kind: type[T]) -> list[T]:
        """Published events of one type."""
        return [e for e in self.events if isinstance(e, kind)]

    def told(self, path: str, kind: type[T]) -> list[T]:
        """Messages of one type that an ear heard."""
        return [m for m in self.heard[path] if isinstance(m, kind)]

    def alarms(self, name: str) -> list[bool]:
        """Beginnings and ends of one alarm, in order."""
        return [a.active for a in self.of(Alarm) if a.name == name]


class TwinBench(Bench):
    """Devices over the in-memory link to the real twin of the house; the test plays gate and safety."""

    def __init__(
        self,
        actors: Mapping[str, Callable[[], Behaviour]],
        *,
        house: House,
        world: World | None = None,
        link: Callable[[], Behaviour],
        soc: float = 0.5,
        seed: int = 1,
        start: datetime = START,
        faults: GatewayFaults | None = None,
        events: tuple[type, ...] = (),
    ) -> None:
        self.twin = HouseTwin(
            house, world or a_world(), start=start, seed=seed, step_s=5.0, telemetry_s=5.0, status_s=5.0,
            faults=faults or GatewayFaults(),
        )  # fmt: skip
        self.twin.inverter.soc = soc
        self.orders: list[tuple[float, str, str]] = []  # what reached the twin: when, topic, payload
        wire = {"/io/twin": lambda: Port(lambda: FunctionWorker({"exchange": self._exchange})), "/io/link": link}
        super().__init__({**actors, **wire}, events=(Proof, Alarm, WireWrite, *events), start=start)

    def _exchange(self, body: object) -> TwinOutput:
        assert isinstance(body, TwinExchange)
        said = self.twin.advance(body.until)
        for command in body.commands:
            self.orders.append((self.clock.monotonic(), command.topic, command.payload))
            self.twin.publish(command.topic, command.payload.encode(), body.until)
        said = [*said, *self.twin.advance(body.until)]
        messages = tuple(WireMessage(topic=m.topic, payload=m.payload.decode()) for m in said)
        return TwinOutput(until=body.until, messages=messages)

    def permit(self, seconds: float = 1e6, *, boot: int = 1) -> None:
        """Leave to act for so long."""
        self.publish(Permit(epoch=(boot, 1), until_s=self.clock.monotonic() + seconds))

    def order(
        self,
        path: str,
        point: str,
        value: Value | None,
        *,
        level: Level = Level.PLAN,
        for_s: float | None = 3600.0,
        request_id: str = "r1",
        gate_epoch: tuple[int, int] = (1, 1),
    ) -> None:
        """Approve a setpoint, as the gate does."""
        until_s = None if for_s is None else self.clock.monotonic() + for_s
        self.tell(
            path,
            ApprovedSetpoint(
                point=point, value=value, level=level, until_s=until_s, request_id=request_id, cause="test",
                gate_epoch=gate_epoch,
            ),
        )

    def refresh(self, path: str, *points: str, gate_epoch: tuple[int, int] = (1, 1)) -> None:
        self.tell(path, Refresh(points=points, gate_epoch=gate_epoch))

    def hear(self, topic: str, payload: bytes, *, retained: bool = False) -> None:
        """Something arrives on the wire that the twin never said."""
        at_s = self.clock.monotonic()
        self.publish(Incoming(topic=topic, payload=payload, retained=retained, received_s=at_s))

    def stages(self, point: str) -> list[str]:
        """How far orders of a point got."""
        return [p.stage for p in self.of(Proof) if p.point == point]
