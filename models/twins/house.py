"""The whole house on the wire: commands in by topic, messages out, physics in between."""

from __future__ import annotations

import copy
import hashlib
import json
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Literal
from zoneinfo import ZoneInfo

from models.errors import ConfigError
from models.physics.rooms import RoomPlant, advance_rooms, longest_step_h
from models.twins.gateway import GatewayFaults, GatewayTwin
from models.twins.inverter import InverterTwin
from models.twins.loxone import LoxoneTopics, LoxoneTwin
from models.twins.message import TwinMessage
from models.twins.plants import deviated_plants
from models.twins.telemetry import OFFLINE, clock_fields, telemetry
from models.twins.truth import EnergyMeters, RoomTruth, TwinTruth
from models.twins.world import World
from models.types.house import House

START_ABOVE_BAND_K = (0.1, 0.8)
START_SLAB_ABOVE_AIR_K = 1.0
START_SOC = 0.5
CLOCK_OFFSET_S = 20.0  # +-, seeded
CLOCK_DRIFT_S_PER_DAY = 2.0  # +-, seeded
INDOOR_BATTERY_C = 20.0
USUALLY_LOST = 0.01  # of the commands: even a healthy stick does not always answer
GATEWAY_FAULTS = ("slow", "lost", "stale", "liar", "offline")
FAULTS = (
    *GATEWAY_FAULTS,
    *("inverter_fault", "telemetry_silent", "telemetry_frozen", "clock_offset_s"),
    *("loxone_deaf", "loxone_silent", "relay_stuck_on.ROOM", "relay_stuck_off.ROOM", "sensor_silent.ROOM"),
)


