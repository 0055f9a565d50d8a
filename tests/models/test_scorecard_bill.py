"""What power and deep cycles cost, by hand, across months and clocks, and beside what the planner says of the same."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import DataError
from models.scorecard import EvidenceRow, score
from models.scorecard_bill import deep_drawn_kwh, power_eur, soc_before
from models.types.house import House
from models.types.slots import QUARTER
from solvers.problem import BatteryProblem, PeakPrice
from tests.models.test_scorecard import make_house, make_row

NEW_YEAR = datetime(2021, 12, 31, 23, tzinfo=UTC)  # local midnight in Berlin
KW = st.floats(-20, 20)


def billed(eur_per_kw: float, per: str = "month", free_kw: float = 0.0, *, zone: str = "Europe/Berlin") -> House:
    """A house whose power is billed."""
    plain = make_house()
    tariff = {"peak_eur_per_kw": eur_per_kw, "peak_per": per, "peak_free_kw": free_kw}
    return plain.model_copy(
        update={
            "tariff": plain.tariff.model_copy(update=tariff),
            "site": plain.site.model_copy(update={"timezone": zone}),
        }
    )


def worn(price: float, level: float = 0.3) -> House:
    """A house whose battery of 10 kWh wears more below a state of charge."""
    plain = make_house()
    assert plain.battery is not None
    deep = {"wear_deep_eur_per_kwh": price, "deep_below_soc": level}
    return plain.model_copy(update={"battery": plain.battery.model_copy(update=deep)})


def imports(*grid_kw: float, before: int = 0, **changes: Any) -> list[EvidenceRow]:
    """Quarter hours of these powers at the meter, the first so many before the new year in Berlin."""
    return [
        make_row(
            time_utc=NEW_YEAR + (index - before) * QUARTER, grid_kw=kw, load_kw=max(kw, 0.0), pv_kw=max(-kw, 0.0),
            **changes,
        )
        for index, kw in enumerate(grid_kw)
    ]  # fmt: skip


def charges(*soc: float) -> list[EvidenceRow]:
    """From the first state of charge through the others, in a battery of 10 kWh."""
    return [
        make_row(index, battery_kw=(b - a) * 40, load_kw=20.0, soc=b) for index, (a, b) in enumerate(pairwise(soc))
    ]


# --- power, by hand --------------------------------------------------------------------------------------------------
def test_the_highest_quarter_hour_of_the_month_is_paid_once() -> None:
    assert power_eur(imports(2.0, 5.0, 5.0, 3.0), house=billed(4.0)) == pytest.approx(4.0 * 5.0)


def test_only_what_lies_above_the_free_power_is_paid() -> None:
    assert power_eur(imports(2.0, 5.0), house=billed(4.0, free_kw=3.5)) == pytest.approx(4.0 * 1.5)
    assert power_eur(imports(2.0, 3.0), house=billed(4.0, free_kw=3.5)) == 0.0


def test_export_is_no_peak() -> None:
    assert power_eur(imports(-8.0, -1.0), house=billed(4.0)) == 0.0


def test_a_period_that_spans_two_months_has_two_peaks() -> None:
    rows = imports(3.0, 7.0, 1.0, 4.0, 2.0, before=2)

    assert power_eur(rows, house=billed(2.0)) == pytest.approx(2.0 * (7.0 + 4.0))
    assert power_eur(rows, house=billed(2.0, free_kw=5.0)) == pytest.approx(2.0 * 2.0), "free in each month"


def test_months_are_those_of_the_house() -> None:
    """The last hour of the year in UTC is the first of the next in Berlin."""
    rows = imports(3.0, 7.0)

    assert power_eur([*imports(6.0, before=1), *rows], house=billed(1.0)) == pytest.approx(6.0 + 7.0)
    assert power_eur([*imports(6.0, before=1), *rows], house=billed(1.0, zone="UTC")) == pytest.approx(7.0)


def test_the_same_month_of_two_years_is_two_months() -> None:
    rows = [make_row(time_utc=NEW_YEAR, load_kw=5.0), make_row(time_utc=NEW_YEAR + timedelta(days=365), load_kw=4.0)]

    assert power_eur(rows, house=billed(1.0)) == pytest.approx(9.0)


def test_what_was_measured_before_is_paid_already_but_only_in_its_month() -> None:
    rows = imports(3.0, 7.0, 1.0, 4.0, before=2)

    assert power_eur(rows, house=billed(2.0), measured_kw=6.0) == pytest.approx(2.0 * (1.0 + 4.0))
    assert power_eur(rows, house=billed(2.0), measured_kw=9.0) == pytest.approx(2.0 * 4.0)
    assert power_eur(rows, house=billed(2.0, free_kw=6.5), measured_kw=1.0) == pytest.approx(2.0 * 0.5)


def test_where_each_slot_pays_for_itself_all_above_the_free_power_add_up() -> None:
    house = billed(0.5, "slot", free_kw=2.0)

    assert power_eur(imports(3.0, 1.0, 6.0, -4.0), house=house) == pytest.approx(0.5 * (1.0 + 4.0))
    assert power_eur(imports(3.0, 6.0), house=house, measured_kw=9.0) == pytest.approx(0.5 * (1.0 + 4.0))


def test_power_is_paid_where_the_price_of_its_energy_is_unknown() -> None:
    assert power_eur(imports(2.0, price_import=math.nan), house=billed(4.0)) == pytest.approx(8.0)


def test_a_tariff_that_bills_no_power_has_no_such_price() -> None:
    assert power_eur(imports(9.0), house=make_house()) is None


@pytest.mark.parametrize("measured_kw", [-0.1, math.nan, math.inf])
def test_a_measured_peak_that_is_no_power_is_refused(measured_kw: float) -> None:
    with pytest.raises(DataError, match="measured_kw is .* must be 0 or more"):
        power_eur(imports(1.0), house=make_house(), measured_kw=measured_kw)


# --- deep cycles, by hand --------------------------------------------------------------------------------------------
def test_only_what_is_drawn_from_below_the_level_is_deep() -> None:
    found = deep_drawn_kwh(charges(0.5, 0.4, 0.25, 0.2, 0.35, 0.29), worn(0.1).battery)

    assert found == pytest.approx([0.0, 0.5, 0.5, 0.0, 0.1])


def test_the_first_quarter_hour_begins_where_its_power_says() -> None:
    battery = worn(0.1).battery
    assert battery is not None
    assert soc_before(make_row(battery_kw=-4.0, soc=0.25), battery) == pytest.approx(0.35)
    assert deep_drawn_kwh([make_row(battery_kw=-4.0, soc=0.25)], battery) == pytest.approx([0.5])


def test_deep_cycles_without_a_price_or_a_known_charge_are_not_told() -> None:
    rows = charges(0.5, 0.2)

    assert deep_drawn_kwh(rows, make_house().battery) is None, "no price"
    assert deep_drawn_kwh(rows, None) is None, "no battery"
    assert deep_drawn_kwh([make_row(soc=math.nan)], worn(0.1).battery) is None, "no SOC"


# --- in the score ----------------------------------------------------------------------------------------------------
def test_the_cost_of_a_policy_includes_power_and_deep_wear() -> None:
    house = worn(0.1).model_copy(update={"tariff": billed(2.0).tariff})
    rows = [make_row(0, battery_kw=-4.0, load_kw=9.0, soc=0.25), make_row(1, load_kw=1.0, soc=0.25)]

    found = score(rows, house=house)

    assert found.power_eur == pytest.approx(2.0 * 5.0)
    assert found.wear_eur == pytest.approx(1.0 * 0.04)
    assert found.deep_wear_eur == pytest.approx(0.5 * 0.1)
    assert found.energy_eur == pytest.approx((5.0 + 1.0) / 4 * 0.30)
    assert found.cost_eur == pytest.approx(0.45 + 10.0 + 0.04 + 0.05)
    assert score(rows, house=house, measured_kw=4.5).power_eur == pytest.approx(2.0 * 0.5)


def test_the_tail_pays_for_its_energy_only() -> None:
    house = worn(0.1).model_copy(update={"tariff": billed(2.0).tariff})
    rows = [make_row(0, soc=0.3), make_row(1, phase="tail", battery_kw=-4.0, load_kw=9.0, soc=0.2)]

    found = score(rows, house=house)

    assert found.power_eur == pytest.approx(2.0 * 0.5)
    assert found.deep_wear_eur == 0.0
    assert found.tail_eur == pytest.approx(5.0 / 4 * 0.30)


def test_a_house_without_these_prices_costs_what_it_did_and_has_no_such_figures() -> None:
    found = score(charges(0.5, 0.2), house=make_house())

    assert (found.power_eur, found.deep_wear_eur) == (None, None)
    assert found.cost_eur == found.energy_eur + found.wear_eur + found.tail_eur
    assert found.as_dict()["power_eur"] is None and found.as_dict()["deep_wear_eur"] is None


# --- beside the planner ----------------------------------------------------------------------------------------------
@given(
    grid_kw=st.lists(KW, min_size=1, max_size=40),
    per=st.sampled_from(["month", "slot"]),
    eur_per_kw=st.floats(0.01, 100),
    free_kw=st.floats(0, 10),
    measured_kw=st.floats(0, 10),
)
def test_within_a_month_power_costs_what_the_planner_says(
    grid_kw: list[float], per: str, eur_per_kw: float, free_kw: float, measured_kw: float
) -> None:
    """As `actors.planning.assemble` asks it: by the month nothing below the measured peak is paid again."""
    once = per == "month"
    planned = PeakPrice(
        eur_per_kw=eur_per_kw, measured_kw=max(free_kw, measured_kw) if once else free_kw, once=once
    ).cost_eur([max(kw, 0.0) for kw in grid_kw])

    found = power_eur(imports(*grid_kw), house=billed(eur_per_kw, per, free_kw), measured_kw=measured_kw)

    assert found == pytest.approx(planned, abs=1e-9)


@given(grid_kw=st.lists(KW, min_size=2, max_size=40), split=st.integers(1, 39), measured_kw=st.floats(0, 10))
def test_a_period_cut_in_two_costs_the_same_if_the_second_knows_the_peak_of_the_first(
    grid_kw: list[float], split: int, measured_kw: float
) -> None:
    rows, house = imports(*grid_kw), billed(3.0)
    peak_kw = max([measured_kw, *grid_kw[:split]])

    parts: Sequence[float | None] = [
        power_eur(rows[:split], house=house, measured_kw=measured_kw),
        power_eur(rows[split:], house=house, measured_kw=peak_kw),
    ]

    assert power_eur(rows, house=house, measured_kw=measured_kw) == pytest.approx(sum(p or 0.0 for p in parts))


@given(soc=st.lists(st.floats(0, 1), min_size=2, max_size=30), level=st.floats(0, 1))
def test_what_is_drawn_deep_is_what_the_planner_says(soc: list[float], level: float) -> None:
    problem = BatteryProblem(
        capacity_kwh=10.0, soc=0.5, soc_min=0.0, soc_max=1.0, charge_kw=5.0, discharge_kw=5.0, eff_charge_pv=1.0,
        eff_charge_ac=1.0, eff_discharge=1.0, deep_below_soc=level,
    )  # fmt: skip

    found = deep_drawn_kwh(charges(*soc), worn(0.1, level).battery)

    assert found == pytest.approx([problem.deep_kwh(a, b) for a, b in pairwise(soc)], abs=1e-9)
