"""What only threads can show: real hangs, real floods, stops from outside."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pykka
import pytest

from actors.runtime import (
    Behaviour,
    ChildSpec,
    DeadLetter,
    Failed,
    Lane,
    PykkaRuntime,
    ScaledClock,
    Started,
    SupervisorSpec,
)
from tests.actors.runtime.world import START, Do, World


@pytest.fixture
def world() -> Iterator[World]:
    made = World("threads")
    yield made
    made.end()


class Bench:
    """A tree on real time, stopped at the end."""

    def __init__(self) -> None:
        self.runtimes: list[PykkaRuntime] = []

    def start(self, *children: ChildSpec, **how: Any) -> PykkaRuntime:
        tree = SupervisorSpec(id="root", children=(SupervisorSpec(id="s", children=children),))
        runtime = PykkaRuntime(tree, **how)
        self.runtimes.append(runtime)
        assert runtime.start(10)
        return runtime


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    for runtime in made.runtimes:
        runtime.stop(5)


class Note(Behaviour):
    """Notes messages with their time and tells when it has seen `end`."""

    def __init__(self, seen: list[tuple[object, float]], done: threading.Event) -> None:
        self.seen = seen
        self.done = done

    def handle(self, message: object) -> None:
        self.seen.append((message, time.perf_counter()))
        if message == "end":
            self.done.set()


def test_what_a_really_hanging_thread_does_after_it_was_abandoned_is_refused(world: World) -> None:
    entered = threading.Event()
    release = threading.Event()
    finished = threading.Event()

    def hang_then_write(a: Any) -> None:
        entered.set()
        release.wait(10)
        a.ctx.tell("/s/b", "late")
        a.ctx.reply("late")
        a.ctx.after(0, "late")
        a.ctx.publish("late")
        finished.set()
        raise ValueError("nobody hears this either")

    runtime = world.start(world.child("a", handle_timeout_s=1.0), world.child("b"))
    world.do("/s/b", lambda b: b.ctx.subscribe(str))
    runtime.tell("/s/a", Do(hang_then_write))
    assert entered.wait(20)
    threads_before = threading.active_count()
    world.clock.advance(2)
    _until(lambda: world.stats("/s/a").incarnation == 2 and world.stats("/s/a").state == "running")
    release.set()
    assert finished.wait(20)
    _until(lambda: threading.active_count() <= threads_before)
    world.settle()
    assert world.seen("/s/b") == []
    assert world.seen("/s/a") == []
    assert world.state("/s/a") == ("running", 2)
    assert [d.reason for d in runtime.dead_letters()] == ["sent by an incarnation that has ended"] * 4
    assert runtime.ledger().balanced
    assert len(world.of(Failed)) == 0
    assert runtime._lost_threads == 0, "a thread that came back is no longer counted as lost"


def test_a_thread_stopped_from_outside_is_a_failure_and_gets_a_successor(world: World) -> None:
    runtime = world.start(world.child("a"), world.child("b"))
    assert isinstance(runtime, PykkaRuntime)
    ref = runtime._threads["/s/a"]
    ref.stop(timeout=5)
    _until(lambda: world.stats("/s/a").incarnation == 2)
    world.tell("/s/a", "still here")
    assert world.seen("/s/a") == ["still here"]
    assert "stopped from outside" in world.of(Failed)[0].reason
    assert world.lives() == ["a+", "b+", "a-", "a+"]


def test_a_supervisor_whose_thread_is_stopped_from_outside_comes_back_with_its_children(world: World) -> None:
    runtime = world.start(world.child("a"), world.child("b"))
    assert isinstance(runtime, PykkaRuntime)
    runtime._threads["/s"].stop(timeout=5)
    _until(lambda: world.stats("/s/b").incarnation == 2 and world.stats("/s/b").state == "running")
    world.settle()
    assert [world.state(p) for p in ("/s", "/s/a", "/s/b")] == [("running", 2)] * 3
    assert world.lives() == ["a+", "b+", "a-", "a+", "b-", "b+"], "each ended before its successor began"


def test_stopping_every_pykka_actor_at_once_escalates(world: World) -> None:
    world.start(world.child("a"))
    pykka.ActorRegistry.stop_all(timeout=5)
    _until(lambda: bool(world.escalations))
    assert "root" in world.escalations[0]


def test_a_message_through_a_pykka_ref_arrives_as_one_from_outside(world: World) -> None:
    runtime = world.start(world.child("a"))
    assert isinstance(runtime, PykkaRuntime)
    runtime._threads["/s/a"].tell("by the back door")
    _until(lambda: world.seen("/s/a") == ["by the back door"])


def test_threads_bear_the_names_of_their_paths(world: World) -> None:
    world.start(world.child("gate"))
    assert {"/", "/s", "/s/gate", "timers"} <= {thread.name for thread in threading.enumerate()}


def test_a_hang_does_not_hold_up_the_end_beyond_its_time(world: World) -> None:
    runtime = world.start(world.child("a"), world.child("b"))
    assert isinstance(runtime, PykkaRuntime)
    entered, release = threading.Event(), threading.Event()

    def hang(_: Any) -> None:
        entered.set()
        release.wait(10)

    runtime.tell("/s/a", Do(hang))
    assert entered.wait(5), "an end that overtakes the message would find nobody hanging"
    assert runtime.stop(0.2) is False
    assert world.lives()[-1] == "b-"
    release.set()


def test_an_emergency_is_the_next_message_handled_with_twenty_thousand_waiting(bench: Bench) -> None:
    seen: list[tuple[object, float]] = []
    entered, go, done = threading.Event(), threading.Event(), threading.Event()

    class Busy(Note):
        def handle(self, message: object) -> None:
            if message == "busy":
                entered.set()
                go.wait(10)
            super().handle(message)

    runtime = bench.start(ChildSpec(id="a", make=lambda: Busy(seen, done), mailbox_bound=100_000))
    runtime.tell("/s/a", "busy")
    assert entered.wait(20)
    for i in range(20_000):
        runtime.tell("/s/a", i)
    runtime.tell("/s/a", "trip", lane=Lane.URGENT)
    runtime.tell("/s/a", "end")
    go.set()
    assert done.wait(20)
    assert [what for what, _ in seen[:3]] == ["busy", "trip", 0]
    assert len(seen) == 20_003


def test_a_hundred_thousand_messages_fill_the_lane_to_its_bound_and_no_further(bench: Bench) -> None:
    seen: list[tuple[object, float]] = []
    done = threading.Event()
    hold = threading.Event()

    class Held(Note):
        def handle(self, message: object) -> None:
            if message == "hold":
                hold.wait(10)
            super().handle(message)

    runtime = bench.start(ChildSpec(id="a", make=lambda: Held(seen, done), mailbox_bound=1000))
    runtime.tell("/s/a", "hold")
    for i in range(100_000):
        runtime.tell("/s/a", i, coalesce="meter" if i % 2 else None)
    depth = next(s.queued[3] for s in runtime.stats() if s.path == "/s/a")
    runtime.tell("/s/a", "end", lane=Lane.URGENT)
    hold.set()
    assert done.wait(10)
    assert depth <= 1000
    assert runtime.settle(10)
    assert runtime.ledger().balanced
    assert next(s.coalesced for s in runtime.stats() if s.path == "/s/a") > 40_000


def test_many_senders_keep_their_order_and_lose_nothing(bench: Bench) -> None:
    seen: list[tuple[object, float]] = []
    done = threading.Event()
    runtime = bench.start(ChildSpec(id="a", make=lambda: Note(seen, done), mailbox_bound=100_000))
    lanes = [Lane.USER, Lane.URGENT, Lane.SYSTEM, Lane.USER]

    def send(who: int) -> None:
        for n in range(2000):
            runtime.tell("/s/a", (who, n), lane=lanes[who])

    senders = [threading.Thread(target=send, args=(who,)) for who in range(4)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join(20)
    runtime.tell("/s/a", "end")
    assert done.wait(20)
    for who in range(4):
        assert [m[1] for m, _ in seen if isinstance(m, tuple) and m[0] == who] == list(range(2000))
    assert runtime.ledger().balanced


def test_asks_end_once_while_the_asked_is_killed_again_and_again(bench: Bench) -> None:
    class Answers(Behaviour):
        def handle(self, message: object) -> None:
            self.ctx.reply(message)

    runtime = bench.start(ChildSpec(id="a", make=Answers, intensity=10_000))
    ended: list[str] = []
    killing = threading.Event()

    def kill() -> None:
        for _ in range(30):
            runtime.inject("/s/a", ValueError("again"))
            runtime.restart("/s/a")
        killing.set()

    killer = threading.Thread(target=kill)
    killer.start()
    while not killing.is_set() or len(ended) < 50:
        try:
            assert runtime.ask("/s/a", len(ended), 10) == len(ended)
            ended.append("answer")
        except Exception as error:
            ended.append(type(error).__name__)
    killer.join(10)
    assert set(ended) <= {"answer", "AskDead"}
    assert runtime.asks.count() == 0


def test_on_a_fast_clock_limits_keep_a_second_of_real_time(bench: Bench) -> None:
    seen: list[tuple[object, float]] = []
    done = threading.Event()

    class Slow(Note):
        def handle(self, message: object) -> None:
            if message == "work":
                threading.Event().wait(0.2)  # 120 s of house time, far beyond the 2 s allowed
            super().handle(message)

    runtime = bench.start(
        ChildSpec(id="a", make=lambda: Slow(seen, done), handle_timeout_s=2.0), clock=ScaledClock(START, 600)
    )
    runtime.tell("/s/a", "work")
    runtime.tell("/s/a", "end")
    assert done.wait(20)
    assert [m for m, _ in seen] == ["work", "end"]
    assert next(s.incarnation for s in runtime.stats() if s.path == "/s/a") == 1


def test_timers_follow_a_fast_clock(bench: Bench) -> None:
    done = threading.Event()

    class Waits(Behaviour):
        def on_start(self) -> None:
            self.ctx.after(60, "a house minute")

        def handle(self, message: object) -> None:
            done.set()

    bench.start(ChildSpec(id="a", make=Waits), clock=ScaledClock(START, 1200))
    assert done.wait(3), "a minute at 1200-fold is 50 ms"


def test_a_listener_hears_events_in_the_thread_that_publishes(bench: Bench) -> None:
    heard: list[tuple[object, str]] = []
    runtime = bench.start(ChildSpec(id="a", make=Behaviour))
    runtime.listen(lambda e: heard.append((e, threading.current_thread().name)), DeadLetter, Started)
    runtime.tell("/s/nobody", 1)
    runtime.restart("/s/a")
    _until(lambda: len(heard) == 2)
    assert isinstance(heard[0][0], DeadLetter) and heard[1] == (Started("/s/a", 2), "/s/a")


def test_settle_says_so_when_the_tree_does_not_come_to_rest(bench: Bench) -> None:
    class Endless(Behaviour):
        def handle(self, message: object) -> None:
            self.ctx.tell(self.ctx.path, message)

    runtime = bench.start(ChildSpec(id="a", make=Endless))
    runtime.tell("/s/a", "round and round")
    assert runtime.settle(0.05) is False


def _until(condition: Any) -> None:
    end = time.monotonic() + 20  # a busy machine is slow
    while not condition():
        assert time.monotonic() < end, "did not come about within 20 s"
        threading.Event().wait(0.001)
