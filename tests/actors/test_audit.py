"""The auditor finds each breach: every story here breaks one invariant on purpose, and its sound twin breaks none."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from actors.audit import Audit
from actors.devices.registry import all_points
from actors.messages import (
    Alarm,
    Incoming,
    Latched,
    LinkState,
    Permit,
    PricesKnown,
    Proof,
    Trip,
    TripReset,
    Wear,
    WireWrite,
)
from actors.runtime import Failed, ManualClock, Started
from models.twins.truth import EnergyMeters, RoomTruth, TwinTruth
from models.types.command import RELINQUISH, Level, Outcome, Request, Verdict
from models.types.mode import Composite, InverterMode
from models.types.reading import InverterReading, MeterReading, RoomReading, RoomsReading
from tests.properties.house import EXPORT, MODE, RELAYS, SETPOINTS, house_file, prices

HALL, BATH, LIVING = RELAYS
START = datetime(2021, 2, 8, 9, 0, tzinfo=UTC)
CHARGE = InverterMode(composite=Composite.CHARGE_FROM_GRID, stop_soc=0.9)
ON = 'batteryfirst/set/timeslot {"start": "10:00", "stop": "11:00", "enabled": true, "slot": 1}'
OURS = {"BattSlot1Start": 10 * 256, "BattSlot1Stop": 11 * 256, "BattSlot1En": 1}  # what ON stores
SELLS = 'gridfirst/set/timeslot {"start": "10:00", "stop": "11:00", "enabled": true, "slot": 1}'
BUYS = 'batteryfirst/set/acchargeenabled {"value": 1}'
NOTHING_STORED: dict[str, object] = {
    "InverterStatus": 1, "SOC": 50, "BattFirstACChrg": 0, "BattFirstSOC": 100, "BattFirstPwrRate": 100,
    "GridFirstSOC": 20, "GridFirstPwrRate": 100, "ExportLimitFlag": 1, "ExportLimitValue": 80.0,
    **{f"{g}Slot{i}{part}": 0 for g in ("Batt", "Grid") for i in (1, 2, 3) for part in ("Start", "Stop", "En")},
}  # fmt: skip


class Stage:
    """A runtime of which only the events exist."""

    def __init__(self) -> None:
        config = house_file(tick_s=1.0)
        self.house, self.times = config.house, config.timing
        self.clock = Wall(START)
        self.audit = Audit(self.house, all_points(self.house), self.times)
        self.audit.attach(self)
        self.seq = 0
        self.beat()

    def listen(self, listener: Callable[[object], None], *event_types: type) -> None:
        self.hear = listener

    def say(self, *events: object) -> None:
        for event in events:
            self.hear(event)

    def beat(self, *, soc: float = 0.5, air_c: float = 20.5, grid_kw: float = 1.0, on: bool = False) -> None:
        """Permit, readings and a link, all fresh."""
        at, at_s = self.clock.now(), self.clock.monotonic()
        room = RoomReading(measured_at=at, air_c=air_c, relay_on=on, automatic=False)
        self.say(
            Permit(epoch=(1, 1), until_s=at_s + self.times.permit_s),
            InverterReading(
                measured_at=at, online=True, fault=False, soc=soc, pv_kw=0.0, battery_kw=0.0, grid_kw=grid_kw,
                load_kw=1.0,
            ),
            MeterReading(measured_at=at, grid_kw=grid_kw),
            RoomsReading(measured_at=at, rooms={r.name: room for r in self.house.rooms}),
            LinkState(up=True),
        )

    def live(self, seconds: float, **how: object) -> None:
        """Time passes, with a beat every second or so."""
        end_s = self.clock.monotonic() + seconds
        while self.clock.monotonic() < end_s:
            self.clock.advance(min(1.0 if seconds < 100 else 30.0, end_s - self.clock.monotonic()))
            self.beat(**how)  # type: ignore[arg-type]

    def accept(
        self, point: str, value: object, *, level: Level = Level.PLAN, source: str = "/plan/x",
        ttl_s: float | None = 900.0, issued_in_s: float = 0.0, epoch: tuple[int, int] = (1, 1), seq: int | None = None,
        outcome: Outcome = Outcome.ACCEPTED, note: str = "",
    ) -> Request:  # fmt: skip
        """The gate accepts a request."""
        self.seq += 1
        issued = self.clock.now() + timedelta(seconds=issued_in_s)
        request = Request(
            id=f"{source}-{self.seq}", source=source, level=level, point=point, value=value,  # type: ignore[arg-type]
            issued=issued, expires=None if ttl_s is None else issued + timedelta(seconds=ttl_s), epoch=epoch,
            seq=self.seq if seq is None else seq, cause="t", note=note,
        )  # fmt: skip
        self.say(request, self.verdict(request, outcome))
        return request

    def verdict(self, request: Request, outcome: Outcome) -> Verdict:
        return Verdict(
            request_id=request.id, source=request.source, level=request.level, point=request.point, outcome=outcome,
            reason="", at=self.clock.now(), value=request.value, cause="t",
        )  # fmt: skip

    def write(
        self, point: str, value: object, request: Request | None = None, *, level: Level | None = None,
        detail: str = "", life: int = 1,
    ) -> None:  # fmt: skip
        """A device hands something to the link."""
        if level is None:
            level = Level.DEFAULT if request is None else request.level
        self.say(
            WireWrite(
                at=self.clock.now(), at_s=self.clock.monotonic(), point=point, value=str(value), level=level, cause="t",
                epoch=(1, life), detail=detail, request_id="" if request is None else request.id, counted=bool(detail),
            )
        )  # fmt: skip

    def trip(self, kind: str, *points: str) -> Trip:
        trip = Trip(id=f"{kind}-1", kind=kind, points=points, reason="t", tripped_at=self.clock.now(), hold_off_s=60.0)
        self.say(trip)
        return trip

    def stored(self, **registers: object) -> None:
        """Telemetry of the inverter's registers."""
        body = json.dumps({**NOTHING_STORED, **registers}).encode()
        at_s = self.clock.monotonic()
        self.say(Incoming(topic="energy/solar", payload=body, retained=False, received_s=at_s))

    def look(self, **changes: object) -> None:
        truth = TwinTruth(
            at=self.clock.now(), soc=0.5, composite=Composite.REGULAR,
            rooms=tuple(RoomTruth(name=r.name, air_c=20.0, slab_c=21.0, relay_on=False, on_h=0.0, switches=0)
                        for r in self.house.rooms),
            meters=EnergyMeters(), phase_import_kw=(0.0, 0.0, 0.0), grid_kw=1.0, battery_kw=0.0, pv_used_kw=0.0,
            pv_available_kw=0.0, load_kw=1.0, heating_kw=0.0,
        )  # fmt: skip
        self.audit.look(replace(truth, **changes), self.clock.monotonic())  # type: ignore[arg-type]

    def broken(self) -> set[int]:
        return {b.invariant for b in self.audit.breaches}


