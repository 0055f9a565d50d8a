"""Planning cases: a JSON file of parameters beside a CSV file of series, and the answer as a JSON object.

In a case, powers are on the AC side and both legs have one efficiency each; inside, they are at the terminals.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from models.errors import DataError
from models.units import is_number, shown
from solvers.problem import BatteryProblem, CalmPrices, PlanProblem
from solvers.result import PlanResult, Quality

CURTAILABLE = "pv_curtailable"
COLUMNS = ("timestamp", "price_import_eur_kwh", "price_export_eur_kwh", "pv_kw", "load_kw")
_MAX_DAYS = 31.0
_LEAST_KWH = 0.001  # smaller batteries are none
_YEARS = range(2000, 2101)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_MAX_KW = 200.0  # of one house; above it somebody wrote W
_MAX_PRICE = 20.0  # EUR/kWh; above it somebody wrote EUR/MWh or cent


@dataclass(frozen=True, slots=True)
class _Rule:
    """Range of one parameter, and what to do about a value outside it."""

    low: float
    high: float
    remedy: str
    whole: bool = False


_KW = f"kW, at most {_MAX_KW:g}: is it in W?"
_RULES: Mapping[str, _Rule] = {
    "step_min": _Rule(1, 1440, "minutes per slot"),
    "steps": _Rule(1, 10_000, "number of slots", whole=True),
    "capacity_kwh": _Rule(0, 10_000, "kWh, not Wh; 0 is no battery"),
    "charge_kw": _Rule(0, _MAX_KW, _KW),
    "discharge_kw": _Rule(0, _MAX_KW, _KW),
    "eff_charge": _Rule(0.05, 1, "a fraction: 95 % is written 0.95"),
    "eff_discharge": _Rule(0.05, 1, "a fraction: 95 % is written 0.95"),
    "soc_min": _Rule(0, 1, "a fraction: 10 % is written 0.1"),
    "soc_max": _Rule(0, 1, "a fraction: 90 % is written 0.9"),
    "soc_initial": _Rule(0, 1, "a fraction: 50 % is written 0.5"),
    "soc_final": _Rule(0, 1, "a fraction: 10 % is written 0.1"),
    "grid_import_limit_kw": _Rule(0, 10_000, "kW, not W"),
    "grid_export_limit_kw": _Rule(0, 10_000, "kW, not W"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanningCase:
    """One case: its problem, and what is needed to answer in its own terms."""

    name: str
    problem: PlanProblem
    eff_charge: float
    eff_discharge: float


def load_case(path: str | Path) -> PlanningCase:
    """Reads `NAME.json` and the `NAME.csv` beside it.

    Raises
    ------
    DataError
        One line: file, field or row, value, limit, remedy.
    """
    file = Path(path)
    if file.suffix != ".json":
        raise DataError(f"{file}: not a case file", hint="give the path of a NAME.json beside its NAME.csv")
    fields = _fields(file)
    numbers = {name: _number(file, fields, name, rule) for name, rule in _RULES.items()}
    if CURTAILABLE not in fields:
        raise _missing(file, fields, CURTAILABLE, "true or false")
    curtailable = fields[CURTAILABLE]
    if not isinstance(curtailable, bool):
        raise DataError(f"{file}: {CURTAILABLE} is {_told(curtailable)}", hint="write true or false")
    if 0.0 < numbers["capacity_kwh"] < _LEAST_KWH:
        raise DataError(
            f"{file}: capacity_kwh is {numbers['capacity_kwh']:g}, must be 0 or {_LEAST_KWH:g} to 10000", hint="kWh"
        )
    if numbers["soc_min"] > numbers["soc_max"]:
        raise DataError(
            f"{file}: soc_min {numbers['soc_min']:g} is above soc_max {numbers['soc_max']:g}", hint="swap them?"
        )
    step = timedelta(minutes=numbers["step_min"])
    if step * numbers["steps"] > timedelta(days=_MAX_DAYS):
        raise DataError(f"{file}: steps x step_min is {step * numbers['steps']}, at most {_MAX_DAYS:g} days")
    series = _series(file.with_suffix(".csv"), int(numbers["steps"]), step)
    return PlanningCase(
        name=str(fields.get("name", file.stem)).encode(errors="backslashreplace").decode(),
        problem=_problem(file.stem, numbers, curtailable, series),
        eff_charge=numbers["eff_charge"],
        eff_discharge=numbers["eff_discharge"],
    )


def answer(case: PlanningCase, result: PlanResult) -> dict[str, object]:
    """The answer in the form that cases ask for: AC-side powers, one value per slot.

    Parameters
    ----------
    case : PlanningCase
        As loaded.
    result : PlanResult
        Of `case.problem`, from any planner.

    Returns
    -------
    dict
        `bound_eur` is comparable with `cost_eur`: what bent rules cost is in neither, and the gap is their difference.
    """
    missing = result.quality is Quality.FAILED
    return {
        "name": case.name,
        "status": result.quality.value,
        "maker": result.maker,
        "message": result.message,
        "cost_eur": None if missing else result.cost_eur,
        "bound_eur": result.cost_eur - result.gap_eur if math.isfinite(result.gap_eur) else None,
        "gap_eur": result.gap_eur if math.isfinite(result.gap_eur) else None,
        "charge_kw": [p / case.eff_charge for p in result.charge_kw],
        "discharge_kw": [p * case.eff_discharge for p in result.discharge_kw],
        "soc": list(result.soc),
        "import_kw": list(result.import_kw),
        "export_kw": list(result.export_kw),
        "curtailed_kw": list(result.curtailed_kw),
        "build_s": result.timings.build_s,
        "solve_s": result.timings.solve_s,
        "wall_s": result.timings.wall_s,
        "bent_rules": [
            {"rule": b.rule, "slot": b.slot, "amount": b.amount, "unit": b.unit, "cost_eur": b.cost_eur}
            for b in result.bent_rules
        ],
    }


@dataclass(frozen=True, slots=True)
class _Series:
    start: datetime
    price_import: tuple[float, ...]
    price_export: tuple[float, ...]
    pv_kw: tuple[float, ...]
    load_kw: tuple[float, ...]


def _problem(name: str, n: Mapping[str, float], curtailable: bool, series: _Series) -> PlanProblem:
    steps = int(n["steps"])
    some = n["capacity_kwh"] > 0.0  # without, one that can do nothing: the flows of a case are free all the same
    battery = BatteryProblem(
        capacity_kwh=n["capacity_kwh"] if some else _LEAST_KWH,
        soc=n["soc_initial"],
        soc_min=n["soc_min"],
        soc_max=n["soc_max"],
        charge_kw=n["charge_kw"] * n["eff_charge"] if some else 0.0,
        discharge_kw=n["discharge_kw"] / n["eff_discharge"] if some else 0.0,
        eff_charge_pv=n["eff_charge"],
        eff_charge_ac=n["eff_charge"],
        eff_discharge=n["eff_discharge"],
        soc_final=n["soc_final"],
        composites=False,
    )
    return PlanProblem(
        id=name,
        issued=series.start,
        start=series.start,
        dt_h=n["step_min"] / 60.0,
        price_import=series.price_import,
        price_export=series.price_export,
        price_known=(True,) * steps,
        pv_kw=series.pv_kw,
        load_kw=series.load_kw,
        outdoor_c=(10.0,) * steps,  # nothing in a case depends on it
        import_limit_kw=n["grid_import_limit_kw"],
        export_limit_kw=n["grid_export_limit_kw"],
        ac_limit_kw=1e6,
        pv_curtailable=curtailable,
        battery=battery,
        calm=CalmPrices(mode_change_eur=0.0),
    )


def _read(file: Path) -> str:
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{file}: there is no such file", hint="a case is NAME.json beside NAME.csv") from None
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error.strerror}") from None
    if not data.strip():
        raise DataError(f"{file}: is empty", hint="write the case again")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{file}: byte {error.start} is not UTF-8", hint="save the file as UTF-8") from None


def _fields(file: Path) -> dict[str, Any]:
    try:
        fields = json.loads(_read(file), object_pairs_hook=lambda pairs: _once(file, pairs))
    except json.JSONDecodeError as error:
        raise DataError(f"{file}: line {error.lineno} is not JSON: {error.msg}", hint="mend the syntax") from None
    except ValueError:  # an integer of thousands of digits
        raise DataError(f"{file}: holds a number of too many digits", hint="no field is above 10000") from None
    except RecursionError:
        raise DataError(f"{file}: is nested too deeply", hint="a case is one flat JSON object") from None
    if not isinstance(fields, dict):
        raise DataError(f"{file}: holds {_told(fields)}", hint="a case is one flat JSON object")
    return fields


def _once(file: Path, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in pairs:
        if name in fields:
            raise DataError(f"{file}: {shown(name)} is there twice", hint="keep one of them")
        fields[name] = value
    return fields


def _missing(file: Path, fields: Mapping[str, Any], name: str, what: str) -> DataError:
    known = (*_RULES, CURTAILABLE)
    like = get_close_matches(name, [f for f in fields if f not in known], n=1)
    hint = f"is {shown(like[0])} meant to be it?" if like else f"add it: {what}"
    return DataError(f"{file}: {name} is missing", hint=hint)


def _told(value: object) -> str:
    """A JSON value in JSON's own words."""
    if isinstance(value, (list, dict)):
        return "a list" if isinstance(value, list) else "an object"
    words = {None: "null", True: "true", False: "false"}
    return words[value] if value is None or isinstance(value, bool) else shown(value)


