"""Values between processes: what travels arrives as it was, everything else is refused in one line."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from actors.runtime import CodecError, JsonCodec, WorkerError
from actors.runtime.frames import FRAME_LIMIT, Unpacker, pack


class Mode(Enum):
    REGULAR = "regular"
    HOLD = "hold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    start: datetime
    mode: Mode = Mode.REGULAR
    dt: timedelta = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Plan:
    slots: tuple[Slot, ...]
    soc: tuple[float | None, ...]
    rooms: dict[str, tuple[float, ...]]
    note: str | None = None


class Settings(BaseModel):
    model_config = ConfigDict(frozen=True)
    capacity_kwh: float
    since: datetime | None = None


CODEC = JsonCodec(Plan, Slot, Settings)
NOON = datetime(2021, 2, 8, 12, tzinfo=UTC)


def test_a_nested_value_arrives_equal() -> None:
    plan = Plan(
        slots=(Slot(start=NOON), Slot(start=NOON + timedelta(minutes=15), mode=Mode.HOLD)),
        soc=(0.1, None, 0.30000000000000004, math.inf, -math.inf),
        rooms={"obývák": (21.0, 21.5)},
    )
    assert CODEC.decode(CODEC.encode(plan)) == plan


def test_nan_arrives_as_nan_and_missing_as_missing() -> None:
    arrived: Any = CODEC.decode(CODEC.encode(Plan(slots=(), soc=(math.nan, None), rooms={})))
    assert math.isnan(arrived.soc[0]) and arrived.soc[1] is None


def test_a_pydantic_model_arrives_equal_with_its_infinities() -> None:
    settings = Settings(capacity_kwh=math.inf, since=NOON)
    assert CODEC.decode(CODEC.encode(settings)) == settings


def test_a_list_of_registered_values_arrives_as_a_tuple() -> None:
    slots = [Slot(start=NOON), Slot(start=NOON, mode=Mode.HOLD)]
    assert CODEC.decode(CODEC.encode(slots)) == tuple(slots)
    mixed = (Settings(capacity_kwh=math.nan), 5, None)
    arrived: Any = CODEC.decode(CODEC.encode(mixed))
    assert math.isnan(arrived[0].capacity_kwh) and arrived[1:] == (5, None)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(max_examples=100, deadline=None)
@given(PLAIN)
def test_any_plain_json_value_arrives_equal(value: object) -> None:
    assert CODEC.decode(CODEC.encode(value)) == value


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (object(), "register its type"),
        ({1: 2}, "has the key 1"),
        ([{"a": {2: 3}}], "has the key 2"),
        ({"a", "b"}, "cannot be sent"),
        ("\ud800", "cannot be sent"),
        (Slot(start=datetime(2021, 1, 1)), "Slot.start is 2021-01-01T00:00:00, without a time zone"),
        (Plan(slots=(Slot(start=datetime(2021, 1, 1)),), soc=(), rooms={}), "Plan.slots.start is 2021"),
        (Settings(capacity_kwh=1, since=datetime(2021, 1, 1)), "Settings.since"),
    ],
)
def test_what_cannot_travel_is_refused_and_says_why(value: object, says: str) -> None:
    with pytest.raises(CodecError, match=says):
        CODEC.encode(value)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not a tagged value"),
        (b"\xff\xfe\x00", "not a tagged value"),
        (b'{"type":"Plan"}', "not a tagged value"),
        (b'{"type":"","value":[1,2}', "not JSON"),
        (b'{"type":"","value":' + b"[" * 100_000 + b"}", "not JSON"),
        (b'{"type":"[]","value":{}}', "not a list"),
        (b'{"type":"[]","value":[1]}', "not a tagged value: '1'"),
        (b'{"type":"os.system","value":"ls"}', "'os.system' is not registered"),
        (b'{"type":"Settings","value":{"capacity_kwh":"10"}}', r"Settings\.capacity_kwh.*got '10'"),
        (b'{"type":"Settings","value":{}}', r"Settings\.capacity_kwh: Field required"),
        (b'{"type":"Settings","value":nonsense}', "Settings.value: Invalid JSON"),
        (b'{"type":"Slot","value":{"start":"2021-01-01T00:00:00"}}', "without a time zone"),
        (b'{"type":"Plan","value":{"slots":[{"start":"soon"}],"soc":[],"rooms":{}}}', r"Plan\.slots\.0\.start"),
    ],
)
def test_garbage_is_refused_with_what_is_wrong(data: bytes, says: str) -> None:
    with pytest.raises(CodecError, match=says):
        CODEC.decode(data)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_whatever_raise_anything_but_a_codec_error(data: bytes) -> None:
    for frame in (data, b'{"type":"Plan","value":' + data + b"}", b'{"type":"","value":' + data + b"}"):
        try:
            CODEC.decode(frame)
        except CodecError:
            pass


def test_two_types_of_one_name_are_refused() -> None:
    other = type("Slot", (), {})
    with pytest.raises(CodecError, match="two types are called Slot"):
        JsonCodec(Slot, other)
    JsonCodec(Slot, Slot)


def test_a_type_that_cannot_be_described_is_refused_when_used() -> None:
    class Odd:
        pass

    codec = JsonCodec(Odd)
    with pytest.raises(CodecError, match="Odd cannot travel"):
        codec.decode(b'{"type":"Odd","value":{}}')
    with pytest.raises(CodecError, match="Odd cannot travel"):
        codec.encode(Odd())


def test_a_value_that_breaks_its_own_annotations_is_not_sent() -> None:
    with pytest.raises(CodecError, match="a Plan cannot be sent"):
        CODEC.encode(Plan(slots=(), soc=("full",), rooms={}))  # type: ignore[arg-type]


def test_a_zone_other_than_utc_keeps_its_instant() -> None:
    moment = datetime(2021, 3, 28, 2, 30, tzinfo=timezone(timedelta(hours=2)))
    arrived: Any = CODEC.decode(CODEC.encode(Slot(start=moment)))
    assert arrived.start == moment


# --- frames -------------------------------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(st.lists(st.binary(max_size=50), max_size=5), st.integers(1, 40))
def test_frames_arrive_whole_however_they_are_cut(bodies: list[bytes], cut: int) -> None:
    stream = b"".join(pack({"id": n}, body) for n, body in enumerate(bodies))
    unpacker = Unpacker()
    arrived = [f for at in range(0, len(stream), cut) for f in unpacker.feed(stream[at : at + cut])]
    assert arrived == [({"id": n}, body) for n, body in enumerate(bodies)]


def test_a_frame_over_the_limit_is_refused_on_both_sides() -> None:
    with pytest.raises(WorkerError, match="over the limit"):
        pack({}, bytes(FRAME_LIMIT))
    with pytest.raises(WorkerError, match="is announced"):
        Unpacker().feed(b"\xff\xff\xff\xff")
