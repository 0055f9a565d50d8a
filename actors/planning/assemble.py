"""From what is known to one planning problem. Pure: everything it uses is an argument."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from actors.planning.outlook import Outlook
from actors.planning.setpoints import held_duty
from models.physics.observer import RoomState
from models.physics.rooms import RoomPlant
from models.types.forecast import HouseForecast
from models.types.house import House, Room, Tariff
from models.types.mode import InverterMode
from models.types.operator import ImportLimit, lowest_between
from solvers.problem import BatteryProblem, CalmPrices, Commitment, PeakPrice, PlanProblem, RoomProblem

_BILLED_H = 0.25  # what a tariff on power takes the mean over


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSettings:
    """What the planner needs of the house file."""

    horizon_h: float = 48.0
    dt_min: float = 15.0
    back_off_k: float = 0.15  # above the lower band: plant and model differ
    top_back_off_k: float = 0.3  # below the upper band
    import_margin_kw: float = 1.2  # left under the fuse: for the gate's own margin, pulses and forecast errors
    comfort_eur_per_kh: float = 2.0
    min_mode_slots: int = 4
    calm: CalmPrices = CalmPrices()
    keep_plan_eur: float = 0.005  # what going on as the last plan said may cost each time ...
    keep_plan_eur_per_day: float = 0.03  # ... and in all on one day
    reserve_soc: float | None = None
    price_caution: float = 0.0  # 0: prices beyond publication at their mean; 1: at the worst of the last week


@dataclass(frozen=True, slots=True, kw_only=True)
class ForcedHeat:
    """A relay that somebody stronger than a plan holds."""

    duty: float  # 1: on
    slots: int  # from now on


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldSetpoint:
    """A thermostat that somebody stronger than a plan holds."""

    setpoint_c: float
    slots: int  # from now on


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """The house at the moment of planning."""

    at: datetime
    soc: float | None
    mode: InverterMode | None
    mode_held_slots: int
    rooms: Mapping[str, RoomState]
    relay_on: Mapping[str, bool]
    forced: Mapping[str, ForcedHeat]  # rooms that are not ours to heat for a while (override, trip)
    days_since_full: float
    export_limit_kw: float
    held_c: Mapping[str, HeldSetpoint] = field(default_factory=dict)  # likewise, of rooms moved by setpoint
    mode_forced_slots: int = 0  # in so many `mode` is not ours to change (a person, a trip)
    peak_kw: float = 0.0  # highest import of the month so far
    import_limits: tuple[ImportLimit, ...] = ()  # of the grid operator
    commitment: Commitment | None = None


def assemble(
    problem_id: str,
    now: Now,
    forecast: HouseForecast,
    outlook: Outlook,
    *,
    house: House,
    plants: Sequence[RoomPlant],
    settings: PlanSettings,
    zone: ZoneInfo,
) -> PlanProblem:
    """One problem on the slots of the forecast.

    Rooms without an estimate (their sensor is silent) are left to their own thermostat: they are not in the problem's
    hands and count as unheated load nowhere.
    """
    steps = len(outlook.price_import)
    dt_h = forecast.dt_s / 3600.0
    ends = [(forecast.start + timedelta(seconds=forecast.dt_s * (i + 1))).astimezone(zone) for i in range(steps)]
    hours = [t.hour + t.minute / 60.0 for t in ends]
    by_name = {room.name: room for room in house.rooms}
    rooms = tuple(
        _room(by_name[p.name], p, now, forecast, hours, house, settings) for p in plants if p.name in now.rooms
    )
    index = {p.name: i for i, p in enumerate(plants)}
    kept = {index[r.name]: i for i, r in enumerate(rooms)}
    rooms = tuple(_renumbered(r, kept) for r in rooms)
    connection = house.connection
    limit_kw = connection.import_limit_kw - settings.import_margin_kw
    return PlanProblem(
        id=problem_id,
        issued=now.at,
        start=forecast.start,
        dt_h=dt_h,
        timezone=zone.key,
        price_import=outlook.price_import,
        price_export=outlook.price_export,
        price_known=outlook.known,
        pv_kw=tuple(sum(kw) for kw in zip(*forecast.pv_kw, strict=True))[:steps] if forecast.pv_kw else (0.0,) * steps,
        load_kw=forecast.load_kw[:steps],
        outdoor_c=forecast.outdoor_c[:steps],
        import_limit_kw=limit_kw,
        export_limit_kw=now.export_limit_kw,
        ac_limit_kw=house.inverter.ac_limit_kw,
        battery=_battery(house, now, steps, dt_h, settings.reserve_soc),
        rooms=rooms,
        phase_limit_kw=limit_kw / 3 if connection.phases == 3 else None,
        import_limits_kw=_import_limits_kw(now, forecast, steps, limit_kw, settings.import_margin_kw),
        peak=_peak(house.tariff, now.peak_kw, forecast.start.astimezone(zone), ends[-1], dt_h),
        mode_now=now.mode,
        mode_held_slots=now.mode_held_slots,
        mode_forced_slots=min(steps, now.mode_forced_slots) if now.mode is not None else 0,
        commitment=now.commitment,
        min_mode_slots=settings.min_mode_slots,
        calm=settings.calm,
        comfort_eur_per_kh=settings.comfort_eur_per_kh,
    )


def _import_limits_kw(
    now: Now, forecast: HouseForecast, steps: int, limit_kw: float, margin_kw: float
) -> tuple[float, ...]:
    """Per slot, the strictest limit that touches it, with the same margin as under the fuse; empty: none does."""
    step = timedelta(seconds=forecast.dt_s)
    starts = [forecast.start + i * step for i in range(steps)]
    allowed = [lowest_between(now.import_limits, start, start + step) for start in starts]
    if all(kw is None for kw in allowed):
        return ()
    return tuple(limit_kw if kw is None else min(limit_kw, max(0.0, kw - margin_kw)) for kw in allowed)


def _room(
    room: Room,
    plant: RoomPlant,
    now: Now,
    forecast: HouseForecast,
    hours: Sequence[float],
    house: House,
    settings: PlanSettings,
) -> RoomProblem:
    state = now.rooms[room.name]
    sun = forecast.window_w_per_m2.get(room.facing, ())
    lower = tuple(room.lower_c(h, house.day_starts_h, house.day_ends_h) + settings.back_off_k for h in hours)
    sun_kw = tuple(plant.window_m2 * w / 1000.0 for w in sun[: len(hours)]) if sun else (0.0,) * len(hours)
    forced = now.forced.get(room.name) or _held(plant, now, forecast, sun_kw)
    return RoomProblem(
        name=room.name,
        heater_kw=plant.heater_kw,
        air_kwh_per_k=plant.air_kwh_per_k,
        slab_kwh_per_k=plant.slab_kwh_per_k,
        slab_air_kw_per_k=plant.slab_air_kw_per_k,
        ua_kw_per_k=plant.ua_kw_per_k,
        neighbours=plant.neighbours,
        air_c=state.air_c,
        slab_c=state.slab_c,
        disturbance_kw=state.disturbance_kw,
        sun_kw=sun_kw,
        lower_c=lower,
        upper_c=(room.max_c - settings.top_back_off_k,) * len(hours),
        phase=plant.phase,
        relay_on=now.relay_on.get(room.name, False),
        forced_slots=0 if forced is None else min(forced.slots, len(hours)),
        forced_duty=0.0 if forced is None else forced.duty,
    )


def _held(plant: RoomPlant, now: Now, forecast: HouseForecast, sun_kw: Sequence[float]) -> ForcedHeat | None:
    """A held setpoint as heat that is not ours to move: as much of it as the hold will take, evenly spread."""
    held = now.held_c.get(plant.name)
    if held is None:
        return None
    slots = min(held.slots, len(sun_kw))
    duty = held_duty(
        plant, now.rooms[plant.name], held.setpoint_c, outdoor_c=forecast.outdoor_c[:slots], sun_kw=sun_kw[:slots],
        dt_h=forecast.dt_s / 3600.0,
    )
    return ForcedHeat(duty=duty, slots=slots)


def _renumbered(room: RoomProblem, kept: Mapping[int, int]) -> RoomProblem:
    """Neighbours by their place among the rooms that are in the problem."""
    return replace(room, neighbours=tuple((kept[i], k) for i, k in room.neighbours if i in kept))


def _peak(tariff: Tariff, measured_kw: float, start: datetime, end: datetime, dt_h: float) -> PeakPrice | None:
    """The price on power per slot: a tariff bills quarter hours, whatever the plan is made of.

    A problem has one value for what is paid already. Where it reaches into the next month (of the house's own
    calendar, that of `start` and `end`), this month's peak is none: too little is bought for free before the month's
    end, which costs less than a new month's peak that nobody saw coming.
    """
    if tariff.peak_eur_per_kw <= 0.0:
        return None
    once = tariff.peak_per == "month"
    last = end - timedelta(microseconds=1)
    paid = once and (start.year, start.month) == (last.year, last.month)
    free_kw = max(tariff.peak_free_kw, measured_kw) if paid else tariff.peak_free_kw
    eur_per_kw = tariff.peak_eur_per_kw * (1.0 if once else dt_h / _BILLED_H)
    return PeakPrice(eur_per_kw=eur_per_kw, measured_kw=free_kw, once=once)


def _battery(house: House, now: Now, steps: int, dt_h: float, reserve_soc: float | None) -> BatteryProblem | None:
    battery, inverter = house.battery, house.inverter
    if battery is None or now.soc is None:
        return None
    due_h = (battery.full_charge_every_days - now.days_since_full) * 24.0
    slot = int(due_h / dt_h)
    return BatteryProblem(
        capacity_kwh=battery.capacity_kwh,
        soc=now.soc,
        soc_min=battery.soc_min,
        soc_max=battery.soc_max,
        charge_kw=battery.charge_kw,
        discharge_kw=battery.discharge_kw,
        eff_charge_pv=inverter.eff_charge_pv,
        eff_charge_ac=inverter.eff_charge_ac,
        eff_discharge=inverter.eff_discharge,
        wear_eur_per_kwh=battery.wear_eur_per_kwh,
        deep_below_soc=battery.deep_below_soc,
        wear_deep_eur_per_kwh=battery.wear_deep_eur_per_kwh,
        taper_above_soc=battery.taper_above_soc,
        taper_end_share=battery.taper_end_share,
        reserve_soc=reserve_soc,
        full_by_slot=min(max(slot, int(12 / dt_h)), steps - 1) if slot < steps else None,
        battery_first_draw_kw=inverter.battery_first_draw_kw,
    )
