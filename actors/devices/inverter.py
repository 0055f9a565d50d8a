"""The hybrid inverter: `inverter.mode` and `inverter.export_limit_kw`, written one register at a time and proven."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from actors.devices.base import LINK, Device, DeviceActor, DeviceTiming
from actors.devices.effect import limit_shows, mode_shows
from actors.devices.growatt import (
    COMMAND_TOPIC,
    RESULT_TOPIC,
    TELEMETRY_TOPIC,
    Registers,
    Target,
    Write,
    assume,
    export_writes,
    mode_writes,
    parse_json,
    parse_telemetry,
    stored,
    target_of,
    wanted_slot,
)
from actors.devices.inverter_job import Flight, InverterExtras, Job
from actors.devices.write_budget import WriteBudget
from actors.messages import ApprovedSetpoint, Incoming, Outgoing, Tick, Wear
from actors.runtime import Lane
from models.errors import PayloadError
from models.types.command import Level, Value
from models.types.house import House
from models.types.mode import REGULAR, Composite, InverterMode
from models.types.point import Modes, NumberRange, PointSpec
from models.types.reading import InverterReading

PATH = "/devices/inverter"
MODE, EXPORT = "inverter.mode", "inverter.export_limit_kw"
PACING_S = 1.0  # the stick fails writes within 0.85 s of one another, and the wire adds jitter
PACING_SLACK_S = 1e-6
TRIES = 3
WEAR_EVERY_S = 900.0
AGAIN_FIRST_S, AGAIN_DOUBLINGS = 60.0, 6  # pause before a failed default is tried again: 1 min to about 1 h
SOC_JUMP = 0.3  # more than this between two messages is a fault of the sensor, until it repeats itself


def points(house: House) -> tuple[PointSpec, ...]:
    """The inverter's rows of the table of points."""
    contract = house.connection.export_contract_kw
    export = PointSpec(
        name=EXPORT, device=PATH, envelope=NumberRange(low=0.0, high=contract), default=contract, trip={"": 0.0},
        emergency=0.0, unit="kW",
    )
    if house.battery is None:
        return (export,)
    envelope = Modes(allowed=tuple(Composite), soc_min=house.battery.soc_min, soc_max=house.battery.soc_max)
    hold = InverterMode(composite=Composite.HOLD, stop_soc=0.5)
    mode = PointSpec(
        name=MODE, device=PATH, envelope=envelope, default=REGULAR, trip={"": REGULAR}, emergency=hold,
        requires=("inverter",),
    )
    return mode, export


