"""A house file is followed whole, or refused with field, value, limit and remedy."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from config.load import DEMO, HouseFileError, check, load
from tests.config.house_text import demo_text, faults, write_house


def test_the_demo_house_is_the_one_of_the_design() -> None:
    file = load(DEMO)
    house = file.house
    assert check(DEMO) == []
    assert [room.name for room in house.rooms][:3] == ["spajz", "satna_dole", "satna_nahore"]
    assert len(house.rooms) == 17
    assert {room.name: room.phase for room in house.rooms}["obyvak"] == 0
    assert [room.phase for room in house.rooms[:4]] == [1, 2, 3, 1]
    assert "".join(room.facing for room in house.rooms[:4]) == "SEWS"
    assert [(a.azimuth_deg, a.tilt_deg, a.peak_kw) for a in house.arrays] == [(143, 35, 7.5), (233, 35, 7.5)]
    assert house.connection.import_limit_kw == pytest.approx(22.08)
    assert (file.run.start, file.run.speed, file.run.allow_inject) == (date(2021, 2, 8), 60, True)
    assert file.data.prices.is_absolute() and file.data.prices.is_file()


def test_a_house_file_needs_no_more_than_a_site(tmp_path: Path) -> None:
    path = write_house(tmp_path, "[site]\nlatitude_deg = 50\nlongitude_deg = 6\n")
    file = load(path)
    assert file.house.battery is None and file.house.rooms == ()
    assert file.run.allow_inject is False


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("", "file: is empty"),
        ("  \n\n", "file: is empty"),
        (b"[site]\nname = \xff\n", "file: is not UTF-8: byte 0xff in line 2"),
        (b"\x00" * 2_000_000, "file: is longer than 1000000 bytes"),
        ("[site\nlatitude_deg = 1\n", "line 1: TOML syntax"),
        ("[site]\nlatitude_deg = \n", "line 2: TOML syntax"),
        ("[site]\nlatitude_deg = 1\nlatitude_deg = 2\n", "line 3: TOML syntax"),
        ("x = " + "[" * 5000, "file: TOML syntax"),
    ],
)
def test_a_file_that_is_no_house_file_is_refused_in_one_line(tmp_path: Path, content: str | bytes, line: str) -> None:
    (found,) = check(write_house(tmp_path, content))
    assert str(found).startswith(line)
    assert "\n" not in str(found)


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    assert check(write_house(tmp_path, "\ufeff" + demo_text())) == []


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    assert str(check(tmp_path / "none.toml")[0]).startswith("file: does not exist")
    assert str(check(tmp_path)[0]).startswith("file: is a folder")


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("fuse_a = 32", "fuze_a = 32", "connection.fuze_a: unknown key; did you mean 'fuse_a'?"),
        ("[inverter]", "[invertor]", "invertor: unknown key; did you mean 'inverter'?"),
        ("frost_c = 8", "frost = 8", "house.frost: unknown key; did you mean 'frost_c'?"),
        ("latitude_deg = 50.775", "", "site.latitude_deg = (missing): needed; add it: north positive"),
        (
            "capacity_kwh = 10",
            "capacity_kwh = '10'",
            "battery.capacity_kwh = '10': must be a valid number; write a number",
        ),
        ("fuse_a = 32", "fuse_a = true", "connection.fuse_a = true: must be a valid number"),
        ("import_fee = 0.020", "import_fee = nan", "tariff.import_fee = nan: must be a finite number"),
        ("import_fee = 0.020", "import_fee = inf", "tariff.import_fee = inf: must be a finite number"),
        ("phases = 3", "phases = 2", "connection.phases = 2: must be 1 or 3"),
        ("start = 2021-02-08", "start = 'soon'", "run.start = 'soon': must be a valid date"),
        ("[site] #", "[[site]] #", "site = "),
        ("latitude_deg = 50.775", "latitude_deg = 95", "site.latitude_deg = 95: must be at least -66 and at most 66"),
    ],
)
def test_each_wrong_key_type_or_value_names_field_value_limit_and_remedy(
    tmp_path: Path, old: str, new: str, line: str
) -> None:
    (found,) = faults(tmp_path, (old, new))
    assert found.startswith(line)
    assert "; " in found


@pytest.mark.parametrize(
    ("old", "new", "guess"),
    [
        ("ac_limit_kw = 10", "ac_limit_kw = 10000", "looks like W: write 10"),
        ("capacity_kwh = 10", "capacity_kwh = 10000", "looks like W: write 10"),
        ("soc_min = 0.20", "soc_min = 20", "looks like a percentage: write 0.2"),
        ("eff_discharge = 0.93", "eff_discharge = 93", "looks like a percentage: write 0.93"),
        ("import_fee = 0.020", "import_fee = 20", "looks like EUR/MWh: write 0.02"),
        ("wear_eur_per_kwh = 0.04", "wear_eur_per_kwh = 40", "looks like EUR/MWh: write 0.04"),
        ("frost_c = 8", "frost_c = 281.15", "looks like kelvin: write 8.0"),
        ("day_starts_h = 6", "day_starts_h = 360", "looks like minutes: write 6"),
    ],
)
def test_a_value_in_the_wrong_unit_is_recognised(tmp_path: Path, old: str, new: str, guess: str) -> None:
    (found,) = faults(tmp_path, (old, new))
    assert found.endswith(guess)


def test_every_array_in_watts_is_told_by_its_name(tmp_path: Path) -> None:
    found = faults(tmp_path, ("peak_kw = 7.5", "peak_kw = 7500"))
    assert [line.split(" = ")[0] for line in found] == [
        "arrays[0] (southeast).peak_kw",
        "arrays[1] (southwest).peak_kw",
    ]


def test_all_faults_are_listed_and_not_only_the_first(tmp_path: Path) -> None:
    found = faults(
        tmp_path, ("fuse_a = 32", "fuze_a = 32"), ("soc_min = 0.20", "soc_min = 20"), ("tilt_deg = 35", "tilt_deg = 95")
    )
    assert len(found) == 4


def test_load_refuses_what_check_finds_and_carries_all_of_it(tmp_path: Path) -> None:
    path = write_house(tmp_path, demo_text().replace("fuse_a = 32", "fuze_a = 32").replace("vat = 0.21", "vat = 21"))
    with pytest.raises(HouseFileError, match="unknown key") as caught:
        load(path)
    assert len(caught.value.faults) == 2
    assert "\n" not in str(caught.value)
    assert "and 1 more" in str(caught.value)


def test_the_configuration_imports_nothing_heavy() -> None:
    code = (
        "import sys, config.load; from config.load import DEMO, load; load(DEMO);"
        "heavy = {'numpy', 'pandas', 'pyomo', 'cvxpy', 'pvlib', 'torch', 'matplotlib', 'pykka'} & set(sys.modules);"
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
