"""`limit`: local times as people say them, what the house answers, and every mistake as one line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from models.errors import ConsoleError, PemsError
from pems_actors import limits
from pems_actors.cli import main
from pems_actors.console.server import ConsoleServer
from pems_actors.console.wire import SOCKET_FILE
from pems_actors.handlers import Handlers
from pems_actors.limits import in_words
from tests.properties.house import RELAYS, Lab, a_world
from tests.scenarios.home import Home

Said = Callable[..., tuple[int, str, str]]
HALL = RELAYS[0]
BERLIN = ZoneInfo("Europe/Berlin")


# --- what is meant ----------------------------------------------------------------------------------------------------
def meant(now: str, words: str) -> tuple[str, str, str]:
    """Start and end as the house's clocks show them, and the note; `now` is local."""
    names = iter(words.split())
    said = {name: text.replace("_", " ") for name, text in zip(names, names, strict=True)}
    params: dict[str, object] = {"import_kw": 4.2, **said}
    if "for_s" in said:
        params["for_s"] = float(said["for_s"])
    limit, note = limits.asked(params, now=datetime.fromisoformat(now).replace(tzinfo=BERLIN), zone=BERLIN)
    start, end = (f"{at.astimezone(BERLIN):%d %H:%M}" for at in (limit.start, limit.end))
    return start, end, note


@pytest.mark.parametrize(
    ("now", "words", "start", "end"),
    [
        ("2021-02-08T10:19", "from 08:00 until 23:00", "08 10:19", "08 23:00"),
        ("2021-02-08T10:19", "from 08:00 for_s 10800", "08 10:19", "08 11:00"),
        ("2021-02-08T10:19", "from 08:00 until tomorrow_7:00", "08 10:19", "09 07:00"),
        ("2021-02-08T23:30", "from 22:00 until 06:00", "08 23:30", "09 06:00"),
        ("2021-02-09T02:00", "from 22:00 until 06:00", "09 02:00", "09 06:00"),
        # the clocks went forward in between: 10:00 of the day is 23 h after 10:00 of the day before
        ("2021-03-28T10:19", "from 10:00 until 11:00", "28 10:19", "28 11:00"),
        ("2021-10-31T10:19", "from 10:00 until 11:00", "31 10:19", "31 11:00"),
    ],
)
def test_a_limit_told_after_it_began_begins_now_and_says_so(now: str, words: str, start: str, end: str) -> None:
    assert meant(now, words)[:2] == (start, end)
    said = words.split()[1]
    assert meant(now, words)[2].startswith(f"--from {said} was at 2021-") and "begins now" in meant(now, words)[2]


@pytest.mark.parametrize(
    ("now", "words", "start", "end"),
    [
        ("2021-02-08T10:19", "from 17:00 until 19:00", "08 17:00", "08 19:00"),
        ("2021-02-08T19:00", "from 17:00 until 19:00", "09 17:00", "09 19:00"),  # it is over
        ("2021-02-08T10:19", "from 17:00 until 2021-02-09T19:00", "08 17:00", "09 19:00"),
        ("2021-02-08T10:19", "from 17:00 until tomorrow_7:00", "08 17:00", "09 07:00"),
        ("2021-02-08T10:19", "from 17:00 for_s 172800", "08 17:00", "10 17:00"),
        ("2021-02-08T10:19", "from 17:00 until 16:00", "08 17:00", "09 16:00"),
        ("2021-02-08T10:19", "from tomorrow_8:00 until tomorrow_10:00", "09 08:00", "09 10:00"),
        ("2021-02-08T10:19", "from 2021-02-09T08:00+00:00 until 10:00", "09 09:00", "09 10:00"),
    ],
)
def test_a_limit_that_is_still_to_come_keeps_its_start(now: str, words: str, start: str, end: str) -> None:
    assert meant(now, words) == (start, end, "")


