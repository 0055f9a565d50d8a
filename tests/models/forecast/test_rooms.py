"""Room temperatures to come agree with the step-by-step physics and with what heat must do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from models.errors import DataError
from models.forecast.rooms import forecast_rooms, simulate_rooms
from models.physics.rooms import advance_rooms, nominal_plants
from models.types.forecast import HouseForecast
from models.types.forecast_request import RoomsRequest
from tests.models.forecast.conftest import HOUSE

START = datetime(2021, 2, 8, tzinfo=UTC)
PLANTS = nominal_plants(HOUSE)


def house_forecast(steps: int = 96, outdoor_c: float = 0.0, window: float = 0.0) -> HouseForecast:
    return HouseForecast(
        issued=START,
        source="test",
        start=START,
        dt_s=900.0,
        pv_kw=(),
        load_kw=(0.5,) * steps,
        outdoor_c=(outdoor_c,) * steps,
        window_w_per_m2={"S": (window,) * steps, "E": (0.0,) * steps, "W": (0.0,) * steps},
    )


def rooms_request(**changes: object) -> RoomsRequest:
    base = RoomsRequest(
        house=HOUSE,
        forecast=house_forecast(),
        air_c={"hall": 20.0, "living": 22.0},
        slab_c={"hall": 21.0, "living": 23.0},
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def test_it_agrees_with_small_explicit_steps_of_the_twins_physics() -> None:
    rng = np.random.default_rng(2)
    steps = 96
    heat, sun = rng.uniform(0, 2, (2, steps)), rng.uniform(0, 0.5, (2, steps))
    outdoor = rng.uniform(-5, 10, steps)
    a, s = [20.0, 22.0], [21.0, 23.0]
    air, slab = simulate_rooms(PLANTS, a, s, heat_kw=heat, sun_kw=sun, outdoor_c=outdoor, dt_h=0.25)
    for k in range(steps):
        now = {"heat_kw": heat[:, k].tolist(), "sun_kw": sun[:, k].tolist()}
        advance_rooms(PLANTS, a, s, **now, outdoor_c=float(outdoor[k]), dt_h=0.25, step_h=0.002)
        assert air[:, k] == pytest.approx(a, abs=0.01)
        assert slab[:, k] == pytest.approx(s, abs=0.01)


def test_free_running_rooms_cool_towards_the_outside_and_stop_there() -> None:
    answer = forecast_rooms(rooms_request(forecast=house_forecast(steps=96 * 30)))
    for name in ("hall", "living"):
        assert answer.air_c[name][0] < 23.0
        assert answer.air_c[name][-1] == pytest.approx(0.0, abs=0.3)
        assert min(answer.air_c[name]) > -0.01


def test_heat_sun_and_disturbance_warm_the_room_they_act_on() -> None:
    plain = forecast_rooms(rooms_request())
    heated = forecast_rooms(rooms_request(duty={"living": (0.5,) * 96}))
    sunny = forecast_rooms(rooms_request(forecast=house_forecast(window=500.0)))
    disturbed = forecast_rooms(rooms_request(disturbance_kw={"hall": 0.3}))
    assert heated.air_c["living"][-1] > plain.air_c["living"][-1] + 3.0
    assert heated.slab_c["living"][0] > plain.slab_c["living"][0]
    assert 0.0 < heated.air_c["hall"][-1] - plain.air_c["hall"][-1] < 1.0, "a neighbour gets a little"
    assert sunny.air_c["hall"][-1] > plain.air_c["hall"][-1] + 1.0
    assert disturbed.air_c["hall"][-1] > plain.air_c["hall"][-1] + 1.0
    assert sunny.air_c["living"][-1] - plain.air_c["living"][-1] < 1.0, "no window"


def test_it_is_stamped_with_the_issue_of_the_forecast_it_rests_on() -> None:
    answer = forecast_rooms(rooms_request())
    assert (answer.issued, answer.start, answer.dt_s, len(answer.air_c["hall"])) == (START, START, 900.0, 96)


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"air_c": {"hall": 20.0}}, "air_c of room living is unknown"),
        ({"slab_c": {"hall": float("nan"), "living": 20.0}}, "slab_c of room hall is unknown"),
        ({"duty": {"hall": (0.5,) * 95}}, "duty of room hall has 95 values, the forecast has 96 slots"),
    ],
)
def test_an_incomplete_request_is_refused(changes: dict[str, object], part: str) -> None:
    with pytest.raises(DataError, match=part):
        forecast_rooms(rooms_request(**changes))
