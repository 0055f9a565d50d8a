"""The Growatt's payloads and registers: what is believed, and which writes lead from one mode to another."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.devices.growatt import (
    BATTERY_FIRST,
    GRID_FIRST,
    LOAD_FIRST,
    PAYLOAD_LIMIT,
    Registers,
    Slot,
    Target,
    Write,
    assume,
    decode,
    export_writes,
    mode_writes,
    parse_json,
    parse_telemetry,
    target_of,
    wanted_slot,
)
from models.errors import PayloadError
from models.types.mode import Composite, InverterMode

AT = datetime(2021, 2, 8, 9, 0, tzinfo=UTC)
CLOCK = datetime(2021, 2, 8, 10, 0, 12)
OFF = Slot(start_min=0, stop_min=1, enabled=False)
FRESH = Registers(
    battery_soc=100, battery_rate=100, ac_charge=False, battery_slots=(OFF, OFF, OFF), grid_soc=20, grid_rate=100,
    grid_slots=(OFF, OFF, OFF), export_limited=True, export_percent=80.0,
)  # fmt: skip
TARGETS = {
    Composite.REGULAR: Target(composite=Composite.REGULAR, stop_percent=100, rate_percent=100),
    Composite.HOLD: Target(composite=Composite.HOLD, stop_percent=55, rate_percent=100),
    Composite.CHARGE_FROM_GRID: Target(composite=Composite.CHARGE_FROM_GRID, stop_percent=90, rate_percent=60),
    Composite.DISCHARGE_TO_GRID: Target(composite=Composite.DISCHARGE_TO_GRID, stop_percent=30, rate_percent=80),
    Composite.SELL_PRODUCTION: Target(composite=Composite.SELL_PRODUCTION, stop_percent=55, rate_percent=100),
}


def body(**changes: object) -> dict[str, object]:
    """A telemetry message as the stick sends it; a field of None is left out."""
    slots = {f"{n}Slot{i}{p}": 0 for n in ("Batt", "Grid") for i in (1, 2, 3) for p in ("Start", "Stop", "En")}
    sent: dict[str, object] = {
        "InverterStatus": 1, "SOC": 57, "PV1InputPower": 1200.5, "PV2InputPower": 800, "ChargePower": 0,
        "DischargePower": 300, "ACPowerToUser": 0, "ACPowerToGrid": 450, "INVPowerToLocalLoad": 1500,
        "BatteryTemperature": 21.5, "EnergyToUserToday": 3.2, "EnergyToGridToday": 0.4, "CurrentMode": 0,
        "BattFirstSOC": 100, "BattFirstPwrRate": 100, "BattFirstACChrg": 0, "GridFirstSOC": 20, "GridFirstPwrRate": 100,
        "ExportLimitFlag": 1, "ExportLimitValue": 80, "SystemYear": 21, "SystemMonth": 2, "SystemDay": 8,
        "SystemHour": 10, "SystemMinute": 0, "SystemSecond": 12, **slots, **changes,
    }  # fmt: skip
    return {name: value for name, value in sent.items() if value is not None}


def payload(**changes: object) -> bytes:
    return json.dumps(body(**changes)).encode()


# --- what is believed -------------------------------------------------------------------------------------------------
def test_telemetry_comes_in_our_units_and_signs() -> None:
    reading, registers = parse_telemetry(payload(), AT)
    assert (reading.online, reading.fault, reading.soc) == (True, False, 0.57)
    assert reading.pv_kw == pytest.approx(2.0005)
    assert (reading.battery_kw, reading.grid_kw, reading.load_kw) == (-0.3, -0.45, 1.5)
    assert (reading.import_today_kwh, reading.export_today_kwh, reading.battery_c) == (3.2, 0.4, 21.5)
    assert reading.inverter_clock == CLOCK
    assert reading.composite is Composite.REGULAR
    assert registers is not None and registers.running == LOAD_FIRST and registers.export_percent == 80.0


def test_the_last_will_is_offline_and_tells_nothing_else() -> None:
    reading, registers = parse_telemetry(b'{"InverterStatus":-1}', AT)
    assert not reading.online and registers is None
    assert {reading.soc, reading.pv_kw, reading.battery_kw, reading.grid_kw, reading.load_kw} == {None}


def test_status_three_is_a_fault() -> None:
    assert parse_telemetry(payload(InverterStatus=3), AT)[0].fault


@pytest.mark.parametrize(
    ("missing", "unknown"),
    [("SOC", "soc"), ("PV2InputPower", "pv_kw"), ("DischargePower", "battery_kw"), ("ACPowerToGrid", "grid_kw"),
     ("INVPowerToLocalLoad", "load_kw"), ("BatteryTemperature", "battery_c"), ("SystemHour", "inverter_clock"),
     ("EnergyToUserToday", "import_today_kwh")],
)  # fmt: skip
def test_what_is_not_reported_is_unknown_and_never_zero(missing: str, unknown: str) -> None:
    reading, _ = parse_telemetry(payload(**{missing: None}), AT)
    assert getattr(reading, unknown) is None


@pytest.mark.parametrize(
    "missing", ["BattSlot2Stop", "GridSlot1En", "BattFirstSOC", "GridFirstPwrRate", "BattFirstACChrg",
                "ExportLimitFlag", "ExportLimitValue"],
)  # fmt: skip
def test_registers_are_read_whole_or_not_at_all(missing: str) -> None:
    reading, registers = parse_telemetry(payload(**{missing: None}), AT)
    assert registers is None
    assert reading.soc == 0.57 and reading.composite is None


def test_without_a_clock_no_composite_is_named() -> None:
    reading, registers = parse_telemetry(payload(SystemDay=None), AT)
    assert registers is not None and reading.composite is None


BAD = {
    "empty": b"",
    "garbage": b"\x00\xff\x17 no",
    "not UTF-8": b'{"SOC":"\xff"}',
    "cut off": payload()[:100],
    "a list": b"[1,2,3]",
    "a bare number": b"42",
    "null": b"null",
    "huge": b'{"InverterStatus":1,"x":"' + b"y" * PAYLOAD_LIMIT + b'"}',
    "deeply nested": b'{"a":' * 30_000,
    "NaN": b'{"InverterStatus":1,"SOC":NaN}',
    "infinity": b'{"InverterStatus":1,"SOC":-Infinity}',
    "a number beyond floats": b'{"InverterStatus":1,"SOC":1e999}',
    "an integer of 400 digits": b'{"InverterStatus":1,"SOC":' + b"9" * 400 + b"}",
    "an integer of 5000 digits": b'{"InverterStatus":1,"SOC":' + b"9" * 5000 + b"}",
    "a key twice": b'{"InverterStatus":1,"SOC":50,"SOC":90}',
    "no status": payload(InverterStatus=None),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_garbage_is_refused_in_one_line(bad: bytes) -> None:
    with pytest.raises(PayloadError) as refused:
        parse_telemetry(bad, AT)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 300


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("InverterStatus", 11), ("InverterStatus", -2), ("InverterStatus", "1"),
        ("SOC", 101), ("SOC", -1), ("SOC", "57"), ("SOC", True), ("SOC", []), ("SOC", {"value": 57}),
        ("PV1InputPower", -5), ("PV1InputPower", 60_001), ("ChargePower", 1e12), ("DischargePower", "0"),
        ("ACPowerToUser", -1), ("ACPowerToGrid", 1e7), ("INVPowerToLocalLoad", "1500 W"),
        ("BatteryTemperature", -41), ("BatteryTemperature", 500), ("EnergyToUserToday", -0.1),
        ("BattFirstSOC", 250), ("BattFirstPwrRate", "100"), ("BattFirstACChrg", 2), ("GridFirstSOC", -3),
        ("CurrentMode", 3), ("ExportLimitFlag", 7), ("ExportLimitValue", 100.5), ("BattSlot1Start", 70_000),
        ("BattSlot1Stop", 24 * 256), ("GridSlot3Start", 13 * 256 + 60), ("SystemMonth", 13), ("SystemDay", 0),
        ("SystemHour", 24), ("SystemSecond", 10_000),
    ],
)  # fmt: skip
def test_a_field_out_of_range_or_of_another_type_spoils_the_message(field: str, value: object) -> None:
    with pytest.raises(PayloadError):
        parse_telemetry(payload(**{field: value}), AT)


def test_a_refusal_names_the_field_the_value_and_the_limits() -> None:
    with pytest.raises(PayloadError, match=r"SOC 101, limits 0 \.\. 100"):
        parse_telemetry(payload(SOC=101), AT)


def test_unknown_fields_are_passed_over() -> None:
    assert parse_telemetry(payload(Firmware="3.1", Extra=[1]), AT)[0].soc == 0.57


@settings(max_examples=200)
@given(st.binary(max_size=300) | st.text(max_size=200).map(lambda t: t.encode("utf-8", "surrogatepass")))
def test_whatever_bytes_arrive_they_are_an_object_or_a_refusal(raw: bytes) -> None:
    try:
        found = parse_json(raw)
    except PayloadError:
        return
    assert isinstance(found, dict)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5), lambda x: st.lists(x, max_size=2)
)


@settings(max_examples=150)
@given(st.sampled_from(sorted(body())), JSON)
def test_one_field_of_any_kind_gives_a_plausible_reading_or_a_refusal(field: str, value: object) -> None:
    try:
        reading, _ = parse_telemetry(payload(**{field: value}), AT)
    except PayloadError:
        return
    assert reading.soc is None or 0.0 <= reading.soc <= 1.0
    for kw in (reading.pv_kw, reading.battery_kw, reading.grid_kw, reading.load_kw):
        assert kw is None or -120.0 <= kw <= 120.0


# --- decoding ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("running", "flag", "grid_soc", "named"),
    [(LOAD_FIRST, False, 20, Composite.REGULAR), (LOAD_FIRST, True, 20, Composite.REGULAR),
     (BATTERY_FIRST, False, 20, Composite.HOLD), (BATTERY_FIRST, True, 20, Composite.CHARGE_FROM_GRID),
     (GRID_FIRST, False, 56, Composite.DISCHARGE_TO_GRID), (GRID_FIRST, False, 57, Composite.SELL_PRODUCTION)],
)  # fmt: skip
def test_what_runs_is_named_by_what_the_inverter_says_of_itself(
    running: int, flag: bool, grid_soc: int, named: Composite
) -> None:
    registers = replace(FRESH, running=running, ac_charge=flag, grid_soc=grid_soc)
    assert decode(registers, 600, 0.57) is named


def test_without_its_word_the_slots_of_this_minute_decide_and_battery_first_wins() -> None:
    now, later = Slot(start_min=590, stop_min=610, enabled=True), Slot(start_min=610, stop_min=620, enabled=True)
    both = replace(FRESH, battery_slots=(OFF, now, OFF), grid_slots=(now, OFF, OFF))
    assert decode(both, 600, 0.5) is Composite.HOLD
    assert decode(replace(FRESH, grid_slots=(now, OFF, OFF)), 600, 0.5) is Composite.DISCHARGE_TO_GRID
    assert decode(replace(FRESH, battery_slots=(later, OFF, OFF)), 609, 0.5) is Composite.REGULAR
    assert decode(replace(FRESH, battery_slots=(now, OFF, OFF)), 610, 0.5) is Composite.REGULAR


def test_grid_first_at_an_unknown_soc_counts_as_discharging() -> None:
    assert decode(replace(FRESH, running=GRID_FIRST, grid_soc=100), 600, None) is Composite.DISCHARGE_TO_GRID


# --- targets ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("composite", "asked", "soc", "percent"),
    [(Composite.HOLD, None, 0.579, 57), (Composite.HOLD, 0.9, 0.579, 57), (Composite.HOLD, 0.4, 0.579, 40),
     (Composite.HOLD, 0.4, None, 40), (Composite.HOLD, None, None, 100), (Composite.SELL_PRODUCTION, None, 0.579, 57),
     (Composite.SELL_PRODUCTION, 0.3, 0.579, 57), (Composite.SELL_PRODUCTION, 0.9, 0.579, 90),
     (Composite.SELL_PRODUCTION, None, None, 100), (Composite.CHARGE_FROM_GRID, 0.9, 0.5, 90),
     (Composite.DISCHARGE_TO_GRID, 0.3, 0.5, 30), (Composite.CHARGE_FROM_GRID, None, 0.5, 100)],
)  # fmt: skip
def test_a_hold_never_buys_and_a_sale_never_empties(
    composite: Composite, asked: float | None, soc: float | None, percent: int
) -> None:
    assert target_of(InverterMode(composite=composite, stop_soc=asked), soc).stop_percent == percent


@pytest.mark.parametrize(("rate", "percent"), [(None, 100), (1.0, 100), (0.254, 25), (0.001, 1)])
def test_the_rate_is_whole_percent_and_at_least_one(rate: float | None, percent: int) -> None:
    mode = InverterMode(composite=Composite.CHARGE_FROM_GRID, stop_soc=0.9, rate=rate)
    assert target_of(mode, 0.5).rate_percent == percent


# --- writes -----------------------------------------------------------------------------------------------------------
def settle(
    target: Target, live: Registers, until: datetime | None = None, clock: datetime = CLOCK
) -> tuple[list[Write], list[Registers]]:
    """Writes one at a time, as the actor does, until nothing is left to write; every prefix's registers."""
    done: list[Write] = []
    states = [live]
    while writes := mode_writes(target, until, clock, states[-1]):
        done.append(writes[0])
        states.append(assume(states[-1], writes[0]))
        assert len(done) < 20, "it never ends"
    return done, states


