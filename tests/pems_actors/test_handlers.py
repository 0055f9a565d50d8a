"""What the console may ask: every method, and every mistake as one line that says what to do."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from actors.runtime import Hang
from models.errors import ConfigError, ConsoleError, PemsError
from models.types.command import Level, Request
from pems_actors.handlers import Handlers
from tests.properties.house import ROOMS, house_file
from tests.scenarios.home import BATH, CHEAP_NIGHT, DISPATCHER, EXPORT, GATE, HALL, MODE, NOON, Home, spot


class Console:
    """A running house and its handlers."""

    def __init__(self, *, allow_inject: bool = True) -> None:
        file = house_file(tick_s=30.0, fuse_a=32.0)
        file = file.model_copy(update={"run": file.run.model_copy(update={"allow_inject": allow_inject})})
        self.home = Home(config=file, prices=spot(NOON, CHEAP_NIGHT)).start(1800)
        self.handlers = Handlers(self.home.runtime, file, speed=1.0)

    def call(self, method: str, **params: object) -> Any:
        """As the console's server would, and what it answers must travel as JSON."""
        answer = self.handlers.table()[method](dict(params))
        return json.loads(json.dumps(answer, allow_nan=False))


@pytest.fixture(scope="module")
def house() -> Iterator[Console]:
    """For looking, and for mistakes: they change nothing."""
    console = Console()
    yield console
    console.home.sound()


@pytest.fixture
def console() -> Console:
    """For acting."""
    return Console()


# --- looking ----------------------------------------------------------------------------------------------------------
def test_ps_tells_every_path_with_its_life_and_counters(house: Console) -> None:
    rows = {row["path"]: row for row in house.call("ps")}
    assert set(rows) == set(house.home.runtime.cells)
    gate = rows[GATE]
    assert gate["state"] == "running" and gate["incarnation"] == 1 and gate["handled"] > 50 and gate["failed"] == 0
    assert gate["busy_for_s"] is None and gate["pid"] is None
    assert [row["path"] for row in house.call("tree")] == list(house.home.runtime.cells)


def test_status_is_the_house_at_a_glance(house: Console) -> None:
    status = house.call("status")
    assert status["link_up"] is True and status["permit_left_s"] > 0 and status["trips"] == []
    assert status["actors"] == status["actors_running"] and status["restarts_total"] == 0
    assert 0.2 <= status["soc"] <= 1.0 and status["plan"]["made"] >= 1
    assert set(status["points"]) == set(house.home.points)
    assert [room["name"] for room in status["rooms"]] == ["hall", "bath", "living"]


def test_status_of_a_house_that_knows_nothing_yet_says_so_and_guesses_nothing() -> None:
    home = Home()
    home.runtime.start()
    status = Handlers(home.runtime, home.config, 1.0).table()["status"]({})
    assert isinstance(status, dict)
    for name in ("soc", "pv_kw", "grid_kw", "composite"):
        assert status[name] is None, name
    assert status["plan"]["made"] == 0


def test_why_names_the_holder_the_next_one_the_permit_and_how_far_the_order_got(console: Console) -> None:
    before = console.call("why", point=HALL)
    assert before["holder"] == DISPATCHER and before["next"] == {"holder": "default", "level": 16, "value": "auto"}
    assert before["zone"] == console.home.house.site.timezone
    assert before["permit_left_s"] > 0 and before["device"]["stage"] in ("waiting", "written", "applied", "failed")
    console.call("override", point=HALL, value="off", for_s=600.0)
    console.home.run(120)
    after = console.call("why", point=HALL)
    assert after["holder"] == "user" and after["level"] == Level.USER and 0 < after["left_s"] <= 480
    assert after["next"]["holder"] == DISPATCHER
    assert after["device"]["relay_on"] is False and after["device"]["wanted"] == "off"
    assert "accepted" in [v["outcome"] for v in after["verdicts"] if v["source"] == "user"]
    console.call("trip", points=[HALL], kind="manual")
    console.home.run(1)
    tripped = console.call("why", point=HALL)
    assert tripped["tripped"] and tripped["next"]["holder"] == "user"
    assert console.call("why", point=MODE)["device"]["wanted"] in console.call("why", point=MODE)["value"]


