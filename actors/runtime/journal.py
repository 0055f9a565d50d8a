"""A fingerprint of everything that was handled, the same in any process and under any hash seed."""

from __future__ import annotations

import dataclasses
import enum
import hashlib
from datetime import date, datetime, time, timedelta


class Journal:
    """Hashes (path, incarnation, message) in the order of handling."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.entries = 0
        self._message: object = None
        self._text = canonical(None)

    def record(self, path: str, incarnation: int, message: object) -> None:
        """Add one handled message."""
        self.entries += 1
        if message is not self._message:  # an event goes to many: its text is made once
            self._message, self._text = message, canonical(message)
        self._hash.update(f"{path}|{incarnation}|{self._text}\n".encode("utf-8", "backslashreplace"))

    def hexdigest(self) -> str:
        """The fingerprint so far."""
        return self._hash.hexdigest()


_FIELDS: dict[type, tuple[str, ...]] = {}
_SERIES = frozenset((float,))


def canonical(value: object) -> str:
    """Text that depends on what a value says alone: no addresses, no order of sets, no hash seed."""
    kind = type(value)
    if kind in (str, int, float, bool, type(None), bytes):
        return repr(value)
    if kind is tuple and set(map(type, value)) == _SERIES:  # type: ignore[call-overload]
        return "[" + repr(value)[1:-1].replace(" ", "").rstrip(",") + "]"  # a series: at the speed of C
    if kind in (tuple, list):
        return f"[{','.join(map(canonical, value))}]"  # type: ignore[call-overload]
    fields = _FIELDS.get(kind)
    if fields is not None:
        return f"{kind.__name__}({','.join([canonical(getattr(value, name)) for name in fields])})"
    return _rarer(value, kind)


def _rarer(value: object, kind: type) -> str:
    if isinstance(value, enum.Enum):
        return f"{kind.__name__}.{value.name}"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        _FIELDS[kind] = tuple(field.name for field in dataclasses.fields(value))
        return canonical(value)
    model_fields = getattr(kind, "model_fields", None)
    if isinstance(model_fields, dict):  # a pydantic model, which this layer need not import to know
        _FIELDS[kind] = tuple(model_fields)
        return canonical(value)
    if isinstance(value, dict):
        return f"{{{','.join(sorted(f'{canonical(k)}:{canonical(v)}' for k, v in value.items()))}}}"
    if isinstance(value, set | frozenset):
        return f"{{{','.join(sorted(map(canonical, value)))}}}"
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return repr(value.total_seconds())
    if isinstance(value, BaseException):
        return f"{kind.__name__}{canonical(value.args)}"
    if isinstance(value, tuple | list):
        return f"{kind.__name__}[{','.join(map(canonical, value))}]"
    for plain in (str, int, float, bytes):
        if isinstance(value, plain):
            return f"{kind.__name__}({plain.__repr__(value)})"  # not the subclass's own, which may show an address
    return getattr(value, "__qualname__", kind.__qualname__)
