"""Telling a running house: `override`, `release`, `trip`, `reset`, `restart`, `inject`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated

import typer
from rich.text import Text

from models.errors import ConfigError, ConsoleError
from models.types.command import Level
from pems_actors.arguments import duration_s
from pems_actors.commands.ask import check_path
from pems_actors.commands.options import Json, State, show
from pems_actors.console.client import call
from pems_actors.console.render import shown, span
from pems_actors.state import running
from pems_actors.values import POINTS_HELP, check_point, parse_value, to_json

OVERRIDE_MAX_S = 7 * 86_400.0
SAID = (
    "ok",
    "point",
    "value",
    "for_s",
    "path",
    "injected",
    "restarted",
)  # of an answer, what our own line says already
TWIN = "twin"
_OVERRIDE = """Hold a point at a value, stronger than the plan, weaker than safety; always with an end.

For example:

```text
override room.obyvak.relay on --for 2h
override room.obyvak.setpoint_c 22.5 --for 4h
override inverter.mode "charge_from_grid to 90% at 50%" --for 3h
override inverter.export_limit_kw 0 --for 30m
```
"""
_RELEASE = """End your override of a point; who comes next acts at once.

For example:

```text
release room.obyvak.relay
```
"""
_TRIP = """Stop now: points go to their safe value and stay there until `reset`, whatever plan or people ask.

Without a point it is every point. --emergency is the emergency stop of the inverter as well: it holds.

For example:

```text
trip
trip room.obyvak.relay --reason "smell of burning"
trip --emergency
```
"""
_RESET = """End a trip, once its cause is gone. `state /core/safety` lists the trips.

For example:

```text
reset manual-20210208T101500-1
```
"""
_RESTART = """Restart one actor: it begins anew, its mailbox is kept.

For example:

```text
restart /plan/planner
```
"""
_INJECT = """Break something on purpose: only in simulation, or where the house file allows it (run.allow_inject).

For example:

