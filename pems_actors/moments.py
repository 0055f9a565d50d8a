"""Times that a person names, in the local time of the house."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from models.errors import ConfigError

_CLOCK = re.compile(r"(?:(today|tomorrow) )?(\d{1,2}):(\d{2})")
_DATED = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)?")
_TODAY = {None: None, "today": 0, "tomorrow": 1}
HINT = "write it as 18:00, tomorrow 7:30 or 2021-02-08T18:00"


def check(name: str, text: str) -> str:
    """A time as it may be written; ConfigError if it is none. Which instant it is, only the house knows."""
    _parsed(name, text)
    return text.strip()


def moment(name: str, text: str, *, now: datetime, zone: tzinfo, after: datetime | None = None) -> datetime:
    """The instant that `18:00`, `tomorrow 7:30` or `2021-02-08T18:00` means.

    Parameters
    ----------
    name, text : str
        Of the argument, for the message; a time of day alone is its next occurrence.
    now : datetime
        Aware: what today and tomorrow are counted from.
    zone : tzinfo
        Of the house, for texts that name no zone.
    after : datetime, optional
        Aware: a time of day alone is at or after it; `now` if left out.

    Returns
    -------
    datetime
        Aware UTC. Of an hour that comes twice the first that is still to come, the first if none is; one that the
        clocks leave out is as far from midnight as it would have been.

    Raises
    ------
    ConfigError
        It is no time.
    """
    said, after = _parsed(name, text), now if after is None else after
    if isinstance(said, datetime):
        if said.tzinfo is not None:
            return said.astimezone(UTC)
        return _first(_instants(said.date(), said.time(), zone), after)
    days, clock = said
    if days is not None:
        return _first(_instants(_day(now, zone, days), clock, zone), after)
    return min(at for days in range(3) for at in _instants(_day(after, zone, days), clock, zone) if at >= after)


def last_occurrence(name: str, text: str, *, now: datetime, zone: tzinfo) -> datetime | None:
    """When a time of day alone was last, at or before `now`, aware UTC; None for a time of a certain day."""
    said = _parsed(name, text)
    if isinstance(said, datetime) or said[0] is not None:
        return None
    return max(at for days in range(3) for at in _instants(_day(now, zone, -days), said[1], zone) if at <= now)


def _parsed(name: str, text: str) -> datetime | tuple[int | None, time]:
    """A time of a certain day, or a time of day and how many days from today (None: not said)."""
    words = " ".join(text.split())
    found = _CLOCK.fullmatch(words)
    try:
        if found is not None:
            return _TODAY[found[1]], time(int(found[2]), int(found[3]))
        if _DATED.fullmatch(words):
            return datetime.fromisoformat(words)
    except ValueError:
        pass  # the thirtieth of February
    raise ConfigError(f"{name} {text[:40]!r} is no time", hint=HINT)


def _day(at: datetime, zone: tzinfo, days: int) -> date:
    return at.astimezone(zone).date() + timedelta(days=days)


def _instants(day: date, clock: time, zone: tzinfo) -> list[datetime]:
    """When the clocks show a time on a day: once, twice, or, left out by the clocks, as if they were not changed."""
    first, second = (datetime.combine(day, clock, zone).replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    twice = second > first  # of a time that is left out the second is the earlier one
    return [first, second] if twice else [first]


def _first(instants: list[datetime], after: datetime) -> datetime:
    return next((at for at in instants if at >= after), instants[0])
