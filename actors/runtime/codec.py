"""Values to bytes and back between processes: tagged JSON of registered types, nothing executable."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Protocol

import pydantic
import pydantic_core

from actors.runtime.errors import CodecError

_HEAD: Final = b'{"type":"'
_MIDDLE: Final = b'","value":'
_PLAIN: Final = ""
_MANY: Final = "[]"


class Codec(Protocol):
    """How bodies and results travel."""

    def encode(self, value: object) -> bytes:
        """Bytes of a value; `CodecError` if it cannot travel."""

    def decode(self, data: bytes) -> object:
        """The value again; `CodecError` for anything else."""


class JsonCodec:
    """`{"type": "Name", "value": ...}` for registered types, an empty name for plain JSON values.

    Registered are frozen dataclasses and pydantic models, by their class name; a list or tuple of them travels too
    (and arrives as a tuple). NaN and infinities are kept. Datetimes must be aware. What arrives is validated strictly
    against the annotations of the type, so that a number that arrives as text is an error and not a guess.

    Raises
    ------
    CodecError
        Two registered types have the same name.
    """

    def __init__(self, *types: type) -> None:
        self._types: dict[str, type] = {}
        self._adapters: dict[str, pydantic.TypeAdapter[Any]] = {}
        for kind in types:
            if self._types.setdefault(kind.__name__, kind) is not kind:
                raise CodecError(f"two types are called {kind.__name__}", hint="rename one of them")

    def encode(self, value: object) -> bytes:
        """Bytes of a value of a registered type, of a list of such, or of a plain JSON value."""
        kind = type(value)
        if self._types.get(kind.__name__) is kind:
            return _frame(kind.__name__, self._body(value))
        if isinstance(value, list | tuple) and any(type(item).__name__ in self._types for item in value):
            return _frame(_MANY, b"[" + b",".join(self.encode(item) for item in value) + b"]")
        _check_plain(value)
        try:
            return _frame(_PLAIN, json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())
        except (TypeError, ValueError, RecursionError) as error:
            raise CodecError(f"a {kind.__name__} cannot be sent: {error}", hint="register its type") from error

    def decode(self, data: bytes) -> object:
        """The value that `encode` was given; sequences arrive as lists, or as their annotations say."""
        if not data.startswith(_HEAD) or not data.endswith(b"}"):
            raise CodecError(f"not a tagged value: {data[:60]!r}")
        middle = data.find(_MIDDLE, len(_HEAD) - 1)
        if middle < 0:
            raise CodecError(f"not a tagged value: {data[:60]!r}")
        name = data[len(_HEAD) : middle].decode("utf-8", "replace")
        body = data[middle + len(_MIDDLE) : -1]
        if name == _PLAIN:
            return _loads(body)
        if name == _MANY:
            items = _loads(body)
            if not isinstance(items, list):
                raise CodecError("a list of values is not a list")
            return tuple(self.decode(_tagged(item)) for item in items)
        try:
            value = self._adapter(name).validate_json(body, strict=True)
        except pydantic.ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"])) or "value"
            raise CodecError(f"{name}.{where}: {first['msg']}, got {str(first['input'])[:60]!r}") from error
        _check_aware(value, name)
        return value

    def _body(self, value: object) -> bytes:
        name = type(value).__name__
        _check_aware(value, name)
        try:
            # by way of plain containers: a model turned into JSON directly writes NaN and infinities as null
            plain = self._adapter(name).dump_python(value, warnings="error")
            return pydantic_core.to_json(plain, inf_nan_mode="constants")
        except (ValueError, TypeError, RecursionError) as error:
            raise CodecError(f"a {name} cannot be sent: {error}") from error

    def _adapter(self, name: str) -> pydantic.TypeAdapter[Any]:
        adapter = self._adapters.get(name)
        if adapter is None:
            kind = self._types.get(name)
            if kind is None:
                raise CodecError(f"type {name[:60]!r} is not registered", hint=f"known: {', '.join(self._types)}")
            try:
                adapter = pydantic.TypeAdapter(kind)
            except (pydantic.PydanticUserError, NameError, TypeError) as error:
                raise CodecError(f"{name} cannot travel: {error}", hint="its annotations must be importable") from error
            self._adapters[name] = adapter
        return adapter


def _frame(name: str, body: bytes) -> bytes:
    return _HEAD + name.encode() + _MIDDLE + body + b"}"


def _tagged(item: object) -> bytes:
    if not isinstance(item, dict) or set(item) != {"type", "value"} or not isinstance(item["type"], str):
        raise CodecError(f"not a tagged value: {str(item)[:60]!r}")
    return _frame(item["type"], json.dumps(item["value"], ensure_ascii=False, separators=(",", ":")).encode())


def _loads(body: bytes) -> object:
    try:
        value: object = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise CodecError(f"not JSON: {error}") from error
    return value


def _check_plain(value: object) -> None:
    """Refuse what JSON would silently turn into something else: keys that are not text."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise CodecError(f"a plain mapping has the key {key!r}", hint="use text keys or a registered type")
            _check_plain(item)
    elif isinstance(value, list | tuple) and not _numbers(value):
        for item in value:
            _check_plain(item)


def _check_aware(value: object, where: str) -> None:
    """Refuse a datetime without a zone anywhere inside."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise CodecError(f"{where} is {value.isoformat()}, without a time zone", hint="use aware UTC")
    elif isinstance(value, list | tuple | set | frozenset):
        if not _numbers(value):
            for item in value:
                _check_aware(item, where)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            _check_aware(key, where)
            _check_aware(item, f"{where}[{key}]")
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            _check_aware(getattr(value, field.name), f"{where}.{field.name}")
    elif isinstance(value, pydantic.BaseModel):
        for name in type(value).model_fields:
            _check_aware(getattr(value, name), f"{where}.{name}")


def _numbers(value: object) -> bool:
    """Whether a long series begins and ends with a number: then it is one, and need not be looked through."""
    if not isinstance(value, list | tuple) or len(value) < 2:
        return False
    return type(value[0]) in (float, int) and type(value[-1]) in (float, int)
