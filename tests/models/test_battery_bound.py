"""The bound of a battery's day: what can be added up by hand, a linear program beside it, and never below what was."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import LinearConstraint, linprog, milp

from models.battery_bound import battery_day
from models.battery_reach import DeepReach, Reach
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


def deep(price: float, level: float = 0.5, **changes: float) -> House:
    """The same, what is drawn from below a state of charge wearing more."""
    home = house(**changes)
    assert home.battery is not None
    worn = {"wear_deep_eur_per_kwh": price, "deep_below_soc": level}
    return home.model_copy(update={"battery": home.battery.model_copy(update=worn)})


def billed(home: House, eur_per_kw: float, per: str = "slot", free_kw: float = 0.0) -> House:
    """The same on a tariff that bills power."""
    power = {"peak_eur_per_kw": eur_per_kw, "peak_per": per, "peak_free_kw": free_kw}
    return home.model_copy(update={"tariff": home.tariff.model_copy(update=power)})


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


# --- deep cycles and power, by hand ----------------------------------------------------------------------------------
def test_deep_wear_is_taken_from_what_was_earned_and_from_what_could_have_been() -> None:
    """All below the level: 1 kWh as in the first case above, each at 0.10 more."""
    rows = day([4.0, 0.0, 0.0, -1.0, -1.0, -1.0, -1.0], [0.1] * 3 + [0.4] * 4, price_export=[0.0] * 7)

    plain, worn = (battery_day(rows, house=home, start_soc=0.3) for home in (house(), deep(0.10)))

    assert plain is not None and worn is not None
    assert worn.earned_eur == pytest.approx(0.93 * 0.4 - 0.04 - 0.1 / 0.92 - 0.1)
    assert plain.earned_eur - worn.earned_eur == pytest.approx(0.1)
    home_kwh = 4 * H / 0.93  # what the house takes in the four dear slots
    assert plain.bound_eur - worn.bound_eur == pytest.approx(home_kwh * 0.1)


def test_what_is_put_on_top_of_the_deep_part_comes_out_again_at_no_such_price() -> None:
    """From the level: charged first it is above it; drawn first it is below, and not worth 0.10."""
    after, before = (
        battery_day(day([0.0] * 2, prices, price_export=[0.0] * 2), house=deep(0.3), start_soc=0.5)
        for prices in ([0.1, 0.4], [0.4, 0.1])
    )

    taken_kwh = H / 0.93
    assert after is not None and after.bound_eur == pytest.approx(taken_kwh * (0.93 * 0.4 - 0.04 - 0.1 / 0.92))
    assert before is not None and before.bound_eur == pytest.approx(0.0, abs=1e-12)


def test_a_slot_that_crosses_the_level_pays_for_what_lies_below_it() -> None:
    """0.2 kWh stand above the level, and the house takes 0.25 / 0.93 kWh: the rest is deep."""
    found = battery_day(day([0.0] * 2, [0.4, 0.1], price_export=[0.0] * 2), house=deep(0.2), start_soc=0.52)

    taken_kwh = H / 0.93
    assert found is not None
    per_kwh = 0.93 * 0.4 - 0.04 - 0.1 / 0.92
    assert found.bound_eur == pytest.approx(taken_kwh * per_kwh - (taken_kwh - 0.2) * 0.2)


def test_a_day_that_ends_deeper_than_it_began_pays_for_that_however_it_got_there() -> None:
    rows = day([-1.0] * 4 + [0.0] * 4, [0.3] * 8)

    found = battery_day(rows, house=deep(0.5), start_soc=0.5)

    assert found is not None and found.earned_eur == pytest.approx(0.0, abs=1e-12)
    assert found.bound_eur == pytest.approx(0.0, abs=1e-12)


def test_what_is_drawn_deep_where_a_price_is_unknown_is_paid_for_on_both_sides() -> None:
    """The same 0.5 kWh at an unknown price: from the level they are deep, but not if they were charged before."""
    prices = [0.3, math.nan, 0.3, 0.3]
    rested = battery_day(day([0.0, -2.0, 2.0, 0.0], prices, price_export=[0.0] * 4), house=deep(0.1), start_soc=0.5)
    ahead = battery_day(day([2.0, -2.0, 0.0, 0.0], prices, price_export=[0.0] * 4), house=deep(0.1), start_soc=0.5)

    # Spread evenly, a third of the 0.5 kWh is charged before.
    assert rested is not None and rested.earned_eur == pytest.approx(-0.5 / 3 * 0.1)
    assert ahead is not None and ahead.earned_eur == pytest.approx(1.0 / 3 * 0.1)
    assert ahead.bound_eur == pytest.approx(ahead.earned_eur) and rested.bound_eur == pytest.approx(ahead.earned_eur)


def test_power_that_each_slot_pays_for_is_worth_shaving() -> None:
    """Flat energy, 3 kW in one slot, 1 kW is free: a kWh less saves 4 x 0.5 EUR, and costs what charging loses."""
    rows = day([0.0] * 2, [0.2, 0.2], load_kw=[3.0, 0.0], price_export=[0.0] * 2)

    found = battery_day(rows, house=billed(house(), 0.5, free_kw=1.0), start_soc=0.6)

    # The second slot may import 1 kW free of it, more pays as much as the first saves.
    charged_kwh = 0.92 * 1.0 * H
    saved_kw = 0.93 * charged_kwh / H
    assert found is not None and found.earned_eur == 0.0
    assert found.bound_eur == pytest.approx(saved_kw * (0.5 + H * 0.2) - charged_kwh * 0.04 - 1.0 * H * 0.2)


def test_a_months_peak_is_no_days_to_earn() -> None:
    rows = day([4.0, 0.0, -1.0, -1.0], [0.1, 0.2, 0.4, 0.4])

    assert battery_day(rows, house=billed(house(), 50.0, "month"), start_soc=0.5) == battery_day(
        rows, house=house(), start_soc=0.5
    )


# --- beside a linear program -----------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Matrices:
    """A day as `min cost x` with `above x <= room`, `ends x = rest` and limits of each variable.

    Per slot: charge from the roof, charge from AC, discharge (terminals), import, export, curtailed, power above what
    is free. `stored` is what all slots so far have charged [kWh].
    """

    cost: Any
    above: Any
    room: Any
    ends: Any
    rest: Any
    limits: list[tuple[float, float | None]]
    stored: Any


def matrices(rows: Sequence[EvidenceRow], house: House, start_soc: float) -> Matrices:
    """A day whose export is never dearer than import, without deep cycles."""
    battery, inverter, tariff, n, w = house.battery, house.inverter, house.tariff, len(rows), 7
    assert battery is not None
    cost, limits = np.zeros(w * n), list[tuple[float, float | None]]()
    balance, rest = np.zeros((n, w * n)), np.zeros(n)
    stored, low, high = np.zeros((n, w * n)), np.zeros(n), np.zeros(n)
    power = np.zeros((n, w * n))
    peak = np.zeros((n, w * n))
    start_kwh = start_soc * battery.capacity_kwh
    for t, row in enumerate(rows):
        k = w * t
        cost[k + 2] = battery.wear_eur_per_kwh * H
        cost[k + 3], cost[k + 4] = row.price_import * H, -row.price_export * H
        cost[k + 6] = tariff.peak_eur_per_kw if tariff.peak_per == "slot" else 0.0
        balance[t, k : k + 6] = [
            -1 / inverter.eff_charge_pv, -1 / inverter.eff_charge_ac, inverter.eff_discharge, 1, -1, -1
        ]  # fmt: skip
        load_kw = row.load_kw + row.heating_kw - loss_kw(row.battery_kw, row.pv_available_kw)
        rest[t] = load_kw - row.pv_available_kw
        for s in range(t + 1):
            stored[t, w * s : w * s + 3] = [H, H, -H]
        low[t] = battery.soc_min * battery.capacity_kwh - start_kwh
        high[t] = battery.soc_max * battery.capacity_kwh - start_kwh
        power[t, k : k + 2] = 1  # both chargings together
        peak[t, k + 3], peak[t, k + 6] = 1, -1
        roof_kw = inverter.eff_charge_pv * row.pv_available_kw
        limits += [
            (0, roof_kw), (0, None), (0, battery.discharge_kw), (0, None),
            (0, house.connection.export_contract_kw), (0, row.pv_available_kw), (0, None),
        ]  # fmt: skip
    end_kwh = math.fsum(row.battery_kw for row in rows) * H
    return Matrices(
        cost=cost,
        above=np.vstack([stored, -stored, power, peak]),
        room=np.concatenate([high, -low, np.full(n, battery.charge_kw), np.full(n, tariff.peak_free_kw)]),
        ends=np.vstack([balance, stored[-1:]]),
        rest=np.append(rest, end_kwh),
        limits=limits,
        stored=stored,
    )


def lp_cost_eur(rows: Sequence[EvidenceRow], house: House, start_soc: float) -> float:
    """Least money and wear of a day whose export is never dearer than import, by another way: one big matrix."""
    m = matrices(rows, house, start_soc)
    found = linprog(m.cost, A_ub=m.above, b_ub=m.room, A_eq=m.ends, b_eq=m.rest, bounds=m.limits)
    assert found.status == 0, found.message
    return float(found.fun)


def milp_cost_eur(rows: Sequence[EvidenceRow], house: House, start_soc: float) -> float:
    """The same with deep cycles: a binary per slot says whether it ends below the level.

    Further variables per slot: what is stored up to the level (`held`), what was drawn of that, the binary.
    """
    m, n, battery = matrices(rows, house, start_soc), len(rows), house.battery
    assert battery is not None
    start, level = start_soc * battery.capacity_kwh, battery.deep_below_soc * battery.capacity_kwh
    big = 2 * battery.capacity_kwh
    one, none, first = np.eye(n), np.zeros((n, n)), np.zeros(n)
    first[0] = min(start, level)
    before = np.eye(n, k=-1)
    wide = np.zeros((n, m.stored.shape[1]))
    blocks = [
        (np.hstack([m.above, np.zeros((len(m.above), 3 * n))]), -np.inf, m.room),
        (np.hstack([m.ends, np.zeros((len(m.ends), 3 * n))]), m.rest, m.rest),
        (np.hstack([-m.stored, one, none, none]), -np.inf, np.full(n, start)),  # held <= stored
        (np.hstack([wide, one, none, none]), -np.inf, np.full(n, level)),  # held <= level
        (np.hstack([m.stored, -one, none, big * one]), -np.inf, np.full(n, big - start)),  # below: held >= stored
        (np.hstack([wide, one, none, big * one]), np.full(n, level), np.inf),  # else: held >= level
        (np.hstack([wide, one - before, one, none]), first, np.inf),  # drawn >= held before - held
    ]
    cost = np.concatenate([m.cost, np.zeros(n), np.full(n, battery.wear_deep_eur_per_kwh), np.zeros(n)])
    lows = [low for low, _ in m.limits] + [-np.inf] * n + [0.0] * 2 * n
    highs = [np.inf if high is None else high for _, high in m.limits] + [np.inf] * 2 * n + [1.0] * n
    whole = np.concatenate([np.zeros(len(m.cost) + 2 * n), np.ones(n)])
    found = milp(
        cost,
        integrality=whole,
        bounds=(lows, highs),
        constraints=[LinearConstraint(matrix, low, high) for matrix, low, high in blocks],
        options={"mip_rel_gap": 0.0},
    )
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


def curtailed_day(seed: int, home: House, *, slots: int, soc: float = 0.6) -> list[EvidenceRow]:
    """Any day that evidence of this house may show: no export above the contract, the rest of the sun was curtailed."""
    rows, _ = random_day(seed, slots=slots, lowest=0.0, soc=soc)
    contract_kw = home.connection.export_contract_kw
    rows = [
        replace(row, pv_kw=row.pv_kw - max(-row.grid_kw - contract_kw, 0.0), grid_kw=max(row.grid_kw, -contract_kw))
        for row in rows
    ]
    assume(all(row.pv_kw >= 0 for row in rows))  # else it would have discharged into nothing
    return rows


def unlimited(home: House) -> House:
    """The same, its inverter's AC output no limit."""
    return home.model_copy(update={"inverter": home.inverter.model_copy(update={"ac_limit_kw": 90.0})})


