"""What is written as evidence reads back as the very same rows, and nonsense is refused with its place."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.errors import ConfigError, DataError, PemsError
from models.scorecard import PlanStats, Scorecard, score
from models.types.command import Level
from models.types.mode import Composite, InverterMode
from pems_actors.evidence import (
    disagreements,
    read_house,
    read_policies,
    read_policy,
    read_wire,
    recompute,
    write_house,
    write_policy,
    write_wire,
)
from tests.models.test_scorecard import make_house, make_row, synthetic_rows

HOUSE = make_house(("study", "bath"))


@dataclass(frozen=True)
class Entry:
    """One line of a wire log, as a device actor would leave it."""

    point: str
    value: object
    level: Level = Level.PLAN
    at: datetime = datetime(2021, 2, 8, 12, 0, 3, 250000, tzinfo=UTC)
    cause: str = "plan-7"
    epoch: tuple[int, int] = (3, 1)


# --- POLICY.csv ------------------------------------------------------------------------------------------------------
def test_what_is_read_back_is_what_was_written_to_the_last_bit(tmp_path: Path) -> None:
    rows = synthetic_rows("pems", HOUSE, days=1, tail_days=1)

    path = write_policy(tmp_path, "pems", rows)

    assert path == tmp_path / "pems.csv"
    assert read_policy(path) == rows
    assert score(read_policy(path), house=HOUSE) == score(rows, house=HOUSE)


def test_the_columns_are_those_of_the_issue_in_their_order(tmp_path: Path) -> None:
    path = write_policy(tmp_path, "rules", [make_row()])

    header, first = path.read_text().splitlines()
    assert header == (
        "time_utc,phase,price_import,price_export,pv_kw,pv_available_kw,load_kw,heating_kw,battery_kw,grid_kw,soc,"
        "composite,study.temperature_c,study.slab_c,study.relay_share,study.lower_c,study.upper_c"
    )
    assert first == "2021-02-07T23:00:00Z,run,0.3,0.1,0.0,0.0,0.5,0.0,0.0,0.5,0.5,regular,21.0,22.0,0.0,20.0,23.0"


def test_an_outsider_with_nothing_but_the_csv_finds_the_same_money_and_comfort(tmp_path: Path) -> None:
    rows = synthetic_rows("smart", HOUSE, days=7, tail_days=3)
    claimed = score(rows, house=HOUSE).as_dict()
    path = write_policy(tmp_path, "smart", rows)

    energy = tail = discharged = cold_kh = 0.0
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            grid_kwh = float(row["grid_kw"]) / 4
            eur = grid_kwh * float(row["price_import"] if grid_kwh > 0 else row["price_export"])
            if row["phase"] == "tail":
                tail += eur
                continue
            energy += eur
            discharged += max(-float(row["battery_kw"]), 0.0) / 4
            for room in ("study", "bath"):
                cold_kh += max(float(row[f"{room}.lower_c"]) - float(row[f"{room}.temperature_c"]) - 0.2, 0.0) / 4

    assert energy == pytest.approx(claimed["energy_eur"], abs=1e-4)
    assert tail == pytest.approx(claimed["tail_eur"], abs=1e-4)
    assert energy + tail + 0.04 * discharged == pytest.approx(claimed["cost_eur"], abs=1e-4)
    assert cold_kh == pytest.approx(claimed["comfort_kh"], abs=1e-4)
    assert claimed["overheat_kh"] == 0.0, "else this outsider's rule for warm rooms would be too short"


def test_an_outsider_finds_the_same_price_on_power_and_on_deep_cycles(tmp_path: Path) -> None:
    """Highest quarter hour of the run above 2 kW at 3 EUR; 0.05 EUR for each kWh drawn from below 40 %."""
    battery, tariff = HOUSE.battery, HOUSE.tariff
    assert battery is not None
    house = HOUSE.model_copy(
        update={
            "battery": battery.model_copy(update={"wear_deep_eur_per_kwh": 0.05, "deep_below_soc": 0.4}),
            "tariff": tariff.model_copy(update={"peak_eur_per_kw": 3.0, "peak_free_kw": 2.0}),
        }
    )
    rows = synthetic_rows("pems", house, days=7, tail_days=3)
    claimed, plain = score(rows, house=house).as_dict(), score(rows, house=HOUSE).as_dict()
    path = write_policy(tmp_path, "pems", rows)
    write_house(tmp_path, house)

    peak_kw = deep_kwh = 0.0
    with path.open(newline="") as file:
        run = [row for row in csv.DictReader(file) if row["phase"] == "run"]
    before = float(run[0]["soc"]) - float(run[0]["battery_kw"]) / 4 / 10
    for row in run:
        peak_kw = max(peak_kw, float(row["grid_kw"]))
        deep_kwh += 10 * max(min(before, 0.4) - min(float(row["soc"]), 0.4), 0.0)
        before = float(row["soc"])

    assert peak_kw > 2.0 and deep_kwh > 1.0, "else this outsider would find nothing"
    assert claimed["power_eur"] == pytest.approx(3.0 * (peak_kw - 2.0), abs=1e-4)
    assert claimed["deep_wear_eur"] == pytest.approx(0.05 * deep_kwh, abs=1e-4)
    beside = 3.0 * (peak_kw - 2.0) + 0.05 * deep_kwh
    assert claimed["cost_eur"] == pytest.approx(float(plain["cost_eur"] or 0.0) + beside, abs=1e-4)
    assert disagreements({"policies": {"pems": claimed}}, recompute(tmp_path)) == []


def test_an_unknown_price_stays_unknown(tmp_path: Path) -> None:
    path = write_policy(tmp_path, "pems", [make_row(price_import=math.nan)])

    assert ",nan," in path.read_text()
    assert math.isnan(read_policy(path)[0].price_import)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(load=st.floats(0, 50), price=st.floats(-5, 5, allow_nan=False), composite=st.text(max_size=20))
def test_any_float_and_any_word_survive_the_file(tmp_path: Path, load: float, price: float, composite: str) -> None:
    composite = "".join(ch for ch in composite if ch.isprintable())
    rows = [make_row(load_kw=load, price_import=price, composite=composite)]

    assert read_policy(write_policy(tmp_path, "pems", rows)) == rows


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda text: "", "no rows"),
        (lambda text: text.splitlines()[0], "no rows"),
        (lambda text: text.replace("soc", "SOC", 1), "column 11 is 'SOC', must be 'soc'"),
        (lambda text: text.replace(",study.upper_c", ""), "columns"),
        (lambda text: text.replace("2021-02-07T23:00:00Z", "2021-02-07T23:00:00"), "line 2.*no time zone"),
        (lambda text: text.replace("2021-02-07T23:15:00Z", "yesterday"), "line 3.*'yesterday'"),
        (lambda text: text.replace("2021-02-07T23:15:00Z", "2021-02-07T23:30:00Z"), "15 minutes later"),
        (lambda text: text.replace(",0.5,", ",,", 1), "line 2: load_kw is ''"),
        (lambda text: text.replace(",0.5,", ",500 W,", 1), "line 2: load_kw is '500 W'"),
        (lambda text: text.replace(",0.5,", ",500,", 1), "open"),
        (lambda text: text.replace(",run,", ",walk,", 1), "line 2: phase is 'walk'"),
        (lambda text: text.rstrip().removesuffix(",23.0"), "line 3: 16 cells"),
        (lambda text: text.replace("regular", '"regular', 1), "not a CSV file"),
    ],
)
def test_a_spoilt_file_is_refused_with_its_place(tmp_path: Path, spoil: Callable[[str], str], says: str) -> None:
    path = write_policy(tmp_path, "pems", [make_row(0), make_row(1)])
    path.write_text(spoil(path.read_text()))

    with pytest.raises(DataError, match=says):
        read_policy(path)


def test_a_file_that_is_no_text_or_is_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pems.csv").write_bytes(b"time_utc\xff\xfe")

    with pytest.raises(DataError, match="not UTF-8"):
        read_policy(tmp_path / "pems.csv")
    with pytest.raises(DataError, match="does not exist"):
        read_policy(tmp_path / "rules.csv")


def test_bad_rows_leave_the_old_file_as_it_was(tmp_path: Path) -> None:
    path = write_policy(tmp_path, "pems", [make_row()])
    before = path.read_text()

    with pytest.raises(DataError):
        write_policy(tmp_path, "pems", [make_row(grid_kw=9.0)])

    assert path.read_text() == before
    assert [found.name for found in tmp_path.iterdir()] == ["pems.csv"]


def test_a_folder_that_cannot_be_made_is_the_users_mistake(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")

    with pytest.raises(ConfigError, match="cannot write"):
        write_policy(tmp_path / "taken", "pems", [make_row()])


@pytest.mark.parametrize("name", ["../pems", "Pems", "", "a b"])
def test_a_policy_name_that_is_no_file_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="cannot name a file"):
        write_policy(tmp_path, name, [make_row()])


# --- wire.jsonl ------------------------------------------------------------------------------------------------------
def test_the_wire_log_reads_back(tmp_path: Path) -> None:
    hold = InverterMode(composite=Composite.HOLD, stop_soc=0.43)
    entries = [Entry("inverter.mode", hold), Entry("room.bath.relay", "on"), Entry("inverter.export_limit_kw", 0.0)]

    assert write_wire(tmp_path, entries) == 3

    first, second, third = read_wire(tmp_path / "wire.jsonl")
    assert first.value == {"composite": "hold", "stop_soc": 0.43, "rate": None}
    assert (second.at, second.point, second.value) == (entries[1].at, "room.bath.relay", "on")
    assert (third.level, third.cause, third.epoch) == (13, "plan-7", (3, 1))
    keys = json.loads((tmp_path / "wire.jsonl").read_text().splitlines()[0])
    assert list(keys) == ["time", "point", "value", "level", "cause", "epoch"]


def test_a_wire_log_without_entries_is_empty_and_no_error(tmp_path: Path) -> None:
    assert write_wire(tmp_path, []) == 0
    assert list(read_wire(tmp_path / "wire.jsonl")) == []


def test_a_value_without_a_word_in_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"inverter\.export_limit_kw"):
        write_wire(tmp_path, [Entry("inverter.export_limit_kw", math.nan)])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("line", ["{", "[]", '{"time": "2021-02-08T00:00:00Z"}', '{"time": 3, "epoch": [1, 2]}', "7"])
def test_a_spoilt_line_of_the_wire_log_is_refused_with_its_number(tmp_path: Path, line: str) -> None:
    write_wire(tmp_path, [Entry("room.bath.relay", "on")])
    with (tmp_path / "wire.jsonl").open("a") as file:
        file.write(line + "\n")

    with pytest.raises(DataError, match="line 2"):
        list(read_wire(tmp_path / "wire.jsonl"))


# --- the whole folder ------------------------------------------------------------------------------------------------
def test_a_folder_recomputes_to_the_scorecard_that_it_came_with(tmp_path: Path) -> None:
    rows = {name: synthetic_rows(name, HOUSE, days=2, tail_days=1) for name in ("rules", "pems")}
    scores = {name: score(rows[name], house=HOUSE, switches=9, writes=4) for name in rows}
    card = Scorecard(
        policies=scores, violations=0, checks={"1": 3}, plans=PlanStats.of([], []), trace_hash="ab", seed=1
    )
    write_house(tmp_path, HOUSE)
    write_wire(tmp_path, [Entry("room.bath.relay", "on"), Entry("room.bath.relay", "auto", Level.DEFAULT)])
    for name in rows:
        write_policy(tmp_path, name, rows[name])

    again = recompute(tmp_path)

    claimed = json.loads(json.dumps(card.as_dict()))
    assert disagreements(claimed, again) == []
    assert again["wire"] == {"entries": 2, "points": {"room.bath.relay": 2}, "levels": {"13": 1, "16": 1}}
    assert read_house(tmp_path) == HOUSE
    assert list(read_policies(tmp_path)) == ["pems", "rules"]

    claimed["policies"]["pems"]["cost_eur"] -= 0.001
    claimed["policies"]["smart"] = claimed["policies"]["rules"]
    assert [line.split(":")[0] for line in disagreements(claimed, again)] == ["smart", "pems.cost_eur"]


def test_a_folder_without_evidence_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"house\.json does not exist"):
        recompute(tmp_path)
    write_house(tmp_path, HOUSE)
    with pytest.raises(DataError, match=r"no POLICY\.csv"):
        recompute(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"site": {"latitude_deg": 200, "longitude_deg": 6}}'])
def test_a_spoilt_house_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "house.json").write_text(text)

    with pytest.raises(PemsError, match=r"house\.json"):
        read_house(tmp_path)
