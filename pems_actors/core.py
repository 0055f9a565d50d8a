"""The core process: the tree of actors on threads, its clock, its files, its socket. Ends with the house given back.

Exit codes: 0 every point is back at its default, read back; 3 some could not be verified, they are named; 70 the core
could not help itself and wrote the fail-safe profile; 2 a mistake of the user.
"""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import threading
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog

from actors.messages import Alarm, Trip, TripReset
from actors.ops.journal import Journal
from actors.ops.status import Status
from actors.runtime import ChildSpec, Failed, GaveUp, Port, PykkaRuntime, Restarted, ScaledClock, WorkerEnded
from actors.store.boot import STORE_FILE, next_boot
from actors.store.trips import FileTrips
from actors.store.wear import FileWear
from config.load import load
from config.schema import HouseFile
from models.errors import ConfigError, PemsError
from models.types.slots import local_midnight
from pems_actors import logs, workers
from pems_actors.console.server import ConsoleServer
from pems_actors.console.wire import SOCKET_FILE
from pems_actors.ending import ENDING, EXIT_ESCALATED, EXIT_MISTAKE, EXIT_UNVERIFIED, REPORT_FILE
from pems_actors.handlers import Handlers
from pems_actors.lock import StateLock
from pems_actors.release import release_all
from pems_actors.simulation.world import Recorded
from pems_actors.wiring import Parts, house_tree

RELEASE_S = 20.0  # real seconds that giving the house back may take
FAIL_SAFE_S = 5.0
SWITCH_S = 0.0005  # a busy thread makes way after this (Python's own: 5 ms); a trip goes through three to the link
WORKERS_LOG = "workers.log"  # what worker processes print

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class CoreJob:
    """What the core is started with."""

    config: HouseFile
    config_path: Path
    state: Path
    start: date | None
    speed: float
    for_s: float | None  # real seconds; None: until it is told to end


def run_core(job: CoreJob) -> int:
    """Run the house until SIGTERM, SIGINT or the end of `for_s`; returns the exit code."""
    with StateLock(job.state):
        logs.to_folder(job.state)
        sys.setswitchinterval(SWITCH_S)
        return _Core(job).run()


class _Core:
    def __init__(self, job: CoreJob) -> None:
        self._job = job
        self._config = job.config.at_speed(job.speed)
        self._over = threading.Event()
        self._escalated = ""

    def run(self) -> int:
        job = self._job
        boot = next_boot(job.state)
        recorded = Recorded.of(self._config, self._config.simulation.seed)
        clock = ScaledClock(self._start(recorded), job.speed)
        parts = self._parts(recorded, FileTrips(job.state, boot), FileWear(job.state, boot, clock.now()))
        runtime = PykkaRuntime(
            house_tree(self._config, parts), clock=clock, boot=boot.number, seed=self._config.simulation.seed,
            on_escalate=self._escalate,
        )
        runtime.listen(_log_event, Alarm, Trip, TripReset, Failed, Restarted, GaveUp, WorkerEnded)
        console = ConsoleServer(job.state / SOCKET_FILE, Handlers(runtime, self._config, job.speed).table())
        for number in ENDING:
            signal.signal(number, lambda *_: self._over.set())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)  # `run` blocks them until somebody listens: none is lost
        log.info("core.started", boot=boot.number, house_time=clock.now().isoformat(), speed=job.speed)
        runtime.start()
        try:
            console.start()
            self._over.wait(job.for_s)
            pending = release_all(runtime, timeout_s=(FAIL_SAFE_S if self._escalated else RELEASE_S) * job.speed)
        finally:
            console.stop()
            runtime.stop(5.0 * job.speed)
        return self._end(pending)

    def _start(self, recorded: Recorded) -> datetime:
        start = self._job.start or self._config.run.start
        if start is None:
            raise ConfigError(
                "[run] start is not set, and without it there is no recorded day to live in",
                hint="give --start 2021-02-08 or set it in the house file",
            )
        recorded.begins(start, self._config.model_copy(update={"simulation": self._config.simulation.model_copy(
            update={"warmup_days": 0, "tail_h": 0})}), 2)
        return local_midnight(start, ZoneInfo(self._config.house.site.timezone))

    def _parts(self, recorded: Recorded, trips: FileTrips, wear: FileWear) -> Parts:
        job, config = self._job, self._config
        output = job.state / WORKERS_LOG
        twin_args = ("--config", str(job.config_path), "--seed", str(config.simulation.seed), "--speed", str(job.speed))
        load = recorded.known_load()
        return Parts(
            twin=lambda: workers.process("twin", args=twin_args, log=output),
            optimizer=lambda: workers.process("optimizer", nice=10, log=output),
            forecaster=lambda: workers.process("forecaster", nice=10, log=output),
            prices=lambda: recorded.known_prices(),
            weather=lambda: recorded.known_weather(),
            load=lambda: load,
            trips=trips,
            wear=wear,
            quick=False,
            ops=self._ops,
        )

    def _ops(self) -> tuple[ChildSpec, ...]:
        job, config = self._job, self._config
        output, store = job.state / WORKERS_LOG, job.state / STORE_FILE
        flush_s = max(5.0, 1.0 * job.speed)
        return (
            ChildSpec(id="store", make=lambda: Port(lambda: workers.process("store", log=output)), on_give_up="park"),
            ChildSpec(id="journal", make=lambda: Journal(store, flush_s=flush_s), on_give_up="park"),
            ChildSpec(id="status", make=lambda: Status(config.house), on_give_up="park"),
        )

    def _escalate(self, reason: str) -> None:
        self._escalated = reason
        log.error("core.escalated", reason=reason)
        self._over.set()

    def _end(self, pending: dict[str, str]) -> int:
        code = EXIT_ESCALATED if self._escalated else EXIT_UNVERIFIED if pending else 0
        log.info("core.ended", exit=code, unverified=pending)
        report = {"exit": code, "unverified": pending, "escalated": self._escalated}
        with contextlib.suppress(OSError):  # the exit code says it too
            (self._job.state / REPORT_FILE).write_text(json.dumps(report, indent=1))
        return code


def _log_event(event: object) -> None:
    """Changes that whoever reads the log wants to find there, each once as it happens."""
    match event:
        case Alarm(active=True):
            log.warning("alarm", name=event.name, text=event.text, house_time=event.at.isoformat())
        case Alarm():
            log.info("alarm.over", name=event.name, house_time=event.at.isoformat())
        case Trip():
            log.warning("trip", id=event.id, points=event.points, reason=event.reason)
        case TripReset():
            log.info("trip.reset", id=event.id)
        case _:
            log.warning(_words(type(event).__name__), text=str(event))


def _words(name: str) -> str:
    """WorkerEnded -> worker.ended"""
    return "".join(f".{c.lower()}" if c.isupper() else c for c in name).lstrip(".")


def main(text: str) -> int:
    """Entry of the core process: one JSON argument, as `run` makes it."""
    job = json.loads(text)
    path = Path(job["config"])
    return run_core(
        CoreJob(
            config=load(path),
            config_path=path,
            state=Path(job["state"]),
            start=None if job["start"] is None else date.fromisoformat(job["start"]),
            speed=float(job["speed"]),
            for_s=job["for_s"],
        )
    )


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1]))
    except PemsError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(EXIT_MISTAKE)
