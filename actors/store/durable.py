"""Small files that are whole or recognised as broken: written beside, flushed to the disk, renamed, with a checksum."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from models.errors import StoreError

LIMIT_BYTES = 4_000_000


def write_sealed(path: Path, content: Mapping[str, object]) -> None:
    """Replace a file durably: after this returns a power cut leaves the new content, before it the old one.

    Parameters
    ----------
    path : Path
        In an existing folder.
    content : mapping
        JSON values.

    Raises
    ------
    StoreError
        The disk is full, read-only or gone. The old content is still there.
    """
    body = _canonical(content)
    sealed = json.dumps({"sha256": hashlib.sha256(body.encode()).hexdigest(), "content": content}, indent=1)
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with os.fdopen(fd, "w", encoding="utf-8") as file:
                file.write(sealed)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise StoreError(
            f"{path}: cannot be written ({error.strerror or error})", hint="check space and permissions of its folder"
        ) from error


def read_sealed(path: Path) -> dict[str, object]:
    """What `write_sealed` wrote.

    Raises
    ------
    FileNotFoundError
        There is no such file; what that means is the caller's to say.
    StoreError
        It is torn, changed by hand, or cannot be read.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(LIMIT_BYTES + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StoreError(f"{path}: cannot be read ({error.strerror or error})") from error
    try:
        sealed: Any = json.loads(raw.decode("utf-8")) if len(raw) <= LIMIT_BYTES else {}
        content, seal = sealed["content"], sealed["sha256"]
        whole = isinstance(content, dict) and hashlib.sha256(_canonical(content).encode()).hexdigest() == seal
    except (ValueError, KeyError, TypeError, RecursionError):
        content, whole = {}, False
    if not whole:
        raise StoreError(f"{path}: is torn or was changed by hand", hint="restore it from a backup")
    return cast(dict[str, object], content)


def _canonical(content: object) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _sync_folder(folder: Path) -> None:
    """The rename itself must reach the disk."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
