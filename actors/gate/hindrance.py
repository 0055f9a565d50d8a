"""What a heater waits for: minimum times, starts per hour, and power at the connection.

A heater starts when its relay is ordered on, and also when its thermostat is given a setpoint above the air.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from actors.gate.decision import Decision
from actors.gate.power import rule_shares
from models.types.command import Level
from models.types.point import PointSpec, RelayRule
from models.units import is_number


class Until(Enum):
    """What has to come before a heater may follow."""

    KNOWN = auto()  # a reading
    TIME = auto()  # a minimum time
    STARTS = auto()  # an hour with fewer starts in it
    PHASE = auto()  # power on its phase
    CONNECTION = auto()  # power on the whole connection: under the fuses' sum and the grid operator's limit
    RELAY = auto()  # its relay's return to the thermostat
    OTHERS = auto()  # somebody before it, who waits for power too


POWER = (Until.PHASE, Until.CONNECTION)


@dataclass(frozen=True, slots=True)
class Hindrance:
    """Why a heater must wait, in words and as what ends it."""

    text: str
    until: Until


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayHistory:
    """What the gate remembers of one relay."""

    on: bool | None = None  # as last seen or commanded; None: not known yet
    switched_s: float | None = None  # monotonic time of the last switch; None: not known
    starts_s: tuple[float, ...] = ()  # switch-ons of the last hour

    def seen(self, on: bool, at_s: float) -> RelayHistory:
        """The history after the relay was seen, or commanded, in a state."""
        if on == self.on:
            return self
        starts = tuple(s for s in self.starts_s if at_s - s < 3600.0)
        return RelayHistory(on=on, switched_s=at_s, starts_s=(*starts, at_s) if on else starts)


def must_wait(spec: PointSpec, decision: Decision) -> bool:
    """True if the heater's own times and the connection have a say in this decision.

    Not in a trip, and not where a limit of the safety rules or the grid operator switches off: a fuse or a hot room
    does not wait ten minutes for the sake of a contact.
    """
    if decision.level <= Level.SAFETY_TRIP:
        return False
    if spec.relay is not None:
        return isinstance(decision.value, str) and not (
            decision.level <= Level.GRID_OPERATOR and decision.value == "off"
        )
    return spec.heats != "" and is_number(decision.value)


def relay_hindrance(
    rule: RelayRule, wanted: str, history: RelayHistory, *, at_s: float, headroom_kw: Mapping[int, float] | None
) -> Hindrance | None:
    """Why the relay must wait; None if it may follow `wanted` now. See `must_wait` for who does not ask.

    Parameters
    ----------
    headroom_kw : mapping of phase (1..3, and 0 for the whole connection) to kW, or None
        What may still be added; None: not known, so nothing may be switched on.
    """
    if wanted not in ("on", "off") or history.on == (wanted == "on"):
        return None
    if history.on is None:
        return Hindrance("the relay's state is not known yet", Until.KNOWN)
    if history.switched_s is not None:
        needed_s = rule.min_on_s if history.on else rule.min_off_s
        left_s = needed_s - (at_s - history.switched_s)
        if left_s > 0:
            return Hindrance(f"minimum {'on' if history.on else 'off'} time: {left_s:.0f} s left", Until.TIME)
    if wanted == "off":
        return None
    recent = [s for s in history.starts_s if at_s - s < 3600.0]
    if len(recent) >= rule.starts_per_h:
        return Hindrance(f"{len(recent)} starts in the last hour, limit {rule.starts_per_h}", Until.STARTS)
    return power_hindrance(rule, headroom_kw)


def power_hindrance(rule: RelayRule, headroom_kw: Mapping[int, float] | None) -> Hindrance | None:
    """What the heater lacks on its phases or on the connection."""
    if headroom_kw is None:
        return Hindrance("grid power is not known", Until.KNOWN)
    for phase, left_kw in headroom_kw.items():
        kw = rule_shares(rule).get(phase, 0.0)
        if kw > left_kw:
            where, until = ("the connection", Until.CONNECTION) if phase == 0 else (f"phase {phase}", Until.PHASE)
            return Hindrance(f"{kw:.1f} kW more than the {max(left_kw, 0.0):.1f} kW left on {where}", until)
    return None
