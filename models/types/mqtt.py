"""The [mqtt] table: which broker, who we are there, and how patient we are. The password is a secret, never here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from models.types.house import Settings

DEFAULT_PORT, DEFAULT_TLS_PORT = 1883, 8883
PASSWORD = "mqtt_password"  # the name of the secret, not the secret
PAYLOAD_LIMIT = 65_536
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,252}[A-Za-z0-9])?|[0-9A-Fa-f:.]{2,45}")


@dataclass(frozen=True, slots=True)
class Broker:
    """Where a broker listens."""

    host: str
    port: int
    tls: bool

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def broker_at(url: str) -> Broker:
    """What `mqtt://host:1883` or `mqtts://host:8883` says.

    Raises
    ------
    ValueError
        Another scheme, no host, an impossible port, or more than an address: a user, a path.
    """
    try:
        parts = urlsplit(url.strip())
        port, host = parts.port, parts.hostname
    except ValueError as error:
        raise ValueError(f"{_masked(url)!r} is no address: {error}") from None
    if parts.scheme not in ("mqtt", "mqtts"):
        raise ValueError(f"{_masked(url)!r} must begin with mqtt:// or, with TLS, mqtts://")
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"{_masked(url)!r} has a user in it: set `user`; the password is a secret")
    if not host or not _HOST.fullmatch(host):
        raise ValueError(f"{_masked(url)!r} names no host, such as mqtt://192.168.1.10:1883")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError(f"{_masked(url)!r} has more than host and port")
    if port == 0:
        raise ValueError(f"{_masked(url)!r}: port 0 cannot be reached")
    tls = parts.scheme == "mqtts"
    return Broker(host, port or (DEFAULT_TLS_PORT if tls else DEFAULT_PORT), tls)


def _masked(url: str) -> str:
    """The address without what may be a password."""
    return re.sub(r"//.*@", "//(hidden)@", url)[:200]


class Mqtt(Settings):
    """[mqtt]: the broker between PEMS, inverter and Loxone. The password is the secret `mqtt_password`."""

    url: str = Field(
        "mqtt://127.0.0.1:1883", max_length=300, description="broker: mqtt://host:1883, with TLS mqtts://host:8883"
    )
    user: str | None = Field(None, min_length=1, max_length=200, description="who we are there; none: anonymous")
    name: str = Field(
        "house", pattern=r"^[a-z0-9][a-z0-9_-]{0,17}$", description="our client id there is pems-NAME: one per house"
    )
    ca_file: Path | None = Field(None, description="certificate of who signed the broker's; none: the system's")
    keepalive_s: float = Field(5.0, ge=2, le=60, description="a silent broker is asked for a sign of life after")
    connect_s: float = Field(5.0, ge=0.5, le=60, description="a connection must stand after")
    retry_first_s: float = Field(0.1, ge=0.05, le=10, description="first pause before another try; it doubles")
    retry_max_s: float = Field(2.0, ge=0.1, le=300, description="longest pause before another try")
    window: int = Field(15, ge=1, le=15, description="messages that may wait for the broker's receipt at once")
    payload_max_bytes: int = Field(
        PAYLOAD_LIMIT, ge=1024, le=PAYLOAD_LIMIT, description="larger payloads are dropped and counted"
    )
    packet_max_bytes: int = Field(
        262_144, ge=131_072, le=1_000_000, description="larger packets the broker keeps to itself"
    )
    status_topic: str = Field(
        "pems/status", pattern=r"^[^+#\x00]{1,200}$", description="says retained whether PEMS is here (last will)"
    )

    @field_validator("url")
    @classmethod
    def _an_address(cls, url: str) -> str:
        broker_at(url)
        return url.strip()

    @property
    def broker(self) -> Broker:
        """Host, port and whether TLS is spoken."""
        return broker_at(self.url)

    @property
    def client_id(self) -> str:
        """Who we are to the broker; a second client of the same id throws the first out."""
        return f"pems-{self.name}"

    @property
    def silence_s(self) -> float:
        """A broker that says nothing for this long is gone: it was asked after `keepalive_s` at the latest."""
        return 1.6 * self.keepalive_s
