"""`plan`: solve one planning case."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.table import Table

from models.errors import ConfigError
from pems_actors.arguments import new_file, within
from pems_actors.commands.options import write_json
from pems_actors.console.render import shown

if TYPE_CHECKING:
    from solvers.problem import PlanProblem
    from solvers.result import PlanResult

_HELP = """Solve one planning case: CASE.json (parameters) with CASE.csv (series) beside it; docs/planning.md lists the
fields.

Prints what it costs, how far from the bound, and how long it took; where a limit had to be bent, which limits
conflict and what would help. What is odd in the case and planned with all the same (an export price above the import
price, a final SOC above what the battery may hold) is told too. `--json` writes the schedule.

For example:

```text
plan config/data/cases/april_2021_60min.json
plan config/data/cases/april_2021_60min.json --json answer.json --plot answer.png
```
"""


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(help=_HELP, short_help="Solve one planning case.")
    def plan(
        case: Annotated[Path, typer.Argument(metavar="CASE.json", help="The case.")],
        json_: Annotated[
            Path | None, typer.Option("--json", metavar="FILE", help="Write the answer as JSON; - prints it.")
        ] = None,
        plot: Annotated[Path | None, typer.Option(metavar="FILE.png", help="Draw the plan.")] = None,
        time_limit: Annotated[float, typer.Option(help="Seconds.")] = 60.0,
    ) -> int:
        within("--time-limit", time_limit, 0.1, 3600.0, " s")
        if case.suffix.lower() != ".json":
            meant = f"did you mean {case.with_suffix('.json')}?" if case.name else "give the path of a case"
            raise ConfigError(f"{case}: a case is a .json file", hint=meant)
        new_file("--json", json_)
        new_file("--plot", plot, ending=".png")
        from solvers.cascade import Cascade
        from solvers.case import answer, load_case

        loaded = load_case(case)
        plan = Cascade().plan(loaded.problem, time_limit_s=time_limit)
        result, odd = plan.result, [remark.text for remark in plan.remarks]
        why = conflicts(loaded.problem, result)
        told = answer(loaded, result) | {"conflicts": list(why), "remarks": odd}
        write_json(told, json_)
        if str(json_) != "-":
            console = Console()
            console.print(table(case.stem, told))
            for line in (*(f"odd input: {text}" for text in odd), *why):
                console.print(f"- {line}", markup=False, highlight=False, soft_wrap=True)
        if plot is not None:
            from pems_actors.pictures import plan_picture

            plan_picture(loaded.problem, result, plot, zone=ZoneInfo("UTC"), title=case.stem)
        return 1 if told.get("status") == "failed" else 0


def conflicts(problem: PlanProblem, result: PlanResult) -> tuple[str, ...]:
    """Which limits conflict where the plan bends any, one line each; times in the house's zone."""
    if not result.bent_rules:
        return ()
    from solvers.diagnose.search import diagnose
    from solvers.diagnose.words import lines

    return lines(problem, result, diagnose(problem, result), zone=ZoneInfo(problem.timezone))


def table(name: str, answer: Mapping[str, Any]) -> Table:
    """The answer's figures as people read them."""
    result = Table(title=name, title_justify="left", box=None, show_header=False, pad_edge=False)
    for key, unit in (
        ("status", ""),
        ("cost_eur", "EUR"),
        ("bound_eur", "EUR"),
        ("gap_eur", "EUR"),
        ("build_s", "s"),
        ("solve_s", "s"),
        ("wall_s", "s"),
    ):
        result.add_row(key.removesuffix("_eur").removesuffix("_s"), shown(answer.get(key)), unit)
    result.add_row("made by", shown(answer.get("maker")), "")
    for bent in answer.get("bent_rules") or ():
        what = f"{bent['rule']} in slot {bent['slot']} by {shown(bent['amount'])} {bent['unit']}"
        result.add_row("bent", what, f"{shown(bent['cost_eur'])} EUR")
    return result
