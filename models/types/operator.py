"""What the operator of the grid limits: dimming events, each with a start, an end and a power."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, tzinfo

from models.errors import DataError

SOURCE_LIMIT = 80  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportLimit:
    """From `start` until `end` the whole connection imports at most so much. Never edited, only lifted.

    Raises
    ------
    DataError
        A time without a zone, an end that is not after the start, a power that is negative or no number, a source that
        is empty or longer than `SOURCE_LIMIT`.
    """

    start: datetime  # aware UTC
    end: datetime  # aware UTC, the first instant without it
    import_kw: float  # of all phases together; 0: no import at all
    source: str = "grid operator"  # who asked for it, for people

    def __post_init__(self) -> None:
        for name, at in (("start", self.start), ("end", self.end)):
            if at.tzinfo is None:
                raise DataError(f"limit's {name} {at.isoformat()} has no time zone", hint="give aware UTC")
        if self.end <= self.start:
            raise DataError(
                f"limit ends at {self.end.isoformat()}, not after its start at {self.start.isoformat()}",
                hint="give an end that is later than the start",
            )
        if not (math.isfinite(self.import_kw) and self.import_kw >= 0.0):
            raise DataError(f"limit of {self.import_kw} kW", hint="give the power that may be imported, 0 or more")
        if not self.source.strip() or len(self.source) > SOURCE_LIMIT:
            raise DataError(f"limit's source has {len(self.source)} characters, must be 1 to {SOURCE_LIMIT}")

    def holds_at(self, at: datetime) -> bool:
        """True while it limits."""
        return self.start <= at < self.end

    def row(self, now: datetime) -> dict[str, object]:
        """It as plain values, and whether it holds now."""
        return {
            "import_kw": self.import_kw,
            "start": self.start.isoformat(),
            "end": self.end.isoformat(),
            "source": self.source,
            "holds": self.holds_at(now),
        }

    def told(self, zone: tzinfo) -> str:
        """It in a few words, with its end as the house's clocks show it; the day where it is another one's."""
        start, end = self.start.astimezone(zone), self.end.astimezone(zone)
        until = f"{end:%H:%M}" if end.date() == start.date() else f"{end:%Y-%m-%d %H:%M}"
        return f"{self.source}'s limit {self.import_kw:g} kW until {until}"


def strictest(limits: Iterable[ImportLimit], at: datetime) -> ImportLimit | None:
    """The limit that binds at an instant: the lowest; of equal ones the last to end. None: there is none."""
    holding = [limit for limit in limits if limit.holds_at(at)]
    return min(holding, key=lambda limit: (limit.import_kw, -limit.end.timestamp()), default=None)


def lowest_between(limits: Iterable[ImportLimit], start: datetime, end: datetime) -> float | None:
    """The lowest power allowed anywhere in `[start, end)` [kW]; None: nothing is limited."""
    return min((limit.import_kw for limit in limits if limit.start < end and start < limit.end), default=None)
