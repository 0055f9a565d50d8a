"""The status: what people see, and what the house has cost on quarter-hour means beside plain rules."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from actors.messages import Alarm, LinkState, OperatorLimits, PlanFailed, PricesKnown, Proof
from actors.ops.status import Status
from actors.runtime import Restarted
from models.physics.tariff import export_price, import_price
from models.types.mode import Composite, InverterMode
from models.types.operator import ImportLimit
from models.types.reading import MeterReading
from models.types.twin_wire import TwinOutput
from solvers.result import BentRule, Remark
from tests.actors.devices.bench import START, Bench, a_house
from tests.actors.planning.plans import inverter, plan, prices, rooms

PATH = "/ops/status"
HOUSE = a_house()


@pytest.fixture
def bench() -> Bench:
    made = Bench({PATH: lambda: Status(HOUSE)})
    made.start()
    return made


def shown(bench: Bench) -> dict[str, Any]:
    found = bench.runtime.behaviour_snapshot(PATH)
    json.dumps(found)
    return found


def meters(bench: Bench, minute: float, bought: float, sold: float, rules: tuple[float, float] = (0.0, 0.0)) -> None:
    """The twin's totals after so many minutes [kWh]."""
    bench.publish(
        TwinOutput(
            until=START + timedelta(minutes=minute), messages=(), import_kwh=bought, export_kwh=sold,
            rules_import_kwh=rules[0], rules_export_kwh=rules[1],
        )
    )  # fmt: skip


def buy(spot: float, hour: int = 10) -> float:
    price = import_price(spot, hour, HOUSE.tariff)
    assert price is not None
    return price


def sell(spot: float) -> float:
    price = export_price(spot, HOUSE.tariff)
    assert price is not None
    return price


# --- money ------------------------------------------------------------------------------------------------------------
def test_import_and_export_within_one_quarter_cancel_before_they_are_priced(bench: Bench) -> None:
    bench.publish(PricesKnown(prices=prices([0.1, 0.3])))
    meters(bench, 0, 10.0, 5.0)
    meters(bench, 7, 11.0, 5.0)
    meters(bench, 15, 11.0, 5.4)
    assert shown(bench)["cost_eur"] == pytest.approx(0.6 * buy(0.1), abs=1e-4)
    meters(bench, 30, 11.0, 6.4)
    assert shown(bench)["cost_eur"] == pytest.approx(0.6 * buy(0.1) - 1.0 * sell(0.3), abs=1e-4)


def test_the_running_quarter_is_not_priced_before_it_is_over(bench: Bench) -> None:
    bench.publish(PricesKnown(prices=prices([0.1] * 4)))
    meters(bench, 0, 0.0, 0.0)
    meters(bench, 14, 9.0, 0.0)
    assert shown(bench)["cost_eur"] == 0.0


def test_the_same_house_under_plain_rules_has_its_own_bill(bench: Bench) -> None:
    bench.publish(PricesKnown(prices=prices([0.1] * 4)))
    meters(bench, 0, 0.0, 0.0, (1.0, 0.0))
    meters(bench, 15, 0.5, 0.0, (3.0, 0.0))
    found = shown(bench)
    assert found["cost_eur"] == pytest.approx(0.5 * buy(0.1), abs=1e-4)
    assert found["rules_cost_eur"] == pytest.approx(2.0 * buy(0.1), abs=1e-4)


def test_a_quarter_whose_price_is_unknown_is_priced_for_neither(bench: Bench) -> None:
    bench.publish(PricesKnown(prices=prices([0.1, math.nan, 0.2])))
    for minute, kwh in ((0, 0.0), (15, 1.0), (30, 51.0), (45, 52.0)):
        meters(bench, minute, kwh, 0.0, (kwh, 0.0))
    found = shown(bench)
    assert found["cost_eur"] == pytest.approx(buy(0.1) + buy(0.2), abs=1e-4)
    assert found["cost_eur"] == found["rules_cost_eur"]


def test_a_negative_price_pays_for_what_is_bought_and_charges_for_what_is_fed_in(bench: Bench) -> None:
    bench.publish(PricesKnown(prices=prices([-0.3, -0.3])))
    meters(bench, 0, 0.0, 0.0)
    meters(bench, 15, 1.0, 0.0)
    assert shown(bench)["cost_eur"] == pytest.approx(buy(-0.3), abs=1e-4) and buy(-0.3) < 0
    meters(bench, 30, 1.0, 1.0)
    assert shown(bench)["cost_eur"] == pytest.approx(buy(-0.3) - sell(-0.3), abs=1e-4)


