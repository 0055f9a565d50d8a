"""What Loxone said value by value, with ages, and the messages that are made of it. Knows no thread and no clock."""

from __future__ import annotations

from collections.abc import Sequence

from models.types.loxone import SAID_KINDS, Kind

TOGETHER_S = 1.0  # what Loxone says within this belongs together
Body = dict[str, object]


class RoomValues:
    """The latest value of each kind and room.

    Parameters
    ----------
    rooms : sequence of str
        Their names.
    max_age_s : float
        Older values are unknown, not what they were [s].
    """

    def __init__(self, rooms: Sequence[str], max_age_s: float) -> None:
        self._rooms, self._max_age_s = tuple(rooms), max_age_s
        self._values: dict[tuple[Kind, str], tuple[float, float]] = {}  # -> value, when it was heard
        self._first_s: float | None = None
        self._summed_s: float | None = None
        self._switched_s: float | None = None  # since when a switch waits to be summed up
        self._news = False
        self.heard_s: float | None = None  # when the last one came
        self.count = 0

    def keep(self, kind: Kind, room: str, value: float, at_s: float) -> None:
        """A value was heard."""
        before = self._fresh(kind, room, at_s)
        if kind != "temp" and before is not None and before != value and self._switched_s is None:
            self._switched_s = at_s
        self._values[kind, room] = (value, at_s)
        self._first_s = at_s if self._first_s is None else self._first_s
        self.heard_s, self._news = at_s, True
        self.count += 1

    def silent(self, at_s: float) -> bool:
        """Nothing was heard for longer than a value lasts."""
        return self.heard_s is None or at_s - self.heard_s > self._max_age_s

    def status(self, room: str, at_s: float) -> Body | None:
        """Relay and who decides; None while only half of it is known, which would look like a change of mind."""
        relay, mode = self._relay(room, at_s), self._mode(room, at_s)
        return None if relay is None or mode is None else {"relay": relay, "mode": mode}

    def summary(self, at_s: float) -> Body | None:
        """All rooms at once, if it is time: at a third of the age, and soon after something switched.

        Values come one by one. So the first waits until every room was heard, one such third at most, and a switch
        for what switched with it: half of a Loxone that starts anew looks like somebody's hand.
        """
        if not self._news or not self._due(at_s):
            return None
        self._news, self._switched_s, self._summed_s = False, None, at_s
        return {
            "relay": {room: self._relay(room, at_s) for room in self._rooms},  # null: not known any more
            "mode": {room: self._mode(room, at_s) for room in self._rooms},
            "temperature": self._numbers("temp", at_s),
            "target_temp": self._numbers("target", at_s),
        }

    def _due(self, at_s: float) -> bool:
        since_s = self._first_s if self._summed_s is None else self._summed_s
        if since_s is not None and at_s - since_s >= self._max_age_s / 3:
            return True
        if self._summed_s is None:
            return all(self._fresh(kind, room, at_s) is not None for room in self._rooms for kind in SAID_KINDS)
        return self._switched_s is not None and at_s - self._switched_s >= TOGETHER_S

    def _fresh(self, kind: Kind, room: str, at_s: float) -> float | None:
        value, heard_s = self._values.get((kind, room), (0.0, None))
        return None if heard_s is None or at_s - heard_s > self._max_age_s else value

    def _numbers(self, kind: Kind, at_s: float) -> dict[str, float]:
        return {room: v for room in self._rooms if (v := self._fresh(kind, room, at_s)) is not None}

    def _relay(self, room: str, at_s: float) -> str | None:
        return {1.0: "on", 0.0: "off", None: None}[self._fresh("relay", room, at_s)]

    def _mode(self, room: str, at_s: float) -> str | None:
        return {1.0: "auto", 0.0: "manual", None: None}[self._fresh("auto", room, at_s)]
