"""`explain` and `marginal`: of a running house, a saved plan, a planning case, a simulated day; and every mistake."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from actors.planning.questions import NoAnswer, PlanQuestion
from models.errors import ConfigError, DataError
from pems_actors import plan_file
from pems_actors.console.server import ConsoleServer
from pems_actors.console.wire import SOCKET_FILE
from pems_actors.handlers import Handlers
from pems_actors.pictures.cards import cards_picture
from pems_actors.plain import plain
from solvers.explain.answers import Answers
from solvers.explain.cards import DecisionCard
from solvers.explain.questions import CardQuestion
from solvers.pyomo_highs import PyomoHighs
from solvers.result import SignedPlan
from solvers.signature import signature
from tests.pems_actors.conftest import Said
from tests.pems_actors.test_commands import write_case
from tests.scenarios.home import CHEAP_NIGHT, NOON, PLANNER, Home, spot
from tests.solvers.houses import house, room

PRAGUE = ZoneInfo("Europe/Prague")
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")


@pytest.fixture(scope="module")
def home() -> Home:
    return Home(prices=spot(NOON, CHEAP_NIGHT)).start(1800)


@pytest.fixture(scope="module")
def state(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the house answers."""
    folder = tmp_path_factory.mktemp("house")
    with ConsoleServer(folder / SOCKET_FILE, Handlers(home.runtime, home.config, 1.0).table()):
        yield str(folder)


def asked(said: Said, *arguments: str) -> Any:
    code, out, err = said(*arguments, "--json")
    assert code == 0, err
    return json.loads(out)


# --- a running house --------------------------------------------------------------------------------------------------
def test_explain_tells_what_runs_now_why_what_else_and_what_would_flip_it(said: Said, state: str) -> None:
    code, out, err = said("explain", "--state", state)
    assert code == 0, err
    for words in ("inverter.mode", "why: it saves", "without it from", "what would flip it", "found by: dynamic"):
        assert words in out, words


def test_the_card_in_json_has_terms_that_sum_to_what_is_saved(said: Said, state: str, home: Home) -> None:
    card = asked(said, "explain", "--state", state, "--at", "tomorrow 5:00")
    assert card["zone"] == home.house.site.timezone and card["point"] == "inverter.mode"
    at = datetime.fromisoformat(card["asked"])
    assert at.astimezone(ZoneInfo(card["zone"])).strftime("%d %H:%M") == "09 05:00"
    assert datetime.fromisoformat(card["start"]) <= at < datetime.fromisoformat(card["end"])
    assert math.fsum(t["eur"] for t in card["terms"]) == pytest.approx(card["alternative"]["extra_eur"], abs=1e-9)
    assert {f["quantity"] for f in card["flips"]} <= {"price", "sun", "load"}


def test_a_room_is_explained_by_its_name(said: Said, state: str) -> None:
    card = asked(said, "explain", "--state", state, "--at", "18:00", "--room", "hall")
    assert card["point"] == "room.hall.relay" and card["what"] in ("heat", "off")
    assert card["alternative"]["method"] == "linear relaxation"


def test_marginal_tells_what_the_dishwasher_costs_at_each_hour(said: Said, state: str) -> None:
    table = asked(said, "marginal", "--state", state, "--hours", "20")
    assert len(table["hours"]) == 20 and table["energies_kwh"] == [1.0, 2.0, 4.0, 8.0]
    local = [datetime.fromisoformat(h["start"]).astimezone(ZoneInfo(table["zone"])).hour for h in table["hours"]]
    first = {hour: h["cost_eur"][0] for hour, h in zip(local, table["hours"], strict=True)}
    assert first[19] > 1.5 * first[3] > 0.0  # the evening is dear, the night cheap
    code, out, _ = said("marginal", "--state", state, "--hours", "20")
    assert code == 0 and "+8 kWh" in out and "cheapest" in out and "asked for" not in out
    _, out, _ = said("marginal", "--state", state, "--hours", "100")
    assert "of the 100 hours asked for: the plan reaches no further" in " ".join(out.split())


def test_why_ends_with_the_command_that_shows_the_card(said: Said, state: str) -> None:
    for point, command in (("inverter.mode", "explain"), ("room.hall.relay", "explain --room hall")):
        code, out, _ = said("why", point, "--state", state)
        assert code == 0
        assert out.rstrip().splitlines()[-1].rstrip().endswith(f"what else it could: {command}")
    _, out, _ = said("why", "inverter.export_limit_kw", "--state", state)
    assert "what else it could" not in out


