"""A battery alone: planning cases at every step against their exact optimum, and a year of daily plans."""

from __future__ import annotations

import math
import statistics
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from solvers.case import load_case
from solvers.checker import check, sign
from solvers.problem import PlanProblem
from solvers.pyomo_highs import PyomoHighs
from solvers.result import PlanResult
from tests.bench.recorded_case import Record, Window, written_case
from tests.bench.replanning import Row, Took, same_matrix, timed
from tests.solvers.houses import BATTERY

DATA = Path(__file__).parents[1] / "solvers" / "data"
CARRIED = {"c01_w60_winter": 3.940446, "c03_n60_negative": -5.985122}  # EUR; tests/solvers/data/README.md
STEPS_MIN = (60, 15, 5)
PAID = datetime(2021, 2, 8, tzinfo=UTC)  # what is bought always costs
NEGATIVE = datetime(2021, 4, 5, tzinfo=UTC)  # bought at the spot price, down to -0.053 EUR/kWh
LONG_SEARCH = {5: -1.638169}  # EUR; by HiGHS with a binary per slot and direction, gap 0, in 14 s
EXACT_SHARE = 1e-4
ROUNDS, NEGATIVE_ROUNDS = 9, 3  # a search over directions takes seconds
COLD_X, AGAIN_X = 10.0, 2.0
YEAR_STARTS = 363  # days of the record that have 48 h ahead of them


@dataclass(frozen=True, slots=True)
class Case:
    """A planning case; `optimum_eur` None: to be found by HiGHS here."""

    name: str
    problem: PlanProblem
    optimum_eur: float | None
    searched: bool  # the relaxation alone is no answer: directions are chosen by binaries


def cases(record: Record, folder: Path) -> Iterator[Case]:
    """The cases that are carried, and two days of the record at each step."""
    for name, optimum in CARRIED.items():
        yield Case(name, load_case(DATA / f"{name}.json").problem, optimum, optimum < 0.0)
    for kind, start, fees in (("paid", PAID, True), ("negative", NEGATIVE, False)):
        window = record.window(start, fees=fees)
        for step in STEPS_MIN:
            problem = written_case(folder, f"{kind}_{step}", window, step).problem
            name = f"{start:%d %b} at {step} min" + ("" if fees else ", negative prices")
            yield Case(name, problem, None if fees else LONG_SEARCH.get(step), not fees)


def case_rows(case: Case) -> list[Row]:
    """How near the optimum, and how fast against raw HiGHS to the same exactness."""
    rounds = NEGATIVE_ROUNDS if case.searched else ROUNDS
    raw = None
    if case.optimum_eur is None or not case.searched or case.problem.steps <= 48:
        once = same_matrix(case.problem, directions=case.searched)
        raws = [once() for _ in range(rounds)]
        raw = statistics.median(r.took.wall_s for r in raws)
    optimum = raws[0].objective_eur if case.optimum_eur is None else case.optimum_eur
    colds = [_cold(case.problem) for _ in range(rounds)]
    again = statistics.median(t.wall_s for t in _again(case.problem, rounds))
    cold = statistics.median(took.wall_s for _, took in colds)
    away = (colds[0][0].cost_eur - optimum) / (idle_cost_eur(case.problem) - optimum)
    rows: list[Row] = [
        (f"{case.name}: cost above the exact optimum", 100.0 * away, "%", "<= 0.01", away <= EXACT_SHARE),
        (f"{case.name}: cold plan", cold, "s", "", True),
        (f"{case.name}: re-plan", again, "s", "", True),
    ]
    if raw is None:
        return rows
    return [
        *rows,
        (f"{case.name}: raw HiGHS", raw, "s", "", True),
        (f"{case.name}: cold plan / raw HiGHS", cold / raw, "x", f"<= {COLD_X:g}", cold <= COLD_X * raw),
        (f"{case.name}: re-plan / raw HiGHS", again / raw, "x", f"<= {AGAIN_X:g}", again <= AGAIN_X * raw),
    ]


def idle_cost_eur(p: PlanProblem) -> float:
    """What the house pays with the battery at rest; sun is curtailed where feeding it in costs."""
    rows = zip(p.load_kw, p.pv_kw, p.price_import, p.price_export, strict=True)
    return p.dt_h * sum(_least_eur(load - pv, load, buy, sell) for load, pv, buy, sell in rows)


