"""Prices appear when the market publishes them, a whole local day at a time, and never before."""

from __future__ import annotations

import math
import random
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.feeds.recorded import RecordedPrices, TruePrices
from models.errors import DataError
from models.types.slots import day_slots, local_midnight
from tests.actors.feeds.conftest import BERLIN, PRICES


def local(year: int, month: int, day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=BERLIN).astimezone(UTC)


CLOCK_CHANGES = [date(2021, 3, 27), date(2021, 3, 28), date(2021, 10, 30), date(2021, 10, 31)]


@pytest.mark.parametrize("day", [date(2021, 2, 8), *CLOCK_CHANGES])
def test_tomorrow_appears_at_13_00_local_also_when_the_clocks_change(day: date, prices: RecordedPrices) -> None:
    one = datetime.combine(day, time(13), tzinfo=BERLIN).astimezone(UTC)
    before, after = prices.known_at(one - timedelta(seconds=1)), prices.known_at(one)
    assert before.end == local_midnight(day + timedelta(days=1), BERLIN)
    assert after.end == local_midnight(day + timedelta(days=2), BERLIN)
    assert after.issued == one
    assert before.issued == datetime.combine(day - timedelta(days=1), time(13), tzinfo=BERLIN)
    midnight = local_midnight(day + timedelta(days=1), BERLIN)
    assert prices.known_at(midnight).end == after.end, "midnight tells nothing new"


@pytest.mark.parametrize(("day", "slots"), [(date(2021, 3, 28), 92), (date(2021, 6, 1), 96), (date(2021, 10, 31), 100)])
def test_a_market_day_has_92_96_or_100_quarter_hours(day: date, slots: int, prices: RecordedPrices) -> None:
    eve = datetime.combine(day - timedelta(days=1), time(14), tzinfo=BERLIN)
    series = prices.known_at(eve)
    midnight = local_midnight(day, BERLIN)
    assert (series.end - midnight) / timedelta(minutes=15) == slots == len(list(day_slots(day, BERLIN)))
    hours = {series.at(midnight + timedelta(hours=h, minutes=m)) for h in (5,) for m in (0, 15, 30, 45)}
    assert len(hours) == 1, "an hourly price holds for its four quarters"


def test_the_values_are_those_of_the_record_and_negative_ones_stay(prices: RecordedPrices) -> None:
    series = prices.known_at(local(2021, 1, 2, 12))
    assert series.at(datetime(2020, 12, 31, 23, tzinfo=UTC)) == 0.05087
    assert series.at(datetime(2021, 1, 1, 0, 45, tzinfo=UTC)) == 0.04819
    may = prices.known_at(local(2021, 5, 23, 12))
    assert min(v for v in may.spot_eur_per_kwh if not math.isnan(v)) < -0.05


def test_a_day_the_record_lacks_is_unknown_never_zero(prices: RecordedPrices) -> None:
    series = prices.known_at(local(2021, 4, 30, 12))
    gone = [series.at(at) for at in day_slots(date(2021, 4, 30), BERLIN)]
    assert gone == [None] * 96
    assert series.at(local(2021, 4, 29, 23, 45)) is not None
    autumn = prices.known_at(local(2021, 10, 31, 12))
    assert [autumn.at(datetime(2021, 10, 31, 1, m, tzinfo=UTC)) for m in (0, 45)] == [None, None]


def test_history_reaches_back_as_asked_and_no_further_than_the_record(prices: RecordedPrices) -> None:
    assert prices.known_at(local(2021, 6, 20, 9)).start == local_midnight(date(2021, 6, 6), BERLIN)
    assert prices.known_at(local(2021, 1, 3, 9)).start == prices.start
    short = RecordedPrices(PRICES, BERLIN, history_days=1)
    assert short.known_at(local(2021, 6, 20, 9)).start == local_midnight(date(2021, 6, 19), BERLIN)


def test_the_last_day_of_the_record_has_no_tomorrow(prices: RecordedPrices) -> None:
    assert prices.known_at(local(2021, 12, 31, 20)).end == prices.end == local_midnight(date(2022, 1, 1), BERLIN)


@pytest.mark.parametrize("now", [local(2020, 12, 30, 10), local(2022, 1, 1, 0), local(2022, 1, 5, 14)])
def test_a_time_outside_the_record_is_refused_in_one_line(now: datetime, prices: RecordedPrices) -> None:
    with pytest.raises(DataError, match=r"no prices from .*the record is 2020-12-31 to 2021-12-31; start within"):
        prices.known_at(now)


def test_perfect_foresight_sees_days_ahead_of_publication(prices: RecordedPrices) -> None:
    now = local(2021, 2, 8, 0)
    ahead = TruePrices(prices, ahead_days=4).known_at(now)
    assert ahead.end == now + timedelta(days=4)
    known = prices.known_at(now)
    assert ahead.start == known.start
    assert ahead.spot_eur_per_kwh[: len(known.spot_eur_per_kwh)] == known.spot_eur_per_kwh


def record(path: Path, seed: int, other_from: datetime | None = None) -> Path:
    """Twelve days of hourly prices around the change to summer time; other values from `other_from` on."""
    rng, other = random.Random(seed), random.Random(seed + 1)
    rows, at = ["time_utc,spot_eur_per_kwh"], datetime(2021, 3, 21, 23, tzinfo=UTC)
    for _ in range(12 * 24):
        value, instead = rng.uniform(-0.05, 0.3), other.uniform(0.3, 0.6)
        rows.append(f"{at.isoformat()},{instead if other_from and at >= other_from else value:.5f}")
        at += timedelta(hours=1)
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


@settings(max_examples=40)
@given(minutes=st.integers(0, 9 * 1440), seed=st.integers(0, 5))
def test_nothing_published_after_now_can_be_seen_at_now(
    minutes: int, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    now = datetime(2021, 3, 22, tzinfo=UTC) + timedelta(minutes=minutes)
    today = now.astimezone(BERLIN).date()
    published = 1 if now.astimezone(BERLIN).time() >= time(13) else 0
    unknown_from = local_midnight(today + timedelta(days=1 + published), BERLIN)
    folder = tmp_path_factory.mktemp("prices")
    one = RecordedPrices(record(folder / "one.csv", seed), BERLIN)
    two = RecordedPrices(record(folder / "two.csv", seed, unknown_from), BERLIN)
    assert one.known_at(now).spot_eur_per_kwh == two.known_at(now).spot_eur_per_kwh
    assert one.known_at(now).issued <= now
    assert one.known_at(now).end == unknown_from, "and everything published is there"
