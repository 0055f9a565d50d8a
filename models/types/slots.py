"""Quarter hours in UTC and the local days that markets and people count in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo

QUARTER = timedelta(minutes=15)
USUAL_DAY = 96  # quarter hours of a day on which no clock changes: to count days of a period, not its slots


def floor_slot(at: datetime, step: timedelta = QUARTER) -> datetime:
    """Start of the slot `[start, start + step)` that holds `at`, aligned to the Unix epoch in UTC."""
    since = at.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return datetime(1970, 1, 1, tzinfo=UTC) + (since // step) * step


def local_midnight(day: date, zone: tzinfo) -> datetime:
    """Start of a local calendar day as aware UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def day_slots(day: date, zone: tzinfo, step: timedelta = QUARTER) -> Iterator[datetime]:
    """Slot starts of one local day: 96 quarter hours, 92 or 100 when the clocks change."""
    at, end = local_midnight(day, zone), local_midnight(day + timedelta(days=1), zone)
    while at < end:
        yield at
        at += step
