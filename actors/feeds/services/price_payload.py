"""Prices out of an MQTT payload. Pure: the core itself reads them.

    {"start": "2026-06-14T22:00:00Z", "step_min": 15, "unit": "EUR/MWh", "prices": [92.1, 88.0, null, ...],
     "issued": "2026-06-14T11:02:00Z", "source": "my broker"}

`start` is the start of the first slot, `step_min` 15, 30 or 60, `unit` EUR/MWh or EUR/kWh; a price that is not known is
null. `issued` (when it became known; else the time of arrival) and `source` may be left out; anything else may not be
there.
"""

from __future__ import annotations

import math
import statistics
from datetime import datetime, timedelta

from actors.feeds.services.check import HIGHEST_EUR_PER_KWH, LOWEST_EUR_PER_KWH, MEDIAN_EUR_PER_KWH, unit_scale
from actors.feeds.services.json_text import iso_instant, items, load, maybe_number, number, text
from models.errors import DataError, PayloadError
from models.types.forecast import PriceSeries

MAX_BYTES = 256 * 1024
_MAX_DAYS = 40
_JUDGED = 20
_KEYS = frozenset({"start", "step_min", "unit", "prices", "issued", "source"})
_EARLY = timedelta(minutes=5)  # clocks differ


def parse(payload: bytes, arrived: datetime, *, topic: str, quietest_peak_eur_per_kwh: float = 0.002) -> PriceSeries:
    """A price series on quarter hours.

    Parameters
    ----------
    payload : bytes
        JSON as above.
    arrived : datetime
        House time at which it came, aware.
    topic : str
        For messages.

    Raises
    ------
    PayloadError
        It is not such a payload, or no such prices can be.
    """
    try:
        return _parsed(payload, arrived, topic, quietest_peak_eur_per_kwh)
    except DataError as error:
        raise PayloadError(error.problem, hint="write it as docs/services.md shows") from None


def _parsed(payload: bytes, arrived: datetime, topic: str, quietest: float) -> PriceSeries:
    if len(payload) > MAX_BYTES:
        raise DataError(f"{topic}: {len(payload)} bytes, limit {MAX_BYTES}")
    message = load(payload, topic)
    unknown = sorted(set(message) - _KEYS)
    if unknown:
        raise DataError(f"{topic}: unknown key {unknown[0][:40]!r}")
    start = iso_instant(message.get("start"), topic, "start")
    step_min = number(message.get("step_min"), topic, "step_min")
    if step_min not in (15.0, 30.0, 60.0):
        raise DataError(f"{topic}: step_min {step_min:g}, 15, 30 or 60 expected")
    if start.timestamp() % (step_min * 60):
        raise DataError(f"{topic}: start {start:%H:%M:%S} UTC is not a multiple of {step_min:g} minutes")
    scale = unit_scale(text(message.get("unit"), topic, "unit"), topic, {})
    written = items(message.get("prices"), topic, "prices")
    if not 0 < len(written) <= _MAX_DAYS * 1440 / step_min:
        raise DataError(f"{topic}: {len(written)} prices, at most {_MAX_DAYS} days expected")
    values = [maybe_number(v, topic, f"prices[{i}]") / scale for i, v in enumerate(written)]
    _plausible(values, topic, quietest)
    issued = arrived if message.get("issued") is None else iso_instant(message["issued"], topic, "issued")
    if issued > arrived + _EARLY:
        raise DataError(f"{topic}: issued {issued:%Y-%m-%d %H:%M} UTC lies in the future")
    source = text(message.get("source", "MQTT"), topic, "source")
    repeat = round(step_min / 15)
    while values and values[-1] != values[-1]:
        values.pop()
    return PriceSeries(
        issued=min(issued, arrived),
        source=source[:60],
        start=start,
        dt_s=900.0,
        spot_eur_per_kwh=tuple(v for v in values for _ in range(repeat)),
    )


def _plausible(values: list[float], topic: str, quietest: float) -> None:
    known = [v for v in values if v == v]
    if not known:
        raise DataError(f"{topic}: no price is known")
    for i, value in enumerate(values):
        if value == value and not LOWEST_EUR_PER_KWH <= value <= HIGHEST_EUR_PER_KWH:
            raise DataError(
                f"{topic}: prices[{i}] is {value:g} EUR/kWh, outside {LOWEST_EUR_PER_KWH:g} .. {HIGHEST_EUR_PER_KWH:g}"
            )
    if len(known) < _JUDGED:
        return
    low, high = MEDIAN_EUR_PER_KWH
    median = statistics.median(known)
    if not low <= median <= high:
        raise DataError(f"{topic}: the median is {median:g} EUR/kWh, outside {low:g} .. {high:g}: is the unit right?")
    peak = max(abs(v) for v in known)
    if peak < quietest:
        raise DataError(f"{topic}: no price exceeds {peak:g} EUR/kWh, {quietest:g} expected: is the unit right?")


def joined(known: PriceSeries | None, new: PriceSeries, first: datetime) -> PriceSeries:
    """Both in one series from `first` on: the later issue wins where they overlap, what neither has is NaN.

    A payload with tomorrow alone must not make the house forget today.
    """
    if known is None or known.end <= first:
        return new
    older, newer = (known, new) if new.issued >= known.issued else (new, known)
    start, end = max(first, min(known.start, new.start)), max(known.end, new.end)
    step = timedelta(seconds=new.dt_s)
    values = []
    at = start
    while at < end:
        value = newer.at(at)
        value = older.at(at) if value is None else value
        values.append(math.nan if value is None else value)
        at += step
    return PriceSeries(
        issued=newer.issued, source=newer.source, start=start, dt_s=new.dt_s, spot_eur_per_kwh=tuple(values)
    )
