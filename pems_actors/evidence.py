"""The files from which an outsider recomputes a scorecard: POLICY.csv, wire.jsonl and house.json.

Numbers are written so that reading gives the very same float back (Python's shortest form), and an unknown price is
`nan`, so that what is recomputed from the files equals what was computed from memory, to the last bit.
"""

from __future__ import annotations

import csv
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import IO, Protocol, cast

from pydantic import ValidationError

from models.errors import ConfigError, DataError
from models.scorecard import PHASES, EvidenceRow, Phase, RoomRow, check_rows, score
from models.strategy import strategies
from models.types.house import House
from models.types.mode import InverterMode

NUMBERS_BEFORE = (
    "price_import",
    "price_export",
    "pv_kw",
    "pv_available_kw",
    "load_kw",
    "heating_kw",
    "battery_kw",
    "grid_kw",
    "soc",
)
COLUMNS = ("time_utc", "phase", *NUMBERS_BEFORE, "composite")
ROOM_COLUMNS = ("temperature_c", "slab_c", "relay_share", "lower_c", "upper_c")
WIRE_FILE = "wire.jsonl"
HOUSE_FILE = "house.json"
AGREES_WITHIN = 1e-4  # EUR, kWh, kW, K·h or shares: how close a recomputation must come
_POLICY_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")


# --- POLICY.csv ------------------------------------------------------------------------------------------------------
def write_policy(folder: Path, policy: str, rows: Sequence[EvidenceRow]) -> Path:
    """Write one policy's quarter hours, tail included, whole or not at all.

    Parameters
    ----------
    folder : Path
        Created if it does not exist.
    policy : str
        Becomes the file's name: `pems` is written to `pems.csv`.
    rows : sequence of EvidenceRow
        As `models.scorecard.check_rows` wants them.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    DataError
        Rows that are no evidence, or a policy name that is no file name.
    ConfigError
        The folder cannot be written.
    """
    if not _POLICY_NAME.fullmatch(policy):
        raise DataError(f"policy {policy!r} cannot name a file", hint="lower case letters, digits and _")
    check_rows(rows)
    path = folder / f"{policy}.csv"
    with _whole_file(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_header([room.name for room in rows[0].rooms]))
        writer.writerows(_cells(row) for row in rows)
    return path


def read_policy(path: Path) -> list[EvidenceRow]:
    """Read back what `write_policy` wrote.

    Raises
    ------
    DataError
        Missing, empty, not UTF-8, other columns, a cell that is no number or time, or rows that are no evidence:
        names the file, line, column and value.
    """
    try:
        lines = list(csv.reader(StringIO(_text(path), newline=""), strict=True))
    except csv.Error as bad:
        raise DataError(f"{path.name} is not a CSV file ({bad})") from bad
    if len(lines) < 2:
        raise DataError(f"{path.name} has no rows", hint="run the simulation again with --out")
    rooms = _rooms_of(path, lines[0])
    columns = lines[0]
    rows = [_row(path, number, columns, cells, rooms) for number, cells in enumerate(lines[1:], start=2)]
    try:
        check_rows(rows)
    except DataError as bad:
        raise DataError(f"{path.name}: {bad.problem}", hint=bad.hint) from bad
    return rows


def _header(rooms: Iterable[str]) -> list[str]:
    return [*COLUMNS, *(f"{room}.{column}" for room in rooms for column in ROOM_COLUMNS)]


def _cells(row: EvidenceRow) -> list[str]:
    numbers = [_number(getattr(row, name)) for name in NUMBERS_BEFORE]
    rooms = [_number(getattr(room, name)) for room in row.rooms for name in ROOM_COLUMNS]
    return [_iso(row.time_utc), row.phase, *numbers, row.composite, *rooms]


def _number(value: float) -> str:
    return repr(float(value))  # shortest text that reads back as the same float; float() takes the int's dot along


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"


def _rooms_of(path: Path, header: Sequence[str]) -> tuple[str, ...]:
    fixed = len(COLUMNS)
    rooms = tuple(name.partition(".")[0] for name in header[fixed :: len(ROOM_COLUMNS)])
    for number, (found, wanted) in enumerate(zip(header, _header(rooms), strict=False), start=1):
        if found != wanted:
            raise DataError(f"{path.name}: column {number} is {found!r}, must be {wanted!r}")
    if len(header) != fixed + len(rooms) * len(ROOM_COLUMNS):
        raise DataError(
            f"{path.name}: {len(header)} columns, must be {fixed} and {len(ROOM_COLUMNS)} for each room",
            hint=f"the columns are {', '.join(COLUMNS)}, then ROOM.{', ROOM.'.join(ROOM_COLUMNS)}",
        )
    return rooms


