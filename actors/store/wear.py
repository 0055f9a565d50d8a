"""Writes of stored inverter registers on disk: their daily budget must survive restarts."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from actors.store.boot import WEAR_FILE, Boot
from actors.store.durable import read_sealed, write_sealed
from models.errors import StoreError

DAY = timedelta(hours=24)
USED_UP = 10_000  # more than any budget


class FileWear:
    """Writes of the last 24 hours in `wear.json` of the state folder.

    A file that cannot be read counts as a budget that is used up until a day has passed: wear is not undone by a
    lost file. A write that cannot be recorded durably is still counted in memory.

    Parameters
    ----------
    folder : Path
        The state folder.
    boot : Boot
        Of this start; only a fresh folder may have no file.
    now : datetime
        Aware UTC.
    """

    def __init__(self, folder: Path, boot: Boot, now: datetime) -> None:
        self._path = folder / WEAR_FILE
        self._writes: deque[tuple[datetime, str, bool]] = deque()
        self.total = 0
        self.problem = ""  # why the file could not be read or written last; empty: all is well
        self._unknown_until: datetime | None = None
        try:
            self._read(now)
        except FileNotFoundError:
            if boot.fresh:
                self._save()
            else:
                self._forget(f"{self._path}: is missing", now)
        except StoreError as error:
            self._forget(str(error), now)

    def record(self, at: datetime, register: str, *, slot: bool, exempt: bool) -> None:
        """One write; exempt ones (emergency stop, trips) are counted like all others."""
        self._writes.append((at, register, slot))
        self.total += 1
        self._drop(at)
        self._save()

    def used(self, now: datetime) -> tuple[int, int]:
        """Writes in the last 24 h: (stop SOC, rate and flags; slots)."""
        self._drop(now)
        if self._unknown_until is not None and now < self._unknown_until:
            return USED_UP, USED_UP
        if self.problem:  # the unknown day is over, or the disk had no room: perhaps it has now
            self._unknown_until = None
            self._save()
        slots = sum(slot for _, _, slot in self._writes)
        return len(self._writes) - slots, slots

    def _forget(self, problem: str, now: datetime) -> None:
        self._unknown_until = now + DAY
        self._save()  # or each start would begin another unknown day
        self.problem = problem

    def _drop(self, now: datetime) -> None:
        while self._writes and now - self._writes[0][0] > DAY:
            self._writes.popleft()

    def _save(self) -> None:
        content: dict[str, object] = {
            "total": self.total,
            "writes": [[at.astimezone(UTC).isoformat(), register, slot] for at, register, slot in self._writes],
        }
        if self._unknown_until is not None:
            content["unknown_until"] = self._unknown_until.astimezone(UTC).isoformat()
        try:
            write_sealed(self._path, content)
        except StoreError as error:
            self.problem = str(error)
        else:
            if self._unknown_until is None:
                self.problem = ""

    def _read(self, now: datetime) -> None:
        content: dict[str, Any] = dict(read_sealed(self._path))
        try:
            match content:
                case {"total": int(total), "writes": [*rows]}:
                    for at, register, slot in rows:
                        self._writes.append((_aware(at), str(register), bool(slot)))
                    self.total = total
                    if "unknown_until" in content:
                        self._unknown_until = _aware(content["unknown_until"])
                        if now < self._unknown_until:
                            self.problem = f"{self._path}: was lost; a day's budget counts as used up for 24 h since"
                case _:
                    raise ValueError("fields are missing")
        except (ValueError, TypeError) as error:
            self._writes.clear()
            raise StoreError(f"{self._path}: cannot be understood ({error})") from error


def _aware(text: object) -> datetime:
    at = datetime.fromisoformat(str(text))
    if at.tzinfo is None:
        raise ValueError(f"{text} has no zone")
    return at
