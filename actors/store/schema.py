"""Tables of the SQLite store: one per kind of row, all of the same form.

Times are whole microseconds since 1970 UTC, so that they sort and compare as numbers; `data` is JSON, which SQLite's
own functions can look into (`json_extract(data, '$.soc')`).
"""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta

from actors.store.rows import Kind
from models.errors import StoreError

APPLICATION_ID = 0x50454D53  # "PEMS" in the file's header
VERSION = 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_TABLE = """
CREATE TABLE {name} (
    seq INTEGER PRIMARY KEY,
    at_us INTEGER NOT NULL,
    issued_us INTEGER,
    key TEXT NOT NULL,
    cause TEXT NOT NULL,
    data TEXT NOT NULL
) STRICT;
CREATE INDEX {name}_at ON {name} (at_us);
CREATE INDEX {name}_key ON {name} (key, at_us);
"""
_BOOTS = "CREATE TABLE boots (boot INTEGER PRIMARY KEY, at_us INTEGER NOT NULL) STRICT;"


def to_us(at: datetime) -> int:
    """Microseconds since 1970 UTC; ValueError for a naive time."""
    if at.tzinfo is None:
        raise ValueError(f"{at.isoformat()} has no time zone")
    return (at - _EPOCH) // _MICROSECOND


def from_us(at_us: int) -> datetime:
    """The aware UTC time again."""
    return _EPOCH + timedelta(microseconds=at_us)


def prepare(connection: sqlite3.Connection, path: str) -> bool:
    """Make an empty file a store, or see that it is one that we understand.

    Returns
    -------
    bool
        True if the store was created.

    Raises
    ------
    StoreError
        The file belongs to another program or to another version of ours; it is left as it is.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application == 0 and version == 0 and tables == 0:
        script = "".join(_TABLE.format(name=kind.value) for kind in Kind) + _BOOTS
        connection.executescript(
            f"BEGIN;{script}PRAGMA application_id = {APPLICATION_ID};PRAGMA user_version = {VERSION};COMMIT;"
        )
        return True
    if application != APPLICATION_ID:
        raise StoreError(f"{path}: is an SQLite file of another program", hint="name another file or folder")
    if version != VERSION:
        newer = version > VERSION
        raise StoreError(
            f"{path}: has schema version {version}, this program reads version {VERSION}",
            hint="use the newer program that wrote it" if newer else "move it away; a new one is begun",
        )
    return False
