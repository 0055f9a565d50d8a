"""A small house on the step runtime: the real gate, safety actor, devices and link, its twin, an auditor, and someone
who may say anything.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from actors.audit import Audit
from actors.devices.registry import all_points
from actors.memory import MemoryTrips, MemoryWear
from actors.messages import Alarm, Incoming, PricesKnown, Proof, RequestTrip, ResetTrip, WireWrite
from actors.planning.local_rules import LocalRules
from actors.planning.planner import Load
from actors.runtime import ChildSpec, FunctionWorker, Lane, ManualClock, StepRuntime, SupervisorSpec
from config.schema import HouseFile
from config.timing import Timing
from models.twins.gateway import GatewayFaults
from models.twins.house import HouseTwin
from models.twins.world import World
from models.types.command import RELINQUISH, Level, Outcome, Relinquish, Request, Value, Verdict
from models.types.forecast import PriceSeries, WeatherForecast
from models.types.house import Battery, Connection, PvArray, Room, Site
from models.types.twin_wire import TwinExchange, TwinOutput, WireMessage
from pems_actors.outside import replay
from pems_actors.wiring import Parts, house_tree

START = datetime(2021, 2, 8, 9, 0, tzinfo=UTC)
SITE = Site(latitude_deg=50.775, longitude_deg=6.083, timezone="Europe/Berlin")
ROOMS = (
    Room(name="hall", heater_kw=1.2, area_m2=12, ua_w_per_k=20, day_min_c=19, night_min_c=18, max_c=22.5, phase=1),
    Room(name="bath", heater_kw=0.6, area_m2=6, ua_w_per_k=8, day_min_c=21, night_min_c=20, max_c=24.5, phase=2),
    Room(name="living", heater_kw=4.8, area_m2=40, ua_w_per_k=78, day_min_c=21, night_min_c=20, max_c=23.5, phase=0),
)
RELAYS = tuple(f"room.{r.name}.relay" for r in ROOMS)
SETPOINTS = tuple(f"room.{r.name}.setpoint_c" for r in ROOMS)
MODE, EXPORT = "inverter.mode", "inverter.export_limit_kw"
GATE, SAFETY = "/core/gate", "/core/safety"
LOOK_S = 30.0  # the auditor looks at the truth at least this often


class JumpingClock(ManualClock):
    """Virtual time whose wall clock can be put wrong; durations do not notice."""

    def __init__(self, start: datetime) -> None:
        super().__init__(start)
        self.wrong_s = 0.0

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.wrong_s)

    def true(self) -> datetime:
        """What the wall clock should show."""
        return super().now()


def house_file(
    *, tick_s: float = 10.0, fuse_a: float = 16.0, rooms: Sequence[Room] = ROOMS, relay_min_s: float = 600.0,
    **timing: float,
) -> HouseFile:  # fmt: skip
    """The house file of the small house."""
    times = Timing().for_simulation(tick_s) if tick_s > 1.0 else Timing()
    plain = HouseFile(
        site=SITE,
        arrays=(PvArray(name="south", azimuth_deg=180.0, tilt_deg=35.0, peak_kw=8.0),),
        battery=Battery(capacity_kwh=10.0, charge_kw=5.0, discharge_kw=5.0),
        connection=Connection(fuse_a=fuse_a, export_contract_kw=8.0),
        rooms=tuple(rooms),
        timing=times.model_copy(update=dict(timing)),
    )
    rules = plain.rules.model_copy(update={"relay_min_on_s": relay_min_s, "relay_min_off_s": relay_min_s})
    return plain.model_copy(update={"rules": rules})


def a_world(*, sun: float = 1.0, temp_c: float = 2.0, load_kw: float = 0.8) -> World:
    """Quarter hours of a clear day each day, from two days before the start on."""
    n = 10 * 96
    hours = [i % 96 / 4.0 for i in range(n)]
    shape = [max(0.0, math.sin(math.pi * (h - 7.0) / 10.0)) * sun if 7.0 < h < 17.0 else 0.0 for h in hours]
    return World(
        START.replace(hour=0) - timedelta(days=2), 900.0, [temp_c] * n, [450.0 * s for s in shape],
        [120.0 * s for s in shape], [600.0 * s for s in shape], [3.0] * n, [load_kw] * n, site=SITE,
    )  # fmt: skip


def prices(spot: Sequence[float]) -> PriceSeries:
    """Quarter hours from the start on; NaN is unknown, and so is what follows the last."""
    return PriceSeries(issued=START, source="test", start=START, dt_s=900.0, spot_eur_per_kwh=tuple(spot))


def _weather(now: datetime) -> WeatherForecast:
    nothing = (math.nan,)
    return WeatherForecast(
        issued=now, source="none", start=now, dt_s=900.0, temp_c=nothing, ghi_w_per_m2=nothing, dni_w_per_m2=nothing,
        dhi_w_per_m2=nothing, wind_m_per_s=nothing,
    )  # fmt: skip


def _no_worker() -> FunctionWorker:
    return FunctionWorker({})


class Lab:
    """One house under test, with everything that happened to it.

    Parameters
    ----------
    spot : sequence of float
        Price of each quarter hour from the start on [EUR/kWh].
    soc : float
        At the start, a fraction.
    shuffle : bool
        Deliver in an order that only the seed decides.
    rules : bool
        Have the local rules guard the feed-in.
    """

    def __init__(
        self,
        *,
        config: HouseFile | None = None,
        world: World | None = None,
        spot: Sequence[float] = (0.1,) * 400,
        soc: float = 0.5,
        seed: int = 1,
        shuffle: bool = False,
        trace: bool = False,
        rules: bool = True,
        trips: MemoryTrips | None = None,
        faults: GatewayFaults | None = None,
    ) -> None:
        self.config = config or house_file()
        self.house = self.config.house
        self.points = {p.name: p for p in all_points(self.house)}
        timing = self.config.timing
        self.clock = JumpingClock(START)
        self.twin = HouseTwin(
            self.house, world or a_world(), start=START, seed=seed, step_s=timing.telemetry_s,
            telemetry_s=timing.telemetry_s, status_s=timing.telemetry_s,
            heartbeat_timeout_s=timing.heartbeat_timeout_s, faults=faults or GatewayFaults(),
        )  # fmt: skip
        self.twin.inverter.soc = soc
        self.series = prices(spot)
        self.trips, self.wear = trips or MemoryTrips(), MemoryWear()
        self.runtime = StepRuntime(self._tree(rules=rules), clock=self.clock, seed=seed, shuffle=shuffle, trace=trace)
        self.audit = Audit(
            self.house, tuple(self.points.values()), timing, writes_per_day=self.config.safety.writes_per_day,
            slot_writes_per_day=self.config.safety.slot_writes_per_day,
        )  # fmt: skip
        self.audit.attach(self.runtime)
        self.wire: list[WireWrite] = []
        self.verdicts: list[Verdict] = []
        self.proofs: list[Proof] = []
        self.alarms: dict[str, Alarm] = {}
        self.orders: list[tuple[str, str]] = []  # what reached the twin
        self.killed: Counter[str] = Counter()
        self._seq = 0
        self.epochs: dict[str, tuple[int, int]] = {}
        self.runtime.listen(self._note, WireWrite, Verdict, Proof, Alarm)

    def _tree(self, *, rules: bool) -> SupervisorSpec:
        parts = Parts(
            io=lambda: replay(
                self.config,
                twin=lambda: FunctionWorker({"exchange": self._exchange}),
                prices=lambda: lambda _: self.series,
                weather=lambda: _weather,
                quick=True,
            ),
            optimizer=_no_worker,
            forecaster=None,
            load=_no_load,
            trips=self.trips,
            wear=self.wear,
        )
        tree = house_tree(self.config, parts)
        tick_s = max(self.config.timing.gate_tick_s, 30.0)
        guards = (ChildSpec(id="local_rules", make=lambda: LocalRules(self.house, tick_s=tick_s), on_give_up="park"),)
        plan = SupervisorSpec(id="plan", on_give_up="park", children=guards if rules else ())
        kept = [c for c in tree.children if c.id not in ("plan", "ops")]
        return replace(tree, children=(*kept, plan))

    def _exchange(self, body: object) -> TwinOutput:
        """The twin's side of the link: it lives in true time, whatever our wall clock shows."""
        assert isinstance(body, TwinExchange)
        until = self.clock.true()
        said = self.twin.advance(until)
        for command in body.commands:
            self.orders.append((command.topic, command.payload))
            self.twin.publish(command.topic, command.payload.encode(), until)
        if body.commands:
            said = [*said, *self.twin.advance(until)]
        messages = tuple(WireMessage(topic=m.topic, payload=m.payload.decode()) for m in said)
        return TwinOutput(until=body.until, messages=messages)

    def _note(self, event: object) -> None:
        match event:
            case WireWrite():
                self.wire.append(event)
            case Verdict():
                self.verdicts.append(event)
            case Proof():
                self.proofs.append(event)
            case Alarm():
                self.alarms[event.name] = event

    # --- time -------------------------------------------------------------------------------------------------------
    def start(self, settle_s: float | None = None) -> Lab:
        """Start everything and let it live until all signals are believed."""
        self.runtime.start()
        self.run(4 * self.config.timing.telemetry_s if settle_s is None else settle_s)
        return self

    def run(self, seconds: float) -> None:
        """Let time pass under the auditor's eyes."""
        left_s = seconds
        while left_s > 0:
            step_s = min(LOOK_S, left_s)
            self.runtime.run_for(step_s)
            self.audit.look(self.twin.truth(), self.clock.monotonic())
            left_s -= step_s

    def ticks(self, count: float) -> None:
        """Let so many ticks of the gate pass."""
        self.run(count * self.config.timing.gate_tick_s)

    # --- asking -----------------------------------------------------------------------------------------------------
    def request(
        self,
        point: str,
        value: object,
        *,
        level: int = Level.PLAN,
        source: str = "/plan/adversary",
        ttl_s: float | None = 900.0,
        issued_in_s: float = 0.0,
        epoch: tuple[int, int] | None = None,
        seq: int | None = None,
        name: str | None = None,
    ) -> Request:
        """A request as its source would make it; types are not looked at."""
        if seq is None:
            self._seq += 1
            seq = self._seq
        issued = self.clock.now() + timedelta(seconds=issued_in_s)
        epoch = self.epochs.get(str(source), (1, 1)) if epoch is None else epoch
        return Request(
            id=f"{source}:{epoch[0]}.{epoch[1]}-{seq}" if name is None else name,
            source=source,
            level=Level(level) if level in set(Level) else level,  # type: ignore[arg-type]
            point=point,
            value=value,  # type: ignore[arg-type]
            issued=issued,
            expires=None if ttl_s is None else issued + timedelta(seconds=ttl_s),
            epoch=epoch,
            seq=seq,
            cause="test",
        )

    def offer(self, *requests: Request) -> list[Verdict]:
        """Offer requests in this order; the gate's answers (deferrals apart)."""
        before = len(self.verdicts)
        for request in requests:
            lane = Lane.URGENT if request.level in (1, 2, 3) else Lane.USER
            self.runtime.tell(GATE, request, lane=lane)
        self.runtime.run_until_idle()
        return [v for v in self.verdicts[before:] if v.outcome is not Outcome.DEFERRED]

    def ask(self, point: str, value: Value | Relinquish, **how: object) -> Verdict:
        """Offer one request and hear its verdict."""
        return self.offer(self.request(point, value, **how))[0]  # type: ignore[arg-type]

    def override(self, point: str, value: Value | Relinquish, *, ttl_s: float = 3600.0) -> list[Verdict]:
        """A person overrides; no verdict yet if the gate is down."""
        return self.offer(self.request(point, value, level=Level.USER, source="user", ttl_s=ttl_s))

    def release_override(self, point: str) -> list[Verdict]:
        """A person gives a point back."""
        return self.override(point, RELINQUISH, ttl_s=60.0)

    # --- trips and faults -------------------------------------------------------------------------------------------
    def trip(self, kind: str = "manual", points: tuple[str, ...] = ("*",)) -> str:
        """Trip points; the trip's id."""
        answer = self.runtime.ask(SAFETY, RequestTrip(kind=kind, points=points, reason="test"), 5.0, lane=Lane.URGENT)
        self.runtime.run_until_idle()
        assert isinstance(answer, dict)
        return str(answer["id"])

    def reset(self, trip_id: str) -> dict[str, object]:
        """Try to reset a trip."""
        answer = self.runtime.ask(SAFETY, ResetTrip(id=trip_id), 5.0, lane=Lane.URGENT)
        self.runtime.run_until_idle()
        assert isinstance(answer, dict)
        return answer

    def latched(self) -> tuple[str, ...]:
        """Ids of the trips that are persisted as latched."""
        return tuple(t.id for t in self.trips.load())

    def kill(self, path: str) -> None:
        """One actor fails now."""
        self.killed[path] += self.runtime.cells[path].life is not None
        self.runtime.inject(path, RuntimeError("injected"))
        self.runtime.run_until_idle()

    def hear(self, topic: str, payload: bytes, *, retained: bool = False) -> None:
        """Something arrives on the wire that the twin never said."""
        at_s = self.clock.monotonic()
        self.runtime.publish(Incoming(topic=topic, payload=payload, retained=retained, received_s=at_s))
        self.runtime.run_until_idle()

    def know(self, spot: Sequence[float]) -> None:
        """New prices become known."""
        self.series = prices(spot)
        self.runtime.publish(PricesKnown(prices=self.series))
        self.runtime.run_until_idle()

    # --- what came of it --------------------------------------------------------------------------------------------
    def standing(self, point: str) -> str:
        """Value written last for a point; its default if nothing was written."""
        written = [w.value for w in self.wire if w.point == point]
        default = self.points[point].default
        return written[-1] if written else "its own" if default is None else str(default)

    def output(self, point: str) -> dict[str, object]:
        """How the gate holds a point."""
        points = self.runtime.behaviour_snapshot(GATE)["points"]
        assert isinstance(points, dict)
        found = points[point]
        assert isinstance(found, dict)
        return found

    def sound(self) -> None:
        """No invariant was broken, and no message vanished."""
        assert not self.audit.breaches, "\n".join(str(b) for b in self.audit.breaches[:10])
        ledger = self.runtime.ledger()
        assert ledger.sent == ledger.handled + ledger.coalesced + ledger.dead_letters + ledger.queued, ledger
        assert self.runtime.escalated is None, self.runtime.escalated
        failed = {c.path: c.last_error for c in self.runtime.cells.values() if c.failed > self.killed[c.path]}
        assert not failed, f"failed by what it was sent: {failed}"


def _no_load() -> Load:
    raise AssertionError("nobody plans here")
