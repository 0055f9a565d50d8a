"""What an answer to "why" and to "what would it cost" takes, asked of the model that has just planned."""

from __future__ import annotations

import math
import statistics
from datetime import timedelta

from solvers.composites.options import runs
from solvers.explain.explainer import Explainer
from solvers.explain.marginal import marginal_table
from solvers.model.frame import shape_of
from solvers.model.kept import KeptModel, Limits
from solvers.problem import PlanProblem
from solvers.pyomo_highs import PyomoHighs
from solvers.result import PlanResult
from tests.bench.replanning import RE_PLANS, Row, timed
from tests.solvers.houses import demo_house

_CARD_S, _TABLE_S = 0.3, 2.0
_TABLES = 3  # of a few seconds each


def season_rows(season: str) -> list[Row]:
    """Cards of the plans of one morning, and the tables of some of them."""
    planner = PyomoHighs()
    asked = [(p, planner.solve(p, time_limit_s=math.inf)) for p in (demo_house(n, season=season) for n in range(3))]
    model = KeptModel(shape_of(asked[-1][0]))
    model.solve(asked[-1][0], Limits())
    cards = [timed(lambda t=t: _card(model, *asked[-1], t))[1] for t in _switches(asked[-1][1])]  # type: ignore[misc]
    tables = [timed(lambda p=p: marginal_table(model, p, Limits()))[1] for p, _ in asked[:_TABLES]]  # type: ignore[misc]
    card, table = (statistics.median(t.wall_s for t in took) for took in (cards, tables))
    name = f"{season}, 48 h at 15 min, 17 rooms"
    return [
        (f"{name}: one decision card, median of {len(cards)}", card, "s", f"<= {_CARD_S:g}", card <= _CARD_S),
        (f"{name}: the same, of the processor", statistics.median(t.cpu_s for t in cards), "CPU s", "", True),
        (f"{name}: marginal table of 48 h", table, "s", f"<= {_TABLE_S:g}", table <= _TABLE_S),
        (f"{name}: the same, of the processor", statistics.median(t.cpu_s for t in tables), "CPU s", "", True),
    ]


def _card(model: KeptModel, problem: PlanProblem, result: PlanResult, slot: int) -> None:
    at = problem.start + slot * timedelta(hours=problem.dt_h)
    Explainer(model, problem, result, Limits()).card(at)


def _switches(result: PlanResult) -> list[int]:
    """First slots of the plan's runs, each asked about as often as makes a median."""
    starts = [start for start, _ in runs(result.modes)]
    return (starts * math.ceil(RE_PLANS / len(starts)))[: max(RE_PLANS, len(starts))]


def run() -> list[Row]:
    """Figures of the answers."""
    return [*season_rows("winter"), *season_rows("spring")]


if __name__ == "__main__":
    for row in run():
        print(f"{row[0]:105} {row[1]:8.3f} {row[2]:5} {row[3]:14} {'ok' if row[4] else 'MISSED'}")
