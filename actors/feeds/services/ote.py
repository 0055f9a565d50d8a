"""Day-ahead prices of OTE, the Czech market operator, from the data behind the chart on its page.

`@@chart-data?report_date=2026-06-14` answers with `data.dataLine`: a list of lines, each with a title that ends in its
unit, and points `{"x": "1", "y": 92.1}` where x counts the periods of the local day from 1. Since the delivery day
2025-10-01 the price line is "15min price (EUR/MWh)" ("15min cena (EUR/MWh)" on the Czech page), before it was the
hourly "Price (EUR/MWh)". `graph.title` ends in the day, DD.MM.YYYY.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, tzinfo

from actors.feeds.services.check import QuotedDay
from actors.feeds.services.http import Http
from actors.feeds.services.json_text import items, load, maybe_number, number, table, text
from models.errors import DataError
from models.types.slots import local_midnight

URL = "https://www.ote-cr.cz/en/short-term-markets/electricity/day-ahead-market/@@chart-data"
NAME = "OTE"
_QUARTERLY = re.compile(r"15\s*min\.?\s+(?:price|cena)\s*\(([^()]+)\)", re.IGNORECASE)
_HOURLY = re.compile(r"(?:price|cena)\s*\(([^()]+)\)", re.IGNORECASE)
_DAY = re.compile(r"(\d{1,2})\.\s*(\d{1,2})\.\s*(\d{4})")


class Ote:
    """One day of the Czech day-ahead market."""

    name = NAME

    def __init__(self, http: Http, *, zone: tzinfo, url: str = URL) -> None:
        self._http, self._zone, self._url = http, zone, url

    def fetch(self, day: date) -> QuotedDay | None:
        """The day, as far as published; None if it is not.

        Raises
        ------
        LinkError, DataError
            It cannot be reached, or says something else.
        """
        params = {"report_date": day.isoformat(), "time_resolution": "PT15M"}
        return parse(self._http.get(self._url, source=NAME, params=params), day, self._zone)


def parse(body: bytes, day: date, zone: tzinfo) -> QuotedDay | None:
    """One day out of an answer; None if it is not published.

    Raises
    ------
    DataError
        It is not such an answer, or one about a later day.
    """
    answer = load(body, NAME)
    told = _title_day(answer)
    if told is not None and told < day:
        return None  # the latest day that there is
    if told is not None and told > day:
        raise DataError(f"{NAME}: asked about {day}, answered about {told}", hint="it is asked again")
    lines = items(table(answer.get("data"), NAME, "data").get("dataLine", []), NAME, "data.dataLine")
    titles = []
    found: dict[float, tuple[str, list[object]]] = {}
    for number_, line_ in enumerate(lines):
        line = table(line_, NAME, f"dataLine[{number_}]")
        title = text(line.get("title"), NAME, f"dataLine[{number_}].title").strip()
        titles.append(title[:60])
        for step_s, pattern in ((900.0, _QUARTERLY), (3600.0, _HOURLY)):
            match = pattern.fullmatch(title)
            if match is not None:
                found.setdefault(step_s, (match[1], items(line.get("point"), NAME, f"points of {title!r}")))
    if not found:
        if not lines:
            return None
        raise DataError(
            f"{NAME}: no line '15min price (EUR/MWh)' among {', '.join(map(repr, titles))[:200]}",
            hint="has the page changed? use a fallback such as energy_charts until it is understood",
        )
    step_s = min(found)
    unit, points = found[step_s]
    quoted = _points(points, local_midnight(day, zone), step_s)
    return QuotedDay(source=NAME, unit=unit, step_s=step_s, points=quoted) if quoted else None


def _points(points: list[object], start: datetime, step_s: float) -> tuple[tuple[datetime, float], ...]:
    result = []
    for i, point_ in enumerate(points):
        point = table(point_, NAME, f"point[{i}]")
        period = _period(point.get("x"), f"point[{i}].x")
        value = maybe_number(point.get("y"), NAME, f"point[{i}].y")
        if value == value:
            result.append((start + timedelta(seconds=step_s * (period - 1)), value))
    return tuple(result)


def _period(value: object, name: str) -> int:
    """Number of a period of the day, from 1; written as text or as a number."""
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit() and len(value) < 8:
        value = int(value)
    period = number(value, NAME, name)
    if not 1 <= period <= 100 or period != int(period):
        raise DataError(f"{NAME}: {name} is {period:g}, a day has periods 1 .. 100", hint="it is asked again")
    return int(period)


def _title_day(answer: dict[str, object]) -> date | None:
    graph = answer.get("graph")
    title = graph.get("title") if isinstance(graph, dict) else None
    match = _DAY.search(title) if isinstance(title, str) else None
    if match is None:
        return None
    try:
        return date(int(match[3]), int(match[2]), int(match[1]))
    except ValueError:
        return None
