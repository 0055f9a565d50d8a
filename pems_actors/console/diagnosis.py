"""A diagnosis of a plan, as people read it in a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Group, RenderableType
from rich.text import Text


def lines(answer: Mapping[str, Any]) -> RenderableType:
    """What is bent and why, a line each, dearest first; then what was odd in what was planned."""
    start = datetime.fromisoformat(str(answer["start"])).astimezone(ZoneInfo(str(answer.get("zone") or "UTC")))
    plan = f"the plan from {start:%a %Y-%m-%d %H:%M} on, made by {answer.get('maker')},"
    conflicts, odd = answer.get("lines") or (), answer.get("remarks") or ()
    if not conflicts:
        head = Text(f"{plan} bends no limit", style="green")
    else:
        head = Text(f"{plan} bends limits; dearest first:", style="bold")
    said = [Text(f"- {line}") for line in conflicts]
    return Group(head, *said, *(Text(f"- odd input: {text}", style="yellow") for text in odd))
