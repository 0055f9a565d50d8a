"""`simulate`: days in minutes, all policies side by side, with a scorecard."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from config.load import load
from config.schema import HouseFile
from models.errors import ConfigError
from pems_actors.arguments import day, duration_s, new_file, new_folder, within
from pems_actors.commands.options import DEMO_HOUSE, Config, write_json
from pems_actors.console.render import UNKNOWN, shown

POLICIES = ("none", "rules", "smart", "pems", "foresight")
BREACHES_SHOWN = 5
_HELP = """Simulate days in minutes: the same actors on virtual time, five policies side by side, one scorecard.

All policies begin in one state: none (battery idle), rules (what inverter and thermostats do alone), smart (a careful
owner's rules), pems (plans on forecasts only), foresight (plans on the truth). Costs are EUR; what is left in battery
and rooms is worth what it saves in the 72 hours after.

For example:

```text
simulate                                       a winter week
simulate --start 2021-05-17 --seed 2           a week of negative prices
simulate --days 2 --policies rules,pems        quicker
simulate --out week --plot week.png --json -   with evidence and picture
```
"""


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(help=_HELP, short_help="A week in minutes: policies side by side, one scorecard.")
    def simulate(
        config: Config = DEMO_HOUSE,
        start: Annotated[
            str | None, typer.Option(metavar="DAY", help="First local day.", show_default="run.start of the house file")
        ] = None,
        days: Annotated[float, typer.Option(help="How many.")] = 7.0,
        seed: Annotated[int | None, typer.Option(help="Of everything random.", show_default="the house file's")] = None,
        json_: Annotated[
            Path | None, typer.Option("--json", metavar="FILE", help="Write the scorecard as JSON; - prints it.")
        ] = None,
        out: Annotated[
            Path | None, typer.Option(metavar="DIR", help="Write the evidence: POLICY.csv, wire.jsonl, house.json.")
        ] = None,
        plot: Annotated[Path | None, typer.Option(metavar="FILE.png", help="Draw the week.")] = None,
        replan: Annotated[
            str | None, typer.Option(metavar="TIME", help="Plan this often: 15m.", show_default="the house file's")
        ] = None,
        policies: Annotated[
            str | None, typer.Option(metavar="LIST", help=f"Some of {','.join(POLICIES)}.", show_default="all")
        ] = None,
    ) -> None:
        first = None if start is None else day("--start", start)
        within("--days", days, 1 / 96, 366.0)
        if seed is not None:
            within("--seed", seed, 0, 2**31 - 1)
        replan_s = None if replan is None else duration_s("--replan", replan, low_s=300.0, high_s=86_400.0)
        chosen = None if policies is None else _policies(policies)
        new_file("--json", json_)
        new_file("--plot", plot, ending=".png")
        house = load(config)
        begin = first or house.run.start
        if begin is None:
            raise ConfigError(f"{config}: no day to start with", hint="add run.start or say --start 2021-02-08")
        new_folder("--out", out)
        with _evidence_folder(out, needed=plot is not None) as folder:
            scorecard = _simulate(
                house,
                begin,
                days,
                house.simulation.seed if seed is None else seed,
                replan_s or house.timing.replan_s,
                folder,
                chosen,
            )
            write_json(scorecard, json_)
            if str(json_) != "-":
                Console().print(picture(scorecard))
            if plot is not None and folder is not None:
                _draw(folder, plot, house, scorecard)


def _policies(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    unknown = [name for name in names if name not in POLICIES]
    if unknown or not names:
        raise ConfigError(
            f"--policies {text!r}: {unknown[0] if unknown else 'nothing'!r} is none",
            hint=f"a list of {', '.join(POLICIES)}",
        )
    return names


@contextmanager
def _evidence_folder(out: Path | None, *, needed: bool) -> Iterator[Path | None]:
    """The folder asked for, or one for the time of drawing."""
    if out is not None or not needed:
        yield out
        return
    with tempfile.TemporaryDirectory(prefix="pems-") as name:
        yield Path(name)


def _simulate(
    house: HouseFile,
    start: date,
    days: float,
    seed: int,
    replan_s: float,
    out: Path | None,
    policies: tuple[str, ...] | None,
) -> Mapping[str, Any]:
    from pems_actors.simulate import simulate

    with _bars(policies or POLICIES) as progress:
        return simulate(house, start, days, seed, replan_s, out, policies, progress)


@contextmanager
def _bars(policies: tuple[str, ...]) -> Iterator[Callable[[str, float], None]]:
    """One bar per policy on the standard error stream; `progress(policy, share)` moves it."""
    columns = (TextColumn("{task.description:>10}"), BarColumn(40), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=Console(stderr=True)) as bars:
        tasks: dict[str, TaskID] = {policy: bars.add_task(policy, total=1.0) for policy in policies}

        def progress(policy: str, share: float) -> None:
            if policy in tasks:
                bars.update(tasks[policy], completed=min(max(share, 0.0), 1.0))

        yield progress


def _draw(folder: Path, plot: Path, house: HouseFile, scorecard: Mapping[str, Any]) -> None:
    from models.scorecard import score
    from pems_actors.evidence import read_policies
    from pems_actors.pictures import week_picture

    rows, told = read_policies(folder), scorecard["policies"]
    scores = {
        policy: score(
            rows[policy],
            house=house.house,
            switches=told[policy].get("relay_switches"),
            writes=told[policy].get("setting_writes"),
        )
        for policy in rows
        if policy in told
    }
    zone, days = ZoneInfo(house.site.timezone), sum(row.phase == "run" for row in next(iter(rows.values()))) / 96
    week_picture(rows, plot, zone=zone, title=f"{days:g} simulated days", scores=scores, house=house.house)


_ROWS: tuple[tuple[str, str, int], ...] = (
    ("cost_eur", "cost EUR", 2),
    ("energy_eur", "  on the meter", 2),
    ("power_eur", "  on power", 2),
    ("wear_eur", "  battery wear", 2),
    ("deep_wear_eur", "  deep cycles", 2),
    ("tail_eur", "  72 h after", 2),
    ("import_kwh", "import kWh", 1),
    ("export_kwh", "export kWh", 1),
    ("peak_import_kw", "peak import kW", 1),
    ("comfort_kh", "discomfort K·h", 2),
    ("comfort_share", "discomfort share", 4),
    ("worst_room_share", "worst room share", 4),
    ("deepest_k", "deepest K", 2),
    ("overheat_kh", "overheat by sun K·h", 1),
    ("mean_room_c", "mean room degC", 1),
    ("cycles", "battery cycles", 2),
    ("relay_switches", "relay switches", 0),
    ("setting_writes", "setting writes", 0),
)
_WHERE_BILLED = ("power_eur", "deep_wear_eur")  # a house without such a price has no such row
_STRATEGY_ROWS: tuple[tuple[str, str, int, float], ...] = (  # figure, name, decimals, factor
    ("grid_charged_kwh", "charged from the grid kWh", 1, 1),
    ("cheap_charging_share", "  in the day's cheapest fifth %", 0, 100),
    ("export_captured_share", "export opportunity taken %", 0, 100),
    ("arbitrage_eur_per_day", "battery earned EUR/day", 2, 1),
    ("arbitrage_vs_bound", "  of the day's perfect bound %", 0, 100),
    ("preheated_share", "pre-heated before peaks %", 0, 100),
    ("heating_saved_share", "heating cost saved %", 1, 100),
    ("peak_import_vs_rules", "peak import, rules = 1", 2, 1),
    ("mode_changes_per_day", "mode changes a day", 1, 1),
    ("relay_switches_per_day", "relay switches a day", 0, 1),
)


def picture(scorecard: Mapping[str, Any]) -> RenderableType:
    """The scorecard as people read it: what it cost, what was done, one column per policy; how far to trust it."""
    breaches = scorecard.get("breaches") or ()
    lines = [Text(f"  {breach}", style="red") for breach in breaches[:BREACHES_SHOWN]]
    if len(breaches) > BREACHES_SHOWN:
        lines.append(Text("  ... --json has more", style="red"))
    return Group(_table(scorecard), _trust(scorecard), *lines)


def _table(scorecard: Mapping[str, Any]) -> Table:
    """Two blocks in one table, so that the columns stay one below the other."""
    scores: Mapping[str, Mapping[str, Any]] = scorecard["policies"]
    result = Table(header_style="bold")
    result.add_column("")
    for policy in scores:
        result.add_column(policy, justify="right")
    for key, name, decimals in _ROWS:
        if key in _WHERE_BILLED and all(score.get(key) is None for score in scores.values()):
            continue
        cells = [_figure(score.get(key), decimals) for score in scores.values()]
        result.add_row(Text(name), *cells, style="bold" if key == "cost_eur" else "")
    result.add_section()
    for key, name, decimals, factor in _STRATEGY_ROWS:
        cells = [_figure(score.get(key), decimals, factor) for score in scores.values()]
        result.add_row(Text(name), *cells)
    return result


def _figure(value: object, decimals: int, factor: float = 1.0) -> str:
    if not isinstance(value, (int, float)):
        return UNKNOWN
    text = f"{value * factor:.{decimals}f}"
    return text.lstrip("-") if not text.strip("-0.") else text  # -0.00 is no debt


def _trust(scorecard: Mapping[str, Any]) -> Text:
    plans, checks = scorecard.get("plans") or {}, scorecard.get("checks") or {}
    violations = scorecard.get("violations")
    text = Text(f"violations {shown(violations)}", style="bold red" if violations else "green")
    text.append(f" in {sum(checks.values())} checks", style="dim not bold")
    median_s, p95_s = shown(plans.get("median_s")), shown(plans.get("p95_s"))
    text.append(
        f" · {shown(plans.get('count'))} plans, median {median_s} s, p95 {p95_s} s"
        f" · seed {shown(scorecard.get('seed'))} · trace {str(scorecard.get('trace_hash'))[:12]}",
        style="dim not bold",
    )
    return text
