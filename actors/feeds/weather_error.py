"""How wrong a weather forecast is: a seeded error that grows with lead time.

The error of one variable for target time t in the forecast issued at i is a function of (seed, t, i) alone:

    error(t, i) = base(t) + growth(t, i)

`base` is a stationary AR(1) in t that every issue shares (what no forecast resolves); `growth` sums the hourly
innovations between i and t, each fading with `growth_h`. A later issue drops the innovations that have happened by then
and keeps the others, so that successive forecasts of one hour improve step by step, each is smooth in t, and no
revision could have been foreseen from the one before. Noise comes from `random.Random` seeded with a text per day: the
same in every process.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import pairwise

_BASE_WINDOW = 5  # time constants after which the past of `base` is forgotten (0.7 % left)


@dataclass(frozen=True, slots=True, kw_only=True)
class WeatherErrorSpec:
    """Size and shape of the error of recorded-weather forecasts.

    Sizes are root mean squares one day (24 h) ahead. Sources: 2 m temperature of today's models, corrected for the
    station, 1.2-2 K at day one in Europe (ECMWF Technical Memoranda "Evaluation of ECMWF forecasts", yearly); 10 m wind
    1-2 m/s (the same). Irradiance: hourly values of one site in Central Europe about 35-45 % of the daytime mean, far
    less when averaged over a region or corrected by measurements (Lorenz et al., 24th EU PVSEC, 2009; Perez et al.,
    Solar Energy 94, 2013): 25 % is a good, site-corrected forecast. Growth saturates over days; what is left at lead 0
    is the difference between a model's grid box and the house.
    """

    temperature_k: float = 1.5
    irradiance_share: float = 0.25  # of the mean GHI while the sun is up, in the record's own steps
    wind_m_per_s: float = 1.2
    base_share: float = 0.4  # of the day-ahead size that is there at lead 0
    base_h: float = 6.0  # correlation time of `base`
    growth_h: float = 48.0  # time constant of the growth

    def __post_init__(self) -> None:
        for name in ("temperature_k", "irradiance_share", "wind_m_per_s"):
            if not 0.0 <= getattr(self, name) < 20.0:
                raise ValueError(f"{name} {getattr(self, name)} is outside 0 .. 20")
        if not 0.0 <= self.base_share <= 1.0:
            raise ValueError(f"base_share {self.base_share} is outside 0 .. 1")
        if self.base_h <= 0.0 or self.growth_h <= 0.0:
            raise ValueError(f"base_h {self.base_h} and growth_h {self.growth_h} must be above 0")


PERFECT = WeatherErrorSpec(temperature_k=0.0, irradiance_share=0.0, wind_m_per_s=0.0)


class ErrorField:
    """Unit-size error of one variable: standard deviation 1 at 24 h lead.

    Parameters
    ----------
    seed : int
        Of the run.
    variable : str
        Keeps the variables' noises apart.
    spec : WeatherErrorSpec
        Its shape; the size is applied by the caller.
    """

    def __init__(self, seed: int, variable: str, spec: WeatherErrorSpec) -> None:
        self._key = f"pems weather error/{seed}/{variable}"
        self._phi_base = math.exp(-1.0 / spec.base_h)
        self._phi_growth = math.exp(-1.0 / spec.growth_h)
        self._window = math.ceil(_BASE_WINDOW * spec.base_h)
        norm = (1.0 - self._phi_base ** (2 * self._window)) / (1.0 - self._phi_base**2)
        self._base = spec.base_share / math.sqrt(norm)
        grown = (1.0 - self._phi_growth**48) / (1.0 - self._phi_growth**2)
        self._step = math.sqrt((1.0 - spec.base_share**2) / grown)
        self._noise = lru_cache(maxsize=64)(self._draw)

    def hourly(self, issued: datetime, first: datetime, hours: int) -> list[float]:
        """Error at `first`, `first + 1 h`, ... in the forecast issued at `issued`.

        Parameters
        ----------
        issued, first : datetime
            Aware full hours. Targets up to `issued` have no growth, only the base.
        hours : int
            How many targets.
        """
        issue, start = _hour(issued), _hour(first)
        growth, result = 0.0, []
        for hour in range(issue + 1, start):
            growth = self._phi_growth * growth + self._step * self._innovation("growth", hour)
        for hour in range(start, start + hours):
            if hour > issue:
                growth = self._phi_growth * growth + self._step * self._innovation("growth", hour)
            result.append(self._base_at(hour) + growth)
        return result

    def _base_at(self, hour: int) -> float:
        """The same sum whichever forecast asks: a fixed window, not a recursion from somewhere."""
        total = 0.0
        for past in range(hour - self._window + 1, hour + 1):
            total = self._phi_base * total + self._innovation("base", past)
        return self._base * total

    def _innovation(self, part: str, hour: int) -> float:
        return self._noise(part, hour // 24)[hour % 24]

    def _draw(self, part: str, day: int) -> tuple[float, ...]:
        rng = random.Random(f"{self._key}/{part}/{day}")  # a text is hashed by SHA-512: no process-dependent hash()
        return tuple(rng.gauss(0.0, 1.0) for _ in range(24))


def _hour(at: datetime) -> int:
    """Hours since the Unix epoch."""
    return int(at.astimezone(UTC).timestamp() // 3600)


def at_fractions(hourly: Sequence[float], per_hour: int) -> list[float]:
    """Linear values between full hours at the middles of `per_hour` equal slots; one hour fewer than given."""
    shares = [(k + 0.5) / per_hour for k in range(per_hour)]
    return [a + (b - a) * s for a, b in pairwise(hourly) for s in shares]
