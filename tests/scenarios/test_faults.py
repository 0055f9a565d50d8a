"""Any one actor fails, and the house goes on."""

from __future__ import annotations

import pytest

from models.types.command import Outcome
from tests.scenarios.home import CHEAP_NIGHT, DISPATCHER, GATE, HALL, HOUR_S, LIVING, NOON, Home, spot

# every actor and supervisor but the root: if that fails, the process ends
PATHS = sorted(path for path in Home().runtime.cells if path != "/")


def test_the_tree_of_the_stories_is_that_of_the_house() -> None:
    assert {
        *("/core/gate", "/core/safety", "/devices/inverter", "/devices/rooms", "/devices/meter"),
        *("/io/link", "/io/twin", "/io/prices", "/io/weather", "/ops/status"),
        *("/plan/planner", "/plan/dispatcher", "/plan/optimizer", "/plan/forecaster", "/plan/local_rules"),
    } <= set(PATHS)


@pytest.mark.parametrize("path", PATHS)
def test_a_fault_in_any_actor_is_healed_and_the_house_goes_on(path: str) -> None:
    home = Home(prices=spot(NOON, CHEAP_NIGHT), replan_s=900).start(700)
    assert home.output(LIVING)["holder"] == DISPATCHER
    lives = {p: cell.incarnation for p, cell in home.runtime.cells.items()}
    made = len(home.plans)
    home.fail(path)
    home.run(1300)
    cells = home.runtime.cells
    assert {p: c.state for p, c in cells.items() if c.state != "running"} == {}
    assert cells[path].incarnation == lives[path] + 1 and cells[path].last_error is not None
    assert "injected" in str(cells[path].last_error)
    assert len(home.plans) > made, "it plans"
    assert home.output(LIVING)["holder"] == DISPATCHER, "the plan acts"
    permit_left_s = home.runtime.behaviour_snapshot(GATE)["permit_left_s"]
    assert isinstance(permit_left_s, float) and permit_left_s > 0
    other = "off" if home.room("hall").relay_on else "on"
    assert home.override(HALL, other, ttl_s=HOUR_S).outcome is Outcome.ACCEPTED
    home.run(900)  # the relay's minimum time may have to end first
    assert home.output(HALL)["holder"] == "user" and home.room("hall").relay_on is (other == "on"), "people are heard"
    assert not home.living_alarms()
    home.sound()


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt(), MemoryError(), RecursionError()])
def test_whatever_is_raised_it_ends_one_life_and_not_the_house(error: BaseException) -> None:
    home = Home(prices=spot(NOON, CHEAP_NIGHT)).start()
    home.fail(GATE, error)
    home.run(300)
    assert home.runtime.cells[GATE].incarnation == 2
    assert home.output(LIVING)["holder"] == DISPATCHER
    home.sound()


def test_an_actor_that_always_fails_is_parked_and_the_rest_goes_on_without_it() -> None:
    home = Home(prices=spot(NOON, CHEAP_NIGHT)).start()
    for _ in range(8):
        home.fail("/plan/dispatcher")
        home.run(20)
    assert home.runtime.cells["/plan/dispatcher"].state == "parked"
    home.run(2 * HOUR_S)
    assert home.output(LIVING)["value"] in ("auto", "on", "off")
    assert {p for p, c in home.runtime.cells.items() if c.state != "running"} <= {"/plan/dispatcher"}
    home.sound()
