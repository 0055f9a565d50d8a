"""From duty to relay: the heat is delivered, minimum times are kept, and rooms do not switch together."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.planning.pulses import BAND_SHARE, DEBT_LIMIT_BANDS, Pulses

MIN_S = 600.0
BAND_S = MIN_S * BAND_SHARE


class Relay:
    """A relay that obeys its minimum times, as the gate makes it."""

    def __init__(self, tick_s: float, phase: float = 0.5) -> None:
        self.pulses, self.tick_s = Pulses(MIN_S, phase), tick_s
        self.on, self.since_s, self.at_s = False, -1e9, 0.0
        self.on_s, self.planned_s, self.early = 0.0, 0.0, 0
        self.starts: list[float] = []

    def run(self, duty: float, seconds: float) -> None:
        for _ in range(round(seconds / self.tick_s)):
            wanted = self.pulses.wanted(duty, self.on)
            if wanted is not self.on:
                if self.at_s - self.since_s < MIN_S:
                    self.early += 1
                else:
                    self.on, self.since_s = wanted, self.at_s
                    if wanted:
                        self.starts.append(self.at_s)
            self.pulses.delivered(duty, self.on, self.tick_s)
            self.on_s += self.tick_s * self.on
            self.planned_s += self.tick_s * duty
            self.at_s += self.tick_s

    @property
    def owed_s(self) -> float:
        return self.planned_s - self.on_s

    def most_starts_in_an_hour(self) -> int:
        return max((sum(0 <= t - s < 3600 for t in self.starts) for s in self.starts), default=0)


ticks = st.sampled_from([10.0, 30.0, 60.0, 120.0])
interior = st.floats(0.02, 0.98)


@settings(max_examples=60)
@given(interior, ticks, st.floats(0.0, 1.0))
def test_a_constant_duty_is_delivered_within_one_band_over_hours(duty: float, tick_s: float, phase: float) -> None:
    relay = Relay(tick_s, phase)
    relay.run(duty, 12 * 3600)
    assert abs(relay.owed_s) <= BAND_S + 2 * tick_s
    assert relay.early == 0, "it asks for no switch before the minimum time is over"


@settings(max_examples=60)
@given(st.lists(interior, min_size=4, max_size=48), ticks)
def test_duties_that_change_every_slot_keep_minimum_times_by_themselves(duties: list[float], tick_s: float) -> None:
    relay = Relay(tick_s)
    for duty in duties:
        relay.run(duty, 900)
    assert relay.early == 0
    assert abs(relay.owed_s) <= BAND_S + 2 * tick_s
    assert relay.most_starts_in_an_hour() <= 4


@settings(max_examples=60)
@given(st.lists(st.sampled_from([0.0, 0.0, 1.0, 0.1, 0.5, 0.9, 0.33]), min_size=4, max_size=60), ticks)
def test_with_slots_of_all_and_nothing_the_heat_still_comes_and_starts_stay_rare(
    duties: list[float], tick_s: float
) -> None:
    relay = Relay(tick_s)
    for duty in duties:
        relay.run(duty, 900)
    assert abs(relay.owed_s) <= DEBT_LIMIT_BANDS * BAND_S + 2 * tick_s
    assert relay.most_starts_in_an_hour() <= 4


def test_full_duty_never_rests_and_no_duty_never_heats() -> None:
    relay = Relay(30.0)
    relay.run(1.0, 6 * 3600)
    assert relay.on_s >= 6 * 3600 - 60 and len(relay.starts) == 1
    relay = Relay(30.0)
    relay.run(0.0, 6 * 3600)
    assert relay.on_s == 0.0


def test_a_stop_of_the_duty_ends_the_heating_at_once_unless_heat_is_owed() -> None:
    pulses = Pulses(MIN_S, 0.5)
    assert pulses.wanted(0.0, True) is False
    pulses.debt_s = BAND_S
    assert pulses.wanted(0.0, True) is True


def test_what_could_not_be_delivered_for_hours_is_not_chased_for_ever() -> None:
    relay = Relay(30.0)
    for _ in range(6 * 120):
        relay.pulses.delivered(0.5, False, 30.0)  # the fuse keeps it off
    relay.run(0.0, 4 * 3600)
    assert relay.on_s <= (DEBT_LIMIT_BANDS + 0.6) * BAND_S


def test_an_unknown_duty_leaves_the_relay_as_it_is() -> None:
    for on in (True, False):
        assert Pulses(MIN_S, 0.5).wanted(math.nan, on) is on


def test_rooms_of_the_same_duty_do_not_start_together() -> None:
    relays = [Relay(30.0, (i * 0.618) % 1.0) for i in range(17)]
    for relay in relays:
        relay.run(0.3, 4 * 3600)
    firsts = [r.starts[0] for r in relays]
    assert max(firsts.count(t) for t in firsts) <= 3


@pytest.mark.parametrize(("min_s", "starts_per_h"), [(0.0, 4), (60.0, 4), (60.0, 1), (1800.0, 4), (60.0, 12)])
@pytest.mark.parametrize("duty", [0.1, 0.4, 0.5])
def test_whatever_the_minimum_times_the_allowed_starts_suffice(min_s: float, starts_per_h: int, duty: float) -> None:
    pulses, on, on_s, starts = Pulses(min_s, 0.5, starts_per_h), False, 0.0, 0
    for _ in range(24 * 360):
        wanted = pulses.wanted(duty, on)
        starts += wanted and not on
        on = wanted
        pulses.delivered(duty, on, 10.0)
        on_s += 10.0 * on
    assert starts <= 24 * starts_per_h
    band_s = max(min_s, 900.0 / starts_per_h) * BAND_SHARE
    assert on_s == pytest.approx(duty * 24 * 3600, abs=band_s + 20)
