"""Slot means move between grids without losing energy or hiding what is unknown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import DataError
from models.forecast.grid import Grid, resample

START = datetime(2021, 3, 28, tzinfo=UTC)


def test_hours_hold_for_their_quarters_and_quarters_make_hours() -> None:
    hours, quarters = Grid(START, 3600.0, 2), Grid(START, 900.0, 8)
    assert resample([1.0, 3.0], hours, quarters).tolist() == [1.0] * 4 + [3.0] * 4
    assert resample([0.0, 1.0, 2.0, 5.0] * 2, quarters, hours).tolist() == [2.0, 2.0]


def test_what_is_not_covered_is_unknown() -> None:
    have, want = Grid(START, 900.0, 4), Grid(START - timedelta(minutes=30), 900.0, 8)
    moved = resample([1.0, 2.0, 3.0, 4.0], have, want)
    assert np.isnan(moved[[0, 1, 6, 7]]).all()
    assert moved[2:6].tolist() == [1.0, 2.0, 3.0, 4.0]
    hour = Grid(START, 3600.0, 1)
    assert np.isnan(resample([1.0, np.nan, 1.0, 1.0], have, hour)).all(), "an hour with a hole is unknown"
    far = Grid(START + timedelta(days=9), 900.0, 3)
    assert np.isnan(resample([1.0] * 4, have, far)).all()


@given(
    dt=st.sampled_from([300.0, 600.0, 900.0, 1800.0]), to=st.sampled_from([300.0, 900.0, 1200.0, 3600.0]),
    values=st.lists(st.floats(-5, 50), min_size=48, max_size=48),
)
def test_energy_is_kept(dt: float, to: float, values: list[float]) -> None:
    have = Grid(START, dt, 48)
    want = Grid(START, to, int(48 * dt // to))
    moved = resample(values, have, want)
    covered = np.interp(want.steps * to, dt * np.arange(49), np.concatenate(([0.0], np.cumsum(values) * dt)))
    assert moved.sum() * to == pytest.approx(covered, abs=1e-6)


@pytest.mark.parametrize(
    ("start", "dt_s", "part"),
    [
        (datetime(2021, 3, 28), 900.0, "no time zone"),
        (START, 0.0, "does not divide an hour"),
        (START, 7.0, "does not divide an hour"),
        (START, 1700.0, "does not divide an hour"),
        (START, float("nan"), "does not divide an hour"),
        (START + timedelta(minutes=7), 900.0, "not a multiple of 900 s"),
    ],
)
def test_an_impossible_grid_is_refused(start: datetime, dt_s: float, part: str) -> None:
    with pytest.raises(DataError, match=part):
        Grid(start, dt_s, 4)


def test_a_series_of_another_length_is_refused() -> None:
    with pytest.raises(DataError, match="a series has 3 values, its grid 4"):
        resample([1.0, 2.0, 3.0], Grid(START, 900.0, 4), Grid(START, 900.0, 4))


def test_a_grid_reaches_back_in_whole_slots() -> None:
    grid = Grid(START, 900.0, 4).reaching(START - timedelta(minutes=20))
    assert (grid.start, grid.steps, grid.end) == (START - timedelta(minutes=30), 6, START + timedelta(hours=1))
    assert Grid(START, 900.0, 4).reaching(START + timedelta(hours=1)) == Grid(START, 900.0, 4)
