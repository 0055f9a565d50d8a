"""The journal: it never waits for the store, loses nothing while there is room, and says so when it must."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from actors.messages import Alarm, ForecastReady, OperatorLimits, Proof, Tick, Trip, TripReset, WireWrite
from actors.ops.journal import BATCH, KEPT, LIMIT, STORE, Journal
from actors.runtime import FunctionWorker, Port, Restarted, WorkerDone, WorkerFailed
from actors.store.rows import Kind, Row, Rows
from models.errors import StoreError
from models.types.command import Level, Outcome, Request, Verdict
from models.types.operator import ImportLimit
from models.types.reading import MeterReading
from tests.actors.devices.bench import START, Bench
from tests.actors.planning.plans import forecast, inverter, plan, rooms

PATH = "/ops/journal"


class Office(Bench):
    """A journal, and a store that can be taken away."""

    def __init__(
        self, *, away: bool = False, alarm: str | None = None, takes_s: float = 0.0, boots: int | None = None
    ) -> None:
        self.away, self.alarm, self.boots, self.calls = away, alarm, boots, list[str]()
        self.rows: list[Row] = []
        worker = {"open": self._opened, "write": self._written, "boot": self._boot, "prune": self._prune}
        super().__init__(
            {STORE: lambda: Port(lambda: FunctionWorker(worker, takes_s)),
             PATH: lambda: Journal(Path("/tmp/x.db"), flush_s=10.0)},
            events=(Alarm,),
        )  # fmt: skip
        self.start()

    def _opened(self, body: object) -> object:
        self.calls.append("open")
        assert body == {"path": "/tmp/x.db"}
        if self.away:
            raise StoreError("disk is gone")
        return {"alarm": self.alarm, "boots": self.boots}

    def _boot(self, body: object) -> object:
        self.calls.append("boot")
        assert body == {"boot": 1, "at": self.clock.now().isoformat()}
        if self.boots is not None and self.boots >= 1:
            raise StoreError(f"boot {self.boots} is known already")
        self.boots = 1
        return {}

    def _prune(self, body: object) -> object:
        self.calls.append("prune")
        assert isinstance(body, dict) and str(body["before"]) < START.isoformat()
        if self.away:
            raise StoreError("disk is gone")
        return {"deleted": 3}

    def _written(self, body: object) -> object:
        self.calls.append("write")
        assert isinstance(body, Rows)
        if self.away:
            raise StoreError("disk is gone")
        self.rows += body.rows
        return {}

    def say(self, *names: int) -> None:
        for n in names:
            self.runtime.publish(Proof(at=START, point=str(n), stage="applied", value="", request_id="", latency_s=0.0))
        self.runtime.run_until_idle()

    @property
    def kept(self) -> list[str]:
        """Keys of what the store holds, without alarms of our own."""
        return [r.key for r in self.rows if r.kind is not Kind.EVENT]

    def snapshot(self) -> dict[str, object]:
        return self.runtime.behaviour_snapshot(PATH)


def test_rows_are_written_in_order_in_batches_with_the_flush() -> None:
    office = Office()
    office.say(*range(3))
    assert office.kept == []
    office.run(10)
    assert office.kept == ["0", "1", "2"]
    office.say(*range(3, 3 + 2 * BATCH))
    office.run(10)
    assert office.kept == [str(i) for i in range(3 + 2 * BATCH)]
    assert office.calls == ["open", "boot", *["write"] * 3]
    shown = office.snapshot()
    assert (shown["open"], shown["waiting"], shown["written"], shown["shed"]) == (True, 0, 3 + 2 * BATCH, 0)


def test_while_the_store_is_away_rows_wait_and_then_all_come_in_order() -> None:
    office = Office()
    office.say(1, 2)
    office.run(10)
    office.away = True
    office.say(3)
    office.run(10)
    office.say(4)
    office.run(60)
    assert office.kept == ["1", "2"] and office.alarms("store") == [True]
    office.away = False
    office.run(30)
    assert office.kept == ["1", "2", "3", "4"]
    assert office.alarms("store") == [True, False]
    assert office.calls.count("open") >= 2, "a new worker has opened nothing"


def test_a_store_that_cannot_be_opened_is_tried_again_with_each_flush() -> None:
    office = Office(away=True)
    office.say(1)
    office.run(35)
    assert office.calls == ["open"] * 4
    assert office.alarms("store") == [True]
    office.away = False
    office.run(20)
    assert office.kept == ["1"]


def test_when_too_much_waits_the_oldest_are_shed_counted_and_said() -> None:
    office = Office(away=True)
    for first in range(0, KEPT + 100, 5000):
        office.say(*range(first, min(first + 5000, KEPT + 100)))
    shown = office.snapshot()
    assert shown["waiting"] == KEPT
    assert shown["shed"] == 102, "two alarms are rows too"
    assert office.alarms("store_shed") == [True]
    office.away = False
    office.run(30)
    assert office.kept[0] == "101" and office.kept[-1] == str(KEPT + 99)
    assert office.alarms("store_shed") == [True, False]
    assert office.alarms("store") == [True, False]
    assert office.snapshot()["shed"] == 102


def test_what_the_store_says_when_it_opens_is_an_alarm() -> None:
    office = Office(alarm="the old file was torn; a new one was begun")
    assert "torn" in office.of(Alarm)[0].text and office.alarms("store_damaged") == [True]


def test_the_boot_is_told_once_and_a_later_life_in_the_store_is_an_alarm() -> None:
    office, later = Office(), Office(boots=7)
    for bench in (office, later):
        bench.say(1)
        bench.run(10)
        assert bench.kept == ["1"], "rows are written either way"
    assert office.calls == ["open", "boot", "write"] and office.alarms("store_boot") == []
    assert later.alarms("store_boot") == [True]
    assert "later life" in later.of(Alarm)[0].text


def test_a_new_life_of_the_journal_does_not_tell_its_boot_again() -> None:
    office = Office()
    office.run(10)
    office.runtime.restart(PATH)
    office.say(1)
    office.run(20)
    assert office.calls.count("boot") == 1
    assert office.alarms("store_boot") == []


def test_old_telemetry_is_deleted_once_a_day_when_nothing_waits() -> None:
    office = Office()
    office.run(3600)
    assert office.calls.count("prune") == 1 and office.snapshot()["pruned"] == 3
    office.runtime.run_for(86_400)
    assert office.calls.count("prune") == 2


def test_a_store_that_cannot_delete_is_an_alarm_until_it_can() -> None:
    office = Office()
    office.away = True
    office.run(30)
    assert office.alarms("store_prune") == [True]
    office.away = False
    office.runtime.run_for(86_500)
    assert office.alarms("store_prune") == [True, False]


def test_a_slow_store_is_asked_one_thing_at_a_time() -> None:
    office = Office(takes_s=4.0)
    for n in range(10):
        office.say(n)
        office.run(1)
    assert office.calls == ["open", "boot", "write"]
    office.run(30)
    assert office.kept == [str(i) for i in range(10)]


def test_answers_to_questions_of_a_former_life_change_nothing() -> None:
    office = Office()
    office.say(1)
    office.tell(PATH, WorkerDone(id="journal-0-7", method="write", value={}, took_s=0.0))
    office.tell(PATH, WorkerFailed(id="journal-0-8", method="write", kind="error", reason="x"))
    assert office.snapshot()["written"] == 0 and office.alarms("store") == []
    office.run(10)
    assert office.kept == ["1"]


def test_telemetry_is_kept_once_a_minute_for_each_kind() -> None:
    office = Office()
    for _ in range(24):
        office.publish(inverter())
        office.publish(MeterReading(measured_at=START, grid_kw=1.0))
        office.publish(rooms({"hall": 20.0}))
        office.run(5)
    kinds = [r.key for r in office.rows if r.kind is Kind.TELEMETRY]
    assert sorted(kinds) == sorted(["InverterReading", "MeterReading", "RoomsReading"] * 2)


@pytest.mark.parametrize(
    ("event", "kind", "key"),
    [
        (Verdict(request_id="r", source="s", level=Level.PLAN, point="p", outcome=Outcome.REFUSED, reason="", at=START,
                 value="on", cause="c"), Kind.VERDICT, "r"),
        (WireWrite(at=START, at_s=0.0, point="p", value="on", level=Level.PLAN, cause="c", epoch=(1, 1), detail="",
                   request_id="r"), Kind.WIRE, "p"),
        (Trip(id="t", kind="manual", points=("*",), reason="", tripped_at=START, hold_off_s=0.0), Kind.TRIP, "t"),
        (TripReset(id="t", at=START), Kind.TRIP, "t"),
        (Alarm(at=START, name="a", active=True, text=""), Kind.EVENT, "a"),
        (plan(), Kind.PLAN, "p-0900"),
        (ForecastReady(forecast=forecast()), Kind.FORECAST, "test"),
        (Restarted(path="/x/y", incarnation=2, reason=""), Kind.EVENT, "/x/y"),
    ],
    ids=lambda v: type(v).__name__ if not isinstance(v, str) else "",
)  # fmt: skip
def test_each_fact_becomes_a_row_of_its_kind(event: object, kind: Kind, key: str) -> None:
    office = Office()
    office.publish(event)
    office.run(10)
    assert (kind, key) in [(r.kind, r.key) for r in office.rows]


def test_plans_and_forecasts_keep_when_they_became_known() -> None:
    office = Office()
    office.publish(plan())
    office.publish(ForecastReady(forecast=forecast()))
    office.run(10)
    assert {r.issued for r in office.rows if r.kind in (Kind.PLAN, Kind.FORECAST)} == {START}


def test_a_limit_of_the_operator_is_stored_when_told_when_it_begins_and_ends_and_when_a_new_life_hears_of_it() -> None:
    office = Office()
    office.publish(OperatorLimits(limits=()))
    office.run(10)
    limit = ImportLimit(start=START + timedelta(hours=1), end=START + timedelta(hours=2), import_kw=4.2, source="DSO")
    office.publish(OperatorLimits(limits=(limit,)))
    office.run(3600 + 60)
    office.runtime.restart(PATH)
    office.publish(OperatorLimits(limits=(limit,)))
    office.run(3600)
    rows = [row for row in office.rows if row.key == LIMIT]
    assert [(row.kind, row.data["event"], row.at) for row in rows] == [
        (Kind.EVENT, "limit_announced", START + timedelta(seconds=10)), (Kind.EVENT, "limit_began", limit.start),
        (Kind.EVENT, "limit_known", limit.start + timedelta(seconds=70)), (Kind.EVENT, "limit_began", limit.start),
        (Kind.EVENT, "limit_ended", limit.end),
    ]  # fmt: skip
    assert rows[1].data["limit"] == {
        "start": limit.start.isoformat(), "end": limit.end.isoformat(), "import_kw": 4.2, "source": "DSO",
    }  # fmt: skip


def test_an_alarm_that_began_while_the_journal_was_away_is_stored_with_its_own_time() -> None:
    office = Office()
    office.runtime.inject(PATH, RuntimeError("an accident"))
    office.publish(Alarm(at=START - timedelta(hours=1), name="meanwhile", active=True, text="the clock was put back"))
    office.runtime.run_for(60)
    assert (Kind.EVENT, "meanwhile", START - timedelta(hours=1)) in [(r.kind, r.key, r.at) for r in office.rows]


def test_what_no_store_could_take_is_told_in_a_row_of_its_own() -> None:
    office = Office()
    nested: list[object] = []
    nested.append(nested)
    for value in (object(), nested, "\ud83d"):
        office.publish(
            Verdict(
                request_id="r", source="s", level=Level.PLAN, point="p", outcome=Outcome.REFUSED, reason="", at=START,
                value=value, cause="c",  # type: ignore[arg-type]
            )
        )
    office.say(1)
    office.run(10)
    assert office.kept == ["1"]
    assert [r.data["event"] for r in office.rows if r.key == PATH] == ["Unstorable"] * 3


def test_a_request_it_is_told_is_a_row_and_a_stranger_a_dead_letter() -> None:
    office = Office()
    request = Request(
        id="q", source="user", level=Level.USER, point="p", value="on", issued=START, expires=START, epoch=(1, 1),
        seq=1, cause="c",
    )  # fmt: skip
    office.tell(PATH, request)
    before = office.runtime.ledger().dead_letters
    office.tell(PATH, "hello")
    office.tell(PATH, Tick())
    office.run(10)
    assert office.runtime.ledger().dead_letters == before + 1
    assert (Kind.REQUEST, "q") in [(r.kind, r.key) for r in office.rows]
