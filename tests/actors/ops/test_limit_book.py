"""The book of the grid operator's limits: each beginning, change and end is told once, with its own time."""

from __future__ import annotations

from datetime import datetime, timedelta

from actors.ops.limit_book import LimitBook, LimitFact
from models.types.operator import ImportLimit
from tests.actors.devices.bench import START

HOUR = timedelta(hours=1)
EVENING = ImportLimit(start=START + HOUR, end=START + 3 * HOUR, import_kw=4.2)
WITHIN = ImportLimit(start=START + 1.5 * HOUR, end=START + 2 * HOUR, import_kw=2.0, source="DSO")


def told(facts: tuple[LimitFact, ...]) -> list[tuple[str, float, datetime]]:
    return [(fact.what, fact.limit.import_kw, fact.at) for fact in facts]


def a_book() -> LimitBook:
    """One that was there from the beginning."""
    book = LimitBook()
    assert book.hear((), START - HOUR) == ()
    return book


def test_a_limit_is_announced_begins_and_ends_at_its_own_times_however_late_one_looks() -> None:
    book = a_book()
    assert told(book.hear((EVENING,), START)) == [("announced", 4.2, START)]
    assert book.look(START + HOUR / 2) == ()
    assert told(book.look(START + 5 * HOUR)) == [("began", 4.2, EVENING.start), ("ended", 4.2, EVENING.end)]
    assert book.hear((), START + 5 * HOUR) == () == book.look(START + 6 * HOUR), "forgotten is not lifted"


def test_a_stricter_one_within_changes_what_binds_and_its_end_changes_it_back() -> None:
    book = a_book()
    book.hear((EVENING, WITHIN), START)
    facts = book.look(START + 4 * HOUR)
    assert told(facts) == [
        ("began", 4.2, EVENING.start), ("changed", 2.0, WITHIN.start), ("changed", 4.2, WITHIN.end),
        ("ended", 4.2, EVENING.end),
    ]  # fmt: skip
    assert [fact.before for fact in facts] == [None, EVENING, WITHIN, None]


def test_a_limit_that_holds_at_once_is_announced_and_begins_and_lifting_it_ends_it() -> None:
    book = a_book()
    now = EVENING.start + HOUR
    assert told(book.hear((EVENING,), now)) == [("announced", 4.2, now), ("began", 4.2, now)]
    later = now + HOUR / 4
    assert told(book.hear((), later)) == [("lifted", 4.2, later), ("ended", 4.2, later)]


def test_a_limit_lifted_before_it_began_never_began() -> None:
    book = a_book()
    book.hear((EVENING,), START)
    assert told(book.hear((), START + HOUR / 2)) == [("lifted", 4.2, START + HOUR / 2)]
    assert book.look(START + 9 * HOUR) == ()


def test_what_ended_before_the_list_changed_is_told_first() -> None:
    book = a_book()
    book.hear((WITHIN,), START)
    now = WITHIN.end + HOUR / 10
    assert told(book.hear((EVENING,), now)) == [
        ("began", 2.0, WITHIN.start), ("ended", 2.0, WITHIN.end), ("announced", 4.2, now), ("began", 4.2, now),
    ]  # fmt: skip


def test_what_a_book_hears_first_is_known_and_not_news() -> None:
    book = LimitBook()
    now = EVENING.start + HOUR / 4
    assert book.look(now) == ()
    over = ImportLimit(start=START - HOUR, end=START, import_kw=1.0)
    assert told(book.hear((over, EVENING, WITHIN), now)) == [
        ("known", 4.2, now), ("known", 2.0, now), ("began", 4.2, EVENING.start),
    ]  # fmt: skip
    assert told(book.look(EVENING.end)) == [
        ("changed", 2.0, WITHIN.start), ("changed", 4.2, WITHIN.end), ("ended", 4.2, EVENING.end),
    ]  # fmt: skip
