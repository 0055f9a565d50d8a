"""What the power flow says of a mode that is in the registers."""

from __future__ import annotations

import pytest

from actors.devices.effect import limit_shows, mode_shows
from actors.devices.growatt import Target
from models.types.mode import Composite
from tests.actors.planning.plans import inverter

CHARGE, HOLD, SELL, PRODUCTION, REGULAR = (
    Composite.CHARGE_FROM_GRID, Composite.HOLD, Composite.DISCHARGE_TO_GRID, Composite.SELL_PRODUCTION,
    Composite.REGULAR,
)  # fmt: skip


@pytest.mark.parametrize(
    ("composite", "stop_percent", "soc", "battery_kw", "grid_kw", "shows"),
    [
        (CHARGE, 90, 0.5, 4.0, 5.0, True),
        (CHARGE, 90, 0.5, 0.0, 1.0, False),
        (CHARGE, 90, 0.89, 0.0, 1.0, True),  # it is there
        (HOLD, 50, 0.5, 0.0, 1.0, True),
        (HOLD, 50, 0.5, -1.0, 0.0, False),
        (SELL, 30, 0.6, -3.0, -2.0, True),
        (SELL, 30, 0.6, 0.0, 0.5, False),
        (SELL, 30, 0.31, 0.0, 0.5, True),  # it is there
        (PRODUCTION, 60, 0.6, 0.0, -2.0, True),
        (PRODUCTION, 60, 0.6, 1.0, -2.0, False),
        (REGULAR, 0, 0.6, 3.0, 0.0, True),
        (REGULAR, 0, 0.6, 3.0, 3.0, False),  # load first never charges from the grid
    ],
)
def test_the_battery_does_what_the_mode_asks_or_has_nothing_left_to_do(
    composite: Composite, stop_percent: int, soc: float, battery_kw: float, grid_kw: float, shows: bool
) -> None:
    target = Target(composite=composite, stop_percent=stop_percent, rate_percent=100)
    assert mode_shows(target, inverter(soc, battery_kw=battery_kw, grid_kw=grid_kw)) is shows


@pytest.mark.parametrize(("grid_kw", "shows"), [(-2.1, True), (-2.2, False), (1.0, True), (None, False)])
def test_a_limit_shows_where_no_more_is_fed_in(grid_kw: float | None, shows: bool) -> None:
    assert limit_shows(2.0, inverter(0.5, grid_kw=grid_kw)) is shows


def test_what_is_not_known_shows_nothing() -> None:
    target = Target(composite=HOLD, stop_percent=50, rate_percent=100)
    assert not mode_shows(target, inverter(0.5, battery_kw=None))
    assert not mode_shows(target, inverter(None, battery_kw=0.0))
