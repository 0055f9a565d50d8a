"""`run`: starts the core, shows the house by asking its socket, and ends with the core's exit code."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.live import Live

from config.schema import HouseFile
from models.errors import ConsoleError
from pems_actors import state as states
from pems_actors.console.client import call
from pems_actors.console.wire import SOCKET_FILE
from pems_actors.ending import ENDING, EXIT_ESCALATED, EXIT_MISTAKE, EXIT_UNVERIFIED, REPORT_FILE
from pems_actors.live import line, picture
from pems_actors.lock import StateLock

LOOK_S, JSON_S, LINE_S = 0.5, 1.0, 5.0
RESTARTS, RESTART_PERIOD_S = 3, 300.0
END_S = 60.0  # the core gives the house back within this; one that does not is ended
KNOWN_CODES = (0, EXIT_MISTAKE, EXIT_UNVERIFIED, EXIT_ESCALATED)


def run_house(
    config: HouseFile,
    config_path: Path,
    for_s: float | None,
    start: date | None,
    speed: float | None,
    state: Path | None,
    json_: bool,
    link: str | None = None,
) -> int:
    """Run the house and watch it.

    Parameters
    ----------
    for_s : float or None
        Real seconds; None: until SIGINT or SIGTERM.
    start, speed, state
        As given on the command line; None: the house file's, and a fresh state folder.
    link : str, optional
        A broker's address; None: the house file's, or the twin in memory.
    json_ : bool
        Print one status as JSON per look instead of a picture.

    Returns
    -------
    int
        0: every point is back at its default, read back; 3: some are not, they are named; 70: the core gave up.
    """
    folder = states.fresh(Path(config.run.state_dir)) if state is None else state
    if state is not None:
        with StateLock(folder):
            pass  # a house that runs there already is told at once, not by a dead core
    job = {
        "config": str(config_path), "state": str(folder), "start": None if start is None else start.isoformat(),
        "speed": speed, "for_s": for_s, "link": link,
    }
    front = _Front(job, folder, ZoneInfo(config.house.site.timezone), json_)
    return front.run()


class _Front:
    def __init__(self, job: dict[str, Any], folder: Path, zone: ZoneInfo, json_: bool) -> None:
        self._job, self._folder, self._zone, self._json = job, folder, zone, json_
        self._out = Console(stderr=False)
        self._ending_s: float | None = None  # monotonic
        self._said_s = -LINE_S
        self._core: subprocess.Popen[bytes] | None = None
        self._until = None if job["for_s"] is None else time.monotonic() + job["for_s"]

    def run(self) -> int:
        for number in ENDING:
            signal.signal(number, self._end)
        if not self._json:
            self._out.print(f"state in {self._folder}; Ctrl-C gives the house back and ends", highlight=False)
        starts: list[float] = []
        while True:
            code = self._once()
            crashed = code not in (0, EXIT_MISTAKE, EXIT_UNVERIFIED)
            starts = [s for s in starts if time.monotonic() - s < RESTART_PERIOD_S]
            if not crashed or self._ending_s is not None or len(starts) >= RESTARTS:
                break
            starts.append(time.monotonic())
            if self._json:
                self._say(json.dumps({"core_ended": code}))
            else:
                self._out.print(f"the core ended with {code}; it is started again", style="red")
            if self._until is not None:
                self._job["for_s"] = max(1.0, self._until - time.monotonic())
        return self._report(code)

    def _once(self) -> int:
        (self._folder / REPORT_FILE).unlink(missing_ok=True)  # a former run's
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)  # the core starts with them blocked, until it listens
        try:
            self._core = subprocess.Popen(
                [sys.executable, "-m", "pems_actors.core", json.dumps(self._job)],
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C reaches us alone; we tell the core
            )
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
        if self._ending_s is not None:  # told to end before there was a core to tell
            self._core.send_signal(signal.SIGTERM)
        with self._shown() as show:
            while self._core.poll() is None:
                status = self._look()
                if status is not None:
                    self._show(status, show)
                self._wait()
        return self._core.wait()

    def _show(self, status: dict[str, Any], live: Live | None) -> None:
        """A picture on a terminal, else a line now and then."""
        if live is not None:
            live.update(picture(status, zone=self._zone))
        elif time.monotonic() - self._said_s >= (JSON_S if self._json else LINE_S):
            self._said_s = time.monotonic()
            self._say(json.dumps(status) if self._json else line(status))

    def _say(self, text: str) -> None:
        self._out.print(text, highlight=False, markup=False, soft_wrap=True)

    def _wait(self) -> None:
        assert self._core is not None
        try:
            self._core.wait(LOOK_S)
        except subprocess.TimeoutExpired:
            if self._ending_s is not None and time.monotonic() - self._ending_s > END_S:
                self._core.kill()  # the inverter's slots end by themselves, Loxone misses the heartbeat

    @contextmanager
    def _shown(self) -> Iterator[Live | None]:
        if self._json or not self._out.is_terminal:
            yield None
            return
        with Live(console=self._out, refresh_per_second=4, screen=False) as live:
            yield live

    def _look(self) -> dict[str, Any] | None:
        try:
            found = call(self._folder / SOCKET_FILE, "status", timeout_s=2.0)
        except ConsoleError:
            return None  # starting, or ending
        return found if isinstance(found, dict) else None

    def _end(self, number: int, frame: object) -> None:
        if self._ending_s is None:
            self._ending_s = time.monotonic()
        if self._core is not None:
            self._core.send_signal(signal.SIGTERM)

    def _report(self, code: int) -> int:
        """Tell how it ended; the exit code."""
        try:
            report = json.loads((self._folder / REPORT_FILE).read_text())
        except (OSError, ValueError):
            report = {"exit": code, "unverified": {}, "escalated": ""}
        if code not in KNOWN_CODES:  # killed, or a bug: nobody read anything back
            how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
            code = EXIT_ESCALATED if self._ending_s is None else EXIT_UNVERIFIED
            told = f"the core did not end in order ({how})"
            report = {"exit": code, "unverified": {"all points": told}, "escalated": told}
        if self._json:
            self._say(json.dumps({"end": report}))
        elif code == 0:
            self._out.print("every point is back at its default, read back")
        elif code == EXIT_UNVERIFIED:
            for point, why in report["unverified"].items():
                self._out.print(f"not verified: {point}: {why}", style="red", markup=False)
        elif code == EXIT_ESCALATED:
            self._out.print(f"the core gave up: {report['escalated']}", style="red", markup=False)
            for point, why in report["unverified"].items():
                self._out.print(f"not verified: {point}: {why}", style="red", markup=False)
        return code
