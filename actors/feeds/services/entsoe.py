"""Day-ahead prices of the ENTSO-E Transparency Platform (needs a free token): document A44 in XML.

A `Publication_MarketDocument` holds one `TimeSeries` per auction, each with `Period`s of `Point`s counted from 1. With
curve type A03 a point that equals the one before is left out, so a missing position repeats the last price until the
period ends; with A01 it is missing. Where a zone has several auctions (Germany: EXAA at 10:15 comes first in the
document), `classificationSequence_AttributeInstanceComponent.position` 1 is the coupled one that bills are made of.
"Nothing published" is an `Acknowledgement_MarketDocument` with reason 999.

The document is read with the standard library: a document type declaration, the door to entities, is refused, and the
size is capped before. (`entsoe-py` would do the same by pandas and an HTML parser, and has no such caps.)
"""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import NoReturn
from xml.etree import ElementTree

from actors.feeds.services.check import QuotedDay
from actors.feeds.services.http import Http, Refused
from models.errors import ConfigError, DataError
from models.types.slots import local_midnight

URL = "https://web-api.tp.entsoe.eu/api"
NAME = "ENTSO-E"
EIC = {
    "AT": "10YAT-APG------L", "BE": "10YBE----------2", "BG": "10YCA-BULGARIA-R", "CH": "10YCH-SWISSGRIDZ",
    "CZ": "10YCZ-CEPS-----N", "DE-LU": "10Y1001A1001A82H", "DK1": "10YDK-1--------W", "DK2": "10YDK-2--------M",
    "EE": "10Y1001A1001A39I", "ES": "10YES-REE------0", "FI": "10YFI-1--------U", "FR": "10YFR-RTE------C",
    "GR": "10YGR-HTSO-----Y", "HR": "10YHR-HEP------M", "HU": "10YHU-MAVIR----U", "LT": "10YLT-1001A0008Q",
    "LV": "10YLV-1001A00074", "NL": "10YNL----------L", "NO1": "10YNO-1--------2", "NO2": "10YNO-2--------T",
    "NO3": "10YNO-3--------J", "NO4": "10YNO-4--------9", "PL": "10YPL-AREA-----S", "PT": "10YPT-REN------W",
    "RO": "10YRO-TEL------P", "SE1": "10Y1001A1001A44P", "SE2": "10Y1001A1001A45N", "SE3": "10Y1001A1001A46L",
    "SE4": "10Y1001A1001A47J", "SI": "10YSI-ELES-----O", "SK": "10YSK-SEPS-----K",
}  # fmt: skip
_STEP_S = {"PT15M": 900.0, "PT30M": 1800.0, "PT60M": 3600.0, "PT1H": 3600.0}
_NO_DATA = "999"
_MAX_SLOTS = 4 * 24 * 40  # of one period: a request is about one day
_MAX_DEPTH = 20
_SEQUENCE = "{*}classificationSequence_AttributeInstanceComponent.position"


class Entsoe:
    """One bidding zone of the Transparency Platform."""

    name = NAME

    def __init__(
        self, http: Http, *, token: str, bidding_zone: str, zone: tzinfo, eic: str | None = None, url: str = URL
    ) -> None:
        code = eic or EIC.get(bidding_zone)
        if code is None:
            raise ConfigError(
                f"prices.bidding_zone {bidding_zone} has no known ENTSO-E code",
                hint=f"set prices.eic, or one of {', '.join(EIC)}",
            )
        self._http, self._token, self._zone, self._url, self._eic = http, token, zone, url, code

    def fetch(self, day: date) -> QuotedDay | None:
        """The day, as far as published; None if it is not.

        Raises
        ------
        LinkError, DataError
            It cannot be reached, or says something else.
        """
        start, end = local_midnight(day, self._zone), local_midnight(day + timedelta(days=1), self._zone)
        params = {
            "documentType": "A44", "in_Domain": self._eic, "out_Domain": self._eic,
            "periodStart": f"{start:%Y%m%d%H%M}", "periodEnd": f"{end:%Y%m%d%H%M}", "securityToken": self._token,
        }  # fmt: skip
        try:
            body = self._http.get(self._url, source=NAME, params=params)
        except Refused as error:
            if error.status == 400 and b"Acknowledgement_MarketDocument" in error.body:
                return parse(error.body, day, self._zone)
            raise
        return parse(body, day, self._zone)


