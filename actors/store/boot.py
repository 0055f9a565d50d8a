"""The boot number: rises with every start of the core on one state folder, so that old lives can be told from new.

It is kept in a file of its own that the core reads without any worker. A folder that has lived but has lost the file,
or holds a torn one, is refused: with an epoch that may repeat nothing may be actuated.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from actors.store.durable import read_sealed, write_sealed
from models.errors import StoreError

FILE = "boot.json"
TRIPS_FILE = "trips.json"
WEAR_FILE = "wear.json"
STORE_FILE = "store.sqlite"
_LIVED = (TRIPS_FILE, WEAR_FILE, STORE_FILE)  # what a folder that was used before holds


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """One start of the core."""

    number: int
    fresh: bool  # the folder was new: files of former lives cannot exist yet


def next_boot(folder: Path) -> Boot:
    """Take the next boot number of a state folder, durably, before it returns.

    Parameters
    ----------
    folder : Path
        Created (mode 0700) if it does not exist.

    Raises
    ------
    StoreError
        The boot file is torn, or missing in a folder that was used before, or cannot be written. Do not actuate.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"{folder}: cannot be created ({error.strerror or error})", hint="choose another --state"
        ) from error
    path = folder / FILE
    try:
        content = read_sealed(path)
    except FileNotFoundError:
        left = [name for name in _LIVED if (folder / name).exists()]
        if left:
            raise StoreError(
                f"{path}: is missing, but {left[0]} shows that the folder was used before",
                hint="restore it from a backup or start with a new state folder; nothing is actuated until then",
            ) from None
        number, fresh = 1, True
    else:
        last = content.get("boot")
        if not isinstance(last, int) or isinstance(last, bool) or last < 1:
            raise StoreError(
                f"{path}: boot is {last!r}, must be a whole number from 1", hint="restore it from a backup"
            )
        number, fresh = last + 1, False
    write_sealed(path, {"boot": number})
    return Boot(number=number, fresh=fresh)
