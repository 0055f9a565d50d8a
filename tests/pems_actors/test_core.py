"""The core: its exit codes and report, what it logs, and what it must never load."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import structlog

import config
from actors.messages import Alarm, Trip, TripReset
from actors.runtime import Restarted, WorkerEnded
from config.load import load
from models.errors import ConfigError
from pems_actors import core as core_module
from pems_actors.core import CoreJob
from pems_actors.ending import EXIT_ESCALATED, EXIT_MISTAKE, EXIT_UNVERIFIED, REPORT_FILE

DEMO = Path(config.__path__[0]) / "demo.toml"


def a_core(state: Path, start: date | None = date(2021, 2, 8)) -> core_module._Core:
    file = load(DEMO)
    if start is None:
        file = file.model_copy(update={"run": file.run.model_copy(update={"start": None})})
    job = CoreJob(config=file, config_path=DEMO, state=state, start=start, speed=60.0, for_s=1.0)
    return core_module._Core(job)


@pytest.mark.parametrize(
    ("pending", "escalated", "code"),
    [({}, "", 0), ({"inverter.mode": "the inverter is silent"}, "", EXIT_UNVERIFIED),
     ({}, "/core gave up", EXIT_ESCALATED), ({"inverter.mode": "silent"}, "/core gave up", EXIT_ESCALATED)],
)  # fmt: skip
def test_the_exit_code_says_how_it_ended_and_the_report_says_why(
    tmp_path: Path, pending: dict[str, str], escalated: str, code: int
) -> None:
    core = a_core(tmp_path)
    if escalated:
        core._escalate(escalated)
        assert core._over.is_set(), "an escalation ends the run"
    assert core._end(pending) == code
    report = json.loads((tmp_path / REPORT_FILE).read_text())
    assert report == {"exit": code, "unverified": pending, "escalated": escalated}


def test_a_report_that_cannot_be_written_changes_no_exit_code(tmp_path: Path) -> None:
    core = a_core(tmp_path / "gone")
    assert core._end({"x": "y"}) == EXIT_UNVERIFIED


def test_a_replay_without_a_day_is_a_mistake_of_the_user(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\[run\] start is not set.*give --start"):
        a_core(tmp_path, start=None).run()


def test_a_day_that_was_never_recorded_is_a_mistake_of_the_user(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--start 2031-01-01, 2 days: needs records .* choose another day"):
        a_core(tmp_path, start=date(2031, 1, 1)).run()


def run_core(job: dict[str, object]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pems_actors.core", json.dumps(job)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_torn_boot_file_is_told_in_a_line_and_nothing_is_started(tmp_path: Path) -> None:
    (tmp_path / "boot.json").write_text('{"boot": 3')
    job = {"config": str(DEMO), "state": str(tmp_path), "start": None, "speed": 60.0, "for_s": 1.0, "link": None}
    ended = run_core(job)
    assert ended.returncode == EXIT_MISTAKE and ended.stderr.count("\n") == 1
    assert ended.stderr.startswith("error: ") and "boot.json" in ended.stderr
    assert not (tmp_path / "console.sock").exists() and not (tmp_path / REPORT_FILE).exists()


def test_changes_are_logged_by_their_names() -> None:
    at = datetime(2021, 2, 8, tzinfo=UTC)
    events = (
        Alarm(at=at, name="store", active=True, text="away"),
        Alarm(at=at, name="store", active=False, text=""),
        Trip(id="manual-1", kind="manual", points=("*",), reason="test", tripped_at=at, hold_off_s=0.0),
        TripReset(id="manual-1", at=at),
        WorkerEnded("/ops/store", 7, "killed by SIGKILL"),
    )
    with structlog.testing.capture_logs() as lines:
        for event in events:
            core_module._log_event(event)
    assert [(line["event"], line["log_level"]) for line in lines] == [
        ("alarm", "warning"), ("alarm.over", "info"), ("trip", "warning"), ("trip.reset", "info"),
        ("worker.ended", "warning"),
    ]  # fmt: skip
    assert lines[0]["name"] == "store" and "SIGKILL" in lines[4]["text"]
    assert core_module._words(Restarted.__name__) == "restarted"


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [("pems_actors.core", ("numpy", "pandas", "scipy", "pyomo", "cvxpy", "highspy", "pvlib", "torch")),
     ("pems_actors.run", ("numpy", "pandas", "pykka", "pems_actors.core", "solvers", "actors")),
     ("pems_actors.twin_worker", ("numpy", "pandas", "scipy", "pyomo", "rich", "structlog"))],
)  # fmt: skip
def test_a_process_loads_only_what_it_needs(module: str, forbidden: tuple[str, ...]) -> None:
    code = f"import sys, {module}; print(*[m for m in {forbidden!r} if m in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout.strip() == ""
