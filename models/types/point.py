"""A point: one thing that can be commanded, with everything the gate must know about it."""

from __future__ import annotations

from dataclasses import dataclass

from models.types.command import Value
from models.types.mode import Composite


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberRange:
    """Numbers in [low, high]; others are clamped into it."""

    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """One of these words; others are refused."""

    allowed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Modes:
    """Composites with their parameters; numbers inside are clamped, unknown composites refused."""

    allowed: tuple[Composite, ...]
    soc_min: float
    soc_max: float


Envelope = NumberRange | Words | Modes


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayRule:
    """What a heating relay may do and what it draws."""

    heater_kw: float
    phase: int  # 0: all three
    min_on_s: float
    min_off_s: float
    starts_per_h: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PointSpec:
    """One row of the table of points."""

    name: str
    device: str  # path of the device actor that writes it
    envelope: Envelope
    default: Value | None  # None: nothing is commanded, the device has a mind of its own
    trip: dict[str, Value | None]  # by kind of trip; "" for every other kind
    emergency: Value | None  # level 1
    requires: tuple[str, ...] = ()  # signals that must be fresh for levels 10 and below
    relay: RelayRule | None = None
    heats: str = ""  # the relay that a thermostat switches by this setpoint
    unit: str = ""

    def trip_value(self, kind: str) -> Value | None:
        """The safe value of this point under a trip of that kind."""
        return self.trip.get(kind, self.trip[""])
