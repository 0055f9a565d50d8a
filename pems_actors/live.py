"""The house on a terminal: one picture from one answer of the console's `status`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from pems_actors.limits import in_words

BAR = 12
_MOST_LIMITS = 4


def picture(status: Mapping[str, Any], *, zone: ZoneInfo) -> RenderableType:
    """Everything at a glance."""
    top = Columns([_now(status), _flows(status), _plan(status, zone)], equal=True, expand=True)
    return Group(top, Columns([_rooms(status), _commands(status)], expand=True), _foot(status))


def line(status: Mapping[str, Any]) -> str:
    """The same in one line, for where no terminal is."""
    return (
        f"{_local(status)}  buy {_eur(status.get('price_import'))} sell {_eur(status.get('price_export'))} EUR/kWh  "
        f"PV {_kw(status.get('pv_kw'))}  load {_kw(status.get('load_kw'))}  heating {_kw(status.get('heating_kw'))}  "
        f"battery {_kw(status.get('battery_kw'))}  grid {_kw(status.get('grid_kw'))} kW  "
        f"SOC {_share(status.get('soc'))}  "
        f"{status.get('composite') or '-'}  plans {_plans(status)}  "
        f"cost {_money(status.get('cost_eur'))} (plain rules {_money(status.get('rules_cost_eur'))})"
        f"{_limited(status)}"
    )


def notes(status: Mapping[str, Any]) -> Iterator[str]:
    """What a person should know beside the figures, one line each: trips, limits of the grid operator, what the plan
    bends, alarms."""
    for trip in status.get("trips") or ():
        yield f"TRIPPED {trip['id']}: {trip['reason']}"
    for row in status.get("operator_limits") or ():
        yield f"import {'is' if row.get('holds') else 'will be'} limited to {in_words(row)}"
    if bent := _bends(status.get("plan") or {}):
        yield f"the plan bends {bent}"
    for alarm in status.get("alarms") or ():
        yield f"alarm {alarm['name']}: {alarm['text']}"


def _bends(plan: Mapping[str, Any]) -> str:
    """What a plan bends, in a few words; empty where it bends nothing."""
    bent = plan.get("bent") or ()
    if not bent:
        return ""
    first = bent[0]  # the dearest; what it costs is a weight against other limits, no money to be told
    amount = f"{100 * first['worst']:.1f} %" if first["unit"] == "soc" else f"{first['worst']:.2f} {first['unit']}"
    more = f" and {len(bent) - 1} more" if len(bent) > 1 else ""
    return f"{first['rule']} (up to {amount}){more}: `diagnose` says why"


def _limited(status: Mapping[str, Any]) -> str:
    row = status.get("import_limit")
    return "" if row is None else f"  limit {row['import_kw']:g} kW until {row['local_end'][11:16]}"


def _now(status: Mapping[str, Any]) -> Panel:
    table = _grid()
    _row(table, "house time", _local(status))
    _row(table, "speed", f"{status.get('speed', 1):g} x")
    _row(table, "buy", f"{_eur(status.get('price_import'))} EUR/kWh")
    _row(table, "sell", _negative(status.get("price_export")))
    _row(table, "cost so far", f"{_money(status.get('cost_eur'))} EUR")
    _row(table, "plain rules", f"{_money(status.get('rules_cost_eur'))} EUR")
    return Panel(table, title="now", border_style="cyan")


def _flows(status: Mapping[str, Any]) -> Panel:
    table = _grid()
    for name, key, colour in (
        ("PV", "pv_kw", "yellow"),
        ("load", "load_kw", "white"),
        ("heating", "heating_kw", "red"),
        ("battery", "battery_kw", "green"),
        ("grid", "grid_kw", "blue"),
    ):
        value = status.get(key)
        _row(table, name, Text(f"{_kw(value)} kW {_arrow(key, value)}", style=colour))
    _row(table, "SOC", _bar(status.get("soc")))
    _row(table, "inverter", str(status.get("composite") or "-"))
    return Panel(table, title="flows", border_style="cyan")


def _plan(status: Mapping[str, Any], zone: ZoneInfo) -> Panel:
    plan = status.get("plan") or {}
    table = _grid()
    if not plan.get("made"):
        _row(table, "no plan yet", str(plan.get("trouble", "")))
        return Panel(table, title="plan", border_style="magenta")
    _row(table, f"#{plan['made']}", f"{plan['maker']}, {plan['quality']}, gap {plan['gap_eur']:.3f} EUR")
    for run in plan.get("next", [])[:5]:
        begins = datetime.fromisoformat(run["from"]).astimezone(zone)
        _row(table, f"{begins:%a %H:%M}", f"{run['composite']}  {run['slots'] * 0.25:g} h")
    if plan.get("trouble"):
        _row(table, "trouble", Text(str(plan["trouble"])[:60], style="red"))
    return Panel(table, title="plan", border_style="magenta")


def _rooms(status: Mapping[str, Any]) -> Panel:
    table = Table(box=None, padding=(0, 1))
    for name in ("room", "degC", "band", "relay", "who"):
        table.add_column(name, justify="right" if name == "degC" else "left")
    for room in status.get("rooms", []):
        air = room["air_c"]
        outside = air is not None and not room["lower_c"] - 0.2 <= air <= room["upper_c"] + 0.2
        relay = "-" if room["relay_on"] is None else "on" if room["relay_on"] else "off"
        who = "-" if room["automatic"] is None else "Loxone" if room["automatic"] else "PEMS"
        _row(
            table,
            room["name"],
            Text("-" if air is None else f"{air:.1f}", style="red" if outside else ""),
            f"{room['lower_c']:.1f} .. {room['upper_c']:.1f}",
            Text(relay, style="bold red" if relay == "on" else "dim"),
            who,
        )
    return Panel(table, title="rooms", border_style="red")


def _commands(status: Mapping[str, Any]) -> Panel:
    table = Table(box=None, padding=(0, 1))
    for name in ("point", "is told", "by", "why"):
        table.add_column(name, no_wrap=True)
    for name, point in (status.get("points") or {}).items():
        if name.endswith(".setpoint_c") and point["value"] is None:
            continue
        style = "bold red" if point["tripped"] else "dim" if point["holder"] == "default" else ""
        short = name.removeprefix("room.").removesuffix(".relay")
        why = f"{point['reason']}{'; waits: ' + point['waiting'] if point['waiting'] else ''}"
        _row(table, short, str(point["value"]), f"{point['level']} {point['holder']}", why[:46], style=style)
    return Panel(table, title="commanded, and why", border_style="green")


def _foot(status: Mapping[str, Any]) -> RenderableType:
    text = Text()
    link = {True: "up", False: "DOWN", None: "-"}[status.get("link_up")]
    text.append(
        f" actors {status.get('actors_running', '-')}/{status.get('actors', '-')} running, "
        f"{status.get('restarts_total', '-')} restarts   link {link}   permit {_seconds(status.get('permit_left_s'))}"
    )
    for trip in status.get("trips", []):
        text.append(f"\n TRIPPED {trip['id']}: {trip['reason']}", style="bold red")
    for row in (status.get("operator_limits") or ())[:_MOST_LIMITS]:
        text.append(f"\n limit {in_words(row)}"[:150], style="bold magenta" if row.get("holds") else "magenta")
    if bent := _bends(status.get("plan") or {}):  # not in the plan's panel: it would push the panels below each other
        text.append(f"\n the plan bends {bent}"[:150], style="yellow")
    for alarm in status.get("alarms", [])[-4:]:
        text.append(f"\n alarm {alarm['name']}: {alarm['text']}"[:150], style="yellow")
    return text


def _row(table: Table, *cells: str | Text, style: str = "") -> None:
    """A row whose words are words: what devices, people and solvers wrote is no markup."""
    table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in cells), style=style)


def _grid() -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(style="dim")
    table.add_column()
    return table


def _local(status: Mapping[str, Any]) -> str:
    at = status.get("local_time")
    return "-" if at is None else f"{datetime.fromisoformat(at):%a %Y-%m-%d %H:%M}"


def _plans(status: Mapping[str, Any]) -> int:
    return int((status.get("plan") or {}).get("made") or 0)


def _kw(value: float | None) -> str:
    return "-" if value is None else f"{value:5.2f}"


def _eur(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"


def _money(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{max(value, 0.0):.0f} s"


def _negative(value: float | None) -> Text:
    return Text(f"{_eur(value)} EUR/kWh", style="bold red" if value is not None and value < 0 else "")


def _arrow(key: str, value: float | None) -> str:
    if value is None or abs(value) < 0.02 or key not in ("battery_kw", "grid_kw"):
        return ""
    if key == "battery_kw":
        return "charging" if value > 0 else "discharging"
    return "buying" if value > 0 else "selling"


def _bar(soc: float | None) -> Text:
    if soc is None:
        return Text("-")
    full = round(soc * BAR)
    return Text(f"{'#' * full}{'.' * (BAR - full)} {soc:.0%}", style="green")
