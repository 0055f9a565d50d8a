"""Conformance of the inverter: each test is a sentence of the description of the house on the wire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from zoneinfo import ZoneInfo

import pytest

from models.twins.inverter import InverterTwin
from models.twins.registers import decode_composite
from models.types.house import Inverter
from models.types.mode import Composite
from tests.models.twins.demo import BATTERY, START, Wire, demo_house, demo_twin, demo_world, wire

HOUSE_KW = 1.06  # the load of the tests and 60 W of standby


def charge(w: Wire, *, percent: int, start: str = "12:02", stop: str = "13:30", flag: int = 1) -> None:
    """Writes what battery first needs, in the order that never sells and buys at once."""
    w.must("batteryfirst/set/stopsoc", {"value": percent})
    w.must("batteryfirst/set/acchargeenabled", {"value": flag})
    assert w.slot("batteryfirst", start, stop)["success"]


def sell(w: Wire, *, percent: int, start: str = "12:02", stop: str = "13:30") -> None:
    w.must("gridfirst/set/stopsoc", {"value": percent})
    assert w.slot("gridfirst", start, stop)["success"]


# -- composites ----------------------------------------------------------------------------------------------------


def test_regular_is_load_first_without_a_slot() -> None:
    w = wire()
    w.run(minutes=1)
    assert w.solar["CurrentMode"] == 0
    assert w.twin.inverter.composite is Composite.REGULAR
    assert w.battery_kw == pytest.approx(-HOUSE_KW / 0.93, abs=1e-3)
    assert w.grid_kw == pytest.approx(0.0, abs=1e-3)


def test_charge_from_grid_is_battery_first_with_the_ac_flag_a_stop_soc_and_a_rate() -> None:
    w = wire()
    w.must("batteryfirst/set/powerrate", {"value": 40})
    charge(w, percent=60)
    w.until("12:03:00")
    assert (w.solar["CurrentMode"], w.twin.inverter.composite) == (1, Composite.CHARGE_FROM_GRID)
    assert w.battery_kw == pytest.approx(2.0, abs=1e-3)
    assert w.grid_kw == pytest.approx(HOUSE_KW + 2.0 / 0.92, abs=1e-3)
    w.until("13:00:00")
    assert w.twin.inverter.soc == pytest.approx(0.60)
    assert w.battery_kw == 0.0


def test_hold_is_battery_first_at_the_floor_of_the_live_soc_and_neither_buys_nor_discharges() -> None:
    w = wire(soc=0.557)
    charge(w, percent=55, flag=0)
    w.until("12:03:00")
    held = w.twin.inverter.soc
    w.run(hours=1)
    assert w.twin.inverter.composite is Composite.HOLD
    assert w.twin.inverter.soc == held
    assert (w.battery_kw, w.grid_kw) == (0.0, pytest.approx(HOUSE_KW, abs=1e-3))


def test_discharge_to_grid_is_grid_first_down_to_its_stop_soc_at_its_rate() -> None:
    w = wire()
    w.must("gridfirst/set/powerrate", {"value": 60})
    sell(w, percent=40)
    w.until("12:03:00")
    assert (w.solar["CurrentMode"], w.twin.inverter.composite) == (2, Composite.DISCHARGE_TO_GRID)
    assert w.battery_kw == pytest.approx(-3.0, abs=1e-3)
    assert w.grid_kw == pytest.approx(HOUSE_KW - 3.0 * 0.93, abs=1e-3)
    w.until("13:00:00")
    assert w.twin.inverter.soc == pytest.approx(0.40)


def test_grid_first_holds_its_stop_soc_once_it_is_reached() -> None:
    w = wire()
    sell(w, percent=45)
    w.until("13:20:00")
    assert w.twin.inverter.soc == pytest.approx(0.45)
    assert (w.battery_kw, w.grid_kw) == (0.0, pytest.approx(HOUSE_KW, abs=1e-3))


def test_sell_production_is_grid_first_at_the_floor_of_the_live_soc_and_exports_surplus_unstored() -> None:
    w = wire(sun=1.0, soc=0.5)
    w.run(minutes=1)
    assert w.battery_kw > 2.0  # load first would store it
    sell(w, percent=int(w.solar["SOC"]))
    w.until("12:10:00")
    assert w.twin.inverter.composite is Composite.SELL_PRODUCTION
    assert (w.battery_kw, w.grid_kw < -3.0) == (0.0, True)


def test_curtail_is_an_export_limit_and_zero_curtails_the_sun() -> None:
    w = wire(sun=1.0, soc=1.0)
    w.run(minutes=1)
    free_kw = w.grid_kw
    assert free_kw < -3.0
    w.must("modbus/set", {"id": 123, "type": "16b", "registerType": "H", "value": 150})
    w.run(minutes=1)
    assert w.grid_kw == pytest.approx(-1.5, abs=1e-3)
    w.must("export/disable", {"value": True})
    w.run(minutes=1)
    assert w.grid_kw == pytest.approx(0.0, abs=1e-3)
    assert w.solar["InputPower"] / 1000.0 == pytest.approx(HOUSE_KW, abs=1e-3)
    w.must("export/enable", {"value": True})
    w.run(minutes=1)
    assert w.grid_kw == pytest.approx(free_kw, abs=0.1)


def test_the_mode_and_its_settings_decode_to_the_composite() -> None:
    cases = {
        (0, True, 20, 0.5): Composite.REGULAR,
        (1, True, 20, 0.5): Composite.CHARGE_FROM_GRID,
        (1, False, 20, 0.5): Composite.HOLD,
        (2, False, 40, 0.5): Composite.DISCHARGE_TO_GRID,
        (2, False, 50, 0.509): Composite.SELL_PRODUCTION,
        (7, False, 50, 0.5): None,
    }
    for (mode, flag, stop, soc), composite in cases.items():
        assert decode_composite(mode, ac_charge=flag, grid_stop_percent=stop, soc=soc) is composite


# -- what the real thing does --------------------------------------------------------------------------------------


def test_load_first_stores_surplus_before_it_exports() -> None:
    w = wire(sun=1.0, soc=0.5)
    w.run(minutes=1)
    assert w.battery_kw == pytest.approx(5.0, abs=0.2)
    w.twin.inverter.soc = 1.0
    w.run(minutes=1)
    assert (w.battery_kw, w.grid_kw < -3.0) == (0.0, True)


def test_battery_first_charges_to_its_stop_soc_even_from_the_grid_with_the_ac_flag_off() -> None:
    w = wire()
    charge(w, percent=52, flag=0)
    w.until("12:03:00")
    assert w.grid_kw == pytest.approx(HOUSE_KW + 1.2, abs=1e-3)
    assert w.battery_kw == pytest.approx(1.2 * 0.92, abs=1e-3)
    w.until("13:00:00")
    assert w.twin.inverter.soc == pytest.approx(0.52)


def test_battery_first_does_not_discharge() -> None:
    w = wire(load_kw=6.0)
    charge(w, percent=30, flag=0)
    w.until("12:03:00")
    held = w.twin.inverter.soc
    w.run(minutes=30)
    assert w.twin.inverter.soc == held
    assert w.grid_kw == pytest.approx(6.06, abs=1e-3)


def test_a_slot_becomes_active_only_when_the_inverters_own_clock_crosses_its_start_minute() -> None:
    w = wire()
    assert w.slot("batteryfirst", "11:30", "13:30")["success"]  # its start has passed
    w.run(minutes=45)
    assert w.solar["CurrentMode"] == 0
    assert w.slot("batteryfirst", "13:00", "13:30")["success"]
    w.until("12:59:55")
    assert w.solar["CurrentMode"] == 0
    w.until("13:00:20")
    assert w.solar["CurrentMode"] == 1


def test_a_slot_ends_at_its_stop_minute() -> None:
    w = wire()
    assert w.slot("batteryfirst", "12:05", "12:20")["success"]
    w.until("12:19:55")
    assert w.solar["CurrentMode"] == 1
    w.until("12:20:20")
    assert w.solar["CurrentMode"] == 0


def test_the_inverters_clock_knows_no_daylight_saving() -> None:
    july = datetime.fromisoformat("2021-07-08T10:00:00+00:00")
    w = Wire(demo_twin(start=july, world=demo_world(datetime(2021, 7, 7, tzinfo=UTC))))
    w.run(seconds=10)
    assert w.solar["SystemHour"] == 11  # wall clocks show 12


def test_the_inverters_clock_drifts_and_slots_follow_it() -> None:
    w = wire()
    w.twin.inject("clock_offset_s", 600.0)
    assert w.slot("batteryfirst", "12:15", "12:40")["success"]
    w.run(minutes=6)  # five minutes past noon on a good clock
    assert w.solar["SystemMinute"] >= 15
    assert w.solar["CurrentMode"] == 1
    drifting = InverterTwin(
        inverter=Inverter(), battery=BATTERY, export_contract_kw=10.0, zone=ZoneInfo("Europe/Berlin"), start=START,
        random=Random(1), clock_drift_s_per_day=3.0,
    )  # fmt: skip
    passed = drifting.clock(START + timedelta(days=1)) - drifting.clock(START)
    assert passed.total_seconds() == pytest.approx(86403.0)


def test_slots_repeat_daily() -> None:
    w = wire()
    charge(w, percent=20, start="12:05", stop="12:20", flag=0)
    w.until("12:10:00")
    assert w.solar["CurrentMode"] == 1
    w.until("12:00:00")
    assert w.solar["CurrentMode"] == 0
    w.until("12:10:00")
    assert w.solar["CurrentMode"] == 1


def test_slot_one_wins() -> None:
    w = wire()
    assert w.slot("gridfirst", "12:02", "12:40", number=1)["success"]
    assert w.slot("batteryfirst", "12:02", "12:40", number=2)["success"]
    w.until("12:10:00")
    assert w.solar["CurrentMode"] == 2
    assert w.slot("gridfirst", "12:02", "12:40", enabled=False)["success"]
    w.run(minutes=1)
    assert w.solar["CurrentMode"] == 1


def test_no_slot_crosses_midnight() -> None:
    w = wire()
    answer = w.slot("batteryfirst", "23:00", "01:00")
    assert (answer["success"], "midnight" in answer["message"]) == (False, True)
    w.run(seconds=10)
    assert w.solar["BattSlot1En"] == 0


def test_start_and_stop_of_a_slot_must_differ() -> None:
    answer = wire().slot("gridfirst", "12:30", "12:30")
    assert (answer["success"], "differ" in answer["message"]) == (False, True)


def test_a_mode_change_takes_about_ten_seconds_after_up_to_a_minute() -> None:
    w = wire()
    assert w.slot("batteryfirst", "12:01", "12:30")["success"]
    w.until("12:01:05")
    assert w.solar["CurrentMode"] == 0
    w.until("12:01:18")
    assert w.solar["CurrentMode"] == 1


def test_resending_a_slot_pauses_its_action_and_wears_the_memory() -> None:
    w = wire()
    charge(w, percent=50, start="12:02", stop="13:00", flag=0)
    w.until("12:10:15")
    assert w.slot("batteryfirst", "12:11", "13:00")["success"]
    w.until("12:10:50")
    assert w.solar["CurrentMode"] == 0
    w.until("12:11:20")
    assert w.solar["CurrentMode"] == 1
    assert w.twin.truth().setting_writes["batteryfirst.timeslot.1"] == 2


def test_equal_writes_are_counted_apart() -> None:
    w = wire()
    for value in (60, 60, 61):
        w.must("batteryfirst/set/stopsoc", {"value": value})
    truth = w.twin.truth()
    assert truth.setting_writes["batteryfirst.stopsoc"] == 3
    assert truth.equal_writes["batteryfirst.stopsoc"] == 1


def test_the_battery_stays_within_its_window_whatever_it_is_told() -> None:
    w = wire(load_kw=4.0)
    sell(w, percent=0, stop="18:00")
    w.run(hours=4)
    assert w.twin.inverter.soc == pytest.approx(0.20)


# -- telemetry -----------------------------------------------------------------------------------------------------


def test_telemetry_has_every_field_of_the_description() -> None:
    w = wire(rooms=True)
    w.run(seconds=10)
    slots = {f"{b}Slot{i}{f}" for b in ("Batt", "Grid") for i in (1, 2, 3) for f in ("Start", "Stop", "En")}
    clock = {f"System{part}" for part in ("Year", "Month", "Day", "Hour", "Minute", "Second")}
    assert set(w.solar) == slots | clock | {
        "InverterStatus", "InputPower", "PV1InputPower", "PV2InputPower", "PV1Voltage", "PV2Voltage", "SOC",
        "ChargePower", "DischargePower", "ACPowerToUser", "ACPowerToGrid", "INVPowerToLocalLoad", "OutputPower",
        "BatteryTemperature", "EnergyToUserToday", "EnergyToGridToday", "LocalLoadEnergyToday",
        "TodayGenerateEnergy", "ChargeEnergyToday", "DischargeEnergyToday", "CurrentMode", "BattFirstSOC",
        "BattFirstPwrRate", "BattFirstACChrg", "GridFirstSOC", "GridFirstPwrRate", "LoadFirstStopSOC",
        "ExportLimitFlag", "ExportLimitValue",
    }  # fmt: skip


def test_telemetry_comes_every_five_seconds_and_is_retained() -> None:
    w = wire()
    w.run(minutes=1)
    told = [m for m in w.log if m.topic == "energy/solar"]
    assert [(b.at - a.at).total_seconds() for a, b in pairwise(told)] == [5.0] * 11
    assert all(m.retain for m in told)


def test_grid_import_and_export_house_load_and_both_battery_powers_are_never_negative_watts() -> None:
    for sun, load, soc in ((0.0, 8.0, 0.2), (1.0, 0.5, 1.0), (1.0, 0.5, 0.5), (0.0, 2.0, 0.9)):
        w = wire(sun=sun, load_kw=load, soc=soc)
        w.run(seconds=30)
        s = w.solar
        for name in ("ChargePower", "DischargePower", "ACPowerToUser", "ACPowerToGrid", "INVPowerToLocalLoad"):
            assert s[name] >= 0.0
        assert s["ACPowerToUser"] * s["ACPowerToGrid"] == 0.0 == s["ChargePower"] * s["DischargePower"]
        assert s["INVPowerToLocalLoad"] >= (load + 0.06) * 1000.0 - 0.2
        balance = s["INVPowerToLocalLoad"] + s["ChargePower"] - s["DischargePower"] - s["InputPower"]
        assert s["ACPowerToUser"] - s["ACPowerToGrid"] == pytest.approx(balance, abs=0.5)
        assert s["PV1InputPower"] + s["PV2InputPower"] == pytest.approx(s["InputPower"], abs=0.15)


def test_daily_meters_reset_at_the_inverters_midnight() -> None:
    w = wire(load_kw=3.0)
    w.until("23:59:50")
    before = w.solar
    assert before["EnergyToUserToday"] > 20.0
    w.until("00:05:00")
    assert (w.solar["SystemDay"], w.solar["EnergyToUserToday"]) == (9, pytest.approx(0.2, abs=0.11))


def test_slot_times_are_read_back_as_hour_times_256_plus_minute() -> None:
    w = wire()
    assert w.slot("gridfirst", "13:15", "14:30", number=3)["success"]
    w.run(seconds=5)
    assert (w.solar["GridSlot3Start"], w.solar["GridSlot3Stop"], w.solar["GridSlot3En"]) == (13 * 256 + 15, 3614, 1)


def test_the_export_limit_is_read_back_in_percent() -> None:
    w = wire()
    w.must("modbus/set", {"id": 123, "type": "16b", "registerType": "H", "value": 475})
    w.run(seconds=5)
    assert (w.solar["ExportLimitFlag"], w.solar["ExportLimitValue"]) == (1, 47.5)


def test_soc_is_a_whole_percent_never_above_the_truth() -> None:
    w = wire(soc=0.6789, load_kw=0.0)
    w.run(seconds=5)
    assert w.solar["SOC"] == 67


def test_a_fault_stops_sun_and_battery_and_the_house_lives_on_the_grid() -> None:
    w = wire(sun=1.0)
    w.twin.inject("inverter_fault", True)
    w.run(seconds=30)
    assert (w.solar["InverterStatus"], w.solar["InputPower"], w.battery_kw) == (3, 0.0, 0.0)
    assert w.grid_kw == pytest.approx(HOUSE_KW, abs=1e-3)


def test_a_house_without_a_battery_reports_no_soc() -> None:
    w = wire(house=demo_house(battery=None, rooms=()), sun=1.0)
    w.run(seconds=10)
    assert not {"SOC", "ChargePower", "DischargePower", "BatteryTemperature"} & set(w.solar)
    assert w.twin.truth().soc is None