def unsafe(registers: Registers) -> bool:
    """Buying is allowed while selling is scheduled."""
    return registers.ac_charge and any(s.enabled for s in registers.grid_slots)


PAIRS = [(a, b) for a in TARGETS for b in TARGETS]


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_from_every_composite_to_every_other_the_registers_make_it_break_before_make(
    first: Composite, second: Composite
) -> None:
    _, before = settle(TARGETS[first], FRESH)
    later = CLOCK + timedelta(minutes=30)
    running = {Composite.REGULAR: LOAD_FIRST, Composite.HOLD: BATTERY_FIRST, Composite.CHARGE_FROM_GRID: BATTERY_FIRST}
    live = replace(before[-1], running=running.get(first, GRID_FIRST))
    writes, states = settle(TARGETS[second], live, clock=later)
    made = [i for i, w in enumerate(writes) if w.makes]
    broken = [i for i, w in enumerate(writes) if w.breaks]
    assert not made or not broken or max(broken) < min(made), [w.register for w in writes]
    assert not any(unsafe(s) for s in states)
    minute = later.hour * 60 + later.minute
    slot = [s[0] for s in (states[-1].battery_slots, states[-1].grid_slots)]
    if second is Composite.REGULAR:
        assert not slot[0].enabled and not slot[1].enabled and not states[-1].ac_charge
        return
    at = max(s.start_min for s in slot if s.enabled)
    shown = replace(states[-1], running=None)
    assert decode(shown, max(at, minute), 0.55) is second