@pytest.mark.parametrize(
    "words", ["from 17:00 until 17:00", "from 08:00 until 8:00", "until 10:19", "from 17:00 until 2021-02-08T16:00"]
)
def test_an_end_that_is_not_after_the_start_is_refused_in_local_times(words: str) -> None:
    with pytest.raises(ConsoleError, match=r"ends not after its start at 2021-02-0\d \d\d:\d\d; give an end"):
        meant("2021-02-08T10:19", words)


# --- the house answers ------------------------------------------------------------------------------------------------
class Console:
    """A house at 10:11:40 of its own time, and its handlers."""

    def __init__(self) -> None:
        self.lab = Lab(world=a_world(sun=0.0), soc=0.2).start(700.0)
        self.handlers = Handlers(self.lab.runtime, self.lab.config, speed=1.0)

    def call(self, method: str, **params: object) -> Any:
        answer = self.handlers.table()[method](dict(params))
        self.lab.runtime.run_until_idle()
        return json.loads(json.dumps(answer, allow_nan=False))


@pytest.fixture
def house() -> Console:
    return Console()


def test_a_limit_is_answered_with_its_times_listed_and_lifted(house: Console) -> None:
    (told,) = house.call("limit", **{"import_kw": 4.2, "from": "17:00", "until": "19:00"})["limits"]
    assert (told["start"], told["end"]) == ("2021-02-08T16:00:00+00:00", "2021-02-08T18:00:00+00:00")
    assert (told["local_start"], told["local_end"]) == ("2021-02-08T17:00+01:00", "2021-02-08T19:00+01:00")
    assert told["holds"] is False and told["import_kw"] == 4.2
    (now,) = house.call("limit", import_kw=2, for_s=3600.0, source="DSO")["limits"]
    assert now["holds"] is True and now["source"] == "DSO"
    assert datetime.fromisoformat(now["end"]) - datetime.fromisoformat(now["start"]) == timedelta(hours=1)
    assert house.call("limits")["limits"] == [now, told]
    assert house.call("lift_limits")["lifted"] == 2
    assert house.call("limits") == {"limits": []}


def test_an_end_without_a_start_is_the_next_one_and_after_midnight_the_next_days(house: Console) -> None:
    (told,) = house.call("limit", **{"import_kw": 1.0, "from": "23:00", "until": "01:00"})["limits"]
    assert (told["local_start"], told["local_end"]) == ("2021-02-08T23:00+01:00", "2021-02-09T01:00+01:00")
    (told,) = house.call("limit", import_kw=1.0, until="10:12")["limits"]
    assert told["holds"] is True and told["local_end"] == "2021-02-08T10:12+01:00", "in 20 seconds"


def test_why_of_a_relay_that_waits_or_was_shed_names_the_limit(house: Console) -> None:
    house.call("override", point=HALL, value="on", for_s=7200.0)
    house.lab.run(60)
    assert house.call("why", point=HALL)["value"] == "on"
    house.call("limit", import_kw=1.0, for_s=3600.0)
    house.lab.run(30)
    why = house.call("why", point=HALL)
    assert why["value"] == "off" and why["level"] == 3
    assert why["reason"].startswith("operator: grid operator's limit 1 kW until 11:1"), why["reason"]
    assert why["next"] == {"holder": "user", "level": 8, "value": "on"}


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({}, "import_kw 'None' is no power"),
        ({"import_kw": True, "for_s": 60}, "is no power"),
        ({"import_kw": "4", "for_s": 60}, "is no power"),
        ({"import_kw": 4.0}, "a limit needs one end"),
        ({"import_kw": 4.0, "for_s": 60, "until": "19:00"}, "a limit needs one end"),
        ({"import_kw": 4.0, "for_s": -60}, "for_s '-60' is no time"),
        ({"import_kw": 4.0, "for_s": float("nan")}, "for_s 'nan' is no time"),
        ({"import_kw": 4.0, "until": 19}, "until '19' is no text"),
        ({"import_kw": 4.0, "for_s": 60, "source": 7}, "source '7' is no text"),
        ({"import_kw": 4.0, "for_s": 60, "from": "soon"}, "--from 'soon' is no time"),
        ({"import_kw": -4.0, "for_s": 60}, "limit of -4.0 kW"),
        ({"import_kw": float("inf"), "for_s": 60}, "limit of inf kW"),
        ({"import_kw": 4200.0, "for_s": 60}, "above the 11.04 kW of the connection itself; give kW, not W"),
        ({"import_kw": 4.0, "for_s": 8 * 86_400}, "lasts 8.0 days, longest 7"),
        ({"import_kw": 4.0, "from": "2021-02-07T17:00", "for_s": 60}, "is over since"),
        ({"import_kw": 4.0, "from": "2021-02-08T17:00", "until": "2021-02-08T16:00"}, "not after its start"),
    ],
)
def test_nonsense_is_refused_with_one_line(house: Console, params: dict[str, object], words: str) -> None:
    with pytest.raises(PemsError) as refused:
        house.call("limit", **params)
    assert words in str(refused.value) and "\n" not in str(refused.value)
    assert house.call("limits") == {"limits": []}


