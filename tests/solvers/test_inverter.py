"""The vectorised flows are the scalar ones."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from models.physics.hybrid import Priority, work_flows
from models.physics.hybrid import WorkMode as Work
from solvers.inverter import array_flows
from solvers.replay import battery_of, inverter_of
from tests.solvers.houses import BATTERY, house

RATES = (0.25, 0.5, 1.0)


@pytest.mark.parametrize("priority", list(Priority))
@pytest.mark.parametrize("ac_charge", [False, True])
@pytest.mark.parametrize("soc_max", [1.0, 0.9])
def test_array_flows_equal_scalar_flows(priority: Priority, ac_charge: bool, soc_max: float) -> None:
    rnd = random.Random(7)
    b = replace(BATTERY, soc_max=soc_max)
    problem = house(1, battery=b, ac_limit_kw=6.0)
    soc = np.linspace(0.15, 1.0, 35)
    pv = np.array([rnd.choice((0.0, 0.3, 4.0, 12.0)) for _ in range(40)])[:, None]
    load = np.array([rnd.choice((0.06, 1.0, 5.0, 9.0)) for _ in range(40)])[:, None]
    limit = np.array([rnd.choice((0.0, 1.0, 10.0)) for _ in range(40)])[:, None]
    for rate in RATES:
        for stop in (0.2, 0.55, 1.0):
            got = array_flows(
                priority,
                stop_soc=stop,
                rate=rate,
                ac_charge=ac_charge,
                pv_kw=pv,
                load_kw=load,
                soc=soc,
                battery=b,
                ac_limit_kw=6.0,
                export_limit_kw=limit,
                dt_h=0.25,
            )
            for i in range(40):
                for j in range(0, 35, 3):
                    one = work_flows(
                        Work(priority, stop, rate, ac_charge),
                        pv_kw=float(pv[i, 0]),
                        load_kw=float(load[i, 0]),
                        soc=float(soc[j]),
                        battery=battery_of(b),
                        inverter=inverter_of(problem),
                        export_limit_kw=float(limit[i, 0]),
                        dt_h=0.25,
                    )
                    expected = (one.battery_kw, one.grid_kw, one.pv_used_kw)
                    found = (got.battery_kw[i, j], got.grid_kw[i, j], got.pv_used_kw[i, j])
                    assert found == pytest.approx(expected, abs=1e-9)
