"""Flows that a relaxation would send both ways at once: they choose, and choose best."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from solvers.checker import check
from solvers.directions import _best_move
from solvers.problem import PlanProblem
from solvers.pyomo_highs import PyomoHighs
from solvers.rebuilt import Rebuilt
from solvers.result import Quality
from tests.solvers.houses import BATTERY, house

FREE = replace(
    BATTERY, composites=False, soc_final=0.2, wear_eur_per_kwh=0.0, taper_above_soc=1.0, eff_charge_pv=0.92
)


def negative(steps: int = 24) -> PlanProblem:
    """Paid for taking energy through most of the horizon: a relaxation burns it in the battery."""
    prices = [-0.3 + 0.25 * math.sin(t / 3.0) for t in range(steps)]
    return house(prices=prices, battery=replace(FREE, soc=0.9), load_kw=(0.4,) * steps, pv_kw=(0.0, 3.0) * (steps // 2))


def test_the_relaxation_would_burn_energy_and_the_plan_does_not() -> None:
    problem = negative()
    result = PyomoHighs().solve(problem, time_limit_s=math.inf)
    assert check(problem, result) == []
    assert all(min(c, d) == 0.0 for c, d in zip(result.charge_kw, result.discharge_kw, strict=True))
    from solvers.model.frame import shape_of
    from solvers.model.kept import KeptModel, Limits

    relaxed = KeptModel(shape_of(problem)).solve(problem, Limits())
    assert relaxed.objective_eur < result.cost_eur - 0.01


def test_the_first_point_found_is_as_good_as_an_exhaustive_search() -> None:
    for steps in (8, 24, 48):
        problem = negative(steps)
        quick = PyomoHighs(search_s=0.0).solve(problem, time_limit_s=math.inf)
        exact = Rebuilt().solve(problem, time_limit_s=math.inf)
        assert exact.quality is Quality.OPTIMAL
        stake = abs(exact.cost_eur)
        assert quick.cost_eur == pytest.approx(exact.cost_eur, abs=1e-4 * stake)


def test_exports_dearer_than_imports_are_not_bought_to_be_sold_in_the_same_slot() -> None:
    problem = house(16, battery=FREE, price_export=tuple(p + 0.05 for p in house(16).price_import))
    result = PyomoHighs().solve(problem, time_limit_s=math.inf)
    assert check(problem, result) == []
    assert all(min(i, e) == 0.0 for i, e in zip(result.import_kw, result.export_kw, strict=True))


@pytest.mark.parametrize("seed", range(6))
def test_the_best_move_over_windows_is_the_best_over_all_pairs(seed: int) -> None:
    rnd = np.random.default_rng(seed)
    size, down, up = 40, int(rnd.integers(0, 8)), int(rnd.integers(0, 9))
    go = rnd.normal(size=size)
    knees = np.sort(rnd.choice(np.arange(-down - 1, up + 2), size=3))
    k = np.arange(-down, up + 1)
    cost = sum(rnd.normal() * np.maximum(0.0, k - knee) for knee in knees) + rnd.normal() * k
    expected = [
        min(cost[j] + go[i + int(k[j])] for j in range(len(k)) if 0 <= i + k[j] < size) for i in range(size)
    ]
    assert _best_move(go, np.asarray(cost, dtype=float), down) == pytest.approx(expected)
