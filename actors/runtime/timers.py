"""Timers on an injected clock: a heap of due times, fired by a thread or by the stepper."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable

from actors.runtime.clock import Clock, ManualClock, speed_of


class Timer:
    """Something to do later, once or every `period_s`."""

    __slots__ = ("action", "cancelled", "due", "name", "period_s")

    def __init__(self, due: float, period_s: float | None, action: Callable[[Timer], None], name: str) -> None:
        self.name = name
        self.due = due
        self.period_s = period_s
        self.action = action
        self.cancelled = False


class Timers:
    """All timers of one runtime, in order of due time and, within it, of being set."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[tuple[float, int, Timer]] = []
        self._serial = 0
        self._cancelled = 0
        self._changed = threading.Condition(threading.Lock())
        self._stopping = False
        self._firing = False
        self._thread: threading.Thread | None = None

    def add(
        self, delay_s: float, action: Callable[[Timer], None], *, period_s: float | None = None, name: str = ""
    ) -> Timer:
        """Have `action` called in `delay_s` seconds, then every `period_s` if given."""
        if not delay_s >= 0:
            raise ValueError(f"a timer in {delay_s} s cannot be set; the delay must be 0 or more")
        if period_s is not None and not period_s > 0:
            raise ValueError(f"a timer every {period_s} s cannot be set; the period must be above 0")
        timer = Timer(self._clock.monotonic() + delay_s, period_s, action, name)
        self._push(timer)
        return timer

    def cancel(self, timer: Timer) -> None:
        """Keep a timer from firing, also if it is just now being fired elsewhere (it checks the mark itself)."""
        with self._changed:
            if timer.cancelled:
                return
            timer.cancelled = True
            self._cancelled += 1
            if self._cancelled > 64 and 2 * self._cancelled > len(self._heap):
                self._heap = [entry for entry in self._heap if not entry[2].cancelled]
                heapq.heapify(self._heap)
                self._cancelled = 0

    def next_due(self) -> float | None:
        """Monotonic time of the earliest living timer."""
        with self._changed:
            while self._heap and self._heap[0][2].cancelled:
                heapq.heappop(self._heap)
                self._cancelled = max(0, self._cancelled - 1)
            return self._heap[0][0] if self._heap else None

    def fire_one(self) -> bool:
        """Fire the earliest timer if it is due."""
        due = self.next_due()
        if due is None or due > self._clock.monotonic():
            return False
        with self._changed:
            if not self._heap:
                return False
            timer = heapq.heappop(self._heap)[2]
        if timer.cancelled:
            return True
        if timer.period_s is not None:
            # from due time to due time, so that it does not drift; ticks missed while the process slept are skipped
            behind = self._clock.monotonic() - timer.due
            timer.due += timer.period_s * (1 + behind // timer.period_s)
            self._push(timer)
        timer.action(timer)
        return True

    def _push(self, timer: Timer) -> None:
        with self._changed:
            self._serial += 1
            heapq.heappush(self._heap, (timer.due, self._serial, timer))
            if self._thread is not None and self._heap[0][2] is timer:
                self._changed.notify_all()

    # -- with a thread of their own --------------------------------------------------------------------------------

    def run(self) -> None:
        """Start the thread that fires what is due."""
        if isinstance(self._clock, ManualClock):
            self._clock.on_change(self._wake)
        self._thread = threading.Thread(target=self._loop, name="timers", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop that thread; what was not due yet never fires."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=5.0)

    def quiet(self) -> bool:
        """Whether nothing is due or being fired at this instant."""
        due = self.next_due()
        return not self._firing and (due is None or due > self._clock.monotonic())

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _loop(self) -> None:
        speed = speed_of(self._clock)
        manual = isinstance(self._clock, ManualClock)
        while True:
            due = self.next_due()
            with self._changed:
                if self._stopping:
                    return
                wait = None if due is None else due - self._clock.monotonic()
                if wait is None or wait > 0:
                    head = self._heap[0][0] if self._heap else None
                    if head == due:  # else an earlier one was set since we looked
                        self._changed.wait(None if wait is None or manual else wait / speed)
                    continue
                self._firing = True
            try:
                self.fire_one()
            finally:
                self._firing = False