def _row(path: Path, line: int, columns: Sequence[str], cells: Sequence[str], rooms: Sequence[str]) -> EvidenceRow:
    if len(cells) != len(columns):
        raise DataError(f"{path.name} line {line}: {len(cells)} cells, must be {len(columns)}")

    def number(index: int) -> float:
        try:
            return float(cells[index])
        except ValueError:
            raise DataError(
                f"{path.name} line {line}: {columns[index]} is {cells[index][:40]!r}, must be a number",
                hint="an unknown price is written nan",
            ) from None

    if cells[1] not in PHASES:
        raise DataError(f"{path.name} line {line}: phase is {cells[1][:40]!r}, must be one of {', '.join(PHASES)}")
    values = [number(index) for index in range(2, 2 + len(NUMBERS_BEFORE))]
    states = []
    for position, name in enumerate(rooms):
        first = len(COLUMNS) + position * len(ROOM_COLUMNS)
        temperature_c, slab_c, relay_share, lower_c, upper_c = (number(first + k) for k in range(len(ROOM_COLUMNS)))
        states.append(
            RoomRow(
                name=name,
                temperature_c=temperature_c,
                slab_c=slab_c,
                relay_share=relay_share,
                lower_c=lower_c,
                upper_c=upper_c,
            )
        )
    price_import, price_export, pv_kw, pv_available_kw, load_kw, heating_kw, battery_kw, grid_kw, soc = values
    return EvidenceRow(
        time_utc=_time(path, line, cells[0]),
        phase=cast(Phase, cells[1]),
        price_import=price_import,
        price_export=price_export,
        pv_kw=pv_kw,
        pv_available_kw=pv_available_kw,
        load_kw=load_kw,
        heating_kw=heating_kw,
        battery_kw=battery_kw,
        grid_kw=grid_kw,
        soc=soc,
        composite=cells[len(COLUMNS) - 1],
        rooms=tuple(states),
    )


