"""State folders: where socket, lock and store of a house lie, and how a running one is found."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from models.errors import ConfigError, ConsoleError
from pems_actors.console.wire import SOCKET_FILE
from pems_actors.lock import FILE as LOCK_FILE
from pems_actors.lock import held_by

DEFAULT_BASE = Path("var")


def fresh(base: Path) -> Path:
    """A new, empty state folder under `base` for one replay.

    Raises
    ------
    ConfigError
        It cannot be created.
    """
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    folder = base / f"run-{stamp}-{os.getpid()}"
    try:
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise ConfigError(f"{folder}: {error.strerror or error}", hint="choose a folder with --state") from error
    return folder


def running(state: Path | None, base: Path = DEFAULT_BASE) -> Path:
    """Socket of the house that a console command speaks to.

    Parameters
    ----------
    state : Path or None
        The folder that was named; None: the one house that runs under `base`.

    Raises
    ------
    ConsoleError
        None runs, or several do and none was named.
    """
    if state is not None:
        return state / SOCKET_FILE
    folders = [base, *sorted(path.parent for path in base.glob(f"*/{LOCK_FILE}"))] if base.is_dir() else []
    alive = [folder for folder in folders if held_by(folder) is not None]
    if not alive:
        raise ConsoleError(
            f"no house is running under {base}", hint="start one with `run`, or name its folder with --state"
        )
    if len(alive) > 1:
        raise ConsoleError(
            f"{len(alive)} houses are running: {', '.join(map(str, alive))}", hint="name one with --state"
        )
    return alive[0] / SOCKET_FILE
