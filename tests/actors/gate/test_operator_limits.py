"""The gate under a limit of the grid operator: what may be switched on, what it says, and what restarts change."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from actors.gate.power import HEADROOM_MARGIN_KW, headroom_kw
from actors.messages import LiftLimits, LimitImport
from models.types.command import Level
from models.types.house import Connection
from models.types.point import RelayRule
from tests.properties.house import GATE, RELAYS, ROOMS, SAFETY, SETPOINTS, Lab, a_world, house_file

HALL, BATH, LIVING = RELAYS
OPERATOR = "/core/operator"
RULE = RelayRule(heater_kw=1.2, phase=1, min_on_s=600.0, min_off_s=600.0, starts_per_h=4)


def limit(lab: Lab, kw: float, *, in_s: float = 0.0, for_s: float = 7200.0) -> None:
    """The grid operator limits the import."""
    start = lab.clock.now() + timedelta(seconds=in_s)
    asked = LimitImport(start=start, end=start + timedelta(seconds=for_s), import_kw=kw, source="grid operator")
    answer: Any = lab.runtime.ask(OPERATOR, asked, 5.0)
    assert answer["ok"], answer
    lab.runtime.run_until_idle()


def dark_lab() -> Lab:
    """0.8 kW of base load, nothing heats, the battery is at its floor."""
    lab = Lab(world=a_world(sun=0.0), soc=0.2).start(700.0)
    for relay in RELAYS:
        lab.override(relay, "off", ttl_s=7200.0)
    lab.run(700.0)
    assert lab.twin.truth().grid_kw < 1.2
    return lab


def on(lab: Lab, room: str) -> bool:
    """Whether its heater really is on."""
    return next(r.relay_on for r in lab.twin.truth().rooms if r.name == room)


def test_headroom_is_what_the_stricter_of_fuse_and_operator_leaves_at_the_meter() -> None:
    plain = headroom_kw(limit_kw=11.0, phases=3, grid_kw=2.0, running=[RULE], unseen_kw=0.5)
    limited = headroom_kw(limit_kw=11.0, phases=3, grid_kw=2.0, running=[RULE], unseen_kw=0.5, operator_kw=4.2)
    assert limited[0] == 4.2 - 2.5 - HEADROOM_MARGIN_KW
    assert {p: limited[p] for p in (1, 2, 3)} == {p: plain[p] for p in (1, 2, 3)}, "he does not care for phases"
    assert headroom_kw(limit_kw=11.0, phases=3, grid_kw=2.0, running=[RULE], unseen_kw=0.5, operator_kw=99.0) == plain


def test_what_does_not_fit_under_the_limit_waits_and_says_for_what() -> None:
    lab = dark_lab()
    limit(lab, 4.2)
    lab.override(LIVING, "on", ttl_s=3600.0)
    lab.override(HALL, "on", ttl_s=3600.0)
    lab.run(60)
    assert lab.standing(HALL) == "on" and lab.standing(LIVING) != "on"
    waiting = str(lab.output(LIVING)["waiting"])
    assert "left on the connection (grid operator's limit 4.2 kW until 12:23)" in waiting, waiting
    lab.runtime.ask(OPERATOR, LiftLimits(), 5.0)
    lab.run(60)
    assert lab.standing(LIVING) == "on" and "limit" not in str(lab.output(LIVING)["waiting"])
    lab.sound()


def test_a_limit_binds_from_its_start_to_its_end_and_not_before_or_after() -> None:
    lab = dark_lab()
    limit(lab, 1.0, in_s=600.0, for_s=600.0)
    lab.override(BATH, "on", ttl_s=300.0)
    lab.run(30)
    assert lab.standing(BATH) == "on"
    lab.run(690)
    lab.override(BATH, "off", ttl_s=1.0)
    lab.override(HALL, "on", ttl_s=3600.0)
    lab.run(60)
    assert lab.standing(HALL) != "on" and "limit 1 kW" in str(lab.output(HALL)["waiting"])
    lab.run(500)
    assert lab.standing(HALL) == "on"
    lab.sound()


def test_a_limit_outlives_the_gate_safety_and_its_own_actor() -> None:
    lab = dark_lab()
    limit(lab, 1.5)
    for path in (OPERATOR, GATE, SAFETY):
        lab.kill(path)
        lab.run(30)
        lab.override(HALL, "on", ttl_s=3600.0)
        lab.run(30)
        assert lab.standing(HALL) != "on", path
    lab.sound()


def test_without_its_actor_the_limits_that_were_heard_still_bind_until_they_end() -> None:
    lab = dark_lab()
    limit(lab, 1.5, for_s=1200.0)
    for _ in range(8):  # more than a supervisor takes: parked, and no one else with it
        lab.kill(OPERATOR)
        lab.run(20)
    states = {cell.path: cell.state for cell in lab.runtime.stats()}
    assert states[OPERATOR] == "parked" and states[GATE] == "running" and states[SAFETY] == "running"
    lab.kill(GATE)
    lab.run(30)
    lab.override(HALL, "on", ttl_s=3600.0)
    lab.run(60)
    assert lab.standing(HALL) != "on", "nor does a gate that begins anew think it is free"
    lab.run(1200)
    assert lab.standing(HALL) == "on"


def test_what_is_on_above_the_limit_is_shed_at_level_three_and_why_names_it() -> None:
    lab = dark_lab()
    lab.override(HALL, "on", ttl_s=7200.0)
    lab.run(60)
    assert on(lab, "hall")
    limit(lab, 1.5)
    lab.run(30)
    held = lab.output(HALL)
    assert not on(lab, "hall") and held["level"] == Level.GRID_OPERATOR
    assert str(held["reason"]).startswith("operator: grid operator's limit 1.5 kW until"), held["reason"]
    assert lab.alarms[f"limit:{HALL}"].active
    lab.runtime.ask(OPERATOR, LiftLimits(), 5.0)
    lab.run(900)
    assert on(lab, "hall") and lab.output(HALL)["holder"] == "user"
    assert not lab.alarms[f"limit:{HALL}"].active
    lab.sound()


# --- thermostats ------------------------------------------------------------------------------------------------------
def resting_lab() -> Lab:
    """Rooms that are warm enough: their thermostats switch nothing on, 0.8 kW of base load, an empty battery."""
    lab = Lab(world=a_world(sun=0.0, temp_c=18.0), soc=0.2).start(700.0)
    while any(r.relay_on for r in lab.twin.truth().rooms):
        lab.run(60.0)
    lab.run(60.0)
    return lab


def peak_kw(lab: Lab, seconds: float) -> float:
    """Highest import of the time to come."""
    peak = 0.0
    for _ in range(int(seconds / 10)):
        lab.run(10)
        peak = max(peak, lab.twin.truth().grid_kw)
    return peak


def test_a_setpoint_above_the_air_starts_a_heater_so_it_waits_for_power_as_a_relay_does() -> None:
    lab = resting_lab()
    limit(lab, 2.5)
    for setpoint in SETPOINTS:
        lab.override(setpoint, 22.4, ttl_s=3600.0)
    assert peak_kw(lab, 600.0) <= 2.5
    assert [on(lab, r.name) for r in lab.house.rooms] == [True, False, False], "the first that fits, and no other"
    waiting = str(lab.output(SETPOINTS[2])["waiting"])
    assert "left on the connection (grid operator's limit 2.5 kW until" in waiting and waiting.startswith("4.8 kW")
    assert lab.output(SETPOINTS[2])["value"] is None and not lab.alarms.get("limit:" + LIVING)
    lab.runtime.ask(OPERATOR, LiftLimits(), 5.0)
    lab.run(120)
    assert [on(lab, r.name) for r in lab.house.rooms] == [True, True, True]
    lab.sound()


def test_a_setpoint_below_the_air_needs_no_power() -> None:
    lab = resting_lab()
    limit(lab, 0.5)
    lab.override(SETPOINTS[2], 20.0, ttl_s=3600.0)
    lab.run(60)
    assert lab.output(SETPOINTS[2])["value"] == 20.0 and not on(lab, "living")
    lab.sound()


def test_a_plans_setpoint_leaves_the_power_to_a_person_who_waits_for_it() -> None:
    lab = resting_lab()
    lab.override(HALL, "on", ttl_s=7200.0)
    lab.run(60)
    limit(lab, 6.2)
    lab.override(LIVING, "on", ttl_s=3600.0)
    lab.ask(SETPOINTS[1], 22.4)
    lab.run(30)
    assert not on(lab, "bath") and lab.output(SETPOINTS[1])["waiting"] == f"power is kept for {LIVING}"
    lab.release_override(LIVING)
    lab.run(60)
    assert on(lab, "bath")
    lab.sound()


def test_nobody_waits_for_a_wish_that_could_not_be_had_with_every_heater_off() -> None:
    lab = resting_lab()
    limit(lab, 4.2)
    lab.override(SETPOINTS[2], 22.4, ttl_s=7200.0)
    lab.ask(HALL, "on", ttl_s=3600.0)
    lab.ask(SETPOINTS[1], 22.4, ttl_s=3600.0)
    lab.run(900)
    assert on(lab, "hall") and on(lab, "bath") and not on(lab, "living")
    assert str(lab.output(SETPOINTS[2])["waiting"]).startswith("4.8 kW more than the")
    lab.sound()


def test_a_setpoint_that_rests_a_room_stands_while_its_sources_next_one_waits() -> None:
    lab = Lab(world=a_world(sun=0.0), soc=0.2).start(700.0)
    for relay in RELAYS:
        lab.override(relay, "off", ttl_s=6 * 3600.0)
    while lab.twin.truth().rooms[1].air_c >= 20.8:
        lab.run(300.0)
    lab.ask(SETPOINTS[1], 20.0, ttl_s=7200.0)
    lab.release_override(BATH)
    lab.run(60)
    limit(lab, 1.2)
    lab.ask(SETPOINTS[1], 21.3, ttl_s=7200.0)
    before = len(lab.orders)
    assert peak_kw(lab, 600.0) <= 1.2
    held = lab.output(SETPOINTS[1])
    assert held["value"] == 20.0 and "left on the connection" in str(held["waiting"]), "its own edge is 21.0 by day"
    assert not [order for order in lab.orders[before:] if "bath" in order[0]]
    lab.sound()


def test_a_setpoint_that_somebody_else_gave_up_does_not_stand_for_the_wish_that_waits() -> None:
    lab = resting_lab()
    lab.override(SETPOINTS[1], 20.5, ttl_s=7200.0)
    lab.run(30)
    limit(lab, 1.2)
    lab.ask(SETPOINTS[1], 22.4, ttl_s=3600.0)
    lab.release_override(SETPOINTS[1])
    lab.run(30)
    assert lab.output(SETPOINTS[1])["value"] is None and lab.output(SETPOINTS[1])["waiting"]
    lab.sound()


def test_a_setpoint_above_the_air_waits_while_its_relay_is_held_off() -> None:
    lab = resting_lab()
    lab.override(LIVING, "off", ttl_s=600.0)
    limit(lab, 2.5)
    lab.ask(SETPOINTS[2], 22.4, ttl_s=7200.0)
    lab.run(60)
    assert lab.output(SETPOINTS[2])["waiting"] == "its relay is held off"
    assert peak_kw(lab, 1800.0) <= 2.5, "and starts nothing when the relay goes back to its thermostat"
    assert str(lab.output(SETPOINTS[2])["waiting"]).startswith("4.8 kW more than")
    lab.sound()


def test_with_one_phase_there_is_only_the_whole_connection() -> None:
    hall = ROOMS[0].model_copy(update={"heater_kw": 3.0})
    for phase in (0, 1):
        config = house_file(rooms=(hall.model_copy(update={"phase": phase}),))
        connection = Connection(phases=1, fuse_a=32.0, export_contract_kw=7.0)
        lab = Lab(config=config.model_copy(update={"connection": connection}), world=a_world(sun=0.0), soc=0.2)
        lab.start(1400.0)
        lab.override(HALL, "off", ttl_s=7200.0)
        lab.run(700)
        lab.override(HALL, "on", ttl_s=3600.0)
        lab.run(1400)
        assert on(lab, "hall"), lab.output(HALL)
        lab.sound()


def test_a_gate_that_does_not_know_the_meter_yet_lets_no_setpoint_start_a_heater() -> None:
    lab = resting_lab()
    lab.kill(GATE)
    lab.override(SETPOINTS[1], 22.4, ttl_s=3600.0)
    assert lab.output(SETPOINTS[1])["value"] is None
    assert lab.output(SETPOINTS[1])["waiting"] == "grid power is not known"
    lab.run(120)
    assert on(lab, "bath")
    lab.sound()
