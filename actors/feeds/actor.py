"""Feed actors: ask a feed now and then, and tell the house what is known."""

from __future__ import annotations

from collections.abc import Callable

from actors.feeds.protocol import PriceFeed
from actors.messages import Alarm, PricesKnown, Tick
from actors.runtime import Behaviour
from models.errors import PemsError
from models.types.forecast import PriceSeries


class Prices(Behaviour):
    """Publishes day-ahead prices as soon as they are known.

    Handles  Tick
    Sends    PricesKnown on every change and now and then for late comers; Alarm when the feed fails
    Fails    on bugs; a feed that has nothing to say is an alarm, and the last prices stay what they are
    """

    def __init__(self, make: Callable[[], PriceFeed], *, every_s: float) -> None:
        self._make, self._every_s = make, every_s
        self._last: PriceSeries | None = None
        self._alarmed = False

    def on_start(self) -> None:
        self._feed = self._make()  # reading files belongs to the actor's own thread
        self.ctx.every(self._every_s, Tick(name="ask"), name="ask")
        self._ask()

    def handle(self, message: object) -> None:
        match message:
            case Tick():
                self._ask()
            case _:
                super().handle(message)

    def _ask(self) -> None:
        try:
            prices = self._feed.known_at(self.ctx.clock.now())
        except PemsError as error:
            if not self._alarmed:
                self._alarmed = True
                self.ctx.publish(Alarm(at=self.ctx.clock.now(), name="prices", active=True, text=str(error)))
            return
        if self._alarmed:
            self._alarmed = False
            self.ctx.publish(Alarm(at=self.ctx.clock.now(), name="prices", active=False, text=""))
        self._last = prices
        self.ctx.publish(PricesKnown(prices=prices))

    def snapshot(self) -> dict[str, object]:
        last = self._last
        return {
            "source": None if last is None else last.source,
            "issued": None if last is None else last.issued.isoformat(),
            "known_until": None if last is None else last.end.isoformat(),
        }