def test_a_house_whose_operator_is_down_says_so(house: Console) -> None:
    for _ in range(8):
        house.lab.kill("/core/operator")
        house.lab.run(20)
    with pytest.raises(ConsoleError):
        house.call("limit", import_kw=4.0, for_s=60.0)
    with pytest.raises(ConsoleError, match="restarting"):
        house.call("limits")


# --- the command line -------------------------------------------------------------------------------------------------
@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Said:
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(arguments)
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def served(house: Console, tmp_path: Path) -> Iterator[Console]:
    (tmp_path / "state").mkdir()
    with ConsoleServer(tmp_path / "state" / SOCKET_FILE, house.handlers.table()):
        yield house


def test_the_command_tells_lists_and_lifts(said: Said, served: Console) -> None:
    def limit(*arguments: str) -> str:
        code, out, err = said("limit", *arguments, "--state", "state")
        assert (code, err) == (0, "")
        return out.strip()

    assert limit() == "the grid operator limits nothing"
    line = "4.2 kW from 2021-02-08 17:00 until 19:00 (grid operator)"
    assert limit("4.2", "--from", "17:00", "--until", "19:00") == f"import is limited to {line}"
    assert limit("0", "--from", "2021-02-09T06:00", "--for", "30m", "--source", "the DSO").endswith(
        "0 kW from 2021-02-09 06:00 until 06:30 (the DSO)"
    )
    assert limit().splitlines()[0] == line
    rows = json.loads(limit("--json"))["limits"]
    assert [row["import_kw"] for row in rows] == [4.2, 0.0]
    assert limit("3", "--for", "2h").endswith("(grid operator, holds now)")
    begun = limit("3", "--from", "08:00", "--until", "23:00").splitlines()
    assert begun[0] == "import is limited to 3 kW from 2021-02-08 10:11 until 23:00 (grid operator, holds now)"
    assert begun[1] == "--from 08:00 was at 2021-02-08 08:00: it begins now"
    assert limit("--lift") == "4 limits lifted"
    assert limit("--lift") == "no limits lifted"
    assert json.loads(limit("--json")) == {"limits": []}


def test_status_names_each_limit_with_its_power_times_and_who_asks_for_it(said: Said, tmp_path: Path) -> None:
    home = Home().start(60)
    (tmp_path / "state").mkdir()

    def tell(*arguments: str) -> list[str]:
        code, out, err = said(*arguments, "--state", "state")
        assert (code, err) == (0, "")
        home.runtime.run_until_idle()
        return [row.rstrip() for row in out.splitlines()]

    with ConsoleServer(tmp_path / "state" / SOCKET_FILE, Handlers(home.runtime, home.config, 1.0).table()):
        assert "limit" not in " ".join(tell("status"))
        tell("limit", "4.2", "--from", "17:00", "--until", "19:00")
        tell("limit", "3", "--from", "2021-02-08T09:00", "--until", "13:00", "--source", "the DSO")
        rows = tell("status")
        assert "limit 3 kW until 13:00" in " ".join(rows)
        assert "import is limited to 3 kW from 2021-02-08 09:00 until 13:00 (the DSO, holds now)" in rows
        assert "import will be limited to 4.2 kW from 2021-02-08 17:00 until 19:00 (grid operator)" in rows
        found = json.loads("\n".join(tell("status", "--json")))
        assert found["import_limit"]["local_end"] == "2021-02-08T13:00+01:00"
        assert [row["import_kw"] for row in found["operator_limits"]] == [3.0, 4.2]
        tell("limit", "--lift")
        assert "limit" not in " ".join(tell("status"))


