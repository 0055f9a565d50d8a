"""The gate as an actor: what it remembers, what it tells and what it shows."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from actors.gate.point_state import show
from actors.messages import Holding, RequestTrip, Wear
from actors.runtime import AskDead, Lane
from models.types.command import RELINQUISH, Level, Outcome, Verdict
from models.types.mode import REGULAR, Composite, InverterMode
from tests.properties.house import EXPORT, GATE, MODE, RELAYS, SAFETY, Lab, a_world, house_file

HALL, BATH, LIVING = RELAYS
HOLD = InverterMode(composite=Composite.HOLD)


def gate(lab: Lab) -> dict[str, object]:
    return lab.runtime.behaviour_snapshot(GATE)


def test_a_fresh_gate_knows_nothing_and_holds_every_point_at_its_default() -> None:
    lab = Lab()
    lab.runtime.start()
    shown = gate(lab)
    assert shown["soc"] is None and shown["permit_left_s"] == lab.config.timing.permit_s
    points = shown["points"]
    assert isinstance(points, dict)
    assert {n: p["value"] for n, p in points.items()} == {n: show(s.default) for n, s in lab.points.items()}
    json.dumps(shown)


def test_what_the_gate_shows_says_who_holds_a_point_until_when_and_who_comes_next() -> None:
    lab = Lab(rules=False).start()
    lab.ask(EXPORT, 3.0, ttl_s=600.0)
    lab.override(EXPORT, 1.0, ttl_s=300.0)
    lab.ask(EXPORT, "much")
    shown = lab.output(EXPORT)
    assert (shown["value"], shown["level"], shown["holder"], shown["left_s"]) == (1.0, 8, "user", 300.0)
    assert [(s["level"], s["value"]) for s in shown["slots"]] == [(8, 1.0), (13, 3.0)]  # type: ignore[attr-defined]
    last = shown["verdicts"][-1]  # type: ignore[index]
    assert (last["outcome"], last["value"], last["source"]) == ("refused", "much", "/plan/adversary")
    json.dumps(gate(lab))


def test_who_asks_the_gate_hears_the_verdict() -> None:
    lab = Lab(rules=False).start()
    fine = lab.runtime.ask(GATE, lab.request(EXPORT, 3.0), 5.0)
    assert isinstance(fine, Verdict) and fine.outcome is Outcome.ACCEPTED
    odd = lab.runtime.ask(GATE, lab.request(EXPORT, 3.0, name=7), 5.0)  # type: ignore[arg-type]
    assert isinstance(odd, Verdict) and odd.reason == "malformed request: id"
    lab.sound()


def test_a_message_that_is_not_for_the_gate_is_a_dead_letter() -> None:
    lab = Lab().start()
    with pytest.raises(AskDead):
        lab.runtime.ask(GATE, RequestTrip(kind="x", points=(), reason=""), 5.0, lane=Lane.URGENT)
    lab.sound()


def test_a_deferred_relay_says_so_once_and_follows_when_it_may() -> None:
    lab = Lab().start(30.0)
    lab.run(10)
    asked = lab.ask(HALL, "on", ttl_s=7200.0)
    assert lab.output(HALL)["value"] == "auto" and "minimum off time" in str(lab.output(HALL)["waiting"])
    lab.run(300)
    assert [v.outcome for v in lab.verdicts if v.request_id == asked.request_id] == [Outcome.ACCEPTED, Outcome.DEFERRED]
    lab.run(400)
    assert lab.output(HALL)["value"] == "on" and lab.output(HALL)["waiting"] == ""
    lab.sound()


def test_while_a_relay_waits_the_request_before_stands_to_its_own_end_and_then_the_default() -> None:
    lab = Lab().start(700.0)
    lab.ask(HALL, "on", ttl_s=300.0, source="/plan/a")
    lab.ask(HALL, "off", level=10, ttl_s=3000.0, source="/plan/b")
    assert lab.output(HALL)["value"] == "on"
    lab.run(290)
    assert lab.standing(HALL) == "on"
    lab.run(400)
    assert [w.value for w in lab.wire if w.point == HALL] == ["on", "auto", "off"]
    lab.sound()


def test_relays_switched_on_together_count_before_the_meter_shows_them() -> None:
    lab = Lab(world=a_world(sun=0.0, load_kw=6.0), config=house_file(fuse_a=16.0), soc=0.2).start(700.0)
    for relay in RELAYS:  # 6 kW of 11 are in use; 1.2 + 0.6 + 4.8 kW are wanted in the same instant
        lab.override(relay, "on")
    on = [r for r in RELAYS if lab.output(r)["value"] == "on"]
    assert on == [HALL, BATH] and "left on the" in str(lab.output(LIVING)["waiting"])
    lab.sound()


def test_a_new_device_is_told_again_what_stands() -> None:
    lab = Lab().start(700.0)
    lab.override(HALL, "on")
    lab.ask(MODE, HOLD, ttl_s=3600.0)
    lab.run(120)
    for device in ("rooms", "inverter"):
        lab.kill(f"/devices/{device}")
    lab.run(60)
    assert lab.standing(HALL) == "on" and lab.standing(MODE) == "hold"
    lab.sound()


def test_a_small_write_budget_keeps_new_modes_out() -> None:
    lab = Lab(rules=False).start()
    lab.runtime.publish(Wear(points=(MODE, "no.such.point"), used_24h=20, left=4))
    lab.runtime.run_until_idle()
    lab.ask(MODE, HOLD)
    assert lab.output(MODE)["value"] == "regular" and "write budget" in str(lab.output(MODE)["reason"])
    lab.sound()


def test_trips_of_points_that_do_not_exist_are_no_matter() -> None:
    lab = Lab().start()
    trip = lab.trip("floor", ("room.cellar.relay", HALL))
    assert lab.output(HALL)["tripped"] == trip and lab.output(BATH)["tripped"] is None
    lab.sound()


def test_a_verdict_never_carries_what_cannot_be_shown() -> None:
    lab = Lab().start()
    odd: list[Any] = [InverterMode(composite="x"), InverterMode(composite=Composite.HOLD, stop_soc="y")]  # type: ignore[arg-type]
    for value in (*odd, {1: 2}, "z" * 9999, math.nan):
        assert len(str(show(lab.ask(MODE, value).value))) <= 200
    assert lab.ask(EXPORT, RELINQUISH).value is RELINQUISH
    assert lab.ask(EXPORT, 2).value == 2.0
    json.dumps(gate(lab))
    lab.sound()


def test_values_are_shown_as_people_read_them() -> None:
    assert (show(REGULAR), show(RELINQUISH), show(1.5), show("on"), show(None)) == (
        "regular", "relinquish", 1.5, "on", None,
    )  # fmt: skip
    assert show(InverterMode(composite=Composite.CHARGE_FROM_GRID, stop_soc=0.9, rate=0.4)) == (
        "charge_from_grid to 90% at 40%"
    )


def test_an_inverter_that_is_offline_is_not_believed() -> None:
    lab = Lab().start()
    lab.hear("energy/solar", b'{"InverterStatus":-1}')
    assert gate(lab)["soc"] == 0.5
    lab.twin.inject("telemetry_silent", True)
    lab.run(lab.config.timing.telemetry_max_age_s + 30.0)
    lab.ask(MODE, HOLD)
    assert lab.output(MODE)["reason"] == "stale: inverter"
    lab.sound()


def test_a_permit_that_returns_settles_everything_at_once() -> None:
    lab = Lab(config=house_file(tick_s=1.0)).start(700.0)
    lab.override(HALL, "on")
    lab.kill(SAFETY)
    lab.runtime.run_for(0.0)
    assert lab.output(HALL)["value"] == "on"
    assert Level(int(str(lab.output(HALL)["level"]))) is Level.USER


def test_the_house_hears_who_takes_a_point_from_its_plans_and_when_it_is_theirs_again() -> None:
    lab = Lab(rules=False).start()
    heard: list[Holding] = []
    lab.runtime.listen(heard.append, Holding)
    lab.ask(EXPORT, 3.0, ttl_s=600.0)
    assert heard == [], "plans among themselves are no news"
    lab.override(EXPORT, 1.0, ttl_s=300.0)
    lab.run(400)
    assert [(h.point, h.value, h.level) for h in heard] == [(EXPORT, 1.0, Level.USER), (EXPORT, 3.0, Level.PLAN)]
    assert heard[0].until_s is not None
