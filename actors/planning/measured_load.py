"""The base load of a house that lives: quarter-hour means as they were measured, kept across restarts."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from pathlib import Path

from actors.store.durable import read_sealed, write_sealed
from models.errors import StoreError
from models.types.forecast_request import MeasuredSeries
from models.types.slots import floor_slot

KEPT_DAYS = 36
QUARTER_S = 900.0
LEAST_SHARE = 0.2  # of a quarter hour's usual number of readings; fewer tell nothing of it


class MeasuredLoad:
    """Base load without heating, standby included.

    Parameters
    ----------
    path : Path
        Where the means are kept; a file that cannot be read is put aside and measuring begins anew.
    stand_in_kw : float
        Taken for every quarter hour before the first one measured: a house of a day has no history.
    """

    def __init__(self, path: Path, stand_in_kw: float) -> None:
        self._path, self._stand_in_kw = path, stand_in_kw
        self._means = _read(path)
        self._slot: datetime | None = None
        self._sum, self._count, self._usual = 0.0, 0, 0
        self.problem = ""  # why the last mean is not on disk

    def see(self, now: datetime, kw: float) -> None:
        """One reading of the base load [kW]."""
        slot = floor_slot(now)
        if slot != self._slot:
            self._close()
            self._slot, self._sum, self._count = slot, 0.0, 0
        self._sum += max(0.0, kw)
        self._count += 1

    def _close(self) -> None:
        if self._slot is None or self._count < max(1.0, LEAST_SHARE * self._usual):
            return
        self._usual = max(self._usual, self._count)
        self._means[self._slot] = self._sum / self._count
        oldest = self._slot - timedelta(days=KEPT_DAYS)
        self._means = {at: kw for at, kw in self._means.items() if at >= oldest}
        body = {at.isoformat(): round(kw, 4) for at, kw in self._means.items()}
        try:
            write_sealed(self._path, body)
            self.problem = ""
        except StoreError as error:
            self.problem = str(error)

    def history(self, now: datetime, days: float) -> MeasuredSeries:
        """The last `days`; NaN where nothing was measured in between."""
        end = floor_slot(now)
        count = int(days * 86_400 / QUARTER_S)
        start = end - timedelta(seconds=QUARTER_S * count)
        first = min(self._means, default=end)
        kw = []
        for i in range(count):
            at = start + timedelta(seconds=QUARTER_S * i)
            kw.append(self._stand_in_kw if at < first else self._means.get(at, math.nan))
        return MeasuredSeries(start=start, dt_s=QUARTER_S, kw=tuple(kw))

    def known(self, now: datetime, steps: int) -> MeasuredSeries | None:
        """Nobody knows what is to come."""
        return None


def _read(path: Path) -> dict[datetime, float]:
    if not path.exists():
        return {}
    try:
        found = {datetime.fromisoformat(at): float(str(kw)) for at, kw in read_sealed(path).items()}
        if not all(at.tzinfo is not None and math.isfinite(kw) and kw >= 0.0 for at, kw in found.items()):
            raise ValueError("an impossible mean")
    except (StoreError, ValueError):
        path.replace(path.with_suffix(".damaged"))
        return {}
    return found
