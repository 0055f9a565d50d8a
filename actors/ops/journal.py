"""The journal: what happened, on its way to the store. It never waits for the store and never fails on it."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

from actors.messages import (
    Alarm,
    ForecastReady,
    OperatorLimits,
    PlanReady,
    Proof,
    Tick,
    Trip,
    TripReset,
    WireWrite,
)
from actors.ops.limit_book import LimitBook, LimitFact
from actors.runtime import Behaviour, Failed, GaveUp, Restarted, WorkerCall, WorkerDone, WorkerEnded, WorkerFailed
from actors.store.rows import Kind, Row, Rows
from models.types.command import Request, Verdict
from models.types.reading import InverterReading, MeterReading, RoomsReading

STORE = "/ops/store"
LIMIT = "operator.import_limit"  # key of what became of the grid operator's limits
BATCH = 500
KEPT = 20_000  # rows that wait while the store is away; older ones are shed, with an alarm
TELEMETRY_EVERY_S = 60.0
PRUNE_EVERY, TELEMETRY_KEPT = timedelta(days=1), timedelta(days=400)  # a year and what is needed to compare with it


class Journal(Behaviour):
    """Collects rows and hands them to the store in batches.

    Handles  events of the house, Tick, WorkerDone, WorkerFailed
    Sends    WorkerCall to the store's port: open, boot, write, prune; publishes Alarm when rows wait or are shed, and
             when the store knows a later life of this house than this one
    Fails    on bugs only; what cannot be stored is told in a row of its own

    A batch whose answer did not come (deadline, a store that died) is written again, and a new life writes what it
    hears first of alarms and limits, so a row may be there twice: they are facts with a time, and reading one twice
    misleads nobody, while losing one might.
    """

    def __init__(self, store: Path, *, flush_s: float) -> None:
        self._path, self._flush_s = store, flush_s
        self._rows: deque[Row] = deque()
        self._sent: tuple[Row, ...] = ()
        self._busy = ""
        self._open = False
        self._booted = False
        self._boot_asked = False
        self._pruned: datetime | None = None
        self._calls = 0
        self._told: dict[str, float] = {}
        self._alarms: set[str] = set()
        self.shed, self.written, self.pruned = 0, 0, 0

    def on_start(self) -> None:
        ctx = self.ctx
        self._limits = LimitBook()
        ctx.subscribe(InverterReading, MeterReading, RoomsReading, coalesce=lambda m: type(m).__name__)
        ctx.subscribe(Request, Verdict, WireWrite, Proof, Trip, TripReset, Alarm, PlanReady, ForecastReady)
        ctx.subscribe(Failed, Restarted, GaveUp, WorkerEnded, OperatorLimits)
        ctx.every(self._flush_s, Tick(name="flush"), name="flush")
        self._flush()

    def handle(self, message: object) -> None:
        match message:
            case Tick():
                self._note(self._limits.look(self._now()))
                self._flush()
            case OperatorLimits(limits=limits):
                self._note(self._limits.hear(limits, self._now()))
            case WorkerDone():
                self._done(message)
            case WorkerFailed():
                self._failed(message)
            case InverterReading() | MeterReading() | RoomsReading():
                self._telemetry(message)
            case _:
                row = self._storable(message)
                if row is None:
                    super().handle(message)
                else:
                    self._keep(row)

    def _storable(self, event: object) -> Row | None:
        """The row of an event. One that no store could take (a stranger's request may hold anything) is told instead:
        in a batch it would hold up all others for ever."""
        try:
            row = self._row(event)
            if row is not None:
                json.dumps([row.key, row.cause, row.data], ensure_ascii=False, allow_nan=False).encode()
        except (TypeError, ValueError, RecursionError) as error:
            text = ascii(f"a {type(event).__name__} cannot be stored: {error}")
            return Row.of(Kind.EVENT, self._now(), self.ctx.path, {"event": "Unstorable", "text": text})
        return row

    def _telemetry(self, message: InverterReading | MeterReading | RoomsReading) -> None:
        kind, at_s = type(message).__name__, self.ctx.clock.monotonic()
        if at_s - self._told.get(kind, -1e9) >= TELEMETRY_EVERY_S:
            self._told[kind] = at_s
            self._keep(Row.of(Kind.TELEMETRY, message.measured_at, kind, message))

    def _note(self, facts: Iterable[LimitFact]) -> None:
        for fact in facts:
            data = {"event": f"limit_{fact.what}", "limit": fact.limit, "before": fact.before}
            self._keep(Row.of(Kind.EVENT, fact.at, LIMIT, data))

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
            case TripReset():
                return Row.of(Kind.TRIP, event.at, event.id, {"event": "reset", "id": event.id})
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
            self._alarm("store_shed", "the store is away for too long; the oldest rows are shed")

    def _flush(self) -> None:
        if self._busy:
            return
        if not self._open:
            self._call("open", {"path": str(self._path)})
        elif not self._booted:
            self._boot_asked = True
            self._call("boot", {"boot": self.ctx.epoch.boot, "at": self._now().isoformat()})
        elif self._rows:
            self._sent = tuple(self._rows.popleft() for _ in range(min(BATCH, len(self._rows))))
            self._call("write", Rows(rows=self._sent))
        elif self._pruned is None or self._now() - self._pruned >= PRUNE_EVERY:
            self._pruned = self._now()
            self._call("prune", {"before": (self._now() - TELEMETRY_KEPT).isoformat()})

    def _call(self, method: str, body: object) -> None:
        self._calls += 1
        self._busy = f"journal-{self.ctx.epoch.incarnation}-{self._calls}"
        deadline_s = 10.0 * getattr(self.ctx.clock, "speed", 1.0)
        self.ctx.tell(STORE, WorkerCall(id=self._busy, method=method, body=body, deadline_s=deadline_s))

    def _done(self, message: WorkerDone) -> None:
        if message.id != self._busy:
            return
        self._busy = ""
        answer = message.value if isinstance(message.value, dict) else {}
        match message.method:
            case "open":
                self._opened(answer)
            case "boot":
                self._booted = True
            case "prune":
                self.pruned += int(answer.get("deleted", 0))
                self._alarm_over("store_prune")
            case _:
                self.written += len(self._sent)
                self._sent = ()
                self._alarm_over("store")
                self._alarm_over("store_shed")
        if self._rows or not self._booted:
            self._flush()

    def _opened(self, answer: dict[str, object]) -> None:
        self._open = True
        if answer.get("alarm"):
            self._alarm("store_damaged", str(answer["alarm"]))
        highest, boot = answer.get("boots"), self.ctx.epoch.boot
        known = isinstance(highest, int) and highest == boot
        if known and (self._boot_asked or self.ctx.epoch.incarnation > 1):
            self._booted = True  # told before: by a former life, or the answer was lost

    def _failed(self, message: WorkerFailed) -> None:
        if message.id != self._busy:
            return
        self._busy = ""
        if message.method == "boot" and message.kind == "error":
            self._booted = True  # an alarm, not a reason to lose what happens from now on
            self._alarm("store_boot", f"the store has known a later life of this house: {message.reason}")
            return
        if message.method == "prune" and message.kind == "error":
            self._alarm("store_prune", f"old rows are not deleted: {message.reason}")
            return
        self._open = False  # a new worker has opened nothing
        self._rows.extendleft(reversed(self._sent))
        self._sent = ()
        self._alarm("store", f"the store does not take rows: {message.reason}")

    def _alarm(self, name: str, text: str) -> None:
        """Said once when it begins."""
        if name not in self._alarms:
            self._alarms.add(name)
            self.ctx.publish(Alarm(at=self._now(), name=name, active=True, text=text))

    def _alarm_over(self, name: str) -> None:
        """Said once when it ends."""
        if name in self._alarms:
            self._alarms.discard(name)
            self.ctx.publish(Alarm(at=self._now(), name=name, active=False, text=""))

    def _now(self) -> datetime:
        return self.ctx.clock.now()

    def snapshot(self) -> dict[str, object]:
        return {
            "open": self._open, "waiting": len(self._rows), "written": self.written, "shed": self.shed,
            "pruned": self.pruned, "alarms": sorted(self._alarms),
        }
