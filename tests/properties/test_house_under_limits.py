"""The house under attack, while the grid operator limits its import, lifts limits, and dies."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from actors.messages import LiftLimits, LimitImport
from actors.runtime import AskDead, AskTimeout
from models.types.command import Request
from tests.properties import test_house_under_attack as attack
from tests.properties.house import RELAYS, Lab, a_world

OPERATOR = "/core/operator"


class HouseUnderLimits(attack.HouseUnderAttack):
    """The same adversary, and an operator who is one too; in the dark, with relays that are free to switch."""

    @initialize(soc=st.sampled_from([0.2, 0.3, 1.0]), seed=st.integers(0, 3), shuffle=st.booleans())
    def begin(self, soc: float, seed: int, shuffle: bool) -> None:
        self.lab = Lab(soc=soc, seed=seed, shuffle=shuffle, world=a_world(sun=0.0)).start(660.0)
        self.said: list[Request] = []
        self.trips: list[str] = []
        self.kills: list[float] = []

    @rule(
        kw=st.sampled_from([0.0, 1.5, 2.0, 3.0, 4.2, 7.0]),
        in_s=st.sampled_from([-60.0, 0.0, 0.0, 120.0, 900.0]),
        for_s=st.sampled_from([70.0, 600.0, 3600.0]),
        heats=st.booleans(),
    )
    def operator_limits(self, kw: float, in_s: float, for_s: float, heats: bool) -> None:
        start = self.lab.clock.now() + timedelta(seconds=in_s)
        asked = LimitImport(start=start, end=start + timedelta(seconds=for_s), import_kw=kw, source="grid operator")
        with suppress(AskDead, AskTimeout):
            self.lab.runtime.ask(OPERATOR, asked, 5.0)
        self.lab.run(max(in_s, 0.0) + 40.0)
        if heats:
            self.everybody_heats()

    @rule()
    def operator_lifts(self) -> None:
        with suppress(AskDead, AskTimeout):
            self.lab.runtime.ask(OPERATOR, LiftLimits(), 5.0)
        self.lab.runtime.run_until_idle()

    @rule()
    def operators_actor_fails(self) -> None:
        self.lab.kill(OPERATOR)

    def everybody_heats(self) -> None:
        for relay in RELAYS:
            self.lab.override(relay, "on", ttl_s=3600.0)
        self.lab.run(20.0)


TestHouseUnderLimits = HouseUnderLimits.TestCase
TestHouseUnderLimits.settings = settings(max_examples=40, stateful_step_count=25, deadline=None, derandomize=True)
