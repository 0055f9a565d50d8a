"""The store may be away for a day, damaged or full: the house goes on, and what happened is kept meanwhile."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from actors.messages import Alarm
from actors.ops import journal
from actors.store.boot import STORE_FILE
from actors.store.rows import Kind, Row, Rows
from actors.store.worker import Store
from models.types.command import Level, Request
from tests.scenarios.home import CHEAP_NIGHT, DISPATCHER, GATE, HOUR_S, JOURNAL, LIVING, NOON, Home, spot

DAY_S = 86_400.0


def slow_home(folder: Path, *, boot: int = 1, tick_s: float = 60.0) -> Home:
    """A house whose days pass quickly."""
    market = spot(NOON, CHEAP_NIGHT)
    return Home(prices=market, folder=folder, boot=boot, tick_s=tick_s, replan_s=1.5 * HOUR_S)


def test_the_store_disappears_for_a_day_and_nothing_that_happened_is_lost(tmp_path: Path) -> None:
    home = slow_home(tmp_path).start(HOUR_S)
    assert home.stored("telemetry")
    home.store_dead = True
    home.run(DAY_S)
    assert "does not take rows" in home.living_alarms()["store"]
    assert len(home.plans) >= 16 and home.output(LIVING)["holder"] == DISPATCHER, "nothing else has noticed"
    home.store_dead = False
    home.run(600)
    assert home.living_alarms() == {}
    waiting = home.runtime.behaviour_snapshot(JOURNAL)["waiting"]
    assert isinstance(waiting, int) and waiting < 50
    at = [datetime.fromisoformat(row["at"]) for row in home.stored("telemetry") if row["key"] == "InverterReading"]
    gaps = [(b - a).total_seconds() for a, b in itertools.pairwise(at)]
    assert max(gaps) <= 3 * 60.0 and at[-1] - at[0] > timedelta(days=1)
    assert {row["key"] for row in home.stored("plans")} >= {p.problem.id for p in home.plans[:-1]}
    home.sound()


def test_more_than_can_be_kept_is_shed_oldest_first_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "KEPT", 100)
    home = slow_home(tmp_path).start(HOUR_S)
    last = datetime.fromisoformat(home.stored("telemetry")[-1]["at"])
    home.store_dead = True
    home.run(3 * HOUR_S)
    shed = home.runtime.behaviour_snapshot(JOURNAL)["shed"]
    assert isinstance(shed, int) and shed > 0 and "oldest rows are shed" in home.living_alarms()["store_shed"]
    home.store_dead = False
    home.run(600)
    assert home.living_alarms() == {}
    at = [datetime.fromisoformat(row["at"]) for row in home.stored("telemetry")]
    missing = [t for t in at if last < t < home.clock.now() - timedelta(hours=2)]
    assert missing == [] and at[-1] > home.clock.now() - timedelta(minutes=5)
    home.sound()


def test_the_store_knows_every_boot_and_a_boot_number_that_is_not_new_is_an_alarm(tmp_path: Path) -> None:
    home = slow_home(tmp_path, boot=7).start(HOUR_S)
    assert home.living_alarms() == {}
    home.fail(JOURNAL)
    home.fail("/ops/store")
    home.run(600)
    assert home.living_alarms() == {}, "a new life of the journal is no new boot"
    home.runtime.stop()
    later = slow_home(tmp_path, boot=8).start(HOUR_S)
    assert later.living_alarms() == {}
    later.runtime.stop()
    restored = slow_home(tmp_path, boot=8).start(HOUR_S)  # the boot file came from a backup
    assert "boot 8 is not new: the store has seen 8" in restored.living_alarms()["store_boot"]
    written = restored.runtime.behaviour_snapshot(JOURNAL)["written"]
    assert isinstance(written, int) and written > 0, "what happens is kept all the same"
    restored.sound()


def test_telemetry_is_kept_for_400_days_and_trips_for_good(tmp_path: Path) -> None:
    old, young = NOON - timedelta(days=401), NOON - timedelta(days=399)
    store = Store()
    store.open({"path": str(tmp_path / STORE_FILE)})
    rows = [Row(kind=kind, at=at, key="old", data={}) for kind in (Kind.TELEMETRY, Kind.TRIP) for at in (old, young)]
    store.write(Rows(rows=tuple(rows)))
    store.close({})
    home = slow_home(tmp_path, tick_s=300.0).start(HOUR_S)
    assert [row["at"][:10] for row in home.stored("telemetry") if row["key"] == "old"] == [young.date().isoformat()]
    assert len([row for row in home.stored("trips") if row["key"] == "old"]) == 2
    home.run(1.2 * DAY_S)  # the younger is 400 days old by tomorrow noon
    assert [row for row in home.stored("telemetry") if row["key"] == "old"] == []
    # not `sound()`: in steps of five minutes the twin overshoots the battery's taper
    assert home.runtime.behaviour_snapshot(JOURNAL)["pruned"] == 2


def test_what_no_store_can_take_holds_up_nothing_else(tmp_path: Path) -> None:
    home = slow_home(tmp_path).start(HOUR_S)
    now = home.clock.now()
    odd = [object(), "\ud83d", 10**400, {1: object()}, float("nan")]
    for number, value in enumerate(odd):
        home.runtime.tell(
            GATE,
            Request(id=f"odd-{number}", source="/plan/stranger", level=Level.PLAN, point=LIVING, value=value,  # type: ignore[arg-type]
                    issued=now, expires=now + timedelta(minutes=5), epoch=(1, 1), seq=number + 1, cause="\udcff"),
        )  # fmt: skip
    home.runtime.publish(Alarm(at=datetime(2021, 1, 1, tzinfo=UTC), name="lone \ud800", active=False, text=""))
    home.run(300)
    assert home.living_alarms() == {}
    told = [row for row in home.stored("events") if row["data"].get("event") == "Unstorable"]
    assert any("Request" in row["data"]["text"] for row in told)
    assert any("Alarm" in row["data"]["text"] for row in told)
    waiting = home.runtime.behaviour_snapshot(JOURNAL)["waiting"]
    assert isinstance(waiting, int) and waiting < 50
    home.sound()


def test_who_asked_for_what_and_what_came_of_it_is_in_the_store(tmp_path: Path) -> None:
    home = slow_home(tmp_path).start(HOUR_S)
    verdict = home.override(LIVING, "off", ttl_s=HOUR_S)
    trip = home.trip("floor", (LIVING,))
    home.run(300)
    assert home.reset(trip)["ok"] is True
    home.run(300)
    assert [row["data"]["value"] for row in home.stored("requests") if row["key"] == verdict.request_id] == ["off"]
    outcomes = [row["data"]["outcome"] for row in home.stored("verdicts") if row["key"] == verdict.request_id]
    assert outcomes[0] == "accepted"
    assert any(row["key"] == LIVING for row in home.stored("wire"))
    assert [row["data"].get("event", "trip") for row in home.stored("trips") if row["key"] == trip] == ["trip", "reset"]
    home.sound()
