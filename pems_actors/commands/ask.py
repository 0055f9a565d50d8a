"""Asking a running house: `ps`, `tree`, `why`, `state`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.console import RenderableType
from rich.text import Text

from models.errors import ConfigError, ConsoleError
from pems_actors.commands.options import Json, State, show
from pems_actors.console import render
from pems_actors.console.client import call
from pems_actors.live import line, notes
from pems_actors.state import running
from pems_actors.values import check_point

_PS = """List all actors of the running house: state, life, restarts, messages, what keeps one busy, its last error.

For example:

```text
ps
ps --json | jq '.[] | select(.restarts > 0) | .path'
```
"""
_TREE = "Show the actors of the running house as the tree of who supervises whom."
_STATUS = """Show the house at a glance, in one line: time, prices, flows, SOC, plans, cost, and the limit of the grid
operator that holds now. Below it what else one should know, a line each: trips, limits of the grid operator (kW, since
or from when, until when, by whom), what the plan bends (`diagnose` says why), alarms. --json has all of it.

For example:

```text
status --json | jq .points
```
"""
_WHY = """Say who holds a point now, since when, until when and why, and who comes next.

For example:

```text
why inverter.mode
why room.obyvak.relay
```
"""
_STATE = """Show what one actor knows.

For example:

```text
state /core/gate
state /devices/inverter
```
"""


def check_path(path: str) -> str:
    """The path of an actor. ConfigError if it cannot be one."""
    if not path.startswith("/") or "//" in path or any(c.isspace() for c in path) or len(path) > 200:
        raise ConfigError(f"{path!r} is no path of an actor", hint="write it as /core/gate; `ps` lists all")
    return path.rstrip("/") or "/"


def _cells(answer: object) -> Sequence[Mapping[str, Any]]:
    if not isinstance(answer, list) or not all(isinstance(cell, dict) for cell in answer):
        raise ConsoleError("the house answered something that is no list of actors", hint="is it of another version?")
    return answer


def _named(answer: object) -> Mapping[str, Any]:
    if not isinstance(answer, dict):
        raise ConsoleError("the house answered something that names no values", hint="is it of another version?")
    return answer


def _glance(status: Mapping[str, Any]) -> str:
    return "\n".join([line(status), *notes(status)])


def register(app: typer.Typer) -> None:
    """Add the commands."""

    def ask(
        state: State, method: str, params: dict[str, object], draw: Callable[[object], RenderableType], json_: bool
    ) -> None:
        answer = call(running(state), method, params)
        show(answer, draw(answer), json_)

    @app.command(help=_PS, short_help="List the actors of the running house.")
    def ps(state: State = None, json_: Json = False) -> None:
        ask(state, "ps", {}, lambda answer: render.ps(_cells(answer)), json_)

    @app.command(help=_TREE, short_help="The same as a tree.")
    def tree(state: State = None, json_: Json = False) -> None:
        ask(state, "tree", {}, lambda answer: render.tree(_cells(answer)), json_)

    @app.command(help=_STATUS, short_help="The house at a glance.")
    def status(state: State = None, json_: Json = False) -> None:
        ask(state, "status", {}, lambda answer: Text(_glance(_named(answer))), json_)

    @app.command(help=_WHY, short_help="Say who holds a point, and who comes next.")
    def why(
        point: Annotated[str, typer.Argument(metavar="POINT", help="Such as room.obyvak.relay.")],
        state: State = None,
        json_: Json = False,
    ) -> None:
        params: dict[str, object] = {"point": check_point(point)}
        ask(state, "why", params, lambda answer: render.why({"point": point, **_named(answer)}), json_)

    @app.command(help=_STATE, short_help="Show what one actor knows.")
    def state(
        path: Annotated[str, typer.Argument(metavar="PATH", help="Such as /core/gate.")],
        state: State = None,
        json_: Json = False,
    ) -> None:
        ask(state, "state", {"path": check_path(path)}, render.state, json_)
