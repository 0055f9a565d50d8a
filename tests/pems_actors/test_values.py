"""What people write, what the console carries and what the gate gets are the same value."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import ConfigError
from models.types.mode import REGULAR, Composite, InverterMode
from pems_actors.values import from_json, parse_value, to_json

PERCENT = st.integers(1, 100).map(lambda percent: percent / 100)
NEEDS_END = (Composite.CHARGE_FROM_GRID, Composite.DISCHARGE_TO_GRID)
MODES = st.one_of(
    st.just(REGULAR),
    st.builds(InverterMode, composite=st.sampled_from(NEEDS_END), stop_soc=PERCENT, rate=st.none() | PERCENT),
    st.builds(
        InverterMode,
        composite=st.sampled_from([Composite.HOLD, Composite.SELL_PRODUCTION]),
        stop_soc=st.none() | PERCENT,
        rate=st.none() | PERCENT,
    ),
)


@given(mode=MODES)
def test_a_mode_is_read_as_it_is_shown_and_carried(mode: InverterMode) -> None:
    assert parse_value("inverter.mode", str(mode)) == mode
    assert from_json("inverter.mode", json.loads(json.dumps(to_json(mode)))) == mode


@given(celsius=st.floats(5, 30))
def test_a_number_is_carried_exactly(celsius: float) -> None:
    value = parse_value("room.x.setpoint_c", repr(celsius))
    assert value == celsius
    assert from_json("room.x.setpoint_c", json.loads(json.dumps(to_json(value)))) == celsius


@pytest.mark.parametrize("word", ["on", "OFF", " Auto "])
def test_a_relay_takes_its_three_words(word: str) -> None:
    assert parse_value("room.x.relay", word) == word.strip().lower()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "regular to 50%",
        "regular at 50%",
        "hold to 0%",
        "hold to 101%",
        "hold to ..%",
        "hold to",
        "hold at x%",
        "a b c",
        "hold; rm",
        "discharge_to_grid at 50%",
        "hold to 50% to 60%",
    ],
)
def test_a_mode_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_value("inverter.mode", text)


@pytest.mark.parametrize(
    ("point", "value"),
    [
        ("inverter.mode", {"composite": "hold", "stop_soc": 50}),
        ("inverter.mode", {"composite": "hold", "stop_soc": True}),
        ("inverter.mode", {"composite": "hold", "rate": "0.5"}),
        ("inverter.mode", {"composite": "turbo"}),
        ("inverter.mode", {"composite": "hold", "extra": 1}),
        ("inverter.mode", 5),
        ("inverter.mode", None),
        ("room.x.relay", {"composite": "hold"}),
        ("room.x.relay", True),
        ("room.x.relay", ["on"]),
        ("room.x.setpoint_c", float("nan")),
        ("room.x.setpoint_c", float("inf")),
        ("room.x.setpoint_c", False),
        ("inverter.export_limit_kw", -0.1),
        ("no.such.point", "on"),
    ],
)
def test_what_a_stranger_sends_is_checked_again(point: str, value: object) -> None:
    with pytest.raises(ConfigError):
        from_json(point, value)
