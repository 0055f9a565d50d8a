"""Pictures are PNG files of the promised size that show what the rows say, and bad rows are not drawn."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from PIL import Image

from models.errors import ConfigError, DataError
from models.scorecard import EvidenceRow, score
from models.types.mode import REGULAR, Composite, InverterMode
from pems_actors.pictures import plan_picture, week_picture
from pems_actors.pictures.canvas import COLD, COSTS_TO_SELL, POLICY_LINES, SUN_WARM, TOO_WARM, canvas, signed
from pems_actors.pictures.cards import cards_picture
from pems_actors.pictures.panels import COMPOSITES
from pems_actors.pictures.plan import plan_axis
from pems_actors.pictures.plan_panels import plan_panels
from pems_actors.pictures.time_axis import TimeAxis, spans
from pems_actors.pictures.week import end_labels
from solvers.problem import BatteryProblem, PlanProblem, RoomProblem
from solvers.result import PlanResult, Quality, Stop, Timings
from tests.models.test_scorecard import make_house, make_room, make_row, synthetic_rows

BERLIN = ZoneInfo("Europe/Berlin")
HOUSE = make_house(("study", "bath", "hall"))


def pixels(path: Path, colour: str) -> int:
    """How many pixels have exactly that colour."""
    wanted = tuple(int(colour[k : k + 2], 16) for k in (1, 3, 5))
    with Image.open(path) as image:
        colours = image.convert("RGB").getcolors(maxcolors=2**24) or []
    return sum(count for count, found in colours if found == wanted)


def day(**changes: object) -> list[EvidenceRow]:
    return [make_row(index, **changes) for index in range(96)]


# --- the week --------------------------------------------------------------------------------------------------------
def test_a_week_with_its_rivals_is_a_png_of_the_promised_size(tmp_path: Path) -> None:
    rows = {name: synthetic_rows(name, HOUSE) for name in ("none", "rules", "smart", "pems", "foresight")}
    scores = {name: score(rows[name], house=HOUSE, switches=9) for name in rows}

    path = week_picture(rows, tmp_path / "new" / "week.png", zone=BERLIN, title="Week", scores=scores, house=HOUSE)

    with Image.open(path) as image:
        assert (image.format, image.size) == ("PNG", (1600, 1800))
    assert [found.name for found in path.parent.iterdir()] == ["week.png"]
    for colour in (COMPOSITES["hold"], COMPOSITES["charge_from_grid"], COSTS_TO_SELL, POLICY_LINES["pems"][0]):
        assert pixels(path, colour) > 100


def test_the_same_rows_give_the_same_picture_and_others_another(tmp_path: Path) -> None:
    pictures = [
        week_picture({"pems": rows}, tmp_path / f"{number}.png", zone=BERLIN, title="Day").read_bytes()
        for number, rows in enumerate((day(), day(), day(load_kw=0.9)))
    ]

    assert pictures[0] == pictures[1]
    assert pictures[0] != pictures[2]


def test_rooms_out_of_their_band_stand_out_each_in_its_own_colour(tmp_path: Path) -> None:
    cases = {
        "fine": make_room(),
        "tolerated": make_room(temperature_c=19.85),
        "cold": make_room(temperature_c=19.0),
        "sun": make_room(temperature_c=24.0),
        "heated": make_room(temperature_c=24.0, relay_share=0.1),
    }
    found = {}
    for name, room in cases.items():
        path = week_picture({"pems": day(rooms=(room,))}, tmp_path / f"{name}.png", zone=BERLIN, title=name)
        found[name] = {colour: pixels(path, colour) for colour in (COLD, SUN_WARM, TOO_WARM)}

    legend = found["fine"]
    assert found["tolerated"] == legend
    for name, colour in (("cold", COLD), ("sun", SUN_WARM), ("heated", TOO_WARM)):
        shown = {other for other in legend if found[name][other] > legend[other] + 10_000}
        assert shown == {colour}


def test_negative_selling_prices_are_shaded(tmp_path: Path) -> None:
    path = week_picture({"pems": day(price_export=-0.02)}, tmp_path / "a.png", zone=BERLIN, title="Negative")
    plain = week_picture({"pems": day()}, tmp_path / "b.png", zone=BERLIN, title="Positive")

    assert pixels(path, COSTS_TO_SELL) > 100_000
    assert pixels(plain, COSTS_TO_SELL) == 0


@pytest.mark.parametrize(
    "rows",
    [
        day(soc=math.nan),
        day(rooms=()),
        day(price_import=math.nan, price_export=math.nan),
        [make_row()],
        day(composite="hold to 43%"),
        day(composite="not in the list"),
    ],
    ids=["no battery", "no rooms", "no prices", "one slot", "parameters", "unknown composite"],
)
def test_a_house_that_lacks_something_is_drawn_without_it(tmp_path: Path, rows: list[EvidenceRow]) -> None:
    path = week_picture({"rules": rows}, tmp_path / "odd.png", zone=BERLIN, title="Odd")

    with Image.open(path) as image:
        assert image.size == (1600, 1800)


def test_only_the_run_is_drawn(tmp_path: Path) -> None:
    tail = [make_row(96 + index, phase="tail", load_kw=9.0) for index in range(96)]
    with_tail = week_picture({"pems": [*day(), *tail]}, tmp_path / "a.png", zone=BERLIN, title="Day")
    without = week_picture({"pems": day()}, tmp_path / "b.png", zone=BERLIN, title="Day")

    assert with_tail.read_bytes() == without.read_bytes()


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ({}, "no policy"),
        ({"pems": []}, "policy pems: evidence has no rows"),
        ({"pems": [make_row(grid_kw=7.0)]}, "policy pems: row .* open"),
        ({"pems": day(), "rules": day()[:-1]}, "different times"),
        ({"pems": day(), "rules": day(rooms=(make_room("bath"),))}, "different rooms"),
    ],
)
def test_rows_that_are_no_evidence_are_not_drawn(tmp_path: Path, rows: dict[str, list[EvidenceRow]], says: str) -> None:
    with pytest.raises(DataError, match=says):
        week_picture(rows, tmp_path / "week.png", zone=BERLIN, title="Bad")
    assert list(tmp_path.iterdir()) == []


def test_a_path_that_is_no_png_or_cannot_be_written_is_the_users_mistake(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")

    with pytest.raises(ConfigError, match="PNG"):
        week_picture({"pems": day()}, tmp_path / "week.pdf", zone=BERLIN, title="Day")
    with pytest.raises(ConfigError, match="cannot write"):
        week_picture({"pems": day()}, tmp_path / "taken" / "week.png", zone=BERLIN, title="Day")


# --- one plan --------------------------------------------------------------------------------------------------------
def make_plan(*, rooms: int = 0, modes: Sequence[InverterMode] = ()) -> tuple[PlanProblem, PlanResult]:
    """A day in hours: sun at noon charges the battery, which serves the evening."""
    steps = 24
    pv = tuple(max(4 * math.sin((h - 6) / 12 * math.pi), 0.0) for h in range(steps))
    net = [p - 0.5 for p in pv]
    charge = tuple(min(max(kw, 0.0), 2.0) if 8 <= h < 12 else 0.0 for h, kw in enumerate(net))
    discharge = tuple(0.5 if h >= 18 else 0.0 for h in range(steps))
    soc, level = [], 0.2
    for into, out in zip(charge, discharge, strict=True):
        level += (into - out) / 10
        soc.append(level)
    curtailed = tuple(1.0 if 12 <= h < 14 else 0.0 for h in range(steps))
    grid = [0.5 + c - d - p + lost for c, d, p, lost in zip(charge, discharge, pv, curtailed, strict=True)]
    problem = PlanProblem(
        id="p",
        issued=datetime(2021, 6, 7, 22, tzinfo=UTC),
        start=datetime(2021, 6, 7, 22, tzinfo=UTC),
        dt_h=1.0,
        price_import=(0.3,) * steps,
        price_export=tuple(-0.01 if 12 <= h < 14 else 0.08 for h in range(steps)),
        price_known=(True,) * 20 + (False,) * 4,
        pv_kw=pv,
        load_kw=(0.5,) * steps,
        outdoor_c=(12.0,) * steps,
        import_limit_kw=22.0,
        export_limit_kw=10.0,
        battery=BatteryProblem(
            capacity_kwh=10.0, soc=0.2, soc_min=0.2, soc_max=1.0, charge_kw=5.0, discharge_kw=5.0,
            eff_charge_pv=1.0, eff_charge_ac=1.0, eff_discharge=1.0,
        ),
        rooms=tuple(
            RoomProblem(
                name=f"room_{k}", heater_kw=1.0, air_kwh_per_k=1.0, slab_kwh_per_k=0.2, slab_air_kw_per_k=0.1,
                ua_kw_per_k=0.02, neighbours=(), air_c=21.0, slab_c=22.0, disturbance_kw=0.0, sun_kw=(0.0,) * steps,
                lower_c=(20.0,) * steps, upper_c=(23.0,) * steps,
            )
            for k in range(rooms)
        ),
    )  # fmt: skip
    result = PlanResult(
        problem_id="p",
        maker="pyomo_highs",
        stop=Stop.CONVERGED,
        quality=Quality.OPTIMAL,
        message="",
        start=problem.start,
        dt_h=1.0,
        cost_eur=-1.0,
        objective_eur=-1.0,
        bound_eur=-1.0,
        gap_eur=0.0,
        modes=tuple(modes) or (REGULAR,) * steps,
        export_limit_kw=(10.0,) * steps,
        charge_kw=charge,
        discharge_kw=discharge,
        soc=tuple(soc),
        import_kw=tuple(max(kw, 0.0) for kw in grid),
        export_kw=tuple(max(-kw, 0.0) for kw in grid),
        pv_used_kw=tuple(p - lost for p, lost in zip(pv, curtailed, strict=True)),
        curtailed_kw=curtailed,
        duty=tuple((0.5,) * steps for _ in range(rooms)),
        air_c=tuple((21.0,) * 12 + (19.0,) * 12 for _ in range(rooms)),
        slab_c=tuple((22.0,) * steps for _ in range(rooms)),
        bent_rules=(),
        timings=Timings(wall_s=0.1),
    )
    return problem, result


def test_a_plan_is_drawn_as_high_as_it_needs(tmp_path: Path) -> None:
    hold = InverterMode(composite=Composite.HOLD, stop_soc=0.3)
    sizes = {}
    for name, plan in {
        "case": make_plan(),
        "house": make_plan(rooms=5, modes=[REGULAR] * 20 + [hold] * 4),
    }.items():
        path = plan_picture(*plan, tmp_path / f"{name}.png", zone=BERLIN, title=name)
        with Image.open(path) as image:
            assert image.format == "PNG"
            sizes[name] = image.size

    assert sizes["case"][0] == sizes["house"][0] == 1600
    assert sizes["house"][1] > sizes["case"][1]
    assert pixels(tmp_path / "house.png", COMPOSITES["hold"]) > 1000
    assert pixels(tmp_path / "house.png", COLD) > 10_000, "twelve hours below the band"
    assert pixels(tmp_path / "case.png", COSTS_TO_SELL) > 10_000


def test_a_failed_plan_or_one_that_does_not_fit_its_problem_is_not_drawn(tmp_path: Path) -> None:
    problem, result = make_plan(rooms=1)
    empty = replace(result, quality=Quality.FAILED, import_kw=(), message="no plan in time")

    for bad, says in (
        (empty, "failed.*no plan in time"),
        (replace(result, soc=result.soc[:-1]), "soc has 23 values, must be 24"),
        (replace(result, duty=()), "duty has 0 rooms, must be 1"),
        (replace(result, export_kw=(math.nan,) * 24), "export_kw holds a value that is not finite"),
    ):
        with pytest.raises(DataError, match=says):
            plan_picture(problem, bad, tmp_path / "plan.png", zone=BERLIN, title="Bad")
    assert list(tmp_path.iterdir()) == []


def test_the_import_limit_is_drawn_as_it_binds_slot_by_slot(tmp_path: Path) -> None:
    problem, result = make_plan()
    dimmed = replace(problem, import_limits_kw=tuple(4.2 if 17 <= h < 19 else 22.0 for h in range(24)))
    with canvas(600) as figure:
        prices, flows, power, soc, grid = figure.subplots(5)
        axis = plan_axis(dimmed, BERLIN)
        plan_panels(dimmed, result, axis, prices=prices, flows=flows, battery=(power, soc), grid=grid)
        (line,) = (patch for patch in grid.patches if str(patch.get_label()).startswith("import limit"))
        assert line.get_label() == "import limit 22.0 kW, at times down to 4.2"
        values, edges, _ = line.get_data()
        assert tuple(values) == dimmed.import_limits_kw and tuple(edges) == tuple(axis.edges)
    for draw in (plan_picture, partial(cards_picture, cards=())):
        pictures = [
            draw(one, result, path=tmp_path / "plan.png", zone=BERLIN, title="Plan").read_bytes()
            for one in (problem, dimmed)
        ]
        assert pictures[0] != pictures[1]


# --- time and labels -------------------------------------------------------------------------------------------------
def test_the_time_axis_keeps_local_days_when_the_clocks_change() -> None:
    start = datetime(2021, 3, 27, 23, tzinfo=UTC)  # the 28th has 23 hours
    axis = TimeAxis.of([start + timedelta(minutes=15) * k for k in range(92)], 0.25, BERLIN)

    first, second = axis.midnights()
    assert (first, second) == (start, start + timedelta(hours=23))
    assert axis.end == second
    local = [at.astimezone(BERLIN) for at in axis.hours(6)]
    assert [at.hour for at in local] == [6, 12, 18]
    assert local[0].astimezone(UTC) - start == timedelta(hours=5), "two o'clock did not happen"
    assert axis.period() == "Sunday 28 March 2021, Europe/Berlin"


def test_spans_are_the_runs_of_true() -> None:
    assert spans([True, False, True, True]) == [(0, 1), (2, 4)]
    assert spans([]) == []


def test_labels_at_the_end_of_lines_keep_their_distance_and_their_order() -> None:
    ends = {"none": 6.0, "rules": 0.0, "smart": -3.1, "pems": -3.0, "foresight": -3.05, "other": 6.0}
    with canvas(400) as figure:
        ax = figure.add_axes((0.1, 0.1, 0.8, 0.8))
        ax.set_ylim(-4, 7)
        end_labels(ax, ends)
        places = {text.get_text().split()[0]: float(text.xy[1]) for text in ax.texts}  # type: ignore[attr-defined]

    assert sorted(places, key=places.__getitem__) == sorted(ends, key=lambda name: (ends[name], name))
    assert all(high - low > 1.6 for low, high in pairwise(sorted(places.values())))


@pytest.mark.parametrize("end", [-4.0, 7.0], ids=["bottom", "top"])
def test_labels_that_pile_up_at_an_edge_stay_inside_the_panel(end: float) -> None:
    with canvas(400) as figure:
        ax = figure.add_axes((0.1, 0.1, 0.8, 0.8))
        ax.set_ylim(-4, 7)
        end_labels(ax, {"pems": end, "rules": end, "smart": end})
        places = [float(text.xy[1]) for text in ax.texts]  # type: ignore[attr-defined]

    assert min(places) >= -4.0
    assert max(places) <= 7.0


def test_numbers_have_a_real_minus_and_no_negative_zero() -> None:
    assert signed(-1.5, 2) == "\u22121.50"
    assert signed(-0.001, 2, plus=True) == "0.00"
    assert signed(2.0, 1, plus=True) == "+2.0"


def test_matplotlib_is_loaded_only_when_a_picture_is_drawn() -> None:
    code = "import sys, pems_actors.pictures; sys.exit('matplotlib' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
