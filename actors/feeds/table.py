"""Recorded series from a CSV file (plain or gzip): read once, checked exactly, refused with one line that says where.

A file has a header of `time_utc` and value columns in our names with units, and one row per slot on a regular grid.
What is wrong is answered with file, row (the header is row 1), column, value, limit and remedy. Nothing is repaired
here: a series that was silently patched would be believed by everything downstream.
"""

from __future__ import annotations

import csv
import gzip
import io
import math
import zlib
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import mode

from models.errors import DataError

_MAX_BYTES = 64 * 2**20  # a year at 5 minutes is 5 MB: far above is a wrong file or a gzip bomb
_SCALE_ROWS = 48  # below, a series is too short to judge its unit by its size
TIME = "time_utc"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """What one column may hold."""

    name: str  # ends in its unit
    low: float
    high: float
    remedy: str  # what to do about a value outside
    may_miss: bool = False  # an empty cell stays unknown (NaN)
    peak: float = 0.0  # the largest magnitude of a real series is above this
    peak_remedy: str = ""


@dataclass(frozen=True, slots=True)
class SeriesTable:
    """Columns on one regular grid: value i covers `[start + i*dt, start + (i+1)*dt)`."""

    path: Path
    start: datetime  # aware UTC
    dt_s: float
    columns: Mapping[str, array[float]]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    @property
    def end(self) -> datetime:
        """End of the last slot."""
        return self.start + timedelta(seconds=self.dt_s * len(self))

    def index(self, at: datetime) -> int:
        """Number of the slot that holds `at`; may lie outside the record."""
        return math.floor((at - self.start).total_seconds() / self.dt_s)


def read_series(path: Path, columns: Sequence[Column], *, steps_s: Sequence[float]) -> SeriesTable:
    """Read and check a recorded series.

    Parameters
    ----------
    path : Path
        CSV in UTF-8, gzip'd if the name ends in `.gz`.
    columns : sequence of Column
        Exactly these value columns, in any order.
    steps_s : sequence of float
        Allowed lengths of a slot [s].

    Raises
    ------
    DataError
        Anything about the file that is not as it should be, in one line.
    """
    rows = _rows(path, _text(path))
    names = _header(path, rows[0], columns)
    body = rows[1:]
    if len(body) < 2:
        raise DataError(f"{path}: {len(body)} data rows, at least 2 are needed", hint="is the file complete?")
    for number, row in enumerate(body, start=2):
        if len(row) != len(names):
            raise DataError(
                f"{path} row {number}: {len(row)} cells, the header has {len(names)}",
                hint="give every row one cell per column; leave an unknown price empty but keep its comma",
            )
    cells = dict(zip(names, zip(*body, strict=True), strict=True))
    start, dt_s = _grid(path, cells[TIME], steps_s)
    return SeriesTable(path, start, dt_s, {c.name: _values(path, c, cells[c.name]) for c in columns})


def _text(path: Path) -> str:
    try:
        with (gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")) as file:
            data = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file", hint="check the path in the [data] table of the house file") from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path}: not a complete gzip file ({error})", hint="copy or download it again") from None
    except OSError as error:
        reason = error.strerror or error
        raise DataError(f"{path}: cannot be read ({reason})", hint="check the path and its rights") from None
    if len(data) > _MAX_BYTES:
        raise DataError(f"{path}: more than {_MAX_BYTES // 2**20} MB", hint="cut it to the years that are needed")
    if not data.strip():
        raise DataError(f"{path}: empty", hint="copy or download it again")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = data[: error.start].count(b"\n") + 1
        raise DataError(f"{path} row {row}: not UTF-8", hint="save the file as UTF-8") from None


def _rows(path: Path, text: str) -> list[list[str]]:
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise DataError(f"{path}: not CSV ({error})", hint="separate cells by commas, one row a line") from None
    while rows and not rows[-1]:
        rows.pop()
    return rows


