"""The one time axis of all panels: UTC inside, local days and hours on the labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from models.types.slots import local_midnight
from pems_actors.pictures.canvas import COSTS_TO_SELL, FAINT, INK, PAID_TO_BUY

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """Slots as matplotlib's days since 1970 in UTC; only the labels are local."""

    edges: Sequence[float]
    start: datetime
    end: datetime
    zone: tzinfo

    @classmethod
    def of(cls, starts: Sequence[datetime], dt_h: float, zone: tzinfo) -> TimeAxis:
        end = starts[-1] + timedelta(hours=dt_h)
        return cls([days(at) for at in (*starts, end)], starts[0], end, zone)

    def period(self) -> str:
        """The days in words, with the zone that they are counted in."""
        first, last = self.start.astimezone(self.zone), (self.end - timedelta(seconds=1)).astimezone(self.zone)
        if first.date() == last.date():
            return f"{first:%A} {first.day} {first:%B %Y}, {self.zone}"
        year = "" if first.year == last.year else f" {first.year}"
        return f"{first.day} {first:%B}{year} to {last.day} {last:%B %Y}, {self.zone}"

    def midnights(self) -> list[datetime]:
        """Local midnights from the one at or before the start to the one at or after the end."""
        day = self.start.astimezone(self.zone).date()
        found = [local_midnight(day, self.zone)]
        while found[-1] < self.end:
            day += timedelta(days=1)
            found.append(local_midnight(day, self.zone))
        return found

    def hours(self, every: int) -> list[datetime]:
        """Local hours that are multiples of `every`, midnights left out; right on days when the clocks change."""
        at = self.start.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        found = []
        while at <= self.end:
            local = at.astimezone(self.zone)
            if at >= self.start and local.hour % every == 0 and local.hour:
                found.append(at)
            at += timedelta(hours=1)
        return found

    def shade_negative(self, axes: Sequence[Axes], buy: Sequence[float], sell: Sequence[float]) -> None:
        """Mark where selling costs money, and stronger where buying is paid."""
        for ax in axes:
            for colour, order, prices in ((COSTS_TO_SELL, 0.0, sell), (PAID_TO_BUY, 0.1, buy)):
                for first, last in spans([price < 0 for price in prices]):
                    ax.axvspan(self.edges[first], self.edges[last], color=colour, lw=0, zorder=order)

    def dress(self, axes: Sequence[Axes]) -> None:
        """Give all panels, from the top down, the same time: midnights marked, days named at top and bottom."""
        span_days = self.edges[-1] - self.edges[0]
        hours = self.hours(3 if span_days <= 2.2 else 6 if span_days <= 4.5 else 12)
        nights = self.midnights()
        for ax in axes:
            ax.set_xlim(self.edges[0], self.edges[-1])
            ax.set_xticks([days(at) for at in hours], [""] * len(hours))
            ax.tick_params(axis="x", length=3, color=FAINT)
            for night in nights:
                if self.start < night < self.end:
                    ax.axvline(days(night), color="#AEB7C0", lw=1.0, zorder=1.6)
        foot = axes[-1]
        foot.set_xticks([days(at) for at in hours], [f"{at.astimezone(self.zone).hour}h" for at in hours])
        foot.tick_params(axis="x", labelsize=8.5, labelcolor=FAINT, pad=1)
        for night, after in pairwise(nights):
            first, last = max(days(night), self.edges[0]), min(days(after), self.edges[-1])
            if last - first >= 0.06 * span_days:  # else too narrow for its name
                local = night.astimezone(self.zone)
                name, middle = f"{local:%a} {local.day} {local:%b}", (first + last) / 2
                _name_day(axes[0], name, middle, 1.0, 24)
                _name_day(foot, name, middle, 0.0, -17)


def _name_day(ax: Axes, name: str, at: float, edge: float, away: float) -> None:
    ax.annotate(
        name,
        (at, edge),
        (0, away),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        ha="center",
        va="bottom" if away > 0 else "top",
        fontsize=11,
        fontweight="bold",
        color=INK,
    )


def days(at: datetime) -> float:
    return at.timestamp() / 86400.0


def spans(flags: Sequence[bool]) -> list[tuple[int, int]]:
    """Runs of True as (first index, index after the last)."""
    found, at = [], 0
    for flag, group in groupby(flags):
        length = len(list(group))
        if flag:
            found.append((at, at + length))
        at += length
    return found
