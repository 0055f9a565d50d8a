"""Evidence rows are the twin's meters, quarter hour by quarter hour."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest

from models.physics.tariff import export_price, import_price
from models.scorecard import EvidenceRow
from models.twins.house import HouseTwin
from models.types.forecast import PriceSeries
from pems_actors.simulation.recorder import SAMPLE, SAMPLES, SLOT_H, Recorder
from tests.properties.house import START, a_world, house_file, prices


def a_twin(*, soc: float = 0.5, sun: float = 1.0) -> HouseTwin:
    timing = house_file(tick_s=60.0).timing
    twin = HouseTwin(
        house_file().house, a_world(sun=sun), start=START, seed=1, step_s=60.0, telemetry_s=60.0, status_s=60.0,
        heartbeat_timeout_s=timing.heartbeat_timeout_s,
    )  # fmt: skip
    twin.inverter.soc = soc
    return twin


def lived(twin: HouseTwin, series: PriceSeries, slots: int = 8, *, looks: bool = True) -> list[EvidenceRow]:
    """Rows of so many quarter hours under plain rules."""
    recorder = Recorder(twin, series)
    for _ in range(slots):
        for _ in range(SAMPLES):
            twin.advance(twin.now + SAMPLE)
            if looks:
                recorder.look()
        recorder.close("run")
    return recorder.rows


def test_a_slot_is_three_looks_long() -> None:
    assert timedelta(hours=SLOT_H) == SAMPLES * SAMPLE


def test_rows_add_up_to_the_meters() -> None:
    twin = a_twin()
    before = twin.truth().meters
    rows = lived(twin, prices([0.1] * 96))
    after = twin.truth().meters
    for column, kwh in (
        ("pv_kw", after.pv_used_kwh - before.pv_used_kwh),
        ("pv_available_kw", after.pv_available_kwh - before.pv_available_kwh),
        ("load_kw", after.load_kwh - before.load_kwh),
        ("heating_kw", after.heating_kwh - before.heating_kwh),
        ("grid_kw", after.import_kwh - before.import_kwh - after.export_kwh + before.export_kwh),
        ("battery_kw", after.charge_kwh - before.charge_kwh - after.discharge_kwh + before.discharge_kwh),
    ):
        assert sum(getattr(row, column) for row in rows) * SLOT_H == pytest.approx(kwh, abs=1e-9), column
    assert sum(row.pv_kw for row in rows) > 1.0, "the sun shone"
    assert rows[-1].soc == twin.truth().soc


def test_slots_follow_one_another_and_begin_where_the_twin_did() -> None:
    rows = lived(a_twin(), prices([0.1] * 96))
    assert [row.time_utc for row in rows] == [START + timedelta(minutes=15 * i) for i in range(8)]
    assert {row.phase for row in rows} == {"run"}


def test_prices_are_those_of_the_market_at_the_meter_and_unknown_ones_are_nan() -> None:
    spot = [0.1, -0.05, math.nan, 0.3, *([0.2] * 3)]  # nothing is known of the eighth
    twin = a_twin()
    rows = lived(twin, prices(spot))
    tariff = twin.house.tariff
    for row, price in zip(rows, spot, strict=False):
        if math.isnan(price):
            assert math.isnan(row.price_import) and math.isnan(row.price_export)
        else:
            hour = row.time_utc.hour + 1  # local, in winter
            assert row.price_import == import_price(price, hour, tariff)
            assert row.price_export == export_price(price, tariff)
    assert math.isnan(rows[7].price_import)
    assert rows[1].price_export < 0


def test_a_relay_share_is_the_time_it_was_on_and_temperatures_are_means_of_the_looks() -> None:
    twin = a_twin(sun=0.0)
    twin.chill(-2.0)  # thermostats switch on
    before = twin.truth().rooms
    rows = lived(twin, prices([0.1] * 96))
    after = twin.truth().rooms
    for i, room in enumerate(after):
        shares = [row.rooms[i].relay_share for row in rows]
        assert all(0.0 <= share <= 1.0 for share in shares)
        assert sum(shares) * SLOT_H == pytest.approx(room.on_h - before[i].on_h, abs=1e-9)
        assert min(before[i].air_c, room.air_c) - 1 < rows[0].rooms[i].temperature_c < room.air_c + 1
    assert sum(row.rooms[0].relay_share for row in rows) > 0


def test_bands_are_those_of_the_local_hour() -> None:
    rows = lived(a_twin(), prices([0.1] * 96), slots=56)  # 10:00 to midnight local
    by_day = [row.rooms[0].lower_c for row in rows if 6 <= (row.time_utc.hour + 1) % 24 < 22]
    by_night = [row.rooms[0].lower_c for row in rows if (row.time_utc.hour + 1) % 24 >= 22]
    assert set(by_day) == {19.0} and set(by_night) == {18.0}
    assert {row.rooms[0].upper_c for row in rows} == {22.5}


def test_without_a_look_the_end_of_the_slot_stands_for_it() -> None:
    twin = a_twin()
    rows = lived(twin, prices([0.1] * 96), slots=2, looks=False)
    assert rows[-1].rooms[0].temperature_c == twin.truth().rooms[0].air_c
    assert rows[-1].composite == twin.truth().composite.value
