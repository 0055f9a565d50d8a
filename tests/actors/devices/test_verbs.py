"""The six verbs: wishes for the gate, and one clear line for each mistake."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.devices.growatt import target_of
from actors.devices.inverter import EXPORT, MODE
from actors.devices.registry import all_points
from actors.devices.verbs import (
    SystemStatus,
    Wish,
    charge_from_grid,
    emergency_stop,
    get_system_status,
    set_discharge_schedule,
    set_export_control,
    set_system_mode,
)
from actors.gate.decision import fit
from models.errors import ConfigError
from models.types.command import RELINQUISH, Relinquish
from models.types.mode import REGULAR, Composite, InverterMode
from models.types.reading import InverterReading
from tests.actors.devices.bench import START, a_house

HOUSE = a_house()
HOUR = timedelta(hours=1)
NIGHT = InverterReading(
    measured_at=START, online=True, fault=False, soc=0.64, pv_kw=0.0, battery_kw=0.0, grid_kw=0.8, load_kw=0.8,
    composite=Composite.REGULAR,
)  # fmt: skip
SUNNY = replace(NIGHT, pv_kw=4.0, grid_kw=-3.2)


def only(wishes: tuple[Wish, ...]) -> InverterMode:
    (wish,) = wishes
    assert wish.point == MODE and isinstance(wish.value, InverterMode)
    return wish.value


# --- system modes -----------------------------------------------------------------------------------------------------
def test_load_first_is_the_inverters_own_way() -> None:
    wishes = set_system_mode("load_first", house=HOUSE, start=START, end=START + HOUR)
    assert wishes == (Wish(MODE, REGULAR, START, START + HOUR),)


def test_battery_first_holds_what_is_there_and_rises_with_the_sun() -> None:
    assert only(set_system_mode("battery_first", house=HOUSE, reading=NIGHT)).stop_soc == 0.64
    assert only(set_system_mode("battery_first", house=HOUSE, reading=SUNNY)) == REGULAR, "a hold would export the sun"
    later = replace(NIGHT, soc=0.71)
    assert only(set_system_mode("battery_first", house=HOUSE, reading=later)).stop_soc == 0.71
    unknown_sun = replace(SUNNY, pv_kw=None)
    assert only(set_system_mode("battery_first", house=HOUSE, reading=unknown_sun)).composite is Composite.HOLD


@pytest.mark.parametrize(
    ("soc", "reserve", "buy", "composite", "stop"),
    [(0.8, 0.5, False, Composite.HOLD, 0.5), (0.8, 0.7, True, Composite.HOLD, 0.7),
     (0.4, 0.5, False, Composite.HOLD, 0.4), (0.4, 0.6, True, Composite.CHARGE_FROM_GRID, 0.6)],
)  # fmt: skip
def test_backup_reserve_buys_only_when_it_may_and_feeds_nothing_in(
    soc: float, reserve: float, buy: bool, composite: Composite, stop: float
) -> None:
    reading = replace(NIGHT, soc=soc)
    mode, export = set_system_mode("backup_reserve", house=HOUSE, reading=reading, reserve_soc=reserve, buy=buy)
    assert export == Wish(EXPORT, 0.0)
    assert isinstance(mode.value, InverterMode)
    assert (mode.value.composite, mode.value.stop_soc) == (composite, stop)
    if not buy:
        assert target_of(mode.value, soc).stop_percent <= soc * 100


def test_time_of_use_is_a_schedule_in_order_of_time() -> None:
    sell = set_discharge_schedule(START + 8 * HOUR, START + 10 * HOUR, 0.3, house=HOUSE)
    buy = charge_from_grid(0.9, 2.5, house=HOUSE, start=START, end=START + 2 * HOUR)
    assert set_system_mode("time_of_use", house=HOUSE, schedule=(*sell, *buy)) == (*buy, *sell)


def test_time_of_use_refuses_what_overlaps_has_no_end_or_is_no_period() -> None:
    buy = charge_from_grid(0.9, house=HOUSE, start=START, end=START + 2 * HOUR)
    sell = set_discharge_schedule(START + HOUR, START + 3 * HOUR, 0.3, house=HOUSE)
    with pytest.raises(ConfigError, match="must not overlap"):
        set_system_mode("time_of_use", house=HOUSE, schedule=(*buy, *sell))
    with pytest.raises(ConfigError, match="no start or no end"):
        set_system_mode("time_of_use", house=HOUSE, schedule=charge_from_grid(0.9, house=HOUSE))
    with pytest.raises(ConfigError, match="schedule is empty"):
        set_system_mode("time_of_use", house=HOUSE)
    for strange in (Wish(MODE, REGULAR, START, START + HOUR), Wish(EXPORT, 0.0, START, START + HOUR)):
        with pytest.raises(ConfigError, match="charge or discharge periods"):
            set_system_mode("time_of_use", house=HOUSE, schedule=(strange,))
    with pytest.raises(ConfigError, match="outside of"):
        set_system_mode("time_of_use", house=HOUSE, schedule=buy, start=START + HOUR)


@pytest.mark.parametrize("mode", ["battery_first", "backup_reserve"])
@pytest.mark.parametrize("reading", [None, replace(NIGHT, soc=None)])
def test_an_unknown_soc_is_never_taken_for_one(mode: str, reading: InverterReading | None) -> None:
    with pytest.raises(ConfigError, match=f"SOC is not known, {mode} needs it"):
        set_system_mode(mode, house=HOUSE, reading=reading)


def test_an_unknown_mode_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="mode is 'off_grid', must be one of load_first, battery_first"):
        set_system_mode("off_grid", house=HOUSE)
    with pytest.raises(ConfigError, match="schedule is of no use in load_first"):
        set_system_mode("load_first", house=HOUSE, schedule=charge_from_grid(0.9, house=HOUSE))


def test_the_reserve_is_at_least_half() -> None:
    with pytest.raises(ConfigError, match=r"reserve_soc is 0.4, must be 0.5 to 1"):
        set_system_mode("backup_reserve", house=HOUSE, reading=NIGHT, reserve_soc=0.4)


# --- charge, discharge, export ----------------------------------------------------------------------------------------
def test_a_charge_names_its_target_and_its_share_of_the_rated_power() -> None:
    assert only(charge_from_grid(0.9, 2.0, house=HOUSE)) == InverterMode(
        composite=Composite.CHARGE_FROM_GRID, stop_soc=0.9, rate=0.4
    )
    assert only(charge_from_grid(0.9, house=HOUSE)).rate is None


def test_a_discharge_runs_from_start_to_end_down_to_its_floor() -> None:
    (wish,) = set_discharge_schedule(START, START + HOUR, 0.35, 5.0, house=HOUSE)
    assert (wish.start, wish.end) == (START, START + HOUR)
    assert wish.value == InverterMode(composite=Composite.DISCHARGE_TO_GRID, stop_soc=0.35, rate=1.0)


@pytest.mark.parametrize("soc", [0.1, 1.01, -1.0, math.nan, math.inf, True, "0.9", None])
def test_a_soc_outside_of_the_window_is_refused_with_field_value_and_limit(soc: float) -> None:
    with pytest.raises(ConfigError, match=r"target_soc is .*, must be 0.2 to 1"):
        charge_from_grid(soc, house=HOUSE)
    with pytest.raises(ConfigError, match=r"min_soc is .*, must be 0.2 to 1"):
        set_discharge_schedule(START, START + HOUR, soc, house=HOUSE)


def test_a_percentage_is_told_how_to_be_a_fraction() -> None:
    with pytest.raises(ConfigError, match=r"target_soc is 80, must be 0.2 to 1; a fraction: write 0.8"):
        charge_from_grid(80, house=HOUSE)


@pytest.mark.parametrize("kw", [0, -1.0, 5.1, 5000.0, math.nan, "2", False])
def test_a_power_outside_of_the_rating_is_refused(kw: float) -> None:
    with pytest.raises(ConfigError, match=r"power_limit_kw is .*, must be .*5 kW"):
        charge_from_grid(0.9, kw, house=HOUSE)


def test_export_is_allowed_limited_or_forbidden() -> None:
    assert set_export_control(True, house=HOUSE) == (Wish(EXPORT, 8.0),)
    assert set_export_control(True, 2.5, house=HOUSE, start=START) == (Wish(EXPORT, 2.5, START),)
    assert set_export_control(True, 0.0, house=HOUSE) == (Wish(EXPORT, 0.0),)
    assert set_export_control(False, end=START, house=HOUSE) == (Wish(EXPORT, 0.0, None, START),)


@pytest.mark.parametrize("kw", [-0.1, 8.1, math.nan, "3"])
def test_an_export_beyond_the_contract_is_refused(kw: float) -> None:
    with pytest.raises(ConfigError, match=r"power_limit_kw is .*, must be 0 to 8 kW"):
        set_export_control(True, kw, house=HOUSE)


def test_contradictions_are_refused() -> None:
    with pytest.raises(ConfigError, match="while enabled is false"):
        set_export_control(False, 3.0, house=HOUSE)
    with pytest.raises(ConfigError, match="enabled is 1, must be true or false"):
        set_export_control(1, house=HOUSE)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("start", "end", "says"),
    [(START, START, "is not after"), (START, START - HOUR, "is not after"),
     (START.replace(tzinfo=None), START, "start .* has no time zone"),
     (START, datetime(2021, 2, 9), "end .* has no time zone")],
)  # fmt: skip
def test_a_period_needs_aware_times_in_order(start: datetime, end: datetime, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        set_discharge_schedule(start, end, 0.3, house=HOUSE)
    with pytest.raises(ConfigError, match=says):
        set_export_control(True, house=HOUSE, start=start, end=end)


def test_a_house_without_a_battery_says_so() -> None:
    with pytest.raises(ConfigError, match="no battery"):
        charge_from_grid(0.9, house=a_house(battery=None))


# --- status and stop --------------------------------------------------------------------------------------------------
def test_the_status_is_what_was_reported_and_how_long_ago() -> None:
    status = get_system_status(SUNNY, now=START + timedelta(seconds=7))
    assert status == SystemStatus(
        online=True, fault=False, composite=Composite.REGULAR, system_mode="load_first", soc=0.64, pv_kw=4.0,
        battery_kw=0.0, grid_kw=-3.2, load_kw=0.8, age_s=7.0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("composite", "word"),
    [(Composite.HOLD, "battery_first"), (Composite.CHARGE_FROM_GRID, "time_of_use"),
     (Composite.SELL_PRODUCTION, "time_of_use"), (None, None)],
)  # fmt: skip
def test_the_status_names_the_system_mode(composite: Composite | None, word: str | None) -> None:
    assert get_system_status(replace(NIGHT, composite=composite), now=START).system_mode == word


def test_without_a_reading_there_is_no_status() -> None:
    with pytest.raises(ConfigError, match="no reading"):
        get_system_status(None, now=START)


def test_an_emergency_stop_holds_feeds_nothing_in_and_gives_the_rooms_back() -> None:
    wishes = {w.point: w for w in emergency_stop(all_points(HOUSE))}
    assert wishes[MODE].value == InverterMode(composite=Composite.HOLD, stop_soc=0.5)
    assert wishes[EXPORT].value == 0.0
    assert wishes["room.hall.relay"].value == "auto"
    assert wishes["room.hall.setpoint_c"].value == RELINQUISH
    assert {w.end for w in wishes.values()} == {None}


@given(st.floats(0.2, 1.0), st.floats(0.05, 5.0), st.floats(0.0, 8.0), st.floats(0.2, 1.0), st.booleans())
def test_the_gate_takes_every_wish_as_it_is(
    soc: float, kw: float, export_kw: float, live: float, buy: bool
) -> None:
    reading = replace(NIGHT, soc=live)
    specs = {p.name: p for p in all_points(HOUSE)}
    wishes = [
        *charge_from_grid(soc, kw, house=HOUSE),
        *set_discharge_schedule(START, START + HOUR, soc, kw, house=HOUSE),
        *set_export_control(True, export_kw, house=HOUSE),
        *set_system_mode("battery_first", house=HOUSE, reading=reading),
        *set_system_mode("backup_reserve", house=HOUSE, reading=reading, buy=buy),
        *emergency_stop(all_points(HOUSE)),
    ]
    for wish in wishes:
        if not isinstance(wish.value, Relinquish):
            fitted, note = fit(specs[wish.point], wish.value)
            assert fitted == wish.value, note