EXPORT_KW = st.sampled_from([0.0, 2.0, 50.0])
POWER = st.sampled_from([(0.0, 0.0), (0.2, 0.0), (0.05, 2.0)])  # EUR per kW of each slot, and kW free


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32), slots=st.integers(1, 24), export_kw=EXPORT_KW, power=POWER)
def test_the_bound_is_what_a_linear_program_finds(
    seed: int, slots: int, export_kw: float, power: tuple[float, float]
) -> None:
    home = billed(unlimited(house(export_kw=export_kw)), power[0], free_kw=power[1])
    rows = curtailed_day(seed, home, slots=slots)

    found = battery_day(rows, house=home, start_soc=0.6)

    assert found is not None
    done_eur = math.fsum(priced(row, home) for row in rows)
    assert done_eur - (found.bound_eur - found.earned_eur) == pytest.approx(lp_cost_eur(rows, home, 0.6), abs=1e-7)


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32), slots=st.integers(1, 12), export_kw=EXPORT_KW, power=POWER,
    price=st.sampled_from([0.02, 0.1, 0.6]), level=st.sampled_from([0.25, 0.5, 0.62]),
)  # fmt: skip
def test_with_deep_cycles_the_bound_is_what_a_search_with_binaries_finds(
    seed: int, slots: int, export_kw: float, power: tuple[float, float], price: float, level: float
) -> None:
    home = billed(unlimited(deep(price, level, export_kw=export_kw)), power[0], free_kw=power[1])
    rows = curtailed_day(seed, home, slots=slots, soc=0.45)

    found = battery_day(rows, house=home, start_soc=0.45)

    assert found is not None
    done_eur = math.fsum(priced(row, home) for row in rows) + price * deep_kwh(rows, level, 0.45)
    assert done_eur - (found.bound_eur - found.earned_eur) == pytest.approx(milp_cost_eur(rows, home, 0.45), abs=1e-6)


