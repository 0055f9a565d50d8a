"""PV and windows by pvlib agree with the twin's own physics, and the last hours correct them within bounds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from models.forecast.grid import Grid
from models.forecast.pv import Weather, array_dc_kw, recent_ratio, window_w_per_m2
from models.forecast.sun import sun_over
from models.physics.sun import sun_position
from models.physics.sun import window_w_per_m2 as window_of_twin
from tests.models.forecast.conftest import HOUSE, SITE, Year, clear_weather


def true_weather(year: Year) -> Weather:
    names = ("temp_c", "ghi_w_per_m2", "dni_w_per_m2", "dhi_w_per_m2", "wind_m_per_s")
    return Weather(**{name: np.asarray(year.weather.table.columns[name]) for name in names})


def test_from_the_true_weather_the_year_is_that_of_the_twin_within_half_a_percent(year: Year) -> None:
    table = year.weather.table
    weather, sun = true_weather(year), sun_over(Grid(table.start, 900.0, len(table)), SITE)
    ours = sum(array_dc_kw(array, weather, sun) for array in HOUSE.arrays)
    assert np.sum(ours) == pytest.approx(np.sum(year.pv_kw), rel=0.005)
    assert np.sqrt(np.mean((ours - year.pv_kw) ** 2)) < 0.02
    assert 850 < np.sum(year.pv_kw) / 4 / 15.0 < 1100, "kWh per kWp, as roofs in Aachen give"


def test_windows_get_what_the_twin_gives_them(year: Year) -> None:
    table = year.weather.table
    first, n = table.index(datetime(2021, 6, 1, tzinfo=UTC)), 10 * 96
    grid = Grid(table.start + timedelta(seconds=900 * first), 900.0, n)
    part = Weather(**{
        name: getattr(true_weather(year), name)[first : first + n]
        for name in ("temp_c", "ghi_w_per_m2", "dni_w_per_m2", "dhi_w_per_m2", "wind_m_per_s")
    })
    ours = window_w_per_m2(90.0, part, sun_over(grid, SITE))
    twin = []
    for i in range(n):
        at = grid.start + timedelta(seconds=900 * (i + 0.5))
        sky = {"ghi": part.ghi_w_per_m2[i], "dhi": part.dhi_w_per_m2[i], "dni": part.dni_w_per_m2[i]}
        twin.append(window_of_twin("E", sun_position(at, SITE), at=at, **sky))
    assert np.sqrt(np.mean((ours - np.array(twin)) ** 2)) < 1.0
    assert np.max(ours) > 300.0


def test_nothing_comes_at_night_and_the_morning_is_the_southeast_roofs() -> None:
    start = datetime(2021, 6, 21, tzinfo=UTC)
    clear = clear_weather(start, 96)
    weather = Weather(
        np.asarray(clear.temp_c), np.asarray(clear.ghi_w_per_m2), np.asarray(clear.dni_w_per_m2),
        np.asarray(clear.dhi_w_per_m2), np.asarray(clear.wind_m_per_s),
    )
    sun = sun_over(Grid(start, 900.0, 96), SITE)
    southeast, southwest = (array_dc_kw(array, weather, sun) for array in HOUSE.arrays)
    assert southeast[:8].tolist() == [0.0] * 8
    assert southeast[32] > 1.5 * southwest[32], "8 UTC"
    assert southwest[64] > 1.5 * southeast[64], "16 UTC"
    assert 5.0 < np.max(southeast) < 7.5
    assert np.all(southeast >= 0.0)


def test_hot_cells_and_losses_cost_power() -> None:
    start = datetime(2021, 6, 21, 11, tzinfo=UTC)
    sun = sun_over(Grid(start, 900.0, 1), SITE)

    def noon(temp_c: float, losses: float = 0.15) -> float:
        weather = Weather(*(np.array([v]) for v in (temp_c, 800.0, 700.0, 150.0, 1.0)))
        return float(array_dc_kw(HOUSE.arrays[0].model_copy(update={"losses": losses}), weather, sun)[0])

    assert noon(35.0) == pytest.approx(noon(5.0) * (1 - 0.0037 * 30), rel=0.02)
    assert noon(20.0, 0.30) == pytest.approx(noon(20.0) * 0.70 / 0.85)


def test_the_sun_is_remembered_by_day_for_any_start() -> None:
    a = sun_over(Grid(datetime(2021, 3, 27, 22, 45, tzinfo=UTC), 900.0, 96), SITE)
    b = sun_over(Grid(datetime(2021, 3, 27, 23, 0, tzinfo=UTC), 900.0, 95), SITE)
    assert a.zenith_deg[1:].tolist() == b.zenith_deg.tolist()
    for i in (0, 40, 95):
        at = datetime(2021, 3, 27, 22, 45, tzinfo=UTC) + timedelta(seconds=900 * (i + 0.5))
        exact = sun_position(at, SITE)
        if exact.elevation_deg > 5.0:
            assert 90.0 - a.zenith_deg[i] == pytest.approx(exact.elevation_deg, abs=0.25), "refraction lifts a little"


def test_the_recent_ratio_is_one_without_evidence_and_bounded_with_it() -> None:
    model = np.full(12, 4.0)
    unknown = np.full(12, np.nan)
    assert recent_ratio(unknown, model, peak_kw=15.0) == 1.0, "nothing measured, or all curtailed"
    assert recent_ratio(np.zeros(12), np.full(12, 0.1), peak_kw=15.0) == 1.0, "dawn says nothing"
    assert recent_ratio(np.zeros(12), model, peak_kw=15.0) == 0.4
    assert recent_ratio(np.full(12, 15.0), model, peak_kw=15.0) == 1.6
    assert 1.1 < recent_ratio(np.full(12, 5.0), model, peak_kw=15.0) < 1.25
    late = np.where(np.arange(12) >= 8, 5.0, 3.0)
    early = np.where(np.arange(12) < 4, 5.0, 3.0)
    assert recent_ratio(late, model, peak_kw=15.0) > recent_ratio(early, model, peak_kw=15.0), "the latest count most"
    one = unknown.copy()
    one[11] = 5.0
    assert 1.0 < recent_ratio(one, model, peak_kw=15.0) < recent_ratio(np.full(12, 5.0), model, peak_kw=15.0)
