"""The only place that builds clocks' users, links, feeds, drivers and workers into one tree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from actors.devices.base import DeviceTiming
from actors.devices.inverter_job import InverterExtras, WearLog
from actors.devices.registry import DEVICES, all_points
from actors.gate.actor import Gate, GateSettings
from actors.memory import MemoryFullCharge, MemoryLimits, MemoryPeaks
from actors.operator import LimitStore, Operator
from actors.planning.assemble import PlanSettings
from actors.planning.dispatcher import Dispatcher, DispatchSettings
from actors.planning.full_charge import FullStore
from actors.planning.local_rules import LocalRules
from actors.planning.peaks import PeakStore
from actors.planning.planner import Load, Planner, PlannerSetup
from actors.planning.rooms_tracker import ObservedRooms, RoomStates
from actors.planning.surplus import SurplusHeating
from actors.runtime import Behaviour, ChildSpec, Port, SupervisorSpec, Worker
from actors.safety import Safety, SafetySettings, TripStore
from config.schema import HouseFile
from models.physics.rooms import RoomPlant, nominal_plants
from models.types.command import Level
from models.types.forecast import HouseForecast
from models.types.forecast_request import ForecastRequest
from models.types.house import House
from solvers.problem import CalmPrices


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What differs between a house that runs, one that is simulated, and one under test."""

    io: Callable[[], tuple[ChildSpec, ...]]  # wires and inputs: see `outside`
    optimizer: Callable[[], Worker]
    forecaster: Callable[[], Worker] | None  # None: `forecast` is used, for perfect foresight
    load: Callable[[], Load]
    trips: TripStore
    wear: WearLog
    peaks: PeakStore = field(default_factory=MemoryPeaks)
    full_charge: FullStore = field(default_factory=MemoryFullCharge)
    limits: LimitStore = field(default_factory=MemoryLimits)
    method: str = "plan"
    surplus: bool = False  # heat on live surplus sun, as the smart policy does
    level: Level = Level.PLAN
    plants: Sequence[RoomPlant] | None = None  # None: as the house file describes them
    states: Callable[[], RoomStates] | None = None  # None: observers
    forecast: Callable[[ForecastRequest], HouseForecast] | None = None
    ops: Callable[[], tuple[ChildSpec, ...]] = tuple


def house_tree(config: HouseFile, parts: Parts) -> SupervisorSpec:
    """The tree of DESIGN: core, devices, io, plan, ops, started in this order."""
    return SupervisorSpec(
        id="pems",
        children=(
            _core(config, parts),
            _devices(config, parts),
            _io(parts),
            _plan(config, parts),
            SupervisorSpec(id="ops", children=parts.ops(), on_give_up="park"),
        ),
    )


def signal_ages(config: HouseFile) -> dict[str, float]:
    """How old each signal may be [s]."""
    timing = config.timing
    rooms = {f"room.{r.name}": timing.rooms_max_age_s for r in config.house.rooms}
    return {"inverter": timing.telemetry_max_age_s, "meter": timing.telemetry_max_age_s, **rooms}


def _core(config: HouseFile, parts: Parts) -> SupervisorSpec:
    house, timing, ages = config.house, config.timing, signal_ages(config)
    gate = GateSettings(
        tick_s=timing.gate_tick_s,
        refresh_s=timing.relay_refresh_s,
        meter_settle_s=timing.meter_settle_s,
        max_age_s=ages,
    )
    safety = SafetySettings(
        permit_s=timing.permit_s, renew_s=timing.permit_renew_s, max_age_s=ages, hold_off_s=config.safety.hold_off_s
    )
    points = all_points(house)
    return SupervisorSpec(
        id="core",
        strategy="rest_for_one",
        children=(
            ChildSpec(id="gate", make=lambda: Gate(house, points, gate), handle_timeout_s=2.0),
            ChildSpec(id="safety", make=lambda: Safety(house, safety, parts.trips), handle_timeout_s=2.0),
            # last, and parked where the others escalate: gate and safety work on with the limits they heard
            ChildSpec(id="operator", make=lambda: Operator(house, parts.limits), on_give_up="park"),
        ),
    )


