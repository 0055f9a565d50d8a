"""Day-ahead prices from one source or the next, day by day, remembered on disk."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Protocol

from actors.feeds.services.cache import DiskCache, Stamped
from actors.feeds.services.check import (
    HIGHEST_EUR_PER_KWH,
    LOWEST_EUR_PER_KWH,
    QUARTER_S,
    DayPrices,
    QuotedDay,
    day_prices,
)
from actors.feeds.services.types import PricesAnswer
from models.errors import DataError, LinkError, StoreError
from models.types.forecast import PriceSeries
from models.types.slots import day_slots, local_midnight

_DAY = timedelta(days=1)
_PAST_PER_CALL = 3  # past days fetched in one call: services ask for moderation
_PAST_AGAIN = timedelta(hours=6)  # a past day that nobody had is not asked for sooner


class DaySource(Protocol):
    """Who publishes days of prices."""

    @property
    def name(self) -> str:
        """For people."""

    def fetch(self, day: date) -> QuotedDay | None:
        """The day as far as published, None if it is not; `LinkError` or `DataError` if it cannot be had."""


class DayAhead:
    """Knows the last days, today, and tomorrow once it is published.

    A whole day is kept in memory and on disk and never asked for again; a part of a day is kept until there is more.
    After a restart without a network the days on disk are told, with the instant at which they were fetched.

    Parameters
    ----------
    sources : sequence of DaySource
        Asked in this order until one has the whole day.
    cache : DiskCache
        One file a day.
    zone : tzinfo
        Zone of the delivery day.
    first_ask : time
        Tomorrow is asked for from then on, local time.
    per_eur : callable, optional
        Exchange rates, asked for only if the currency of `needs` is not EUR.
    """

    def __init__(
        self,
        sources: Sequence[DaySource],
        cache: DiskCache,
        zone: tzinfo,
        *,
        history_days: int = 7,
        first_ask: time = time(12, 45),
        quietest_peak_eur_per_kwh: float = 0.002,
        per_eur: Callable[[datetime], Mapping[str, float]] = lambda _: {},
    ) -> None:
        self._sources, self._cache, self._zone = tuple(sources), cache, zone
        self._history = timedelta(days=history_days)
        self._first_ask = first_ask
        self._quietest = quietest_peak_eur_per_kwh
        self._per_eur = per_eur
        self._days: dict[date, DayPrices] = {}
        self._looked: set[date] = set()  # on disk
        self._not_before: dict[date, datetime] = {}

    def known_at(self, now: datetime) -> PriceSeries:
        """What `ask` knows, without its trouble."""
        return self.ask(now).series

    def ask(self, now: datetime) -> PricesAnswer:
        """Fetch what is missing, and tell what is known.

        Parameters
        ----------
        now : datetime
            Aware.

        Raises
        ------
        DataError
            Nothing is known of today, with the reasons.
        """
        local = now.astimezone(self._zone)
        today = local.date()
        self._forget(today)
        troubles: list[str] = []
        self._make_sure(today, now, troubles)
        tomorrow = today + _DAY
        if local.time() >= self._first_ask or self._recall(tomorrow) is not None:
            self._make_sure(tomorrow, now, troubles)
        if not troubles:
            self._fill_the_past(today, now)
        return PricesAnswer(series=self._series(today, troubles), trouble="; ".join(dict.fromkeys(troubles)))

    # -- days ------------------------------------------------------------------------------------------------------
    def _make_sure(self, day: date, now: datetime, troubles: list[str]) -> None:
        """Have as much of the day as anybody gives."""
        known = best = self._recall(day)
        if best is not None and best.whole:
            return
        failed: list[str] = []
        for source in self._sources:
            try:
                found = self._fetch(source, day, now)
            except (DataError, LinkError) as error:
                failed.append(str(error))
                continue
            if found is not None and (best is None or found.known >= best.known):
                best = found
            if best is not None and best.whole:
                break
        if best is not None and best is not known:
            self._days[day] = best
            try:
                self._cache.write(_name(day), Stamped(best.fetched, _plain(best)))
            except StoreError as error:
                troubles.append(str(error))
        if best is None or not best.whole:
            troubles += failed
        elif failed and self._sources[0].name != best.source:
            troubles.append(f"{failed[0]} (told by {best.source} instead)")

    def _fetch(self, source: DaySource, day: date, now: datetime) -> DayPrices | None:
        quoted = source.fetch(day)
        if quoted is None or not quoted.points:
            return None
        rates = {} if quoted.unit.strip().upper().startswith("EUR") else self._per_eur(now)
        return day_prices(
            quoted,
            day,
            self._zone,
            fetched=now,
            before=self._recall(day - _DAY),
            quietest_peak_eur_per_kwh=self._quietest,
            per_eur=rates,
        )

    def _fill_the_past(self, today: date, now: datetime) -> None:
        """A few days a call; what is missing there is no trouble: it only makes the stand-in poorer."""
        asked = 0
        for back in range(1, self._history.days + 1):
            day = today - back * _DAY
            known = self._recall(day)
            if known is not None and known.whole:
                continue
            if asked == _PAST_PER_CALL:
                return
            if self._not_before.get(day, now) > now:
                continue
            asked += 1
            trouble: list[str] = []
            self._make_sure(day, now, trouble)
            if day not in self._days or not self._days[day].whole:
                self._not_before[day] = now + _PAST_AGAIN
            if trouble:
                return

    def _recall(self, day: date) -> DayPrices | None:
        if day not in self._days and day not in self._looked:
            self._looked.add(day)
            stamped = self._cache.read(_name(day))
            found = None if stamped is None else _revived(stamped, day, self._zone)
            if found is not None:
                self._days[day] = found
        return self._days.get(day)

    def _forget(self, today: date) -> None:
        first = today - self._history - _DAY
        self._days = {day: prices for day, prices in self._days.items() if day >= first}
        self._looked = {day for day in self._looked if day >= first}
        self._not_before = {day: at for day, at in self._not_before.items() if day >= first}

    # -- the series ------------------------------------------------------------------------------------------------
    def _series(self, today: date, troubles: Sequence[str]) -> PriceSeries:
        for back in range(self._history.days + 1):
            self._recall(today - back * _DAY)
        now_known = self._days.get(today)
        if now_known is None or not now_known.known:
            raise DataError(
                f"no prices of {today}: {'; '.join(troubles) or 'nobody has published them'}",
                hint="until there are some, the plan rests on what is known of other days",
            )
        first = min(day for day in self._days if day >= today - self._history)
        last = today + _DAY if today + _DAY in self._days else today
        values: list[float] = []
        day = first
        while day <= last:
            known = self._days.get(day)
            if known is None:
                values += [math.nan] * sum(1 for _ in day_slots(day, self._zone))
            else:
                values += known.eur_per_kwh
            day += _DAY
        while math.isnan(values[-1]):
            values.pop()
        newest = self._days[last]
        return PriceSeries(
            issued=newest.fetched,
            source=newest.source,
            start=local_midnight(first, self._zone),
            dt_s=QUARTER_S,
            spot_eur_per_kwh=tuple(values),
        )


def _name(day: date) -> str:
    return f"{day.isoformat()}.json"


def _plain(day: DayPrices) -> dict[str, object]:
    return {
        "day": day.day.isoformat(),
        "source": day.source,
        "start": day.start.isoformat(),
        "eur_per_kwh": [None if math.isnan(v) else v for v in day.eur_per_kwh],
    }


def _revived(stamped: Stamped, day: date, zone: tzinfo) -> DayPrices | None:
    """The day out of its file; None if it is not what we wrote, or the zone has another one."""
    data = stamped.data
    if not isinstance(data, dict):
        return None
    values, source = data.get("eur_per_kwh"), data.get("source")
    start = local_midnight(day, zone)
    slots = sum(1 for _ in day_slots(day, zone))
    if not isinstance(values, list) or not isinstance(source, str) or len(values) != slots:
        return None
    if data.get("day") != day.isoformat() or data.get("start") != start.isoformat():
        return None
    prices = [math.nan if v is None else v for v in values]
    for v in prices:
        if isinstance(v, bool) or not isinstance(v, int | float):
            return None
        if v == v and not LOWEST_EUR_PER_KWH <= v <= HIGHEST_EUR_PER_KWH:
            return None
    return DayPrices(
        day=day, source=source, fetched=stamped.fetched, start=start, eur_per_kwh=tuple(float(v) for v in prices)
    )
