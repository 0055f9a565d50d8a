"""What every device actor does with orders: keep them while they are permitted, leased and unexpired."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from actors.devices.distrust import Distrust
from actors.devices.third_hand import ThirdHands
from actors.messages import (
    Alarm,
    ApprovedSetpoint,
    LinkState,
    Permit,
    Proof,
    Refresh,
    Release,
    Released,
    Tick,
    WireWrite,
)
from actors.runtime import Behaviour, Lane, ReplyToken
from models.types.command import Level, Value
from models.types.house import House
from models.types.point import PointSpec

LINK = "/io/link"
DEAD_WIRE_S = 5.0  # who gives back over a wire that is down waits no longer for it: the device ends by itself


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceTiming:
    """Durations of the device layer [s], from the house file."""

    tick_s: float
    lease_s: float  # volatile points: default after this long without a refresh
    settle_s: float  # until a written value must have come back
    answer_s: float  # until a command must have been answered
    heartbeat_s: float
    command_ttl_s: float
    effect_s: float  # until the power flow must show it
    third_hand_s: float = 7200.0  # what somebody else set stands so long; 0: it is taken back


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An approved setpoint as the device holds it."""

    setpoint: ApprovedSetpoint
    received_s: float
    refreshed_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One line of the registry: a device, its points and its actor."""

    id: str
    points: Callable[[House], tuple[PointSpec, ...]]
    make: Callable[[House, DeviceTiming, object], DeviceActor]


class DeviceActor(Behaviour):
    """Owns one device: the only code that talks to it.

    Handles  ApprovedSetpoint, Refresh, Permit, Release, Incoming, Tick
    Sends    Outgoing to the link; publishes readings, WireWrite, Proof, Alarm
    Fails    on bugs only; what the device sends is checked and counted
    """

    topics = ""  # how the topics of this device begin: they say which wire it is on

    def __init__(self, points: Iterable[PointSpec], timing: DeviceTiming) -> None:
        self.points = {p.name: p for p in points}
        self.timing = timing
        self.orders: dict[str, Order] = {}
        self.rejected = 0
        self.link_up = True  # until it is said: what is told to a dead wire is no try
        self._gate_epoch = (0, 0)
        self._taken: dict[str, tuple[tuple[int, int], int]] = {}  # per point, the newest order
        self._permit: Permit | None = None
        self._releasing = False
        self._asked_release: ReplyToken | None = None
        self._asked_s = 0.0
        self._alarms: set[str] = set()
        self._hands: ThirdHands | None = None
        self._forfeited: dict[str, str] = {}  # point -> request that failed three read-backs
        self.distrust = Distrust()

    # --- what subclasses say ------------------------------------------------------------------------------------
    def act(self) -> None:
        """Bring the device towards what is wanted: one step."""

    def unverified(self) -> dict[str, str]:
        """Points whose default is not proven by read-back, with why."""
        return {}

    def leased(self, point: PointSpec) -> bool:
        """True if the point's value falls back without refresh; what is stored in the device does not."""
        return True

    @property
    def hands(self) -> ThirdHands:
        """Somebody else's hands at this device."""
        if self._hands is None:
            self._hands = ThirdHands(
                self.ctx, self.timing.third_hand_s, alarm=self.alarm, alarm_over=self.alarm_over
            )
        return self._hands

    # --- messages -------------------------------------------------------------------------------------------------
    def on_start(self) -> None:
        self.ctx.subscribe(Permit, coalesce=lambda _: "permit", lane=Lane.URGENT)
        self.ctx.subscribe(LinkState)
        self.ctx.every(self.timing.tick_s, Tick(name="act"), name="act")

    def handle(self, message: object) -> None:
        match message:
            case ApprovedSetpoint():
                self._take(message)
            case Refresh():
                self._refresh(message)
            case Permit():
                self._permit = message
            case Tick(name="act"):
                self.hands.look()
                self.act()
                self._trust_again()
                self._say_released()
            case LinkState(up=up) if message.concerns(self.topics):
                self.link_up = up
                if up:
                    self.wire_is_back()
                    self.act()
            case LinkState():
                pass  # of another wire
            case Release(wait=wait):
                self._release(wait)
            case _:
                super().handle(message)

    def _take(self, setpoint: ApprovedSetpoint) -> None:
        given, newest = (setpoint.gate_epoch, setpoint.number), self._taken.get(setpoint.point, ((0, 0), 0))
        if given < newest or setpoint.gate_epoch < self._gate_epoch or setpoint.point not in self.points:
            self.rejected += 1
            return
        self._gate_epoch = setpoint.gate_epoch
        self._taken[setpoint.point] = given
        at_s = self.ctx.clock.monotonic()
        self.orders[setpoint.point] = Order(setpoint=setpoint, received_s=at_s, refreshed_s=at_s)
        self.ordered(setpoint)
        self.act()

    def wire_is_back(self) -> None:
        """Hook: the wire to this device is up, and what was in flight may be lost (before `act`)."""

    def ordered(self, setpoint: ApprovedSetpoint) -> None:
        """Hook: a new order arrived (before `act`)."""

    def _refresh(self, refresh: Refresh) -> None:
        if refresh.gate_epoch != self._gate_epoch:
            return
        at_s = self.ctx.clock.monotonic()
        for name in refresh.points:
            order = self.orders.get(name)
            if order is not None:
                self.orders[name] = Order(setpoint=order.setpoint, received_s=order.received_s, refreshed_s=at_s)

    def permitted(self) -> bool:
        return self._permit is not None and self.ctx.clock.monotonic() < self._permit.until_s

    def wanted(self, name: str) -> tuple[Value | None, Level, str, str]:
        """(value, level, request id, cause) of a point right now, after permit, lease and expiry."""
        spec = self.points[name]
        order = self.orders.get(name)
        if order is None or self._releasing:
            return spec.default, Level.DEFAULT, "", "no order"
        setpoint = order.setpoint
        if setpoint.level <= Level.SAFETY_TRIP:  # a trip needs no permit
            return setpoint.value, setpoint.level, setpoint.request_id, setpoint.cause
        at_s = self.ctx.clock.monotonic()
        if not self.permitted():
            return spec.default, Level.DEFAULT, "", "no permit"
        if setpoint.until_s is not None and at_s >= setpoint.until_s:
            return spec.default, Level.DEFAULT, "", "order expired"
        if self.leased(spec) and setpoint.value != spec.default and at_s - order.refreshed_s > self.timing.lease_s:
            return spec.default, Level.DEFAULT, "", "lease ended"
        if setpoint.request_id and self._forfeited.get(name) == setpoint.request_id:
            return spec.default, Level.DEFAULT, "", "three read-backs failed"
        if setpoint.level > Level.USER and self.distrust.until_s(name, at_s) is not None:
            return spec.default, Level.DEFAULT, "", "three read-backs failed a while ago"
        return setpoint.value, setpoint.level, setpoint.request_id, setpoint.cause

    def forfeit(self, name: str, request_id: str, reason: str) -> None:
        """Three failed read-backs: this request is not tried again; the point goes to its default, with an alarm.

        Programs leave the point alone for a while, whatever they ask for: a new request is no reason to hope.
        """
        if request_id:
            self._forfeited[name] = request_id
            self.distrust.failed(name, self.ctx.clock.monotonic())
        self.alarm(f"unconfirmed:{name}", f"{name} is not confirmed by the device: {reason}")

    def confirmed(self, name: str, request_id: str) -> None:
        """Read back as told. A default that stands is no proof that the next wish will."""
        if request_id:
            self.distrust.proven(name)
        if self.distrust.until_s(name, self.ctx.clock.monotonic()) is None:
            self.alarm_over(f"unconfirmed:{name}")

    def _trust_again(self) -> None:
        for name in self.distrust.over(self.ctx.clock.monotonic()):
            if name not in self.unverified():
                self.alarm_over(f"unconfirmed:{name}")

    def _release(self, wait: bool) -> None:
        self._releasing = True
        self.orders.clear()
        self.act()
        if not wait and self.ctx.asked:
            self.ctx.reply(Released(device=self.ctx.path, unverified=self._pending()))
            return
        self._asked_release = self.ctx.reply_token() if self.ctx.asked else None
        self._asked_s = self.ctx.clock.monotonic()
        self._say_released()

    def _pending(self) -> tuple[tuple[str, str], ...]:
        wire = "" if self.link_up else "; its wire is down"
        return tuple((name, reason + wire) for name, reason in self.unverified().items())

    def _say_released(self) -> None:
        token = self._asked_release
        if token is None:
            return
        hopeless = not self.link_up and self.ctx.clock.monotonic() - self._asked_s >= DEAD_WIRE_S
        if hopeless or not self.unverified():
            self._asked_release = None
            self.ctx.reply_to(token, Released(device=self.ctx.path, unverified=self._pending()))

    # --- what is published ------------------------------------------------------------------------------------------
    def wrote(self, point: str, value: str, level: Level, *, cause: str, detail: str, request_id: str = "",
              counted: bool = False) -> None:
        """One entry of the wire log."""
        self.ctx.publish(
            WireWrite(
                at=self.ctx.clock.now(), at_s=self.ctx.clock.monotonic(), point=point, value=value, level=level,
                cause=cause, epoch=(self.ctx.epoch.boot, self.ctx.epoch.incarnation), detail=detail,
                request_id=request_id, counted=counted,
            )
        )

    def proof(self, point: str, stage: str, value: str, request_id: str, since_s: float, reason: str = "") -> None:
        """How far an order got."""
        latency_s = self.ctx.clock.monotonic() - since_s
        self.ctx.publish(
            Proof(at=self.ctx.clock.now(), point=point, stage=stage, value=value, request_id=request_id,
                  latency_s=latency_s, reason=reason)
        )

    def alarm(self, name: str, text: str) -> None:
        """Said once when it begins."""
        if name not in self._alarms:
            self._alarms.add(name)
            self.ctx.publish(Alarm(at=self.ctx.clock.now(), name=name, active=True, text=text))

    def alarm_over(self, name: str) -> None:
        """Said once when it ends."""
        if name in self._alarms:
            self._alarms.discard(name)
            self.ctx.publish(Alarm(at=self.ctx.clock.now(), name=name, active=False, text=""))
