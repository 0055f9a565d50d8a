"""Each mistake of a user is one clear line `error: ...` and exit code 2; never a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from config.load import DEMO
from models.errors import ConfigError, ConsoleError
from pems_actors.console.server import ConsoleServer
from pems_actors.console.wire import SOCKET_FILE
from tests.pems_actors.conftest import Said

ROOT = DEMO.parent.parent


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No var/ of a real house is near."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PEMS_DEBUG", raising=False)


MISTAKES = [
    # command line
    ("rnu", "No such command 'rnu'"),
    ("run --strat 2021-02-08", "No such option: --strat"),
    ("run extra", "unexpected extra argument"),
    ("check", "Missing argument 'FILE'"),
    ("why", "Missing argument 'POINT'"),
    ("override room.x.relay", "Missing argument 'VALUE'"),
    # durations
    ("run --for 90", "--for '90' has no unit; write 90s, 90m or so"),
    ("run --for -2m", "--for '-2m' is no duration"),
    ("run --for 0s", "--for '0s' is 0 s, must be 1 s to"),
    ("run --for 2x", "--for '2x' is no duration"),
    ("run --for 500ms", "--for '500ms' is no duration"),
    ("run --for nan", "--for 'nan' is no duration"),
    ("run --for 99999d", "must be 1 s to 3.1536e+07 s"),
    ("simulate --replan 1m", "--replan '1m' is 60 s, must be 300 s"),
    ("override room.x.relay on --for 8d", "--for '8d' is 691200 s, must be 10 s to 604800 s"),
    # days and numbers
    ("run --start 8.2.2021", "--start '8.2.2021' is no day; write it as 2021-02-08"),
    ("run --start 2021-02-30", "--start '2021-02-30' is no day (day"),
    ("simulate --start tomorrow", "--start 'tomorrow' is no day"),
    ("run --speed 0", "--speed 0 is outside 1 to 3600"),
    ("run --speed nan", "--speed nan is outside 1 to 3600"),
    ("run --speed fast", "Invalid value for '--speed'"),
    ("simulate --days 0", "--days 0 is outside"),
    ("simulate --days -1", "--days -1 is outside"),
    ("simulate --days nan", "--days nan is outside"),
    ("simulate --seed -1", "--seed -1 is outside"),
    ("simulate --seed x", "Invalid value for '--seed'"),
    ("simulate --policies rules,magic", "--policies 'rules,magic': 'magic' is none"),
    ("simulate --policies ,", "--policies ',': 'nothing' is none"),
    ("plan case.json --time-limit 0", "--time-limit 0 is outside 0.1 to 3600 s"),
    # files
    ("run --config none.toml", "none.toml: file: does not exist"),
    ("run --config .", ".: file: is a folder"),
    ("simulate --config none.toml", "none.toml: file: does not exist"),
    ("simulate --plot week.jpg", "--plot week.jpg: must end in .png; write week.png"),
    ("simulate --plot none/week.png", "--plot none/week.png: there is no folder none; mkdir -p none"),
    ("simulate --json .", "--json .: is a folder"),
    ("simulate --json none/out.json", "there is no folder none"),
    ("simulate --out file", "--out file: a file is in the way"),
    ("simulate --out file/deeper", "--out file/deeper: a file is in the way"),
    ("run --state file", "--state file: a file is in the way"),
    ("plan case.csv", "case.csv: a case is a .json file; did you mean case.json?"),
    ("plan none.json", "none.json"),
    # the console
    ("ps", "no house is running under var; start one with `run`"),
    ("tree --state none", "no house is running in none"),
    ("status --state file", "no house is running in file"),
    ("state core/gate", "'core/gate' is no path of an actor; write it as /core/gate"),
    ("restart /core//gate", "'/core//gate' is no path of an actor"),
    ("inject gate error", "'gate' is no path of an actor"),
    ("inject /core/gate lost --value 1", "--value belongs to faults of the twin"),
    ("inject twin lost --value often", "--value 'often' is none; on, off or a number"),
    ("why relay", "'relay' is no point; write inverter.mode"),
    ("why room.Obyvak.relay", "'room.Obyvak.relay' is no point"),
    ("release room.x.heater", "'room.x.heater' is no point"),
    ("override room.x.relay up --for 2h", "room.x.relay cannot be 'up'; one of on, off, auto"),
    ("override room.x.setpoint_c 220 --for 2h", "room.x.setpoint_c cannot be '220'; a number from 5 to 30 degC"),
    ("override room.x.setpoint_c nan", "room.x.setpoint_c cannot be 'nan'"),
    ("override inverter.export_limit_kw 10000", "a number from 0 to 200 kW"),
    ("override inverter.export_limit_kw -1", "error: VALUE is 0 or more; see "),
    ("ps -1", "No such option: -1"),
    ("override inverter.mode turbo", "inverter.mode cannot be 'turbo'; one of regular"),
    ("override inverter.mode charge_from_grid", "inverter.mode: charge_from_grid needs an end"),
    ("trip --emergency room.x.relay", "--emergency stops every point"),
    ("trip everything", "'everything' is no point"),
]


@pytest.mark.parametrize(("arguments", "line"), MISTAKES, ids=[arguments for arguments, _ in MISTAKES])
def test_a_mistake_is_one_line_and_exit_code_2(said: Said, arguments: str, line: str) -> None:
    Path("file").touch()
    code, out, err = said(*arguments.split())
    assert code == 2
    assert err.startswith("error: ") and err.count("\n") == 1, err
    assert line in err
    assert out == ""


def test_a_real_process_answers_a_mistake_likewise() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pems_actors", "run", "--for", "90"],
        capture_output=True, text=True, timeout=60, check=False, cwd=ROOT,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: --for '90' has no unit; write 90s, 90m or so\n"


@pytest.mark.parametrize("arguments", [["worker"], ["worker", "optimizer"], ["worker", "x", "--fd", "99"]])
def test_a_worker_started_by_hand_says_so_without_a_traceback(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pems_actors", *arguments],
        capture_output=True, text=True, timeout=60, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 2
    assert "Traceback" not in done.stderr and "error: " in done.stderr


def test_no_command_shows_the_help(said: Said) -> None:
    code, out, err = said()
    assert code == 2
    assert err == "" and "simulate" in out


@pytest.mark.parametrize(
    "command",
    ["run", "simulate", "plan", "check", "ps", "tree", "status", "why", "state", "override", "release", "trip", "reset",
     "restart", "inject"],
)  # fmt: skip
def test_every_command_teaches(said: Said, command: str) -> None:
    code, out, _ = said(command, "--help")
    assert code == 0
    assert "--json" in out and "Usage" in out


# --- check -----------------------------------------------------------------------------------------------------------
def test_check_says_ok(said: Said) -> None:
    assert said("check", str(DEMO)) == (0, "ok\n", "")


def test_check_has_one_line_per_fault(said: Said) -> None:
    text = DEMO.read_text().replace("fuse_a = 32", "fuze_a = 32").replace("peak_kw = 7.5", "peak_kw = 7500")
    Path("house.toml").write_text(text)
    code, out, err = said("check", "house.toml")
    assert (code, err) == (2, "")
    assert [line.split(" ")[0] for line in out.splitlines()] == ["house.toml:"] * 3
    code, out, _ = said("check", "house.toml", "--json")
    assert code == 2
    answer = json.loads(out)
    assert answer["ok"] is False
    assert {"field", "value", "limit", "remedy"} == set(answer["faults"][0])


def test_run_and_simulate_list_every_fault_of_the_house_file(said: Said) -> None:
    Path("house.toml").write_text(
        DEMO.read_text().replace("fuse_a = 32", "fuze_a = 32").replace("vat = 0.21", "vat = 21")
    )
    for command in ("run", "simulate"):
        code, _, err = said(command, "--config", "house.toml")
        assert code == 2
        assert [line.startswith("error: house.toml: ") for line in err.splitlines()] == [True, True]


def test_a_house_without_a_day_to_start_is_told(said: Said) -> None:
    Path("data").symlink_to(DEMO.parent / "data")
    Path("house.toml").write_text(DEMO.read_text().replace("start = 2021-02-08", ""))
    for command in ("run", "simulate"):
        code, _, err = said(command, "--config", "house.toml")
        assert code == 2 and "no day to start" in err


# --- a house that answers --------------------------------------------------------------------------------------------
BY_HAND = {"reason": "by hand", "kind": "manual"}
CELLS = [
    {"path": "/core/gate", "state": "running", "restarts": 1, "incarnation": 2, "handled": 7, "queued": [0, 0, 0, 0]}
]


class House:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []

    def handlers(self) -> dict[str, Callable[[dict[str, Any]], object]]:
        def answering(method: str, answer: object) -> Callable[[dict[str, Any]], object]:
            def handle(params: dict[str, Any]) -> object:
                self.told.append((method, params))
                if isinstance(answer, Exception):
                    raise answer
                return answer

            return handle

        answers: dict[str, object] = {
            "ps": CELLS,
            "tree": CELLS,
            "why": {"value": "on", "holder": "user", "level": 8},
            "state": {"trips": []},
            "status": {"soc": 0.5},
            "override": {"point": "x", "outcome": "clamped", "now": {"deep": 1}},
            "release": {},
            "trip": {"id": "manual-1", "points": ["*"]},
            "reset": {"ok": False, "reason": "hold-off: 30 s left"},
            "restart": ConsoleError("no path '/x'", hint="`ps` lists all paths"),
            "inject": ConsoleError("faults are not allowed in this house", hint="[run] allow_inject = true"),
        }
        return {method: answering(method, answer) for method, answer in answers.items()}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    one = House()
    (tmp_path / "state").mkdir()
    with ConsoleServer(tmp_path / "state" / SOCKET_FILE, one.handlers()):
        yield one


@pytest.mark.parametrize(
    ("arguments", "method", "params", "words"),
    [
        ("ps", "ps", {}, "/core/gate"),
        ("tree", "tree", {}, "gate"),
        ("status", "status", {}, "SOC"),
        ("why room.x.relay", "why", {"point": "room.x.relay"}, "room.x.relay is on, held by user"),
        ("state /core/safety/", "state", {"path": "/core/safety"}, "trips"),
        ("override room.x.relay ON --for 1h30m", "override",
         {"point": "room.x.relay", "value": "on", "for_s": 5400.0}, "is held at on for 1 h 30 min (outcome clamped)"),
        ("override room.x.setpoint_c 21.5", "override", {"point": "room.x.setpoint_c", "value": 21.5}, "held at 21.5"),
        ("release room.x.relay", "release", {"point": "room.x.relay"}, "room.x.relay is released"),
        ("trip", "trip", {**BY_HAND, "points": ["*"]}, "every point is tripped (id manual-1)"),
        ("trip --emergency --reason smoke", "trip",
         {"points": ["*"], "reason": "smoke", "kind": "emergency_stop"}, "every point is tripped"),
        ("trip room.x.relay inverter.mode", "trip",
         {**BY_HAND, "points": ["room.x.relay", "inverter.mode"]}, "room.x.relay, inverter.mode are tripped"),
    ],
)  # fmt: skip
def test_a_command_reaches_the_house_with_checked_values(
    said: Said, house: House, arguments: str, method: str, params: dict[str, Any], words: str
) -> None:
    code, out, err = said(*arguments.split(), "--state", "state")
    assert (code, err) == (0, "")
    assert house.told == [(method, params)]
    assert words in out
    code, out, _ = said(*arguments.split(), "--state", "state", "--json")
    assert code == 0
    json.loads(out)


def test_a_mode_travels_with_its_parameters(said: Said, house: House) -> None:
    said("override", "inverter.mode", "charge_from_grid to 90% at 50%", "--for", "3h", "--state", "state")
    value = {"composite": "charge_from_grid", "stop_soc": 0.9, "rate": 0.5}
    assert house.told == [("override", {"point": "inverter.mode", "value": value, "for_s": 10800.0})]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("reset manual-1", "error: hold-off: 30 s left\n"),
        ("restart /x", "error: no path '/x'; `ps` lists all paths\n"),
        ("inject /core/gate error", "error: faults are not allowed in this house; [run] allow_inject = true\n"),
        ("inject twin lost --value 0.2", "error: faults are not allowed in this house; [run] allow_inject = true\n"),
    ],
)
def test_a_refusal_by_the_house_is_one_line_and_exit_code_2(
    said: Said, house: House, arguments: str, line: str
) -> None:
    assert said(*arguments.split(), "--state", "state") == (2, "", line)


# --- our own mistakes -------------------------------------------------------------------------------------------------
def test_a_bug_of_ours_is_one_line_and_exit_code_70(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Path) -> object:
        raise ZeroDivisionError("division\nby zero")

    monkeypatch.setattr("pems_actors.commands.check.find_faults", broken)
    code, out, err = said("check", "x.toml")
    assert (code, out) == (70, "")
    assert (
        err.startswith("error: internal: ZeroDivisionError: division by zero; this is a bug") and err.count("\n") == 1
    )
    monkeypatch.setenv("PEMS_DEBUG", "1")
    assert "Traceback" in said("check", "x.toml")[2]


@pytest.mark.parametrize(
    ("raised", "code", "line"),
    [
        (KeyboardInterrupt(), 130, "error: interrupted\n"),
        (ConfigError("a\nb", hint="c"), 2, "error: a b; c\n"),
    ],
)
def test_an_interruption_and_an_error_of_several_lines_are_one_line(
    said: Said, monkeypatch: pytest.MonkeyPatch, raised: BaseException, code: int, line: str
) -> None:
    def stop(_: Path) -> object:
        raise raised

    monkeypatch.setattr("pems_actors.commands.check.find_faults", stop)
    assert said("check", "x.toml") == (code, "", line)


def test_a_reader_who_has_gone_is_not_complained_about() -> None:
    """As in `check house.toml | head -1`, at its worst: nobody has read anything."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "pems_actors", "check", str(DEMO)]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, timeout=60, check=False, cwd=ROOT)
    os.close(writer)
    assert done.stderr == b""
