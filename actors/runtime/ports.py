"""Ports: actors whose work runs in a worker process that can be killed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from actors.runtime.behaviour import Behaviour
from actors.runtime.clock import real_floor, speed_of
from actors.runtime.context import Context
from actors.runtime.envelope import Lane, ReplyToken
from models.errors import PemsError

FailureKind = Literal["deadline", "crashed", "error", "busy", "stopped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerCall:
    """Told to (or asked of) a port: run `method` on `body`.

    `deadline_s` counts from the arrival at the port, waiting and start-up of the worker included [s, runtime's clock,
    at least 1 s of real time].
    """

    id: str
    method: str
    body: object
    deadline_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerDone:
    """The result; `took_s` is the time in the worker [s, real or, on the stepper, virtual]."""

    id: str
    method: str
    value: object
    took_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerFailed:
    """No result.

    `kind`: "deadline" it took too long and the worker was killed; "crashed" the worker died or could not be started;
    "error" the method raised, or its value cannot travel; "busy" too many calls wait; "stopped" the port ended.
    """

    id: str
    method: str
    kind: FailureKind
    reason: str


@dataclass(frozen=True, slots=True)
class WorkerStarted:
    """Event: a worker runs."""

    path: str
    pid: int | None


@dataclass(frozen=True, slots=True)
class WorkerEnded:
    """Event: a worker has ended, other than with its port."""

    path: str
    pid: int | None
    reason: str


class WorkerHost(Protocol):
    """What a worker tells its port through; `result`, `error` and `lost` from any thread."""

    def result(self, serial: int, value: object) -> None:
        """The call of that number has come back."""

    def error(self, serial: int, reason: str) -> None:
        """It raised."""

    def lost(self, reason: str) -> None:
        """The worker has ended."""

    def later(self, delay_s: float, serial: int, value: object, error: str | None) -> None:
        """`result` or `error` in so many seconds; from the port's own thread only."""


class Worker(Protocol):
    """What a port drives; one call at a time, a new worker after each end."""

    @property
    def pid(self) -> int | None:
        """Process id, if it is a process."""

    def start(self, host: WorkerHost) -> None:
        """Start it; may raise."""

    def submit(self, serial: int, method: str, body: object) -> None:
        """Begin a call without waiting for it; may raise if the body cannot travel."""

    def kill(self) -> None:
        """End it at once."""

    def close(self) -> None:
        """End it in order, within a bounded time."""


@dataclass(frozen=True, slots=True)
class _Result:
    worker: int
    serial: int
    value: object
    error: str | None


@dataclass(frozen=True, slots=True)
class _Lost:
    worker: int
    reason: str


@dataclass(frozen=True, slots=True)
class _Deadline:
    serial: int


class _Host:
    """The line from one worker to its port."""

    def __init__(self, ctx: Context, worker: int) -> None:
        self._ctx = ctx
        self._worker = worker

    def result(self, serial: int, value: object) -> None:
        self._ctx.post(_Result(self._worker, serial, value, None), lane=Lane.SYSTEM)

    def error(self, serial: int, reason: str) -> None:
        self._ctx.post(_Result(self._worker, serial, None, reason), lane=Lane.SYSTEM)

    def lost(self, reason: str) -> None:
        if self._ctx.alive:  # a worker that ends with its port is no news
            self._ctx.post(_Lost(self._worker, reason), lane=Lane.SYSTEM)

    def later(self, delay_s: float, serial: int, value: object, error: str | None) -> None:
        self._ctx.after(delay_s, _Result(self._worker, serial, value, error), lane=Lane.SYSTEM)


class _Job:
    """One call between its arrival and its end."""

    __slots__ = ("call", "cause", "sender", "serial", "started", "token")

    def __init__(self, call: WorkerCall, serial: int, ctx: Context) -> None:
        self.call = call
        self.serial = serial
        self.sender = ctx.sender
        self.cause = ctx.cause
        self.token: ReplyToken | None = ctx.reply_token() if ctx.asked else None
        self.started = 0.0


