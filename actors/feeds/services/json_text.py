"""JSON of strangers: every surprise is a `DataError` that names the service and the field."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import NoReturn

from models.errors import DataError

_FIRST_S, _LAST_S = 946_684_800, 4_102_444_800  # 2000 .. 2100: a unix time outside is none
_SHOWN = 60


def load(body: bytes, source: str) -> dict[str, object]:
    """The JSON object that a body holds.

    Raises
    ------
    DataError
        It is empty, no JSON in UTF-8, or not an object.
    """
    if not body.strip():
        raise DataError(f"{source}: the answer is empty", hint="the service is at fault; it is asked again")
    try:
        value: object = json.loads(body.decode("utf-8-sig"), parse_constant=_constant)
    except (ValueError, RecursionError) as error:
        shown = body[:_SHOWN].decode("utf-8", "replace")
        raise DataError(
            f"{source}: the answer is not JSON ({type(error).__name__}) but begins with {shown!r}",
            hint="a proxy's or maintenance page? open the address in a browser",
        ) from None
    return table(value, source, "the answer")


def table(value: object, source: str, name: str) -> dict[str, object]:
    """`value` as a JSON object."""
    if not isinstance(value, dict):
        _wrong(source, name, value, "an object")
    return value


def items(value: object, source: str, name: str) -> list[object]:
    """`value` as a JSON array."""
    if not isinstance(value, list):
        _wrong(source, name, value, "a list")
    return value


def text(value: object, source: str, name: str) -> str:
    """`value` as text."""
    if not isinstance(value, str):
        _wrong(source, name, value, "a text")
    return value


def number(value: object, source: str, name: str) -> float:
    """`value` as a finite number; a number in quotes is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        _wrong(source, name, value, "a number")
    try:
        result = float(value)
    except OverflowError:
        result = math.inf
    if not math.isfinite(result):
        _wrong(source, name, value, "a finite number")
    return result


def maybe_number(value: object, source: str, name: str) -> float:
    """`value` as a finite number, or NaN for null: missing is not 0."""
    return math.nan if value is None else number(value, source, name)


def instant(value: object, source: str, name: str) -> datetime:
    """A unix time [s] as aware UTC."""
    seconds = number(value, source, name)
    if not _FIRST_S <= seconds <= _LAST_S:
        _wrong(source, name, value, "a unix time in seconds")
    return datetime.fromtimestamp(seconds, UTC)


def iso_instant(value: object, source: str, name: str) -> datetime:
    """ISO 8601 with its zone, as aware UTC."""
    written = text(value, source, name)
    try:
        at = datetime.fromisoformat(written)
    except ValueError:
        _wrong(source, name, value, "a time such as 2026-06-14T12:00:00Z")
    if at.tzinfo is None:
        _wrong(source, name, value, "a time with its zone: add Z for UTC")
    if not 2000 <= at.year < 2100:
        _wrong(source, name, value, "a time of this century")
    return at.astimezone(UTC)


def _constant(name: str) -> NoReturn:
    raise ValueError(name)


def _wrong(source: str, name: str, value: object, wanted: str) -> NoReturn:
    shown = repr(value)[:_SHOWN]
    raise DataError(
        f"{source}: {name} is {shown}, not {wanted}", hint="has the service changed its form? see docs/services.md"
    )
