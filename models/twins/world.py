"""What the weather and the family really did: recorded series that the twins live in."""

from __future__ import annotations

import math
from array import array as Doubles
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from models.errors import DataError
from models.physics.pv import array_dc_kw
from models.physics.sun import SunPosition, sun_position, window_w_per_m2
from models.types.house import Facing, PvArray, Site


class World:
    """Truth on a regular grid; each value holds for `[start + i*dt_s, start + (i+1)*dt_s)`.

    It never changes, so that copies of a twin share it. Sun and PV power are computed once per sample, with the sun
    at its middle.

    Parameters
    ----------
    start : datetime
        Aware; start of sample 0.
    dt_s : float
        Length of a sample [s].
    temp_c, ghi, dhi, dni, wind : sequence of float
        Air temperature [degC], global and diffuse horizontal and direct normal irradiance [W/m2], wind [m/s].
    load_kw : sequence of float
        What the family uses: base load without heating and without the inverter's standby [kW].
    site : Site, optional
        Where the sun is looked at from; a twin puts in the site of its house (`seen_from`) where there is none.

    Raises
    ------
    DataError
        Series of different length, empty, or with values that are not finite; a naive start.
    """

    def __init__(
        self,
        start: datetime,
        dt_s: float,
        temp_c: Sequence[float],
        ghi: Sequence[float],
        dhi: Sequence[float],
        dni: Sequence[float],
        wind: Sequence[float],
        load_kw: Sequence[float],
        *,
        site: Site | None = None,
    ) -> None:
        if start.tzinfo is None:
            raise DataError(f"world: start {start} has no time zone", hint="give it as aware UTC")
        if not dt_s > 0.0:
            raise DataError(f"world: dt_s is {dt_s}, must be above 0")
        self.start = start.astimezone(UTC)
        self.dt_s = float(dt_s)
        self.site = site
        series = {"temp_c": temp_c, "ghi": ghi, "dhi": dhi, "dni": dni, "wind": wind, "load_kw": load_kw}
        self._series = {name: _checked(name, values, len(temp_c)) for name, values in series.items()}
        self.samples = len(temp_c)
        self._suns: dict[int, SunPosition] = {}
        self._pv: dict[PvArray, Doubles[float]] = {}
        self._windows: dict[Facing, Doubles[float]] = {}

    @property
    def end(self) -> datetime:
        """First instant that is not covered any more."""
        return self.start + timedelta(seconds=self.dt_s * self.samples)

    def seen_from(self, site: Site) -> World:
        """The same record at a site."""
        s = self._series
        return World(
            self.start, self.dt_s, s["temp_c"], s["ghi"], s["dhi"], s["dni"], s["wind"], s["load_kw"], site=site
        )

    def __deepcopy__(self, memo: dict[int, object]) -> World:
        return self  # immutable but for its caches

    def index(self, at: datetime) -> int:
        """Sample that holds an instant.

        Raises
        ------
        DataError
            Outside the record; names both ends.
        """
        i = int((at - self.start).total_seconds() // self.dt_s)
        if 0 <= i < self.samples:
            return i
        raise DataError(
            f"world: {at.astimezone(UTC):%Y-%m-%d %H:%M} UTC is outside the recorded "
            f"{self.start:%Y-%m-%d %H:%M} .. {self.end:%Y-%m-%d %H:%M} UTC",
            hint="choose a start and a length within it",
        )

    def temp_c(self, at: datetime) -> float:
        """Outdoor air [degC]."""
        return self._series["temp_c"][self.index(at)]

    def wind_m_per_s(self, at: datetime) -> float:
        """Wind speed [m/s]."""
        return self._series["wind"][self.index(at)]

    def load_kw(self, at: datetime) -> float:
        """Base load [kW]."""
        return self._series["load_kw"][self.index(at)]

    def irradiance(self, at: datetime) -> tuple[float, float, float]:
        """(ghi, dhi, dni) [W/m2]."""
        i = self.index(at)
        return self._series["ghi"][i], self._series["dhi"][i], self._series["dni"][i]

    def pv_kw(self, array: PvArray, at: datetime) -> float:
        """DC power available from one array [kW]."""
        i = self.index(at)
        cached = self._pv.get(array)
        if cached is None:
            cached = self._pv[array] = Doubles("d", [math.nan]) * self.samples
        value = cached[i]
        if math.isnan(value):
            s, middle = self._series, self._middle(i)
            value = cached[i] = array_dc_kw(
                array,
                self._sun(i),
                at=middle,
                ghi=s["ghi"][i],
                dhi=s["dhi"][i],
                dni=s["dni"][i],
                air_c=s["temp_c"][i],
                wind_m_per_s=s["wind"][i],
            )
        return value

    def window_w_per_m2(self, facing: Facing, at: datetime) -> float:
        """Irradiance on a vertical window [W/m2]; 0 for "none"."""
        i = self.index(at)
        cached = self._windows.get(facing)
        if cached is None:
            cached = self._windows[facing] = Doubles("d", [math.nan]) * self.samples
        value = cached[i]
        if math.isnan(value):
            s = self._series
            value = cached[i] = window_w_per_m2(
                facing, self._sun(i), at=self._middle(i), ghi=s["ghi"][i], dhi=s["dhi"][i], dni=s["dni"][i]
            )
        return value

    def _middle(self, i: int) -> datetime:
        return self.start + timedelta(seconds=(i + 0.5) * self.dt_s)

    def _sun(self, i: int) -> SunPosition:
        found = self._suns.get(i)
        if found is None:
            if self.site is None:
                raise DataError("world: it has no site to look at the sun from", hint="use seen_from(house.site)")
            found = self._suns[i] = sun_position(self._middle(i), self.site)
        return found


def _checked(name: str, values: Sequence[float], length: int) -> Doubles[float]:
    if len(values) != length or length == 0:
        hint = "all series share one grid"
        raise DataError(f"world: {name} has {len(values)} values, temp_c has {length}", hint=hint)
    kept = Doubles("d", values)
    for i, value in enumerate(kept):
        if not math.isfinite(value):
            raise DataError(f"world: {name}[{i}] is {value}", hint="the truth has no gaps; fill or cut the record")
        if name not in ("temp_c",) and value < 0.0:
            raise DataError(f"world: {name}[{i}] is {value}, must be at least 0")
    return kept