def deep_kwh(rows: Sequence[EvidenceRow], level: float, soc: float) -> float:
    """Drawn from below a level of a battery of 10 kWh."""
    drawn = 0.0
    for row in rows:
        after = soc + row.battery_kw * H / 10
        drawn += 10 * max(min(soc, level) - min(after, level), 0.0)
        soc = after
    return drawn


def priced(row: EvidenceRow, house: House) -> float:
    """Money and wear of a slot as it was, curtailed where that pays."""
    assert house.battery is not None
    grid_kw = row.grid_kw - (row.pv_available_kw - row.pv_kw)
    grid_kw = max(grid_kw, -house.connection.export_contract_kw)
    if grid_kw < 0 and row.price_export < 0:
        spare_kw = row.pv_available_kw - min(max(row.battery_kw, 0.0) / 0.97, row.pv_available_kw)
        grid_kw = min(row.grid_kw - (row.pv_available_kw - row.pv_kw) + spare_kw, 0.0)
    price = row.price_import if grid_kw > 0 else row.price_export
    power_eur = house.tariff.peak_eur_per_kw * max(grid_kw - house.tariff.peak_free_kw, 0.0)
    return (grid_kw * price + max(-row.battery_kw, 0.0) * house.battery.wear_eur_per_kwh) * H + power_eur


