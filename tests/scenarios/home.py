"""A small house with everything in it: the whole tree on the step runtime, its twin, an optimizer that plans, a store
that keeps, and switches for what may fail outside.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from actors.audit import Audit
from actors.devices.registry import all_points
from actors.forecasting.worker import methods as forecasting_methods
from actors.memory import MemoryTrips, MemoryWear
from actors.messages import Alarm, PlanFailed, PlanReady, Proof, RequestTrip, ResetTrip, WireWrite
from actors.ops.journal import Journal
from actors.ops.status import Status
from actors.runtime import ChildSpec, FunctionWorker, Lane, ManualClock, Port, StepRuntime, WorkerHost
from actors.runtime.errors import WorkerError
from actors.safety import TripStore
from actors.store.boot import STORE_FILE
from actors.store.query import query
from actors.store.worker import methods as store_methods
from config.schema import HouseFile
from models.errors import DataError, LinkError
from models.twins.gateway import GatewayFaults
from models.twins.house import HouseTwin
from models.twins.world import World
from models.types.command import Level, Outcome, Relinquish, Request, Value, Verdict
from models.types.forecast import PriceSeries, WeatherForecast
from models.types.forecast_request import MeasuredSeries
from models.types.twin_wire import TwinExchange, TwinOutput, WireMessage
from pems_actors.outside import replay
from pems_actors.wiring import Parts, house_tree
from solvers.worker import simulation_methods
from tests.properties.house import ROOMS, house_file

NOON = datetime(2021, 2, 8, 11, 0, tzinfo=UTC)  # Monday noon in the house's time zone
GATE, SAFETY, STATUS, JOURNAL = "/core/gate", "/core/safety", "/ops/status", "/ops/journal"
PLANNER, DISPATCHER, OPTIMIZER = "/plan/planner", "/plan/dispatcher", "/plan/optimizer"
MODE, EXPORT = "inverter.mode", "inverter.export_limit_kw"
HALL, BATH, LIVING = (f"room.{room.name}.relay" for room in ROOMS)
QUARTER_S, HOUR_S = 900.0, 3600.0
LOOK_S = 60.0


@cache
def planning() -> dict[str, Callable[[object], object]]:
    """One optimizer for all stories: building its model is what takes long."""
    return simulation_methods()


class MortalWorker(FunctionWorker):
    """A worker that is gone while `dead` says so: it loses its calls, and cannot be started again."""

    def __init__(self, methods: Mapping[str, Callable[[object], object]], dead: Callable[[], bool]) -> None:
        super().__init__(methods, duration_s=1.0)
        self._dead = dead

    def start(self, host: WorkerHost) -> None:
        if self._dead():
            raise WorkerError("no such program")
        super().start(host)

    def submit(self, serial: int, method: str, body: object) -> None:
        if self._dead():
            assert self._host is not None
            self._host.lost("killed by SIGKILL")
        else:
            super().submit(serial, method, body)


class SteadyLoad:
    """A family that uses the same at every hour."""

    problem = ""  # nothing to keep

    def __init__(self, kw: float) -> None:
        self._kw = kw

    def see(self, now: datetime, kw: float) -> None:
        """It is known already."""

    def history(self, now: datetime, days: float) -> MeasuredSeries:
        start = now.replace(minute=0, second=0, microsecond=0) - timedelta(days=days)
        return MeasuredSeries(start=start, dt_s=QUARTER_S, kw=(self._kw,) * int(days * 96))

    def known(self, now: datetime, steps: int) -> MeasuredSeries | None:
        return None


def spot(start: datetime, by_hour: Sequence[float], days: int = 8, *, issued: datetime | None = None) -> PriceSeries:
    """The same 24 prices each day, from UTC midnight two days before `start` on."""
    first = start.replace(hour=0, minute=0) - timedelta(days=2)
    series = tuple(price for _ in range(days) for price in by_hour for _ in range(4))
    return PriceSeries(issued=issued or first, source="test", start=first, dt_s=QUARTER_S, spot_eur_per_kwh=series)


FLAT = (0.10,) * 24
CHEAP_NIGHT = (0.02,) * 5 + (0.10,) * 12 + (0.35,) * 4 + (0.10,) * 3  # worth a charge from the grid
NEGATIVE_NOON = (0.10,) * 10 + (-0.08,) * 4 + (0.10,) * 10


def a_world(start: datetime, *, sun: float = 1.0, temp_c: float = 2.0, load_kw: float = 0.6, days: int = 10) -> World:
    """A clear day each day."""
    hours = [i % 96 / 4.0 for i in range(days * 96)]
    shape = [max(0.0, math.sin(math.pi * (h - 7.0) / 10.0)) * sun if 7.0 < h < 17.0 else 0.0 for h in hours]
    n = len(hours)
    return World(
        start.replace(hour=0, minute=0) - timedelta(days=2), QUARTER_S, [temp_c] * n, [450.0 * s for s in shape],
        [120.0 * s for s in shape], [600.0 * s for s in shape], [3.0] * n, [load_kw] * n,
        site=house_file().house.site,
    )  # fmt: skip


class Home:
    """One house, and what happened to it.

    Parameters
    ----------
    start : datetime
        First instant, aware UTC.
    prices : callable or PriceSeries, optional
        What the market says at an instant; DataError: nothing.
    folder : Path, optional
        Where the store lies; None: the house keeps no journal.
    trips : TripStore, optional
        Latched trips of a former life.
    tick_s : float
        Nothing happens more often; long stories tick slower.
    third_hand_s : float
        How long somebody else's hand is respected [s].
    sun, load_kw, soc
        Of the twin's world, and of the battery at the start.
    """

    def __init__(
        self,
        *,
        start: datetime = NOON,
        prices: PriceSeries | Callable[[datetime], PriceSeries] | None = None,
        folder: Path | None = None,
        trips: TripStore | None = None,
        config: HouseFile | None = None,
        tick_s: float = 30.0,
        fuse_a: float = 32.0,
        boot: int = 1,
        sun: float = 1.0,
        load_kw: float = 0.6,
        temp_c: float = 2.0,
        soc: float = 0.5,
        seed: int = 1,
        replan_s: float = HOUR_S,
        third_hand_s: float = 7200.0,
    ) -> None:
        file = config or house_file(tick_s=tick_s, fuse_a=fuse_a)
        timing = file.timing.model_copy(update={"replan_s": replan_s})
        self.config = file.model_copy(
            update={
                "timing": timing,
                "planner": file.planner.model_copy(update={"horizon_h": 24.0}),
                "user": file.user.model_copy(update={"third_hand_s": third_hand_s}),
            }
        )
        self.house = self.config.house
        self.points = {p.name: p for p in all_points(self.house)}
        self.clock = ManualClock(start)
        self.world = a_world(start, sun=sun, load_kw=load_kw, temp_c=temp_c)
        self.twin = HouseTwin(
            self.house, self.world, start=start, seed=seed, step_s=timing.telemetry_s, telemetry_s=timing.telemetry_s,
            status_s=timing.telemetry_s, heartbeat_timeout_s=timing.heartbeat_timeout_s, faults=GatewayFaults(),
        )  # fmt: skip
        self.twin.inverter.soc = soc
        self.prices: Callable[[datetime], PriceSeries] = (
            prices if callable(prices) else lambda _: spot(start, FLAT) if prices is None else prices
        )
        self.folder, self.trips, self.wear = folder, trips or MemoryTrips(), MemoryWear()
        self.optimizer_dead = self.store_dead = self.link_down = False
        self.orders: list[tuple[datetime, str, dict[str, Any]]] = []  # what reached the twin
        self.wire: list[WireWrite] = []
        self.verdicts: list[Verdict] = []
        self.proofs: list[Proof] = []
        self.alarms: list[Alarm] = []
        self.plans: list[PlanReady] = []
        self.troubles: list[str] = []
        self.killed: Counter[str] = Counter()
        self._seq = 0
        tree = house_tree(self.config, self._parts(load_kw))
        self.runtime = StepRuntime(tree, clock=self.clock, boot=boot, seed=seed)
        self.audit = Audit(self.house, tuple(self.points.values()), self.config.timing)
        self.audit.attach(self.runtime)
        self.runtime.listen(self._note, WireWrite, Verdict, Proof, Alarm, PlanReady, PlanFailed)

    def _parts(self, load_kw: float) -> Parts:
        load = SteadyLoad(load_kw + self.house.inverter.standby_kw)
        return Parts(
            io=lambda: replay(
                self.config,
                twin=lambda: FunctionWorker({"exchange": self._exchange}),
                prices=lambda: lambda now: self.prices(now),
                weather=lambda: self._weather,
                quick=True,
            ),
            optimizer=lambda: MortalWorker(planning(), lambda: self.optimizer_dead),
            forecaster=lambda: FunctionWorker(forecasting_methods(), duration_s=1.0),
            load=lambda: load,
            trips=self.trips,
            wear=self.wear,
            ops=self._ops,
        )

    def _ops(self) -> tuple[ChildSpec, ...]:
        status = ChildSpec(id="status", make=lambda: Status(self.house), on_give_up="park")
        if self.folder is None:
            return (status,)
        path = self.folder / STORE_FILE
        return (
            ChildSpec(
                id="store", make=lambda: Port(lambda: MortalWorker(store_methods(), lambda: self.store_dead)),
                on_give_up="park",
            ),
            ChildSpec(id="journal", make=lambda: Journal(path, flush_s=60.0), on_give_up="park"),
            status,
        )

    def _weather(self, now: datetime) -> WeatherForecast:
        """A perfect forecast: the stories are about other things."""
        n, start = 3 * 96, now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=12)
        at = [start + timedelta(seconds=QUARTER_S * i) for i in range(n)]
        ghi, dhi, dni = zip(*(self.world.irradiance(t) for t in at), strict=True)
        return WeatherForecast(
            issued=now, source="clear", start=start, dt_s=QUARTER_S, temp_c=tuple(self.world.temp_c(t) for t in at),
            ghi_w_per_m2=ghi, dni_w_per_m2=dni, dhi_w_per_m2=dhi, wind_m_per_s=(3.0,) * n,
        )  # fmt: skip

    def _exchange(self, body: object) -> TwinOutput:
        assert isinstance(body, TwinExchange)
        said = self.twin.advance(body.until)
        if self.link_down:
            raise LinkError("the broker is away")  # what was said meanwhile is lost, and so is what was asked
        for command in body.commands:
            self.orders.append((body.until, command.topic, json.loads(command.payload)))
            self.twin.publish(command.topic, command.payload.encode(), body.until)
        if body.commands:
            said = [*said, *self.twin.advance(body.until)]
        meters = self.twin.truth().meters
        return TwinOutput(
            until=body.until, messages=tuple(WireMessage(topic=m.topic, payload=m.payload.decode()) for m in said),
            import_kwh=meters.import_kwh, export_kwh=meters.export_kwh,
        )  # fmt: skip

    def _note(self, event: object) -> None:
        match event:
            case WireWrite():
                self.wire.append(event)
            case Verdict():
                self.verdicts.append(event)
            case Proof():
                self.proofs.append(event)
            case Alarm():
                self.alarms.append(event)
            case PlanReady():
                self.plans.append(event)
            case PlanFailed(reason=reason):
                self.troubles.append(reason)

    # --- time -------------------------------------------------------------------------------------------------------
    def start(self, settle_s: float = 600.0) -> Home:
        """Start everything and let it live until all signals are believed and a plan is made."""
        self.runtime.start()
        return self.run(settle_s)

    def run(self, seconds: float) -> Home:
        """Let time pass under the auditor's eyes."""
        left_s = seconds
        while left_s > 0:
            step_s = min(LOOK_S, left_s)
            self.runtime.run_for(step_s)
            self.audit.look(self.twin.truth(), self.clock.monotonic())
            left_s -= step_s
        return self

    def run_until(self, at: datetime) -> Home:
        """Let time pass until an instant of the house."""
        return self.run((at - self.clock.now()).total_seconds())

    # --- people -----------------------------------------------------------------------------------------------------
    def override(self, point: str, value: Value | Relinquish, *, ttl_s: float = HOUR_S) -> Verdict:
        """A person holds a point, or gives it back."""
        self._seq += 1
        now, before = self.clock.now(), len(self.verdicts)
        request = Request(
            id=f"user-{self._seq}", source="user", level=Level.USER, point=point, value=value, issued=now,
            expires=now + timedelta(seconds=ttl_s), epoch=(self.runtime.boot, 1), seq=self._seq, cause="test",
        )
        self.runtime.tell(GATE, request)
        self.runtime.run_until_idle()
        return next(v for v in self.verdicts[before:] if v.request_id == request.id and v.outcome != Outcome.DEFERRED)

    def trip(self, kind: str = "manual", points: tuple[str, ...] = ("*",)) -> str:
        """Latch a trip by hand; its id."""
        answer = self.runtime.ask(SAFETY, RequestTrip(kind=kind, points=points, reason="test"), 5.0, lane=Lane.URGENT)
        assert isinstance(answer, dict)
        return str(answer["id"])

    def reset(self, trip_id: str) -> dict[str, object]:
        """Try to end a trip."""
        answer = self.runtime.ask(SAFETY, ResetTrip(id=trip_id), 5.0, lane=Lane.URGENT)
        assert isinstance(answer, dict)
        return answer

    def fail(self, path: str, error: BaseException | None = None) -> None:
        """One actor fails now, on purpose."""
        self.killed[path] += 1
        self.runtime.inject(path, error or RuntimeError("injected"))
        self.runtime.run_until_idle()

    # --- what is to be seen -----------------------------------------------------------------------------------------
    def output(self, point: str) -> dict[str, Any]:
        """How the gate holds a point."""
        points = self.runtime.behaviour_snapshot(GATE)["points"]
        assert isinstance(points, dict)
        found: dict[str, Any] = points[point]
        return found

    def room(self, name: str) -> Any:
        """A room as it really is."""
        return next(r for r in self.twin.truth().rooms if r.name == name)

    def warm(self, name: str, air_c: float) -> None:
        """A room has this temperature all of a sudden: somebody opened a stove, or a window."""
        index = [r.name for r in self.house.rooms].index(name)
        self.twin._air[index] = air_c

    def living_alarms(self) -> dict[str, str]:
        """Alarms that have begun and not ended: name to text."""
        living: dict[str, str] = {}
        for alarm in self.alarms:
            if alarm.active:
                living[alarm.name] = alarm.text
            else:
                living.pop(alarm.name, None)
        return living

    def stored(self, kind: str) -> list[dict[str, Any]]:
        """What the store has of one kind, oldest first."""
        assert self.folder is not None
        body = {"kind": kind, "limit": 10_000}
        rows = query(self.folder / STORE_FILE, body)
        return [dict(row) for row in rows]

    def sound(self) -> None:
        """No invariant was broken, no message vanished, and nobody failed but those who were made to."""
        assert not self.audit.breaches, "\n".join(str(b) for b in self.audit.breaches[:10])
        ledger = self.runtime.ledger()
        assert ledger.sent == ledger.handled + ledger.coalesced + ledger.dead_letters + ledger.queued, ledger
        assert self.runtime.escalated is None, self.runtime.escalated
        failed = {c.path: c.last_error for c in self.runtime.cells.values() if c.failed > self.killed[c.path]}
        assert not failed, failed


def no_prices(now: datetime) -> PriceSeries:
    """The market is silent."""
    raise DataError(f"no prices at {now:%H:%M}")