class Wall(ManualClock):
    wrong_s = 0.0

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.wrong_s)


Story = Callable[[Stage], None]


def unknown_request(s: Stage) -> None:
    s.accept(HALL, "on")
    s.write(HALL, "on", replace(s.accept(BATH, "on"), id="never offered"))


def other_value(s: Stage) -> None:
    s.write(HALL, "off", s.accept(HALL, "on"))


def default_that_is_none(s: Stage) -> None:
    s.write(HALL, "on")


def trip_without_a_trip(s: Stage) -> None:
    s.write(HALL, "off", level=Level.SAFETY_TRIP)


def old_life(s: Stage) -> None:
    s.say(Started("/devices/rooms", 2))
    s.write(HALL, "auto", life=1)


def outside_the_envelope(s: Stage) -> None:
    s.write(EXPORT, 40.0, s.accept(EXPORT, 40.0))


def not_finite(s: Stage) -> None:
    s.accept(EXPORT, math.nan)


def passed_over(s: Stage) -> None:
    s.accept(EXPORT, 0.0, level=Level.USER, source="user")
    s.live(5)
    s.write(EXPORT, 5.0, s.accept(EXPORT, 5.0))


def setpoint_passed_over(s: Stage) -> None:
    s.accept(SETPOINTS[0], 20.0, level=Level.USER, source="user")
    s.live(5)
    s.write(SETPOINTS[0], 21.0, s.accept(SETPOINTS[0], 21.0))


