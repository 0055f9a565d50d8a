"""A solver that hangs, crashes or eats all memory, in a real worker process: contained, reported in time, replaced.

Rows O1 and O2 of the faults that are injected. Nobody waits for a fault to happen by itself: processes are stopped and
killed by signal, and their memory is limited from outside.
"""

from __future__ import annotations

import os
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from actors.messages import Alarm, LinkState, PlanFailed, PlanReady, PricesKnown, WeatherKnown
from actors.planning.assemble import PlanSettings
from actors.planning.planner import OPTIMIZER, Planner, PlannerSetup
from actors.planning.rooms_tracker import ObservedRooms
from actors.runtime import (
    Behaviour,
    ChildSpec,
    Port,
    PykkaRuntime,
    ScaledClock,
    SupervisorSpec,
    WorkerCall,
    WorkerDone,
    WorkerFailed,
    WorkerStarted,
)
from models.physics.rooms import nominal_plants
from models.types.mode import Composite
from pems_actors import workers
from solvers.checker import verify
from solvers.problem import PlanProblem
from solvers.result import SignedPlan
from tests.actors.devices.bench import START, a_house
from tests.actors.planning.plans import inverter, prices, rooms, weather
from tests.actors.planning.test_planner import KnownLoad, as_asked
from tests.solvers.houses import demo_house
from tests.solvers.houses import house as a_problem

PATIENT_S = 90.0  # for what is not measured here: a process starts slowly on a busy machine
MARGIN_S = 3.0  # what a fallback may take beyond its limit: 1 s on a machine that has time for it
HOUSE = a_house()


class Heard:
    """Everything that was published or answered, with its instant; tests wait on it without looking twice."""

    def __init__(self) -> None:
        self._news = threading.Condition()
        self._all: list[tuple[float, object]] = []

    def __call__(self, event: object) -> None:
        if isinstance(event, PlanFailed) and event.reason.startswith("waiting"):
            return  # the planner knows nothing yet
        with self._news:
            self._all.append((time.monotonic(), event))
            self._news.notify_all()

    def of(self, kind: Any) -> list[tuple[float, Any]]:
        return [(at_s, e) for at_s, e in self._all if isinstance(e, kind)]

    def wait(self, kind: Any, count: int = 1) -> tuple[float, Any]:
        """The instant and event number `count` of a kind, as soon as it is there."""
        with self._news:
            assert self._news.wait_for(lambda: len(self.of(kind)) >= count, PATIENT_S), f"no {kind}: {self._all}"
            return self.of(kind)[count - 1]


class Client(Behaviour):
    """Calls the optimizer when it is told to, and passes on what comes back."""

    def __init__(self, heard: Heard) -> None:
        self._heard = heard

    def handle(self, message: object) -> None:
        if isinstance(message, WorkerCall):
            self.ctx.tell(OPTIMIZER, message)
        else:
            self._heard(message)