def _devices(config: HouseFile, parts: Parts) -> SupervisorSpec:
    house, timing = config.house, config.timing
    times = DeviceTiming(
        tick_s=timing.device_tick_s,
        lease_s=timing.lease_s,
        settle_s=timing.settle_s,
        answer_s=timing.answer_s,
        heartbeat_s=timing.heartbeat_s,
        command_ttl_s=timing.command_ttl_s,
        effect_s=timing.effect_s,
        third_hand_s=config.user.third_hand_s,
    )
    extras = InverterExtras(
        wear=parts.wear, budget=config.safety.writes_per_day, slot_budget=config.safety.slot_writes_per_day
    )

    def child(make: Callable[[House, DeviceTiming, object], Behaviour], name: str) -> ChildSpec:
        return ChildSpec(id=name, make=lambda: make(house, times, extras), on_give_up="park", handle_timeout_s=5.0)

    return SupervisorSpec(
        id="devices", children=tuple(child(d.make, d.id) for d in DEVICES), on_give_up="park"
    )


def _io(parts: Parts) -> SupervisorSpec:
    return SupervisorSpec(id="io", on_give_up="park", children=parts.io())


def plan_settings(config: HouseFile) -> PlanSettings:
    """The planner's part of the house file."""
    planner = config.planner
    return PlanSettings(
        horizon_h=planner.horizon_h,
        dt_min=float(planner.dt_min),
        back_off_k=planner.back_off_k,
        comfort_eur_per_kh=planner.comfort_eur_per_kh,
        min_mode_slots=planner.min_mode_slots,
        calm=CalmPrices(mode_change_eur=planner.mode_change_eur),
        keep_plan_eur=planner.keep_plan_eur,
        keep_plan_eur_per_day=planner.keep_plan_eur_per_day,
        reserve_soc=planner.reserve_soc,
        price_caution=planner.price_caution,
    )


def _plan(config: HouseFile, parts: Parts) -> SupervisorSpec:
    house, timing, planner = config.house, config.timing, config.planner
    plants = nominal_plants(house) if parts.plants is None else tuple(parts.plants)
    states = parts.states or (lambda: ObservedRooms(house, plants, silent_s=max(3600.0, timing.rooms_max_age_s)))
    setup = PlannerSetup(
        house=house,
        zone=ZoneInfo(house.site.timezone),
        settings=plan_settings(config),
        plants=plants,
        load=parts.load,
        states=states,
        method=parts.method,
        replan_s=timing.replan_s,
        tick_s=max(timing.gate_tick_s, 5.0),
        soc_max_age_s=max(900.0, timing.telemetry_max_age_s),
        reading_max_age_s=timing.telemetry_max_age_s,
        forecast_deadline_s=planner.forecast_deadline_s,
        plan_deadline_s=planner.solve_deadline_s,
        forecast=parts.forecast,
        peaks=parts.peaks,
        full_charge=parts.full_charge,
    )
    dispatch = DispatchSettings(tick_s=max(timing.gate_tick_s, 10.0))
    forecaster = parts.forecaster
    ports = [ChildSpec(id="optimizer", make=lambda: Port(parts.optimizer), on_give_up="park")]
    if forecaster is not None:
        ports.insert(0, ChildSpec(id="forecaster", make=lambda: Port(forecaster), on_give_up="park"))
    surplus: tuple[ChildSpec, ...] = ()
    if parts.surplus:
        surplus = (ChildSpec(id="surplus", make=lambda: SurplusHeating(house, level=parts.level), on_give_up="park"),)
    return SupervisorSpec(
        id="plan",
        strategy="one_for_one",
        on_give_up="park",
        children=(
            *ports,
            ChildSpec(id="planner", make=lambda: Planner(setup), on_give_up="park"),
            ChildSpec(id="dispatcher", make=lambda: Dispatcher(house, dispatch, level=parts.level), on_give_up="park"),
            *surplus,
            ChildSpec(
                id="local_rules",
                make=lambda: LocalRules(house, tick_s=max(timing.gate_tick_s, 30.0)),
                on_give_up="park",
            ),
        ),
    )
