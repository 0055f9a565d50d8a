"""What became of the grid operator's limits, as facts for the journal: who told which, when it bound and when it ended.

`OperatorLimits` says what is known, not what happens: a limit begins and ends while nobody says anything. The book
looks at the clock and tells each such instant once, with the limit's own time, however late it looks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from models.types.operator import ImportLimit, strictest

What = Literal["known", "announced", "lifted", "began", "changed", "ended"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitFact:
    """`known`, `announced` and `lifted` are about one limit; the others about the one that binds, the strictest.

    `known` is what a book hears first: who begins to write cannot tell when that was announced, or if it was written.
    """

    at: datetime  # when it was so, not when it was noticed
    what: What
    limit: ImportLimit  # of `ended`: the one that bound last
    before: ImportLimit | None = None  # of `changed`: what bound until then


class LimitBook:
    """Remembers what binds, and tells what is new."""

    def __init__(self) -> None:
        self._known: tuple[ImportLimit, ...] = ()
        self._binds: ImportLimit | None = None
        self._looked: datetime | None = None

    def hear(self, limits: tuple[ImportLimit, ...], now: datetime) -> tuple[LimitFact, ...]:
        """All limits that are known from now on. What happened before they changed is told first."""
        if self._looked is None:
            self._known, self._looked = limits, now
            known = tuple(LimitFact(at=now, what="known", limit=limit) for limit in limits if limit.end > now)
            return (*known, *(replace(fact, at=fact.limit.start) for fact in self._bind(now)))
        facts = list(self.look(now))
        gone = [limit for limit in self._known if limit not in limits and limit.end > now]
        new = [limit for limit in limits if limit not in self._known]
        self._known, self._looked = limits, now
        facts += [LimitFact(at=now, what="lifted", limit=limit) for limit in gone]
        facts += [LimitFact(at=now, what="announced", limit=limit) for limit in new]
        facts += self._bind(now)
        return tuple(facts)

    def look(self, now: datetime) -> tuple[LimitFact, ...]:
        """What began or ended since the last look, in order."""
        if self._looked is None:
            return ()
        since, self._looked = self._looked, now
        edges = {at for limit in self._known for at in (limit.start, limit.end) if since < at <= now}
        return tuple(fact for at in sorted(edges) for fact in self._bind(at))

    def _bind(self, at: datetime) -> Iterator[LimitFact]:
        before, self._binds = self._binds, strictest(self._known, at)
        if self._binds == before:
            return
        if self._binds is None:
            assert before is not None
            yield LimitFact(at=at, what="ended", limit=before)
        elif before is None:
            yield LimitFact(at=at, what="began", limit=self._binds)
        else:
            yield LimitFact(at=at, what="changed", limit=self._binds, before=before)