def test_without_meters_there_is_no_cost(bench: Bench) -> None:
    bench.publish(PricesKnown(prices=prices([0.1])))
    bench.publish(TwinOutput(until=START, messages=()))
    assert shown(bench)["cost_eur"] is None


# --- what is seen -----------------------------------------------------------------------------------------------------
def test_before_anything_was_heard_everything_is_unknown(bench: Bench) -> None:
    found = shown(bench)
    unknown = ("link_up", "price_import", "soc", "pv_kw", "grid_kw", "heating_kw", "composite", "cost_eur")
    assert [found[name] for name in unknown] == [None] * len(unknown)
    assert found["rooms"] == [] and found["plan"] == {"made": 0, "trouble": ""}


def test_flows_prices_and_rooms_are_shown_with_their_bands(bench: Bench) -> None:
    bench.publish(PricesKnown(prices=prices([0.1])))
    bench.publish(inverter(0.6, composite=Composite.HOLD))
    bench.publish(rooms({"hall": 20.5, "bath": None}, on=("hall",)))
    bench.publish(LinkState(up=True))
    found = shown(bench)
    assert (found["soc"], found["composite"], found["link_up"]) == (0.6, "hold", True)
    assert (found["price_import"], found["price_export"]) == (buy(0.1), sell(0.1))
    assert found["heating_kw"] == pytest.approx(1.2)
    hall, bath = found["rooms"]
    assert (hall["air_c"], hall["lower_c"], hall["upper_c"], hall["relay_on"]) == (20.5, 19.0, 22.5, True)
    assert bath["air_c"] is None
    assert found["local_time"].startswith("2021-02-08T10:00")


def test_a_status_that_is_restarted_still_knows_the_wires_and_the_alarms(bench: Bench) -> None:
    bench.publish(LinkState(up=True, carries=("energy/",)))
    bench.publish(LinkState(up=False, carries=("loxone/",)))
    bench.publish(Alarm(at=START, name="hot", active=True, text="too hot"))
    bench.publish(Alarm(at=START, name="wet", active=True, text="too wet"))
    bench.publish(Alarm(at=START, name="wet", active=False, text=""))
    bench.runtime.restart(PATH)
    bench.run(1)
    found = shown(bench)
    assert found["link_up"] is False, "one wire of two is down"
    assert [a["name"] for a in found["alarms"]] == ["hot"]
    bench.publish(LinkState(up=True, carries=("loxone/",)))
    assert shown(bench)["link_up"] is True


def test_the_plan_is_shown_as_its_next_runs_and_trouble_stands_until_the_next_plan(bench: Bench) -> None:
    hold = InverterMode(composite=Composite.HOLD)
    bench.publish(PlanFailed(reason="plan deadline"))
    assert shown(bench)["plan"]["trouble"] == "plan deadline"
    bench.publish(plan(modes=(hold,) * 3))
    bench.run(900)
    found = shown(bench)["plan"]
    assert (found["made"], found["maker"], found["trouble"]) == (1, "test", "")
    assert [(r["composite"], r["slots"]) for r in found["next"]] == [("hold", 2), ("regular", 21)]
    assert found["next"][0]["from"] == (START + timedelta(minutes=15)).isoformat()


def test_what_a_plan_bends_is_shown_by_rule_with_its_worst_dearest_first(bench: Bench) -> None:
    def bent(rule: str, slot: int, amount: float, cost_eur: float) -> BentRule:
        return BentRule(rule=rule, slot=slot, amount=amount, unit="K", cost_eur=cost_eur)

    ready = plan()
    rules = (bent("a", 0, 0.1, 1.0), bent("b", 0, 0.5, 2.0), bent("a", 1, 0.3, 1.5))
    bench.publish(replace(ready, plan=replace(ready.plan, result=replace(ready.plan.result, bent_rules=rules))))
    assert shown(bench)["plan"]["bent"] == [
        {"rule": "a", "slots": 2, "worst": 0.3, "unit": "K", "cost_eur": 2.5},
        {"rule": "b", "slots": 1, "worst": 0.5, "unit": "K", "cost_eur": 2.0},
    ]
    bench.publish(ready)
    assert shown(bench)["plan"]["bent"] == []


