"""The grid operator's voice: keeps dimming events, forgets those that are over, and tells the house."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from actors.messages import Alarm, LiftLimits, LimitImport, OperatorLimits, Tick
from actors.runtime import Behaviour
from models.errors import DataError, StoreError
from models.types.house import House
from models.types.operator import ImportLimit

LONGEST = timedelta(days=7)
AHEAD = timedelta(days=30)
KEPT = 64
LOOK_S = 60.0  # how often those that are over are looked for


class LimitStore(Protocol):
    """Where limits survive a restart."""

    def load(self) -> tuple[ImportLimit, ...]:
        """What was saved last. StoreError when it cannot be known."""

    def save(self, limits: tuple[ImportLimit, ...]) -> None:
        """Keep them, durably, before it returns. StoreError when it cannot."""


class Operator(Behaviour):
    """Keeps the limits; it switches nothing itself.

    Handles  LimitImport, LiftLimits, Tick
    Sends    answers {ok, reason}; publishes OperatorLimits at its start and at each change, and Alarm
    Fails    on bugs only; gate, safety and planner go on with what they heard last, each limit to its own end, and its
             next life with what this one said
    """

    def __init__(self, house: House, store: LimitStore) -> None:
        self._house, self._store = house, store
        self._limits: tuple[ImportLimit, ...] = ()
        self._trouble: dict[str, str] = {}

    def on_start(self) -> None:
        kept, trouble = self._kept()
        said = self.ctx.standing(OperatorLimits)  # by an earlier life: newer than what is on any disk
        if said:
            self._limits = said[-1].limits
            if kept != self._limits:
                self._save()
        elif kept is None:
            self._say("limits_unreadable", f"limits of the grid operator are not known: {trouble}")
        else:
            self._limits = kept
        self._forget()
        if said or kept is not None:
            self.ctx.publish(OperatorLimits(limits=self._limits))
        self.ctx.every(LOOK_S, Tick(name="over"), name="over")

    def _kept(self) -> tuple[tuple[ImportLimit, ...] | None, str]:
        """What the store holds; None with the reason where that cannot be known."""
        try:
            return self._store.load(), ""
        except StoreError as error:
            return None, str(error)

    def handle(self, message: object) -> None:
        match message:
            case LimitImport():
                self.ctx.reply(self._add(message))
            case LiftLimits():
                lifted = len(self._limits)
                self._change(())
                self.ctx.reply({"ok": True, "reason": "", "lifted": lifted})
            case Tick():
                if self._forget():
                    self._change(self._limits)
                elif "limits_unsaved" in self._trouble:
                    self._save()
            case _:
                super().handle(message)

    def _add(self, asked: LimitImport) -> dict[str, object]:
        try:
            limit = ImportLimit(start=asked.start, end=asked.end, import_kw=asked.import_kw, source=asked.source)
            self._judge(limit)
        except DataError as error:
            return {"ok": False, "reason": error.problem, "hint": error.hint}
        self._forget()
        if limit not in self._limits:
            self._change((*self._limits, limit))
        return {"ok": True, "reason": "", "limit": limit.row(self.ctx.clock.now())}

    def _judge(self, limit: ImportLimit) -> None:
        """DataError unless it can be meant."""
        now, own_kw = self.ctx.clock.now(), self._house.connection.import_limit_kw
        if limit.end <= now:
            raise DataError(f"limit is over since {self._local(limit.end)}", hint="give an end that is still to come")
        if limit.end - limit.start > LONGEST:
            days = (limit.end - limit.start) / timedelta(days=1)
            raise DataError(
                f"limit lasts {days:.1f} days, longest {LONGEST.days}", hint="give the end of this event alone"
            )
        if limit.start - now > AHEAD:
            raise DataError(
                f"limit begins at {self._local(limit.start)}, more than {AHEAD.days} days ahead",
                hint="tell it when it is nearer",
            )
        if limit.import_kw > own_kw:
            raise DataError(
                f"limit of {limit.import_kw:g} kW is above the {own_kw:g} kW of the connection itself",
                hint="give kW, not W; a limit that limits nothing is not kept",
            )
        if len(self._limits) >= KEPT:
            raise DataError(f"{KEPT} limits are kept already", hint="lift those that no longer hold")

    def _local(self, at: datetime) -> str:
        """A time as the house's clocks show it."""
        return f"{at.astimezone(ZoneInfo(self._house.site.timezone)):%Y-%m-%d %H:%M}"

    def _forget(self) -> bool:
        """Drop what is over; True if anything was."""
        now = self.ctx.clock.now()
        left = tuple(limit for limit in self._limits if limit.end > now)
        changed, self._limits = left != self._limits, left
        return changed

    def _change(self, limits: tuple[ImportLimit, ...]) -> None:
        self._limits = tuple(sorted(limits, key=lambda x: (x.start, x.end, x.import_kw, x.source)))
        self.ctx.publish(OperatorLimits(limits=self._limits))  # act first, persist second
        self._save()

    def _save(self) -> None:
        try:
            self._store.save(self._limits)
        except StoreError as error:
            self._say("limits_unsaved", f"limits act but could not be persisted: {error}")
        else:
            self._say("limits_unsaved", "")
            self._say("limits_unreadable", "")

    def _say(self, name: str, text: str) -> None:
        """An alarm begins with a text and ends without."""
        if bool(text) != (name in self._trouble):
            self.ctx.publish(Alarm(at=self.ctx.clock.now(), name=name, active=bool(text), text=text))
        if text:
            self._trouble[name] = text
        else:
            self._trouble.pop(name, None)

    def snapshot(self) -> dict[str, object]:
        now = self.ctx.clock.now()
        return {
            "limits": [limit.row(now) for limit in self._limits if limit.end > now],
            "alarms": dict(self._trouble),
        }
