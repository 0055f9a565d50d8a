"""Days in minutes: one state for all, the same seed the same run, and evidence that adds up to the scorecard."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

import config
from config.load import load
from config.schema import HouseFile
from models.errors import ConfigError, PemsError
from pems_actors import simulate as simulate_module
from pems_actors.evidence import disagreements, read_policies, read_wire, recompute
from pems_actors.plan_of_day import plan_of_day
from pems_actors.simulate import simulate
from pems_actors.simulation.policy import Job, run_policy

MONDAY = date(2021, 2, 8)
HOUR = 1 / 24


def demo(**simulation: float) -> HouseFile:
    """The demo house, with little before and after the run."""
    file = load(Path(config.__path__[0]) / "demo.toml")
    told = {"warmup_days": 0, "tail_h": 1, **simulation}
    return file.model_copy(update={"simulation": file.simulation.model_copy(update=told)})


def quiet(policy: str, share: float) -> None:
    """Nobody looks at the bars."""


def hour(seed: int, policy: str = "pems") -> Any:
    """One hour of a policy, in this process."""
    job = Job(policy=policy, config=demo(), start=MONDAY, days=HOUR, seed=seed, replan_s=3600.0)
    return run_policy(job, lambda _: None)


@pytest.fixture(scope="module")
def morning(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path, dict[str, list[float]]]:
    """Six hours of two policies, with evidence."""
    out = tmp_path_factory.mktemp("morning")
    told: dict[str, list[float]] = {}

    def progress(policy: str, share: float) -> None:
        told.setdefault(policy, []).append(share)

    return simulate(demo(), MONDAY, 0.25, 1, 3600.0, out, ("rules", "pems"), progress), out, told


def test_the_evidence_recomputes_to_the_scorecard(morning: tuple[dict[str, Any], Path, object]) -> None:
    card, out, _ = morning
    assert list(card["policies"]) == ["rules", "pems"]
    again = recompute(out)
    assert disagreements(card, again) == []
    broken = json.loads(json.dumps(card))
    broken["policies"]["pems"]["cost_eur"] += 0.01
    assert disagreements(broken, again), "it would be noticed"


def test_all_policies_live_through_the_same_quarter_hours_of_the_same_market(
    morning: tuple[dict[str, Any], Path, object],
) -> None:
    _, out, _ = morning
    rows = read_policies(out)
    rules, pems = rows["rules"], rows["pems"]
    assert [row.time_utc for row in rules] == [row.time_utc for row in pems]
    assert [(row.phase) for row in rules] == ["run"] * 24 + ["tail"] * 4
    same = ("price_import", "price_export", "pv_available_kw")
    assert [[getattr(r, n) for n in same] for r in rules] == [[getattr(r, n) for n in same] for r in pems]
    assert [row.heating_kw for row in rules] != [row.heating_kw for row in pems], "two minds"


def test_plans_progress_and_the_wire_are_told(morning: tuple[dict[str, Any], Path, dict[str, list[float]]]) -> None:
    card, out, told = morning
    assert 6 <= card["plans"]["count"] <= 12 and card["plans"]["median_s"] > 0
    assert card["checks"] and card["seed"] == 1
    assert set(told) == {"rules", "pems"}
    assert all(shares == sorted(shares) and shares[-1] == 1.0 for shares in told.values())
    points = {line.point for line in read_wire(out / "wire.jsonl")}
    assert "room.obyvak.relay" in points


def test_the_same_seed_is_the_same_run_in_another_process(tmp_path: Path) -> None:
    here = hour(1)
    card = simulate(demo(), MONDAY, HOUR, 1, 3600.0, tmp_path, ("pems",), quiet)
    text = json.dumps({"pems": here.trace_hash}, sort_keys=True)
    assert card["trace_hash"] == hashlib.sha256(text.encode()).hexdigest()
    assert read_policies(tmp_path)["pems"] == here.rows


def test_every_policy_forks_from_one_state() -> None:
    forks = {policy: hour(1, policy).fork_hash for policy in ("none", "rules")}
    assert len(set(forks.values())) == 1
    assert hour(1, "rules").trace_hash == hour(1, "rules").trace_hash != hour(1, "none").trace_hash


def test_the_plan_of_a_day_is_the_first_one_of_its_simulation() -> None:
    midnight = datetime(2021, 2, 7, 23, tzinfo=UTC)  # in the house's zone
    _, plan = plan_of_day(demo(), midnight, since=midnight, seed=1)
    assert plan.result.gap_eur > 0.0 and hour(1).gaps_eur[0] == pytest.approx(plan.result.gap_eur, rel=1e-9)


def test_another_seed_is_another_house() -> None:
    one, two = hour(1, "rules"), hour(2, "rules")
    assert one.fork_hash != two.fork_hash and one.trace_hash != two.trace_hash


def test_policies_that_did_not_begin_in_one_state_are_no_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    empty: dict[str, Any] = {"checks": {}, "breaches": [], "trace_hash": "", "score": {}}
    results = {policy: {"fork_hash": policy, **empty} for policy in ("rules", "pems")}
    monkeypatch.setattr(simulate_module, "_side_by_side", lambda jobs, progress: results)
    with pytest.raises(PemsError, match="did not begin in one state"):
        simulate(demo(), MONDAY, HOUR, 1, 3600.0, None, ("rules", "pems"), quiet)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"policies": ("rules", "magic")}, "policy 'magic' is not known; one of none, rules, smart, pems, foresight"),
        ({"start": date(2031, 1, 1)}, "^--start 2031-01-01, 0.0417 days: .* there is 20.* choose another day$"),
        ({"start": date(2021, 12, 30), "days": 30.0}, "2021-12-30, 30 days: needs .* another day, or fewer of them"),
        ({"file": lambda: demo(tick_s=120.0)}, "tick_s 120 does not divide 300 s; .* choose 60"),
    ],
)
def test_a_mistake_is_one_line_and_starts_nothing(
    arguments: dict[str, Any], told: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    started: list[object] = []
    monkeypatch.setattr(simulate_module, "_side_by_side", lambda *jobs: started.append(jobs))
    make: Callable[[], HouseFile] = arguments.get("file", demo)
    with pytest.raises(ConfigError, match=told) as error:
        simulate(
            make(), arguments.get("start", MONDAY), arguments.get("days", HOUR), 1, 3600.0, tmp_path,
            arguments.get("policies", ("rules",)), quiet,
        )  # fmt: skip
    assert "\n" not in str(error.value) and not started and list(tmp_path.iterdir()) == []


def test_a_policy_whose_process_fails_is_told_with_its_last_words(tmp_path: Path) -> None:
    (tmp_path / "rules.csv").mkdir()  # its evidence cannot be written there
    with pytest.raises(PemsError, match=r"policy rules failed: .*rules\.csv"):
        simulate(demo(), MONDAY, 1 / 96, 1, 3600.0, tmp_path, ("rules",), quiet)
