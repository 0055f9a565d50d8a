"""The house as a whole: its memory while it runs, how fast a trip is, and how fast a week passes."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import config
from actors.memory import MemoryTrips, MemoryWear
from actors.messages import Outgoing, Refresh, RequestTrip, ResetTrip
from actors.runtime import ActorError, FunctionWorker, Lane, PykkaRuntime, SystemClock, WorkerCall, WorkerDone
from actors.runtime.envelope import Envelope
from config.load import load
from config.schema import HouseFile
from models.errors import ConsoleError
from models.twins.house import HouseTwin
from models.types.command import Level, Request
from pems_actors import workers
from pems_actors.console.client import call
from pems_actors.console.wire import SOCKET_FILE
from pems_actors.core import SWITCH_S
from pems_actors.outside import replay
from pems_actors.simulation.house import exchange
from pems_actors.simulation.policy import Job, run_policy
from pems_actors.simulation.world import Recorded
from pems_actors.wiring import Parts, house_tree
from tests.solvers.houses import demo_house

Row = tuple[str, float, str, str, bool]
DEMO = Path(config.__path__[0]) / "demo.toml"
MONDAY = date(2021, 2, 8)
CORE_MB, ALL_MB, TRIP_MS = 80.0, 450.0, 50.0
WEEK_S = 600.0  # five policies on two cores; the slowest alone may not take longer
RUN_S, SAMPLE_S = 30, 1.0
ROUNDS, QUEUED = 60, 20_000
GATE, SAFETY, LINK, OPTIMIZER = "/core/gate", "/core/safety", "/io/link", "/plan/optimizer"
RELAY = "room.obyvak.relay"


# --- memory -----------------------------------------------------------------------------------------------------------
def memory_mb(pid: int) -> tuple[float, float]:
    """(resident, proportional) memory of a process [MB]; the latter counts a shared page once over all who share it."""
    sizes = {"Rss": 0.0, "Pss": 0.0}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name in sizes:
            sizes[name] = int(rest.split()[0]) / 1024
    return sizes["Rss"], sizes["Pss"]


def memory_rows() -> list[Row]:
    """The most that a run of the demo house needs, after its first plan."""
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "house"
        command = [sys.executable, "-m", "pems_actors", "run", "--for", f"{RUN_S}s", "--state", str(state)]
        front = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            most = _watch(front, state)
        finally:
            if front.poll() is None:
                front.send_signal(signal.SIGTERM)
            front.wait(60)
    total = most.pop("all")
    core = most["core"][0]
    name = "run of the demo house after its first plan"
    rows = [
        (f"{name}: core, resident", core, "MB", f"<= {CORE_MB:g}", core <= CORE_MB),
        (f"{name}: all processes, proportional", total[1], "MB", f"<= {ALL_MB:g}", total[1] <= ALL_MB),
        (f"{name}: all processes, sum of resident", total[0], "MB", "", True),
    ]
    return rows + [(f"  {part}, proportional", most[part][1], "MB", "", True) for part in sorted(most)]


def _watch(front: subprocess.Popen[bytes], state: Path) -> dict[str, tuple[float, float]]:
    most: dict[str, tuple[float, float]] = {}
    while front.poll() is None:
        with suppress(ConsoleError, OSError, ValueError):
            pids = _pids(front.pid, state)
            found = {part: memory_mb(pid) for part, pid in pids.items()}
            found["all"] = (sum(m[0] for m in found.values()), sum(m[1] for m in found.values()))
            status: Any = call(state / SOCKET_FILE, "status")
            if status["plan"]["made"]:
                most = {part: max(most.get(part, (0.0, 0.0)), m) for part, m in found.items()}
        with suppress(subprocess.TimeoutExpired):
            front.wait(SAMPLE_S)
    return most


def _pids(front: int, state: Path) -> dict[str, int]:
    rows: Any = call(state / SOCKET_FILE, "ps")
    ports = {row["path"].rsplit("/", 1)[-1]: row["pid"] for row in rows if row["pid"]}
    return {"front": front, "core": int((state / "lock").read_text()), **ports}


# --- a trip -----------------------------------------------------------------------------------------------------------
@contextmanager
def a_house() -> Iterator[PykkaRuntime]:
    """The demo house on threads: the whole tree, its twin in the link's own thread, the optimizer in a process."""
    file = load(DEMO)
    file = file.model_copy(update={"safety": file.safety.model_copy(update={"hold_off_s": 0.0})})
    recorded, start = Recorded.of(file, 1), datetime(2021, 2, 8, 11, 0, tzinfo=UTC)
    twin = HouseTwin(file.house, recorded.world(), start=start, seed=1)
    shift = start - SystemClock().now()

    class Shifted(SystemClock):
        """Real time, on a recorded day."""

        def now(self) -> datetime:
            return super().now() + shift

    load_feed = recorded.known_load()
    parts = Parts(
        io=lambda: replay(
            file,
            twin=lambda: FunctionWorker({"exchange": exchange(twin)}),
            prices=recorded.known_prices,
            weather=recorded.known_weather,
            quick=False,
        ),
        optimizer=lambda: workers.process("optimizer", nice=10),
        forecaster=lambda: workers.process("forecaster", nice=10),
        load=lambda: load_feed,
        trips=MemoryTrips(),
        wear=MemoryWear(),
    )
    runtime = PykkaRuntime(house_tree(file, parts), clock=Shifted())
    usual_s = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)  # as the core does
    runtime.start()
    try:
        yield runtime
    finally:
        runtime.stop()
        sys.setswitchinterval(usual_s)


