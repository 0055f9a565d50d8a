"""One policy over one period: the same house, the same weather, another mind."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from actors.audit import Audit
from actors.devices.registry import all_points
from actors.memory import MemoryWear
from actors.messages import PlanReady, WireWrite
from actors.planning.rooms_tracker import ObservedRooms
from actors.runtime import ManualClock, StepRuntime
from config.schema import HouseFile
from models.scorecard import EvidenceRow
from models.twins.house import HouseTwin
from models.types.forecast import PriceSeries
from pems_actors.release import release_all
from pems_actors.simulation.house import surroundings, twin_of, warm_up
from pems_actors.simulation.recorder import SAMPLE, SAMPLES, Recorder
from pems_actors.simulation.tail import tail
from pems_actors.simulation.world import Recorded
from pems_actors.wiring import Parts, house_tree
from solvers.problem import PlanProblem
from solvers.result import SignedPlan, Timings
from solvers.signature import signature
from solvers.worker import simulation_methods

POLICIES = ("none", "rules", "smart", "pems", "foresight")
PLANNING = {"smart": "smart", "pems": "plan", "foresight": "plan"}  # policy -> method of the optimizer worker
WATCHING = ("smart", "pems")  # they know of the rooms what was observed
Progress = Callable[[float], None]  # share of the run, 0..1


@dataclass(frozen=True, kw_only=True)
class Job:
    """What one policy process is asked to do."""

    policy: str
    config: HouseFile
    start: date
    days: float
    seed: int
    replan_s: float


@dataclass(kw_only=True)
class Outcome:
    """What one policy did."""

    rows: list[EvidenceRow]
    switches: int
    writes: int
    fork_hash: str  # state from which it began: the same for all policies
    trace_hash: str
    wire: list[WireWrite] = field(default_factory=list)
    plan_seconds: list[float] = field(default_factory=list)
    gaps_eur: list[float] = field(default_factory=list)
    checks: dict[int, int] = field(default_factory=dict)
    breaches: list[str] = field(default_factory=list)


def run_policy(job: Job, progress: Progress) -> Outcome:
    """Warm up under plain rules, fork, run the policy, and add the tail under plain rules."""
    config = job.config.for_simulation()
    config = config.model_copy(update={"timing": config.timing.model_copy(update={"replan_s": job.replan_s})})
    recorded = Recorded.of(config, job.seed)
    warm, first, end = recorded.begins(job.start, config, job.days)
    twin = twin_of(config, recorded, warm, job.seed)
    tail_end = end + timedelta(hours=config.simulation.tail_h)
    prices = recorded.prices.series(warm, tail_end, first, "settlement")
    rooms = warm_up(twin, config, recorded, first, watch=job.policy in WATCHING)
    forked = copy.deepcopy(twin)
    if job.policy == "none":
        forked.inverter.battery_idle = True
    fork_hash = twin.state_hash()
    if job.policy in PLANNING:
        outcome = _acting(job, config, recorded, forked, rooms, prices, (first, end), fork_hash, progress)
    else:
        outcome = _plain(forked, prices, (first, end), fork_hash, progress)
    outcome.rows += tail(forked, prices, tail_end, pairs=config.simulation.tail_pairs, seed=job.seed)
    return outcome


def _plain(
    twin: HouseTwin, prices: PriceSeries, period: tuple[datetime, datetime], fork_hash: str, progress: Progress
) -> Outcome:
    """What inverter and thermostats do alone."""
    _, end = period
    recorder = Recorder(twin, prices)
    before = twin.truth()
    recorder.live(end, "run", progress)
    after = twin.truth()
    return Outcome(
        rows=recorder.rows,
        switches=sum(b.switches - a.switches for a, b in zip(before.rooms, after.rooms, strict=True)),
        writes=0,
        fork_hash=fork_hash,
        trace_hash=twin.state_hash(),
    )


def _note(outcome: Outcome, event: object) -> None:
    if isinstance(event, WireWrite):
        outcome.wire.append(event)
    elif isinstance(event, PlanReady):
        outcome.gaps_eur.append(event.plan.result.gap_eur)


def _parts(
    job: Job,
    config: HouseFile,
    recorded: Recorded,
    twin: HouseTwin,
    rooms: ObservedRooms,
    wear: MemoryWear,
    outcome: Outcome,
) -> Parts:
    """What the actors of a policy stand in, with each call of the optimizer timed."""
    return surroundings(
        config,
        recorded,
        twin,
        rooms if job.policy in WATCHING else None,
        optimizer=_timed(simulation_methods(), outcome),
        method=PLANNING[job.policy],
        surplus=job.policy == "smart",
        wear=wear,
    )


def _timed(
    methods: Mapping[str, Callable[[object], object]], outcome: Outcome
) -> dict[str, Callable[[object], object]]:
    """The same methods, with the wall time of each call noted outside of what the run depends on."""

    def timed(method: Callable[[object], object]) -> Callable[[object], object]:
        def call(body: object) -> object:
            began = time.perf_counter()
            try:
                answer = method(body)
            finally:
                outcome.plan_seconds.append(time.perf_counter() - began)
            return _timeless(body, answer)

        return call

    return {name: timed(method) for name, method in methods.items()}


def _timeless(problem: object, answer: object) -> object:
    """A plan without the seconds it took: what is said in a simulation depends on its seed alone."""
    if not isinstance(answer, SignedPlan) or not isinstance(problem, PlanProblem):
        return answer
    result = replace(answer.result, timings=Timings())
    return replace(answer, result=result, signature=signature(problem, result))


def _acting(
    job: Job,
    config: HouseFile,
    recorded: Recorded,
    twin: HouseTwin,
    rooms: ObservedRooms,
    prices: PriceSeries,
    period: tuple[datetime, datetime],
    fork_hash: str,
    progress: Progress,
) -> Outcome:
    """The same actors as in `run`, on the stepper."""
    first, end = period
    wear, clock = MemoryWear(), ManualClock(first)
    outcome = Outcome(rows=[], switches=0, writes=0, fork_hash=fork_hash, trace_hash="")
    parts = _parts(job, config, recorded, twin, rooms, wear, outcome)
    runtime = StepRuntime(house_tree(config, parts), clock=clock, seed=job.seed, trace=True)
    audit = Audit(config.house, all_points(config.house), config.timing)
    runtime.listen(lambda event: _note(outcome, event), WireWrite, PlanReady)
    audit.attach(runtime)
    recorder, before = Recorder(twin, prices), twin.truth()
    runtime.start()
    while clock.now() < end:
        slot = clock.now()
        for i in range(SAMPLES):
            until = slot + (i + 1) * SAMPLE
            if until == end:  # give everything back, so that the tail begins under plain rules
                release_all(runtime, timeout_s=0.8 * SAMPLE.total_seconds())
            runtime.run_for((until - clock.now()).total_seconds())
            recorder.look()
            audit.look(twin.truth(), clock.monotonic())
        recorder.close("run")
        progress((clock.now() - first) / (end - first))
    runtime.stop()
    after = twin.truth()
    outcome.rows = recorder.rows
    outcome.switches = sum(b.switches - a.switches for a, b in zip(before.rooms, after.rooms, strict=True))
    outcome.writes = wear.total
    outcome.trace_hash = runtime.trace_hash()
    outcome.checks, outcome.breaches = dict(audit.checks), [str(b) for b in audit.breaches]
    return outcome
