"""`diagnose`: which limits of a plan conflict, of a running house, a saved plan, a planning case; and every mistake."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from actors.messages import LimitImport
from actors.planning.questions import NoAnswer, PlanQuestion
from models.errors import PlanError
from pems_actors import plan_file
from pems_actors.console.server import ConsoleServer
from pems_actors.console.wire import SOCKET_FILE
from pems_actors.handlers import Handlers
from pems_actors.workers import codec
from solvers.cascade import Cascade
from solvers.diagnose.diagnosis import OPERATOR, Reason, ToldDiagnosis
from solvers.explain.answers import Answers
from solvers.explain.questions import DiagnosisQuestion
from solvers.problem import PlanProblem
from solvers.pyomo_highs import PyomoHighs
from solvers.result import SignedPlan
from tests.pems_actors.test_commands import write_case
from tests.scenarios.home import CHEAP_NIGHT, NOON, PLANNER, Home, spot
from tests.solvers.houses import BATTERY, house, room

Said = Callable[..., tuple[int, str, str]]
SOLVER = PyomoHighs()


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")


@pytest.fixture(scope="module")
def home() -> Home:
    """A winter's day on which the operator allows next to nothing until midnight: rooms cool below their bands."""
    home = Home(prices=spot(NOON, CHEAP_NIGHT), temp_c=-12.0, sun=0.0, soc=0.2).start(1800)
    now = home.clock.now()
    asked = LimitImport(start=now, end=now + timedelta(hours=10), import_kw=0.8, source="the DSO")
    answer = home.runtime.ask("/core/operator", asked, 5.0)
    assert isinstance(answer, dict) and answer["ok"]
    return home.run(300)