def write_while_tripped(s: Stage) -> None:
    s.trip("floor", HALL)
    s.live(2)
    s.write(HALL, "on", s.accept(HALL, "on", level=Level.USER, source="user"))


def trip_forgotten(s: Stage) -> None:
    s.trip("floor", HALL)
    s.say(Latched(trips=()))


def reset_too_early(s: Stage) -> None:
    trip = s.trip("floor", HALL)
    s.live(30)
    s.say(TripReset(id=trip.id, at=s.clock.now()))


def reset_of_nothing(s: Stage) -> None:
    s.say(TripReset(id="x", at=s.clock.now()))


def expired(s: Stage) -> None:
    request = s.accept(HALL, "on", ttl_s=5.0)
    s.live(9)
    s.write(HALL, "on", request)


def relinquished(s: Stage) -> None:
    request = s.accept(HALL, "on")
    s.accept(HALL, RELINQUISH)
    s.live(5)
    s.write(HALL, "on", request)


def too_long(s: Stage) -> None:
    s.accept(HALL, "on", ttl_s=86_400.0)


def unlimited(s: Stage) -> None:
    s.accept(HALL, "on", level=Level.USER, source="user", ttl_s=None)


def not_newer(s: Stage) -> None:
    s.accept(HALL, "on", seq=9)
    s.accept(HALL, "off", seq=9)


def older_epoch_acts(s: Stage) -> None:
    request = s.accept(HALL, "on")
    s.accept(BATH, "on", epoch=(1, 2))
    s.live(5)
    s.write(HALL, "on", request)


def no_permit(s: Stage) -> None:
    request = s.accept(HALL, "on")
    s.clock.advance(3.0)
    s.write(HALL, "on", request)


def stands_without_a_permit(s: Stage) -> None:
    s.say(Started("/devices/rooms", 1))
    s.live(5)
    s.write(HALL, "on", s.accept(HALL, "on"))
    s.clock.advance(60.0)
    s.look()


def survives_the_gate(s: Stage) -> None:
    request = s.accept(HALL, "on")
    s.live(5)
    s.say(Failed("/core/gate", 1, "t"), Started("/core/gate", 2))
    s.live(5)
    s.write(HALL, "on", request)


def stands_after_its_end(s: Stage) -> None:
    s.say(Started("/devices/rooms", 1))
    s.live(5)
    s.write(SETPOINTS[0], 20.0, s.accept(SETPOINTS[0], 20.0, ttl_s=10.0))
    s.live(60)
    s.look()


def slot_too_far_ahead(s: Stage) -> None:
    s.stored()
    s.write(MODE, CHARGE, s.accept(MODE, CHARGE, ttl_s=7200.0), detail=ON.replace("11:00", "13:30"))


def runs_on_after_its_slot(s: Stage) -> None:
    s.live(9000)
    s.look(composite=Composite.HOLD)  # somebody else's, perhaps: nobody has had the time to say so
    s.live(400)
    s.look(composite=Composite.HOLD)


def our_own_slot_runs_on(s: Stage) -> None:
    s.stored()
    s.write(MODE, CHARGE, s.accept(MODE, CHARGE, ttl_s=7200.0), detail=ON)
    s.live(7300)
    s.stored(**OURS)
    s.look(composite=Composite.CHARGE_FROM_GRID)  # two hours, rounded up
    assert s.broken() == set()
    s.live(500)
    s.stored(**OURS)
    s.look(composite=Composite.CHARGE_FROM_GRID)  # nobody's but ours: there is nothing to wait for


def applied_too_early(s: Stage) -> None:
    s.stored()
    s.clock.advance(1.0)
    s.beat()
    request = s.accept(EXPORT, 0.0)
    body = 'modbus/set {"id": 123, "type": "16b", "registerType": "H", "value": 0}'
    s.write(EXPORT, 0.0, request, detail=body)
    s.say(_proof(s, EXPORT, "applied", 0.0))