def test_a_mode_that_stands_is_not_written_again() -> None:
    for target in TARGETS.values():
        _, states = settle(target, FRESH)
        assert mode_writes(target, None, CLOCK, states[-1]) == []


@pytest.mark.parametrize("composite", [Composite.HOLD, Composite.CHARGE_FROM_GRID])
def test_only_what_differs_is_written(composite: Composite) -> None:
    writes, _ = settle(TARGETS[composite], FRESH)
    registers = [w.register for w in writes]
    expected = {
        Composite.HOLD: ["batteryfirst.soc", "batteryfirst.slot1"],
        Composite.CHARGE_FROM_GRID: ["batteryfirst.soc", "batteryfirst.rate", "ac_charge", "batteryfirst.slot1"],
    }
    assert registers == expected[composite]


def test_the_ac_flag_is_written_as_an_integer() -> None:
    writes, _ = settle(TARGETS[Composite.CHARGE_FROM_GRID], FRESH)
    value = next(w.body["value"] for w in writes if w.register == "ac_charge")
    assert value == 1 and not isinstance(value, bool)


minutes = st.integers(0, 1439)
slots = st.builds(Slot, start_min=minutes, stop_min=minutes, enabled=st.booleans())
triples = st.tuples(slots, slots, slots)
percents = st.integers(0, 100)
registers_of = st.builds(
    Registers, battery_soc=percents, battery_rate=percents, ac_charge=st.booleans(), battery_slots=triples,
    grid_soc=percents, grid_rate=percents, grid_slots=triples, export_limited=st.booleans(),
    export_percent=st.integers(0, 1000).map(lambda p: p / 10),
    running=st.sampled_from([None, LOAD_FIRST, BATTERY_FIRST, GRID_FIRST]),
)  # fmt: skip
targets = st.builds(
    Target, composite=st.sampled_from(Composite), stop_percent=percents, rate_percent=st.integers(1, 100)
)
clocks = st.datetimes(datetime(2021, 1, 1), datetime(2021, 12, 31))


