"""The month's highest import on disk: a tariff on power bills it until the month is over, whatever restarts."""

from __future__ import annotations

from pathlib import Path

from actors.store.durable import read_sealed, write_sealed
from models.errors import StoreError

PEAKS_FILE = "peak.json"


class FilePeaks:
    """`peak.json` of the state folder.

    A file that is missing or broken means that no peak is known: plans then avoid a peak that may be paid already,
    which costs a little and risks nothing.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / PEAKS_FILE
        self.problem = ""  # why it could not be read or written last; empty: all is well

    def load(self) -> tuple[tuple[int, int], float] | None:
        """(year, month) and kW; None: not known."""
        try:
            content = read_sealed(self._path)
            year, month, kw = content["year"], content["month"], content["kw"]
        except FileNotFoundError:
            return None
        except (StoreError, KeyError) as error:
            self.problem = str(error)
            return None
        if not (isinstance(year, int) and isinstance(month, int) and isinstance(kw, (int, float))):
            self.problem = f"{self._path}: holds no year, month and kW"
            return None
        return (year, month), float(kw)

    def save(self, month: tuple[int, int], kw: float) -> None:
        """Replace it durably; what cannot be written is still known to this life."""
        try:
            write_sealed(self._path, {"year": month[0], "month": month[1], "kw": kw})
        except StoreError as error:
            self.problem = str(error)
        else:
            self.problem = ""
