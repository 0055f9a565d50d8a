"""A mosquitto of the test's own: on a free port, in a folder of its own, killed, frozen and restarted at will.

Where mosquitto is absent the tests are skipped, and fail instead where `CI=true`.
"""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin")
PATIENCE_S = 40.0  # a busy machine is slow; a test that hangs fails all the same


def need_mosquitto() -> None:
    """Skip, or fail where CI=true, if there is no broker to be had."""
    if MOSQUITTO is None:
        reason = "mosquitto is not installed: apt-get install mosquitto"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(holds: Callable[[], object], what: str, *, timeout_s: float = PATIENCE_S) -> float:
    """Look until something holds; how long it took [s]. Fails with `what` when it does not within `timeout_s`."""
    begun = time.monotonic()
    while not holds():
        if time.monotonic() - begun > timeout_s:
            pytest.fail(f"not within {timeout_s:g} s: {what}")
        time.sleep(0.005)
    return time.monotonic() - begun


class Broker:
    """One mosquitto. `settings` are lines of its configuration file."""

    def __init__(self, folder: Path, *settings: str, port: int | None = None) -> None:
        self.folder, self.port = folder, port or free_port()
        self.configure(*settings)
        self._process: subprocess.Popen[bytes] | None = None

    def configure(self, *settings: str) -> None:
        """From the next start on."""
        self.folder.mkdir(parents=True, exist_ok=True)
        usual = ("allow_anonymous true",) if not any(s.startswith("allow_anonymous") for s in settings) else ()
        lines = (
            f"listener {self.port} 127.0.0.1", "persistence false", f"user {getpass.getuser()}",
            f"log_dest file {self.folder / 'log'}", *usual, *settings,
        )  # fmt: skip
        (self.folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> Broker:
        """Start, and wait until it listens."""
        assert MOSQUITTO is not None
        command = [MOSQUITTO, "-c", str(self.folder / "mosquitto.conf")]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(self._listens, f"mosquitto listens at {self.port}: {self.log()[-500:]}")
        return self

    def _listens(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            pytest.fail(f"mosquitto ended with {self._process.returncode}: {self.log()[-800:]}")
        try:
            socket.create_connection(("127.0.0.1", self.port), 0.5).close()
        except OSError:
            return False
        return True

    def log(self) -> str:
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """Gone without a word."""
        if self._process is not None:
            if self._process.poll() is None:
                self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.signal(signal.SIGCONT)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker that lets everybody in and forgets everything when it ends."""
    need_mosquitto()
    made = Broker(tmp_path / "broker").start()
    yield made
    made.kill()
