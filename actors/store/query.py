"""Reading the store, also from other processes while it is written."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from actors.store.rows import Kind
from actors.store.schema import from_us, to_us
from models.errors import StoreError

BUSY_MS = 5000
QUERY_LIMIT = 10_000


def query(path: Path, fields: Mapping[str, Any]) -> list[dict[str, object]]:
    """Read a store file, also while another process writes it; the connection cannot change it.

    Parameters
    ----------
    path : Path
    fields : mapping
        `kind`, and optionally `since`, `until` (ISO times, `[since, until)`), `key`, `limit` (at most
        10,000, default 1,000), `newest` (true: newest first).

    Raises
    ------
    StoreError
        No such store, an unknown kind or a value that is none.
    """
    words = [kind.value for kind in Kind]
    if fields.get("kind") not in words:
        raise StoreError(f"kind is {fields.get('kind')!r}, must be one of {', '.join(words)}")
    limit = fields.get("limit", 1000)
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= QUERY_LIMIT:
        raise StoreError(f"limit is {limit!r}, must be 1 to {QUERY_LIMIT}")
    where = ["1"]
    values: list[int | str] = []
    for name, condition in (("since", "at_us >= ?"), ("until", "at_us < ?")):
        if fields.get(name) is not None:
            where.append(condition)
            values.append(time_us(fields, name))
    if fields.get("key") is not None:
        where.append("key = ?")
        values.append(text_of(fields, "key"))
    order = "DESC" if fields.get("newest") is True else "ASC"
    statement = (
        f"SELECT at_us, issued_us, key, cause, data FROM {fields['kind']} WHERE {' AND '.join(where)} "
        f"ORDER BY at_us {order}, seq {order} LIMIT ?"
    )
    try:
        with closing(
            sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_MS / 1000)
        ) as connection:
            connection.execute("PRAGMA query_only = ON")
            rows = connection.execute(statement, (*values, limit)).fetchall()
    except sqlite3.Error as error:
        raise failure(path, "read", error) from error
    return [
        {
            "at": from_us(at_us).isoformat(),
            "issued": None if issued_us is None else from_us(issued_us).isoformat(),
            "key": key,
            "cause": cause,
            "data": json.loads(data),
        }
        for at_us, issued_us, key, cause, data in rows
    ]


def failure(path: Path, what: str, error: sqlite3.Error) -> StoreError:
    """What SQLite says, with what to do about it."""
    text = str(error)
    hints = {
        "full": "free some space; control goes on without the store",
        "readonly": "check the permissions of the file and its folder",
        "locked": "another program holds it: end it",
        "unable to open": "check that its folder exists and is writable",
        "malformed": "restart the store: it is then moved aside",
    }
    hint = next((advice for word, advice in hints.items() if word in text), None)
    return StoreError(f"{path}: cannot {what} ({text})", hint=hint)


def mapping(body: object) -> Mapping[str, Any]:
    """The named values of a call. StoreError for anything else."""
    if not isinstance(body, Mapping):
        raise StoreError(f"expected named values, got {type(body).__name__}")
    return body


def text_of(fields: Mapping[str, Any], name: str) -> str:
    """A text that must be there."""
    value = fields.get(name)
    if not isinstance(value, str) or not value or "\0" in value:
        raise StoreError(f"{name} is {value!r}, must be text")
    return value


def time_us(fields: Mapping[str, Any], name: str) -> int:
    """A time that must be there, in microseconds since 1970 UTC."""
    try:
        return to_us(datetime.fromisoformat(text_of(fields, name)))
    except (ValueError, OverflowError) as error:
        raise StoreError(f"{name} is {fields.get(name)!r}, must be an ISO time with zone ({error})") from error
