"""What the power flow says of a mode: registers may be as they should be and the inverter do something else."""

from __future__ import annotations

from actors.devices.growatt import Target
from models.types.mode import Composite
from models.types.reading import InverterReading

TOLERANCE_KW = 0.15
AT_STOP = 0.015  # of SOC: so near its stop a mode has nothing left to do


def limit_shows(limit_kw: float, reading: InverterReading) -> bool:
    """No more is fed in than the limit allows; False also if that is not known."""
    return reading.grid_kw is not None and -reading.grid_kw <= limit_kw + TOLERANCE_KW


def mode_shows(target: Target, reading: InverterReading) -> bool:
    """The battery does what the mode asks for, or has nothing left to do; False also if that is not known."""
    grid_kw, battery_kw, soc = reading.grid_kw, reading.battery_kw, reading.soc
    if grid_kw is None or battery_kw is None or soc is None:
        return False
    stop = target.stop_percent / 100
    match target.composite:
        case Composite.CHARGE_FROM_GRID:
            return battery_kw > TOLERANCE_KW or soc >= stop - AT_STOP
        case Composite.HOLD:
            return battery_kw >= -TOLERANCE_KW
        case Composite.DISCHARGE_TO_GRID:
            return battery_kw < -TOLERANCE_KW or soc <= stop + AT_STOP
        case Composite.SELL_PRODUCTION:
            return abs(battery_kw) <= TOLERANCE_KW
        case _:
            # load first never charges from the grid
            return not (grid_kw > 1.0 and battery_kw > 1.0)
