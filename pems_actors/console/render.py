"""Console answers as people read them: tables and trees from the same JSON that `--json` prints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

STATE_STYLE = {
    "running": "green",
    "starting": "cyan",
    "restarting": "yellow",
    "parked": "bold yellow",
    "stopped": "dim",
    "abandoned": "bold red",
}
LEVEL_NAMES = {
    1: "emergency stop",
    2: "safety trip",
    3: "limit",
    8: "user",
    10: "local rules",
    13: "plan",
    15: "fallback rules",
    16: "default",
}
OUTCOME_STYLE = {"accepted": "green", "clamped": "yellow", "deferred": "yellow", "refused": "red"}
UNKNOWN = "-"
BUSY_WORTH_TELLING_S = 0.05


def ps(cells: Sequence[Mapping[str, Any]]) -> RenderableType:
    """One line per path: what it is doing, how often it was restarted, why last."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("path", "state", "life", "restarts", "handled", "queued", "busy", "worker", "last error"):
        table.add_column(name, justify="left" if name in ("path", "state", "last error") else "right")
    for cell in sorted(cells, key=lambda c: str(c.get("path", ""))):
        restarts = cell.get("restarts") or 0
        table.add_row(
            Text(str(cell.get("path", UNKNOWN)), style="dim" if cell.get("kind") == "supervisor" else ""),
            _state(cell),
            shown(cell.get("incarnation")),
            Text(str(restarts), style="yellow" if restarts else "dim"),
            shown(cell.get("handled")),
            _queued(cell),
            _busy(cell),
            "" if cell.get("pid") is None else shown(cell["pid"]),
            Text(str(cell.get("last_error") or ""), style="red", overflow="ellipsis", no_wrap=True),
        )
    return table


