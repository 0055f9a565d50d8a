"""The optimizer as the house has it, in a process of its own: how long an answer takes, and its memory."""

from __future__ import annotations

import queue
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from actors.runtime import ProcessWorker
from pems_actors import workers
from solvers.problem import PlanProblem
from solvers.result import SignedPlan
from tests.bench.replanning import Row, moved_on
from tests.solvers.houses import demo_house

PLANS = 25
MEMORY_MB, MEDIAN_S, P95_S = 180.0, 0.5, 1.5
WAIT_S = 120.0


class Answers:
    """Hears what a worker says."""

    def __init__(self) -> None:
        self._heard: queue.Queue[object] = queue.Queue()

    def result(self, serial: int, value: object) -> None:
        self._heard.put(value)

    def error(self, serial: int, reason: str) -> None:
        self._heard.put(RuntimeError(reason))

    def lost(self, reason: str) -> None:
        self._heard.put(RuntimeError(f"the worker has ended: {reason}"))

    def later(self, delay_s: float, serial: int, value: object, error: str | None) -> None:
        raise NotImplementedError("a process answers by itself")

    def next(self) -> object:
        """The next answer; raises what went wrong."""
        heard = self._heard.get(timeout=WAIT_S)
        if isinstance(heard, Exception):
            raise heard
        return heard


@dataclass(frozen=True, slots=True)
class Memory:
    """Of a process [MB]."""

    resident: float
    proportional: float  # a page that others have too is shared among them: the fewer run beside it, the more it is
    private: float

    @staticmethod
    def of(pid: int) -> Memory:
        sizes: dict[str, float] = {}
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
            name, _, rest = line.partition(":")
            sizes[name] = int(rest.split()[0]) / 1024.0
        return Memory(sizes["Rss"], sizes["Pss"], sizes["Private_Clean"] + sizes["Private_Dirty"])


def season_rows(season: str) -> list[Row]:
    """One worker's plans, from the first on."""
    worker, answers = workers.process("optimizer"), Answers()
    started = time.perf_counter()
    worker.start(answers)
    try:
        walls = _plans(worker, answers, season, started)
        assert worker.pid is not None
        memory = Memory.of(worker.pid)
    finally:
        worker.close()
    cold, warm = walls[0], sorted(walls[1:])
    median, p95 = statistics.median(warm), warm[int(0.95 * len(warm))]
    name = f"{season}, 48 h at 15 min, 17 rooms, in the worker"
    return [
        (f"{name}: a signed plan from a problem, there and back", median, "s", f"<= {MEDIAN_S:g} median",
         median <= MEDIAN_S),
        (f"{name}: the same, p95", p95, "s", f"<= {P95_S:g}", p95 <= P95_S),
        (f"{name}: the first, process and model included", cold, "s", "", True),
        (f"{name}: proportional memory after {len(walls)} plans", memory.proportional, "MB", f"<= {MEMORY_MB:g}",
         memory.proportional <= MEMORY_MB),
        (f"{name}: resident memory", memory.resident, "MB", "", True),
        (f"{name}: private memory", memory.private, "MB", "", True),
    ]  # fmt: skip


def _plans(worker: ProcessWorker, answers: Answers, season: str, started: float) -> list[float]:
    """Seconds that each answer took."""
    rnd, walls = np.random.default_rng(1), list[float]()
    plan: SignedPlan | None = None
    for slot in range(PLANS + 1):
        problem: PlanProblem = demo_house(slot, season=season)
        if plan is not None:
            problem, started = moved_on(problem, plan.result, rnd), time.perf_counter()
        worker.submit(slot, "plan", problem)
        answer = answers.next()
        walls.append(time.perf_counter() - started)
        assert isinstance(answer, SignedPlan)
        plan = answer
    return walls


def run() -> list[Row]:
    """Figures of the optimizer's worker."""
    return [*season_rows("winter"), *season_rows("spring")]


if __name__ == "__main__":
    for row in run():
        print(f"{row[0]:95} {row[1]:8.3f} {row[2]:5} {row[3]:14} {'ok' if row[4] else 'MISSED'}")
