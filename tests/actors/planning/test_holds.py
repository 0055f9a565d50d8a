"""What somebody stronger than a plan holds is handed to the next plan as it is, for as long as it lasts."""

from __future__ import annotations

import pytest

from actors.messages import Holding
from actors.planning.assemble import ForcedHeat, HeldSetpoint
from actors.planning.holds import Holds
from models.types.command import Level, Value
from models.types.mode import REGULAR
from tests.actors.devices.bench import BATH as TILED
from tests.actors.devices.bench import HALL

SLOT_S, HORIZON_S = 900.0, 48 * 3600.0
BATH = TILED.model_copy(update={"control": "setpoint"})
NOW_S = 1000.0


def holds(*said: Holding) -> Holds:
    made = Holds((HALL, BATH), slot_s=SLOT_S, horizon_s=HORIZON_S)
    for holding in said:
        made.see(holding)
    return made


def holding(point: str, value: Value | None, for_s: float | None = 3600.0, level: Level = Level.USER) -> Holding:
    return Holding(point=point, value=value, level=level, until_s=None if for_s is None else NOW_S + for_s)


def test_a_relay_that_is_held_is_heat_or_none_for_its_slots() -> None:
    assert holds(holding("room.hall.relay", "on")).heat(NOW_S, 0.0) == {"hall": ForcedHeat(duty=1.0, slots=4)}
    assert holds(holding("room.hall.relay", "off")).heat(NOW_S, 0.0) == {"hall": ForcedHeat(duty=0.0, slots=4)}


def test_a_slot_that_is_held_in_part_is_not_ours() -> None:
    assert holds(holding("room.hall.relay", "on", 901.0)).heat(NOW_S, 0.0)["hall"].slots == 2


def test_slots_are_counted_from_the_beginning_of_the_one_that_runs() -> None:
    made = holds(holding("room.hall.relay", "on", 1800.0), holding("inverter.mode", REGULAR, 1800.0))
    assert (made.heat(NOW_S, 0.0)["hall"].slots, made.mode_slots(NOW_S, 0.0)) == (2, 2)
    assert (made.heat(NOW_S, 600.0)["hall"].slots, made.mode_slots(NOW_S, 600.0)) == (3, 3), "minute 10 to minute 40"


def test_what_is_held_until_further_notice_is_held_over_the_horizon() -> None:
    made = holds(holding("room.hall.relay", "off", None), holding("inverter.mode", REGULAR, None))
    assert made.heat(NOW_S, 0.0)["hall"].slots == 192
    assert made.mode_slots(NOW_S, 0.0) == 192


def test_what_is_over_or_left_to_plans_again_is_ours() -> None:
    made = holds(
        holding("room.hall.relay", "on"), holding("room.bath.setpoint_c", 23.0), holding("inverter.mode", REGULAR)
    )
    later = NOW_S + 3600.0
    assert (made.heat(later, 0.0), made.setpoints(later, 0.0), made.mode_slots(later, 0.0)) == ({}, {}, 0)
    made.see(holding("room.hall.relay", "on", None, Level.PLAN))
    assert made.heat(NOW_S, 0.0) == {} and made.mode_slots(NOW_S, 0.0) == 4


def test_a_relay_given_back_to_its_thermostat_is_planned_as_if_ours() -> None:
    assert holds(holding("room.hall.relay", "auto")).heat(NOW_S, 0.0) == {}


@pytest.mark.parametrize(("for_s", "slots"), [(60.0, None), (901.0, 2)])
def test_a_relay_shed_for_a_minute_is_back_before_a_plan_could_tell(for_s: float, slots: int | None) -> None:
    found = holds(holding("room.hall.relay", "off", for_s, Level.GRID_OPERATOR)).heat(NOW_S, 0.0)
    assert found == ({} if slots is None else {"hall": ForcedHeat(duty=0.0, slots=slots)})


def test_a_setpoint_is_held_only_where_a_plan_moves_setpoints() -> None:
    made = holds(holding("room.hall.setpoint_c", 23.0), holding("room.bath.setpoint_c", 23.0))
    assert made.setpoints(NOW_S, 0.0) == {"bath": HeldSetpoint(setpoint_c=23.0, slots=4)}
    assert holds(holding("room.bath.setpoint_c", "auto")).setpoints(NOW_S, 0.0) == {}
