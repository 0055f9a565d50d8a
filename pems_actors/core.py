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
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog

from actors.messages import Alarm, Trip, TripReset
from actors.ops.journal import Journal
from actors.ops.status import Status
from actors.planning.measured_load import MeasuredLoad
from actors.planning.planner import Load
from actors.runtime import (
    ChildSpec,
    Clock,
    Failed,
    GaveUp,
    Port,
    PykkaRuntime,
    Restarted,
    ScaledClock,
    SystemClock,
    Worker,
    WorkerEnded,
)
from actors.store.boot import STORE_FILE, next_boot
from actors.store.full_charge import FileFullCharge
from actors.store.limits import FileLimits
from actors.store.peaks import FilePeaks
from actors.store.trips import FileTrips
from actors.store.wear import FileWear
from config.load import load
from config.schema import HouseFile
from config.secrets import secret
from models.errors import ConfigError, PemsError
from models.types.mqtt import PASSWORD, Mqtt, broker_at
from models.types.slots import local_midnight
from pems_actors import logs, outside, workers
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
SOLVING_SHARE = 0.75  # of a plan's deadline is for solvers: who stops by himself goes on there next time
SWITCH_S = 0.0005  # a busy thread makes way after this (Python's own: 5 ms); a trip goes through three to the link
WORKERS_LOG = "workers.log"  # what worker processes print

LOAD_FILE = "load.json"  # the base load as measured
Io = Callable[[], tuple[ChildSpec, ...]]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class CoreJob:
    """What the core is started with."""

    config: HouseFile
    config_path: Path
    state: Path
    start: date | None
    speed: float | None  # None: the house file's, or that of the twin on the broker
    for_s: float | None  # real seconds; None: until it is told to end
    link: str | None = None  # a broker's address; None: the house file's, or the twin in memory


def broker(config: HouseFile, link: str | None) -> Mqtt | None:
    """The broker that the devices are on: `--link`, else [mqtt]; None: no broker, a twin in memory.

    Raises
    ------
    ConfigError
        The address is none.
    """
    if link is None:
        return config.mqtt
    try:
        broker_at(link)
    except ValueError as error:
        raise ConfigError(f"--link {error}") from None
    return (config.mqtt or Mqtt()).model_copy(update={"url": link})


def run_core(job: CoreJob) -> int:
    """Run the house until SIGTERM, SIGINT or the end of `for_s`; returns the exit code."""
    with StateLock(job.state):
        logs.to_folder(job.state)
        sys.setswitchinterval(SWITCH_S)
        return _Core(job).run()


