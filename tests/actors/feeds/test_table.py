"""Every way in which a recorded series can be wrong has one line that says where and what to do."""

from __future__ import annotations

import gzip
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from actors.feeds.recorded_load import COLUMNS as LOAD
from actors.feeds.recorded_prices import COLUMNS as PRICES
from actors.feeds.recorded_weather import COLUMNS as WEATHER
from actors.feeds.table import Column, SeriesTable, read_series
from models.errors import DataError

STEPS = (900.0, 3600.0)
START = datetime(2021, 2, 8, tzinfo=UTC)


def lines(n: int = 72, value: str = "0.05", header: str = "time_utc,spot_eur_per_kwh") -> list[str]:
    return [header, *(f"{START + timedelta(hours=i):%Y-%m-%dT%H:%M:%SZ},{value}" for i in range(n))]


def write(folder: Path, rows: list[str]) -> Path:
    path = folder / "series.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def read(path: Path, columns: tuple[Column, ...] = PRICES) -> SeriesTable:
    return read_series(path, columns, steps_s=STEPS)


def test_a_good_series_is_read_with_its_grid_and_its_holes(tmp_path: Path) -> None:
    rows = lines()
    rows[5] = rows[5].split(",")[0] + ","
    table = read(write(tmp_path, rows))
    assert (table.start, table.dt_s, len(table)) == (START, 3600.0, 72)
    assert table.end == START + timedelta(hours=72)
    assert math.isnan(table.columns["spot_eur_per_kwh"][4]), "a missing price is unknown, not 0"
    assert table.columns["spot_eur_per_kwh"][5] == 0.05
    assert table.index(START + timedelta(hours=3, minutes=59)) == 3
    assert table.index(START - timedelta(seconds=1)) == -1


def test_gzip_offsets_a_byte_order_mark_and_any_column_order_are_understood(tmp_path: Path) -> None:
    rows = ["﻿spot_eur_per_kwh,time_utc", "0.05,2021-02-08T01:00:00+01:00", "-0.01,2021-02-08T02:00:00+01:00"]
    path = tmp_path / "series.csv.gz"
    path.write_bytes(gzip.compress("\r\n".join(rows).encode()))
    table = read(path)
    assert table.start == START
    assert list(table.columns["spot_eur_per_kwh"]) == [0.05, -0.01], "negative prices are real"


def replaced(row: int, text: str) -> Callable[[list[str]], list[str]]:
    """Row numbers as in the message: the header is row 1."""
    return lambda rows: [*rows[: row - 1], text, *rows[row:]]


def swapped(rows: list[str]) -> list[str]:
    return [*rows[:9], rows[10], rows[9], *rows[11:]]


BAD = {
    "wrong columns": (replaced(1, "time,price"), "row 1", "missing time_utc, spot_eur_per_kwh", "the header must be"),
    "EUR/MWh in the name": (replaced(1, "time_utc,spot_eur_per_mwh"), "row 1", "unknown spot_eur_per_mwh", "header"),
    "column twice": (replaced(1, "time_utc,spot_eur_per_kwh,spot_eur_per_kwh"), "row 1", "twice spot", "header"),
    "no rows": (lambda rows: rows[:1], "0 data rows", "at least 2", "complete"),
    "one row": (lambda rows: rows[:2], "1 data rows", "at least 2", "complete"),
    "too few cells": (replaced(7, "2021-02-08T05:00:00Z"), "row 7", "1 cells, the header has 2", "comma"),
    "a blank line inside": (replaced(7, ""), "row 7", "0 cells", "comma"),
    "not a time": (replaced(7, "yesterday,0.05"), "row 7", "'yesterday' is not a time", "2021-02-08T14:15:00Z"),
    "naive time": (replaced(7, "2021-02-08T05:00:00,0.05"), "row 7", "has no time zone", "add Z for UTC"),
    "duplicate time": (replaced(7, "2021-02-08T04:00:00Z,0.05"), "row 7", "same as in the row before", "one row per"),
    "unsorted": (swapped, "row 10", "expected 3600 s", "keep every slot"),
    "backwards": (lambda rows: [rows[0], *reversed(rows[1:])], "row 3", "earlier than the row before", "sort"),
    "gap": (lambda rows: [*rows[:9], *rows[12:]], "row 10", "14400 s after the row before, expected 3600 s", "slot"),
    "off the grid": (
        lambda rows: [r.replace(":00:00Z", ":10:00Z") for r in rows], "row 2", "not a multiple of 3600 s", "full slot",
    ),
    "odd step": (lambda rows: [rows[0], *rows[1::5]], "series.csv", "step 18000 s", "use one of 900, 3600"),
    "not a number": (replaced(7, "2021-02-08T05:00:00Z,high"), "row 7", "'high' is not a number", "decimal point"),
    "decimal comma": (replaced(7, '2021-02-08T05:00:00Z,"0,05"'), "row 7", "'0,05' is not a number", "decimal point"),
    "infinite": (replaced(7, "2021-02-08T05:00:00Z,inf"), "row 7", "inf is outside -1 .. 5", "EUR/MWh by 1000"),
    "EUR/MWh": (lambda rows: [r.replace("0.05", "50.0") for r in rows], "row 2", "50 is outside -1 .. 5", "EUR/MWh by"),
    "divided twice": (lambda rows: [r.replace("0.05", "0.00005") for r in rows], "5e-05", "exceeds 0.002", "twice"),
    "all zero": (lambda rows: [r.replace("0.05", "0") for r in rows], "never exceeds 0", "0.002", "twice"),
    "a stray quote": (replaced(7, '2021-02-08T05:00:00Z,"0.05'), "not CSV", "end of data", "separate cells"),
}


