"""One house per state folder, and a running one is found."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from models.errors import ConfigError, ConsoleError
from pems_actors import state
from pems_actors.lock import StateLock, held_by

HOLD = "import sys; from pathlib import Path; from pems_actors.lock import StateLock; StateLock(Path(sys.argv[1])); print(1, flush=True); sys.stdin.read()"  # noqa: E501


def test_a_second_house_in_a_folder_is_refused_and_the_first_is_named(tmp_path: Path) -> None:
    with StateLock(tmp_path):
        with pytest.raises(ConfigError, match=rf"a house runs in it already \(pid {os.getpid()}\)"):
            StateLock(tmp_path)
        assert held_by(tmp_path) == os.getpid()
    assert held_by(tmp_path) is None
    StateLock(tmp_path).release()


def test_a_lock_ends_with_its_process_however_it_ends(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "1\n"
        assert held_by(tmp_path) == holder.pid
        with pytest.raises(ConfigError, match=f"pid {holder.pid}"):
            StateLock(tmp_path)
        holder.send_signal(signal.SIGKILL)
        holder.wait(10)
        assert held_by(tmp_path) is None
        with StateLock(tmp_path) as lock:
            lock.release()


def test_a_folder_that_cannot_be_locked_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="choose another --state"):
        StateLock(tmp_path / "file")
    assert held_by(tmp_path / "none") is None


def test_the_one_running_house_is_found_and_several_are_named(tmp_path: Path) -> None:
    base = tmp_path / "var"
    with pytest.raises(ConsoleError, match="no house is running under"):
        state.running(None, base)
    dead = state.fresh(base)
    StateLock(dead).release()
    alive = base / "run-2"
    with StateLock(alive):
        assert state.running(None, base) == alive / "console.sock"
        with StateLock(base), pytest.raises(ConsoleError, match="2 houses are running"):
            state.running(None, base)
    assert state.running(alive, base) == alive / "console.sock"


def test_a_fresh_state_folder_is_empty_and_private(tmp_path: Path) -> None:
    folder = state.fresh(tmp_path / "a" / "var")
    assert list(folder.iterdir()) == []
    assert folder.stat().st_mode & 0o077 == 0
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="choose a folder with --state"):
        state.fresh(tmp_path / "file")
