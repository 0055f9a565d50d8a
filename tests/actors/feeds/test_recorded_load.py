"""A recorded home lives in another year: same weekday, same hour, its own yearly energy."""

from __future__ import annotations

import gzip
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from actors.feeds.recorded import RecordedLoad, RecordedWeather, TrueLoad, load_world_series
from models.errors import DataError
from models.types.slots import local_midnight
from tests.actors.feeds.conftest import BERLIN, LOAD, WEATHER

PARIS = ZoneInfo("Europe/Paris")
WEEKS = 730  # from 2007 to 2021


def source() -> dict[datetime, float]:
    """The record as it stands in the file, by UTC time."""
    with gzip.open(LOAD, "rt", encoding="utf-8") as file:
        cells = [row.split(",") for row in file.read().splitlines()[1:]]
    return {datetime.fromisoformat(t): float(v) if v else math.nan for t, v in cells}


def test_the_year_has_the_wanted_energy(load: RecordedLoad) -> None:
    start, end = (local_midnight(datetime(y, 1, 1).date(), BERLIN) for y in (2021, 2022))
    slots = round((end - start) / timedelta(minutes=15))
    assert sum(load.kw(start, slots)) * 0.25 == pytest.approx(4500.0)
    half = RecordedLoad(LOAD, BERLIN, annual_kwh=2250.0)
    assert half.kw(start, 96) == pytest.approx([v / 2 for v in load.kw(start, 96)])


def test_weekday_and_local_hour_are_kept_on_both_sides_of_each_clock_change(load: RecordedLoad) -> None:
    """730 weeks back on the local clock; 2007 and 2021 change their clocks on different days."""
    recorded, ratios = source(), []
    for day in ("2021-02-08", "2021-03-26", "2021-03-29", "2021-07-01", "2021-10-30", "2021-11-01", "2021-12-24"):
        for hour in (0, 7, 13, 19, 23):
            now = datetime.fromisoformat(day).replace(hour=hour, tzinfo=BERLIN)
            then = (now.replace(tzinfo=None) - timedelta(weeks=WEEKS)).replace(tzinfo=PARIS)
            assert then.weekday() == now.weekday()
            ratios.append(load.kw(now.astimezone(UTC), 1)[0] / recorded[then.astimezone(UTC)])
    assert max(ratios) == pytest.approx(min(ratios)), "one scale, the same hours"


def test_an_hour_holds_for_its_four_quarters(load: RecordedLoad) -> None:
    assert len(set(load.kw(datetime(2021, 5, 5, 17, tzinfo=UTC), 4))) == 1


def test_a_missing_hour_takes_the_same_hour_of_the_week_before(load: RecordedLoad) -> None:
    recorded = source()
    gap = datetime(2007, 4, 28, 9, tzinfo=PARIS)
    assert math.isnan(recorded[gap.astimezone(UTC)])
    now = (gap.replace(tzinfo=None) + timedelta(weeks=WEEKS)).replace(tzinfo=BERLIN).astimezone(UTC)
    assert load.kw(now, 1) == load.kw(now - timedelta(days=7), 1)
    assert not any(math.isnan(v) for v in load.kw(load.start, round((load.end - load.start) / timedelta(minutes=15))))
    assert 60 < load.filled_hours < 80


def test_history_ends_with_the_last_whole_slot_and_includes_what_the_meter_sees_besides(load: RecordedLoad) -> None:
    now = datetime(2021, 2, 8, 10, 7, tzinfo=UTC)
    history = load.history(now, 7, add_kw=0.06)
    assert history.end == datetime(2021, 2, 8, 10, tzinfo=UTC)
    assert history.start == datetime(2021, 2, 1, 10, tzinfo=UTC)
    assert history.kw[-1] == pytest.approx(load.kw(datetime(2021, 2, 8, 9, 45, tzinfo=UTC), 1)[0] + 0.06)
    assert load.history(datetime(2020, 12, 1, tzinfo=UTC), 7).kw == ()


def test_perfect_foresight_knows_the_load_to_come(load: RecordedLoad) -> None:
    now = datetime(2021, 2, 8, 10, 7, tzinfo=UTC)
    known = TrueLoad(load).known_at(now, 192)
    assert known.start == datetime(2021, 2, 8, 10, tzinfo=UTC)
    assert known.kw == load.kw(known.start, 192)
    last = TrueLoad(load).known_at(load.end - timedelta(hours=1), 192, add_kw=0.06)
    assert last.end == load.end, "as far as recorded"
    assert last.kw[0] == load.kw(last.start, 1)[0] + 0.06
    assert TrueLoad(load).known_at(load.end + timedelta(days=1), 192).kw == ()


def test_a_time_outside_the_year_is_refused(load: RecordedLoad) -> None:
    with pytest.raises(DataError, match=r"no load for 4 quarter hours from 2023-01-01 .* start within the year"):
        load.kw(datetime(2023, 1, 1, tzinfo=UTC), 4)


def hourly(folder: Path, days: int, value: str = "0.5") -> Path:
    start = datetime(2006, 12, 31, 23, tzinfo=UTC)
    rows = [f"{(start + timedelta(hours=h)).isoformat()},{value}" for h in range(days * 24)]
    path = folder / "load.csv"
    path.write_text("\n".join(["time_utc,load_kw", *rows]), encoding="utf-8")
    return path


def test_a_record_shorter_than_a_year_is_refused(tmp_path: Path) -> None:
    RecordedLoad(hourly(tmp_path, 400), BERLIN)
    with pytest.raises(DataError, match="too early for a whole year from 2007-01-01; record at least 54 weeks"):
        RecordedLoad(hourly(tmp_path, 300), BERLIN)


def test_a_hole_that_nothing_can_fill_is_refused(tmp_path: Path) -> None:
    path = hourly(tmp_path, 400)
    rows = path.read_text(encoding="utf-8").splitlines()
    for week in range(25):
        for hour in range(24):
            rows[1 + 24 * 7 * (10 + week) + hour] = rows[1 + 24 * 7 * (10 + week) + hour].split(",")[0] + ","
    path.write_text("\n".join(rows), encoding="utf-8")
    with pytest.raises(DataError, match=r"load_kw is missing around 2007-.* and in 8 weeks before and after"):
        RecordedLoad(path, BERLIN)


def test_the_twin_gets_weather_and_load_on_one_grid(load: RecordedLoad, weather: RecordedWeather) -> None:
    world = load_world_series(weather.table, load)
    assert world["start"] == datetime(2021, 1, 1, tzinfo=UTC)
    assert world["dt_s"] == 900.0
    assert {len(world[k]) for k in ("temp_c", "ghi", "dhi", "dni", "wind", "load_kw")} == {35040}
    at = datetime(2021, 6, 1, 11, tzinfo=UTC)
    cut = load_world_series(WEATHER, load, start=at, end=at + timedelta(days=2))
    assert (cut["start"], len(cut["ghi"])) == (at, 192)
    assert cut["load_kw"] == load.kw(at, 192)
    assert cut["ghi"][0] == weather.table.columns["ghi_w_per_m2"][weather.table.index(at)]
    with pytest.raises(DataError, match=r"nothing between .* where both weather and load are recorded"):
        load_world_series(weather.table, load, start=datetime(2023, 1, 1, tzinfo=UTC))
