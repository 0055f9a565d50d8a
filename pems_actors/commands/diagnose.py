"""`diagnose`: which limits of a plan cannot be kept together, and what would help."""

from __future__ import annotations

from collections.abc import Mapping

import typer

from pems_actors.asked_plan import Asked
from pems_actors.commands.asked import Day, Made, Plan, Seed, answers, told, where
from pems_actors.commands.options import DEMO_HOUSE, Config, Json, State, show
from pems_actors.console import diagnosis

_HELP = """Tell which limits of the plan cannot be kept together, where it bends any, and what would help.

Only physics is hard: there always is a plan, and where limits conflict it bends the cheapest of them. `status` says
that it bends some; this says why, one line each: the smallest group of limits that conflict (or what the house itself
cannot do, or what would cost more to keep than it is worth), by how much, and the smallest single change that helps.
Limits on power and bands of rooms are told as a running house plans with them: a margin within those that it keeps.

Asks the running house; or a saved plan or planning case (`--plan`), or a simulated day (`--day`).

For example:

```text
diagnose                              the plan that runs
diagnose --plan saved.json            a plan that `explain --save saved.json` wrote, or a planning case
diagnose --day 2021-02-08 --made 6:00 a simulated day, the plan in force at six
diagnose --json | jq -r '.diagnosis.conflicts[].limits | join(" and ")'
```
"""


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(help=_HELP, short_help="Which limits of the plan conflict, and what would help.")
    def diagnose(
        plan: Plan = None,
        day: Day = None,
        made: Made = None,
        config: Config = DEMO_HOUSE,
        seed: Seed = None,
        state: State = None,
        json_: Json = False,
    ) -> None:
        about = where(state, plan, day, made, config, seed)
        answer = about.ask("diagnose", {}) if about.live else _diagnosed(about.fetch())
        show(answer, diagnosis.lines(answer), json_)


def _diagnosed(asked: Asked) -> Mapping[str, object]:
    from solvers.explain.questions import DiagnosisQuestion

    return told(asked, answers().diagnosis(DiagnosisQuestion(problem=asked.problem, plan=asked.plan)))
