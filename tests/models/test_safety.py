"""The safety rules: each one's cause, its end, and which of two wins."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from models.fuse import FuseMemory, phase_loads_kw
from models.safety import Action, Finding, Memory, View, check, worst
from models.types.house import Battery, Connection, House, Room, Site
from models.types.mode import REGULAR
from models.types.reading import InverterReading, MeterReading, RoomReading

AT = datetime(2021, 2, 8, 9, 0, tzinfo=UTC)
SITE = Site(latitude_deg=50.0, longitude_deg=6.0)


def room(name: str, kw: float, phase: int) -> Room:
    return Room(name=name, heater_kw=kw, area_m2=10, ua_w_per_k=10, day_min_c=20, night_min_c=19, max_c=23, phase=phase)


HOUSE = House(
    site=SITE, battery=Battery(capacity_kwh=10, charge_kw=5, discharge_kw=5), connection=Connection(fuse_a=16),
    rooms=(room("a", 1.0, 1), room("b", 2.0, 1), room("c", 3.0, 0), room("d", 1.0, 2)),
)  # fmt: skip
RATING = 16 * 230 / 1000


def view(
    at_s: float = 0.0, *, air_c: float | None = 21.0, slab_c: float | None = None, on: bool | None = True,
    grid_kw: float | None = 5.0, battery_c: float | None = 20.0, fault: bool = False, rooms: bool = True,
) -> View:  # fmt: skip
    reading = RoomReading(measured_at=AT, air_c=air_c, relay_on=on, automatic=False, slab_c=slab_c)
    inverter = InverterReading(
        measured_at=AT, online=True, fault=fault, soc=0.5, pv_kw=0.0, battery_kw=0.0, grid_kw=grid_kw, load_kw=1.0,
        battery_c=battery_c,
    )  # fmt: skip
    return View(
        at_s=at_s,
        inverter=inverter,
        meter=None if grid_kw is None else MeterReading(measured_at=AT + timedelta(seconds=at_s), grid_kw=grid_kw),
        rooms={r.name: reading for r in HOUSE.rooms} if rooms else {},
    )


def rules(findings: tuple[Finding, ...], point: str = "room.a.relay") -> list[tuple[str, Action, object]]:
    return [(f.rule, f.action, f.value) for f in findings if f.point == point]


def test_a_quiet_house_has_no_findings() -> None:
    found, memory = check(HOUSE, view(), Memory())
    assert found == () and memory.limited == frozenset() and memory.fuse.shed == ()


def test_what_is_not_seen_is_not_judged() -> None:
    blind = View(at_s=0.0, inverter=None, meter=None, rooms={})
    assert check(HOUSE, blind, Memory())[0] == ()
    assert check(HOUSE, view(air_c=None), Memory())[0] == ()


def test_a_room_at_its_maximum_is_switched_off_until_it_is_0_2_K_below() -> None:
    found, memory = check(HOUSE, view(air_c=23.0), Memory())
    assert rules(found) == [("room_maximum", Action.LIMIT, "off")]
    found, memory = check(HOUSE, view(air_c=22.9), memory)
    assert rules(found) == [("room_maximum", Action.LIMIT, "off")]
    found, memory = check(HOUSE, view(air_c=22.75), memory)
    assert rules(found) == []
    assert rules(check(HOUSE, view(air_c=22.9), memory)[0]) == []


def test_a_hot_room_whose_relay_stays_on_is_tripped() -> None:
    assert ("room_stuck", Action.TRIP, None) in rules(check(HOUSE, view(air_c=24.5), Memory())[0])
    assert "room_stuck" not in {r for r, _, _ in rules(check(HOUSE, view(air_c=24.5, on=False), Memory())[0])}
    assert "room_stuck" not in {r for r, _, _ in rules(check(HOUSE, view(air_c=24.4), Memory())[0])}


@pytest.mark.parametrize(("slab_c", "tripped"), [(34.9, False), (35.0, True), (None, False)])
def test_a_floor_at_its_maximum_is_tripped_also_without_air(slab_c: float | None, tripped: bool) -> None:
    found = check(HOUSE, view(air_c=None, slab_c=slab_c), Memory())[0]
    assert rules(found) == ([("floor_maximum", Action.TRIP, None)] if tripped else [])


def test_a_frozen_room_is_given_back_to_its_thermostat_until_it_is_half_a_kelvin_warmer() -> None:
    found, memory = check(HOUSE, view(air_c=8.0), Memory())
    assert rules(found) == [("frost", Action.LIMIT, "auto")]
    assert rules(check(HOUSE, view(air_c=8.4), memory)[0]) == [("frost", Action.LIMIT, "auto")]
    assert rules(check(HOUSE, view(air_c=8.6), memory)[0]) == []


def test_a_faulty_inverter_is_put_into_regular_and_a_hot_battery_is_tripped() -> None:
    found = check(HOUSE, view(fault=True, battery_c=55.0), Memory())[0]
    assert rules(found, "inverter.mode") == [
        ("inverter_fault", Action.LIMIT, REGULAR),
        ("battery_heat", Action.TRIP, None),
    ]
    assert worst(found)["inverter.mode"].rule == "battery_heat"
    assert rules(check(HOUSE, view(battery_c=None), Memory())[0], "inverter.mode") == []


def test_phases_carry_their_heaters_and_an_even_share_of_the_rest() -> None:
    reading = RoomReading(measured_at=AT, air_c=20.0, relay_on=True, automatic=False)
    loads = phase_loads_kw(HOUSE, 9.0, {"a": reading, "c": reading})
    assert loads == pytest.approx({1: 5 / 3 + 2.0, 2: 5 / 3 + 1.0, 3: 5 / 3 + 1.0})


def test_an_overloaded_phase_sheds_in_order_only_what_is_on_it() -> None:
    found, memory = check(HOUSE, view(grid_kw=9.0), Memory())  # heaters 7 kW, the rest 0.67 kW each: phase 1 at 4.67
    assert memory.fuse.shed == ("a",) and [f.point for f in found] == ["room.a.relay"]
    _, memory = check(HOUSE, view(grid_kw=12.0), Memory())
    assert memory.fuse.shed == ("a", "b")


def test_one_meter_reading_is_judged_once_whatever_the_relays_say_meanwhile() -> None:
    _, memory = check(HOUSE, view(grid_kw=9.0), Memory())
    after = view(0.5, grid_kw=9.0, on=False)  # the relays are off already, the meter still shows what flowed before
    after = replace(after, meter=MeterReading(measured_at=AT, grid_kw=9.0))
    assert check(HOUSE, after, memory)[1].fuse == memory.fuse


def test_what_was_shed_gets_time_to_show_in_the_meter_before_more_is_shed() -> None:
    _, memory = check(HOUSE, view(grid_kw=9.0), Memory())
    assert check(HOUSE, view(5.0, grid_kw=9.0), memory)[1].fuse.shed == ("a",)
    assert check(HOUSE, view(15.0, grid_kw=12.0), memory)[1].fuse.shed == ("a", "b")


def test_without_room_readings_there_is_nothing_to_shed() -> None:
    found, memory = check(HOUSE, view(grid_kw=14.0, rooms=False), Memory())
    assert found == () and memory.fuse.shed == () and memory.fuse.overload_since_s == 0.0


def test_shed_rooms_stay_off_while_grid_power_is_unknown() -> None:
    before = Memory(fuse=FuseMemory(shed=("a", "b"), overload_since_s=3.0))
    found, memory = check(HOUSE, view(grid_kw=None), before)
    assert [(f.point, f.value) for f in found] == [("room.a.relay", "off"), ("room.b.relay", "off")]
    assert memory.fuse.shed == ("a", "b") and memory.fuse.overload_since_s is None


def test_what_fits_returns_after_a_minute_of_room_the_last_shed_first() -> None:
    memory = Memory(fuse=FuseMemory(shed=("a", "b", "c")))
    for at_s, shed in ((0.0, ("a", "b", "c")), (59.0, ("a", "b", "c")), (60.0, ("a",))):
        _, memory = check(HOUSE, view(at_s, grid_kw=1.0, on=False), memory)
        assert memory.fuse.shed == shed, at_s


def test_room_that_is_lost_again_starts_the_minute_anew() -> None:
    _, memory = check(HOUSE, view(0.0, grid_kw=1.0, on=False), Memory(fuse=FuseMemory(shed=("a",))))
    _, memory = check(HOUSE, view(30.0, grid_kw=9.0, on=False), memory)
    assert memory.fuse.roomy_since_s is None
    _, memory = check(HOUSE, view(60.0, grid_kw=1.0, on=False), memory)
    assert memory.fuse.shed == ("a",)


def test_more_than_a_minute_above_1_1_times_the_rating_trips_all_rooms() -> None:
    heavy = 3 * RATING * 1.12 + 0.5
    found, memory = check(HOUSE, view(0.0, grid_kw=heavy, on=False), Memory())
    assert found == () and memory.fuse.overload_since_s == 0.0
    found, memory = check(HOUSE, view(60.0, grid_kw=heavy, on=False), memory)
    assert found == ()
    found, memory = check(HOUSE, view(61.0, grid_kw=heavy, on=False), memory)
    assert {f.point for f in found if f.action is Action.TRIP} == {f"room.{n}.relay" for n in "abcd"}
    assert check(HOUSE, view(62.0, grid_kw=1.0, on=False), memory)[1].fuse.overload_since_s is None


def test_on_one_phase_every_room_counts_fully() -> None:
    single = HOUSE.model_copy(update={"connection": Connection(phases=1, fuse_a=25)})
    found, memory = check(single, view(grid_kw=8.0), Memory())
    assert memory.fuse.shed == ("a", "b") and len(found) == 2
    for at_s in (11.0, 71.0):
        _, memory = check(single, view(at_s, grid_kw=1.0, on=False), memory)
    assert memory.fuse.shed == ()


def test_of_two_limits_the_higher_rank_holds_the_point() -> None:
    def limit(rule: str, rank: int) -> Finding:
        return Finding(rule=rule, action=Action.LIMIT, point="p", value="off", text="", rank=rank)

    trip = Finding(rule="t", action=Action.TRIP, point="p", value=None, text="")
    assert worst((limit("frost", 1), limit("fuse", 3), limit("max", 2)))["p"].rule == "fuse"
    assert worst((limit("fuse", 3), trip, limit("max", 2)))["p"].rule == "t"