def parse(body: bytes, day: date, zone: tzinfo) -> QuotedDay | None:
    """One day out of a document; None if it holds nothing of that day.

    Raises
    ------
    DataError
        It is not such a document.
    """
    root = _root(body)
    kind = _local(root)
    if kind == "Acknowledgement_MarketDocument":
        _assert_no_data(root)
        return None
    if kind != "Publication_MarketDocument":
        raise DataError(f"{NAME}: a {kind[:60]} came, no Publication_MarketDocument", hint="check the url setting")
    start, end = local_midnight(day, zone), local_midnight(day + timedelta(days=1), zone)
    by_step: dict[float, list[tuple[datetime, float]]] = {}
    units: set[str] = set()
    for series in root.findall("{*}TimeSeries"):
        if (series.findtext(_SEQUENCE) or "1").strip() != "1":
            continue
        for period in series.findall("{*}Period"):
            step_s, points = _period(period, repeats=series.findtext("{*}curveType", "A01").strip() == "A03")
            kept = [(at, price) for at, price in points if start <= at < end]
            if kept:
                units.add(_unit(series))
                by_step.setdefault(step_s, []).extend(kept)
    if not by_step:
        return None
    if len(units) != 1:
        raise DataError(f"{NAME}: prices in {' and '.join(sorted(units))}", hint="the document contradicts itself")
    step_s = min(by_step)  # where a zone quotes hours and quarters, the quarters are what is settled
    return QuotedDay(source=NAME, unit=units.pop(), step_s=step_s, points=tuple(by_step[step_s]))


def _period(period: ElementTree.Element, *, repeats: bool) -> tuple[float, list[tuple[datetime, float]]]:
    resolution = _text(period, "{*}resolution")
    step_s = _STEP_S.get(resolution)
    if step_s is None:
        raise DataError(f"{NAME}: resolution {resolution[:20]!r}", hint=f"{', '.join(_STEP_S)} are understood")
    begin = _instant(_text(period, "{*}timeInterval/{*}start"))
    slots = (_instant(_text(period, "{*}timeInterval/{*}end")) - begin).total_seconds() / step_s
    if slots != int(slots) or not 1 <= slots <= _MAX_SLOTS:
        raise DataError(f"{NAME}: a period of {slots:g} slots", hint=f"1 .. {_MAX_SLOTS} are understood")
    told: dict[int, float] = {}
    for point in period.findall("{*}Point"):
        position = _number(_text(point, "{*}position"), "position")
        price = _number(_text(point, "{*}price.amount"), "price.amount")
        if not 1 <= position <= slots or position != int(position):
            raise DataError(f"{NAME}: position {position:g} in a period of {slots:g} slots", hint="it is asked again")
        if told.setdefault(int(position), price) != price:
            raise DataError(f"{NAME}: two prices at position {position:g}", hint="it is asked again")
    points = []
    last = math.nan
    for i in range(1, int(slots) + 1):
        price = told.get(i, last if repeats else math.nan)
        last = price
        if price == price:
            points.append((begin + timedelta(seconds=step_s * (i - 1)), price))
    return step_s, points


def _unit(series: ElementTree.Element) -> str:
    return f"{_text(series, '{*}currency_Unit.name')}/{_text(series, '{*}price_Measure_Unit.name')}"


def _assert_no_data(root: ElementTree.Element) -> None:
    code = (root.findtext("{*}Reason/{*}code") or "").strip()
    if code == _NO_DATA:
        return
    said = " ".join((root.findtext("{*}Reason/{*}text") or "").split())
    raise DataError(f"{NAME}: refused with reason {code[:10]}: {said[:200]}", hint="check the token and the zone")


class _Builder(ElementTree.TreeBuilder):
    """Builds a tree, but no deep one and none of a document that declares its own type."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = 0

    def doctype(self, *_: object) -> NoReturn:
        raise DataError(f"{NAME}: the document declares a type", hint="entities are refused: check the url setting")

    def start(self, tag: str, attrs: dict[str, str], /) -> ElementTree.Element:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise DataError(f"{NAME}: elements more than {_MAX_DEPTH} deep", hint="check the url setting")
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> ElementTree.Element:
        self._depth -= 1
        return super().end(tag)


def _root(body: bytes) -> ElementTree.Element:
    if not body.strip():
        raise DataError(f"{NAME}: the answer is empty", hint="the service is at fault; it is asked again")
    parser = ElementTree.XMLParser(target=_Builder())
    try:
        parser.feed(body)
        root: ElementTree.Element = parser.close()
    except (ElementTree.ParseError, ValueError, LookupError) as error:  # LookupError: an encoding nobody knows
        raise DataError(
            f"{NAME}: the answer is not XML ({error})", hint="a maintenance page? it is asked again"
        ) from None
    return root


def _local(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _text(element: ElementTree.Element, path: str) -> str:
    found = element.findtext(path)
    if found is None or not found.strip():
        name = path.replace("{*}", "")
        raise DataError(f"{NAME}: {_local(element)} without {name}", hint="has the document changed its form?")
    return found.strip()


def _number(text: str, name: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"{NAME}: {name} is {text[:30]!r}, not a number", hint="it is asked again")
    return value


def _instant(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None or not 2000 <= at.year < 2100:
        raise DataError(f"{NAME}: {text[:30]!r} is no UTC time", hint="has the document changed its form?")
    return at.astimezone(UTC)
