"""Boot number, trips and wear survive whatever happens to the power, or say that they do not."""

from __future__ import annotations

import errno
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.messages import Trip
from actors.store.boot import Boot, next_boot
from actors.store.durable import read_sealed, write_sealed
from actors.store.trips import FileTrips
from actors.store.wear import FileWear
from models.errors import StoreError

NOW = datetime(2021, 2, 8, 12, tzinfo=UTC)
TRIP = Trip(
    id="fuse-1", kind="fuse", points=("room.obyvak.relay",), reason="phase at 9 kW", tripped_at=NOW, hold_off_s=60.0
)
ROW = {"id": "x", "kind": "fuse", "points": ["*"], "reason": "", "tripped_at": NOW.isoformat(), "hold_off_s": 0}
FRESH, LATER = Boot(number=1, fresh=True), Boot(number=2, fresh=False)


# --- boot ------------------------------------------------------------------------------------------------------------
def test_the_boot_number_rises_with_every_start_on_one_folder(tmp_path: Path) -> None:
    folder = tmp_path / "var" / "house"
    assert next_boot(folder) == FRESH
    assert next_boot(folder) == LATER
    assert next_boot(folder).number == 3
    assert folder.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("keep", [0, 1, 20, -1])
def test_a_torn_boot_file_is_refused(tmp_path: Path, keep: int) -> None:
    next_boot(tmp_path)
    path = tmp_path / "boot.json"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(StoreError, match="torn"):
        next_boot(tmp_path)


def test_a_boot_file_changed_by_hand_is_refused(tmp_path: Path) -> None:
    next_boot(tmp_path)
    path = tmp_path / "boot.json"
    path.write_text(path.read_text().replace('"boot": 1', '"boot": 7'))
    with pytest.raises(StoreError, match="changed by hand"):
        next_boot(tmp_path)


@pytest.mark.parametrize("left", ["store.sqlite", "trips.json", "wear.json"])
def test_a_boot_file_that_is_missing_where_a_house_has_lived_is_refused(tmp_path: Path, left: str) -> None:
    (tmp_path / left).touch()
    with pytest.raises(StoreError, match="is missing, but"):
        next_boot(tmp_path)


@pytest.mark.parametrize("number", [0, -1, True, "1", None, 1.5])
def test_a_boot_number_that_is_none_is_refused(tmp_path: Path, number: object) -> None:
    write_sealed(tmp_path / "boot.json", {"boot": number})
    with pytest.raises(StoreError, match="must be a whole number"):
        next_boot(tmp_path)


def test_a_state_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be created"):
        next_boot(tmp_path / "file" / "state")


