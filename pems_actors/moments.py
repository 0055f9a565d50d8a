"""Times that a person names, in the local time of the house."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta, tzinfo

from models.errors import ConfigError

_CLOCK = re.compile(r"(?:(today|tomorrow)\s+)?(\d{1,2}):(\d{2})")
HINT = "write it as 18:00, tomorrow 7:30 or 2021-02-08T18:00"


def moment(text: str, *, first: datetime, zone: tzinfo) -> datetime:
    """The instant that `18:00`, `tomorrow 7:30` or `2021-02-08T18:00` means.

    Parameters
    ----------
    text : str
        A time of day alone is the first such one from `first` on.
    first : datetime
        Aware: where the time that is asked about begins.
    zone : tzinfo
        Of the house; for texts that name no zone.

    Returns
    -------
    datetime
        Aware UTC.

    Raises
    ------
    ConfigError
        It is no time.
    """
    words = " ".join(text.split())
    found = _CLOCK.fullmatch(words)
    try:
        if found is None:
            at = datetime.fromisoformat(words)
            return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
        day = first.astimezone(zone).date() + timedelta(days=found[1] == "tomorrow")
        clock = time(int(found[2]), int(found[3]))
    except ValueError:
        raise ConfigError(f"{text[:40]!r} is no time", hint=HINT) from None
    at = datetime.combine(day, clock, zone).astimezone(UTC)
    if found[1] is None and at < first:
        at = datetime.combine(day + timedelta(days=1), clock, zone).astimezone(UTC)
    return at
