"""The actor of a service: asks the worker that speaks HTTP, and tells the house what is known."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Generic, Protocol, TypeVar
from zoneinfo import ZoneInfo

from actors.feeds.services.pace import Issued, Pace, PricePace, SteadyPace
from actors.feeds.services.payload_feed import PayloadFeed
from actors.feeds.services.types import (
    INPUTS_PORT,
    PricesAnswer,
    PricesRequest,
    PvAnswer,
    PvKnown,
    PvRequest,
    WeatherAnswer,
    WeatherRequest,
)
from actors.messages import Alarm, PricesKnown, Tick, WeatherKnown
from actors.runtime import Behaviour, Started, WorkerCall, WorkerDone, WorkerFailed
from models.types.services import PriceService, PvService, WeatherService

DEADLINE_S = 120.0  # the worker itself stops trying after 60 s
_LOST_S = 60.0  # past its deadline, a question without an answer is lost

T_co = TypeVar("T_co", bound=Issued, covariant=True)


class Answer(Protocol[T_co]):
    """What the worker says."""

    @property
    def series(self) -> T_co: ...
    @property
    def trouble(self) -> str: ...


T = TypeVar("T", bound=Issued)


class ServiceFeed(Behaviour, Generic[T]):
    """Publishes what one service knows.

    Handles  Tick, Started, WorkerDone, WorkerFailed
    Sends    WorkerCall to the port of the worker; the event made by `event` after each answer, and to whoever starts
             later; one Alarm when the service fails, what it gave is late or old, and one when that is over
    Fails    never on what a service says; while there is no answer the last series stays what it is

    Parameters
    ----------
    name : str
        For the alarm `feed:<name>`.
    method : str
        Of the worker.
    request : callable
        From now to what is asked.
    answer : type
        What a good answer is.
    event : callable
        From the series to the event.
    pace : Pace
        When to ask again, and what to complain about.
    """

    def __init__(
        self,
        name: str,
        method: str,
        request: Callable[[datetime], object],
        answer: type[Answer[T]],
        event: Callable[[T], object],
        pace: Pace,
        *,
        port: str = INPUTS_PORT,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self._name, self._method, self._request = name, method, request
        self._answer, self._event, self._pace = answer, event, pace
        self._port, self._deadline_s = port, deadline_s
        self._last: T | None = None
        self._trouble = ""
        self._alarmed = False
        self._calls = self._failures = 0
        self._waiting_for: str | None = None

    def on_start(self) -> None:
        self.ctx.subscribe(Started, coalesce=lambda _: "started")
        self._ask()

    def handle(self, message: object) -> None:
        match message:
            case Tick() if self._waiting_for is not None:
                self._settle(f"{self._port} does not answer")
            case Tick():
                self._ask()
            case Started():  # whoever began later has not heard it yet
                self._tell()
            case WorkerDone(id=call) | WorkerFailed(id=call) if call != self._waiting_for:
                pass  # of a former life, or given up
            case WorkerDone(value=value) if isinstance(value, self._answer):
                self._last = value.series
                self._settle(value.trouble)
                self._tell()
            case WorkerDone():
                self._settle(f"the worker answered {self._method} with {type(message.value).__name__}")
            case WorkerFailed():
                self._settle(message.reason)
            case _:
                super().handle(message)

    def _ask(self) -> None:
        self._calls += 1
        self._waiting_for = f"{self._name}-{self.ctx.epoch.boot}.{self.ctx.epoch.incarnation}-{self._calls}"
        self.ctx.tell(
            self._port,
            WorkerCall(
                id=self._waiting_for,
                method=self._method,
                body=self._request(self.ctx.clock.now()),
                deadline_s=self._deadline_s,
            ),
        )
        self.ctx.after(self._deadline_s + _LOST_S, Tick(name="ask"), name="ask")

    def _settle(self, trouble: str) -> None:
        """The question is over: say how it went, and when the next one comes."""
        now = self.ctx.clock.now()
        self._waiting_for = None
        self._failures = self._failures + 1 if trouble else 0
        self._trouble = trouble or self._pace.complaint(now, self._last) or ""
        if bool(self._trouble) is not self._alarmed:
            self._alarmed = bool(self._trouble)
            self.ctx.publish(Alarm(at=now, name=f"feed:{self._name}", active=self._alarmed, text=self._trouble))
        self.ctx.after(self._pace.wait_s(now, self._last, self._failures), Tick(name="ask"), name="ask")

    def _tell(self) -> None:
        if self._last is not None:
            self.ctx.publish(self._event(self._last))

    def snapshot(self) -> dict[str, object]:
        last = self._last
        return {
            "source": None if last is None else last.source,
            "issued": None if last is None else last.issued.isoformat(),
            "failing": self._alarmed,
            "failures": self._failures,
            "trouble": self._trouble,
        }


def price_feed(settings: PriceService, *, port: str = INPUTS_PORT) -> Behaviour:
    """The actor of day-ahead prices, wherever they come from."""
    if settings.source == "mqtt":
        assert settings.topic is not None
        return PayloadFeed(settings, settings.topic)
    pace = PricePace(
        ZoneInfo(settings.market_timezone), settings.first_ask, settings.due, settings.every_s, settings.hurry_s
    )
    return ServiceFeed(
        "prices",
        "prices",
        lambda now: PricesRequest(now=now),
        PricesAnswer,
        lambda p: PricesKnown(prices=p),
        pace,
        port=port,
    )


def weather_feed(settings: WeatherService, *, port: str = INPUTS_PORT) -> Behaviour:
    """The actor of the weather."""
    pace = SteadyPace(settings.every_s, settings.stale_h)
    return ServiceFeed(
        "weather",
        "weather",
        lambda now: WeatherRequest(now=now),
        WeatherAnswer,
        lambda w: WeatherKnown(weather=w),
        pace,
        port=port,
    )


def pv_feed(settings: PvService, *, port: str = INPUTS_PORT) -> Behaviour:
    """The actor of the PV forecasts of others."""
    pace = SteadyPace(settings.every_s, settings.stale_h)
    return ServiceFeed("pv", "pv", lambda now: PvRequest(now=now), PvAnswer, lambda p: PvKnown(pv=p), pace, port=port)
