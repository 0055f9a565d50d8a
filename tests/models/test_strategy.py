"""What policies did, told from their rows: five at once, whatever the market, and refusals that name the row."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import DataError
from models.scorecard import EvidenceRow
from models.strategy import StrategyScore, strategies
from models.types.house import House
from tests.models.test_scorecard import make_house, make_room, make_row, synthetic_rows

HOUSE = make_house(("study", "bath"))
FIVE = ("none", "rules", "smart", "pems", "foresight")
SHARES = ("cheap_charging_share", "export_captured_share", "preheated_share")


def any_market(seed: int, *, slots: int = 120, tail: int = 24) -> Callable[[int], list[EvidenceRow]]:
    """Prices, sun and load that are anything (unknown, negative, tied), and policies that do as they please in it."""
    chance = random.Random(seed)
    levels = [math.nan] * chance.choice([0, 1]) + [
        chance.uniform(-0.3, 0.5) for _ in range(chance.choice([1, 2, 8, 96]))
    ]
    truth = [
        (chance.choice(levels), chance.choice(levels), chance.choice([0.0, chance.uniform(0, 9)]), chance.uniform(0, 3))
        for _ in range(slots + tail)
    ]

    def policy(own: int) -> list[EvidenceRow]:
        will, soc, rows = random.Random(own), 0.5, []
        for index, (buy, sell, sun_kw, load_kw) in enumerate(truth):
            shares = [will.choice([0.0, will.random(), 1.0]) for _ in range(2)]
            battery_kw = min(max(will.uniform(-6, 6), (0.2 - soc) * 40), (1.0 - soc) * 40)
            soc += battery_kw / 40
            rows.append(
                make_row(
                    index, phase="run" if index < slots else "tail", price_import=buy, price_export=sell,
                    pv_available_kw=sun_kw, pv_kw=sun_kw * will.choice([0.0, 0.5, 1.0]), load_kw=load_kw,
                    heating_kw=sum(shares), battery_kw=battery_kw, soc=min(max(soc, 0.0), 1.0),
                    composite=will.choice(["regular", "charge_from_grid", "hold", "discharge_to_grid"]),
                    rooms=tuple(
                        make_room(name, relay_share=on, slab_c=will.uniform(18, 35), temperature_c=will.uniform(18, 24))
                        for name, on in zip(("study", "bath"), shares, strict=True)
                    ),
                )
            )  # fmt: skip
        return rows

    return policy


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_shares_are_shares_whatever_the_market_and_whatever_was_done(seed: int) -> None:
    policy = any_market(seed)
    rows = {name: policy(seed + index) for index, name in enumerate(FIVE)}

    found = strategies(rows, house=HOUSE, switches=dict.fromkeys(FIVE, 7))

    assert list(found) == list(FIVE)
    for told in found.values():
        for name in SHARES:
            share = getattr(told, name)
            assert share is None or 0.0 <= share <= 1.0, name
        assert told.arbitrage_vs_bound is None or told.arbitrage_vs_bound <= 1.0
        assert told.mode_changes_per_day is not None and 0.0 <= told.mode_changes_per_day <= 96.0
        assert told.relay_switches_per_day == pytest.approx(7 / 1.25)
        json.dumps(told.as_dict(), allow_nan=False)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_who_does_as_foresight_takes_all_and_who_does_as_plain_rules_takes_nothing(seed: int) -> None:
    policy = any_market(seed)
    rules, best = policy(1), policy(2)

    found = strategies({"rules": rules, "twin": rules, "pems": best, "foresight": best}, house=HOUSE)

    assert found["twin"] == found["rules"] and found["pems"] == found["foresight"]
    assert found["pems"].export_captured_share in (None, 1.0)
    assert found["rules"].export_captured_share in (None, 0.0)
    assert found["rules"].preheated_share in (None, 0.0)
    assert found["rules"].heating_saved_share in (None, 0.0)
    assert found["rules"].peak_import_vs_rules in (None, 1.0)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_what_a_policy_did_does_not_depend_on_who_else_is_shown(seed: int) -> None:
    policy = any_market(seed)
    rows = {name: policy(index) for index, name in enumerate(FIVE)}

    whole = strategies(rows, house=HOUSE)
    part = strategies({name: rows[name] for name in ("pems", "foresight", "rules")}, house=HOUSE)

    assert part == {name: whole[name] for name in part}


def test_a_whole_synthetic_week_is_told_for_every_policy() -> None:
    rows = {name: synthetic_rows(name, HOUSE) for name in FIVE}

    found = strategies(rows, house=HOUSE, switches={"pems": 70, "rules": None})

    assert found["none"].grid_charged_kwh == 0.0 and found["none"].arbitrage_eur_per_day == 0.0
    assert found["none"].mode_changes_per_day == 0.0
    assert found["rules"].cheap_charging_share is None
    pems = found["pems"]
    assert pems.grid_charged_kwh is not None and pems.grid_charged_kwh > 5.0
    assert pems.cheap_charging_share is not None and 0.0 < pems.cheap_charging_share < 1.0
    assert pems.preheated_share is not None and pems.preheated_share > 0.02
    assert pems.heating_saved_share is not None and pems.arbitrage_vs_bound is not None
    assert pems.relay_switches_per_day == 10.0
    assert found["rules"].relay_switches_per_day is None


def test_what_it_is_measured_against_may_be_missing() -> None:
    rows = {"pems": synthetic_rows("pems", HOUSE, days=2, tail_days=0)}

    alone = strategies(rows, house=HOUSE)["pems"]
    without_foresight = strategies({**rows, "rules": synthetic_rows("rules", HOUSE, days=2, tail_days=0)}, house=HOUSE)

    missing = {name for name, value in alone.as_dict().items() if value is None}
    assert missing == {
        "export_captured_share", "preheated_share", "heating_saved_share", "peak_import_vs_rules",
        "relay_switches_per_day",
    }  # fmt: skip
    assert without_foresight["pems"].export_captured_share is None
    assert without_foresight["pems"].peak_import_vs_rules is not None


def test_a_house_without_battery_and_rooms_is_told_what_is_left() -> None:
    house = make_house((), battery=False)
    rows = [make_row(index, rooms=(), soc=math.nan, load_kw=2.0) for index in range(96)]

    found = strategies({"rules": rows, "pems": rows, "foresight": rows}, house=house, switches={"pems": 0})["pems"]

    assert found.peak_import_vs_rules == 1.0
    assert {name for name, value in found.as_dict().items() if value is not None} == {"peak_import_vs_rules"}


def test_saving_at_less_comfort_is_no_saving() -> None:
    def rows(temperature_c: float, on: float) -> list[EvidenceRow]:
        room = make_room(relay_share=on, temperature_c=temperature_c)
        return [make_row(index, rooms=(room,), heating_kw=on) for index in range(96)]

    house = make_house()
    policies = {"rules": rows(21.0, 0.5), "pems": rows(20.5, 0.4), "smart": rows(19.0, 0.1)}

    found = strategies(policies, house=house)

    assert found["pems"].heating_saved_share == pytest.approx(0.2)
    assert found["smart"].heating_saved_share is None


def test_a_peak_of_import_is_a_multiple_of_that_of_plain_rules() -> None:
    rules = [make_row(0, load_kw=4.0), make_row(1)]
    ours = [make_row(0), make_row(1, load_kw=6.0)]
    sunny = [make_row(index, pv_kw=1.0) for index in range(2)]

    assert strategies({"rules": rules, "pems": ours}, house=make_house())["pems"].peak_import_vs_rules == 1.5
    nothing = strategies({"rules": sunny, "pems": ours}, house=make_house())["pems"]
    assert nothing.peak_import_vs_rules is None, "plain rules import nothing"


def test_a_mode_change_is_a_quarter_hour_that_ran_another_composite_than_the_one_before() -> None:
    words = ["regular"] * 10 + ["hold"] * 4 + ["charge_from_grid"] * 4 + ["regular"] * 78
    rows = [make_row(index, composite=word) for index, word in enumerate(words)]
    rows += [make_row(96, composite="hold", phase="tail")]

    assert strategies({"pems": rows}, house=make_house())["pems"].mode_changes_per_day == 3.0


def test_a_day_begins_with_the_charge_that_the_day_before_left() -> None:
    """Emptied on a flat day; on the next, dear hours first and cheap ones after: empty earns nothing."""
    rows = [make_row(index, battery_kw=-0.125, load_kw=1.0, soc=0.5 - 0.003125 * (index + 1)) for index in range(96)]
    rows += [make_row(96 + index, price_import=0.6 - 0.005 * index, soc=0.2) for index in range(96)]

    told = strategies({"pems": rows}, house=make_house())["pems"]
    full = [replace(row, soc=0.5, battery_kw=0.0, grid_kw=row.load_kw) for row in rows]

    assert told.arbitrage_eur_per_day == pytest.approx(0.0) and told.arbitrage_vs_bound is None
    assert strategies({"pems": full}, house=make_house())["pems"].arbitrage_vs_bound == 0.0, "there it was worth it"


@pytest.mark.parametrize("zone", ["Europe/Berlin", "UTC"])
def test_days_are_those_of_the_house(zone: str) -> None:
    """Charged at 23:30 UTC: the cheapest slot of the day that begins then in Berlin, a dear one of the day in UTC."""
    prices = [0.3 - 0.0005 * index for index in range(4)] + [0.1 + 0.001 * index for index in range(188)]
    rows = [
        make_row(index, price_import=price, battery_kw=2.0 * (index == 4), composite="charge_from_grid")
        for index, price in enumerate(prices)
    ]
    site = make_house().site.model_copy(update={"timezone": zone})
    house = make_house().model_copy(update={"site": site})
    shifted = [replace(row, time_utc=rows[index].time_utc - (rows[4].time_utc - rows[0].time_utc)) for index, row in
               enumerate(rows)]  # fmt: skip

    share = strategies({"pems": shifted}, house=house)["pems"].cheap_charging_share

    assert share == 1.0 if zone == "Europe/Berlin" else share is None


def spoil(index: int, **changes: object) -> Callable[[list[EvidenceRow]], list[EvidenceRow]]:
    return lambda rows: [*rows[:index], replace(rows[index], **changes), *rows[index + 1 :]]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("spoilt", "told"),
    [
        (lambda rows: rows[:-1], "pems has 95 quarter hours, rules has 96; .* run them together"),
        (spoil(3, price_import=0.31), "23:45:00.00:00: price_import is 0.31 for pems, 0.3 for rules"),
        (spoil(3, price_export=math.nan), "price_export is nan for pems, 0.1 for rules"),
        (spoil(95, phase="tail"), "phase is tail for pems, run for rules"),
        (spoil(3, grid_kw=9.0), "powers leave"),
    ],
)
def test_policies_of_different_markets_are_no_comparison(
    spoilt: Callable[[list[EvidenceRow]], list[EvidenceRow]], told: str
) -> None:
    rows = [make_row(index) for index in range(96)]

    with pytest.raises(DataError, match=told):
        strategies({"rules": rows, "pems": spoilt(rows)}, house=make_house())


def test_a_price_unknown_to_all_is_one_market() -> None:
    rows = [make_row(index, price_import=math.nan) for index in range(96)]

    found = strategies({"rules": rows, "pems": rows, "foresight": rows}, house=make_house())["pems"]

    assert (found.arbitrage_eur_per_day, found.export_captured_share, found.heating_saved_share) == (None, None, None)


def test_every_figure_is_explained() -> None:
    """One sentence with its unit stands below each field."""
    import inspect

    source = inspect.getsource(StrategyScore)
    for field in fields(StrategyScore):
        text = source.split(f"    {field.name}: float | None\n", 1)[1].split('"""')[1]
        assert "[" in text and text.endswith("."), field.name


def test_the_house_decides_what_a_battery_is() -> None:
    rows = [make_row(index, price_import=0.1 if index < 8 else 0.4) for index in range(16)]
    plain = make_house()
    assert plain.battery is not None
    small = House.model_validate({**plain.model_dump(), "battery": {**plain.battery.model_dump(), "charge_kw": 0.001}})

    found, less = (strategies({"pems": rows}, house=house)["pems"] for house in (plain, small))

    assert found.arbitrage_vs_bound == 0.0 and less.arbitrage_vs_bound is None, "nothing to earn with so little power"
