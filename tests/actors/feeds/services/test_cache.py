"""What is kept on disk: whole or not at all, bounded, and never believed when it cannot be read."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from actors.feeds.services.cache import DiskCache, Stamped
from models.errors import StoreError

AT = datetime(2026, 6, 14, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize("name", ["2026-06-14.json", "20260614T123000Z.json.gz"])
def test_what_was_written_comes_back_with_its_stamp(tmp_path: Path, name: str) -> None:
    cache = DiskCache(tmp_path / "a" / "b")
    data = {"prices": [1.5, None, -0.25], "unit": "€"}
    cache.write(name, Stamped(AT.astimezone(timezone(timedelta(hours=2))), data))
    assert cache.read(name) == Stamped(AT, data)
    assert cache.names() == [name]
    assert [p.name for p in (tmp_path / "a" / "b").iterdir()] == [name], "no half-written file is left"


def test_nothing_is_read_from_where_nothing_was_written(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path / "none")
    assert cache.read("x.json") is None and cache.names() == []


@pytest.mark.parametrize("name", ["2026.json", "2026.json.gz"])
@pytest.mark.parametrize("keep", [0, 1, 10, -1])
def test_a_torn_file_is_put_aside(tmp_path: Path, name: str, keep: int) -> None:
    cache = DiskCache(tmp_path)
    cache.write(name, Stamped(AT, [1, 2, 3]))
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[:keep])
    assert cache.read(name) is None
    assert not path.exists() and (tmp_path / f"{name}.unreadable").exists() and cache.names() == []


@pytest.mark.parametrize(
    "content",
    ['{"version":2,"fetched":"2026-06-14T12:30:00+00:00","data":1}', '{"version":1,"fetched":"2026-06-14","data":1}',
     '{"version":1,"data":1}', "[]", '{"version":1,"fetched":5,"data":1}'],
)  # fmt: skip
def test_a_file_of_another_form_is_put_aside(tmp_path: Path, content: str) -> None:
    (tmp_path / "x.json").write_text(content)
    assert DiskCache(tmp_path).read("x.json") is None


def test_the_oldest_go_when_there_are_too_many(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, max_files=3)
    for day in range(10, 16):
        cache.write(f"2026-06-{day}.json", Stamped(AT, day))
    assert cache.names() == [f"2026-06-{d}.json" for d in (13, 14, 15)]


def test_the_oldest_go_when_they_are_too_large(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, max_bytes=5000)
    for day in range(10, 16):
        cache.write(f"2026-06-{day}.json", Stamped(AT, "x" * 1500))
    assert cache.names() == [f"2026-06-{d}.json" for d in (13, 14, 15)]


@pytest.mark.parametrize("name", ["../x.json", "a/b", "", ".hidden", "x" * 200, "a b", "x.unreadable"])
def test_names_cannot_leave_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(StoreError, match="no name"):
        DiskCache(tmp_path).write(name, Stamped(AT, 1))


def test_a_disk_that_takes_nothing_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        DiskCache(tmp_path / "file").write("x.json", Stamped(AT, 1))


def test_a_reader_sees_the_old_file_or_the_new_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = DiskCache(tmp_path)
    cache.write("x.json", Stamped(AT, "old"))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        cache.write("x.json", Stamped(AT, "new"))
    assert cache.read("x.json") == Stamped(AT, "old") and len(list(tmp_path.iterdir())) == 1