def _number(file: Path, fields: Mapping[str, Any], name: str, rule: _Rule) -> float:
    if name not in fields:
        raise _missing(file, fields, name, f"{rule.low:g} to {rule.high:g}, {rule.remedy}")
    value = fields[name]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise DataError(f"{file}: {name} is {_told(value)}, must be a number", hint=rule.remedy)
    if not (is_number(value) and rule.low <= value <= rule.high):
        told = f"{value:g}" if isinstance(value, float) or is_number(value) else "a number of too many digits"
        raise DataError(f"{file}: {name} is {told}, must be {rule.low:g} to {rule.high:g}", hint=rule.remedy)
    number = float(value)
    if rule.whole and number != int(number):
        raise DataError(f"{file}: {name} is {number:g}, must be a whole number", hint=rule.remedy)
    return number


def _series(file: Path, steps: int, step: timedelta) -> _Series:
    rows = _rows(file)
    times: list[datetime] = []
    columns: list[list[float]] = [[], [], [], []]
    for line, row in rows:
        at = _time(file, line, row[0])
        if times:
            _follows(file, line, times[-1], at, step)
        times.append(at)
        for k, text in enumerate(row[1:]):
            columns[k].append(_value(file, line, COLUMNS[k + 1], text))
    if len(times) != steps:
        raise DataError(f"{file}: has {len(times)} rows, the case says {steps} steps", hint="mend `steps` or the rows")
    return _Series(times[0], *(tuple(c) for c in columns))


