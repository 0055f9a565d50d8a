"""Fast local rules at level 10, for what must not wait for a plan.

Export is off while feeding in costs money. Relays that a plan holds yield to a person's wish under a full connection.
"""

from __future__ import annotations

from collections.abc import Mapping

from actors.gate.power import rule_shares
from actors.messages import PricesKnown, ShortOfPower, Tick
from actors.requests import Asker
from actors.runtime import Behaviour
from models.types.command import RELINQUISH, Level
from models.types.house import House
from models.types.point import RelayRule

EXPORT = "inverter.export_limit_kw"
YIELD_S = 120.0  # until the one who waited is on and the meter shows it; then the connection itself says who may


class LocalRules(Behaviour):
    """Guards the feed-in against negative prices and makes room for people, whoever plans.

    Handles  PricesKnown, ShortOfPower, Tick
    Sends    requests at level 10, short-lived
    Fails    on bugs; its request ends by itself
    """

    def __init__(self, house: House, *, tick_s: float) -> None:
        self._house, self._tick_s = house, tick_s
        self._prices: PricesKnown | None = None
        self._off = False
        self._yielded_s: dict[str, float] = {}

    def on_start(self) -> None:
        self._asker = Asker(self.ctx, Level.LOCAL_RULES)
        self.ctx.subscribe(PricesKnown, coalesce=lambda _: "prices")
        self.ctx.subscribe(ShortOfPower)
        self.ctx.every(self._tick_s, Tick(name="look"), name="look")

    def handle(self, message: object) -> None:
        match message:
            case PricesKnown():
                self._prices = message
                self._look()
            case ShortOfPower():
                self._make_room(message)
            case Tick():
                self._look()
            case _:
                super().handle(message)

    def _look(self) -> None:
        spot = None if self._prices is None else self._prices.prices.at(self.ctx.clock.now())
        if spot is not None and spot < self._house.tariff.export_fee:
            price = spot - self._house.tariff.export_fee
            ttl_s = max(3 * self._tick_s, 60.0)
            self._asker.ask(EXPORT, 0.0, ttl_s=ttl_s, note=f"feeding in costs {-price:.3f} EUR/kWh")
            self._off = True
        elif self._off:
            self._asker.ask(EXPORT, RELINQUISH, ttl_s=60.0, note="feeding in no longer costs")
            self._off = False

    def _make_room(self, short: ShortOfPower) -> None:
        """Switch off what must yield, once: the meter needs a moment to show it."""
        at_s = self.ctx.clock.monotonic()
        if at_s < self._yielded_s.get(short.point, 0.0):
            return
        for name in who_yields(short.missing_kw, self._ours(short.may_yield)):
            self._asker.ask(name, "off", ttl_s=YIELD_S, note=f"makes room for {short.point}")
            self._yielded_s[short.point] = at_s + YIELD_S

    def _ours(self, relays: Mapping[str, RelayRule]) -> dict[str, RelayRule]:
        """Without the relays that belong to the room's own thermostat: only safety switches those."""
        others = {f"room.{room.name}.relay" for room in self._house.rooms if room.control == "setpoint"}
        return {name: rule for name, rule in relays.items() if name not in others}


def who_yields(missing_kw: Mapping[int, float], relays: Mapping[str, RelayRule]) -> tuple[str, ...]:
    """The fewest relays that free what is missing on each phase, largest share first; none if all do not suffice."""
    missing, chosen = dict(missing_kw), []
    left = dict(relays)
    while any(kw > 0.0 for kw in missing.values()):
        freed = {n: sum(min(kw, rule_shares(r).get(p, 0.0)) for p, kw in missing.items()) for n, r in left.items()}
        best = max(freed, key=lambda n: (freed[n], -left[n].heater_kw, n), default=None)
        if best is None or freed[best] <= 0.0:
            return ()
        shares = rule_shares(left.pop(best))
        missing = {p: kw - shares.get(p, 0.0) for p, kw in missing.items()}
        missing = {p: kw for p, kw in missing.items() if kw > 1e-9}
        chosen.append(best)
    return tuple(chosen)
