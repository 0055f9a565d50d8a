"""A hundred plans of the demo house played in the twin of its inverter, and how far that is from what was planned.

Each plan is played twice. In the plan's own physics by the minute: what remains is what happens within a slot. And
through the driver's registers, the gateway and the inverter's clock: that adds how late and how exactly a mode is
commanded. Load, heating and sun are as planned in both, so weather and people have no part in it.
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from solvers.pyomo_highs import PyomoHighs
from solvers.result import PlanResult
from tests.bench.replanning import Row
from tests.solvers.houses import demo_house
from tests.solvers.replaying import Difference, difference, play, play_exactly, rms

PLANS = 50  # of each season
APART = 7  # quarter hours from one plan to the next: every hour of the day is a start
AFTER_EDGE = 2  # slots from the beginning of a run in which its lateness shows


@dataclass(frozen=True, slots=True)
class Compared:
    """One plan: what comes of it within its slots, and through registers."""

    result: PlanResult
    slots: Difference
    registers: Difference
    writes: int

    @property
    def late_kw(self) -> list[float]:
        """What registers add where a run has just begun."""
        return [kw for t, kw in self._added() if self._edge(t)]

    @property
    def other_kw(self) -> list[float]:
        """What they add elsewhere: slots of the inverter that are renewed or end at midnight, and stop SOCs."""
        return [kw for t, kw in self._added() if not self._edge(t)]

    def _added(self) -> Iterator[tuple[int, float]]:
        for t, (a, b) in enumerate(zip(self.registers.battery_kw, self.slots.battery_kw, strict=True)):
            yield t, a - b

    def _edge(self, t: int) -> bool:
        modes = self.result.modes
        return any(i == 0 or modes[i] != modes[i - 1] for i in range(max(0, t - AFTER_EDGE + 1), t + 1))


def compared(season: str, plans: int) -> list[Compared]:
    """Plans from any hour and any SOC, each played."""
    planner, rnd = PyomoHighs(), random.Random(season)
    found = []
    for k in range(plans):
        problem = demo_house(k * APART, season=season)
        assert problem.battery is not None
        problem = replace(problem, battery=replace(problem.battery, soc=round(rnd.uniform(0.2, 1.0), 3)))
        result = planner.solve(problem, time_limit_s=math.inf)
        played = play(problem, result, seed=k)
        found.append(
            Compared(
                result=result,
                slots=difference(problem, result, play_exactly(problem, result)),
                registers=difference(problem, result, played),
                writes=played.writes,
            )
        )
    return found


def season_rows(season: str, plans: Sequence[Compared]) -> list[Row]:
    """What was found in one season."""
    name = f"{season}, {len(plans)} plans of 48 h"
    registers = [p.registers for p in plans]
    worst = max(d.rms_kw for d in registers)
    late, other = (rms([kw for p in plans for kw in getattr(p, part)]) for part in ("late_kw", "other_kw"))
    return [
        (f"{name}: played less planned, RMS over slots, battery and grid", _rms(registers), "kW", "", True),
        (f"{name}: the same, worst plan", worst, "kW", "", True),
        (f"{name}: the same, within slots alone", _rms([p.slots for p in plans]), "kW", "", True),
        (f"{name}: added by registers in the first half hour of a run", late, "kW", "", True),
        (f"{name}: added by registers elsewhere (renewals, midnight)", other, "kW", "", True),
        *_cost_rows(name, plans),
        (f"{name}: settings written a day", statistics.mean(p.writes for p in plans) / 2.0, "", "", True),
    ]


def _cost_rows(name: str, plans: Sequence[Compared]) -> list[Row]:
    registers = [p.registers.cost_eur for p in plans]
    within = statistics.mean(p.slots.cost_eur for p in plans)
    planned = statistics.mean(p.result.cost_eur for p in plans)
    return [
        (f"{name}: cost played less planned, mean", statistics.mean(registers), "EUR", "", True),
        (f"{name}: the same, worst", max(registers, key=abs), "EUR", "", True),
        (f"{name}: the same, within slots alone, mean", within, "EUR", "", True),
        (f"{name}: mean cost of what was planned", planned, "EUR", "", True),
    ]


def _rms(differences: Sequence[Difference]) -> float:
    return rms([d.rms_kw for d in differences])


def run() -> list[Row]:
    """Figures of a replay in the twin."""
    return [row for season in ("winter", "spring") for row in season_rows(season, compared(season, PLANS))]


if __name__ == "__main__":
    for row in run():
        print(f"{row[0]:90} {row[1]:8.3f} {row[2]:5} {row[3]:14} {'ok' if row[4] else 'MISSED'}")