class Port(Behaviour):
    """Runs calls in a worker, one at a time.

    Handles  WorkerCall
    Sends    WorkerDone or WorkerFailed, exactly one for each call, to who sent it (or as the reply to an ask), with
             the call's own cause
    Fails    never by what a worker does: a worker that hangs, dies or talks nonsense is replaced at the next call

    Parameters
    ----------
    worker_factory : callable
        Makes a worker, not started yet.
    queue_bound : int
        Calls that may wait; more are answered "busy".
    eager : bool
        Start the worker with the port, not at the first call.
    """

    def __init__(self, worker_factory: Callable[[], Worker], queue_bound: int = 8, *, eager: bool = False) -> None:
        self._make = worker_factory
        self._bound = queue_bound
        self._eager = eager
        self._worker: Worker | None = None
        self._pid: int | None = None
        self._number = 0
        self._serial = 0
        self._job: _Job | None = None
        self._waiting: deque[_Job] = deque()
        self._kills = 0
        self._deaths = 0
        self._calls = 0
        self._failures = 0
        self._last_took_s: float | None = None
        self._last_trouble: str | None = None

    def on_start(self) -> None:
        """Start the worker, if it is to be ready at the first call."""
        if self._eager:
            self._ensure_worker()

    def handle(self, message: object) -> None:
        """Take a call, or what the worker or the clock says about one."""
        match message:
            case WorkerCall():
                self._accept(message)
            case _Result(worker, serial, value, error):
                if worker == self._number and self._job is not None and self._job.serial == serial:
                    self._came_back(self._job, value, error)
            case _Lost(worker, reason):
                if worker == self._number and self._worker is not None:
                    self._died(reason)
            case _Deadline(serial):
                self._too_late(serial)
            case _:
                super().handle(message)

    def on_stop(self) -> None:
        """Report what is open, and let the worker go."""
        jobs = [*([self._job] if self._job is not None else []), *self._waiting]
        self._job = None
        self._waiting.clear()
        for job in jobs:
            self._fail(job, "stopped", "the port has ended")
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.close()

    def snapshot(self) -> dict[str, object]:
        """Counters of the port and its worker."""
        worker = self._worker
        job = self._job
        return {
            "pid": worker.pid if worker is not None else None,
            "starts": self._number,
            "kills": self._kills,
            "deaths": self._deaths,
            "calls": self._calls,
            "failures": self._failures,
            "waiting": len(self._waiting),
            "in_flight": job.call.method if job is not None else None,
            "last_took_s": self._last_took_s,
            "last_trouble": self._last_trouble,
        }

    # -- calls -----------------------------------------------------------------------------------------------------

    def _accept(self, call: WorkerCall) -> None:
        self._serial += 1
        self._calls += 1
        job = _Job(call, self._serial, self.ctx)
        if len(self._waiting) >= self._bound:
            self._fail(job, "busy", f"{len(self._waiting)} calls wait already")
            return
        delay_s = real_floor(self.ctx.clock, max(0.0, call.deadline_s))
        self.ctx.after(delay_s, _Deadline(job.serial), name=f"deadline {job.serial}", lane=Lane.SYSTEM)
        self._waiting.append(job)
        self._next()

    def _next(self) -> None:
        while self._job is None and self._waiting:
            job = self._waiting.popleft()
            if not self._ensure_worker() or self._worker is None:
                self._fail(job, "crashed", self._last_trouble or "the worker cannot be started")
                continue
            job.started = self.ctx.clock.monotonic()
            self._job = job
            try:
                self._worker.submit(job.serial, job.call.method, job.call.body)
            except PemsError as error:
                self._job = None
                self._fail(job, "error", str(error))

    def _came_back(self, job: _Job, value: object, error: str | None) -> None:
        self._job = None
        took_s = (self.ctx.clock.monotonic() - job.started) / speed_of(self.ctx.clock)
        self._last_took_s = took_s
        if error is None:
            self._tell(job, WorkerDone(id=job.call.id, method=job.call.method, value=value, took_s=took_s))
        else:
            self._fail(job, "error", error)
        self._next()

    def _too_late(self, serial: int) -> None:
        job = self._job
        if job is not None and job.serial == serial:
            self._job = None
            self._kills += 1
            self._end_worker(f"killed: {job.call.method} went past its deadline")
            self._fail(job, "deadline", f"not done within {job.call.deadline_s:g} s, the worker was killed")
            self._next()
            return
        for waiting in self._waiting:
            if waiting.serial == serial:
                self._waiting.remove(waiting)
                self._fail(waiting, "deadline", f"not begun within {waiting.call.deadline_s:g} s")
                return

    def _fail(self, job: _Job, kind: FailureKind, reason: str) -> None:
        self._failures += 1
        self._tell(job, WorkerFailed(id=job.call.id, method=job.call.method, kind=kind, reason=reason))

    def _tell(self, job: _Job, outcome: WorkerDone | WorkerFailed) -> None:
        self.ctx.cancel(f"deadline {job.serial}")
        if job.token is not None:
            self.ctx.reply_to(job.token, outcome)
        elif job.sender is not None:
            self.ctx.tell(job.sender, outcome, cause=job.cause)

    # -- the worker ------------------------------------------------------------------------------------------------

    def _ensure_worker(self) -> bool:
        if self._worker is not None:
            return True
        self._number += 1
        worker = self._make()
        try:
            worker.start(_Host(self.ctx, self._number))
        except (PemsError, OSError) as error:
            self._last_trouble = str(error)
            self._deaths += 1
            return False
        self._worker = worker
        self._pid = worker.pid  # kept for the story of its end: a reaped process has none
        self.ctx.publish(WorkerStarted(self.ctx.path, self._pid))
        return True

    def _end_worker(self, reason: str) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.kill()
            self._last_trouble = reason
            self.ctx.publish(WorkerEnded(self.ctx.path, self._pid, reason))

    def _died(self, reason: str) -> None:
        self._deaths += 1
        self._end_worker(f"worker ended: {reason}")
        job, self._job = self._job, None
        if job is not None:
            self._fail(job, "crashed", f"the worker ended in the call: {reason}")
        self._next()


