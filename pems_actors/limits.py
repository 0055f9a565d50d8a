"""Limits of the grid operator as people say them (local times of the house) and as they are shown to them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Any

from actors.messages import LimitImport
from models.errors import ConfigError, ConsoleError

SOURCE = "grid operator"
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_DATED = re.compile(r"(\d{4}-\d{2}-\d{2})[T ]([01]\d|2[0-3]):([0-5]\d)")


def check_local(name: str, text: str) -> str:
    """A local time as it may be written; ConfigError if it is none. Which instant it is, only the house knows."""
    _parsed(name, text)
    return text.strip()


def _parsed(name: str, text: str) -> datetime | time:
    words = text.strip()
    clock, dated = _CLOCK.fullmatch(words), _DATED.fullmatch(words)
    try:
        if clock is not None:
            return time(int(clock[1]), int(clock[2]))
        if dated is not None:
            return datetime.fromisoformat(words)
    except ValueError:
        pass  # the thirtieth of February
    raise ConfigError(f"{name} {text[:40]!r} is no time", hint="write it as 17:00 or 2021-02-08T17:00")


def local_instant(name: str, text: str, *, after: datetime, zone: tzinfo) -> datetime:
    """The instant a person means: a bare time of day is its next occurrence.

    Parameters
    ----------
    name, text : str
        Of the argument, for the message; `17:00` or `2021-02-08T17:00`.
    after : datetime
        Aware; a bare time is at or after it.
    zone : tzinfo
        Of the house.

    Returns
    -------
    datetime
        Aware UTC. Of an hour that comes twice the first that is still to come; one that the clocks leave out is as far
        from midnight as it would have been.
    """
    said = _parsed(name, text)
    if isinstance(said, datetime):
        return said.replace(tzinfo=zone).astimezone(UTC)
    found: list[datetime] = []
    for day in range(3):
        date = after.astimezone(zone).date() + timedelta(days=day)
        for fold in (0, 1):
            at = datetime.combine(date, said, zone).replace(fold=fold).astimezone(UTC)
            if at >= after and (fold == 0 or at.astimezone(zone).time() == said):
                found.append(at)
    return min(found)


def asked(params: Mapping[str, Any], *, now: datetime, zone: tzinfo) -> LimitImport:
    """What the console asks for: `import_kw`, `from` or now, and `until` or `for_s`.

    Raises
    ------
    ConsoleError, ConfigError
        Something is missing, of another kind, or said twice.
    """
    kw, begin, until, for_s = (params.get(name) for name in ("import_kw", "from", "until", "for_s"))
    if isinstance(kw, bool) or not isinstance(kw, (int, float)):
        raise ConsoleError(f"import_kw {str(kw)[:40]!r} is no power", hint="as in `limit 4.2 --for 2h`")
    for name, text in (("from", begin), ("until", until), ("source", params.get("source"))):
        if text is not None and not isinstance(text, str):
            raise ConsoleError(f"{name} {str(text)[:40]!r} is no text", hint="as in --from 17:00")
    if (until is None) == (for_s is None):
        raise ConsoleError("a limit needs one end", hint="--until 19:00 or --for 2h")
    minute = now.replace(second=0, microsecond=0)
    start = now.replace(microsecond=0) if begin is None else local_instant("--from", begin, after=minute, zone=zone)
    if for_s is None:
        end = local_instant("--until", str(until), after=start + timedelta(seconds=1), zone=zone)
    elif isinstance(for_s, bool) or not isinstance(for_s, (int, float)) or not 0 < for_s < 1e8:
        raise ConsoleError(f"for_s {str(for_s)[:40]!r} is no time", hint="as in --for 2h")
    else:
        end = start + timedelta(seconds=for_s)
    return LimitImport(start=start, end=end, import_kw=float(kw), source=params.get("source") or SOURCE)


def shown(rows: Iterable[Mapping[str, Any]], zone: tzinfo) -> list[dict[str, Any]]:
    """The same limits with local times beside the others."""
    return [
        {**row, **{f"local_{end}": datetime.fromisoformat(row[end]).astimezone(zone).isoformat(timespec="minutes")
                   for end in ("start", "end")}}
        for row in rows
    ]  # fmt: skip


def in_words(row: Mapping[str, Any]) -> str:
    """One limit on one line."""
    start, end = (str(row.get(f"local_{name}", "")).replace("T", " ")[:16] for name in ("start", "end"))
    end = end[11:] if end[:10] == start[:10] else end
    now = ", holds now" if row.get("holds") else ""
    return f"{float(row.get('import_kw', 0.0)):g} kW from {start} until {end} ({row.get('source', SOURCE)}{now})"
