"""Recorded weather is told as forecasts: wrong by the stated error, and physically possible."""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import subprocess
import sys
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from actors.feeds.clear_sky import clear_sky_beam, clear_sky_ghi, diffuse_share, mean_cos_zenith
from actors.feeds.recorded import PERFECT, RecordedWeather, TrueWeather, WeatherErrorSpec
from models.errors import DataError
from models.physics.sun import sun_position
from models.types.forecast import WeatherForecast
from tests.actors.feeds.conftest import AACHEN, WEATHER

HOUR = timedelta(hours=1)
LEADS_H = (1, 6, 24, 48)
SERIES = ("temp_c", "ghi_w_per_m2", "dni_w_per_m2", "dhi_w_per_m2", "wind_m_per_s")


def digest(forecast: WeatherForecast) -> str:
    return hashlib.sha256(repr([getattr(forecast, name) for name in SERIES]).encode()).hexdigest()


@pytest.fixture(scope="module")
def rmse(weather: RecordedWeather) -> dict[tuple[str, int], float]:
    """RMS error over the whole year by variable and lead; irradiance relative to mean daytime GHI."""
    table = weather.table
    light = mean_cos_zenith(
        table.start, table.dt_s, len(table), latitude_deg=AACHEN.latitude_deg, longitude_deg=AACHEN.longitude_deg
    )
    squares: defaultdict[tuple[str, int], float] = defaultdict(float)
    counts: defaultdict[tuple[str, int], int] = defaultdict(int)
    sun_sum, sun_count = 0.0, 0
    issued = table.start + 3 * HOUR
    while issued < table.end - 55 * HOUR:
        forecast = weather.known_at(issued)
        for lead in LEADS_H:
            j = round((issued + lead * HOUR - forecast.start).total_seconds() / table.dt_s)
            i = table.index(issued + lead * HOUR)
            for k in range(24):  # the six hours from that lead on, so that every hour of the day is seen
                for name in ("temp_c", "ghi_w_per_m2", "wind_m_per_s"):
                    if name == "ghi_w_per_m2" and light[i + k] <= 0.0:
                        continue
                    error = getattr(forecast, name)[j + k] - table.columns[name][i + k]
                    squares[name, lead] += error * error
                    counts[name, lead] += 1
                if lead == 24 and light[i + k] > 0.0:
                    sun_sum += table.columns["ghi_w_per_m2"][i + k]
                    sun_count += 1
        issued += 6 * HOUR
    result = {key: math.sqrt(total / counts[key]) for key, total in squares.items()}
    return {(n, h): v / (sun_sum / sun_count) if n == "ghi_w_per_m2" else v for (n, h), v in result.items()}


@pytest.mark.parametrize(("lead", "low", "high"), [(1, 0.7, 1.1), (6, 0.95, 1.3), (24, 1.3, 1.7), (48, 1.5, 2.0)])
def test_temperature_is_wrong_by_1_5_k_a_day_ahead(
    lead: int, low: float, high: float, rmse: dict[tuple[str, int], float]
) -> None:
    assert low < rmse["temp_c", lead] < high


@pytest.mark.parametrize(
    ("lead", "low", "high"), [(1, 0.16, 0.22), (6, 0.18, 0.24), (24, 0.22, 0.28), (48, 0.24, 0.31)]
)
def test_irradiance_is_wrong_by_a_quarter_of_its_daytime_mean_a_day_ahead(
    lead: int, low: float, high: float, rmse: dict[tuple[str, int], float]
) -> None:
    assert low < rmse["ghi_w_per_m2", lead] < high


def test_errors_grow_with_lead_time(rmse: dict[tuple[str, int], float]) -> None:
    for name in ("temp_c", "ghi_w_per_m2", "wind_m_per_s"):
        sizes = [rmse[name, lead] for lead in LEADS_H]
        assert sizes == sorted(sizes)


@pytest.mark.parametrize("month", range(1, 13))
def test_every_forecast_is_physically_possible(month: int, weather: RecordedWeather) -> None:
    f = weather.known_at(datetime(2021, month, 17, 5, tzinfo=UTC))
    cos_z = mean_cos_zenith(
        f.start, f.dt_s, len(f.temp_c), latitude_deg=AACHEN.latitude_deg, longitude_deg=AACHEN.longitude_deg
    )
    assert sum(c > 0 for c in cos_z) > 80
    for c, ghi, dni, dhi, wind in zip(
        cos_z, f.ghi_w_per_m2, f.dni_w_per_m2, f.dhi_w_per_m2, f.wind_m_per_s, strict=True
    ):
        assert 0.0 <= ghi <= clear_sky_ghi(c) + 1e-9, "never negative, 0 at night, never above the clear sky"
        assert 0.0 <= dni <= clear_sky_beam(c) + 1e-9
        assert ghi == pytest.approx(dhi + dni * c, abs=1e-6), "the parts add up"
        assert -1e-9 <= dhi <= ghi + 1e-9
        assert wind >= 0.0


