"""Options that several commands share, and how their answers are printed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console, RenderableType

from config.load import DEMO
from models.errors import ConfigError
from pems_actors.console.wire import line

Config = Annotated[
    Path, typer.Option("--config", "-c", metavar="FILE", help="House file.", show_default="the demo house")
]
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
State = Annotated[
    Path | None,
    typer.Option(
        "--state", metavar="DIR", help="State folder of the house.", show_default="the one running under var/"
    ),
]

DEMO_HOUSE = DEMO
PIPE_WIDTH = 160


def show(answer: object, rendered: RenderableType, as_json: bool) -> None:
    """Print an answer for people, or the same as JSON."""
    if as_json:
        print(json.dumps(json.loads(line(answer)), indent=2, ensure_ascii=False))
    else:
        out = Console()
        Console(width=max(out.width, PIPE_WIDTH) if not out.is_terminal else None).print(rendered)


def write_json(answer: object, path: Path | None) -> None:
    """Write an answer as JSON; `-` is standard output, None nowhere.

    Raises
    ------
    ConfigError
        The file cannot be written.
    """
    if path is None:
        return
    text = json.dumps(json.loads(line(answer)), indent=2, ensure_ascii=False) + "\n"
    if str(path) == "-":
        sys.stdout.write(text)
        return
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--json {path}: {error.strerror or error}", hint="choose another place") from error
