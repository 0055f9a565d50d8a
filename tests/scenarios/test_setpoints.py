"""Rooms whose thermostats are moved instead of their relays: people, restarts and the end of PEMS are met as they are
with relays, and a day of February costs about the same, never cold.
"""

from __future__ import annotations

import itertools
from datetime import date, timedelta
from pathlib import Path

import pytest

import config
from config.load import load
from config.schema import HouseFile
from models.scorecard import PolicyScore, score
from models.types.command import RELINQUISH, Level, RelayState
from pems_actors.evidence import read_wire
from pems_actors.release import release_all
from pems_actors.simulate import simulate
from pems_actors.simulation.policy import Job, Outcome, run_policy
from tests.properties.house import ROOMS, house_file
from tests.scenarios.home import DISPATCHER, FLAT, HOUR_S, LIVING, NOON, Home, spot

HALL_C, LIVING_C = "room.hall.setpoint_c", "room.living.setpoint_c"
NAMES = [room.name for room in ROOMS]
DEAR_SOON = (*FLAT[:11], 0.02, 0.02, 0.02, *(0.6,) * 6, *FLAT[20:])  # from 14:00 UTC on: worth heating before


def by_setpoint() -> Home:
    """All rooms are moved by setpoint; a dear afternoon is coming."""
    rooms = [room.model_copy(update={"control": "setpoint"}) for room in ROOMS]
    file = house_file(rooms=rooms, tick_s=30.0, fuse_a=32.0)
    home = Home(config=file, prices=spot(NOON, DEAR_SOON), sun=0.0, soc=0.2, replan_s=900.0)
    return home.start(HOUR_S)


def set_to(home: Home, room: str) -> float | None:
    """Where Loxone's thermostat was set; None: it stands where it stands by itself."""
    return home.twin.loxone.rooms[NAMES.index(room)].setpoint_c


def raised(home: Home) -> list[str]:
    """Rooms that are heated above their lower edge."""
    return [r.name for r in ROOMS if (set_to(home, r.name) or 0.0) > r.day_min_c + 0.1]


def alarms(home: Home, name: str) -> list[str]:
    return [a.text for a in home.alarms if a.name == name and a.active]


def test_rooms_are_heated_before_a_dear_afternoon_without_one_order_to_a_relay() -> None:
    home = by_setpoint()
    assert raised(home)
    before = {name: home.room(name).air_c for name in NAMES}
    home.run(1800)
    warmed = [name for name in NAMES if home.room(name).air_c > before[name]]
    assert warmed
    assert not [o for o in home.orders if o[1].startswith("loxone/heating/")]
    assert all(state.told is RelayState.AUTO for state in home.twin.loxone.rooms)
    home.sound()


def test_a_person_who_sets_a_thermostat_has_it_and_the_plan_counts_with_that_heat() -> None:
    home = by_setpoint()
    home.override(LIVING_C, 23.0, ttl_s=3 * HOUR_S)
    home.run(HOUR_S + 60)
    assert set_to(home, "living") == 23.0
    living = next(r for r in home.plans[-1].problem.rooms if r.name == "living")
    assert living.forced_slots in (8, 9) and 0.0 < living.forced_duty <= 1.0
    home.override(LIVING_C, RELINQUISH, ttl_s=60.0)
    home.run(HOUR_S)
    living = next(r for r in home.plans[-1].problem.rooms if r.name == "living")
    assert living.forced_slots == 0
    assert home.output(LIVING_C)["holder"] == DISPATCHER
    home.sound()


def test_a_thermostat_turned_at_the_wall_is_a_hand_and_is_respected() -> None:
    home = by_setpoint()
    home.twin.loxone.rooms[NAMES.index("hall")].setpoint_c = 20.3
    home.run(300)
    assert (home.output(HALL_C)["level"], home.output(HALL_C)["value"]) == (Level.USER, 20.3)
    assert len(alarms(home, f"third_hand:{HALL_C}")) == 1
    home.run(2 * HOUR_S + 600)
    assert home.output(HALL_C)["holder"] == DISPATCHER
    home.sound()


def test_loxone_that_forgot_all_setpoints_is_told_again_and_nobody_is_blamed() -> None:
    home = by_setpoint()
    before = raised(home)
    assert before
    for state in home.twin.loxone.rooms:
        state.setpoint_c = None
    home.run(180)
    assert raised(home) == before
    assert alarms(home, "loxone_restart") and not [a for a in home.alarms if a.name.startswith("third_hand")]
    home.sound()


