"""The auditor under limits of the grid operator: it finds what breaks them, and blames nobody for keeping them."""

from __future__ import annotations

from datetime import timedelta

from actors.messages import OperatorLimits
from models.types.command import Level, Outcome
from models.types.operator import ImportLimit
from tests.actors.test_audit import BATH, HALL, START, Stage

LIMIT = ImportLimit(start=START + timedelta(minutes=20), end=START + timedelta(minutes=50), import_kw=2.0)


def stage(*limits: ImportLimit, minutes: float = 25.0) -> Stage:
    """So long after the start, with relays that may be switched as far as their times go."""
    s = Stage()
    s.say(OperatorLimits(limits=limits))
    s.live(60.0 * minutes)
    return s


def found(s: Stage) -> set[int]:
    return {b.invariant for b in s.audit.breaches}


def switch_on(s: Stage, point: str = HALL) -> None:
    s.write(point, "on", s.accept(point, "on", level=Level.USER, source="user"))


def test_a_relay_switched_on_above_the_limit_is_a_breach_that_names_it() -> None:
    s = stage(LIMIT)
    switch_on(s)  # 1 kW and 1.2 kW
    assert found(s) == {26} and "2.2 kW with it, the grid operator's limit 2.0 kW" in s.audit.breaches[0].text


def test_what_fits_under_the_limit_is_none() -> None:
    s = stage(LIMIT)
    switch_on(s, BATH)  # 0.6 kW
    assert found(s) == set() and s.audit.checks[26] > 0


def test_two_that_fit_alone_but_not_together_are_one() -> None:
    s = stage(LIMIT)
    switch_on(s, BATH)
    switch_on(s, HALL)
    assert found(s) == {26}


def test_before_the_start_after_the_end_and_once_lifted_there_is_no_limit() -> None:
    for minutes in (19.0, 51.0):
        s = stage(LIMIT, minutes=minutes)
        switch_on(s)
        assert found(s) == set(), minutes
    s = stage(LIMIT)
    s.say(OperatorLimits(limits=()))
    switch_on(s)
    assert found(s) == set()


def test_who_decided_before_the_limit_could_be_known_is_not_blamed() -> None:
    s = stage()
    s.say(OperatorLimits(limits=(LIMIT,)))
    s.live(s.times.gate_tick_s)
    switch_on(s)
    assert found(s) == set()
    s = stage(LIMIT, minutes=20.0)  # at its very start
    switch_on(s)
    assert found(s) == set()


def test_who_decided_on_the_reading_before_is_not_blamed_for_the_kettle_in_the_next() -> None:
    s = stage(LIMIT)
    s.live(60.0, grid_kw=0.5)
    s.beat(grid_kw=3.0)
    switch_on(s)
    assert found(s) == set()
    s = stage(LIMIT)
    s.live(30.0, grid_kw=3.0)
    switch_on(s)
    assert found(s) == {26}


def test_a_refusal_for_the_limits_sake_is_no_breach_whoever_asked() -> None:
    s = stage(LIMIT)
    request = s.accept(HALL, "on", level=Level.USER, source="user")
    s.say(s.verdict(request, Outcome.DEFERRED))
    weaker = s.accept(HALL, "off")
    s.live(10)
    s.write(HALL, "off", weaker)
    s.live(120)
    assert found(s) == set()


def test_a_heater_that_we_hold_on_above_the_limit_for_minutes_is_a_breach_of_shedding() -> None:
    s = stage(LIMIT, minutes=19.0)
    switch_on(s)
    s.live(90.0, on=True, grid_kw=2.5)
    assert found(s) == set(), "the limit has held for half a minute"
    s.live(90.0, on=True, grid_kw=2.5)
    assert found(s) == {18} and "operator's limit 2.0 kW" in s.audit.breaches[0].text


def test_what_was_shed_in_time_or_is_not_ours_to_shed_is_none() -> None:
    s = stage(LIMIT, minutes=19.0)
    switch_on(s)
    s.live(90.0, on=True, grid_kw=2.5)
    s.write(HALL, "off", s.accept(HALL, "off", level=Level.GRID_OPERATOR, source="/core/safety", note="operator: x"))
    s.live(300.0, grid_kw=2.5)  # a stove
    assert found(s) == set()
