"""One request, one forecast: stamped, complete, honest about what it had to guess, fast."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from models.errors import DataError
from models.forecast.house import forecast
from models.types.forecast import HouseForecast, WeatherForecast
from models.types.forecast_request import ForecastRequest, MeasuredSeries
from tests.models.forecast.conftest import HOUSE, QUARTER, Year, clear_weather

NOW = datetime(2021, 6, 15, 6, tzinfo=UTC)
NAN = float("nan")


def simple(**changes: object) -> ForecastRequest:
    """Clear weather for three days, a flat load."""
    base = ForecastRequest(
        issued=NOW,
        start=NOW,
        dt_s=900.0,
        steps=192,
        house=HOUSE,
        weather=clear_weather(NOW - timedelta(hours=3), 300, issued=NOW),
        load_history=MeasuredSeries(start=NOW - timedelta(days=7), dt_s=900.0, kw=(0.5,) * 672),
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def check(answer: HouseForecast, request: ForecastRequest) -> None:
    assert (answer.issued, answer.start, answer.dt_s) == (request.issued, request.start, request.dt_s)
    series = [*answer.pv_kw, answer.load_kw, answer.outdoor_c, *answer.window_w_per_m2.values()]
    assert len(answer.pv_kw) == len(request.house.arrays)
    assert set(answer.window_w_per_m2) == {"S", "E", "W"}
    for values in series:
        assert len(values) == request.steps
        assert all(isinstance(v, float) for v in values)
        assert np.isfinite(values).all()


def test_it_is_complete_stamped_and_repeatable(request_at: Callable[..., ForecastRequest]) -> None:
    request = request_at(2021, 6, 15, 10)
    answer = forecast(request)
    check(answer, request)
    assert answer == forecast(request)
    assert "recent weeks" in answer.source
    assert 0.0 < max(answer.pv_kw[0]) <= HOUSE.arrays[0].peak_kw


@pytest.mark.parametrize("steps", [1, 96, 288, 672])
def test_horizons_from_one_slot_to_seven_days_are_answered(
    steps: int, request_at: Callable[..., ForecastRequest]
) -> None:
    request = request_at(2021, 3, 26, 10, steps=steps)
    answer = forecast(request)
    check(answer, request)
    persisted = steps > 288 - 4
    assert ("weather persisted" in answer.source) is persisted
    if steps == 672:
        assert answer.outdoor_c[-1] == answer.outdoor_c[-1 - 96 * 4], "the last known day repeats"
        assert answer.outdoor_c[-1] != answer.outdoor_c[0]


@pytest.mark.parametrize("dt_s", [300.0, 900.0, 1800.0, 3600.0])
def test_other_steps_carry_the_same_energy(dt_s: float) -> None:
    request = simple(dt_s=dt_s, steps=round(48 * 3600 / dt_s))
    answer, usual = forecast(request), forecast(simple())
    check(answer, request)
    for ours, theirs in zip(answer.pv_kw, usual.pv_kw, strict=True):
        assert sum(ours) * dt_s == pytest.approx(sum(theirs) * 900.0, rel=0.01)
    assert sum(answer.load_kw) * dt_s == pytest.approx(sum(usual.load_kw) * 900.0)


def test_hourly_weather_serves_quarter_hours() -> None:
    request = simple(weather=clear_weather(NOW - timedelta(hours=3), 75, issued=NOW, dt_s=3600.0))
    answer = forecast(request)
    check(answer, request)
    assert sum(map(sum, answer.pv_kw)) == pytest.approx(sum(map(sum, forecast(simple()).pv_kw)), rel=0.05)


def test_a_house_without_roofs_and_a_house_without_history_of_pv_are_forecast_too() -> None:
    bare = simple(house=HOUSE.model_copy(update={"arrays": ()}))
    answer = forecast(bare)
    check(answer, bare)
    assert answer.pv_kw == ()


def holes(weather: WeatherForecast, first: int, n: int, *names: str) -> WeatherForecast:
    for name in names:
        values = list(getattr(weather, name))
        values[first : first + n] = [NAN] * n
        weather = replace(weather, **{name: tuple(values)})  # type: ignore[arg-type]
    return weather


def test_unknown_weather_takes_the_day_before_and_says_so() -> None:
    weather = clear_weather(NOW - timedelta(hours=3), 300, issued=NOW)
    answer = forecast(simple(weather=holes(weather, 12 + 100, 20, "ghi_w_per_m2")))
    assert "weather persisted in 20 slots" in answer.source
    assert np.isfinite(answer.pv_kw).all()
    assert answer.pv_kw[0][110] == pytest.approx(forecast(simple()).pv_kw[0][14], rel=0.02)
    whole = forecast(simple(weather=replace(weather, start=NOW + timedelta(hours=2))))
    assert "weather persisted in 8 slots" in whole.source, "what lies before a forecast is taken from the day after"


def test_too_little_weather_is_refused() -> None:
    weather = clear_weather(NOW, 300, issued=NOW)
    with pytest.raises(DataError, match=r"knows 80 of 192 slots that are asked for; a day is needed"):
        forecast(simple(weather=clear_weather(NOW, 80, issued=NOW)))
    with pytest.raises(DataError, match=r"knows 0 of 192 slots"):
        forecast(simple(weather=holes(weather, 0, 300, "temp_c")))
    with pytest.raises(DataError, match=r"knows nothing of 07:00 UTC on any day"):
        forecast(simple(steps=8, weather=clear_weather(NOW, 4, issued=NOW)))
    assert "persisted" not in forecast(simple(steps=4, weather=clear_weather(NOW, 4, issued=NOW))).source


WEATHER = clear_weather(NOW, 200, issued=NOW)
HISTORY = MeasuredSeries(start=NOW - timedelta(days=1), dt_s=900.0, kw=(0.5,) * 96)


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"steps": 0}, "steps 0 is outside 1 .. 2016"),
        ({"steps": 5000}, "steps 5000 is outside"),
        ({"dt_s": 0.0}, "dt_s 0 does not divide an hour"),
        ({"start": NOW + timedelta(minutes=3)}, "not a multiple of 900 s"),
        ({"weather": replace(WEATHER, issued=NOW + timedelta(hours=1))}, "weather.issued .* is later than"),
        ({"weather": replace(WEATHER, temp_c=WEATHER.temp_c[:-1])}, "has 200 values, temp_c has 199"),
        ({"weather": replace(WEATHER, dni_w_per_m2=())}, "weather.dni_w_per_m2 has 0 values, temp_c has 200"),
        ({"weather": replace(WEATHER, temp_c=(283.0,) * 200)}, r"weather.temp_c 283 in slot 0 is outside -70 .. 60"),
        ({"weather": replace(WEATHER, ghi_w_per_m2=(float("inf"),) * 200)}, "ghi_w_per_m2 inf in slot 0 is outside"),
        ({"weather": replace(WEATHER, wind_m_per_s=(-3.0,) * 200)}, "wind_m_per_s -3 in slot 0"),
        ({"weather": replace(WEATHER, dt_s=0.0)}, "dt_s 0 does not divide an hour"),
        ({"load_history": replace(HISTORY, start=NOW)}, "load_history.end .* is later than the forecast's issue"),
        ({"load_history": replace(HISTORY, kw=(450.0,) * 96)}, "load_history 450 kW in slot 0 .* divide W by 1000"),
        ({"load_history": replace(HISTORY, kw=(0.5,) * 95 + (-1.0,))}, "load_history -1 kW in slot 95"),
        ({"load_history": replace(HISTORY, kw=(float("inf"),) * 96)}, "load_history inf kW in slot 0"),
        ({"load_history": replace(HISTORY, kw=(NAN,) * 96)}, "load_history holds no measured value"),
        ({"load_history": replace(HISTORY, kw=())}, "load_history holds no measured value"),
        ({"pv_history": replace(HISTORY, start=NOW)}, "pv_history.end .* is later than"),
        ({"pv_history": replace(HISTORY, kw=(4200.0,) * 96)}, "pv_history 4200 kW in slot 0 is outside 0 .. 30 kW"),
    ],
)
def test_a_wrong_request_is_refused_in_one_line(changes: dict[str, object], part: str) -> None:
    with pytest.raises(DataError, match=part) as caught:
        forecast(simple(**changes))
    assert "\n" not in str(caught.value)
    assert caught.value.hint


def test_history_older_than_five_weeks_does_not_count() -> None:
    recent = MeasuredSeries(start=NOW - timedelta(days=35), dt_s=900.0, kw=(0.5,) * 35 * 96)
    old = MeasuredSeries(start=NOW - timedelta(days=90), dt_s=900.0, kw=(3.0,) * 55 * 96 + recent.kw)
    assert forecast(simple(load_history=old)) == forecast(simple(load_history=recent))


def test_what_is_known_of_the_load_is_taken_as_it_is() -> None:
    known = MeasuredSeries(start=NOW, dt_s=900.0, kw=tuple(0.01 * i for i in range(192)))
    answer = forecast(simple(known_load=known))
    assert answer.load_kw == known.kw
    assert "load known" in answer.source
    part = forecast(simple(known_load=replace(known, kw=known.kw[:10])))
    assert part.load_kw[:10] == known.kw[:10]
    assert part.load_kw[10:] == forecast(simple()).load_kw[10:]


def test_cloudier_hours_than_foretold_lower_the_next_hours_and_fade() -> None:
    plain = forecast(simple(issued=NOW + 16 * QUARTER, start=NOW + 16 * QUARTER))
    half = tuple(0.5 * (a + b) for a, b in zip(*forecast(simple()).pv_kw, strict=True))[4:16]
    past = MeasuredSeries(start=NOW + 4 * QUARTER, dt_s=900.0, kw=half)
    less = forecast(simple(issued=NOW + 16 * QUARTER, start=NOW + 16 * QUARTER, pv_history=past))
    assert "from the last hours" in less.source
    ratio = np.array(less.pv_kw[0][:30]) / np.array(plain.pv_kw[0][:30])
    assert 0.45 < ratio[0] < 0.75
    assert np.all(np.diff(ratio) > 0.0)
    assert ratio[-1] > 0.95
    curtailed = simple(issued=NOW + 16 * QUARTER, start=NOW + 16 * QUARTER, pv_history=replace(past, kw=(NAN,) * 12))
    assert forecast(curtailed).pv_kw == plain.pv_kw


def test_weather_that_was_guessed_for_the_last_hours_corrects_nothing() -> None:
    past = MeasuredSeries(start=NOW + 4 * QUARTER, dt_s=900.0, kw=(0.5,) * 12)
    later = NOW + 16 * QUARTER
    request = simple(issued=later, start=later, weather=clear_weather(later, 300, issued=later), pv_history=past)
    answer = forecast(request)
    assert "from the last hours" not in answer.source
    assert answer.pv_kw == forecast(replace(request, pv_history=None)).pv_kw


def test_pv_forecasts_of_the_year_beat_yesterday_and_the_last_hours_help(year: Year) -> None:
    """RMSE of 15 kWp: about 0.43 kW in the first hour, 0.6 a day ahead; persistence 1.9."""
    now = datetime(2021, 1, 10, 6, tzinfo=UTC)
    squares = dict.fromkeys(("first hour", "uncorrected", "day ahead", "yesterday"), 0.0)
    runs = 0
    while now < datetime(2021, 12, 25, tzinfo=UTC):
        i = year.index(now)
        truth = year.pv_kw[i : i + 192]
        ours = np.sum(forecast(year.request(now)).pv_kw, axis=0)
        plain = np.sum(forecast(year.request(now, corrected=False)).pv_kw, axis=0)
        squares["first hour"] += float(np.mean((ours - truth)[:4] ** 2))
        squares["uncorrected"] += float(np.mean((plain - truth)[:4] ** 2))
        squares["day ahead"] += float(np.mean((ours - truth)[96:] ** 2))
        squares["yesterday"] += float(np.mean((year.pv_kw[i - 96 : i] - truth[96:]) ** 2))
        runs += 1
        now += timedelta(hours=25)
    rmse = {name: (total / runs) ** 0.5 for name, total in squares.items()}
    assert rmse["day ahead"] < 0.5 * rmse["yesterday"], rmse
    assert rmse["first hour"] < 0.97 * rmse["uncorrected"], rmse
    assert rmse["day ahead"] > 0.3, "a forecast this good has seen the truth"