class InverterActor(DeviceActor):
    """Reads before it writes, writes one register at a time, and says *applied* only after the read-back."""

    topics = COMMAND_TOPIC

    def __init__(self, house: House, timing: DeviceTiming, budget: WriteBudget) -> None:
        super().__init__(points(house), timing)
        self._house, self._budget = house, budget
        self._live: Registers | None = None
        self._reading: InverterReading | None = None
        self._live_s = -1e9
        self._assumed: list[tuple[Write, float]] = []
        self._flight: Flight | None = None
        self._last_write_s = -1e9
        self._sent: dict[str, tuple[Write, float]] = {}  # per register, what was written last and when
        self._cut: Flight | None = None  # a trip took its place; its answer is still of interest
        self._loose_until_s = -1e9  # a command whose answer nobody waits for may arrive until then
        self._jobs: dict[str, Job] = {}
        self._number = 0
        self._jumps = 0
        self._said_wear_s = 0.0
        self._proven: dict[str, object] = {}  # per point, what was stored when it was found applied
        self._hands_off_s: dict[str, float] = {}  # per point, until the gate has heard of somebody else's hand
        self._foreign_s: dict[str, float] = {}  # per point, until when settings of others are left alone

    def leased(self, point: PointSpec) -> bool:
        return False  # what is stored in the inverter ends with its slot

    def wire_is_back(self) -> None:
        self._flight = None  # nobody knows whether it went out with the old wire; telemetry will tell

    def on_start(self) -> None:
        super().on_start()
        self.ctx.subscribe(Incoming)
        self._last_write_s = self.ctx.clock.monotonic()  # a former life may have written this very instant
        if (self.ctx.epoch.boot, self.ctx.epoch.incarnation) > (1, 1):
            self._loose_until_s = self._last_write_s + self.timing.answer_s
        self._say_wear()

    def handle(self, message: object) -> None:
        match message:
            case Incoming(topic=topic) if topic == TELEMETRY_TOPIC:
                self._hear(message)
            case Incoming(topic=topic, retained=retained) if topic == RESULT_TOPIC:
                if not retained:  # a retained result is an old answer
                    self._answer(message)
            case Incoming():
                pass
            case _:
                super().handle(message)

    # --- what the inverter says -----------------------------------------------------------------------------------
    def _hear(self, message: Incoming) -> None:
        try:
            reading, registers = parse_telemetry(message.payload, self.ctx.clock.now())
        except PayloadError as error:
            self.rejected += 1
            self.alarm("inverter_payload", f"energy/solar is not believed: {error}")
            return
        if message.retained and reading.online:
            return  # the broker's memory of an inverter that may be gone; its last will is news, though
        if self._jumped(reading):
            return
        self.alarm_over("inverter_payload")
        self._reading = reading
        if registers is not None:
            self._live, self._live_s = registers, message.received_s
            self._assumed = [  # until the read-back shows it, or it should have
                (write, answered_s)
                for write, answered_s in self._assumed
                if message.received_s - answered_s < self.timing.settle_s and assume(registers, write) != registers
            ]
        self.ctx.publish(reading)
        self._see_hands()
        self.act()
        self._check_effect()

    def _jumped(self, reading: InverterReading) -> bool:
        before = None if self._reading is None else self._reading.soc
        if before is None or reading.soc is None or abs(reading.soc - before) <= SOC_JUMP or self._jumps >= 2:
            self._jumps = 0
            return False
        self._jumps += 1
        self.rejected += 1
        return True

    def _answer(self, message: Incoming) -> None:
        try:
            body = parse_json(message.payload)
        except PayloadError:
            self.rejected += 1
            return
        known = [f for f in (self._flight, self._cut) if f is not None and f.correlation == body.get("correlationId")]
        if not known:
            self.rejected += 1  # unknown, late or somebody else's
            return
        flight = known[0]
        if flight is self._flight:
            self._flight = None
        else:
            self._cut = None
        if body.get("success") is True:
            self._assumed.append((flight.write, self.ctx.clock.monotonic()))
            job = flight.job
            if self._jobs.get(flight.point) is job and not job.stage:
                job.stage = "written"
                self.proof(flight.point, "written", str(job.value), job.request_id, job.since_s)
        self.act()

    def _see_hands(self) -> None:
        """Registers that made what was told, and that nobody of us has changed since."""
        at_s, live = self.ctx.clock.monotonic(), self._live
        ours = self._flight or self._cut or self._assumed or at_s < self._loose_until_s
        if live is None or ours or at_s - self._last_write_s < self.timing.settle_s:
            return
        for name, job in self._jobs.items():
            stood = job.stage in ("applied", "effective") and name in self._proven
            if not stood or job.level <= Level.GRID_OPERATOR or at_s < self._hands_off_s.get(name, 0.0):
                continue
            found, left_at = stored(live, export=name == EXPORT), self._left_at(name, live)
            foreign = at_s < self._foreign_s.get(name, 0.0)
            if not foreign and (found == self._proven[name] or not self._writes(name, job, live)):
                continue
            self._proven[name] = found
            if left_at is not None and not self._is(left_at, job):
                self._foreign_s.pop(name, None)
                if self.hands.found(name, left_at):
                    self._hands_off_s[name] = at_s + self.timing.settle_s  # until the gate has heard of it
            elif not foreign:  # nothing that shows now: a slot for tonight, say
                self._foreign_s[name] = at_s + self.hands.stored(name, "settings of the inverter")

    def _is(self, value: Value, job: Job) -> bool:
        """What runs is what was told."""
        if not isinstance(value, InverterMode) or job.target is None:
            return value == job.value
        assert self._reading is not None
        if value.composite in (Composite.CHARGE_FROM_GRID, Composite.DISCHARGE_TO_GRID):
            return target_of(value, self._reading.soc) == job.target
        return value.composite is job.target.composite

    def _left_at(self, name: str, live: Registers) -> Value | None:
        """What somebody left a point at; None: nothing that can be named."""
        if name == MODE:
            return None if self._reading is None else self._reading.mode
        contract, rated = self._house.connection.export_contract_kw, self._house.inverter.ac_limit_kw
        return min(contract, live.export_percent / 100.0 * rated) if live.export_limited else contract

    # --- what is written ------------------------------------------------------------------------------------------
    def act(self) -> None:
        at_s = self.ctx.clock.monotonic()
        if self._live is None or self._reading is None or at_s - self._live_s > self.timing.answer_s * 10:
            return  # read before write
        for name in self.points:
            self._adopt(name, at_s)
        if at_s - self._said_wear_s > WEAR_EVERY_S:
            self._say_wear()  # the running day forgets old writes
        if self._waiting(at_s):
            return
        for name in self._order():
            if self._advance(name, at_s):
                return

    def _adopt(self, name: str, at_s: float) -> None:
        value, level, request_id, cause = self.wanted(name)
        job = self._jobs.get(name)
        if job is not None and (job.value, job.level <= Level.SAFETY_TRIP) == (value, level <= Level.SAFETY_TRIP):
            job.level, job.cause, job.request_id = level, cause, request_id
            return
        if self._flight is not None and self._flight.job is job:
            self._withdraw(self._flight)
        target = None
        if isinstance(value, InverterMode):
            assert self._reading is not None
            target = target_of(value, self._reading.soc)
        self._jobs[name] = Job(request_id=request_id, value=value, level=level, cause=cause, since_s=at_s,
                                target=target)

    def _order(self) -> list[str]:
        """Trips first; then what is half written (nothing comes between the registers of one mode change)."""
        jobs = self._jobs
        return sorted(jobs, key=lambda n: (jobs[n].level > Level.SAFETY_TRIP, not jobs[n].begun, n != MODE))

    def _waiting(self, at_s: float) -> bool:
        """True while a command is in flight or the stick needs its pause."""
        flight = self._flight
        urgent = any(j.level <= Level.SAFETY_TRIP and self._writes(n, j) for n, j in self._jobs.items())
        if flight is not None:
            if urgent and flight.level > Level.SAFETY_TRIP:
                self._flight, self._cut = None, flight  # a trip does not wait for an answer, only for the pause
                self._loose_until_s = flight.sent_s + self.timing.answer_s
            elif at_s - flight.sent_s < self.timing.answer_s:
                return True
            else:
                self._withdraw(flight)
                self._flight = None  # never answered: telemetry will tell whether it arrived
        left_s = PACING_S - (at_s - self._last_write_s)
        if left_s > PACING_SLACK_S:  # a rounding error short of the pause is the pause: it must not spin
            self.ctx.after(left_s, Tick(name="act"), name="pacing", lane=Lane.URGENT)
            return True
        return False

    def _view(self) -> Registers:
        """Registers as read, with what was answered since."""
        assert self._live is not None
        view = self._live
        for write, _ in self._assumed:
            view = assume(view, write)
        return view

    def _writes(self, name: str, job: Job, live: Registers | None = None) -> list[Write]:
        live = self._view() if live is None else live
        if name == EXPORT:
            assert isinstance(job.value, (int, float))
            contract, rated = self._house.connection.export_contract_kw, self._house.inverter.ac_limit_kw
            return export_writes(float(job.value), contract, rated, live)
        assert job.target is not None
        clock = self._inverter_clock()
        return mode_writes(job.target, self._ends(name, job.target, clock), clock, live)

    def _ends(self, name: str, target: Target, clock: datetime) -> datetime | None:
        """When the run of a mode is over, on the inverter's clock; None: nobody has said."""
        order = self.orders.get(name)
        if order is None or order.setpoint.until_s is None or target.composite is Composite.REGULAR:
            return None
        return clock + timedelta(seconds=order.setpoint.until_s - self.ctx.clock.monotonic())

    def _stands(self, name: str, job: Job) -> bool:
        """The registers, as read, make what is wanted: nothing is left to write, and its slot is there."""
        assert self._live is not None
        if self._writes(name, job, self._live):
            return False
        target = job.target
        if target is None or target.composite is Composite.REGULAR:
            return True
        clock = self._inverter_clock()
        return wanted_slot(target, self._ends(name, target, clock), clock, self._live) is not None

    def _inverter_clock(self) -> datetime:
        """Its own clock now; where it reports none, UTC stands in and the slot may begin late."""
        assert self._reading is not None
        known = self._reading.inverter_clock
        if known is None:
            return self.ctx.clock.now().replace(tzinfo=None)
        return known + timedelta(seconds=self.ctx.clock.monotonic() - self._live_s)

    def _advance(self, name: str, at_s: float) -> bool:
        """One step of one job; True if a write was sent."""
        job = self._jobs[name]
        writes = self._writes(name, job)
        if not writes:
            self._verify(name, job)
            return False
        left_alone_s = max(self._hands_off_s.get(name, 0.0), self._foreign_s.get(name, 0.0))
        if job.level > Level.USER and at_s < left_alone_s:
            return False
        if not self.link_up and job.level > Level.SAFETY_TRIP:
            return False
        write = writes[0]
        if job.stage in ("applied", "effective"):  # renewal, or the device drifted from what was applied
            job.stage, job.since_s, job.tries = "", at_s, {}
        if self._unread(write, job):
            return job.begun  # nothing comes between the registers of one mode change
        if job.tries.get(write.register, 0) >= TRIES:
            self._give_up(name, job, write)
            return False
        if not self._budget.allows(write, job.level, self.ctx.clock.now()):
            self.alarm("write_budget", f"write budget of {name} is used up; {write.register} is not written")
            return False
        self._send(name, job, write, at_s)
        return True

    def _unread(self, write: Write, job: Job) -> bool:
        """True while this write must wait for telemetry. Trips do not wait.

        What was written is not written again before it could come back (it may have arrived, and equal values wear).
        Nothing is switched on before the read-back shows that its opposite is off: an answer alone may lie.
        """
        if job.level <= Level.SAFETY_TRIP:
            return False
        last, sent_s = self._sent.get(write.register, (None, -1e9))
        again = job.tries.get(write.register, 0) > 0 or (last is not None and last.body == write.body)
        loose = self.ctx.clock.monotonic() < self._loose_until_s  # what a former life sent, or a trip cut short
        if again and (loose or self._live_s <= sent_s):
            return True
        if write.makes and loose:
            return True
        return write.makes and any(w.breaks for w in self._writes(MODE, job, self._live))

    def _send(self, name: str, job: Job, write: Write, at_s: float) -> None:
        self._number += 1
        epoch = self.ctx.epoch
        correlation = f"pems-{epoch.boot}.{epoch.incarnation}-{self._number}"
        body = json.dumps({**write.body, "correlationId": correlation})
        job.tries[write.register] = job.tries.get(write.register, 0) + 1
        job.begun = True
        self._flight = Flight(correlation=correlation, write=write, point=name, job=job, sent_s=at_s, level=job.level)
        self._last_write_s = at_s
        self._sent[write.register] = (write, at_s)
        self._assumed = [a for a in self._assumed if a[0].register != write.register]
        self.ctx.tell(
            LINK,
            Outgoing(topic=COMMAND_TOPIC + write.command, payload=body.encode(),
                     expires_s=at_s + self.timing.command_ttl_s, slot=f"{name}/{write.register}"),
            lane=Lane.URGENT if job.level <= Level.GRID_OPERATOR else Lane.USER,
        )
        self._budget.record(write, job.level, self.ctx.clock.now())
        self.wrote(name, str(job.value), job.level, cause=job.cause, detail=f"{write.command} {json.dumps(write.body)}",
                   request_id=job.request_id, counted=True)
        self._say_wear()

    def _withdraw(self, flight: Flight) -> None:
        """What still waits for the wire must not go out later."""
        at_s, write = self.ctx.clock.monotonic(), flight.write
        slot = f"{flight.point}/{write.register}"
        nothing = Outgoing(topic=COMMAND_TOPIC + write.command, payload=b"", expires_s=at_s, slot=slot)
        self.ctx.tell(LINK, nothing, lane=Lane.URGENT)

    def _verify(self, name: str, job: Job) -> None:
        """Applied is said when the registers, as read after the last write, make the mode."""
        if job.stage in ("applied", "effective") or not self._stands(name, job):
            return
        at_s = self.ctx.clock.monotonic()
        wrote_s = max((s for _, (w, s) in self._sent.items() if w.export is (name == EXPORT)), default=-1e9)
        if self._live_s <= wrote_s or at_s < self._loose_until_s:
            return  # what was written last, by whomever, may not show yet
        job.stage, job.begun, job.tries, job.applied_s = "applied", False, {}, self.ctx.clock.monotonic()
        assert self._live is not None
        self._proven[name] = stored(self._live, export=name == EXPORT)
        self.confirmed(name, job.request_id)
        self.proof(name, "applied", str(job.value), job.request_id, job.since_s)

    def _give_up(self, name: str, job: Job, write: Write) -> None:
        if job.stage == "failed":
            pause_s = AGAIN_FIRST_S * 2 ** min(job.failures - 1, AGAIN_DOUBLINGS)
            if self.ctx.clock.monotonic() - self._last_write_s > pause_s:
                job.tries = {}  # even a default that failed is tried again, ever more rarely: each try wears
                job.stage = ""
            return
        job.stage = "failed"
        job.failures += 1
        reason = f"{write.register} did not come back after {TRIES} writes"
        self.forfeit(name, job.request_id, reason)
        self.proof(name, "failed", str(job.value), job.request_id, job.since_s, reason)

    def ordered(self, setpoint: ApprovedSetpoint) -> None:
        self._hands_off_s.pop(setpoint.point, None)
        job = self._jobs.get(setpoint.point)
        if job is not None and setpoint.level <= Level.SAFETY_TRIP and job.level > Level.SAFETY_TRIP:
            self._jobs.pop(setpoint.point)

    # --- what came of it ------------------------------------------------------------------------------------------
    def _check_effect(self) -> None:
        """Effective is said when the power flow shows the mode; applied but without effect is an alarm."""
        at_s = self.ctx.clock.monotonic()
        for name, job in self._jobs.items():
            if job.stage != "applied" or self._live_s <= job.applied_s:
                continue
            if self._shows(job):
                job.stage = "effective"
                self.alarm_over(f"ineffective:{name}")
                self.proof(name, "effective", str(job.value), job.request_id, job.since_s)
            elif at_s - job.applied_s > self.timing.effect_s:
                self.alarm(f"ineffective:{name}", f"{name}: {job.value} is in the registers, the power flow differs")

    def _shows(self, job: Job) -> bool:
        reading = self._reading
        assert reading is not None
        if job.target is not None:
            return mode_shows(job.target, reading)
        assert isinstance(job.value, (int, float))
        return limit_shows(float(job.value), reading)

    def _say_wear(self) -> None:
        now = self.ctx.clock.now()
        self._said_wear_s = self.ctx.clock.monotonic()
        if self._budget.problem:
            self.alarm("wear_unsaved", f"writes of stored registers are not known or not kept: {self._budget.problem}")
        else:
            self.alarm_over("wear_unsaved")
        self.ctx.publish(Wear(points=(MODE,), used_24h=sum(self._budget.used(now)), left=self._budget.left(now)))

    def unverified(self) -> dict[str, str]:
        missing = {}
        for name, spec in self.points.items():
            job = self._jobs.get(name)
            if self._live is None or self.ctx.clock.monotonic() - self._live_s > 10 * self.timing.answer_s:
                missing[name] = "the inverter is silent"
            elif job is None or job.value != spec.default or job.stage not in ("applied", "effective"):
                missing[name] = "its default is not read back yet"
        return missing

    def snapshot(self) -> dict[str, object]:
        at_s = self.ctx.clock.monotonic()
        reading = self._reading
        return {
            "online": None if reading is None else reading.online,
            "soc": None if reading is None else reading.soc,
            "composite": None if reading is None or reading.composite is None else reading.composite.value,
            "age_s": None if reading is None else round(at_s - self._live_s, 1),
            "rejected": self.rejected,
            "writes_24h": self._budget.used(self.ctx.clock.now()),
            "points": {
                name: {"wanted": str(j.value), "stage": j.stage or "writing", "since_s": round(at_s - j.since_s, 1)}
                for name, j in list(self._jobs.items())
            },
            "alarms": sorted(self._alarms),
        }


def make(house: House, timing: DeviceTiming, extras: object) -> DeviceActor:
    """Built by the registry; `extras` carries the wear log and its budgets."""
    assert isinstance(extras, InverterExtras)
    return InverterActor(
        house, timing, WriteBudget(extras.wear, writes=extras.budget, slots=extras.slot_budget)
    )


DEVICE = Device(id="inverter", points=points, make=make)
