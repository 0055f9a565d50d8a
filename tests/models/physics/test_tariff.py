"""Prices at the meter: fees, distribution by local hour, VAT on imports only, and unknown stays unknown."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from models.errors import DataError
from models.physics.tariff import export_price, export_prices, import_price, import_prices
from models.types.house import Tariff

TARIFF = Tariff()
ZONE = ZoneInfo("Europe/Berlin")


def test_importing_costs_spot_fee_and_distribution_with_vat() -> None:
    assert import_price(0.100, 9, TARIFF) == pytest.approx((0.100 + 0.020 + 0.055) * 1.21)
    for hour in (10, 12, 14, 17):
        assert import_price(0.100, hour, TARIFF) == pytest.approx((0.100 + 0.020 + 0.085) * 1.21)


def test_exporting_earns_spot_less_the_fee_and_never_vat() -> None:
    assert export_price(0.100, TARIFF) == pytest.approx(0.086)


def test_negative_prices_are_real_and_never_clipped() -> None:
    assert import_price(-0.2, 3, TARIFF) == pytest.approx(-0.125 * 1.21)
    assert export_price(-0.2, TARIFF) == pytest.approx(-0.214)


def test_a_missing_price_is_unknown_and_never_zero() -> None:
    assert import_price(None, 3, TARIFF) is None
    assert import_price(math.nan, 3, TARIFF) is None
    assert export_price(None, TARIFF) is None
    series = import_prices((math.nan, 0.1), start=datetime(2021, 1, 1, tzinfo=UTC), dt_s=900, tariff=TARIFF, zone=ZONE)
    assert math.isnan(series[0]) and series[1] > 0.0
    assert math.isnan(export_prices((math.nan,), tariff=TARIFF)[0])


@pytest.mark.parametrize(("month", "utc_hour"), [(1, 9), (7, 8)], ids=["winter", "summer"])
def test_the_dear_hours_are_those_of_the_wall_clock(month: int, utc_hour: int) -> None:
    start = datetime(2021, month, 10, tzinfo=UTC)
    prices = import_prices((0.1,) * 96, start=start, dt_s=900.0, tariff=TARIFF, zone=ZONE)
    dear = [i // 4 for i, p in enumerate(prices) if p > 0.22]
    assert dear == [h for h in (utc_hour, utc_hour + 2, utc_hour + 4, utc_hour + 7) for _ in range(4)]


@pytest.mark.parametrize(("day", "quarters"), [((2021, 3, 27, 23), 92), ((2021, 10, 30, 22), 100)])
def test_a_clock_change_day_has_its_sixteen_dear_quarter_hours(day: tuple[int, int, int, int], quarters: int) -> None:
    prices = import_prices((0.1,) * quarters, start=datetime(*day, tzinfo=UTC), dt_s=900.0, tariff=TARIFF, zone=ZONE)
    assert sum(p > 0.22 for p in prices) == 16


def test_a_start_without_a_zone_is_refused() -> None:
    with pytest.raises(DataError, match="no time zone"):
        import_prices((0.1,), start=datetime(2021, 1, 1), dt_s=900.0, tariff=TARIFF, zone=ZONE)
