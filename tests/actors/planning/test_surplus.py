"""Heating on sun that nobody takes: the coldest room in its band first, and back when power is bought."""

from __future__ import annotations

import pytest

from actors.messages import PricesKnown
from actors.planning.surplus import EVERY_S, TTL_S, SurplusHeating
from actors.requests import GATE
from models.types.command import RELINQUISH, Level, Request
from tests.actors.devices.bench import Bench, a_house
from tests.actors.planning.plans import inverter, prices, rooms

PATH = "/plan/surplus"
WARM = {"hall": 21.0, "bath": 22.0}  # 1.5 and 2.5 K below their maxima


@pytest.fixture
def bench() -> Bench:
    made = Bench({PATH: lambda: SurplusHeating(a_house(), level=Level.PLAN)}, ears=(GATE,))
    made.start()
    made.publish(rooms(dict(WARM)))
    return made


def look(bench: Bench, grid_kw: float, **changes: object) -> list[tuple[str, object]]:
    """What is asked at the next look."""
    before = len(bench.heard[GATE])
    bench.publish(inverter(grid_kw=grid_kw, **changes))  # type: ignore[arg-type]
    bench.run(EVERY_S)
    return [(r.point.split(".")[1], r.value) for r in bench.told(GATE, Request)[before:]]


def test_the_room_that_is_coldest_in_its_band_is_heated_first_then_the_next(bench: Bench) -> None:
    assert look(bench, -2.0) == [("bath", "on")]
    assert look(bench, -2.0) == [("bath", "on"), ("hall", "on")]
    assert look(bench, 0.0) == [("bath", "on"), ("hall", "on")]
    request = bench.told(GATE, Request)[0]
    assert request.expires is not None and (request.expires - request.issued).total_seconds() == TTL_S


def test_the_last_room_is_taken_back_while_power_is_bought(bench: Bench) -> None:
    look(bench, -2.0)
    look(bench, -2.0)
    assert look(bench, 0.5) == [("hall", RELINQUISH), ("bath", "on")]
    assert look(bench, 0.5) == [("bath", RELINQUISH)]
    assert look(bench, 0.5) == []


def test_a_room_that_draws_more_than_the_surplus_is_not_begun(bench: Bench) -> None:
    assert look(bench, -0.5) == [("bath", "on")]  # 0.6 kW: within the tolerance
    assert look(bench, -0.8) == [("bath", "on")]  # the hall's 1.2 kW are not there


def test_a_room_at_its_maximum_is_taken_back_and_not_begun(bench: Bench) -> None:
    look(bench, -2.0)
    bench.publish(rooms({"hall": 22.2, "bath": 24.1}))
    assert look(bench, -2.0) == [("bath", RELINQUISH)]


def test_a_room_of_unknown_temperature_is_not_heated(bench: Bench) -> None:
    bench.publish(rooms({"hall": None, "bath": None}))
    assert look(bench, -5.0) == []


@pytest.mark.parametrize("unknown", ["grid_kw", "soc", "pv_kw"])
def test_what_is_not_known_is_no_surplus(bench: Bench, unknown: str) -> None:
    changes: dict[str, object] = {"grid_kw": -3.0, unknown: None}
    bench.publish(inverter(**changes))  # type: ignore[arg-type]
    bench.run(2 * EVERY_S)
    assert bench.heard[GATE] == []


def test_sun_that_is_curtailed_for_its_price_counts_as_surplus(bench: Bench) -> None:
    bench.publish(PricesKnown(prices=prices([-0.1] * 20)))
    assert look(bench, 0.0, soc=1.0, pv_kw=2.0) == [("bath", "on")]
    assert look(bench, 0.0, soc=0.7, pv_kw=2.0) == [("bath", "on")], "not while the battery still takes it"
    assert bench.runtime.behaviour_snapshot(PATH) == {"on": ["bath"]}


def test_at_an_unknown_price_nothing_is_taken_for_curtailed(bench: Bench) -> None:
    assert look(bench, 0.0, soc=1.0, pv_kw=2.0) == []


def test_a_room_by_setpoint_takes_surplus_through_its_thermostat() -> None:
    house = a_house()
    rooms_by_setpoint = tuple(r.model_copy(update={"control": "setpoint"}) for r in house.rooms)
    house = house.model_copy(update={"rooms": rooms_by_setpoint})
    bench = Bench({PATH: lambda: SurplusHeating(house, level=Level.PLAN)}, ears=(GATE,))
    bench.start()
    bench.publish(rooms(dict(WARM)))
    assert look(bench, -2.0) == [("bath", 23.5)]
    bench.publish(rooms({"hall": 22.2, "bath": 24.1}))
    assert look(bench, -2.0) == [("bath", RELINQUISH)]
    assert {r.point for r in bench.told(GATE, Request)} == {"room.bath.setpoint_c"}
