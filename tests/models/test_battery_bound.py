"""The bound of a battery's day: what can be added up by hand, a linear program beside it, and never below what was."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from models.battery_bound import battery_day
from models.scorecard import EvidenceRow
from models.types.house import Connection, House, Inverter
from tests.models.test_scorecard import make_house, make_row

H = 0.25


def house(*, export_kw: float = 10.0, standby_kw: float = 0.0) -> House:
    """10 kWh, 5 kW, window 20..100 %, wear 0.04 EUR/kWh; 97 % from the roof, 92 % from AC, 93 % out."""
    plain = make_house(())
    return plain.model_copy(
        update={"inverter": Inverter(standby_kw=standby_kw), "connection": Connection(export_contract_kw=export_kw)}
    )


def day(battery_kw: Sequence[float], prices: Sequence[float], **values: Sequence[float]) -> list[EvidenceRow]:
    """Slots of a house of 1 kW; the battery's losses are in the load, as the twin's meters have them."""
    rows, stored = [], 0.0
    for index, (kw, price) in enumerate(zip(battery_kw, prices, strict=True)):
        pv = values["pv_kw"][index] if "pv_kw" in values else 0.0
        export = values["price_export"][index] if "price_export" in values else price - 0.1
        base = values["load_kw"][index] if "load_kw" in values else 1.0
        stored += kw * H
        rows.append(
            make_row(
                index, price_import=price, price_export=export, pv_kw=pv, load_kw=base + loss_kw(kw, pv),
                battery_kw=kw, soc=0.5 + stored / 10, rooms=(),
            )
        )  # fmt: skip
    return rows


def loss_kw(battery_kw: float, pv_kw: float) -> float:
    """Of the inverter of these tests: the roof charges first."""
    if battery_kw <= 0:
        return -battery_kw * (1 - 0.93)
    sunny = min(battery_kw, 0.97 * pv_kw)
    return sunny * (1 / 0.97 - 1) + (battery_kw - sunny) * (1 / 0.92 - 1)


# --- by hand ---------------------------------------------------------------------------------------------------------
def test_bought_cheap_and_used_dear_is_the_spread_less_losses_and_wear() -> None:
    """1 kWh at the terminals: bought for 0.10 / 0.92, worth 0.93 x 0.40, and worn."""
    rows = day([4.0, 0.0, 0.0, -1.0, -1.0, -1.0, -1.0], [0.1, 0.2, 0.2, 0.4, 0.4, 0.4, 0.4])

    found = battery_day(rows, house=house(), start_soc=0.5)

    assert found is not None
    assert found.earned_eur == pytest.approx(0.93 * 0.4 - 0.04 - 0.1 / 0.92)
    # At most 1.25 kWh fit into the first slot, and the house takes 4 x 0.25 kWh: 1 / 0.93 at the terminals, at 0.40;
    # exporting the rest at 0.30 pays as well.
    most = 1.25
    home = 4 * H / 0.93
    bought = most * 0.1 / 0.92
    sold = home * 0.93 * 0.4 + (most - home) * 0.93 * 0.3 - most * 0.04
    second = H * 5.0 * 2 * (0.93 * 0.3 - 0.04 - 0.2 / 0.92)  # and what fits into the two slots at 0.20, exported
    assert found.bound_eur == pytest.approx(sold - bought + max(second, 0.0))


def test_a_battery_that_rests_has_earned_nothing() -> None:
    found = battery_day(day([0.0] * 8, [0.1] * 4 + [0.4] * 4), house=house(), start_soc=0.5)

    assert found is not None and found.earned_eur == 0.0 and found.bound_eur > 0.1


def test_a_flat_tariff_has_nothing_to_earn() -> None:
    found = battery_day(day([0.0] * 8, [0.3] * 8), house=house(), start_soc=0.5)

    assert found is not None and found.bound_eur == pytest.approx(0.0, abs=1e-12)


def test_emptying_the_battery_is_no_merit() -> None:
    """From and to the charge it really had: on a flat tariff it makes no difference when it is discharged."""
    found = battery_day(day([-1.0] * 4 + [0.0] * 4, [0.3] * 8), house=house(), start_soc=0.5)

    assert found is not None and found.earned_eur == pytest.approx(0.0, abs=1e-12)
    assert found.bound_eur == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("kw", [-3.0, 0.0, 3.0])
def test_a_day_of_one_slot_leaves_nothing_to_choose_since_it_ends_where_it_did(kw: float) -> None:
    found = battery_day(day([kw], [0.9]), house=house(), start_soc=0.6)

    assert found is not None and found.earned_eur == 0.0 and found.bound_eur == pytest.approx(0.0, abs=1e-12)


def test_where_a_price_is_unknown_the_battery_does_what_it_did() -> None:
    prices = [0.1, math.nan, 0.4, 0.4]
    rows = day([2.0, -2.0, 0.0, 0.0], prices, price_export=[0.0] * 4)

    found = battery_day(rows, house=house(), start_soc=0.2)

    # From empty to empty, with 0.5 kWh lost where nobody knows the price: bought at 0.10, the least that makes it up;
    # what else fits is used at 0.40 (1 kW for two slots) but must be bought at 0.10 as well.
    assert found is not None
    best = min(1.25 - 0.5, 2 * H / 0.93)
    assert found.bound_eur - found.earned_eur == pytest.approx(best * (0.93 * 0.4 - 0.04 - 0.1 / 0.92))


def test_without_battery_or_prices_there_is_no_day() -> None:
    assert battery_day(day([0.0], [math.nan]), house=house(), start_soc=0.5) is None
    assert battery_day([make_row(soc=math.nan)], house=make_house(battery=False), start_soc=math.nan) is None


def test_selling_at_a_negative_price_is_curtailed_in_what_was_done_too() -> None:
    """Whether the sun is curtailed is not the battery's merit."""
    rows = day([0.0, 0.0], [0.2, 0.2], pv_kw=[5.0, 5.0], price_export=[-0.1, -0.1])

    found = battery_day(rows, house=house(), start_soc=1.0)

    assert found is not None and found.earned_eur == 0.0 and found.bound_eur == pytest.approx(0.0)


