"""What the twin of the house puts on the wire."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class TwinMessage:
    """One message published by a device."""

    topic: str
    payload: bytes
    retain: bool
    at: datetime  # aware UTC
