"""Holding registers of the inverter (3.07 map), and what a set of them means. docs/growatt.md has the table."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from models.physics.hybrid import Priority
from models.types.mode import Composite
from models.units import floor_percent

SLOTS = 3  # per priority


class Holding(IntEnum):
    """Addresses. A slot is three registers: start, stop (hour*256 + minute), enabled (0/1)."""

    CLOCK = 45  # year of the century, month, day, hour, minute, second
    EXPORT_LIMIT_FLAG = 122
    EXPORT_LIMIT_VALUE = 123  # 0.1 % of rated AC power
    LOAD_FIRST_STOP_SOC = 608  # %
    GRID_FIRST_RATE = 1070  # % of rated battery power
    GRID_FIRST_STOP_SOC = 1071
    GRID_FIRST_SLOT1 = 1080
    BATTERY_FIRST_RATE = 1090
    BATTERY_FIRST_STOP_SOC = 1091
    BATTERY_FIRST_AC_CHARGE = 1092  # 0/1
    BATTERY_FIRST_SLOT1 = 1100


@dataclass(frozen=True, slots=True)
class Slot:
    """One daily time slot, `[start, stop)` in minutes of the inverter's own day."""

    start: int
    stop: int
    enabled: bool


def pack_time(minute_of_day: int) -> int:
    """Minute of the day as the register holds it."""
    return (minute_of_day // 60) * 256 + minute_of_day % 60


def unpack_time(register: int) -> int:
    """Register value as minute of the day."""
    return (register >> 8) * 60 + (register & 0xFF)


def slot_address(priority: Priority, number: int) -> int:
    """Address of the first of a slot's three registers; `number` counts from 1."""
    first = Holding.BATTERY_FIRST_SLOT1 if priority is Priority.BATTERY_FIRST else Holding.GRID_FIRST_SLOT1
    return first + 3 * (number - 1)


_SETTINGS: dict[int, str] = {
    Holding.CLOCK: "datetime",
    Holding.EXPORT_LIMIT_FLAG: "export.flag",
    Holding.EXPORT_LIMIT_VALUE: "export.limit",
    Holding.LOAD_FIRST_STOP_SOC: "loadfirst.stopsoc",
    Holding.GRID_FIRST_RATE: "gridfirst.powerrate",
    Holding.GRID_FIRST_STOP_SOC: "gridfirst.stopsoc",
    Holding.BATTERY_FIRST_RATE: "batteryfirst.powerrate",
    Holding.BATTERY_FIRST_STOP_SOC: "batteryfirst.stopsoc",
    Holding.BATTERY_FIRST_AC_CHARGE: "batteryfirst.acchargeenabled",
}
_SLOTS: dict[int, str] = {
    slot_address(priority, number): f"{name}.timeslot.{number}"
    for priority, name in ((Priority.BATTERY_FIRST, "batteryfirst"), (Priority.GRID_FIRST, "gridfirst"))
    for number in range(1, SLOTS + 1)
}
WEAR_GROUPS: dict[int, str] = _SETTINGS | _SLOTS  # first address of what is written together: its name


def decode_composite(priority: int, *, ac_charge: bool, grid_stop_percent: float, soc: float) -> Composite | None:
    """Composite that a running inverter is in; None for a mode number that is not one of ours.

    Grid first at or below its stop SOC sells what the sun gives, above it discharges: the same registers are
    `discharge_to_grid` before the stop SOC is reached and `sell_production` after.
    """
    if priority == Priority.LOAD_FIRST:
        return Composite.REGULAR
    if priority == Priority.BATTERY_FIRST:
        return Composite.CHARGE_FROM_GRID if ac_charge else Composite.HOLD
    if priority == Priority.GRID_FIRST:
        above = floor_percent(soc) > grid_stop_percent
        return Composite.DISCHARGE_TO_GRID if above else Composite.SELL_PRODUCTION
    return None