@settings(max_examples=300)
@given(registers_of, st.lists(targets, min_size=1, max_size=4), clocks, st.none() | st.integers(1, 30_000))
def test_no_prefix_of_any_transition_allows_buying_and_selling_at_once(
    live: Registers, wanted: list[Target], clock: datetime, ends_in_s: int | None
) -> None:
    for target in wanted:
        until = None if ends_in_s is None else clock + timedelta(seconds=ends_in_s)
        writes, states = settle(target, live, until, clock)
        for write, before, after in zip(writes, states, states[1:], strict=False):
            assert after != before, f"an equal value was written: {write}"
            assert unsafe(before) or not unsafe(after), f"{write} made buying and selling stand together"
        assert not unsafe(states[-1])
        live = replace(states[-1], running=live.running)


@settings(max_examples=300)
@given(registers_of, targets, clocks, st.none() | st.integers(1, 30_000))
def test_every_slot_that_is_written_is_one_the_stick_takes(
    live: Registers, target: Target, clock: datetime, ends_in_s: int | None
) -> None:
    until = None if ends_in_s is None else clock + timedelta(seconds=ends_in_s)
    writes, _ = settle(target, live, until, clock)
    for write in writes:
        if not write.slot:
            continue
        start, stop = str(write.body["start"]), str(write.body["stop"])
        assert start < stop, f"{write.body}: no slot across midnight, start and stop must differ"
        if write.body["enabled"]:
            begins = clock.replace(hour=int(start[:2]), minute=int(start[3:]), second=0, microsecond=0)
            assert timedelta(seconds=19) < begins - clock <= timedelta(seconds=90), "a whole command ahead"
            ends = clock.replace(hour=int(stop[:2]), minute=int(stop[3:]), second=0, microsecond=0)
            limit = clock + timedelta(seconds=7200 if ends_in_s is None else min(ends_in_s, 7200))
            assert ends < limit + timedelta(minutes=1), "longer than its lease"


