"""`plan`, `simulate` and `run` hand on what was asked for, and show and write what came back."""

from __future__ import annotations

import json
import math
import socket
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from config.load import DEMO, load
from config.schema import HouseFile
from models.scorecard import EvidenceRow, RoomRow, score
from pems_actors.cli import main
from pems_actors.commands.worker import main as worker
from pems_actors.evidence import write_policy

HOUSE = load(DEMO)
CASE = {
    **dict.fromkeys(("eff_charge", "eff_discharge"), 1.0),
    **dict.fromkeys(("charge_kw", "discharge_kw"), 5),
    **dict.fromkeys(("soc_min", "soc_initial", "soc_final"), 0.1),
    **dict.fromkeys(("grid_import_limit_kw", "grid_export_limit_kw"), 20),
    "step_min": 60,
    "steps": 4,
    "capacity_kwh": 10,
    "soc_max": 0.9,
    "pv_curtailable": True,
}
PRICES = (0.10, 0.50, 0.10, 0.50)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write_case(name: str = "case") -> None:
    start = datetime(2021, 2, 8, tzinfo=UTC)
    lines = ["timestamp,price_import_eur_kwh,price_export_eur_kwh,pv_kw,load_kw"]
    lines += [f"{(start + timedelta(hours=i)).isoformat()},{p},0.05,0,1" for i, p in enumerate(PRICES)]
    Path(f"{name}.csv").write_text("\n".join(lines) + "\n")
    Path(f"{name}.json").write_text(json.dumps(CASE))


# --- plan ------------------------------------------------------------------------------------------------------------
def test_plan_solves_a_case_and_writes_its_answer_and_picture(capsys: pytest.CaptureFixture[str]) -> None:
    write_case()
    assert main(["plan", "case.json", "--json", "answer.json", "--plot", "plan.png"]) == 0
    out = capsys.readouterr().out
    answer = json.loads(Path("answer.json").read_text())
    assert answer["status"] == "optimal"
    # buys the load of the dear hours in the cheap ones: 4 kWh at 0.10
    assert answer["cost_eur"] == pytest.approx(0.40, abs=1e-6)
    assert len(answer["charge_kw"]) == 4
    assert "optimal" in out and "0.4" in out
    assert Path("plan.png").read_bytes().startswith(b"\x89PNG")


def test_plan_tells_what_is_odd_in_a_case_and_plans_it(capsys: pytest.CaptureFixture[str]) -> None:
    write_case()
    assert main(["plan", "case.json", "--json", "answer.json"]) == 0
    assert "odd input" not in capsys.readouterr().out
    assert json.loads(Path("answer.json").read_text())["remarks"] == []
    text = Path("case.csv").read_text()
    Path("case.csv").write_text(text.replace("0.1,0.05,", "0.1,0.25,"))
    assert main(["plan", "case.json", "--json", "answer.json"]) == 0
    (remark,) = json.loads(Path("answer.json").read_text())["remarks"]
    assert "price_export is above price_import in slots 0 and 2 (from Mon 00:00), in slot 0 0.25 above 0.1" in remark
    assert f"- odd input: {remark}\n" in capsys.readouterr().out