def applied_without_effect_in_the_registers(s: Stage) -> None:
    s.stored()
    s.say(_proof(s, MODE, "applied", CHARGE))


def failed_without_alarm(s: Stage) -> None:
    s.say(_proof(s, HALL, "failed", "on"))


def tried_a_fourth_time(s: Stage) -> None:
    request = s.accept(HALL, "on")
    s.say(Alarm(at=START, name=f"unconfirmed:{HALL}", active=True, text=""))
    s.say(_proof(s, HALL, "failed", "on", request.id))
    s.write(HALL, "on", request)


def charge_when_full(s: Stage) -> None:
    s.stored()
    s.live(80, soc=1.0)
    s.write(MODE, CHARGE, s.accept(MODE, CHARGE), detail=ON)


def discharge_when_empty(s: Stage) -> None:
    s.stored()
    s.live(80, soc=0.19)
    mode = InverterMode(composite=Composite.DISCHARGE_TO_GRID, stop_soc=0.2)
    s.say(PricesKnown(prices=prices([0.3] * 9)))
    s.write(MODE, mode, s.accept(MODE, mode), detail=SELLS)


def below_the_window(s: Stage) -> None:
    s.look(soc=0.21)
    s.look(soc=0.18)


def beyond_the_battery(s: Stage) -> None:
    s.look(battery_kw=-5.5)


def beyond_the_taper(s: Stage) -> None:
    s.look(soc=0.99, battery_kw=4.9)


def beyond_the_contract(s: Stage) -> None:
    s.look(grid_kw=-8.5)


def feeds_in_at_a_loss(s: Stage) -> None:
    s.say(PricesKnown(prices=prices([-0.1] * 20)))
    s.look()
    s.live(300)
    s.look(grid_kw=-2.0)


def buys_and_sells(s: Stage) -> None:
    s.stored()
    request = s.accept(MODE, CHARGE)
    s.write(MODE, CHARGE, request, detail=SELLS)
    s.live(2)
    s.write(MODE, CHARGE, request, detail=BUYS)


def both_slots(s: Stage) -> None:
    s.stored(GridSlot1Start=600, GridSlot1Stop=900, GridSlot1En=1)
    s.write(MODE, CHARGE, s.accept(MODE, CHARGE), detail=ON)


def off_too_soon(s: Stage) -> None:
    s.live(700)
    s.write(HALL, "on", s.accept(HALL, "on"))
    s.live(300, on=True)
    s.write(HALL, "off", s.accept(HALL, "off"))


def too_many_starts(s: Stage) -> None:
    relay = s.audit._relays._relays[HALL]
    relay.rule = replace(relay.rule, min_on_s=0.0, min_off_s=0.0)
    for i in range(10):
        word = "off" if i % 2 else "on"
        s.live(60)
        s.write(HALL, word, s.accept(HALL, word))


def held_on_in_the_heat(s: Stage) -> None:
    s.write(HALL, "on", s.accept(HALL, "on"))
    s.live(20, air_c=26.0, on=True)


def held_off_in_the_frost(s: Stage) -> None:
    s.write(HALL, "off", s.accept(HALL, "off"))
    s.live(20, air_c=6.0)


def over_the_connection(s: Stage) -> None:
    s.live(20, grid_kw=10.5)
    s.write(LIVING, "on", s.accept(LIVING, "on"))


def overload_lasts(s: Stage) -> None:
    s.write(HALL, "on", s.accept(HALL, "on"))
    s.live(120, grid_kw=14.0, on=True)


def acts_on_a_stale_room(s: Stage) -> None:
    for _ in range(70):
        s.clock.advance(10.0)
        at = s.clock.now()
        s.say(Permit(epoch=(1, 1), until_s=s.clock.monotonic() + 2.0), MeterReading(measured_at=at, grid_kw=1.0))
    s.write(HALL, "on", s.accept(HALL, "on"))


def acts_on_the_first_sample(s: Stage) -> None:
    s.clock.advance(700.0)
    s.beat()
    s.clock.advance(5.0)
    s.beat()
    s.write(HALL, "on", s.accept(HALL, "on"))


