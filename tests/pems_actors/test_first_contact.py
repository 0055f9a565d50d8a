"""`wires` judges what it heard: what is whole, what is missing, what cannot be true."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from actors.devices.growatt import TELEMETRY_TOPIC
from actors.links.topics import CLOCK_TOPIC
from actors.links.twin_clock import clock_message
from config.load import DEMO, load
from models.twins.house import HouseTwin
from models.types.loxone import SUMMARY
from pems_actors.first_contact import ASK, Finding, Last, judge
from pems_actors.simulation.world import Recorded

FILE = load(DEMO)
NOON = datetime(2021, 2, 8, 11, 0, tzinfo=UTC)


def payloads() -> dict[str, dict[str, Any]]:
    """What the demo house says within a minute, parsed."""
    twin = HouseTwin(FILE.house, Recorded.of(FILE, 1).world(), start=NOON, seed=1)
    said = twin.advance(NOON + timedelta(seconds=60))
    return {m.topic: json.loads(m.payload) for m in said if m.topic in (TELEMETRY_TOPIC, SUMMARY)}


SAID = payloads()


def found(
    said: dict[str, dict[str, Any] | bytes | None], *, answered_s: float = 0.3, retained: bool = False,
    now: datetime = NOON,
) -> dict[str, Finding]:  # fmt: skip
    heard = {
        topic: Last(
            payload=body if isinstance(body, bytes) else json.dumps(body).encode(), age_s=1.0, retained=retained,
            count=1 if retained else 3,
        )
        for topic, body in {**SAID, **said}.items()
        if body is not None
    }  # fmt: skip
    return {f.wire: f for f in judge(FILE, heard, answered_s, now)}


def wrong(said: dict[str, dict[str, Any] | bytes | None], **how: Any) -> dict[str, str]:
    return {f.wire: f.remedy for f in found(said, **how).values() if not f.ok}


def without(topic: str, *path: str) -> dict[str, Any]:
    body = json.loads(json.dumps(SAID[topic]))
    *tables, name = path
    inner = body
    for table in tables:
        inner = inner[table]
    del inner[name]
    return {topic: body}


def with_value(topic: str, name: str, value: object) -> dict[str, Any]:
    return {topic: {**SAID[topic], name: value}}


def test_a_house_with_everything_has_nothing_missing() -> None:
    whole = found({})
    assert [f for f in whole.values() if not f.ok] == []
    assert len([w for w in whole if w.startswith(SUMMARY + " ")]) == len(FILE.rooms)
    assert whole[ASK].value == "answered after 0.3 s"


def test_a_missing_room_is_named_with_what_to_add() -> None:
    missing = wrong(without(SUMMARY, "temperature", "obyvak"))
    assert list(missing) == [f"{SUMMARY} obyvak"] and "temperature missing" in missing[f"{SUMMARY} obyvak"]


def test_a_room_that_the_house_file_does_not_know_is_named() -> None:
    body = {**SAID[SUMMARY], "temperature": {**SAID[SUMMARY]["temperature"], "sauna": 21.0}}
    assert "not in the house file" in wrong({SUMMARY: body})[f"{SUMMARY} sauna"]


@pytest.mark.parametrize(
    ("said", "wire", "word"),
    [
        ({TELEMETRY_TOPIC: None}, TELEMETRY_TOPIC, "silent"),
        ({SUMMARY: None}, SUMMARY, "silent"),
        ({TELEMETRY_TOPIC: b"\xff{"}, TELEMETRY_TOPIC, "not JSON"),
        ({SUMMARY: b"[]"}, SUMMARY, "object"),
        ({TELEMETRY_TOPIC: {"InverterStatus": -1}}, TELEMETRY_TOPIC, "offline"),
        (with_value(TELEMETRY_TOPIC, "PV1InputPower", 30_000), f"{TELEMETRY_TOPIC} PV", "wrong unit"),
        (with_value(TELEMETRY_TOPIC, "SOC", 5700), TELEMETRY_TOPIC, "SOC"),
        (without(TELEMETRY_TOPIC, "SOC"), f"{TELEMETRY_TOPIC} SOC", "missing"),
        (without(TELEMETRY_TOPIC, "BattSlot1Start"), f"{TELEMETRY_TOPIC} settings", "not read back"),
        (without(TELEMETRY_TOPIC, "SystemHour"), f"{TELEMETRY_TOPIC} clock", "missing"),
        (with_value(TELEMETRY_TOPIC, "SystemHour", 3), f"{TELEMETRY_TOPIC} clock", "local standard time"),
    ],
)  # fmt: skip
def test_what_is_silent_missing_or_cannot_be_true_comes_with_a_remedy(said: Any, wire: str, word: str) -> None:
    assert word in wrong(said)[wire]


def test_a_retained_last_word_is_no_life() -> None:
    assert "retained" in wrong({}, retained=True)[TELEMETRY_TOPIC]


def test_a_stick_that_does_not_answer_is_told() -> None:
    assert "no answer" in wrong({}, answered_s=math.nan)[ASK]


def test_a_room_at_the_temperature_of_a_fridge_is_more_likely_a_sensor() -> None:
    body = {**SAID[SUMMARY], "temperature": {**SAID[SUMMARY]["temperature"], "hosti": 0.0}}
    assert "sensor or unit" in wrong({SUMMARY: body})[f"{SUMMARY} hosti"]


def test_the_clock_of_a_twin_is_what_its_inverter_is_compared_with() -> None:
    today = datetime(2026, 1, 5, tzinfo=UTC)
    assert f"{TELEMETRY_TOPIC} clock" in wrong({}, now=today)
    assert wrong({CLOCK_TOPIC: clock_message(NOON, 60.0)}, now=today) == {}


def test_an_inverter_keeps_standard_time_in_summer() -> None:
    july = datetime(2021, 7, 1, 11, 0, tzinfo=UTC)
    clock = {"SystemYear": 2021, "SystemMonth": 7, "SystemDay": 1, "SystemHour": 12, "SystemMinute": 0}
    body = {**SAID[TELEMETRY_TOPIC], **clock, "SystemSecond": 0}
    assert f"{TELEMETRY_TOPIC} clock" not in wrong({TELEMETRY_TOPIC: body}, now=july)