@settings(max_examples=100)
@given(registers_of, targets, clocks)
def test_a_release_ends_every_slot_and_the_purchase(live: Registers, target: Target, clock: datetime) -> None:
    _, states = settle(target, live, None, clock)
    regular = TARGETS[Composite.REGULAR]
    _, states = settle(regular, states[-1], None, clock)
    last = states[-1]
    assert not last.ac_charge
    assert not any(s.enabled for s in (*last.battery_slots, *last.grid_slots))


# --- slots ------------------------------------------------------------------------------------------------------------
def slot_for(
    clock: datetime, slot: Slot = OFF, *, until: datetime | None = None, running: int | None = None
) -> tuple[str, str] | None:
    live = replace(FRESH, battery_soc=55, battery_slots=(slot, OFF, OFF), running=running)
    found = [w for w in mode_writes(TARGETS[Composite.HOLD], until, clock, live) if w.slot]
    return (str(found[0].body["start"]), str(found[0].body["stop"])) if found else None


def test_a_slot_begins_a_whole_command_ahead_and_ends_within_two_hours() -> None:
    assert slot_for(datetime(2021, 2, 8, 10, 0, 0)) == ("10:01", "12:00")
    assert slot_for(datetime(2021, 2, 8, 10, 0, 40)) == ("10:01", "12:01")
    assert slot_for(datetime(2021, 2, 8, 10, 0, 41)) == ("10:02", "12:01")


def test_a_slot_ends_with_its_run() -> None:
    clock = datetime(2021, 2, 8, 10, 0, 5)
    assert slot_for(clock, until=datetime(2021, 2, 8, 10, 30)) == ("10:01", "10:30")
    assert slot_for(clock, until=datetime(2021, 2, 8, 10, 30, 1)) == ("10:01", "10:31")


def test_nothing_is_written_for_a_run_that_ends_before_its_slot_could_begin() -> None:
    clock = datetime(2021, 2, 8, 10, 0, 41)
    for composite in (Composite.HOLD, Composite.CHARGE_FROM_GRID, Composite.SELL_PRODUCTION):
        assert mode_writes(TARGETS[composite], clock + timedelta(seconds=60), clock, FRESH) == []
        assert wanted_slot(TARGETS[composite], clock + timedelta(seconds=60), clock, FRESH) is None


def test_no_slot_crosses_midnight() -> None:
    assert slot_for(datetime(2021, 2, 8, 22, 30)) == ("22:31", "23:59")
    assert slot_for(datetime(2021, 2, 8, 23, 56)) == ("23:57", "23:59")
    assert slot_for(datetime(2021, 2, 8, 23, 57)) is None
    assert slot_for(datetime(2021, 2, 8, 23, 59, 59)) is None
    evening = Slot(start_min=22 * 60, stop_min=23 * 60 + 59, enabled=True)
    assert slot_for(datetime(2021, 2, 9, 0, 0, 3), evening) == ("00:01", "02:01")


