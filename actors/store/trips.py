"""Latched trips on disk. The core writes them itself: a trip must not wait for a worker."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from actors.messages import Trip
from actors.store.boot import TRIPS_FILE, Boot
from actors.store.durable import read_sealed, write_sealed
from models.errors import StoreError

TRIPS_LIMIT = 10_000


class FileTrips:
    """Trips in `trips.json` of the state folder.

    Parameters
    ----------
    folder : Path
        The state folder.
    boot : Boot
        Of this start; in a fresh folder the file is created with nothing latched.

    Raises
    ------
    StoreError
        The folder is fresh and the file cannot be created.
    """

    def __init__(self, folder: Path, boot: Boot) -> None:
        self._path = folder / TRIPS_FILE
        if boot.fresh and not self._path.exists():
            write_sealed(self._path, {"trips": []})

    def load(self) -> tuple[Trip, ...]:
        """What was latched when the file was written last, oldest first.

        Raises
        ------
        StoreError
            It cannot be known: missing, torn, or not what we write. The caller stays tripped.
        """
        try:
            content = read_sealed(self._path)
        except FileNotFoundError:
            raise StoreError(
                f"{self._path}: is missing", hint="what was tripped cannot be known; restore it from a backup"
            ) from None
        rows = content.get("trips")
        if not isinstance(rows, list) or len(rows) > TRIPS_LIMIT:
            raise StoreError(f"{self._path}: holds no list of trips", hint="restore it from a backup")
        return tuple(self._trip(row) for row in rows)

    def save(self, trips: tuple[Trip, ...]) -> None:
        """Replace what is latched, durably, before it returns. StoreError when it cannot."""
        write_sealed(
            self._path,
            {
                "trips": [
                    {
                        "id": trip.id,
                        "kind": trip.kind,
                        "points": list(trip.points),
                        "reason": trip.reason,
                        "tripped_at": trip.tripped_at.isoformat(),
                        "hold_off_s": trip.hold_off_s,
                    }
                    for trip in trips
                ]
            },
        )

    def _trip(self, row: object) -> Trip:
        try:
            match row:
                case {
                    "id": str(name),
                    "kind": str(kind),
                    "points": [*points],
                    "reason": str(reason),
                    "tripped_at": str(at),
                    "hold_off_s": int(hold_off_s) | float(hold_off_s),
                } if points and all(isinstance(point, str) for point in points):
                    tripped_at = datetime.fromisoformat(at)
                    if tripped_at.tzinfo is None:
                        raise ValueError("tripped_at has no zone")
                    return Trip(
                        id=name,
                        kind=kind,
                        points=tuple(points),
                        reason=reason,
                        tripped_at=tripped_at,
                        hold_off_s=float(hold_off_s),
                    )
                case _:
                    raise ValueError("fields are missing")
        except ValueError as error:
            raise StoreError(
                f"{self._path}: a trip cannot be read ({error})", hint="restore it from a backup"
            ) from error
