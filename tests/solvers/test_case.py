"""Planning cases: known optima are found, and each kind of bad file is one clear line."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from models.errors import DataError
from solvers.case import COLUMNS, answer, load_case
from solvers.checker import check
from solvers.cvxpy_fallback import CvxpyFallback
from solvers.pyomo_highs import PyomoHighs
from solvers.rebuilt import Rebuilt

DATA = Path(__file__).parent / "data"
OPTIMUM = {"c01_w60_winter": 3.940446, "c03_n60_negative": -5.985122}

GOOD: dict[str, Any] = {
    "step_min": 15,
    "steps": 4,
    "capacity_kwh": 10.0,
    "charge_kw": 5.0,
    "discharge_kw": 5.0,
    "eff_charge": 0.95,
    "eff_discharge": 0.95,
    "soc_min": 0.1,
    "soc_max": 1.0,
    "soc_initial": 0.5,
    "soc_final": 0.1,
    "grid_import_limit_kw": 17.0,
    "grid_export_limit_kw": 15.0,
    "pv_curtailable": True,
}
ROWS = [f"2026-02-01T23:{15 * i:02d}:00+00:00,0.{2 + i},0.1,0.5,1.0" for i in range(4)]


def idle_cost(case: Any) -> float:
    p = case.problem
    rows = zip(p.load_kw, p.pv_kw, p.price_import, p.price_export, strict=True)
    return float(p.dt_h * sum(max(x - v, 0) * i - max(v - x, 0) * max(e, 0) for x, v, i, e in rows))


@pytest.mark.parametrize("name", OPTIMUM)
@pytest.mark.parametrize("make", [PyomoHighs, Rebuilt, CvxpyFallback], ids=lambda m: m.name)
def test_the_known_optimum_is_found_within_a_hundredth_of_a_percent(name: str, make: type) -> None:
    case = load_case(DATA / f"{name}.json")
    result = make().solve(case.problem, time_limit_s=math.inf)
    assert check(case.problem, result) == []
    best, idle = OPTIMUM[name], idle_cost(case)
    assert result.cost_eur - best <= 1e-4 * (idle - best)
    assert result.cost_eur >= best - 2e-6


def test_an_answer_has_the_fields_of_the_format_and_stands_on_its_own() -> None:
    case = load_case(DATA / "c03_n60_negative.json")
    said: Any = json.loads(json.dumps(answer(case, PyomoHighs().solve(case.problem, time_limit_s=math.inf))))
    given = json.loads((DATA / "c03_n60_negative.json").read_text())
    p, soc = case.problem, given["soc_initial"]
    total = 0.0
    for t in range(given["steps"]):
        charge, discharge = said["charge_kw"][t], said["discharge_kw"][t]
        assert min(charge, discharge) == 0.0
        assert max(charge, discharge) <= 5.0 + 1e-6
        soc += (charge * given["eff_charge"] - discharge / given["eff_discharge"]) / given["capacity_kwh"]
        assert said["soc"][t] == pytest.approx(soc, abs=1e-6)
        into, out = said["import_kw"][t], said["export_kw"][t]
        net = p.load_kw[t] + charge - discharge - p.pv_kw[t] + said["curtailed_kw"][t]
        assert into - out == pytest.approx(net, abs=1e-6)
        assert min(into, out) == 0.0
        total += into * p.price_import[t] - out * p.price_export[t]
    assert said["cost_eur"] == pytest.approx(total, abs=1e-6)
    assert soc >= given["soc_final"] - 1e-6
    assert said["status"] in ("optimal", "feasible")  # proving it has two seconds, however busy the machine is
    assert said["gap_eur"] == pytest.approx(said["cost_eur"] - said["bound_eur"], abs=1e-6)


def write(folder: Path, fields: object = None, rows: list[str] | None = None, header: str = ",".join(COLUMNS)) -> Path:
    path = folder / "case.json"
    path.write_text(json.dumps(GOOD if fields is None else fields))
    (folder / "case.csv").write_text("\n".join([header, *(ROWS if rows is None else rows)]) + "\n")
    return path


@pytest.mark.parametrize("steps", [1, 4])
def test_short_cases_are_planned(tmp_path: Path, steps: int) -> None:
    case = load_case(write(tmp_path, GOOD | {"steps": steps}, ROWS[:steps]))
    result = PyomoHighs().solve(case.problem, time_limit_s=math.inf)
    assert check(case.problem, result) == []


def test_a_case_of_seven_days_is_planned(tmp_path: Path) -> None:
    rows = [
        f"2026-02-{1 + i // 24:02d}T{i % 24:02d}:00:00+00:00,{0.2 + 0.1 * math.sin(i):.3f},0.05,1.0,0.5"
        for i in range(168)
    ]
    case = load_case(write(tmp_path, GOOD | {"steps": 168, "step_min": 60}, rows))
    assert check(case.problem, PyomoHighs().solve(case.problem, time_limit_s=math.inf)) == []


@pytest.mark.parametrize(("day", "slots"), [("2026-03-28T23", 92), ("2026-10-24T22", 100)])
def test_local_days_with_a_clock_change_are_read_in_utc(tmp_path: Path, day: str, slots: int) -> None:
    from datetime import datetime, timedelta

    start = datetime.fromisoformat(f"{day}:00:00+00:00")
    rows = [f"{(start + timedelta(minutes=15 * i)).isoformat()},0.2,0.1,0.0,0.5" for i in range(slots)]
    case = load_case(write(tmp_path, GOOD | {"steps": slots}, rows))
    assert case.problem.steps == slots


def test_missing_terminal_energy_is_bent_and_told(tmp_path: Path) -> None:
    case = load_case(write(tmp_path, GOOD | {"soc_final": 1.0, "soc_initial": 0.1}))
    result = PyomoHighs().solve(case.problem, time_limit_s=math.inf)
    assert check(case.problem, result) == []
    bent = [b for b in result.bent_rules if b.rule == "battery.soc_final"]
    assert bent[0].amount == pytest.approx(0.9 - 4 * 0.25 * 5 * 0.95 / 10, abs=1e-6)


BAD_FIELDS = [
    ({"capacity_kwh": None}, "capacity_kwh is null, must be a number"),
    ({"capacity_kwh": -1}, "capacity_kwh is -1, must be 0 to"),
    ({"charge_kw": 5000}, "charge_kw is 5000.*is it in W"),
    ({"soc_min": 10}, "soc_min is 10, must be 0 to 1; a fraction"),
    ({"soc_min": 0.9, "soc_max": 0.5}, "soc_min 0.9 is above soc_max 0.5"),
    ({"eff_charge": 95}, "eff_charge is 95"),
    ({"steps": 0}, "steps is 0, must be 1 to"),
    ({"steps": 4.5}, "steps is 4.5, must be a whole number"),
    ({"steps": 5}, "has 4 rows, the case says 5 steps"),
    ({"step_min": True}, "step_min is true, must be a number"),
    ({"step_min": 30}, "after the line above, a slot is 0:30:00"),
    ({"pv_curtailable": "yes"}, "pv_curtailable is 'yes'"),
    ({"grid_import_limit_kw": float("nan")}, "grid_import_limit_kw is nan"),
    ({"capacity_kwh": 10**400}, "capacity_kwh is a number of too many digits, must be 0 to 10000"),
    ({"capacity_kwh": 1e-9}, "capacity_kwh is 1e-09, must be 0 or 0.001 to 10000"),
    ({"soc_min": [0.1]}, "soc_min is a list, must be a number"),
]


@pytest.mark.parametrize(("fields", "said"), BAD_FIELDS, ids=lambda v: str(v)[:40])
def test_a_bad_parameter_is_one_line_with_value_and_remedy(tmp_path: Path, fields: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said) as error:
        load_case(write(tmp_path, GOOD | fields))
    assert "\n" not in str(error.value)
    assert "case." in str(error.value)


@pytest.mark.parametrize("name", list(GOOD))
def test_a_missing_parameter_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=f"{name} is missing; add it"):
        load_case(write(tmp_path, {k: v for k, v in GOOD.items() if k != name}))


def test_a_misspelt_parameter_is_no_silent_default(tmp_path: Path) -> None:
    fields = {k: v for k, v in GOOD.items() if k != "pv_curtailable"} | {"pv_curtailble": False}
    with pytest.raises(DataError, match="pv_curtailable is missing; is 'pv_curtailble' meant to be it?"):
        load_case(write(tmp_path, fields))


def test_a_case_without_a_battery_has_free_flows_and_a_soc_that_stays(tmp_path: Path) -> None:
    """Where buying is paid for and selling costs, it does without its sun."""
    dear = [f"{line.split(',')[0]},-0.1,-0.2,5,2" for line in ROWS]
    case = load_case(write(tmp_path, GOOD | {"capacity_kwh": 0}, rows=dear))
    told = answer(case, PyomoHighs().solve(case.problem, time_limit_s=60.0))
    assert told["cost_eur"] == pytest.approx(-0.1 * 2 * len(ROWS) / 4)
    assert told["soc"] == pytest.approx([GOOD["soc_initial"]] * len(ROWS))
    assert told["charge_kw"] == pytest.approx([0.0] * len(ROWS), abs=1e-9)


def test_the_gap_is_what_the_cost_is_above_the_bound_whatever_is_bent(tmp_path: Path) -> None:
    case = load_case(write(tmp_path, GOOD | {"grid_import_limit_kw": 0.0, "discharge_kw": 0.0}))
    told = answer(case, PyomoHighs().solve(case.problem, time_limit_s=60.0))
    assert told["bent_rules"]
    assert told["gap_eur"] == pytest.approx(told["cost_eur"] - told["bound_eur"])  # type: ignore[operator]
    assert abs(told["gap_eur"]) < 0.01  # type: ignore[arg-type]


def test_a_name_that_no_file_can_hold_is_escaped(tmp_path: Path) -> None:
    assert load_case(write(tmp_path, GOOD | {"name": "\ud800x"})).name == "\\ud800x"


def row(**changes: str) -> list[str]:
    cells = dict(zip(COLUMNS, ROWS[2].split(","), strict=True)) | changes
    return [*ROWS[:2], ",".join(cells.values()), ROWS[3]]


BAD_ROWS = [
    ([ROWS[0], ROWS[2], ROWS[1], ROWS[3]], "line 3: 0:30:00 after the line above, a slot is 0:15:00; fill the gap"),
    ([ROWS[1], ROWS[0], *ROWS[2:]], "line 3: timestamp 2026-02-01T23:00:00.00:00 is before the one above"),
    ([ROWS[0], ROWS[0], *ROWS[2:]], "line 3: timestamp .* is there twice"),
    (row(timestamp="2026-02-01T23:30:00"), "line 4: timestamp '2026-02-01T23:30:00' has no zone"),
    (row(timestamp="yesterday"), "line 4: timestamp 'yesterday' is not ISO 8601"),
    (row(price_import_eur_kwh=""), "line 4: price_import_eur_kwh is missing; .* is not 0"),
    (row(price_import_eur_kwh="nan"), "line 4: price_import_eur_kwh is nan"),
    (row(price_export_eur_kwh="85.3"), "line 4: price_export_eur_kwh is 85.3, at most 20 EUR/kWh; is it in EUR/MWh"),
    (row(load_kw="1_0"), "line 4: load_kw '1_0' is not a number"),
    (row(load_kw="\uff10.2"), "line 4: load_kw '\uff10.2' is not a number"),
    (row(timestamp="9999-12-31T23:30:00+00:00"), "line 4: timestamp '9999.*' is not of the years 2000 to 2100"),
    (row(timestamp="0001-01-01T00:00:00+10:00"), "line 4: timestamp '0001.*' is not of the years 2000 to 2100"),
    (row(load_kw="1200"), "line 4: load_kw is 1200, must be 0 to 200 kW; is it in W"),
    (row(pv_kw="-0.2"), "line 4: pv_kw is -0.2"),
    (row(pv_kw="inf"), "line 4: pv_kw is inf"),
    (row(pv_kw="0,5"), "line 4 has 6 values, must have 5"),
    ([], "has no rows under its header"),
]


@pytest.mark.parametrize(("rows", "said"), BAD_ROWS, ids=lambda v: str(v)[:40])
def test_a_bad_row_is_one_line_with_its_number_and_remedy(tmp_path: Path, rows: list[str], said: str) -> None:
    with pytest.raises(DataError, match=said) as error:
        load_case(write(tmp_path, rows=rows))
    assert "\n" not in str(error.value)


def test_files_that_cannot_be_cases_are_told_apart(tmp_path: Path) -> None:
    def said(data: bytes | None, *, csv: bytes | None = None) -> str:
        path = write(tmp_path)
        if data is not None:
            path.write_bytes(data)
        if csv is not None:
            path.with_suffix(".csv").write_bytes(csv)
        with pytest.raises(DataError) as error:
            load_case(path)
        return str(error.value)

    assert "case.json: is empty" in said(b"")
    assert "line 1 is not JSON" in said(b"{")
    assert "byte 1 is not UTF-8" in said(b'"\xff"')
    assert "holds a list" in said(b"[]")
    assert "'steps' is there twice; keep one of them" in said(b'{"steps": 4, "steps": 5}')
    assert "holds a number of too many digits" in said(b'{"steps": ' + b"9" * 5000 + b"}")
    assert "nested too deeply" in said(b"[" * 100_000)
    assert "case.csv: is empty" in said(None, csv=b" \n")
    assert "columns are a, b" in said(None, csv=b"a,b\n1,2\n")
    assert "byte 9 is not UTF-8" in said(None, csv=b"timestamp\xff")
    with pytest.raises(DataError, match="there is no such file"):
        load_case(tmp_path / "other.json")
    with pytest.raises(DataError, match="not a case file"):
        load_case(tmp_path / "case.csv")
