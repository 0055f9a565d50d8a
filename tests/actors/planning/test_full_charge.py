"""When the battery was full last is counted from what was seen, kept over restarts, and never a guess that costs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from actors.memory import MemoryFullCharge
from actors.planning.full_charge import LastFull
from actors.store.full_charge import FULL_FILE, FileFullCharge

NOON = datetime(2021, 2, 8, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def test_days_are_counted_from_when_it_was_full_and_at_first_from_the_first_reading() -> None:
    last = LastFull(0.9, MemoryFullCharge())
    assert last.days(NOON) == 0.0
    last.see(NOON, 0.4)
    assert last.days(NOON + DAY) == 1.0
    last.see(NOON + 2 * DAY, 0.895)
    last.see(NOON + 3 * DAY, 0.5)
    assert last.days(NOON + 4 * DAY) == 2.0


def test_a_new_life_goes_on_counting(tmp_path: Path) -> None:
    LastFull(1.0, FileFullCharge(tmp_path)).see(NOON, 1.0)
    again = LastFull(1.0, FileFullCharge(tmp_path))
    again.see(NOON + 3 * DAY, 0.5)
    assert again.days(NOON + 3 * DAY) == 3.0


def test_a_battery_that_stays_full_is_written_once_an_hour(tmp_path: Path) -> None:
    store = FileFullCharge(tmp_path)
    last = LastFull(1.0, store)
    last.see(NOON, 1.0)
    for minute in range(59):
        last.see(NOON + timedelta(minutes=minute), 1.0)
    assert store.load() == NOON
    last.see(NOON + timedelta(hours=1), 1.0)
    assert store.load() == NOON + timedelta(hours=1)


@pytest.mark.parametrize("content", ["", "{", '{"sealed": "nothing"}'])
def test_a_broken_file_is_told_and_written_anew(tmp_path: Path, content: str) -> None:
    (tmp_path / FULL_FILE).write_text(content)
    last = LastFull(1.0, FileFullCharge(tmp_path))
    assert FULL_FILE in last.problem
    last.see(NOON, 0.5)
    assert last.problem == "" and FileFullCharge(tmp_path).load() == NOON


def test_what_cannot_be_written_is_tried_again(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    last = LastFull(1.0, FileFullCharge(folder))
    last.see(NOON, 1.0)
    assert FULL_FILE in last.problem
    folder.mkdir()
    last.see(NOON + timedelta(minutes=1), 0.9)
    assert last.problem == "" and FileFullCharge(folder).load() == NOON
