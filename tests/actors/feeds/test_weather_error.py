"""The error of a forecast is a function of seed, target time and issue time alone."""

from __future__ import annotations

import math
import statistics
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.feeds.weather_error import ErrorField, WeatherErrorSpec, at_fractions

SPEC = WeatherErrorSpec()
START = datetime(2021, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def correlation(a: list[float], b: list[float]) -> float:
    return statistics.correlation(a, b)


@given(
    issue_h=st.integers(-50, 5000), lead=st.integers(1, 70), back=st.integers(0, 70), hours=st.integers(1, 20),
    seed=st.integers(0, 3),
)
def test_the_error_of_one_hour_does_not_depend_on_which_hours_are_asked_with_it(
    issue_h: int, lead: int, back: int, hours: int, seed: int
) -> None:
    issued = START + issue_h * HOUR
    field, other = ErrorField(seed, "temperature", SPEC), ErrorField(seed, "temperature", SPEC)
    alone = field.hourly(issued, issued + lead * HOUR, 1)[0]
    first = issued + (lead - min(back, lead + 3)) * HOUR
    among = other.hourly(issued, first, min(back, lead + 3) + hours)
    assert among[min(back, lead + 3)] == pytest.approx(alone, abs=1e-12)


def test_other_seeds_and_other_variables_are_other_errors() -> None:
    def year(seed: int, variable: str) -> list[float]:
        field = ErrorField(seed, variable, SPEC)
        return [field.hourly(START + d * 24 * HOUR, START + (d + 1) * 24 * HOUR, 1)[0] for d in range(400)]

    base = year(1, "temperature")
    assert base == year(1, "temperature")
    assert abs(correlation(base, year(2, "temperature"))) < 0.2
    assert abs(correlation(base, year(1, "wind"))) < 0.2


@pytest.mark.parametrize(("lead", "size"), [(0, 0.40), (1, 0.46), (6, 0.66), (24, 1.0), (48, 1.155), (72, 1.21)])
def test_it_grows_with_lead_time_to_the_stated_size_at_a_day(lead: int, size: float) -> None:
    """0.4 at lead 0; variance grows by 1 - exp(-2 lead / 48 h), scaled to 1 at 24 h."""
    field = ErrorField(7, "temperature", SPEC)
    issues = [START + 31 * k * HOUR for k in range(3000)]
    values = [field.hourly(i, i + lead * HOUR, 1)[0] for i in issues]
    assert statistics.pstdev(values) == pytest.approx(size, rel=0.06)
    assert abs(statistics.mean(values)) < 0.1


def test_the_next_issue_improves_the_same_hour_step_by_step() -> None:
    field = ErrorField(3, "irradiance", SPEC)
    squares = dict.fromkeys((48, 36, 24, 12, 6, 3), 0.0)
    errors: dict[int, list[float]] = {lead: [] for lead in (24, 21)}
    for k in range(1500):
        target = START + 29 * k * HOUR
        for lead in squares:
            squares[lead] += field.hourly(target - lead * HOUR, target, 1)[0] ** 2
        for lead, values in errors.items():
            values.append(field.hourly(target - lead * HOUR, target, 1)[0])
    assert list(squares.values()) == sorted(squares.values(), reverse=True), "each later issue is better"
    assert correlation(errors[24], errors[21]) > 0.9, "and much like the one before"
    revisions = [a - b for a, b in zip(errors[24], errors[21], strict=True)]
    assert abs(correlation(revisions, errors[21])) < 0.1, "a revision cannot be foreseen from what follows"


def test_errors_of_neighbouring_hours_are_alike() -> None:
    field = ErrorField(3, "temperature", SPEC)
    run = field.hourly(START, START + HOUR, 2000)
    assert correlation(run[100:-1], run[101:]) > 0.93
    assert correlation(run[100:-48], run[148:]) < 0.6


def test_quarter_hours_lie_on_the_line_between_hours() -> None:
    assert at_fractions([0.0, 1.0, 3.0], 4) == pytest.approx([0.125, 0.375, 0.625, 0.875, 1.25, 1.75, 2.25, 2.75])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature_k", -1.0),
        ("temperature_k", math.nan),
        ("irradiance_share", 25.0),
        ("base_share", 1.5),
        ("growth_h", 0.0),
    ],
)
def test_an_impossible_specification_is_refused(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=field):
        WeatherErrorSpec(**{field: value})
