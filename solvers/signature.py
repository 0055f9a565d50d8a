"""The signature of a checked plan: sha256 over one canonical text of problem and result.

It proves that the plan which arrives is the plan that was checked, for the problem that was asked; it is no secret.
Numbers are written so that a trip through JSON changes nothing: 0, 0.0 and -0.0 are one number, a tuple is a list.
Timings are left out: they say how long a plan took, not what it is. Standard library only: the core verifies with it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum

from solvers.problem import PlanProblem
from solvers.result import PlanResult, SignedPlan

_LEFT_OUT = frozenset({"timings"})


def signature(problem: PlanProblem, result: PlanResult) -> str:
    """Hex sha256 over problem and result."""
    text = json.dumps([_plain(problem), _plain(result)], separators=(",", ":"), sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def verify(signed: SignedPlan, problem: PlanProblem) -> bool:
    """Whether this very plan was checked for this very problem."""
    return hmac.compare_digest(signed.signature, signature(problem, signed.result))


def _plain(value: object) -> object:
    if value is None or (isinstance(value, str) and not isinstance(value, Enum)):
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (bool, int, float)):
        return value + 0.0
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, (tuple, list)):
        if value and all(type(v) is float for v in value):
            return [v + 0.0 for v in value]
        return [_plain(v) for v in value]
    if is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value) if f.name not in _LEFT_OUT}
    raise TypeError(f"cannot sign a {type(value).__name__}")
