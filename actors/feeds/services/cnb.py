"""Exchange rates of the Czech National Bank: `daily.txt`, declared on working days after 14:30.

    12.Jun.2026 #112
    Country|Currency|Amount|Code|Rate
    EMU|euro|1|EUR|24.315
    Hungary|forint|100|HUF|6.021

A rate is crowns for so many units of the currency. The Czech page (`denni_kurz.txt`) writes `12.06.2026 #112` and a
decimal comma; both are understood.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

from actors.feeds.services.archive import Archived
from actors.feeds.services.cache import DiskCache
from actors.feeds.services.http import Http
from actors.feeds.services.types import ExchangeRates
from models.errors import DataError

URL = (
    "https://www.cnb.cz/en/financial-markets/foreign-exchange-market/central-bank-exchange-rate-fixing/"
    "central-bank-exchange-rate-fixing/daily.txt"
)
NAME = "CNB"
OLDEST_DAYS = 10  # Easter and Christmas leave five days without a rate
_EVERY_S = 6 * 3600.0
_CZK_PER_EUR = (15.0, 45.0)  # it has been 22 .. 38
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_HEAD = re.compile(r"(\d{1,2})[. ]\s*([A-Za-z]{3}|\d{1,2})[. ]\s*(\d{4})\s+#\d+")
_CODE = re.compile(r"[A-Z]{3}")


class Cnb:
    """What a euro buys, of the latest day that the bank has declared."""

    def __init__(self, http: Http, cache: DiskCache, *, url: str = URL) -> None:
        self._http, self._url = http, url
        self._feed: Archived[_Issue] = Archived(
            "exchange rates", self._fetch, _issue, cache, slots=lambda _: OLDEST_DAYS, every_s=_EVERY_S
        )

    def known_at(self, now: datetime) -> ExchangeRates:
        """Rates known at `now`.

        Raises
        ------
        DataError
            There are none, or only old ones.
        """
        rates = self._feed.known_at(now).rates
        age = now.date() - date.fromisoformat(rates.day)
        if age > timedelta(days=OLDEST_DAYS):
            raise DataError(
                f"{NAME}: the latest rates are of {rates.day}, {age.days} days old, limit {OLDEST_DAYS}",
                hint="prices in another currency are not converted with them",
            )
        return rates

    def _fetch(self) -> object:
        return self._http.get(self._url, source=NAME).decode("utf-8", "replace")


class _Issue:
    """Rates in the form of a series of days, for the archive."""

    def __init__(self, rates: ExchangeRates) -> None:
        self.rates = rates
        self.issued = self.start = rates.issued
        self.dt_s = 86_400.0


def _issue(text: object, issued: datetime) -> _Issue:
    return _Issue(parse(text if isinstance(text, str) else "", issued))


def parse(text: str, issued: datetime) -> ExchangeRates:
    """Rates out of the text.

    Raises
    ------
    DataError
        It is not such a text, or what it says of the euro cannot be.
    """
    lines = text.lstrip("\ufeff").strip().splitlines()
    head = _HEAD.match(lines[0].strip()) if lines else None
    if head is None:
        shown = lines[0][:40] if lines else ""
        raise DataError(f"{NAME}: the first line is {shown!r}, not a date and number", hint="it is asked again")
    day = _day(head)
    crowns: dict[str, float] = {"CZK": 1.0}
    for number, line in enumerate(lines[2:], start=3):
        cells = line.split("|")
        if len(cells) == 5:
            code, rate = _rate(cells, number)
            crowns[code] = rate
        elif line.strip():
            raise DataError(f"{NAME} line {number}: {len(cells)} cells, 5 expected", hint="has the form changed?")
        else:
            break  # what follows an empty line are fixed conversions of former currencies
    euro = crowns.get("EUR")
    low, high = _CZK_PER_EUR
    if euro is None or not low <= euro <= high:
        raise DataError(f"{NAME}: a euro for {euro} CZK, {low:g} .. {high:g} expected", hint="has the form changed?")
    per_eur = {code: euro / rate for code, rate in crowns.items()}
    return ExchangeRates(issued=issued, source=NAME, day=day.isoformat(), per_eur=per_eur)


def _day(head: re.Match[str]) -> date:
    month = _MONTHS.index(head[2].title()) + 1 if head[2].title() in _MONTHS else None
    try:
        return date(int(head[3]), month or int(head[2]), int(head[1]))
    except ValueError:
        raise DataError(f"{NAME}: {head[0][:30]!r} is no date", hint="it is asked again") from None


def _rate(cells: list[str], number: int) -> tuple[str, float]:
    amount, code, rate = (c.strip() for c in cells[2:])
    try:
        value = float(rate.replace(",", ".")) / int(amount)
    except (ValueError, ZeroDivisionError, OverflowError):
        value = 0.0
    if not _CODE.fullmatch(code) or not 0.0 < value < 1e6:
        raise DataError(
            f"{NAME} line {number}: {amount[:12]} {code[:12]} for {rate[:20]}", hint="has the form changed?"
        )
    return code, value