def test_a_plan_that_is_saved_is_explained_as_the_running_one(said: Said, state: str) -> None:
    code, _, err = said("explain", "--state", state, "--save", "plan.json", "--plot", "cards.png")
    assert code == 0 and "saved to plan.json" in err and "drawn to cards.png" in err
    assert Path("cards.png").read_bytes().startswith(PNG)
    live = asked(said, "explain", "--state", state, "--at", "19:00")
    saved = asked(said, "explain", "--plan", "plan.json", "--at", "19:00")
    for card in (live, saved):
        card.pop("took_s")
    assert saved["what"] == live["what"] and saved["problem_id"] == live["problem_id"]
    assert saved["alternative"]["extra_eur"] == pytest.approx(live["alternative"]["extra_eur"], abs=1e-5)
    Path("plan.json").write_text(Path("plan.json").read_text().replace('"soc":[0.', '"soc":[1.', 1))
    code, _, err = said("explain", "--plan", "plan.json")
    assert code == 2 and "the plan's signature does not fit its problem" in err


# --- mistakes ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("explain --at 25:00", "'25:00' is no time; write it as 18:00"),
        ("explain --at soon", "'soon' is no time"),
        ("explain --at 2021-02-20T18:00", "2021-02-20 18:00 is outside the plan, which goes from 2021-02-08 12:00"),
        ("explain --room salon", "no heated room is called 'salon'; such as hall, bath, living"),
        ("explain --plan x.json", "--state and --plan name two plans; leave one out"),
        ("explain --made 6:00", "--made belongs to a simulated day"),
        ("explain --plot x.jpg", "must end in .png"),
        ("marginal --hours 0", "--hours 0 is outside 1 to 744"),
        ("marginal --seed 3", "--seed belongs to a simulated day"),
    ],
)
def test_each_mistake_is_one_line(said: Said, state: str, arguments: str, words: str) -> None:
    code, out, err = said(*arguments.split(), "--state", state)
    assert code == 2 and out == ""
    assert words in err and err.startswith("error: ") and len(err.splitlines()) == 1, err


@pytest.mark.parametrize("command", ["explain", "marginal"])
def test_without_a_house_or_a_plan_one_line_says_so(said: Said, command: str, tmp_path: Path) -> None:
    code, _, err = said(command, "--state", str(tmp_path))
    assert code == 2 and len(err.splitlines()) == 1
    cold = Home()
    cold.runtime.start()
    with ConsoleServer(tmp_path / SOCKET_FILE, Handlers(cold.runtime, cold.config, 1.0).table()):
        code, _, err = said(command, "--state", str(tmp_path))
    assert code == 2 and "there is no plan yet; `status` tells what the planner waits for" in err


@pytest.mark.parametrize("text", ["", "{}", '{"type":"","value":[1]}', '{"type":"PlanProblem","value":{}}', "\x00"])
def test_a_file_that_is_no_saved_plan_is_refused(said: Said, text: str) -> None:
    Path("x.json").write_text(text)
    code, _, err = said("explain", "--plan", "x.json")
    assert code == 2 and "this is no saved plan" in err and len(err.splitlines()) == 1
    code, _, err = said("marginal", "--plan", "nowhere.json")
    assert code == 2 and "--plan nowhere.json: No such file or directory" in err


def test_the_console_refuses_what_is_no_question(home: Home) -> None:
    table = Handlers(home.runtime, home.config, 1.0).table()
    for method, params, words in (
        ("explain", {"at": 7}, "at 7 is no time"),
        ("explain", {"room": 7}, "room '7' is no name"),
        ("marginal", {"hours": True}, "hours True is no number of hours"),
        ("marginal", {"hours": 0}, "hours 0 is no number of hours"),
    ):
        with pytest.raises(Exception, match=re.escape(words)):
            table[method](dict(params))


# --- the planner ------------------------------------------------------------------------------------------------------
def test_a_dead_optimizer_is_told_and_a_plan_is_made_as_before() -> None:
    home = Home(prices=spot(NOON, CHEAP_NIGHT)).start(1800)
    home.optimizer_dead = True
    answer = home.runtime.ask(PLANNER, PlanQuestion(kind="card"), 30.0)
    assert isinstance(answer, NoAnswer) and "the optimizer did not answer: crashed" in answer.reason
    home.optimizer_dead = False
    made = len(home.plans)
    card = home.runtime.ask(PLANNER, PlanQuestion(kind="card", room="bath"), 30.0)
    assert isinstance(card, DecisionCard) and card.point == "room.bath.relay"
    home.run(7200)
    assert len(home.plans) > made


def test_questions_do_not_change_what_the_house_does() -> None:
    """With and without them the same orders reach the wire."""
    quiet, asked = (Home(prices=spot(NOON, CHEAP_NIGHT)).start(1800) for _ in range(2))
    for _ in range(3):
        quiet.run(3600)
        asked.runtime.ask(PLANNER, PlanQuestion(kind="plan"), 30.0)
        asked.run(3600)
    assert asked.orders == quiet.orders and quiet.orders


