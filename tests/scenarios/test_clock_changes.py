"""Days of 92 and of 100 quarter hours: plans, bands, prices and slots keep their instants."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

import config
from actors.feeds.recorded import RecordedPrices
from config.schema import DataFiles
from models.types.slots import local_midnight
from tests.scenarios.home import DISPATCHER, HALL, LIVING, MODE, Home

ZONE = ZoneInfo("Europe/Berlin")
SPRING, AUTUMN = date(2021, 3, 28), date(2021, 10, 31)


def a_night(day: date) -> Home:
    """From an hour before midnight of a day on which the clocks change, under the prices of that day."""
    market = RecordedPrices(DataFiles().at(Path(config.__path__[0])).prices, ZONE)
    start = local_midnight(day, ZONE) - timedelta(hours=1)
    return Home(start=start, prices=market.known_at, temp_c=-2.0).start()


@pytest.mark.parametrize(("day", "quarters"), [(SPRING, 92), (AUTUMN, 100)])
def test_on_the_day_of_a_clock_change_every_plan_and_band_keeps_its_instant(day: date, quarters: int) -> None:
    home = a_night(day)
    midnight, next_midnight = local_midnight(day, ZONE), local_midnight(day + timedelta(days=1), ZONE)
    assert (next_midnight - midnight) / timedelta(minutes=15) == quarters
    home.run_until(midnight + timedelta(hours=6))
    problem = home.plans[-1].problem
    starts = [problem.start + timedelta(hours=problem.dt_h * i) for i in range(len(problem.price_import))]
    prices = home.prices(home.clock.now())
    tariff = home.house.tariff
    for start, sure, sell in zip(starts, problem.price_known, problem.price_export, strict=True):
        at = prices.at(start)
        assert sure is (at is not None)
        assert at is None or sell == pytest.approx(at - tariff.export_fee)
    hall = next(room for room in problem.rooms if room.name == "hall")
    for start, lower in zip(starts, hall.lower_c, strict=True):
        ends = (start + timedelta(minutes=15)).astimezone(ZONE)
        by_day = home.house.day_starts_h <= ends.hour + ends.minute / 60 < home.house.day_ends_h
        assert lower == pytest.approx((19.0 if by_day else 18.0) + 0.15), ends
    assert [p.problem.start for p in home.plans] == sorted({p.problem.start for p in home.plans})
    slots = {p.problem.start.minute for p in home.plans}
    assert slots <= {0, 15, 30, 45}
    assert home.output(HALL)["holder"] == home.output(LIVING)["holder"] == DISPATCHER
    assert home.output(MODE)["holder"] == DISPATCHER
    assert home.alarms == []
    home.sound()


def test_an_override_across_a_clock_change_lasts_as_long_as_was_asked() -> None:
    home = a_night(AUTUMN)
    at_one = datetime(2021, 10, 31, 0, 30, tzinfo=UTC)  # 02:30 summer time; an hour later it is 02:30 again
    home.run_until(at_one)
    home.override(HALL, "off", ttl_s=3600)
    home.run(3500)
    assert home.clock.now().astimezone(ZONE).hour == 2 and home.output(HALL)["holder"] == "user"
    home.run(300)
    assert home.output(HALL)["holder"] == DISPATCHER
    home.sound()
