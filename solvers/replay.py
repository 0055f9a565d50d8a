"""What a plan's decisions do to the house: modes, export limits and heating duties played through the known physics.

Pure Python, no solver and nothing of `solvers.model`: rules plan with it, and the checker judges with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models.physics.hybrid import flows
from models.types.house import Battery, Inverter
from models.types.mode import RESTING, InverterMode
from models.units import floor_percent
from solvers.problem import BatteryProblem, PlanProblem
from solvers.thermal import Rooms

_NO_LIMIT_KW = 1e6

Series = tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trajectory:
    """Everything that follows from the decisions, per slot; temperatures per room and slot, at the end of the slot."""

    charge_kw: Series  # terminals
    discharge_kw: Series
    soc: Series
    import_kw: Series
    export_kw: Series
    pv_used_kw: Series
    curtailed_kw: Series
    air_c: tuple[Series, ...]
    slab_c: tuple[Series, ...]


def inverter_of(problem: PlanProblem) -> Inverter:
    """The inverter that the problem describes, in the words of the physics. Ranges were checked when it was made."""
    b = problem.battery
    if b is None:
        return Inverter.model_construct(ac_limit_kw=problem.ac_limit_kw, standby_kw=0.0)
    return Inverter.model_construct(
        ac_limit_kw=problem.ac_limit_kw,
        standby_kw=0.0,  # in load_kw already
        eff_charge_pv=b.eff_charge_pv,
        eff_charge_ac=b.eff_charge_ac,
        eff_discharge=b.eff_discharge,
        battery_first_draw_kw=b.battery_first_draw_kw,
    )


def battery_of(battery: BatteryProblem) -> Battery:
    """The battery that the problem describes, in the words of the physics."""
    return Battery.model_construct(
        capacity_kwh=battery.capacity_kwh,
        soc_min=battery.soc_min,
        soc_max=battery.soc_max,
        charge_kw=battery.charge_kw,
        discharge_kw=battery.discharge_kw,
        taper_above_soc=battery.taper_above_soc,
        taper_end_share=battery.taper_end_share,
        wear_eur_per_kwh=battery.wear_eur_per_kwh,
    )


class Plant:
    """The electrical side of one problem: steps the SOC from one slot to the next."""

    def __init__(self, problem: PlanProblem) -> None:
        self._problem = problem
        self._inverter = inverter_of(problem)
        self._battery = None if problem.battery is None else battery_of(problem.battery)
        self.soc = 0.0 if problem.battery is None else problem.battery.soc

    def step(self, slot: int, mode: InverterMode, export_limit_kw: float, load_kw: float, soc: float) -> PlantStep:
        """Flows of one slot from a given SOC. A house without battery keeps SOC 0."""
        p = self._problem
        limit = export_limit_kw if p.pv_curtailable else _NO_LIMIT_KW
        f = flows(
            mode,
            pv_kw=p.pv_kw[slot],
            load_kw=load_kw,
            soc=soc,
            battery=self._battery,
            inverter=self._inverter,
            export_limit_kw=limit,
            dt_h=p.dt_h,
        )
        if self._battery is not None:
            soc += f.battery_kw * p.dt_h / self._battery.capacity_kwh
        return PlantStep(f.battery_kw, f.grid_kw, f.pv_used_kw, f.curtailed_kw, soc)


@dataclass(frozen=True, slots=True)
class PlantStep:
    """One slot of the electrical side; SOC at its end."""

    battery_kw: float
    grid_kw: float
    pv_used_kw: float
    curtailed_kw: float
    soc: float


def pinned(mode: InverterMode, soc: float) -> InverterMode:
    """The mode as its registers hold it through a run that began at this SOC: an open stop SOC is fixed there."""
    if mode.stop_soc is None and mode.composite in RESTING:
        return InverterMode(composite=mode.composite, stop_soc=floor_percent(soc) / 100.0, rate=mode.rate)
    return mode


def replay(
    problem: PlanProblem,
    modes: Sequence[InverterMode],
    export_limit_kw: Sequence[float],
    duty: Sequence[Sequence[float]],
) -> Trajectory:
    """Plays decisions through the house.

    Parameters
    ----------
    problem : PlanProblem
        The house, its state and what is forecast.
    modes, export_limit_kw : sequence, one per slot
        What the inverter is told; equal neighbours are one run.
    duty : sequence of sequences, one per room, each one per slot
        Share of the slot that the heater is on.
    """
    plant, rooms = Plant(problem), Rooms(problem)
    steps: list[PlantStep] = []
    air: list[list[float]] = []
    slab: list[list[float]] = []
    soc = plant.soc
    running: InverterMode | None = None
    held: InverterMode = modes[0]
    for t, mode in enumerate(modes):
        if mode != running:
            running, held = mode, pinned(mode, soc)
        now = [d[t] for d in duty]
        load = problem.load_kw[t] + sum(r.heater_kw * d for r, d in zip(problem.rooms, now, strict=True))
        step = plant.step(t, held, export_limit_kw[t], load, soc)
        soc = step.soc
        steps.append(step)
        rooms.advance(t, now)
        air.append(rooms.air_c)
        slab.append(rooms.slab_c)
    return Trajectory(
        charge_kw=tuple(max(0.0, s.battery_kw) for s in steps),
        discharge_kw=tuple(max(0.0, -s.battery_kw) for s in steps),
        soc=tuple(s.soc for s in steps) if problem.battery is not None else (),
        import_kw=tuple(max(0.0, s.grid_kw) for s in steps),
        export_kw=tuple(max(0.0, -s.grid_kw) for s in steps),
        pv_used_kw=tuple(s.pv_used_kw for s in steps),
        curtailed_kw=tuple(s.curtailed_kw for s in steps),
        air_c=tuple(zip(*air, strict=True)),
        slab_c=tuple(zip(*slab, strict=True)),
    )
