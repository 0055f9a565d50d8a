"""Plans under limits of the grid operator: the slots they touch, and a new plan when they change."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from actors.messages import OperatorLimits, PlanReady
from models.types.operator import ImportLimit
from solvers.problem import PlanProblem
from solvers.validate import validate
from tests.actors.devices.bench import START
from tests.actors.planning.test_assemble import HOUSE, NOW, SETTINGS, STEPS, made
from tests.actors.planning.test_planner import Room, ready

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
EVENING = ImportLimit(start=START + 8 * HOUR, end=START + 10 * HOUR, import_kw=4.2)


def limits_of(problem: PlanProblem) -> dict[int, float]:
    """Slots that are limited by more than the connection."""
    return {t: kw for t in range(problem.steps) if (kw := problem.import_allowed_kw(t)) < problem.import_limit_kw}


def test_without_limits_the_problem_knows_only_the_connection() -> None:
    assert made().import_limits_kw == ()
    over = replace(EVENING, start=START - 2 * HOUR, end=START)
    assert made(replace(NOW, import_limits=(over,))).import_limits_kw == (), "it is over"


def test_each_slot_that_a_limit_touches_is_planned_under_it_with_a_margin() -> None:
    problem = made(replace(NOW, import_limits=(EVENING,)))
    validate(problem)
    assert limits_of(problem) == dict.fromkeys(range(32, 40), pytest.approx(4.2 - SETTINGS.import_margin_kw))
    ragged = replace(EVENING, start=EVENING.start - MINUTE, end=EVENING.end + MINUTE)
    assert list(limits_of(made(replace(NOW, import_limits=(ragged,))))) == list(range(31, 41))


def test_where_limits_overlap_the_strictest_counts_and_none_is_below_nothing() -> None:
    strict = replace(EVENING, start=START + 9 * HOUR, end=START + 11 * HOUR, import_kw=0.5)
    found = limits_of(made(replace(NOW, import_limits=(EVENING, strict))))
    assert [found[t] for t in (32, 35, 36, 43)] == [pytest.approx(3.0), pytest.approx(3.0), 0.0, 0.0]


def test_a_limit_as_wide_as_the_connection_and_one_beyond_the_horizon_change_nothing() -> None:
    wide = replace(EVENING, import_kw=HOUSE.connection.import_limit_kw)
    assert limits_of(made(replace(NOW, import_limits=(wide,)))) == {}
    far = replace(EVENING, start=START + 48 * HOUR, end=START + 49 * HOUR)
    assert made(replace(NOW, import_limits=(far,))).import_limits_kw == ()
    assert made(replace(NOW, import_limits=(replace(far, start=EVENING.start),))).steps == STEPS


# --- the planner ------------------------------------------------------------------------------------------------------
def planned(room: Room, seconds: float) -> list[PlanProblem]:
    before = len(room.of(PlanReady))
    room.run(seconds)
    return [p.problem for p in room.of(PlanReady)[before:]]


def test_a_new_limit_brings_a_new_plan_at_once_and_so_does_lifting_it() -> None:
    room = ready()
    assert len(planned(room, 60)) == 1
    room.publish(OperatorLimits(limits=(EVENING,)))
    (problem,) = planned(room, 30)
    assert set(limits_of(problem)) == set(range(32, 40))
    room.publish(OperatorLimits(limits=()))
    (problem,) = planned(room, 30)
    assert limits_of(problem) == {}


def test_a_limit_that_is_said_again_or_ends_as_planned_brings_no_new_plan() -> None:
    room = ready()
    short = replace(EVENING, start=START, end=START + 5 * MINUTE)
    room.publish(OperatorLimits(limits=(short, EVENING)))
    assert len(planned(room, 60)) == 1
    room.publish(OperatorLimits(limits=(short, EVENING)))
    assert planned(room, 300) == []
    room.publish(OperatorLimits(limits=(EVENING,)))
    assert planned(room, 60) == []
    assert set(limits_of(planned(room, 900)[0])) == set(range(31, 39))


def test_a_limit_that_comes_while_a_plan_is_made_is_in_the_next_one_right_after() -> None:
    room = ready(plan_s=20.0)
    room.run(25)
    room.publish(OperatorLimits(limits=(EVENING,)))
    first, second = planned(room, 60)
    assert limits_of(first) == {} and set(limits_of(second)) == set(range(32, 40))
