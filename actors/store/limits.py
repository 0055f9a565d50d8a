"""Limits of the grid operator on disk: an event that was announced binds whatever restarts meanwhile."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from actors.store.durable import read_sealed, write_sealed
from models.errors import DataError, StoreError
from models.types.operator import ImportLimit

LIMITS_FILE = "limits.json"


class FileLimits:
    """`limits.json` of the state folder; a folder without one has no limits."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / LIMITS_FILE

    def load(self) -> tuple[ImportLimit, ...]:
        """What was kept last. StoreError when it cannot be known: torn, or not what we write."""
        try:
            rows = read_sealed(self._path).get("limits")
        except FileNotFoundError:
            return ()
        if not isinstance(rows, list):
            raise StoreError(f"{self._path}: holds no list of limits", hint="tell the limits again, they replace it")
        return tuple(self._limit(row) for row in rows)

    def save(self, limits: tuple[ImportLimit, ...]) -> None:
        """Replace them durably, before it returns. StoreError when it cannot."""
        rows = [
            {"start": x.start.isoformat(), "end": x.end.isoformat(), "import_kw": x.import_kw, "source": x.source}
            for x in limits
        ]
        write_sealed(self._path, {"limits": rows})

    def _limit(self, row: object) -> ImportLimit:
        try:
            match row:
                case {"start": str(start), "end": str(end), "import_kw": int() | float() as kw, "source": str(source)}:
                    return ImportLimit(
                        start=datetime.fromisoformat(start), end=datetime.fromisoformat(end), import_kw=float(kw),
                        source=source,
                    )  # fmt: skip
                case _:
                    raise ValueError("fields are missing")
        except (ValueError, DataError) as error:
            raise StoreError(
                f"{self._path}: a limit cannot be read ({error})", hint="tell the limits again, they replace it"
            ) from error