def test_plan_prints_nothing_but_json_if_asked(capsys: pytest.CaptureFixture[str]) -> None:
    write_case()
    assert main(["plan", "case.json", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["status"] == "optimal"


def test_a_case_without_its_series_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    write_case()
    Path("case.csv").unlink()
    assert main(["plan", "case.json"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ") and "case.csv" in err and err.count("\n") == 1


# --- simulate --------------------------------------------------------------------------------------------------------
def rows(days: int) -> list[EvidenceRow]:
    """A quiet house: the sun by day, a load of half a kilowatt, rooms in the middle of their bands."""
    first = datetime(2021, 2, 7, 23, tzinfo=UTC)
    made = []
    for i in range(96 * days):
        sun = max(0.0, math.sin(math.pi * (i % 96 - 28) / 40)) * 3.0 if 28 < i % 96 < 68 else 0.0
        rooms = tuple(
            RoomRow(name=r.name, temperature_c=21.7, slab_c=23.0, relay_share=0.1, lower_c=r.night_min_c, upper_c=24.5)
            for r in HOUSE.house.rooms
        )
        made.append(
            EvidenceRow(
                time_utc=first + timedelta(minutes=15 * i), phase="run", price_import=0.2, price_export=0.05, pv_kw=sun,
                pv_available_kw=sun, load_kw=0.5, heating_kw=1.0, battery_kw=0.0, grid_kw=1.5 - sun, soc=0.5,
                composite="regular", rooms=rooms,
            )
        )  # fmt: skip
    return made


class Simulated:
    """Stands for the simulation: remembers its arguments, answers with a scorecard and real evidence."""

    def __init__(self) -> None:
        self.asked: tuple[Any, ...] = ()

    def __call__(
        self, config: HouseFile, start: date, days: float, seed: int, replan_s: float, out: Path | None,
        policies: tuple[str, ...] | None, progress: Callable[[str, float], None],
    ) -> dict[str, Any]:  # fmt: skip
        self.asked = (config, start, days, seed, replan_s, out, policies)
        told = {}
        for policy in policies or ("none", "rules", "smart", "pems", "foresight"):
            made = rows(1)
            if out is not None:
                write_policy(out, policy, made)
            told[policy] = score(made, house=config.house, switches=12, writes=3).as_dict()
            for share in (-1.0, 0.5, 2.0):
                progress(policy, share)
            progress("unheard of", 0.5)
        plans = {"count": 96, "median_s": 0.2, "p95_s": 0.4, "gap_eur": 0.01}
        return {
            "policies": told,
            "violations": 0,
            "checks": {"1": 5, "2": 7},
            "plans": plans,
            "trace_hash": "ab" * 32,
            "seed": seed,
        }


@pytest.fixture
def simulated(monkeypatch: pytest.MonkeyPatch) -> Simulated:
    one = Simulated()
    monkeypatch.setattr("pems_actors.simulate.simulate", one)
    return one


def test_simulate_begins_with_what_the_house_file_says(
    simulated: Simulated, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["simulate"]) == 0
    config, *rest = simulated.asked
    assert config == HOUSE
    assert rest == [date(2021, 2, 8), 7.0, 1, 900.0, None, None]
    out = capsys.readouterr().out
    assert "cost EUR" in out and "violations 0 in 12 checks" in out and "96 plans" in out


def test_simulate_takes_everything_from_its_options(simulated: Simulated, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = (
        "--start 2021-05-17 --days 1 --seed 7 --replan 30m --policies pems,rules,pems --out week --json - --plot w.png"
    )
    assert main(["simulate", *arguments.split()]) == 0
    assert simulated.asked[1:] == (date(2021, 5, 17), 1.0, 7, 1800.0, Path("week"), ("pems", "rules"))
    assert json.loads(capsys.readouterr().out)["seed"] == 7
    assert Path("w.png").read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in Path("week").iterdir()} == {"pems.csv", "rules.csv"}


def test_a_picture_needs_no_evidence_folder_of_the_users(simulated: Simulated) -> None:
    assert main(["simulate", "--policies", "pems", "--plot", "w.png", "--json", "card.json"]) == 0
    assert Path("w.png").stat().st_size > 10_000
    assert json.loads(Path("card.json").read_text())["policies"]["pems"]["relay_switches"] == 12
    assert not simulated.asked[5].exists(), "the folder in between is gone"


# --- run -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("code", [0, 3, 70])
def test_run_hands_on_its_options_and_its_exit_code(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    asked: list[tuple[Any, ...]] = []

    def run_house(*arguments: Any) -> int:
        asked.append(arguments)
        return code

    monkeypatch.setattr("pems_actors.run.run_house", run_house)
    assert main(["run", "--for", "2m", "--start", "2021-05-17", "--speed", "300", "--state", "here", "--json"]) == code
    assert asked == [(HOUSE, DEMO, 120.0, date(2021, 5, 17), 300.0, Path("here"), True, None)]
    assert main(["run"]) == code
    assert asked[1] == (HOUSE, DEMO, None, None, None, None, False, None)


def test_the_scorecard_of_the_stand_in_is_one_of_ours() -> None:
    """So that the tests above break when the real one changes its names."""
    from pems_actors.commands.simulate import _ROWS

    fields = asdict(score(rows(1), house=HOUSE.house, switches=0, writes=0))
    assert {key for key, _, _ in _ROWS} <= set(fields)


# --- worker ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["nobody", "--fd", "0"], "error: worker 'nobody' is not known; one of "),
        (["store", "--fd", "999"], "error: worker store: --fd 999: Bad file descriptor; it is started by run"),
    ],
)
def test_a_worker_that_cannot_serve_says_why(
    capsys: pytest.CaptureFixture[str], arguments: list[str], line: str
) -> None:
    assert worker(arguments) == 2
    assert capsys.readouterr().err.startswith(line)


def test_a_worker_serves_until_the_core_is_gone() -> None:
    ours, theirs = socket.socketpair()
    ours.close()
    assert worker(["store", "--fd", str(theirs.detach())]) == 0