class _Core:
    def __init__(self, job: CoreJob) -> None:
        self._job = job
        self._mqtt = broker(job.config, job.link)
        self._over = threading.Event()
        self._escalated = ""
        self._clock, self._speed = self._time()
        self._config = job.config.at_speed(self._speed)

    def _time(self) -> tuple[Clock, float]:
        """The world's time for a live house, the twin's where one is on the broker, else recorded days."""
        job, config = self._job, self._job.config
        if self._mqtt is not None:
            from actors.links.mqtt_words import tls_context
            from actors.links.twin_clock import follow_twin

            tls_context(self._mqtt)  # a bad certificate is told now, in one line
        if config.live:
            if job.start is not None or (job.speed or 1.0) != 1.0:
                raise ConfigError(
                    "--start and --speed are for recorded days", hint="this house is live: leave them out"
                )
            return SystemClock(), 1.0
        if self._mqtt is not None:
            clock = follow_twin(self._mqtt, secret(PASSWORD, config.secrets.dir))
            if job.speed is not None and abs(job.speed - clock.speed) > 1e-9:
                raise ConfigError(
                    f"--speed {job.speed:g}: the twin at {self._mqtt.broker} runs at {clock.speed:g}",
                    hint="leave --speed out, or start the twin with the same",
                )
            return clock, clock.speed
        speed = config.run.speed if job.speed is None else job.speed
        return ScaledClock(self._start(), speed), speed

    def run(self) -> int:
        job, clock = self._job, self._clock
        boot = next_boot(job.state)
        parts = self._parts(FileTrips(job.state, boot), FileWear(job.state, boot, clock.now()))
        runtime = PykkaRuntime(
            house_tree(self._config, parts), clock=clock, boot=boot.number, seed=self._config.simulation.seed,
            on_escalate=self._escalate,
        )
        runtime.listen(_log_event, Alarm, Trip, TripReset, Failed, Restarted, GaveUp, WorkerEnded)
        console = ConsoleServer(job.state / SOCKET_FILE, Handlers(runtime, self._config, self._speed).table())
        for number in ENDING:
            signal.signal(number, lambda *_: self._over.set())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)  # `run` blocks them until somebody listens: none is lost
        log.info("core.started", boot=boot.number, house_time=clock.now().isoformat(), speed=self._speed)
        runtime.start()
        try:
            console.start()
            self._over.wait(job.for_s)
            pending = release_all(runtime, timeout_s=(FAIL_SAFE_S if self._escalated else RELEASE_S) * self._speed)
        finally:
            console.stop()
            runtime.stop(5.0 * self._speed)
        return self._end(pending)

    @cached_property
    def _recorded(self) -> Recorded:
        return Recorded.of(self._job.config, self._job.config.simulation.seed)

    def _start(self) -> datetime:
        config = self._job.config
        start = self._job.start or config.run.start
        if start is None:
            raise ConfigError(
                "[run] start is not set, and without it there is no recorded day to live in",
                hint="give --start 2021-02-08 or set it in the house file",
            )
        bare = config.simulation.model_copy(update={"warmup_days": 0, "tail_h": 0})
        field = "[run] start" if self._job.start is None else "--start"
        self._recorded.begins(start, config.model_copy(update={"simulation": bare}), 2, field=field)
        return local_midnight(start, ZoneInfo(config.house.site.timezone))

    def _parts(self, trips: FileTrips, wear: FileWear) -> Parts:
        output = self._job.state / WORKERS_LOG
        limit_s = SOLVING_SHARE * self._config.planner.solve_deadline_s
        load, io = self._live() if self._config.live else self._replay()
        return Parts(
            io=io,
            optimizer=lambda: workers.process("optimizer", args=("--limit-s", f"{limit_s:g}"), nice=10, log=output),
            forecaster=lambda: workers.process("forecaster", nice=10, log=output),
            load=lambda: load,
            trips=trips,
            wear=wear,
            peaks=FilePeaks(self._job.state),
            full_charge=FileFullCharge(self._job.state),
            limits=FileLimits(self._job.state),
            ops=self._ops,
        )

    def _live(self) -> tuple[Load, Io]:
        """Devices on the broker, prices and weather of services, and the load as this house measures it."""
        job, config, mqtt = self._job, self._config, self._mqtt
        assert mqtt is not None
        args = ("--config", str(job.config_path), "--state", str(job.state))
        load = MeasuredLoad(job.state / LOAD_FILE, config.run.base_load_kw)

        def inputs() -> Worker:
            return workers.process("inputs", args=args, log=job.state / WORKERS_LOG)

        return load, lambda: (*outside.mqtt_wires(config, mqtt), *outside.services(config, inputs))

    def _replay(self) -> tuple[Load, Io]:
        """A twin, in memory or on a broker, and what was known on its recorded day."""
        job, config, mqtt = self._job, self._config, self._mqtt
        recorded = self._recorded
        load, feeds = recorded.known_load(), (recorded.known_prices, recorded.known_weather)
        if mqtt is not None:
            return load, lambda: (*outside.mqtt_wires(config, mqtt, self._clock), *outside.recorded_feeds(*feeds))
        args = ("--config", str(job.config_path), "--seed", str(config.simulation.seed), "--speed", str(self._speed))

        def twin() -> Worker:
            return workers.process("twin", args=args, log=job.state / WORKERS_LOG)

        return load, lambda: outside.replay(config, twin=twin, prices=feeds[0], weather=feeds[1], quick=False)

    def _ops(self) -> tuple[ChildSpec, ...]:
        job, config = self._job, self._config
        output, store = job.state / WORKERS_LOG, job.state / STORE_FILE
        flush_s = max(5.0, 1.0 * self._speed)
        timing = self._config.timing
        ages = {"inverter_age_s": timing.telemetry_max_age_s, "rooms_age_s": timing.rooms_max_age_s}
        return (
            ChildSpec(id="store", make=lambda: Port(lambda: workers.process("store", log=output)), on_give_up="park"),
            ChildSpec(id="journal", make=lambda: Journal(store, flush_s=flush_s), on_give_up="park"),
            ChildSpec(id="status", make=lambda: Status(config.house, **ages), on_give_up="park"),
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
            speed=job["speed"],
            for_s=job["for_s"],
            link=job["link"],
        )
    )


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1]))
    except PemsError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(EXIT_MISTAKE)
