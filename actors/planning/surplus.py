"""What a careful owner's automation does with sun that nobody takes: heat the rooms, coldest in its band first.

Part of the `smart` policy of the scorecard, and of the fallback when there is no plan. It looks at live readings only.
"""

from __future__ import annotations

from actors.messages import PricesKnown, Tick
from actors.requests import Asker
from actors.runtime import Behaviour
from models.types.command import RELINQUISH, Level, Value
from models.types.house import House, Room
from models.types.reading import InverterReading, RoomsReading

EVERY_S = 300.0
TTL_S = 900.0
EXPORT_KW, IMPORT_KW = 0.3, 0.3  # more than this is surplus; more than that is none
BELOW_MAX_K = 1.0  # the slab goes on giving after the relay is off, and the sun may come
FULL_SOC = 0.98
CURTAILED_PV_KW = 0.5


class SurplusHeating(Behaviour):
    """Adds a room while power is exported (or curtailed), takes the last one back while it is bought.

    Handles  InverterReading, RoomsReading, PricesKnown, Tick
    Sends    requests for room relays (`on`) or setpoints at its level, short-lived; relinquishes them
    Fails    on bugs; its requests end by themselves
    """

    def __init__(self, house: House, *, level: Level) -> None:
        self._house, self._level = house, level
        self._inverter: InverterReading | None = None
        self._rooms: RoomsReading | None = None
        self._prices: PricesKnown | None = None
        self._on: list[str] = []

    def on_start(self) -> None:
        self._asker = Asker(self.ctx, self._level)
        self.ctx.subscribe(InverterReading, coalesce=lambda _: "inverter")
        self.ctx.subscribe(RoomsReading, coalesce=lambda _: "rooms")
        self.ctx.subscribe(PricesKnown, coalesce=lambda _: "prices")
        self.ctx.every(EVERY_S, Tick(name="look"), name="look")

    def handle(self, message: object) -> None:
        match message:
            case InverterReading():
                self._inverter = message
            case RoomsReading():
                self._rooms = message
            case PricesKnown():
                self._prices = message
            case Tick():
                self._look()
            case _:
                super().handle(message)

    def _look(self) -> None:
        surplus_kw = self._surplus_kw()
        if surplus_kw is None:
            return  # nothing known: what was asked ends by itself
        warm = [n for n in self._on if not self._has_room_for_heat(self._house.room(n))]
        for name in warm:
            self._take_back(name)
        if surplus_kw > EXPORT_KW:
            room = self._coldest(surplus_kw)
            if room is not None:
                self._on.append(room.name)
        elif surplus_kw < -IMPORT_KW and self._on:
            self._take_back(self._on[-1])
        for name in self._on:
            point, value = self._heating(name)
            self._asker.ask(point, value, ttl_s=TTL_S, note="heating on surplus sun")

    def _heating(self, name: str) -> tuple[str, Value]:
        """What is asked of a room that shall take surplus: its relay on, or its thermostat set to where that ends."""
        room = self._house.room(name)
        if room.control == "relay":
            return f"room.{name}.relay", "on"
        return f"room.{name}.setpoint_c", room.max_c - BELOW_MAX_K

    def _surplus_kw(self) -> float | None:
        """Power that is exported now [kW], < 0 imported; all that PV gives while it is curtailed."""
        reading = self._inverter
        if reading is None or reading.grid_kw is None or reading.soc is None or reading.pv_kw is None:
            return None
        spot = None if self._prices is None else self._prices.prices.at(self.ctx.clock.now())
        costs = spot is not None and spot < self._house.tariff.export_fee
        curtailed = costs and reading.soc >= FULL_SOC and reading.pv_kw > CURTAILED_PV_KW
        if curtailed and reading.grid_kw <= IMPORT_KW:
            return max(reading.pv_kw, EXPORT_KW * 2)
        return -reading.grid_kw

    def _coldest(self, surplus_kw: float) -> Room | None:
        rooms = [
            r
            for r in self._house.rooms
            if r.name not in self._on and r.heater_kw <= surplus_kw + EXPORT_KW and self._has_room_for_heat(r)
        ]
        return min(rooms, key=lambda r: (self._air(r) or 0.0) - r.max_c, default=None)

    def _has_room_for_heat(self, room: Room) -> bool:
        air_c = self._air(room)
        return air_c is not None and air_c < room.max_c - BELOW_MAX_K

    def _air(self, room: Room) -> float | None:
        reading = None if self._rooms is None else self._rooms.rooms.get(room.name)
        return None if reading is None else reading.air_c

    def _take_back(self, name: str) -> None:
        self._on.remove(name)
        self._asker.ask(self._heating(name)[0], RELINQUISH, ttl_s=60.0, note="no surplus")

    def snapshot(self) -> dict[str, object]:
        return {"on": list(self._on)}
