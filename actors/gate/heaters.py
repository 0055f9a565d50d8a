"""The heaters at the connection: which run, which would start, what each waits for, and how much may still be added."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from actors.gate.decision import Decision
from actors.gate.hindrance import Hindrance, Until, power_hindrance, relay_hindrance
from actors.gate.point_state import PointState
from actors.gate.power import coming_charge_kw, headroom_kw, missing_kw, rule_shares
from models.types.command import Level, Value
from models.types.house import House
from models.types.operator import ImportLimit, strictest
from models.types.point import Modes, RelayRule
from models.types.reading import InverterReading, RoomReading


class Heaters:
    """What the gate knows of power.

    Parameters
    ----------
    house : House
    points : mapping
        All points as the gate holds them; what is known of a heater is kept with its relay.
    settle_s : float
        Until a switched relay shows in the meter [s].
    """

    def __init__(self, house: House, points: Mapping[str, PointState], *, settle_s: float) -> None:
        self._connection, self._house, self._points, self._settle_s = house.connection, house, points, settle_s
        self._setpoint_of = {p.spec.heats: p for p in points.values() if p.spec.heats}
        self._grid_kw, self._grid_at_s = 0.0, float("-inf")
        self.inverter: InverterReading | None = None
        self.limits: tuple[ImportLimit, ...] = ()

    # --- what is seen -----------------------------------------------------------------------------------------
    def see_meter(self, grid_kw: float, at_s: float) -> None:
        """Import as measured [kW]."""
        self._grid_kw, self._grid_at_s = grid_kw, at_s

    def see_room(self, relay: PointState, reading: RoomReading, at_s: float) -> None:
        """The air of a room and its contact, unless an order is younger than the wire is quick."""
        relay.air_c = reading.air_c
        ordered = relay.output is not None and relay.output.value in ("on", "off")
        if reading.relay_on is not None and not (ordered and at_s - relay.since_s < self._settle_s):
            relay.relay = relay.relay.seen(reading.relay_on, at_s)

    def ordered(self, point: PointState, value: Value | None, at_s: float) -> None:
        """The point is about to be told a new value."""
        if point.spec.heats and self._starts(point, value):
            # a thermostat takes about as long to follow as a relay to be seen
            self._relay(point).pending_s = at_s + self._settle_s
        if point.spec.relay is not None and value in ("on", "off"):
            on = value == "on"
            point.pending_s = at_s if on and not point.relay.on else None
            point.relay = point.relay.seen(on, at_s)

    # --- what waits -------------------------------------------------------------------------------------------
    def hindrance(
        self, point: PointState, decision: Decision, headroom: Mapping[int, float] | None, at_s: float
    ) -> Hindrance | None:
        """Why the point's heater must not follow now; None if it may."""
        starts, rule = self._starts(point, decision.value), self._rule(point)
        if point.spec.relay is not None:
            own = relay_hindrance(rule, str(decision.value), point.relay, at_s=at_s, headroom_kw=headroom)
        elif starts and self._told(point) == "off":
            # it would do nothing now, and start the heater at the moment when the relay goes back to its thermostat
            own = Hindrance("its relay is held off", Until.RELAY)
        else:
            own = power_hindrance(rule, headroom) if starts else None
        if own is None and starts and decision.level > Level.USER:
            before = next((p.spec.name for p in self._points.values() if p.short), "")
            return Hindrance(f"power is kept for {before}", Until.OTHERS) if before else None
        return own

    def _starts(self, point: PointState, value: Value | None) -> bool:
        """A heater that is off would start: by its relay, or by its thermostat, told a setpoint above the air.

        An air that is not known may be below it. A setpoint that stands is the thermostat's own affair.
        """
        relay = self._relay(point)
        if relay.relay.on:
            return False
        if point is relay:
            return value == "on"
        if not isinstance(value, (int, float)) or (point.output is not None and point.output.value == value):
            return False
        return relay.air_c is None or value > relay.air_c

    def _relay(self, point: PointState) -> PointState:
        """The point of the heater that this one moves: itself, or what its thermostat switches."""
        return self._points[point.spec.heats] if point.spec.heats else point

    def _told(self, setpoint: PointState) -> Value | None:
        output = self._relay(setpoint).output
        return None if output is None else output.value

    def _rule(self, point: PointState) -> RelayRule:
        rule = self._relay(point).spec.relay
        assert rule is not None
        return rule

    # --- what may be added ------------------------------------------------------------------------------------
    def headroom(self, now: datetime) -> Mapping[int, float]:
        """kW that may still be added to the whole connection (0) and to each of its phases."""
        running = self._running()
        limit = self.limit(now)
        modes = (p.output.value for p in self._points.values() if p.output and isinstance(p.spec.envelope, Modes))
        return headroom_kw(
            limit_kw=self._connection.import_limit_kw,
            phases=self._connection.phases,
            operator_kw=None if limit is None else limit.import_kw,
            grid_kw=self._grid_kw,
            running=list(running.values()),
            unseen_kw=sum(rule.heater_kw for name, rule in running.items() if self._unseen(self._points[name]))
            + sum(coming_charge_kw(self._house, mode, self.inverter) for mode in modes),
        )

    def limit(self, now: datetime) -> ImportLimit | None:
        """What the grid operator allows now; it is dated, so it follows the house's time."""
        return strictest(self.limits, now) if self.limits else None

    def missing_kw(self, point: PointState, headroom: Mapping[int, float]) -> dict[int, float]:
        """What must be freed before the point's heater fits [kW]; empty if freeing every other would not do."""
        missing = missing_kw(self._rule(point), headroom)
        for rule in self._running().values():
            headroom = {phase: kw + rule_shares(rule).get(phase, 0.0) for phase, kw in headroom.items()}
        return {} if missing_kw(self._rule(point), headroom) else missing

    def that_may_yield(self, at_s: float) -> dict[str, RelayRule]:
        """Heaters that are on, that nobody stronger than the local rules wants on, and that may be switched off."""
        return {name: rule for name, rule in self._running().items() if self._may_yield(self._points[name], rule, at_s)}

    def _may_yield(self, point: PointState, rule: RelayRule, at_s: float) -> bool:
        setpoint = self._setpoint_of.get(point.spec.name)
        outputs = (point.output, None if setpoint is None else setpoint.output)
        weak = all(output is None or output.level >= Level.LOCAL_RULES for output in outputs)
        waits = relay_hindrance(rule, "off", point.relay, at_s=at_s, headroom_kw=None)
        return point.relay.on is True and weak and waits is None

    def _running(self) -> dict[str, RelayRule]:
        """Heaters that are on, or that their thermostat was just told to start."""
        points = self._points.items()
        return {n: p.spec.relay for n, p in points if p.spec.relay is not None and (p.relay.on or self._unseen(p))}

    def _unseen(self, point: PointState) -> bool:
        """It was started so lately that the meter may not show it yet."""
        return point.pending_s is not None and self._grid_at_s - point.pending_s < self._settle_s
