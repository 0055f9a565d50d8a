"""Somebody else's hand: the inverter's own app, a switch at the wall. Noticed, told, respected for a while.

What a hand did becomes a person's request at the gate, with an end. So it beats plans and rules, yields to trips and
limits, shows in `why` like any other request, and the plan comes back by itself.
"""

from __future__ import annotations

from collections.abc import Callable

from actors.requests import Asker
from actors.runtime import Context
from models.types.command import Level, Value

AGAIN_S = 600.0  # a hand that comes back so soon after it was taken back means it: it is respected for as long


class ThirdHands:
    """Hands that one device actor noticed.

    Parameters
    ----------
    ctx : Context
        Of the device actor.
    respect_s : float
        How long what a hand did stands [s]; 0: it is taken back at once, but not twice in ten minutes.
    alarm, alarm_over : callables
        Of the device actor: said once each.
    """

    def __init__(
        self,
        ctx: Context,
        respect_s: float,
        *,
        alarm: Callable[[str, str], None],
        alarm_over: Callable[[str], None],
    ) -> None:
        self._ctx, self._respect_s = ctx, respect_s
        self._alarm, self._alarm_over = alarm, alarm_over
        self._asker = Asker(ctx, Level.USER)
        self._until_s: dict[str, float] = {}
        self._taken_back_s: dict[str, float] = {}
        self.noticed = 0

    def found(self, point: str, value: Value) -> bool:
        """A hand left the point at `value`. True if that is respected, False if it is to be taken back now."""
        at_s = self._ctx.clock.monotonic()
        self.noticed += 1
        respect_s = self._respected_s(point)
        if respect_s <= 0.0:
            self.taken_back(point)
            self._say(point, f"{point} was set to {value} by somebody else; it is taken back")
            return False
        note = f"set to {value} by somebody else, respected for {_told(respect_s)}"
        self._until_s[point] = at_s + respect_s
        self._asker.ask(point, value, ttl_s=respect_s, note=note)
        self._say(point, f"{point} was {note}")
        return True

    def stored(self, point: str, what: str) -> float:
        """A hand left settings that do not show yet. Seconds to leave them alone; 0: they are put back now."""
        respect_s = self._respected_s(point)
        self.noticed += 1
        if respect_s > 0.0:
            self._until_s[point] = self._ctx.clock.monotonic() + respect_s
            self._say(point, f"{what} were changed by somebody else; left alone for {_told(respect_s)}, then put back")
        else:
            self.taken_back(point)
            self._say(point, f"{what} were changed by somebody else; they are put back")
        return respect_s

    def _respected_s(self, point: str) -> float:
        return max(self._respect_s, AGAIN_S if self.meant(point) else 0.0)

    def taken_back(self, point: str) -> None:
        """It was told again for another reason (a restart): the same soon after is a hand that means it."""
        at_s = self._ctx.clock.monotonic()
        self._taken_back_s[point] = at_s
        self._until_s[point] = at_s + AGAIN_S

    def meant(self, point: str) -> bool:
        """The point was told again a short while ago."""
        return self._ctx.clock.monotonic() - self._taken_back_s.get(point, -1e9) < AGAIN_S

    def look(self) -> None:
        """End the alarms of hands whose time is over."""
        at_s = self._ctx.clock.monotonic()
        for point in [p for p, until_s in self._until_s.items() if at_s >= until_s]:
            del self._until_s[point]
            self._alarm_over(f"third_hand:{point}")

    def _say(self, point: str, text: str) -> None:
        self._alarm_over(f"third_hand:{point}")  # another hand is news
        self._alarm(f"third_hand:{point}", text)


def _told(seconds: float) -> str:
    return f"{seconds / 60.0:.0f} min" if seconds >= 60.0 else f"{seconds:.0f} s"
