"""One test for each guarantee and each way a child can die, on both runtimes. `docs/runtime.md` lists them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from actors.runtime import (
    Abandoned,
    ActorError,
    Answer,
    AskDead,
    AskTimeout,
    Busy,
    ChildSpec,
    Dead,
    DeadLetter,
    Envelope,
    Epoch,
    Failed,
    GaveUp,
    Hang,
    Lane,
    Restarted,
    SpecError,
    Started,
    Stopped,
    SupervisorSpec,
    Terminated,
    TimedOut,
    UnknownPathError,
)
from tests.actors.runtime.world import START, Do, Probe, World

ERRORS = [ValueError("x"), SystemExit(1), KeyboardInterrupt(), MemoryError(), GeneratorExit(), RecursionError("deep")]


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text for you")


# --- how a child can die ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [*ERRORS, Unprintable()], ids=lambda e: type(e).__name__)
def test_whatever_a_handler_raises_only_that_actor_is_restarted(world: World, error: BaseException) -> None:
    world.start(world.child("a"), world.child("b"))
    world.tell("/s/a", "before")
    world.raises("/s/a", error)
    world.tell("/s/a", "after")
    world.tell("/s/b", "hello")
    assert world.state("/s/a") == ("running", 2)
    assert world.state("/s/b") == ("running", 1)
    assert world.seen("/s/a") == ["before", "after"]
    assert world.runtime.behaviour_snapshot("/s/a") == {"memory": 1}, "state is never inherited"
    (failed,) = world.of(Failed)
    assert failed.path == "/s/a" and failed.incarnation == 1 and type(error).__name__ in failed.reason


def test_a_failure_says_where_it_happened(world: World) -> None:
    world.start(world.child("a"))
    world.raises("/s/a", ValueError("bad thing"))
    last = world.stats("/s/a").last_error
    assert last.startswith("ValueError: bad thing (world.py:") and last.endswith("in run)")
    assert world.of(Restarted)[0].reason == last


def test_a_failure_under_ask_is_a_failure_and_the_asker_hears_dead(world: World) -> None:
    world.start(world.child("a"), world.child("b"))

    def boom(_: Probe) -> None:
        raise ValueError("asked too much")

    world.do("/s/b", lambda b: b.ctx.ask("/s/a", Do(boom), timeout_s=9, tag="t"))
    (dead,) = world.seen("/s/b")
    assert isinstance(dead, Dead) and dead.tag == "t" and "asked too much" in dead.reason
    assert world.state("/s/a") == ("running", 2)


def test_a_failure_in_a_timer_message_is_a_failure(world: World) -> None:
    world.start(world.child("a"))
    world.do("/s/a", lambda a: a.ctx.after(1, Do(lambda a: a.ctx.fail("late"))))
    world.wait(1)
    assert world.state("/s/a") == ("running", 2)
    assert "late" in world.of(Failed)[0].reason


def test_a_failing_start_is_a_failure_and_is_tried_again(world: World) -> None:
    tries: list[int] = []

    def on_start(probe: Probe) -> None:
        tries.append(1)
        if len(tries) < 3:
            raise OSError("no broker")

    world.on_start["/s/a"] = on_start
    world.start(world.child("a"), world.child("b"))
    assert world.state("/s/b") == ("running", 1), "a sibling starts all the same"
    world.wait(1)
    assert world.state("/s/a") == ("running", 3)
    assert [f.path for f in world.of(Failed)] == ["/s/a", "/s/a"]
    assert world.of(Restarted)[-1].incarnation == 3


def test_a_factory_that_raises_is_a_failed_start(world: World) -> None:
    made: list[int] = []

    def make() -> Probe:
        made.append(1)
        if len(made) == 1:
            raise RuntimeError("no parts")
        return Probe(world)

    world.start(ChildSpec(id="a", make=make))
    assert world.state("/s/a") == ("running", 2)
    assert "no parts" in world.of(Failed)[0].reason


def test_a_failing_stop_is_recorded_and_hinders_nothing(world: World) -> None:
    def on_stop(_: Probe) -> None:
        raise ValueError("cannot let go")

    world.on_stop["/s/a"] = on_stop
    runtime = world.start(world.child("a"))
    runtime.restart("/s/a")
    world.settle()
    assert world.state("/s/a") == ("running", 2)
    assert "cannot let go" in str(world.stats("/s/a").last_error)


def test_on_stop_is_called_after_a_failure_too(world: World) -> None:
    world.start(world.child("a"))
    world.raises("/s/a", ValueError())
    assert world.lives() == ["a+", "a-", "a+"]


def test_an_injected_fault_kills_the_actor_before_what_waits_for_it(world: World) -> None:
    runtime = world.start(world.child("a"))

    def flood(a: Probe) -> None:
        for i in range(50):
            a.ctx.tell("/s/a", i)
        runtime.inject("/s/a", ZeroDivisionError("injected"))

    world.do("/s/a", flood)
    assert [inc for path, inc, what in world.log if what == 0] == [2]
    assert world.seen("/s/a") == list(range(50)), "and what waits is handled by the next"


def test_a_hung_handler_is_abandoned_and_the_next_incarnation_takes_the_mailbox(world: World) -> None:
    runtime = world.start(world.child("a", handle_timeout_s=2.0), world.child("b"))
    runtime.tell("/s/a", Do(_hang))
    world.tell("/s/a", "waits")
    world.wait(1.5)
    assert world.state("/s/a") == ("running", 1)
    assert world.stats("/s/a").busy_s == pytest.approx(1.5), "seen without asking it"
    world.tell("/s/b", "meanwhile")
    world.wait(1.0)
    assert world.state("/s/a") == ("running", 2)
    assert world.seen("/s/a") == ["waits"]
    assert world.seen("/s/b") == ["meanwhile"]
    (abandoned,) = world.of(Abandoned)
    assert (abandoned.path, abandoned.incarnation) == ("/s/a", 1) and "2.0 s" in abandoned.reason


def test_a_hung_start_is_abandoned(world: World) -> None:
    tries: list[int] = []

    def on_start(_: Probe) -> None:
        tries.append(1)
        if len(tries) == 1:
            raise Hang

    world.on_start["/s/a"] = on_start
    world.build(world.child("a", start_timeout_s=3.0), world.child("b"))
    if world.kind == "threads":
        assert world.runtime.start(0.05) is False  # type: ignore[attr-defined]
    else:
        world.runtime.start()  # type: ignore[attr-defined]
    world.wait(4)
    assert world.state("/s/a") == ("running", 2)
    assert world.state("/s/b") == ("running", 1)
    assert "hung in start" in world.of(Abandoned)[0].reason


def test_a_hung_stop_is_abandoned_after_its_time(world: World) -> None:
    hung: list[int] = []

    def on_stop(_: Probe) -> None:
        if not hung:
            hung.append(1)
            raise Hang

    world.on_stop["/s/a"] = on_stop
    runtime = world.start(world.child("a", shutdown_s=2.0))
    runtime.restart("/s/a")
    world.wait(3)
    assert world.state("/s/a") == ("running", 2)
    assert "did not stop" in world.of(Abandoned)[0].reason


def test_an_actor_that_hangs_for_ever_is_abandoned_when_it_is_to_stop(world: World) -> None:
    runtime = world.start(world.child("a", shutdown_s=2.0))
    runtime.tell("/s/a", Do(_hang))
    world.wait(100)
    assert world.state("/s/a") == ("running", 1), "no limit on handlers was given"
    runtime.restart("/s/a")
    world.wait(3)
    assert world.state("/s/a") == ("running", 2)


def test_an_injected_hang_is_found_like_a_real_one(world: World) -> None:
    runtime = world.start(world.child("a", handle_timeout_s=1.0))
    runtime.inject("/s/a", Hang())
    world.wait(2)
    assert world.state("/s/a") == ("running", 2)


def test_three_abandoned_threads_escalate(world: World) -> None:
    runtime = world.start(world.child("a", handle_timeout_s=1.0))
    for n in range(3):
        assert world.escalations == []
        runtime.tell("/s/a", Do(_hang))
        world.wait(4)
        assert world.stats("/s/a").incarnation == n + 2
    assert len(world.escalations) == 1
    assert "too many abandoned threads" in world.escalations[0]


@pytest.mark.parametrize(
    ("restart", "state"), [("permanent", "running"), ("transient", "stopped"), ("temporary", "stopped")]
)
def test_a_child_that_stops_itself_is_restarted_only_if_permanent(world: World, restart: str, state: str) -> None:
    world.start(world.child("a", restart=restart))
    world.do("/s/a", lambda a: a.ctx.stop_self("done"))
    assert world.stats("/s/a").state == state
    assert world.of(Stopped)[0] == Stopped("/s/a", 1, "done")


@pytest.mark.parametrize(
    ("restart", "state"), [("permanent", "running"), ("transient", "running"), ("temporary", "stopped")]
)
def test_a_child_that_fails_is_restarted_unless_temporary(world: World, restart: str, state: str) -> None:
    world.start(world.child("a", restart=restart))
    world.raises("/s/a", ValueError())
    assert world.stats("/s/a").state == state


def test_an_unknown_message_is_a_dead_letter_and_no_failure(world: World) -> None:
    world.start(world.child("a"))
    world.tell("/s/a", "unknown", "known")
    assert world.state("/s/a") == ("running", 1)
    assert world.seen("/s/a") == ["known"]
    (dead,) = world.of(DeadLetter)
    assert (dead.to, dead.message_type, dead.reason) == ("/s/a", "str", "unhandled")
    assert world.stats("/s/a").dead_letters == 1


def _hang(_: Probe) -> None:
    raise Hang


# --- strategies ---------------------------------------------------------------------------------------------------


def test_children_start_left_to_right_and_stop_right_to_left(world: World) -> None:
    runtime = world.start(world.child("a"), world.child("b"), world.child("c"))
    assert world.lives() == ["a+", "b+", "c+"]
    world.log.clear()
    assert runtime.stop(10)  # type: ignore[attr-defined]
    assert world.lives() == ["c-", "b-", "a-"]
    assert {s.state for s in runtime.stats()} == {"stopped"}


def test_groups_start_left_to_right_and_stop_right_to_left(world: World) -> None:
    def group(name: str) -> SupervisorSpec:
        return SupervisorSpec(id=name, children=(world.child(f"{name}1"), world.child(f"{name}2")))

    world.build_tree(SupervisorSpec(id="root", children=(group("g"), group("h"))))
    runtime = world.run()
    assert world.lives() == ["g1+", "g2+", "h1+", "h2+"]
    world.log.clear()
    runtime.stop(10)  # type: ignore[attr-defined]
    assert world.lives() == ["h2-", "h1-", "g2-", "g1-"]


@pytest.mark.parametrize(
    ("strategy", "lives"),
    [
        ("one_for_one", ["b-", "b+"]),
        ("one_for_all", ["b-", "c-", "a-", "a+", "b+", "c+"]),
        ("rest_for_one", ["b-", "c-", "b+", "c+"]),
    ],
)
def test_the_strategy_says_who_is_restarted_and_in_which_order(world: World, strategy: str, lives: list[str]) -> None:
    world.start(world.child("a"), world.child("b"), world.child("c"), strategy=strategy)
    world.log.clear()
    world.raises("/s/b", ValueError())
    assert world.lives() == lives
    assert {s.state for s in world.runtime.stats()} == {"running"}


def test_in_a_group_those_to_the_right_wait_until_the_failed_one_is_back(world: World) -> None:
    broken = [True]

    def on_start(probe: Probe) -> None:
        if broken[0] and probe.ctx.epoch.incarnation > 1:
            raise OSError("still broken")

    world.on_start["/s/a"] = on_start
    world.start(world.child("a"), world.child("b"), strategy="rest_for_one")
    world.raises("/s/a", ValueError())
    assert world.stats("/s/b").state == "stopped"
    world.tell("/s/b", "kept")
    broken[0] = False
    world.wait(5)
    assert world.state("/s/b") == ("running", 2)
    assert world.seen("/s/b") == ["kept"], "its letters have waited for it"


def test_a_failure_while_the_group_restarts_widens_the_restart(world: World) -> None:
    def on_start(probe: Probe) -> None:
        if probe.ctx.epoch.incarnation == 2:
            raise OSError("once more")

    world.on_start["/s/c"] = on_start
    world.start(world.child("a"), world.child("b"), world.child("c"), strategy="one_for_all")
    world.raises("/s/a", ValueError())
    world.wait(2)
    assert {s.state for s in world.runtime.stats()} == {"running"}
    assert world.stats("/s/c").incarnation == 3


def test_a_life_begins_only_after_the_one_before_has_ended(world: World) -> None:
    runtime = world.start(world.child("a"), world.child("b"), strategy="one_for_all")
    for i in range(5):
        runtime.tell("/s/a" if i % 2 else "/s/b", Do(lambda p: p.ctx.fail("again")))
        runtime.restart("/s/a")
        world.wait(20)
    for path in ("/s/a", "/s/b"):
        marks = [what for where, _, what in world.log if where == path and what in ("start", "stop")]
        assert marks == ["start", "stop"] * (len(marks) // 2) + ["start"]


# --- giving up ----------------------------------------------------------------------------------------------------


def test_the_first_restart_comes_at_once_then_backoff_doubles_with_jitter(world: World) -> None:
    world.on_start["/s/a"] = _fail_from_second_life
    world.start(world.child("a"), intensity=20, period_s=1e6)
    times: list[float] = []
    world.runtime.listen(lambda _: times.append(world.clock.monotonic()), Failed)
    world.raises("/s/a", ValueError())
    world.wait(300)
    assert times[0] == times[1] == 0.0, "the second life began, and failed, at once"
    wanted = [0.5, 1, 2, 4, 8, 16, 32, 60, 60]
    gaps = [b - a for a, b in itertools.pairwise(times[1:])][: len(wanted)]
    assert len(gaps) == len(wanted)
    for gap, want in zip(gaps, wanted, strict=True):
        assert want * 0.8 - 1e-9 <= gap <= min(want * 1.2, 60.0) + 1e-9
    assert all(gap != want for gap, want in zip(gaps[:7], wanted, strict=False)), "there is jitter"


def test_backoff_is_forgotten_after_ten_healthy_minutes(world: World) -> None:
    world.start(world.child("a"), intensity=100)
    world.raises("/s/a", ValueError())
    world.raises("/s/a", ValueError())
    assert world.stats("/s/a").state == "restarting", "the second restart waits"
    world.wait(1)
    assert world.state("/s/a") == ("running", 3)
    world.wait(601)
    world.raises("/s/a", ValueError())
    assert world.state("/s/a") == ("running", 4), "at once again"


def test_restarts_within_the_period_never_exceed_the_intensity(world: World) -> None:
    world.on_start["/s/a"] = _fail_from_second_life
    world.start(world.child("a", on_give_up="park"), intensity=3, period_s=300)
    world.raises("/s/a", ValueError())
    world.wait(299)
    assert world.stats("/s/a").restarts == 3
    assert world.stats("/s/a").state == "parked"
    (gave_up,) = world.of(GaveUp)
    assert gave_up.path == "/s/a" and gave_up.parked and "3 restarts in 300 s" in gave_up.reason


def test_failures_further_apart_than_the_period_are_restarted_for_ever(world: World) -> None:
    world.start(world.child("a", on_give_up="park"), intensity=2, period_s=10)
    for _ in range(6):
        world.raises("/s/a", ValueError())
        world.wait(60)
    assert world.state("/s/a") == ("running", 7)


def test_a_child_may_have_an_intensity_of_its_own(world: World) -> None:
    world.on_start["/s/a"] = _fail_from_second_life
    world.start(world.child("a", on_give_up="park", intensity=0), intensity=5)
    world.raises("/s/a", ValueError())
    assert world.state("/s/a") == ("parked", 1)


def test_a_parked_child_is_tried_again_every_quarter_hour(world: World) -> None:
    broken = [True]

    def on_start(probe: Probe) -> None:
        if broken[0] and probe.ctx.epoch.incarnation > 1:
            raise OSError("still broken")

    world.on_start["/s/a"] = on_start
    world.start(world.child("a", on_give_up="park"), world.child("b"), intensity=1)
    world.raises("/s/a", ValueError())
    assert world.state("/s/a") == ("parked", 2)
    world.wait(899)
    assert world.state("/s/a") == ("parked", 2)
    world.wait(2)
    assert world.state("/s/a") == ("parked", 3), "one try, then parked again"
    broken[0] = False
    world.wait(900)
    assert world.state("/s/a") == ("running", 4)
    assert world.state("/s/b") == ("running", 1), "nobody else was touched"
    assert world.escalations == []


def test_messages_to_a_parked_child_are_dead_letters_and_asks_end(world: World) -> None:
    runtime = world.start(world.child("a", on_give_up="park", intensity=0), world.child("b"))

    def flood_and_fail(a: Probe) -> None:
        a.ctx.tell("/s/a", "left behind")
        world.do_now("/s/b", lambda b: b.ctx.ask("/s/a", "waiting", timeout_s=9, tag="waited"))
        a.ctx.fail("no good")

    world.do("/s/a", flood_and_fail)
    assert world.seen("/s/b") == [Dead(1, "waited", "parked")]
    world.log.clear()
    world.tell("/s/a", "too late")
    world.do("/s/b", lambda b: b.ctx.ask("/s/a", "well?", timeout_s=9))
    (dead,) = world.seen("/s/b")
    assert isinstance(dead, Dead) and dead.reason == "parked"
    assert [d.reason for d in runtime.dead_letters() if d.to == "/s/a"] == ["parked"] * 4
    assert world.stats("/s/a").dead_letters == 4
    assert world.seen("/s/a") == []


def test_an_order_to_one_that_hung_and_was_parked_is_void(world: World) -> None:
    runtime = world.start(world.child("a", on_give_up="park", intensity=0, handle_timeout_s=2.0))
    runtime.tell("/s/a", Do(_hang))
    world.wait(3)
    assert world.state("/s/a") == ("parked", 1)
    runtime.inject("/s/a", ValueError("nobody is there to fail"))
    world.settle()
    assert world.stats("/s/a").queued == (0, 0, 0, 0)
    world.wait(900)
    assert world.state("/s/a") == ("running", 2), "it does not reach the next incarnation either"
    assert len(world.of(Failed)) == 0


def test_each_parking_child_has_a_count_of_its_own(world: World) -> None:
    world.start(*(world.child(n, on_give_up="park") for n in "abc"), intensity=2)
    for name in "abc":
        world.raises(f"/s/{name}", ValueError())
        world.wait(1)
        world.raises(f"/s/{name}", ValueError())
        world.wait(1)
    assert {world.stats(f"/s/{n}").state for n in "abc"} == {"running"}


def test_the_escalating_children_share_the_count_of_their_supervisor(world: World) -> None:
    world.start(world.child("a"), world.child("b"), intensity=2)
    for name in ("a", "b", "a"):
        world.raises(f"/s/{name}", ValueError())
    assert len(world.escalations) == 1


def test_parking_in_a_group_takes_down_those_that_depend_on_it(world: World) -> None:
    world.start(
        world.child("a"), world.child("b", on_give_up="park", intensity=0), world.child("c"), strategy="rest_for_one"
    )
    world.raises("/s/b", ValueError())
    assert world.state("/s/a") == ("running", 1)
    assert world.state("/s/b") == ("parked", 1)
    assert world.state("/s/c") == ("parked", 1)
    world.tell("/s/c", "nobody here")
    assert world.runtime.dead_letters()[-1].reason == "parked"
    world.wait(901)
    assert [world.state(f"/s/{n}") for n in "abc"] == [("running", 1), ("running", 2), ("running", 2)]


def test_escalation_under_the_root_ends_the_process_and_leaves_that_subtree_down(world: World) -> None:
    other = SupervisorSpec(id="t", children=(world.child("x"),))
    core = SupervisorSpec(id="s", children=(world.child("a"), world.child("b")), intensity=0)
    world.build_tree(SupervisorSpec(id="root", children=(core, other)))
    world.run()
    world.raises("/s/a", ValueError("core is broken"))
    (reason,) = world.escalations
    assert reason.startswith("/s gave up: /s/a") and "core is broken" in reason
    world.wait(1000)
    assert world.stats("/s/a").state == world.stats("/s/b").state == "stopped"
    assert world.state("/t/x") == ("running", 1)
    assert len(world.escalations) == 1
    assert GaveUp("/s", "/s/a: 0 restarts in 300 s, last: " + world.of(Failed)[0].reason, parked=False) in world.events


def test_a_child_of_the_root_that_gives_up_escalates(world: World) -> None:
    world.build_tree(SupervisorSpec(id="root", children=(world.child("a"), world.child("b")), intensity=0))
    world.run()
    world.raises("/a", ValueError("lone"))
    assert len(world.escalations) == 1 and "lone" in world.escalations[0]
    assert world.state("/b") == ("running", 1)


def test_deeper_down_an_escalation_restarts_the_whole_supervisor(world: World) -> None:
    inner = SupervisorSpec(id="inner", children=(world.child("a"), world.child("b")), intensity=0)
    world.start(inner, world.child("c"))
    world.raises("/s/inner/a", ValueError())
    assert world.state("/s/inner") == ("running", 2)
    assert world.state("/s/inner/a") == ("running", 2)
    assert world.state("/s/inner/b") == ("running", 2)
    assert world.state("/s/c") == ("running", 1)
    assert world.escalations == []


def test_a_supervisor_that_parks_takes_its_children_down_and_tries_again(world: World) -> None:
    world.start(world.child("a"), world.child("b"), intensity=0, on_give_up="park")
    world.raises("/s/a", ValueError())
    assert {world.stats(p).state for p in ("/s", "/s/a", "/s/b")} == {"parked"}
    assert world.of(GaveUp)[0].path == "/s"
    world.tell("/s/b", "nobody here")
    assert world.runtime.dead_letters()[-1].reason == "parked"
    world.wait(899)
    assert world.stats("/s/a").incarnation == 1
    world.wait(2)
    assert [world.state(p) for p in ("/s/a", "/s/b")] == [("running", 2), ("running", 2)]
    assert world.stats("/s").state == "running"
    assert world.escalations == []


def test_a_fault_in_a_supervisor_itself_restarts_its_whole_subtree(world: World) -> None:
    runtime = world.start(world.child("a"), world.child("b"))
    runtime.inject("/s", ValueError("bug in the supervisor"))
    world.settle()
    assert world.state("/s") == ("running", 2)
    assert [world.state(f"/s/{n}") for n in "ab"] == [("running", 2), ("running", 2)]
    assert world.lives() == ["a+", "b+", "b-", "a-", "a+", "b+"]


def test_a_second_fault_in_a_supervisor_that_is_going_down_leaves_no_two_lives(world: World) -> None:
    runtime = world.start(world.child("a"), world.child("b"))
    runtime.inject("/s", ValueError("first"))
    runtime.inject("/s", ValueError("second"))
    world.settle()
    assert [world.stats(f"/s/{n}").state for n in "ab"] == ["running", "running"]
    for name in "ab":
        marks = [life for life in world.lives() if life[0] == name]
        assert marks == [f"{name}+", f"{name}-"] * (len(marks) // 2) + [f"{name}+"]


def test_a_message_to_a_supervisor_is_a_dead_letter(world: World) -> None:
    runtime = world.start(world.child("a"))
    world.tell("/s", "hello")
    assert runtime.dead_letters()[-1].reason == "unhandled"
    assert world.state("/s") == ("running", 1)


def test_escalation_is_told_once(world: World) -> None:
    runtime = world.start(world.child("a"))
    runtime.escalate("first")
    runtime.escalate("second")
    assert world.escalations == ["first"] and runtime.escalated == "first"


def test_a_fault_in_the_root_escalates(world: World) -> None:
    runtime = world.start(world.child("a"))
    runtime.inject("/", ValueError("bug at the top"))
    world.settle()
    assert len(world.escalations) == 1 and "root" in world.escalations[0]


def test_a_restart_asked_for_is_not_counted_and_unparks(world: World) -> None:
    runtime = world.start(world.child("a", on_give_up="park"), intensity=0)
    for _ in range(4):
        runtime.restart("/s/a", "the user wants it")
        world.settle()
    assert world.state("/s/a") == ("running", 5)
    world.raises("/s/a", ValueError())
    assert world.stats("/s/a").state == "parked"
    runtime.restart("/s/a")
    world.settle()
    assert world.state("/s/a") == ("running", 6)


def test_a_restart_asked_for_unparks_a_whole_supervisor(world: World) -> None:
    runtime = world.start(world.child("a"), world.child("b"), intensity=0, on_give_up="park")
    world.raises("/s/a", ValueError())
    runtime.restart("/s/b")
    world.settle()
    assert [world.stats(p).state for p in ("/s", "/s/a", "/s/b")] == ["running"] * 3


def test_a_supervisor_can_be_restarted_with_all_below_it(world: World) -> None:
    runtime = world.start(world.child("a"))
    runtime.restart("/s")
    world.settle()
    assert world.state("/s/a") == ("running", 2)
    assert world.state("/s") == ("running", 2)


def test_a_restart_of_what_is_not_there_names_what_is_near(world: World) -> None:
    runtime = world.start(world.child("gate"))
    with pytest.raises(UnknownPathError, match=r"/s/gaet.*did you mean /s/gate"):
        runtime.restart("/s/gaet")
    with pytest.raises(UnknownPathError, match="root"):
        runtime.restart("/")


def _fail_from_second_life(probe: Probe) -> None:
    if probe.ctx.epoch.incarnation > 1:
        raise OSError("still broken")


# --- mailboxes ----------------------------------------------------------------------------------------------------


def _while_busy(world: World, path: str, fill: Callable[[], None]) -> None:
    """Fill a mailbox while its actor has a message in hand."""
    world.do(path, lambda _: fill())


def test_lanes_are_handled_strictly_in_order_of_urgency(world: World) -> None:
    runtime = world.start(world.child("a"))

    def fill() -> None:
        for n in range(3):
            for lane in reversed(Lane):
                runtime.tell("/s/a", f"{lane.name}{n}", lane=lane)

    _while_busy(world, "/s/a", fill)
    assert world.seen("/s/a") == [f"{lane.name}{n}" for lane in Lane for n in range(3)]


def test_an_urgent_message_overtakes_every_user_message_not_in_hand(world: World) -> None:
    runtime = world.start(world.child("a"))

    def fill() -> None:
        for n in range(5000):
            runtime.tell("/s/a", n)
        runtime.tell("/s/a", "trip", lane=Lane.URGENT)

    _while_busy(world, "/s/a", fill)
    assert world.seen("/s/a")[0] == "trip"
    assert world.seen("/s/a")[1:] == list(range(5000))


def test_messages_of_one_sender_keep_their_order_within_a_lane(world: World) -> None:
    world.start(world.child("a"), world.child("b"), world.child("c"))

    def send(me: Probe) -> None:
        for n in range(500):
            me.ctx.tell("/s/c", (me.ctx.path, n))

    world.runtime.tell("/s/a", Do(send))
    world.runtime.tell("/s/b", Do(send))
    world.settle()
    for sender in ("/s/a", "/s/b"):
        sent = [message for message in world.seen("/s/c") if message[0] == sender]  # type: ignore[index]
        assert sent == [(sender, n) for n in range(500)]


def test_a_coalesced_message_replaces_the_waiting_one_in_its_place(world: World) -> None:
    runtime = world.start(world.child("a"))

    def fill() -> None:
        runtime.tell("/s/a", "first")
        for n in range(10):
            runtime.tell("/s/a", ("meter", n), coalesce="meter")
            runtime.tell("/s/a", ("room", n), coalesce="room")
            runtime.tell("/s/a", ("alarm", n), coalesce="meter", lane=Lane.URGENT)
        runtime.tell("/s/a", "last")

    _while_busy(world, "/s/a", fill)
    assert world.seen("/s/a") == [("alarm", 9), "first", ("meter", 9), ("room", 9), "last"]
    assert world.stats("/s/a").coalesced == 27
    world.tell("/s/a", ("meter", 10), coalesce="meter")
    assert world.seen("/s/a")[-1] == ("meter", 10)
    assert world.runtime.ledger().balanced


def test_a_full_user_lane_refuses_with_busy_and_never_grows(world: World) -> None:
    world.start(world.child("a", mailbox_bound=10), world.child("b"))

    def send(b: Probe) -> None:
        for n in range(25):
            b.ctx.tell("/s/a", n)
        b.ctx.tell("/s/a", "keyed", coalesce="k")
        b.ctx.tell("/s/a", "trip", lane=Lane.URGENT)
        assert world.stats("/s/a").queued == (0, 0, 1, 10)

    _hold(world, "/s/a", lambda: world.do("/s/b", send))
    assert world.seen("/s/a") == ["trip", *range(10)]
    assert world.seen("/s/b") == [Busy("/s/a", n) for n in range(10, 25)], "with a key it is only counted"
    assert world.stats("/s/a").dead_letters == 16
    assert world.runtime.ledger().balanced


def test_a_refused_sender_outside_the_tree_finds_it_among_the_dead_letters(world: World) -> None:
    runtime = world.start(world.child("a", mailbox_bound=1))

    def fill() -> None:
        for n in range(3):
            runtime.tell("/s/a", n)

    _while_busy(world, "/s/a", fill)
    assert [d.reason for d in runtime.dead_letters()] == ["user lane full"] * 2


def test_a_stop_passes_by_the_backlog(world: World) -> None:
    runtime = world.start(world.child("a"))

    def fill() -> None:
        for n in range(5000):
            runtime.tell("/s/a", n)
        runtime.restart("/s/a")
        if world.kind == "threads":  # the supervisor has a thread of its own; let it act while we are busy
            _until(lambda: world.runtime.cells["/s/a"].halt_since is not None)
        else:
            world.runtime.cells["/s/a"].halt(1, "restart")

    _while_busy(world, "/s/a", fill)
    world.wait(1)
    assert [inc for path, inc, what in world.log if what == 0] == [2], "no message of the backlog came before it"
    assert world.seen("/s/a") == list(range(5000)), "and none was lost"


def test_messages_sent_while_an_actor_is_down_wait_for_it(world: World) -> None:
    world.start(world.child("a"), intensity=100)
    world.raises("/s/a", ValueError())
    world.raises("/s/a", ValueError())
    assert world.stats("/s/a").state == "restarting"
    world.tell("/s/a", 1, 2, 3)
    assert world.seen("/s/a") == []
    world.wait(1)
    assert world.seen("/s/a") == [1, 2, 3]


def test_what_is_sent_to_an_unknown_path_is_a_dead_letter(world: World) -> None:
    runtime = world.start(world.child("a"))
    runtime.tell("/nowhere", 1)
    world.do("/s/a", lambda a: a.ctx.tell("/s/nobody", 2))
    dead = runtime.dead_letters()
    assert [(d.to, d.reason, d.sender) for d in dead] == [
        ("/nowhere", "unknown path", None),
        ("/s/nobody", "unknown path", "/s/a"),
    ]
    assert runtime.ledger().balanced


def test_what_is_sent_after_the_end_is_a_dead_letter(world: World) -> None:
    runtime = world.start(world.child("a"))
    runtime.stop(10)  # type: ignore[attr-defined]
    runtime.tell("/s/a", "anyone?")
    assert runtime.dead_letters()[-1].reason == "stopped"
    with pytest.raises(AskDead, match="stopped"):
        runtime.ask("/s/a", "anyone?", 1)


def test_nothing_vanishes(world: World) -> None:
    runtime = world.start(
        world.child("a", mailbox_bound=20), world.child("b"), world.child("c", on_give_up="park", intensity=1)
    )

    def storm(me: Probe) -> None:
        for n in range(60):
            me.ctx.tell("/s/a", n)
            me.ctx.tell("/s/c", n, coalesce=n % 3)
            me.ctx.tell("/s/void", n)
            me.ctx.ask("/s/c", "unknown", timeout_s=1)
        me.ctx.after(1, "tick")

    for n in range(4):
        runtime.tell("/s/b", Do(storm))
        world.raises("/s/c", ValueError(str(n)))
        world.wait(2)
    ledger = runtime.ledger()
    assert ledger.balanced, ledger
    assert ledger.dead_letters > 200 and ledger.coalesced > 0 and ledger.queued == 0


def _hold(world: World, path: str, meanwhile: Callable[[], None]) -> None:
    """Do something while an actor is down, so that its letters wait."""
    world.raises(path, ValueError())
    world.raises(path, ValueError())
    assert world.stats(path).state == "restarting"
    meanwhile()
    world.wait(2)


def _until(condition: Callable[[], bool]) -> None:
    import threading
    import time

    end = time.monotonic() + 20  # a busy machine is slow
    while not condition():
        assert time.monotonic() < end
        threading.Event().wait(0.001)


# --- one life -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class News:
    text: str


class Good(News):
    pass


@dataclass(frozen=True)
class State:
    wire: str
    up: bool

    def standing(self) -> str:
        return self.wire


@dataclass(frozen=True)
class Promise(State):
    """Carries its own end."""

    outlives: ClassVar[bool] = True


def test_nothing_an_ended_incarnation_does_has_an_effect(world: World) -> None:
    world.start(world.child("a", handle_timeout_s=1.0), world.child("b"))
    old: list[Any] = []
    world.do("/s/b", lambda b: b.ctx.subscribe(News))
    world.do("/s/b", lambda b: b.ctx.ask("/s/a", Do(lambda a: old.extend([a.ctx, a.ctx.reply_token()])), timeout_s=99))
    world.tell("/s/a", Do(_hang))
    world.wait(2)
    assert world.state("/s/a") == ("running", 2)
    ctx, token = old
    assert not ctx.alive
    before = len(world.runtime.dead_letters())
    ctx.tell("/s/b", "late")
    ctx.tell("/s/b", "late", lane=Lane.SIGNAL)
    ctx.publish(News("late"))
    ctx.reply_to(token, "late")
    ctx.after(1, "late")
    ctx.every(1, "late")
    assert ctx.post("late") is False
    ctx.ask("/s/b", "late", timeout_s=1)
    ctx.subscribe(News)
    ctx.watch("/s/b")
    ctx.stop_self()
    world.wait(5)
    world.runtime.publish(News("fresh"))
    world.settle()
    seen = world.seen("/s/b")
    assert [type(m) for m in seen] == [Dead, News]
    assert seen[1] == News("fresh")
    assert world.seen("/s/a") == []
    assert world.state("/s/a") == ("running", 2)
    refused = [d for d in world.runtime.dead_letters()[before:] if d.sender == "/s/a"]
    assert len(refused) == 8 and {d.reason for d in refused} <= {"sent by an incarnation that has ended"}
    assert world.runtime.ledger().balanced


def test_timers_of_an_ended_incarnation_never_fire_into_the_next(world: World) -> None:
    world.start(world.child("a"))

    def arm(a: Probe) -> None:
        a.ctx.after(5, "once")
        a.ctx.every(5, "often")
        a.ctx.after(0, "now")  # already waits in the mailbox when the life ends
        a.ctx.fail("and die")

    world.do("/s/a", arm)
    world.wait(20)
    assert world.state("/s/a") == ("running", 2)
    assert world.seen("/s/a") == []


def test_answers_to_an_ended_incarnation_do_not_reach_the_next(world: World) -> None:
    world.start(world.child("a"), world.child("b"))

    def ask_and_die(a: Probe) -> None:
        a.ctx.ask("/s/b", Do(lambda b: b.ctx.reply("here")), timeout_s=5)
        a.ctx.ask("/s/b", "no reply to this", timeout_s=5)
        a.ctx.fail("and die")

    world.do("/s/a", ask_and_die)
    world.wait(10)
    assert world.state("/s/a") == ("running", 2)
    assert world.seen("/s/a") == []


def test_epochs_grow_with_every_life(world: World) -> None:
    runtime = world.start(world.child("a"))
    world.raises("/s/a", ValueError())
    assert runtime.ask("/s/a", Do(lambda a: a.ctx.reply(a.ctx.epoch)), 1) == Epoch(1, 2)
    assert Epoch(1, 9) < Epoch(2, 1) < Epoch(2, 2)
    assert world.stats("/s/a").epoch == Epoch(1, 2)


# --- asks ---------------------------------------------------------------------------------------------------------


def test_an_ask_is_answered_by_a_message_with_its_number_and_tag(world: World) -> None:
    world.start(world.child("a"), world.child("b"))
    numbers: list[int] = []
    world.do(
        "/s/a",
        lambda a: numbers.append(a.ctx.ask("/s/b", Do(lambda b: b.ctx.reply(42)), timeout_s=5, tag=("t", 1))),
    )
    assert world.seen("/s/a") == [Answer(numbers[0], ("t", 1), 42)]
    world.wait(60)
    assert len(world.seen("/s/a")) == 1, "no time-out after the answer"


def test_an_ask_that_nobody_answers_times_out_once(world: World) -> None:
    world.start(world.child("a"), world.child("b"))
    keep: list[Any] = []

    def hold(b: Probe) -> None:
        keep.append(b.ctx.reply_token())

    world.do("/s/a", lambda a: a.ctx.ask("/s/b", Do(hold), timeout_s=5, tag="t"))
    world.wait(4.9)
    assert world.seen("/s/a") == []
    world.wait(0.2)
    world.do("/s/b", lambda b: b.ctx.reply_to(keep[0], "too late"))
    world.wait(60)
    assert world.seen("/s/a") == [TimedOut(1, "t")]
    assert world.runtime.dead_letters()[-1].reason == "nobody waits for this reply"


def test_an_ask_of_an_unknown_path_is_dead_at_once(world: World) -> None:
    world.start(world.child("a"))
    world.do("/s/a", lambda a: a.ctx.ask("/s/nobody", "?", timeout_s=5, tag=7))
    assert world.seen("/s/a") == [Dead(1, 7, "unknown path")]


def test_an_ask_of_a_full_mailbox_is_dead_at_once(world: World) -> None:
    world.start(world.child("a"), world.child("b", mailbox_bound=1))

    def ask_twice(a: Probe) -> None:
        a.ctx.ask("/s/b", "?", timeout_s=500)
        a.ctx.ask("/s/b", "?", timeout_s=500)

    _hold(world, "/s/b", lambda: world.do("/s/a", ask_twice))
    assert world.seen("/s/a") == [Dead(2, None, "user lane full")]


def test_a_reply_may_be_put_off_to_another_message(world: World) -> None:
    world.start(world.child("a"), world.child("b"))

    def keep(b: Probe) -> None:
        b.kept = b.ctx.reply_token()

    world.do("/s/a", lambda a: a.ctx.ask("/s/b", Do(keep), timeout_s=50))
    world.wait(10)
    world.do("/s/b", lambda b: b.ctx.reply_to(b.kept, "at last"))
    assert world.seen("/s/a") == [Answer(1, None, "at last")]


def test_a_put_off_reply_whose_holder_dies_is_dead(world: World) -> None:
    world.start(world.child("a"), world.child("b"))
    world.do("/s/a", lambda a: a.ctx.ask("/s/b", Do(lambda b: b.ctx.reply_token()), timeout_s=50))
    world.raises("/s/b", ValueError("gone"))
    (dead,) = world.seen("/s/a")
    assert isinstance(dead, Dead) and "gone" in dead.reason


def test_an_ask_that_waits_survives_a_restart_of_who_is_asked(world: World) -> None:
    world.start(world.child("a"), world.child("b"))

    def ask(a: Probe) -> None:
        a.ctx.ask("/s/b", Do(lambda b: b.ctx.reply(b.ctx.epoch.incarnation)), timeout_s=50)

    _hold(world, "/s/b", lambda: world.do("/s/a", ask))
    assert world.seen("/s/a") == [Answer(1, None, 3)]


def test_an_ask_caught_in_a_stop_ends_once(world: World) -> None:
    runtime = world.start(world.child("a"), world.child("b", on_give_up="park", intensity=0))

    def ask(a: Probe) -> None:
        for n in range(100):
            a.ctx.ask("/s/b", Do(lambda b: b.ctx.reply("yes")), timeout_s=5, tag=n)
        runtime.inject("/s/b", ValueError("race"))

    world.do("/s/a", ask)
    world.wait(10)
    ends = world.seen("/s/a")
    assert sorted(e.tag for e in ends) == list(range(100))  # type: ignore[attr-defined]
    assert {type(e) for e in ends} <= {Answer, Dead}
    assert runtime.asks.count() == 0


def test_a_second_reply_and_a_reply_to_a_tell_are_dead_letters(world: World) -> None:
    world.start(world.child("a"), world.child("b"))

    def twice(b: Probe) -> None:
        b.ctx.reply(1)
        b.ctx.reply(2)

    world.do("/s/a", lambda a: a.ctx.ask("/s/b", Do(twice), timeout_s=5))
    world.do("/s/b", lambda b: b.ctx.reply("unasked"))
    assert world.seen("/s/a") == [Answer(1, None, 1)]
    assert [d.reason for d in world.runtime.dead_letters()] == ["nobody waits for this reply"] * 2
    assert world.runtime.ledger().balanced


def test_a_reply_token_without_an_ask_is_a_failure(world: World) -> None:
    world.start(world.child("a"))
    world.do("/s/a", lambda a: a.ctx.reply_token())
    assert "no ask in hand" in world.of(Failed)[0].reason


def test_asking_from_outside_waits_for_the_reply(world: World) -> None:
    runtime = world.start(world.child("a", on_give_up="park", intensity=0))
    assert runtime.ask("/s/a", Do(lambda a: a.ctx.reply((a.ctx.asked, a.ctx.sender))), 5) == (True, None)
    with pytest.raises(AskDead, match="/nowhere cannot answer str: unknown path"):
        runtime.ask("/nowhere", "?", 5)
    with pytest.raises(AskTimeout, match=r"/s/a did not answer str within 0\.02 s"):
        runtime.ask("/s/a", "silence", 0.02)
    with pytest.raises(AskDead, match="too hard"):
        runtime.ask("/s/a", Do(lambda a: a.ctx.fail("too hard")), 5)
    with pytest.raises(AskDead, match="parked"):
        runtime.ask("/s/a", "silence", 5)
    assert runtime.asks.count() == 0


def test_asking_from_outside_may_wait_for_a_timer(world: World) -> None:
    if world.kind == "threads":
        pytest.skip("virtual time passes by itself on the stepper only")
    runtime = world.start(world.child("a"))

    def later(a: Probe) -> None:
        token = a.ctx.reply_token()
        a.ctx.after(30, Do(lambda a: a.ctx.reply_to(token, "slept")))

    assert runtime.ask("/s/a", Do(later), 60) == "slept"
    assert world.clock.monotonic() == 30


# --- timers -------------------------------------------------------------------------------------------------------


def test_a_timer_fires_once_at_its_time(world: World) -> None:
    world.start(world.child("a"))
    world.do("/s/a", lambda a: a.ctx.after(10, "ring"))
    world.wait(9.99)
    assert world.seen("/s/a") == []
    world.wait(0.01)
    assert world.seen("/s/a") == ["ring"]
    world.wait(100)
    assert world.seen("/s/a") == ["ring"]


def test_a_periodic_timer_does_not_drift(world: World) -> None:
    world.start(world.child("a"))
    times: list[float] = []
    world.do("/s/a", lambda a: a.ctx.every(0.1, Do(lambda a: times.append(a.ctx.clock.monotonic()))))
    world.wait(10.05)
    assert len(times) == 100
    assert times == pytest.approx([0.1 * n for n in range(1, 101)])


def test_missed_ticks_are_skipped_and_do_not_pile_up(world: World) -> None:
    world.start(world.child("a", mailbox_bound=5))
    world.do("/s/a", lambda a: a.ctx.every(1, "tick"))
    world.clock.advance(600)  # the process was paused
    world.settle()
    assert world.seen("/s/a") == ["tick"]
    world.wait(3)
    assert world.seen("/s/a") == ["tick"] * 4


def test_a_timer_is_replaced_by_name_and_cancelled_by_name(world: World) -> None:
    world.start(world.child("a"))

    def arm(a: Probe) -> None:
        a.ctx.after(1, "old", name="t")
        a.ctx.after(2, "new", name="t")
        a.ctx.every(1, "never", name="n")
        a.ctx.cancel("n")
        a.ctx.cancel("no such timer")
        a.ctx.cancel(a.ctx.after(1, "neither"))

    world.do("/s/a", arm)
    world.wait(5)
    assert world.seen("/s/a") == ["new"]


def test_a_cancelled_timer_stays_silent_even_if_its_message_waits_already(world: World) -> None:
    world.start(world.child("a"))
    world.do("/s/a", lambda a: a.ctx.after(1, "ring", name="t"))

    def cancel(a: Probe) -> None:
        world.clock.advance(1)
        if world.kind == "steps":
            world.runtime.timers.fire_one()
        else:
            _until(lambda: world.stats("/s/a").queued[3] == 1)
        a.ctx.cancel("t")

    world.do("/s/a", cancel)
    assert world.seen("/s/a") == []
    assert world.runtime.ledger().balanced


def test_a_timer_gets_through_to_an_actor_with_a_full_user_lane(world: World) -> None:
    runtime = world.start(world.child("a", mailbox_bound=3))

    def fill(a: Probe) -> None:
        a.ctx.after(0, "tick")
        for n in range(3):
            runtime.tell("/s/a", n)
        if world.kind == "steps":
            runtime.timers.fire_one()
        else:
            _until(lambda: sum(world.stats("/s/a").queued) == 4)
        assert world.stats("/s/a").queued[3] == 3

    world.do("/s/a", fill)
    assert sorted(world.seen("/s/a"), key=str) == [0, 1, 2, "tick"]


@pytest.mark.parametrize(
    "call", [lambda c: c.after(-1, "x"), lambda c: c.every(0, "x"), lambda c: c.after(float("nan"), "x")]
)
def test_an_impossible_timer_is_an_error_of_who_sets_it(world: World, call: Callable[[Any], Any]) -> None:
    world.start(world.child("a"))
    world.do("/s/a", lambda a: call(a.ctx))
    assert "cannot be set" in world.of(Failed)[0].reason


# --- watch, stream, causes ----------------------------------------------------------------------------------------


def test_a_watcher_hears_of_the_end_of_a_life_once(world: World) -> None:
    world.start(world.child("a"), world.child("b"))

    def watch_twice(b: Probe) -> None:
        b.ctx.watch("/s/a")
        b.ctx.watch("/s/a")

    world.do("/s/b", watch_twice)
    world.raises("/s/a", ValueError("watched"))
    world.raises("/s/a", ValueError("not watched any more"))
    (terminated,) = world.seen("/s/b")
    assert isinstance(terminated, Terminated)
    assert (terminated.path, terminated.incarnation) == ("/s/a", 1) and "watched" in terminated.reason


def test_watching_who_is_not_there_is_answered_at_once(world: World) -> None:
    world.start(world.child("a", on_give_up="park", intensity=0), world.child("b"))
    world.raises("/s/a", ValueError())

    def watch(b: Probe) -> None:
        b.ctx.watch("/s/a")
        b.ctx.watch("/nowhere")

    world.do("/s/b", watch)
    assert world.seen("/s/b") == [
        Terminated("/s/a", 1, "not running: parked"),
        Terminated("/nowhere", 0, "unknown path"),
    ]


def test_a_watch_ends_with_the_watcher(world: World) -> None:
    world.start(world.child("a"), world.child("b"))
    world.do("/s/b", lambda b: b.ctx.watch("/s/a"))
    world.raises("/s/b", ValueError())
    world.raises("/s/a", ValueError())
    assert world.seen("/s/b") == []


def test_events_reach_subscribers_of_their_type_and_its_bases(world: World) -> None:
    world.start(world.child("a"), world.child("b"), world.child("c"))
    world.do("/s/a", lambda a: a.ctx.subscribe(News))
    world.do("/s/b", lambda b: b.ctx.subscribe(Good))
    world.do("/s/b", lambda b: b.ctx.subscribe(Good, News))
    world.do("/s/c", lambda c: c.ctx.publish(News("plain")))
    world.do("/s/c", lambda c: c.ctx.publish(Good("fine")))
    assert world.seen("/s/a") == [News("plain"), Good("fine")]
    assert world.seen("/s/b") == [News("plain"), Good("fine")], "once each, however often subscribed"


def test_a_subscription_ends_with_its_incarnation(world: World) -> None:
    world.start(world.child("a"))

    def subscribe_and_die(a: Probe) -> None:
        a.ctx.subscribe(News)
        a.ctx.publish(News("waits when the life ends"))
        a.ctx.fail("and die")

    world.do("/s/a", subscribe_and_die)
    world.runtime.publish(News("later"))
    world.settle()
    assert world.seen("/s/a") == []
    assert world.runtime.ledger().balanced


def test_what_stands_is_heard_by_who_subscribes_later_and_ends_with_the_life_that_said_it(world: World) -> None:
    world.start(world.child("a"), world.child("b"), world.child("c"))
    for wire, up in (("x", False), ("y", True), ("x", True)):
        world.do("/s/a", lambda a, state=State(wire, up): a.ctx.publish(state))
    world.do("/s/b", lambda b: b.ctx.subscribe(State, object))
    assert world.seen("/s/b")[:2] == [State("x", True), State("y", True)], "the newest of each key, once"
    world.raises("/s/a", ValueError())
    world.do("/s/c", lambda c: c.ctx.subscribe(State))
    assert world.seen("/s/c") == []
    assert world.runtime.ledger().balanced


def test_what_outlives_its_speaker_stands_until_somebody_says_something_newer(world: World) -> None:
    world.start(world.child("a"), world.child("b"), world.child("c"))
    world.do("/s/a", lambda a: a.ctx.publish(Promise("x", True)))
    world.raises("/s/a", ValueError())
    world.do("/s/b", lambda b: b.ctx.subscribe(Promise))
    assert world.seen("/s/b") == [Promise("x", True)]
    found: list[tuple[Promise, ...]] = []
    world.do("/s/c", lambda c: found.append(c.ctx.standing(Promise)))
    assert found == [(Promise("x", True),)], "and can be asked for without a subscription"
    world.do("/s/a", lambda a: a.ctx.publish(Promise("x", False)))
    world.do("/s/c", lambda c: c.ctx.subscribe(Promise))
    assert world.seen("/s/c") == [Promise("x", False)]
    assert world.runtime.ledger().balanced


def test_events_coalesce_by_type_and_key(world: World) -> None:
    world.start(world.child("a"), world.child("b"))
    world.do("/s/a", lambda a: a.ctx.subscribe(News, coalesce=lambda e: e.text[0], lane=Lane.URGENT))  # type: ignore[attr-defined]

    def publish(_: Probe) -> None:
        for n in range(3):
            world.runtime.publish(News(f"m{n}"))
            world.runtime.publish(News(f"n{n}"))
            world.runtime.publish(Good(f"m{n}"))

    world.do("/s/a", publish)
    assert world.seen("/s/a") == [News("m2"), News("n2"), Good("m2")]


def test_an_event_that_finds_its_subscriber_full_is_a_dead_letter(world: World) -> None:
    world.start(world.child("a", mailbox_bound=1), world.child("b"))

    def publish(a: Probe) -> None:
        a.ctx.subscribe(News)
        a.ctx.subscribe(DeadLetter)
        for n in range(3):
            world.runtime.publish(News(str(n)))

    world.do("/s/a", publish)
    assert world.seen("/s/a") == [News("0")]
    assert world.runtime.ledger().balanced


def test_the_cause_of_a_message_is_copied_to_everything_sent_while_handling_it(world: World) -> None:
    world.start(world.child("a"), world.child("b"), world.child("c"))
    causes: list[tuple[str, str, str | None]] = []

    def note(p: Probe) -> None:
        causes.append((p.ctx.path, p.ctx.cause, p.ctx.sender))

    def relay(b: Probe) -> None:
        note(b)
        b.ctx.tell("/s/c", Do(note))
        b.ctx.ask("/s/c", Do(note), timeout_s=5)
        b.ctx.after(1, Do(note))

    def first(a: Probe) -> None:
        note(a)
        a.ctx.tell("/s/b", Do(relay))

    world.do("/s/a", first)
    world.wait(2)
    root = causes[0][1]
    assert [(p, s) for p, _, s in causes] == [
        ("/s/a", None),
        ("/s/b", "/s/a"),
        ("/s/c", "/s/b"),
        ("/s/c", "/s/b"),
        ("/s/b", None),
    ]
    assert [c for _, c, _ in causes[:4]] == [root] * 4
    assert causes[4][1] != root, "a timer begins a new story"
    world.do("/s/a", note)
    assert causes[5][1] not in (root, causes[4][1])


def test_work_put_off_can_carry_the_cause_it_came_with(world: World) -> None:
    world.start(world.child("a"), world.child("b"))
    got: list[str] = []
    world.do("/s/a", lambda a: a.ctx.tell("/s/b", Do(lambda b: got.append(b.ctx.cause)), cause="1.4711"))
    assert got == ["1.4711"]


def test_a_behaviour_can_be_posted_to_from_another_thread(world: World) -> None:
    import threading

    world.start(world.child("a"))
    posts: list[Any] = []
    world.do("/s/a", lambda a: posts.append(a.ctx.post))
    thread = threading.Thread(target=lambda: [posts[0](n, coalesce=None) for n in range(10)])
    thread.start()
    thread.join(5)
    world.settle()
    assert world.seen("/s/a") == list(range(10))


# --- looking ------------------------------------------------------------------------------------------------------


def test_counters_are_readable_without_asking_the_actor(world: World) -> None:
    runtime = world.start(world.child("a", handle_timeout_s=60.0), world.child("b"))
    world.tell("/s/a", 1, 2, 3)
    world.do("/s/a", lambda a: a.ctx.tell("/s/b", "x"))
    world.tell("/s/a", Do(_hang))
    world.tell("/s/a", "waits", lane=Lane.URGENT)
    world.wait(5)
    stats = world.stats("/s/a")
    assert (stats.kind, stats.behaviour, stats.state) == ("actor", "Probe", "running")
    assert stats.queued == (0, 0, 1, 0)
    assert stats.sent == 1 and stats.handled == 6 and stats.failed == 0  # with the start itself
    assert stats.busy_since == 0.0 and stats.busy_s == 5.0
    assert world.stats("/s").kind == "supervisor"
    assert runtime.behaviour_snapshot("/s/a") == {"memory": 3}
    shown = runtime.behaviour_snapshot("/s")
    assert shown["children"]["a"]["state"] == "up"  # type: ignore[index]


def test_a_snapshot_that_fails_does_not_hurt_the_actor(world: World) -> None:
    class Shy(Probe):
        def snapshot(self) -> dict[str, object]:
            raise ValueError("not for you")

    runtime = world.start(ChildSpec(id="a", make=lambda: Shy(world)), world.child("b", restart="temporary"))
    with pytest.raises(ActorError, match="/s/a cannot show its state: ValueError: not for you"):
        runtime.behaviour_snapshot("/s/a")
    world.raises("/s/b", ValueError())
    assert runtime.behaviour_snapshot("/s/b") == {}
    with pytest.raises(UnknownPathError):
        runtime.behaviour_snapshot("/s/c")
    assert world.state("/s/a") == ("running", 1)


def test_the_send_log_sees_every_accepted_message(world: World) -> None:
    runtime = world.start(world.child("a"), world.child("b"))
    sent: list[Envelope] = []
    runtime.send_log = sent.append
    assert runtime.send_log is not None
    world.do("/s/a", lambda a: a.ctx.tell("/s/b", "x", lane=Lane.URGENT))
    runtime.tell("/nowhere", 1)
    runtime.send_log = None
    world.tell("/s/b", "unlogged")
    (first, second) = sent
    assert first.to == "/s/a" and first.sender is None and first.lane is Lane.USER
    assert second == Envelope("/s/b", "x", "/s/a", first.cause, Lane.URGENT)


def test_errors_of_functions_outside_the_tree_do_not_hurt_an_actor(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: object) -> None:
        raise ValueError("broken outside")

    runtime = world.start(world.child("a"), world.child("b"), intensity=0)
    runtime.listen(broken, News, Failed)
    runtime.send_log = broken
    runtime._on_escalate = broken
    world.do("/s/b", lambda b: b.ctx.subscribe(News, coalesce=broken))
    world.do("/s/a", lambda a: a.ctx.publish(News("x")))
    assert world.seen("/s/b") == [News("x")]
    assert [world.state(p) for p in ("/s/a", "/s/b")] == [("running", 1)] * 2
    world.raises("/s/a", ValueError())
    assert runtime.escalated is not None
    assert world.state("/") == ("running", 1)
    assert caplog.text.count("broken outside") >= 4


def test_random_numbers_depend_on_seed_path_and_incarnation_alone(world: World) -> None:
    runtime = world.start(world.child("a"), world.child("b"), seed=7)

    def draw(path: str) -> object:
        return runtime.ask(path, Do(lambda p: p.ctx.reply(p.ctx.random.random())), 5)

    import random

    assert draw("/s/a") == random.Random("7:/s/a:1").random()
    assert draw("/s/b") == random.Random("7:/s/b:1").random()
    world.raises("/s/a", ValueError())
    assert draw("/s/a") == random.Random("7:/s/a:2").random()


def test_lives_are_told_on_the_stream(world: World) -> None:
    runtime = world.start(world.child("a"))
    world.raises("/s/a", ValueError("x"))
    runtime.restart("/s/a")
    world.settle()
    told = [e for e in world.events if getattr(e, "path", "") == "/s/a"]
    assert [type(e).__name__ for e in told] == [
        "Started",
        "Failed",
        "Started",
        "Restarted",
        "Stopped",
        "Started",
        "Restarted",
    ]
    assert [e.incarnation for e in told] == [1, 1, 2, 2, 2, 3, 3]  # type: ignore[attr-defined]
    assert Started("/", 1) in world.events


def test_house_time_is_the_clock_that_was_given(world: World) -> None:
    runtime = world.start(world.child("a"))
    world.wait(60)
    now = runtime.ask("/s/a", Do(lambda a: a.ctx.reply(a.ctx.clock.now())), 1)
    assert (now - START).total_seconds() == 60  # type: ignore[operator]


# --- trees that cannot be -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("child", "says"),
    [
        ({"id": "a/b"}, "slash"),
        ({"id": ""}, "empty"),
        ({"restart": "always"}, "restart 'always' is unknown"),
        ({"on_give_up": "cry"}, "on_give_up 'cry' is unknown"),
        ({"shutdown_s": 0}, "shutdown_s is 0, must be above 0"),
        ({"handle_timeout_s": -1}, "handle_timeout_s is -1"),
        ({"start_timeout_s": float("nan")}, "start_timeout_s is nan"),
        ({"mailbox_bound": 0}, "mailbox_bound is 0"),
        ({"intensity": -1}, "intensity is -1"),
    ],
)
def test_an_impossible_child_is_refused_with_its_path(world: World, child: dict[str, Any], says: str) -> None:
    spec: Any = ChildSpec(**{"id": "a", "make": lambda: Probe(world), **child})
    with pytest.raises(SpecError, match=says) as refused:
        world.build(spec)
    assert "/s" in str(refused.value)
    world.build(world.child("a"))


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"strategy": "none_for_none"}, "strategy 'none_for_none' is unknown"),
        ({"intensity": -1}, "intensity is -1"),
        ({"period_s": 0}, "period_s is 0"),
        ({"on_give_up": "cry"}, "'cry'"),
    ],
)
def test_an_impossible_supervisor_is_refused_with_its_path(world: World, spec: dict[str, Any], says: str) -> None:
    with pytest.raises(SpecError, match=says):
        world.build(world.child("a"), **spec)
    with pytest.raises(SpecError, match="/s/a is there twice"):
        world.build(world.child("a"), world.child("a"))
    world.build(world.child("a"))