def _header(path: Path, row: Sequence[str], columns: Sequence[Column]) -> list[str]:
    names = [name.strip() for name in row]
    wanted = [TIME, *(c.name for c in columns)]
    if sorted(names) != sorted(wanted):
        missing = [n for n in wanted if n not in names]
        extra = [n for n in names if n not in wanted]
        twice = sorted({n for n in names if names.count(n) > 1})
        parts = [f"missing {', '.join(missing)}"] if missing else []
        parts += [f"unknown {', '.join(n or '(no name)' for n in extra)}"] if extra else []
        parts += [f"twice {', '.join(twice)}"] if twice else []
        raise DataError(f"{path} row 1: columns {'; '.join(parts)}", hint=f"the header must be {','.join(wanted)}")
    return names


def _grid(path: Path, cells: Sequence[str], steps_s: Sequence[float]) -> tuple[datetime, float]:
    """Start and step of the time column, which must be regular."""
    times = []
    for number, cell in enumerate(cells, start=2):
        try:
            time = datetime.fromisoformat(cell)
        except ValueError:
            raise DataError(
                f"{path} row {number}: {TIME} {cell[:40]!r} is not a time", hint="write it as 2021-02-08T14:15:00Z"
            ) from None
        if time.tzinfo is None:
            raise DataError(
                f"{path} row {number}: {TIME} {cell} has no time zone",
                hint="add Z for UTC or the offset: a local time without it is ambiguous when the clocks change",
            )
        times.append(time.timestamp())
    steps = [after - before for before, after in pairwise(times)]
    step = mode(steps)  # the usual step, so that a fault in the first rows is named there
    for number, got in enumerate(steps, start=3):
        if got != step or step <= 0:
            fault, hint = _fault(got, step)
            raise DataError(f"{path} row {number}: {TIME} {cells[number - 2]} {fault}", hint=hint)
    if step not in steps_s:
        raise DataError(f"{path}: step {step:g} s", hint=f"use one of {', '.join(f'{s:g}' for s in steps_s)} s")
    if times[0] % step:
        raise DataError(f"{path} row 2: {TIME} {cells[0]} is not a multiple of {step:g} s", hint="start on a full slot")
    return datetime.fromtimestamp(times[0], UTC), step


def _fault(got_s: float, step_s: float) -> tuple[str, str]:
    """What is wrong with a step, and what to do."""
    if got_s < 0:
        return "is earlier than the row before", "sort the rows by time"
    if got_s == 0:
        return "is the same as in the row before", "keep one row per slot"
    return (
        f"is {got_s:g} s after the row before, expected {step_s:g} s",
        "keep every slot; an unknown price or load is an empty cell, weather needs a value",
    )


def _values(path: Path, column: Column, cells: Sequence[str]) -> array[float]:
    try:
        values = array("d", map(float, cells))
    except ValueError:
        values = array("d", (_number(path, column, i, cell) for i, cell in enumerate(cells, start=2)))
    peak = 0.0
    for number, value in enumerate(values, start=2):
        if column.low <= value <= column.high:
            peak = max(peak, abs(value))
        elif math.isnan(value):
            if not column.may_miss:
                raise _missing(path, column, number)
        else:
            raise DataError(
                f"{path} row {number}: {column.name} {value:g} is outside {column.low:g} .. {column.high:g}",
                hint=column.remedy,
            )
    if len(values) >= _SCALE_ROWS and peak < column.peak:
        raise DataError(
            f"{path}: {column.name} never exceeds {peak:g}, a real series exceeds {column.peak:g}",
            hint=column.peak_remedy,
        )
    return values


def _number(path: Path, column: Column, number: int, cell: str) -> float:
    if not cell.strip():
        if column.may_miss:
            return math.nan
        raise _missing(path, column, number)
    try:
        return float(cell)
    except ValueError:
        raise DataError(
            f"{path} row {number}: {column.name} {cell[:40]!r} is not a number", hint="use digits and a decimal point"
        ) from None


def _missing(path: Path, column: Column, number: int) -> DataError:
    hint = "fill or cut the gap: only prices and load may be unknown"
    return DataError(f"{path} row {number}: {column.name} is missing", hint=hint)
