"""`explain` and `marginal`: why a plan does what it does, and what more consumption would cost."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from models.errors import ConfigError
from pems_actors.arguments import new_file, within
from pems_actors.asked_plan import Asked
from pems_actors.commands.asked import Day, Made, Plan, Seed, answers, told, where
from pems_actors.commands.options import DEMO_HOUSE, Config, Json, State, show
from pems_actors.console import cards
from pems_actors.moments import moment

_EXPLAIN = """Explain a choice of the plan: what it does at a time, why that pays, the next-best alternative (the same
problem solved again with the choice forbidden) and what that costs, and which price, sun or load would flip it.

Asks the running house; or a saved plan or planning case (`--plan`), or a simulated day (`--day`). Every amount is the
difference between two solved plans; the terms under *why* sum to what is saved.

For example:

```text
explain                                     what the inverter does now
explain --at 18:00                          ... at the next 18:00, local time of the house
explain --at "tomorrow 7:00" --room obyvak  why the room is heated then, or is not
explain --day 2021-02-08 --at 18:00         a simulated day, the plan made at its midnight
explain --day 2021-02-08 --plot cards.png   ... and a picture of it with all its cards
explain --plan saved.json --at 18:00        a plan that `--save saved.json` wrote, or a planning case
```
"""
_MARGINAL = """Tell what 1, 2, 4, 8 kWh more would cost, drawn over the hour from now or from each coming hour: when
should the dishwasher, the washing machine, the car run?

The whole house is planned again for each: a cheap hour is one in which sun would be sold or wasted, or the battery and
the heating can make room. Prices include what it does to everything else, wear and comfort too; `!` marks an amount
that would bend a rule, such as the fuse.

For example:

```text
marginal                       the next 24 hours
marginal --hours 48            as far as the plan goes
marginal --day 2021-05-21      a simulated day
marginal --json | jq '.hours | min_by(.cost_eur[0]).start'
```
"""
_HOURS = 24


def register(app: typer.Typer) -> None:
    """Add the commands."""

    @app.command(help=_EXPLAIN, short_help="Why the plan does what it does, and what else it could.")
    def explain(
        at: Annotated[
            str | None, typer.Option(metavar="TIME", help="18:00, tomorrow 7:30, 2021-02-08T18:00.", show_default="now")
        ] = None,
        room: Annotated[
            str | None, typer.Option(metavar="NAME", help="A heated room.", show_default="the inverter")
        ] = None,
        plan: Plan = None,
        day: Day = None,
        made: Made = None,
        config: Config = DEMO_HOUSE,
        seed: Seed = None,
        state: State = None,
        plot: Annotated[
            Path | None, typer.Option(metavar="FILE.png", help="Draw the plan with the cards of all its switches.")
        ] = None,
        save: Annotated[
            Path | None, typer.Option(metavar="FILE", help="Write the plan and its problem, for --plan.")
        ] = None,
        json_: Json = False,
    ) -> None:
        about = where(state, plan, day, made, config, seed)
        new_file("--plot", plot, ending=".png")
        new_file("--save", save)
        if room is not None and (not room.strip() or len(room) > 200):
            raise ConfigError(f"--room {room[:40]!r} is no name", hint="such as obyvak")
        if about.live and plot is None and save is None:
            answer = about.ask("explain", {"at": at, "room": room})
            show(answer, cards.card(answer), json_)
            return
        asked = about.fetch()
        _write(asked, save, plot)
        if at is not None or room is not None or (plot is None and save is None):
            answer = _card(asked, at, room)
            show(answer, cards.card(answer), json_)

    @app.command(help=_MARGINAL, short_help="What 1, 2, 4, 8 kWh more would cost, hour by hour.")
    def marginal(
        hours: Annotated[int, typer.Option(help="How many.")] = _HOURS,
        plan: Plan = None,
        day: Day = None,
        made: Made = None,
        config: Config = DEMO_HOUSE,
        seed: Seed = None,
        state: State = None,
        json_: Json = False,
    ) -> None:
        within("--hours", hours, 1, 24 * 31)
        about = where(state, plan, day, made, config, seed)
        answer = about.ask("marginal", {"hours": hours}) if about.live else _table(about.fetch(), hours)
        show(answer, cards.marginal(answer, hours), json_)


def _card(asked: Asked, at: str | None, room: str | None) -> Mapping[str, object]:
    from solvers.explain.questions import CardQuestion

    start = asked.problem.start
    when = start if at is None else moment("--at", at, now=start, zone=asked.zone)
    return told(asked, answers().card(CardQuestion(problem=asked.problem, plan=asked.plan, at=when, room=room)))


def _table(asked: Asked, hours: int) -> Mapping[str, object]:
    from solvers.explain.questions import MarginalQuestion

    return told(asked, answers().marginal(MarginalQuestion(problem=asked.problem, hours=hours)))


def _write(asked: Asked, save: Path | None, plot: Path | None) -> None:
    if save is not None:
        from pems_actors.plan_file import save as write

        write(save, asked.problem, asked.plan)
        Console(stderr=True).print(f"saved to {save}")
    if plot is not None:
        from pems_actors.pictures.cards import cards_picture

        made = answers().all_cards(asked.problem, asked.plan)
        cards_picture(asked.problem, asked.plan.result, made, plot, zone=asked.zone, title=asked.title)
        Console(stderr=True).print(f"drawn to {plot}")
