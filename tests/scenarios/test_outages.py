"""What a house does without: the optimizer, the broker, prices, a sensor."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from actors.messages import LinkState
from models.types.command import Level
from models.types.forecast import PriceSeries
from models.types.mode import Composite
from tests.scenarios.home import (
    BATH,
    CHEAP_NIGHT,
    DISPATCHER,
    EXPORT,
    HALL,
    HOUR_S,
    LIVING,
    MODE,
    NOON,
    OPTIMIZER,
    STATUS,
    Home,
    no_prices,
    spot,
)

RELAYS = (HALL, BATH, LIVING)


def test_the_optimizer_dies_in_the_night_and_the_house_falls_back_on_its_thermostats() -> None:
    evening = datetime(2021, 2, 8, 21, 0, tzinfo=UTC)
    home = Home(start=evening, prices=spot(NOON, CHEAP_NIGHT)).start(HOUR_S)
    made = len(home.plans)
    assert home.output(HALL)["holder"] == DISPATCHER
    home.optimizer_dead = True
    home.run(HOUR_S)
    assert len(home.plans) == made and "crashed" in home.living_alarms()["planner"]
    assert home.output(HALL)["holder"] == DISPATCHER  # the last plan goes on
    home.run(2 * HOUR_S)
    assert "plan_old" in home.living_alarms()
    assert [home.output(p)["value"] for p in (MODE, *RELAYS)] == ["regular", "auto", "auto", "auto"]
    home.run(2 * HOUR_S)
    assert [r.name for r in home.house.rooms if home.room(r.name).air_c < r.night_min_c - 0.3] == []
    home.optimizer_dead = False
    home.run(HOUR_S)
    assert len(home.plans) > made and not {"planner", "plan_old"} & set(home.living_alarms())
    assert home.output(HALL)["holder"] == DISPATCHER
    home.sound()


def test_an_optimizer_that_is_only_shot_is_replaced_at_the_next_plan() -> None:
    home = Home(prices=spot(NOON, CHEAP_NIGHT), replan_s=900).start()
    made = len(home.plans)
    home.optimizer_dead = True
    home.run(900)
    home.optimizer_dead = False
    home.run(1800)
    assert len(home.plans) > made
    assert home.runtime.behaviour_snapshot(OPTIMIZER)["deaths"] != 0
    assert home.living_alarms() == {}
    home.sound()


def test_prices_come_late_and_nothing_is_bought_for_the_battery_on_a_guess() -> None:
    morning = datetime(2021, 2, 8, 9, 0, tzinfo=UTC)
    midnight = datetime(2021, 2, 8, 23, 0, tzinfo=UTC)  # local
    late = datetime(2021, 2, 8, 15, 30, tzinfo=UTC)
    whole = spot(NOON, CHEAP_NIGHT)
    known = whole.spot_eur_per_kwh[: int((midnight - whole.start).total_seconds() // whole.dt_s)]

    def market(now: datetime) -> PriceSeries:
        if now < late:
            return replace(whole, spot_eur_per_kwh=known)
        return whole

    home = Home(start=morning, prices=market).start()
    home.run_until(late - timedelta(minutes=1))
    problem, result = home.plans[-1].problem, home.plans[-1].plan.result
    guessed = [i for i, sure in enumerate(problem.price_known) if not sure]
    assert guessed and problem.start + timedelta(hours=problem.dt_h * guessed[0]) == midnight
    assert all(result.modes[i].composite is not Composite.CHARGE_FROM_GRID for i in guessed)
    made = len(home.plans)
    home.run(600)
    assert len(home.plans) == made + 1, "news of half a day are worth a plan at once"
    last = home.plans[-1]
    assert all(last.problem.price_known)
    assert any(mode.composite is Composite.CHARGE_FROM_GRID for mode in last.plan.result.modes), "it pays, once known"
    home.sound()


def test_without_any_price_nothing_is_planned_and_with_the_first_ones_it_begins() -> None:
    home = Home(prices=no_prices).start()
    assert home.plans == [] and "feed:prices" in home.living_alarms() and "waiting for prices" in home.troubles
    assert [home.output(p)["value"] for p in (MODE, EXPORT, *RELAYS)] == ["regular", 8.0, "auto", "auto", "auto"]
    home.prices = lambda _: spot(NOON, CHEAP_NIGHT)
    home.run(600)
    assert len(home.plans) == 1 and home.living_alarms() == {}
    home.sound()


def test_while_the_broker_is_away_wishes_end_and_only_the_living_are_asserted_on_return() -> None:
    home = Home(prices=spot(NOON, CHEAP_NIGHT)).start(HOUR_S)
    states: list[object] = []
    home.runtime.listen(states.append, LinkState)
    home.link_down = True
    home.run(120)
    home.override(HALL, "off", ttl_s=300)
    home.override(BATH, "off", ttl_s=2 * HOUR_S)
    home.run(1500)
    assert home.runtime.behaviour_snapshot(STATUS)["link_up"] is False
    assert home.output(HALL)["holder"] != "user" and home.output(BATH)["holder"] == "user"
    for relay in (HALL, LIVING):  # blind: nothing that depends on what cannot be seen
        assert home.output(relay)["value"] == "auto" and "stale" in home.output(relay)["reason"]
    heard = len(home.orders)
    home.link_down = False
    home.run(60)
    told = {topic.split("/")[2]: body["state"] for _, topic, body in home.orders[heard:] if "heating" in topic}
    assert told.get("bath") == "off" and told.get("hall") != "off"
    home.run(600)
    assert [state.up for state in states if isinstance(state, LinkState)] == [False, True]
    assert home.output(HALL)["holder"] == home.output(LIVING)["holder"] == DISPATCHER
    home.sound()


def test_a_room_whose_sensor_falls_silent_goes_back_to_its_thermostat_alone() -> None:
    home = Home(prices=spot(NOON, CHEAP_NIGHT), replan_s=900).start(HOUR_S)
    home.twin.inject("sensor_silent.hall", True)
    home.run(home.config.timing.rooms_max_age_s + 60)
    assert home.output(HALL)["value"] == "auto" and "stale: room.hall" in home.output(HALL)["reason"]
    assert home.output(BATH)["holder"] == home.output(LIVING)["holder"] == DISPATCHER
    home.run(HOUR_S)
    assert [room.name for room in home.plans[-1].problem.rooms] == ["bath", "living"]
    home.twin.inject("sensor_silent.hall", False)
    home.run(1800)
    assert [room.name for room in home.plans[-1].problem.rooms] == ["hall", "bath", "living"]
    assert home.output(HALL)["holder"] == DISPATCHER
    home.sound()


@pytest.mark.parametrize("fault", ["telemetry_silent", "loxone_silent", "offline"])
def test_a_device_that_says_nothing_is_asked_for_nothing_and_is_taken_up_again(fault: str) -> None:
    home = Home(prices=spot(NOON, CHEAP_NIGHT)).start(HOUR_S)
    home.twin.inject(fault, True)
    home.run(1200)
    outputs = {p: home.output(p) for p in (MODE, *RELAYS)}
    blind = (MODE,) if fault != "loxone_silent" else RELAYS
    assert all(outputs[p]["level"] == Level.DEFAULT and "stale" in outputs[p]["reason"] for p in blind), outputs
    home.twin.inject(fault, False)
    home.run(1800)
    assert home.output(HALL)["holder"] == home.output(MODE)["holder"] == DISPATCHER
    home.sound()
