"""`twin`: the house on a broker as a process of its own, and how its mistakes are told."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console

from config.load import DEMO
from pems_actors import twin_process
from pems_actors.cli import main
from pems_actors.commands import twin
from tests.actors.links.broker import Broker, broker, free_port, until
from tests.actors.links.wire import Peer

__all__ = ["broker"]
PATIENCE_S = 30.0


class Running:
    """The command in a process of its own, with --json."""

    def __init__(self, folder: Path, url: str, *options: str, **environment: str) -> None:
        self._said = folder / "said"
        command = [sys.executable, "-m", "pems_actors", "twin", "--broker", url, "--json", *options]
        with self._said.open("w") as said:
            self.process = subprocess.Popen(
                command, stdout=said, stderr=subprocess.STDOUT, env={**os.environ, **environment}
            )

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._said.read_text().splitlines() if line.endswith("}")]

    @property
    def said(self) -> str:
        return self._said.read_text()

    def saw(self, event: str) -> bool:
        return any(e["event"] == event for e in self.events)


@contextmanager
def running(folder: Path, url: str, *options: str, **environment: str) -> Iterator[Running]:
    made = Running(folder, url, *options, **environment)
    try:
        yield made
    finally:
        if made.process.poll() is None:
            made.process.kill()
        made.process.wait()


def test_the_twin_tells_its_time_answers_commands_and_ends_in_order(broker: Broker, tmp_path: Path) -> None:
    ask = "energy/solar/command/list"
    with (
        Peer(broker.url, "pems-twin/clock", "energy/#", "loxone/#") as ear,
        running(tmp_path, broker.url, "--speed", "60", "--start", "2021-05-17") as made,
    ):
        until(lambda: made.saw("state"), "it lives", timeout_s=PATIENCE_S)
        ear.say(ask, b'{"correlationId":"7"}')
        until(lambda: any(b'"7"' in p for p in ear.payloads("energy/solar/result")), "an answer")
        until(lambda: len(ear.payloads("pems-twin/clock")) >= 2, "its time, each second")
        times = [json.loads(p) for p in ear.payloads("pems-twin/clock")]
        assert times[0]["speed"] == 60
        assert times[0]["time"].startswith("2021-05-16T22:")  # local midnight of the day asked for
        rooms = json.loads(ear.payloads("loxone/status")[-1])
        assert len(rooms["relay"]) == 17
        made.process.send_signal(signal.SIGTERM)
        assert made.process.wait(PATIENCE_S) == 0
        assert made.events[0]["event"] == "begins"
        assert made.events[-1]["event"] == "ends"
        assert {"event": "command", "topic": ask, "payload": '{"correlationId":"7"}'} in made.events
        until(lambda: ear.payloads("energy/solar")[-1] == b'{"InverterStatus":-1}', "offline, retained")


def test_the_twin_outlives_its_broker(broker: Broker, tmp_path: Path) -> None:
    with running(tmp_path, broker.url, "--speed", "60") as made:
        until(lambda: made.saw("state"), "it lives", timeout_s=PATIENCE_S)
        broker.kill()
        until(lambda: made.saw("link"), "it tells")
        broker.start()
        until(lambda: any(e["event"] == "link" and e["up"] for e in made.events), "it is back")


def test_it_ends_after_the_time_given(broker: Broker, tmp_path: Path) -> None:
    with running(tmp_path, broker.url, "--for", "1s", "--faults", "slow,liar") as made:
        assert made.process.wait(PATIENCE_S) == 0
        faults = [e["name"] for e in made.events if e["event"] == "fault"]
        assert faults == ["slow", "liar"]


# --- mistakes ---------------------------------------------------------------------------------------------------------
def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    capsys.readouterr()
    return main(["twin", *arguments]), capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--broker 127.0.0.1", "--broker '127.0.0.1' must begin with mqtt://"),
        ("--broker mqtt://nas:x", "--broker 'mqtt://nas:x' is no address"),
        ("--broker mqtt://me:pw@nas", "has a user in it"),
        ("--broker mqtt://nas --ca none.crt", "--ca none.crt is set, --broker mqtt://nas is without TLS"),
        ("--broker mqtts://nas --ca none.crt", "--ca none.crt: No such file"),
        ("--faults slow,fast", "--faults 'slow,fast': 'fast' is none; a list of slow, lost, stale, liar, offline"),
        ("--speed 0", "--speed 0 is outside 1 to 3600"),
        ("--start soon", "--start 'soon' is no day"),
        ("--start 1999-01-01", "--start 1999-01-01"),
        ("--for 5", "--for '5' has no unit"),
        ("--config none.toml", "none.toml: file: does not exist"),
    ],
)
def test_each_mistake_is_one_line(arguments: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, error = told(capsys, *arguments.split())
    assert code == 2
    assert error.startswith("error: ")
    assert said in error or said in error.removeprefix("error: ")
    assert error.count("\n") == 1


def test_a_broker_that_is_not_there_is_told_with_the_option(capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    code, error = told(capsys, "--broker", f"mqtt://127.0.0.1:{port}")
    assert (code, error) == (2, f"error: nothing listens at 127.0.0.1:{port}; is the broker running? --broker\n")


def test_a_wrong_user_is_told_and_no_password(
    broker: Broker, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    broker.kill()
    (broker.folder / "users").touch(mode=0o600)
    broker.configure("allow_anonymous false", f"password_file {broker.folder / 'users'}")
    broker.start()
    monkeypatch.setenv("PEMS_MQTT_PASSWORD", "quite-secret")
    code, error = told(capsys, "--broker", broker.url)
    assert code == 2
    assert "the secret mqtt_password is set, but no user; say whose it is: --user NAME" in error
    code, error = told(capsys, "--broker", broker.url, "--user", "somebody")
    assert code == 2
    assert "refuses user 'somebody'" in error
    assert "--user and the secret mqtt_password" in error
    assert "quite-secret" not in error


def test_the_faults_offered_are_those_the_twin_knows() -> None:
    assert twin.FAULTS == twin_process.FAULTS
    assert DEMO.exists()


# --- what people see --------------------------------------------------------------------------------------------------
STATE = {
    "house_time": "2021-02-08T12:34:00+01:00", "soc": 0.57, "mode": "hold", "pv_kw": 1.2, "load_kw": 0.9,
    "battery_kw": 0.0, "grid_kw": -0.3, "rooms_heating": 4, "commands": 12, "refused": 1, "heartbeats": 3,
    "alone": False, "link": True, "sent": 5,
}  # fmt: skip


@pytest.mark.parametrize(
    ("event", "fields", "line"),
    [
        ("begins", {"broker": "b:1", "house_time": "2021-02-07T23:00:00+00:00", "speed": 60.0, "faults": ["slow"]},
         "twin on b:1 from Mon 08 Feb 2021 on, 60 times real time; faults: slow"),
        ("state", STATE, "Mon 12:34  SOC 57 %  hold  PV 1.20  load 0.90  battery +0.00  grid -0.30 kW  4 rooms heat  "
         "12 commands, 1 refused"),
        ("state", STATE | {"soc": None, "alone": True, "link": False}, "Mon 12:34  no battery  hold  PV 1.20  load 0.90"
         "  battery +0.00  grid -0.30 kW  4 rooms heat  12 commands, 1 refused  Loxone alone  link down"),
        ("command", {"topic": "a/b", "payload": '{"state":"[on]"}'}, '  <- a/b {"state":"[on]"}'),
        ("ignored", {"topic": "a/b", "why": "retained"}, "  <- a/b not followed: retained"),
        ("fault", {"name": "offline", "active": False}, "  fault offline ends"),
        ("link", {"up": True, "reason": ""}, "  link up"),
        ("link", {"up": False, "reason": "gone"}, "  link down: gone"),
        ("alarm", {"name": "mqtt_takeover", "active": True, "text": "another client"}, "  another client"),
    ],
)  # fmt: skip
def test_events_are_lines_that_people_can_read(event: str, fields: dict[str, Any], line: str) -> None:
    out = io.StringIO()
    lines = twin.Lines(ZoneInfo("Europe/Berlin"), Console(file=out, width=300, soft_wrap=True))
    lines(event, **fields)
    assert out.getvalue() == line + "\n"
