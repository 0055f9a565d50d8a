"""Limits of the grid operator as people say them (local times of the house) and as they are shown to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

from models.errors import ConsoleError
from pems_actors.moments import last_occurrence, moment

if TYPE_CHECKING:
    from actors.messages import LimitImport

SOURCE = "grid operator"
_NIGHT = timedelta(hours=12)


def asked(params: Mapping[str, Any], *, now: datetime, zone: tzinfo) -> tuple[LimitImport, str]:
    """What the console asks for: `import_kw`, `from` or now, and `until` or `for_s`.

    A limit from a time of day that has begun and is not over yet begins now, not at the next such time.

    Returns
    -------
    limit : LimitImport
    note : str
        What a person should know who typed it; empty: nothing.

    Raises
    ------
    ConsoleError, ConfigError
        Something is missing, of another kind, said twice, or ends before it begins.
    """
    kw, begin, until, for_s = (params.get(name) for name in ("import_kw", "from", "until", "for_s"))
    if isinstance(kw, bool) or not isinstance(kw, (int, float)):
        raise ConsoleError(f"import_kw {str(kw)[:40]!r} is no power", hint="as in `limit 4.2 --for 2h`")
    for name, text in (("from", begin), ("until", until), ("source", params.get("source"))):
        if text is not None and not isinstance(text, str):
            raise ConsoleError(f"{name} {str(text)[:40]!r} is no text", hint="as in --from 17:00")
    if (until is None) == (for_s is None):
        raise ConsoleError("a limit needs one end", hint="--until 19:00 or --for 2h")
    if for_s is not None and (isinstance(for_s, bool) or not isinstance(for_s, (int, float)) or not 0 < for_s < 1e8):
        raise ConsoleError(f"for_s {str(for_s)[:40]!r} is no time", hint="as in --for 2h")

    def end_of(start: datetime) -> datetime:
        if for_s is not None:
            return start + timedelta(seconds=for_s)
        return moment("--until", str(until), now=now, zone=zone, after=start)

    start, note = now.replace(microsecond=0), ""
    begun = None if begin is None else last_occurrence("--from", begin, now=now, zone=zone)
    if begun is not None and _runs(begun, end_of(begun), now, zone):
        end, note = end_of(begun), f"--from {begin} was at {_local(begun, zone)}: it begins now"
    else:
        start = start if begin is None else moment("--from", begin, now=now, zone=zone)
        end = end_of(start)
    if end <= start:
        raise ConsoleError(
            f"a limit until {_local(end, zone)} ends not after its start at {_local(start, zone)}",
            hint="give an end that is later than the start",
        )
    source = params.get("source") or SOURCE
    from actors.messages import LimitImport  # noqa: PLC0415 - the live picture shares this file and needs no actors

    return LimitImport(start=start, end=end, import_kw=float(kw), source=source), note


def _runs(begun: datetime, end: datetime, now: datetime, zone: tzinfo) -> bool:
    """Whether an event that may have begun is meant: of today, or of the night before if it is no longer than one."""
    today = begun.astimezone(zone).date() == now.astimezone(zone).date()
    return end > now and (today or end - begun <= _NIGHT)


def _local(at: datetime, zone: tzinfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M}"


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
