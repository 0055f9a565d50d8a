"""Plans in a row as a house makes them: one cold, then each from where the one before it led."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from typing import TypeVar

import highspy
import numpy as np
from numpy.typing import NDArray

from solvers.model.assembly import DIRECTIONS, fill
from solvers.model.frame import Ring, shape_of
from solvers.model.kept import Compiled, flat_vectors, load, new_highs
from solvers.problem import PlanProblem, RoomProblem
from solvers.pyomo_highs import PyomoHighs
from solvers.result import PlanResult
from tests.solvers.houses import demo_house

Row = tuple[str, float, str, str, bool]
T = TypeVar("T")
ROOMS = 17  # of the demo house
RE_PLANS = 9


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds on the wall, and of this process: they differ where others want the processor too."""

    wall_s: float
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Plan:
    """One problem, its answer and what that took."""

    problem: PlanProblem
    result: PlanResult
    took: Took


@dataclass(frozen=True, slots=True)
class Planned:
    """The first plan of a planner, for which the model is built, and those after it."""

    cold: Plan
    warm: tuple[Plan, ...]

    @property
    def wall_s(self) -> float:
        """Median of the warm plans."""
        return statistics.median(p.took.wall_s for p in self.warm)

    @property
    def cpu_s(self) -> float:
        """Median of the warm plans."""
        return statistics.median(p.took.cpu_s for p in self.warm)


