"""A signal is believed while it is young, and after silence only when it has spoken three times."""

from __future__ import annotations

from actors.gate.freshness import Freshness


def heard(*times_s: float) -> Freshness:
    fresh = Freshness({"meter": 10.0})
    for at_s in times_s:
        fresh.seen("meter", at_s)
    return fresh


def test_a_signal_never_heard_is_stale_and_so_is_one_that_does_not_exist() -> None:
    assert heard().stale(("meter", "moon"), 0.0) == ("meter", "moon")
    assert heard().age_s("meter", 5.0) is None and heard().age_s("moon", 5.0) is None
    assert heard().names() == ("meter",)


def test_three_samples_in_a_row_are_believed_until_they_are_too_old() -> None:
    assert heard(0.0, 1.0).stale(("meter",), 1.0) == ("meter",)
    fresh = heard(0.0, 1.0, 2.0)
    assert fresh.stale(("meter",), 12.0) == () and fresh.stale(("meter",), 12.1) == ("meter",)
    assert fresh.age_s("meter", 5.0) == 3.0


def test_after_silence_the_count_begins_again() -> None:
    fresh = heard(0.0, 1.0, 2.0, 13.0, 14.0)
    assert fresh.stale(("meter",), 14.0) == ("meter",)
    fresh.seen("meter", 15.0)
    assert fresh.stale(("meter",), 15.0) == ()


def test_signals_nobody_asked_for_are_passed_over() -> None:
    fresh = heard(0.0, 1.0, 2.0)
    fresh.seen("moon", 2.0)
    assert fresh.stale(("meter",), 2.0) == ()
