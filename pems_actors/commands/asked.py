"""Options and helpers of the commands that are about one plan: `explain`, `marginal`, `diagnose`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pems_actors.arguments import within
from pems_actors.asked_plan import Asked, Where
from pems_actors.plain import plain

if TYPE_CHECKING:
    from solvers.explain.answers import Answers

Plan = Annotated[
    Path | None,
    typer.Option("--plan", metavar="FILE", help="A saved plan, or CASE.json.", show_default="the running house's"),
]
Day = Annotated[str | None, typer.Option("--day", metavar="DAY", help="Simulate this day of the record instead.")]
Made = Annotated[
    str | None,
    typer.Option("--made", metavar="TIME", help="With --day: the plan in force then.", show_default="00:00"),
]
Seed = Annotated[
    int | None, typer.Option(help="With --day: of everything random.", show_default="the house file's")
]


def where(
    state: Path | None, plan: Path | None, day: str | None, made: str | None, config: Path, seed: int | None
) -> Where:
    """The plan that the options mean. ConfigError if they name two."""
    if seed is not None:
        within("--seed", seed, 0, 2**31 - 1)
    found = Where(state=state, plan=plan, day=day, made=made, config=config, seed=seed)
    found.check()
    return found


def answers() -> Answers:
    """Who answers here what the optimizer answers in a running house."""
    from solvers.explain.answers import Answers
    from solvers.pyomo_highs import PyomoHighs

    return Answers(PyomoHighs())


def told(asked: Asked, answer: object) -> Mapping[str, object]:
    """An answer as plain values, as a running house would tell it."""
    values = plain(answer)
    assert isinstance(values, dict)
    return {"zone": str(asked.zone), **values}