def impossible_soc(s: Stage) -> None:
    s.beat(soc=1.4)


def impossible_power(s: Stage) -> None:
    s.beat(grid_kw=math.nan)


def impossible_air(s: Stage) -> None:
    s.beat(air_c=200.0)


def from_the_future(s: Stage) -> None:
    s.accept(HALL, "on", issued_in_s=60.0)


def no_command(s: Stage) -> None:
    s.write(MODE, CHARGE, s.accept(MODE, CHARGE), detail="inverter/explode {}")


def too_fast(s: Stage) -> None:
    s.stored()
    request = s.accept(MODE, CHARGE)
    s.write(MODE, CHARGE, request, detail='batteryfirst/set/stopsoc {"value": 90}')
    s.clock.advance(0.5)
    s.write(MODE, CHARGE, request, detail=BUYS)


def rewritten(s: Stage) -> None:
    s.stored()
    s.write(MODE, CHARGE, s.accept(MODE, CHARGE), detail='batteryfirst/set/stopsoc {"value": 100}')


def over_budget(s: Stage) -> None:
    s.stored()
    for i in range(25):
        s.live(10)
        s.write(EXPORT, 8.0, detail=f'modbus/set {{"id": 123, "type": "16b", "registerType": "H", "value": {i}}}')


def jump_lengthens(s: Stage) -> None:
    request = s.accept(HALL, "on", ttl_s=10.0)
    s.write(HALL, "on", request)
    s.clock.wrong_s -= 3600.0
    s.live(20)
    s.write(HALL, "on", request)


BREAKS: list[tuple[Story, set[int]]] = [
    (unknown_request, {1}), (other_value, {1}), (default_that_is_none, {1}), (trip_without_a_trip, {1}),
    (old_life, {1, 34}), (outside_the_envelope, {1, 28}), (not_finite, {2}), (passed_over, {2, 3}),
    (setpoint_passed_over, {2, 3}),
    (write_while_tripped, {4}), (trip_forgotten, {5}), (reset_too_early, {5}), (reset_of_nothing, {5}), (expired, {6}),
    (relinquished, {6}), (too_long, {7}), (unlimited, {7}), (not_newer, {8}), (older_epoch_acts, {6}),
    (no_permit, {10}), (stands_without_a_permit, {10}), (survives_the_gate, {6, 12}), (stands_after_its_end, {13}),
    (slot_too_far_ahead, {13}), (runs_on_after_its_slot, {13}), (our_own_slot_runs_on, {13}),
    (applied_too_early, {14}),
    (applied_without_effect_in_the_registers, {14}), (failed_without_alarm, {14}), (tried_a_fourth_time, {14}),
    (charge_when_full, {16}), (discharge_when_empty, {16}), (below_the_window, {16}), (beyond_the_battery, {17}),
    (beyond_the_taper, {17}), (overload_lasts, {18}), (beyond_the_contract, {19}), (feeds_in_at_a_loss, {20}),
    (buys_and_sells, {21}), (both_slots, {22}), (off_too_soon, {23}), (too_many_starts, {23}),
    (held_on_in_the_heat, {24}), (held_off_in_the_frost, {25}), (over_the_connection, {26}),
    (acts_on_a_stale_room, {27}), (acts_on_the_first_sample, {27}), (impossible_soc, {28}), (impossible_power, {28}),
    (impossible_air, {28}), (from_the_future, {28}), (no_command, {28}), (too_fast, {29}), (rewritten, {29}),
    (over_budget, {29}), (jump_lengthens, {6, 33}),
]  # fmt: skip


def _proof(s: Stage, point: str, stage: str, value: object, request_id: str = "") -> Proof:
    return Proof(at=s.clock.now(), point=point, stage=stage, value=str(value), request_id=request_id, latency_s=1.0)


@pytest.mark.parametrize(("story", "numbers"), BREAKS, ids=lambda x: getattr(x, "__name__", ""))
def test_the_auditor_finds_the_breach(story: Story, numbers: set[int]) -> None:
    stage = Stage()
    stage.live(700)
    stage.live(20)
    story(stage)
    assert stage.broken() == numbers, "\n".join(map(str, stage.audit.breaches[:5]))
    assert stage.audit.total == len(stage.audit.breaches)