def test_an_inverted_band_is_told_once_and_by_status_and_why_of_its_room() -> None:
    narrow = tuple(room.model_copy(update={"max_c": 19.2}) if room.name == "hall" else room for room in ROOMS)
    home = Home(config=house_file(tick_s=30.0, fuse_a=32.0, rooms=narrow), replan_s=900.0).start(3600)
    assert len(home.plans) >= 3
    assert [alarm.active for alarm in home.alarms if alarm.name == "odd_input:room.hall"] == [True]
    table = Handlers(home.runtime, home.config, 1.0).table()
    status: Any = table["status"]({})
    assert [alarm["name"] for alarm in status["alarms"]] == ["odd_input:room.hall"]
    (remark,) = status["plan"]["remarks"]
    assert "room hall: upper_c 18.90 is below lower_c" in remark["text"]
    told = {point: table["why"]({"point": point}) for point in (HALL, BATH, MODE)}
    assert {point: why["remarks"] for point, why in told.items() if isinstance(why, dict)} == {
        HALL: [remark["text"]], BATH: [], MODE: [],
    }  # fmt: skip


def test_state_shows_one_actor(house: Console) -> None:
    assert house.call("state", path="/devices/inverter")["online"] is True
    assert "permit_left_s" in house.call("state", path=GATE)


# --- acting -----------------------------------------------------------------------------------------------------------
def test_an_override_takes_hold_and_its_release_gives_the_point_back(console: Console) -> None:
    answer = console.call("override", point=EXPORT, value=2.5)
    assert answer["outcome"] == "accepted" and answer["for_s"] == console.home.config.user.override_s
    assert answer["now"]["holder"] == "user" and answer["now"]["value"] == 2.5
    console.home.run(300)
    assert console.home.twin.inverter.export_limit_kw == pytest.approx(2.5)
    assert console.call("override", point=EXPORT, value=99)["outcome"] == "clamped"
    console.call("release", point=EXPORT)
    assert console.call("why", point=EXPORT)["holder"] == DISPATCHER


def test_a_mode_is_overridden_with_its_end_and_rate(console: Console) -> None:
    value = {"composite": "charge_from_grid", "stop_soc": 0.9, "rate": 0.5}
    answer = console.call("override", point=MODE, value=value, for_s=3600)
    assert answer["outcome"] == "accepted" and answer["now"]["value"] == "charge_from_grid to 90% at 50%"


def test_a_trip_is_latched_and_reset_by_its_id(console: Console) -> None:
    trip = console.call("trip", reason="smoke")
    assert trip["points"] == ["*"] and console.call("status")["trips"][0]["reason"] == "smoke"
    with pytest.raises(ConsoleError, match="no trip 'x'; latched: " + trip["id"]):
        console.call("reset", id="x")
    assert console.call("reset", id=trip["id"])["ok"] is True
    assert console.call("status")["trips"] == []


def test_an_actor_is_restarted_and_a_restart_asked_for_is_no_failure(console: Console) -> None:
    assert console.call("restart", path="/plan/planner") == {"restarted": "/plan/planner"}
    console.home.run(60)
    row = next(row for row in console.call("ps") if row["path"] == "/plan/planner")
    assert row["incarnation"] == 2 and row["failed"] == 0


@pytest.mark.parametrize("kind", ["error", "exit", "interrupt", "memory"])
def test_each_fault_ends_one_life(console: Console, kind: str) -> None:
    assert console.call("inject", path="/plan/dispatcher", kind=kind)["injected"] == kind
    console.home.run(60)
    row = next(row for row in console.call("ps") if row["path"] == "/plan/dispatcher")
    assert row["incarnation"] == 2 and row["failed"] == 1