def _rows(file: Path) -> list[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(_read(file)))
    try:
        header = [name.strip() for name in next(reader)]
        if tuple(header) != COLUMNS:
            raise DataError(f"{file}: columns are {', '.join(header)}", hint=f"must be {', '.join(COLUMNS)}")
        rows = [(reader.line_num, row) for row in reader if row]
    except csv.Error as error:
        raise DataError(f"{file}: line {reader.line_num} is not CSV: {error}", hint="mend the line") from None
    for line, row in rows:
        if len(row) != len(COLUMNS):
            raise DataError(f"{file}: line {line} has {len(row)} values, must have {len(COLUMNS)}")
    if not rows:
        raise DataError(f"{file}: has no rows under its header", hint="one row per slot")
    return rows


def _time(file: Path, line: int, text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        raise DataError(
            f"{file}: line {line}: timestamp {text!r} is not ISO 8601", hint="like 2026-02-01T23:15:00+00:00"
        ) from None
    if at.tzinfo is None:
        raise DataError(f"{file}: line {line}: timestamp {text!r} has no zone", hint="times are UTC: add +00:00")
    if at.year not in _YEARS:
        raise DataError(
            f"{file}: line {line}: timestamp {text!r} is not of the years {_YEARS[0]} to {_YEARS[-1]}", hint="mend it"
        )
    return at.astimezone(UTC)


def _follows(file: Path, line: int, before: datetime, at: datetime, step: timedelta) -> None:
    if at == before + step:
        return
    if at == before:
        raise DataError(f"{file}: line {line}: timestamp {at.isoformat()} is there twice", hint="keep one of them")
    if at < before:
        raise DataError(f"{file}: line {line}: timestamp {at.isoformat()} is before the one above", hint="sort by time")
    raise DataError(
        f"{file}: line {line}: {at - before} after the line above, a slot is {step}",
        hint="fill the gap, or mend step_min; in UTC no day has a gap when the clocks change",
    )


def _value(file: Path, line: int, column: str, text: str) -> float:
    where = f"{file}: line {line}: {column}"
    if not _NUMBER.fullmatch(text.strip()) and text.strip().lower() not in ("nan", "inf", "-inf", "infinity"):
        what = "is missing" if not text.strip() else f"{text!r} is not a number"
        raise DataError(f"{where} {what}", hint="an unknown value has no stand-in in a case, and is not 0")
    value = float(text)
    if not math.isfinite(value):
        raise DataError(f"{where} is {text.strip()}", hint="an unknown value has no stand-in in a case, and is not 0")
    if column.startswith("price"):
        if abs(value) > _MAX_PRICE:
            raise DataError(f"{where} is {value:g}, at most {_MAX_PRICE:g} EUR/kWh", hint="is it in EUR/MWh or cent?")
    elif not 0.0 <= value <= _MAX_KW:
        raise DataError(f"{where} is {value:g}, must be 0 to {_MAX_KW:g} kW", hint="is it in W, or signed?")
    return value
