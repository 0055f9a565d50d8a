"""Is a problem well-formed? One clear line if not; contradicting limits are not errors, they get bent at a price."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from models.errors import DataError
from models.types.mode import InverterMode
from solvers.problem import BatteryProblem, PlanProblem, RoomProblem
from solvers.result import Remark

_MAX_STEPS = 10_000
_MAX_PRICE = 20.0  # EUR/kWh; above it somebody wrote EUR/MWh or cent
_HOUSE_KW = 200.0  # of one house; above it somebody wrote W
_MAX_KW = 1e4
_NO_LIMIT_KW = 1e9
_SAME_PRICE = 1e-9  # EUR/kWh
_ABOVE_SOC = 0.02  # an inverter fills a percent or two beyond
_MOST_RUNS = 3  # of slots, told one by one

_PRICE = "EUR/kWh: is it in EUR/MWh or cent? Use a stand-in where a price is not known"
_POWER = "kW, never negative: is it in W, or signed?"
_SHARE = "a fraction: 30 % is written 0.30"
_LIMIT = "kW, never negative; 0 allows nothing"
_COUNT = "a number of slots"
_EUR = "EUR"

Range = tuple[float | int, float, str]  # least (a whole number where it counts), most, remedy

_PROBLEM: Mapping[str, Range] = {
    "import_limit_kw": (0.0, _NO_LIMIT_KW, _LIMIT),
    "export_limit_kw": (0.0, _NO_LIMIT_KW, _LIMIT),
    "ac_limit_kw": (0.0, _NO_LIMIT_KW, _LIMIT),
    "phase_limit_kw": (0.0, _NO_LIMIT_KW, "kW per phase; leave it out where there is one phase"),
    "mode_held_slots": (0, math.inf, _COUNT),
    "mode_forced_slots": (0, math.inf, _COUNT),
    "min_mode_slots": (0, math.inf, _COUNT),
    "comfort_eur_per_kh": (0.0, 1e6, "EUR per K and hour"),
    "soc_end_value_eur_per_kwh": (-_MAX_PRICE, _MAX_PRICE, "EUR/kWh; leave it out to have it derived from the prices"),
    "heat_end_value_eur_per_kwh": (-_MAX_PRICE, _MAX_PRICE, "EUR/kWh; leave it out to have it derived from the prices"),
}
_BATTERY: Mapping[str, Range] = {
    "capacity_kwh": (1e-3, 1e5, "usable kWh; a house without a battery has no battery table"),
    "soc": (0.0, 1.0, _SHARE),
    "soc_min": (0.0, 1.0, _SHARE),
    "soc_max": (0.0, 1.0, _SHARE),
    "charge_kw": (0.0, _MAX_KW, "kW; 0 for a battery that does not charge"),
    "discharge_kw": (0.0, _MAX_KW, "kW; 0 for a battery that does not discharge"),
    "battery_first_draw_kw": (0.0, _MAX_KW, "kW"),
    "eff_charge_pv": (0.05, 1.0, _SHARE),
    "eff_charge_ac": (0.05, 1.0, _SHARE),
    "eff_discharge": (0.05, 1.0, _SHARE),
    "wear_eur_per_kwh": (0.0, _MAX_PRICE, "EUR per kWh discharged"),
    "wear_deep_eur_per_kwh": (0.0, _MAX_PRICE, "EUR per kWh drawn from the deep part"),
    "deep_below_soc": (0.0, 1.0, _SHARE),
    "taper_above_soc": (0.0, 1.0, _SHARE),
    "taper_end_share": (0.0, 1.0, _SHARE),
    "soc_final": (0.0, 1.0, _SHARE),
    "reserve_soc": (0.0, 1.0, _SHARE),
    "full_by_slot": (0, math.inf, "a slot of the horizon; leave it out if no balancing charge is due"),
}
_ROOM: Mapping[str, Range] = {
    "heater_kw": (0.0, _MAX_KW, "kW; 0 for a room without a heater"),
    "air_kwh_per_k": (1e-4, 1e4, "kWh/K"),
    "slab_kwh_per_k": (1e-4, 1e4, "kWh/K"),
    "slab_air_kw_per_k": (0.0, _MAX_KW, "kW/K"),
    "ua_kw_per_k": (0.0, _MAX_KW, "kW/K: is it in W/K?"),
    "air_c": (-60.0, 120.0, "degC"),
    "slab_c": (-60.0, 120.0, "degC"),
    "disturbance_kw": (-_MAX_KW, _MAX_KW, "kW"),
    "forced_duty": (0.0, 1.0, _SHARE),
    "forced_slots": (0, math.inf, _COUNT),
}
_OPTIONAL = frozenset(
    ("phase_limit_kw", "soc_end_value_eur_per_kwh", "heat_end_value_eur_per_kwh", "soc_final", "reserve_soc",
     "full_by_slot")
)  # fmt: skip


def validate(problem: PlanProblem) -> None:
    """Checks lengths, signs and plausibility of every field; linear in the length of the horizon.

    Raises
    ------
    DataError
        Names the field, its value, the limit and the remedy.
    """
    n = problem.steps
    if not 1 <= n <= _MAX_STEPS:
        raise DataError(f"plan problem: {n} slots, must be 1 to {_MAX_STEPS}", hint="give at least one price per slot")
    _number("dt_h", problem.dt_h, (1e-4, 24.0, "hours per slot: a quarter hour is 0.25"))
    _instants(problem)
    for name in ("price_import", "price_export"):
        _series(problem, name, getattr(problem, name), (-_MAX_PRICE, _MAX_PRICE, _PRICE))
    _length(problem, "price_known", problem.price_known)
    for t, known in enumerate(problem.price_known):
        if known not in (True, False):
            raise DataError(f"plan problem: price_known slot {t} is {known!r}, must be true or false", hint="mend it")
    for name in ("pv_kw", "load_kw"):
        _series(problem, name, getattr(problem, name), (0.0, _HOUSE_KW, _POWER))
    _series(problem, "outdoor_c", problem.outdoor_c, (-80.0, 80.0, "degC"))
    if problem.import_limits_kw:
        _series(problem, "import_limits_kw", problem.import_limits_kw, (0.0, _NO_LIMIT_KW, _LIMIT))
    _fields("", problem, _PROBLEM)
    _extras(problem)
    if problem.battery is not None:
        _battery(problem.battery)
    for i, room in enumerate(problem.rooms):
        _room(problem, room, i)
    names = [r.name for r in problem.rooms]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"plan problem: two rooms are called {twice!r}", hint="give each room a name of its own")


def remarks(problem: PlanProblem) -> tuple[Remark, ...]:
    """What is odd and planned with all the same, one line each: what counts instead.

    A room's band may be empty because of back-offs alone, and a reserve may be asked of a battery that is not allowed
    to hold it; a house that would not be planned for that would be worse off. What no plan could make sense of (a
    battery whose lowest SOC is above its highest) is an error of `validate`.
    """
    return (*_battery_remarks(problem), *_price_remarks(problem), *_room_remarks(problem))


def _battery_remarks(problem: PlanProblem) -> Iterator[Remark]:
    b = problem.battery
    if b is None:
        return
    if b.soc > b.soc_max + _ABOVE_SOC:
        text = (
            f"battery.soc {b.soc:g} is above soc_max {b.soc_max:g}: it is used from where it is, never filled above "
            "that, and soc_max is not told as bent while it comes down"
        )
        yield Remark(about="battery.soc", text=text)
    for name, value in (("reserve_soc", b.reserve_soc), ("soc_final", b.soc_final)):
        if value is not None and value > b.soc_max:
            text = f"battery.{name} {value:g} is above soc_max {b.soc_max:g}: the battery is filled to soc_max"
            yield Remark(about=f"battery.{name}", text=text)


def _price_remarks(problem: PlanProblem) -> Iterator[Remark]:
    prices = enumerate(zip(problem.price_import, problem.price_export, strict=True))
    dearer = [t for t, (buy, sell) in prices if sell > buy + _SAME_PRICE]
    if dearer:
        t = max(dearer, key=lambda t: problem.price_export[t] - problem.price_import[t])
        sell, buy = problem.price_export[t], problem.price_import[t]
        yield Remark(
            about="prices",
            text=f"price_export is above price_import in {_slots(problem, dearer)}, in slot {t} {sell:g} above {buy:g} "
            "EUR/kWh: planned as given; are they swapped, or is a fee missing?",
        )


def _room_remarks(problem: PlanProblem) -> Iterator[Remark]:
    for room in problem.rooms:
        empty = [t for t, (low, high) in enumerate(zip(room.lower_c, room.upper_c, strict=True)) if high < low]
        if empty:
            t = empty[0]
            yield Remark(
                about=f"room.{room.name}",
                text=f"room {room.name}: upper_c {room.upper_c[t]:.2f} is below lower_c {room.lower_c[t]:.2f} degC in "
                f"{_slots(problem, empty)}: it is kept at lower_c there, and the rule room.{room.name}.above begins at "
                "lower_c, so that it is not told as bent; mend the band or its back-off",
            )


def _slots(problem: PlanProblem, slots: Sequence[int]) -> str:
    """Slots in order as people read them: those next to each other as one, and when the first one begins."""
    runs: list[list[int]] = []
    for t in slots:
        if runs and runs[-1][-1] == t - 1:
            runs[-1] = [runs[-1][0], t]
        else:
            runs.append([t])
    told = [" to ".join(map(str, run)) for run in runs[:_MOST_RUNS]]
    if len(runs) > _MOST_RUNS:
        told.append(f"{sum(run[-1] - run[0] + 1 for run in runs[_MOST_RUNS:])} later ones")
    begin = (problem.start + timedelta(hours=problem.dt_h * slots[0])).astimezone(ZoneInfo(problem.timezone))
    listed = told[0] if len(told) == 1 else f"{', '.join(told[:-1])} and {told[-1]}"
    return f"slot{'' if len(slots) == 1 else 's'} {listed} (from {begin:%a %H:%M})"


# --- parts of a problem -----------------------------------------------------------------------------------------------
def _instants(problem: PlanProblem) -> None:
    for name in ("issued", "start"):
        at = getattr(problem, name)
        if at.tzinfo is None:
            raise DataError(f"plan problem: {name} {at} has no time zone", hint="use aware UTC")
    try:
        ZoneInfo(problem.timezone)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        raise DataError(
            f"plan problem: timezone {problem.timezone!r} is not known", hint="a name like Europe/Prague"
        ) from None


def _extras(problem: PlanProblem) -> None:
    """Prices on power and on change, and the last plan."""
    _number("calm.mode_change_eur", problem.calm.mode_change_eur, (0.0, 1e4, _EUR))
    if problem.peak is not None:
        _number("peak.eur_per_kw", problem.peak.eur_per_kw, (0.0, 1e4, "EUR per kW"))
        _number("peak.measured_kw", problem.peak.measured_kw, (0.0, _MAX_KW, "kW"))
    if problem.commitment is not None:
        for name in ("at_most_eur", "left_eur"):
            _number(f"commitment.{name}", getattr(problem.commitment, name), (-1e6, 1e6, _EUR))
        for t, mode in enumerate(problem.commitment.modes):
            _mode(f"commitment.modes[{t}]", mode)
    if problem.mode_now is not None:
        _mode("mode_now", problem.mode_now)


def _mode(name: str, mode: InverterMode) -> None:
    if mode.stop_soc is not None:
        _number(f"{name}.stop_soc", mode.stop_soc, (0.0, 1.0, _SHARE))
    if mode.rate is not None:
        _number(f"{name}.rate", mode.rate, (1e-3, 1.0, "a fraction of the rated power; leave it out for all of it"))


def _battery(b: BatteryProblem) -> None:
    _fields("battery.", b, _BATTERY)
    if b.soc_min > b.soc_max:
        raise DataError(
            f"plan problem: battery.soc_min {b.soc_min:g} is above soc_max {b.soc_max:g}",
            hint="the window must not be empty: swap them?",
        )


def _room(problem: PlanProblem, room: RoomProblem, index: int) -> None:
    at = f"rooms[{index}] {room.name}: "
    _fields(at, room, _ROOM)
    if room.phase not in (0, 1, 2, 3):
        raise DataError(f"plan problem: {at}phase {room.phase}, must be 0 (all three), 1, 2 or 3", hint="mend it")
    for other, g in room.neighbours:
        _number(f"{at}neighbour", g, (0.0, _MAX_KW, "kW/K"))
        if not 0 <= other < len(problem.rooms) or other == index:
            raise DataError(
                f"plan problem: {at}neighbour {other}, must be another room's index below {len(problem.rooms)}",
                hint="rooms count from 0",
            )
    _series(problem, f"{at}sun_kw", room.sun_kw, (-_MAX_KW, _MAX_KW, "kW"))
    for name in ("lower_c", "upper_c"):
        _series(problem, f"{at}{name}", getattr(room, name), (-60.0, 60.0, "degC"))


# --- kinds of values --------------------------------------------------------------------------------------------------
def _fields(at: str, owner: object, ranges: Mapping[str, Range]) -> None:
    for name, limits in ranges.items():
        value = getattr(owner, name)
        if value is None and name in _OPTIONAL:
            continue
        _number(at + name, value, limits)


def _number(name: str, value: Any, limits: Range) -> None:
    low, high, hint = limits
    if not _fits(value, low, high):
        raise DataError(f"plan problem: {name} {_told(value, low, high)}", hint=hint)


def _fits(value: Any, low: float | int, high: float) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    whole = not isinstance(low, int) or isinstance(value, int)
    return number and whole and math.isfinite(value) and low <= value <= high


def _told(value: Any, low: float | int, high: float) -> str:
    if value is None:
        return "is missing"
    most = f"{low:g} to {high:g}" if high < _NO_LIMIT_KW else f"at least {low:g}"
    if isinstance(low, int) and isinstance(value, float):
        most = f"a whole number, {most}"
    return f"is {value:g}, must be {most}" if isinstance(value, (int, float)) else f"is {value!r}, must be a number"


def _length(problem: PlanProblem, name: str, values: Sequence[object]) -> None:
    n = problem.steps
    if len(values) == n:
        return
    end = problem.start + timedelta(hours=problem.dt_h * len(values))
    hint = f"it ends at {end:%Y-%m-%d %H:%M} UTC: plan no further than that, or get more of it"
    if len(values) > n:
        hint = "one value per slot: is it on another step?"
    raise DataError(f"plan problem: {name} has {len(values)} slots, must have {n}", hint=hint)


def _series(problem: PlanProblem, name: str, values: Sequence[Any], limits: Range) -> None:
    _length(problem, name, values)
    low, high, hint = limits
    try:
        if min(values) >= low and max(values) <= high and math.isfinite(sum(values)):
            return
    except TypeError:
        pass  # something in it is no number: found below
    for t, value in enumerate(values):
        if not _fits(value, low, high):
            raise DataError(f"plan problem: {name} slot {t} {_told(value, low, high)}", hint=hint)