def test_a_slot_that_runs_is_renewed_near_its_end_only() -> None:
    slot = Slot(start_min=600, stop_min=720, enabled=True)
    for minute in range(600, 717):
        clock = datetime(2021, 2, 8, minute // 60, minute % 60, 5)
        assert slot_for(clock, slot, running=BATTERY_FIRST) is None, clock
    assert slot_for(datetime(2021, 2, 8, 11, 57, 5), slot, running=BATTERY_FIRST) == ("11:58", "13:58")


def test_a_slot_is_not_renewed_when_its_run_is_over() -> None:
    slot = Slot(start_min=600, stop_min=720, enabled=True)
    assert slot_for(datetime(2021, 2, 8, 11, 58, 5), slot, until=datetime(2021, 2, 8, 12, 0)) is None


def test_a_slot_that_would_outlive_its_run_is_shortened() -> None:
    slot = Slot(start_min=600, stop_min=720, enabled=True)
    assert slot_for(datetime(2021, 2, 8, 10, 20, 5), slot, until=datetime(2021, 2, 8, 11, 0)) == ("10:21", "11:00")


def test_a_slot_that_slept_through_its_start_is_written_again() -> None:
    slot = Slot(start_min=600, stop_min=720, enabled=True)
    asleep = datetime(2021, 2, 8, 10, 4, 5)
    assert slot_for(datetime(2021, 2, 8, 10, 3, 59), slot, running=LOAD_FIRST) is None  # it may still be on its way
    assert slot_for(asleep, slot, running=LOAD_FIRST) == ("10:05", "12:05")
    assert slot_for(asleep, slot, running=BATTERY_FIRST) is None
    assert slot_for(asleep, slot, running=None) is None  # it does not say what it runs


def test_a_slot_for_tomorrow_is_replaced() -> None:
    tomorrow = Slot(start_min=9 * 60, stop_min=9 * 60 + 30, enabled=True)
    assert slot_for(datetime(2021, 2, 8, 10, 0, 5), tomorrow) == ("10:01", "12:01")


@pytest.mark.parametrize(("start", "stop"), [(0, 0), (1300, 60)])
def test_a_foreign_slot_of_impossible_times_is_switched_off_with_times_that_the_stick_takes(
    start: int, stop: int
) -> None:
    foreign = Slot(start_min=start, stop_min=stop, enabled=True)
    live = replace(FRESH, grid_slots=(OFF, foreign, OFF))
    writes, states = settle(TARGETS[Composite.REGULAR], live)
    assert [w.register for w in writes] == ["gridfirst.slot2"]
    assert str(writes[0].body["start"]) < str(writes[0].body["stop"])
    assert not states[-1].grid_slots[1].enabled


# --- export limit -----------------------------------------------------------------------------------------------------
def settle_export(limit_kw: float, live: Registers) -> tuple[list[Write], Registers]:
    done: list[Write] = []
    while writes := export_writes(limit_kw, 8.0, 10.0, live):
        done.append(writes[0])
        live = assume(live, writes[0])
        assert len(done) < 5
    return done, live


def test_the_export_limit_is_holding_register_123_in_tenths_of_a_percent() -> None:
    writes, live = settle_export(3.33, FRESH)
    assert [w.command for w in writes] == ["modbus/set"]
    assert writes[0].body == {"id": 123, "type": "16b", "registerType": "H", "value": 333}
    assert live.export_percent == 33.3 and writes[0].export


def test_an_export_limit_that_stands_is_not_written_again() -> None:
    assert export_writes(8.0, 8.0, 10.0, FRESH) == []
    assert export_writes(8.0, 8.0, 10.0, replace(FRESH, export_percent=79.97)) == []


def test_a_limit_that_is_off_is_switched_on_first_and_only_when_it_is_needed() -> None:
    off = replace(FRESH, export_limited=False)
    writes, live = settle_export(0.0, off)
    assert [w.command for w in writes] == ["export/enable", "modbus/set"]
    assert live.export_limited and live.export_percent == 0.0
    assert export_writes(10.0, 12.0, 10.0, off) == []


@given(st.floats(0.0, 40.0), st.floats(0.0, 40.0), registers_of)
def test_the_commanded_export_never_passes_the_contract(limit_kw: float, contract_kw: float, live: Registers) -> None:
    for write in export_writes(limit_kw, contract_kw, 10.0, live):
        if write.register == "export.value":
            value = write.body["value"]
            assert isinstance(value, int)
            assert 0 <= value / 1000 * 10.0 <= min(limit_kw, contract_kw, 10.0) + 0.0051