def test_the_inverter_gives_no_more_than_its_ac_limit() -> None:
    """2 kW: one for the house at 0.60, one for export at 0.50."""
    small = house().model_copy(update={"inverter": Inverter(ac_limit_kw=2.0)})

    found = battery_day(day([0.0, 0.0], [0.1, 0.6]), house=small, start_soc=0.5)

    assert found is not None
    assert found.bound_eur == pytest.approx(H * (0.6 + 0.5) - 2 * H / 0.93 * (0.04 + 0.1 / 0.92))


def test_where_export_is_dearer_than_import_the_convex_hull_stands_for_the_cost() -> None:
    """One slot in which the battery rested: half of discharging fully and half of charging fully is what bounds it."""
    found = battery_day(day([0.0], [0.1], price_export=[0.5]), house=house(), start_soc=0.5)

    out_eur = H * (5 * 0.04 - (5 * 0.93 - 1.0) * 0.5)
    in_eur = H * (1.0 + 5 / 0.92) * 0.1
    assert found is not None and found.bound_eur == pytest.approx(H * 0.1 - (out_eur + in_eur) / 2)


# --- beside a linear program -----------------------------------------------------------------------------------------
def lp_cost_eur(rows: Sequence[EvidenceRow], house: House, start_soc: float) -> float:
    """Least money and wear of a day whose export is never dearer than import, by another way: one big matrix.

    Per slot: charge from the roof, charge from AC, discharge (terminals), import, export, curtailed.
    """
    battery, inverter, n = house.battery, house.inverter, len(rows)
    assert battery is not None
    cost, limits = np.zeros(6 * n), []
    balance, rest = np.zeros((n, 6 * n)), np.zeros(n)
    stored, low, high = np.zeros((n, 6 * n)), np.zeros(n), np.zeros(n)
    power = np.zeros((2 * n, 6 * n))
    start_kwh = start_soc * battery.capacity_kwh
    for t, row in enumerate(rows):
        k = 6 * t
        cost[k + 2] = battery.wear_eur_per_kwh * H
        cost[k + 3], cost[k + 4] = row.price_import * H, -row.price_export * H
        balance[t, k : k + 6] = [
            -1 / inverter.eff_charge_pv, -1 / inverter.eff_charge_ac, inverter.eff_discharge, 1, -1, -1
        ]  # fmt: skip
        load_kw = row.load_kw + row.heating_kw - loss_kw(row.battery_kw, row.pv_available_kw)
        rest[t] = load_kw - row.pv_available_kw
        for s in range(t + 1):
            stored[t, 6 * s : 6 * s + 3] = [H, H, -H]
        low[t] = battery.soc_min * battery.capacity_kwh - start_kwh
        high[t] = battery.soc_max * battery.capacity_kwh - start_kwh
        power[2 * t, k : k + 2] = 1  # both chargings together
        roof_kw = inverter.eff_charge_pv * row.pv_available_kw
        limits += [
            (0, roof_kw), (0, None), (0, battery.discharge_kw), (0, None),
            (0, house.connection.export_contract_kw), (0, row.pv_available_kw),
        ]  # fmt: skip
    end_kwh = math.fsum(row.battery_kw for row in rows) * H
    above = np.vstack([stored, -stored, power])
    room = np.concatenate([high, -low, np.tile([battery.charge_kw, 0.0], n)])
    ends = np.vstack([balance, stored[-1:]])
    found = linprog(cost, A_ub=above, b_ub=room, A_eq=ends, b_eq=np.append(rest, end_kwh), bounds=limits)
    assert found.status == 0, found.message
    return float(found.fun)


