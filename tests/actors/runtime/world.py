"""A tree of scriptable actors on either runtime, with one virtual clock, for the conformance suite."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from actors.runtime import Behaviour, ChildSpec, Lane, ManualClock, PykkaRuntime, StepRuntime, SupervisorSpec
from actors.runtime.runtime import Runtime

START = datetime(2021, 2, 8, tzinfo=UTC)


@dataclass(frozen=True)
class Do:
    """Have the probe run a function on itself."""

    run: Callable[[Probe], Any]


class Probe(Behaviour):
    """Logs what it gets, and does what it is told."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.memory: list[object] = []
        self.kept: Any = None

    def on_start(self) -> None:
        self.world.note(self, "start")
        script = self.world.on_start.get(self.ctx.path)
        if script is not None:
            script(self)

    def handle(self, message: object) -> None:
        if isinstance(message, Do):
            message.run(self)
            return
        if message == "unknown":
            super().handle(message)
        self.memory.append(message)
        self.world.note(self, message)

    def on_stop(self) -> None:
        self.world.note(self, "stop")
        script = self.world.on_stop.get(self.ctx.path)
        if script is not None:
            script(self)

    def snapshot(self) -> dict[str, object]:
        return {"memory": len(self.memory)}


class World:
    """One runtime under test; `settle` and `wait` mean the same on both."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.clock = ManualClock(START)
        self.log: list[tuple[str, int, object]] = []
        self.events: list[object] = []
        self.escalations: list[str] = []
        self.on_start: dict[str, Callable[[Probe], Any]] = {}
        self.on_stop: dict[str, Callable[[Probe], Any]] = {}
        self.runtime: Runtime

    def child(self, name: str, **spec: Any) -> ChildSpec:
        return ChildSpec(id=name, make=lambda: Probe(self), **spec)

    def build(self, *children: ChildSpec | SupervisorSpec, seed: int = 0, **spec: Any) -> Runtime:
        """`/s` supervises the children."""
        tree = SupervisorSpec(id="root", children=(SupervisorSpec(id="s", children=children, **spec),))
        return self.build_tree(tree, seed=seed)

    def build_tree(self, tree: SupervisorSpec, *, seed: int = 0) -> Runtime:
        """A tree of one's own."""
        if self.kind == "steps":
            self.runtime = StepRuntime(
                tree, clock=self.clock, seed=seed, on_escalate=self.escalations.append, trace=True
            )
        else:
            self.runtime = PykkaRuntime(tree, clock=self.clock, seed=seed, on_escalate=self.escalations.append)
        self.runtime.listen(self.events.append, object)
        return self.runtime

    def start(self, *children: ChildSpec | SupervisorSpec, seed: int = 0, **spec: Any) -> Runtime:
        """Build and start."""
        self.build(*children, seed=seed, **spec)
        return self.run()

    def run(self) -> Runtime:
        """Start what was built."""
        runtime = self.runtime
        assert isinstance(runtime, StepRuntime | PykkaRuntime)
        runtime.start()
        self.settle()
        return runtime

    def settle(self) -> None:
        """Let everything happen that happens at this instant."""
        if isinstance(self.runtime, StepRuntime):
            self.runtime.run_until_idle(max_steps=1_000_000)
        else:
            assert isinstance(self.runtime, PykkaRuntime)
            assert self.runtime.settle(10.0), "threads did not come to rest"

    def wait(self, seconds: float) -> None:
        """Let virtual time pass, from due timer to due timer."""
        end = self.clock.monotonic() + seconds
        self.settle()
        while True:
            due = self.runtime.timers.next_due()
            if due is None or due > end:
                break
            self.clock.advance_to(due)
            self.settle()
        self.clock.advance_to(end)
        self.settle()

    def tell(self, path: str, *messages: object, **how: Any) -> None:
        """Send and let it happen."""
        for message in messages:
            self.runtime.tell(path, message, **how)
        self.settle()

    def do(self, path: str, run: Callable[[Probe], Any]) -> None:
        """Have the probe at `path` do something now."""
        self.tell(path, Do(run))

    def do_now(self, path: str, run: Callable[[Probe], Any]) -> None:
        """Have another probe do something while one is in the middle of a message."""
        done: list[bool] = []

        def then(probe: Probe) -> None:
            run(probe)
            done.append(True)

        self.runtime.tell(path, Do(then), lane=Lane.SIGNAL)
        if isinstance(self.runtime, StepRuntime):
            self.runtime.cells[path].step(self.runtime)
        end = time.monotonic() + 20  # a busy machine is slow
        while not done:
            assert time.monotonic() < end
            threading.Event().wait(0.001)

    def raises(self, path: str, error: BaseException) -> None:
        """Have its handler raise."""

        def run(_: Probe) -> None:
            raise error

        self.do(path, run)

    def note(self, probe: Probe, what: object) -> None:
        self.log.append((probe.ctx.path, probe.ctx.epoch.incarnation, what))

    def seen(self, path: str) -> list[object]:
        """What a path has logged but starts and stops, over all lives."""
        return [what for where, _, what in self.log if where == path and what not in ("start", "stop")]

    def lives(self) -> list[str]:
        """Starts and stops in order, as `a+` and `a-`."""
        sign = {"start": "+", "stop": "-"}
        return [where.rsplit("/", 1)[-1] + sign[str(what)] for where, _, what in self.log if what in ("start", "stop")]

    def stats(self, path: str) -> Any:
        return next(s for s in self.runtime.stats() if s.path == path)

    def state(self, path: str) -> tuple[str, int]:
        """(state, incarnation)"""
        stats = self.stats(path)
        return stats.state, stats.incarnation

    def of(self, kind: type) -> list[Any]:
        """Events of one type so far."""
        return [event for event in self.events if type(event) is kind]

    def end(self) -> None:
        runtime = getattr(self, "runtime", None)
        if isinstance(runtime, PykkaRuntime):
            runtime.stop(0.5)
