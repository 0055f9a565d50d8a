"""Plays a plan's modes in the inverter twin, through the driver's registers and the gateway's delays.

What the plan holds over a slot (load, heating, sun) is held here too, in steps of a minute or less: what differs from
the plan is then what the inverter does otherwise than planned, and how late it does it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

from actors.devices.growatt import Registers, Target, export_writes, mode_writes, parse_telemetry, target_of
from models.physics.hybrid import Flows, flows
from models.twins.gateway import GatewayTwin
from models.twins.inverter import InverterTwin
from models.twins.telemetry import telemetry
from models.types.mode import Composite, InverterMode
from models.types.reading import InverterReading
from solvers.problem import BatteryProblem, PlanProblem
from solvers.replay import battery_of, inverter_of, pinned
from solvers.result import PlanResult
from solvers.tiers import tiers

MINUTE = timedelta(minutes=1)
PACE = timedelta(seconds=1)  # between two writes of the driver
WARM_C = 25.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What came of a plan: mean powers per slot [kW], SOC at the end of each, money for energy and wear."""

    battery_kw: tuple[float, ...]  # > 0 charging
    grid_kw: tuple[float, ...]  # > 0 importing
    soc: tuple[float, ...]
    cost_eur: float
    writes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Played less planned."""

    battery_kw: tuple[float, ...]
    grid_kw: tuple[float, ...]
    cost_eur: float  # what is left in the battery counted at its value to the plan

    @property
    def rms_kw(self) -> float:
        """Over battery and grid power of all slots."""
        return rms((*self.battery_kw, *self.grid_kw))


def rms(values: Sequence[float]) -> float:
    """Root of the mean square; 0 of nothing."""
    return math.sqrt(sum(v * v for v in values) / len(values)) if values else 0.0


def difference(problem: PlanProblem, result: PlanResult, played: Played) -> Difference:
    """How far the playing of a plan is from it."""
    b = _battery(problem)
    planned = [c - d for c, d in zip(result.charge_kw, result.discharge_kw, strict=True)]
    grid = [i - e for i, e in zip(result.import_kw, result.export_kw, strict=True)]
    left_kwh = b.capacity_kwh * (played.soc[-1] - result.soc[-1])
    power_eur = 0.0 if problem.peak is None else problem.peak.cost_eur(result.import_kw)
    return Difference(
        battery_kw=tuple(p - q for p, q in zip(played.battery_kw, planned, strict=True)),
        grid_kw=tuple(p - q for p, q in zip(played.grid_kw, grid, strict=True)),
        cost_eur=played.cost_eur - (result.cost_eur - power_eur) - tiers(problem).soc_end_eur_per_kwh * left_kwh,
    )


def play(problem: PlanProblem, result: PlanResult, *, ahead_min: int = 0, seed: int = 1) -> Played:
    """Commands each run of the plan when it begins, as the house does, and lets the twin run.

    Parameters
    ----------
    problem : PlanProblem
        With a battery; the twin starts at its SOC, in load first, on a clock that is right.
    result : PlanResult
        A plan of it.
    ahead_min : int
        Commands a run so many minutes before it begins, what slots of the inverter allow; load first has no slot.
    seed : int
        Of the delays: of the gateway's answers and of the inverter's change of mode.
    """
    house = _Registers(problem, seed)
    book = _Book(problem)
    slot, runs = timedelta(hours=problem.dt_h), list(_runs(result.modes))
    for t in range(problem.steps):
        end = problem.start + slot * (t + 1)
        house.export_limit_kw = result.export_limit_kw[t]
        load_kw = load_with_heating(problem, result, t)
        while house.now < end:
            if runs and house.now >= _due(problem.start + slot * runs[0].start, runs[0].mode, ahead_min):
                run = runs.pop(0)
                house.adopt(run.mode, problem.start + slot * run.end)
            house.command()
            for f, dt_h in house.run(min(end, house.now + MINUTE), problem.pv_kw[t], load_kw):
                book.enter(t, f, dt_h, house.inverter.soc)
        book.close(house.inverter.soc)
    return book.played(house.writes)


def play_exactly(problem: PlanProblem, result: PlanResult) -> Played:
    """The same in the plan's own physics, only in minutes: no registers, no whole percent, no delay."""
    battery, inverter = battery_of(_battery(problem)), inverter_of(problem)
    book, soc, held = _Book(problem), _battery(problem).soc, result.modes[0]
    minutes = round(problem.dt_h * 60.0)
    begin = {run.start for run in _runs(result.modes)}
    for t, mode in enumerate(result.modes):
        held = pinned(mode, soc) if t in begin else held
        for _ in range(minutes):
            f = flows(
                held,
                pv_kw=problem.pv_kw[t],
                load_kw=load_with_heating(problem, result, t),
                soc=soc,
                battery=battery,
                inverter=inverter,
                export_limit_kw=result.export_limit_kw[t],
                dt_h=problem.dt_h / minutes,
            )
            soc += f.battery_kw * problem.dt_h / minutes / battery.capacity_kwh
            book.enter(t, f, problem.dt_h / minutes, soc)
        book.close(soc)
    return book.played(0)


def load_with_heating(problem: PlanProblem, result: PlanResult, t: int) -> float:
    """AC load of a slot as planned [kW]."""
    return problem.load_kw[t] + sum(r.heater_kw * d[t] for r, d in zip(problem.rooms, result.duty, strict=True))


