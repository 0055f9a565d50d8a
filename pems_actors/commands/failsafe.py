"""`failsafe`: the safe profile, written and verified when nothing else runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from config.load import load
from models.errors import ConfigError
from pems_actors.arguments import duration_s
from pems_actors.commands.options import DEMO_HOUSE, Config, Json, show
from pems_actors.ending import EXIT_UNVERIFIED

_HELP = """Hand the house back: every point to its default, read back. For when nothing else runs.

The inverter goes to its regular mode with the feed-in of the contract, the rooms to Loxone's own thermostats. Exit 0:
all of it was read back. Exit 3: something was not, and it is named.

For example:

```text
failsafe --config home.toml
failsafe --config home.toml --state /var/lib/pems      count the writes there
failsafe --link mqtt://127.0.0.1:1883                  the demo house on a broker
```
"""


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(help=_HELP, short_help="Hand the house back when nothing else runs.")
    def failsafe(
        config: Config = DEMO_HOUSE,
        link: Annotated[
            str | None, typer.Option(metavar="URL", help="Broker of the devices.", show_default="[mqtt]")
        ] = None,
        state: Annotated[
            Path | None, typer.Option(metavar="DIR", help="State folder of the house that ran here.")
        ] = None,
        within: Annotated[str, typer.Option(metavar="TIME", help="Longest this may take: 30s, 2m.")] = "2m",
        json_: Json = False,
    ) -> int:
        timeout_s = duration_s("--within", within)
        if state is not None and not state.is_dir():
            raise ConfigError(f"--state {state}: no such folder", hint="name the one the house ran in, or leave it out")
        house = load(config)
        from actors.devices.registry import all_points
        from pems_actors.core import broker
        from pems_actors.failsafe import hand_back

        mqtt = broker(house, link)
        if mqtt is None:
            raise ConfigError(
                f"{config}: no [mqtt], and a twin in memory ends with its house", hint="say --link mqtt://host:1883"
            )
        pending = hand_back(house, mqtt, state, timeout_s=timeout_s)
        code = EXIT_UNVERIFIED if pending else 0
        defaults = {p.name: p.default for p in all_points(house.house) if p.default is not None}
        show({"exit": code, "unverified": pending}, _table({n: str(v) for n, v in defaults.items()}, pending), json_)
        return code


def _table(defaults: dict[str, str], pending: dict[str, str]) -> Table:
    table = Table(box=None, header_style="bold")
    for name in ("point", "default", "read back"):
        table.add_column(name)
    for point, value in defaults.items():
        why = pending.get(point)
        table.add_row(point, value, "[green]yes[/]" if why is None else f"[red]no[/]: {why}")
    for point, why in pending.items():
        if point not in defaults:
            table.add_row(point, "", f"[red]no[/]: {why}")
    return table
