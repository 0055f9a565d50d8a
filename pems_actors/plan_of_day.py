"""The plan that a simulated house would have at a time: the pems policy is simulated up to it."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from actors.forecasting.worker import methods as forecasting_methods
from actors.memory import MemoryTrips, MemoryWear
from actors.messages import PlanReady
from actors.planning.rooms_tracker import ObservedRooms
from actors.runtime import FunctionWorker, ManualClock, StepRuntime
from config.schema import HouseFile
from models.errors import ConfigError, PlanError
from models.physics.rooms import nominal_plants
from models.twins.house import HouseTwin
from models.types.reading import RoomReading, RoomsReading
from pems_actors.outside import replay
from pems_actors.simulation.policy import exchange
from pems_actors.simulation.world import Recorded
from pems_actors.wiring import Parts, house_tree
from solvers.problem import PlanProblem
from solvers.result import SignedPlan
from solvers.worker import simulation_methods

_SETTLE = timedelta(minutes=3)  # signals are believed, a forecast and a plan are made
_TAKES_S = 1.0  # of virtual time, for a plan and for a forecast
_LONGEST = timedelta(days=2)


def plan_of_day(config: HouseFile, at: datetime, *, since: datetime, seed: int) -> tuple[PlanProblem, SignedPlan]:
    """The plan in force at a time.

    Parameters
    ----------
    config : HouseFile
        With a [data] record that covers the days before.
    at, since : datetime
        Aware; the house plans from `since`, a local midnight, on, and lives under plain rules before.
    seed : int
        Of everything random.

    Raises
    ------
    ConfigError
        The record does not cover the days, or `at` is more than two days after `since`.
    PlanError
        The house made no plan by then.
    """
    if not timedelta(0) <= at - since <= _LONGEST:
        raise ConfigError(f"{at:%Y-%m-%d %H:%M %Z} is not within two days after {since:%Y-%m-%d %H:%M %Z}")
    house = config.for_simulation()
    zone = ZoneInfo(house.house.site.timezone)
    recorded = Recorded.of(house, seed)
    day = since.astimezone(zone).date()
    days = max(1.0, (at - since) / timedelta(days=1))
    warm, first, _ = recorded.begins(day, house, days)
    twin = HouseTwin(
        house.house,
        recorded.world(),
        start=warm,
        seed=seed,
        step_s=house.simulation.tick_s,
        telemetry_s=house.timing.telemetry_s,
        status_s=house.timing.telemetry_s,
        heartbeat_timeout_s=house.timing.heartbeat_timeout_s,
    )
    rooms = _watched(twin, house, recorded, first)
    plans: list[PlanReady] = []
    parts = _parts(house, recorded, twin, rooms)
    runtime = StepRuntime(house_tree(house, parts), clock=ManualClock(first), seed=seed)
    runtime.listen(lambda event: plans.append(event) if isinstance(event, PlanReady) else None, PlanReady)
    runtime.start()
    runtime.run_for(max(at - first, _SETTLE).total_seconds())
    runtime.stop()
    if not plans:
        raise PlanError(f"the house made no plan until {at:%Y-%m-%d %H:%M %Z}", hint="ask for a later time")
    return plans[-1].problem, plans[-1].plan


def _watched(twin: HouseTwin, house: HouseFile, recorded: Recorded, first: datetime) -> ObservedRooms:
    """Lives under plain rules until `first`; what is known of the rooms then."""
    rooms = ObservedRooms(house.house, nominal_plants(house.house))
    weather, known = recorded.known_weather(), None
    step = timedelta(seconds=house.timing.telemetry_s)
    while twin.now < first:
        twin.advance(min(twin.now + step, first))
        forecast = weather(twin.now)
        if forecast is not known:
            known = forecast
            rooms.see_weather(forecast)
        readings = {
            r.name: RoomReading(measured_at=twin.now, air_c=round(r.air_c, 2), relay_on=r.relay_on, automatic=True)
            for r in twin.truth().rooms
        }
        rooms.see_rooms(RoomsReading(measured_at=twin.now, rooms=readings), (twin.now - first).total_seconds())
    return rooms


def _parts(house: HouseFile, recorded: Recorded, twin: HouseTwin, rooms: ObservedRooms) -> Parts:
    load, trips, wear = recorded.known_load(), MemoryTrips(), MemoryWear()
    return Parts(
        io=lambda: replay(
            house,
            twin=lambda: FunctionWorker({"exchange": exchange(twin)}),
            prices=recorded.known_prices,
            weather=recorded.known_weather,
            quick=True,
        ),
        optimizer=lambda: FunctionWorker(simulation_methods(), duration_s=_TAKES_S),
        forecaster=lambda: FunctionWorker(forecasting_methods(), duration_s=_TAKES_S),
        load=lambda: load,
        trips=trips,
        wear=wear,
        states=lambda: rooms,
    )
