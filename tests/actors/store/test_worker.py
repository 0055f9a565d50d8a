"""The store takes facts in batches, all or none, and says plainly when it cannot."""

from __future__ import annotations

import math
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from actors.runtime import JsonCodec
from actors.store.query import query
from actors.store.rows import Kind, Row, Rows, plain
from actors.store.worker import Store, methods
from models.errors import StoreError
from models.types.command import RELINQUISH, Level
from models.types.mode import Composite, InverterMode
from models.types.reading import MeterReading

T0 = datetime(2021, 2, 8, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    one = Store()
    one.open({"path": str(tmp_path / "store.sqlite")})
    yield one
    one.close({})


def rows(count: int, *, kind: Kind = Kind.TELEMETRY, key: str = "inverter", start: datetime = T0) -> Rows:
    return Rows(
        rows=tuple(
            Row(kind=kind, at=start + timedelta(seconds=5 * i), key=key, data={"n": i, "soc": None})
            for i in range(count)
        )
    )


def test_a_new_store_is_created_and_opened_again(tmp_path: Path) -> None:
    one, path = Store(), str(tmp_path / "store.sqlite")
    assert one.open({"path": path}) == {"created": True, "alarm": None, "schema": 1, "boots": 0}
    one.write(rows(3))
    one.close({})
    assert one.open({"path": path})["created"] is False
    assert len(one.query({"kind": "telemetry"})) == 3
    one.close({})
    one.close({})


def test_rows_come_back_as_they_were_given(store: Store) -> None:
    fact = MeterReading(measured_at=T0, grid_kw=1.25, import_kwh=None)
    store.write(Rows(rows=(Row.of(Kind.TELEMETRY, T0, "meter", fact, cause="c-1", issued=T0 - timedelta(hours=1)),)))
    (row,) = store.query({"kind": "telemetry", "key": "meter"})
    assert row == {
        "at": "2021-02-08T00:00:00+00:00",
        "issued": "2021-02-07T23:00:00+00:00",
        "key": "meter",
        "cause": "c-1",
        "data": {"measured_at": "2021-02-08T00:00:00+00:00", "grid_kw": 1.25, "import_kwh": None, "export_kwh": None},
    }


def test_a_batch_travels_to_the_worker_process_and_back() -> None:
    codec = JsonCodec(Rows)
    batch = rows(2)
    assert codec.decode(codec.encode(batch)) == batch


def test_queries_are_half_open_in_time_and_keep_order_and_limit(store: Store) -> None:
    store.write(rows(10))
    since, until = (T0 + timedelta(seconds=10)).isoformat(), (T0 + timedelta(seconds=30)).isoformat()
    found = store.query({"kind": "telemetry", "since": since, "until": until})
    assert [row["data"]["n"] for row in found] == [2, 3, 4, 5]  # type: ignore[index]
    newest = store.query({"kind": "telemetry", "newest": True, "limit": 2})
    assert [row["data"]["n"] for row in newest] == [9, 8]  # type: ignore[index]
    assert store.query({"kind": "plans"}) == []


def test_another_process_reads_while_the_store_is_written(store: Store, tmp_path: Path) -> None:
    store.write(rows(1))
    path = tmp_path / "store.sqlite"
    assert len(query(path, {"kind": "telemetry"})) == 1
    store.write(rows(1))
    assert len(query(path, {"kind": "telemetry"})) == 2


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "telemetry; DROP TABLE telemetry"},
        {"kind": None},
        {},
        {"kind": "telemetry", "limit": 0},
        {"kind": "telemetry", "limit": True},
        {"kind": "telemetry", "limit": 10**9},
        {"kind": "telemetry", "since": "yesterday"},
        {"kind": "telemetry", "since": "2021-02-08T00:00:00"},
        {"kind": "telemetry", "key": 7},
    ],
)
def test_a_query_that_is_none_is_refused(store: Store, fields: dict[str, object]) -> None:
    with pytest.raises(StoreError):
        store.query(fields)


def test_a_key_is_a_value_and_never_part_of_the_statement(store: Store) -> None:
    store.write(rows(1, key="x' OR '1'='1"))
    assert store.query({"kind": "telemetry", "key": "y' OR '1'='1"}) == []
    assert len(store.query({"kind": "telemetry", "key": "x' OR '1'='1"})) == 1


