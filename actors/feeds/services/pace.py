"""When a service is asked again, and when what it gave is too little."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Protocol

from models.types.forecast import PriceSeries
from models.types.slots import day_slots, floor_slot

FIRST_AGAIN_S = 60.0  # after a failure; doubles


class Issued(Protocol):
    """A series with its origin."""

    @property
    def issued(self) -> datetime: ...
    @property
    def source(self) -> str: ...


class Pace(Protocol):
    """The patience with one service."""

    def wait_s(self, now: datetime, last: Issued | None, failures: int) -> float:
        """Until it is asked again."""

    def complaint(self, now: datetime, last: Issued | None) -> str | None:
        """What is wrong with what is known, though nothing failed."""


def backed_off_s(every_s: float, failures: int) -> float:
    """The usual time, or after failures a shorter one that grows back to it."""
    if not failures:
        return every_s
    return min(every_s, FIRST_AGAIN_S * 2.0 ** min(failures - 1, 10))


@dataclass(frozen=True, slots=True)
class SteadyPace:
    """The same at all hours: forecasts of weather and PV."""

    every_s: float
    stale_h: float

    def wait_s(self, now: datetime, last: Issued | None, failures: int) -> float:
        """Until it is asked again."""
        return backed_off_s(self.every_s, failures)

    def complaint(self, now: datetime, last: Issued | None) -> str | None:
        """A forecast older than `stale_h`."""
        if last is None:
            return None
        age_h = (now - last.issued).total_seconds() / 3600.0
        if age_h <= self.stale_h:
            return None
        return f"the forecast of {last.source} is {age_h:.1f} h old, limit {self.stale_h:g} h"


@dataclass(frozen=True, slots=True)
class PricePace:
    """Day-ahead prices: in a hurry from `first_ask` until tomorrow is whole, which it has to be at `due`."""

    zone: tzinfo
    first_ask: time = time(12, 45)
    due: time = time(15)
    every_s: float = 900.0
    hurry_s: float = 180.0

    def wait_s(self, now: datetime, last: Issued | None, failures: int) -> float:
        """Until it is asked again; never past the beginning of the hurry."""
        local = now.astimezone(self.zone)
        if self.first_ask <= local.time() < self.due and not self._whole(now, last):
            return min(self.every_s, self.hurry_s * 2.0 ** min(failures, 3))
        wait_s = backed_off_s(self.every_s, failures)
        if local.time() < self.first_ask:
            opens = datetime.combine(local.date(), self.first_ask, tzinfo=self.zone)
            wait_s = min(wait_s, max(1.0, opens.timestamp() - now.timestamp()))
        return wait_s

    def complaint(self, now: datetime, last: Issued | None) -> str | None:
        """The rest of today has holes, or tomorrow is not whole although it is due."""
        if last is None:
            return None
        local = now.astimezone(self.zone)
        known, slots = self._known(last, local.date(), floor_slot(now))
        if known < slots:
            return f"{known} of the {slots} quarter hours that are left of {local.date()} have a price"
        tomorrow = local.date() + timedelta(days=1)
        known, slots = self._known(last, tomorrow)
        if known == slots or local.time() < self.due:
            return None
        return (
            f"{known} of {slots} quarter hours of {tomorrow} known at {local:%H:%M}, all were due at {self.due:%H:%M}"
        )

    def _whole(self, now: datetime, last: Issued | None) -> bool:
        if last is None:
            return False
        known, slots = self._known(last, now.astimezone(self.zone).date() + timedelta(days=1))
        return known == slots

    def _known(self, last: Issued, day: date, since: datetime | None = None) -> tuple[int, int]:
        """Known and all quarter hours of a local day, or of what is left of it."""
        assert isinstance(last, PriceSeries)
        slots = [at for at in day_slots(day, self.zone) if since is None or at >= since]
        return sum(last.at(at) is not None for at in slots), len(slots)
