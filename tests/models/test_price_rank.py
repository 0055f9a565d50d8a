"""The cheapest and dearest fifth of local days of every length, with ties and with unknown prices."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.price_rank import cheapest_fifth, dearest_fifth
from models.types.slots import day_slots

BERLIN = ZoneInfo("Europe/Berlin")
DAY = date(2021, 2, 8)


def slots(day: date = DAY) -> list[datetime]:
    return list(day_slots(day, BERLIN))


def in_fifth(ranked: dict[datetime, bool]) -> list[datetime]:
    return [at for at, is_in in ranked.items() if is_in]


@pytest.mark.parametrize(
    ("day", "length", "fifth"), [(date(2021, 3, 28), 92, 18), (DAY, 96, 19), (date(2021, 10, 31), 100, 20)]
)
def test_a_fifth_is_never_more_than_a_fifth_of_short_and_long_days(day: date, length: int, fifth: int) -> None:
    times = slots(day)
    assert len(times) == length

    ranked = cheapest_fifth({at: 0.1 + 0.001 * i for i, at in enumerate(times)}, BERLIN)

    assert in_fifth(ranked) == times[:fifth]
    assert len(ranked) == length


def test_days_are_local_and_each_is_ranked_by_itself() -> None:
    cheap_day, dear_day = slots(), slots(date(2021, 2, 9))
    assert cheap_day[0] == datetime(2021, 2, 7, 23, tzinfo=UTC)
    prices = {at: 0.1 + 0.001 * i for i, at in enumerate(cheap_day)}
    prices |= {at: 9.9 - 0.001 * i for i, at in enumerate(dear_day)}

    assert in_fifth(cheapest_fifth(prices, BERLIN)) == cheap_day[:19] + dear_day[-19:]


def test_a_slot_at_the_price_of_the_last_one_in_the_fifth_is_in_too() -> None:
    """Eight hours of low tariff: nobody could have bought cheaper than in any of them."""
    times = slots()

    assert in_fifth(cheapest_fifth({at: 0.1 if i < 32 else 0.3 for i, at in enumerate(times)}, BERLIN)) == times[:32]


@pytest.mark.parametrize("low", [0, 39, 80, 96])
def test_a_tariff_that_is_flat_or_low_for_most_of_the_day_tells_nothing(low: int) -> None:
    assert cheapest_fifth({at: 0.1 if i < low else 0.3 for i, at in enumerate(slots())}, BERLIN) == {}


def test_an_unknown_price_is_neither_cheap_nor_in_the_count() -> None:
    times = slots()
    prices = {at: math.nan if i < 46 else 0.001 * i for i, at in enumerate(times)}

    ranked = cheapest_fifth(prices, BERLIN)

    assert in_fifth(ranked) == times[46:56], "a fifth of the fifty that are known"
    assert times[0] not in ranked


def test_a_day_of_which_less_than_half_is_known_tells_nothing() -> None:
    assert cheapest_fifth({at: 0.001 * i for i, at in enumerate(slots()[:47])}, BERLIN) == {}
    assert len(cheapest_fifth({at: 0.001 * i for i, at in enumerate(slots()[:48])}, BERLIN)) == 48


def test_no_prices_tell_nothing() -> None:
    assert cheapest_fifth({}, BERLIN) == {}


@given(st.lists(st.sampled_from([math.nan, -0.05, 0.0, 0.05, 0.1, 0.2, 0.3, 0.4]), min_size=96, max_size=96))
def test_no_slot_outside_the_fifth_is_cheaper_than_one_inside(values: list[float]) -> None:
    prices = dict(zip(slots(), values, strict=True))

    ranked = cheapest_fifth(prices, BERLIN)

    inside = [prices[at] for at in in_fifth(ranked)]
    outside = [prices[at] for at, is_in in ranked.items() if not is_in]
    assert not ranked or (inside and outside and max(inside) < min(outside))
    assert len(inside) <= 0.4 * len(ranked)
    assert len(inside) >= math.floor(0.2 * len(ranked))


@given(st.lists(st.floats(-0.5, 1.0), min_size=96, max_size=96))
def test_the_dearest_fifth_is_the_cheapest_of_prices_turned_over(values: list[float]) -> None:
    prices = dict(zip(slots(), values, strict=True))

    assert dearest_fifth(prices, BERLIN) == cheapest_fifth({at: -price for at, price in prices.items()}, BERLIN)