def test_a_row_that_cannot_be_written_takes_the_whole_batch_with_it(store: Store) -> None:
    bad = Row(kind=Kind.EVENT, at=T0, key="x", data={"kw": math.nan})
    with pytest.raises(StoreError, match="cannot be written"):
        store.write(Rows(rows=(*rows(3).rows, bad)))
    naive = Row(kind=Kind.EVENT, at=datetime(2021, 2, 8), key="x", data={})
    with pytest.raises(StoreError, match="no time zone"):
        store.write(Rows(rows=(*rows(3).rows, naive)))
    huge = Row(kind=Kind.EVENT, at=T0, key="x", data={"text": "x" * 5_000_000})
    with pytest.raises(StoreError, match="limit"):
        store.write(Rows(rows=(*rows(3).rows, huge)))
    assert store.query({"kind": "telemetry"}) == []


def test_a_full_disk_is_told_and_nothing_of_the_batch_is_left(store: Store) -> None:
    store.write(rows(10))
    connection = store._opened()[1]
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError, match="full.*control goes on"):
        store.write(rows(20_000))
    assert len(store.query({"kind": "telemetry"})) == 10
    connection.execute("PRAGMA max_page_count = 1000000")
    assert store.write(rows(5)) == {"written": 5}


def test_a_batch_that_fails_half_way_leaves_nothing(store: Store) -> None:
    store._opened()[1].execute("DROP TABLE events")
    with pytest.raises(StoreError, match="no such table"):
        store.write(Rows(rows=(*rows(3).rows, *rows(3, kind=Kind.EVENT).rows)))
    assert store.query({"kind": "telemetry"}) == []


def test_a_read_only_store_is_told(store: Store) -> None:
    store._opened()[1].execute("PRAGMA query_only = ON")
    with pytest.raises(StoreError, match="cannot write.*readonly"):
        store.write(rows(1))


def test_a_folder_that_does_not_exist_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="check that its folder exists"):
        Store().open({"path": str(tmp_path / "none" / "store.sqlite")})
    with pytest.raises(StoreError, match="cannot read"):
        query(tmp_path / "none.sqlite", {"kind": "telemetry"})


