"""`wires`: the first contact with a house: what is on its wires, and what is missing."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from config.load import load
from models.errors import ConfigError
from pems_actors.arguments import duration_s
from pems_actors.commands.options import DEMO_HOUSE, Config, Json, show

EXIT_MISSING = 1
_HELP = """Listen to a house and ask its inverter: what lives, what is missing, how to get it. Changes nothing.

Exit 0: all that PEMS needs is there. Exit 1: something is missing or cannot be true; the table says what to do.

For example:

```text
wires --config home.toml
wires --link mqtt://127.0.0.1:1883 --for 35s      the demo house on a broker
wires --config home.toml --json
```
"""


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(help=_HELP, short_help="What is on the wires of a house, and what is missing.")
    def wires(
        config: Config = DEMO_HOUSE,
        link: Annotated[
            str | None, typer.Option(metavar="URL", help="Broker of the devices.", show_default="[mqtt]")
        ] = None,
        for_: Annotated[str, typer.Option("--for", metavar="TIME", help="Listen for so long.")] = "15s",
        json_: Json = False,
    ) -> int:
        for_s = duration_s("--for", for_)
        house = load(config)
        from config.secrets import secret
        from models.types.mqtt import PASSWORD
        from pems_actors.core import broker
        from pems_actors.first_contact import listen

        mqtt = broker(house, link)
        if mqtt is None:
            raise ConfigError(f"{config}: no [mqtt]: there is no wire to listen to", hint="say --link mqtt://host:1883")
        found = listen(house, mqtt, secret(PASSWORD, house.secrets.dir), for_s=for_s)
        table = Table(box=None, header_style="bold")
        for name in ("wire", "", "value", "age", "what to do"):
            table.add_column(name)
        for one in found:
            mark = Text("ok", style="green") if one.ok else Text("NO", style="bold red")
            age = "" if one.age_s is None else f"{one.age_s:.1f} s"
            table.add_row(Text(one.wire), mark, Text(one.value), age, Text(one.remedy))
        wrong = sum(not one.ok for one in found)
        show({"missing": wrong, "wires": [asdict(one) for one in found]}, table, json_)
        return EXIT_MISSING if wrong else 0