class Core:
    """The optimizer's port with a real process, a client, and a planner if one is wanted."""

    def __init__(self, *, planner: PlannerSetup | None = None) -> None:
        self.heard = Heard()
        self._calls = 0
        children = [
            ChildSpec(id="optimizer", make=lambda: Port(lambda: workers.process("optimizer"), eager=True)),
            ChildSpec(id="client", make=lambda: Client(self.heard)),
        ]
        if planner is not None:
            children.append(ChildSpec(id="planner", make=lambda: Planner(planner)))
        tree = SupervisorSpec(id="root", children=(SupervisorSpec(id="plan", children=tuple(children)),))
        self.runtime = PykkaRuntime(tree, clock=ScaledClock(START, 1.0))
        self.runtime.listen(self.heard, WorkerStarted, PlanReady, PlanFailed, Alarm)
        assert self.runtime.start()

    def pid(self, life: int = 1) -> int:
        """Process of the worker's first, second, ... life."""
        pid = self.heard.wait(WorkerStarted, life)[1].pid
        assert isinstance(pid, int)
        return pid

    def call(self, problem: PlanProblem, *, deadline_s: float = PATIENT_S) -> float:
        """Asks for a plan; the instant of asking. Returns when the call is in the worker's hands."""
        self._calls += 1
        asked_s = time.monotonic()
        call = WorkerCall(id=str(self._calls), method="plan", body=problem, deadline_s=deadline_s)
        self.runtime.tell("/plan/client", call)
        assert self.runtime.settle(10.0)
        return asked_s

    def plan(self, problem: PlanProblem, *, count: int = 1) -> SignedPlan:
        """A plan that is fit, from whatever process there is now; `count`: the how manieth answer it is."""
        self.call(problem)
        done = self.heard.wait(WorkerDone, count)[1].value
        assert isinstance(done, SignedPlan) and verify(done, problem)
        return done

    def outcome(self, count: int) -> WorkerDone | WorkerFailed:
        """Answer number `count`, good or bad."""
        found: WorkerDone | WorkerFailed = self.heard.wait(WorkerDone | WorkerFailed, count)[1]
        return found

    def port(self) -> dict[str, Any]:
        return dict(self.runtime.behaviour_snapshot(OPTIMIZER))


@pytest.fixture
def start() -> Iterator[Callable[..., Core]]:
    made: list[Core] = []

    def build(**how: Any) -> Core:
        made.append(Core(**how))
        return made[-1]

    yield build
    for core in made:
        for _, begun in core.heard.of(WorkerStarted):
            if begun.pid is not None and _alive(begun.pid):
                os.kill(begun.pid, signal.SIGCONT)  # what a failed test left stopped could not end
        core.runtime.stop(15)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def small(slots: int = 8) -> PlanProblem:
    return a_problem(slots)


# --- O1: it hangs -----------------------------------------------------------------------------------------------------
def test_a_solver_that_hangs_is_killed_at_its_deadline_and_the_next_plan_comes_from_a_new_one(
    start: Callable[..., Core],
) -> None:
    core = start()
    hung = core.pid()
    os.kill(hung, signal.SIGSTOP)
    limit_s = 1.0
    asked_s = core.call(small(), deadline_s=limit_s)
    failed_s, failed = core.heard.wait(WorkerFailed)
    assert (failed.kind, failed.method) == ("deadline", "plan")
    assert limit_s <= failed_s - asked_s <= limit_s + MARGIN_S
    assert core.plan(small()).result.maker == "pyomo_highs"
    assert core.pid(2) != hung and not _alive(hung)
    assert (core.port()["kills"], core.port()["starts"]) == (1, 2)


def planner_setup(**changes: object) -> PlannerSetup:
    """A planner of a small house that looks at once and often; forecasts are those asked for."""
    plants = nominal_plants(HOUSE)
    base: dict[str, object] = {
        "house": HOUSE, "zone": ZoneInfo("Europe/Berlin"), "settings": PlanSettings(horizon_h=6.0), "plants": plants,
        "load": KnownLoad, "states": lambda: ObservedRooms(HOUSE, plants), "tick_s": 0.05, "forecast": as_asked,
        "soc_max_age_s": 1e9, **changes,
    }  # fmt: skip
    return PlannerSetup(**base)  # type: ignore[arg-type]


def know(core: Core) -> None:
    """Everything that a plan needs."""
    for event in (
        PricesKnown(prices=prices([0.1] * 96 * 3)), WeatherKnown(weather=weather()),
        inverter(0.5, composite=Composite.REGULAR), rooms({"hall": 20.0, "bath": 21.5}),
    ):  # fmt: skip
        core.runtime.publish(event)


