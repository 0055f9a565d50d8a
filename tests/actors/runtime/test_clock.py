"""Clocks are injected, monotonic and aware."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from actors.runtime import ManualClock, ScaledClock, SystemClock, real_floor

START = datetime(2021, 2, 8, tzinfo=UTC)


def test_the_system_clock_is_aware_and_does_not_run_backwards() -> None:
    clock = SystemClock()
    assert clock.now().utcoffset() == timedelta(0)
    assert clock.monotonic() <= clock.monotonic()


def test_house_time_runs_faster_by_the_speed_in_both_readings() -> None:
    clock = ScaledClock(START, 3600)
    before = clock.monotonic()
    passed = (clock.now() - START).total_seconds()
    assert before <= passed <= clock.monotonic() + 1e-3
    assert clock.now().tzinfo is UTC
    assert real_floor(clock, 2.0) == 3600 and real_floor(clock, 0.5) == 1800 and real_floor(clock, 7200) == 7200


def test_a_limit_on_a_clock_of_normal_speed_is_what_was_asked() -> None:
    assert real_floor(SystemClock(), 0.2) == 0.2
    assert real_floor(ManualClock(START), 5) == 5


def test_a_manual_clock_moves_when_told_and_tells_who_listens() -> None:
    clock = ManualClock(START.astimezone(timezone(timedelta(hours=1))))
    heard: list[float] = []
    clock.on_change(lambda: heard.append(clock.monotonic()))
    clock.advance(10)
    clock.advance_to(25)
    clock.advance_to(20)
    assert clock.now() == START + timedelta(seconds=25) and clock.now().tzinfo is UTC
    assert heard == [10, 25, 25]


@pytest.mark.parametrize("seconds", [-1, float("nan")])
def test_a_manual_clock_does_not_run_backwards(seconds: float) -> None:
    with pytest.raises(ValueError, match="cannot advance"):
        ManualClock(START).advance(seconds)


def test_a_start_without_a_zone_and_a_speed_of_nought_are_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        ManualClock(datetime(2021, 1, 1))
    with pytest.raises(ValueError, match="speed is 0"):
        ScaledClock(START, 0)
