"""A service on this machine, and a client for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from actors.feeds.services.http import Http
from tests.actors.feeds.services.server import Service, a_client, a_service


@pytest.fixture
def service() -> Iterator[Service]:
    with a_service() as made:
        yield made


@pytest.fixture
def waits() -> list[float]:
    """For how long the client would have slept."""
    return []


@pytest.fixture
def http(waits: list[float]) -> Iterator[Http]:
    client = a_client(waits)
    yield client
    client.close()
