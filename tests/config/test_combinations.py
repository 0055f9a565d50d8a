"""Settings that are right one by one can be wrong together."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.load import check
from tests.config.house_text import demo_text, faults, write_house

AT_KUCHYNE = "rooms[15] (kuchyne)"
KUCHYNE = """name = "kuchyne"
heater_kw = 1.8
area_m2 = 24
ua_w_per_k = 30
day_min_c = 20.5
night_min_c = 19.5
max_c = 23
"""


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ('name = "satna_nahore"', 'name = "satna_dole"', "house: rooms: name 'satna_dole' is used twice"),
        ('name = "southwest"', 'name = "southeast"', "house: arrays: name 'southeast' is used twice"),
        (KUCHYNE, KUCHYNE.replace("max_c = 23", "max_c = 19"), f"{AT_KUCHYNE}: max_c 19.0 must be above"),
        (KUCHYNE, KUCHYNE + "floor_max_c = 22\n", f"{AT_KUCHYNE}.floor_max_c = 22: not above max_c = 23"),
        (KUCHYNE, KUCHYNE.replace("kw = 1.8", "kw = 8"), f"{AT_KUCHYNE}.heater_kw = 8: more than one phase"),
        (KUCHYNE, KUCHYNE.replace("t_min_c = 19.5", "t_min_c = 8"), f"{AT_KUCHYNE}.night_min_c = 8: not above"),
        (
            KUCHYNE, KUCHYNE.replace("max_c = 23", 'max_c = 21.2\ncontrol = "setpoint"'),
            f"{AT_KUCHYNE}.control = 'setpoint': its band of 0.7 K is narrower than 1 K",
        ),
        ("soc_max = 1.0", "soc_max = 0.1", "battery: soc_min 0.2 must be below soc_max 0.1"),
        ("taper_above_soc = 0.90", "taper_above_soc = 0.1", "battery.taper_above_soc = 0.1: below soc_min"),
        ("discharge_kw = 5", "discharge_kw = 12", "battery.discharge_kw = 12: above inverter.ac_limit_kw = 10"),
        ("export_contract_kw = 10", "export_contract_kw = 12", "connection.export_contract_kw = 12: above what"),
        ("ac_limit_kw = 10\nstandby_kw = 0.06", "ac_limit_kw = 0.9\nstandby_kw = 1", "inverter.standby_kw = 1: not"),
        ("fuse_a = 32", "fuse_a = 10", "connection.export_contract_kw = 10: above what the fuses carry, 6.9 kW"),
        ("day_ends_h = 22", "day_ends_h = 5", "house.day_starts_h = 6: not before day_ends_h = 5"),
        ('timezone = "Europe/Berlin"', 'timezone = "Berlin"', "site.timezone = 'Berlin': no such time zone"),
        ('timezone = "Europe/Berlin"', 'timezone = "../etc/passwd"', "site.timezone"),
        ('timezone = "Europe/Berlin"', 'timezone = "Europe"', "site.timezone"),
        ('"data/price_de', '"data/prise_de', "data.prices = 'data/prise_de_lu_2021_60min.csv.gz': no such file"),
        ('"data/price_de_lu_2021_60min.csv.gz"', '"data"', "data.prices = 'data': not a file"),
    ],
)  # fmt: skip
def test_an_unsafe_combination_is_refused(tmp_path: Path, old: str, new: str, line: str) -> None:
    found = faults(tmp_path, (old, new))
    assert any(one.startswith(line) for one in found), found


@pytest.mark.parametrize(
    ("table", "line"),
    [
        ("[timing]\npermit_renew_s = 2", "timing.permit_s = 2: shorter than 2 x permit_renew_s = 4"),
        ("[timing]\nrelay_refresh_s = 5", "timing.lease_s = 10: shorter than 3 x relay_refresh_s = 15"),
        ("[timing]\ntelemetry_s = 30", "timing.telemetry_max_age_s = 60: shorter than 3 x telemetry_s = 90"),
        ("[timing]\nheartbeat_s = 30", "timing.heartbeat_timeout_s = 60: shorter than 3 x heartbeat_s = 90"),
        ("[timing]\ngate_tick_s = 3", "timing.gate_tick_s = 3: longer than permit_s = 2"),
        ("[timing]\nreal_step_s = 0.5", "timing.min_real_s = 1: shorter than 4 x real_step_s = 2"),
        ("[planner]\nreserve_soc = 0.1", "planner.reserve_soc = 0.1: outside the battery's window"),
        ("[planner]\nhorizon_h = 1.1", "planner.horizon_h = 1.1: not whole slots of dt_min = 15"),
        ("[planner]\ndt_min = 60", "planner.dt_min = 60: longer than timing.replan_s = 900"),
        ("[planner]\nmin_mode_slots = 2", "planner.min_mode_slots = 2: 30 min; a composite is held at least 60 min"),
        ("[planner]\nback_off_k = 1.3", "planner.back_off_k = 1.3: room pracovna has a band of 2.5 K"),
        (
            "[planner]\nsolve_deadline_s = 500\n[timing]\nreplan_s = 300",
            "planner.solve_deadline_s = 500: not shorter than",
        ),
        ("[user]\noverride_max_s = 600", "user.override_s = 7200: longer than override_max_s = 600"),
        ("[simulation]\ntick_s = 70", "simulation.tick_s = 70: does not divide a quarter hour"),
    ],
)
def test_an_unsafe_setting_of_another_table_is_refused(tmp_path: Path, table: str, line: str) -> None:
    found = [str(fault) for fault in check(write_house(tmp_path, demo_text().replace("[run]", f"{table}\n\n[run]", 1)))]
    assert any(one.startswith(line) for one in found), found


def test_a_reserve_without_a_battery_is_refused(tmp_path: Path) -> None:
    text = "[site]\nlatitude_deg = 50\nlongitude_deg = 6\n[planner]\nreserve_soc = 0.5\n"
    assert str(check(write_house(tmp_path, text))[0]).startswith("planner.reserve_soc = 0.5: there is no [battery]")


def test_a_room_on_a_phase_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    found = faults(tmp_path, ("phases = 3", "phases = 1"))
    assert "rooms[1] (satna_dole).phase = 2: connection.phases = 1; write 0 or 1" in found