# --- mistakes ---------------------------------------------------------------------------------------------------------
MISTAKES: list[tuple[str, dict[str, object], str]] = [
    ("why", {}, "point is missing"),
    ("why", {"point": 3}, "point is missing or not a short text"),
    ("why", {"point": ""}, "point is missing"),
    ("why", {"point": "x" * 300}, "not a short text"),
    ("why", {"point": "room.cellar.relay"}, "no such point: 'room.cellar.relay'.*did you mean room.hall.relay"),
    ("why", {"point": "zzz"}, "no such point.*lists all points"),
    ("state", {}, "path is missing"),
    ("state", {"path": "/core/gat"}, "nothing lives at /core/gat.*`ps` lists all paths"),
    ("restart", {"path": "/nowhere"}, "nothing lives at /nowhere"),
    ("restart", {"path": "/"}, "the root cannot be restarted"),
    ("override", {"point": HALL}, "room.hall.relay cannot be 'None'"),
    ("override", {"point": HALL, "value": "warm"}, "cannot be 'warm'.*on, off, auto"),
    ("override", {"point": HALL, "value": True}, "cannot be 'True'"),
    ("override", {"point": EXPORT, "value": math.nan}, "cannot be 'nan'.*from 0 to 200 kW"),
    ("override", {"point": EXPORT, "value": math.inf}, "cannot be 'inf'"),
    ("override", {"point": EXPORT, "value": -1}, "a number from 0 to 200 kW"),
    ("override", {"point": MODE, "value": "charge_from_grid"}, "needs an end"),
    ("override", {"point": MODE, "value": {"composite": "hold", "watts": 3}}, "cannot be"),
    ("override", {"point": MODE, "value": {"composite": "hold", "stop_soc": 90}}, "must be a fraction"),
    ("override", {"point": HALL, "value": "on", "for_s": 0}, "for_s 0 is not a time"),
    ("override", {"point": HALL, "value": "on", "for_s": "2h"}, "for_s '2h' is not a time"),
    ("override", {"point": HALL, "value": "on", "for_s": True}, "is not a time"),
    ("override", {"point": HALL, "value": "on", "for_s": math.nan}, "is not a time"),
    ("override", {"point": HALL, "value": "on", "for_s": 1e9}, "too long, limit 604800 s"),
    ("override", {"point": HALL, "value": "on", "for_s": math.inf}, "too long"),
    ("release", {"point": "room.x.relay"}, "no such point"),
    ("trip", {"points": "all"}, "points must be a list of names"),
    ("trip", {"points": [1]}, "points must be a list of names"),
    ("trip", {"points": ["room.x.relay"]}, "no such point"),
    ("trip", {"kind": "fuse"}, "kind 'fuse' is not known.*manual or emergency_stop"),
    ("reset", {}, "id is missing"),
    ("reset", {"id": "nothing"}, "no trip 'nothing'; latched: none is latched"),
    ("inject", {"path": GATE}, "kind is missing"),
    ("inject", {"path": GATE, "kind": "rust"}, "fault 'rust' is not known.*error, exit, interrupt, memory, kill"),
    ("inject", {"path": "/x", "kind": "error"}, "nothing lives at /x"),
    ("inject", {"path": GATE, "kind": "kill"}, "/core/gate has no worker process"),
    ("inject", {"path": "/plan/optimizer", "kind": "kill"}, "has no worker process"),  # a function, here
]


@pytest.mark.parametrize(("method", "params", "told"), MISTAKES)
def test_a_mistake_is_told_in_a_line_and_changes_nothing(
    house: Console, method: str, params: dict[str, object], told: str
) -> None:
    before = {name: (p["value"], p["holder"], len(p["slots"])) for name, p in house.call("status")["points"].items()}
    with pytest.raises(PemsError, match=told.replace("(", r"\(")) as error:
        house.call(method, **params)
    assert isinstance(error.value, (ConsoleError, ConfigError)) and "\n" not in str(error.value)
    after = {name: (p["value"], p["holder"], len(p["slots"])) for name, p in house.call("status")["points"].items()}
    assert after == before


def test_an_override_that_the_gate_refuses_is_told_with_its_reason(console: Console) -> None:
    console.home.trip("manual", (BATH,))
    answer = console.call("override", point=BATH, value="on")  # accepted behind the trip
    assert answer["now"]["tripped"]
    console.home.runtime.tell(GATE, _request_from_tomorrow(console.home))
    console.home.runtime.run_until_idle()
    with pytest.raises(ConsoleError, match="not newer than what this source said before"):
        console.call("override", point=HALL, value="on")


def _request_from_tomorrow(home: Home) -> Request:
    """Somebody who calls himself the user has spoken with a higher number."""
    now = home.clock.now()
    return Request(
        id="user-other", source="user", level=Level.USER, point=HALL, value="off", issued=now,
        expires=now + timedelta(hours=1), epoch=(9, 1), seq=9, cause="test",
    )  # fmt: skip


def test_faults_are_refused_where_the_house_file_does_not_allow_them() -> None:
    console = Console(allow_inject=False)
    for path in (GATE, "twin"):
        with pytest.raises(ConsoleError, match="not allowed in this house.*allow_inject"):
            console.call("inject", path=path, kind="error")


def test_while_the_gate_is_down_the_console_says_so_and_does_not_hang(console: Console) -> None:
    console.home.runtime.inject(GATE, RuntimeError("injected"))
    runtime = console.home.runtime
    assert runtime.step()  # the gate has failed; its next life has not begun
    with pytest.raises(ConsoleError, match="the gate is restarting"):
        console.call("why", point=HALL)
    console.home.run(60)
    assert console.call("why", point=HALL)["point"] == HALL


def test_a_gate_that_hangs_is_replaced_and_its_next_life_answers(console: Console) -> None:
    console.home.runtime.inject(GATE, Hang())
    began_s = console.home.clock.monotonic()
    answer = console.call("override", point=HALL, value="off")
    assert console.home.clock.monotonic() - began_s <= 5.0
    assert answer["outcome"] == "accepted" and answer["now"]["next"]["holder"] == "user"  # cold: nobody holds it yet
    console.home.run(60)
    assert console.call("why", point=HALL)["holder"] == "user"
