"""The live picture: what is known stands there, what is not is a dash, never a nought."""

from __future__ import annotations

import copy
import json
from io import StringIO
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console

from pems_actors.handlers import Handlers
from pems_actors.live import line, notes, picture
from tests.scenarios.home import CHEAP_NIGHT, HALL, NEGATIVE_NOON, NOON, Home, spot

ZONE = ZoneInfo("Europe/Berlin")


def status_of(home: Home) -> dict[str, Any]:
    """What the console answers, as it arrives at the other end."""
    found = json.loads(json.dumps(Handlers(home.runtime, home.config, 1.0).status({})))
    assert isinstance(found, dict)
    return found


def drawn(status: dict[str, Any], *, speed: float = 60.0, width: int = 200) -> str:
    out = StringIO()
    Console(file=out, width=width, color_system=None).print(picture({**status, "speed": speed}, zone=ZONE))
    return out.getvalue()


@pytest.fixture(scope="module")
def lived() -> dict[str, Any]:
    """A house an hour after its start, at noon, with an override and a trip."""
    home = Home(prices=spot(NOON, CHEAP_NIGHT)).start(3600)
    home.override(HALL, "off")
    home.trip("manual", ("room.bath.relay",))
    home.run(300)
    return status_of(home)


@pytest.fixture(scope="module")
def empty() -> dict[str, Any]:
    """A house whose devices have not said a word."""
    home = Home()
    home.link_down = True
    home.runtime.start()
    return status_of(home)


def test_the_picture_shows_flows_rooms_plan_and_who_commands_what(lived: dict[str, Any]) -> None:
    text = drawn(lived)
    for word in ("now", "flows", "plan", "rooms", "commanded, and why", "60 x", "Mon 2021-02-08 13:05", "pyomo_highs"):
        assert word in text, word
    assert f"{lived['soc']:.0%}" in text and f"{lived['pv_kw']:5.2f} kW" in text and lived["composite"] in text
    for room in lived["rooms"]:
        assert room["name"] in text and f"{room['air_c']:.1f}" in text
    assert "8 user" in text and "link up" in text and "TRIPPED manual-" in text
    assert f"{lived['actors_running']}/{lived['actors']} running" in text


def test_the_line_says_the_same_where_no_terminal_is(lived: dict[str, Any]) -> None:
    text = line(lived)
    assert "\n" not in text and text.startswith("Mon 2021-02-08 13:05")
    assert f"SOC {lived['soc']:.0%}" in text and f"PV {lived['pv_kw']:5.2f}" in text
    assert f"buy {lived['price_import']:.3f}" in text and f"plans {lived['plan']['made']}" in text


def test_unknown_values_are_dashes(empty: dict[str, Any]) -> None:
    assert empty["soc"] is None and empty["pv_kw"] is None
    text = line(empty)
    assert "PV -  load -  heating -  battery -  grid - kW  SOC -  -" in text
    assert "cost - (plain rules -)" in text and "0.00" not in text
    shown = drawn(empty)
    assert "no plan yet" in shown and "link DOWN" in shown
    rows = [row for row in shown.splitlines() if " PV " in row or " SOC " in row or " grid " in row]
    assert rows and all("0.00" not in row.split("kW")[0] for row in rows)


def test_an_answer_with_nothing_in_it_can_be_drawn() -> None:
    assert "SOC -" in line({}) and "buy unknown sell unknown" in line({})
    text = drawn({})
    assert "actors -/- running" in text and "permit -" in text and "link -" in text


def test_unknown_prices_and_silent_rooms_are_told(lived: dict[str, Any]) -> None:
    status = copy.deepcopy(lived)
    status.update(price_import=None, price_export=None, permit_left_s=-3.0)
    status["rooms"][0].update(air_c=None, relay_on=None, automatic=None)
    text = drawn(status)
    assert "unknown EUR/kWh" in text and "permit 0 s" in text
    row = next(row for row in text.splitlines() if " hall " in row and ".." in row)
    assert row.count(" - ") >= 3


def test_a_negative_price_and_an_alarm_stand_out() -> None:
    home = Home(prices=spot(NOON, NEGATIVE_NOON)).start(900)
    home.optimizer_dead = True
    home.run(3600)
    status = status_of(home)
    text = drawn(status)
    assert f"{status['price_export']:.3f} EUR/kWh" in text and status["price_export"] < 0
    assert "alarm planner" in text and "trouble" in text


def test_the_grid_operators_limits_stand_in_the_picture_and_the_line(lived: dict[str, Any]) -> None:
    row = {
        "import_kw": 4.2, "start": "2021-02-08T12:00:00+00:00", "end": "2021-02-08T14:00:00+00:00", "source": "[DSO]",
        "holds": True, "local_start": "2021-02-08T13:00+01:00", "local_end": "2021-02-08T15:00+01:00",
    }  # fmt: skip
    status = {**lived, "import_limit": row, "operator_limits": [row] * 9}
    assert line(status).endswith("limit 4.2 kW until 15:00") and "\n" not in line(status)
    text = drawn(status)
    assert text.count("limit 4.2 kW from 2021-02-08 13:00 until 15:00 ([DSO], holds now)") == 4
    assert "limit" not in line(lived) and " limit " not in drawn(lived)


def test_what_the_plan_bends_stands_beside_it(lived: dict[str, Any]) -> None:
    assert "`diagnose` says why" not in drawn({**lived, "plan": {**lived["plan"], "bent": []}})
    rows = [
        {"rule": "room.[hall].below", "slots": 3, "worst": 0.412, "unit": "K", "cost_eur": 0.8},
        {"rule": "battery.reserve", "slots": 2, "worst": 0.05, "unit": "soc", "cost_eur": 0.2},
    ]
    status = {**lived, "plan": {**lived["plan"], "bent": rows}}
    assert "the plan bends room.[hall].below (up to 0.41 K) and 1 more: `diagnose` says why" in notes(status)
    assert "room.[hall].below" in drawn(status) and "`diagnose`" in drawn(status)
    status["plan"]["bent"] = rows[1:]
    assert "the plan bends battery.reserve (up to 5.0 %): `diagnose` says why" in notes(status)


@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_narrow_terminal_is_no_error(lived: dict[str, Any], width: int) -> None:
    assert max(len(row) for row in drawn(lived, width=width).splitlines()) <= width


def test_what_devices_and_people_wrote_is_never_read_as_markup(lived: dict[str, Any]) -> None:
    status = copy.deepcopy(lived)
    status["alarms"] = [{"name": "[red]x", "text": "[/nonsense] [bold]", "at": "2021-02-08T12:00:00+00:00"}]
    status["points"][HALL]["reason"] = "[/oops]"
    status["plan"]["trouble"] = "[/oops]"
    text = drawn(status)
    assert "[/nonsense] [bold]" in text and "[/oops]" in text
