"""Where every room stands: the observers of all rooms, fed by what Loxone and the weather service say."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from models.physics.observer import RoomObserver, RoomState
from models.physics.rooms import RoomPlant
from models.physics.sun import SunPosition, sun_position, window_w_per_m2
from models.types.forecast import WeatherForecast
from models.types.house import House
from models.types.reading import RoomsReading

UPDATE_S = 300.0  # observers step this often: rooms are slow, and readings come every few seconds


class RoomStates(Protocol):
    """Who knows the state of the rooms: observers, or in the perfect-foresight policy the truth."""

    def see_rooms(self, reading: RoomsReading, at_s: float) -> None: ...
    def see_weather(self, weather: WeatherForecast) -> None: ...
    def ready(self) -> bool: ...
    def states(self, at_s: float) -> dict[str, RoomState]: ...


class ObservedRooms:
    """One observer per room. A room whose sensor is silent for an hour is given up until it speaks again."""

    def __init__(self, house: House, plants: Sequence[RoomPlant], *, silent_s: float = 3600.0) -> None:
        self._house, self._plants, self._silent_s = house, list(plants), silent_s
        self._observers: dict[str, RoomObserver] = {}
        self._heard_s: dict[str, float] = {}
        self._heat_s: dict[str, float] = {}  # seconds of heating since the last update
        self._last: tuple[float, datetime] | None = None
        self._seen_s: float | None = None
        self._weather: WeatherForecast | None = None
        self._sun: tuple[datetime, SunPosition] | None = None

    def see_weather(self, weather: WeatherForecast) -> None:
        self._weather = weather

    def see_rooms(self, reading: RoomsReading, at_s: float) -> None:
        """Count heating since the last reading; step the observers when it is time."""
        if self._seen_s is not None:
            for name, room in reading.rooms.items():
                if room.relay_on:
                    self._heat_s[name] = self._heat_s.get(name, 0.0) + at_s - self._seen_s
        self._seen_s = at_s
        if self._last is None:
            self._last = (at_s, reading.measured_at)
        due = at_s - self._last[0] >= UPDATE_S
        air = {n: r.air_c for n, r in reading.rooms.items() if r.air_c is not None}
        others = [air.get(p.name, 20.0) for p in self._plants]
        for p in self._plants:
            air_c = air.get(p.name)
            if air_c is None:
                continue
            self._heard_s[p.name] = at_s
            if p.name not in self._observers:
                self._observers[p.name] = RoomObserver(p, air_c)
            elif due:
                self._step(p, air_c, others, at_s - self._last[0])
        if due:
            self._last = (at_s, reading.measured_at)
            self._heat_s.clear()

    def _step(self, plant: RoomPlant, air_c: float, others: Sequence[float], dt_s: float) -> None:
        outdoor_c, sun_kw = self._outside(plant, dt_s)
        if outdoor_c is None:
            return
        share = min(self._heat_s.get(plant.name, 0.0) / dt_s, 1.0)
        self._observers[plant.name].update(
            dt_h=dt_s / 3600.0, heat_kw=share * plant.heater_kw, sun_kw=sun_kw, outdoor_c=outdoor_c,
            others_c=others, air_c=air_c,
        )

    def _outside(self, plant: RoomPlant, dt_s: float) -> tuple[float | None, float]:
        weather = self._weather
        if weather is None or self._last is None:
            return None, 0.0
        at = self._last[1]
        i = int((at - weather.start).total_seconds() // weather.dt_s)
        if not 0 <= i < len(weather.temp_c):
            return None, 0.0
        temp_c = weather.temp_c[i]
        if temp_c != temp_c:  # noqa: PLR0124 - NaN: unknown
            return None, 0.0
        if plant.window_m2 == 0.0 or weather.ghi_w_per_m2[i] <= 0.0:
            return temp_c, 0.0
        if self._sun is None or self._sun[0] != at:
            self._sun = (at, sun_position(at, self._house.site))  # one position for all rooms of an update
        shine = window_w_per_m2(
            plant.facing, self._sun[1], at=at, ghi=weather.ghi_w_per_m2[i], dhi=weather.dhi_w_per_m2[i],
            dni=weather.dni_w_per_m2[i],
        )
        return temp_c, plant.window_m2 * shine / 1000.0

    def ready(self) -> bool:
        return bool(self._observers)

    def states(self, at_s: float) -> dict[str, RoomState]:
        return {
            name: observer.state
            for name, observer in self._observers.items()
            if at_s - self._heard_s[name] <= self._silent_s
        }
