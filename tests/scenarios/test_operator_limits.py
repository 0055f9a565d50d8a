"""Dimming events: the grid operator limits what the house imports for an hour or two."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from actors.messages import LimitImport, PlanReady
from config.load import DEMO, load
from models.types.command import Level
from models.types.mode import Composite, InverterMode
from tests.scenarios.home import BATH, FLAT, HALL, HOUR_S, LIVING, MODE, Home, spot

FREEZING = datetime(2021, 2, 8, 16, 0, tzinfo=UTC)  # dusk
KW = 4.2
CHARGE = InverterMode(composite=Composite.CHARGE_FROM_GRID, stop_soc=1.0)


def limited(home: Home, kw: float, start: datetime, for_s: float) -> None:
    """The operator says so."""
    end = start + timedelta(seconds=for_s)
    answer = home.runtime.ask(
        "/core/operator", LimitImport(start=start, end=end, import_kw=kw, source="grid operator"), 5.0
    )
    assert isinstance(answer, dict) and answer["ok"], answer
    home.runtime.run_until_idle()


def grid_kw(home: Home, seconds: float, every_s: float = 10.0) -> list[float]:
    """Import at the connection while time passes."""
    seen = []
    for _ in range(int(seconds // every_s)):
        home.run(every_s)
        seen.append(home.twin.truth().grid_kw)
    return seen


def shed(home: Home) -> list[str]:
    """Points that the operator's limit has put to rest so far."""
    notes = {v.request_id: v for v in home.verdicts}
    return [w.point for w in home.wire if w.level is Level.GRID_OPERATOR and w.request_id in notes]


def over(ready: PlanReady) -> float:
    """The most by which a plan passes what it may import [kW]."""
    result, problem = ready.plan.result, ready.problem
    return max(kw - problem.import_allowed_kw(t) for t, kw in enumerate(result.import_kw))


def bought_kwh(ready: PlanReady, start: datetime, end: datetime) -> float:
    """What a plan imports in the slots of a time."""
    result = ready.plan.result
    slots = [result.start + timedelta(hours=result.dt_h * t) for t in range(len(result.import_kw))]
    return sum(kw * result.dt_h for at, kw in zip(slots, result.import_kw, strict=True) if start <= at < end)


def a_winter_evening(**how: object) -> Home:
    prices = spot(FREEZING, FLAT)
    return Home(start=FREEZING, prices=prices, sun=0.0, temp_c=-6.0, soc=0.22, **how)  # type: ignore[arg-type]


@pytest.mark.slow
def test_the_demo_house_heats_before_an_announced_event_and_keeps_under_it_without_being_made_to() -> None:
    demo = load(DEMO)
    demo = demo.model_copy(update={"timing": demo.timing.for_simulation(10.0)})
    home = a_winter_evening(config=demo).start(1200)
    before = home.plans[-1]
    begins = FREEZING + timedelta(hours=2)
    limited(home, KW, begins, HOUR_S)
    home.run(60)
    plan = home.plans[-1]
    assert plan is not before, "a new plan at once"
    slots = [t for t in range(plan.problem.steps) if plan.problem.import_allowed_kw(t) < KW]
    assert len(slots) == 4 and over(plan) <= 1e-6
    earlier_kwh = bought_kwh(plan, home.clock.now(), begins) - bought_kwh(before, home.clock.now(), begins)
    assert earlier_kwh > 2.0, "what the event forbids is heated before it"
    home.run_until(begins)
    assert home.twin.truth().grid_kw > 2 * KW, "heated to the last minute"
    during = grid_kw(home, HOUR_S)
    assert max(during[6:]) <= KW, "under the limit a minute after its start, to its end"
    assert not shed(home), "what keeps to the plan needs no shedding"
    home.run(1200)
    assert home.twin.truth().grid_kw > 2 * KW, "what waited is heated now"
    assert not home.living_alarms() and not home.troubles[1:], home.troubles
    home.sound()


def test_an_event_that_nobody_announced_sheds_within_a_minute_whoever_heats_and_lets_return_afterwards() -> None:
    home = a_winter_evening(tick_s=5.0).start(900)
    for relay in (HALL, BATH, LIVING):
        home.override(relay, "on", ttl_s=4 * HOUR_S)
    home.run(900)
    assert home.twin.truth().grid_kw > 6.0
    limited(home, 3.0, home.clock.now(), HOUR_S)
    assert max(grid_kw(home, HOUR_S - 60.0)[6:]) <= 3.0
    assert home.output(LIVING)["reason"] == "operator: grid operator's limit 3 kW until 18:30"
    assert home.room("hall").relay_on, "1.2 kW fit under it, and the large heater that does not lets it pass"
    assert home.output(LIVING)["value"] == "off" and home.output(LIVING)["level"] == Level.GRID_OPERATOR
    home.run(900)
    assert all(home.room(room.name).relay_on for room in home.house.rooms)
    assert home.output(LIVING)["holder"] == "user" and not home.living_alarms()
    home.sound()


@pytest.mark.parametrize("plans", [True, False])
def test_where_shedding_is_not_enough_the_battery_stops_charging_from_the_grid(plans: bool) -> None:
    home = a_winter_evening(tick_s=5.0)
    home.optimizer_dead = not plans
    home.start(900)
    home.override(MODE, CHARGE, ttl_s=4 * HOUR_S)
    home.run(300)
    assert home.twin.truth().battery_kw > 4.0
    limited(home, 4.0, home.clock.now(), HOUR_S)
    assert max(grid_kw(home, 0.9 * HOUR_S)[12:]) <= 4.5, "30 s of patience, and the inverter takes its time"
    assert home.output(MODE)["level"] == Level.GRID_OPERATOR
    home.run(900)
    assert home.output(MODE)["holder"] == "user" and home.twin.truth().battery_kw > 4.0
    home.sound()


def test_an_event_outlives_every_actor_of_the_core_and_a_crash_of_each_during_it() -> None:
    home = a_winter_evening(tick_s=5.0).start(900)
    for relay in (HALL, BATH, LIVING):
        home.override(relay, "on", ttl_s=4 * HOUR_S)
    home.run(900)
    limited(home, 3.0, home.clock.now(), HOUR_S)
    for path in ("/core/operator", "/core/safety", "/core/gate", "/devices/rooms", "/plan/planner"):
        home.run(120)
        home.fail(path)
        assert max(grid_kw(home, 300)[12:]) <= 3.0, path
    home.sound()
