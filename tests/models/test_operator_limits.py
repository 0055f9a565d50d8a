"""Limits of the grid operator: what one is, and which heaters are shed and return under it."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from models.errors import DataError
from models.safety import Action, Finding, Memory, View, check, worst
from models.types.house import Connection, House
from models.types.mode import REGULAR, Composite
from models.types.operator import ImportLimit, lowest_between, strictest
from models.types.reading import InverterReading, MeterReading, RoomReading
from tests.models.test_safety import AT
from tests.models.test_safety import HOUSE as NARROW

HOUSE = NARROW.model_copy(update={"connection": Connection(fuse_a=32)})  # NARROW: 16 A, 3.68 kW a phase
HOUR = timedelta(hours=1)
LIMIT = ImportLimit(start=AT, end=AT + HOUR, import_kw=4.2)
BERLIN = ZoneInfo("Europe/Berlin")
ON = ("a", "b", "c", "d")  # 1, 2, 3 and 1 kW


def view(
    at_s: float, grid_kw: float | None, *, on: tuple[str, ...] = ON, air_c: float = 21.0,
    limit: ImportLimit | None = LIMIT, composite: Composite = Composite.REGULAR,
) -> View:  # fmt: skip
    at = AT + timedelta(seconds=at_s)
    return View(
        at_s=at_s,
        inverter=InverterReading(
            measured_at=at, online=True, fault=False, soc=0.5, pv_kw=0.0, battery_kw=0.0, grid_kw=grid_kw, load_kw=1.0,
            composite=composite,
        ),
        meter=None if grid_kw is None else MeterReading(measured_at=at, grid_kw=grid_kw),
        rooms={
            r.name: RoomReading(measured_at=at, air_c=air_c, relay_on=r.name in on, automatic=False)
            for r in HOUSE.rooms
        },
        limit=limit,
    )  # fmt: skip


def lasting(grid_kw: float, **how: Any) -> tuple[View, View]:
    """Import that does not pass by itself."""
    return view(-15.0, grid_kw, **how), view(0.0, grid_kw, **how)


def after(*views: View, memory: Memory | None = None, house: House = HOUSE) -> tuple[dict[str, Finding], Memory]:
    """What holds each point after these looks."""
    found: tuple[Finding, ...] = ()
    memory = memory or Memory()
    for one in views:
        found, memory = check(house, one, memory)
    return worst(found), memory


# --- the fact ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"end": AT}, "not after its start"),
        ({"end": AT - HOUR}, "not after its start"),
        ({"start": datetime(2021, 2, 8, 9)}, "start 2021-02-08T09:00:00 has no time zone"),
        ({"import_kw": -0.1}, "limit of -0.1 kW"),
        ({"import_kw": math.nan}, "limit of nan kW"),
        ({"import_kw": math.inf}, "limit of inf kW"),
        ({"source": " "}, "1 to 80"),
        ({"source": "x" * 81}, "81 characters"),
    ],
)
def test_a_limit_that_cannot_be_meant_cannot_be_made(change: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        replace(LIMIT, **change)


def test_it_holds_from_its_start_until_just_before_its_end() -> None:
    instants = (AT - timedelta(seconds=1), AT, AT + HOUR - timedelta(seconds=1), AT + HOUR)
    assert [LIMIT.holds_at(at) for at in instants] == [False, True, True, False]


def test_of_several_limits_the_lowest_binds() -> None:
    strict = replace(LIMIT, start=AT + HOUR / 2, end=AT + 2 * HOUR, import_kw=1.0)
    limits = (LIMIT, strict)
    found = [strictest(limits, AT + i * HOUR / 2) for i in range(5)]
    assert found == [LIMIT, strict, strict, strict, None]
    assert strictest((), AT) is None


def test_a_slot_is_limited_by_whatever_touches_it() -> None:
    quarter = timedelta(minutes=15)
    strict = replace(LIMIT, start=AT + timedelta(minutes=20), end=AT + timedelta(minutes=21), import_kw=0.0)
    found = [lowest_between((LIMIT, strict), AT + i * quarter, AT + (i + 1) * quarter) for i in range(-1, 5)]
    assert found == [None, 4.2, 0.0, 4.2, 4.2, None]


def test_it_is_told_in_the_houses_time_with_the_day_where_that_is_another() -> None:
    assert LIMIT.told(BERLIN) == "grid operator's limit 4.2 kW until 11:00"
    assert replace(LIMIT, end=AT + 24 * HOUR, source="DSO").told(BERLIN) == "DSO's limit 4.2 kW until 2021-02-09 10:00"


# --- shedding ---------------------------------------------------------------------------------------------------------
def test_import_above_the_limit_sheds_in_order_as_much_as_is_needed_and_names_the_limit() -> None:
    held, memory = after(*lasting(7.0))  # 2.8 kW too much: a and b, 3 kW
    assert memory.fuse.shed == ("a", "b")
    assert {(f.point, f.value, f.rule) for f in held.values()} == {
        ("room.a.relay", "off", "operator"), ("room.b.relay", "off", "operator"),
    }  # fmt: skip
    assert held["room.a.relay"].text == "grid operator's limit 4.2 kW until 11:00"


def test_import_at_the_limit_sheds_nothing_and_without_a_limit_neither() -> None:
    assert after(*lasting(4.2))[0] == {}
    assert after(*lasting(7.0, limit=None))[0] == {}


def test_a_limit_is_about_the_meter_and_not_about_a_phases_third_of_it() -> None:
    assert after(*lasting(3.9, on=("b",)))[0] == {}, "2 kW on phase 1, where a third of 4.2 would be 1.4"


def test_what_was_shed_gets_time_to_show_in_the_meter() -> None:
    _, memory = after(*lasting(5.0), view(5.0, 5.0))
    assert memory.fuse.shed == ("a",)
    _, memory = after(view(15.0, 5.0, on=("b", "c", "d")), memory=memory)
    assert memory.fuse.shed == ("a", "b")


def test_what_passes_within_a_quarter_of_a_minute_sheds_nothing() -> None:
    kettle = [view(at_s, 3.0 if at_s % 20 == 15 else 5.0) for at_s in range(0, 120, 5)]
    assert after(*kettle)[0] == {}
    held, _ = after(view(0.0, 5.0), view(10.0, 5.0))
    assert held == {}, "a plan that keeps to the limit switches at its start too"


def test_a_phase_above_its_fuse_does_not_wait_for_the_operators_patience() -> None:
    _, memory = after(view(0.0, 9.0), house=NARROW)
    assert memory.fuse.shed == ("a",) and memory.fuse.dimmed == frozenset()


def test_a_limit_of_nothing_sheds_everything_and_trips_nothing() -> None:
    nothing = replace(LIMIT, import_kw=0.0)
    held, memory = after(*(view(at_s, 1.0, on=(), limit=nothing) for at_s in range(0, 300, 5)))
    assert held == {} and memory.fuse.shed == (), "what is off already needs no shedding"
    held, _ = after(*(view(at_s, 8.0, limit=nothing) for at_s in range(0, 300, 5)))
    assert len(held) == 4 and {f.action for f in held.values()} == {Action.LIMIT}


def test_overload_trips_by_the_fuses_rating_whatever_the_operator_allows() -> None:
    heavy = 3 * 32 * 0.23 * 1.12
    for limit in (None, LIMIT):
        held, _ = after(*(view(at_s, heavy, on=(), limit=limit) for at_s in (0.0, 61.0)))
        assert {f.rule for f in held.values()} == {"fuse_overload"}


def test_under_a_limit_a_phase_above_its_fuse_is_still_shed_by_the_fuse() -> None:
    views = (view(-15.0, 9.0), view(0.0, 8.0, on=("b", "c", "d")))  # phase 1 at 4.7 kW, rating 3.7; then 3.8 too much
    held, memory = after(*views, house=NARROW)
    assert memory.fuse.shed == ("a", "b", "c") and memory.fuse.dimmed == {"b", "c"}
    assert held["room.a.relay"].rule == "fuse" and held["room.b.relay"].rule == "operator"


# --- coming back ------------------------------------------------------------------------------------------------------
def test_under_the_limit_the_last_shed_returns_first_after_a_minute_of_room() -> None:
    _, memory = after(*lasting(7.0))
    _, memory = after(*(view(at_s, 1.1, on=()) for at_s in (15.0, 70.0)), memory=memory)
    assert memory.fuse.shed == ("a", "b")
    _, memory = after(view(75.0, 1.1, on=()), memory=memory)
    assert memory.fuse.shed == ("a",), "3.1 kW of room, of which 1 kW is kept"


def test_under_the_limit_a_heater_that_does_not_fit_lets_the_next_pass() -> None:
    _, memory = after(*lasting(7.0, limit=replace(LIMIT, import_kw=0.0)))
    assert memory.fuse.shed == ON
    _, memory = after(*(view(at_s, 0.5, on=()) for at_s in (20.0, 80.0)), memory=memory)
    assert memory.fuse.shed == ("b", "c"), "2.7 kW of room: d and a, 1 kW each"


def test_under_the_fuse_a_heater_that_does_not_fit_holds_the_others_back() -> None:
    _, memory = after(view(0.0, 10.5, limit=None), house=NARROW)
    assert memory.fuse.shed == ("a", "b")
    views = (view(at_s, 6.0, on=(), limit=None) for at_s in (30.0, 95.0))  # 1.3 kW on phase 1
    _, memory = after(*views, memory=memory, house=NARROW)
    assert memory.fuse.shed == ("a", "b")


def test_after_the_end_all_return_after_a_minute() -> None:
    _, memory = after(*lasting(7.0, limit=replace(LIMIT, import_kw=0.0)))
    assert memory.fuse.shed == ON
    held, memory = after(view(15.0, 0.5, on=(), limit=None), memory=memory)
    assert len(held) == 4 and "awaited" in held["room.a.relay"].text
    held, memory = after(view(76.0, 0.5, on=(), limit=None), memory=memory)
    assert held == {} and memory.fuse.shed == () and memory.fuse.dimmed == frozenset()


def test_shed_rooms_stay_off_while_the_meter_is_silent() -> None:
    _, memory = after(*lasting(7.0))
    held, _ = after(view(30.0, None), view(300.0, None), memory=memory)
    assert set(held) == {"room.a.relay", "room.b.relay"}
    assert held["room.a.relay"].text == "grid power is not known"


# --- frost and battery ------------------------------------------------------------------------------------------------
def test_a_room_at_its_frost_limit_is_not_kept_cold_for_the_operator_but_for_the_fuse() -> None:
    held, memory = after(*lasting(5.0, air_c=7.9))
    assert memory.fuse.shed == ("a",) and held["room.a.relay"].rule == "frost" and held["room.a.relay"].value == "auto"
    held, memory = after(view(15.0, 9.0, air_c=7.9), memory=memory, house=NARROW)
    assert held["room.a.relay"].rule == "fuse" and held["room.a.relay"].value == "off"


def test_a_battery_that_charges_from_the_grid_above_the_limit_stops_after_half_a_minute_until_its_end() -> None:
    charges = {"on": (), "composite": Composite.CHARGE_FROM_GRID}
    held, memory = after(*(view(at_s, 6.0, **charges) for at_s in (0.0, 10.0, 30.0)))  # type: ignore[arg-type]
    assert held == {}
    held, memory = after(view(31.0, 6.0, **charges), memory=memory)  # type: ignore[arg-type]
    assert held["inverter.mode"].value == REGULAR and "4.2 kW" in held["inverter.mode"].text
    held, memory = after(view(90.0, 1.0, on=()), memory=memory)
    assert set(held) == {"inverter.mode"}, "or the plan would put it back, and registers wear"
    held, _ = after(view(95.0, 1.0, on=(), limit=None), memory=memory)
    assert held == {}


def test_what_is_short_or_not_from_the_battery_leaves_its_mode_alone() -> None:
    charges = {"on": (), "composite": Composite.CHARGE_FROM_GRID}
    views = [view(at_s, 6.0 if at_s % 20 else 3.0, **charges) for at_s in range(0, 200, 10)]  # type: ignore[arg-type]
    assert after(*views)[0] == {}
    assert after(*(view(at_s, 6.0, on=()) for at_s in range(0, 200, 10)))[0] == {}
