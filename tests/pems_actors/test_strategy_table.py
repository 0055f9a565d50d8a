"""The second block of the scorecard: in a table of 100 columns, in the JSON, and in what an outsider recomputes."""

from __future__ import annotations

from dataclasses import fields
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import config
from config.load import load
from models.scorecard import EvidenceRow, score
from models.strategy import StrategyScore, strategies
from pems_actors import simulate as simulate_module
from pems_actors.commands.simulate import _STRATEGY_ROWS, picture
from pems_actors.evidence import disagreements, recompute, write_policy
from pems_actors.simulate import simulate
from tests.models.test_scorecard import make_house, synthetic_rows

HOUSE = make_house(("study", "bath"))
FIVE = ("none", "rules", "smart", "pems", "foresight")


def shown(card: dict[str, Any], width: int = 100) -> list[str]:
    text = StringIO()
    Console(file=text, width=width).print(picture(card))
    return text.getvalue().splitlines()


def rows_of(days: int) -> dict[str, list[EvidenceRow]]:
    return {policy: synthetic_rows(policy, HOUSE, days=days, tail_days=1) for policy in FIVE}


def card_of(rows: dict[str, list[EvidenceRow]], switches: int | None = 14) -> dict[str, Any]:
    told = strategies(rows, house=HOUSE, switches=dict.fromkeys(rows, switches))
    figures = {name: {**score(rows[name], house=HOUSE).as_dict(), **told[name].as_dict()} for name in rows}
    return {"policies": figures, "seed": 1}


def test_every_figure_of_a_strategy_has_its_line_and_five_policies_fit_into_a_hundred_columns() -> None:
    lines = shown(card_of(rows_of(2)))

    assert {key for key, *_ in _STRATEGY_ROWS} == {field.name for field in fields(StrategyScore)}
    for _, name, _, _ in _STRATEGY_ROWS:
        assert sum(name in line for line in lines) == 1, name
    assert max(len(line) for line in lines) <= 100
    assert not any("…" in line for line in lines), "nothing is cut"


def test_power_and_deep_cycles_have_a_line_only_where_the_house_has_a_price_for_them() -> None:
    card = card_of(rows_of(2))
    assert not any("on power" in line or "deep cycles" in line for line in shown(card))

    for figures in card["policies"].values():
        figures["power_eur"] = 12.5
    lines = shown(card)
    power = next(line for line in lines if "on power" in line).split("│")
    assert [cell.strip() for cell in power[2:7]] == ["12.50"] * 5
    assert not any("deep cycles" in line for line in lines)


def test_shares_are_shown_in_percent_and_what_has_no_meaning_as_a_dash() -> None:
    card = card_of(rows_of(2), switches=None)
    card["policies"]["pems"] |= {"cheap_charging_share": 0.976, "arbitrage_eur_per_day": -0.001}
    lines = shown(card)

    cheap = next(line for line in lines if "cheapest fifth" in line).split("│")
    switches = next(line for line in lines if "relay switches a day" in line).split("│")
    earned = next(line for line in lines if "battery earned" in line).split("│")
    assert cheap[5].strip() == "98" and cheap[2].strip() == "-"
    assert [cell.strip() for cell in switches[2:7]] == ["-"] * 5
    assert earned[5].strip() == "0.00", "no minus before nothing"


def test_the_simulation_tells_strategies_and_an_outsider_finds_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The policies' processes are stood in for by their evidence; what is told of it is the real thing."""
    file = load(Path(config.__path__[0]) / "demo.toml")
    rows = {policy: synthetic_rows(policy, file.house, days=1, tail_days=1) for policy in FIVE}

    def side_by_side(jobs: dict[str, dict[str, Any]], progress: object) -> dict[str, dict[str, Any]]:
        told = {}
        for policy in jobs:
            write_policy(Path(jobs[policy]["out"]), policy, rows[policy])
            figures = score(rows[policy], house=file.house, switches=8, writes=2).as_dict()
            told[policy] = {"score": figures, "fork_hash": "a", "trace_hash": policy, "checks": {}, "breaches": [],
                            "plan_seconds": [], "gaps_eur": []}  # fmt: skip
        return told

    monkeypatch.setattr(simulate_module, "_side_by_side", side_by_side)
    for out in (tmp_path, None):
        card = simulate(file, date(2021, 2, 8), 1.0, 1, 900.0, out, FIVE, lambda policy, share: None)
        assert card["policies"]["pems"]["relay_switches_per_day"] == 8.0
        preheated = strategies(rows, house=file.house)["pems"].as_dict()["preheated_share"]
        assert preheated is not None and card["policies"]["pems"]["preheated_share"] == preheated

    again = recompute(tmp_path)
    assert disagreements(card, again) == []
    assert again["policies"]["pems"].keys() == card["policies"]["pems"].keys()  # type: ignore[index]
    card["policies"]["pems"]["preheated_share"] += 0.01
    assert [line.split(":")[0] for line in disagreements(card, again)] == ["pems.preheated_share"]
