"""The auditor: recomputes the invariants from the wire log, the events and the twin's truth, apart from the gate."""

from __future__ import annotations

from actors.audit.audit import Audit
from actors.audit.book import Book, Breach, Durations

__all__ = ["Audit", "Book", "Breach", "Durations"]
