"""The composites' flows: energy is conserved and no limit is passed, whatever the state."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.physics.hybrid import Flows, charge_limit_kw, conversion_loss_kw, discharge_limit_kw, flows
from models.types.house import Battery, Inverter
from models.types.mode import REGULAR, Composite, InverterMode

BATTERY = Battery(capacity_kwh=10.0, charge_kw=5.0, discharge_kw=5.0)
INVERTER = Inverter()
MINUTE_H = 1.0 / 60.0

modes = st.builds(
    InverterMode,
    composite=st.sampled_from(list(Composite)),
    stop_soc=st.none() | st.floats(0.0, 1.0),
    rate=st.none() | st.floats(0.0, 1.0),
)
powers = st.floats(0.0, 25.0)


def run(mode: InverterMode, *, pv: float = 0.0, load: float = 1.0, soc: float = 0.5, export: float = 10.0,
        dt_h: float = MINUTE_H, battery_c: float | None = None) -> Flows:
    return flows(mode, pv_kw=pv, load_kw=load, soc=soc, battery=BATTERY, inverter=INVERTER,
                 export_limit_kw=export, dt_h=dt_h, battery_c=battery_c)


@given(mode=modes, pv=powers, load=powers, soc=st.floats(0.0, 1.0), export=st.floats(0.0, 12.0),
       dt_h=st.sampled_from([5 / 3600, MINUTE_H, 0.25, 1.0]), battery_c=st.none() | st.floats(-20, 40))
def test_energy_is_conserved_and_no_limit_is_passed(
    mode: InverterMode, pv: float, load: float, soc: float, export: float, dt_h: float, battery_c: float | None
) -> None:
    f = run(mode, pv=pv, load=load, soc=soc, export=export, dt_h=dt_h, battery_c=battery_c)
    assert f.grid_kw == pytest.approx(load + f.loss_kw + f.battery_kw - f.pv_used_kw, abs=1e-9)
    assert f.pv_used_kw + f.curtailed_kw == pytest.approx(pv, abs=1e-9)
    assert f.loss_kw >= -1e-12 and f.curtailed_kw >= 0.0 and f.pv_used_kw >= 0.0
    assert -f.grid_kw <= export + 1e-9
    assert f.battery_kw <= charge_limit_kw(soc, BATTERY, battery_c) + 1e-9
    assert -f.battery_kw <= discharge_limit_kw(soc, BATTERY, battery_c) + 1e-9
    after = soc + f.battery_kw * dt_h / BATTERY.capacity_kwh
    assert after <= max(soc, BATTERY.soc_max) + 1e-12
    assert after >= min(soc, BATTERY.soc_min) - 1e-12
    to_ac = load - f.grid_kw  # what the inverter gives to the AC side, negative while it takes
    assert -INVERTER.ac_limit_kw - 1e-9 <= to_ac <= INVERTER.ac_limit_kw + 1e-9


@given(mode=modes, pv=powers, load=powers, soc=st.floats(0.0, 1.0), export=st.floats(0.0, 12.0))
def test_what_is_lost_can_be_told_from_what_an_inverter_reports(
    mode: InverterMode, pv: float, load: float, soc: float, export: float
) -> None:
    f = run(mode, pv=pv, load=load, soc=soc, export=export)
    assert conversion_loss_kw(f.battery_kw, f.pv_used_kw, INVERTER) == pytest.approx(f.loss_kw, abs=1e-9)


@given(mode=modes, pv=powers, load=powers, soc=st.floats(0.0, 1.0), dt_h=st.sampled_from([MINUTE_H, 0.25, 1.0]))
def test_a_stop_soc_is_never_passed_within_the_interval(
    mode: InverterMode, pv: float, load: float, soc: float, dt_h: float
) -> None:
    if mode.stop_soc is None or mode.composite is Composite.REGULAR:
        return
    after = soc + run(mode, pv=pv, load=load, soc=soc, dt_h=dt_h).battery_kw * dt_h / BATTERY.capacity_kwh
    if mode.composite in (Composite.HOLD, Composite.CHARGE_FROM_GRID):
        assert soc <= after <= max(soc, mode.stop_soc) + 1e-12
    else:
        assert min(soc, max(mode.stop_soc, BATTERY.soc_min)) - 1e-12 <= after <= soc


def test_regular_serves_the_load_before_it_stores_and_stores_before_it_exports() -> None:
    f = run(REGULAR, pv=4.0, load=1.0)
    assert f.battery_kw == pytest.approx(3.0 * 0.97)
    assert f.grid_kw == pytest.approx(0.0)
    f = run(REGULAR, pv=9.0, load=1.0)
    assert f.battery_kw == pytest.approx(5.0)
    assert f.grid_kw == pytest.approx(-(8.0 - 5.0 / 0.97))


def test_regular_covers_a_deficit_from_the_battery_and_then_from_the_grid() -> None:
    assert run(REGULAR, load=2.0).battery_kw == pytest.approx(-2.0 / 0.93)
    f = run(REGULAR, load=7.0)
    assert (f.battery_kw, f.grid_kw) == (pytest.approx(-5.0), pytest.approx(7.0 - 4.65))
    f = run(REGULAR, load=2.0, soc=0.20)
    assert (f.battery_kw, f.grid_kw) == (0.0, 2.0)


def test_a_full_battery_exports_up_to_the_limit_and_curtails_the_rest() -> None:
    f = run(REGULAR, pv=8.0, load=1.0, soc=1.0, export=3.0)
    assert (f.battery_kw, f.grid_kw, f.curtailed_kw) == (0.0, pytest.approx(-3.0), pytest.approx(4.0))


def test_hold_neither_discharges_nor_buys_and_exports_surplus() -> None:
    hold = InverterMode(composite=Composite.HOLD)
    f = run(hold, load=2.0, soc=0.557)
    assert (f.battery_kw, f.grid_kw) == (0.0, 2.0)
    f = run(hold, pv=5.0, load=2.0, soc=0.557)
    assert (f.battery_kw, f.grid_kw) == (0.0, pytest.approx(-3.0))


def test_battery_first_below_its_stop_soc_takes_the_sun_and_draws_from_the_grid_with_the_flag_off() -> None:
    hold = InverterMode(composite=Composite.HOLD, stop_soc=0.8)
    f = run(hold, load=1.0, soc=0.5)
    assert (f.battery_kw, f.grid_kw) == (pytest.approx(1.2 * 0.92), pytest.approx(2.2))
    f = run(hold, pv=2.0, load=1.0, soc=0.5)
    assert f.battery_kw == pytest.approx(2.0 * 0.97 + 1.2 * 0.92)
    assert f.grid_kw == pytest.approx(2.2)


def test_charging_from_the_grid_takes_the_sun_first_and_ends_at_the_stop_soc() -> None:
    charge = InverterMode(composite=Composite.CHARGE_FROM_GRID, stop_soc=0.8)
    f = run(charge, load=1.0)
    assert (f.battery_kw, f.grid_kw) == (pytest.approx(5.0), pytest.approx(1.0 + 5.0 / 0.92))
    f = run(charge, pv=2.0, load=1.0)
    assert f.grid_kw == pytest.approx(1.0 + (5.0 - 2.0 * 0.97) / 0.92)
    assert run(charge, load=1.0, soc=0.8).battery_kw == 0.0
    half = InverterMode(composite=Composite.CHARGE_FROM_GRID, stop_soc=0.8, rate=0.5)
    assert run(half).battery_kw == pytest.approx(2.5)


def test_discharging_to_the_grid_serves_the_load_first_and_ends_at_the_stop_soc() -> None:
    sell = InverterMode(composite=Composite.DISCHARGE_TO_GRID, stop_soc=0.4)
    f = run(sell, pv=2.0, load=1.0)
    assert (f.battery_kw, f.grid_kw) == (pytest.approx(-5.0), pytest.approx(1.0 - 2.0 - 4.65))
    f = run(sell, pv=2.0, load=1.0, soc=0.4)
    assert (f.battery_kw, f.grid_kw) == (0.0, pytest.approx(-1.0))


def test_an_export_limit_reduces_the_discharge_before_it_curtails() -> None:
    sell = InverterMode(composite=Composite.DISCHARGE_TO_GRID, stop_soc=0.4)
    f = run(sell, pv=2.0, load=1.0, export=3.0)
    assert (f.grid_kw, f.curtailed_kw) == (pytest.approx(-3.0), 0.0)
    assert f.battery_kw == pytest.approx(-2.0 / 0.93)
    f = run(sell, pv=2.0, load=1.0, export=0.0)
    assert (f.grid_kw, f.battery_kw, f.curtailed_kw) == (pytest.approx(0.0), 0.0, pytest.approx(1.0))


def test_sell_production_exports_surplus_and_gives_at_most_the_broken_percent() -> None:
    sell = InverterMode(composite=Composite.SELL_PRODUCTION)
    f = run(sell, pv=5.0, load=1.0, soc=0.55)
    assert (f.battery_kw, f.grid_kw) == (0.0, pytest.approx(-4.0))
    assert run(sell, load=1.0, soc=0.557, dt_h=1.0).battery_kw == pytest.approx(-0.07)


def test_charging_tapers_towards_full_and_in_the_cold() -> None:
    assert charge_limit_kw(0.9, BATTERY) == 5.0
    assert charge_limit_kw(0.95, BATTERY) == pytest.approx(5.0 * 0.6)
    assert charge_limit_kw(1.0, BATTERY) == 0.0
    assert charge_limit_kw(0.5, BATTERY, 2.5) == pytest.approx(2.5)
    assert charge_limit_kw(0.5, BATTERY, -3.0) == 0.0
    assert discharge_limit_kw(0.5, BATTERY, -3.0) == 5.0


@given(soc=st.floats(0.5, 1.0), offered=st.floats(0.0, 6.0), knee=st.sampled_from([0.8, 0.9, 1.0]),
       end_share=st.sampled_from([0.05, 0.2, 1.0]), battery_c=st.none() | st.floats(0.5, 9.0))
def test_a_charge_through_the_taper_is_the_sum_of_its_seconds(
    soc: float, offered: float, knee: float, end_share: float, battery_c: float | None
) -> None:
    battery = BATTERY.model_copy(update={"taper_above_soc": knee, "taper_end_share": end_share})

    second_h = 1.0 / 3600.0
    stepped = soc
    for _ in range(900):
        now_kw = charge_limit_kw(stepped, battery, battery_c, most_kw=offered)
        stepped = min(1.0, stepped + now_kw * second_h / battery.capacity_kwh)
    mean_kw = charge_limit_kw(soc, battery, battery_c, dt_h=0.25, most_kw=offered)
    assert min(1.0, soc + mean_kw * 0.25 / battery.capacity_kwh) == pytest.approx(stepped, abs=1e-4)


def test_a_house_without_a_battery_exports_its_surplus() -> None:
    f = flows(REGULAR, pv_kw=12.0, load_kw=1.0, soc=0.0, battery=None, inverter=INVERTER,
              export_limit_kw=10.0, dt_h=MINUTE_H)
    assert (f.grid_kw, f.curtailed_kw) == (pytest.approx(-9.0), pytest.approx(2.0))  # the AC side carries 10 kW


@pytest.mark.parametrize("composite", [Composite.DISCHARGE_TO_GRID, Composite.SELL_PRODUCTION])
def test_a_stop_soc_below_the_batterys_own_minimum_does_not_count(composite: Composite) -> None:
    f = run(InverterMode(composite=composite, stop_soc=0.0), load=9.0, soc=0.21, dt_h=1.0)
    assert f.battery_kw == pytest.approx(-0.1)


def test_a_stop_soc_above_the_batterys_own_maximum_does_not_count() -> None:
    battery = BATTERY.model_copy(update={"soc_max": 0.8})
    mode = InverterMode(composite=Composite.CHARGE_FROM_GRID, stop_soc=1.0)
    f = flows(mode, pv_kw=0.0, load_kw=0.0, soc=0.79, battery=battery, inverter=INVERTER, export_limit_kw=0.0, dt_h=1.0)
    assert f.battery_kw == pytest.approx(0.1)
