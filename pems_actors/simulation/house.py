"""A simulated house before anybody decides in it: its twin, its warm-up under plain rules, and what actors stand in."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from actors.forecasting.worker import methods as forecasting_methods
from actors.memory import MemoryTrips, MemoryWear
from actors.planning.rooms_tracker import ObservedRooms
from actors.runtime import FunctionWorker
from config.schema import HouseFile
from models.physics.observer import RoomState
from models.physics.rooms import nominal_plants
from models.twins.house import HouseTwin
from models.types.forecast import WeatherForecast
from models.types.reading import RoomReading, RoomsReading
from models.types.twin_wire import TwinExchange, TwinOutput, WireMessage
from pems_actors.outside import replay
from pems_actors.simulation.world import Recorded, true_forecast
from pems_actors.wiring import Parts
from solvers.worker import simulation_methods

PLAN_TAKES_S, FORECAST_TAKES_S = 2.0, 1.0  # of virtual time: about what a small box needs


def twin_of(config: HouseFile, recorded: Recorded, start: datetime, seed: int) -> HouseTwin:
    """The house of a file in the recorded world, from `start` (aware) on."""
    return HouseTwin(
        config.house,
        recorded.world(),
        start=start,
        seed=seed,
        step_s=config.simulation.tick_s,
        telemetry_s=config.timing.telemetry_s,
        status_s=config.timing.telemetry_s,
        heartbeat_timeout_s=config.timing.heartbeat_timeout_s,
    )


def warm_up(
    twin: HouseTwin, config: HouseFile, recorded: Recorded, until: datetime, *, watch: bool = True
) -> ObservedRooms:
    """Live under plain rules; what is known of the rooms then, if somebody has watched them meanwhile."""
    rooms = ObservedRooms(config.house, nominal_plants(config.house))
    weather = recorded.known_weather()
    step = timedelta(seconds=config.timing.telemetry_s)
    known: WeatherForecast | None = None
    while twin.now < until:
        twin.advance(min(twin.now + step, until))
        if watch:
            forecast = weather(twin.now)
            if forecast is not known:
                known = forecast
                rooms.see_weather(forecast)
            rooms.see_rooms(_reading(twin), (twin.now - until).total_seconds())
    return rooms


def _reading(twin: HouseTwin) -> RoomsReading:
    """The rooms as Loxone reports them."""
    rooms = {
        r.name: RoomReading(measured_at=twin.now, air_c=round(r.air_c, 2), relay_on=r.relay_on, automatic=True)
        for r in twin.truth().rooms
    }
    return RoomsReading(measured_at=twin.now, rooms=rooms)


class _TrueRooms:
    """The rooms as they are, for perfect foresight."""

    def __init__(self, twin: HouseTwin) -> None:
        self._twin = twin

    def see_rooms(self, reading: RoomsReading, at_s: float) -> None:
        """Nothing to learn."""

    def see_weather(self, weather: WeatherForecast) -> None:
        """Nothing to learn."""

    def ready(self) -> bool:
        return True

    def states(self, at_s: float) -> dict[str, RoomState]:
        return {r.name: RoomState(r.air_c, r.slab_c, 0.0) for r in self._twin.truth().rooms}


def exchange(twin: HouseTwin) -> Callable[[object], TwinOutput]:
    """The twin's side of the in-memory link."""

    def method(body: object) -> TwinOutput:
        assert isinstance(body, TwinExchange)
        messages = twin.advance(body.until)
        for command in body.commands:
            twin.publish(command.topic, command.payload.encode(), body.until)
        if body.commands:
            messages = [*messages, *twin.advance(body.until)]
        said = tuple(WireMessage(topic=m.topic, payload=m.payload.decode()) for m in messages)
        return TwinOutput(until=body.until, messages=said)

    return method


def surroundings(
    config: HouseFile,
    recorded: Recorded,
    twin: HouseTwin,
    rooms: ObservedRooms | None,
    *,
    optimizer: Mapping[str, Callable[[object], object]] | None = None,
    method: str = "plan",
    surplus: bool = False,
    wear: MemoryWear | None = None,
) -> Parts:
    """The actors' surroundings: functions in place of worker processes, the recorded past in place of services.

    Parameters
    ----------
    rooms : ObservedRooms, optional
        What is known of the rooms at the beginning. None: everything is known, also what is to come.
    optimizer : mapping, optional
        Methods of the optimizer worker, those of a simulation if left out.
    method, surplus, wear
        As in `Parts`; writes are counted for nobody if `wear` is left out.
    """
    foresight = rooms is None
    load, trips, wear = recorded.known_load(foresight=foresight), MemoryTrips(), wear or MemoryWear()
    methods = simulation_methods() if optimizer is None else optimizer
    return Parts(
        io=lambda: replay(
            config,
            twin=lambda: FunctionWorker({"exchange": exchange(twin)}),
            prices=lambda: recorded.known_prices(foresight=foresight),
            weather=lambda: recorded.known_weather(foresight=foresight),
            quick=True,
        ),
        optimizer=lambda: FunctionWorker(methods, duration_s=PLAN_TAKES_S),
        forecaster=None if foresight else lambda: FunctionWorker(forecasting_methods(), duration_s=FORECAST_TAKES_S),
        load=lambda: load,
        trips=trips,
        wear=wear,
        method=method,
        surplus=surplus,
        plants=twin.plant_parameters() if foresight else None,
        states=(lambda: _TrueRooms(twin)) if rooms is None else (lambda: copy.deepcopy(rooms)),
        forecast=true_forecast(twin, load) if foresight else None,
    )
