"""Worker processes: each knows its own methods and types, and nothing of the others."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import config
from actors.runtime.errors import CodecError
from actors.store.rows import Kind, Row, Rows
from models.errors import ConfigError
from models.types.twin_wire import TwinExchange, TwinOutput, WireMessage
from pems_actors import twin_worker, workers

DEMO = Path(config.__path__[0]) / "demo.toml"
AT = datetime(2021, 2, 8, tzinfo=UTC)
METHODS = {
    "optimizer": {"plan", "smart", "card", "marginal", "diagnosis"},
    "forecaster": {"forecast", "rooms"},
    "twin": {"exchange", "inject"},
    "store": {"open", "boot", "write", "query", "prune", "close"}, "inputs": {"prices", "weather", "rates"},
}  # fmt: skip


def live_house(folder: Path) -> Path:
    """The demo house on services and a broker."""
    path = folder / "home.toml"
    more = '\n[mqtt]\nurl = "mqtt://127.0.0.1:1883"\n[prices]\nsource = "ote"\n[weather]\nhorizon_h = 72\n'
    path.write_text(DEMO.read_text() + more)
    return path


@pytest.mark.parametrize("name", workers.NAMES)
def test_each_worker_has_its_methods(name: str, tmp_path: Path) -> None:
    house = live_house(tmp_path) if name == "inputs" else DEMO
    assert set(workers._methods(name, house, 1, 60.0, tmp_path)) == METHODS[name]


def test_what_a_worker_is_given_travels_and_what_belongs_to_another_does_not() -> None:
    rows = Rows(rows=(Row(kind=Kind.EVENT, at=AT, key="x", data={"a": [1, None]}),))
    store, twin = workers.codec("store"), workers.codec("twin")
    assert store.decode(store.encode(rows)) == rows
    exchange = TwinExchange(until=AT, commands=(WireMessage(topic="a/b", payload="{}"),))
    assert twin.decode(twin.encode(exchange)) == exchange
    with pytest.raises(CodecError):
        twin.encode(rows)
    with pytest.raises(CodecError):
        store.decode(twin.encode(exchange))


def test_an_unknown_worker_is_told_with_those_there_are() -> None:
    for make in (workers.codec, workers.process, lambda name: workers._methods(name, None, 1, 1.0, None)):
        with pytest.raises(ConfigError, match="worker 'x' is not known; one of optimizer, forecaster, store, twin"):
            make("x")
    with pytest.raises(ConfigError, match="worker twin needs --config"):
        workers._methods("twin", None, 1, 1.0, None)
    with pytest.raises(ConfigError, match="worker inputs needs --config and --state"):
        workers._methods("inputs", None, 1, 1.0, None)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(["nobody", "--fd", "3"], "worker 'nobody' is not known"), (["store", "--fd", "999"], "--fd 999"),
     (["store"], "--fd")],
)  # fmt: skip
def test_a_worker_started_by_hand_says_what_is_wrong(arguments: list[str], told: str) -> None:
    command = [sys.executable, "-m", "pems_actors", "worker", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2 and told in ended.stderr and "Traceback" not in ended.stderr


# --- the twin ---------------------------------------------------------------------------------------------------------
def test_the_twin_lives_from_its_first_exchange_on_and_beside_it_the_house_under_plain_rules() -> None:
    house = twin_worker.TwinHouse(DEMO, 1, 60.0)
    first = house.exchange(TwinExchange(until=AT, commands=()))
    assert isinstance(first, TwinOutput)
    assert (first.import_kwh, first.rules_import_kwh) == (0.0, 0.0)
    until = AT + timedelta(hours=1)
    alike = house.exchange(TwinExchange(until=until, commands=()))
    assert alike.import_kwh == alike.rules_import_kwh and alike.export_kwh == alike.rules_export_kwh
    assert any(m.topic == "energy/solar" for m in alike.messages)
    heart = WireMessage(topic="pems/heartbeat", payload='{"beat": 1}')
    topics = (f"loxone/heating/{room}/set" for room in ("obyvak", "hosti"))
    orders = [WireMessage(topic=topic, payload='{"state": "on"}') for topic in topics]
    for minute in range(1, 31):
        at = until + timedelta(minutes=minute)
        other = house.exchange(TwinExchange(until=at, commands=(heart, *orders)))
    assert other.import_kwh is not None and other.rules_import_kwh is not None
    assert abs(other.import_kwh - other.rules_import_kwh) > 0.3, "what it is told changes one of the two houses only"


def test_the_same_seed_is_the_same_twin() -> None:
    def said(seed: int) -> TwinOutput:
        house = twin_worker.TwinHouse(DEMO, seed, 60.0)
        house.exchange(TwinExchange(until=AT, commands=()))
        return house.exchange(TwinExchange(until=AT + timedelta(minutes=10), commands=()))

    assert said(1) == said(1) != said(2)


def test_a_fault_is_switched_and_an_unknown_one_named() -> None:
    methods = twin_worker.methods(DEMO, 1, 60.0)
    methods["exchange"](TwinExchange(until=AT, commands=()))
    assert methods["inject"]({"fault": "telemetry_silent", "value": True}) is True
    quiet = methods["exchange"](TwinExchange(until=AT + timedelta(minutes=5), commands=()))
    assert isinstance(quiet, TwinOutput) and not any(m.topic == "energy/solar" for m in quiet.messages)
    with pytest.raises(ConfigError, match="fault 'flood' is not known"):
        methods["inject"]({"fault": "flood", "value": True})


def test_before_the_first_exchange_there_is_no_house_to_break() -> None:
    methods = twin_worker.methods(DEMO, 1, 60.0)
    with pytest.raises(ConfigError, match="has not begun to live"):
        methods["inject"]({"fault": "offline", "value": True})
