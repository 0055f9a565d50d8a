"""One planning problem: everything a plan may depend on, as plain numbers. Series have one value per slot.

Sides and signs: `pv_kw` is DC power available; battery powers are at the terminals (SOC moves by power x dt /
capacity); AC power for charging from the grid is `charge / eff_charge_ac`, from PV `charge / eff_charge_pv` DC; AC
power from discharging is `discharge * eff_discharge`. `load_kw` is base load and standby, without heating.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from models.types.mode import RESTING, Composite, InverterMode


@dataclass(frozen=True, slots=True, kw_only=True)
class BatteryProblem:
    """The battery as the planner sees it."""

    capacity_kwh: float
    soc: float  # now
    soc_min: float
    soc_max: float
    charge_kw: float  # terminal side
    discharge_kw: float  # terminal side
    eff_charge_pv: float
    eff_charge_ac: float
    eff_discharge: float
    wear_eur_per_kwh: float = 0.0  # per kWh discharged at the terminals
    deep_below_soc: float = 0.0  # deep cycles wear more: what is drawn from below here ...
    wear_deep_eur_per_kwh: float = 0.0  # ... costs this much per kWh on top
    soc_final: float | None = None  # at least, at the end (planning cases); None: valued instead
    taper_above_soc: float = 1.0  # charging power falls linearly from here to taper_end_share at SOC 1
    taper_end_share: float = 1.0
    reserve_soc: float | None = None  # soft: bent at a price
    full_by_slot: int | None = None  # balancing charge: SOC must have reached soc_max by the end of this slot (soft)
    composites: bool = True  # False: a planning case, charge and discharge freely
    battery_first_draw_kw: float = 0.0  # drawn from the grid in battery first below its stop SOC with the AC flag off


    def deep_kwh(self, before: float, after: float) -> float:
        """What was drawn from the deep part of the battery between two SOCs [kWh]."""
        return self.capacity_kwh * max(0.0, min(before, self.deep_below_soc) - min(after, self.deep_below_soc))


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomProblem:
    """One room: air and slab, heater in the slab. Temperatures in degC, powers in kW."""

    name: str
    heater_kw: float
    air_kwh_per_k: float
    slab_kwh_per_k: float
    slab_air_kw_per_k: float
    ua_kw_per_k: float
    neighbours: tuple[tuple[int, float], ...]  # (index into rooms, kW/K)
    air_c: float  # observed now
    slab_c: float
    disturbance_kw: float  # what the observer found the model lacks; constant over the horizon
    sun_kw: tuple[float, ...]  # window gain into the air
    lower_c: tuple[float, ...]  # band at the END of each slot, back-off included
    upper_c: tuple[float, ...]
    phase: int = 0  # 0: all three
    relay_on: bool = False  # now
    forced_slots: int = 0  # so many slots from the start on are not ours to heat (override, trip) ...
    forced_duty: float = 0.0  # ... and run at this duty

    def duty_bounds(self, t: int) -> tuple[float, float]:
        """Least and most duty that may be planned in slot `t`."""
        return (self.forced_duty, self.forced_duty) if t < self.forced_slots else (0.0, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PeakPrice:
    """What importing more than ever before costs, beside the energy: a tariff on power."""

    eur_per_kw: float
    measured_kw: float = 0.0  # highest import so far (`once`), or what is free in each slot
    once: bool = True  # False: every slot above `measured_kw` pays for itself

    def cost_eur(self, import_kw: Sequence[float]) -> float:
        """What a series of slot means adds to the bill."""
        above = [max(0.0, kw - self.measured_kw) for kw in import_kw]
        return self.eur_per_kw * (max(above, default=0.0) if self.once else sum(above))


@dataclass(frozen=True, slots=True, kw_only=True)
class Commitment:
    """What the last plan would do now, and what keeping to it may cost against the best that is known now."""

    modes: tuple[InverterMode, ...]  # from slot 0 on
    at_most_eur: float  # this time
    left_eur: float  # of what may be given for calm today


@dataclass(frozen=True, slots=True, kw_only=True)
class CalmPrices:
    """What it costs, in EUR, to be restless. Keeps a plan from flapping on noise."""

    mode_change_eur: float = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanProblem:
    """The house over one horizon."""

    id: str
    issued: datetime  # aware UTC
    start: datetime  # start of slot 0, aware UTC
    dt_h: float
    price_import: tuple[float, ...]  # EUR/kWh at the meter; stand-ins where price_known is False
    price_export: tuple[float, ...]
    price_known: tuple[bool, ...]
    pv_kw: tuple[float, ...]  # DC available, all arrays
    load_kw: tuple[float, ...]
    outdoor_c: tuple[float, ...]
    import_limit_kw: float
    export_limit_kw: float
    ac_limit_kw: float = 1e3  # inverter AC output
    pv_curtailable: bool = True
    battery: BatteryProblem | None = None
    rooms: tuple[RoomProblem, ...] = ()
    phase_limit_kw: float | None = None  # per phase; None: not checked
    import_limits_kw: tuple[float, ...] = ()  # per slot, at most import_limit_kw (operator's limits); empty: that one
    peak: PeakPrice | None = None
    mode_now: InverterMode | None = None
    mode_held_slots: int = 0  # how long the present composite has run
    mode_forced_slots: int = 0  # so many slots from the start on `mode_now` is not ours to change (a person's wish)
    commitment: Commitment | None = None
    min_mode_slots: int = 4  # composites are held at least this long
    calm: CalmPrices = field(default_factory=CalmPrices)
    soc_end_value_eur_per_kwh: float | None = None  # None: the planner derives it from the prices
    heat_end_value_eur_per_kwh: float | None = None
    comfort_eur_per_kh: float = 2.0  # below the band; scaled to the prices at hand by the planner
    scale_prices: tuple[float, ...] = ()  # import prices that penalties are scaled to; empty: those of the problem
    timezone: str = "UTC"  # of the house: careful owners think in local days

    @property
    def steps(self) -> int:
        return len(self.price_import)

    def import_allowed_kw(self, t: int) -> float:
        """The limit at the connection in slot `t`, the operator's included."""
        return min(self.import_limit_kw, self.import_limits_kw[t]) if self.import_limits_kw else self.import_limit_kw

    @property
    def forced_modes(self) -> tuple[InverterMode, ...]:
        """Modes of the first slots that are not a plan's to choose."""
        if self.mode_now is None or self.battery is None or self.free:
            return ()
        return (self.mode_now,) * min(self.mode_forced_slots, self.steps)

    def may_charge_from_grid(self, t: int) -> bool:
        """No plan buys for the battery at a price that is not known; a mode that a person holds may."""
        if self.price_known[t] or self.free or self.battery is None:
            return True
        if t >= len(self.forced_modes) or self.mode_now is None:
            return False
        draws = self.mode_now.composite in RESTING and self.battery.battery_first_draw_kw > 0.0
        return draws or self.mode_now.composite is Composite.CHARGE_FROM_GRID

    @property
    def free(self) -> bool:
        """A planning case: powers are chosen freely, no composites, no house rule against exporting at a loss."""
        return self.battery is not None and not self.battery.composites

    @property
    def export_allowed_kw(self) -> tuple[float, ...]:
        """Feed-in allowed per slot: none where it costs (by a known price or its stand-in), else the contract."""
        if self.free or not self.pv_curtailable:
            return (self.export_limit_kw,) * self.steps
        return tuple(0.0 if p < 0.0 else self.export_limit_kw for p in self.price_export)
