"""Feed actors: ask a feed now and then, and tell the house what is known."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from actors.messages import Alarm, Tick
from actors.runtime import Behaviour, Started
from models.errors import PemsError


class Issued(Protocol):
    """A series with its origin."""

    @property
    def issued(self) -> datetime: ...
    @property
    def source(self) -> str: ...


T = TypeVar("T", bound=Issued)


class Feed(Behaviour, Generic[T]):
    """Publishes what one feed knows.

    Handles  Tick
    Sends    the event made by `event` each time it asked; Alarm when the feed fails, once, and when it is back
    Fails    on bugs; a feed that has nothing to say is an alarm, and the last series stays what it is

    Parameters
    ----------
    name : str
        For the alarm.
    make : callable
        Builds the feed, on the actor's own thread (reading files is I/O); answers with its `known_at`.
    event : callable
        From the series to the event.
    every_s : float
        How often to ask [s].
    """

    def __init__(
        self,
        name: str,
        make: Callable[[], Callable[[datetime], T]],
        event: Callable[[T], object],
        *,
        every_s: float,
    ) -> None:
        self._name, self._make, self._event, self._every_s = name, make, event, every_s
        self._last: T | None = None
        self._alarmed = False

    def on_start(self) -> None:
        self._known_at = self._make()
        self.ctx.subscribe(Started, coalesce=lambda _: "started")
        self.ctx.every(self._every_s, Tick(name="ask"), name="ask")
        self._ask()

    def handle(self, message: object) -> None:
        match message:
            case Tick():
                self._ask()
            case Started():  # whoever began later has not heard it yet
                if self._last is not None:
                    self.ctx.publish(self._event(self._last))
            case _:
                super().handle(message)

    def _ask(self) -> None:
        try:
            self._last = self._known_at(self.ctx.clock.now())
        except PemsError as error:
            self._alarm(True, str(error))
            return
        self._alarm(False, "")
        self.ctx.publish(self._event(self._last))

    def _alarm(self, active: bool, text: str) -> None:
        if active is not self._alarmed:
            self._alarmed = active
            self.ctx.publish(Alarm(at=self.ctx.clock.now(), name=f"feed:{self._name}", active=active, text=text))

    def snapshot(self) -> dict[str, object]:
        last = self._last
        return {
            "source": None if last is None else last.source,
            "issued": None if last is None else last.issued.isoformat(),
            "failing": self._alarmed,
        }
