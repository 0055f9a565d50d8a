"""What an actor does; built anew by its factory at each start, so that a restart heals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.runtime.errors import Unhandled

if TYPE_CHECKING:
    from actors.runtime.context import Context


class Behaviour:
    """Handles messages, one at a time, on the thread of its cell.

    Any exception out of `on_start` or `handle` ends this life, also `SystemExit` and its kind; the supervisor then has
    a new behaviour built. `on_stop` is called at the end of every life that is not abandoned, after a failure too (also
    of `on_start`), and its own exceptions are only recorded.

    Attributes
    ----------
    ctx : Context
        What a behaviour may do. Set before `on_start`; not there in `__init__`.
    """

    ctx: Context

    def on_start(self) -> None:
        """Connect, subscribe, set timers: everything that is I/O or needs `ctx`."""

    def handle(self, message: object) -> None:
        """React to one message. Call `super().handle(message)` for the unknown: a dead letter, not a failure."""
        raise Unhandled

    def on_stop(self) -> None:
        """Let go of what the life held."""

    def snapshot(self) -> dict[str, object]:
        """JSON-able state for the console. Called from other threads, past the mailbox: look, change nothing."""
        return {}


class Managed(Behaviour):
    """A behaviour whose start and stop take several messages: a supervisor."""

    def begin_stop(self, reason: str) -> None:
        """Start to stop; end with `ctx.finish_stop(reason)`."""
        raise NotImplementedError

    def begin_failure(self, reason: str) -> None:
        """Start to stop after an exception of its own; end with `ctx.finish_failure(reason)`."""
        raise NotImplementedError
