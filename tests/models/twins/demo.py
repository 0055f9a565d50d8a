"""A house and a world for the tests of the twins: the demo house of a family of four, with made-up smooth weather."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any

from models.twins.gateway import GatewayFaults
from models.twins.house import HouseTwin
from models.twins.message import TwinMessage
from models.twins.world import World
from models.types.house import Battery, Facing, House, PvArray, Room, Site

SITE = Site(latitude_deg=50.775, longitude_deg=6.083, timezone="Europe/Berlin")
BATTERY = Battery(capacity_kwh=10.0, charge_kw=5.0, discharge_kw=5.0)
START = datetime(2021, 2, 8, 11, 0, tzinfo=UTC)  # noon on the inverter's clock
ROOMS = (  # in shedding order: name, kW, m2, W/K, day, night, max
    ("spajz", 0.46, 6.0, 3.0, 17.0, 17.0, 22.0),
    ("satna_dole", 0.82, 9.0, 7.0, 18.0, 18.0, 23.0),
    ("satna_nahore", 0.56, 12.0, 7.0, 18.0, 18.0, 23.0),
    ("technicka_mistnost", 0.82, 10.5, 4.0, 17.0, 17.0, 23.0),
    ("zadveri", 0.82, 9.0, 25.0, 17.0, 16.0, 22.0),
    ("chodba_dole", 1.8, 19.0, 32.0, 19.0, 18.0, 22.5),
    ("chodba_nahore", 1.2, 20.5, 10.0, 19.0, 18.0, 22.5),
    ("hosti", 2.02, 29.0, 20.0, 18.5, 18.0, 22.0),
    ("zachod", 0.22, 3.0, 2.0, 19.0, 19.0, 23.0),
    ("pracovna", 0.82, 11.0, 18.0, 20.5, 19.0, 23.0),
    ("loznice", 1.2, 13.5, 34.0, 19.5, 18.5, 22.0),
    ("pokoj_1", 1.2, 14.0, 19.0, 20.5, 19.0, 23.0),
    ("pokoj_2", 1.2, 14.0, 19.0, 20.5, 19.0, 23.0),
    ("koupelna_nahore", 0.62, 8.5, 8.0, 21.5, 20.0, 24.5),
    ("koupelna_dole", 0.47, 6.0, 7.0, 21.5, 20.0, 24.5),
    ("kuchyne", 1.8, 24.0, 30.0, 20.5, 19.5, 23.0),
    ("obyvak", 4.8, 39.5, 78.0, 21.0, 20.0, 23.5),
)


def demo_house(**changes: Any) -> House:
    facings: tuple[Facing, ...] = ("S", "E", "W")
    rooms = tuple(
        Room(
            name=name, heater_kw=kw, area_m2=area, ua_w_per_k=ua, day_min_c=day, night_min_c=night, max_c=top,
            facing=facings[i % 3], phase=0 if name == "obyvak" else (1, 2, 3)[i % 3],
        )
        for i, (name, kw, area, ua, day, night, top) in enumerate(ROOMS)
    )
    arrays = (
        PvArray(name="south_east", azimuth_deg=143.0, tilt_deg=35.0, peak_kw=7.5),
        PvArray(name="south_west", azimuth_deg=233.0, tilt_deg=35.0, peak_kw=7.5),
    )
    return House(**({"site": SITE, "arrays": arrays, "battery": BATTERY, "rooms": rooms} | changes))


def demo_world(
    start: datetime = datetime(2021, 2, 7, tzinfo=UTC), *, days: int = 14, temp_c: float | None = None,
    sun: float = 1.0, load_kw: float | None = None,
) -> World:
    """Quarter hours of smooth weather: sun from 7 to 17 UTC scaled by `sun`, 0 +- 4 degC, evening load."""
    n = days * 96
    hours = [(i % 96) / 4.0 for i in range(n)]
    shape = [max(0.0, math.sin(math.pi * (h - 7.0) / 10.0)) if 7.0 < h < 17.0 else 0.0 for h in hours]
    temps = [4.0 * math.cos(2.0 * math.pi * (h - 14.0) / 24.0) if temp_c is None else temp_c for h in hours]
    loads = [(0.3 + 1.2 * math.exp(-((h - 18.0) ** 2) / 4.0)) if load_kw is None else load_kw for h in hours]
    return World(
        start, 900.0, temps, [450.0 * s * sun for s in shape], [120.0 * s * sun for s in shape],
        [600.0 * s * sun for s in shape], [3.0] * n, loads, site=SITE,
    )


def demo_twin(*, house: House | None = None, world: World | None = None, start: datetime = START, seed: int = 1,
              **options: Any) -> HouseTwin:
    return HouseTwin(house or demo_house(), world or demo_world(), start=start, seed=seed, **options)


class Wire:
    """A client at the other end of the link: sends commands, keeps what was heard last on each topic."""

    def __init__(self, twin: HouseTwin) -> None:
        self.twin = twin
        self.heard: dict[str, bytes] = {}
        self.log: list[TwinMessage] = []
        self._sent = 0

    def run(self, **duration: float) -> None:
        """Lets the house live for a `timedelta(**duration)`."""
        for message in self.twin.advance(self.twin.now + timedelta(**duration)):
            self.heard[message.topic] = message.payload
            self.log.append(message)

    def until(self, clock: str) -> None:
        """Lets the house live until the inverter's own clock shows HH:MM:SS, today or tomorrow."""
        now = self.twin.inverter.clock(self.twin.now)
        hour, minute, second = (int(part) for part in clock.split(":"))
        then = now.replace(hour=hour, minute=minute, second=second, microsecond=0)
        self.run(seconds=((then - now) % timedelta(days=1)).total_seconds())

    def say(self, topic: str, body: object) -> None:
        self.twin.publish(topic, json.dumps(body).encode(), self.twin.now)

    def beat(self) -> None:
        self.say("pems/heartbeat", {"beat": 1})

    def command(self, name: str, body: dict[str, object] | bytes) -> dict[str, Any]:
        """Sends one command, waits for its answer and then a second for the next."""
        self._sent += 1
        correlation = f"c{self._sent}"
        payload = body if isinstance(body, bytes) else json.dumps(body | {"correlationId": correlation}).encode()
        heard = len(self.log)
        self.twin.publish(f"energy/solar/command/{name}", payload, self.twin.now)
        for _ in range(13):
            self.run(seconds=1)
            for message in self.log[heard:]:
                if message.topic == "energy/solar/result":
                    answer: dict[str, Any] = json.loads(message.payload)
                    return answer
        raise AssertionError(f"no answer to {name}")

    def must(self, name: str, body: dict[str, object]) -> dict[str, Any]:
        answer = self.command(name, body)
        assert answer["success"], answer
        return answer

    def slot(self, family: str, start: str, stop: str, *, enabled: bool = True, number: int = 1) -> dict[str, Any]:
        body: dict[str, object] = {"start": start, "stop": stop, "enabled": enabled, "slot": number}
        return self.command(f"{family}/set/timeslot", body)

    @property
    def solar(self) -> dict[str, Any]:
        """The telemetry heard last."""
        found: dict[str, Any] = json.loads(self.heard["energy/solar"])
        return found

    @property
    def battery_kw(self) -> float:
        return float(self.solar["ChargePower"] - self.solar["DischargePower"]) / 1000.0

    @property
    def grid_kw(self) -> float:
        return float(self.solar["ACPowerToUser"] - self.solar["ACPowerToGrid"]) / 1000.0


def wire(*, sun: float = 0.0, load_kw: float = 1.0, soc: float = 0.5, rooms: bool = False, **options: Any) -> Wire:
    """A house with an exact clock, constant load, no heating unless asked for, and a stick that always answers."""
    house = options.pop("house", None) or (demo_house() if rooms else demo_house(rooms=()))
    options.setdefault("faults", GatewayFaults())
    twin = demo_twin(house=house, world=demo_world(sun=sun, load_kw=load_kw), **options)
    twin.inverter.soc = soc
    twin.inverter.set_clock(twin.inverter.clock(twin.now).replace(microsecond=0), twin.now)
    twin.inverter.writes["datetime"] = 0
    return Wire(twin)