def test_a_sound_day_has_no_breach() -> None:
    s = Stage()
    s.say(Started("/devices/rooms", 1), Started("/core/gate", 1), Latched(trips=()))
    s.say(Wear(points=(MODE,), used_24h=0, left=24))
    s.live(700)
    s.stored()
    s.write(HALL, "on", s.accept(HALL, "on", ttl_s=3600.0))
    request = s.accept(MODE, CHARGE, ttl_s=7200.0)
    for detail in ('batteryfirst/set/stopsoc {"value": 90}', BUYS, ON):
        s.live(3, on=True)
        s.write(MODE, CHARGE, request, detail=detail)
        answer = json.dumps({"correlationId": "x", "success": True}).encode()
        s.say(Incoming(topic="energy/solar/result", payload=answer, retained=False, received_s=s.clock.monotonic()))
    s.live(5, on=True)
    s.stored(BattFirstSOC=90, BattFirstACChrg=1, BattSlot1Start=2560, BattSlot1Stop=2816, BattSlot1En=1)
    s.say(_proof(s, MODE, "applied", CHARGE, request.id))
    s.live(700, on=True)
    trip = s.trip("floor", HALL)
    s.write(HALL, "off", level=Level.SAFETY_TRIP)
    s.live(90)
    s.write(HALL, "off", level=Level.SAFETY_TRIP)
    s.say(Latched(trips=(trip,)), TripReset(id=trip.id, at=s.clock.now()))
    s.write(HALL, "auto")
    s.look(composite=Composite.CHARGE_FROM_GRID, battery_kw=4.5)
    assert not s.audit.breaches, "\n".join(map(str, s.audit.breaches))
    assert {1, 2, 4, 5, 6, 7, 8, 10, 13, 14, 16, 17, 19, 21, 22, 23, 26, 27, 28, 29} <= set(s.audit.checks)


def test_a_slot_that_somebody_else_has_set_may_stand_until_its_device_can_have_said_so() -> None:
    s = Stage()
    s.live(700)
    s.stored()
    s.write(MODE, CHARGE, s.accept(MODE, CHARGE, ttl_s=7200.0), detail=ON)
    s.live(9000)
    s.stored(**{**OURS, "BattSlot1Stop": 13 * 256})
    s.look(composite=Composite.CHARGE_FROM_GRID)
    s.live(200)
    s.look(composite=Composite.CHARGE_FROM_GRID)
    assert s.broken() == set()


def test_what_the_thermostat_does_by_itself_is_no_switch_of_ours() -> None:
    s = Stage()
    for i in range(40):
        s.live(60, on=bool(i % 2))
    assert s.broken() == set()


def test_a_limit_of_the_safety_rules_may_switch_off_at_once() -> None:
    s = Stage()
    s.live(700)
    s.write(HALL, "on", s.accept(HALL, "on"))
    s.live(60, on=True)
    s.write(HALL, "off", s.accept(HALL, "off", level=Level.GRID_OPERATOR, source="/core/safety", note="fuse: too much"))
    s.live(30, air_c=6.0)
    assert s.broken() == set()


def test_what_waits_for_a_relay_lets_its_predecessor_stand() -> None:
    s = Stage()
    s.say(Started("/devices/rooms", 1))
    s.live(700)
    first = s.accept(HALL, "on", ttl_s=900.0)
    s.write(HALL, "on", first)
    s.live(60, on=True)
    waits = s.accept(HALL, "off", ttl_s=900.0)
    s.say(s.verdict(waits, Outcome.DEFERRED))
    s.live(120, on=True)
    s.look()
    s.write(HALL, "on", first)
    assert s.broken() == set()


def test_breaches_are_kept_in_bounds_but_counted() -> None:
    s = Stage()
    for _ in range(1_100):
        s.write(EXPORT, 1.0)
    assert len(s.audit.breaches) == 1_000 and s.audit.total == 1_100
    assert str(s.audit.breaches[0]).startswith("invariant 1 at 0.0 s inverter.export_limit_kw: 1.0 as a default")
