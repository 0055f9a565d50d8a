"""`run`: starts the core, shows the house by asking its socket, and ends with the core's exit code."""

from __future__ import annotations

import json
import os
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
from pems_actors.core import EXIT_ESCALATED, EXIT_UNVERIFIED, REPORT_FILE
from pems_actors.live import line, picture
from pems_actors.lock import StateLock

LOOK_S, LINE_S = 0.5, 5.0
RESTARTS, RESTART_PERIOD_S = 3, 300.0
END_S = 60.0  # the core gives the house back within this


def run_house(
    config: HouseFile,
    config_path: Path,
    for_s: float | None,
    start: date | None,
    speed: float | None,
    state: Path | None,
    json_: bool,
) -> int:
    """Run the house and watch it.

    Parameters
    ----------
    for_s : float or None
        Real seconds; None: until SIGINT or SIGTERM.
    start, speed, state
        As given on the command line; None: the house file's, and a fresh state folder.
    json_ : bool
        Print one status as JSON per look instead of a picture.

    Returns
    -------
    int
        0: every point is back at its default, read back; 3: some are not, they are named; 70: the core gave up.
    """
    speed = config.run.speed if speed is None else speed
    folder = states.fresh(Path(config.run.state_dir)) if state is None else state
    if state is not None:
        with StateLock(folder):
            pass  # a house that runs there already is told at once, not by a dead core
    job = {
        "config": str(config_path), "state": str(folder), "start": None if start is None else start.isoformat(),
        "speed": speed, "for_s": for_s,
    }
    front = _Front(job, folder, speed, ZoneInfo(config.house.site.timezone), json_)
    return front.run()


class _Front:
    def __init__(self, job: dict[str, Any], folder: Path, speed: float, zone: ZoneInfo, json_: bool) -> None:
        self._job, self._folder, self._speed, self._zone, self._json = job, folder, speed, zone, json_
        self._out = Console(stderr=False)
        self._ending = False
        self._core: subprocess.Popen[bytes] | None = None
        self._until = None if job["for_s"] is None else time.monotonic() + job["for_s"]

    def run(self) -> int:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        if not self._json:
            self._out.print(f"state in {self._folder}; Ctrl-C gives the house back and ends", highlight=False)
        starts: list[float] = []
        while True:
            code = self._once()
            crashed = code not in (0, 2, EXIT_UNVERIFIED)
            starts = [s for s in starts if time.monotonic() - s < RESTART_PERIOD_S]
            if not crashed or self._ending or len(starts) >= RESTARTS:
                break
            starts.append(time.monotonic())
            self._out.print(f"[red]the core ended with {code}; it is started again[/red]")
            if self._until is not None:
                self._job["for_s"] = max(1.0, self._until - time.monotonic())
        return self._report(code)

    def _once(self) -> int:
        self._core = subprocess.Popen(
            [sys.executable, "-m", "pems_actors.core", json.dumps(self._job)],
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C reaches us alone; we tell the core
        )
        with self._shown() as show:
            said = 0.0
            while self._core.poll() is None:
                status = self._look()
                if status is not None:
                    if self._json or not self._out.is_terminal:
                        if time.monotonic() - said >= (LOOK_S if self._json else LINE_S):
                            said = time.monotonic()
                            self._out.print(json.dumps(status) if self._json else line(status), highlight=False,
                                            markup=False, soft_wrap=True)
                    elif show is not None:
                        show.update(picture(status, speed=self._speed, zone=self._zone))
                self._wait()
        return self._core.wait()

    def _wait(self) -> None:
        assert self._core is not None
        try:
            self._core.wait(LOOK_S)
        except subprocess.TimeoutExpired:
            pass

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
        self._ending = True
        if self._core is not None and self._core.poll() is None:
            os.kill(self._core.pid, signal.SIGTERM)

    def _report(self, code: int) -> int:
        try:
            report = json.loads((self._folder / REPORT_FILE).read_text())
        except (OSError, ValueError):
            report = {"exit": code, "unverified": {}, "escalated": ""}
        if self._json:
            self._out.print(json.dumps({"end": report}), highlight=False, markup=False, soft_wrap=True)
        elif code == 0:
            self._out.print("every point is back at its default, read back")
        elif code == EXIT_UNVERIFIED:
            for point, why in report["unverified"].items():
                self._out.print(f"[red]not verified: {point}: {why}[/red]")
        elif code == EXIT_ESCALATED:
            self._out.print(f"[red]the core gave up: {report['escalated']}; the fail-safe profile was written[/red]")
        return code
