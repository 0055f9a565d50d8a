"""Secrets come from the environment or from files that only their owner can read, never from the house file."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import SecretStr

from config.faults import Fault, field_path
from models.errors import ConfigError

PREFIX = "PEMS_"
LIMIT_BYTES = 8192
HIDDEN = "(hidden)"
_WORD = re.compile(r"password|passwd|passphrase|pwd|secret|token|api[-_]?key|credential", re.I)
_USER_IN_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s:@]+:[^/\s@]+@", re.I)
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


def secret(name: str, folder: Path | None = None, environment: Mapping[str, str] | None = None) -> SecretStr | None:
    """One secret by name, or None where nobody set it.

    Parameters
    ----------
    name : str
        Lower case, such as `mqtt_password`. Looked up as the variable `PEMS_MQTT_PASSWORD`, then as the file
        `mqtt_password` in `$CREDENTIALS_DIRECTORY`, then in `folder`.
    folder : Path, optional
        The [secrets] dir of the house file.
    environment : mapping, optional
        Default: the process's own.

    Raises
    ------
    ConfigError
        It is there but empty, unreadable, too long, or a file that others may read.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{name!r} is no name of a secret", hint="lower case letters, digits and _")
    environment = os.environ if environment is None else environment
    variable = PREFIX + name.upper()
    if variable in environment:
        return _checked(environment[variable], variable)
    folders = [Path(environment["CREDENTIALS_DIRECTORY"])] if environment.get("CREDENTIALS_DIRECTORY") else []
    for place in [*folders, *([folder] if folder is not None else [])]:
        path = place / name
        if path.exists():
            return _checked(_read(path), str(path))
    return None


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ConfigError(f"{path}: not a file", hint="one file per secret, its content is the secret")
            if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise ConfigError(
                    f"{path}: mode {stat.S_IMODE(status.st_mode):04o} lets others read a secret, limit 0600",
                    hint=f"chmod 600 {path}",
                )
            content = file.read(LIMIT_BYTES + 1)
        if len(content) > LIMIT_BYTES:
            raise ConfigError(f"{path}: longer than {LIMIT_BYTES} bytes", hint="this is no secret of ours")
        return content.decode("utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}", hint="make it readable for the user of pems") from error
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8", hint="write the secret as text") from None


def _checked(text: str, origin: str) -> SecretStr:
    value = text.rstrip("\r\n")
    if not value.strip():
        raise ConfigError(f"{origin}: is empty", hint="set it or remove it")
    return SecretStr(value)


def leaked(data: object) -> list[Fault]:
    """Secrets written into the house file itself; their values are not repeated."""
    return [
        Fault(
            field=field_path(loc, masked(data)),
            value=HIDDEN,
            limit="a secret must not stand in the house file",
            remedy=f"remove it and set {PREFIX}{_variable(loc)}, or a file of that name in [secrets] dir",
        )
        for loc in _suspects(data, ())
    ]


def masked(data: object) -> object:
    """The tables of a house file with every secret replaced, so that no message about them can repeat one."""
    return _masked(data, set(_suspects(data, ())), ())


def _masked(data: object, hidden: set[tuple[int | str, ...]], at: tuple[int | str, ...]) -> object:
    if at in hidden:
        return HIDDEN
    if isinstance(data, Mapping):
        return {key: _masked(value, hidden, (*at, str(key))) for key, value in data.items()}
    if isinstance(data, list):
        return [_masked(value, hidden, (*at, i)) for i, value in enumerate(data)]
    return data


def speaks_of_secrets(line: str) -> bool:
    """Whether a line of a file may hold a secret: it is then not quoted."""
    return bool(_WORD.search(line) or _USER_IN_URL.search(line))


def _variable(loc: tuple[int | str, ...]) -> str:
    words = [part for part in loc if isinstance(part, str)]
    kept = words[-1:] if words and "_" in words[-1] else words[-2:]
    return re.sub(r"[^A-Z0-9]+", "_", "_".join(kept).upper()).strip("_") or "NAME"


def _suspects(data: object, at: tuple[int | str, ...]) -> Iterator[tuple[int | str, ...]]:
    if isinstance(data, Mapping):
        for key, value in data.items():
            here = (*at, str(key))
            suspicious = key != "dir" if at[:1] == ("secrets",) else _WORD.search(str(key))
            if suspicious and value not in ("", None) and not isinstance(value, (Mapping, list)):
                yield here
            else:
                yield from _suspects(value, here)
    elif isinstance(data, list):
        for i, value in enumerate(data):
            yield from _suspects(value, (*at, i))
    elif isinstance(data, str) and _USER_IN_URL.search(data):
        yield at
