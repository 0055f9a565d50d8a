"""Prices of a horizon: known as they are, stand-ins flagged, unknown never 0; days of 92, 96 and 100 quarters."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.planning.outlook import Outlook, price_outlook
from models.physics.tariff import export_price, import_price
from models.types.forecast import PriceSeries
from models.types.house import Tariff
from models.types.slots import day_slots, local_midnight
from tests.actors.planning.plans import prices

ZONE, TARIFF = ZoneInfo("Europe/Berlin"), Tariff()
MONDAY = local_midnight(date(2021, 2, 8), ZONE)


def look(series: PriceSeries, start: datetime = MONDAY, steps: int = 192) -> Outlook | None:
    return price_outlook(series, start=start, dt_s=900.0, steps=steps, tariff=TARIFF, zone=ZONE)


def spots(outlook: Outlook) -> list[float]:
    return [p + TARIFF.export_fee for p in outlook.price_export]


def test_known_prices_are_taken_as_they_are_negative_ones_too() -> None:
    spot = [0.1 * math.sin(i / 7) for i in range(192)]
    outlook = look(prices(spot, start=MONDAY))
    assert outlook is not None and all(outlook.known)
    assert spots(outlook) == pytest.approx(spot)
    assert min(outlook.price_export) < 0
    hours = [(MONDAY + timedelta(minutes=15 * i)).astimezone(ZONE).hour for i in range(192)]
    assert outlook.price_import == tuple(import_price(s, h, TARIFF) for s, h in zip(spot, hours, strict=True))
    assert outlook.price_export == tuple(export_price(s, TARIFF) for s in spot)


def test_beyond_publication_the_mean_of_the_same_quarter_of_the_last_seven_days_stands_in_and_is_flagged() -> None:
    days = 9
    spot = [d + q / 1000 for d in range(days) for q in range(96)]  # day and quarter can be read from the price
    outlook = look(prices(spot, start=MONDAY - timedelta(days=days)))
    assert outlook is not None and not any(outlook.known)
    assert spots(outlook)[5] == pytest.approx(sum(range(2, 9)) / 7 + 0.005)
    assert spots(outlook)[96 + 5] == pytest.approx(spots(outlook)[5]), "the same seven known days, one day further back"


@pytest.mark.parametrize("quarters", [2, 4])
def test_a_longer_slot_costs_the_mean_of_its_quarters_and_is_known_when_all_of_them_are(quarters: int) -> None:
    spot = [float(n % 8) for n in range(93)]  # the last slot is known in part
    outlook = price_outlook(
        prices(spot, start=MONDAY), start=MONDAY, dt_s=quarters * 900.0, steps=92 // quarters, tariff=TARIFF, zone=ZONE
    )
    assert outlook is not None and all(outlook.known)
    assert spots(outlook)[1] == pytest.approx(sum(range(quarters, 2 * quarters)) / quarters)
    week = prices([0.1 * (n % 2) for n in range(96 * 8 + 1)], start=MONDAY - timedelta(days=8))
    outlook = price_outlook(week, start=MONDAY, dt_s=quarters * 900.0, steps=2, tariff=TARIFF, zone=ZONE)
    assert outlook is not None and outlook.known == (False, False)
    assert spots(outlook) == pytest.approx([0.05, 0.05]), "the mean of a slot of other days stands in"


def test_one_known_day_is_enough_and_none_is_none() -> None:
    yesterday = prices([0.2] * 96, start=MONDAY - timedelta(days=1))
    outlook = look(yesterday)
    assert outlook is not None and spots(outlook) == pytest.approx([0.2] * 192)
    assert look(prices([], start=MONDAY)) is None
    assert look(prices([0.1] * 95, start=MONDAY - timedelta(days=1))) is None, "its last quarter was never known"


def test_a_hole_is_a_stand_in_and_not_zero() -> None:
    spot = [0.3] * 96 * 3
    spot[96 + 10] = math.nan
    outlook = look(prices(spot, start=MONDAY - timedelta(days=1)), steps=96)
    assert outlook is not None
    assert [i for i, k in enumerate(outlook.known) if not k] == [10]
    assert spots(outlook)[10] == pytest.approx(0.3)


@pytest.mark.parametrize(("day", "count"), [(date(2021, 3, 28), 92), (date(2021, 10, 31), 100), (date(2021, 6, 1), 96)])
def test_a_day_of_any_length_gets_the_same_wall_clock_quarters_of_the_days_before(day: date, count: int) -> None:
    start = local_midnight(day - timedelta(days=8), ZONE)
    end = local_midnight(day, ZONE)
    known = round((end - start).total_seconds() / 900)
    local = [(start + timedelta(minutes=15 * i)).astimezone(ZONE) for i in range(known)]
    outlook = look(prices([t.hour + t.minute / 100 for t in local], start=start), start=end, steps=count)
    assert outlook is not None and not any(outlook.known)
    slots = [t.astimezone(ZONE) for t in day_slots(day, ZONE)]
    assert len(slots) == count
    assert spots(outlook) == pytest.approx([t.hour + t.minute / 100 for t in slots])


def test_after_the_clocks_went_forward_the_missing_hour_of_that_day_is_not_looked_for_in_vain() -> None:
    day = date(2021, 3, 29)  # yesterday had no 02:30
    start = local_midnight(date(2021, 3, 28), ZONE)
    outlook = look(prices([0.1] * 92, start=start), start=local_midnight(day, ZONE), steps=96)
    assert outlook is not None and not any(math.isnan(p) for p in outlook.price_import)


maybe = st.floats(-0.5, 1.0) | st.just(math.nan)


@settings(max_examples=60)
@given(st.lists(maybe, max_size=400), st.integers(0, 400), st.integers(1, 200))
def test_whatever_is_known_no_price_of_an_outlook_is_missing(spot: list[float], back: int, steps: int) -> None:
    start = datetime(2021, 2, 8, tzinfo=UTC)
    series = prices(spot, start=start - timedelta(minutes=15 * back))
    outlook = look(series, start=start, steps=steps)
    if outlook is None:
        return
    assert len(outlook.price_import) == len(outlook.price_export) == len(outlook.known) == steps
    assert all(map(math.isfinite, (*outlook.price_import, *outlook.price_export)))
    for i, known in enumerate(outlook.known):
        assert known is (series.at(start + timedelta(minutes=15 * i)) is not None)


def test_a_careful_owner_plans_unpublished_hours_at_the_worst_of_a_week_and_published_ones_as_they_are() -> None:
    days = [[0.1] * 96, [0.3] * 96, [0.2] * 96]
    series = prices([p for day in days for p in day], start=MONDAY - timedelta(days=2))

    def at(caution: float) -> tuple[float, float, float]:
        found = price_outlook(
            series, start=MONDAY, dt_s=900.0, steps=192, tariff=TARIFF, zone=ZONE, caution=caution
        )
        assert found is not None and (found.known[0], found.known[-1]) == (True, False)
        return found.price_import[0], found.price_import[-1], found.price_export[-1]

    trusting, careful, middling = at(0.0), at(1.0), at(0.5)
    assert trusting[0] == careful[0], "what is published is no band"
    assert careful[1] == import_price(0.3, 23, TARIFF) and careful[2] == export_price(0.1, TARIFF)
    assert trusting[1] == pytest.approx(import_price(0.2, 23, TARIFF))
    assert trusting[1] < middling[1] < careful[1] and trusting[2] > middling[2] > careful[2]
