"""What only the stepper offers: virtual time, and a run that is a function of its seed."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import Enum, IntEnum
from typing import Any

import pytest
from pydantic import BaseModel

from actors.runtime import ActorError, Behaviour, ChildSpec, ManualClock, StepRuntime, SupervisorSpec
from actors.runtime.journal import canonical
from tests.actors.runtime.world import START, Do, World


@dataclass(frozen=True)
class Ball:
    """Goes round with things in it whose order or address must not matter."""

    left: int
    tags: frozenset[str] = frozenset({"a", "b", "c", "d"})
    table: dict[str, int] = field(default_factory=lambda: {"x": 1, "y": 2})
    thing: object = field(default_factory=object)


class Player(Behaviour):
    """Throws the ball to a random other one, fails now and then."""

    def __init__(self, players: int) -> None:
        self.players = players

    def on_start(self) -> None:
        self.ctx.every(7.0, "tick")

    def handle(self, message: object) -> None:
        if not isinstance(message, Ball):
            return
        if self.ctx.random.random() < 0.02:
            self.ctx.fail("dropped it")
        if message.left:
            to = f"/s/p{self.ctx.random.randrange(self.players)}"
            later = self.ctx.random.random()
            if later < 0.3:
                self.ctx.after(later, Ball(message.left))
            self.ctx.tell(to, Ball(message.left - 1))


def play(seed: int, *, shuffle: bool = False, balls: int = 4) -> StepRuntime:
    children = tuple(ChildSpec(id=f"p{n}", make=lambda: Player(5), on_give_up="park") for n in range(5))
    tree = SupervisorSpec(id="root", children=(SupervisorSpec(id="s", children=children),))
    runtime = StepRuntime(tree, clock=ManualClock(START), seed=seed, trace=True, shuffle=shuffle)
    runtime.start()
    for n in range(balls):
        runtime.tell(f"/s/p{n}", Ball(40))
    runtime.run_for(60)
    return runtime


@pytest.mark.parametrize("shuffle", [False, True])
def test_the_same_seed_gives_the_same_trace_and_another_seed_another(shuffle: bool) -> None:
    first = play(1, shuffle=shuffle)
    assert first.steps > 200
    assert first.trace_hash() == play(1, shuffle=shuffle).trace_hash()
    assert first.trace_hash() != play(2, shuffle=shuffle).trace_hash()
    assert first.ledger().balanced


def test_shuffling_finds_other_orders() -> None:
    assert len({play(n, shuffle=True, balls=1).steps for n in range(4)}) > 1
    order: list[list[str]] = []
    for seed in range(8):
        world = World("steps")
        tree = SupervisorSpec(id="root", children=(SupervisorSpec(id="s", children=tuple(map(world.child, "abcd"))),))
        world.runtime = runtime = StepRuntime(tree, clock=world.clock, seed=seed, shuffle=True)
        runtime.start()
        world.log.clear()
        for name in "abcd":
            runtime.tell(f"/s/{name}", "x")
        runtime.run_until_idle()
        order.append([path for path, _, _ in world.log])
    assert len({tuple(o) for o in order}) > 2


def test_the_trace_is_the_same_in_another_process_with_another_hash_seed() -> None:
    script = "from tests.actors.runtime.test_stepper import play; print(play(3).trace_hash())"
    seen = set()
    for hash_seed in ("0", "4711"):
        env = {**os.environ, "PYTHONHASHSEED": hash_seed}
        result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=env, check=True)
        seen.add(result.stdout.strip())
    seen.add(play(3).trace_hash())
    assert len(seen) == 1


class Colour(Enum):
    RED = "r"


class Number(IntEnum):
    ONE = 1


class Model(BaseModel):
    x: float
    y: tuple[int, ...] = ()


class Text(str):
    __slots__ = ()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.5, "1.5"),
        (float("nan"), "nan"),
        ("a|b\n", r"'a|b\n'"),
        ([1, (2, None)], "[1,[2,None]]"),
        ({"b": 1, "a": {3, 1, 2}}, "{'a':{1,2,3},'b':1}"),
        (Colour.RED, "Colour.RED"),
        (Number.ONE, "Number.ONE"),
        (Model(x=1), "Model(1.0,[])"),
        (datetime(2021, 1, 1, tzinfo=UTC), "2021-01-01T00:00:00+00:00"),
        (date(2021, 1, 1), "2021-01-01"),
        (timedelta(minutes=1), "60.0"),
        (ValueError("x", 1), "ValueError['x',1]"),
        (Text("t"), "Text('t')"),
        (range(3), "range"),
        (canonical, "canonical"),
        (Model, "Model"),
    ],
)
def test_the_trace_says_what_a_message_says_and_nothing_else(value: object, text: str) -> None:
    assert canonical(value) == text


def test_an_object_without_a_value_of_its_own_is_its_type() -> None:
    assert canonical(object()) == canonical(object()) == "object"
    assert canonical(Ball(1)) == canonical(Ball(1)) != canonical(Ball(2))


def test_a_trace_must_be_asked_for() -> None:
    runtime = StepRuntime(SupervisorSpec(id="root", children=()), clock=ManualClock(START))
    runtime.start()
    with pytest.raises(ActorError, match="trace=True"):
        runtime.trace_hash()


def test_one_step_is_one_message_or_one_timer() -> None:
    world = World("steps")
    runtime: Any = world.start(world.child("a"))
    assert runtime.step() is False
    runtime.tell("/s/a", 1)
    runtime.tell("/s/a", 2)
    assert runtime.step() is True
    assert world.seen("/s/a") == [1]
    assert runtime.run_until_idle() == 1
    world.do("/s/a", lambda a: a.ctx.after(0, "now"))
    assert world.seen("/s/a") == [1, 2, "now"]


def test_a_day_of_virtual_time_takes_no_real_time() -> None:
    world = World("steps")
    runtime: Any = world.start(world.child("a"))
    world.do("/s/a", lambda a: a.ctx.every(60, "tick"))
    handled = runtime.run_for(86_400)
    assert len(world.seen("/s/a")) == 1440 and handled == 1440
    assert world.clock.now() == datetime(2021, 2, 9, tzinfo=UTC)


@pytest.mark.parametrize("shuffle", [False, True])
def test_an_endless_exchange_can_be_cut_off(shuffle: bool) -> None:
    world = World("steps")
    tree = SupervisorSpec(id="root", children=(world.child("a"),))
    runtime = StepRuntime(tree, clock=world.clock, shuffle=shuffle)
    world.runtime = runtime
    runtime.start()
    loop = Do(lambda a: a.ctx.tell("/a", loop))
    runtime.tell("/a", loop)
    with pytest.raises(ActorError, match="still not idle after 100 messages"):
        runtime.run_until_idle(max_steps=100)
    assert runtime.ledger().balanced


def test_a_stop_that_cannot_end_says_so() -> None:
    world = World("steps")
    runtime: Any = world.start(world.child("a", shutdown_s=30.0))
    world.on_stop["/s/a"] = _hang
    assert runtime.stop(timeout_s=5) is False
    assert runtime.stop(timeout_s=60) is True
    assert world.clock.monotonic() <= 31


def _hang(_: object) -> None:
    from actors.runtime import Hang

    raise Hang
