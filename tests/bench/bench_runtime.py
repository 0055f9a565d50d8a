"""Speed of the actor layer: `python -m tests.bench.bench_runtime`, or `run()` from the table of all figures."""

from __future__ import annotations

import os
import queue
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from actors.runtime import Behaviour, ChildSpec, Lane, ManualClock, PykkaRuntime, StepRuntime, SupervisorSpec

Row = tuple[str, float, str, str, bool]
START = datetime(2021, 2, 8, tzinfo=UTC)


class Sink(Behaviour):
    """Does nothing with what it gets, but signals the last."""

    def __init__(self, last: threading.Event | None = None) -> None:
        self.last = last

    def handle(self, message: object) -> None:
        if message is None and self.last is not None:
            self.last.set()


class Empty(Behaviour):
    """An empty handler."""

    def handle(self, message: object) -> None:
        pass


class Source(Behaviour):
    """Sends a burst to the sink."""

    def __init__(self, count: int) -> None:
        self.count = count

    def handle(self, message: object) -> None:
        tell = self.ctx.tell
        for n in range(self.count):
            tell("/s/sink", n)
        tell("/s/sink", None)


class Relay(Behaviour):
    """Passes a number on to itself until it is nought."""

    def handle(self, message: object) -> None:
        if isinstance(message, int) and message:
            self.ctx.tell("/s/relay", message - 1)


class Echo(Behaviour):
    """Answers; can be made to fail; tells when its second and later lives have started."""

    def __init__(self, started: Callable[[], None]) -> None:
        self.started = started

    def on_start(self) -> None:
        self.started()

    def handle(self, message: object) -> None:
        if message == "fail":
            raise ValueError("on purpose")
        self.ctx.reply(message)


def _tree(*children: ChildSpec) -> SupervisorSpec:
    return SupervisorSpec(id="root", children=(SupervisorSpec(id="s", children=children),))


def tell_to_handled(count: int = 100_000, rounds: int = 5) -> float:
    """Messages per second from one sending actor to the end of the last handler; median of rounds."""
    rates = []
    last = threading.Event()
    runtime = PykkaRuntime(
        _tree(
            ChildSpec(id="sink", make=lambda: Sink(last), mailbox_bound=10 * count),
            ChildSpec(id="source", make=lambda: Source(count)),
        )
    )
    runtime.start()
    for _ in range(rounds):
        last.clear()
        begin = time.perf_counter()
        runtime.tell("/s/source", "go")
        last.wait(60)
        rates.append(count / (time.perf_counter() - begin))
    runtime.stop()
    return statistics.median(rates)