class HouseTwin:
    """Inverter behind its gateway, Loxone, rooms and meter, living in a recorded world.

    Parameters
    ----------
    house : House
        What the house is; rooms deviate from it by seeded amounts.
    world : World
        Weather and base load, shared by copies.
    start : datetime
        Aware; must lie within the world.
    seed : int
        Decides parameters, start temperatures, clock error, lags and delays.
    step_s : float
        Longest step of the integration [s].
    telemetry_s, status_s : float
        Period of the inverter's telemetry and of Loxone's status messages [s].
    battery_idle : bool
        The battery rests whatever it is told (for comparison).
    battery_place : {"house", "garage"}
        House: 20 degC always. Garage: outdoor air + 8 K, between 5 and 30 degC.
    faults : GatewayFaults, optional
        Of the stick, from the start on; None: a healthy one, which still loses one command in a hundred. `inject`
        switches these and others later.
    topics, solar_topic, heartbeat_timeout_s
        Names on the wire, and the silence after which Loxone goes its own way.
    """

    def __init__(
        self,
        house: House,
        world: World,
        *,
        start: datetime,
        seed: int,
        step_s: float = 5.0,
        telemetry_s: float = 5.0,
        status_s: float = 30.0,
        battery_idle: bool = False,
        battery_place: Literal["house", "garage"] = "house",
        faults: GatewayFaults | None = None,
        topics: LoxoneTopics | None = None,
        solar_topic: str = "energy/solar",
        heartbeat_timeout_s: float = 60.0,
    ) -> None:
        self.house, self.seed = house, seed
        self.world = world if world.site is not None else world.seen_from(house.site)
        self.now = start.astimezone(UTC)
        self._zone = ZoneInfo(house.site.timezone)
        self._step, self._telemetry_every = timedelta(seconds=step_s), timedelta(seconds=telemetry_s)
        self._status_every = timedelta(seconds=status_s)
        self._garage = battery_place == "garage"
        self._solar = solar_topic
        self._command_prefix = solar_topic + "/command/"

        clock = Random(f"{seed}/clock")
        self.inverter = InverterTwin(
            inverter=house.inverter,
            battery=house.battery,
            export_contract_kw=house.connection.export_contract_kw,
            zone=self._zone,
            start=self.now,
            random=Random(f"{seed}/inverter"),
            soc=START_SOC,
            clock_offset_s=clock.uniform(-CLOCK_OFFSET_S, CLOCK_OFFSET_S),
            clock_drift_s_per_day=clock.uniform(-CLOCK_DRIFT_S_PER_DAY, CLOCK_DRIFT_S_PER_DAY),
            battery_idle=battery_idle,
        )
        usual = GatewayFaults(lost=USUALLY_LOST) if faults is None else faults
        self.gateway = GatewayTwin(self.inverter, random=Random(f"{seed}/gateway"), faults=usual)
        self.loxone = LoxoneTwin(house, start=self.now, topics=topics, heartbeat_timeout_s=heartbeat_timeout_s)
        self._plants = deviated_plants(house, Random(f"{seed}/rooms"))
        self._rooms_step_h = longest_step_h(self._plants)
        above, hour = Random(f"{seed}/start"), self._local_hour()
        lower = [self.loxone.target_c(i, hour) for i in range(len(house.rooms))]
        self._air = [c + above.uniform(*START_ABOVE_BAND_K) for c in lower]
        self._slab = [air + START_SLAB_ABOVE_AIR_K for air in self._air]
        self._on_h = [0.0] * len(house.rooms)
        self._switches = [0] * len(house.rooms)
        self._relays = [False] * len(house.rooms)
        self._meters = EnergyMeters()
        self._base_kw, self._heating_kw = house.inverter.standby_kw, 0.0
        self._phase_import_kw: tuple[float, ...] = (0.0,) * house.connection.phases

        self._inbox: deque[tuple[datetime, str, bytes]] = deque()
        self._outbox: list[TwinMessage] = []
        self._grid_origin = self.now
        # the inverter has nothing to report before it has run for a step; Loxone knows its rooms at once
        self._next_telemetry, self._next_status = self.now + min(self._step, self._telemetry_every), self.now
        self._silent: dict[str, bool] = {"telemetry_silent": False, "telemetry_frozen": False, "loxone_silent": False}
        self._quiet_rooms: set[int] = set()
        self._values: dict[str, float | int] = {}
        self._sample_ends = self.now
        self._load_sample()

    # -- the link's side -----------------------------------------------------------------------------------------

    def hears(self, topic: str) -> bool:
        """Whether some device of the house listens to a topic."""
        return topic.startswith(self._command_prefix) or self.loxone.hears(topic)

    def publish(self, topic: str, payload: bytes, at: datetime) -> None:
        """A message from the link, at `at` (aware); one from the past counts as now, others wait for their time.

        Topics that no device listens to are passed over, as a broker does.
        """
        if not self.hears(topic):
            return
        due = max(at.astimezone(UTC), self.now, self._inbox[-1][0] if self._inbox else self.now)
        self._inbox.append((due, topic, payload))

    def advance(self, until: datetime) -> list[TwinMessage]:
        """Lives until `until` and returns what was published since the last call, in order.

        Raises
        ------
        DataError
            The world's record ends before `until`.
        """
        until = until.astimezone(UTC)
        self._instant()
        while self.now < until:
            if self.now >= self._sample_ends:
                self._load_sample()
            self._integrate(min(until, self._next_stop()))
            self._instant()
        published, self._outbox = self._outbox, []
        return published

    def inject(self, fault: str, value: object) -> None:
        """Switches a fault; False, 0 or None ends it.

        Raises
        ------
        ConfigError
            Unknown fault, unknown room or unfit value; names the known ones.
        """
        name, _, room = fault.partition(".")
        rooms = {r.name: i for i, r in enumerate(self.house.rooms)}
        known = name in FAULTS if not room else f"{name}.ROOM" in FAULTS
        if not known or (room and room not in rooms):
            raise ConfigError(f"fault {fault!r} is not known", hint=f"one of {', '.join(FAULTS)}")
        try:
            if name in GATEWAY_FAULTS:
                self._gateway_fault(name, value)
            elif name == "clock_offset_s":
                self.inverter.shift_clock(float(str(value)), self.now)
            elif not isinstance(value, bool):
                raise ValueError(f"{name} is true or false, got {value!r}")
            elif name == "inverter_fault":
                self.inverter.fault = value
            elif name == "loxone_deaf":
                self.loxone.deaf = value
            elif name in ("relay_stuck_on", "relay_stuck_off"):
                self.loxone.rooms[rooms[room]].stuck_on = (name == "relay_stuck_on") if value else None
            elif name == "sensor_silent":
                (self._quiet_rooms.add if value else self._quiet_rooms.discard)(rooms[room])
            else:
                self._silent[name] = value
        except ValueError as error:
            raise ConfigError(f"fault {fault!r}: {error}") from None

    def _gateway_fault(self, name: str, value: object) -> None:
        was = self.gateway.faults.offline
        self.gateway.set_fault(name, value)
        if self.gateway.faults.offline and not was:
            self._say(self._solar, OFFLINE, retain=True)

    # -- time ----------------------------------------------------------------------------------------------------

    def _next_stop(self) -> datetime:
        """End of the present step: nothing may change within it."""
        step = self._step
        stop = self._grid_origin + ((self.now - self._grid_origin) // step + 1) * step
        stop = min(stop, self._next_telemetry, self._next_status, self._sample_ends, self.inverter.next_event(self.now))
        for due in (self.gateway.next_due(), self.loxone.next_event()):
            if due is not None and due > self.now:
                stop = min(stop, due)
        if self._inbox:
            stop = min(stop, self._inbox[0][0])
        return stop

    def _instant(self) -> None:
        """Everything that happens at `now`, in the order: orders, answers, decisions, reports."""
        now = self.now
        while self._inbox and self._inbox[0][0] <= now:
            _, topic, payload = self._inbox.popleft()
            if topic.startswith(self._command_prefix):
                self.gateway.receive(topic.removeprefix(self._command_prefix), payload, now)
            else:
                self.loxone.receive(topic, payload, now)
        self.inverter.settle(now)
        for result in self.gateway.answers(now):
            self._say(self._solar + "/result", result, retain=True)
        changed = self.loxone.decide(
            self._air, local_hour=self._local_hour(), phase_import_kw=self._phase_import_kw, at=now
        )
        for i in changed:
            on = self.loxone.rooms[i].relay_on
            self._switches[i] += on is not self._relays[i]
            self._relays[i] = on
        self._report(changed)

    def _integrate(self, until: datetime) -> None:
        """One step on constant sun, load, relays and mode."""
        dt_h = (until - self.now).total_seconds() / 3600.0
        heat = [p.heater_kw if on else 0.0 for p, on in zip(self._plants, self._relays, strict=True)]
        heating = sum(heat)
        base = self._load_kw + self.house.inverter.standby_kw
        f = self.inverter.run(pv_kw=self._pv_available, load_kw=base + heating, dt_h=dt_h, battery_c=self.battery_c())
        advance_rooms(
            self._plants, self._air, self._slab, heat_kw=heat, sun_kw=self._sun_kw, outdoor_c=self._outdoor_c,
            dt_h=dt_h, step_h=self._rooms_step_h,
        )  # fmt: skip
        for i, on in enumerate(self._relays):
            if on:
                self._on_h[i] += dt_h
        m = self._meters
        m.pv_used_kwh += f.pv_used_kw * dt_h
        m.pv_available_kwh += self._pv_available * dt_h
        m.load_kwh += (base + f.loss_kw) * dt_h
        m.heating_kwh += heating * dt_h
        m.charge_kwh += max(0.0, f.battery_kw) * dt_h
        m.discharge_kwh += max(0.0, -f.battery_kw) * dt_h
        m.import_kwh += max(0.0, f.grid_kw) * dt_h
        m.export_kwh += max(0.0, -f.grid_kw) * dt_h
        self._base_kw, self._heating_kw = base, heating
        self._phase_import_kw = self._by_phase(f.grid_kw, heat, heating)
        self.now = until

    def _by_phase(self, grid_kw: float, heat: Sequence[float], heating: float) -> tuple[float, ...]:
        """Import per phase: inverter and base load are even on all, heaters sit where they are wired."""
        phases = self.house.connection.phases
        if phases == 1:
            return (grid_kw,)
        even = (grid_kw - heating) / phases
        kw = [even] * phases
        for plant, power in zip(self._plants, heat, strict=True):
            if plant.phase == 0:
                for p in range(phases):
                    kw[p] += power / phases
            else:
                kw[plant.phase - 1] += power
        return tuple(kw)

    def _load_sample(self) -> None:
        """Takes the world's values of the sample that holds `now`."""
        w, i = self.world, self.world.index(self.now)
        self._sample_ends = w.start + timedelta(seconds=w.dt_s * (i + 1))
        self._outdoor_c, self._load_kw = w.temp_c(self.now), w.load_kw(self.now)
        self._pv_kw = [w.pv_kw(array, self.now) for array in self.house.arrays]
        self._pv_available = sum(self._pv_kw)
        self._sun_kw = [p.window_m2 * w.window_w_per_m2(p.facing, self.now) / 1000.0 for p in self._plants]

    def _local_hour(self) -> float:
        local = self.now.astimezone(self._zone)
        return local.hour + local.minute / 60.0 + local.second / 3600.0

    # -- reports -------------------------------------------------------------------------------------------------

    def _say(self, topic: str, payload: bytes, *, retain: bool) -> None:
        self._outbox.append(TwinMessage(topic, payload, retain, self.now))

    def _report(self, changed: Sequence[int]) -> None:
        if self.now >= self._next_telemetry:
            self._next_telemetry = self.now + self._telemetry_every
            if not self.gateway.faults.offline and not self._silent["telemetry_silent"]:
                self._say(self._solar, self._telemetry(), retain=True)
        full = self.now >= self._next_status
        if full:
            self._next_status = self.now + self._status_every
        if self._silent["loxone_silent"]:
            return
        topics = self.loxone.topics
        for i in range(len(self._plants)) if full else changed:
            if i in self._quiet_rooms:
                continue
            name = self._plants[i].name
            if full:
                self._say(topics.temperature.format(room=name), self.loxone.temperature(self._air[i]), retain=False)
            self._say(topics.relay_status.format(room=name), self.loxone.relay_status(i), retain=False)
        if full or changed:
            summary = self.loxone.summary(self._air, local_hour=self._local_hour(), without=self._quiet_rooms)
            self._say(topics.summary, summary, retain=True)

    def _telemetry(self) -> bytes:
        if self._silent["telemetry_frozen"]:  # old values under a running clock
            self._values |= clock_fields(self.inverter.clock(self.now))
        else:
            peaks = [array.peak_kw for array in self.house.arrays]
            self._values = telemetry(self.inverter, self._pv_kw, peaks, at=self.now, battery_c=self.battery_c())
        return json.dumps(self._values, separators=(",", ":")).encode()

    # -- truth ---------------------------------------------------------------------------------------------------

    def battery_c(self) -> float:
        """Cell temperature [degC]."""
        return min(30.0, max(5.0, self._outdoor_c + 8.0)) if self._garage else INDOOR_BATTERY_C

    def plant_parameters(self) -> tuple[RoomPlant, ...]:
        """The rooms as they are: for a policy that is allowed to know the truth."""
        return self._plants

    def pv_available_kw(self, at: datetime) -> float:
        """DC power that the sun offers at an instant [kW], all arrays."""
        return sum(self.world.pv_kw(array, at) for array in self.house.arrays)

    def chill(self, kelvin: float) -> None:
        """Moves the temperatures of all rooms at once: a house that comes home from holidays."""
        self._air = [c + kelvin for c in self._air]
        self._slab = [c + kelvin for c in self._slab]

    def warm_air(self, kelvin: Sequence[float]) -> None:
        """Moves the air of each room, in the order of the house; the slabs stay."""
        self._air = [c + k for c, k in zip(self._air, kelvin, strict=True)]

    def truth(self) -> TwinTruth:
        """The house now."""
        f = self.inverter.flows
        return TwinTruth(
            at=self.now,
            soc=None if self.house.battery is None else self.inverter.soc,
            composite=self.inverter.composite,
            rooms=tuple(
                RoomTruth(
                    name=p.name,
                    air_c=self._air[i],
                    slab_c=self._slab[i],
                    relay_on=self._relays[i],
                    on_h=self._on_h[i],
                    switches=self._switches[i],
                )
                for i, p in enumerate(self._plants)
            ),
            meters=replace(self._meters),
            phase_import_kw=self._phase_import_kw,
            grid_kw=f.grid_kw,
            battery_kw=f.battery_kw,
            pv_used_kw=f.pv_used_kw,
            pv_available_kw=self._pv_available,
            load_kw=self._base_kw + f.loss_kw,
            heating_kw=self._heating_kw,
            setting_writes=dict(self.inverter.writes),
            equal_writes=dict(self.inverter.equal_writes),
        )

    def state_hash(self) -> str:
        """sha256 over everything that decides what comes next but random numbers; equal histories, equal hashes."""
        parts = (
            self.now.isoformat(), self._air, self._slab, self._relays, self._meters, self.inverter.soc,
            sorted(self.inverter.registers.items()), int(self.inverter.running), self.inverter.clock(self.now),
            self.loxone.rooms, [(due.isoformat(), topic, body) for due, topic, body in self._inbox],
        )  # fmt: skip
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    def __deepcopy__(self, memo: dict[int, object]) -> HouseTwin:
        shared = (self.house, self.house.inverter, self.house.battery, self.world, self._zone, self._plants)
        memo.update({id(thing): thing for thing in shared})
        twin = object.__new__(HouseTwin)
        memo[id(self)] = twin
        twin.__dict__.update({name: copy.deepcopy(value, memo) for name, value in self.__dict__.items()})
        return twin