def random_day(seed: int, *, slots: int, lowest: float, soc: float = 0.6) -> tuple[list[EvidenceRow], float]:
    """Any sun, load and prices, and a battery that did as it pleased within its window."""
    chance = random.Random(seed)
    kept, powers = soc, []
    for _ in range(slots):
        kw = chance.choice([0.0, chance.uniform(-5, 5)])
        kw = min(max(kw, (0.2 - kept) * 10 / H), (1.0 - kept) * 10 / H)
        kept += kw * H / 10
        powers.append(kw)
    prices = [chance.uniform(lowest, 0.5) for _ in range(slots)]
    rows = day(
        powers,
        prices,
        pv_kw=[chance.choice([0.0, chance.uniform(0, 8)]) for _ in range(slots)],
        load_kw=[chance.uniform(0.1, 4) for _ in range(slots)],
        price_export=[price - chance.uniform(0.0, 0.3) for price in prices],
    )
    return rows, soc


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32), slots=st.integers(1, 24), export_kw=st.sampled_from([0.0, 2.0, 50.0]))
def test_the_bound_is_what_a_linear_program_finds(seed: int, slots: int, export_kw: float) -> None:
    home = house(export_kw=export_kw)
    home = home.model_copy(update={"inverter": home.inverter.model_copy(update={"ac_limit_kw": 90.0})})
    rows, soc = random_day(seed, slots=slots, lowest=0.0)
    # Evidence may not export more than the contract: the rest of the sun was curtailed.
    rows = [
        replace(row, pv_kw=row.pv_kw - max(-row.grid_kw - export_kw, 0.0), grid_kw=max(row.grid_kw, -export_kw))
        for row in rows
    ]
    assume(all(row.pv_kw >= 0 for row in rows))  # else it would have discharged into nothing

    found = battery_day(rows, house=home, start_soc=soc)

    assert found is not None
    done_eur = math.fsum(priced(row, home) for row in rows)
    assert done_eur - (found.bound_eur - found.earned_eur) == pytest.approx(lp_cost_eur(rows, home, soc), abs=1e-7)


def priced(row: EvidenceRow, house: House) -> float:
    """Money and wear of a slot as it was, curtailed where that pays."""
    assert house.battery is not None
    grid_kw = row.grid_kw - (row.pv_available_kw - row.pv_kw)
    grid_kw = max(grid_kw, -house.connection.export_contract_kw)
    if grid_kw < 0 and row.price_export < 0:
        spare_kw = row.pv_available_kw - min(max(row.battery_kw, 0.0) / 0.97, row.pv_available_kw)
        grid_kw = min(row.grid_kw - (row.pv_available_kw - row.pv_kw) + spare_kw, 0.0)
    price = row.price_import if grid_kw > 0 else row.price_export
    return (grid_kw * price + max(-row.battery_kw, 0.0) * house.battery.wear_eur_per_kwh) * H


# --- whatever happens ------------------------------------------------------------------------------------------------
@settings(max_examples=200)
@given(seed=st.integers(0, 2**32), slots=st.integers(1, 96), lowest=st.sampled_from([-2.0, -0.2, 0.0]))
def test_nobody_earns_more_than_the_bound_whatever_the_prices(seed: int, slots: int, lowest: float) -> None:
    rows, soc = random_day(seed, slots=slots, lowest=lowest)

    found = battery_day(rows, house=house(), start_soc=soc)

    assert found is not None
    assert found.earned_eur <= found.bound_eur
    assert math.isfinite(found.bound_eur) and found.bound_eur >= -1e-9


@given(seed=st.integers(0, 2**32))
def test_a_dearer_wear_never_raises_the_bound(seed: int) -> None:
    rows, soc = random_day(seed, slots=24, lowest=0.0)
    plain = house()
    assert plain.battery is not None
    worn = plain.model_copy(update={"battery": plain.battery.model_copy(update={"wear_eur_per_kwh": 0.2})})
    rows = [replace(row, battery_kw=0.0, grid_kw=row.load_kw - row.pv_kw, soc=soc) for row in rows]

    cheap, dear = battery_day(rows, house=plain, start_soc=soc), battery_day(rows, house=worn, start_soc=soc)

    assert cheap is not None and dear is not None and dear.bound_eur <= cheap.bound_eur + 1e-9