class FunctionWorker:
    """A worker without a process: functions in the port's own thread, their results a fixed (virtual) time later.

    For the stepper, where a run must be a function of its seed: `duration_s` stands for the time a real worker would
    take, for all methods or for each.
    """

    pid: int | None = None

    def __init__(
        self,
        methods: Mapping[str, Callable[[object], object]],
        duration_s: float | Mapping[str, float] = 0.0,
    ) -> None:
        self._methods = methods
        self._duration_s = duration_s
        self._host: WorkerHost | None = None

    def start(self, host: WorkerHost) -> None:
        """Nothing to spawn."""
        self._host = host

    def submit(self, serial: int, method: str, body: object) -> None:
        """Run the method now; its outcome comes later."""
        assert self._host is not None
        value: object = None
        error: str | None = None
        try:
            if method not in self._methods:
                raise LookupError(f"no method {method!r} here; there are {', '.join(sorted(self._methods))}")
            value = self._methods[method](body)
        except Exception as raised:  # noqa: BLE001 - as in a process: a failed call is an answer
            error = str(raised) if isinstance(raised, LookupError) else f"{type(raised).__name__}: {raised}"
        duration = self._duration_s
        delay_s = duration if isinstance(duration, int | float) else duration.get(method, 0.0)
        self._host.later(delay_s, serial, value, error)

    def kill(self) -> None:
        """What was to come does not matter any more: the port has moved on to another worker."""

    def close(self) -> None:
        """Nothing to wait for."""
