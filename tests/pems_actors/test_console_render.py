"""People see what the JSON says, and a dash where it says nothing."""

from __future__ import annotations

from typing import Any

from rich.console import Console, RenderableType

from pems_actors.console import render

UP = {"state": "running", "incarnation": 1, "restarts": 0, "handled": 5, "queued": [0, 0, 0, 0]}
CELLS: list[dict[str, Any]] = [
    {"path": "/", "kind": "supervisor", **UP},
    {"path": "/core", "kind": "supervisor", **UP},
    {
        "path": "/core/gate",
        "kind": "actor",
        "state": "running",
        "incarnation": 3,
        "restarts": 2,
        "handled": 12345,
        "queued": [0, 0, 1, 6],
        "busy_s": 2.5,
        "last_error": "ValueError: bad",
    },
    {"path": "/plan/optimizer", "kind": "actor", **UP, "state": "parked", "queued": 0, "last_error": None},
]
WHY: dict[str, Any] = {
    "point": "room.obyvak.relay",
    "value": "on",
    "holder": "user",
    "level": 8,
    "reason": "held by user",
    "waiting": "",
    "zone": "Europe/Prague",
    "since": "2021-02-08T07:00:00+01:00",
    "for_s": 90.0,
    "left_s": 510.0,
    "default": "auto",
    "tripped": None,
    "permit_left_s": 1.4,
    "next": {"value": "off", "source": "/plan/dispatcher", "level": 13},
    "slots": [
        {"level": 8, "source": "user", "value": "on", "left_s": 510.0, "note": "by hand"},
        {"level": 13, "source": "/plan/dispatcher", "value": "off", "left_s": None, "note": ""},
    ],
    "verdicts": [
        {"at": "2021-02-08T07:00:00+01:00", "source": "x", "outcome": "refused", "reason": "late", "value": "on"}
    ],
    "device": {"wanted": "on", "applied": True, "effective": None, "latencies": {"applied_s": 1.25}},
}


def text(what: RenderableType) -> str:
    console = Console(width=160, record=True, file=None, quiet=True)
    with console.capture() as capture:
        console.quiet = False
        console.print(what)
    return capture.get()


def test_ps_has_a_line_for_each_path_with_its_restarts_and_last_error() -> None:
    lines = text(render.ps(CELLS)).splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["/", "/core", "/core/gate", "/plan/optimizer"]
    assert lines[3].split() == ["/core/gate", "running", "3", "2", "12345", "7", "2.5", "s", "ValueError:", "bad"]
    assert "parked" in lines[4] and "None" not in lines[4]


def test_tree_shows_who_supervises_whom_even_where_a_supervisor_is_not_listed() -> None:
    lines = text(render.tree(CELLS)).splitlines()
    assert lines[0].startswith("/")
    indent = {line.strip("│├└─ ").split()[0]: len(line) - len(line.lstrip("│├└─ ")) for line in lines[1:]}
    assert indent["gate"] > indent["core"]
    assert indent["optimizer"] > indent["plan"]
    assert "2 restarts" in text(render.tree(CELLS))


def test_why_tells_times_on_the_clocks_of_the_house() -> None:
    for zone, clock in (("Europe/Prague", "07:00:00"), ("Asia/Tokyo", "15:00:00")):
        lines = text(render.why({**WHY, "zone": zone})).splitlines()
        assert next(line for line in lines if "refused" in line).split()[0] == clock
        assert next(line for line in lines if line.startswith("  since")).split()[1] == clock


def test_why_says_who_holds_the_point_and_what_comes_next() -> None:
    told = text(render.why(WHY))
    assert "room.obyvak.relay is on, held by user (level 8 user)" in told
    assert "off, by /plan/dispatcher (level 13 plan)" in told
    assert "in 8 min 30 s" in told
    assert "07:00:00 (1 min 30 s ago)" in told
    assert "valid, 1.4 s left" in told
    assert "refused" in told and "late" in told
    assert "applied_s" in told and "1.25" in told


def test_why_says_a_trip_and_a_lapsed_permit_loudly() -> None:
    told = text(render.why({**WHY, "tripped": "manual-1", "permit_left_s": -0.5}))
    assert "TRIPPED by manual-1" in told
    assert "LAPSED" in told


def test_why_tells_what_was_odd_in_what_was_planned() -> None:
    told = text(render.why({**WHY, "remarks": ["room hall: [its] band is empty"]}))
    assert "odd input of the plan: room hall: [its] band is empty" in told


def test_why_of_an_empty_answer_still_stands() -> None:
    assert "inverter.mode is -, held by nobody" in text(render.why({"point": "inverter.mode"}))
    assert "valid" in text(render.why({"point": "x", "permit": True}))
    assert "LAPSED" in text(render.why({"point": "x", "permit": False}))


def test_state_is_an_outline_of_any_depth() -> None:
    told = text(render.state({"a": 1, "b": {"c": None, "d": [1, 2]}, "rows": [{"x": 1.5}, [1, 2], "w"], "none": {}}))
    assert [line.split() for line in told.splitlines()] == [
        ["a", "1"],
        ["b"],
        ["c", "-"],
        ["d", "1,", "2"],
        ["rows"],
        ["1.", "x", "1.5"],
        ["2.", "1,", "2"],
        ["3.", "w"],
        ["none", "none"],
    ]
    assert text(render.state(None)).strip() == "-"


def test_markup_in_a_value_is_shown_and_not_obeyed() -> None:
    assert "[red]x[/red]" in text(render.state({"note": "[red]x[/red]"}))
    assert "[bold]" in text(render.ps([{"path": "/x", "last_error": "[bold]"}]))
    assert "[/nothing]" in text(render.why({**WHY, "slots": [{"note": "[/nothing]", "level": 8}]}))


def test_durations_are_told_in_their_two_largest_units() -> None:
    spans = {
        0: "0.0 s",
        4.26: "4.3 s",
        59: "59 s",
        60: "1 min",
        5400: "1 h 30 min",
        90061: "1 d 1 h",
        86460: "1 d 1 min",
    }
    assert {s: render.span(s) for s in spans} == spans


def test_values_are_short_and_unknown_is_never_zero() -> None:
    assert [render.shown(v) for v in (None, True, 0, 0.0, 1.50, 1e9, [], {}, "a\nb")] == [
        "-", "yes", "0", "0", "1.5", "1e+09", "none", "none", "a b",
    ]  # fmt: skip
