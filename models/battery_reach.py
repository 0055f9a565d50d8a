"""Least cost of each stored energy that a battery can have reached, exactly, one slot after the other.

A slot is a convex, piecewise linear cost of the energy moved in it, given by its corners (kWh stored, EUR). `Reach` is
for costs that depend on that energy alone: the least cost stays convex, and its pieces merge with those of the slot in
the order of their slopes.

`DeepReach` is for a battery whose deep part wears more. Drawing x from e costs then

    price max(0, min(e, level) - min(e - x, level))        level: where the deep part begins

which is not convex in e and x together: what is drawn from above the level is free until it is crossed. So the least
cost F is a chain of convex arcs, none of which crosses the level. Of each arc alone the least cost after the slot is

    an arc below the level   merged with the slot's cost, each kWh discharged at the price of the deep part on top
    an arc above it          merged with the slot's cost; what has come to lie below the level at the price on top

and F is the lowest of all of them. That is the same minimum taken apart by where one comes from, so it is as exact.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise

Corners = list[tuple[float, float]]  # (kWh, EUR) of a piecewise linear function, kWh rising

_ROUNDING_KWH = 1e-9
_SAME_KWH = 1e-11  # corners closer than this are one: far below what is told, far above rounding
_SAME_EUR = 1e-12  # bends smaller than this are none


class Reach:
    """Least cost where it is convex: pieces of rising slope."""

    def __init__(self, at_kwh: float) -> None:
        self._low = at_kwh
        self._cost_at_low = 0.0
        self._pieces: list[tuple[float, float]] = []  # (EUR/kWh, kWh), rising

    def move(self, corners: Sequence[tuple[float, float]]) -> None:
        """The battery may do what a convex cost with these corners says; one corner: it does just that."""
        first = corners[0]
        self._low += first[0]
        self._cost_at_low += first[1]
        self._pieces += _pieces(corners)
        self._pieces.sort()

    def clip(self, low_kwh: float, high_kwh: float) -> None:
        """Forget what is outside the window."""
        pieces: list[tuple[float, float]] = []
        for slope, length in self._pieces:
            cut = min(max(low_kwh - self._low, 0.0), length) if not pieces else 0.0
            if cut > 0:
                self._low += cut
                self._cost_at_low += cut * slope
                length -= cut
            if length > 0:
                pieces.append((slope, length))
        room = high_kwh - self._low
        self._pieces = []
        for slope, length in pieces:
            if room <= 0:
                break
            self._pieces.append((slope, min(length, room)))
            room -= length

    def cost_at(self, kwh: float) -> float:
        """Least cost to store that much; the nearest end where rounding has put it outside."""
        cost, left = self._cost_at_low, kwh - self._low
        for slope, length in self._pieces:
            if left <= _ROUNDING_KWH:
                break
            cost += slope * min(length, left)
            left -= length
        return cost


class DeepReach(Reach):
    """Least cost where what is drawn from below a level wears more.

    Parameters
    ----------
    at_kwh : float
        Stored now.
    level_kwh : float
        The deep part is below.
    eur_per_kwh : float
        Price of what is drawn from there, on top; not negative.
    """

    def __init__(self, at_kwh: float, *, level_kwh: float, eur_per_kwh: float) -> None:
        super().__init__(at_kwh)
        self._corners: Corners = [(at_kwh, 0.0)]
        self._level, self._price = level_kwh, eur_per_kwh

    def move(self, corners: Sequence[tuple[float, float]]) -> None:
        """As for `Reach`."""
        deep = _dearer_discharge(corners, self._price)
        self._corners = _lowest(
            [
                _merged(arc, deep) if arc[-1][0] <= self._level else self._landed(_merged(arc, corners))
                for arc in self._arcs()
            ]
        )

    def clip(self, low_kwh: float, high_kwh: float) -> None:
        """As for `Reach`; what rounding has put outside altogether is at the nearest edge."""
        first, last = self._corners[0], self._corners[-1]
        if last[0] <= low_kwh or first[0] >= high_kwh:
            self._corners = [(low_kwh, last[1]) if last[0] <= low_kwh else (high_kwh, first[1])]
            return
        low_kwh, high_kwh = max(low_kwh, first[0]), min(high_kwh, last[0])
        inside = [corner for corner in self._corners if low_kwh < corner[0] < high_kwh]
        ends = [(kwh, _value(self._corners, kwh)) for kwh in (low_kwh, high_kwh)]
        self._corners = _simplified([ends[0], *inside, ends[1]])

    def cost_at(self, kwh: float) -> float:
        """As for `Reach`."""
        return _value(self._corners, min(max(kwh, self._corners[0][0]), self._corners[-1][0]))

    def _arcs(self) -> Iterator[Corners]:
        """The chain cut where it bends downwards and at the level; neighbours share a corner."""
        arc: Corners = []
        for corner in _with_corner(self._corners, self._level):
            if len(arc) > 1 and (arc[-1][0] == self._level or _sags(arc[-2], arc[-1], corner)):
                yield arc
                arc = arc[-1:]
            arc.append(corner)
        yield arc

    def _landed(self, corners: Corners) -> Corners:
        level = self._level
        return [(kwh, eur + self._price * max(level - kwh, 0.0)) for kwh, eur in _with_corner(corners, level)]


def _pieces(corners: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    return [((eur_b - eur_a) / (b - a), b - a) for (a, eur_a), (b, eur_b) in pairwise(corners) if b > a]


def _merged(arc: Corners, corners: Sequence[tuple[float, float]]) -> Corners:
    """Least sum of both, by where it leads: pieces in the order of their slopes."""
    kwh, eur = arc[0][0] + corners[0][0], arc[0][1] + corners[0][1]
    found = [(kwh, eur)]
    for slope, length in sorted(_pieces(arc) + _pieces(corners)):
        kwh, eur = kwh + length, eur + slope * length
        found.append((kwh, eur))
    return found


def _dearer_discharge(corners: Sequence[tuple[float, float]], eur_per_kwh: float) -> Corners:
    """The slot's cost with a price on top of each kWh discharged."""
    return [(kwh, eur + eur_per_kwh * max(-kwh, 0.0)) for kwh, eur in _with_corner(corners, 0.0)]


