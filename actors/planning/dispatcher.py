"""The dispatcher: turns the plan of this moment into requests at the gate, and nothing else into anything."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from zoneinfo import ZoneInfo

from actors.messages import Alarm, PlanReady, Tick
from actors.planning.pulses import Pulses
from actors.planning.setpoints import Setpoint, Wish, goal_c
from actors.requests import GATE, Asker
from actors.runtime import Behaviour, Started
from models.types.command import RELINQUISH, Level, Relinquish, Value
from models.types.house import House
from models.types.mode import TRADING, Composite, InverterMode
from models.types.reading import RoomReading, RoomsReading
from solvers.checker import verify
from solvers.result import Quality

MODE, EXPORT = "inverter.mode", "inverter.export_limit_kw"
STOP_SOC_SLACK = 0.0201
RUN_AHEAD_S = 7200.0  # the longest lease of what is stored in the inverter


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchSettings:
    """Durations [s]."""

    tick_s: float
    relay_ttl_s: float = 900.0
    plan_lasts_s: float = 7200.0  # a plan older than this is not followed: the rules take over
    renew_before_s: float = 300.0


@dataclass(slots=True)
class _Asked:
    """What was asked for a point last."""

    value: Value
    until_s: float


class Dispatcher(Behaviour):
    """Follows the latest signed plan: modes as they are, duties by relay or by setpoint, as each room is controlled.

    Handles  PlanReady, RoomsReading, Started, Tick
    Sends    requests at level 13, or as told; relinquishes when the plan is too old
    Fails    on bugs; its requests end by themselves
    """

    def __init__(self, house: House, settings: DispatchSettings, *, level: Level = Level.PLAN) -> None:
        self._house, self._settings, self._level = house, settings, level
        self._ready: PlanReady | None = None
        self._ready_s = 0.0
        rooms = [r.name for r in house.rooms]
        min_s = max(house.relay_min_on_s, house.relay_min_off_s)
        starts = house.relay_starts_per_h
        self._pulses = {n: Pulses(min_s, (i * 0.618) % 1.0, starts) for i, n in enumerate(rooms)}
        self._setpoints = {r.name: Setpoint(r, min_s) for r in house.rooms if r.control == "setpoint"}
        self._zone = ZoneInfo(house.site.timezone)
        self._seen: Mapping[str, RoomReading] = {}
        self._asked: dict[str, _Asked] = {}
        self._ticked_s: float | None = None
        self._stale = False
        self.refused_plans = 0

    def on_start(self) -> None:
        self._asker = Asker(self.ctx, self._level)
        self.ctx.subscribe(PlanReady)
        self.ctx.subscribe(RoomsReading, coalesce=lambda _: "rooms")
        self.ctx.subscribe(Started)
        self.ctx.every(self._settings.tick_s, Tick(name="dispatch"), name="dispatch")

    def handle(self, message: object) -> None:
        match message:
            case PlanReady():
                if not verify(message.plan, message.problem):
                    self.refused_plans += 1
                    return
                self._ready, self._ready_s = message, self.ctx.clock.monotonic()
                self._dispatch()
            case Started(path=path):
                if path == GATE:  # a gate's new life holds no requests: all are offered again
                    self._asked.clear()
                    self._dispatch()
            case RoomsReading():
                self._seen = message.rooms
            case Tick():
                self._dispatch()
            case _:
                super().handle(message)

    def _dispatch(self) -> None:
        at_s = self.ctx.clock.monotonic()
        slot = self._slot(at_s)
        if slot is None:
            return
        self._inverter(slot, at_s)
        self._rooms(slot, at_s)

    def _slot(self, at_s: float) -> int | None:
        """Index of the running slot; None without a plan that may still be followed."""
        ready = self._ready
        if ready is None:
            return None
        result = ready.plan.result
        slot = int((self.ctx.clock.now() - result.start).total_seconds() // (result.dt_h * 3600.0))
        old = at_s - self._ready_s > self._settings.plan_lasts_s
        if old or not 0 <= slot < len(result.import_kw):
            self._give_back("the plan is too old")
            return None
        if self._stale:
            self._stale = False
            self.ctx.publish(Alarm(at=self.ctx.clock.now(), name="plan_old", active=False, text=""))
        return slot

    def _give_back(self, reason: str) -> None:
        if not self._stale:
            self._stale = True
            self.ctx.publish(Alarm(at=self.ctx.clock.now(), name="plan_old", active=True, text=reason))
        self._ticked_s = None  # nobody owes the rooms what was not planned meanwhile
        for point in list(self._asked):
            self._ask(point, RELINQUISH, 60.0, reason)

    # --- inverter -------------------------------------------------------------------------------------------------
    def _inverter(self, slot: int, at_s: float) -> None:
        assert self._ready is not None
        result = self._ready.plan.result
        if self._house.battery is not None and result.modes:
            mode, slots = _run(result.modes, slot)
            ends = result.start + timedelta(hours=result.dt_h * (slot + slots))
            left_s = (ends - self.ctx.clock.now()).total_seconds()
            note = f"{mode} for {left_s / 3600:.1f} h, {result.maker}"
            self._keep(MODE, mode, min(left_s, RUN_AHEAD_S), at_s, note)
        limit_kw = result.export_limit_kw[slot]
        self._keep(EXPORT, limit_kw, 3600.0, at_s, "export price below zero" if limit_kw == 0 else "export pays")

    def _keep(self, point: str, value: Value, ttl_s: float, at_s: float, note: str) -> None:
        """Ask when the wish is new, or when the last one is about to end and its run goes on."""
        asked = self._asked.get(point)
        same = asked is not None and _same(asked.value, value)
        if same and asked is not None:
            soon = asked.until_s - at_s < self._settings.renew_before_s
            if not (soon and ttl_s > asked.until_s - at_s + 60.0) and asked.until_s > at_s:
                return
            value = asked.value if isinstance(value, InverterMode) else value
        self._ask(point, value, ttl_s, note)

    def _ask(self, point: str, value: Value | Relinquish, ttl_s: float, note: str) -> None:
        self._asker.ask(point, value, ttl_s=ttl_s, note=note)
        if isinstance(value, Relinquish):
            self._asked.pop(point, None)
        else:
            self._asked[point] = _Asked(value=value, until_s=self.ctx.clock.monotonic() + ttl_s)

    # --- rooms ----------------------------------------------------------------------------------------------------
    def _rooms(self, slot: int, at_s: float) -> None:
        assert self._ready is not None
        result, problem = self._ready.plan.result, self._ready.problem
        dt_s = 0.0 if self._ticked_s is None else at_s - self._ticked_s
        self._ticked_s = at_s
        ruled = result.quality is Quality.FALLBACK  # rules leave the rooms to their thermostats, which see them
        for i, (room, duties) in enumerate(zip(problem.rooms, result.duty, strict=True)):
            moved, duty = self._setpoints.get(room.name), duties[slot]
            point = f"room.{room.name}.{'relay' if moved is None else 'setpoint_c'}"
            if ruled or math.isnan(duty):
                if point in self._asked:
                    self._ask(point, RELINQUISH, 60.0, "left to the thermostat")
                continue
            seen = self._seen.get(room.name)
            on = seen is not None and seen.relay_on is True
            pulses = self._pulses[room.name]
            pulses.delivered(duty, on, dt_s)
            heat = pulses.wanted(duty, on)
            if moved is None:
                self._keep(point, "on" if heat else "off", self._settings.relay_ttl_s, at_s, f"duty {duty:.0%}")
                continue
            wish = Wish(heat=heat, goal_c=goal_c(duties, result.air_c[i], slot), edge_c=self._edge_c(room.name))
            air_c = None if seen is None else seen.air_c
            level_c = moved.level_c(wish, air_c=air_c, relay_on=on, at_s=at_s)
            note = f"duty {duty:.0%}, to {wish.goal_c:.1f} degC" if heat else "rests at the lower edge"
            self._keep(point, level_c, self._settings.relay_ttl_s, at_s, note)

    def _edge_c(self, name: str) -> float:
        """Lower edge of a room's band now [degC]."""
        local, house = self.ctx.clock.now().astimezone(self._zone), self._house
        hour = local.hour + local.minute / 60.0 + local.second / 3600.0
        return house.room(name).lower_c(hour, house.day_starts_h, house.day_ends_h)

    def snapshot(self) -> dict[str, object]:
        ready = self._ready
        return {
            "plan": None if ready is None else ready.plan.result.problem_id,
            "maker": None if ready is None else ready.plan.result.maker,
            "age_s": None if ready is None else round(self.ctx.clock.monotonic() - self._ready_s, 1),
            "asked": {p: str(a.value) for p, a in list(self._asked.items())},
            "refused_plans": self.refused_plans,
        }


def _run(modes: tuple[InverterMode, ...], slot: int) -> tuple[InverterMode, int]:
    """The mode of a slot and how many slots it still runs; a run's stop SOC is that of its last slot."""
    first = modes[slot]
    length = 1
    while slot + length < len(modes) and modes[slot + length].composite is first.composite and (
        modes[slot + length].rate == first.rate
    ):
        length += 1
    if first.composite in TRADING:
        return replace(first, stop_soc=modes[slot + length - 1].stop_soc), length
    return first, length


def _same(a: Value, b: Value) -> bool:
    """Same wish: of a hold or a sale only the composite counts (its SOC is that of the moment it began)."""
    if isinstance(a, InverterMode) and isinstance(b, InverterMode):
        if a.composite is not b.composite:
            return False
        if a.composite in (Composite.HOLD, Composite.SELL_PRODUCTION, Composite.REGULAR) or a == b:
            return True
        # a target that moved by a percent or two is not worth a write of a register that wears
        near = a.stop_soc is not None and b.stop_soc is not None and abs(a.stop_soc - b.stop_soc) <= STOP_SOC_SLACK
        return near and a.rate == b.rate
    return a == b
