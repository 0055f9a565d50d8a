"""The inverter: registers, its own clock, daily slots, and the power flows that follow from them.

Time is an argument. The inverter lives on its own clock (local standard time, never daylight saving, drifting), and
slots begin only when that clock crosses their start minute.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from random import Random

from models.physics.hybrid import Flows, Priority, WorkMode, flows, work_flows
from models.twins.registers import SLOTS, WEAR_GROUPS, Holding, Slot, decode_composite, pack_time, slot_address
from models.twins.registers import unpack_time as unpack
from models.types.house import Battery, Inverter
from models.types.mode import REGULAR, Composite
from models.units import floor_percent

MODE_LAG_S = (8.0, 12.0)  # from the decision of the inverter to the change of its power flow
AFTER_EDGE = timedelta(milliseconds=1)  # beyond a clock edge, so that rounding cannot leave us just before it


@dataclass(slots=True)
class DailyMeters:
    """Energy since the inverter's midnight [kWh]."""

    import_kwh: float = 0.0
    export_kwh: float = 0.0
    load_kwh: float = 0.0
    pv_kwh: float = 0.0
    charge_kwh: float = 0.0
    discharge_kwh: float = 0.0


class InverterTwin:
    """One hybrid inverter with its battery.

    Parameters
    ----------
    inverter, battery
        As in the house file; battery None: a plain PV inverter.
    export_contract_kw : float
        What the installer set the export limit to.
    zone : tzinfo
        Of the house; the inverter's clock is its standard time.
    start : datetime
        Aware.
    random : Random
        Seeded; lags only.
    soc : float
        At the start, a fraction.
    clock_offset_s, clock_drift_s_per_day : float
        How wrong its clock is at the start, and how fast it goes.
    battery_idle : bool
        The battery neither charges nor discharges, whatever the registers say (for comparison).
    """

    def __init__(
        self,
        *,
        inverter: Inverter,
        battery: Battery | None,
        export_contract_kw: float,
        zone: tzinfo,
        start: datetime,
        random: Random,
        soc: float = 0.5,
        clock_offset_s: float = 0.0,
        clock_drift_s_per_day: float = 0.0,
        battery_idle: bool = False,
    ) -> None:
        self.inverter, self.battery, self.battery_idle = inverter, battery, battery_idle
        self.soc = soc
        self.fault = False
        self.meters = DailyMeters()
        self.flows = Flows(0.0, 0.0, 0.0, 0.0, 0.0)
        self.load_kw = 0.0  # with losses: what it reports as local load
        self.writes: dict[str, int] = dict.fromkeys(WEAR_GROUPS.values(), 0)
        self.equal_writes: dict[str, int] = dict.fromkeys(WEAR_GROUPS.values(), 0)
        self._random = random

        local = start.astimezone(zone)
        standard = (local.utcoffset() or timedelta()) - (local.dst() or timedelta())
        self._anchor = start.astimezone(UTC)
        self._anchor_clock = self._anchor.replace(tzinfo=None) + standard + timedelta(seconds=clock_offset_s)
        self._rate = 1.0 + clock_drift_s_per_day / 86400.0
        self._seen = self._anchor_clock  # its clock when it last looked at its slots

        self.registers: dict[int, int] = _factory_settings(inverter, battery, export_contract_kw)
        self._slots: dict[tuple[int, Priority], Slot] = {}  # enabled ones
        self._active: set[tuple[int, Priority]] = set()
        self.running = Priority.LOAD_FIRST
        self._target = Priority.LOAD_FIRST
        self._change_due: datetime | None = None
        self._next_event: datetime | None = None

    # -- its own clock -------------------------------------------------------------------------------------------

    def clock(self, at: datetime) -> datetime:
        """What its display shows: naive, local standard time plus error."""
        return self._anchor_clock + (at - self._anchor) * self._rate

    def set_clock(self, value: datetime, at: datetime) -> None:
        """Sets the clock; jumping over the start of a slot does not begin it."""
        self.settle(at)
        self._anchor, self._anchor_clock, self._seen = at, value, value
        self._count(Holding.CLOCK, equal=False)
        self._next_event = None

    def shift_clock(self, seconds: float, at: datetime) -> None:
        """Its clock goes wrong by so much; nobody wrote anything."""
        self.settle(at)
        wrong = self.clock(at) + timedelta(seconds=seconds)
        self._anchor, self._anchor_clock, self._seen = at, wrong, wrong
        self._next_event = None

    def _utc(self, clock: datetime) -> datetime:
        return self._anchor + (clock - self._anchor_clock) / self._rate + AFTER_EDGE

    # -- registers -----------------------------------------------------------------------------------------------

    def write(self, address: int, values: tuple[int, ...], at: datetime) -> None:
        """One write command to consecutive registers, counted as wear of its group whatever the values."""
        self.settle(at)
        old = tuple(self.registers[address + i] for i in range(len(values)))
        self._count(address, equal=old == values)
        for i, value in enumerate(values):
            self.registers[address + i] = value
        for priority in (Priority.BATTERY_FIRST, Priority.GRID_FIRST):
            for number in range(1, SLOTS + 1):
                if address == slot_address(priority, number):
                    self._load_slot(priority, number)
        self._choose(at)

    def _load_slot(self, priority: Priority, number: int) -> None:
        """A slot that was written rests until its start minute comes, also if the values were the same."""
        first, key = slot_address(priority, number), (number, priority)
        self._active.discard(key)
        self._slots.pop(key, None)
        if self.registers[first + 2] == 1:
            start, stop = unpack(self.registers[first]), unpack(self.registers[first + 1])
            self._slots[key] = Slot(start, stop, True)
        self._next_event = None

    def _count(self, address: int, *, equal: bool) -> None:
        group = WEAR_GROUPS[address]
        self.writes[group] += 1
        self.equal_writes[group] += equal

    @property
    def export_limit_kw(self) -> float:
        """Feed-in allowed by the registers; without the flag, all that the AC side can."""
        if self.registers[Holding.EXPORT_LIMIT_FLAG] != 1:
            return self.inverter.ac_limit_kw
        return self.inverter.ac_limit_kw * self.registers[Holding.EXPORT_LIMIT_VALUE] / 1000.0

    # -- slots and mode ------------------------------------------------------------------------------------------

    def settle(self, at: datetime) -> None:
        """Brings slots and mode up to `at`; call it before flows are computed from there on."""
        now = self.clock(at)
        if now.date() > self._seen.date():
            self.meters = DailyMeters()
        minute = now.hour * 60 + now.minute
        for key, slot in self._slots.items():
            begins = now.replace(hour=slot.start // 60, minute=slot.start % 60, second=0, microsecond=0)
            if self._seen < begins <= now:
                self._active.add(key)
            elif key in self._active and not slot.start <= minute < slot.stop:
                self._active.discard(key)
        self._seen = now
        self._choose(at)
        if self._change_due is not None and at >= self._change_due:
            self.running, self._change_due = self._target, None
            self._next_event = None

    def _choose(self, at: datetime) -> None:
        # the lowest slot number wins; of two with the same number battery first, because it cannot sell
        wanted = min(self._active)[1] if self._active else Priority.LOAD_FIRST
        if wanted is not self._target:
            self._target = wanted
            lag = timedelta(seconds=self._random.uniform(*MODE_LAG_S))
            self._change_due = None if wanted is self.running else at + lag
            self._next_event = None

    def next_event(self, at: datetime) -> datetime:
        """When slots, mode or daily meters change next if nobody writes: steps must not reach beyond it."""
        if self._next_event is None or self._next_event <= at:
            now = self.clock(at)
            today = now.replace(hour=0, minute=0, second=0, microsecond=0)
            edges = {24 * 60}
            for slot in self._slots.values():
                edges |= {slot.start, slot.stop, slot.start + 24 * 60}
            ahead = (today + timedelta(minutes=m) for m in edges)
            following = min(edge for edge in ahead if self._utc(edge) > at)
            self._next_event = self._utc(following)
            if self._change_due is not None and self._change_due > at:
                self._next_event = min(self._next_event, self._change_due)
        return self._next_event

    @property
    def work(self) -> WorkMode:
        """What it runs on now."""
        r = self.registers
        if self.running is Priority.BATTERY_FIRST:
            return WorkMode(
                self.running,
                stop_soc=r[Holding.BATTERY_FIRST_STOP_SOC] / 100.0,
                rate=r[Holding.BATTERY_FIRST_RATE] / 100.0,
                ac_charge=r[Holding.BATTERY_FIRST_AC_CHARGE] == 1,
            )
        if self.running is Priority.GRID_FIRST:
            stop = r[Holding.GRID_FIRST_STOP_SOC] / 100.0
            return WorkMode(self.running, stop_soc=stop, rate=r[Holding.GRID_FIRST_RATE] / 100.0)
        return WorkMode(self.running, stop_soc=r[Holding.LOAD_FIRST_STOP_SOC] / 100.0)

    @property
    def composite(self) -> Composite:
        """What it runs on now, in our words."""
        found = decode_composite(
            self.running,
            ac_charge=self.registers[Holding.BATTERY_FIRST_AC_CHARGE] == 1,
            grid_stop_percent=self.registers[Holding.GRID_FIRST_STOP_SOC],
            soc=self.soc,
        )
        assert found is not None
        return found

    # -- power ---------------------------------------------------------------------------------------------------

    def run(self, *, pv_kw: float, load_kw: float, dt_h: float, battery_c: float) -> Flows:
        """Runs for `dt_h` on constant sun and load (standby and heating included) and moves SOC and meters."""
        if self.fault:
            f = Flows(0.0, 0.0, load_kw, pv_kw, 0.0)
        elif self.battery is None or self.battery_idle:
            f = flows(
                REGULAR, pv_kw=pv_kw, load_kw=load_kw, soc=0.0, battery=None, inverter=self.inverter,
                export_limit_kw=self.export_limit_kw, dt_h=dt_h,
            )  # fmt: skip
        else:
            f = work_flows(
                self.work, pv_kw=pv_kw, load_kw=load_kw, soc=self.soc, battery=self.battery, inverter=self.inverter,
                export_limit_kw=self.export_limit_kw, dt_h=dt_h, battery_c=battery_c,
            )  # fmt: skip
            self.soc += f.battery_kw * dt_h / self.battery.capacity_kwh
        self.flows, self.load_kw = f, load_kw + f.loss_kw
        m = self.meters
        m.import_kwh += max(0.0, f.grid_kw) * dt_h
        m.export_kwh += max(0.0, -f.grid_kw) * dt_h
        m.load_kwh += self.load_kw * dt_h
        m.pv_kwh += f.pv_used_kw * dt_h
        m.charge_kwh += max(0.0, f.battery_kw) * dt_h
        m.discharge_kwh += max(0.0, -f.battery_kw) * dt_h
        return f


def _factory_settings(inverter: Inverter, battery: Battery | None, export_contract_kw: float) -> dict[int, int]:
    """As the installer left it: load first, no slot, no buying, the feed-in contract as the limit."""
    floor = 10 if battery is None else floor_percent(battery.soc_min)
    settings: dict[int, int] = {
        Holding.EXPORT_LIMIT_FLAG: 1,
        Holding.EXPORT_LIMIT_VALUE: min(1000, int(export_contract_kw / inverter.ac_limit_kw * 1000.0)),
        Holding.LOAD_FIRST_STOP_SOC: floor,
        Holding.GRID_FIRST_RATE: 100,
        Holding.GRID_FIRST_STOP_SOC: floor,
        Holding.BATTERY_FIRST_RATE: 100,
        Holding.BATTERY_FIRST_STOP_SOC: 100,
        Holding.BATTERY_FIRST_AC_CHARGE: 0,
    }
    for priority in (Priority.BATTERY_FIRST, Priority.GRID_FIRST):
        for number in range(1, SLOTS + 1):
            first = slot_address(priority, number)
            settings |= {first: pack_time(0), first + 1: pack_time(0), first + 2: 0}
    return settings
