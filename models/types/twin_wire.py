"""What core and twin exchange over the in-memory link: the very topics and payloads of the wire."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WireMessage:
    """One message. The payload is text: every device of the demo house speaks UTF-8."""

    topic: str
    payload: str
    retained: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TwinExchange:
    """Commands for the twin, and the house time up to which it shall live."""

    until: datetime
    commands: tuple[WireMessage, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TwinOutput:
    """What the twin said meanwhile, and the meters of the house and of the same house under plain rules [kWh]."""

    until: datetime
    messages: tuple[WireMessage, ...]
    import_kwh: float | None = None
    export_kwh: float | None = None
    rules_import_kwh: float | None = None
    rules_export_kwh: float | None = None
