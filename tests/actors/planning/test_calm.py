"""What the last plan would do now, and how much of a day may be given for keeping to it."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from actors.planning.calm import Calm
from models.types.mode import REGULAR, Composite, InverterMode
from solvers.result import PlanResult
from tests.actors.devices.bench import START
from tests.actors.planning.plans import signed
from tests.solvers.houses import house

HOLD = InverterMode(composite=Composite.HOLD)
QUARTER = timedelta(minutes=15)


def result(*, kept_eur: float = 0.0, steps: int = 8) -> PlanResult:
    modes = (REGULAR, REGULAR, HOLD, HOLD, HOLD, HOLD, REGULAR, REGULAR)[:steps]
    return signed(house(prices=[0.1] * steps, start=START), modes=modes, kept_eur=kept_eur).result


def calm(**changes: float) -> Calm:
    return Calm(ZoneInfo("Europe/Prague"), **{"at_most_eur": 0.01, "per_day_eur": 0.05, **changes})


def test_before_the_first_plan_there_is_nothing_to_keep_to() -> None:
    assert calm().commitment(START, 0.25, START) is None


@pytest.mark.parametrize(("gone", "first"), [(0, REGULAR), (2, HOLD), (7, REGULAR)])
def test_the_last_plan_goes_on_where_time_has_come_to(gone: int, first: InverterMode) -> None:
    keeper = calm()
    keeper.planned(result(), START)
    found = keeper.commitment(START + gone * QUARTER, 0.25, START)
    assert found is not None and found.modes[0] == first and len(found.modes) == 8 - gone


def test_a_plan_that_is_over_or_has_other_slots_binds_nobody() -> None:
    keeper = calm()
    keeper.planned(result(), START)
    assert keeper.commitment(START + 8 * QUARTER, 0.25, START) is None
    assert keeper.commitment(START, 1.0, START) is None
    assert keeper.commitment(START + QUARTER / 2, 0.25, START) is None
    assert keeper.commitment(START - QUARTER, 0.25, START) is None


def test_who_gives_nothing_for_calm_keeps_to_nothing() -> None:
    keeper = calm(at_most_eur=0.0)
    keeper.planned(result(), START)
    assert keeper.commitment(START, 0.25, START) is None


def test_regret_adds_up_over_a_local_day_and_begins_anew_with_the_next() -> None:
    keeper = calm()
    for _ in range(3):
        keeper.planned(result(kept_eur=0.02), START)
    found = keeper.commitment(START, 0.25, START)
    assert found is not None and found.left_eur == 0.0 and keeper.kept == 3
    assert keeper.regret_eur == pytest.approx(0.06)
    tomorrow = START + timedelta(days=1)
    keeper.planned(result(), tomorrow)
    found = keeper.commitment(START, 0.25, tomorrow)
    assert found is not None and found.left_eur == pytest.approx(0.05)
