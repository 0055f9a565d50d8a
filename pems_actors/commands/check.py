"""`check`: is this house file right?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group
from rich.text import Text

from config.load import check as find_faults
from pems_actors.cli import USER_ERROR
from pems_actors.commands.options import Json, show

_HELP = """Check a house file: answers "ok", or one line per fault with field, value, limit and remedy (exit 2).

For example:

```text
check config/demo.toml
check my_house.toml --json
```
"""


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(help=_HELP, short_help="Check a house file.")
    def check(
        file: Annotated[Path, typer.Argument(metavar="FILE", help="House file (TOML).")], json_: Json = False
    ) -> int:
        faults = find_faults(file)
        answer = {"file": str(file), "ok": not faults, "faults": [fault.as_dict() for fault in faults]}
        lines = [Text(f"{file}: {fault}", no_wrap=True) for fault in faults] or [Text("ok")]
        if json_:
            show(answer, Group(*lines), True)
        else:
            print("\n".join(text.plain for text in lines))
        return USER_ERROR if faults else 0