def test_a_planner_whose_solver_hangs_says_so_in_time_and_plans_again_with_a_new_one(
    start: Callable[..., Core],
) -> None:
    limit_s = 4.0
    core = start(planner=planner_setup(plan_deadline_s=limit_s))
    core.plan(small())  # warm: what follows is no matter of starting a process
    know(core)
    first = core.heard.wait(PlanReady)[1]
    assert verify(first.plan, first.problem) and first.plan.result.maker == "pyomo_highs"

    os.kill(core.pid(), signal.SIGSTOP)
    core.runtime.publish(LinkState(up=True))  # news: plan at once
    asked_s = time.monotonic()
    failed_s, failed = core.heard.wait(PlanFailed)
    assert "plan deadline: not done within 4 s, the worker was killed" in failed.reason
    assert failed_s - asked_s <= limit_s + MARGIN_S
    assert [a.active for _, a in core.heard.of(Alarm)] == [True]
    assert len(core.heard.of(PlanReady)) == 1, "the last plan is what there is; nothing is made up"

    core.plan(small(), count=2)  # the new process has started
    core.runtime.publish(LinkState(up=True))
    again = core.heard.wait(PlanReady, 2)[1]
    assert verify(again.plan, again.problem)
    core.heard.wait(Alarm, 2)
    assert [a.active for _, a in core.heard.of(Alarm)] == [True, False]


# --- O2: it crashes ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("how", [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL], ids=lambda s: s.name)
def test_a_solver_that_dies_while_it_plans_is_reported_at_once_and_replaced(
    start: Callable[..., Core], how: signal.Signals
) -> None:
    """A segmentation fault, an abort of native code, and what the system does when memory is short."""
    core = start()
    pid = core.pid()
    os.kill(pid, signal.SIGSTOP)
    core.call(small())
    assert core.port()["in_flight"] == "plan"
    died_s = time.monotonic()
    os.kill(pid, how)
    if how is not signal.SIGKILL:
        os.kill(pid, signal.SIGCONT)
    failed_s, failed = core.heard.wait(WorkerFailed)
    assert (failed.kind, failed.reason) == ("crashed", f"the worker ended in the call: killed by {how.name}")
    assert failed_s - died_s <= MARGIN_S
    assert core.plan(small()).result.maker == "pyomo_highs"
    assert (core.port()["deaths"], core.port()["starts"]) == (1, 2)


def test_a_solver_without_memory_leaves_a_plan_of_rules_or_a_report_and_is_as_good_as_new_after(
    start: Callable[..., Core],
) -> None:
    core = start()
    pid = core.pid()
    assert core.plan(small()).result.maker == "pyomo_highs"
    resource.prlimit(pid, resource.RLIMIT_AS, (_address_space(pid), resource.RLIM_INFINITY))
    big = demo_house()
    core.call(big)
    outcome = core.outcome(2)
    if isinstance(outcome, WorkerDone):
        assert isinstance(outcome.value, SignedPlan) and verify(outcome.value, big)
        assert outcome.value.result.maker == "rules"
        assert "MemoryError" in outcome.value.result.message or "memory" in outcome.value.result.message.lower()
        resource.prlimit(pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    else:
        assert outcome.kind in ("crashed", "error")
    core.call(small(9))
    after = core.outcome(3)
    assert isinstance(after, WorkerDone) and isinstance(after.value, SignedPlan)
    assert after.value.result.maker == "pyomo_highs"


def _address_space(pid: int) -> int:
    """What a process has mapped now [bytes]."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()


def test_a_problem_that_is_malformed_is_one_line_and_the_solver_lives_on(start: Callable[..., Core]) -> None:
    core = start()
    broken = replace(small(), price_import=(float("nan"),) * 8)
    core.call(broken)
    failed = core.heard.wait(WorkerFailed)[1]
    assert failed.kind == "error"
    assert "price_import slot 0 is nan, must be -20 to 20" in failed.reason and "\n" not in failed.reason
    assert core.plan(small()).result.maker == "pyomo_highs"
    assert (core.port()["starts"], core.port()["deaths"], core.port()["kills"]) == (1, 0, 0)
