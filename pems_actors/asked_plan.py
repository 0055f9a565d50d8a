"""The plan that `explain`, `marginal` and `diagnose` are about: of a file, a simulated day, or the running house."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from models.errors import ConfigError, ConsoleError
from pems_actors.arguments import day as parse_day
from pems_actors.console.client import call
from pems_actors.moments import moment
from pems_actors.state import running

if TYPE_CHECKING:
    from solvers.problem import PlanProblem
    from solvers.result import SignedPlan

ANSWER_S = 40.0  # a question waits for a plan in the making, and is answered within 20 s


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A plan, where the house is, and what to call it."""

    problem: PlanProblem
    plan: SignedPlan
    zone: ZoneInfo
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """What the options of a command say about the plan that is meant."""

    state: Path | None
    plan: Path | None
    day: str | None
    made: str | None
    config: Path
    seed: int | None

    def check(self) -> None:
        """ConfigError if the options name two plans, or belong to another one."""
        named = [n for n, v in (("--state", self.state), ("--plan", self.plan), ("--day", self.day)) if v is not None]
        if len(named) > 1:
            raise ConfigError(f"{' and '.join(named)} name two plans", hint="leave one out")
        for name, value in (("--made", self.made), ("--seed", self.seed)):
            if value is not None and self.day is None:
                raise ConfigError(f"{name} belongs to a simulated day", hint="add --day 2021-02-08, or leave it out")

    @property
    def live(self) -> bool:
        """Whether a running house is meant."""
        return self.plan is None and self.day is None

    def ask(self, method: str, params: Mapping[str, object]) -> Mapping[str, object]:
        """Ask the running house. ConsoleError if there is none, or it has no answer."""
        answer = call(running(self.state), method, params, timeout_s=ANSWER_S)
        if not isinstance(answer, dict):
            raise ConsoleError("the house answered something that names no values", hint="is it of another version?")
        return answer

    def fetch(self) -> Asked:
        """The plan itself, wherever it is."""
        if self.plan is not None:
            return _of_file(self.plan)
        if self.day is not None:
            return self._of_day(self.day)
        from pems_actors.plan_file import from_text

        answer = self.ask("plan", {})
        problem, plan = from_text(str(answer.get("text", "")))
        zone = ZoneInfo(str(answer.get("zone", "UTC")))
        return Asked(problem=problem, plan=plan, zone=zone, title=f"The plan of {_local(problem.start, zone)}")

    def _of_day(self, text: str) -> Asked:
        from config.load import load
        from models.types.slots import local_midnight
        from pems_actors.plan_of_day import plan_of_day

        config = load(self.config)
        zone = ZoneInfo(config.house.site.timezone)
        since = local_midnight(parse_day("--day", text), zone)
        at = since if self.made is None else moment("--made", self.made, now=since, zone=zone)
        seed = config.simulation.seed if self.seed is None else self.seed
        problem, plan = plan_of_day(config, at, since=since, seed=seed)
        return Asked(problem=problem, plan=plan, zone=zone, title=f"The plan of {_local(problem.start, zone)}")


def _local(at: datetime, zone: ZoneInfo) -> str:
    local = at.astimezone(zone)
    return f"{local:%A} {local.day} {local:%B %Y, %H:%M}"


def _is_case(path: Path) -> bool:
    """Whether a file is meant as a planning case; what is wrong with it is told by who reads it as what it is."""
    if path.suffix.lower() != ".json":
        return False
    beside = path.with_suffix(".csv").is_file()
    try:
        fields = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return beside
    return isinstance(fields, dict) and "type" not in fields and (beside or "step_min" in fields)


def _of_file(path: Path) -> Asked:
    from pems_actors.plan_file import load

    if _is_case(path):
        from solvers.cascade import Cascade
        from solvers.case import load_case

        loaded = load_case(path)
        plan = Cascade().plan(loaded.problem, time_limit_s=60.0)
        return Asked(problem=loaded.problem, plan=plan, zone=ZoneInfo("UTC"), title=loaded.name)
    problem, plan = load(path)
    zone = ZoneInfo(problem.timezone)
    title = f"{path.name}, made {problem.issued.astimezone(zone):%Y-%m-%d %H:%M}"
    return Asked(problem=problem, plan=plan, zone=zone, title=title)
