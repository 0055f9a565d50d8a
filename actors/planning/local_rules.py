"""Fast local rules at level 10: what must not wait for a plan. Export is off while feeding in costs money."""

from __future__ import annotations

from actors.messages import PricesKnown, Tick
from actors.requests import Asker
from actors.runtime import Behaviour
from models.types.command import RELINQUISH, Level
from models.types.house import House

EXPORT = "inverter.export_limit_kw"


class LocalRules(Behaviour):
    """Guards the feed-in against negative prices, whoever plans.

    Handles  PricesKnown, Tick
    Sends    requests at level 10, short-lived
    Fails    on bugs; its request ends by itself
    """

    def __init__(self, house: House, *, tick_s: float) -> None:
        self._house, self._tick_s = house, tick_s
        self._prices: PricesKnown | None = None
        self._off = False

    def on_start(self) -> None:
        self._asker = Asker(self.ctx, Level.LOCAL_RULES)
        self.ctx.subscribe(PricesKnown, coalesce=lambda _: "prices")
        self.ctx.every(self._tick_s, Tick(name="look"), name="look")

    def handle(self, message: object) -> None:
        match message:
            case PricesKnown():
                self._prices = message
                self._look()
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
