"""Charging from the grid told from charging on sun, and the export that paid: days that can be added up by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from models.battery_trade import battery_sold_kwh, cheap_charging_share, export_captured_share, grid_charged_kwh
from models.scorecard import EvidenceRow
from tests.models.test_scorecard import make_house, make_row

HOUSE = make_house()
BUY = "charge_from_grid"


def a_day(changes: dict[int, dict[str, Any]], *, slots: int = 96, price: float | None = None) -> list[EvidenceRow]:
    """Prices rise through the day, 0.20 to 0.295, unless there is one for all; export 0.10."""
    rising = {index: {"price_import": 0.2 + 0.001 * index if price is None else price} for index in range(slots)}
    return [make_row(index, **(rising[index] | changes.get(index, {}))) for index in range(slots)]


# --- charging --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("pv_kw", "battery_kw", "kwh"),
    [
        (0.0, 2.0, 0.5),  # all of it is bought
        (1.5, 2.0, 0.25),  # the house takes 0.5 kW of the sun first: 1 kW is left, 1 kW is bought
        (0.4, 2.0, 0.5),  # the house takes all of the sun
        (4.0, 2.0, 0.0),  # sun for both
        (0.0, -2.0, 0.0),  # discharges
    ],
)
def test_what_a_resting_battery_had_not_bought_was_charged_from_the_grid(
    pv_kw: float, battery_kw: float, kwh: float
) -> None:
    row = make_row(pv_kw=pv_kw, battery_kw=battery_kw, composite=BUY)

    assert grid_charged_kwh([row]) == [pytest.approx(kwh)]


def test_a_cloud_in_a_mode_that_cannot_buy_is_no_purchase() -> None:
    """In regular mode charging and import in one slot are two different minutes of it, unless buying is next to it."""
    cloud = {"battery_kw": 0.2, "pv_kw": 0.3}
    rows = a_day({3: cloud, 10: cloud, 11: {"composite": BUY}, 20: {**cloud, "composite": "hold"}})

    assert [index for index, kwh in enumerate(grid_charged_kwh(rows)) if kwh > 0] == [10, 20]


def test_the_share_counts_energy_in_the_nineteen_cheapest_slots_of_the_day() -> None:
    rows = a_day({18: {"battery_kw": 3.0, "composite": BUY}, 19: {"battery_kw": 1.0, "composite": BUY}})

    assert cheap_charging_share(rows, house=HOUSE) == pytest.approx(0.75)


def test_prices_of_the_tail_complete_the_day_of_a_run_that_ends_early() -> None:
    """Charging at night, judged at noon: the afternoon's prices are needed, not what was done in it."""
    rows = a_day({30: {"battery_kw": 3.0, "composite": BUY}, 60: {"battery_kw": 3.0, "composite": BUY}})
    cut = [row if index < 48 else replace(row, phase="tail") for index, row in enumerate(rows)]

    assert cheap_charging_share(cut, house=HOUSE) == 0.0
    assert cheap_charging_share(cut[:40], house=HOUSE) is None, "not even half of the day is known"


@pytest.mark.parametrize("price", [0.3, math.nan])
def test_where_prices_are_flat_or_unknown_no_charging_is_cheap_or_dear(price: float) -> None:
    rows = a_day({5: {"battery_kw": 3.0, "composite": BUY}}, price=price)

    assert cheap_charging_share(rows, house=HOUSE) is None


def test_charging_at_an_unknown_price_counts_on_neither_side() -> None:
    charging = {"battery_kw": 3.0, "composite": BUY}
    rows = a_day({4: charging, 90: {**charging, "price_import": math.nan}})

    assert cheap_charging_share(rows, house=HOUSE) == 1.0


def test_a_flat_day_counts_on_neither_side_of_a_period_with_others() -> None:
    charging = {"battery_kw": 3.0, "composite": BUY}
    flat = {index: {"price_import": 0.5} for index in range(96, 192)}
    rows = a_day({50: charging} | flat | {100: charging | flat[100]}, slots=192)

    assert cheap_charging_share(rows, house=HOUSE) == 0.0


def test_no_battery_or_no_charging_has_no_share() -> None:
    assert cheap_charging_share(a_day({}), house=HOUSE) is None
    no_battery = a_day({index: {"soc": math.nan} for index in range(96)})
    assert cheap_charging_share(no_battery, house=make_house(battery=False)) is None


# --- selling ---------------------------------------------------------------------------------------------------------
SELL = {"battery_kw": -5.0, "price_export": 0.5, "composite": "discharge_to_grid"}  # 4.5 kW go to the grid


def market(changes: dict[int, dict[str, Any]], sold_in: tuple[int, ...] = ()) -> list[EvidenceRow]:
    """A day with two evenings of 0.50 at 40..43 and 80..83; the battery sells in the slots named."""
    dear = {index: {"price_export": 0.5} for index in (*range(40, 44), *range(80, 84))}
    return a_day(dear | dict.fromkeys(sold_in, SELL) | changes)


