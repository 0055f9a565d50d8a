"""PV forecasts of Solcast for a rooftop site (needs an account; the free one allows 10 requests a day).

`GET /rooftop_sites/<resource id>/forecasts?format=json&hours=72` answers with `forecasts`: AC power [kW] as the mean of
the `period` that ends at `period_end`, with its 10 % and 90 % quantiles.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from actors.feeds.services.http import Http
from actors.feeds.services.json_text import iso_instant, items, load, maybe_number, table, text
from actors.feeds.services.pv import assert_power
from actors.feeds.services.types import PvSeries
from models.errors import DataError

URL = "https://api.solcast.com.au/rooftop_sites"
NAME = "Solcast"
_PERIOD_S = {"PT5M": 300.0, "PT10M": 600.0, "PT15M": 900.0, "PT20M": 1200.0, "PT30M": 1800.0, "PT60M": 3600.0,
             "PT1H": 3600.0}  # fmt: skip
_MAX_SLOTS = 12 * 24 * 15
_ESTIMATES = ("pv_estimate", "pv_estimate10", "pv_estimate90")


class Solcast:
    """One rooftop site."""

    name = NAME

    def __init__(
        self, http: Http, *, key: str, resource_id: str, peak_kw: float, horizon_h: int = 72, url: str = URL
    ) -> None:
        self._http, self._key, self._resource_id = http, key, resource_id
        self._peak_kw, self._horizon_h, self._url = peak_kw, horizon_h, url

    def fetch(self) -> object:
        """The answer as JSON; `LinkError` or `DataError` if there is none."""
        body = self._http.get(
            f"{self._url}/{self._resource_id}/forecasts",
            source=NAME,
            params={"format": "json", "hours": str(self._horizon_h)},
            headers={"Authorization": f"Bearer {self._key}"},
        )
        return load(body, NAME)

    def parse(self, answer: object, issued: datetime) -> PvSeries:
        """The forecast in an answer; `DataError` if it is none."""
        return parse(answer, issued, peak_kw=self._peak_kw)


def parse(answer: object, issued: datetime, *, peak_kw: float) -> PvSeries:
    """A forecast on the service's own slots; a slot that it leaves out is unknown.

    Raises
    ------
    DataError
        It is not such an answer, or no such power can be.
    """
    rows = items(table(answer, NAME, "the answer").get("forecasts"), NAME, "forecasts")
    if not rows:
        raise DataError(f"{NAME}: no forecasts", hint="check the site's resource id")
    first = table(rows[0], NAME, "forecasts[0]")
    period = text(first.get("period"), NAME, "forecasts[0].period")
    dt_s = _PERIOD_S.get(period)
    if dt_s is None:
        raise DataError(f"{NAME}: period {period[:20]!r}", hint=f"{', '.join(_PERIOD_S)} are understood")
    slots: dict[datetime, tuple[float, ...]] = {}
    for i, row_ in enumerate(rows):
        row = table(row_, NAME, f"forecasts[{i}]")
        if row.get("period") != period:
            raise DataError(f"{NAME}: forecasts[{i}].period differs from the first, {period}", hint="asked again later")
        end = iso_instant(row.get("period_end"), NAME, f"forecasts[{i}].period_end")
        values = tuple(maybe_number(row.get(name), NAME, f"forecasts[{i}].{name}") for name in _ESTIMATES)
        if end.timestamp() % dt_s or end - timedelta(seconds=dt_s) in slots:
            raise DataError(f"{NAME}: forecasts[{i}] ends at {end:%H:%M:%S}, off the grid or twice", hint="asked again")
        slots[end - timedelta(seconds=dt_s)] = values
    return _series(slots, dt_s, issued, peak_kw)


def _series(slots: dict[datetime, tuple[float, ...]], dt_s: float, issued: datetime, peak_kw: float) -> PvSeries:
    start, last = min(slots), max(slots)
    count = round((last - start).total_seconds() / dt_s) + 1
    if count > _MAX_SLOTS:
        raise DataError(f"{NAME}: {count} slots, at most {_MAX_SLOTS} are understood", hint="it is asked again")
    unknown = (math.nan,) * len(_ESTIMATES)
    rows = [slots.get(start + timedelta(seconds=dt_s * i), unknown) for i in range(count)]
    columns = [tuple(column) for column in zip(*rows, strict=True)]
    for name, column in zip(_ESTIMATES, columns, strict=True):
        assert_power(NAME, name, column, peak_kw)
    low, high = (column if any(v == v for v in column) else () for column in columns[1:])
    return PvSeries(issued=issued, source=NAME, start=start, dt_s=dt_s, pv_kw=columns[0], low_kw=low, high_kw=high)