def ask_ms(count: int = 5000) -> tuple[float, float]:
    """Median and 99th percentile of an ask from outside to an idle actor and back [ms]."""
    runtime = PykkaRuntime(_tree(ChildSpec(id="echo", make=lambda: Echo(lambda: None))))
    runtime.start()
    times = []
    for n in range(count):
        begin = time.perf_counter()
        runtime.ask("/s/echo", n, 5)
        times.append((time.perf_counter() - begin) * 1e3)
    runtime.stop()
    times.sort()
    return times[count // 2], times[count * 99 // 100]


def plain_ms(count: int = 5000) -> float:
    """99th percentile of a round trip through two plain queues and a thread [ms]: what no runtime can beat here."""
    there: queue.SimpleQueue[int] = queue.SimpleQueue()
    back: queue.SimpleQueue[int] = queue.SimpleQueue()

    def echo() -> None:
        for _ in range(count):
            back.put(there.get())

    threading.Thread(target=echo, daemon=True).start()
    times = []
    for n in range(count):
        begin = time.perf_counter()
        there.put(n)
        back.get()
        times.append((time.perf_counter() - begin) * 1e3)
    return sorted(times)[count * 99 // 100]


@contextmanager
def one_core() -> Iterator[None]:
    """On one core, where the system can do that: waking another one costs more than an ask, and is not ours."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    usual = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(usual)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, usual)


def restart_ms(count: int = 200) -> tuple[float, float]:
    """Median and 99th percentile from telling an actor to fail until its next life has started [ms].

    Each on a tree of its own path, since only first restarts come at once.
    """
    up = threading.Event()
    children = [ChildSpec(id=f"e{n}", make=lambda: Echo(up.set), on_give_up="park") for n in range(count)]
    runtime = PykkaRuntime(_tree(*children))
    runtime.start()
    times = []
    for n in range(count):
        up.clear()
        begin = time.perf_counter()
        runtime.tell(f"/s/e{n}", "fail")
        up.wait(10)
        times.append((time.perf_counter() - begin) * 1e3)
    runtime.stop()
    times.sort()
    return times[count // 2], times[count * 99 // 100]


def steps_per_s(count: int = 200_000, rounds: int = 5) -> tuple[float, float]:
    """Steps per second on the stepper: handling what waits, and each handler telling the next message too."""
    drained, relayed = [], []
    for _ in range(rounds):
        runtime = StepRuntime(
            _tree(
                ChildSpec(id="empty", make=Empty, mailbox_bound=2 * count),
                ChildSpec(id="relay", make=Relay),
            ),
            clock=ManualClock(START),
        )
        runtime.start()
        for n in range(count):
            runtime.tell("/s/empty", n)
        begin = time.perf_counter()
        runtime.run_until_idle()
        drained.append(count / (time.perf_counter() - begin))
        runtime.tell("/s/relay", count)
        begin = time.perf_counter()
        runtime.run_until_idle()
        relayed.append(count / (time.perf_counter() - begin))
    return statistics.median(drained), statistics.median(relayed)


def urgent_ms(rounds: int = 100, backlog: int = 20_000) -> float:
    """99th percentile from telling an urgent message behind a backlog to its handler [ms]."""
    times: list[float] = []
    seen = threading.Event()
    filled = threading.Event()
    sent = [0.0]

    class Gate(Behaviour):
        def handle(self, message: object) -> None:
            if message == "hold":
                filled.wait(10)
            elif message == "trip":
                times.append((time.perf_counter() - sent[0]) * 1e3)
                seen.set()

    runtime = PykkaRuntime(_tree(ChildSpec(id="gate", make=Gate, mailbox_bound=10**9)))
    runtime.start()
    for _ in range(rounds):
        filled.clear()
        runtime.tell("/s/gate", "hold", lane=Lane.URGENT)
        for n in range(backlog):
            runtime.tell("/s/gate", n)
        seen.clear()
        filled.set()
        sent[0] = time.perf_counter()
        runtime.tell("/s/gate", "trip", lane=Lane.URGENT)
        seen.wait(10)
    runtime.stop()
    times.sort()
    return times[len(times) * 99 // 100]


def run() -> list[Row]:
    """Name, value, unit and target of each figure."""
    with one_core():
        ask_p50, ask_p99 = ask_ms()
    _, anywhere = ask_ms()
    tells, urgent = tell_to_handled(), urgent_ms()
    restart_p50, restart_p99 = restart_ms()
    drained, relayed = steps_per_s()
    return [
        ("tell to handled, one sender", tells, "1/s", ">= 150000", tells >= 150_000),
        ("ask p50, idle, on one core", ask_p50, "ms", "", True),
        ("ask p99, idle, on one core", ask_p99, "ms", "<= 0.2", ask_p99 <= 0.2),
        ("ask p99, idle, on any core", anywhere, "ms", "", True),
        ("two plain queues and a thread, p99, on any core", plain_ms(), "ms", "", True),
        ("first restart p50", restart_p50, "ms", "<= 1", restart_p50 <= 1.0),
        ("first restart p99", restart_p99, "ms", "", True),
        ("step runtime, empty handlers", drained, "1/s", ">= 300000", drained >= 300_000),
        ("step runtime, told and handled", relayed, "1/s", "", True),
        ("urgent behind 20000 messages p99", urgent, "ms", "<= 50", urgent <= 50.0),
    ]


if __name__ == "__main__":
    for name, value, unit, target, _ in run():
        print(f"{name:<34} {value:>12.4g} {unit:<4} {target}")