def timed(work: Callable[[], T]) -> tuple[T, Took]:
    """What it returns, and what it took."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = work()
    return found, Took(time.perf_counter() - wall, time.process_time() - cpu)


def planned(make: Callable[[int], PlanProblem], plans: int, *, seed: int = 1) -> Planned:
    """Plans `make(0)` cold, then `make(1)` and so on, each slot begun where the plan before it ended its first.

    Raises
    ------
    RuntimeError
        One of them could not be planned: a figure of it would mean nothing.
    """
    planner, rnd = PyomoHighs(), np.random.default_rng(seed)
    rows: list[Plan] = []
    for slot in range(plans + 1):
        problem = make(slot)
        if rows:
            problem = moved_on(problem, rows[-1].result, rnd)
        result, took = timed(lambda p=problem: planner.solve(p, time_limit_s=math.inf))  # type: ignore[misc]
        if not result.modes:
            raise RuntimeError(f"plan {slot}: {result.message}")
        rows.append(Plan(problem, result, took))
    return Planned(rows[0], tuple(rows[1:]))


def moved_on(p: PlanProblem, before: PlanResult, rnd: np.random.Generator) -> PlanProblem:
    """The state is where the plan led but for noise, and forecasts of the next hours have moved a little."""
    lead_h = p.dt_h * np.arange(p.steps)
    load_kw = np.array(p.load_kw) * (1.0 + 0.1 * rnd.standard_normal() * np.exp(-lead_h / 2.0))
    pv_kw = np.array(p.pv_kw) * (1.0 + 0.1 * rnd.standard_normal() * np.exp(-lead_h / 3.0))
    rooms = tuple(
        replace(r, air_c=air[0] + 0.02 * rnd.standard_normal(), slab_c=slab[0] + 0.03 * rnd.standard_normal())
        for r, air, slab in zip(p.rooms, before.air_c, before.slab_c, strict=True)
    )
    assert p.battery is not None
    soc = min(1.0, max(0.2, before.soc[0] + 0.003 * rnd.standard_normal()))
    return replace(
        p,
        load_kw=tuple(np.maximum(0.05, load_kw).tolist()),
        pv_kw=tuple(np.maximum(0.0, pv_kw).tolist()),
        rooms=rooms,
        battery=replace(p.battery, soc=soc),
        mode_now=before.modes[0],
        mode_held_slots=2 * p.min_mode_slots,
    )


@cache
def demo(season: str, *, steps: int = 192, split: int = 1, rooms: int = ROOMS, plans: int = RE_PLANS) -> Planned:
    """Plans of the demo house, made once for all who need them.

    Parameters
    ----------
    steps : int
        Quarter hours.
    split : int
        Slots per quarter hour; time moves on by one slot from plan to plan.
    rooms : int
        Fewer or more than the demo house has.
    """
    return planned(lambda slot: with_rooms(split_house(slot, season, steps, split), rooms), plans)


def split_house(slot: int, season: str, steps: int, split: int) -> PlanProblem:
    """The demo house `slot` slots into its days, each quarter hour cut into `split` slots."""
    p = demo_house(slot // split, season=season, steps=steps + (1 if split > 1 else 0))
    first = slot % split

    def cut(series: tuple[T, ...]) -> tuple[T, ...]:
        return tuple(x for x in series for _ in range(split))[first : first + steps * split]

    rooms = (
        replace(r, sun_kw=cut(r.sun_kw), lower_c=cut(r.lower_c), upper_c=cut(r.upper_c)) for r in p.rooms
    )
    return replace(
        p,
        start=p.start + timedelta(hours=p.dt_h / split) * first,
        dt_h=p.dt_h / split,
        price_import=cut(p.price_import),
        price_export=cut(p.price_export),
        price_known=cut(p.price_known),
        pv_kw=cut(p.pv_kw),
        load_kw=cut(p.load_kw),
        outdoor_c=cut(p.outdoor_c),
        rooms=tuple(rooms),
        min_mode_slots=p.min_mode_slots * split,
    )


def with_rooms(p: PlanProblem, count: int) -> PlanProblem:
    """The same house with so many rooms; where the list begins again, rooms are larger and the connection grows."""
    if count == len(p.rooms):
        return p
    rooms = tuple(_room(p.rooms[i % len(p.rooms)], i, count, 1.0 + 0.07 * (i // len(p.rooms))) for i in range(count))
    larger = max(1.0, count / len(p.rooms))
    phase_kw = None if p.phase_limit_kw is None else larger * p.phase_limit_kw
    return replace(p, rooms=rooms, import_limit_kw=larger * p.import_limit_kw, phase_limit_kw=phase_kw)


def _room(like: RoomProblem, index: int, count: int, scale: float) -> RoomProblem:
    """A room of `scale` times the area, between the ones before and after it."""
    shared = statistics.mean(kw for _, kw in like.neighbours)
    return replace(
        like,
        name=f"room_{index}",
        heater_kw=scale * like.heater_kw,
        air_kwh_per_k=scale * like.air_kwh_per_k,
        slab_kwh_per_k=scale * like.slab_kwh_per_k,
        slab_air_kw_per_k=scale * like.slab_air_kw_per_k,
        ua_kw_per_k=scale * like.ua_kw_per_k,
        neighbours=tuple((j, shared) for j in (index - 1, index + 1) if 0 <= j < count),
        sun_kw=tuple(scale * kw for kw in like.sun_kw),
        phase=like.phase if like.phase == 0 else index % 3 + 1,
    )


@dataclass(frozen=True, slots=True)
class Raw:
    """What HiGHS alone made of a problem."""

    objective_eur: float
    bound_eur: float
    took: Took


def same_matrix(problem: PlanProblem, *, directions: bool = False, limit_s: float = math.inf) -> Callable[[], Raw]:
    """A new HiGHS instance with its own presolve on the planner's matrix and vectors; each call makes and solves one.

    What is timed is what anybody must do who has the arrays: make the instance, hand them over, solve.

    Parameters
    ----------
    directions : bool
        One direction at a time in every slot, by binaries, to no gap at all: a planning case exactly.
    limit_s : float
        The bound tells what is missing where that is too short.
    """
    shape = shape_of(problem)
    compiled, ring = Compiled(shape), Ring(shape.steps)
    vectors = fill(problem, shape, compiled.layout, ring)
    flat = flat_vectors(compiled, vectors)
    whole = _columns(compiled, DIRECTIONS) if directions else np.array([], dtype=np.int32)

    def solve() -> highspy.Highs:
        highs = new_highs()
        highs.setOptionValue("presolve", "choose")
        highs.setOptionValue("time_limit", limit_s)
        load(highs, compiled, flat)
        highs.changeColsIntegrality(len(whole), whole, np.full(len(whole), highspy.HighsVarType.kInteger))
        highs.run()
        return highs

    def once() -> Raw:
        highs, took = timed(solve)
        info = highs.getInfo()
        objective = info.objective_function_value
        bound = info.mip_dual_bound if directions else objective
        return Raw(objective + vectors.offset_eur, bound + vectors.offset_eur, took)

    return once


def _columns(compiled: Compiled, names: Collection[str]) -> NDArray[np.int32]:
    """Indices of all columns of these names."""
    found, at = [], 0
    for name, size in compiled.layout.columns.items():
        end = at + int(np.prod(size))
        found += list(range(at, end)) if name in names else []
        at = end
    return np.array(found, dtype=np.int32)