@dataclass(frozen=True, slots=True)
class _Run:
    """Slots [start, end) of one mode."""

    mode: InverterMode
    start: int
    end: int


def _runs(modes: Sequence[InverterMode]) -> Iterator[_Run]:
    start = 0
    for t in range(1, len(modes) + 1):
        if t == len(modes) or modes[t] != modes[start]:
            yield _Run(modes[start], start, t)
            start = t


def _due(begins: datetime, mode: InverterMode, ahead_min: int) -> datetime:
    """When a run is commanded: load first is the end of a slot, and comes by itself at once."""
    return begins - (timedelta() if mode.composite is Composite.REGULAR else ahead_min * MINUTE)


def _battery(problem: PlanProblem) -> BatteryProblem:
    assert problem.battery is not None
    return problem.battery


class _Book:
    """Adds up what flows."""

    def __init__(self, problem: PlanProblem) -> None:
        self._p, self._b = problem, _battery(problem)
        self._battery_kwh = [0.0] * problem.steps
        self._grid_kwh = [0.0] * problem.steps
        self._soc: list[float] = []
        self._cost_eur = 0.0

    def enter(self, t: int, f: Flows, dt_h: float, soc: float) -> None:
        """What flowed for `dt_h` of slot `t`, and the SOC it led to."""
        b, moved_kwh = self._b, f.battery_kw * dt_h
        self._battery_kwh[t] += moved_kwh
        self._grid_kwh[t] += f.grid_kw * dt_h
        price = self._p.price_import[t] if f.grid_kw > 0.0 else self._p.price_export[t]
        self._cost_eur += price * f.grid_kw * dt_h + b.wear_eur_per_kwh * max(0.0, -moved_kwh)
        self._cost_eur += b.wear_deep_eur_per_kwh * b.deep_kwh(soc - moved_kwh / b.capacity_kwh, soc)

    def close(self, soc: float) -> None:
        self._soc.append(soc)

    def played(self, writes: int) -> Played:
        dt_h = self._p.dt_h
        return Played(
            battery_kw=tuple(kwh / dt_h for kwh in self._battery_kwh),
            grid_kw=tuple(kwh / dt_h for kwh in self._grid_kwh),
            soc=tuple(self._soc),
            cost_eur=self._cost_eur,
            writes=writes,
        )


class _Registers:
    """The twin behind its gateway, commanded by the driver's own rules."""

    def __init__(self, problem: PlanProblem, seed: int) -> None:
        random = Random(seed)
        self.inverter = InverterTwin(
            inverter=inverter_of(problem),
            battery=battery_of(_battery(problem)),
            export_contract_kw=problem.export_limit_kw,
            zone=ZoneInfo(problem.timezone),
            start=problem.start,
            random=random,
            soc=_battery(problem).soc,
        )
        self._gateway = GatewayTwin(self.inverter, random=random)
        self._contract_kw, self._rated_kw = problem.export_limit_kw, problem.ac_limit_kw
        self._target: Target | None = None
        self._until = problem.start
        self._read: dict[tuple[int, ...], Registers] = {}
        self.now = problem.start
        self.export_limit_kw = problem.export_limit_kw

    @property
    def writes(self) -> int:
        return sum(self.inverter.writes.values())

    def adopt(self, mode: InverterMode, until: datetime) -> None:
        """A run begins: its registers are those of the SOC that telemetry shows now."""
        self._target, self._until = target_of(mode, self._telemetry()[1].soc), until

    def command(self) -> None:
        """Sends what must still be written, unless commands are on their way."""
        if self._gateway.next_due() is not None:
            return
        assert self._target is not None
        live = self._settings()
        clock, until = self.inverter.clock(self.now), self.inverter.clock(self._until)
        writes = mode_writes(self._target, until, clock, live)
        writes += export_writes(self.export_limit_kw, self._contract_kw, self._rated_kw, live)
        for i, write in enumerate(writes):
            self._gateway.receive(write.command, json.dumps(dict(write.body)).encode(), self.now + i * PACE)

    def run(self, until: datetime, pv_kw: float, load_kw: float) -> Iterator[tuple[Flows, float]]:
        """Flows up to `until`, broken where a command arrives or the inverter changes what it does."""
        while self.now < until:
            due = self._gateway.next_due()
            step = min(until, self.inverter.next_event(self.now), due if due is not None else until)
            dt_h = (step - self.now).total_seconds() / 3600.0
            if dt_h > 0.0:
                yield self.inverter.run(pv_kw=pv_kw, load_kw=load_kw, dt_h=dt_h, battery_c=WARM_C), dt_h
            self.now = step
            self.inverter.settle(step)
            self._gateway.answers(step)

    def _settings(self) -> Registers:
        """As one message of telemetry shows them; the same are not read twice."""
        raw = (int(self.inverter.running), *self.inverter.registers.values())
        if raw not in self._read:
            self._read[raw] = self._telemetry()[0]
        return self._read[raw]

    def _telemetry(self) -> tuple[Registers, InverterReading]:
        said = telemetry(self.inverter, (0.0, 0.0), (1.0, 1.0), at=self.now, battery_c=WARM_C)
        reading, registers = parse_telemetry(json.dumps(said).encode(), self.now)
        assert registers is not None
        return registers, reading
