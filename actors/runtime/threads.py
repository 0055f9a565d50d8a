"""The tree on threads: one pykka actor for each cell, one thread for the timers."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import pykka

from actors.runtime.asks import Ask
from actors.runtime.cell import Cell, Down, Up
from actors.runtime.clock import Clock, SystemClock, speed_of
from actors.runtime.runtime import Runtime
from actors.runtime.spec import SupervisorSpec
from actors.runtime.supervisor import Overdue
from actors.runtime.timers import Timer

if TYPE_CHECKING:
    from pykka._envelope import Envelope as PykkaEnvelope

    from actors.runtime.context import Context

_DRAIN: Final = 1000  # messages per return to pykka's loop, which looks for a stop from outside
_WATCH_S: Final = 0.5  # how often hung handlers are looked for, at most [s]


class _Wake:
    """What pykka's loop is handed when the cell's own mailbox has something."""


class Inbox:
    """What pykka takes for its queue: it wakes the loop, while the letters stay in the cell's mailbox.

    Messages put in by pykka itself (`ActorRef.stop`, `ActorRegistry.stop_all`) are kept apart, so that they pass by
    the backlog.
    """

    def __init__(self) -> None:
        self._foreign: deque[PykkaEnvelope[Any]] = deque()
        self._wake = threading.Lock()
        self._wake.acquire()
        self._go_on: PykkaEnvelope[Any] | None = None
        self._cell: Cell | None = None
        self._owner: object = None

    def bind(self, cell: Cell, owner: object) -> None:
        """Say whose inbox this is; pykka makes it before the actor knows."""
        from pykka._envelope import Envelope as PykkaEnvelope

        self._cell = cell
        self._owner = owner
        self._go_on = PykkaEnvelope(_Wake())
        cell.mailbox.attach(owner, self._wake.release)

    def put(self, envelope: PykkaEnvelope[Any], /) -> None:
        """Take a message from pykka."""
        self._foreign.append(envelope)
        if self._cell is not None:
            self._cell.mailbox.poke()

    def get(self) -> PykkaEnvelope[Any]:
        """Wait until there is something to do."""
        cell = self._cell
        assert cell is not None and self._go_on is not None
        while True:
            if self._foreign:
                return self._foreign.popleft()
            box = cell.mailbox
            if box.owner is not self._owner or not box.pause(self._owner):
                return self._go_on
            if self._foreign:  # put between the look above and the pause, so it did not wake us
                box.poke()
            self._wake.acquire()

    def empty(self) -> bool:
        """Whether pykka has nothing left to answer when the actor ends."""
        return not self._foreign


class CellThread(pykka.ThreadingActor):
    """Steps one cell until it is abandoned or the runtime ends."""

    use_daemon_thread = True  # a thread that hangs must not keep the process from ending

    def __init__(self, cell: Cell, runtime: PykkaRuntime) -> None:
        super().__init__()
        self._cell = cell
        self._runtime = runtime
        inbox = self.actor_inbox
        assert isinstance(inbox, Inbox)
        inbox.bind(cell, self)

    @staticmethod
    def _create_actor_inbox() -> Inbox:
        return Inbox()

    def on_start(self) -> None:
        """Name the thread after its path."""
        threading.current_thread().name = self._cell.path

    def on_receive(self, message: Any) -> None:
        """Step the cell while it has letters."""
        if not isinstance(message, _Wake):
            self._runtime.tell(self._cell.path, message)
            return
        step = self._cell.step
        for _ in range(_DRAIN):
            if not step(self):
                break
        if self._cell.mailbox.owner is not self:
            self._stop()

    def on_stop(self) -> None:
        """The thread ends: because it was abandoned, because the runtime ends, or by someone outside."""
        if self._cell.mailbox.owner is self:
            if self._runtime.stopped:
                self._cell.mailbox.detach()
            else:
                self._cell.thread_ended("its thread was stopped from outside")
        else:
            self._runtime.found_thread()


class PykkaRuntime(Runtime):
    """Runs the tree on threads.

    Parameters
    ----------
    clock : Clock, optional
        System, scaled or manual; with a manual one timers fire when it is advanced.
    """

    def __init__(
        self,
        root: SupervisorSpec,
        *,
        clock: Clock | None = None,
        boot: int = 1,
        seed: int = 0,
        on_escalate: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__(root, clock=clock or SystemClock(), boot=boot, seed=seed, on_escalate=on_escalate)
        logging.getLogger("pykka").setLevel(logging.ERROR)  # one line for each thread that starts is no news
        self.stopped = False
        self._root_up = threading.Event()
        self._root_down = threading.Event()
        self._released = threading.Event()
        self._threads: dict[str, pykka.ActorRef[CellThread]] = {}

    # -- running ---------------------------------------------------------------------------------------------------

    def start(self, timeout_s: float = 60.0) -> bool:
        """Start the tree, left to right; True once every supervisor has tried all its children, False after time."""
        self.timers.run()
        limited = [
            limit
            for cell in self.cells.values()
            for limit in (cell.start_timeout_s, cell.handle_timeout_s, cell.shutdown_s)
            if limit is not None
        ]
        if limited:
            self.timers.add(0.0, self._look_for_hung, period_s=self._watch_period_s(min(limited)))
        self.root.begin()
        return self._root_up.wait(timeout_s)

    def _watch_period_s(self, shortest_s: float) -> float:
        return max(min(shortest_s / 4, _WATCH_S), 0.02 * speed_of(self.clock))

    def stop(self, timeout_s: float = 30.0) -> bool:
        """Stop the tree, right to left, then its threads; False if something was not down within `timeout_s`."""
        self.root.halt(self.root.incarnation, "the runtime stops")
        clean = self.root.life is None or self._root_down.wait(timeout_s)
        self.stopped = True
        self.timers.close()
        self._released.set()
        for cell in self.cells.values():
            cell.close("stopped", "stopped")
        for ref in list(self._threads.values()):
            ref.stop(block=False)
        return clean

    def settle(self, timeout_s: float = 5.0) -> bool:
        """Wait until every mailbox is empty or waits for a restart and no timer is due; for tests.

        Handlers that hang count as settled.
        """
        idle = threading.Event()
        deadline = SystemClock().monotonic() + timeout_s
        while SystemClock().monotonic() < deadline:
            before = self.ledger().sent
            if self._at_rest() and self.ledger().sent == before and self._at_rest():
                return True
            idle.wait(0.0005)
        return False

    def _at_rest(self) -> bool:
        if not self.timers.quiet():
            return False
        for cell in self.cells.values():
            box = cell.mailbox
            life = cell.life
            if box.owner is not None and not box.idle and not (life is not None and life.hanging):
                return False
            if box.owner is None and (box.controls or cell.state == "starting"):
                return False
        return True

    # -- what the cells need ---------------------------------------------------------------------------------------

    def host(self, cell: Cell) -> None:
        """Give the cell a thread."""
        if not self.stopped:
            self._threads[cell.path] = CellThread.start(cell, self)

    def hang(self, cell: Cell, life: Context) -> None:
        """Keep this thread, as an endless loop would, until the runtime has stopped."""
        life.hanging = True
        self._released.wait()

    def root_reports(self, report: Up | Down) -> None:
        """Let `start` and `stop` go on."""
        if isinstance(report, Up):
            self._root_up.set()
        else:
            self._root_down.set()
        super().root_reports(report)

    def _look_for_hung(self, _: Timer) -> None:
        for cell in self.cells.values():
            if cell.parent is not None and cell.overdue() is not None:
                self.post_to(cell.parent, Overdue(cell.path), None)

    def _wait(self, ask: Ask, timeout_s: float) -> None:
        assert ask.done is not None
        if not ask.done.acquire(timeout=timeout_s / speed_of(self.clock)) and not self.asks.end(ask, "timeout"):
            ask.done.acquire()  # the end came between: it is being written down