def test_a_wire_that_was_away_for_long_finds_the_rooms_at_their_edges_and_sets_them_again() -> None:
    home = by_setpoint()
    assert raised(home)
    home.link_down = True
    home.run(600)
    assert [set_to(home, name) for name in NAMES] == [None] * 3, "no heartbeat: Loxone forgets them by itself"
    home.link_down = False
    home.run(900)
    assert all(set_to(home, name) is not None for name in NAMES)
    assert not [a for a in home.alarms if a.name.startswith("third_hand")]
    home.sound()


def test_when_pems_ends_every_setpoint_is_given_back_and_seen_to_be_gone() -> None:
    home = by_setpoint()
    assert raised(home)
    assert release_all(home.runtime, timeout_s=300.0) == {}
    assert [set_to(home, name) for name in NAMES] == [None] * 3


def test_without_a_new_plan_for_hours_every_room_is_back_at_its_own_thermostat() -> None:
    home = by_setpoint()
    assert raised(home)
    home.optimizer_dead = True
    home.run(2 * HOUR_S + 1800)
    assert [set_to(home, name) for name in NAMES] == [None] * 3
    assert alarms(home, "plan_old")
    home.sound()


def test_a_room_at_its_maximum_is_still_switched_off_by_safety() -> None:
    home = by_setpoint()
    home.warm("living", 23.6)
    home.override(LIVING_C, 23.5)
    home.run(120)
    assert home.output(LIVING)["level"] == Level.GRID_OPERATOR and not home.room("living").relay_on
    home.sound()


# --- a day on recorded weather and prices -----------------------------------------------------------------------------
CHOSEN = ("loznice", "kuchyne", "obyvak")


def three_rooms(control: str) -> HouseFile:
    """Three rooms of the demo house, without its battery: what heating costs is then what differs."""
    file = load(Path(config.__path__[0]) / "demo.toml")
    rooms = tuple(r.model_copy(update={"control": control}) for r in file.rooms if r.name in CHOSEN)
    simulation = file.simulation.model_copy(update={"warmup_days": 1, "tail_h": 24})
    planner = file.planner.model_copy(update={"horizon_h": 24.0})
    changes = {"rooms": rooms, "battery": None, "simulation": simulation, "planner": planner}
    return file.model_copy(update=changes).for_simulation()


def a_day(policy: str, control: str) -> tuple[PolicyScore, Outcome]:
    file = three_rooms(control)
    job = Job(policy=policy, config=file, start=date(2021, 2, 9), days=1.0, seed=1, replan_s=3600.0)
    outcome = run_policy(job, lambda _: None)
    assert outcome.breaches == []
    return score(outcome.rows, house=file.house, switches=outcome.switches), outcome


def most_moves_in_an_hour(outcome: Outcome) -> int:
    most = 0
    for name in CHOSEN:
        writes = [w for w in outcome.wire if w.point == f"room.{name}.setpoint_c"]
        moved = [b.at for a, b in itertools.pairwise(writes) if a.value != b.value]
        most = max(most, *(sum(at <= other < at + timedelta(hours=1) for other in moved) for at in moved))
    return most


def test_a_day_by_setpoints_costs_about_what_it_costs_by_relays_and_no_room_is_cold() -> None:
    relays, _ = a_day("pems", "relay")
    setpoints, outcome = a_day("pems", "setpoint")
    rules, _ = a_day("rules", "setpoint")
    assert not [w for w in outcome.wire if w.point.endswith(".relay")]
    assert setpoints.cost_eur == pytest.approx(relays.cost_eur, rel=0.02)
    assert setpoints.cost_eur < rules.cost_eur - 1.0
    assert setpoints.comfort_kh <= relays.comfort_kh + 0.05 and setpoints.deepest_k <= relays.deepest_k + 0.1
    assert most_moves_in_an_hour(outcome) <= 5, "four of the plan's, and one that gives a setpoint back"


def test_simulate_plays_a_house_without_one_relay_to_switch(tmp_path: Path) -> None:
    demo = load(Path(config.__path__[0]) / "demo.toml")
    rooms = tuple(r.model_copy(update={"control": "setpoint"}) for r in demo.rooms)
    simulation = demo.simulation.model_copy(update={"warmup_days": 0, "tail_h": 1})
    file = demo.model_copy(update={"rooms": rooms, "simulation": simulation})
    card = simulate(file, date(2021, 2, 9), 1 / 24, 1, 3600.0, tmp_path, ("smart", "pems"), lambda *_: None)
    assert card["violations"] == 0
    points = {line.point for line in read_wire(tmp_path / "wire.jsonl")}
    assert {f"room.{r.name}.setpoint_c" for r in rooms} <= points
    assert not {p for p in points if p.endswith(".relay")}
