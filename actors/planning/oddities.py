"""What is odd in the problems that are planned: an alarm each, said once when it begins and once when it is over."""

from __future__ import annotations

from collections.abc import Iterable

from actors.messages import Alarm
from actors.runtime import Context
from solvers.result import Remark

PREFIX = "odd_input:"


class Oddities:
    """Which remarks stand, of one life of the planner.

    Parameters
    ----------
    ctx : Context
        Of the planner.
    """

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._standing: set[str] = set()

    def planned(self, remarks: Iterable[Remark]) -> None:
        """A plan was made: its remarks hold now, others no more. The text is that of the plan that began it."""
        told = {f"{PREFIX}{remark.about}": remark.text for remark in remarks}
        for name in sorted(self._standing - set(told)):
            self._say(name, "")
        for name, text in told.items():
            if name not in self._standing:
                self._say(name, text)
        self._standing = set(told)

    def _say(self, name: str, text: str) -> None:
        self._ctx.publish(Alarm(at=self._ctx.clock.now(), name=name, active=bool(text), text=text))