def _least_eur(low_kw: float, high_kw: float, buy: float, sell: float) -> float:
    """Cheapest of the grid powers between full sun and none [EUR/h]."""
    powers = (low_kw, high_kw, min(max(0.0, low_kw), high_kw))
    return min(kw * (buy if kw > 0.0 else sell) for kw in powers)


def _cold(problem: PlanProblem) -> tuple[PlanResult, Took]:
    result, took = timed(lambda: PyomoHighs().solve(problem, time_limit_s=math.inf))
    assert check(problem, result) == []
    return result, took


def _again(problem: PlanProblem, rounds: int) -> list[Took]:
    """Re-plans a slot later each; the first slots come round again at the end."""
    planner, found = PyomoHighs(), list[Took]()
    result = planner.solve(problem, time_limit_s=math.inf)
    for _ in range(rounds):
        problem = _next(problem, result)
        result, took = timed(lambda p=problem: planner.solve(p, time_limit_s=math.inf))  # type: ignore[misc]
        found.append(took)
    return found


def _next(p: PlanProblem, before: PlanResult) -> PlanProblem:
    def turned(series: tuple[float, ...]) -> tuple[float, ...]:
        return (*series[1:], series[0])

    assert p.battery is not None
    return replace(
        p,
        start=p.start + timedelta(hours=p.dt_h),
        price_import=turned(p.price_import),
        price_export=turned(p.price_export),
        pv_kw=turned(p.pv_kw),
        load_kw=turned(p.load_kw),
        battery=replace(p.battery, soc=before.soc[0]),
    )


# --- a year -----------------------------------------------------------------------------------------------------------
def year_rows(record: Record) -> list[Row]:
    """Every day of 2021 whose next 48 h of prices are known, each from where the day before ended."""
    starts = [datetime(2021, 1, 1, tzinfo=UTC) + timedelta(days=d) for d in range(YEAR_STARTS)]
    windows = [w for w in map(record.window, starts) if w.complete]
    name = f"{len(windows)} of {YEAR_STARTS} days of 2021, 48 h at 15 min, battery and sun"
    rows: list[Row] = []
    for how, composites, finish in (
        ("flows", False, lambda p, r: None),
        ("modes of the inverter, checked and signed", True, sign),
    ):
        speed = len(windows) / _year_s(windows, composites, finish)
        rows.append((f"{name}, {how}: one process", speed, "plans/s", "", True))
    return rows


def _year_s(windows: list[Window], composites: bool, finish: Callable[[PlanProblem, PlanResult], object]) -> float:
    planner, soc, day = PyomoHighs(), BATTERY.soc, round(24.0 / 0.25)
    took_s = 0.0
    for window in windows:
        problem = _daily(window, soc, composites)
        result, took = timed(lambda p=problem: planner.solve(p, time_limit_s=math.inf))  # type: ignore[misc]
        _, more = timed(lambda p=problem, r=result: finish(p, r))  # type: ignore[misc]
        if not result.soc:
            raise RuntimeError(f"{problem.id}: {result.message}")
        took_s += took.wall_s + more.wall_s
        soc = min(1.0, result.soc[day - 1])  # a sum may round to a hair above it
    return took_s


def _daily(window: Window, soc: float, composites: bool) -> PlanProblem:
    return PlanProblem(
        id=f"{window.start:%Y-%m-%d}",
        issued=window.start,
        start=window.start,
        dt_h=0.25,
        price_import=window.price_import,
        price_export=window.price_export,
        price_known=(True,) * len(window.price_import),
        pv_kw=window.pv_kw,
        load_kw=window.load_kw,
        outdoor_c=(10.0,) * len(window.price_import),  # without rooms nothing depends on it
        import_limit_kw=22.08,
        export_limit_kw=10.0,
        ac_limit_kw=10.0,
        battery=replace(BATTERY, soc=soc, composites=composites),
    )


def run() -> list[Row]:
    """Figures of battery plans."""
    record = Record()
    with tempfile.TemporaryDirectory() as folder:
        rows = [row for case in cases(record, Path(folder)) for row in case_rows(case)]
    return [*rows, *year_rows(record)]


if __name__ == "__main__":
    for row in run():
        print(f"{row[0]:90} {row[1]:8.4g} {row[2]:7} {row[3]:14} {'ok' if row[4] else 'MISSED'}")
