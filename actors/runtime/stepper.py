"""The whole tree on one thread and a virtual clock: a run is a function of its seed and its inputs."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from actors.runtime.asks import Ask
from actors.runtime.cell import Cell
from actors.runtime.clock import ManualClock
from actors.runtime.errors import ActorError
from actors.runtime.journal import Journal
from actors.runtime.runtime import Runtime
from actors.runtime.spec import SupervisorSpec
from actors.runtime.supervisor import Overdue

if TYPE_CHECKING:
    from actors.runtime.context import Context


class StepRuntime(Runtime):
    """Runs behaviours one message at a time, in an order that only the seed decides.

    Parameters
    ----------
    clock : ManualClock
        Virtual time; `run_for` advances it from one due timer to the next.
    trace : bool
        Keep the fingerprint of what is handled for `trace_hash`.
    shuffle : bool
        Choose the next among the ready mailboxes by the seed; else the one that has waited longest.
    """

    clock: ManualClock

    def __init__(
        self,
        root: SupervisorSpec,
        *,
        clock: ManualClock,
        boot: int = 1,
        seed: int = 0,
        on_escalate: Callable[[str], None] | None = None,
        trace: bool = False,
        shuffle: bool = False,
    ) -> None:
        super().__init__(root, clock=clock, boot=boot, seed=seed, on_escalate=on_escalate)
        self.steps = 0
        self._ready: deque[Cell] = deque()
        self._order = random.Random(f"{seed}:order") if shuffle else None
        self._journal = Journal() if trace else None
        if self._journal is not None:
            for cell in self.cells.values():
                cell.trace = self._journal.record

    # -- running ---------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the tree and run until nothing is left to do at this instant."""
        self.root.begin()
        self.run_until_idle()

    def stop(self, timeout_s: float = 60.0) -> bool:
        """Stop the tree, right to left; virtual time passes if something hangs. False if that was not enough."""
        self.root.halt(self.root.incarnation, "the runtime stops")
        self.run_until_idle()
        end = self.clock.monotonic() + timeout_s
        while self.root.life is not None:
            due = self.timers.next_due()
            if due is None or due > end:
                return False
            self.clock.advance_to(due)
            self.run_until_idle()
        self.root.close("stopped", "stopped")
        return True

    def step(self) -> bool:
        """Handle one message, or fire one timer that is due; False if there is neither."""
        ready = self._ready
        while ready:
            if self._order is not None:
                ready.rotate(-self._order.randrange(len(ready)))
            cell = ready.popleft()
            handled = cell.step(self)
            self._settle(cell)
            if handled:
                self.steps += 1
                return True
        return self.timers.fire_one()

    def run_until_idle(self, max_steps: int | None = None) -> int:
        """Handle all messages and due timers without letting time pass; returns the number of messages.

        Raises
        ------
        ActorError
            `max_steps` messages were handled and there are still more.
        """
        before = self.steps
        if self._order is None:
            while True:
                self._drain(max_steps)
                if not self.timers.fire_one():
                    return self.steps - before
        while self.step():
            if max_steps is not None and self.steps - before > max_steps:
                raise ActorError(f"still not idle after {max_steps} messages", hint="do two actors answer for ever?")
        return self.steps - before

    def _drain(self, max_steps: int | None) -> None:
        # the loop of every simulation, so `step` and `_settle` are written out here
        ready = self._ready
        steps = 0
        while ready:
            cell = ready.popleft()
            if cell.step(self):
                steps += 1
                if max_steps is not None and steps > max_steps:
                    self.steps += steps
                    self._settle(cell)
                    raise ActorError(
                        f"still not idle after {max_steps} messages", hint="do two actors answer for ever?"
                    )
            box = cell.mailbox
            if (box.open and (box.user or box.high)) or box.controls:
                if box.owner is self:
                    ready.append(cell)
            else:
                box.idle = True
        self.steps += steps

    def _settle(self, cell: Cell) -> None:
        box = cell.mailbox
        if (box.open and (box.user or box.high)) or box.controls:
            if box.owner is self:
                self._ready.append(cell)
        else:
            box.idle = True

    def run_for(self, seconds: float) -> int:
        """Let virtual time pass, from due timer to due timer, each in order; returns the messages handled."""
        before = self.steps
        end = self.clock.monotonic() + seconds
        self.run_until_idle()
        while True:
            due = self.timers.next_due()
            if due is None or due > end:
                break
            self.clock.advance_to(due)
            self.run_until_idle()
        self.clock.advance_to(end)
        self.run_until_idle()
        return self.steps - before

    def trace_hash(self) -> str:
        """sha256 over path, incarnation and content of all messages handled so far, in order."""
        if self._journal is None:
            raise ActorError("this runtime keeps no trace", hint="StepRuntime(..., trace=True)")
        return self._journal.hexdigest()

    # -- what the cells need ---------------------------------------------------------------------------------------

    def host(self, cell: Cell) -> None:
        """Step the cell from now on."""
        cell.mailbox.attach(self, partial(self._ready.append, cell))
        if cell not in self._ready:
            self._ready.append(cell)

    def hang(self, cell: Cell, life: Context) -> None:
        """Step the cell no more until its supervisor abandons it."""
        cell.mailbox.detach()
        self.look_at(cell)

    def look_at(self, cell: Cell) -> None:
        """If the cell hangs, have its supervisor look at the very instant at which it is overdue."""
        due = cell.due()
        if cell.mailbox.owner is None and due is not None and cell.parent is not None:
            self.timers.add(max(0.0, due - self.clock.monotonic()), lambda _: self._look_now(cell))

    def _look_now(self, cell: Cell) -> None:
        if cell.overdue() is None or cell.parent is None:
            self.look_at(cell)  # a rounding error early, or the limit has moved
        else:
            self.post_to(cell.parent, Overdue(cell.path), None)

    def _wait(self, ask: Ask, timeout_s: float) -> None:
        end = self.clock.monotonic() + timeout_s
        while ask.outcome is None:
            if self.step():
                continue
            due = self.timers.next_due()
            if due is None or due > end:
                self.clock.advance_to(end)
                self.asks.end(ask, "timeout")
                return
            self.clock.advance_to(due)
