"""The house under attack, while the grid operator limits its import, lifts limits, and dies."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

from actors.messages import LiftLimits, LimitImport
from actors.runtime import AskDead, AskTimeout
from tests.properties import test_house_under_attack as attack
from tests.properties.house import RELAYS

OPERATOR = "/core/operator"


class HouseUnderLimits(attack.HouseUnderAttack):
    """The same adversary, and an operator who is one too."""

    @rule(
        kw=st.sampled_from([0.0, 1.5, 2.0, 3.0, 4.2, 7.0]),
        in_s=st.sampled_from([-60.0, 0.0, 0.0, 120.0, 900.0]),
        for_s=st.sampled_from([70.0, 600.0, 3600.0]),
    )
    def operator_limits(self, kw: float, in_s: float, for_s: float) -> None:
        start = self.lab.clock.now() + timedelta(seconds=in_s)
        asked = LimitImport(start=start, end=start + timedelta(seconds=for_s), import_kw=kw, source="grid operator")
        with suppress(AskDead, AskTimeout):
            self.lab.runtime.ask(OPERATOR, asked, 5.0)
        self.lab.runtime.run_until_idle()

    @rule()
    def operator_lifts(self) -> None:
        with suppress(AskDead, AskTimeout):
            self.lab.runtime.ask(OPERATOR, LiftLimits(), 5.0)
        self.lab.runtime.run_until_idle()

    @rule()
    def operators_actor_fails(self) -> None:
        self.lab.kill(OPERATOR)

    @rule()
    def everybody_heats(self) -> None:
        for relay in RELAYS:
            self.lab.override(relay, "on", ttl_s=3600.0)


TestHouseUnderLimits = HouseUnderLimits.TestCase
TestHouseUnderLimits.settings = settings(max_examples=40, stateful_step_count=25, deadline=None, derandomize=True)