def test_a_store_held_by_another_program_is_told(store: Store, tmp_path: Path) -> None:
    store._opened()[1].execute("PRAGMA busy_timeout = 1")
    other = sqlite3.connect(tmp_path / "store.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="another program holds it"):
        store.write(rows(1))
    other.rollback()
    other.close()
    assert store.write(rows(1)) == {"written": 1}


@pytest.mark.parametrize("damage", ["garbage", "middle", "header"])
def test_a_damaged_store_is_moved_aside_with_an_alarm_and_a_new_one_is_begun(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "store.sqlite"
    one = Store()
    one.open({"path": str(path)})
    one.write(rows(2000))
    one.close({})
    content = bytearray(path.read_bytes())
    match damage:
        case "garbage":
            content = bytearray(b"this is no database at all" * 100)
        case "middle":
            content[4096 : len(content)] = b"\xff" * (len(content) - 4096)
        case "header":
            content[0:16] = b"SQLite format 9\0"
    path.write_bytes(content)
    opened = one.open({"path": str(path)})
    assert opened["created"] is True
    assert "was damaged" in str(opened["alarm"])
    assert (tmp_path / "store.sqlite.damaged-1").read_bytes() == bytes(content)
    one.write(rows(1))
    one.close({})


def test_a_second_damaged_store_does_not_overwrite_the_first(tmp_path: Path) -> None:
    path, one = tmp_path / "store.sqlite", Store()
    for text in (b"first damage" * 1000, b"second damage" * 1000):
        one.close({})
        path.write_bytes(text)
        assert one.open({"path": str(path)})["alarm"]
    one.close({})
    assert (tmp_path / "store.sqlite.damaged-1").read_bytes().startswith(b"first")
    assert (tmp_path / "store.sqlite.damaged-2").read_bytes().startswith(b"second")


def test_another_programs_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE diary (entry TEXT)")
    connection.close()
    with pytest.raises(StoreError, match="of another program"):
        Store().open({"path": str(path)})
    assert not list(tmp_path.glob("*damaged*"))


@pytest.mark.parametrize(("version", "advice"), [(2, "use the newer program"), (0, "move it away")])
def test_a_store_of_another_version_is_refused_and_left_as_it_is(tmp_path: Path, version: int, advice: str) -> None:
    path, one = tmp_path / "store.sqlite", Store()
    one.open({"path": str(path)})
    one.write(rows(1))
    one._opened()[1].execute(f"PRAGMA user_version = {version}")
    one.close({})
    with pytest.raises(StoreError, match=advice):
        one.open({"path": str(path)})
    assert len(query(path, {"kind": "telemetry"})) == 1


def test_boots_are_recorded_once_and_only_upwards(store: Store) -> None:
    at = T0.isoformat()
    assert store.boot({"boot": 1, "at": at}) == {"highest": 1}
    assert store.boot({"boot": 5, "at": at}) == {"highest": 5}
    for old in (5, 4, 0):
        with pytest.raises(StoreError, match="not new"):
            store.boot({"boot": old, "at": at})
    for strange in (True, "6", None):
        with pytest.raises(StoreError, match="whole number"):
            store.boot({"boot": strange, "at": at})


def test_pruning_keeps_trips_and_requests(store: Store) -> None:
    for kind in Kind:
        store.write(rows(2, kind=kind))
        store.write(rows(1, kind=kind, start=T0 + timedelta(days=2)))
    deleted = store.prune({"before": (T0 + timedelta(days=1)).isoformat()})
    assert deleted == {"deleted": 2 * (len(Kind) - 2)}
    assert len(store.query({"kind": "trips"})) == len(store.query({"kind": "requests"})) == 3
    assert len(store.query({"kind": "telemetry"})) == 1


KILLED = """
import sys
from datetime import UTC, datetime
from actors.store.rows import Kind, Row, Rows
from actors.store.worker import Store

store = Store()
store.open({"path": sys.argv[1]})
for n in range(100_000):
    store.write(Rows(rows=(Row(kind=Kind.EVENT, at=datetime(2021, 2, 8, tzinfo=UTC), key="n", data={"n": n}),)))
    print(n, flush=True)
"""


def test_no_acknowledged_row_is_lost_when_the_store_is_killed_while_writing(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    with subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        acknowledged = [int(writer.stdout.readline()) for _ in range(50)]
        writer.kill()
        acknowledged += [int(line) for line in writer.stdout if line.endswith("\n")]
    one = Store()
    assert one.open({"path": str(path)})["alarm"] is None
    kept = [row["data"]["n"] for row in one.query({"kind": "events", "limit": 10_000})]  # type: ignore[index]
    one.close({})
    assert kept[: len(acknowledged)] == acknowledged


def test_a_store_that_is_not_open_says_so() -> None:
    for name, body in (("write", rows(1)), ("query", {"kind": "events"}), ("boot", {"boot": 1, "at": T0.isoformat()})):
        with pytest.raises(StoreError, match="not open"):
            methods()[name](body)


@pytest.mark.parametrize("body", [None, [], "x", 7])
def test_a_call_without_named_values_is_refused(store: Store, body: object) -> None:
    for name in ("open", "query", "prune", "boot", "write"):
        with pytest.raises(StoreError):
            store.methods()[name](body)


def test_plain_keeps_meaning_and_drops_no_field() -> None:
    @dataclass(frozen=True)
    class Fact:
        mode: InverterMode
        level: Level
        kw: float
        day: date
        names: tuple[str, ...]

    fact = Fact(
        InverterMode(composite=Composite.HOLD, stop_soc=0.5), Level.PLAN, math.inf, date(2021, 2, 8), ("a", "b")
    )
    assert plain(fact) == {
        "mode": {"composite": "hold", "stop_soc": 0.5, "rate": None},
        "level": 13,
        "kw": None,
        "day": "2021-02-08",
        "names": ["a", "b"],
    }
    assert plain({Composite.HOLD: RELINQUISH}) == {"hold": {}}
    assert Row.of(Kind.EVENT, T0, "x", 5).data == {"value": 5}
    with pytest.raises(TypeError):
        plain(object())