```text
inject /core/gate error        its next message fails
inject /devices/rooms exit     SystemExit in a handler
inject /plan/optimizer kill    its worker process is killed
inject twin lost --value 0.2   the gateway loses every fifth answer
```
"""


def register(app: typer.Typer) -> None:
    """Add the commands."""

    @app.command(help=_OVERRIDE, short_help="Hold a point at a value for a while.")
    def override(
        point: Annotated[str, typer.Argument(metavar="POINT", help=POINTS_HELP)],
        value: Annotated[str, typer.Argument(metavar="VALUE", help="on, off, auto; a number; a mode.")],
        for_: Annotated[
            str | None,
            typer.Option("--for", metavar="TIME", help="How long: 30m, 2h.", show_default="the house file's"),
        ] = None,
        state: State = None,
        json_: Json = False,
    ) -> None:
        wanted = parse_value(point, value)
        params: dict[str, object] = {"point": point, "value": to_json(wanted)}
        if for_ is not None:
            params["for_s"] = duration_s("--for", for_, low_s=10.0, high_s=OVERRIDE_MAX_S)
        how_long = f" for {span(duration_s('--for', for_))}" if for_ is not None else ""
        done = f"{point} is held at {wanted}{how_long}"
        _tell(state, "override", params, done, json_, otherwise=f"{point} is to be {wanted}{how_long}: accepted, but ")

    @app.command(help=_RELEASE, short_help="End your override of a point.")
    def release(
        point: Annotated[str, typer.Argument(metavar="POINT", help=POINTS_HELP)],
        state: State = None,
        json_: Json = False,
    ) -> None:
        _tell(state, "release", {"point": check_point(point)}, f"{point} is released", json_)

    @app.command(help=_TRIP, short_help="Stop now, and stay stopped until reset.")
    def trip(
        points: Annotated[list[str] | None, typer.Argument(metavar="[POINT]...", help="Default: every point.")] = None,
        reason: Annotated[str, typer.Option(help="For the record.")] = "by hand",
        emergency: Annotated[bool, typer.Option("--emergency", help="The emergency stop.")] = False,
        state: State = None,
        json_: Json = False,
    ) -> None:
        if emergency and points:
            raise ConfigError("--emergency stops every point", hint="leave out the points, or --emergency")
        named = [check_point(point) for point in points or ()] or ["*"]
        if len(reason) > 200:
            raise ConfigError(f"--reason has {len(reason)} characters, limit 200", hint="be short")
        params: dict[str, object] = {
            "points": named,
            "reason": " ".join(reason.split()) or "by hand",
            "kind": "emergency_stop" if emergency else "manual",
        }
        where = "every point is" if named == ["*"] else f"{', '.join(named)} {'is' if len(named) == 1 else 'are'}"
        _tell(state, "trip", params, f"{where} tripped", json_)

    @app.command(help=_RESET, short_help="End a trip.")
    def reset(
        trip_id: Annotated[str, typer.Argument(metavar="ID", help="As `trip` printed it.")],
        state: State = None,
        json_: Json = False,
    ) -> None:
        if not trip_id.strip() or len(trip_id) > 200:
            raise ConfigError(f"{trip_id[:40]!r} is no id of a trip", hint="`state /core/safety` lists them")
        _tell(state, "reset", {"id": trip_id.strip()}, f"{trip_id} is reset", json_)

    @app.command(help=_RESTART, short_help="Restart one actor.")
    def restart(
        path: Annotated[str, typer.Argument(metavar="PATH", help="Such as /plan/planner.")],
        state: State = None,
        json_: Json = False,
    ) -> None:
        _tell(state, "restart", {"path": check_path(path)}, f"{path} is being restarted", json_)

    @app.command(help=_INJECT, short_help="Break something on purpose.")
    def inject(
        path: Annotated[str, typer.Argument(metavar="PATH", help="An actor such as /core/gate, or twin.")],
        kind: Annotated[str, typer.Argument(metavar="KIND", help="error, exit, interrupt, memory, kill.")],
        value: Annotated[
            str | None, typer.Option(metavar="VALUE", help="Of a twin's fault: on, off or a number.", show_default="on")
        ] = None,
        state: State = None,
        json_: Json = False,
    ) -> None:
        if value is not None and path != TWIN:
            raise ConfigError("--value belongs to faults of the twin", hint=f"inject twin {kind} --value {value}")
        params: dict[str, object] = {"path": path if path == TWIN else check_path(path), "kind": kind}
        if value is not None:
            params["value"] = _fault_value(value)
        _tell(state, "inject", params, f"{kind} is injected into {path}", json_)


def _fault_value(text: str) -> bool | float:
    if text in ("on", "off"):
        return text == "on"
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ConfigError(f"--value {text!r} is none", hint="on, off or a number")
    return number


def _tell(
    state: State, method: str, params: dict[str, object], done: str, json_: bool, *, otherwise: str | None = None
) -> None:
    """Tell the house; `{"ok": false, "reason": ...}` is a refusal like any other.

    `done` is what is said, `otherwise` how that begins where something stronger holds the point.
    """
    answer = call(running(state), method, params)
    if isinstance(answer, dict) and answer.get("ok") is False:
        raise ConsoleError(str(answer.get("reason") or "refused"), hint=answer.get("hint"))
    extra = ""
    if isinstance(answer, dict):
        kept = (str, int, float)
        rest = {
            name: value
            for name, value in answer.items()
            if name not in SAID and isinstance(value, kept) and value != ""
        }
        extra = f" ({shown(rest)})" if rest else ""
        but = _held_back(answer.get("now"))
        if otherwise is not None and but:
            done, extra = otherwise + but, ""
    show(answer, Text(f"{done}{extra}"), json_)


def _held_back(now: object) -> str:
    """What keeps a person's wish from acting, as the point stands now; empty: nothing does."""
    if not isinstance(now, Mapping):
        return ""
    level = now.get("level")
    if now.get("tripped"):
        return f"tripped by {now['tripped']}: acts after its reset"
    if now.get("waiting"):
        return f"it waits: {now['waiting']}"
    if isinstance(level, int) and level < Level.USER:
        return f"held back: {now.get('reason')}"
    return ""
