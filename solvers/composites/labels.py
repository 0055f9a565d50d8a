"""Names runs of options with the parameters that the inverter is told: rate and stop SOC."""

from __future__ import annotations

from collections.abc import Sequence

from models.types.mode import RESTING, TRADING, Composite, InverterMode
from models.units import floor_percent
from solvers.composites.bill import Array, Heat
from solvers.composites.options import ACTIVE, OPTIONS, REST, Option, runs
from solvers.problem import PlanProblem
from solvers.replay import Plant, pinned

_FULL = 0.005  # SOC: this close to the top of the window a charge means "full"
_SELLING_KW = 0.05
NEAR_SOC = 0.031  # stop SOCs closer than this are not worth a write


class Player:
    """Plays one run of a mode through the plant."""

    def __init__(self, problem: PlanProblem, heat_kw: Array) -> None:
        self._plant, self._limits = Plant(problem), problem.export_allowed_kw
        self._load = [load + float(heat) for load, heat in zip(problem.load_kw, heat_kw, strict=True)]
        self.soc = self._plant.soc

    @staticmethod
    def after(problem: PlanProblem, heat: Heat, begun: Sequence[InverterMode]) -> Player:
        """One that has played the modes that are decided."""
        player = Player(problem, heat.total_kw)
        for start, stop in runs(begun):
            player.soc, _ = player.play(begun[start], start, stop)
        return player

    def play(self, mode: InverterMode, start: int, stop: int) -> tuple[float, float]:
        """SOC at the end of slots start .. stop-1 and the mean export over them [kW]."""
        soc, exported, held = self.soc, 0.0, pinned(mode, self.soc)
        for t in range(start, stop):
            step = self._plant.step(t, held, self._limits[t], self._load[t], soc)
            soc, exported = step.soc, exported + max(0.0, -step.grid_kw)
        return soc, exported / (stop - start)


def label(
    problem: PlanProblem, player: Player, chosen: list[int], begun: Sequence[InverterMode]
) -> tuple[InverterMode, ...]:
    """Names each run after those that are decided with the parameters it is commanded with, playing one by one."""
    modes = list[InverterMode]()
    now = begun[-1] if begun else problem.mode_now
    options = [REST] * len(begun) + chosen
    t = len(begun)
    while t < len(options):
        first, active = options[t], _run_end(options, t)
        option, begins = OPTIONS[first], t == len(begun)
        mode = InverterMode(composite=option.composite, rate=option.rate)
        goes_on = _going_on(problem, now, first, t, player.soc) if begins else None
        end = active
        if first in ACTIVE or (goes_on is not None and goes_on.composite in TRADING):
            # Resting after it is its stop SOC reached; where prices are unknown it is a plain hold.
            end = t if goes_on is not None else active
            while end < len(options) and options[end] == REST and problem.price_known[end]:
                end += 1
        if goes_on is not None:
            mode = goes_on
        elif first in ACTIVE:
            reached, _ = player.play(mode, t, active)
            stop_soc = _stop_soc(problem, option, player.soc, reached)
            mode = InverterMode(composite=option.composite, rate=option.rate, stop_soc=stop_soc)
            mode = _settled(now, mode, player.soc) if begins else mode
        elif first == REST and player.play(mode, t, end)[1] > _SELLING_KW:
            mode = InverterMode(composite=Composite.SELL_PRODUCTION)
        player.soc, _ = player.play(mode, t, end)
        modes += [mode] * (end - t)
        t = end
    return tuple(modes)


def _going_on(problem: PlanProblem, now: InverterMode | None, first: int, t: int, soc: float) -> InverterMode | None:
    """A rest at the start that is no new mode: a hold or sale goes on, a charge or discharge stops where it is."""
    if now is None or first != REST or now.composite is Composite.REGULAR:
        return None
    if now.composite in RESTING:
        rests = InverterMode(composite=now.composite)
        return now if t and now.stop_soc in (None, pinned(rests, soc).stop_soc) else rests
    if not problem.price_known[t]:
        return None
    stop_soc = _stop_soc(problem, Option(now.composite, now.rate), soc, soc)
    return InverterMode(composite=now.composite, rate=now.rate, stop_soc=stop_soc)


def _settled(now: InverterMode | None, mode: InverterMode, soc: float) -> InverterMode:
    """Keeps the stop SOC that is written already when the new one is hardly another: each write wears the memory."""
    if now is None or now.composite is not mode.composite or now.stop_soc is None or mode.stop_soc is None:
        return mode
    ahead = now.stop_soc > soc if mode.composite is Composite.CHARGE_FROM_GRID else now.stop_soc < soc
    if ahead and abs(now.stop_soc - mode.stop_soc) <= NEAR_SOC and (now.rate or 1.0) == mode.rate:
        return now
    return mode


def _run_end(options: list[int], start: int) -> int:
    end = start + 1
    while end < len(options) and options[end] == options[start]:
        end += 1
    return end


def _stop_soc(problem: PlanProblem, option: Option, soc: float, reached: float) -> float:
    """Whole percent that ends a run: never buys or sells more than was planned."""
    b = problem.battery
    assert b is not None
    if option.composite is Composite.CHARGE_FROM_GRID:
        if reached >= b.soc_max - _FULL:
            return b.soc_max
        return max(floor_percent(reached), floor_percent(soc)) / 100.0
    return max(b.soc_min, -floor_percent(-reached) / 100.0)