@pytest.mark.parametrize("fault", BAD)
def test_each_fault_is_one_line_with_place_value_limit_and_remedy(fault: str, tmp_path: Path) -> None:
    change, *parts = BAD[fault]
    path = write(tmp_path, change(lines()))
    with pytest.raises(DataError) as caught:
        read(path)
    line = str(caught.value)
    assert str(path) in line
    assert "\n" not in line
    for part in parts:
        assert part in line, line


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (None, "no such file"),
        (b"", "empty"),
        (b" \n\n", "empty"),
        ("time_utc,spot_eur_per_kwh\n2021-02-08T00:00:00Z,0.05 \u20ac".encode("cp1252"), "row 2: not UTF-8"),
    ],
)
def test_a_file_that_is_missing_empty_or_not_utf_8_is_named(content: bytes | None, part: str, tmp_path: Path) -> None:
    path = tmp_path / "series.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=part) as caught:
        read(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"PK" + b[2:], lambda b: b[:20] + b"x" * 40])
def test_a_torn_gzip_file_is_refused(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = tmp_path / "series.csv.gz"
    path.write_bytes(damage(gzip.compress("\n".join(lines()).encode())))
    with pytest.raises(DataError, match="not a complete gzip file"):
        read(path)


def test_a_folder_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read(tmp_path)


def test_a_file_far_too_large_is_refused_before_it_is_unpacked_whole(tmp_path: Path) -> None:
    path = tmp_path / "series.csv.gz"
    path.write_bytes(gzip.compress(b"0" * (65 * 2**20), compresslevel=1))
    with pytest.raises(DataError, match="more than 64 MB"):
        read(path)


@pytest.mark.parametrize(
    ("columns", "row", "parts"),
    [
        (LOAD, "450", ("load_kw 450", "0 .. 100", "divide W by 1000")),
        (LOAD, "-0.2", ("load_kw -0.2", "0 .. 100")),
        (WEATHER, "283.1,0,0,0,3", ("temp_c 283.1", "-60 .. 60", "subtract 273.15")),
        (WEATHER, "5,-4,0,0,3", ("ghi_w_per_m2 -4", "0 .. 1500", "night offset")),
        (WEATHER, "5,0,0,0,90", ("wind_m_per_s 90", "0 .. 75", "km/h by 3.6")),
        (WEATHER, "5,,0,0,3", ("ghi_w_per_m2 is missing", "only prices and load may be unknown")),
        (WEATHER, "nan,0,0,0,3", ("temp_c is missing",)),
    ],
)
def test_wrong_units_and_missing_weather_are_named(
    columns: tuple[Column, ...], row: str, parts: tuple[str, ...], tmp_path: Path
) -> None:
    good = "0.4" if columns is LOAD else "5,300,100,200,3"
    rows = lines(value=good, header=",".join(["time_utc", *(c.name for c in columns)]))
    read(write(tmp_path, rows), columns)
    rows[30] = rows[30].split(",")[0] + "," + row
    with pytest.raises(DataError, match="row 31") as caught:
        read(write(tmp_path, rows), columns)
    for part in parts:
        assert part in str(caught.value)


def test_irradiance_in_kilowatts_is_noticed(tmp_path: Path) -> None:
    rows = lines(value="5,0.3,0.1,0.2,3", header=",".join(["time_utc", *(c.name for c in WEATHER)]))
    with pytest.raises(DataError, match=r"ghi_w_per_m2 never exceeds 0\.3.*multiply kW/m² by 1000"):
        read(write(tmp_path, rows), WEATHER)
