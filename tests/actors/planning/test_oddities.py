"""What is odd in a problem is said once when it begins and once when it is over, whatever its words are by then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from actors.messages import Alarm
from solvers.problem import PlanProblem
from solvers.result import Remark, SignedPlan
from tests.actors.planning.test_planner import PATH, Room, by_rules, ready

HALL, PRICES = "odd_input:room.hall", "odd_input:prices"


def remarked(*abouts: str) -> Callable[[object], object]:
    """A planner whose remarks have other slots in their words each time."""

    def answer(problem: object) -> object:
        assert isinstance(problem, PlanProblem)
        signed = by_rules(problem)
        assert isinstance(signed, SignedPlan)
        return replace(signed, remarks=tuple(Remark(about=a, text=f"{a} is odd in {problem.id}") for a in abouts))

    return answer


def said(room: Room) -> list[tuple[str, bool]]:
    return [(alarm.name, alarm.active) for alarm in room.of(Alarm)]


def test_a_remark_is_said_once_however_many_plans_carry_it_and_once_when_it_is_over() -> None:
    room = ready(optimizer=remarked("room.hall", "prices"))
    room.run(3600)
    assert len(room.problems) >= 4 and said(room) == [(HALL, True), (PRICES, True)]
    assert "is odd in plan-" in room.of(Alarm)[0].text
    room.optimizer = remarked("prices")
    room.run(1800)
    assert said(room)[2:] == [(HALL, False)]
    room.optimizer = by_rules
    room.run(1800)
    assert said(room)[3:] == [(PRICES, False)]


def test_a_new_life_of_the_planner_says_again_what_still_holds() -> None:
    room = ready(optimizer=remarked("prices"))
    room.run(900)
    room.runtime.restart(PATH, "test")
    room.run(15)
    room.know()
    room.run(900)
    assert said(room) == [(PRICES, True), (PRICES, True)]
