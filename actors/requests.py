"""How an actor asks the gate: numbered, dated, with an end."""

from __future__ import annotations

from datetime import timedelta

from actors.runtime import Context, Lane
from models.types.command import Level, Relinquish, Request, Value

GATE = "/core/gate"


class Asker:
    """Numbers the requests of one actor's life.

    Parameters
    ----------
    ctx : Context
        Of the actor that asks; its path is the source, its epoch the fence.
    level : Level
    """

    def __init__(self, ctx: Context, level: Level) -> None:
        self._ctx, self._level = ctx, level
        self._seq = 0

    def ask(self, point: str, value: Value | Relinquish, *, ttl_s: float, note: str = "") -> Request:
        """Send one request; it ends by itself after `ttl_s` of house time."""
        self._seq += 1
        ctx = self._ctx
        epoch = (ctx.epoch.boot, ctx.epoch.incarnation)
        now = ctx.clock.now()
        request = Request(
            id=f"{ctx.path}:{epoch[0]}.{epoch[1]}-{self._seq}",
            source=ctx.path,
            level=self._level,
            point=point,
            value=value,
            issued=now,
            expires=now + timedelta(seconds=ttl_s),
            epoch=epoch,
            seq=self._seq,
            cause=ctx.cause,
            note=note,
        )
        ctx.tell(GATE, request, lane=Lane.URGENT if self._level <= Level.GRID_OPERATOR else Lane.USER)
        return request
