"""The house as real processes: what is shot comes back, what is asked is answered, and the end is in order."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from models.errors import ConsoleError
from pems_actors.console.client import call
from pems_actors.console.wire import SOCKET_FILE
from pems_actors.ending import EXIT_MISTAKE, EXIT_UNVERIFIED, REPORT_FILE

PATIENCE_S = 60.0  # of a busy machine; nothing here waits longer than it must


class House:
    """`run` in a process of its own; what it says goes to a file, since nobody reads a pipe meanwhile."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.state, self._said = folder / "house", folder / "said"
        command = [sys.executable, "-m", "pems_actors", "run", "--speed", "60", "--state", str(self.state), *options]
        with self._said.open("w") as said:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT)

    def ask(self, method: str, **params: object) -> Any:
        """One call of its console."""
        return call(self.state / SOCKET_FILE, method, params, timeout_s=10.0)

    def pid(self, path: str) -> Any:
        """Worker process of a port."""
        return next(row["pid"] for row in self.ask("ps") if row["path"] == path)

    def end(self) -> None:
        """Ask it to end."""
        self.process.send_signal(signal.SIGTERM)

    def code(self) -> int:
        """Its exit code, when it has ended."""
        return self.process.wait(PATIENCE_S)

    @property
    def said(self) -> str:
        return self._said.read_text()


@contextmanager
def running(folder: Path, *options: str) -> Iterator[House]:
    """A house; what is left of it at the end is killed."""
    house = House(folder, *options)
    try:
        yield house
    finally:
        if house.process.poll() is None:
            house.end()
            try:
                house.code()
            except subprocess.TimeoutExpired:
                house.process.kill()


def until(found: Callable[[], Any], what: str) -> Any:
    """The first answer that is true; an event of another process can only be looked for."""
    ends_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < ends_s:
        try:
            answer = found()
        except ConsoleError:
            answer = None  # not listening yet
        if answer:
            return answer
        threading.Event().wait(0.05)
    raise AssertionError(f"{what} did not happen within {PATIENCE_S:g} s")


def alive(pid: int) -> bool:
    """The process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_run_answers_survives_its_workers_and_gives_the_house_back(tmp_path: Path) -> None:
    with running(tmp_path, "--for", "9s") as house:
        until(lambda: house.ask("status")["soc"] is not None, "the first reading")
        second = subprocess.run(
            [sys.executable, "-m", "pems_actors", "run", "--for", "5s", "--state", str(house.state)],
            capture_output=True, text=True, timeout=PATIENCE_S, check=False,
        )  # fmt: skip
        assert second.returncode == EXIT_MISTAKE
        assert second.stderr.count("\n") == 1 and "a house runs in it already (pid" in second.stderr
        store = until(lambda: house.pid("/ops/store"), "the store's worker")
        optimizer = until(lambda: house.pid("/plan/optimizer"), "the optimizer's worker")
        for number in (store, optimizer):
            os.kill(number, signal.SIGKILL)
        answer = house.ask("override", point="room.hosti.relay", value="off", for_s=3600)
        assert answer["outcome"] == "accepted"
        why = house.ask("why", point="room.hosti.relay")
        assert why["holder"] == "user" and why["permit_left_s"] > 0
        until(lambda: house.pid("/ops/store") not in (None, store), "another store worker")
        until(lambda: house.ask("state", path="/ops/journal")["written"] > 0, "a row in the store")
        assert {row["state"] for row in house.ask("ps")} == {"running"}
        assert house.code() == 0
    assert "every point is back at its default, read back" in house.said
    assert json.loads((house.state / REPORT_FILE).read_text()) == {"exit": 0, "unverified": {}, "escalated": ""}
    names = [json.loads(line)["event"] for line in (house.state / "pems.log").read_text().splitlines()]
    assert names[0] == "core.started" and names[-1] == "core.ended" and names.count("worker.ended") == 2
    assert not alive(store) and not alive(optimizer)


def test_a_house_whose_inverter_is_silent_names_it_at_its_end(tmp_path: Path) -> None:
    with running(tmp_path, "--json") as house:
        until(lambda: house.ask("status")["soc"] is not None, "the first reading")
        house.ask("override", point="inverter.mode", value="hold", for_s=3600)
        until(lambda: house.ask("status")["composite"] == "hold", "it runs: there is something to take back")
        house.ask("inject", path="twin", kind="offline", value=True)
        house.end()
        assert house.code() == EXIT_UNVERIFIED
    lines = [json.loads(line) for line in house.said.splitlines()]
    end = lines[-1]["end"]
    assert end["exit"] == EXIT_UNVERIFIED and "inverter.mode" in end["unverified"]
    assert not any(name.startswith("room.") for name in end["unverified"])
    assert lines[:-1] and all("house_time" in line for line in lines[:-1])


@pytest.mark.parametrize("when", ["at once", "running"])
def test_sigterm_gives_the_house_back_however_early_it_comes(tmp_path: Path, when: str) -> None:
    with running(tmp_path) as house:
        if when == "running":
            until(lambda: house.ask("status")["soc"] is not None, "the first reading")
        else:
            until((house.state / "lock").exists, "the lock")  # from here on nothing that is sent may be lost
        house.end()
        assert house.code() == 0, house.said
    assert "read back" in house.said