def test_a_new_forecast_is_issued_every_three_hours_and_reaches_three_days(weather: RecordedWeather) -> None:
    noon = datetime(2021, 2, 8, 12, tzinfo=UTC)
    first = weather.known_at(noon)
    assert first.issued == noon
    assert first.start == noon - 3 * HOUR
    assert len(first.temp_c) == (3 + 72) * 4
    assert weather.known_at(noon + 3 * HOUR - timedelta(seconds=1)) == first
    assert weather.known_at(noon + 3 * HOUR).issued == noon + 3 * HOUR
    hourly = RecordedWeather(WEATHER, AACHEN, issue_every_s=3600, horizon_h=24, past_h=0)
    later = hourly.known_at(noon + timedelta(minutes=70))
    assert (later.issued, later.start, len(later.temp_c)) == (noon + HOUR, noon + HOUR, 96)


def test_an_error_belongs_to_its_hour_whenever_the_forecast_begins() -> None:
    often = RecordedWeather(WEATHER, AACHEN, issue_every_s=900, past_h=0)
    noon = datetime(2021, 2, 8, 12, tzinfo=UTC)
    on_the_hour, later = often.known_at(noon), often.known_at(noon + timedelta(minutes=45))
    assert later.start == noon + timedelta(minutes=45)
    assert later.temp_c[:200] == on_the_hour.temp_c[3:203]


def test_a_later_forecast_of_the_same_hours_is_near_the_earlier_and_nearer_the_truth(weather: RecordedWeather) -> None:
    """Averaged over targets: single hours may get worse, as in life."""
    old_miss = new_miss = change = 0.0
    for day in range(2, 330, 3):
        target = datetime(2021, 1, 1, 12, tzinfo=UTC) + timedelta(days=day)
        truth = weather.table.columns["temp_c"][weather.table.index(target)]
        values = []
        for lead in (36, 6):
            f = weather.known_at(target - lead * HOUR)
            values.append(f.temp_c[round((target - f.start).total_seconds() / f.dt_s)])
        old_miss += (values[0] - truth) ** 2
        new_miss += (values[1] - truth) ** 2
        change += (values[0] - values[1]) ** 2
    assert new_miss < 0.6 * old_miss
    assert change < 1.3 * old_miss, "independent errors would add up to more"


def test_what_happens_after_the_horizon_cannot_be_seen(tmp_path: Path) -> None:
    """Temperature and wind exactly; irradiance but for the climate (two sums over the record) that sizes its error."""
    rows = _month_of_rows()
    now = datetime(2021, 6, 15, 6, tzinfo=UTC)
    changed = [
        row if i == 0 or datetime.fromisoformat(row[:20]) < now + 24 * HOUR else row[:20] + ",9,100,0,100,1"
        for i, row in enumerate(rows)
    ]
    forecasts = []
    for name, content in (("one", rows), ("two", changed)):
        (tmp_path / f"{name}.csv").write_text("\n".join(content), encoding="utf-8")
        forecasts.append(RecordedWeather(tmp_path / f"{name}.csv", AACHEN).known_at(now))
    n = (3 + 24) * 4
    assert forecasts[0].temp_c[:n] == forecasts[1].temp_c[:n]
    assert forecasts[0].wind_m_per_s[:n] == forecasts[1].wind_m_per_s[:n]
    assert forecasts[0].temp_c[n:] != forecasts[1].temp_c[n:]
    short = RecordedWeather(tmp_path / "one.csv", AACHEN, horizon_h=24).known_at(now)
    assert short.ghi_w_per_m2 == forecasts[0].ghi_w_per_m2[:n]


def _month_of_rows() -> list[str]:
    with gzip.open(WEATHER, "rt", encoding="utf-8") as file:
        rows = file.read().splitlines()
    return [rows[0], *(row for row in rows if row.startswith("2021-06"))]


def test_the_same_seed_gives_the_same_forecast_in_any_process() -> None:
    code = (
        "from datetime import UTC, datetime\n"
        "from tests.actors.feeds.conftest import AACHEN, WEATHER\n"
        "from tests.actors.feeds.test_recorded_weather import digest\n"
        "from actors.feeds.recorded import RecordedWeather\n"
        "print(digest(RecordedWeather(WEATHER, AACHEN, seed=5).known_at(datetime(2021, 6, 1, 7, tzinfo=UTC))))\n"
    )
    env = {**os.environ, "PYTHONHASHSEED": "4321"}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    told = run.stdout.strip()
    at = datetime(2021, 6, 1, 7, tzinfo=UTC)
    assert told == digest(RecordedWeather(WEATHER, AACHEN, seed=5).known_at(at))
    assert told != digest(RecordedWeather(WEATHER, AACHEN, seed=6).known_at(at))