def _time(path: Path, line: int, text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise DataError(f"{path.name} line {line}: time {text[:40]!r} is not an ISO 8601 time") from None
    if at.tzinfo is None:
        raise DataError(f"{path.name} line {line}: time {text!r} says no time zone", hint="write 2021-02-08T00:00:00Z")
    return at.astimezone(UTC)


# --- wire.jsonl ------------------------------------------------------------------------------------------------------
class WireEntry(Protocol):
    """What is needed of one entry of the wire log; `actors.messages.WireWrite` has it."""

    @property
    def at(self) -> datetime: ...
    @property
    def point(self) -> str: ...
    @property
    def value(self) -> object: ...
    @property
    def level(self) -> int: ...
    @property
    def cause(self) -> str: ...
    @property
    def epoch(self) -> tuple[int, int]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WireLine:
    """One entry of the wire log as read back."""

    at: datetime  # aware UTC
    point: str
    value: object  # as in JSON: a number, a word, or a composite's fields
    level: int
    cause: str
    epoch: tuple[int, int]  # (boot number, incarnation)


def write_wire(folder: Path, entries: Iterable[WireEntry]) -> int:
    """Write the wire log, one JSON object a line: time, point, value, level, cause, epoch. Returns how many.

    Raises
    ------
    DataError
        A value that JSON has no word for (NaN, infinite).
    ConfigError
        The folder cannot be written.
    """
    count = 0
    with _whole_file(folder / WIRE_FILE) as file:
        for entry in entries:
            value = asdict(entry.value) if isinstance(entry.value, InverterMode) else entry.value
            line = {
                "time": _iso(entry.at),
                "point": entry.point,
                "value": value,
                "level": int(entry.level),
                "cause": entry.cause,
                "epoch": list(entry.epoch),
            }
            try:
                file.write(json.dumps(line, allow_nan=False, ensure_ascii=False) + "\n")
            except (TypeError, ValueError) as bad:
                raise DataError(f"{entry.point}: value {entry.value!r} cannot be written as JSON") from bad
            count += 1
    return count


def read_wire(path: Path) -> Iterator[WireLine]:
    """Read back what `write_wire` wrote.

    Raises
    ------
    DataError
        Missing, not UTF-8, or a line that is not such an object: names the line.
    """
    for number, text in enumerate(_text(path).split("\n"), start=1):
        if not text:  # after the last line, or an empty log: nothing was written
            continue
        try:
            line = json.loads(text)
            boot, incarnation = line["epoch"]
            yield WireLine(
                at=_time(path, number, line["time"]),
                point=str(line["point"]),
                value=line["value"],
                level=int(line["level"]),
                cause=str(line["cause"]),
                epoch=(int(boot), int(incarnation)),
            )
        except (KeyError, TypeError, ValueError) as bad:
            raise DataError(
                f"{path.name} line {number}: not an entry of the wire log ({type(bad).__name__}: {bad})",
                hint="each line is an object with time, point, value, level, cause and epoch",
            ) from bad


# --- house.json and the sum of it all --------------------------------------------------------------------------------
def write_house(folder: Path, house: House) -> Path:
    """Write the house that the rows belong to: capacity, price of wear, rooms, limits, time zone."""
    path = folder / HOUSE_FILE
    with _whole_file(path) as file:
        file.write(house.model_dump_json(indent=1) + "\n")
    return path


def read_house(folder: Path) -> House:
    """Read back what `write_house` wrote; DataError names what is wrong with it."""
    path = folder / HOUSE_FILE
    try:
        return House.model_validate_json(_text(path))
    except ValidationError as bad:
        first = bad.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "file"
        raise DataError(f"{path.name}: {field}: {first['msg']}", hint="run the simulation again with --out") from bad


def read_policies(folder: Path) -> dict[str, list[EvidenceRow]]:
    """Rows of every POLICY.csv in a folder, by policy in the order of their names; DataError if there is none."""
    paths = sorted(path for path in folder.glob("*.csv") if _POLICY_NAME.fullmatch(path.stem))
    if not paths:
        raise DataError(f"no evidence in {folder}: no POLICY.csv there", hint="simulate --out DIR writes it")
    return {path.stem: read_policy(path) for path in paths}


def recompute(folder: Path) -> dict[str, object]:
    """Work out the scorecard again from nothing but the files.

    Returns
    -------
    dict
        `policies`: the figures of each (`relay_switches`, `relay_switches_per_day` and `setting_writes` are None:
        quarter hours do not tell them). `wire`: entries in all, per point and per level; None without a wire log.

    Raises
    ------
    DataError
        A file is missing or not what it claims to be, or the policies are not of one period and market.
    """
    house, rows = read_house(folder), read_policies(folder)
    told = strategies(rows, house=house)
    policies = {name: {**score(rows[name], house=house).as_dict(), **told[name].as_dict()} for name in rows}
    return {"policies": policies, "wire": _wire_counts(folder / WIRE_FILE)}


def _wire_counts(path: Path) -> dict[str, object] | None:
    if not path.exists():
        return None
    points: Counter[str] = Counter()
    levels: Counter[str] = Counter()
    for line in read_wire(path):
        points[line.point] += 1
        levels[str(line.level)] += 1
    return {
        "entries": points.total(),
        "points": dict(sorted(points.items())),
        "levels": dict(sorted(levels.items(), key=lambda item: int(item[0]))),
    }


def disagreements(
    claimed: Mapping[str, object], recomputed: Mapping[str, object], *, within: float = AGREES_WITHIN
) -> list[str]:
    """Where a scorecard's `policies` differ from those of `recompute`: one line per figure, empty if they agree.

    Figures that only one side knows (None) are skipped; a policy that only one side has is a disagreement.
    """
    ours, theirs = (cast("Mapping[str, Mapping[str, object]]", side["policies"]) for side in (claimed, recomputed))
    lines = [f"{name}: only on one side" for name in sorted(ours.keys() ^ theirs.keys())]
    for name in sorted(ours.keys() & theirs.keys()):
        for figure in sorted(ours[name].keys() & theirs[name].keys()):
            a, b = ours[name][figure], theirs[name][figure]
            if a is None or b is None:
                continue
            same = abs(a - b) <= within if isinstance(a, (int, float)) and isinstance(b, (int, float)) else a == b
            if not same:
                lines.append(f"{name}.{figure}: {a} claimed, {b} recomputed")
    return lines


# --- files -----------------------------------------------------------------------------------------------------------
@contextmanager
def _whole_file(path: Path) -> Iterator[IO[str]]:
    """A text file that appears under its name only once it is complete."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")  # policies are written side by side in processes
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("w", encoding="utf-8", newline="") as file:
            yield file
        draft.replace(path)
    except OSError as bad:
        raise ConfigError(f"cannot write {path}: {bad.strerror or bad}", hint="name another folder with --out") from bad
    finally:
        with suppress(OSError):  # nothing to remove: the folder itself could not be made
            draft.unlink(missing_ok=True)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DataError(f"{path} does not exist", hint="simulate --out DIR writes it") from None
    except UnicodeDecodeError as bad:
        raise DataError(f"{path.name} is not UTF-8 (byte {bad.start})") from None
    except OSError as bad:
        raise DataError(f"cannot read {path}: {bad.strerror or bad}") from bad