def _with_corner(corners: Sequence[tuple[float, float]], kwh: float) -> Corners:
    """The same function with a corner there, if that is within it; one that is as good as there is moved."""
    if not corners[0][0] < kwh < corners[-1][0] or any(at == kwh for at, _ in corners):
        return list(corners)
    if any(abs(at - kwh) <= _SAME_KWH / 2 for at, _ in corners):
        return [(kwh if abs(at - kwh) <= _SAME_KWH / 2 else at, eur) for at, eur in corners]
    right = bisect_right(corners, kwh, key=lambda corner: corner[0])
    return [*corners[:right], (kwh, _value(corners, kwh)), *corners[right:]]


def _value(corners: Sequence[tuple[float, float]], kwh: float) -> float:
    """The function at a point within it."""
    right = min(bisect_right(corners, kwh, key=lambda corner: corner[0]), len(corners) - 1)
    if right == 0:
        return corners[0][1]
    return _between(corners[right - 1], corners[right], kwh)


def _between(left: tuple[float, float], right: tuple[float, float], kwh: float) -> float:
    if right[0] <= left[0]:
        return min(left[1], right[1])
    share = (kwh - left[0]) / (right[0] - left[0])
    return left[1] + share * (right[1] - left[1])


def _sags(left: tuple[float, float], middle: tuple[float, float], right: tuple[float, float]) -> bool:
    """The middle is above the line through the others: the chain bends downwards there."""
    return middle[1] - _between(left, right, middle[0]) > _SAME_EUR


def _lowest(arcs: Sequence[Corners]) -> Corners:
    """The lowest of several functions, each on its own interval, that together leave no gap."""
    edges = sorted({kwh for arc in arcs for kwh, _ in arc})
    if len(arcs) == 1 or len(edges) == 1:
        return _simplified(min(arcs, key=lambda arc: arc[0][1]))
    found: Corners = []
    places = [0] * len(arcs)
    for a, b in pairwise(edges):
        lines: list[tuple[float, float]] = []
        for number, arc in enumerate(arcs):
            if arc[0][0] > a or arc[-1][0] < b:
                continue
            while arc[places[number] + 1][0] < b:
                places[number] += 1
            left, right = arc[places[number]], arc[places[number] + 1]
            lines.append((_between(left, right, a), _between(left, right, b)))
        if lines:  # else rounding has left a gap between neighbours
            found += _lowest_lines(a, b, lines)
    return _simplified(found)


def _lowest_lines(a: float, b: float, lines: Sequence[tuple[float, float]]) -> Corners:
    """Corners of the lowest of several lines over one interval, both ends included."""
    at = 0.0  # share of the interval
    lowest = min(lines)
    found = [(a, lowest[0])]
    while True:
        # Who is below the lowest line at the end has crossed it somewhere: the first to do so takes over.
        ahead = [
            ((line[0] - lowest[0]) / ((line[0] - lowest[0]) + (lowest[1] - line[1])), line[1], line)
            for line in lines
            if line[1] < lowest[1] - _SAME_EUR
        ]
        if not ahead:
            return [*found, (b, lowest[1])]
        share, _, line = min(ahead)
        if at < share < 1.0:
            found.append((a + share * (b - a), lowest[0] + share * (lowest[1] - lowest[0])))
        at, lowest = max(at, share), line


def _simplified(corners: Corners) -> Corners:
    """Without corners that are one and bends that are none; both ends stay."""
    kept = [corners[0]]
    for corner in corners[1:]:
        if corner[0] - kept[-1][0] <= _SAME_KWH:
            if len(kept) == 1:
                continue
            kept.pop()
        elif len(kept) > 1 and abs(kept[-1][1] - _between(kept[-2], corner, kept[-1][0])) <= _SAME_EUR:
            kept.pop()
        kept.append(corner)
    return kept