# --- whatever happens ------------------------------------------------------------------------------------------------
@settings(max_examples=200)
@given(seed=st.integers(0, 2**32), slots=st.integers(1, 96), lowest=st.sampled_from([-2.0, -0.2, 0.0]))
def test_nobody_earns_more_than_the_bound_whatever_the_prices(seed: int, slots: int, lowest: float) -> None:
    rows, soc = random_day(seed, slots=slots, lowest=lowest)

    found = battery_day(rows, house=house(), start_soc=soc)

    assert found is not None
    assert found.earned_eur <= found.bound_eur
    assert math.isfinite(found.bound_eur) and found.bound_eur >= -1e-9


@settings(max_examples=200)
@given(
    seed=st.integers(0, 2**32), slots=st.integers(1, 96), lowest=st.sampled_from([-2.0, -0.2, 0.0]),
    soc=st.floats(0.2, 1.0), price=st.floats(1e-6, 1.0), level=st.floats(0.0, 1.0), power=POWER,
)  # fmt: skip
def test_nobody_earns_more_than_the_bound_whatever_deep_cycles_and_power_cost(
    seed: int, slots: int, lowest: float, soc: float, price: float, level: float, power: tuple[float, float]
) -> None:
    """Any path, also through slots of unknown price, against the bound of a day in which another one was taken.

    That other is the charge spread evenly, which earns nothing: so it is the search that stands above, and not that a
    bound is never told below what its own day earned.
    """
    home = billed(unlimited(deep(price, level, export_kw=50.0)), power[0], free_kw=power[1])
    rows, _ = random_day(seed, slots=slots, lowest=lowest, soc=soc)
    unknown = random.Random(seed + 1)
    rows = [replace(row, price_import=math.nan) if unknown.random() < 0.1 else row for row in rows]
    assume(any(row.priced for row in rows))

    found, spread = (battery_day(day_, house=home, start_soc=soc) for day_ in (rows, evenly(rows)))

    assert found is not None and spread is not None
    assert spread.earned_eur == pytest.approx(0.0, abs=1e-9)
    assert found.earned_eur <= spread.bound_eur + 1e-8
    assert found.earned_eur <= found.bound_eur and math.isfinite(found.bound_eur)


