"""The tail is a mean of lives: its rows are evidence like any others, and chance has little part in their sum."""

from __future__ import annotations

import math
import statistics
from dataclasses import replace
from datetime import timedelta

import pytest

from models.scorecard import EvidenceRow, check_rows
from models.twins.house import HouseTwin
from pems_actors.simulation.recorder import Recorder
from pems_actors.simulation.tail import mean_row, tail
from tests.pems_actors.test_simulation_recorder import a_twin
from tests.properties.house import START, prices

DAY = START + timedelta(hours=24)
SWINGING = prices([0.3, -0.1] * 48)  # so that it matters when a heater runs


def cost(rows: list[EvidenceRow]) -> float:
    return math.fsum(row.energy_eur for row in rows)


def test_without_pairs_it_is_one_life_as_the_rooms_are() -> None:
    twin, other = a_twin(), a_twin()
    recorder = Recorder(other, SWINGING)
    recorder.live(DAY, "tail")
    assert tail(twin, SWINGING, DAY, pairs=0, seed=1) == recorder.rows


def test_its_rows_are_evidence_of_the_days_after_a_run() -> None:
    twin = a_twin()
    rows = tail(twin, SWINGING, DAY, pairs=2, seed=1)
    check_rows([replace(rows[0], phase="run", time_utc=START - timedelta(minutes=15)), *rows])
    assert len(rows) == 96 and {row.phase for row in rows} == {"tail"}
    assert rows == tail(twin, SWINGING, DAY, pairs=2, seed=1), "chance is seeded"
    assert twin.now == START, "the house itself has not lived on"


def test_a_battery_that_was_idle_works_again() -> None:
    idle, working = a_twin(), a_twin()
    idle.inverter.battery_idle = True
    assert tail(idle, SWINGING, DAY, pairs=1, seed=1) == tail(working, SWINGING, DAY, pairs=1, seed=1)


def test_of_each_pair_one_has_the_heat_that_the_other_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    apart: list[list[float]] = []
    monkeypatch.setattr(HouseTwin, "warm_air", lambda _, kelvin: apart.append(list(kelvin)))
    for soc in (0.3, 0.9):  # two policies left it so
        tail(a_twin(soc=soc), SWINGING, START + timedelta(minutes=15), pairs=2, seed=3)
    assert apart[:4] == apart[4:], "the same lives for all"
    for one, other in (apart[:2], apart[2:4]):
        assert [a + b for a, b in zip(one, other, strict=True)] == [0.0] * 3
        assert len({abs(kelvin) for kelvin in one}) == 3 and max(map(abs, one)) <= 0.2, "each room by its own amount"


def test_the_mean_of_lives_is_steadier_than_a_life() -> None:
    twin = a_twin()
    means = [cost(tail(twin, SWINGING, DAY, pairs=4, seed=seed)) for seed in range(5)]
    lives = []
    for kelvin in (-0.2, -0.12, -0.04, 0.04, 0.12, 0.2):
        other = a_twin()
        other.warm_air([kelvin] * len(other.house.rooms))
        lives.append(cost(tail(other, SWINGING, DAY, pairs=0, seed=1)))
    assert statistics.stdev(means) < statistics.stdev(lives) / 2


def test_a_mean_row_is_the_mean_of_what_it_holds_and_the_composite_of_most() -> None:
    row = tail(a_twin(), SWINGING, START + timedelta(minutes=15), pairs=0, seed=1)[0]
    colder = replace(row.rooms[0], temperature_c=row.rooms[0].temperature_c - 1.0, relay_share=1.0)
    other = replace(row, grid_kw=row.grid_kw + 3.0, composite="hold", rooms=(colder, *row.rooms[1:]))
    mean = mean_row([row, row, other])
    assert mean.grid_kw == pytest.approx(row.grid_kw + 1.0) and mean.composite == row.composite
    assert mean.rooms[0].temperature_c == pytest.approx(row.rooms[0].temperature_c - 1 / 3)
    assert mean.price_import == row.price_import and mean.rooms[1] == row.rooms[1]