# --- planning cases and simulated days --------------------------------------------------------------------------------
def test_a_planning_case_is_explained_by_its_flows(said: Said) -> None:
    write_case()
    card = asked(said, "explain", "--plan", "case.json", "--at", "2021-02-08T00:30+00:00")
    assert card["point"] == "battery" and card["what"] == "charge" and card["zone"] == "UTC"
    # without charging in the first hour its second one is bought at 0.50 instead of 0.10
    assert card["alternative"]["extra_eur"] == pytest.approx(0.40, abs=1e-6)
    assert card["flips"][0]["flips_at"] == pytest.approx(0.50, abs=1e-6)
    table = asked(said, "marginal", "--plan", "case.json", "--hours", "4")
    assert [h["cost_eur"][0] for h in table["hours"]] == pytest.approx([0.1, 0.1, 0.1, 0.1])


def test_a_case_without_its_series_is_told_as_plan_tells_it(said: Said) -> None:
    write_case("nocsv")
    Path("nocsv.csv").unlink()
    _, _, told = said("plan", "nocsv.json")
    for command in ("explain", "marginal", "diagnose"):
        assert said(command, "--plan", "nocsv.json") == (2, "", told)
    assert told == "error: nocsv.csv: there is no such file; a case is NAME.json beside NAME.csv\n"


def test_a_saved_plan_is_one_whatever_lies_beside_it(said: Said) -> None:
    problem, plan = a_plan()
    plan_file.save(Path("saved.json"), problem, plan)
    Path("saved.csv").write_text("notes\n")
    assert asked(said, "explain", "--plan", "saved.json")["problem_id"] == problem.id


@pytest.mark.slow
def test_a_simulated_day_is_explained_and_drawn(said: Said) -> None:
    card = asked(said, "explain", "--day", "2021-02-08", "--at", "18:00", "--plot", "day.png")
    assert card["alternative"] is None or card["alternative"]["modes"]
    assert Path("day.png").read_bytes().startswith(PNG)
    code, _, err = said("explain", "--day", "2021-02-08", "--made", "2021-03-08T00:00")
    assert code == 2 and "is not within two days after" in err


def test_a_day_without_a_record_is_one_line(said: Said) -> None:
    code, _, err = said("explain", "--day", "1999-02-08")
    assert code == 2 and len(err.splitlines()) == 1
    assert err.startswith("error: --day 1999-02-08, 1 day: needs records from")
    assert err.rstrip().endswith("; choose another day")
    code, _, err = said("marginal", "--day", "today")
    assert code == 2 and "--day 'today' is no day" in err


# --- files and pictures -----------------------------------------------------------------------------------------------
def a_plan() -> tuple[Any, SignedPlan]:
    steps = 48
    problem = house(prices=[0.3] * 12 + [0.1] * 12 + [0.5] * 24, rooms=(room(steps),))
    result = PyomoHighs().solve(problem, time_limit_s=60.0)
    plan = SignedPlan(result=result, signature=signature(problem, result), checked_cost_eur=result.cost_eur)
    return problem, plan


def test_a_saved_plan_is_the_same_when_it_is_read() -> None:
    problem, plan = a_plan()
    assert plan_file.from_text(plan_file.to_text(problem, plan)) == (problem, plan)
    with pytest.raises(DataError, match="signature"):
        plan_file.from_text(plan_file.to_text(replace(problem, id="other"), plan))
    with pytest.raises(ConfigError, match="--save"):
        plan_file.save(Path("nowhere/plan.json"), problem, plan)


def test_a_picture_has_a_box_for_each_switch_and_is_the_same_each_time(tmp_path: Path) -> None:
    problem, plan = a_plan()
    cards = Answers(PyomoHighs()).all_cards(problem, plan)
    assert len(cards) >= 2
    first, again = (
        cards_picture(problem, plan.result, cards, tmp_path / name, zone=PRAGUE, title="A plan").read_bytes()
        for name in ("a.png", "b.png")
    )
    assert first == again and first.startswith(PNG)
    assert int.from_bytes(first[16:20], "big") == 1600
    bare = cards_picture(problem, plan.result, (), tmp_path / "c.png", zone=PRAGUE, title="A plan")
    assert bare.read_bytes() != first
    with pytest.raises(ConfigError, match=r"\.png"):
        cards_picture(problem, plan.result, cards, tmp_path / "c.pdf", zone=PRAGUE, title="A plan")


def test_a_card_is_plain_json_whatever_is_in_it() -> None:
    problem, plan = a_plan()
    card = Answers(PyomoHighs()).card(CardQuestion(problem=problem, plan=plan, at=problem.start + timedelta(hours=4)))
    told = json.loads(json.dumps(plain(card), allow_nan=False))
    assert told["start"].endswith("+00:00") and told["terms"][0]["kind"] in ("import", "export")
    assert plain({"a": float("nan"), "b": (1, date(2021, 2, 8).isoformat())}) == {"a": None, "b": [1, "2021-02-08"]}