def keep_solving(runtime: PykkaRuntime, over: threading.Event) -> None:
    """The optimizer's worker is never idle."""
    for number in range(10_000):
        if over.is_set():
            return
        plan = WorkerCall(id=f"bench-{number}", method="plan", body=demo_house(number % 90), deadline_s=60.0)
        with suppress(ActorError):
            runtime.ask(OPTIMIZER, plan, 70.0)


def trip_rows() -> list[Row]:
    """From asking for a trip to the order in the link's mailbox, behind a backlog in every mailbox on the way."""
    times: list[float] = []
    queued: list[int] = []
    seen = threading.Event()
    begun_s = [0.0]

    def look(envelope: Envelope) -> None:
        order = envelope.message
        if isinstance(order, Outgoing) and (envelope.to, order.slot) == (LINK, RELAY) and b'"off"' in order.payload:
            times.append((time.perf_counter() - begun_s[0]) * 1e3)
            seen.set()

    with a_house() as runtime:
        over = threading.Event()
        solving = threading.Thread(target=keep_solving, args=(runtime, over), daemon=True)
        solving.start()
        _until(lambda: runtime.behaviour_snapshot(SAFETY).get("trips") == [])
        runtime.tell(GATE, _request(runtime, 1, source="user", level=Level.USER, point=RELAY))  # no plan turns it off
        runtime.send_log = look
        for number in range(ROUNDS + 1):
            seen.clear()
            _fill(runtime, number)
            begun_s[0] = time.perf_counter()
            queued.append(sum(sum(box.queued()) for box in runtime.boxes.values()))
            answer: Any = runtime.ask(
                SAFETY, RequestTrip(kind="floor", points=(RELAY,), reason="bench"), 10.0, lane=Lane.URGENT
            )
            if not seen.wait(10.0):
                times.append(1e4)
            runtime.ask(SAFETY, ResetTrip(id=answer["id"]), 10.0, lane=Lane.URGENT)
            _until(lambda: _held(runtime) != "off" and not any(sum(c.queued) > 50 for c in runtime.stats()))
        over.set()
    times = sorted(times[1:])  # the first finds nothing in the processor's caches
    p99 = times[len(times) * 99 // 100]
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    name = "trip to the first order on the link, solving worker"
    return [
        (f"{name}: p99 of {ROUNDS}", p99, "ms", f"<= {TRIP_MS:g}", p99 <= TRIP_MS),
        (f"{name}: median", statistics.median(times), "ms", "", True),
        ("machine load per core meanwhile: a trip's figures mean little above 2", load, "", "", True),
        (f"{name}: messages queued when the trip was asked for, median", statistics.median(queued), "", "", True),
    ]


def _fill(runtime: PykkaRuntime, number: int) -> None:
    """A quarter of the backlog each: requests that the gate judges one by one, and what devices and planner get."""
    share = QUEUED // 4
    gate = [
        _request(runtime, number * share + i + 1, source="/plan/bench", level=Level.PLAN, point="room.hosti.relay")
        for i in range(share)
    ]
    device = Refresh(points=(RELAY,), gate_epoch=(0, 0))
    former = WorkerDone(id="bench", method="plan", value=None, took_s=0.0)
    others = (("/devices/rooms", device), ("/devices/inverter", device), ("/plan/planner", former))
    boxes = [runtime.boxes[path] for path in (GATE, *(path for path, _ in others))]
    for box in boxes:
        box.set_open(False)  # nobody handles a thing before all of it is there
    for request in gate:
        runtime.tell(GATE, request)
        for path, message in others:
            runtime.tell(path, message)
    for box in boxes:
        box.set_open(True)
        box.poke()


def _request(runtime: PykkaRuntime, seq: int, *, source: str, level: Level, point: str) -> Request:
    now = runtime.clock.now()
    return Request(
        id=f"{source}-{seq}", source=source, level=level, point=point, value="auto", issued=now,
        expires=now + timedelta(hours=1), epoch=(1, 1), seq=seq, cause="bench",
    )  # fmt: skip


def _held(runtime: PykkaRuntime) -> object:
    points = runtime.behaviour_snapshot(GATE).get("points", {})
    return points[RELAY]["value"] if isinstance(points, dict) and points else "off"


def _until(holds: Any, patience_s: float = 60.0) -> None:
    ends_s = time.monotonic() + patience_s
    while not holds():
        if time.monotonic() > ends_s:
            raise TimeoutError("the house does not come to rest")
        time.sleep(0.01)


# --- a week -----------------------------------------------------------------------------------------------------------
def simulate_rows(days: float = 0.5) -> list[Row]:
    """Half a day of the slowest policy; a week of it is extrapolated, tail and warm-up as they are measured."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    file: HouseFile = load(DEMO)
    marks: list[tuple[float, float]] = []
    began = time.perf_counter()
    job = Job(policy="pems", config=file, start=MONDAY, days=days, seed=1, replan_s=900.0)
    outcome = run_policy(job, lambda share: marks.append((share, time.perf_counter())))
    ended = time.perf_counter()
    first, last = marks[0], marks[-1]  # the first slot builds the model: it counts once, not for every day
    per_day_s = (last[1] - first[1]) / ((last[0] - first[0]) * days)
    week_s = ended - began - (last[1] - first[1]) + 7.0 * per_day_s
    plans = len(outcome.plan_seconds)
    return [
        (f"simulate: a day of pems at 15 min, measured over {days:g} d", per_day_s, "s", "", True),
        (f"simulate: 7 days of pems, extrapolated from {days:g} d", week_s, "s", f"<= {WEEK_S:g}", week_s <= WEEK_S),
        ("simulate: median plan", statistics.median(outcome.plan_seconds), "s", "", True),
        ("simulate: plans", plans, "", "", True),
    ]


def run() -> list[Row]:
    """Figures of the house."""
    return [*memory_rows(), *trip_rows(), *simulate_rows()]


if __name__ == "__main__":
    for row in run():
        print(f"{row[0]:78} {row[1]:9.3f} {row[2]:4} {row[3]:10} {'ok' if row[4] else 'MISSED'}")
