"""What the console may ask of a running house: one method per command, each a plain dict in and out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from actors.devices.registry import all_points
from actors.gate.point_state import show
from actors.messages import LiftLimits, RequestTrip, ResetTrip
from actors.runtime import ActorError, Lane, Runtime, UnknownPathError, WorkerCall, WorkerDone, WorkerFailed
from config.schema import HouseFile
from models.errors import ConsoleError
from models.types.command import RELINQUISH, Level, Relinquish, Request, Value, Verdict
from pems_actors.limits import asked, shown
from pems_actors.questions import Questions
from pems_actors.values import from_json

GATE, SAFETY, OPERATOR = "/core/gate", "/core/safety", "/core/operator"
ASK_S = 5.0  # real seconds
FAULTS: Mapping[str, Callable[[], BaseException]] = {
    "error": lambda: RuntimeError("injected"),
    "exit": lambda: SystemExit(1),
    "interrupt": lambda: KeyboardInterrupt(),
    "memory": lambda: MemoryError("injected"),
}
TWIN_FAULT = "twin"


class Handlers:
    """Answers console calls from outside the tree.

    Parameters
    ----------
    runtime : Runtime
    config : HouseFile
    speed : float
        House seconds per real second: asks are bounded in real time.
    """

    def __init__(self, runtime: Runtime, config: HouseFile, speed: float) -> None:
        self._runtime, self._config, self._speed = runtime, config, speed
        self._points = {p.name: p for p in all_points(config.house)}
        self._questions = Questions(runtime, ZoneInfo(config.house.site.timezone), speed)
        self._lock = threading.Lock()
        self._seq = 0

    def table(self) -> dict[str, Callable[[dict[str, Any]], object]]:
        """Method name to handler."""
        names = ("ps", "tree", "why", "state", "restart", "override", "release", "trip", "reset", "inject", "status",
                 "limit", "limits", "lift_limits")  # fmt: skip
        return {**{name: getattr(self, name) for name in names}, **self._questions.table()}

    # --- looking ------------------------------------------------------------------------------------------------
    def ps(self, params: dict[str, Any]) -> object:
        """Every actor with its counters, read without asking it."""
        rows = []
        for cell in self._runtime.stats():
            row = asdict(cell)
            row["busy_for_s"] = row.pop("busy_s", None)
            port = self._snapshot(cell.path) if cell.behaviour == "Port" else {}
            row["pid"] = port.get("pid")
            row["restarts"] += max(int(port.get("starts") or 0) - 1, 0)  # of the worker, within one life of its port
            rows.append(row)
        return rows

    def tree(self, params: dict[str, Any]) -> object:
        """The same, for drawing as a tree."""
        return self.ps(params)

    def status(self, params: dict[str, Any]) -> object:
        """The house at a glance: what the live picture shows."""
        gate, seen = self._snapshot(GATE), self._snapshot("/ops/status")
        cells, zone = self._runtime.stats(), ZoneInfo(self._config.house.site.timezone)
        binding = seen.get("import_limit")
        return {
            **seen,
            "import_limit": None if binding is None else shown([binding], zone)[0],
            "operator_limits": shown(seen.get("operator_limits", ()), zone),
            "speed": self._speed,
            "permit_left_s": gate.get("permit_left_s"),
            "points": gate.get("points", {}),
            "trips": self._snapshot(SAFETY).get("trips", []),
            "actors": len(cells),
            "actors_running": sum(c.state == "running" for c in cells),
            "restarts_total": sum(c.restarts for c in cells),
        }

    def why(self, params: dict[str, Any]) -> object:
        """Who holds a point, since when, what comes next, and how far the order got."""
        spec = self._point(params)
        gate = self._snapshot(GATE)
        shown = gate.get("points", {})
        row = shown.get(spec.name) if isinstance(shown, dict) else None
        if not isinstance(row, dict):
            raise ConsoleError("the gate is restarting", hint="ask again in a moment")
        device = self._snapshot(spec.device)
        permit = {"permit_left_s": gate.get("permit_left_s")}
        told = {"point": spec.name, **row, **permit, "next": _next(row), "device": _device_row(device, spec.name)}
        told["zone"] = self._config.house.site.timezone
        plan = self._snapshot("/ops/status").get("plan", {})
        return {**told, "card": _card_of(spec.name), "remarks": _remarks_on(spec.name, plan.get("remarks", []))}

    def state(self, params: dict[str, Any]) -> object:
        """What one actor shows of itself."""
        path = self._text(params, "path")
        try:
            return self._runtime.behaviour_snapshot(path)
        except UnknownPathError as error:
            raise ConsoleError(str(error), hint="`ps` lists all paths") from None

    def _snapshot(self, path: str) -> dict[str, Any]:
        try:
            return self._runtime.behaviour_snapshot(path)
        except ActorError:
            return {}

    # --- acting -------------------------------------------------------------------------------------------------
    def restart(self, params: dict[str, Any]) -> object:
        """Restart one actor, or a supervisor with all below it."""
        path = self._text(params, "path")
        try:
            self._runtime.restart(path, "asked for at the console")
        except UnknownPathError as error:
            raise ConsoleError(str(error), hint="`ps` lists all paths") from None
        return {"restarted": path}

    def override(self, params: dict[str, Any]) -> object:
        """Hold a point at a value, at level 8, for a stated time."""
        spec = self._point(params)
        value = from_json(spec.name, params.get("value"))
        for_s = params.get("for_s", self._config.user.override_s)
        if isinstance(for_s, bool) or not isinstance(for_s, (int, float)) or not for_s > 0:
            raise ConsoleError(f"for_s {for_s!r} is not a time", hint="as in --for 2h")
        if for_s > self._config.user.override_max_s:
            raise ConsoleError(
                f"--for {for_s:g} s is too long, limit {self._config.user.override_max_s:g} s",
                hint="an override always ends; ask again when it does",
            )
        return self._ask_gate(spec.name, value, float(for_s), "override by the user")

    def release(self, params: dict[str, Any]) -> object:
        """End an override."""
        return self._ask_gate(self._point(params).name, RELINQUISH, 60.0, "released by the user")

    def _ask_gate(self, point: str, value: Value | Relinquish, ttl_s: float, note: str) -> object:
        with self._lock:
            self._seq += 1
            seq = self._seq
        now = self._runtime.clock.now()
        request = Request(
            id=f"user-{self._runtime.boot}-{seq}", source="user", level=Level.USER, point=point, value=value,
            issued=now, expires=now + timedelta(seconds=ttl_s), epoch=(self._runtime.boot, 1), seq=seq,
            cause=f"user-{seq}", note=note,
        )
        verdict = self._ask(GATE, request)
        if not isinstance(verdict, Verdict):
            raise ConsoleError(f"the gate answered with {type(verdict).__name__}")
        answer = {"point": point, "outcome": verdict.outcome.value, "reason": verdict.reason,
                  "value": show(verdict.value), "for_s": ttl_s}
        if verdict.outcome.value == "refused":
            raise ConsoleError(f"{point}: {verdict.reason}")
        return {**answer, "now": self.why({"point": point})}

    def trip(self, params: dict[str, Any]) -> object:
        """Latch a trip by hand: all points, or those named."""
        points = params.get("points") or ["*"]
        if not isinstance(points, list) or not all(isinstance(p, str) for p in points):
            raise ConsoleError("points must be a list of names")
        for name in points:
            if name != "*":
                self._point({"point": name})
        kind = str(params.get("kind", "manual"))
        if kind not in ("manual", "emergency_stop"):
            raise ConsoleError(f"kind {kind!r} is not known", hint="manual or emergency_stop")
        reason = str(params.get("reason", "by hand"))[:200]
        return self._ask(SAFETY, RequestTrip(kind=kind, points=tuple(points), reason=reason))

    def reset(self, params: dict[str, Any]) -> object:
        """End one latched trip."""
        answer = self._ask(SAFETY, ResetTrip(id=self._text(params, "id")))
        if isinstance(answer, dict) and not answer.get("ok"):
            raise ConsoleError(str(answer.get("reason")))
        return answer

    def limits(self, params: dict[str, Any]) -> object:
        """What the grid operator limits, now and to come."""
        known = self._snapshot(OPERATOR)
        if not known:
            raise ConsoleError("the operator's actor is restarting", hint="ask again in a moment")
        return {"limits": shown(known["limits"], ZoneInfo(self._config.house.site.timezone))}

    def limit(self, params: dict[str, Any]) -> object:
        """Keep one limit of the grid operator; the answer is that limit alone, and what to know of it in a note."""
        zone = ZoneInfo(self._config.house.site.timezone)
        wanted, note = asked(params, now=self._runtime.clock.now(), zone=zone)
        answer = self._ask(OPERATOR, wanted)
        if not isinstance(answer, dict) or not answer.get("ok"):
            refusal = answer if isinstance(answer, dict) else {}
            raise ConsoleError(str(refusal.get("reason") or "refused"), hint=refusal.get("hint"))
        return {"limits": shown([answer["limit"]], zone), "note": note}

    def lift_limits(self, params: dict[str, Any]) -> object:
        """End all limits of the grid operator."""
        return self._ask(OPERATOR, LiftLimits())

    def inject(self, params: dict[str, Any]) -> object:
        """Break something on purpose: only where the house file allows it."""
        if not self._config.run.allow_inject:
            raise ConsoleError("faults are not allowed in this house", hint="[run] allow_inject = true in a demo house")
        path, kind = self._text(params, "path"), self._text(params, "kind")
        if path == TWIN_FAULT:
            return self._inject_twin(kind, params.get("value", True))
        if kind == "kill":
            return self._kill(path)
        make = FAULTS.get(kind)
        if make is None:
            raise ConsoleError(f"fault {kind!r} is not known", hint=f"one of {', '.join([*FAULTS, 'kill'])}")
        try:
            self._runtime.inject(path, make())
        except UnknownPathError as error:
            raise ConsoleError(str(error), hint="`ps` lists all paths") from None
        return {"injected": kind, "path": path}

    def _kill(self, path: str) -> object:
        import os
        import signal

        pid = self._snapshot(path).get("pid")
        if not isinstance(pid, int):
            raise ConsoleError(f"{path} has no worker process", hint="ports are /plan/optimizer, /plan/forecaster, ...")
        os.kill(pid, signal.SIGKILL)
        return {"killed": pid, "path": path}

    def _inject_twin(self, fault: str, value: object) -> object:
        call = WorkerCall(id="inject", method="inject", body={"fault": fault, "value": value}, deadline_s=60.0)
        answer = self._ask("/io/twin", call)
        if isinstance(answer, WorkerFailed):
            raise ConsoleError(answer.reason)
        assert isinstance(answer, WorkerDone)
        return {"injected": fault, "value": value}

    # --- helpers --------------------------------------------------------------------------------------------------
    def _ask(self, path: str, message: object) -> object:
        try:
            return self._runtime.ask(path, message, ASK_S * self._speed, lane=Lane.URGENT)
        except ActorError as error:
            raise ConsoleError(str(error)) from None

    def _point(self, params: dict[str, Any]) -> Any:
        name = self._text(params, "point")
        if name not in self._points:
            near = [p for p in self._points if name.split(".")[-1] in p or name in p][:3]
            hint = f"did you mean {', '.join(near)}?" if near else "`status --json` lists all points"
            raise ConsoleError(f"no such point: {name!r}", hint=hint)
        return self._points[name]

    def _text(self, params: dict[str, Any], name: str) -> str:
        value = params.get(name)
        if not isinstance(value, str) or not value or len(value) > 200:
            raise ConsoleError(f"{name} is missing or not a short text")
        return value


def _next(row: dict[str, Any]) -> dict[str, Any]:
    """What acts when the present holder ends, or what waits for power: the next living slot, else the default."""
    level, held = row.get("level"), (row.get("level"), row.get("holder"))
    for slot in row.get("slots", []):
        held_back = row.get("tripped") or row.get("waiting") or level is None  # None: the gate is cold
        if held_back or (slot["level"], slot["source"]) > held:
            return {"holder": slot["source"], "level": slot["level"], "value": slot["value"]}
    return {"holder": "default", "level": 16, "value": row.get("default")}


def _card_of(point: str) -> str | None:
    """The command that explains the plan's choice for a point; None for what no plan chooses."""
    if point == "inverter.mode":
        return "explain"
    parts = point.split(".")
    return f"explain --room {parts[1]}" if parts[0] == "room" and len(parts) == 3 else None


def _remarks_on(point: str, remarks: list[dict[str, str]]) -> list[str]:
    """What is odd in the problem that was planned, and matters for a point: a room for its own, the rest for the
    inverter."""
    room = ".".join(point.split(".")[:2]) if point.startswith("room.") else None
    return [r["text"] for r in remarks if r["about"] == room or (room is None and not r["about"].startswith("room."))]


def _device_row(snapshot: dict[str, Any], point: str) -> object:
    """How far the order got at its device."""
    rows = snapshot.get("points")
    if isinstance(rows, dict):
        return rows.get(point)
    rooms = snapshot.get("rooms")
    if isinstance(rooms, dict):
        room = rooms.get(point.split(".")[1], {})
        return {**{k: v for k, v in room.items() if k != "points"}, **room.get("points", {}).get(point, {})}
    return None


