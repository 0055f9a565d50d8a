"""The six verbs of the inverter: what a person or a program wants, as wishes for the gate. Nothing is written here.

A `Wish` names a point, a value and when; whoever asks turns it into a request at its own level. SOC arguments are
fractions, powers are at the battery's terminals or, for the export, at the meter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Literal, NamedTuple, get_args

from actors.devices.inverter import EXPORT, MODE
from models.errors import ConfigError
from models.types.command import RELINQUISH, Relinquish, Value
from models.types.house import Battery, House
from models.types.mode import REGULAR, Composite, InverterMode
from models.types.point import PointSpec
from models.types.reading import InverterReading
from models.units import is_number

SystemMode = Literal["load_first", "battery_first", "time_of_use", "backup_reserve"]
RESERVE_SOC = 0.5  # the least that `backup_reserve` keeps
SCHEDULED = (Composite.CHARGE_FROM_GRID, Composite.DISCHARGE_TO_GRID, Composite.SELL_PRODUCTION)


class Wish(NamedTuple):
    """What to ask at the gate: a value for a point, from `start` (None: now) to `end` (None: as long as allowed)."""

    point: str
    value: Value | Relinquish
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemStatus:
    """What the system does now; None is "not reported"."""

    online: bool
    fault: bool
    composite: Composite | None
    system_mode: SystemMode | None
    soc: float | None
    pv_kw: float | None
    battery_kw: float | None  # > 0 charging
    grid_kw: float | None  # > 0 importing
    load_kw: float | None
    age_s: float


def set_system_mode(
    mode: str,
    *,
    house: House,
    reading: InverterReading | None = None,
    reserve_soc: float = RESERVE_SOC,
    buy: bool = False,
    schedule: Sequence[Wish] = (),
    start: datetime | None = None,
    end: datetime | None = None,
) -> tuple[Wish, ...]:
    """One of the four system modes.

    Parameters
    ----------
    mode : str
        `load_first`: the inverter's own way. `battery_first`: the battery is kept, and filled by the sun only; ask
        again with each reading, so that the hold rises with the SOC. `time_of_use`: a schedule of `charge_from_grid`
        and `set_discharge_schedule`. `backup_reserve`: the battery rests at `reserve_soc` or above, nothing is fed in.
    house : House
    reading : InverterReading, optional
        Latest; `battery_first` and `backup_reserve` depend on its SOC and sun.
    reserve_soc : float
        Of `backup_reserve`, a fraction of at least 0.5.
    buy : bool
        Of `backup_reserve`: may energy be bought up to the reserve?
    schedule : sequence of Wish
        Of `time_of_use`, with start and end each, not overlapping.
    start, end : datetime, optional
        Aware; the whole mode lasts from `start` to `end`.

    Raises
    ------
    ConfigError
        Unknown mode, an argument out of range or of another mode, no battery, or nothing known of the battery.
    """
    _battery(house)
    _period(start, end)
    if mode not in get_args(SystemMode):
        raise ConfigError(f"mode is {mode!r}, must be one of {', '.join(get_args(SystemMode))}")
    if schedule and mode != "time_of_use":
        raise ConfigError(f"schedule is of no use in {mode}", hint="give it with mode time_of_use")
    if mode == "load_first":
        return (Wish(MODE, REGULAR, start, end),)
    if mode == "time_of_use":
        return _scheduled(schedule, start, end)
    soc = _live_soc(mode, reading)
    if mode == "battery_first":
        return (Wish(MODE, REGULAR if _surplus(reading) else _hold(soc), start, end),)
    return _backup(house, soc, reserve_soc, buy, start, end)


def charge_from_grid(
    target_soc: float,
    power_limit_kw: float | None = None,
    *,
    house: House,
    start: datetime | None = None,
    end: datetime | None = None,
) -> tuple[Wish, ...]:
    """Buy energy for the battery up to `target_soc`, a fraction, with at most `power_limit_kw` (None: all it can).

    Raises
    ------
    ConfigError
        The SOC is outside of the battery's window, the power outside of 0 .. rated, or the period is none.
    """
    battery = _battery(house)
    _period(start, end)
    _soc("target_soc", target_soc, battery.soc_min, battery.soc_max)
    rate = _rate("power_limit_kw", power_limit_kw, battery.charge_kw)
    return (
        Wish(MODE, InverterMode(composite=Composite.CHARGE_FROM_GRID, stop_soc=target_soc, rate=rate), start, end),
    )


def set_discharge_schedule(
    start: datetime, end: datetime, min_soc: float, power_limit_kw: float | None = None, *, house: House
) -> tuple[Wish, ...]:
    """Sell from the battery from `start` to `end`, down to `min_soc`, a fraction, with at most `power_limit_kw`.

    Raises
    ------
    ConfigError
        As of `charge_from_grid`.
    """
    battery = _battery(house)
    _period(start, end)
    _soc("min_soc", min_soc, battery.soc_min, battery.soc_max)
    rate = _rate("power_limit_kw", power_limit_kw, battery.discharge_kw)
    return (
        Wish(MODE, InverterMode(composite=Composite.DISCHARGE_TO_GRID, stop_soc=min_soc, rate=rate), start, end),
    )


def set_export_control(
    enabled: bool,
    power_limit_kw: float | None = None,
    *,
    house: House,
    start: datetime | None = None,
    end: datetime | None = None,
) -> tuple[Wish, ...]:
    """Allow feeding in (`enabled`), up to `power_limit_kw` (None: the contract), or forbid it.

    Raises
    ------
    ConfigError
        The power is outside of 0 .. contract, or a power is named while feeding in is forbidden.
    """
    _period(start, end)
    contract = house.connection.export_contract_kw
    if not isinstance(enabled, bool):
        raise ConfigError(f"enabled is {enabled!r}, must be true or false")
    if not enabled:
        if power_limit_kw:
            problem = f"power_limit_kw is {power_limit_kw} while enabled is false"
            raise ConfigError(problem, hint="leave one of them out")
        return (Wish(EXPORT, 0.0, start, end),)
    if power_limit_kw is None:
        return (Wish(EXPORT, contract, start, end),)
    return (Wish(EXPORT, _between("power_limit_kw", power_limit_kw, 0.0, contract, "kW"), start, end),)


def get_system_status(reading: InverterReading | None, *, now: datetime) -> SystemStatus:
    """What the system does, from its latest reading.

    Raises
    ------
    ConfigError
        There was no reading yet.
    """
    if reading is None:
        raise ConfigError("there is no reading of the inverter yet", hint="is its stick connected to the broker?")
    words: dict[Composite, SystemMode] = {
        Composite.REGULAR: "load_first", Composite.HOLD: "battery_first", **dict.fromkeys(SCHEDULED, "time_of_use"),
    }  # fmt: skip
    return SystemStatus(
        online=reading.online,
        fault=reading.fault,
        composite=reading.composite,
        system_mode=None if reading.composite is None else words[reading.composite],
        soc=reading.soc,
        pv_kw=reading.pv_kw,
        battery_kw=reading.battery_kw,
        grid_kw=reading.grid_kw,
        load_kw=reading.load_kw,
        age_s=(now - reading.measured_at).total_seconds(),
    )


def emergency_stop(points: Sequence[PointSpec]) -> tuple[Wish, ...]:
    """Every point to its emergency value, now and without end; a point without one is given back."""
    return tuple(Wish(p.name, RELINQUISH if p.emergency is None else p.emergency) for p in points)


# --- parts ------------------------------------------------------------------------------------------------------------
def _hold(soc: float) -> InverterMode:
    return InverterMode(composite=Composite.HOLD, stop_soc=soc)


def _surplus(reading: InverterReading | None) -> bool:
    """Sun beyond the load: load first stores it, while a hold would export it."""
    return (
        reading is not None
        and reading.pv_kw is not None
        and reading.load_kw is not None
        and reading.pv_kw > reading.load_kw
    )


def _backup(
    house: House, soc: float, reserve_soc: float, buy: bool, start: datetime | None, end: datetime | None
) -> tuple[Wish, ...]:
    battery = _battery(house)
    _soc("reserve_soc", reserve_soc, max(RESERVE_SOC, battery.soc_min), battery.soc_max)
    mode = _hold(min(soc, reserve_soc))
    if buy and soc < reserve_soc:
        mode = InverterMode(composite=Composite.CHARGE_FROM_GRID, stop_soc=reserve_soc)
    return Wish(MODE, mode, start, end), Wish(EXPORT, 0.0, start, end)


def _scheduled(schedule: Sequence[Wish], start: datetime | None, end: datetime | None) -> tuple[Wish, ...]:
    if not schedule:
        raise ConfigError("schedule is empty", hint="time_of_use needs at least one charge or discharge period")
    periods: list[tuple[datetime, datetime, Wish]] = []
    for wish in schedule:
        mode = wish.value
        if wish.point != MODE or not isinstance(mode, InverterMode) or mode.composite not in SCHEDULED:
            raise ConfigError(f"schedule holds {wish.value} for {wish.point}", hint="use charge or discharge periods")
        if wish.start is None or wish.end is None:
            raise ConfigError(f"schedule: {mode} has no start or no end", hint="give both")
        _period(wish.start, wish.end)
        if (start is not None and wish.start < start) or (end is not None and wish.end > end):
            raise ConfigError(f"schedule: {mode} from {wish.start} to {wish.end} lies outside of {start} to {end}")
        periods.append((wish.start, wish.end, wish))
    periods.sort(key=lambda p: p[0])
    for (_, first_end, first), (second_start, _, second) in pairwise(periods):
        if second_start < first_end:
            raise ConfigError(
                f"schedule: {second.value} starts {second_start}, before {first.value} ends {first_end}",
                hint="periods must not overlap",
            )
    return tuple(wish for _, _, wish in periods)


def _battery(house: House) -> Battery:
    if house.battery is None:
        raise ConfigError("this house has no battery", hint="add a [battery] table to the house file")
    return house.battery


def _live_soc(mode: str, reading: InverterReading | None) -> float:
    if reading is None or reading.soc is None:
        raise ConfigError(f"the SOC is not known, {mode} needs it", hint="wait for the inverter's telemetry")
    return reading.soc


def _soc(name: str, value: float, low: float, high: float) -> float:
    if is_number(value) and 1.0 < value <= 100.0:
        problem = f"{name} is {value:g}, must be {low:g} to {high:g}"
        raise ConfigError(problem, hint=f"a fraction: write {value / 100:g}")
    return _between(name, value, low, high, "")


def _rate(name: str, kw: float | None, rated_kw: float) -> float | None:
    """Share of the rated battery power; None: all of it."""
    if kw is None:
        return None
    if is_number(kw) and kw == 0:
        raise ConfigError(f"{name} is 0, must be above 0 to {rated_kw:g} kW", hint="to rest, use mode battery_first")
    return _between(name, kw, 0.0, rated_kw, "kW") / rated_kw


def _between(name: str, value: float, low: float, high: float, unit: str) -> float:
    if not is_number(value) or not low <= value <= high:
        limits = f"{low:g} to {high:g} {unit}".strip()
        raise ConfigError(f"{name} is {str(value)[:40]}, must be {limits}", hint="see [battery] and [connection]")
    return float(value)


def _period(start: datetime | None, end: datetime | None) -> None:
    for name, at in (("start", start), ("end", end)):
        if at is not None and at.tzinfo is None:
            raise ConfigError(f"{name} {at} has no time zone, must be aware", hint="write its offset, as +01:00")
    if start is not None and end is not None and end <= start:
        raise ConfigError(f"end {end} is not after start {start}", hint="swap them, or give the next day")
