"""A house on a broker, from the command line: first contact, running it, handing it back."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pems_actors.cli import main
from pems_actors.ending import EXIT_UNVERIFIED
from tests.actors.links.broker import Broker, broker, free_port, until
from tests.pems_actors.test_twin_command import running

__all__ = ["broker"]
PATIENCE_S = 90.0


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    code = main([*arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.slow
def test_a_house_on_a_broker_is_found_run_killed_and_handed_back(
    tmp_path: Path, broker: Broker, capsys: pytest.CaptureFixture[str]
) -> None:
    link = ("--link", broker.url)
    with running(tmp_path, broker.url, "--speed", "60") as twin:
        until(lambda: twin.saw("begins"), "the twin lives", timeout_s=PATIENCE_S)
        code, wires = answer(capsys, "wires", *link, "--for", "6s")
        assert (code, wires["missing"]) == (0, 0)
        state = tmp_path / "state"
        command = [sys.executable, "-m", "pems_actors", "run", *link, "--state", str(state), "--json"]
        house = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert house.stdout is not None
            for text in house.stdout:  # until something is held away from its default
                status = json.loads(text)
                if any(p["value"] in ("on", "off") for n, p in status.get("points", {}).items() if "relay" in n):
                    break
            pid = int((state / "lock").read_text())
            subprocess.run(["kill", "-9", str(pid), str(house.pid)], check=True)
        finally:
            house.kill()
            house.wait()
        code, back = answer(capsys, "failsafe", *link, "--state", str(state))
        assert (code, back["unverified"]) == (0, {})


def test_a_house_that_cannot_be_reached_is_not_called_handed_back(
    broker: Broker, capsys: pytest.CaptureFixture[str]
) -> None:
    code, back = answer(capsys, "failsafe", "--link", broker.url, "--within", "2s")
    assert code == EXIT_UNVERIFIED
    assert back["unverified"]["inverter.mode"] == "the inverter is silent"
    assert back["unverified"]["room.obyvak.relay"] == "Loxone is silent"


def test_wires_of_an_empty_broker_are_all_missing(broker: Broker, capsys: pytest.CaptureFixture[str]) -> None:
    code, wires = answer(capsys, "wires", "--link", broker.url, "--for", "1s")
    assert code == 1 and wires["missing"] == len([w for w in wires["wires"] if not w["ok"]]) >= 3


@pytest.mark.parametrize("command", [("wires", "--for", "1s"), ("failsafe",)])
def test_without_a_broker_there_is_one_clear_line(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command]) == 2
    assert "no [mqtt]" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("url", "word"),
    [("http://x", "mqtt://"), ("mqtt://u:p@host", "secret"), ("mqtt://127.0.0.1:PORT", "127.0.0.1")],
)
def test_an_address_that_is_wrong_is_told_in_a_line(url: str, word: str, capsys: pytest.CaptureFixture[str]) -> None:
    url = url.replace("PORT", str(free_port()))  # nobody listens there
    assert main(["wires", "--link", url, "--for", "1s"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: ") and word in told and told.count("\n") == 1
