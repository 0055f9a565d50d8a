"""Arguments of the command line: each is checked here, and a mistake names what was meant."""

from __future__ import annotations

import os
import re
from datetime import date
from pathlib import Path

from models.errors import ConfigError

_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|min|m|h|d)")
_UNIT_S = {"s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def duration_s(name: str, text: str, *, low_s: float = 1.0, high_s: float = 31_536_000.0) -> float:
    """Seconds of `90s`, `2m`, `1h30m`, `7d`.

    Parameters
    ----------
    name : str
        Of the argument, for the message.
    text : str
    low_s, high_s : float
        Limits [s].

    Raises
    ------
    ConfigError
        No unit, another unit, or outside the limits.
    """
    words = "".join(text.split()).lower()
    if re.fullmatch(r"[+-]?\d+(\.\d+)?", words):
        raise ConfigError(
            f"{name} {text!r} has no unit", hint=f"write {words.lstrip('+-')}s, {words.lstrip('+-')}m or so"
        )
    parts = _PART.findall(words)
    if not parts or "".join(number + unit for number, unit in parts) != words or any(u == "ms" for _, u in parts):
        raise ConfigError(f"{name} {text!r} is no duration", hint="write such as 90s, 2m, 1h30m or 7d")
    seconds = sum(float(number) * _UNIT_S[unit] for number, unit in parts)
    if not low_s <= seconds <= high_s:
        raise ConfigError(f"{name} {text!r} is {seconds:g} s, must be {low_s:g} s to {high_s:g} s")
    return seconds


def day(name: str, text: str) -> date:
    """A calendar day. ConfigError unless it is written 2021-02-08 and exists."""
    try:
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            raise ValueError("form")
        return date.fromisoformat(text)
    except ValueError as error:
        why = "" if str(error) == "form" else f" ({error})"
        raise ConfigError(f"{name} {text!r} is no day{why}", hint="write it as 2021-02-08") from None


def within(name: str, value: float, low: float, high: float, unit: str = "") -> float:
    """The number if it is within its limits. ConfigError if not, NaN included."""
    if not low <= value <= high:
        raise ConfigError(f"{name} {value:g} is outside {low:g} to {high:g}{unit}")
    return value


def new_file(name: str, path: Path | None, *, ending: str | None = None) -> Path | None:
    """A file to be written later: found out now whether it can be, not after minutes of work. `-` is standard output.

    Raises
    ------
    ConfigError
        Its folder does not exist or cannot be written, it is a folder, or it ends otherwise.
    """
    if path is None or str(path) == "-":
        return path
    if ending is not None and path.suffix.lower() != ending:
        raise ConfigError(f"{name} {path}: must end in {ending}", hint=f"write {path.with_suffix(ending)}")
    if path.is_dir():
        raise ConfigError(f"{name} {path}: is a folder", hint=f"name a file in it, such as {path / 'out.json'}")
    if not path.parent.is_dir():
        raise ConfigError(f"{name} {path}: there is no folder {path.parent}", hint=f"mkdir -p {path.parent}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise ConfigError(f"{name} {path}: may not be written", hint="choose another place")
    return path


def new_folder(name: str, path: Path | None) -> Path | None:
    """A folder to write into, created if its parent exists. ConfigError if it cannot be."""
    if path is None:
        return None
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise ConfigError(f"{name} {path}: a file is in the way", hint="choose another folder") from None
    except OSError as error:
        raise ConfigError(f"{name} {path}: {error.strerror or error}", hint="choose another folder") from None
    if not os.access(path, os.W_OK):
        raise ConfigError(f"{name} {path}: may not be written", hint="choose another folder")
    return path
