"""The store's side in its worker process: one SQLite file in WAL mode, written by us alone, readable by anyone.

    open   {"path": str}                                  -> {"created", "alarm", "schema", "boots"}
    boot   {"boot": int, "at": ISO time}                  -> {"highest": int}: refuses a number that is not new
    write  Rows                                           -> {"written": int}: all or none
    query  {"kind", "since", "until", "key", "limit", "newest"} -> [{"at", "issued", "key", "cause", "data"}, ...]
    prune  {"before": ISO time}                           -> {"deleted": int}
    close  {}                                             -> {}

Every failure is a StoreError: losing the store stops no control, so the caller sheds and raises an alarm.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from actors.store.query import BUSY_MS, failure, mapping, query, text_of, time_us
from actors.store.rows import Kind, Rows
from actors.store.schema import VERSION, prepare, to_us
from models.errors import StoreError

ROW_LIMIT_BYTES = 4_000_000
_DAMAGED = ("malformed", "not a database", "corrupt", "disk image")
_INSERT = "INSERT INTO {table} (at_us, issued_us, key, cause, data) VALUES (?, ?, ?, ?, ?)"


class Store:
    """One open store file."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._connection: sqlite3.Connection | None = None

    def methods(self) -> dict[str, Callable[[object], object]]:
        """For `actors.runtime.serve`."""
        return {
            "open": self.open,
            "boot": self.boot,
            "write": self.write,
            "query": self.query,
            "prune": self.prune,
            "close": self.close,
        }

    def open(self, body: object) -> dict[str, object]:
        """Open or create the file; one that is damaged is moved aside, never deleted.

        Raises
        ------
        StoreError
            No such folder, no permission, another program's file, another schema version.
        """
        path = Path(text_of(mapping(body), "path"))
        self.close({})
        alarm = None
        try:
            connection, created = _connect(path)
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise failure(path, "open", error) from error
            aside = _move_aside(path)
            alarm = f"{path} was damaged ({error}); it is kept as {aside.name} and a new store was begun"
            try:
                connection, created = _connect(path)
            except sqlite3.DatabaseError as again:
                raise failure(path, "open", again) from again
        self._path, self._connection = path, connection
        (boots,) = connection.execute("SELECT coalesce(max(boot), 0) FROM boots").fetchone()
        return {"created": created, "alarm": alarm, "schema": VERSION, "boots": boots}

    def boot(self, body: object) -> dict[str, object]:
        """Record a start. StoreError if this number, or a higher one, was there before."""
        fields = mapping(body)
        number = fields.get("boot")
        if not isinstance(number, int) or isinstance(number, bool):
            raise StoreError(f"boot is {number!r}, must be a whole number")
        at_us = time_us(fields, "at")
        with self._writing() as connection:
            (highest,) = connection.execute("SELECT coalesce(max(boot), 0) FROM boots").fetchone()
            if number <= highest:
                raise StoreError(
                    f"boot {number} is not new: the store has seen {highest}",
                    hint="the boot file is older than the store; start with a new state folder",
                )
            connection.execute("INSERT INTO boots (boot, at_us) VALUES (?, ?)", (number, at_us))
        return {"highest": number}

    def write(self, body: object) -> dict[str, object]:
        """Write a batch in one transaction.

        Raises
        ------
        StoreError
            Disk full, read-only or gone, or a row that is none; nothing of the batch is written.
        """
        if not isinstance(body, Rows):
            raise StoreError(f"write takes Rows, got {type(body).__name__}")
        by_table: dict[str, list[tuple[int, int | None, str, str, str]]] = {}
        for row in body.rows:
            try:
                data = json.dumps(row.data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
                issued_us = None if row.issued is None else to_us(row.issued)
                values = (to_us(row.at), issued_us, row.key, row.cause, data)
            except (ValueError, TypeError, RecursionError) as error:
                raise StoreError(f"a row of {row.kind.value} ({row.key[:80]}) cannot be written: {error}") from error
            if len(data) > ROW_LIMIT_BYTES:
                raise StoreError(
                    f"a row of {row.kind.value} ({row.key[:80]}) has {len(data)} bytes, limit {ROW_LIMIT_BYTES}"
                )
            by_table.setdefault(row.kind.value, []).append(values)
        with self._writing() as connection:
            for table, rows in by_table.items():
                connection.executemany(_INSERT.format(table=table), rows)
        return {"written": len(body.rows)}

    def query(self, body: object) -> list[dict[str, object]]:
        """Rows of one kind, oldest first, or newest first where `newest` is true."""
        path = self._opened()[0]
        return query(path, mapping(body))

    def prune(self, body: object) -> dict[str, object]:
        """Delete what is older than `before`; trips and requests stay for good."""
        before_us = time_us(mapping(body), "before")
        deleted = 0
        with self._writing() as connection:
            for kind in Kind:
                if kind not in (Kind.TRIP, Kind.REQUEST):
                    done = connection.execute(f"DELETE FROM {kind.value} WHERE at_us < ?", (before_us,))
                    deleted += done.rowcount
        return {"deleted": deleted}

    def close(self, body: object) -> dict[str, object]:
        """Close the file; closing twice is no error."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        return {}

    def _opened(self) -> tuple[Path, sqlite3.Connection]:
        if self._connection is None or self._path is None:
            raise StoreError("the store is not open", hint="call open first")
        return self._path, self._connection

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        path, connection = self._opened()
        try:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.rollback()
                raise
            connection.commit()
        except sqlite3.Error as error:
            if connection.in_transaction:  # a commit that failed for want of space
                connection.rollback()
            raise failure(path, "write", error) from error


def methods() -> dict[str, Callable[[object], object]]:
    """Methods of a new store, for the worker process."""
    return Store().methods()


def _connect(path: Path) -> tuple[sqlite3.Connection, bool]:
    connection = sqlite3.connect(path, timeout=BUSY_MS / 1000, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        created = prepare(connection, str(path))
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(f"database disk image is malformed: {verdict}")
    except BaseException:
        connection.close()
        raise
    return connection, created


def _is_damage(error: sqlite3.Error) -> bool:
    return any(word in str(error).lower() for word in _DAMAGED)


def _move_aside(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    try:
        for suffix in ("-wal", "-shm", ""):  # the log belongs to the file and would spoil the new one
            part = path.with_name(path.name + suffix)
            if part.exists():
                part.rename(aside.with_name(aside.name + suffix))
    except OSError as error:
        raise StoreError(f"{path}: is damaged and cannot be moved aside ({error.strerror or error})") from error
    return aside
