"""The recorded world: exact lookups, and one clear line for everything that is not a record."""

from __future__ import annotations

import copy
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models.errors import DataError
from models.physics.pv import array_dc_kw
from models.physics.sun import sun_position
from models.twins.world import World
from tests.models.twins.demo import SITE, demo_house, demo_world

START = datetime(2021, 6, 1, tzinfo=UTC)


def world(**changes: Any) -> World:
    series: dict[str, Any] = {
        "temp_c": [1.0, -2.0, 3.0], "ghi": [0.0, 10.0, 20.0], "dhi": [0.0, 5.0, 6.0], "dni": [0.0, 7.0, 8.0],
        "wind": [1.0, 2.0, 3.0], "load_kw": [0.1, 0.2, 0.3], "site": SITE,
    }  # fmt: skip
    return World(**{"start": START, "dt_s": 900.0} | series | changes)


def test_a_sample_holds_from_its_start_to_just_before_the_next() -> None:
    w = world()
    assert w.temp_c(START + timedelta(seconds=899.999)) == 1.0
    assert w.temp_c(START + timedelta(seconds=900)) == -2.0
    assert w.irradiance(START + timedelta(minutes=30)) == (20.0, 6.0, 8.0)
    assert (w.load_kw(START), w.wind_m_per_s(START)) == (0.1, 1.0)
    assert w.end == START + timedelta(minutes=45)


@pytest.mark.parametrize("minutes", [-1, 45, 10_000])
def test_outside_the_record_is_an_error_that_names_its_ends(minutes: int) -> None:
    with pytest.raises(DataError, match=r"outside the recorded 2021-06-01 00:00 \.\. 2021-06-01 00:45 UTC"):
        world().temp_c(START + timedelta(minutes=minutes))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"start": datetime(2021, 6, 1)}, "no time zone"),
        ({"dt_s": 0.0}, "dt_s is 0"),
        ({"ghi": [0.0, 1.0]}, "ghi has 2 values, temp_c has 3"),
        ({"load_kw": [0.1, math.nan, 0.3]}, r"load_kw\[1\] is nan"),
        ({"dni": [0.0, math.inf, 0.0]}, r"dni\[1\] is inf"),
        ({"load_kw": [0.1, -0.2, 0.3]}, r"load_kw\[1\] is -0.2, must be at least 0"),
        ({name: [] for name in ("temp_c", "ghi", "dhi", "dni", "wind", "load_kw")}, "temp_c has 0 values"),
    ],
)
def test_what_is_not_a_record_is_refused_in_one_line(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        world(**changes)


def test_pv_power_is_that_of_the_sun_in_the_middle_of_the_sample() -> None:
    w, array = demo_world(sun=1.0), demo_house().arrays[0]
    at = datetime(2021, 2, 9, 10, 3, tzinfo=UTC)
    middle = datetime(2021, 2, 9, 10, 7, 30, tzinfo=UTC)
    ghi, dhi, dni = w.irradiance(at)
    expected = array_dc_kw(array, sun_position(middle, SITE), at=middle, ghi=ghi, dhi=dhi, dni=dni,
                           air_c=w.temp_c(at), wind_m_per_s=w.wind_m_per_s(at))
    assert w.pv_kw(array, at) == expected == w.pv_kw(array, middle)


def test_a_world_without_a_site_takes_that_of_the_house_that_lives_in_it() -> None:
    bare = world(site=None)
    with pytest.raises(DataError, match="no site"):
        bare.window_w_per_m2("S", START)
    assert bare.seen_from(SITE).window_w_per_m2("S", START) == world().window_w_per_m2("S", START)


def test_copies_share_the_record() -> None:
    w = world()
    assert copy.deepcopy(w) is w
