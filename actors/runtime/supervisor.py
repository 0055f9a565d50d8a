"""Supervisors: start left to right, stop right to left, restart by strategy, give up when that no longer helps.

A supervisor never waits. It keeps for each child what is wanted and what is, and after every report takes the next step
towards it; so one implementation serves threads and the stepper.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from actors.runtime.behaviour import Managed
from actors.runtime.cell import Down, Up
from actors.runtime.envelope import GaveUp, Lane
from actors.runtime.spec import ChildSpec, OnGiveUp, SupervisorSpec, child_path

if TYPE_CHECKING:
    from actors.runtime.cell import Cell
    from actors.runtime.runtime import Runtime

ChildState = Literal["down", "starting", "up", "stopping", "parked", "done"]
_LIVE: Final = ("starting", "up", "stopping")


@dataclass(frozen=True, slots=True)
class Overdue:
    """A child has not come back from what it does; look at it."""

    path: str


@dataclass(frozen=True, slots=True)
class RestartChild:
    """Somebody outside wants a child restarted; not counted against it."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Escalated:
    """The supervisor at that path has given up and takes its children down."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Again:
    """A backoff or a parking time may be over."""


class Child:
    """What a supervisor knows of one child."""

    __slots__ = (
        "booting",
        "cell",
        "incarnation",
        "level",
        "must_stop",
        "on_parole",
        "restart_at",
        "restarts",
        "rests",
        "spec",
        "state",
        "up_since",
    )

    def __init__(self, spec: ChildSpec | SupervisorSpec, cell: Cell) -> None:
        self.spec = spec
        self.cell = cell
        self.state: ChildState = "down"
        self.incarnation = 0
        self.must_stop = False
        self.booting = True
        self.restart_at = 0.0
        self.restarts: deque[float] = deque()  # when, within the period; of a parking child only
        self.level = 0  # restarts since it was last healthy: sets the backoff
        self.up_since: float | None = None
        self.rests = False  # down because its group or its supervisor is parked: letters are refused meanwhile
        self.on_parole = False  # just out of parking: the next failure parks again

    @property
    def parks(self) -> bool:
        """Whether it stays down by itself when restarting does not help."""
        return isinstance(self.spec, ChildSpec) and self.spec.on_give_up == "park"


class Supervisor(Managed):
    """Keeps its children as their specs say."""

    def __init__(self, runtime: Runtime, spec: SupervisorSpec, path: str) -> None:
        self._runtime = runtime
        self._spec = spec
        self._path = path
        self._children = [Child(s, runtime.cells[child_path(path, s.id)]) for s in spec.children]
        self._by_path = {child.cell.path: child for child in self._children}
        self._in_order = spec.strategy != "one_for_one"
        self._restarts: deque[float] = deque()  # of the escalating children together
        self._closing: str | None = None
        self._fails = False  # after closing: fail rather than stop
        self._parked = False
        self._retry_at = 0.0
        self._reported = False
        self._finished = False

    # -- messages --------------------------------------------------------------------------------------------------

    def on_start(self) -> None:
        """Begin with the leftmost child."""
        now = self.ctx.clock.monotonic()
        for child in self._children:
            child.restart_at = now
        # through the mailbox, so that the cell is ready to take the children's reports before the first one comes
        self.ctx.post(Again(), lane=Lane.SYSTEM)

    def handle(self, message: object) -> None:
        """React to a report about a child."""
        match message:
            case Up(path, incarnation):
                child = self._by_path[path]
                if child.incarnation == incarnation and child.state == "starting":
                    child.state = "up"
                    child.booting = False
                    child.up_since = self.ctx.clock.monotonic()
            case Down(path, incarnation, how, reason):
                child = self._by_path[path]
                if child.incarnation == incarnation and child.state in _LIVE:
                    self._down(child, how, reason)
            case Overdue(path):
                late = self._by_path[path].cell.overdue()
                if late is not None:
                    self._by_path[path].cell.abandon(late)
            case RestartChild(path, reason):
                self._restart_on_request(self._by_path[path], reason)
            case Escalated(path, reason):
                # only the root is told: the end of the process need not wait for the children of `path` to stop
                self._runtime.escalate(f"{path} gave up: {reason}")
                self._by_path[path].restart_at = float("inf")
            case Again():
                pass
            case _:
                super().handle(message)
        self._advance()

    def begin_stop(self, reason: str) -> None:
        """Take the children down, right to left."""
        self._closing = reason
        self._advance()

    def begin_failure(self, reason: str) -> None:
        """Take them down and fail."""
        self._fails = True
        self.begin_stop(reason)

    def snapshot(self) -> dict[str, object]:
        """State of each child."""
        now = self.ctx.clock.monotonic()
        return {
            "strategy": self._spec.strategy,
            "parked": self._parked,
            "restarts_in_period": len(self._restarts),
            "children": {
                child.spec.id: {
                    "state": child.state,
                    "backoff_level": child.level,
                    "restarts_in_period": len(child.restarts),
                    "next_start_in_s": round(max(0.0, child.restart_at - now), 3) if child.state == "down" else None,
                }
                for child in self._children
            },
        }

    # -- a child went down -----------------------------------------------------------------------------------------

    def _down(self, child: Child, how: str, reason: str) -> None:
        wanted = child.state == "stopping"
        child.state = "down"
        child.booting = False
        child.must_stop = False
        if child.rests:
            child.cell.close("parked", "parked")
        if wanted or self._closing is not None or self._parked:
            return
        kind = child.spec.restart
        if kind == "temporary" or (kind == "transient" and how == "stopped"):
            child.state = "done"
            child.cell.close("stopped", "stopped")
            return
        if child.restart_at == float("inf"):
            child.state = "done"
            child.cell.close("stopped", "gave up")
            return
        self._failed(child, reason)

    def _failed(self, child: Child, reason: str) -> None:
        spec = self._spec
        now = self.ctx.clock.monotonic()
        if child.up_since is not None and now - child.up_since >= spec.healthy_s:
            child.level = 0
            child.on_parole = False
        child.up_since = None
        window = child.restarts if child.parks else self._restarts
        while window and now - window[0] >= spec.period_s:
            window.popleft()
        intensity = spec.intensity
        if isinstance(child.spec, ChildSpec) and child.spec.intensity is not None:
            intensity = child.spec.intensity
        if child.on_parole or len(window) >= intensity:
            self._give_up_on(child, reason, f"{len(window)} restarts in {spec.period_s:g} s")
            return
        window.append(now)
        child.restart_at = now + self._backoff_s(child)
        child.level += 1
        for other in self._group(child):
            other.must_stop = other.must_stop or (other is not child and other.state in _LIVE)

    def _backoff_s(self, child: Child) -> float:
        if child.level == 0:
            return 0.0
        spec = self._spec
        delay = min(spec.backoff_first_s * 2.0 ** min(child.level - 1, 60), spec.backoff_max_s)
        return min(delay * self.ctx.random.uniform(1 - spec.jitter, 1 + spec.jitter), spec.backoff_max_s)

    def _group(self, child: Child) -> list[Child]:
        """Who is restarted together with a child."""
        if self._spec.strategy == "one_for_one":
            return [child]
        if self._spec.strategy == "one_for_all":
            return self._children
        return self._children[self._children.index(child) :]

    def _restart_on_request(self, child: Child, reason: str) -> None:
        if self._closing is not None:
            return
        now = self.ctx.clock.monotonic()
        if self._parked:
            self._retry_at = now
        child.restart_at = now
        child.level = 0
        child.on_parole = False
        if child.state in ("parked", "done"):
            child.state = "down"
        for other in self._group(child):
            other.must_stop = other.must_stop or other.state in _LIVE
        child.cell.last_error = f"restart asked for: {reason}"

    # -- giving up -------------------------------------------------------------------------------------------------

    def _give_up_on(self, child: Child, reason: str, why: str) -> None:
        told = f"{why}, last: {reason}"
        if not child.parks:
            if self._path == "/":
                child.state = "done"
                child.cell.close("stopped", "gave up")
            self._give_up(f"{child.cell.path}: {told}")
            return
        child.restart_at = self.ctx.clock.monotonic() + self._spec.park_retry_s
        for other in self._group(child):
            self._rest(other)
        child.state = "parked"
        self._runtime.publish(GaveUp(child.cell.path, told, parked=True))

    def _give_up(self, reason: str) -> None:
        parks: OnGiveUp = self._spec.on_give_up
        self._runtime.publish(GaveUp(self._path, reason, parked=parks == "park"))
        if parks == "park":
            self._parked = True
            self._retry_at = self.ctx.clock.monotonic() + self._spec.park_retry_s
            self._runtime.cells[self._path].state = "parked"
            for child in self._children:
                self._rest(child)
            return
        parent = self._runtime.cells[self._path].parent
        if parent is None:
            self._runtime.escalate(reason)
            return
        if parent.parent is None:
            # to the root ahead of the slow way through `Down`, which comes when every child has stopped
            self._runtime.post_to(parent, Escalated(self._path, reason), self._path)
        self.begin_failure(reason)

    @staticmethod
    def _rest(child: Child) -> None:
        """Keep a child down for the time of parking, its mailbox closed."""
        if child.state in _LIVE:
            child.rests = child.must_stop = True
        elif child.state == "down":
            child.rests = True
            child.cell.close("parked", "parked")

    # -- towards what is wanted ------------------------------------------------------------------------------------

    def _advance(self) -> None:
        if not self._stop_some():
            if self._closing is not None:
                self._finish()
                return
            self._start_some()
        self._report_boot()

    def _stop_some(self) -> bool:
        """Halt who must stop, from the right; True while somebody is still to go."""
        leaving = [c for c in self._children if c.state in _LIVE and (c.must_stop or self._closing is not None)]
        one_by_one = self._in_order or self._closing is not None
        if one_by_one and any(c.state == "stopping" for c in leaving):
            return True
        for child in reversed(leaving):
            if child.state != "stopping":
                child.state = "stopping"
                child.cell.halt(child.incarnation, self._closing or "restarted with its supervisor's group")
                if one_by_one:
                    break
        return bool(leaving) and one_by_one

    def _start_some(self) -> None:
        now = self.ctx.clock.monotonic()
        if self._parked:
            if self._retry_at > now:
                self.ctx.after(self._retry_at - now, Again(), name="parked", lane=Lane.SYSTEM)
                return
            self._end_parking(now)
        for child in self._children:
            if child.state in ("up", "done"):
                continue
            if child.state in ("starting", "stopping"):
                if self._in_order or child.booting:
                    return
                continue
            if child.restart_at > now:
                name = f"again {child.spec.id}"
                if child.restart_at != float("inf"):
                    self.ctx.after(child.restart_at - now, Again(), name=name, lane=Lane.SYSTEM)
                if self._in_order:
                    return
                continue
            if child.state == "parked":
                child.on_parole = True
            child.state = "starting"
            child.rests = False
            child.incarnation = child.cell.begin()
            if self._in_order or child.booting:
                return

    def _end_parking(self, now: float) -> None:
        self._parked = False
        self._restarts.clear()
        self._runtime.cells[self._path].state = "running"
        for child in self._children:
            child.level = 0
            child.restart_at = now

    def _report_boot(self) -> None:
        """The supervisor counts as started once every child is up, or the first failure has come in."""
        if self._reported:
            return
        pending = [c for c in self._children if c.state in ("down", "starting") and c.booting]
        if not pending or (self._in_order and any(not c.booting and c.state != "up" for c in self._children)):
            self._reported = True
            self.ctx.report_started()

    def _finish(self) -> None:
        if self._finished:
            return
        self._finished = True
        reason = self._closing or "stopped"
        for child in self._children:
            child.state = "done"
            child.cell.close("stopped", "its supervisor failed" if self._fails else "stopped")
        if self._fails:
            self.ctx.finish_failure(reason)
        else:
            self.ctx.finish_stop(reason)
