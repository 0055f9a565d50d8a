"""The scorecard on weeks that can be added up by hand, and on a whole synthetic house."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import DataError
from models.scorecard import EvidenceRow, PlanStats, RoomRow, Scorecard, check_rows, deviations, score
from models.types.house import Battery, House, Room, Site

START = datetime(2021, 2, 7, 23, tzinfo=UTC)  # local midnight in Berlin
QUARTER = timedelta(minutes=15)


def make_house(rooms: Sequence[str] = ("study",), *, battery: bool = True) -> House:
    """A house with rooms of 1 kW each, band 20..23 degC."""
    return House(
        site=Site(latitude_deg=50.775, longitude_deg=6.083),
        battery=Battery(capacity_kwh=10.0, charge_kw=5.0, discharge_kw=5.0) if battery else None,
        rooms=tuple(
            Room(name=n, heater_kw=1.0, area_m2=12.0, ua_w_per_k=20.0, day_min_c=20.0, night_min_c=19.0, max_c=23.0)
            for n in rooms
        ),
    )


def make_room(name: str = "study", **changes: Any) -> RoomRow:
    values: dict[str, Any] = {"temperature_c": 21.0, "slab_c": 22.0, "relay_share": 0.0, "lower_c": 20.0}
    return RoomRow(**{"name": name, "upper_c": 23.0, **values, **changes})


def make_row(index: int = 0, **changes: Any) -> EvidenceRow:
    """A quiet slot; what is named is changed, and the grid covers the rest."""
    values: dict[str, Any] = {
        "time_utc": START + index * QUARTER,
        "phase": "run",
        "price_import": 0.30,
        "price_export": 0.10,
        "pv_kw": 0.0,
        "pv_available_kw": changes.get("pv_kw", 0.0),
        "load_kw": 0.5,
        "heating_kw": 0.0,
        "battery_kw": 0.0,
        "soc": 0.5,
        "composite": "regular",
        "rooms": (make_room(),),
        **changes,
    }
    values.setdefault("grid_kw", values["load_kw"] + values["heating_kw"] + values["battery_kw"] - values["pv_kw"])
    return EvidenceRow(**values)


def synthetic_rows(policy: str, house: House, *, days: int = 7, tail_days: int = 3, seed: int = 1) -> list[EvidenceRow]:
    """A plausible week of one policy: smooth sun, a price with two peaks, one-store rooms with thermostats.

    The policies differ as their names say, roughly; the truth (weather, prices, load) is the same for all.
    """
    truth = random.Random(seed)
    slots = (days + tail_days) * 96
    cloud, soc = 0.6, 0.5
    air = {room.name: room.day_min_c + 0.4 for room in house.rooms}
    slab = {room.name: room.day_min_c + 2.0 for room in house.rooms}
    rows: list[EvidenceRow] = []
    for index in range(slots):
        hour, day = (index % 96) / 4, index // 96
        cloud = min(max(cloud + truth.gauss(0, 0.03) + 0.01 * (0.55 - cloud), 0.1), 1.0)
        sun = max(math.sin((hour - 7.5) / 10.0 * math.pi), 0.0) if 7.5 < hour < 17.5 else 0.0
        spot = 0.05 + 0.035 * math.sin((hour - 4) / 6 * math.pi) + 0.02 * math.cos(day * 1.7) - 0.085 * sun * (day % 3)
        outdoor_c = 1.0 + 4 * math.sin((hour - 9) / 12 * math.pi) - 1.5 * math.cos(day / 2)
        base_kw = 0.35 + 0.9 * math.exp(-(((hour - 19) / 2) ** 2)) + truth.random() * 0.25
        acting = policy if index < days * 96 else "rules"
        cheap = spot < 0.035
        available_kw = 9.0 * sun * cloud
        states: list[RoomRow] = []
        heating_kw = 0.0
        for room in house.rooms:
            lower_c = room.lower_c(hour, house.day_starts_h, house.day_ends_h)
            target_c = lower_c + 0.15
            if acting in ("pems", "foresight"):
                soon = room.lower_c((hour + 3) % 24, house.day_starts_h, house.day_ends_h)
                target_c = max(lower_c, soon) + 0.12 + (1.2 if cheap else 0.0)
            elif acting == "smart":
                target_c = lower_c + (0.8 if available_kw > 3 else 0.1)
            need = (target_c - air[room.name]) * 2.0 + room.ua_w_per_k / 1000 * (air[room.name] - outdoor_c)
            share = round(min(max(need / room.heater_kw, 0.0), 1.0), 2)
            glass_kw = 0.05 * room.area_m2 * 0.45 * sun * cloud * (room.facing != "none")
            flow_kw = 0.012 * room.area_m2 * (slab[room.name] - air[room.name])
            slab[room.name] += (share * room.heater_kw - flow_kw) * 0.25 / (0.02 * room.area_m2)
            loss_kw = room.ua_w_per_k / 1000 * (air[room.name] - outdoor_c)
            air[room.name] += (flow_kw + glass_kw - loss_kw) * 0.25 / (0.09 * room.area_m2)
            heating_kw += share * room.heater_kw
            states.append(
                RoomRow(
                    name=room.name,
                    temperature_c=air[room.name],
                    slab_c=slab[room.name],
                    relay_share=share,
                    lower_c=lower_c,
                    upper_c=room.max_c,
                )
            )
        surplus_kw = available_kw - base_kw - heating_kw
        composite, wanted_kw = "regular", surplus_kw
        if acting == "none":
            wanted_kw = 0.0
        elif acting in ("smart", "pems", "foresight") and (hour < 4.5 or cheap) and surplus_kw < 0:
            composite, wanted_kw = ("charge_from_grid", 3.0) if hour > 2 else ("hold", 0.0)
        elif acting in ("pems", "foresight") and 17 < hour < 18.5:
            composite, wanted_kw = "discharge_to_grid", -4.0
        floor = 0.2
        room_kw, stored_kw = (1 - soc) * 10 / 0.25, (soc - floor) * 10 / 0.25
        battery_kw = min(max(wanted_kw, -5.0, -stored_kw), 5.0, room_kw)
        soc += battery_kw * 0.25 / 10
        pv_kw = available_kw
        if spot - 0.014 < 0 and acting in ("pems", "smart", "foresight"):
            pv_kw = min(available_kw, base_kw + heating_kw + max(battery_kw, 0.0))
        rows.append(
            EvidenceRow(
                time_utc=START + index * QUARTER,
                phase="run" if index < days * 96 else "tail",
                price_import=(spot + 0.02 + (0.085 if int(hour) in (10, 12, 14, 17) else 0.055)) * 1.21,
                price_export=spot - 0.014,
                pv_kw=pv_kw,
                pv_available_kw=available_kw,
                load_kw=base_kw + 0.06 + 0.05 * abs(battery_kw),
                heating_kw=heating_kw,
                battery_kw=battery_kw,
                grid_kw=base_kw + 0.06 + 0.05 * abs(battery_kw) + heating_kw + battery_kw - pv_kw,
                soc=soc,
                composite=composite,
                rooms=tuple(states),
            )
        )
    return rows


# --- money -----------------------------------------------------------------------------------------------------------
def test_energy_is_bought_at_the_import_price_and_sold_at_the_export_price() -> None:
    rows = [make_row(0, load_kw=4.0), make_row(1, pv_kw=8.5)]

    found = score(rows, house=make_house())

    assert found.import_kwh == pytest.approx(1.0)
    assert found.export_kwh == pytest.approx(2.0)
    assert found.energy_eur == pytest.approx(1.0 * 0.30 - 2.0 * 0.10)
    assert found.peak_import_kw == pytest.approx(4.0)


def test_selling_at_a_negative_price_costs_money() -> None:
    found = score([make_row(pv_kw=4.5, price_export=-0.05)], house=make_house())

    assert found.energy_eur == pytest.approx(0.05)


def test_a_slot_is_left_out_when_either_price_is_unknown_and_is_counted() -> None:
    rows = [make_row(0, load_kw=4.0), make_row(1, load_kw=4.0, price_export=math.nan)]

    found = score(rows, house=make_house())

    assert found.energy_eur == pytest.approx(0.30)
    assert found.unpriced_slots == 1
    assert found.import_kwh == pytest.approx(2.0), "energy is known even where its price is not"


def test_wear_is_charged_per_kwh_discharged_at_the_terminals() -> None:
    rows = [make_row(0, battery_kw=3.0), make_row(1, battery_kw=-4.0, load_kw=4.0)]

    found = score(rows, house=make_house())

    assert found.wear_eur == pytest.approx(1.0 * 0.04)
    assert found.cycles == pytest.approx(0.1)
    assert score(rows, house=make_house(), wear_eur_per_kwh=0.1).wear_eur == pytest.approx(0.1)


def test_the_tail_counts_for_its_money_and_nothing_else() -> None:
    cold = (make_room(temperature_c=15.0),)
    rows = [make_row(0), make_row(1, phase="tail", load_kw=8.0, battery_kw=-2.0, rooms=cold)]

    found = score(rows, house=make_house())

    assert found.tail_eur == pytest.approx(1.5 * 0.30)
    assert found.cost_eur == pytest.approx(found.energy_eur + found.wear_eur + found.tail_eur)
    assert found.wear_eur == 0.0
    assert found.peak_import_kw == pytest.approx(0.5)
    assert found.comfort_kh == 0.0
    assert found.mean_room_c == pytest.approx(21.0)


def test_a_house_without_battery_has_no_cycles_and_no_wear() -> None:
    found = score([make_row(soc=math.nan)], house=make_house(battery=False))

    assert (found.cycles, found.wear_eur) == (0.0, 0.0)


# --- comfort ---------------------------------------------------------------------------------------------------------
def test_cold_counts_only_beyond_the_tolerance_but_depth_from_the_band() -> None:
    rows = [
        make_row(i, rooms=(make_room(temperature_c=celsius),)) for i, celsius in enumerate((19.85, 19.3, 20.0, 21.0))
    ]

    found = score(rows, house=make_house())

    assert found.comfort_kh == pytest.approx(0.5 * 0.25)
    assert found.comfort_share == pytest.approx(0.25)
    assert found.deepest_k == pytest.approx(0.7)


def test_exactly_the_tolerance_is_no_violation() -> None:
    found = score([make_row(rooms=(make_room(temperature_c=20.0 - 0.2),))], house=make_house())

    assert found.comfort_share == 0.0


def test_too_warm_counts_against_heating_while_its_heat_is_still_in_the_slab() -> None:
    heated = make_row(0, heating_kw=1.0, rooms=(make_room(relay_share=1.0),))
    warm = (make_room(temperature_c=24.2),)
    rows = [heated, *(make_row(i, rooms=warm) for i in range(1, 30))]

    found = score(rows, house=make_house())

    slots_by_heating = 24  # six hours after the slot with the relay on
    assert found.comfort_kh == pytest.approx(slots_by_heating * 1.0 * 0.25)
    assert found.overheat_kh == pytest.approx((29 - slots_by_heating) * 1.0 * 0.25)
    assert found.comfort_share == pytest.approx(slots_by_heating / 30)
    assert found.deepest_k == pytest.approx(1.2)


def test_too_warm_by_sun_alone_is_kept_apart_and_is_no_violation() -> None:
    found = score([make_row(rooms=(make_room(temperature_c=26.2),))], house=make_house())

    assert found.overheat_kh == pytest.approx(3.0 * 0.25)
    assert (found.comfort_kh, found.comfort_share, found.deepest_k, found.worst_room) == (0.0, 0.0, 0.0, None)


def test_the_worst_room_is_named_with_its_own_share() -> None:
    rows = [
        make_row(i, rooms=(make_room("hall"), make_room("bath", temperature_c=18.0 if i == 0 else 21.0)))
        for i in range(4)
    ]

    found = score(rows, house=make_house(("hall", "bath")))

    assert (found.worst_room, found.worst_room_share) == ("bath", 0.25)
    assert found.comfort_share == pytest.approx(0.125)


def test_deviations_are_signed_and_tell_whether_heating_had_a_part() -> None:
    rows = [
        make_row(0, rooms=(make_room(temperature_c=19.5),)),
        make_row(1, heating_kw=0.5, rooms=(make_room(temperature_c=23.5, relay_share=0.5),)),
        make_row(2),
    ]

    assert deviations(rows, 0) == [(pytest.approx(-0.5), False), (pytest.approx(0.5), True), (0.0, True)]


# --- bad rows --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([], "no rows"),
        ([make_row(phase="tail")], "no rows of the run"),
        ([make_row(0), make_row(2)], "15 minutes later"),
        ([make_row(0), make_row(0)], "15 minutes later"),
        ([make_row(1), make_row(0)], "15 minutes later"),
        ([make_row(time_utc=datetime(2021, 2, 8))], "not UTC"),
        ([make_row(time_utc=START + timedelta(minutes=1))], "quarter hour"),
        ([make_row(phase="warmup")], "no rows of the run"),
        ([make_row(0), make_row(1, phase="after")], "phase is 'after'"),
        ([make_row(0), make_row(1, phase="tail"), make_row(2)], "after phase 'tail'"),
        ([make_row(grid_kw=0.6)], "open"),
        ([make_row(load_kw=math.nan)], "load_kw is nan"),
        ([make_row(load_kw=-0.5)], "must not be negative"),
        ([make_row(pv_kw=3.0, pv_available_kw=2.0)], "more than pv_available_kw"),
        ([make_row(price_import=math.inf)], "infinite"),
        ([make_row(soc=50.0)], "fraction"),
        ([make_row(0), make_row(1, soc=math.nan)], "soc is nan"),
        ([make_row(rooms=(make_room(temperature_c=math.nan),))], "study.temperature_c is nan"),
        ([make_row(rooms=(make_room(relay_share=100.0),))], "fraction"),
        ([make_row(rooms=(make_room(lower_c=23.0),))], "must be below"),
        ([make_row(rooms=(make_room(), make_room()))], "used twice"),
        ([make_row(0), make_row(1, rooms=(make_room("bath"),))], "differ"),
    ],
)
def test_rows_that_are_no_evidence_are_refused_with_the_reason(rows: list[EvidenceRow], says: str) -> None:
    with pytest.raises(DataError, match=says):
        check_rows(rows)


def test_rows_of_another_house_are_refused() -> None:
    with pytest.raises(DataError, match="bath"):
        score([make_row()], house=make_house(("study", "bath")))


# --- properties ------------------------------------------------------------------------------------------------------
@given(
    powers=st.lists(st.tuples(st.floats(0, 10), st.floats(0, 10), st.floats(-5, 5)), min_size=1, max_size=20),
    split=st.integers(1, 20),
)
def test_cost_is_the_sum_of_its_parts_however_the_rows_are_split(
    powers: list[tuple[float, float, float]], split: int
) -> None:
    rows = [make_row(i, load_kw=load, pv_kw=pv, battery_kw=kw) for i, (load, pv, kw) in enumerate(powers)]
    whole = score(rows, house=make_house())
    parts = [score(part, house=make_house()) for part in (rows[:split], rows[split:]) if part]

    assert whole.cost_eur == pytest.approx(sum(part.cost_eur for part in parts), abs=1e-9)
    assert whole.import_kwh - whole.export_kwh == pytest.approx(sum(row.grid_kw for row in rows) * 0.25, abs=1e-9)
    tailed = [replace(row, phase="run" if i < split else "tail") for i, row in enumerate(rows)]
    found = score(tailed, house=make_house())
    assert found.energy_eur + found.tail_eur == pytest.approx(whole.energy_eur, abs=1e-9)


@given(celsius=st.lists(st.floats(10, 35), min_size=1, max_size=30), relay=st.floats(0, 1))
def test_a_room_hour_is_never_both_a_violation_and_too_warm_by_sun(celsius: list[float], relay: float) -> None:
    rows = [
        make_row(i, rooms=(make_room(temperature_c=c, relay_share=relay if i == 0 else 0.0),))
        for i, c in enumerate(celsius)
    ]
    found = score(rows, house=make_house())

    beyond = sum(max(20.0 - c, c - 23.0, 0.2) - 0.2 for c in celsius) * 0.25
    assert found.comfort_kh + found.overheat_kh == pytest.approx(beyond, abs=1e-9)
    assert found.worst_room_share == found.comfort_share


def test_a_synthetic_week_is_sound_evidence_and_policies_differ() -> None:
    house = make_house(("study", "bath"))
    costs = {name: score(synthetic_rows(name, house), house=house).cost_eur for name in ("none", "rules", "pems")}

    assert len(set(costs.values())) == 3


# --- the card --------------------------------------------------------------------------------------------------------
def test_plan_statistics_are_nearest_rank_and_ignore_plans_without_a_bound() -> None:
    found = PlanStats.of([0.1 * n for n in range(1, 21)], [0.02, 0.04, math.inf, math.nan])

    assert found.count == 20
    assert found.median_s == pytest.approx(1.0)
    assert found.p95_s == pytest.approx(1.9)
    assert found.gap_eur == pytest.approx(0.03)
    assert PlanStats.of([], []) == PlanStats(count=0, median_s=None, p95_s=None, gap_eur=None)


def test_the_card_is_json_with_the_agreed_keys() -> None:
    card = Scorecard(
        policies={"rules": score([make_row()], house=make_house(), switches=3, writes=0)},
        violations=0,
        checks={"1": 12},
        plans=PlanStats.of([0.2], [0.01]),
        trace_hash="ab12",
        seed=1,
    )

    back = json.loads(json.dumps(card.as_dict(), allow_nan=False))

    assert list(back) == ["policies", "violations", "checks", "plans", "trace_hash", "seed"]
    assert back["policies"]["rules"]["relay_switches"] == 3
    assert back["policies"]["rules"]["cost_eur"] == pytest.approx(0.0375)
    assert back["plans"] == {"count": 1, "median_s": 0.2, "p95_s": 0.2, "gap_eur": 0.01}
