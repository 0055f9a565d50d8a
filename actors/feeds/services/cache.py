"""What services said, on disk: stamped with when it was fetched, written whole or not at all, bounded."""

from __future__ import annotations

import gzip
import json
import os
import re
import zlib
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from models.errors import StoreError

VERSION = 1
ASIDE = ".unreadable"
_MAX_BYTES = 16 * 2**20  # of one file, unpacked
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,119}")


@dataclass(frozen=True, slots=True)
class Stamped:
    """JSON-able data and the instant at which a service gave them."""

    fetched: datetime  # aware UTC
    data: object


class DiskCache:
    """One folder of files; a name that ends in `.gz` is packed.

    Parameters
    ----------
    folder : Path
        Made when first written to.
    max_files, max_bytes : int
        The files with the smallest names go first, so names begin with a date.
    """

    def __init__(self, folder: Path, *, max_files: int = 400, max_bytes: int = 16 * 2**20) -> None:
        self.folder = folder
        self._max_files, self._max_bytes = max_files, max_bytes

    def write(self, name: str, stamped: Stamped) -> None:
        """Put it there for good, then make room.

        Raises
        ------
        StoreError
            The disk does not take it.
        """
        path = self._path(name)
        content = {"version": VERSION, "fetched": stamped.fetched.astimezone(UTC).isoformat(), "data": stamped.data}
        raw = json.dumps(content, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
        if path.suffix == ".gz":
            raw = gzip.compress(raw, mtime=0)
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                file.write(raw)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
            self._make_room()
        except OSError as error:
            with suppress(OSError):
                part.unlink()
            raise StoreError(
                f"{path}: cannot be written ({error.strerror or error})", hint="check space and rights of the folder"
            ) from None

    def read(self, name: str) -> Stamped | None:
        """What was written under that name; None if nothing, or nothing that can be read (which is put aside)."""
        path = self._path(name)
        try:
            raw = path.read_bytes()
        except OSError:
            return None
        stamped = _unpacked(raw, packed=path.suffix == ".gz")
        if stamped is None:
            with suppress(OSError):  # a read-only disk: it is passed over each time
                path.replace(path.with_name(path.name + ASIDE))
        return stamped

    def names(self) -> list[str]:
        """Names of all files, the smallest first."""
        try:
            entries = os.listdir(self.folder)
        except OSError:
            return []
        return sorted(n for n in entries if _NAME.fullmatch(n) and not n.endswith(ASIDE))

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name) or name.endswith(ASIDE):
            raise StoreError(f"{name[:60]!r} is no name of a cached file", hint="letters, digits and . _ + -")
        return self.folder / name

    def _make_room(self) -> None:
        kept, used = 0, 0
        for entry in sorted(os.scandir(self.folder), key=lambda e: e.name, reverse=True):
            if not entry.is_file(follow_symlinks=False):
                continue
            kept, used = kept + 1, used + entry.stat(follow_symlinks=False).st_size
            if kept > self._max_files or used > self._max_bytes:
                os.unlink(entry.path)


def _unpacked(raw: bytes, *, packed: bool) -> Stamped | None:
    try:
        if packed:
            unzip = zlib.decompressobj(31)
            raw = unzip.decompress(raw, _MAX_BYTES)
            if not unzip.eof:
                return None
        content = json.loads(raw)
        if content["version"] != VERSION:
            return None
        fetched = datetime.fromisoformat(content["fetched"])
        return None if fetched.tzinfo is None else Stamped(fetched.astimezone(UTC), content["data"])
    except (ValueError, KeyError, TypeError, RecursionError, zlib.error):
        return None
