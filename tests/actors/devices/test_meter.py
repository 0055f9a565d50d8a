"""The meter: import minus export, and totals out of counters that fall to zero at midnight."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.devices.base import DeviceTiming
from actors.devices.meter import DEVICE, DailyMeter
from actors.messages import Incoming
from models.types.reading import InverterReading, MeterReading
from tests.actors.devices.bench import START, Bench, a_house

PATH = "/devices/meter"
TIMING = DeviceTiming(
    tick_s=1.0, lease_s=10.0, settle_s=10.0, answer_s=12.0, heartbeat_s=15.0, command_ttl_s=30.0, effect_s=120.0
)


def reading(
    grid_kw: float | None, imported: float | None = None, exported: float | None = None, *, online: bool = True
) -> InverterReading:
    return InverterReading(
        measured_at=START, online=online, fault=False, soc=0.5, pv_kw=0.0, battery_kw=0.0, grid_kw=grid_kw, load_kw=1.0,
        import_today_kwh=imported, export_today_kwh=exported,
    )  # fmt: skip


@pytest.fixture
def bench() -> Bench:
    house = a_house()
    made = Bench({PATH: lambda: DEVICE.make(house, TIMING, None)}, events=(MeterReading,))
    made.start()
    return made


def test_each_reading_of_the_inverter_is_one_of_the_meter(bench: Bench) -> None:
    bench.publish(reading(-1.25, 3.0, 7.0))
    bench.publish(reading(0.5, 3.1, 7.4))
    first, second = bench.of(MeterReading)
    assert (first.grid_kw, first.import_kwh, first.export_kwh) == (-1.25, None, None)
    assert second.import_kwh == pytest.approx(0.1) and second.export_kwh == pytest.approx(0.4)
    assert bench.runtime.behaviour_snapshot(PATH)["grid_kw"] == 0.5


def test_without_grid_power_or_offline_the_meter_says_nothing(bench: Bench) -> None:
    bench.publish(reading(None, 3.0))
    bench.publish(reading(1.0, 3.0, online=False))
    bench.tell(PATH, Incoming(topic="x", payload=b"", retained=False, received_s=0.0))
    assert bench.of(MeterReading) == []


def test_a_counter_that_is_not_reported_leaves_the_total_as_it_was(bench: Bench) -> None:
    for kwh in (3.0, 3.5, None, 3.6):
        bench.publish(reading(1.0, kwh))
    totals = [r.import_kwh for r in bench.of(MeterReading)]
    assert totals == [None, 0.5, 0.5, pytest.approx(0.6)]


def test_midnight_loses_nothing() -> None:
    meter = DailyMeter()
    for kwh in (9.0, 9.8, 0.0, 0.3):
        meter.see(kwh)
    assert meter.total_kwh == pytest.approx(1.1)


@given(st.lists(st.lists(st.floats(0.0, 5.0), min_size=1, max_size=5), min_size=1, max_size=4))
def test_the_total_is_what_flowed_over_any_number_of_days(days: list[list[float]]) -> None:
    meter, flowed, first = DailyMeter(), 0.0, True
    for steps in days:
        today = 0.0
        meter.see(0.0)
        for step in steps:
            today += step
            flowed += step
            meter.see(today)
        first = False
    assert not first and meter.total_kwh == pytest.approx(flowed)


def test_a_meter_has_nothing_to_command() -> None:
    assert DEVICE.points(a_house()) == ()