def test_what_was_odd_in_the_problem_stands_beside_its_plan(bench: Bench) -> None:
    ready = plan()
    remark = Remark(about="room.hall", text="room hall: its band is empty")
    bench.publish(replace(ready, plan=replace(ready.plan, remarks=(remark,))))
    assert shown(bench)["plan"]["remarks"] == [{"about": "room.hall", "text": "room hall: its band is empty"}]
    bench.publish(ready)
    assert shown(bench)["plan"]["remarks"] == []


def test_alarms_stand_until_they_end(bench: Bench) -> None:
    for name, active in (("a", True), ("b", True), ("a", False), ("c", False)):
        bench.publish(Alarm(at=START, name=name, active=active, text="x"))
    assert [a["name"] for a in shown(bench)["alarms"]] == ["b"]


def test_the_grid_operators_limits_are_shown_with_the_one_that_binds_until_they_are_over(bench: Bench) -> None:
    hour = timedelta(hours=1)
    evening = ImportLimit(start=START + hour, end=START + 3 * hour, import_kw=4.2)
    stricter = ImportLimit(start=START + 2 * hour, end=START + 3 * hour, import_kw=2.0, source="DSO")
    assert (shown(bench)["import_limit"], shown(bench)["operator_limits"]) == (None, [])
    bench.publish(OperatorLimits(limits=(evening, stricter)))
    bench.runtime.restart(PATH)
    bench.run(1800)
    found = shown(bench)
    assert found["import_limit"] is None and [row["holds"] for row in found["operator_limits"]] == [False, False]
    bench.run(3600)
    assert shown(bench)["import_limit"]["import_kw"] == 4.2
    bench.run(3600)
    row = {"import_kw": 2.0, "start": stricter.start.isoformat(), "end": stricter.end.isoformat(), "source": "DSO"}
    assert shown(bench)["import_limit"] == {**row, "holds": True}
    bench.run(3600)
    assert (shown(bench)["import_limit"], shown(bench)["operator_limits"]) == (None, []), "over, though nobody said so"


def test_the_last_proofs_and_restarts_are_kept(bench: Bench) -> None:
    for i in range(25):
        bench.publish(Proof(at=START, point=f"p{i}", stage="applied", value="on", request_id="", latency_s=1.234))
        bench.publish(Restarted(path=f"/x/{i}", incarnation=2, reason=""))
    found = shown(bench)
    assert len(found["proofs"]) == len(found["restarts"]) == 20
    assert found["proofs"][-1] == {"point": "p24", "stage": "applied", "value": "on", "latency_s": 1.2}
    assert found["restarts"][-1] == "/x/24"


def test_on_a_real_wire_the_houses_own_meter_is_billed_and_plain_rules_are_not_known(bench: Bench) -> None:
    bench.publish(PricesKnown(prices=prices([0.1] * 4)))
    for minute, kwh in ((0, 3.0), (15, 3.5)):
        at = START + timedelta(minutes=minute)
        bench.publish(MeterReading(measured_at=at, grid_kw=2.0, import_kwh=kwh, export_kwh=0.0))
    found = shown(bench)
    assert found["cost_eur"] == pytest.approx(0.5 * buy(0.1), abs=1e-4)
    assert found["rules_cost_eur"] is None


def test_what_was_read_too_long_ago_is_shown_as_unknown() -> None:
    bench = Bench({PATH: lambda: Status(HOUSE, inverter_age_s=60.0, rooms_age_s=600.0)})
    bench.start()
    bench.publish(inverter(0.5, composite=Composite.HOLD))
    bench.publish(rooms({"hall": 20.0, "bath": 21.0}, on=("hall",)))
    assert (shown(bench)["soc"], shown(bench)["composite"]) == (0.5, "hold")
    bench.run(120)
    later = shown(bench)
    assert later["soc"] is later["composite"] is later["grid_kw"] is None
    assert later["heating_kw"] is not None
    bench.run(600)
    assert shown(bench)["heating_kw"] is None
    assert [room["air_c"] for room in shown(bench)["rooms"]] == [None] * len(HOUSE.rooms)
