"""Secrets never stand in the house file, and never appear in what is printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.load import check
from config.secrets import secret
from models.errors import ConfigError
from tests.config.house_text import demo_text, write_house


@pytest.mark.parametrize(
    ("text", "field", "variable"),
    [
        ('[mqtt]\npassword = "hunter2"\n', "mqtt.password", "PEMS_MQTT_PASSWORD"),
        ('[mqtt]\nmqtt_password = "hunter2"\n', "mqtt.mqtt_password", "PEMS_MQTT_PASSWORD"),
        ('[influx]\nAPI-key = "hunter2"\ntoken = "hunter2"\n', "influx.token", "PEMS_INFLUX_TOKEN"),
        ('[secrets]\nbroker = "hunter2"\n', "secrets.broker", "PEMS_SECRETS_BROKER"),
        ('[link]\nbroker = "mqtt://me:hunter2@broker:1883"\n', "link.broker", "PEMS_LINK_BROKER"),
        ('[[links]]\nsecret = "hunter2"\n', "links[0].secret", "PEMS_LINKS_SECRET"),
        ('[user]\nmqtt_password = "hunter2"\n', "user.mqtt_password", "PEMS_MQTT_PASSWORD"),
        ('[[arrays]]\nname = "mqtt://me:hunter2@x"\n', "arrays[2] ((hidden)).name", "PEMS_ARRAYS_NAME"),
    ],
)
def test_a_secret_in_the_house_file_is_refused_and_not_repeated(
    tmp_path: Path, text: str, field: str, variable: str
) -> None:
    found = [str(fault) for fault in check(write_house(tmp_path, demo_text() + "\n" + text))]
    (line,) = [one for one in found if one.startswith(f"{field} = (hidden)")]
    assert "a secret must not stand in the house file" in line and variable in line
    assert "hunter2" not in "".join(found)


@pytest.mark.parametrize(
    "text",
    [
        "secrets = 'hunter2'\n",
        "[run]\npassword = hunter2\n",
        "[run]\nbroker = mqtt://me:hunter2@x\n",
        "[run]\nToken = 'hunter2\n",
    ],
)
def test_a_spoilt_file_does_not_give_its_secret_away(tmp_path: Path, text: str) -> None:
    found = [str(fault) for fault in check(write_house(tmp_path, text))]
    assert found and "hunter2" not in "".join(found)


def test_a_secret_comes_from_the_environment_first(tmp_path: Path) -> None:
    (tmp_path / "mqtt_password").write_text("from a file\n")
    (tmp_path / "mqtt_password").chmod(0o600)
    found = secret("mqtt_password", tmp_path, {"PEMS_MQTT_PASSWORD": "from outside"})
    assert found is not None and found.get_secret_value() == "from outside"
    assert "outside" not in repr(found)


def test_a_secret_comes_from_the_credentials_folder_before_the_configured_one(tmp_path: Path) -> None:
    for name in ("credentials", "configured"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mqtt_password").write_text(f"{name}\n")
        (tmp_path / name / "mqtt_password").chmod(0o400)
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path / "credentials")}
    found = secret("mqtt_password", tmp_path / "configured", environment)
    assert found is not None and found.get_secret_value() == "credentials"
    found = secret("mqtt_password", tmp_path / "configured", {})
    assert found is not None and found.get_secret_value() == "configured"


def test_a_secret_that_nobody_set_is_none(tmp_path: Path) -> None:
    assert secret("mqtt_password", tmp_path, {}) is None


@pytest.mark.parametrize(
    ("content", "mode", "why"),
    [
        (b"x\n", 0o644, "mode 0644 lets others read"),
        (b"x\n", 0o620, "mode 0620 lets others read"),
        (b"\n", 0o600, "is empty"),
        (b"\xff\xfe", 0o600, "not UTF-8"),
        (b"x" * 10_000, 0o600, "longer than"),
    ],
)
def test_a_secret_file_that_is_unfit_is_refused(tmp_path: Path, content: bytes, mode: int, why: str) -> None:
    path = tmp_path / "mqtt_password"
    path.write_bytes(content)
    path.chmod(mode)
    with pytest.raises(ConfigError, match=why):
        secret("mqtt_password", tmp_path, {})


def test_an_empty_variable_and_a_strange_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="is empty"):
        secret("mqtt_password", None, {"PEMS_MQTT_PASSWORD": " "})
    with pytest.raises(ConfigError, match="no name of a secret"):
        secret("../etc/passwd", None, {})
