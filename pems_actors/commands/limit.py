"""Telling a running house what the grid operator limits: `limit`."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.text import Text

from models.errors import ConfigError, ConsoleError
from models.types.operator import SOURCE_LIMIT
from pems_actors.arguments import duration_s, within
from pems_actors.commands.options import Json, State, show
from pems_actors.console.client import call
from pems_actors.limits import in_words
from pems_actors.moments import check
from pems_actors.state import running

LONGEST_S = 7 * 86_400.0
MOST_KW = 1000.0
_LIMIT = """Say that the grid operator limits the import of the house (a dimming event); without a power, list them.

The power is that of the whole connection, at the meter. Times are those of the house's clocks, written as 17:00,
tomorrow 7:00 or 2021-02-09T06:00: a bare 17:00 is the next one, but a limit whose --from has passed and whose end has
not begins now. A limit always has an end and may be announced: the plan heats and charges before it. While it holds,
nothing is switched on above it, and what is on is shed in the order of the house file, save rooms at their frost
limit; it comes back by itself.

For example:

```text
limit 4.2 --from 17:00 --until 19:00
limit 4.2 --for 2h                            from now on
limit 0 --from 2021-02-09T06:00 --for 30m
limit                                         lists them
limit --lift                                  ends them all
```
"""


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(help=_LIMIT, short_help="Limits of the grid operator: tell, list, lift.")
    def limit(
        kw: Annotated[float | None, typer.Argument(metavar="KW", help="What may be imported.")] = None,
        from_: Annotated[
            str | None, typer.Option("--from", metavar="TIME", help="Its start.", show_default="now")
        ] = None,
        until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="Its end.")] = None,
        for_: Annotated[str | None, typer.Option("--for", metavar="TIME", help="Or how long: 30m, 2h.")] = None,
        source: Annotated[
            str | None, typer.Option(metavar="NAME", help="Who asks for it.", show_default="grid operator")
        ] = None,
        lift: Annotated[bool, typer.Option("--lift", help="End all limits.")] = False,
        state: State = None,
        json_: Json = False,
    ) -> None:
        said = any(value is not None for value in (from_, until, for_, source))
        if lift and (kw is not None or said):
            raise ConfigError("--lift ends all limits", hint="leave out the rest, or --lift")
        if kw is None and said:
            raise ConfigError("a limit needs its power", hint="as in limit 4.2 --for 2h")
        if lift:
            answer = call(running(state), "lift_limits", {})
            count = answer.get("lifted") if isinstance(answer, dict) else None
            show(answer, Text(f"{count or 'no'} limit{'' if count == 1 else 's'} lifted"), json_)
        elif kw is None:
            answer = call(running(state), "limits", {})
            lines = [in_words(row) for row in _rows(answer)] or ["the grid operator limits nothing"]
            show(answer, Text("\n".join(lines)), json_)
        else:
            answer = call(running(state), "limit", _asked(kw, from_, until, for_, source))
            lines = [f"import is limited to {in_words(row)}" for row in _rows(answer)]
            note = answer.get("note") if isinstance(answer, dict) else None
            show(answer, Text("\n".join([*lines, *([str(note)] if note else [])])), json_)


def _asked(kw: float, from_: str | None, until: str | None, for_: str | None, source: str | None) -> dict[str, object]:
    if (until is None) == (for_ is None):
        raise ConfigError("a limit needs one end", hint="--until 19:00 or --for 2h")
    if source is not None and not 0 < len(source.strip()) <= SOURCE_LIMIT:
        raise ConfigError(f"--source has {len(source)} characters, must be 1 to {SOURCE_LIMIT}", hint="be short")
    params: dict[str, object] = {"import_kw": within("KW", kw, 0.0, MOST_KW, " kW")}
    if from_ is not None:
        params["from"] = check("--from", from_)
    if until is not None:
        params["until"] = check("--until", until)
    if for_ is not None:
        params["for_s"] = duration_s("--for", for_, low_s=60.0, high_s=LONGEST_S)
    if source is not None:
        params["source"] = " ".join(source.split())
    return params


def _rows(answer: object) -> list[dict[str, Any]]:
    rows = answer.get("limits") if isinstance(answer, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ConsoleError("the house answered something that is no list of limits", hint="is it of another version?")
    return rows
