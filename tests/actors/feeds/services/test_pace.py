"""When a service is asked again, and when what it gave is too little."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import pytest

from actors.feeds.services.pace import PricePace, SteadyPace
from models.types.forecast import PriceSeries
from models.types.slots import day_slots, local_midnight

PRAGUE = ZoneInfo("Europe/Prague")
PACE = PricePace(PRAGUE)
DAY = date(2026, 6, 14)


def local(hour: int, minute: int = 0, day: date = DAY) -> datetime:
    return datetime.combine(day, time(hour, minute), tzinfo=PRAGUE)


def series(day: date = DAY, *, tomorrow: int = 96, dt_s: float = 900.0, holes: int = 0) -> PriceSeries:
    """Today, and so many slots of tomorrow."""
    start = local_midnight(day, PRAGUE)
    n = round(sum(1 for _ in day_slots(day, PRAGUE)) * 900 / dt_s) + tomorrow
    values = [0.1] * n
    values[n - holes :] = [math.nan] * holes
    return PriceSeries(issued=start, source="X", start=start, dt_s=dt_s, spot_eur_per_kwh=tuple(values))


def test_prices_are_looked_for_every_quarter_hour_and_often_while_tomorrow_is_expected() -> None:
    assert PACE.wait_s(local(9), series(tomorrow=0), 0) == 900.0
    assert PACE.wait_s(local(13), series(tomorrow=0), 0) == 180.0
    assert PACE.wait_s(local(13), series(tomorrow=48), 0) == 180.0
    assert PACE.wait_s(local(13), series(holes=1), 0) == 180.0
    assert PACE.wait_s(local(13), None, 0) == 180.0
    assert PACE.wait_s(local(13), series(), 0) == 900.0, "tomorrow is whole"
    assert PACE.wait_s(local(15), series(tomorrow=0), 0) == 900.0


def test_nobody_sleeps_through_the_beginning_of_the_hurry() -> None:
    assert PACE.wait_s(local(12, 40), series(tomorrow=0), 0) == 300.0
    assert PACE.wait_s(local(12, 40).astimezone(UTC), series(tomorrow=0), 0) == 300.0


def test_after_failures_it_is_asked_sooner_at_first_and_then_less_and_less() -> None:
    waits = [PACE.wait_s(local(9), None, n) for n in range(1, 8)]
    assert waits == [60.0, 120.0, 240.0, 480.0, 900.0, 900.0, 900.0]
    hurried = [PACE.wait_s(local(13), None, n) for n in range(1, 6)]
    assert hurried == [360.0, 720.0, 900.0, 900.0, 900.0]
    assert PACE.wait_s(local(9), None, 10_000) == 900.0


@pytest.mark.parametrize(("day", "slots"), [(DAY, 96), (date(2026, 3, 28), 92), (date(2026, 10, 24), 100)])
def test_tomorrow_is_late_only_from_its_due_time_on(day: date, slots: int) -> None:
    part = series(day, tomorrow=40)
    assert PACE.complaint(local(14, 59, day), part) is None
    said = PACE.complaint(local(15, 0, day), part)
    assert said is not None and f"40 of {slots} quarter hours" in said and "due at 15:00" in said
    assert PACE.complaint(local(15, 0, day), series(day, tomorrow=slots)) is None
    assert PACE.complaint(local(15, 0, day), series(day, tomorrow=slots, holes=1)) is not None
    assert PACE.complaint(local(15, 0, day), None) is None, "that nothing is known at all is told already"


def test_hourly_prices_are_a_whole_tomorrow_too() -> None:
    assert PACE.complaint(local(16), series(dt_s=3600.0, tomorrow=24)) is None
    assert PACE.complaint(local(16), series(dt_s=3600.0, tomorrow=23)) is not None


def test_a_forecast_is_complained_about_when_it_is_old() -> None:
    pace = SteadyPace(3600.0, 6.0)
    weather = series()
    assert pace.wait_s(local(9), weather, 0) == 3600.0 and pace.wait_s(local(9), weather, 1) == 60.0
    assert pace.complaint(local(6), weather) is None and pace.complaint(local(6), None) is None
    assert pace.complaint(local(6, 30), weather) == "the forecast of X is 6.5 h old, limit 6 h"


def test_a_hole_in_what_is_left_of_today_is_complained_about_at_any_hour() -> None:
    half = series(tomorrow=0, holes=40)  # known until 14:00
    assert PACE.complaint(local(0, 5), half) == "56 of the 96 quarter hours that are left of 2026-06-14 have a price"
    said = PACE.complaint(local(14, 50), half)
    assert said == "0 of the 37 quarter hours that are left of 2026-06-14 have a price"
    assert PACE.complaint(local(14, 50), series(tomorrow=0)) is None
    assert "2026-06-15" in (PACE.complaint(local(9, day=date(2026, 6, 15)), series(tomorrow=90)) or ""), (
        "what was late yesterday is still missing today"
    )
