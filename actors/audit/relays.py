"""Invariants 18 and 23-26 on relays: minimum times, maxima, frost, the sum of what is switched, the fuse.

A limit of the grid operator narrows 18 and 26: at the meter, all phases together.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

from actors.audit.authority import Authority
from actors.audit.book import Book, Durations
from actors.audit.signals import Signals
from actors.messages import Proof, WireWrite
from models.types.command import Level
from models.types.house import House
from models.types.point import PointSpec, RelayRule
from models.types.reading import MeterReading, RoomReading, RoomsReading

HOUR_S = 3600.0
OVERLOAD_S = 60.0
SWITCH_SLACK_S = 1.0


@dataclass(slots=True)
class _Relay:
    """One contact as the readings and the wire log tell it."""

    room: str
    spec: PointSpec
    rule: RelayRule
    max_c: float
    on: bool | None = None
    switched_s: float = -math.inf
    reported: bool = False  # it switched by itself, last: Loxone's thermostat, or a contact that sticks
    starts_s: deque[float] = field(default_factory=deque)
    ordered_s: float = -math.inf  # last write
    seen: RoomReading | None = None
    hot_s: float | None = None  # at its maximum since
    frost_s: float | None = None


class Relays:
    """Follows every relay. What Loxone's own thermostat does in `auto` is seen, not judged."""

    def __init__(
        self, house: House, points: tuple[PointSpec, ...], times: Durations, authority: Authority, signals: Signals,
        book: Book,
    ) -> None:
        self._house, self._times, self._authority, self._signals, self._book = house, times, authority, signals, book
        rules = {p.name: (p, p.relay) for p in points if p.relay is not None}
        self._relays: dict[str, _Relay] = {}
        for room in house.rooms:
            spec, rule = rules.get(f"room.{room.name}.relay", (None, None))
            if spec is not None and rule is not None:
                self._relays[spec.name] = _Relay(room=room.name, spec=spec, rule=rule, max_c=room.max_c)
        self._slack_s = times.gate_tick_s + times.device_tick_s
        self._over_s: float | None = None
        self._over_limit_s: float | None = None
        self._was_over: set[int] = set()

    # --- what is heard --------------------------------------------------------------------------------------------
    def see_rooms(self, reading: RoomsReading, at_s: float) -> None:
        """Contacts and temperatures as reported."""
        self.settled(at_s)
        for relay in self._relays.values():
            room = reading.rooms.get(relay.room)
            if room is None:
                continue
            relay.seen = room
            self._contact(relay, room, at_s)
            if room.air_c is not None:
                relay.hot_s = _since(relay.hot_s, room.air_c >= relay.max_c, at_s)
                relay.frost_s = _since(relay.frost_s, room.air_c <= self._house.frost_c, at_s)
            else:
                relay.hot_s = relay.frost_s = None

    def _contact(self, relay: _Relay, room: RoomReading, at_s: float) -> None:
        if room.relay_on is None or room.relay_on == relay.on:
            return
        ours = self._ordered(relay) in ("on", "off")
        if ours and at_s - relay.ordered_s < max(self._times.settle_s, 2 * self._times.telemetry_s):
            return  # the report may be older than the order
        relay.on, relay.reported = room.relay_on, True
        relay.switched_s = -math.inf if ours else at_s  # a contact that does not obey is judged by nobody

    def _ordered(self, relay: _Relay) -> str:
        write = self._authority.last.get(relay.spec.name)
        return "" if write is None else write.value

    # --- what is written ------------------------------------------------------------------------------------------
    def write(self, write: WireWrite) -> None:
        """Judge one order to a relay."""
        relay = self._relays.get(write.point)
        if relay is None:
            return
        relay.ordered_s = write.at_s
        if write.value not in ("on", "off"):
            shown = None if relay.seen is None else relay.seen.relay_on
            if shown is not None and shown != relay.on:  # it never obeyed: what it does now is not known to be a switch
                relay.on, relay.switched_s = shown, -math.inf
            return
        on = write.value == "on"
        if relay.on is not None and relay.on != on:
            self._judge_switch(relay, write, on)
        if on and relay.on is not True and write.level > Level.SAFETY_TRIP:
            self._judge_sum(relay, write)
        if relay.on != on:
            relay.on, relay.switched_s, relay.reported = on, write.at_s, False
            if on:
                relay.starts_s.append(write.at_s)

    def _judge_switch(self, relay: _Relay, write: WireWrite, on: bool) -> None:
        """Minimum times and starts. Protection comes first: a limit of level 3 may switch off at once (18, 24)."""
        if write.level <= Level.SAFETY_TRIP or (write.level <= Level.GRID_OPERATOR and not on):
            return
        asks = self._authority.asks[write.point].named(write.request_id)
        if relay.reported and any(a.at_s <= relay.switched_s for a in asks):
            return  # it was decided for a contact that stood as asked, and moved by itself before the order came
        needed_s = relay.rule.min_off_s if on else relay.rule.min_on_s
        stood_s = write.at_s - relay.switched_s
        text = f"{write.value} after {stood_s:.0f} s, minimum {needed_s:.0f} s"
        self._book.check(23, stood_s >= needed_s - SWITCH_SLACK_S, write.at_s, write.point, text)
        while relay.starts_s and write.at_s - relay.starts_s[0] >= HOUR_S:
            relay.starts_s.popleft()
        if on:
            starts, limit = len(relay.starts_s) + 1, relay.rule.starts_per_h
            self._book.check(23, starts <= limit, write.at_s, write.point, f"start {starts} of {limit} in an hour")

    def _judge_sum(self, relay: _Relay, write: WireWrite) -> None:
        """What the meter shows, what was switched on since, and this one fit under the limit that holds.

        Judged on the reading that speaks most for it, of those that were there when it was decided.
        """
        meter, at_s = self._signals.meter, write.at_s
        known = meter is not None and self._signals.fresh("meter", at_s - self._slack_s)
        self._book.check(26, known, at_s, write.point, "switched on though grid power is not known")
        if meter is None or not known:
            return
        seen = self._signals.meters_since(at_s - self._slack_s)
        total = relay.rule.heater_kw + min(grid_kw + self._unseen_kw(seen_s, relay) for seen_s, grid_kw in seen)
        limit = self._house.connection.import_limit_kw
        operator_kw = self._signals.operator_kw(write.at, at_s, self._slack_s)
        text = f"{total:.1f} kW with it, limit {limit:.1f} kW"
        if operator_kw is not None and operator_kw < limit:
            limit, text = operator_kw, f"{total:.1f} kW with it, the grid operator's limit {operator_kw:.1f} kW"
        self._book.check(26, total <= limit + 1e-6, at_s, write.point, text)

    def _unseen_kw(self, seen_s: float, but: _Relay) -> float:
        """What we switched on since a reading of the meter, and it cannot show [kW]."""
        return sum(
            r.rule.heater_kw
            for r in self._relays.values()
            if r is not but and r.on and r.switched_s > seen_s and self._ordered(r) == "on"
        )

    # --- what stands ----------------------------------------------------------------------------------------------
    def settled(self, at_s: float) -> None:
        """No relay is held on at its maximum, none is held off in the frost."""
        for relay in self._relays.values():
            if relay.hot_s is None and relay.frost_s is None:
                continue
            write = self._authority.last.get(relay.spec.name)
            if write is None or at_s - write.at_s < self._slack_s or relay.seen is None or relay.seen.automatic:
                continue
            if relay.hot_s is not None and at_s - relay.hot_s > self._slack_s:
                held = write.value == "on" and write.level > Level.SAFETY_TRIP
                text = f"held on for {at_s - relay.hot_s:.0f} s at its maximum"
                self._book.check(24, not held, at_s, write.point, text)
            if relay.frost_s is not None and at_s - relay.frost_s > self._slack_s:
                held = write.value == "off" and write.level > Level.SAFETY_TRIP and not self._shed(write)
                text = f"held off for {at_s - relay.frost_s:.0f} s in the frost"
                self._book.check(25, not held, at_s, write.point, text)

    def _shed(self, write: WireWrite) -> bool:
        """The fuse holds it off."""
        asks = self._authority.asks[write.point].named(write.request_id)
        return write.level is Level.GRID_OPERATOR and any(a.request.note.startswith("fuse") for a in asks)

    def proof(self, proof: Proof, at_s: float) -> None:
        """`applied` stands on a report that shows the contact and who decides."""
        relay = self._relays.get(proof.point)
        if relay is None or proof.stage != "applied" or relay.seen is None:
            return
        write = self._authority.last.get(proof.point)
        if write is None or write.value != proof.value:
            return
        self._book.checks[14] += 1

    def see_meter(self, reading: MeterReading, at_s: float) -> None:
        """The fuse: a phase above its rating for more than a minute, with load of ours on it that could be shed."""
        connection = self._house.connection
        rating = connection.fuse_a * connection.voltage_v / 1000.0
        over = [p for p, kw in self._phases(reading.grid_kw).items() if kw > rating + 0.05]
        ours = [p for p in over if self._ours(p)]
        self._over_s = _since(self._over_s, bool(ours), at_s)
        allowed_s = OVERLOAD_S + self._slack_s + 3 * self._times.telemetry_s
        lasted_s = 0.0 if self._over_s is None else at_s - self._over_s
        text = f"phase {ours} above {rating:.1f} kW for {lasted_s:.0f} s with heaters that we hold on"
        self._book.check(18, lasted_s <= allowed_s, at_s, "", text)
        limit_kw = self._signals.operator_kw(reading.measured_at, at_s, 0.0)
        over_limit = limit_kw is not None and reading.grid_kw > limit_kw + 0.05 and any(map(self._ours, (1, 2, 3)))
        self._over_limit_s = _since(self._over_limit_s, over_limit, at_s)
        if limit_kw is not None:
            lasted_s = 0.0 if self._over_limit_s is None else at_s - self._over_limit_s
            text = f"above the operator's limit {limit_kw:.1f} kW for {lasted_s:.0f} s with heaters that we hold on"
            self._book.check(18, lasted_s <= allowed_s, at_s, "", text)

    def _phases(self, grid_kw: float) -> dict[int, float]:
        if self._house.connection.phases == 1:
            return {1: grid_kw}
        on = {1: 0.0, 2: 0.0, 3: 0.0}
        for relay in self._relays.values():
            if relay.on:
                for phase in (1, 2, 3) if relay.rule.phase == 0 else (relay.rule.phase,):
                    on[phase] += relay.rule.heater_kw / (3 if relay.rule.phase == 0 else 1)
        rest = (grid_kw - sum(on.values())) / 3
        return {phase: rest + kw for phase, kw in on.items()}

    def _ours(self, phase: int) -> bool:
        single = self._house.connection.phases == 1
        return any(
            r.on and self._ordered(r) == "on" and (single or r.rule.phase in (0, phase)) for r in self._relays.values()
        )


def _since(since_s: float | None, lasts: bool, at_s: float) -> float | None:
    """When something that lasts began; None while it does not."""
    if not lasts:
        return None
    return at_s if since_s is None else since_s
