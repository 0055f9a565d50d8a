"""Heat moved out of price peaks and what it saved: rooms that can be added up by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from models.heat_shift import heating_cost_eur, heating_saved_share, preheated_share
from models.scorecard import EvidenceRow
from tests.models.test_scorecard import make_house, make_room, make_row

HOUSE = make_house()  # one room of 1 kW and 12 m²: 0.24 kWh/K of slab, 1.08 kWh/K of air
PEAK = range(40, 56)  # four dear hours


def a_day(
    on: dict[int, float] | None = None, *, slab_c: float = 22.0, temperature_c: float = 21.0, slots: int = 96,
    price: float = 0.2,
) -> list[EvidenceRow]:  # fmt: skip
    """A room whose relay was on for these shares of these slots; prices are 0.50 in the peak and else `price`."""
    rows = []
    for index in range(slots):
        share = (on or {}).get(index, 0.0)
        room = make_room(relay_share=share, slab_c=slab_c, temperature_c=temperature_c)
        dear = index % 96 in PEAK
        rows.append(
            make_row(
                index, heating_kw=share, price_import=0.5 if dear else price + 0.0001 * (index % 96), rooms=(room,)
            )
        )
    return rows


RULES = a_day(dict.fromkeys(PEAK, 0.5))  # 2 kWh in the peak


# --- pre-heating -----------------------------------------------------------------------------------------------------
def test_heat_stored_before_the_peak_and_not_bought_in_it_was_moved() -> None:
    """5 K in the slab are 1.2 kWh; 0.8 K in the air 0.864 kWh: enough for all of the 2 kWh."""
    ours = a_day({36: 1.0, 37: 1.0}, slab_c=27.0, temperature_c=21.8)

    assert preheated_share(ours, rules=RULES, house=HOUSE) == pytest.approx(1.0)


def test_only_as_much_as_was_stored_counts() -> None:
    ours = a_day({}, slab_c=27.0)

    assert preheated_share(ours, rules=RULES, house=HOUSE) == pytest.approx(1.2 / 2.0)


def test_only_as_much_as_was_not_bought_counts() -> None:
    ours = a_day(dict.fromkeys(PEAK, 0.4), slab_c=27.0)

    assert preheated_share(ours, rules=RULES, house=HOUSE) == pytest.approx(0.2)


def test_going_cold_through_the_peak_is_no_preheating() -> None:
    assert preheated_share(a_day({}), rules=RULES, house=HOUSE) == 0.0
    assert preheated_share(a_day({}, temperature_c=20.0), rules=RULES, house=HOUSE) == 0.0


def test_keeping_the_room_warm_at_any_price_is_no_preheating() -> None:
    ours = a_day(dict.fromkeys(range(96), 0.8), slab_c=27.0, temperature_c=22.5)

    assert preheated_share(ours, rules=RULES, house=HOUSE) == 0.0


def test_plain_rules_themselves_have_moved_nothing() -> None:
    assert preheated_share(RULES, rules=RULES, house=HOUSE) == 0.0


def test_a_warm_pantry_does_not_make_up_for_a_cold_living_room() -> None:
    house = make_house(("living", "pantry"))

    def rows(living_c: float, pantry_c: float, share: float) -> list[EvidenceRow]:
        made = []
        for row in a_day():
            on = share if row.price_import == 0.5 else 0.0
            rooms = (
                make_room("living", slab_c=living_c, relay_share=on),
                make_room("pantry", slab_c=pantry_c, relay_share=0.0),
            )
            made.append(replace(row, rooms=rooms, heating_kw=on, grid_kw=row.load_kw + on))
        return made

    rules = rows(22.0, 22.0, 0.5)
    assert preheated_share(rows(22.0, 35.0, 0.0), rules=rules, house=house) == 0.0
    assert preheated_share(rows(27.0, 22.0, 0.0), rules=rules, house=house) == pytest.approx(0.6)


def test_a_peak_at_the_very_start_has_nothing_before_it() -> None:
    late = [row for row in RULES if row.time_utc >= RULES[40].time_utc]

    assert preheated_share(late, rules=late, house=HOUSE) is None


def test_flat_prices_have_no_peak_and_unheated_houses_none_to_avoid() -> None:
    flat = [replace(row, price_import=0.3) for row in RULES]
    assert preheated_share(flat, rules=flat, house=HOUSE) is None
    assert preheated_share(a_day(), rules=a_day(), house=HOUSE) is None


# --- money -----------------------------------------------------------------------------------------------------------
def test_heat_costs_the_import_price_where_the_sun_leaves_nothing() -> None:
    assert heating_cost_eur(RULES, rules=RULES, phase="run") == pytest.approx(2.0 * 0.5)
    assert heating_cost_eur(RULES, rules=RULES, phase="tail") == 0.0


def test_heat_on_the_surplus_of_the_sun_costs_what_it_had_been_sold_for_and_nothing_if_that_is_negative() -> None:
    """2 kW of sun, 0.5 kW of house: 1.5 kW of the 4 kW are surplus, the rest is bought at 0.30."""
    sunny = [make_row(pv_kw=2.0, heating_kw=4.0)]
    assert heating_cost_eur(sunny, rules=sunny, phase="run") == pytest.approx((1.5 * 0.1 + 2.5 * 0.3) / 4)
    punished = [make_row(pv_kw=2.0, heating_kw=4.0, price_export=-0.2)]
    assert heating_cost_eur(punished, rules=punished, phase="run") == pytest.approx(2.5 * 0.3 / 4)


def test_the_battery_has_no_part_in_what_heating_costs() -> None:
    """Neither by serving it in the peak, nor by its losses in the load: sun and base load are those of plain rules."""
    rules = [make_row(pv_kw=2.0, heating_kw=4.0)]
    served = [make_row(pv_kw=2.0, pv_available_kw=2.0, heating_kw=4.0, battery_kw=-5.0, load_kw=0.85)]

    assert heating_cost_eur(served, rules=rules, phase="run") == heating_cost_eur(rules, rules=rules, phase="run")


def test_heat_moved_to_cheap_hours_saves_the_difference() -> None:
    ours = a_day(dict.fromkeys(range(8), 1.0))

    saved = 1.0 - sum(0.2 + 0.0001 * index for index in range(8)) / 4
    assert heating_saved_share(ours, rules=RULES) == pytest.approx(saved / 1.0)


def test_heat_that_is_only_put_off_is_not_saved() -> None:
    """Nothing in the run and all of it in the tail, at the same prices."""
    rules = [*RULES, *(replace(r, phase="tail") for r in a_day(slots=192)[96:])]
    later = [*a_day(), *(replace(r, phase="tail") for r in a_day({96 + i: 0.5 for i in PEAK}, slots=192)[96:])]

    assert heating_saved_share(later, rules=rules) == pytest.approx(0.0)


def test_heating_more_or_dearer_than_plain_rules_is_a_loss() -> None:
    dearer = a_day(dict.fromkeys(PEAK, 0.75))

    assert heating_saved_share(dearer, rules=RULES) == pytest.approx(-0.5)


def test_less_than_a_day_and_a_house_that_needs_no_heat_say_nothing() -> None:
    assert heating_saved_share(RULES[:60], rules=RULES[:60]) is None
    assert heating_saved_share(a_day(), rules=a_day()) is None


def test_heat_at_an_unknown_price_is_left_out() -> None:
    unknown = [replace(row, price_export=math.nan) if row.price_import == 0.5 else row for row in RULES]

    assert heating_cost_eur(unknown, rules=unknown, phase="run") == 0.0
