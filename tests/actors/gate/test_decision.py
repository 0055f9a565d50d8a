"""The gate's mind, function by function."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.devices.registry import all_points
from actors.gate.decision import (
    Conditions,
    Held,
    Latch,
    admit,
    decide,
    emergency_value,
    fit,
    malformed,
    mode_hindrance,
)
from models.types.command import RELINQUISH, Level, Outcome, Request, Value
from models.types.mode import REGULAR, Composite, InverterMode
from tests.properties.house import EXPORT, MODE, RELAYS, SETPOINTS, house_file

POINTS = {p.name: p for p in all_points(house_file().house)}
RELAY, LIMIT, INVERTER, SETPOINT = POINTS[RELAYS[0]], POINTS[EXPORT], POINTS[MODE], POINTS[SETPOINTS[0]]
NOW = datetime(2021, 2, 8, 9, 0, tzinfo=UTC)
CHARGE = InverterMode(composite=Composite.CHARGE_FROM_GRID, stop_soc=0.9)
SELL = InverterMode(composite=Composite.DISCHARGE_TO_GRID, stop_soc=0.3)
HOLD = InverterMode(composite=Composite.HOLD)


def request(value: Any = 5.0, **changes: Any) -> Request:
    fields: dict[str, Any] = {
        "id": "r", "source": "/plan/x", "level": Level.PLAN, "point": EXPORT, "value": value, "issued": NOW,
        "expires": NOW + timedelta(minutes=10), "epoch": (1, 1), "seq": 1, "cause": "c",
    }  # fmt: skip
    return Request(**{**fields, **changes})


def held(value: Value, level: Level = Level.PLAN, source: str = "/plan/x", until_s: float | None = 100.0) -> Held:
    return Held(request=request(value, level=level, source=source), until_s=until_s)


def seen(**changes: Any) -> Conditions:
    fields: dict[str, Any] = {"at_s": 10.0, "permit": True, "soc": 0.5, "export_price": 0.1, "soc_min": 0.2}
    return Conditions(**{**fields, **changes})


# --- admit ----------------------------------------------------------------------------------------------------
def test_what_fits_takes_its_slot_until_its_end_on_the_monotonic_clock() -> None:
    admission = admit(LIMIT, request(), now=NOW + timedelta(minutes=4), at_s=1000.0, last=None)
    assert admission.outcome is Outcome.ACCEPTED and admission.held is not None
    assert admission.held.until_s == 1000.0 + 360.0


def test_what_is_out_of_range_is_clamped_and_says_so() -> None:
    admission = admit(LIMIT, request(50.0), now=NOW, at_s=0.0, last=None)
    assert admission.outcome is Outcome.CLAMPED and admission.reason == "50 kW clamped to 0 .. 8"
    assert admission.held is not None and admission.held.request.value == 8.0


def test_giving_back_is_accepted_whatever_the_envelope() -> None:
    admission = admit(RELAY, request(RELINQUISH), now=NOW, at_s=0.0, last=None)
    assert (admission.outcome, admission.reason) == (Outcome.ACCEPTED, "relinquished")


def test_only_an_emergency_stop_is_unlimited() -> None:
    stop = request(0.0, level=Level.EMERGENCY_STOP, source="user", expires=None)
    admission = admit(LIMIT, stop, now=NOW, at_s=0.0, last=None)
    assert admission.held is not None and admission.held.until_s is None and admission.held.alive(1e12)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"id": "x" * 201}, "longer than 200"),
        ({"level": Level.USER}, "may not speak at level 8"),
        ({"level": Level.SAFETY_TRIP, "source": "/core/safety"}, "may not speak at level 2"),
        ({"source": "/nobody/here"}, "may not speak"),
        ({"source": ""}, "may not speak"),
        ({"issued": NOW.replace(tzinfo=None)}, "must be aware"),
        ({"expires": datetime(2021, 2, 8, 9, 5)}, "must be aware"),
        ({"issued": NOW + timedelta(seconds=6)}, "in the future"),
        ({"expires": None}, "needs an end"),
        ({"level": Level.USER, "source": "user", "expires": None}, "needs an end"),
        ({"expires": NOW}, "expired before it arrived"),
        ({"expires": NOW - timedelta(seconds=1)}, "expired before it arrived"),
        ({"expires": NOW + timedelta(hours=3)}, "limit 9000 s"),
        ({"value": "5"}, "'5' is not a finite number"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(changes: dict[str, Any], reason: str) -> None:
    admission = admit(LIMIT, request(**changes), now=NOW, at_s=0.0, last=None)
    assert admission.outcome is Outcome.REFUSED and admission.held is None and reason in admission.reason


def test_a_point_that_does_not_exist_is_named() -> None:
    admission = admit(None, request(point="room.cellar.relay"), now=NOW, at_s=0.0, last=None)
    assert admission.reason == "no such point: 'room.cellar.relay'"


@pytest.mark.parametrize("last", [((1, 1), 1), ((1, 1), 2), ((1, 2), 0), ((2, 0), 0)])
def test_what_is_not_newer_than_the_last_of_its_source_is_refused(last: tuple[tuple[int, int], int]) -> None:
    assert "not newer" in admit(LIMIT, request(), now=NOW, at_s=0.0, last=last).reason


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({}, ""), ({"id": 1}, "id"), ({"source": None, "point": []}, "source, point"), ({"cause": b"x"}, "cause"),
        ({"note": 1}, "note"), ({"level": 13}, "level"), ({"issued": "now"}, "issued"), ({"expires": 5}, "expires"),
        ({"seq": True}, "seq"), ({"seq": math.nan}, "seq"), ({"epoch": 3}, "epoch"), ({"epoch": (1, 1.5)}, "epoch"),
        ({"epoch": (1, 1, 1)}, "epoch"), ({"expires": None}, ""),
    ],
)  # fmt: skip
def test_a_request_of_wrong_kinds_is_malformed(changes: dict[str, Any], names: str) -> None:
    assert malformed(request(**changes)) == (f"malformed request: {names}" if names else "")


# --- fit ----------------------------------------------------------------------------------------------------
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_number_ends_inside_the_range(value: float) -> None:
    fitted, _ = fit(LIMIT, value)
    assert isinstance(fitted, float) and 0.0 <= fitted <= 8.0


@pytest.mark.parametrize("value", [math.nan, math.inf, 10**400, True, "on", None, HOLD])
def test_what_is_no_number_does_not_fit_a_range(value: Any) -> None:
    assert fit(LIMIT, value)[0] is None


@pytest.mark.parametrize(("value", "fits"), [("on", True), ("auto", True), ("ON", False), (1, False), (HOLD, False)])
def test_words_fit_exactly_or_not(value: Any, fits: bool) -> None:
    assert fit(RELAY, value) == ((value, "") if fits else (None, f"{value!r} is not one of on, off, auto"))


@pytest.mark.parametrize(
    ("mode", "fitted"),
    [
        (HOLD, HOLD),
        (REGULAR, REGULAR),
        (InverterMode(composite=Composite.REGULAR, stop_soc=0.5, rate=0.5), REGULAR),
        (InverterMode(composite=Composite.CHARGE_FROM_GRID, stop_soc=7.0, rate=3.0),
         InverterMode(composite=Composite.CHARGE_FROM_GRID, stop_soc=1.0, rate=1.0)),
        (InverterMode(composite=Composite.DISCHARGE_TO_GRID, stop_soc=0.0, rate=0.0),
         InverterMode(composite=Composite.DISCHARGE_TO_GRID, stop_soc=0.2, rate=0.01)),
        (InverterMode(composite=Composite.CHARGE_FROM_GRID), None),
        (InverterMode(composite=Composite.DISCHARGE_TO_GRID, rate=0.5), None),
        (InverterMode(composite=Composite.HOLD, stop_soc=math.nan), None),
        (InverterMode(composite=Composite.HOLD, rate=math.inf), None),
        (InverterMode(composite="hold"), None),  # type: ignore[arg-type]
        ("hold", None),
    ],
)  # fmt: skip
def test_modes_are_clamped_inside_and_refused_outside(mode: Any, fitted: InverterMode | None) -> None:
    assert fit(INVERTER, mode)[0] == fitted


def test_a_composite_that_the_house_does_not_allow_is_refused() -> None:
    from dataclasses import replace

    from models.types.point import Modes

    small = replace(INVERTER, envelope=Modes(allowed=(Composite.REGULAR,), soc_min=0.2, soc_max=1.0))
    assert fit(small, HOLD)[0] is None and fit(small, REGULAR)[0] == REGULAR


# --- decide ----------------------------------------------------------------------------------------------------
def test_nobody_asks_means_default() -> None:
    decision = decide(LIMIT, (), latch=None, conditions=seen())
    assert (decision.value, decision.level, decision.reason) == (8.0, Level.DEFAULT, "nobody asks")


def test_the_lowest_living_level_wins_and_of_equals_the_first_source_by_name() -> None:
    slots = [held(1.0, Level.FALLBACK), held(2.0, Level.PLAN, "/plan/b"), held(3.0, Level.PLAN, "/plan/a"),
             held(4.0, Level.USER, "user", until_s=5.0)]  # fmt: skip
    for order in (slots, slots[::-1]):
        decision = decide(LIMIT, order, latch=None, conditions=seen())
        assert (decision.value, decision.level, decision.until_s) == (3.0, Level.PLAN, 100.0)


def test_an_emergency_stop_beats_a_trip_and_needs_no_permit() -> None:
    stop = held(8.0, Level.EMERGENCY_STOP, "user", None)
    decision = decide(LIMIT, [stop], latch=Latch(trip_id="t", kind="fuse"), conditions=seen(permit=False))
    assert (decision.value, decision.level, decision.reason) == (0.0, Level.EMERGENCY_STOP, "emergency stop")


@pytest.mark.parametrize(("kind", "value"), [("floor", "off"), ("room", "off"), ("fuse", "off"), ("manual", "auto")])
def test_a_trip_beats_everybody_else_with_the_points_safe_value(kind: str, value: str) -> None:
    decision = decide(RELAY, [held("on", Level.USER)], latch=Latch(trip_id="t", kind=kind), conditions=seen())
    assert (decision.value, decision.level, decision.reason) == (value, Level.SAFETY_TRIP, "tripped: t")


def test_a_latched_emergency_stop_is_level_one() -> None:
    latch = Latch(trip_id="t", kind="emergency_stop")
    assert decide(RELAY, (), latch=latch, conditions=seen()).level is Level.EMERGENCY_STOP
    mode = decide(INVERTER, (), latch=latch, conditions=seen(soc=0.37)).value
    assert mode == InverterMode(composite=Composite.HOLD, stop_soc=0.37)


@pytest.mark.parametrize(("soc", "stop"), [(0.37, 0.37), (0.8, 0.5), (0.1, 0.2), (None, 0.2)])
def test_an_emergency_hold_asks_for_no_more_than_it_has_nor_half(soc: float | None, stop: float) -> None:
    assert emergency_value(INVERTER, soc) == InverterMode(composite=Composite.HOLD, stop_soc=stop)
    assert emergency_value(LIMIT, soc) == 0.0


def test_without_a_permit_nothing_numbered_three_or_more_passes() -> None:
    decision = decide(LIMIT, [held(1.0, Level.GRID_OPERATOR)], latch=None, conditions=seen(permit=False))
    assert (decision.value, decision.reason) == (8.0, "no permit from safety")


def test_on_stale_signals_only_people_and_safety_act() -> None:
    slots = [held("on", Level.PLAN), held("off", Level.LOCAL_RULES)]
    decision = decide(RELAY, slots, latch=None, conditions=seen(stale=("meter",)))
    assert (decision.value, decision.reason) == ("auto", "stale: meter")
    slots.append(held("on", Level.USER, "user"))
    assert decide(RELAY, slots, latch=None, conditions=seen(stale=("meter",))).level is Level.USER


def test_a_hindered_mode_lets_the_next_level_act() -> None:
    slots = [held(CHARGE, Level.USER, "user"), held(HOLD, Level.PLAN)]
    assert decide(INVERTER, slots, latch=None, conditions=seen(soc=1.0)).value == HOLD
    decision = decide(INVERTER, slots[:1], latch=None, conditions=seen(soc=1.0))
    assert (decision.value, decision.reason) == (REGULAR, "battery is full (100.0%)")


def test_a_requests_note_is_the_reason() -> None:
    noted = Held(request=request(1.0, note="cheap hour"), until_s=None)
    assert decide(LIMIT, [noted], latch=None, conditions=seen()).reason == "cheap hour"


@pytest.mark.parametrize(
    ("mode", "changes", "reason"),
    [
        (REGULAR, {"soc": None, "writes_left": 0}, ""),
        (CHARGE, {}, ""),
        (CHARGE, {"soc": 0.995}, "battery is full (99.5%)"),
        (CHARGE, {"soc": 0.994}, ""),
        (CHARGE, {"soc": 1.0, "running": CHARGE, "writes_left": 0}, ""),
        (CHARGE, {"soc": 1.0, "running": replace(CHARGE, rate=0.5)}, "battery is full (100.0%)"),
        (CHARGE, {"soc": 0.6, "running": replace(CHARGE, rate=0.5), "writes_left": 0}, ""),
        (CHARGE, {"soc": None}, "SOC is not known"),
        (CHARGE, {"writes_left": 4}, "write budget: 4 left today, a run needs 5"),
        (CHARGE, {"writes_left": 5}, ""),
        (SELL, {"soc": 0.205}, "battery is empty (20.5%)"),
        (SELL, {"soc": 0.206}, ""),
        (SELL, {"export_price": None}, "discharge_to_grid with an unknown export price"),
        (SELL, {"export_price": -0.001, "running": SELL},
         "discharge_to_grid at a negative export price (-0.001 EUR/kWh)"),
        (InverterMode(composite=Composite.SELL_PRODUCTION), {"export_price": 0.0}, ""),
        (HOLD, {"soc": 0.1}, ""),
    ],
)  # fmt: skip
def test_what_speaks_against_a_mode(mode: InverterMode, changes: dict[str, Any], reason: str) -> None:
    assert mode_hindrance(mode, seen(**changes)) == reason


def test_naive_times_of_another_zone_are_no_matter() -> None:
    elsewhere = timezone(timedelta(hours=5))
    later = request(issued=NOW.astimezone(elsewhere), expires=(NOW + timedelta(minutes=1)).astimezone(elsewhere))
    assert admit(LIMIT, later, now=NOW, at_s=0.0, last=None).outcome is Outcome.ACCEPTED