def test_an_override_behind_a_trip_says_that_it_acts_after_the_reset(said: Said, served: Console) -> None:
    trip = served.call("trip", points=["*"])["id"]
    served.lab.run(5)
    for point, value in ((HALL, "on"), ("inverter.export_limit_kw", "2.5")):
        code, out, _ = said("override", point, value, "--for", "10m", "--state", "state")
        told = f"{point} is to be {value} for 10 min: accepted, but tripped by {trip}: acts after its reset"
        assert (code, " ".join(out.split())) == (0, told)
    served.call("reset", id=trip)
    served.lab.run(5)
    code, out, _ = said("override", HALL, "on", "--for", "10m", "--state", "state")
    assert out == f"{HALL} is held at on for 10 min (outcome accepted)\n"


def test_an_override_that_the_limit_holds_back_says_so(said: Said, served: Console) -> None:
    served.call("limit", import_kw=0.0, for_s=3600.0)
    served.lab.run(30)
    code, out, _ = said("override", HALL, "on", "--for", "10m", "--state", "state")
    assert code == 0, out
    assert out.startswith(f"{HALL} is to be on for 10 min: accepted, but it waits: 1.2 kW more than the 0.0 kW left")
    assert "(grid operator's limit 0 kW until 11:11)" in out
    assert served.call("why", point=HALL)["next"] == {"holder": "user", "level": 8, "value": "on"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("limit 4.2", "a limit needs one end; --until 19:00 or --for 2h"),
        ("limit 4.2 --for 2h --until 19:00", "a limit needs one end"),
        ("limit --for 2h", "a limit needs its power; as in limit 4.2 --for 2h"),
        ("limit 4.2 --lift", "--lift ends all limits"),
        ("limit --lift --from 17:00", "--lift ends all limits"),
        ("limit 4.2 --until 7pm", "--until '7pm' is no time; write it as 18:00, tomorrow 7:30 or 2021-02-08T18:00"),
        ("limit 4.2 --for 2", "--for '2' has no unit"),
        ("limit 4.2 --for 8d", "--for '8d' is 691200 s, must be 60 s to 604800 s"),
        ("limit nan --for 2h", "KW nan is outside 0 to 1000 kW"),
        ("limit 4200 --for 2h", "KW 4200 is outside 0 to 1000 kW"),
        ("limit 420 --for 2h", "420 kW is above the 11.04 kW of the connection itself"),
        ("limit four --for 2h", "Invalid value for 'KW'"),
        ("limit -1 --for 2h", "error: KW is 0 or more; see "),
        ("limit -4.2 --for 2h", "KW is 0 or more"),
        ("limit 4.2 --form 17:00", "No such option: --form"),
        ("limit 4.2 --for 2h --source " + "x" * 81, "--source has 81 characters"),
    ],
)
def test_each_mistake_is_one_line_and_exit_code_2(said: Said, served: Console, arguments: str, words: str) -> None:
    code, out, err = said(*arguments.split(), "--state", "state")
    assert (code, out) == (2, "") and err.startswith("error: ") and err.count("\n") == 1
    assert words in err, err


def test_the_help_shows_a_whole_event(said: Said) -> None:
    code, out, _ = said("limit", "--help")
    assert code == 0 and "limit 4.2 --from 17:00 --until 19:00" in out and "limit --lift" in out


def test_a_limit_over_midnight_is_shown_with_both_days() -> None:
    row = {"import_kw": 0.5, "local_start": "2021-02-08T23:00+01:00", "local_end": "2021-02-09T01:00+01:00"}
    assert in_words(row) == "0.5 kW from 2021-02-08 23:00 until 2021-02-09 01:00 (grid operator)"
