"""The plan that a simulated house would have at a time: the pems policy is simulated up to it."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from actors.messages import PlanReady
from actors.runtime import ManualClock, StepRuntime
from config.schema import HouseFile
from models.errors import ConfigError, PlanError
from pems_actors.simulation.house import surroundings, twin_of, warm_up
from pems_actors.simulation.world import Recorded
from pems_actors.wiring import house_tree
from solvers.problem import PlanProblem
from solvers.result import SignedPlan

_SETTLE = timedelta(minutes=3)  # signals are believed, a forecast and a plan are made
_LONGEST = timedelta(days=2)


def plan_of_day(config: HouseFile, at: datetime, *, since: datetime, seed: int) -> tuple[PlanProblem, SignedPlan]:
    """The plan in force at a time.

    Parameters
    ----------
    config : HouseFile
        With a [data] record that covers the days before.
    at, since : datetime
        Aware; the house plans from `since`, a local midnight, on, and lives under plain rules before.
    seed : int
        Of everything random.

    Raises
    ------
    ConfigError
        The record does not cover the days, or `at` is more than two days after `since`.
    PlanError
        The house made no plan by then.
    """
    if not timedelta(0) <= at - since <= _LONGEST:
        raise ConfigError(f"{at:%Y-%m-%d %H:%M %Z} is not within two days after {since:%Y-%m-%d %H:%M %Z}")
    house = config.for_simulation()
    zone = ZoneInfo(house.house.site.timezone)
    recorded = Recorded.of(house, seed)
    day = since.astimezone(zone).date()
    days = max(1.0, (at - since) / timedelta(days=1))
    warm, first, _ = recorded.begins(day, house, days, field="--day")
    twin = twin_of(house, recorded, warm, seed)
    rooms = warm_up(twin, house, recorded, first)
    plans: list[PlanReady] = []
    parts = surroundings(house, recorded, twin, rooms)
    runtime = StepRuntime(house_tree(house, parts), clock=ManualClock(first), seed=seed)
    runtime.listen(lambda event: plans.append(event) if isinstance(event, PlanReady) else None, PlanReady)
    runtime.start()
    runtime.run_for(max(at - first, _SETTLE).total_seconds())
    runtime.stop()
    if not plans:
        raise PlanError(f"the house made no plan until {at:%Y-%m-%d %H:%M %Z}", hint="ask for a later time")
    return plans[-1].problem, plans[-1].plan
