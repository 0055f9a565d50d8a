"""Conversions that are needed in more than one place, each once."""

from __future__ import annotations

import math

W_PER_KW = 1000.0
KELVIN_AT_0_C = 273.15


def floor_percent(soc: float) -> int:
    """Fraction to whole percent, never above the true value (29.999...96 % from float noise is 30)."""
    return math.floor(soc * 100.0 + 1e-6)


def is_number(value: object) -> bool:
    """True for a finite int or float; a bool is not a number, nor are NaN and infinity."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer of hundreds of digits, as JSON may bring one
        return False


def shown(value: object, limit: int = 80) -> str:
    """Any value as a short text for a message; never fails, whatever was sent."""
    try:
        return repr(value)[:limit]
    except ValueError:  # an integer too long to be written down
        return f"a {type(value).__name__} of too many digits"
