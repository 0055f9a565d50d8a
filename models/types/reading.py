"""What devices reported. Facts: never edited, only superseded. None means "not reported", never 0, -1 or NaN."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from models.types.mode import Composite, InverterMode


@dataclass(frozen=True, slots=True, kw_only=True)
class InverterReading:
    """One telemetry message of the hybrid inverter, in our units and signs."""

    measured_at: datetime  # aware UTC: when it reached us (the inverter's own clock drifts)
    online: bool
    fault: bool
    soc: float | None  # fraction 0..1
    pv_kw: float | None  # DC input of both arrays, >= 0
    battery_kw: float | None  # at the terminals; > 0 charging
    grid_kw: float | None  # > 0 importing
    load_kw: float | None  # what the inverter calls local load: base load, heating, standby and its losses
    battery_c: float | None = None
    import_today_kwh: float | None = None  # daily meters, reset at the inverter's midnight
    export_today_kwh: float | None = None
    composite: Composite | None = None  # as read back from its registers; None: not one of ours
    stop_soc: float | None = None  # with which a charge or a sale runs; None: neither runs
    rate: float | None = None
    inverter_clock: datetime | None = None  # its own clock, zone-less as it reports it, taken as local standard time

    @property
    def mode(self) -> InverterMode | None:
        """The composite with its parameters, as read back; None: not known."""
        if self.composite is None:
            return None
        return InverterMode(composite=self.composite, stop_soc=self.stop_soc, rate=self.rate)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomReading:
    """One room as Loxone reports it."""

    measured_at: datetime
    air_c: float | None
    relay_on: bool | None
    automatic: bool | None  # True: Loxone's own thermostat decides
    setpoint_c: float | None = None
    slab_c: float | None = None  # only where a floor sensor exists


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomsReading:
    """All rooms at one instant."""

    measured_at: datetime
    rooms: Mapping[str, RoomReading]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterReading:
    """Power at the grid connection; import > 0."""

    measured_at: datetime
    grid_kw: float
    import_kwh: float | None = None  # running totals since start, None until two daily meters were seen
    export_kwh: float | None = None
