from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.actors.runtime.world import World


@pytest.fixture(params=["steps", "threads"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """Every guarantee is held on both runtimes."""
    made = World(request.param)
    yield made
    made.end()
