"""Combinations of settings that are valid one by one and unsafe, or senseless, together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

from config.faults import Fault
from config.schema import HouseFile
from config.timing import OUTLASTS
from models.errors import ConfigError
from models.types.loxone import THERMOSTAT_HYSTERESIS_K, udp_keys

# Beside the thermostat's own hysteresis: what is kept below a room's maximum, and a step that is worth a move.
SETPOINT_ROOM_K = 0.6


def unsafe(file: HouseFile, folder: Path) -> list[Fault]:
    """All faults of combinations.

    Parameters
    ----------
    file : HouseFile
        Each value of it is in its range.
    folder : Path
        Of the house file: [data] is relative to it.
    """
    parts = (_site, _power, _battery, _rooms, _timing, _planner, _others, _wires)
    data = () if file.live else _data(file, folder)  # a live house replays nothing
    return [*(fault for part in parts for fault in part(file)), *data]


def _fault(field: str, value: object, limit: str, remedy: str) -> Fault:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return Fault(field=field, value=text, limit=limit, remedy=remedy)


def _site(file: HouseFile) -> Iterator[Fault]:
    zone = file.site.timezone
    try:
        ZoneInfo(zone)
    except (KeyError, OSError, ValueError):  # not found, a folder of zones, or no name at all
        yield _fault("site.timezone", repr(zone), "no such time zone", "write an IANA name such as 'Europe/Prague'")


def _power(file: HouseFile) -> Iterator[Fault]:
    connection, inverter = file.connection, file.inverter
    export_kw = connection.export_contract_kw
    if export_kw > inverter.ac_limit_kw:
        yield _fault(
            "connection.export_contract_kw",
            export_kw,
            f"above what the inverter can feed in, inverter.ac_limit_kw = {inverter.ac_limit_kw:g}",
            f"write at most {inverter.ac_limit_kw:g}",
        )
    if export_kw > connection.import_limit_kw:
        yield _fault(
            "connection.export_contract_kw",
            export_kw,
            f"above what the fuses carry, {connection.import_limit_kw:.1f} kW",
            "lower it or correct connection.fuse_a",
        )
    if inverter.standby_kw >= inverter.ac_limit_kw:
        yield _fault(
            "inverter.standby_kw",
            inverter.standby_kw,
            f"not below inverter.ac_limit_kw = {inverter.ac_limit_kw:g}",
            "standby is some tens of watts: 60 W is written 0.06",
        )


def _battery(file: HouseFile) -> Iterator[Fault]:
    battery, reserve = file.battery, file.planner.reserve_soc
    if battery is None:
        if reserve is not None:
            yield _fault("planner.reserve_soc", reserve, "there is no [battery]", "remove it or describe the battery")
        return
    if battery.discharge_kw > file.inverter.ac_limit_kw:
        yield _fault(
            "battery.discharge_kw",
            battery.discharge_kw,
            f"above inverter.ac_limit_kw = {file.inverter.ac_limit_kw:g}: it can never leave the inverter",
            f"write at most {file.inverter.ac_limit_kw:g}",
        )
    if reserve is not None and not battery.soc_min <= reserve <= battery.soc_max:
        yield _fault(
            "planner.reserve_soc",
            reserve,
            f"outside the battery's window, soc_min = {battery.soc_min:g} .. soc_max = {battery.soc_max:g}",
            "choose a reserve inside it, or widen the window",
        )
    if battery.taper_above_soc > battery.soc_max:
        return  # the taper begins where charging has ended: harmless
    if battery.taper_above_soc < battery.soc_min:
        yield _fault(
            "battery.taper_above_soc",
            battery.taper_above_soc,
            f"below soc_min = {battery.soc_min:g}: the battery would never charge at its rate",
            "a taper begins at 0.8 to 0.95",
        )


def _rooms(file: HouseFile) -> Iterator[Fault]:
    connection = file.connection
    phase_kw = connection.fuse_a * connection.voltage_v / 1000.0
    frost_c = file.house.frost_c
    for i, room in enumerate(file.rooms):
        at = f"rooms[{i}] ({room.name})"
        if connection.phases == 1 and room.phase > 1:
            yield _fault(f"{at}.phase", room.phase, "connection.phases = 1", "write 0 or 1")
        spread = 3 if room.phase == 0 and connection.phases == 3 else 1
        if room.heater_kw / spread > phase_kw:
            yield _fault(
                f"{at}.heater_kw",
                room.heater_kw,
                f"more than one phase carries, {phase_kw:.2f} kW: it could never be switched on",
                "correct it, connection.fuse_a, or the room's phase (0: all three)",
            )
        lowest_c = min(room.day_min_c, room.night_min_c)
        if lowest_c <= frost_c:
            yield _fault(
                f"{at}.{'day_min_c' if room.day_min_c == lowest_c else 'night_min_c'}",
                lowest_c,
                f"not above house.frost_c = {frost_c:g}: frost protection would heat against the plan",
                "raise the band or lower the frost limit",
            )
        if room.floor_max_c <= room.max_c:
            yield _fault(
                f"{at}.floor_max_c",
                room.floor_max_c,
                f"not above max_c = {room.max_c:g}: the floor must be warmer than the room it heats",
                "floors may have 29 to 35",
            )
        span_k, least_k = room.max_c - max(room.day_min_c, room.night_min_c), THERMOSTAT_HYSTERESIS_K + SETPOINT_ROOM_K
        if room.control == "setpoint" and span_k < least_k:
            yield _fault(
                f"{at}.control",
                repr(room.control),
                f"its band of {span_k:g} K is narrower than {least_k:g} K: there is nowhere to move a setpoint to",
                "widen the band, or let the relay be switched",
            )


def _timing(file: HouseFile) -> Iterator[Fault]:
    timing = file.timing
    for allowance, (period, times) in OUTLASTS.items():
        has_s, each_s = getattr(timing, allowance), getattr(timing, period)
        if has_s < times * each_s:
            yield _fault(
                f"timing.{allowance}",
                has_s,
                f"shorter than {times:g} x {period} = {times * each_s:g}: one late message would end it",
                f"write at least {times * each_s:g} or a shorter {period}",
            )
    if timing.gate_tick_s > timing.permit_s:
        yield _fault(
            "timing.gate_tick_s",
            timing.gate_tick_s,
            f"longer than permit_s = {timing.permit_s:g}: a lapsed permit would act on late",
            f"write at most {timing.permit_s:g}",
        )
    if timing.min_real_s < 4 * timing.real_step_s:
        yield _fault(
            "timing.min_real_s",
            timing.min_real_s,
            f"shorter than 4 x real_step_s = {4 * timing.real_step_s:g}: a replay could not renew in time",
            "write a longer min_real_s or a shorter real_step_s",
        )


def _planner(file: HouseFile) -> Iterator[Fault]:
    planner = file.planner
    minutes = planner.horizon_h * 60
    if abs(minutes / planner.dt_min - planner.steps) > 1e-9:
        yield _fault(
            "planner.horizon_h", planner.horizon_h, f"not whole slots of dt_min = {planner.dt_min}", "write whole hours"
        )
    if planner.dt_min * 60 > file.timing.replan_s:
        yield _fault(
            "planner.dt_min",
            planner.dt_min,
            f"longer than timing.replan_s = {file.timing.replan_s:g}",
            f"plans would begin in the middle of a slot: write replan_s = {planner.dt_min * 60}, or a shorter slot",
        )
    if planner.min_mode_slots * planner.dt_min < 60:
        yield _fault(
            "planner.min_mode_slots",
            planner.min_mode_slots,
            f"{planner.min_mode_slots * planner.dt_min} min; a composite is held at least 60 min",
            f"write at least {-(-60 // planner.dt_min)}: each change wears the inverter's memory",
        )
    if planner.solve_deadline_s >= file.timing.replan_s:
        yield _fault(
            "planner.solve_deadline_s",
            planner.solve_deadline_s,
            f"not shorter than timing.replan_s = {file.timing.replan_s:g}",
            "plans would queue up: write a shorter one",
        )
    for room in file.rooms:
        span_k = room.max_c - max(room.day_min_c, room.night_min_c)
        if 2 * planner.back_off_k >= span_k:
            yield _fault(
                "planner.back_off_k",
                planner.back_off_k,
                f"room {room.name} has a band of {span_k:g} K: nothing is left between the two back-offs",
                "write a smaller one or widen the band",
            )


def _others(file: HouseFile) -> Iterator[Fault]:
    rules = file.house
    if rules.day_starts_h >= rules.day_ends_h:
        yield _fault(
            "house.day_starts_h",
            rules.day_starts_h,
            f"not before day_ends_h = {rules.day_ends_h:g}",
            "local hours: the day band runs from the first to the second",
        )
    if file.user.override_s > file.user.override_max_s:
        yield _fault(
            "user.override_s",
            file.user.override_s,
            f"longer than override_max_s = {file.user.override_max_s:g}",
            "shorten the usual override",
        )
    if 900 % file.simulation.tick_s:
        yield _fault(
            "simulation.tick_s", file.simulation.tick_s, "does not divide a quarter hour", "write 15, 30, 60 or 300"
        )


def _wires(file: HouseFile) -> Iterator[Fault]:
    if (file.prices is None) is not (file.weather is None):
        there, missing = ("prices", "weather") if file.weather is None else ("weather", "prices")
        limit = f"[{there}] is from a service, so the house is live"
        yield _fault(missing, "no table", limit, f"add [{missing}] too, or neither")
    if file.live and file.mqtt is None:
        yield _fault("mqtt", "no table", "a live house has no twin in memory", "add [mqtt] with the broker's url")
    try:
        udp_keys([room.name for room in file.rooms], file.loxone.udp_heartbeat_key)
    except ConfigError as error:
        if file.loxone.via == "udp":
            yield _fault("loxone", file.loxone.udp_heartbeat_key, str(error), "rename the room or the key")


def _data(file: HouseFile, folder: Path) -> Iterator[Fault]:
    for name, path in (("prices", file.data.prices), ("weather", file.data.weather), ("load", file.data.load)):
        where = folder / path
        if not where.is_file():
            yield _fault(
                f"data.{name}",
                repr(str(path)),
                "no such file" if not where.exists() else "not a file",
                f"relative to the folder of the house file, it would be {where}",
            )
