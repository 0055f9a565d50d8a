"""One planning problem out of what is known: rooms, bands, battery, limits."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from actors.planning.assemble import ForcedHeat, HeldSetpoint, Now, PlanSettings, assemble
from actors.planning.outlook import Outlook
from models.physics.rooms import nominal_plants
from models.types.house import Connection, House
from models.types.mode import REGULAR
from solvers.problem import PeakPrice, PlanProblem
from solvers.validate import validate
from tests.actors.devices.bench import BATH, HALL, START, a_house
from tests.actors.planning.plans import forecast, states

ZONE = ZoneInfo("Europe/Berlin")
LIVING = BATH.model_copy(update={"name": "living", "heater_kw": 3.0, "phase": 0, "facing": "none"})
HOUSE = a_house(rooms=(HALL, BATH, LIVING))
SETTINGS = PlanSettings()
STEPS = 192
OUTLOOK = Outlook(price_import=(0.3,) * STEPS, price_export=(0.1,) * STEPS, known=(True,) * STEPS)
NOW = Now(
    at=START + timedelta(minutes=3), soc=0.5, mode=REGULAR, mode_held_slots=3, rooms=states(HOUSE),
    relay_on={"bath": True}, forced={}, days_since_full=0.0, export_limit_kw=8.0,
)  # fmt: skip


def made(now: Now = NOW, house: House = HOUSE, settings: PlanSettings = SETTINGS, **how: object) -> PlanProblem:
    arguments: dict[str, object] = {"forecast": forecast(), "outlook": OUTLOOK, **how}
    return assemble(
        "p1", now, house=house, plants=nominal_plants(house), settings=settings, zone=ZONE, **arguments  # type: ignore[arg-type]
    )  # fmt: skip


def test_a_problem_passes_the_planners_own_validation() -> None:
    problem = made()
    validate(problem)
    assert (problem.id, problem.start, problem.issued, problem.steps) == ("p1", START, NOW.at, STEPS)
    assert problem.pv_kw == (2.0,) * STEPS, "all roofs together"
    assert problem.price_known == (True,) * STEPS


def test_without_a_roof_there_is_no_pv_and_never_a_missing_one() -> None:
    assert made(forecast=replace(forecast(), pv_kw=())).pv_kw == (0.0,) * STEPS


def test_bands_are_those_of_the_local_end_of_each_slot_with_their_back_off() -> None:
    hall = made().rooms[0]
    ends = [(START + timedelta(minutes=15 * (i + 1))).astimezone(ZONE) for i in range(STEPS)]
    for i, end in enumerate(ends):
        day = 6 <= end.hour < 22
        assert hall.lower_c[i] == pytest.approx((19.0 if day else 18.0) + SETTINGS.back_off_k), end
    assert hall.upper_c == (22.5 - SETTINGS.top_back_off_k,) * STEPS
    six = next(i for i, e in enumerate(ends) if (e.hour, e.minute) == (6, 0))
    assert hall.lower_c[six] > hall.lower_c[six - 1], "warm at six means by the slot that ends at six"


def test_rooms_carry_what_is_known_of_them() -> None:
    hall, bath, living = made().rooms
    assert (bath.air_c, bath.slab_c, bath.relay_on, hall.relay_on) == (20.0, 21.0, True, False)
    assert bath.sun_kw[0] == pytest.approx(0.05 * 6 * 100 / 1000) and living.sun_kw == (0.0,) * STEPS
    assert (hall.phase, living.phase, living.heater_kw) == (1, 0, 3.0)
    assert not any(r.forced_slots for r in (hall, bath, living))


def test_a_room_whose_sensor_is_silent_is_left_out_and_its_neighbours_are_renumbered() -> None:
    whole = made().rooms
    assert [[i for i, _ in r.neighbours] for r in whole] == [[1], [0, 2], [1]]
    rest = {n: s for n, s in NOW.rooms.items() if n != "hall"}
    problem = made(replace(NOW, rooms=rest))
    assert [r.name for r in problem.rooms] == ["bath", "living"]
    assert [[i for i, _ in r.neighbours] for r in problem.rooms] == [[1], [0]]
    between = whole[1].neighbours[1][1]
    assert problem.rooms[0].neighbours == ((1, between),) and problem.rooms[1].neighbours == ((0, between),)
    middle = {n: s for n, s in NOW.rooms.items() if n != "bath"}
    assert [r.neighbours for r in made(replace(NOW, rooms=middle)).rooms] == [(), ()]
    validate(problem)


def test_a_room_that_is_not_ours_runs_at_its_forced_duty_while_it_is_held() -> None:
    hall, bath, living = made(
        replace(NOW, forced={"hall": ForcedHeat(duty=1.0, slots=3), "living": ForcedHeat(duty=0.0, slots=10**6)})
    ).rooms
    assert [hall.duty_bounds(t) for t in (0, 2, 3)] == [(1.0, 1.0), (1.0, 1.0), (0.0, 1.0)]
    assert bath.forced_slots == 0
    assert living.forced_slots == STEPS


def test_a_held_thermostat_is_heat_at_its_mean_for_as_long_as_it_is_held() -> None:
    warm = made(replace(NOW, held_c={"hall": HeldSetpoint(setpoint_c=22.0, slots=8)})).rooms[0]
    assert warm.forced_slots == 8 and 0.0 < warm.forced_duty <= 1.0
    cool = made(replace(NOW, held_c={"hall": HeldSetpoint(setpoint_c=18.0, slots=10**6)})).rooms[0]
    assert cool.forced_slots == STEPS and cool.forced_duty < warm.forced_duty
    off = {"hall": ForcedHeat(duty=0.0, slots=2)}
    both = replace(NOW, held_c={"hall": HeldSetpoint(setpoint_c=22.0, slots=8)}, forced=off)
    assert made(both).rooms[0].forced_slots == 2, "who holds the relay is stronger than its thermostat"


@pytest.mark.parametrize(
    ("days", "slot"),
    [(0.0, None), (11.9, None), (12.5, 144), (13.9, 48), (14.0, 48), (40.0, 48)],
)
def test_a_full_charge_is_due_within_fourteen_days_and_never_sooner_than_half_a_day_ahead(
    days: float, slot: int | None
) -> None:
    battery = made(replace(NOW, days_since_full=days)).battery
    assert battery is not None and battery.full_by_slot == slot


def test_without_a_known_soc_there_is_no_battery_to_plan() -> None:
    assert made(replace(NOW, soc=None)).battery is None
    assert made(house=a_house(battery=None), now=replace(NOW, rooms={})).battery is None


def test_the_battery_is_that_of_the_house() -> None:
    battery = made().battery
    assert battery is not None
    assert (battery.soc, battery.soc_min, battery.charge_kw, battery.eff_charge_ac) == (0.5, 0.2, 5.0, 0.92)
    assert battery.composites and battery.battery_first_draw_kw == 1.2


def test_a_margin_is_left_under_the_fuse_on_the_whole_and_on_each_phase() -> None:
    problem = made()
    fuse_kw = HOUSE.connection.import_limit_kw
    assert problem.import_limit_kw == pytest.approx(fuse_kw - SETTINGS.import_margin_kw)
    assert SETTINGS.import_margin_kw >= 0.5
    assert problem.phase_limit_kw == pytest.approx((fuse_kw - SETTINGS.import_margin_kw) / 3)
    single = a_house(connection=Connection(phases=1, export_contract_kw=8.0))
    assert made(house=single).phase_limit_kw is None


def test_prices_that_reach_less_far_than_the_forecast_cut_the_horizon() -> None:
    short = Outlook(price_import=(0.3,) * 20, price_export=(0.1,) * 20, known=(True,) * 20)
    problem = made(outlook=short)
    assert problem.steps == len(problem.load_kw) == len(problem.pv_kw) == len(problem.rooms[0].lower_c) == 20
    validate(problem)


def test_a_horizon_of_one_slot_is_a_problem_too() -> None:
    one = Outlook(price_import=(0.3,), price_export=(0.1,), known=(True,))
    validate(made(replace(NOW, days_since_full=20.0), outlook=one, forecast=forecast(steps=1)))


@pytest.mark.parametrize(("per", "each"), [("month", False), ("slot", True)])
@pytest.mark.parametrize("slots_an_hour", [1, 4, 12])
def test_a_price_on_power_bills_quarter_hours_whatever_the_slots_are(per: str, each: bool, slots_an_hour: int) -> None:
    tariff = HOUSE.tariff.model_copy(update={"peak_eur_per_kw": 2.0, "peak_per": per, "peak_free_kw": 1.0})
    house = HOUSE.model_copy(update={"tariff": tariff})
    peak = made(house=house, forecast=replace(forecast(), dt_s=3600.0 / slots_an_hour)).peak
    assert peak is not None
    hour_kw = [4.0] * slots_an_hour
    assert peak.cost_eur(hour_kw) == pytest.approx(2.0 * 3.0 * (4 if each else 1))


@pytest.mark.parametrize(
    ("start", "free_kw"),
    [
        (datetime(2021, 2, 26, 23, 0, tzinfo=UTC), 6.0),  # midnight in Berlin: 48 h end with the month
        (datetime(2021, 2, 26, 23, 15, tzinfo=UTC), 1.0),
        (datetime(2021, 2, 28, 22, 45, tzinfo=UTC), 1.0),
        (datetime(2021, 2, 28, 23, 0, tzinfo=UTC), 6.0),
    ],
)
def test_a_plan_that_reaches_into_the_next_month_has_no_peak_that_is_paid_already(
    start: datetime, free_kw: float
) -> None:
    tariff = HOUSE.tariff.model_copy(update={"peak_eur_per_kw": 5.0, "peak_free_kw": 1.0})
    now = replace(NOW, at=start, peak_kw=6.0)
    problem = made(now, HOUSE.model_copy(update={"tariff": tariff}), forecast=forecast(start=start))
    assert problem.peak == PeakPrice(eur_per_kw=5.0, measured_kw=free_kw)
