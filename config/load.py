"""From a file to a `HouseFile`, or to all that is wrong with it."""

from __future__ import annotations

import datetime as dt
import json
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from config.combinations import unsafe
from config.faults import Fault, faults_of
from config.schema import HouseFile
from config.secrets import leaked, masked, speaks_of_secrets
from models.errors import ConfigError

LIMIT_BYTES = 1_000_000
DEMO = Path(__file__).parent / "demo.toml"
_AT_LINE = re.compile(r"\(at line (\d+), column (\d+)\)")


class HouseFileError(ConfigError):
    """A house file has faults. The text is the first; `faults` has all of them."""

    def __init__(self, path: Path, faults: Sequence[Fault]) -> None:
        more = f"(and {len(faults) - 1} more: see `check {path}`)" if len(faults) > 1 else None
        super().__init__(f"{path}: {faults[0]}", hint=more)
        self.path = path
        self.faults = tuple(faults)


def load(path: Path) -> HouseFile:
    """Read a house file.

    Parameters
    ----------
    path : Path
        TOML in UTF-8.

    Returns
    -------
    HouseFile
        Its [data] and [secrets] paths are absolute.

    Raises
    ------
    HouseFileError
        With every fault that `check` would list.
    """
    file, faults = _read(path)
    if file is None or faults:
        raise HouseFileError(path, faults)
    folder = path.resolve().parent
    update: dict[str, object] = {"data": file.data.at(folder)}
    if file.prices is not None and file.prices.path is not None:
        update["prices"] = file.prices.model_copy(update={"path": folder / file.prices.path})
    if file.mqtt is not None and file.mqtt.ca_file is not None:
        update["mqtt"] = file.mqtt.model_copy(update={"ca_file": folder / file.mqtt.ca_file})
    if file.secrets.dir is not None:
        update["secrets"] = file.secrets.model_copy(update={"dir": folder / file.secrets.dir})
    return file.model_copy(update=update)


def check(path: Path) -> list[Fault]:
    """Everything that is wrong with a house file; empty if nothing is."""
    return _read(path)[1]


def _read(path: Path) -> tuple[HouseFile | None, list[Fault]]:
    text = _text(path)
    if isinstance(text, Fault):
        return None, [text]
    data = _tables(text)
    if isinstance(data, Fault):
        return None, [data]
    secrets = leaked(data)
    shown = masked(data)
    hidden = {fault.field for fault in secrets}
    try:
        # JSON in between: strict there means "7.5" is no number and true is no 1, yet arrays still become tuples
        file = HouseFile.model_validate_json(json.dumps(shown, default=_plain), strict=True)
    except ValidationError as error:
        faults = [fault for fault in faults_of(error, HouseFile, shown) if fault.field not in hidden]
        return None, secrets + faults
    return file, secrets + unsafe(file, path.resolve().parent)


def _whole(limit: str, remedy: str) -> Fault:
    return Fault(field="file", value="", limit=limit, remedy=remedy)


def _text(path: Path) -> str | Fault:
    try:
        if path.is_dir():
            return _whole("is a folder", "name the house file in it")
        with path.open("rb") as file:
            content = file.read(LIMIT_BYTES + 1)
    except FileNotFoundError:
        return _whole("does not exist", f"write one after the example of {DEMO}")
    except (OSError, ValueError) as error:
        return _whole(f"cannot be read ({getattr(error, 'strerror', None) or error})", "check its path and permissions")
    if len(content) > LIMIT_BYTES:
        return _whole(f"is longer than {LIMIT_BYTES} bytes", "a house file has a few kilobytes: is it the right file?")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        return _whole(f"is not UTF-8: byte 0x{content[error.start]:02x} in line {line}", "save it as UTF-8")
    if not text.strip():
        return _whole("is empty", f"write one after the example of {DEMO}")
    return text.removeprefix("\ufeff")


def _tables(text: str) -> dict[str, object] | Fault:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        reason = str(error)
        place = _AT_LINE.search(reason)
        if place is None:
            return _whole(f"TOML syntax: {reason}", "correct the last line")
        number = int(place[1])
        line = " ".join(text.splitlines()[number - 1].split()) if number <= len(text.splitlines()) else ""
        if speaks_of_secrets(line):
            line = ""
        return Fault(
            field=f"line {number}",
            value="",
            limit=f"TOML syntax: {_AT_LINE.sub('', reason).strip()}",
            remedy=f"correct column {place[2]} of: {line[:80]}" if line else f"correct it from column {place[2]} on",
        )
    except RecursionError:
        return _whole("TOML syntax: brackets too deep", "a house file has tables of values only")


def _plain(value: object) -> str:
    """Dates and times of TOML as JSON has them; pydantic reads them back where a date is wanted."""
    if isinstance(value, (dt.datetime, dt.date, dt.time)):
        return value.isoformat()
    raise TypeError(type(value).__name__)
