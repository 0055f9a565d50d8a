"""The journal: what happened, on its way to the store. It never waits for the store and never fails on it."""

from __future__ import annotations

from collections import deque
from datetime import datetime
from pathlib import Path

from actors.messages import Alarm, ForecastReady, PlanReady, Proof, Tick, Trip, WireWrite
from actors.runtime import Behaviour, Failed, GaveUp, Restarted, WorkerCall, WorkerDone, WorkerEnded, WorkerFailed
from actors.store.rows import Kind, Row, Rows
from models.types.command import Request, Verdict
from models.types.reading import InverterReading, MeterReading, RoomsReading

STORE = "/ops/store"
BATCH = 500
KEPT = 20_000  # rows that wait while the store is away; older ones are shed, with an alarm
TELEMETRY_EVERY_S = 60.0


class Journal(Behaviour):
    """Collects rows and hands them to the store in batches.

    Handles  events of the house, Tick, WorkerDone, WorkerFailed
    Sends    WorkerCall to the store's port; publishes Alarm when rows wait or are shed
    Fails    on bugs only
    """

    def __init__(self, store: Path, *, flush_s: float) -> None:
        self._path, self._flush_s = store, flush_s
        self._rows: deque[Row] = deque()
        self._sent: tuple[Row, ...] = ()
        self._busy = ""
        self._open = False
        self._calls = 0
        self._told: dict[str, float] = {}
        self._alarmed = False
        self.shed, self.written = 0, 0

    def on_start(self) -> None:
        ctx = self.ctx
        ctx.subscribe(InverterReading, MeterReading, RoomsReading, coalesce=lambda m: type(m).__name__)
        ctx.subscribe(Verdict, WireWrite, Proof, Trip, Alarm, PlanReady, ForecastReady)
        ctx.subscribe(Failed, Restarted, GaveUp, WorkerEnded)
        ctx.every(self._flush_s, Tick(name="flush"), name="flush")
        self._flush()

    def handle(self, message: object) -> None:
        match message:
            case Tick():
                self._flush()
            case WorkerDone():
                self._done(message)
            case WorkerFailed():
                self._failed(message)
            case InverterReading() | MeterReading() | RoomsReading():
                self._telemetry(message)
            case _:
                row = self._row(message)
                if row is None:
                    super().handle(message)
                else:
                    self._keep(row)

    def _telemetry(self, message: InverterReading | MeterReading | RoomsReading) -> None:
        kind, at_s = type(message).__name__, self.ctx.clock.monotonic()
        if at_s - self._told.get(kind, -1e9) >= TELEMETRY_EVERY_S:
            self._told[kind] = at_s
            self._keep(Row.of(Kind.TELEMETRY, message.measured_at, kind, message))

    def _row(self, event: object) -> Row | None:
        now = self.ctx.clock.now()
        match event:
            case Verdict():
                return Row.of(Kind.VERDICT, event.at, event.request_id, event, cause=event.cause)
            case Request():
                return Row.of(Kind.REQUEST, event.issued, event.id, event, cause=event.cause)
            case WireWrite():
                return Row.of(Kind.WIRE, event.at, event.point, event, cause=event.cause)
            case Proof():
                return Row.of(Kind.WIRE, event.at, event.point, event)
            case Trip():
                return Row.of(Kind.TRIP, event.tripped_at, event.id, event)
            case Alarm():
                return Row.of(Kind.EVENT, event.at, event.name, event)
            case PlanReady(plan=plan, problem=problem):
                data = {"problem": problem, "plan": plan}
                return Row.of(Kind.PLAN, now, problem.id, data, issued=problem.issued)
            case ForecastReady(forecast=forecast):
                return Row.of(Kind.FORECAST, now, forecast.source, forecast, issued=forecast.issued)
            case Failed() | Restarted() | GaveUp() | WorkerEnded():
                return Row.of(Kind.EVENT, now, event.path, {"event": type(event).__name__, "text": str(event)})
        return None

    def _keep(self, row: Row) -> None:
        self._rows.append(row)
        if len(self._rows) > KEPT:
            self._rows.popleft()
            self.shed += 1
            self._alarm(f"the store is away; {self.shed} oldest rows were shed")

    def _flush(self) -> None:
        if self._busy:
            return
        if not self._open:
            self._call("open", {"path": str(self._path)})
        elif self._rows:
            self._sent = tuple(self._rows.popleft() for _ in range(min(BATCH, len(self._rows))))
            self._call("write", Rows(rows=self._sent))

    def _call(self, method: str, body: object) -> None:
        self._calls += 1
        self._busy = f"journal-{self.ctx.epoch.incarnation}-{self._calls}"
        deadline_s = 10.0 * getattr(self.ctx.clock, "speed", 1.0)
        self.ctx.tell(STORE, WorkerCall(id=self._busy, method=method, body=body, deadline_s=deadline_s))

    def _done(self, message: WorkerDone) -> None:
        if message.id != self._busy:
            return
        self._busy = ""
        if message.method == "open":
            self._open = True
            alarm = message.value.get("alarm") if isinstance(message.value, dict) else None
            if alarm:
                self._alarm(str(alarm))
        else:
            self.written += len(self._sent)
            self._sent = ()
            if self._alarmed and self.shed == 0:
                self._alarmed = False
                self.ctx.publish(Alarm(at=self._now(), name="store", active=False, text=""))
        if self._rows:
            self._flush()

    def _failed(self, message: WorkerFailed) -> None:
        if message.id != self._busy:
            return
        self._busy, self._open = "", False  # a new worker has opened nothing
        self._rows.extendleft(reversed(self._sent))
        self._sent = ()
        self._alarm(f"the store does not take rows: {message.reason}")

    def _alarm(self, text: str) -> None:
        if not self._alarmed:
            self._alarmed = True
            self.ctx.publish(Alarm(at=self._now(), name="store", active=True, text=text))

    def _now(self) -> datetime:
        return self.ctx.clock.now()

    def snapshot(self) -> dict[str, object]:
        return {"open": self._open, "waiting": len(self._rows), "written": self.written, "shed": self.shed}
