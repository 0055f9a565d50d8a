"""Day-ahead prices of api.energy-charts.info (Fraunhofer ISE): always EUR/MWh, many zones, no key."""

from __future__ import annotations

from datetime import date, datetime, timedelta, tzinfo
from itertools import pairwise

from actors.feeds.services.check import QuotedDay
from actors.feeds.services.http import Http, Refused
from actors.feeds.services.json_text import instant, items, load, maybe_number, text
from models.errors import DataError
from models.types.slots import local_midnight

URL = "https://api.energy-charts.info/price"
NAME = "energy-charts"
_STEPS_S = (900.0, 1800.0, 3600.0)


class EnergyCharts:
    """`GET /price?bzn=DE-LU&start=2026-06-14&end=2026-06-14`: parallel lists of unix seconds and prices."""

    name = NAME

    def __init__(self, http: Http, *, bidding_zone: str, zone: tzinfo, url: str = URL) -> None:
        self._http, self._bidding_zone, self._zone, self._url = http, bidding_zone, zone, url

    def fetch(self, day: date) -> QuotedDay | None:
        """The day, as far as published; None if it is not.

        Raises
        ------
        LinkError, DataError
            It cannot be reached, or says something else.
        """
        params = {"bzn": self._bidding_zone, "start": day.isoformat(), "end": day.isoformat()}
        try:
            body = self._http.get(self._url, source=NAME, params=params)
        except Refused as error:
            if error.status == 404:  # "no content available"
                return None
            raise
        return parse(body, day, self._zone)


def parse(body: bytes, day: date, zone: tzinfo) -> QuotedDay | None:
    """One day out of an answer; None if it holds nothing of that day.

    Raises
    ------
    DataError
        It is not such an answer.
    """
    answer = load(body, NAME)
    times = items(answer.get("unix_seconds"), NAME, "unix_seconds")
    prices = items(answer.get("price"), NAME, "price")
    if len(times) != len(prices):
        raise DataError(
            f"{NAME}: {len(times)} unix_seconds and {len(prices)} prices", hint="the answer was cut; it is asked again"
        )
    start, end = local_midnight(day, zone), local_midnight(day + timedelta(days=1), zone)
    points: list[tuple[datetime, float]] = []
    stamps: set[datetime] = set()
    for i, (written, price) in enumerate(zip(times, prices, strict=True)):
        at = instant(written, NAME, f"unix_seconds[{i}]")
        value = maybe_number(price, NAME, f"price[{i}]")
        if start <= at < end:  # in zones of another time the service's day is not ours
            stamps.add(at)
            if value == value:
                points.append((at, value))
    if not points:
        return None
    unit = text(answer.get("unit"), NAME, "unit")
    return QuotedDay(source=NAME, unit=unit, step_s=step_s(sorted(stamps)), points=tuple(points))


def step_s(stamps: list[datetime]) -> float:
    """Length of a slot: the shortest distance, which a hole does not change [s]."""
    shortest = min(((b - a).total_seconds() for a, b in pairwise(stamps)), default=3600.0)
    return next((s for s in _STEPS_S if s == shortest), shortest)
