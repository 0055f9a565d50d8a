"""What is handed to the store: one row is one fact, with its time, what it is about and what caused it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime
from enum import Enum, StrEnum
from typing import Any

from pydantic import BaseModel

Json = None | bool | int | float | str | list[Any] | dict[str, Any]


class Kind(StrEnum):
    """One table each."""

    TELEMETRY = "telemetry"  # readings; key: the device
    PLAN = "plans"  # key: problem id
    FORECAST = "forecasts"  # key: source; `issued` tells what could be known when
    REQUEST = "requests"  # key: request id
    VERDICT = "verdicts"  # key: request id
    WIRE = "wire"  # what was handed to the link and how far it got; key: point
    TRIP = "trips"  # key: trip id
    EVENT = "events"  # alarms, restarts, dead letters; key: path or name


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One fact."""

    kind: Kind
    at: datetime  # aware UTC, house time
    key: str  # what it is about, see Kind
    data: dict[str, Any]  # JSON; None is "not known", NaN does not exist here
    cause: str = ""  # causality id
    issued: datetime | None = None  # of forecasts and plans: when it became known

    @classmethod
    def of(
        cls, kind: Kind, at: datetime, key: str, fact: object, *, cause: str = "", issued: datetime | None = None
    ) -> Row:
        """A row of any frozen fact: dataclass, pydantic model or mapping.

        Raises
        ------
        TypeError
            It holds something that JSON has no word for.
        """
        data = plain(fact)
        return cls(
            kind=kind,
            at=at,
            key=key,
            data=data if isinstance(data, dict) else {"value": data},
            cause=cause,
            issued=issued,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """A batch: written in one transaction, all or none."""

    rows: tuple[Row, ...]


def plain(value: object) -> Json:
    """A fact as JSON values: times in ISO 8601, enums as their words, NaN and infinities as null."""
    match value:
        case None | bool() | str() if not isinstance(value, Enum):
            return value
        case Enum():
            return plain(value.value)
        case int():
            return value
        case float():
            return value if math.isfinite(value) else None
        case datetime() | date():
            return value.isoformat()
        case BaseModel():
            return plain(value.model_dump())
        case Mapping():
            return {str(plain(key)): plain(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [plain(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    raise TypeError(f"a {type(value).__name__} cannot be stored")
