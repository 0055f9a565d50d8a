"""`run`: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from config.load import load
from models.errors import ConfigError
from pems_actors.arguments import day, duration_s, within
from pems_actors.commands.options import DEMO_HOUSE, Config, Json

_HELP = """Run a house: forecast, plan, act, and show it live.

Without a file it is the demo house on recorded weather and prices, 60 times faster than real. Ctrl-C ends it: every
point goes back to its default, and that is read back (exit 0; 3 if something could not be verified, and what).

For example:

```text
run                                  the demo house until Ctrl-C
run --for 2m                         for two minutes
run --start 2021-05-17 --speed 300   spring, negative prices, faster
run --json                           one line of JSON per second
run --link mqtt://127.0.0.1:1883     on a broker, with the time of the `twin` there
run --config home.toml               a live house: see docs/home.md
```
"""


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(help=_HELP, short_help="Run a house: forecast, plan, act, and show it live.")
    def run(
        config: Config = DEMO_HOUSE,
        for_: Annotated[
            str | None, typer.Option("--for", metavar="TIME", help="End after this long, in real time: 90s, 2m, 1h.")
        ] = None,
        start: Annotated[
            str | None, typer.Option(metavar="DAY", help="First local day of the replay: 2021-02-08.")
        ] = None,
        speed: Annotated[float | None, typer.Option(help="House seconds per real second.")] = None,
        state: Annotated[
            Path | None,
            typer.Option(metavar="DIR", help="Keep socket, lock and store here.", show_default="a new folder in var/"),
        ] = None,
        link: Annotated[
            str | None,
            typer.Option(
                metavar="URL",
                help="Broker of the devices: mqtt://host:1883.",
                show_default="[mqtt], or a twin in memory",
            ),
        ] = None,
        json_: Json = False,
    ) -> int:
        for_s = None if for_ is None else duration_s("--for", for_)
        first = None if start is None else day("--start", start)
        if speed is not None:
            within("--speed", speed, 1.0, 3600.0)
        if state is not None and state.exists() and not state.is_dir():
            raise ConfigError(f"--state {state}: a file is in the way", hint="name a folder")
        house = load(config)
        linked = link is not None or house.mqtt is not None
        if first is None and house.run.start is None and not linked:
            raise ConfigError(
                f"{config}: no day to start the replay with", hint="add run.start or say --start 2021-02-08"
            )
        from pems_actors.run import run_house

        return run_house(house, config, for_s, first, speed, state, json_, link)
