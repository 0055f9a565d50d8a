"""Limits of the house: a room's maximum, the fuse, and hours in which feeding in costs money."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from models.types.command import Level, Outcome
from models.types.mode import Composite, InverterMode
from tests.scenarios.home import (
    BATH,
    CHEAP_NIGHT,
    DISPATCHER,
    EXPORT,
    HALL,
    HOUR_S,
    LIVING,
    MODE,
    NEGATIVE_NOON,
    NOON,
    Home,
    spot,
)

CHARGE = InverterMode(composite=Composite.CHARGE_FROM_GRID, stop_soc=1.0)
RELAYS = (HALL, BATH, LIVING)


def test_a_room_that_reaches_its_maximum_is_switched_off_within_a_tick_whoever_wants_it_warmer() -> None:
    home = Home(prices=spot(NOON, CHEAP_NIGHT), tick_s=10.0).start(700)
    assert home.override(HALL, "on", ttl_s=2 * HOUR_S).outcome is Outcome.ACCEPTED
    home.run(120)
    assert home.room("hall").relay_on
    home.warm("hall", 22.6)
    home.run(2 * home.config.timing.gate_tick_s)
    assert not home.room("hall").relay_on
    assert home.output(HALL)["level"] == Level.GRID_OPERATOR and "maximum 22.5" in home.output(HALL)["reason"]
    assert "limit:room.hall.relay" in home.living_alarms()
    home.run(900)
    home.warm("hall", 22.2)  # 0.2 K below: the owner's wish still lives and acts again
    home.run(120)
    assert home.output(HALL)["holder"] == "user" and home.room("hall").relay_on
    assert "limit:room.hall.relay" not in home.living_alarms()
    home.sound()


def test_above_the_fuse_heating_is_shed_in_its_order_and_comes_back_when_there_is_room() -> None:
    home = Home(prices=spot(NOON, CHEAP_NIGHT), tick_s=10.0, fuse_a=16.0, sun=0.0, replan_s=86_400).start(700)
    home.override(MODE, InverterMode(composite=Composite.HOLD), ttl_s=HOUR_S)  # the plan would leave no room
    home.run(300)
    for relay in RELAYS:
        home.override(relay, "on", ttl_s=4 * HOUR_S)
        home.run(60)
    home.run(900)  # a relay that the plan had just switched off waits for its minimum time
    assert all(home.room(r.name).relay_on for r in home.house.rooms)
    rating = home.house.connection.fuse_a * home.house.connection.voltage_v / 1000.0
    assert max(home.twin.truth().phase_import_kw) < rating
    home.override(MODE, CHARGE, ttl_s=HOUR_S)
    home.run(300)
    assert home.twin.truth().battery_kw > 4.0
    assert not home.room("hall").relay_on and not home.room("bath").relay_on
    assert max(home.twin.truth().phase_import_kw) <= rating + 0.01
    off = [w.point for w in home.wire if w.level is Level.GRID_OPERATOR and w.value == "off"]
    assert off == list(RELAYS[: len(off)])  # as they stand in the house file
    assert "fuse" in home.output(HALL)["reason"]
    home.run(1.5 * HOUR_S)
    assert home.twin.truth().battery_kw < 1.0
    home.run(900)
    assert all(home.room(r.name).relay_on for r in home.house.rooms)
    assert not [name for name in home.living_alarms() if name.startswith(("limit:", "trip:"))]
    home.sound()


@pytest.mark.parametrize("plans", [True, False])
def test_while_feeding_in_costs_money_nothing_is_fed_in_with_and_without_a_plan(plans: bool) -> None:
    nine = datetime(2021, 2, 8, 9, 0, tzinfo=UTC)
    home = Home(start=nine, prices=spot(NOON, NEGATIVE_NOON), soc=1.0, load_kw=0.3)
    home.optimizer_dead = not plans
    home.start()
    home.run_until(datetime(2021, 2, 8, 9, 58, tzinfo=UTC))
    assert home.output(EXPORT)["value"] == 8.0
    home.run_until(datetime(2021, 2, 8, 10, 3, tzinfo=UTC))
    before = home.twin.truth()
    assert home.output(EXPORT)["value"] == 0.0 and home.output(EXPORT)["level"] <= Level.PLAN
    home.run_until(datetime(2021, 2, 8, 13, 57, tzinfo=UTC))
    after = home.twin.truth()
    assert after.meters.export_kwh - before.meters.export_kwh < 0.02
    curtailed = after.meters.pv_available_kwh - before.meters.pv_available_kwh - (
        after.meters.pv_used_kwh - before.meters.pv_used_kwh
    )
    assert plans or curtailed > 1.0, "the sun offered more than a house without a plan could use"
    home.run_until(datetime(2021, 2, 8, 14, 10, tzinfo=UTC))
    assert home.output(EXPORT)["value"] == 8.0
    assert (home.output(HALL)["holder"] == DISPATCHER) is plans
    home.sound()
