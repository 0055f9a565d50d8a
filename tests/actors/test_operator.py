"""The grid operator's actor: what it keeps, refuses, forgets, and tells through restarts and bad disks."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from actors.memory import MemoryLimits
from actors.messages import Alarm, LiftLimits, LimitImport, OperatorLimits
from actors.operator import KEPT, LimitStore, Operator
from actors.runtime import Behaviour
from actors.store.durable import write_sealed
from actors.store.limits import LIMITS_FILE, FileLimits
from models.errors import StoreError
from models.types.operator import ImportLimit
from tests.actors.devices.bench import START, Bench, a_house

PATH = "/core/operator"
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ASKED = LimitImport(start=START + HOUR, end=START + 2 * HOUR, import_kw=4.2, source="grid operator")
KEPT_ONE = ImportLimit(start=ASKED.start, end=ASKED.end, import_kw=4.2)


class BadDisk(MemoryLimits):
    """Neither read nor written for now."""

    readable, writable = True, True

    def load(self) -> tuple[ImportLimit, ...]:
        if not self.readable:
            raise StoreError("limits.json is torn")
        return super().load()

    def save(self, limits: tuple[ImportLimit, ...]) -> None:
        if not self.writable:
            raise StoreError("the disk is full")
        super().save(limits)


class Late(Behaviour):
    """Subscribes long after the actor has spoken."""

    def __init__(self, heard: list[object]) -> None:
        self._heard = heard

    def on_start(self) -> None:
        self.ctx.subscribe(OperatorLimits)

    def handle(self, message: object) -> None:
        self._heard.append(message)


class Desk(Bench):
    """The actor alone."""

    def __init__(self, store: LimitStore | None = None) -> None:
        self.store = store or MemoryLimits()
        self.late: list[object] = []
        actors = {PATH: lambda: Operator(a_house(), self.store), "/ops/late": lambda: Late(self.late)}
        super().__init__(actors, events=(OperatorLimits, Alarm))
        self.start()

    def ask(self, message: object) -> dict[str, Any]:
        answer = self.runtime.ask(PATH, message, 5.0)
        assert isinstance(answer, dict)
        return answer

    def kill(self) -> None:
        """An accident, and the life after it."""
        self.runtime.inject(PATH, RuntimeError("an accident"))
        self.runtime.run_for(30)

    def said(self) -> list[tuple[ImportLimit, ...]]:
        return [event.limits for event in self.of(OperatorLimits)]


def test_it_says_what_is_limited_at_its_start_and_at_each_change() -> None:
    desk = Desk()
    assert desk.said() == [()]
    assert desk.ask(ASKED)["ok"] is True
    later = replace(ASKED, start=START, end=START + HOUR / 2, import_kw=2.0)
    desk.ask(later)
    second = ImportLimit(start=later.start, end=later.end, import_kw=2.0)
    assert desk.said()[1:] == [(KEPT_ONE,), (second, KEPT_ONE)], "by their start"
    assert desk.ask(LiftLimits())["lifted"] == 2
    assert desk.said()[3:] == [()] and desk.store.load() == ()


def test_the_same_limit_told_again_is_kept_once_and_not_said_again() -> None:
    desk = Desk()
    assert desk.ask(ASKED) == desk.ask(ASKED)
    assert desk.said() == [(), (KEPT_ONE,)]


def test_who_subscribes_later_hears_what_stands() -> None:
    desk = Desk()
    desk.ask(ASKED)
    desk.runtime.restart("/ops/late", "test")
    desk.runtime.run_until_idle()
    assert desk.late[-1] == OperatorLimits(limits=(KEPT_ONE,))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"end": START + HOUR}, "not after its start"),
        ({"end": START}, "not after its start"),
        ({"start": START - 2 * HOUR, "end": START}, "is over since 2021-02-08 10:00"),
        ({"end": START + HOUR + 7 * DAY + MINUTE}, "lasts 7.0 days, longest 7"),
        ({"start": START + 31 * DAY, "end": START + 32 * DAY}, "begins at 2021-03-11 10:00, more than 30 days ahead"),
        ({"import_kw": -1.0}, "limit of -1.0 kW"),
        ({"import_kw": float("nan")}, "limit of nan kW"),
        ({"import_kw": 22.1}, "22.1 kW is above the 22.08 kW of the connection itself"),
        ({"start": datetime(2021, 2, 8, 10)}, "has no time zone"),
        ({"source": ""}, "source has 0 characters"),
    ],
)
def test_nonsense_is_refused_with_one_line_that_says_what_to_do(change: dict[str, Any], words: str) -> None:
    desk = Desk()
    answer = desk.ask(replace(ASKED, **change))
    assert answer["ok"] is False and words in answer["reason"] and "\n" not in answer["reason"]
    assert desk.said() == [()] and desk.store.load() == ()
    assert desk.ask(ASKED)["ok"] is True, "the actor lives on"


def test_a_week_at_the_connections_own_limit_from_now_on_is_kept() -> None:
    desk = Desk()
    assert desk.ask(replace(ASKED, start=START, end=START + 7 * DAY, import_kw=22.08))["ok"] is True


def test_their_number_is_bounded() -> None:
    desk = Desk()
    for i in range(KEPT):
        assert desk.ask(replace(ASKED, import_kw=i / 100))["ok"] is True
    assert "64 limits are kept already" in desk.ask(ASKED)["reason"]


def test_what_is_over_is_forgotten_within_a_minute_and_said_once() -> None:
    desk = Desk()
    desk.ask(ASKED)
    desk.run(2 * 3600 - 1)
    assert desk.said() == [(), (KEPT_ONE,)]
    desk.run(61)
    assert desk.said() == [(), (KEPT_ONE,), ()] and desk.store.load() == ()
    assert desk.runtime.behaviour_snapshot(PATH)["limits"] == []


def test_what_it_shows_says_which_limit_holds_now() -> None:
    desk = Desk()
    desk.ask(ASKED)
    row = {"import_kw": 4.2, "start": "2021-02-08T10:00:00+00:00", "end": "2021-02-08T11:00:00+00:00",
           "source": "grid operator"}  # fmt: skip
    assert desk.runtime.behaviour_snapshot(PATH)["limits"] == [{**row, "holds": False}]
    desk.run(3600)
    assert desk.runtime.behaviour_snapshot(PATH)["limits"] == [{**row, "holds": True}]


# --- restarts and disks -----------------------------------------------------------------------------------------------
def test_limits_survive_the_actor_and_the_process(tmp_path: Path) -> None:
    desk = Desk(FileLimits(tmp_path))
    desk.ask(ASKED)
    desk.runtime.inject(PATH, RuntimeError("injected"))
    desk.runtime.run_for(5.0)
    assert desk.said() == [(), (KEPT_ONE,), (KEPT_ONE,)]
    assert Desk(FileLimits(tmp_path)).said() == [(KEPT_ONE,)]


def test_what_ended_while_nobody_lived_is_not_said(tmp_path: Path) -> None:
    old = ImportLimit(start=START - 2 * HOUR, end=START - HOUR, import_kw=1.0)
    FileLimits(tmp_path).save((old, KEPT_ONE))
    assert Desk(FileLimits(tmp_path)).said() == [(KEPT_ONE,)]


def test_a_limit_acts_although_it_cannot_be_persisted_and_says_so_until_it_is() -> None:
    disk = BadDisk()
    disk.writable = False
    desk = Desk(disk)
    assert desk.ask(ASKED)["ok"] is True and desk.said()[-1] == (KEPT_ONE,)
    desk.ask(replace(ASKED, import_kw=1.0))
    assert desk.alarms("limits_unsaved") == [True]
    disk.writable = True
    desk.ask(LiftLimits())
    assert desk.alarms("limits_unsaved") == [True, False]


def test_limits_that_cannot_be_read_are_told_until_new_ones_are_kept() -> None:
    disk = BadDisk()
    disk.readable = False
    desk = Desk(disk)
    (alarm,) = desk.of(Alarm)
    assert alarm.active and "limits.json is torn" in alarm.text and desk.said() == [], "nobody's limits are taken"
    desk.ask(ASKED)
    assert desk.alarms("limits_unreadable") == [True, False]


def test_a_new_life_that_cannot_read_goes_on_with_what_the_one_before_it_said_and_keeps_it_again() -> None:
    disk = BadDisk()
    desk = Desk(disk)
    desk.ask(ASKED)
    disk.save(())
    disk.readable = False
    desk.kill()
    assert desk.said()[-1] == (KEPT_ONE,) and desk.alarms("limits_unreadable") == []
    disk.readable = True
    assert disk.load() == (KEPT_ONE,)
    desk.ask(replace(ASKED, import_kw=2.0))
    assert {limit.import_kw for limit in desk.said()[-1]} == {4.2, 2.0}, "and adds to it"


def test_a_limit_that_is_on_no_disk_is_not_lost_with_a_life() -> None:
    disk = BadDisk()
    desk = Desk(disk)
    disk.writable = False
    desk.ask(ASKED)
    desk.kill()
    assert desk.said()[-1] == (KEPT_ONE,), "what was said is newer than what the disk holds"
    disk.writable = True
    desk.runtime.run_for(61)
    assert disk.load() == (KEPT_ONE,) and desk.alarms("limits_unsaved") == [True, True, False], "told by each life"


def test_a_limit_told_between_two_lives_is_added_to_the_others() -> None:
    disk = BadDisk()
    desk = Desk(disk)
    desk.ask(ASKED)
    disk.readable = False
    desk.runtime.inject(PATH, RuntimeError("an accident"))
    desk.runtime.tell(PATH, replace(ASKED, import_kw=2.0))
    desk.runtime.run_for(30)
    assert {limit.import_kw for limit in desk.said()[-1]} == {4.2, 2.0}


def test_a_limit_that_could_not_be_kept_is_kept_as_soon_as_there_is_room() -> None:
    disk = BadDisk()
    disk.writable = False
    desk = Desk(disk)
    desk.ask(ASKED)
    assert disk.load() == () and desk.alarms("limits_unsaved") == [True]
    disk.writable = True
    desk.run(61)
    assert disk.load() == (KEPT_ONE,) and desk.alarms("limits_unsaved") == [True, False]
    desk.kill()
    assert desk.said()[-1] == (KEPT_ONE,)


def test_a_folder_without_a_file_has_no_limits(tmp_path: Path) -> None:
    assert FileLimits(tmp_path).load() == ()


@pytest.mark.parametrize(
    "rows",
    [
        None,
        [{"start": START.isoformat(), "end": ASKED.end.isoformat(), "import_kw": 1.0}],
        [{"start": START.isoformat(), "end": START.isoformat(), "import_kw": 1.0, "source": "x"}],
        [{"start": "2021-02-08T09:00:00", "end": ASKED.end.isoformat(), "import_kw": 1.0, "source": "x"}],
        [{"start": "soon", "end": ASKED.end.isoformat(), "import_kw": 1.0, "source": "x"}],
        [{"start": START.isoformat(), "end": ASKED.end.isoformat(), "import_kw": "4", "source": "x"}],
    ],
)
def test_a_file_that_holds_something_else_is_not_believed(tmp_path: Path, rows: object) -> None:
    write_sealed(tmp_path / LIMITS_FILE, {"limits": rows})
    with pytest.raises(StoreError, match=LIMITS_FILE):
        FileLimits(tmp_path).load()


def test_a_file_changed_by_hand_is_not_believed(tmp_path: Path) -> None:
    FileLimits(tmp_path).save((KEPT_ONE,))
    path = tmp_path / LIMITS_FILE
    path.write_text(path.read_text().replace("4.2", "9.2"))
    with pytest.raises(StoreError, match="changed by hand"):
        FileLimits(tmp_path).load()