def captured(rows: list[EvidenceRow], foresight: list[EvidenceRow], rules: list[EvidenceRow] | None = None) -> Any:
    return export_captured_share(rows, rules=rules or market({}), foresight=foresight, house=HOUSE)


def test_sold_from_the_battery_is_what_was_exported_while_it_gave() -> None:
    assert battery_sold_kwh(make_row(battery_kw=-5.0)) == pytest.approx(4.5 / 4)
    assert battery_sold_kwh(make_row(battery_kw=-0.4)) == 0.0, "the house took it"
    assert battery_sold_kwh(make_row(pv_kw=4.0)) == 0.0, "the sun was sold"
    assert battery_sold_kwh(make_row(pv_kw=4.0, battery_kw=-1.0)) == pytest.approx(0.25)


def test_half_of_foresights_sale_is_half_of_the_opportunity() -> None:
    assert captured(market({}, (40, 41)), market({}, (40, 41, 42, 43))) == pytest.approx(0.5)


def test_within_one_price_it_does_not_matter_when() -> None:
    assert captured(market({}, (42, 43)), market({}, (40, 41))) == pytest.approx(1.0)


def test_foresight_takes_all_and_plain_rules_nothing() -> None:
    foresight = market({}, (40, 41, 80))

    assert captured(foresight, foresight) == 1.0
    assert captured(market({}), foresight) == 0.0


def test_selling_where_foresight_did_not_or_more_than_it_did_earns_no_share() -> None:
    foresight = market({}, (40, 41))

    assert captured(market({}, (80, 81, 82, 83)), foresight) == 0.0
    assert captured(market({}, (40, 41, 42, 43)), foresight) == 1.0


def test_surplus_that_plain_rules_export_by_themselves_is_no_opportunity() -> None:
    sunny = {index: {"pv_kw": 6.0} for index in range(20, 30)}
    rules, foresight = market(sunny), market(sunny)

    assert captured(rules, foresight, rules) is None


def test_what_wear_eats_up_is_no_opportunity() -> None:
    """0.03 for a kWh that costs 0.04 of wear: foresight should not have, and who did not has missed nothing."""
    cheap = {"battery_kw": -5.0, "price_export": 0.03}
    rows = a_day({index: {"price_export": 0.03} for index in range(8)})
    foresight = a_day(dict.fromkeys(range(8), cheap))

    assert export_captured_share(rows, rules=rows, foresight=foresight, house=HOUSE) is None


def test_a_sale_from_the_deep_part_of_the_battery_has_earned_less() -> None:
    """1.125 kWh sold at 0.50, 0.04 of wear each; the policy drew 0.5 kWh of them from below 30 %, at 0.20 on top."""
    battery = HOUSE.battery
    assert battery is not None
    worn = battery.model_copy(update={"wear_deep_eur_per_kwh": 0.2, "deep_below_soc": 0.3})
    home = HOUSE.model_copy(update={"battery": worn})
    full, low = (
        a_day({40: {"battery_kw": -5.0, "price_export": 0.5, "soc": soc}, 39: {"soc": soc + 0.125}})
        for soc in (0.5, 0.25)
    )
    rules = a_day({40: {"price_export": 0.5}})

    whole = 1.125 * (0.5 - 0.04)
    share = export_captured_share(low, rules=rules, foresight=full, house=home)
    assert share == pytest.approx((whole - 0.5 * 0.2) / whole)
    assert export_captured_share(low, rules=rules, foresight=full, house=HOUSE) == 1.0, "where that has no price"


def test_of_what_is_drawn_deep_the_house_has_the_part_that_the_sale_does_not_reach() -> None:
    """A battery drawn from 30 % down gives 0.125 kWh to the house and 1.125 kWh to the grid: those pay, not all."""
    battery = HOUSE.battery
    assert battery is not None
    worn = battery.model_copy(update={"wear_deep_eur_per_kwh": 0.2, "deep_below_soc": 0.3})
    home = HOUSE.model_copy(update={"battery": worn})
    full, low = (
        a_day({40: {"battery_kw": -5.0, "price_export": 0.5, "soc": soc}, 39: {"soc": soc + 0.125}})
        for soc in (0.5, 0.175)
    )
    rules = a_day({40: {"price_export": 0.5}})

    share = export_captured_share(low, rules=rules, foresight=full, house=home)

    assert share == pytest.approx((0.5 - 0.04 - 0.2) / (0.5 - 0.04))


def test_unknown_prices_are_left_out_for_all() -> None:
    unknown = {index: {**SELL, "price_import": math.nan} for index in (40, 41)}
    quiet = {index: {"price_import": math.nan, "price_export": 0.5} for index in (40, 41)}
    rules = market(quiet)

    assert captured(market(quiet, (42,)), market(unknown, (42, 43)), rules) == pytest.approx(0.5)
    assert captured(market(quiet), market(unknown), rules) is None
