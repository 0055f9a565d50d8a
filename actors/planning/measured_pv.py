"""PV as it was measured in the last hours: what tells the forecaster how bright this day really is."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta

from models.types.forecast_request import MeasuredSeries
from models.types.slots import floor_slot

_KEPT = 24  # quarter hours
_TOLD = 12  # of them, the last ones
_QUARTER = timedelta(minutes=15)


class MeasuredPv:
    """Quarter-hour means of the sum of all roofs."""

    def __init__(self) -> None:
        self._means: deque[tuple[datetime, float]] = deque(maxlen=_KEPT)
        self._slot: datetime | None = None
        self._sum, self._count = 0.0, 0

    def see(self, now: datetime, kw: float, *, curtailed: bool) -> None:
        """One reading [kW]; one that may have been curtailed makes its quarter hour unknown."""
        slot = floor_slot(now)
        if slot != self._slot:
            if self._slot is not None:
                self._means.append((self._slot, self._sum / self._count))
            self._slot, self._sum, self._count = slot, 0.0, 0
        self._sum += float("nan") if curtailed else kw
        self._count += 1

    def history(self) -> MeasuredSeries | None:
        """The last 3 h of whole quarter hours; NaN where nothing is known, None before the first one."""
        if not self._means:
            return None
        known = dict(self._means)
        last = self._means[-1][0]
        starts = [last - _QUARTER * i for i in reversed(range(_TOLD))]
        return MeasuredSeries(start=starts[0], dt_s=900.0, kw=tuple(known.get(s, float("nan")) for s in starts))
