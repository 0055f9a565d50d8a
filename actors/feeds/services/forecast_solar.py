"""PV forecasts of forecast.solar: one request a roof, no key needed (12 an hour; a key gives more days and detail).

`GET /estimate/<lat>/<lon>/<tilt>/<azimuth>/<kWp>?time=utc` answers with `result.watt_hours_period`: energy [Wh] of the
period that ends at each time, from sunrise (0 Wh) over full hours or quarters to sunset. Azimuth is -180 .. 180 with 0
south and west positive, where ours is clockwise from north.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

from actors.feeds.services.http import Http
from actors.feeds.services.json_text import iso_instant, items, load, number, table
from actors.feeds.services.pv import assert_power
from actors.feeds.services.types import PvSeries
from models.errors import DataError
from models.types.house import PvArray, Site
from models.types.slots import floor_slot

URL = "https://api.forecast.solar"
NAME = "forecast.solar"
_DT_S = 900.0
_MAX_DAYS = 15


class ForecastSolar:
    """All roofs of one house."""

    name = NAME

    def __init__(
        self, http: Http, site: Site, arrays: Sequence[PvArray], *, key: str | None = None, url: str = URL
    ) -> None:
        self._http, self._site, self._arrays, self._key, self._url = http, site, tuple(arrays), key, url

    def fetch(self) -> object:
        """The answers of all roofs; `LinkError` or `DataError` if one is missing."""
        return [load(self._http.get(self._path(a), source=NAME, params={"time": "utc"}), NAME) for a in self._arrays]

    def parse(self, answer: object, issued: datetime) -> PvSeries:
        """The sum of the roofs; `DataError` if there is none."""
        return parse(answer, issued, peak_kw=sum(a.peak_kw for a in self._arrays))

    def _path(self, array: PvArray) -> str:
        prefix = f"{self._url}/{self._key}" if self._key else self._url
        plane = f"{round(array.tilt_deg)}/{round(array.azimuth_deg - 180.0)}/{array.peak_kw:g}"
        return f"{prefix}/estimate/{self._site.latitude_deg:.4f}/{self._site.longitude_deg:.4f}/{plane}"


def parse(answers: object, issued: datetime, *, peak_kw: float) -> PvSeries:
    """Quarter-hour means of all roofs together; a quarter that one roof does not cover whole is unknown.

    Raises
    ------
    DataError
        One is not such an answer, or no such power can be.
    """
    roofs = [_energies(table(a, NAME, "the answer")) for a in items(answers, NAME, "the answers")]
    if not roofs:
        raise DataError(f"{NAME}: no roofs to ask about", hint="describe them in [[arrays]]")
    start = floor_slot(min(roof[0][0] for roof in roofs))
    end = max(roof[-1][0] for roof in roofs)
    count = math.ceil((end - start).total_seconds() / _DT_S)
    if not 0 < count <= _MAX_DAYS * 96:
        raise DataError(f"{NAME}: {count} quarter hours", hint=f"1 .. {_MAX_DAYS * 96} are understood")
    totals = [0.0] * count
    for roof in roofs:
        for i, kw in enumerate(_quarter_means(roof, start, count)):
            totals[i] += kw  # NaN stays NaN
    assert_power(NAME, "the sum of the roofs", totals, peak_kw)
    return PvSeries(issued=issued, source=NAME, start=start, dt_s=_DT_S, pv_kw=tuple(totals))


def _energies(answer: dict[str, object]) -> list[tuple[datetime, float]]:
    """Ends of periods with their energy [Wh], in order."""
    message = answer.get("message")
    if isinstance(message, dict) and message.get("code") not in (0, None):
        said = str(message.get("text"))[:200]
        raise DataError(f"{NAME}: {said} (code {str(message.get('code'))[:10]})", hint="check roofs, place and key")
    result = table(answer.get("result"), NAME, "result")
    periods = table(result.get("watt_hours_period"), NAME, "result.watt_hours_period")
    found: dict[datetime, float] = {}
    for written, energy in periods.items():
        at = iso_instant(written, NAME, "a time in watt_hours_period")
        value = number(energy, NAME, f"watt_hours_period[{written[:30]}]")
        if value < 0.0:
            raise DataError(
                f"{NAME}: {value:g} Wh at {written[:30]}, energy is never negative", hint="asked again later"
            )
        if found.setdefault(at, value) != value:
            raise DataError(f"{NAME}: two energies at {written[:30]}", hint="it is asked again later")
    if len(found) < 2:
        raise DataError(f"{NAME}: {len(found)} periods, at least 2 are needed", hint="it is asked again later")
    return sorted(found.items())


def _quarter_means(periods: Sequence[tuple[datetime, float]], start: datetime, count: int) -> list[float]:
    """Power [kW] on quarter hours: each period's energy is spread evenly over it; what none covers is NaN."""
    energy_kwh, covered_s = [0.0] * count, [0.0] * count
    before = (periods[0][0] - start).total_seconds()  # the first time only begins the second period
    for at, watt_hours in periods[1:]:
        end = (at - start).total_seconds()
        for i in range(max(0, math.floor(before / _DT_S)), min(count, math.ceil(end / _DT_S))):
            shared_s = min(end, (i + 1) * _DT_S) - max(before, i * _DT_S)
            covered_s[i] += shared_s
            energy_kwh[i] += watt_hours / 1000.0 * shared_s / (end - before)
        before = end
    return [e * 3600.0 / _DT_S if c > 0.999 * _DT_S else math.nan for e, c in zip(energy_kwh, covered_s, strict=True)]