def test_without_error_and_for_perfect_foresight_the_truth_is_told(weather: RecordedWeather) -> None:
    now = datetime(2021, 4, 12, 6, 20, tzinfo=UTC)
    exact = RecordedWeather(WEATHER, AACHEN, error=PERFECT).known_at(now)
    true = TrueWeather(weather, horizon_h=48).known_at(now)
    assert true.issued == now
    assert true.start == datetime(2021, 4, 12, 3, 15, tzinfo=UTC)
    assert len(true.temp_c) == (3 + 48) * 4
    skip = round((true.start - exact.start).total_seconds() / 900)
    for name in SERIES:
        assert getattr(true, name) == getattr(exact, name)[skip : skip + len(true.temp_c)]
    i = weather.table.index(now)
    assert true.ghi_w_per_m2[12] == weather.table.columns["ghi_w_per_m2"][i]


def test_a_larger_error_can_be_asked_for(weather: RecordedWeather) -> None:
    now = datetime(2021, 4, 12, 6, tzinfo=UTC)
    large = RecordedWeather(WEATHER, AACHEN, error=WeatherErrorSpec(temperature_k=4.5)).known_at(now)
    true = TrueWeather(weather).known_at(now)
    usual = weather.known_at(now)
    for t, a, b in zip(true.temp_c, usual.temp_c, large.temp_c, strict=True):
        assert b - t == pytest.approx(3.0 * (a - t), abs=1e-9)


def test_near_the_end_of_the_record_a_forecast_is_shorter_and_beyond_it_is_refused(weather: RecordedWeather) -> None:
    last = weather.known_at(datetime(2021, 12, 31, 12, tzinfo=UTC))
    assert len(last.temp_c) == (3 + 12) * 4
    for now in (datetime(2022, 1, 2, tzinfo=UTC), datetime(2020, 12, 20, tzinfo=UTC)):
        with pytest.raises(DataError, match=r"no weather from .* the record is 2021-01-01 to 2022-01-01; start within"):
            weather.known_at(now)


def test_a_record_without_daylight_at_the_site_is_refused(tmp_path: Path) -> None:
    start = datetime(2021, 12, 20, tzinfo=UTC)
    rows = [f"{(start + h * HOUR).isoformat()},-9,0,0,0,2" for h in range(40)]
    path = tmp_path / "weather.csv"
    path.write_text("\n".join(["time_utc," + ",".join(SERIES), *rows]), encoding="utf-8")
    north = AACHEN.model_copy(update={"latitude_deg": 66.0})
    with pytest.raises(DataError, match=r"no daylight at the site; check the position in \[site\]"):
        RecordedWeather(path, north).known_at(start + 9 * HOUR)


def test_forecasts_cannot_come_more_often_than_the_record_has_slots() -> None:
    with pytest.raises(DataError, match="issue_every_s 0 is below 900"):
        RecordedWeather(WEATHER, AACHEN, issue_every_s=0)


def test_the_light_sun_agrees_with_the_exact_one() -> None:
    worst = 0.0
    for day in range(0, 365, 3):
        start = datetime(2021, 1, 1, tzinfo=UTC) + timedelta(days=day)
        light = mean_cos_zenith(start, 900.0, 96, latitude_deg=AACHEN.latitude_deg, longitude_deg=AACHEN.longitude_deg)
        for i, value in enumerate(light):
            exact = math.sin(math.radians(sun_position(start + timedelta(seconds=900 * i + 450), AACHEN).elevation_deg))
            if exact > 0.1 or exact < -0.03:
                worst = max(worst, abs(value - max(0.0, exact)))
    assert worst < 0.008, "half a degree"


def test_clear_sky_and_diffuse_share_have_their_known_values() -> None:
    assert clear_sky_ghi(1.0) == pytest.approx(1037.2, abs=0.1)
    assert clear_sky_ghi(0.0) == 0.0
    assert clear_sky_beam(0.05) == 0.0
    assert 900 < clear_sky_beam(1.0) < 1100
    assert diffuse_share(0.2 * 1361 * 0.5, 0.5) == pytest.approx(0.982)
    assert diffuse_share(0.9 * 1361 * 0.5, 0.5) == 0.165
    assert 0.3 < diffuse_share(0.65 * 1361 * 0.5, 0.5) < 0.45
    assert diffuse_share(0.0, 0.0) == 1.0
