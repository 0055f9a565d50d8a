"""What the last plan would do now, and what keeping to it has cost today."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from solvers.problem import Commitment
from solvers.result import PlanResult


class Calm:
    """Remembers the last plan and how much of the day's allowance for keeping to plans is spent.

    Parameters
    ----------
    zone : ZoneInfo
        Of the house: the allowance is for a local day.
    at_most_eur : float
        What one plan may give to go on as the last one said; 0: plans are never kept for calm's sake.
    per_day_eur : float
        What all plans of a day may give together: the bound of the regret.
    """

    def __init__(self, zone: ZoneInfo, *, at_most_eur: float, per_day_eur: float) -> None:
        self._zone, self._at_most_eur, self._per_day_eur = zone, at_most_eur, per_day_eur
        self._last: PlanResult | None = None
        self._day: date | None = None
        self.regret_eur = 0.0  # of the running day
        self.kept = 0  # plans that kept to the one before

    def planned(self, result: PlanResult, now: datetime) -> None:
        """A plan came."""
        self._turn(now)
        self._last = result
        self.regret_eur += result.kept_eur
        self.kept += result.kept_eur > 0.0

    def commitment(self, start: datetime, dt_h: float, now: datetime) -> Commitment | None:
        """What a plan that starts there is asked to keep to; None: nothing."""
        self._turn(now)
        last = self._last
        if last is None or self._at_most_eur <= 0.0 or last.dt_h != dt_h:
            return None
        gone = (start - last.start).total_seconds() / (dt_h * 3600.0)
        if gone != int(gone) or not 0 <= gone < len(last.modes):
            return None
        left_eur = max(0.0, self._per_day_eur - self.regret_eur)
        return Commitment(modes=last.modes[int(gone) :], at_most_eur=self._at_most_eur, left_eur=left_eur)

    def _turn(self, now: datetime) -> None:
        day = now.astimezone(self._zone).date()
        if day != self._day:
            self._day, self.regret_eur = day, 0.0
