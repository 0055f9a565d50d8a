"""Other names and bare numbers on the wire: PEMS and Loxone understand each other all the same."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.links.loxone_names import LoxoneNames
from actors.links.loxone_words import WordsError
from actors.messages import Outgoing
from models.twins.loxone import LoxoneTopics
from models.types.loxone import HOUSE_TOPICS, ROOM_TOPICS, Loxone
from tests.models.twins.demo import wire

PLAIN = Loxone()
OTHER = Loxone(
    style="number", relay_set="lox/in/r_{room}", setpoint_set="lox/in/s_{room}", relay_status="lox/out/r_{room}",
    temperature="lox/out/t_{room}", summary="lox/all", heartbeat="lox/beat",
)  # fmt: skip
ROOM_NAMES = ("obyvak", "pracovna")


def message(topic: str, body: object) -> Outgoing:
    return Outgoing(topic=topic, payload=json.dumps(body).encode(), expires_s=7.0, slot="s")


@pytest.mark.parametrize("topic", ["loxone/heating/obyvak/set", "energy/solar/command/list", "pems/heartbeat"])
def test_with_the_default_names_nothing_is_changed(topic: str) -> None:
    names = LoxoneNames(ROOM_NAMES, PLAIN)
    order = message(topic, {"state": "on"})
    assert names.out(order) == order
    assert names.back("loxone/status", b"{}") == ("loxone/status", b"{}")
    assert names.back("energy/solar", b"x") == ("energy/solar", b"x")


def test_names_and_numbers_of_the_wire() -> None:
    names = LoxoneNames(ROOM_NAMES, OTHER)
    sent = names.out(message("loxone/heating/obyvak/set", {"state": "auto"}))
    assert (sent.topic, sent.payload, sent.expires_s, sent.slot) == ("lox/in/r_obyvak", b"2", 7.0, "s")
    assert names.out(message("loxone/temperature/obyvak/setpoint", {"target_temperature": 21.5})).payload == b"21.50"
    assert names.out(message("pems/heartbeat", {"beat": 1})).topic == "lox/beat"
    assert names.back("lox/out/r_obyvak", b"3") == (
        "loxone/heating/obyvak/status", b'{"relay":"on","mode":"manual"}',
    )  # fmt: skip
    assert names.back("lox/out/t_pracovna", b" 20.87\n") == (
        "loxone/temperature/pracovna/current", b'{"temperature":20.87,"unit":"celsius"}',
    )  # fmt: skip
    assert names.heard == (
        "lox/all", "lox/out/r_obyvak", "lox/out/t_obyvak", "lox/out/r_pracovna", "lox/out/t_pracovna",
    )  # fmt: skip


@pytest.mark.parametrize("payload", [b"", b"on", b"4", b"-1", b"0.5", b"nan", b"1e0", b"\xff", b"9" * 50])
def test_a_status_that_is_no_meant_number_is_a_mistake(payload: bytes) -> None:
    with pytest.raises(WordsError, match="lox/out/r_obyvak"):
        LoxoneNames(ROOM_NAMES, OTHER).back("lox/out/r_obyvak", payload)


def test_an_order_that_no_number_stands_for_is_a_mistake() -> None:
    with pytest.raises(WordsError, match="state"):
        LoxoneNames(ROOM_NAMES, OTHER).out(message("loxone/heating/obyvak/set", {"state": "warm"}))


@settings(max_examples=300, deadline=None)
@given(payload=st.binary(max_size=20) | st.floats().map(lambda x: str(x).encode()), kind=st.sampled_from("rt"))
def test_no_payload_passes_a_number_that_is_not_finite(payload: bytes, kind: str) -> None:
    try:
        _, body = LoxoneNames(ROOM_NAMES, OTHER).back(f"lox/out/{kind}_obyvak", payload)
    except WordsError:
        return
    told: dict[str, Any] = json.loads(body)
    assert kind == "r" or math.isfinite(told["temperature"])


def test_twin_and_table_have_the_same_names_and_defaults() -> None:
    """One object of settings serves both: `LoxoneTopics(**...)` of the table's fields."""
    table = {name: getattr(PLAIN, name) for name in (*ROOM_TOPICS, *HOUSE_TOPICS, "style")}
    assert asdict(LoxoneTopics()) == table


@pytest.mark.parametrize("loxone", [PLAIN, OTHER], ids=["json", "number"])
def test_the_twin_follows_and_answers_under_the_same_names(loxone: Loxone) -> None:
    topics = LoxoneTopics(**{name: getattr(loxone, name) for name in (*ROOM_TOPICS, *HOUSE_TOPICS, "style")})
    w = wire(rooms=True, topics=topics)
    names = LoxoneNames([room.name for room in w.twin.house.rooms], loxone)
    for topic, body in (
        ("pems/heartbeat", {"beat": 1}), ("loxone/heating/obyvak/set", {"state": "on"}),
        ("loxone/temperature/pracovna/setpoint", {"target_temperature": 22.5, "unit": "celsius"}),
    ):  # fmt: skip
        sent = names.out(message(topic, body))
        w.twin.publish(sent.topic, sent.payload, w.twin.now)
    w.run(seconds=30)
    heard = dict(names.back(topic, payload) for topic, payload in w.heard.items())
    status = json.loads(heard["loxone/heating/obyvak/status"])
    assert (status["relay"], status["mode"]) == ("on", "manual")
    assert json.loads(heard["loxone/status"])["target_temp"]["pracovna"] == 22.5
    assert set(names.heard) <= set(w.heard)
