"""Times that a person names: one meaning for `limit`, `explain` and all others, also on the days when clocks change."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from models.errors import ConfigError
from pems_actors.moments import check, last_occurrence, moment

PRAGUE = ZoneInfo("Europe/Prague")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


NOON = utc("2021-02-08T11:00")  # 12:00 in Prague


@pytest.mark.parametrize(
    ("text", "now", "at"),
    [
        ("18:00", "2021-02-08T11:00", "2021-02-08T17:00"),
        ("7:30", "2021-02-08T11:00", "2021-02-09T06:30"),
        ("12:00", "2021-02-08T11:00", "2021-02-08T11:00"),
        ("11:59", "2021-02-08T11:00", "2021-02-09T10:59"),
        ("tomorrow 18:00", "2021-02-08T11:00", "2021-02-09T17:00"),
        ("today  7:30", "2021-02-08T11:00", "2021-02-08T06:30"),
        ("2021-02-10 06:00", "2021-02-08T11:00", "2021-02-10T05:00"),
        ("2021-07-10T06:00", "2021-02-08T11:00", "2021-07-10T04:00"),
        ("2021-02-10T06:00Z", "2021-02-08T11:00", "2021-02-10T06:00"),
        ("2021-02-10T06:00:30+02:00", "2021-02-08T11:00", "2021-02-10T04:00:30"),
        # the day after the clocks change
        ("6:00", "2021-03-27T20:00", "2021-03-28T04:00"),
        ("6:00", "2021-10-30T20:00", "2021-10-31T05:00"),
        # the night to 28 March has no 2:30; it comes when 2:30 would have been
        ("2:30", "2021-03-27T23:00", "2021-03-28T01:30"),
        ("tomorrow 2:30", "2021-03-27T20:00", "2021-03-28T01:30"),
        ("2021-03-28T02:30", "2021-03-27T20:00", "2021-03-28T01:30"),
        ("3:00", "2021-03-27T23:00", "2021-03-28T01:00"),
        # the night to 31 October has it twice: the next one to come
        ("2:30", "2021-10-30T22:00", "2021-10-31T00:30"),
        ("2:30", "2021-10-31T00:31", "2021-10-31T01:30"),
        ("today 2:30", "2021-10-31T00:31", "2021-10-31T01:30"),
        ("2021-10-31T02:30", "2021-10-31T00:31", "2021-10-31T01:30"),
        ("2021-10-31T02:30", "2021-10-30T20:00", "2021-10-31T00:30"),
        ("tomorrow 2:30", "2021-10-30T20:00", "2021-10-31T00:30"),
        ("2:30", "2021-10-31T01:31", "2021-11-01T01:30"),
        ("today 2:30", "2021-10-31T09:00", "2021-10-31T00:30"),
    ],
)
def test_a_time_is_of_the_houses_clocks_and_a_time_of_day_the_next_one(text: str, now: str, at: str) -> None:
    found = moment("--at", text, now=utc(now), zone=PRAGUE)
    assert found == utc(at) and found.tzinfo is UTC


def test_a_time_of_day_may_be_asked_for_after_another_time_and_tomorrow_stays_tomorrow() -> None:
    after = utc("2021-02-10T12:00")
    assert moment("--until", "18:00", now=NOON, zone=PRAGUE, after=after) == utc("2021-02-10T17:00")
    assert moment("--until", "tomorrow 18:00", now=NOON, zone=PRAGUE, after=after) == utc("2021-02-09T17:00")


@pytest.mark.parametrize(
    ("text", "now", "at"),
    [
        ("8:00", "2021-02-08T11:00", "2021-02-08T07:00"),
        ("12:00", "2021-02-08T11:00", "2021-02-08T11:00"),
        ("18:00", "2021-02-08T11:00", "2021-02-07T17:00"),
        ("10:00", "2021-03-28T08:19", "2021-03-28T08:00"),  # 23 h after the one before
        ("2:30", "2021-10-31T01:29", "2021-10-31T00:30"),
        ("2:30", "2021-10-31T01:31", "2021-10-31T01:30"),
    ],
)
def test_the_last_time_of_day_is_at_or_before_now(text: str, now: str, at: str) -> None:
    assert last_occurrence("--from", text, now=utc(now), zone=PRAGUE) == utc(at)


@pytest.mark.parametrize("text", ["today 8:00", "tomorrow 8:00", "2021-02-08T08:00"])
def test_a_time_of_a_certain_day_has_no_last_occurrence(text: str) -> None:
    assert last_occurrence("--from", text, now=NOON, zone=PRAGUE) is None


@pytest.mark.parametrize(
    "text",
    ["", "24:00", "25:00", "7", "17", "7:5", "5pm", "17:60", "-1:00", "noon", "tomorrow", "2021-02-08", "20210208T1000",
     "2021-13-01T00:00", "2021-02-30T10:00", "18:00:00:00"],
)  # fmt: skip
def test_what_is_no_time_is_refused(text: str) -> None:
    for refuse in (lambda: moment("--at", text, now=NOON, zone=PRAGUE), lambda: check("--at", text)):
        with pytest.raises(ConfigError, match="^--at .* is no time; write it as 18:00"):
            refuse()
