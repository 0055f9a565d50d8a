"""Log lines are JSON in the state folder, one event each."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from models.errors import ConfigError
from pems_actors import logs


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers = []
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def test_an_event_is_one_line_of_json_with_its_values(tmp_path: Path) -> None:
    path = logs.to_folder(tmp_path)
    structlog.get_logger("gate").warning("setpoint.clamped", asked_kw=6.0, sent_kw=5.0)
    logging.getLogger("other").error("a library speaks")
    structlog.get_logger("gate").debug("not.written")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["setpoint.clamped", "a library speaks"]
    assert {"asked_kw": 6.0, "sent_kw": 5.0, "level": "warning", "logger": "gate"}.items() <= lines[0].items()
    assert lines[0]["timestamp"].endswith("Z")


def test_an_exception_stays_within_its_line(tmp_path: Path) -> None:
    path = logs.to_folder(tmp_path)
    try:
        raise ValueError("bad\nnews")
    except ValueError:
        structlog.get_logger().exception("failed")
    (line,) = path.read_text().splitlines()
    assert "ValueError: bad" in json.loads(line)["exception"]


def test_warnings_reach_the_terminal_only_if_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs.to_folder(tmp_path)
    structlog.get_logger().warning("quiet")
    assert capsys.readouterr().err == ""
    logs.to_folder(tmp_path, stderr=True)
    structlog.get_logger().warning("loud")
    structlog.get_logger().info("quiet")
    err = capsys.readouterr().err
    assert "loud" in err and "quiet" not in err
    logs.to_stderr()
    structlog.get_logger().warning("alone")
    assert "alone" in capsys.readouterr().err
    assert "alone" not in (tmp_path / logs.FILE).read_text()


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="choose another --state"):
        logs.to_folder(tmp_path / "none")
