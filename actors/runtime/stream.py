"""The event stream: who has subscribed to which types, in order of subscription, and which events stand."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from actors.runtime.envelope import Lane

if TYPE_CHECKING:
    from actors.runtime.context import Context

Coalesce = Callable[[object], Hashable | None]
T = TypeVar("T")


class Subscription(NamedTuple):
    """One incarnation's wish to hear of events of one type and its subtypes."""

    life: Context
    event_type: type
    coalesce: Coalesce | None
    lane: Lane


class Standing(NamedTuple):
    """The newest event of its key, for those who subscribe later."""

    event: object
    life: Context | None
    cause: str


class Stream:
    """Subscriptions of one runtime; reading takes no lock, since each change builds a new tuple.

    An event whose class has a method `standing` tells a state, not a moment: the newest of each key it returns is also
    heard by who subscribes later, for as long as the life that said it lasts; one whose class has `outlives` set
    carries its own end, and stands until a newer one.
    """

    def __init__(self) -> None:
        self._subscriptions: tuple[Subscription, ...] = ()
        self._listeners: tuple[tuple[Callable[[object], None], tuple[type, ...]], ...] = ()
        self._by_type: dict[type, tuple[Subscription, ...]] = {}
        self._standing: dict[Hashable, Standing] = {}
        self._lock = threading.Lock()

    def subscribe(
        self,
        life: Context,
        event_type: type,
        coalesce: Coalesce | None,
        lane: Lane,
        hand_on: Callable[[Subscription, Standing], None],
    ) -> None:
        """Add a subscription; a second one of the same incarnation to the same type replaces the first.

        `hand_on` is called with each event that stands, before anything newer can be handed to the same subscriber.
        """
        with self._lock:
            kept = tuple(s for s in self._subscriptions if not (s.life is life and s.event_type is event_type))
            self._subscriptions = (*kept, Subscription(life, event_type, coalesce, lane))
            self._by_type = {}
            known = tuple(s.event_type for s in kept if s.life is life)
            for standing in self._standing.values():
                if isinstance(standing.event, event_type) and not isinstance(standing.event, known):
                    hand_on(self._subscriptions[-1], standing)

    def stand(self, event: object, life: Context | None, cause: str) -> None:
        """Remember an event that tells a state, in place of the one before."""
        key = getattr(event, "standing", None)
        if key is not None:
            with self._lock:
                self._standing[type(event), key()] = Standing(event, life, cause)

    def standing(self, event_type: type[T]) -> tuple[T, ...]:
        """Events of a type that stand now, the oldest key first."""
        with self._lock:
            return tuple(s.event for s in self._standing.values() if isinstance(s.event, event_type))

    def leave(self, life: Context) -> None:
        """End all subscriptions of an incarnation, and forget what it said but for what outlives it."""
        with self._lock:
            if any(s.life is life for s in self._standing.values()):
                said = {key: s for key, s in self._standing.items() if s.life is life}
                left = {key: s._replace(life=None) for key, s in said.items() if getattr(s.event, "outlives", False)}
                self._standing = {k: left.get(k, s) for k, s in self._standing.items() if k not in said or k in left}
            if any(s.life is life for s in self._subscriptions):
                self._subscriptions = tuple(s for s in self._subscriptions if s.life is not life)
                self._by_type = {}

    def listen(self, listener: Callable[[object], None], event_types: tuple[type, ...]) -> None:
        """Have a function outside the tree called with each event of these types, in the publisher's thread."""
        with self._lock:
            self._listeners = (*self._listeners, (listener, event_types))

    def subscribers(self, event_type: type) -> tuple[Subscription, ...]:
        """Who hears of events of this type, once each, in order of subscription."""
        known = self._by_type.get(event_type)
        if known is not None:
            return known
        with self._lock:
            once: dict[int, Subscription] = {}
            for subscription in self._subscriptions:
                if issubclass(event_type, subscription.event_type):
                    once.setdefault(id(subscription.life), subscription)
            self._by_type[event_type] = found = tuple(once.values())
            return found

    def listeners(self, event: object) -> list[Callable[[object], None]]:
        """Functions outside the tree to be told of this event."""
        return [listener for listener, types in self._listeners if isinstance(event, types)]
