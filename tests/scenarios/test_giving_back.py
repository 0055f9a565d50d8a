"""The end: every point at its default and read back, or named."""

from __future__ import annotations

import pytest

from models.types.mode import Composite, InverterMode
from pems_actors.release import release_all
from tests.scenarios.home import BATH, CHEAP_NIGHT, EXPORT, HALL, HOUR_S, LIVING, MODE, NOON, Home, spot

SELL = InverterMode(composite=Composite.DISCHARGE_TO_GRID, stop_soc=0.3)


def commanded() -> Home:
    """A house in which every point is held by its owner."""
    home = Home(prices=spot(NOON, CHEAP_NIGHT), soc=0.9).start(700)
    home.override(MODE, SELL, ttl_s=4 * HOUR_S)
    home.override(EXPORT, 3.0, ttl_s=4 * HOUR_S)
    for relay in (HALL, BATH, LIVING):
        home.override(relay, "on", ttl_s=4 * HOUR_S)
    home.run(600)
    assert home.twin.truth().composite is Composite.DISCHARGE_TO_GRID
    assert all(r.relay_on for r in home.twin.truth().rooms)
    assert home.twin.inverter.export_limit_kw == pytest.approx(3.0)
    return home


def automatic(home: Home) -> list[bool]:
    """Which rooms are under Loxone's own thermostat, as it reports."""
    rooms = home.runtime.behaviour_snapshot("/devices/rooms")["rooms"]
    assert isinstance(rooms, dict)
    return [room["automatic"] for room in rooms.values()]


def test_at_the_end_every_default_is_read_back() -> None:
    home = commanded()
    assert release_all(home.runtime, timeout_s=300.0) == {}
    home.run(120)  # the inverter takes up to a minute to follow its registers
    truth = home.twin.truth()
    assert truth.composite is Composite.REGULAR
    assert home.twin.inverter.export_limit_kw == pytest.approx(home.house.connection.export_contract_kw)
    assert automatic(home) == [True, True, True]
    registers, orders = dict(home.twin.inverter.registers), len(home.orders)
    assert home.runtime.stop()
    assert len(home.orders) == orders and home.twin.inverter.registers == registers, "stopping writes nothing more"


def test_what_is_given_back_is_taken_by_nobody_any_more() -> None:
    home = commanded()
    release_all(home.runtime, timeout_s=300.0)
    before = len(home.orders)
    home.override(HALL, "on", ttl_s=HOUR_S)
    home.run(1800)
    after = [(topic, body) for _, topic, body in home.orders[before:] if topic != "pems/heartbeat"]
    assert [body for topic, body in after if "heating" in topic and body.get("state") != "auto"] == []
    assert home.twin.truth().composite is Composite.REGULAR


@pytest.mark.parametrize(
    ("fault", "named", "told"),
    [("offline", {MODE, EXPORT}, "the inverter is silent"),
     ("telemetry_silent", {MODE, EXPORT}, "the inverter is silent"),
     ("liar", {MODE, EXPORT}, "its default is not read back yet"),
     ("loxone_silent", {HALL, BATH, LIVING}, "not back at its own thermostat yet")],
)  # fmt: skip
def test_a_device_that_does_not_answer_or_obey_is_named(fault: str, named: set[str], told: str) -> None:
    home = commanded()
    home.twin.inject(fault, True)
    home.run(11 * home.config.timing.answer_s if told.endswith("silent") else 60.0)
    assert release_all(home.runtime, timeout_s=300.0) == dict.fromkeys(named, told)


def test_a_deaf_loxone_goes_back_by_itself_when_it_misses_the_heartbeat() -> None:
    home = commanded()
    home.twin.inject("loxone_deaf", True)
    assert release_all(home.runtime, timeout_s=600.0) == {}
    assert automatic(home) == [True, True, True]


def test_a_device_actor_that_is_gone_is_named_too() -> None:
    home = commanded()
    for _ in range(9):  # until it is parked
        home.fail("/devices/rooms")
        home.run(20)
    assert home.runtime.cells["/devices/rooms"].state == "parked"
    pending = release_all(home.runtime, timeout_s=120.0)
    assert pending == {"/devices/rooms": "the device actor does not answer"}
