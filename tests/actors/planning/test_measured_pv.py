"""What the roofs gave in the last hours: whole quarter hours only, and unknown where the limit may have held them."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from actors.planning.measured_pv import MeasuredPv

NOON = datetime(2021, 5, 17, 12, tzinfo=UTC)


def seen(*readings: tuple[float, float, bool]) -> MeasuredPv:
    made = MeasuredPv()
    for minute, kw, curtailed in readings:
        made.see(NOON + timedelta(minutes=minute), kw, curtailed=curtailed)
    return made


def test_a_quarter_hour_is_told_once_it_is_over_as_the_mean_of_its_readings() -> None:
    assert seen((0, 2.0, False), (10, 4.0, False)).history() is None
    told = seen((0, 2.0, False), (10, 4.0, False), (15, 9.0, False)).history()
    assert told is not None and told.kw[-1] == 3.0
    assert told.start == NOON - timedelta(minutes=165) and len(told.kw) == 12


def test_a_quarter_hour_with_one_reading_that_may_have_been_curtailed_is_unknown() -> None:
    told = seen((0, 2.0, False), (10, 0.5, True), (15, 3.0, False), (30, 3.0, False)).history()
    assert told is not None and math.isnan(told.kw[-2]) and told.kw[-1] == 3.0


def test_a_gap_between_quarter_hours_stays_a_gap() -> None:
    told = seen((0, 2.0, False), (45, 3.0, False), (60, 1.0, False)).history()
    assert told is not None
    assert told.kw[-4] == 2.0 and all(math.isnan(kw) for kw in told.kw[-3:-1]) and told.kw[-1] == 3.0


def test_what_is_older_than_three_hours_is_not_told() -> None:
    told = seen(*((15.0 * n, float(n), False) for n in range(30))).history()
    assert told is not None and told.kw == tuple(float(n) for n in range(17, 29))
