"""What the inverter can be told to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Composite(StrEnum):
    """One row each in the twin's conformance tests; see docs/growatt.md for the registers behind them."""

    REGULAR = "regular"
    CHARGE_FROM_GRID = "charge_from_grid"
    HOLD = "hold"
    DISCHARGE_TO_GRID = "discharge_to_grid"
    SELL_PRODUCTION = "sell_production"


TRADING = (Composite.CHARGE_FROM_GRID, Composite.DISCHARGE_TO_GRID)  # a stop SOC ends what they do
RESTING = (Composite.HOLD, Composite.SELL_PRODUCTION)  # the battery stays where it is


@dataclass(frozen=True, slots=True, kw_only=True)
class InverterMode:
    """The value of the point `inverter.mode`: a composite with its parameters.

    `stop_soc` and `rate` are fractions. For `hold` and `sell_production` stop_soc None means "the live SOC when it is
    written" (floor to whole percent); `regular` takes neither.
    """

    composite: Composite
    stop_soc: float | None = None
    rate: float | None = None  # fraction of rated battery power; None: full

    def __str__(self) -> str:
        parts = [] if self.stop_soc is None else [f"to {self.stop_soc:.0%}"]
        parts += [] if self.rate is None else [f"at {self.rate:.0%}"]
        return " ".join([self.composite.value, *parts])


REGULAR = InverterMode(composite=Composite.REGULAR)