# --- sealed files ----------------------------------------------------------------------------------------------------
@given(
    content=st.dictionaries(st.text(), st.one_of(st.integers(), st.text(), st.lists(st.floats(allow_nan=False)))),
    cut=st.data(),
)
def test_a_sealed_file_is_read_as_written_and_any_cut_is_noticed(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, object], cut: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("sealed") / "file.json"
    content = {name.encode("utf-8", "replace").decode(): value for name, value in content.items()}
    try:
        write_sealed(path, content)
    except (UnicodeEncodeError, ValueError):
        assert not path.exists()
        return
    assert read_sealed(path) == content
    whole = path.read_bytes()
    path.write_bytes(whole[: cut.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(StoreError):
        read_sealed(path)


def test_a_full_disk_leaves_the_old_content_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file.json"
    write_sealed(path, {"n": 1})

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        write_sealed(path, {"n": 2})
    assert read_sealed(path) == {"n": 1}
    assert [one.name for one in tmp_path.iterdir()] == ["file.json"]


# --- trips -----------------------------------------------------------------------------------------------------------
def test_trips_come_back_after_a_restart(tmp_path: Path) -> None:
    FileTrips(tmp_path, FRESH).save((TRIP,))
    assert FileTrips(tmp_path, LATER).load() == (TRIP,)


def test_a_fresh_folder_has_nothing_latched(tmp_path: Path) -> None:
    assert FileTrips(tmp_path, FRESH).load() == ()
    assert FileTrips(tmp_path, LATER).load() == ()


def test_the_row_that_the_next_test_spoils_is_a_trip(tmp_path: Path) -> None:
    write_sealed(tmp_path / "trips.json", {"trips": [ROW]})
    assert FileTrips(tmp_path, LATER).load()[0].id == "x"


def test_a_trips_file_that_went_missing_cannot_be_known(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is missing"):
        FileTrips(tmp_path, LATER).load()


@pytest.mark.parametrize(
    "content",
    [
        {"trips": "none"},
        {},
        {"trips": [{"id": "x"}]},
        {"trips": [None]},
        {"trips": [{**ROW, "points": []}]},
        {"trips": [{**ROW, "points": [1]}]},
        {"trips": [{**ROW, "tripped_at": "noon"}]},
        {"trips": [{**ROW, "tripped_at": "2021-02-08T12:00"}]},
    ],
)
def test_trips_that_are_none_cannot_be_known(tmp_path: Path, content: dict[str, object]) -> None:
    write_sealed(tmp_path / "trips.json", content)
    with pytest.raises(StoreError):
        FileTrips(tmp_path, LATER).load()


def test_a_torn_trips_file_cannot_be_known(tmp_path: Path) -> None:
    FileTrips(tmp_path, FRESH).save((TRIP,))
    path = tmp_path / "trips.json"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(StoreError, match="torn"):
        FileTrips(tmp_path, LATER).load()


def test_trips_that_cannot_be_saved_are_told(tmp_path: Path) -> None:
    trips = FileTrips(tmp_path, FRESH)
    (tmp_path / "trips.json").unlink()
    (tmp_path / "trips.json").mkdir()
    with pytest.raises(StoreError, match="cannot be written"):
        trips.save((TRIP,))
    with pytest.raises(StoreError, match="cannot be read"):
        trips.load()


# --- wear ------------------------------------------------------------------------------------------------------------
def test_the_write_budget_survives_a_restart(tmp_path: Path) -> None:
    wear = FileWear(tmp_path, FRESH, NOW)
    wear.record(NOW, "stop_soc", slot=False, exempt=False)
    wear.record(NOW + timedelta(hours=1), "slot1", slot=True, exempt=True)
    again = FileWear(tmp_path, LATER, NOW + timedelta(hours=2))
    assert again.used(NOW + timedelta(hours=2)) == (1, 1)
    assert again.total == 2
    assert again.used(NOW + timedelta(hours=24, minutes=30)) == (0, 1)
    assert again.used(NOW + timedelta(hours=26)) == (0, 0)


@pytest.mark.parametrize("damage", ["gone", "torn", "nonsense", "naive"])
def test_wear_that_cannot_be_known_counts_as_used_up_for_a_day(tmp_path: Path, damage: str) -> None:
    FileWear(tmp_path, FRESH, NOW)
    path = tmp_path / "wear.json"
    match damage:
        case "gone":
            path.unlink()
        case "torn":
            path.write_bytes(path.read_bytes()[:-3])
        case "nonsense":
            write_sealed(path, {"total": 1, "writes": [["noon", "x", True]]})
        case "naive":
            write_sealed(path, {"total": 1, "writes": [["2021-02-08T12:00:00", "x", True]]})
    wear = FileWear(tmp_path, LATER, NOW)
    assert wear.problem
    assert min(wear.used(NOW + timedelta(hours=23))) > 1000
    again = FileWear(tmp_path, LATER, NOW + timedelta(hours=12))
    assert min(again.used(NOW + timedelta(hours=23))) > 1000, "a restart must not forget that it was not known"
    assert "counts as used up" in again.problem
    again.record(NOW + timedelta(hours=23), "stop_soc", slot=False, exempt=True)
    assert again.used(NOW + timedelta(hours=24.5)) == (1, 0), "nor begin another day of it"
    assert again.problem == "" and FileWear(tmp_path, LATER, NOW + timedelta(hours=25)).problem == ""


def test_a_write_that_cannot_be_recorded_on_disk_is_still_counted(tmp_path: Path) -> None:
    wear = FileWear(tmp_path, FRESH, NOW)
    (tmp_path / "wear.json").unlink()
    (tmp_path / "wear.json").mkdir()
    wear.record(NOW, "stop_soc", slot=False, exempt=False)
    assert wear.used(NOW) == (1, 0) and "cannot be written" in wear.problem
    (tmp_path / "wear.json").rmdir()
    assert wear.used(NOW + timedelta(hours=1)) == (1, 0) and wear.problem == "", "and kept as soon as there is room"
    assert FileWear(tmp_path, LATER, NOW + timedelta(hours=1)).used(NOW + timedelta(hours=1)) == (1, 0)
