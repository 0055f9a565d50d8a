"""What really happened in the house, for evidence: never shown to what controls it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from models.types.mode import Composite


@dataclass(slots=True)
class EnergyMeters:
    """Running totals since the start [kWh].

    import_kwh - export_kwh == load_kwh + heating_kwh + charge_kwh - discharge_kwh - pv_used_kwh
    """

    pv_used_kwh: float = 0.0
    pv_available_kwh: float = 0.0
    load_kwh: float = 0.0  # base load, standby and the losses of charging and discharging
    heating_kwh: float = 0.0
    charge_kwh: float = 0.0
    discharge_kwh: float = 0.0
    import_kwh: float = 0.0
    export_kwh: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomTruth:
    """One room now, and its heating so far."""

    name: str
    air_c: float
    slab_c: float
    relay_on: bool
    on_h: float  # hours that the relay was on since the start
    switches: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TwinTruth:
    """The house at one instant; a copy, it does not change afterwards."""

    at: datetime
    soc: float | None  # None: no battery
    composite: Composite
    rooms: tuple[RoomTruth, ...]
    meters: EnergyMeters
    phase_import_kw: tuple[float, ...]  # now, one per phase; negative: exporting
    grid_kw: float  # mean of the last step
    battery_kw: float
    pv_used_kw: float
    pv_available_kw: float
    load_kw: float
    heating_kw: float
    setting_writes: dict[str, int] = field(default_factory=dict)  # by register group
    equal_writes: dict[str, int] = field(default_factory=dict)