@pytest.fixture(scope="module")
def state(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the house answers."""
    folder = tmp_path_factory.mktemp("house")
    with ConsoleServer(folder / SOCKET_FILE, Handlers(home.runtime, home.config, 1.0).table()):
        yield str(folder)


def asked(said: Said, *arguments: str) -> Any:
    code, out, err = said("diagnose", *arguments, "--json")
    assert code == 0, err
    return json.loads(out)


# --- a running house --------------------------------------------------------------------------------------------------
def test_a_running_house_names_the_operators_limit_that_its_rooms_run_into(said: Said, state: str) -> None:
    code, out, err = said("diagnose", "--state", state)
    assert code == 0, err
    head, *lines = out.splitlines()
    assert head.startswith("the plan from Mon 2021-02-08 12:30 on, made by pyomo_highs, bends limits; dearest first:")
    told = " ".join(" ".join(lines).split())
    assert "the operator's limit of 0." in told and "cannot" in told and "be kept" in told and "too cold" in told


def test_its_json_has_the_groups_of_limits_and_the_words(said: Said, state: str, home: Home) -> None:
    answer = asked(said, "--state", state)
    assert answer["zone"] == home.house.site.timezone and answer["problem_id"] == home.plans[-1].problem.id
    conflicts = answer["diagnosis"]["conflicts"]
    assert len(answer["lines"]) == len(conflicts) >= 1 and answer["remarks"] == []
    worst = next(c for c in conflicts if c["reason"] == Reason.CONFLICT)
    assert OPERATOR in worst["limits"] and any(name.startswith("room.") for name in worst["limits"])


def test_status_tells_what_the_plan_bends_and_who_says_why(said: Said, state: str) -> None:
    code, out, _ = said("status", "--state", state)
    assert code == 0
    told = " ".join(out.split())
    assert "the plan bends grid.import_limit (up to 0." in told and " kW) and 3 more: `diagnose` says why" in told
    code, out, _ = said("status", "--state", state, "--json")
    bent = json.loads(out)["plan"]["bent"]
    assert bent and [row["cost_eur"] for row in bent] == sorted((row["cost_eur"] for row in bent), reverse=True)


def test_a_saved_plan_is_diagnosed_as_the_running_one(said: Said, state: str) -> None:
    assert said("explain", "--state", state, "--save", "plan.json")[0] == 0
    live, saved = asked(said, "--state", state), asked(said, "--plan", "plan.json")
    for answer in (live, saved):
        answer["diagnosis"].pop("wall_s")
    assert saved["lines"] == live["lines"] and saved["diagnosis"]["solves"] == live["diagnosis"]["solves"]


def test_a_dead_optimizer_is_told_and_a_second_question_is_answered() -> None:
    home = Home(prices=spot(NOON, CHEAP_NIGHT)).start(1800)
    home.optimizer_dead = True
    answer = home.runtime.ask(PLANNER, PlanQuestion(kind="diagnosis"), 30.0)
    assert isinstance(answer, NoAnswer) and "the optimizer did not answer: crashed" in answer.reason
    home.optimizer_dead = False
    answer = home.runtime.ask(PLANNER, PlanQuestion(kind="diagnosis"), 30.0)
    assert isinstance(answer, ToldDiagnosis) and answer.problem_id == home.plans[-1].problem.id


# --- files ------------------------------------------------------------------------------------------------------------
def test_a_plan_that_bends_nothing_says_so_and_what_was_odd_is_told_with_it(said: Said) -> None:
    write_case()
    code, out, _ = said("diagnose", "--plan", "case.json")
    assert code == 0 and out.strip() == "the plan from Mon 2021-02-08 00:00 on, made by pyomo_highs, bends no limit"
    text = Path("case.csv").read_text()
    Path("case.csv").write_text(text.replace("0.1,0.05,", "0.1,0.25,"))
    code, out, _ = said("diagnose", "--plan", "case.json")
    assert code == 0 and "bends no limit" in out and "- odd input: price_export is above price_import" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("diagnose --state . --plan x.json", "--state and --plan name two plans; leave one out"),
        ("diagnose --made 6:00", "--made belongs to a simulated day"),
        ("diagnose --day yesterday", "--day 'yesterday' is no day"),
        ("diagnose --plan nowhere.json", "--plan nowhere.json: No such file or directory"),
        ("diagnose --state .", "no house is running"),
        ("diagnose now", "Got unexpected extra argument(s) (now)"),
    ],
)
def test_each_mistake_is_one_line(said: Said, arguments: str, words: str) -> None:
    code, out, err = said(*arguments.split())
    assert code == 2 and out == ""
    assert words in err and err.startswith("error: ") and len(err.splitlines()) == 1, err


def test_a_house_without_a_plan_says_what_it_waits_for(said: Said, tmp_path: Path) -> None:
    cold = Home()
    cold.runtime.start()
    with ConsoleServer(tmp_path / SOCKET_FILE, Handlers(cold.runtime, cold.config, 1.0).table()):
        code, _, err = said("diagnose", "--state", str(tmp_path))
    assert code == 2 and "there is no plan yet; `status` tells what the planner waits for" in err


def test_the_help_teaches_what_it_is_for(said: Said) -> None:
    code, out, _ = said("diagnose", "--help")
    assert code == 0 and "smallest group of limits" in out and "diagnose --plan saved.json" in out


# --- the optimizer's answer -------------------------------------------------------------------------------------------
def a_plan() -> tuple[PlanProblem, SignedPlan]:
    """A reserve that the battery is not allowed to hold, and a room whose band is inverted."""
    odd = room(12, name="hall", lower_c=(21.0,) * 12, upper_c=(20.0,) * 12, air_c=21.0)
    problem = house(12, rooms=(odd,), battery=replace(BATTERY, soc_max=0.6, reserve_soc=0.8), timezone="Europe/Prague")
    return problem, Cascade((SOLVER,)).plan(problem, time_limit_s=60.0)


def test_the_answer_travels_between_processes_and_tells_times_in_the_houses_zone() -> None:
    problem, plan = a_plan()
    wires = codec("optimizer")
    question = wires.decode(wires.encode(DiagnosisQuestion(problem=problem, plan=plan)))
    told = Answers(SOLVER).diagnosis(question)
    assert wires.decode(wires.encode(told)) == told
    assert [text for text in told.remarks if "hall" in text or "reserve_soc" in text] == list(told.remarks) != []
    assert told.lines and told.lines[0].startswith("Mon 01:00"), "an hour later than UTC"
    assert plan_file.from_text(plan_file.to_text(problem, plan)) == (problem, plan), "with its remarks"


def test_what_is_no_question_is_refused() -> None:
    with pytest.raises(PlanError, match="got a str, must be a DiagnosisQuestion"):
        Answers(SOLVER).diagnosis("why")