def tree(cells: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Who supervises whom."""
    by_path = {str(cell.get("path", "")): cell for cell in cells}
    root = Tree(_label(by_path.get("/", {"path": "/"})), guide_style="dim")
    nodes = {"/": root}
    for path in sorted((p for p in by_path if p not in ("", "/")), key=lambda p: p.split("/")):
        _branch(path, by_path, nodes)
    return root


def _branch(path: str, by_path: Mapping[str, Mapping[str, Any]], nodes: dict[str, Tree]) -> Tree:
    if path in nodes:
        return nodes[path]
    above = path.rsplit("/", 1)[0] or "/"
    nodes[path] = _branch(above, by_path, nodes).add(_label(by_path.get(path, {"path": path})))
    return nodes[path]


def _label(cell: Mapping[str, Any]) -> Text:
    path = str(cell.get("path", "/"))
    text = Text(path.rsplit("/", 1)[-1] or "/", style="bold" if cell.get("kind") == "supervisor" else "")
    if "state" in cell:
        text.append("  ").append(_state(cell))
    if cell.get("restarts"):
        text.append(f"  {cell['restarts']} restarts", style="yellow")
    if cell.get("last_error"):
        text.append(f"  {cell['last_error']}", style="red")
    return text


def why(answer: Mapping[str, Any]) -> RenderableType:
    """Who holds a point, what comes next, what was said about it, and how far the order got; times as the house's
    clocks show them."""
    zone = ZoneInfo(str(answer.get("zone") or "UTC"))
    parts: list[RenderableType] = [_headline(answer), _facts(answer, zone)]
    slots = [slot for slot in answer.get("slots") or () if isinstance(slot, Mapping)]
    if slots:
        parts += [Text(), _slots(slots, zone)]
    verdicts = [verdict for verdict in answer.get("verdicts") or () if isinstance(verdict, Mapping)]
    if verdicts:
        parts += [Text(), _verdicts(verdicts, zone)]
    device = answer.get("device")
    if device:
        parts += [Text(), Text("device", style="bold"), state(device)]
    for remark in answer.get("remarks") or ():
        parts += [Text(), Text(f"odd input of the plan: {remark}", style="yellow")]
    if answer.get("card"):
        parts += [Text(), Text(f"what the plan does here, why, and what else it could: {answer['card']}", style="dim")]
    return Group(*parts)


def _headline(answer: Mapping[str, Any]) -> Text:
    text = Text(str(answer.get("point", "")), style="bold").append(" is ", style="not bold")
    text.append(shown(answer.get("value")), style="bold cyan")
    level = answer.get("level")
    text.append(f", held by {answer.get('holder') or 'nobody'}", style="not bold")
    if level is not None:
        text.append(f" (level {_level(level)})", style="not bold")
    if answer.get("tripped"):
        text.append(f"  TRIPPED by {answer['tripped']}", style="bold red")
    return text


def _facts(answer: Mapping[str, Any], zone: tzinfo) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    for name, value in (
        ("why", answer.get("reason")),
        ("waiting", answer.get("waiting")),
        ("since", _since(answer.get("since"), answer.get("for_s"), zone)),
        ("until", _until(answer.get("until"), answer.get("left_s"), zone)),
        ("then", _next(answer.get("next"))),
        ("default", shown(answer.get("default"))),
        ("permit", _permit(answer)),
    ):
        if value not in (None, ""):
            grid.add_row(Text(f"  {name}", style="dim"), Text(str(value)))
    return grid


def _slots(slots: Iterable[Mapping[str, Any]], zone: tzinfo) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False, title="asked for", title_justify="left")
    for name in ("level", "by", "value", "ends", "note"):
        table.add_column(name)
    for slot in slots:
        ends = _until(slot.get("until"), slot.get("left_s"), zone) or "never"
        note = str(slot.get("note") or "")
        cells = (_level(slot.get("level")), shown(slot.get("source")), shown(slot.get("value")), ends, note)
        table.add_row(*map(Text, cells))  # Text: what a device or a person wrote is no markup
    return table


def _verdicts(verdicts: Iterable[Mapping[str, Any]], zone: tzinfo) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False, title="last verdicts", title_justify="left")
    for name in ("at", "by", "value", "verdict", "reason"):
        table.add_column(name)
    for one in verdicts:
        outcome = str(one.get("outcome", UNKNOWN))
        said = Text(outcome, style=OUTCOME_STYLE.get(outcome, ""))
        reason = str(one.get("reason") or "")
        before = (_time(one.get("at"), zone), shown(one.get("source")), shown(one.get("value")))
        table.add_row(*map(Text, before), said, Text(reason))
    return table


def state(answer: object) -> RenderableType:
    """Any snapshot as an outline."""
    grid = Table.grid(padding=(0, 2))
    for depth, name, value in _outline(answer, 0):
        grid.add_row(Text(f"{'  ' * (depth + 1)}{name}", style="dim"), Text(value))
    return grid


def _outline(value: object, depth: int) -> Iterable[tuple[int, str, str]]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            rows = isinstance(item, (list, tuple)) and any(isinstance(one, (Mapping, list, tuple)) for one in item)
            if rows or (isinstance(item, Mapping) and item):
                yield depth, str(name), ""
                yield from _outline(item, depth + 1)
            else:
                yield depth, str(name), shown(item)
    elif isinstance(value, (list, tuple)):
        for i, item in enumerate(value):
            if isinstance(item, Mapping):
                yield depth, f"{i + 1}.", ", ".join(f"{name} {shown(one)}" for name, one in item.items())
            else:
                yield depth, f"{i + 1}.", shown(item)
    else:
        yield depth, "", shown(value)


def shown(value: object) -> str:
    """One value in a few characters; None is a dash, never 0."""
    match value:
        case None:
            return UNKNOWN
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.3f}".rstrip("0").rstrip(".") if abs(value) < 1e6 else f"{value:.4g}"
        case Mapping():
            return ", ".join(f"{name} {shown(item)}" for name, item in value.items()) or "none"
        case list() | tuple():
            return ", ".join(shown(item) for item in value) or "none"
        case _:
            return " ".join(str(value).split())


def _state(cell: Mapping[str, Any]) -> Text:
    word = str(cell.get("state", UNKNOWN))
    return Text(word, style=STATE_STYLE.get(word, ""))


def _queued(cell: Mapping[str, Any]) -> str:
    queued = cell.get("queued")
    return shown(sum(queued)) if isinstance(queued, (list, tuple)) else shown(queued)


def _busy(cell: Mapping[str, Any]) -> Text:
    busy_s = cell.get("busy_for_s", cell.get("busy_s"))
    if not isinstance(busy_s, (int, float)) or busy_s < BUSY_WORTH_TELLING_S:
        return Text("")
    return Text(f"{busy_s:.1f} s", style="bold red" if busy_s > 1.0 else "yellow")


def _level(level: object) -> str:
    name = LEVEL_NAMES.get(level) if isinstance(level, int) else None
    return f"{level} {name}" if name else shown(level)


def _time(text: object, zone: tzinfo) -> str:
    """The time of day of an ISO time on the clocks of a zone; what is none, or has no zone, as it was written."""
    word = str(text or UNKNOWN)
    try:
        at = datetime.fromisoformat(word)
    except ValueError:
        return word
    return word if at.tzinfo is None else f"{at.astimezone(zone):%H:%M:%S}"


def _since(since: object, for_s: object, zone: tzinfo) -> str:
    ago = f"{span(for_s)} ago" if isinstance(for_s, (int, float)) else ""
    return f"{_time(since, zone)} ({ago})" if since and ago else _time(since, zone) if since else ago


def _until(until: object, left_s: object, zone: tzinfo) -> str:
    left = f"in {span(left_s)}" if isinstance(left_s, (int, float)) else ""
    return f"{_time(until, zone)} ({left})" if until and left else _time(until, zone) if until else left


def _next(value: object) -> str:
    if isinstance(value, Mapping):
        level = f" (level {_level(value.get('level'))})" if value.get("level") is not None else ""
        return f"{shown(value.get('value'))}, by {value.get('source') or value.get('holder') or 'default'}{level}"
    return "" if value is None else shown(value)


def _permit(answer: Mapping[str, Any]) -> str | None:
    left_s = answer.get("permit_left_s")
    if isinstance(left_s, (int, float)):
        return f"valid, {left_s:.1f} s left" if left_s > 0 else "LAPSED: defaults only"
    permit = answer.get("permit")
    if isinstance(permit, bool):
        return "valid" if permit else "LAPSED: defaults only"
    return None if permit is None else shown(permit)


def span(seconds: float) -> str:
    """A duration in its two largest units."""
    whole = max(round(seconds), 0)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    units = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
    parts: list[str] = []
    for size, unit in units:
        count, whole = divmod(whole, size)
        if count and len(parts) < 2:
            parts.append(f"{count} {unit}")
    return " ".join(parts)
