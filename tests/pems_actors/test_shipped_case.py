"""The planning case that comes with the project: it is what the record says, and every command takes it."""

from __future__ import annotations

import json
from dataclasses import astuple
from datetime import UTC, datetime
from pathlib import Path

import pytest

import config
from solvers.case import load_case
from tests.bench.recorded_case import Record, written_case
from tests.pems_actors.conftest import Said

NAME = "april_2021_60min"
CASE = Path(config.__path__[0]) / "data" / "cases" / f"{NAME}.json"
ROOT = CASE.parents[3]


def test_plan_solves_it_to_the_optimum_and_draws_it(
    said: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    answer, picture = tmp_path / "answer.json", tmp_path / "plan.png"
    code, out, err = said("plan", str(CASE.relative_to(ROOT)), "--json", str(answer), "--plot", str(picture))
    assert code == 0 and "optimal" in out, err
    told = json.loads(answer.read_text())
    problem = load_case(CASE).problem
    idle_eur = sum(
        max(load - pv, 0.0) * buy - max(pv - load, 0.0) * sell
        for load, pv, buy, sell in zip(
            problem.load_kw, problem.pv_kw, problem.price_import, problem.price_export, strict=True
        )
    )
    assert told["gap_eur"] == pytest.approx(0.0, abs=1e-6) and told["bent_rules"] == []
    assert told["cost_eur"] < idle_eur - 1.5, "the battery is worth having"
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_it_is_what_the_record_says(tmp_path: Path) -> None:
    window = Record().window(datetime(2021, 4, 11, 22, tzinfo=UTC))
    made, shipped = written_case(tmp_path, NAME, window, 60).problem, load_case(CASE).problem
    assert shipped.start == made.start and shipped.battery is not None and made.battery is not None
    for name in ("price_import", "price_export", "pv_kw", "load_kw"):
        assert getattr(shipped, name) == pytest.approx(getattr(made, name), abs=1e-4), name
    assert astuple(shipped.battery) == astuple(made.battery)


def test_readme_help_and_the_docs_name_it(said: Said) -> None:
    path = str(CASE.relative_to(ROOT))
    assert path in (ROOT / "README.md").read_text() and path in (ROOT / "docs" / "planning.md").read_text()
    assert path in said("plan", "--help")[1]


def test_the_docs_list_every_field_of_a_case() -> None:
    text = (ROOT / "docs" / "planning.md").read_text()
    for name in set(json.loads(CASE.read_text())) - {"name", "description", "source"}:
        assert f"`{name}`" in text, name
    for column in (CASE.with_suffix(".csv").read_text().splitlines()[0]).split(","):
        assert f"`{column}`" in text, column
