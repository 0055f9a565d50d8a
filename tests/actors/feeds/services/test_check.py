"""What counts as a day of prices, and what is refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from actors.feeds.services.check import DayPrices, QuotedDay, day_prices
from models.errors import DataError
from models.types.slots import local_midnight

PRAGUE = ZoneInfo("Europe/Prague")
DAY = date(2026, 6, 14)
NOW = datetime(2026, 6, 13, 11, tzinfo=UTC)


def quoted(day: date = DAY, *, step_s: float = 900.0, unit: str = "EUR/MWh", of: Callable[[int], float] | None = None,
           n: int | None = None) -> QuotedDay:  # fmt: skip
    """A day of 20 .. 115 EUR/MWh."""
    start, end = local_midnight(day, PRAGUE), local_midnight(day + timedelta(days=1), PRAGUE)
    count = n if n is not None else round((end - start).total_seconds() / step_s)
    value = of or (lambda i: 20.0 + i)
    points = tuple((start + timedelta(seconds=step_s * i), value(i)) for i in range(count))
    return QuotedDay(source="X", unit=unit, step_s=step_s, points=points)


def checked(day: QuotedDay, on: date = DAY, **how: object) -> DayPrices:
    return day_prices(day, on, PRAGUE, fetched=NOW, **how)  # type: ignore[arg-type]


def refused(day: QuotedDay, says: str, on: date = DAY, **how: object) -> None:
    with pytest.raises(DataError, match=says) as caught:
        checked(day, on, **how)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("day", "slots"), [(DAY, 96), (date(2026, 3, 29), 92), (date(2026, 10, 25), 100), (date(2028, 2, 29), 96)]
)
def test_a_day_has_92_96_or_100_quarter_hours(day: date, slots: int) -> None:
    prices = checked(quoted(day), day)
    assert len(prices.eur_per_kwh) == prices.known == slots and prices.whole
    assert prices.start == local_midnight(day, PRAGUE) and prices.start.tzinfo is UTC
    assert prices.eur_per_kwh[:3] == (0.020, 0.021, 0.022)


@pytest.mark.parametrize(("day", "hours"), [(DAY, 24), (date(2026, 3, 29), 23), (date(2026, 10, 25), 25)])
def test_an_hour_is_four_equal_quarters(day: date, hours: int) -> None:
    prices = checked(quoted(day, step_s=3600.0), day)
    assert len(prices.eur_per_kwh) == 4 * hours and prices.whole
    assert prices.eur_per_kwh[4:8] == (0.021,) * 4


def test_half_a_day_is_half_known_and_the_rest_is_unknown_not_zero() -> None:
    prices = checked(quoted(n=48))
    assert prices.known == 48 and not prices.whole
    assert all(map(math.isnan, prices.eur_per_kwh[48:]))


def test_a_hole_in_the_middle_stays_a_hole() -> None:
    whole = quoted()
    prices = checked(replace(whole, points=whole.points[:10] + whole.points[12:]))
    assert prices.known == 94 and math.isnan(prices.eur_per_kwh[10]) and prices.eur_per_kwh[12] == 0.032


def test_negative_prices_are_kept() -> None:
    prices = checked(quoted(of=lambda i: -120.0 if 40 <= i < 60 else 60.0))
    assert prices.eur_per_kwh[40] == -0.12 and prices.whole


@pytest.mark.parametrize("unit", ["EUR/MWh", "EUR / MWh", "eur/mwh", "EUR/kWh"])
def test_units_are_understood_in_the_ways_services_write_them(unit: str) -> None:
    scale = 1000.0 if unit.lower().endswith("mwh") else 1.0
    assert checked(quoted(unit=unit, of=lambda i: 0.05 * scale + i * 1e-6)).eur_per_kwh[0] == pytest.approx(0.05)


def test_another_currency_is_refused_without_a_rate_and_converted_with_one() -> None:
    crowns = quoted(unit="CZK/MWh", of=lambda i: 2000.0 + i)
    refused(crowns, "prices are in CZK, EUR is expected")
    assert checked(crowns, per_eur={"CZK": 25.0}).eur_per_kwh[0] == pytest.approx(0.08)
    refused(crowns, "in CZK", per_eur={"CZK": 0.0})
    refused(crowns, "in CZK", per_eur={"CZK": math.nan})


@pytest.mark.parametrize("unit", ["", "MWh", "EUR", "EUR/GJ", "EURO/MWh", "%"])
def test_an_unknown_unit_is_refused(unit: str) -> None:
    refused(quoted(unit=unit), "unit .* is not known")


def test_eur_per_mwh_taken_for_eur_per_kwh_is_refused() -> None:
    refused(quoted(unit="EUR/kWh"), "20 EUR/kWh .* outside -5 .. 15")
    refused(quoted(unit="EUR/kWh", of=lambda i: 3.0 + i / 100), "median of 2026-06-14 is 3.475 EUR/kWh")
    refused(quoted(unit="EUR/kWh", of=lambda i: -2.0), "median .* is -2")


def test_eur_per_kwh_taken_for_eur_per_mwh_is_refused() -> None:
    refused(quoted(of=lambda i: 0.02 + i / 1000), "no price of 2026-06-14 exceeds 0.000115 EUR/kWh")


def test_crowns_that_call_themselves_euro_are_refused() -> None:
    refused(quoted(of=lambda i: 2500.0 + i), "median .* another currency")


def test_a_calm_market_is_believed_after_a_calm_day_or_when_told_so() -> None:
    calm = quoted(of=lambda i: i / 100)
    refused(calm, "exceeds 0.00095")
    yesterday = checked(quoted(date(2026, 6, 13), of=lambda i: 10.0 + i / 100), date(2026, 6, 13))
    assert checked(calm, before=yesterday).whole
    assert checked(calm, quietest_peak_eur_per_kwh=0.0).whole
    lively = checked(quoted(date(2026, 6, 13)), date(2026, 6, 13))
    refused(calm, "exceeds", before=lively)


def test_a_few_calm_hours_are_too_little_to_judge_by() -> None:
    assert checked(quoted(of=lambda i: 0.1, n=16)).known == 16


def test_a_slot_told_twice_alike_counts_once_and_told_differently_is_refused() -> None:
    once = quoted()
    assert checked(replace(once, points=once.points * 2)).whole
    other = tuple((at, value + 1.0) for at, value in once.points)
    refused(replace(once, points=once.points + other), "two prices of 2026-06-13 22:00 UTC, 0.02 and 0.021")


def test_the_day_before_under_a_new_date_is_refused() -> None:
    yesterday = checked(quoted(date(2026, 6, 13)), date(2026, 6, 13))
    refused(quoted(), "2026-06-14 has the very prices of 2026-06-13, all 96", before=yesterday)
    flat = checked(quoted(date(2026, 6, 13), of=lambda i: 50.0), date(2026, 6, 13))
    assert checked(quoted(of=lambda i: 50.0), before=flat).whole, "a flat price may well stay"
    assert checked(quoted(), before=checked(quoted(date(2026, 6, 12)), date(2026, 6, 12))).whole


def test_prices_of_another_day_or_off_the_grid_are_refused() -> None:
    refused(quoted(date(2026, 6, 13)), "in the answer about 2026-06-14")
    late = quoted()
    refused(replace(late, points=((late.points[0][0] + timedelta(seconds=60), 50.0),)), "off the grid of 900 s")
    refused(replace(quoted(), step_s=1200.0), "slots of 1200 s")
