"""What is believed about the future, each with the instant it was issued. Series are tuples of floats.

A series covers slots `start + i*dt`; NaN marks an unknown value. None of them is ever filled with 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceSeries:
    """Day-ahead spot prices as published."""

    issued: datetime  # when it became known
    source: str
    start: datetime
    dt_s: float
    spot_eur_per_kwh: tuple[float, ...]

    @property
    def end(self) -> datetime:
        return self.start + timedelta(seconds=self.dt_s * len(self.spot_eur_per_kwh))

    def at(self, when: datetime) -> float | None:
        """Price of the slot that holds `when`; None if unknown."""
        i = int((when - self.start).total_seconds() // self.dt_s)
        if not 0 <= i < len(self.spot_eur_per_kwh):
            return None
        value = self.spot_eur_per_kwh[i]
        return None if value != value else value


@dataclass(frozen=True, slots=True, kw_only=True)
class WeatherForecast:
    """Slot means of one weather forecast."""

    issued: datetime
    source: str
    start: datetime
    dt_s: float
    temp_c: tuple[float, ...]
    ghi_w_per_m2: tuple[float, ...]
    dni_w_per_m2: tuple[float, ...]
    dhi_w_per_m2: tuple[float, ...]
    wind_m_per_s: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HouseForecast:
    """What the planner is given: everything on the same slots."""

    issued: datetime
    source: str
    start: datetime
    dt_s: float
    pv_kw: tuple[tuple[float, ...], ...]  # DC power available, one series per array
    load_kw: tuple[float, ...]  # base load without heating, standby included
    outdoor_c: tuple[float, ...]
    window_w_per_m2: dict[str, tuple[float, ...]]  # irradiance on a vertical window by facing: "S", "E", "W"
