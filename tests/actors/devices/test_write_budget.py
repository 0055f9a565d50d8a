"""The day's budget of writes: who may still write when little is left of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from actors.devices.growatt import Write
from actors.devices.write_budget import EXPORT_RESERVE, RESERVE, SLOT_RESERVE, WriteBudget
from actors.memory import MemoryWear
from models.types.command import Level

NOW = datetime(2021, 5, 23, 7, tzinfo=UTC)
SOC = Write(register="batteryfirst.soc", command="batteryfirst/set/stopsoc", body={"value": 50})
SLOT = Write(register="batteryfirst.slot1", command="batteryfirst/set/timeslot", body={"slot": 1}, slot=True)
FEED_IN_OFF = Write(register="export.value", command="modbus/set", body={"value": 0})


def spent(writes: int = 0, slots: int = 0) -> WriteBudget:
    """A budget of 24 writes and 48 slots after a day with so many."""
    wear = MemoryWear()
    for n in range(writes + slots):
        wear.record(NOW - timedelta(minutes=30), "gridfirst.soc", slot=n >= writes, exempt=False)
    return WriteBudget(wear, writes=24, slots=48)


@pytest.mark.parametrize(
    ("writes", "write", "level", "allowed"),
    [
        (24 - RESERVE - EXPORT_RESERVE - 1, SOC, Level.PLAN, True),
        (24 - RESERVE - EXPORT_RESERVE, SOC, Level.PLAN, False),
        (24 - RESERVE - EXPORT_RESERVE, FEED_IN_OFF, Level.LOCAL_RULES, True),
        (24 - RESERVE, FEED_IN_OFF, Level.LOCAL_RULES, False),
        (24 - RESERVE, SOC, Level.DEFAULT, True),
        (24, SOC, Level.DEFAULT, False),
        (100, SOC, Level.SAFETY_TRIP, True),
    ],
)
def test_a_plan_stops_first_then_the_feed_in_limit_then_the_way_back_and_a_trip_never(
    writes: int, write: Write, level: Level, allowed: bool
) -> None:
    assert spent(writes).allows(write, level, NOW) is allowed


@pytest.mark.parametrize(
    ("slots", "level", "allowed"),
    [
        (48 - SLOT_RESERVE - 1, Level.PLAN, True),
        (48 - SLOT_RESERVE, Level.PLAN, False),
        (48 - SLOT_RESERVE, Level.DEFAULT, True),
        (48, Level.DEFAULT, False),
    ],
)
def test_slots_have_a_budget_of_their_own(slots: int, level: Level, allowed: bool) -> None:
    assert spent(slots=slots).allows(SLOT, level, NOW) is allowed
    assert spent(slots=48).allows(SOC, Level.PLAN, NOW)


def test_what_is_left_is_what_modes_may_write_and_may_be_less_than_nothing() -> None:
    assert spent().left(NOW) == 24 - EXPORT_RESERVE
    assert spent(slots=47).left(NOW) == 1
    assert spent(30).left(NOW) == 24 - EXPORT_RESERVE - 30
    assert spent(30).left(NOW + timedelta(days=1)) == 24 - EXPORT_RESERVE, "a day later they are forgotten"


def test_every_write_is_counted_also_those_of_a_trip() -> None:
    budget = spent()
    budget.record(SOC, Level.SAFETY_TRIP, NOW)
    budget.record(SLOT, Level.PLAN, NOW)
    assert budget.used(NOW) == (1, 1) and budget.problem == ""
