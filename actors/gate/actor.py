"""The gate: the single actor through which every command passes. It hosts `decision`, and remembers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from actors.gate.decision import ID_LIMIT, Conditions, Decision, Latch, admit, decide, malformed
from actors.gate.freshness import Freshness
from actors.gate.heaters import Heaters
from actors.gate.hindrance import POWER, Hindrance, Until, must_wait
from actors.gate.point_state import PointState, describe, told
from actors.messages import (
    ApprovedSetpoint,
    Holding,
    Latched,
    OperatorLimits,
    Permit,
    PricesKnown,
    Refresh,
    ShortOfPower,
    Tick,
    Wear,
)
from actors.runtime import Behaviour, Lane, Started
from models.types.command import Level, Outcome, Relinquish, Request, Verdict
from models.types.house import House
from models.types.mode import InverterMode
from models.types.point import Modes, PointSpec
from models.types.reading import InverterReading, MeterReading, RoomsReading


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSettings:
    """What the gate needs of the house file."""

    tick_s: float
    refresh_s: float
    meter_settle_s: float  # until a switched relay shows in the meter
    max_age_s: Mapping[str, float]  # per signal


class Gate(Behaviour):
    """Decides every point and tells its device.

    Handles  Request, Latched, Permit, OperatorLimits, readings, PricesKnown, Wear, Tick
    Sends    ApprovedSetpoint and Refresh to devices; publishes Verdict
    Fails    never on what it is sent; a bug restarts it cold: everything at default until sources offer again
    """

    def __init__(self, house: House, points: Iterable[PointSpec], settings: GateSettings) -> None:
        self._house = house
        self._points = {spec.name: PointState(spec=spec) for spec in points}
        self._heaters = Heaters(house, self._points, settle_s=settings.meter_settle_s)
        self._settings = settings
        self._fresh = Freshness(dict(settings.max_age_s))
        self._last: dict[str, tuple[tuple[int, int], int]] = {}
        self._permit: Permit | None = None
        self._prices: PricesKnown | None = None
        self._zone = ZoneInfo(house.site.timezone)
        self._soc: float | None = None
        self._orders = 0
        self._trips_known = False  # cold: nothing is decided before safety has said what is latched
        self.checks = 0

    def on_start(self) -> None:
        ctx = self.ctx
        ctx.subscribe(InverterReading, coalesce=lambda _: "inverter")
        ctx.subscribe(MeterReading, coalesce=lambda _: "meter")
        ctx.subscribe(RoomsReading, coalesce=lambda _: "rooms")
        ctx.subscribe(PricesKnown, coalesce=lambda _: "prices")
        ctx.subscribe(Wear, OperatorLimits)
        ctx.subscribe(Started)
        ctx.every(self._settings.tick_s, Tick(name="settle"), name="settle")
        ctx.every(self._settings.refresh_s, Tick(name="refresh"), name="refresh")

    def handle(self, message: object) -> None:
        match message:
            case Request():
                self._offer(message)
            case Tick(name="settle"):
                self._settle_all()
            case Tick(name="refresh"):
                self._refresh()
            case Permit():
                had = self._permitted()
                self._permit = message
                if not had:
                    self._settle_all()
            case Latched():
                self._latch(message)
            case InverterReading():
                self._see_inverter(message)
            case MeterReading():
                self._fresh.seen("meter", self.ctx.clock.monotonic())
                self._heaters.see_meter(message.grid_kw, self.ctx.clock.monotonic())
            case RoomsReading():
                self._see_rooms(message)
            case PricesKnown():
                self._prices = message
            case OperatorLimits(limits=limits):
                self._heaters.limits = limits
            case Started(path=path):
                self._tell_again(path)
            case Wear():
                for name in message.points:
                    if name in self._points:
                        self._points[name].writes_left = message.left
            case _:
                super().handle(message)

    # --- what is offered --------------------------------------------------------------------------------------
    def _offer(self, request: Request) -> None:
        wrong = malformed(request)
        if wrong:
            self._say_malformed(request, wrong)
            return
        self.ctx.publish(request)
        point = self._points.get(request.point)
        admission = admit(
            None if point is None else point.spec,
            request,
            now=self.ctx.clock.now(),
            at_s=self.ctx.clock.monotonic(),
            last=self._last.get(request.source),
        )
        if admission.held is not None and point is not None:
            self._fence(request)
            key = (request.level, request.source)
            if isinstance(request.value, Relinquish):
                point.slots.pop(key, None)
            else:
                point.slots[key] = admission.held
        self._say(request, admission.outcome, admission.reason, point)
        if admission.held is not None and point is not None:
            self._settle(point)

    def _fence(self, request: Request) -> None:
        """A source's new life ends what its older lives asked for."""
        last = self._last.get(request.source)
        if last is not None and last[0] < request.epoch:
            for other in self._points.values():
                for key, held in list(other.slots.items()):
                    if held.request.source == request.source and held.request.epoch < request.epoch:
                        del other.slots[key]
        self._last[request.source] = (request.epoch, request.seq)

    def _say(self, request: Request, outcome: Outcome, reason: str, point: PointState | None) -> None:
        verdict = Verdict(
            request_id=request.id,
            source=request.source,
            level=request.level,
            point=request.point,
            outcome=outcome,
            reason=reason,
            at=self.ctx.clock.now(),
            value=told(request.value),
            cause=request.cause,
        )
        if point is not None:
            point.verdicts.append(verdict)
        self.ctx.publish(verdict)
        if self.ctx.asked and outcome is not Outcome.DEFERRED:
            self.ctx.reply(verdict)

    def _say_malformed(self, request: Request, reason: str) -> None:
        """Refused before anything of it was relied upon."""
        verdict = Verdict(
            request_id=str(request.id)[:ID_LIMIT],
            source=str(request.source)[:ID_LIMIT],
            level=Level.DEFAULT,
            point=str(request.point)[:ID_LIMIT],
            outcome=Outcome.REFUSED,
            reason=reason,
            at=self.ctx.clock.now(),
            value=told(request.value),
            cause=self.ctx.cause,
        )
        self.ctx.publish(verdict)
        if self.ctx.asked:
            self.ctx.reply(verdict)

    def _latch(self, latched: Latched) -> None:
        first, self._trips_known = not self._trips_known, True
        for point in self._points.values():
            mine = [t for t in latched.trips if "*" in t.points or point.spec.name in t.points]
            # an emergency stop first, then a kind that this point knows (a hot floor: off, not auto), then the oldest
            mine.sort(key=lambda t: (t.kind != "emergency_stop", t.kind not in point.spec.trip))
            latch = Latch(trip_id=mine[0].id, kind=mine[0].kind) if mine else None
            if first or latch != point.latch:
                point.latch = latch
                self._settle(point)

    # --- what is seen -----------------------------------------------------------------------------------------
    def _see_inverter(self, reading: InverterReading) -> None:
        if reading.online and reading.soc is not None:
            self._soc = reading.soc
            self._heaters.inverter = reading
            self._fresh.seen("inverter", self.ctx.clock.monotonic())

    def _see_rooms(self, reading: RoomsReading) -> None:
        at_s = self.ctx.clock.monotonic()
        for name, room in reading.rooms.items():
            point = self._points.get(f"room.{name}.relay")
            if room.air_c is not None and room.relay_on is not None:
                self._fresh.seen(f"room.{name}", at_s)
            if point is not None:
                self._heaters.see_room(point, room, at_s)

    def _permitted(self) -> bool:
        return self._permit is not None and self.ctx.clock.monotonic() < self._permit.until_s

    # --- what is decided --------------------------------------------------------------------------------------
    def _settle_all(self) -> None:
        for point in self._points.values():
            self._settle(point)

    def _settle(self, point: PointState) -> None:
        if not self._trips_known:
            return
        self.checks += 1
        at_s = self.ctx.clock.monotonic()
        for key in [k for k, held in point.slots.items() if not held.alive(at_s)]:
            del point.slots[key]
        decision = decide(point.spec, point.slots.values(), latch=point.latch, conditions=self._conditions(point, at_s))
        if must_wait(point.spec, decision):
            decision = self._heater_may(point, decision, at_s)
        else:
            point.waiting, point.short = "", None
        output = point.output
        if output is None or (decision.value, decision.level, decision.request, decision.until_s) != (
            output.value,
            output.level,
            output.request,
            output.until_s,
        ):
            self._approve(point, decision)
        else:
            point.output = decision  # the same order, perhaps for another reason

    def _conditions(self, point: PointState, at_s: float) -> Conditions:
        envelope = point.spec.envelope
        running = point.output.value if point.output is not None else None
        modes = envelope if isinstance(envelope, Modes) else None
        return Conditions(
            at_s=at_s,
            permit=self._permitted(),
            stale=self._fresh.stale(point.spec.requires, at_s),
            soc=self._soc,
            export_price=self._export_price(),
            running=running if isinstance(running, InverterMode) else None,
            soc_min=0.0 if modes is None else modes.soc_min,
            soc_max=1.0 if modes is None else modes.soc_max,
            writes_left=None if modes is None else point.writes_left,
        )

    def _export_price(self) -> float | None:
        spot = None if self._prices is None else self._prices.prices.at(self.ctx.clock.now())
        return None if spot is None else spot - self._house.tariff.export_fee

    def _heater_may(self, point: PointState, decision: Decision, at_s: float) -> Decision:
        """The decision, or what stands until the heater may follow it."""
        point.waiting, point.short = "", None
        now = self.ctx.clock.now()
        metered = not self._fresh.stale(("meter",), at_s)
        headroom = self._heaters.headroom(now) if metered else None
        hindrance = self._heaters.hindrance(point, decision, headroom, at_s)
        if hindrance is None:
            return decision
        if headroom is not None and hindrance.until in POWER and decision.level <= Level.USER:
            self._ask_for_room(point, decision, headroom, at_s)
        reason, limit = hindrance.text, self._heaters.limit(now)
        if limit is not None and hindrance.until is Until.CONNECTION:
            reason += f" ({limit.told(self._zone)})"
        if decision.request is not None and decision.request.id != point.deferred:
            point.deferred = decision.request.id
            self._say(decision.request, Outcome.DEFERRED, reason, point)
        point.waiting = reason
        if point.output is not None and self._stands(point, point.output, decision, hindrance, at_s):
            return point.output
        # nobody asks for what stands: the default until the heater may follow
        return Decision(value=point.spec.default, level=Level.DEFAULT, reason=f"waiting: {reason}")

    def _stands(
        self, point: PointState, output: Decision, wish: Decision, hindrance: Hindrance, at_s: float
    ) -> bool:
        """What was approved last goes on while the wish waits."""
        if output.until_s is not None and at_s >= output.until_s:
            return False
        if any(held.request is output.request for held in point.slots.values()):
            asked = True
        elif point.spec.relay is None:
            # its own source has moved the setpoint: without the old one a thermostat would heat to its own edge
            ours, other = output.request, wish.request
            asked = ours is not None and other is not None and (ours.level, ours.source) == (other.level, other.source)
        else:
            asked = hindrance.until is Until.TIME
        return asked and (point.spec.relay is None or output.value == ("on" if point.relay.on else "off"))

    def _ask_for_room(self, point: PointState, wish: Decision, headroom: Mapping[int, float], at_s: float) -> None:
        """A person's wish that waits for power is told, with the relays that could yield to it.

        Nothing weaker takes power meanwhile; but for what could not fit beside an idle house nobody has to wait.
        """
        missing = self._heaters.missing_kw(point, headroom)
        if missing:
            point.short = wish
            yielding = self._heaters.that_may_yield(at_s)
            self.ctx.publish(ShortOfPower(point=point.spec.name, missing_kw=missing, may_yield=yielding))

    def _approve(self, point: PointState, decision: Decision) -> None:
        at_s = self.ctx.clock.monotonic()
        before = point.output
        if before is None or before.level <= Level.USER or decision.level <= Level.USER:
            self.ctx.publish(
                Holding(
                    point=point.spec.name, value=decision.value, level=decision.level, until_s=decision.until_s
                )
            )
        changed = before is None or before.value != decision.value
        if changed:
            self._heaters.ordered(point, decision.value, at_s)
            point.since_s = at_s
        point.output = decision
        self._orders += 1
        self.ctx.tell(
            point.spec.device,
            ApprovedSetpoint(
                point=point.spec.name,
                value=decision.value,
                level=decision.level,
                until_s=decision.until_s,
                request_id="" if decision.request is None else decision.request.id,
                cause=self.ctx.cause if decision.request is None else decision.request.cause,
                gate_epoch=(self.ctx.epoch.boot, self.ctx.epoch.incarnation),
                number=self._orders,
            ),
            lane=Lane.URGENT if decision.level <= Level.GRID_OPERATOR else Lane.USER,
        )

    def _tell_again(self, device: str) -> None:
        """A device's new life knows no orders: what stands is told again."""
        for point in self._points.values():
            if point.spec.device == device and point.output is not None:
                self._approve(point, point.output)

    def _refresh(self) -> None:
        wanted: dict[str, list[str]] = {}
        for point in self._points.values():
            if point.output is not None and point.output.value != point.spec.default:
                wanted.setdefault(point.spec.device, []).append(point.spec.name)
        for device, names in wanted.items():
            epoch = (self.ctx.epoch.boot, self.ctx.epoch.incarnation)
            self.ctx.tell(device, Refresh(points=tuple(names), gate_epoch=epoch), coalesce=device)

    # --- what is shown ----------------------------------------------------------------------------------------
    def snapshot(self) -> dict[str, object]:
        at_s = self.ctx.clock.monotonic()
        return {
            "permit_left_s": None if self._permit is None else round(self._permit.until_s - at_s, 1),
            "soc": self._soc,
            "export_price": self._export_price(),
            "signals": {n: self._fresh.age_s(n, at_s) for n in self._fresh.names()},
            "points": {name: describe(point, at_s) for name, point in list(self._points.items())},
        }
