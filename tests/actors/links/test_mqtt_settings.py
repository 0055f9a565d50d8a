"""The [mqtt] table: each mistake names its setting, and no password can stand in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from actors.links.mqtt_words import tls_context
from models.errors import ConfigError
from models.types.mqtt import Broker, Mqtt, broker_at


@pytest.mark.parametrize(
    ("url", "broker"),
    [("mqtt://127.0.0.1:1883", Broker("127.0.0.1", 1883, False)), ("mqtt://nas.lan", Broker("nas.lan", 1883, False)),
     ("mqtts://broker.lan/", Broker("broker.lan", 8883, True)), ("mqtts://[fe80::1]:99", Broker("fe80::1", 99, True)),
     (" mqtt://nas:1884 ", Broker("nas", 1884, False))],
)  # fmt: skip
def test_addresses_are_understood(url: str, broker: Broker) -> None:
    assert broker_at(url) == broker
    assert Mqtt(url=url).broker == broker


@pytest.mark.parametrize(
    ("url", "said"),
    [("127.0.0.1", "must begin with mqtt://"), ("http://nas", "must begin with mqtt://"), ("mqtt://", "names no host"),
     ("mqtt://nas:99999", "is no address"), ("mqtt://nas:0", "port 0"), ("mqtt://nas:x", "is no address"),
     ("mqtt://nas/topic", "more than host and port"), ("mqtt://a b", "names no host"), ("", "must begin with mqtt://")],
)  # fmt: skip
def test_addresses_that_are_none_are_refused_with_what_is_meant(url: str, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Mqtt(url=url)


@pytest.mark.parametrize("url", ["mqtt://me:hunter2@nas:1883", "mqtt://me:hun/ter2@nas", "ftp://me:hunter2@nas"])
def test_a_password_in_the_address_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ValueError, match="hidden") as refused:
        broker_at(url)
    assert "ter2" not in str(refused.value)


def test_there_is_no_field_for_a_password() -> None:
    assert not [name for name in Mqtt.model_fields if "pass" in name or "secret" in name]
    for name, field in Mqtt.model_fields.items():
        assert field.description, name


def test_a_certificate_without_tls_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match=r"mqtt\.ca_file ca.crt is set, mqtt\.url mqtt://nas is without TLS"):
        tls_context(Mqtt(url="mqtt://nas", ca_file=Path("ca.crt")))
    assert tls_context(Mqtt(url="mqtt://nas")) is None


def test_a_certificate_file_of_something_else_is_named(tmp_path: Path) -> None:
    other = tmp_path / "ca.crt"
    other.write_text("no certificate")
    with pytest.raises(ConfigError, match=f"mqtt.ca_file {other}: is no certificate; a PEM file"):
        tls_context(Mqtt(url="mqtts://nas", ca_file=other))


def test_a_silent_broker_is_given_up_within_ten_seconds_by_default() -> None:
    assert Mqtt().silence_s + 1.0 <= 10.0
