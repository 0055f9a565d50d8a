"""The actor of prices over MQTT: another program publishes them, the core's own link brings them."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

from actors.feeds.services.pace import PricePace
from actors.feeds.services.price_payload import joined, parse
from actors.messages import Alarm, Incoming, PricesKnown, Tick
from actors.runtime import Behaviour, Started
from models.errors import DataError
from models.types.forecast import PriceSeries
from models.types.services import PriceService
from models.types.slots import local_midnight

LOOK_S = 60.0


class PayloadFeed(Behaviour):
    """Publishes the prices that arrive on one topic; retained ones count, since they are data and no order.

    Handles  Incoming on its topic, Tick, Started
    Sends    PricesKnown at each good payload, and to whoever starts later; one Alarm while the last payload was
             refused, while the present slot has no price, or while tomorrow is late
    Fails    never on what arrives
    """

    def __init__(self, settings: PriceService, topic: str) -> None:
        self._topic = topic
        self._zone = ZoneInfo(settings.market_timezone)
        self._history = timedelta(days=settings.history_days)
        self._quietest = settings.quietest_peak_eur_per_kwh
        self._pace = PricePace(self._zone, settings.first_ask, settings.due, settings.every_s, settings.hurry_s)
        self._last: PriceSeries | None = None
        self._refused = ""
        self._trouble = ""
        self._alarmed = False
        self._rejected = 0

    def on_start(self) -> None:
        self.ctx.subscribe(Started, coalesce=lambda _: "started")
        self.ctx.subscribe(Incoming, coalesce=lambda e: e.topic if isinstance(e, Incoming) else None)
        self.ctx.every(LOOK_S, Tick(name="look"), name="look")

    def handle(self, message: object) -> None:
        match message:
            case Incoming(topic=topic, payload=payload) if topic == self._topic:
                self._hear(payload)
            case Incoming():
                pass
            case Tick():
                self._look()
            case Started():
                if self._last is not None:
                    self.ctx.publish(PricesKnown(prices=self._last))
            case _:
                super().handle(message)

    def _hear(self, payload: bytes) -> None:
        now = self.ctx.clock.now()
        try:
            new = parse(payload, now, topic=self._topic, quietest_peak_eur_per_kwh=self._quietest)
        except DataError as error:
            self._rejected += 1
            self._refused = str(error)
        else:
            first = local_midnight(now.astimezone(self._zone).date() - self._history, self._zone)
            self._last, self._refused = joined(self._last, new, first), ""
            self.ctx.publish(PricesKnown(prices=self._last))
        self._look()

    def _look(self) -> None:
        now = self.ctx.clock.now()
        self._trouble = self._refused
        if not self._trouble and self._last is None:
            self._trouble = f"{self._topic}: no prices have arrived"
        self._trouble = self._trouble or self._pace.complaint(now, self._last) or ""
        if bool(self._trouble) is not self._alarmed:
            self._alarmed = bool(self._trouble)
            self.ctx.publish(Alarm(at=now, name="feed:prices", active=self._alarmed, text=self._trouble))

    def snapshot(self) -> dict[str, object]:
        last = self._last
        return {
            "source": None if last is None else last.source,
            "issued": None if last is None else last.issued.isoformat(),
            "failing": self._alarmed,
            "rejected": self._rejected,
            "trouble": self._trouble,
        }
