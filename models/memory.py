"""Memory of a small box: what was needed once need not be held for years."""

from __future__ import annotations

import ctypes
import gc


def give_back() -> None:
    """Collect what refers to itself and hand freed pages back to the system, where the C library can (glibc)."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
