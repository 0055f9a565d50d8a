"""On disk: when the battery was full last. A house that restarts every day balances its cells all the same."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from actors.store.durable import read_sealed, write_sealed
from models.errors import StoreError

FULL_FILE = "full_charge.json"


class FileFullCharge:
    """`full_charge.json` of the state folder; missing or broken means that nothing is known."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FULL_FILE
        self.problem = ""  # why it could not be read or written last; empty: all is well

    def load(self) -> datetime | None:
        """Aware UTC; None: not known."""
        try:
            at = datetime.fromisoformat(str(read_sealed(self._path)["at"]))
        except FileNotFoundError:
            return None
        except (StoreError, KeyError) as error:
            self.problem = str(error)
            return None
        except ValueError:
            self.problem = f"{self._path}: holds no time"
            return None
        if at.tzinfo is None:
            self.problem = f"{self._path}: holds a time without a zone"
            return None
        return at.astimezone(UTC)

    def save(self, at: datetime) -> None:
        """Replace it durably; what cannot be written is still known to this life."""
        try:
            write_sealed(self._path, {"at": at.astimezone(UTC).isoformat()})
        except StoreError as error:
            self.problem = str(error)
        else:
            self.problem = ""