def evenly(rows: Sequence[EvidenceRow]) -> list[EvidenceRow]:
    """The same day, its change of charge in slots of known price spread evenly over them."""
    known = [row.battery_kw for row in rows if row.priced]
    even_kw = math.fsum(known) / len(known)
    return day(
        [even_kw if row.priced else row.battery_kw for row in rows],
        [row.price_import for row in rows],
        pv_kw=[row.pv_kw for row in rows],
        load_kw=[row.load_kw - loss_kw(row.battery_kw, row.pv_kw) for row in rows],
        price_export=[row.price_export for row in rows],
    )


@settings(max_examples=100)
@given(seed=st.integers(0, 2**32), slots=st.integers(2, 96), price=st.floats(1e-6, 1.0), level=st.floats(0.0, 1.0))
def test_the_bound_of_a_day_is_the_same_whatever_was_done_from_and_to_the_same_charge(
    seed: int, slots: int, price: float, level: float
) -> None:
    """So it is of the day, not of a path."""
    rows, soc = random_day(seed, slots=slots, lowest=-0.2)
    home = unlimited(deep(price, level, export_kw=50.0))

    done, spread = (battery_day(day_, house=home, start_soc=soc) for day_ in (rows, evenly(rows)))

    assert done is not None and spread is not None
    assert done.bound_eur == pytest.approx(spread.bound_eur, abs=1e-8)


@settings(max_examples=100)
@given(seed=st.integers(0, 2**32), slots=st.integers(1, 96))
def test_without_a_price_for_the_deep_part_both_ways_reach_the_same(seed: int, slots: int) -> None:
    """The chain of arcs, cut at the level, and the pieces in one order."""
    chance = random.Random(seed)
    plain, parted = Reach(5.0), DeepReach(5.0, level_kwh=chance.uniform(2, 10), eur_per_kwh=0.0)
    for _ in range(slots):
        slopes = sorted(chance.uniform(-0.5, 0.5) for _ in range(3))
        low, middle = -chance.uniform(0.1, 1.2), chance.uniform(0.1, 0.6)
        corners = [(low, 0.0), (0.0, -low * slopes[0])]
        corners.append((middle, corners[-1][1] + middle * slopes[1]))
        corners.append((1.2, corners[-1][1] + (1.2 - middle) * slopes[2]))
        for reach in (plain, parted):
            reach.move(corners)
            reach.clip(2.0, 10.0)

    for kwh in (2.0, 4.9, 5.0, 7.3, 10.0):
        assert parted.cost_at(kwh) == pytest.approx(plain.cost_at(kwh), abs=1e-9)


@given(seed=st.integers(0, 2**32), level=st.floats(0.0, 1.0))
def test_a_dearer_deep_part_never_raises_the_bound(seed: int, level: float) -> None:
    rows, soc = random_day(seed, slots=24, lowest=0.0)
    rows = [replace(row, battery_kw=0.0, grid_kw=row.load_kw - row.pv_kw, soc=soc) for row in rows]

    days = [battery_day(rows, house=home, start_soc=soc) for home in (house(), deep(0.01, level), deep(0.2, level))]

    bounds = [found.bound_eur for found in days if found is not None]
    assert len(bounds) == 3 and bounds[0] >= bounds[1] - 1e-9 and bounds[1] >= bounds[2] - 1e-9


@given(seed=st.integers(0, 2**32))
def test_a_dearer_wear_never_raises_the_bound(seed: int) -> None:
    rows, soc = random_day(seed, slots=24, lowest=0.0)
    plain = house()
    assert plain.battery is not None
    worn = plain.model_copy(update={"battery": plain.battery.model_copy(update={"wear_eur_per_kwh": 0.2})})
    rows = [replace(row, battery_kw=0.0, grid_kw=row.load_kw - row.pv_kw, soc=soc) for row in rows]

    cheap, dear = battery_day(rows, house=plain, start_soc=soc), battery_day(rows, house=worn, start_soc=soc)

    assert cheap is not None and dear is not None and dear.bound_eur <= cheap.bound_eur + 1e-9
