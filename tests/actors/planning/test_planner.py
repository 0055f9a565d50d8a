"""The planner's cycle: forecast, problem, plan, signature; and each way it can fail."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from actors.messages import (
    Alarm,
    ForecastReady,
    Holding,
    LinkState,
    PlanFailed,
    PlanReady,
    PricesKnown,
    Trip,
    WeatherKnown,
)
from actors.planning.assemble import PlanSettings
from actors.planning.planner import FORECASTER, OPTIMIZER, Planner, PlannerSetup
from actors.planning.questions import NoAnswer, PlanQuestion
from actors.planning.rooms_tracker import ObservedRooms
from actors.runtime import Answer, Behaviour, FunctionWorker, Port, WorkerDone
from actors.store.peaks import PEAKS_FILE, FilePeaks
from models.errors import DataError
from models.physics.rooms import nominal_plants
from models.types.command import Level
from models.types.forecast import HouseForecast
from models.types.forecast_request import ForecastRequest, MeasuredSeries
from models.types.mode import REGULAR, Composite, InverterMode
from solvers.checker import sign, verify
from solvers.problem import PeakPrice, PlanProblem
from solvers.rules import RulesPlanner
from tests.actors.devices.bench import START, Bench, a_house
from tests.actors.planning.plans import forecast, inverter, prices, rooms, signed, weather

PATH, ASKER = "/plan/planner", "/console/asker"
HOUSE = a_house()
AIR: dict[str, float | None] = {"hall": 20.0, "bath": 21.5}


class KnownLoad:
    """What was measured: nothing much."""

    problem = ""  # nothing to keep

    def __init__(self) -> None:
        self.seen: list[float] = []

    def see(self, now: object, kw: float) -> None:
        self.seen.append(kw)

    def history(self, now: object, days: float) -> MeasuredSeries:
        return MeasuredSeries(start=START - timedelta(hours=1), dt_s=900.0, kw=(0.5,) * 4)

    def known(self, now: object, steps: int) -> MeasuredSeries | None:
        return None


def as_asked(request: object) -> HouseForecast:
    """A forecast on the very slots that were asked for."""
    assert isinstance(request, ForecastRequest)
    return forecast(start=request.start, steps=request.steps, dt_s=request.dt_s)


def by_rules(problem: object) -> object:
    assert isinstance(problem, PlanProblem)
    return sign(problem, RulesPlanner().solve(problem, time_limit_s=1.0))


class Asker(Behaviour):
    """Passes questions on, and keeps what comes back."""

    def __init__(self, answers: list[object]) -> None:
        self._answers = answers

    def handle(self, message: object) -> None:
        match message:
            case PlanQuestion():
                self.ctx.ask(PATH, message, timeout_s=100.0)
            case Answer(value=value):
                self._answers.append(value)


class Room(Bench):
    """A planner with workers that are functions; what they were asked is kept."""

    def __init__(
        self,
        *,
        forecaster: Callable[[object], object] = as_asked,
        optimizer: Callable[[object], object] = by_rules,
        forecast_s: float = 1.0,
        plan_s: float = 2.0,
        settings: PlanSettings | None = None,
        **changes: object,
    ) -> None:
        self.requests: list[ForecastRequest] = []
        self.problems: list[PlanProblem] = []
        self.answers: list[object] = []
        self.forecaster, self.optimizer, self.seconds = forecaster, optimizer, {"forecast": forecast_s, "plan": plan_s}
        plants = nominal_plants(HOUSE)
        base: dict[str, object] = {
            "house": HOUSE, "zone": ZoneInfo("Europe/Berlin"), "settings": settings or PlanSettings(), "plants": plants,
            "load": KnownLoad, "states": lambda: ObservedRooms(HOUSE, plants), "tick_s": 15.0,
            "forecast_deadline_s": 20.0, "plan_deadline_s": 30.0, "soc_max_age_s": 1e9, **changes,
        }  # fmt: skip
        setup = PlannerSetup(**base)  # type: ignore[arg-type]
        methods: dict[str, Callable[[object], object]] = {"plan": self._plan, "card": str}
        super().__init__(
            {
                FORECASTER: lambda: Port(lambda: FunctionWorker({"forecast": self._forecast}, self.seconds)),
                OPTIMIZER: lambda: Port(lambda: FunctionWorker(methods, self.seconds)),
                PATH: lambda: Planner(setup),
                ASKER: lambda: Asker(self.answers),
            },
            events=(PlanReady, PlanFailed, ForecastReady, Alarm),
        )
        self.start()

    def _forecast(self, body: object) -> object:
        assert isinstance(body, ForecastRequest)
        self.requests.append(body)
        return self.forecaster(body)

    def _plan(self, body: object) -> object:
        assert isinstance(body, PlanProblem)
        self.problems.append(body)
        return self.optimizer(body)

    def know(self, *, days: int = 3) -> None:
        """Everything that a plan needs."""
        self.publish(PricesKnown(prices=prices([0.1] * 96 * days)))
        self.publish(WeatherKnown(weather=weather()))
        self.publish(inverter(0.5, composite=Composite.REGULAR))
        self.publish(rooms(dict(AIR)))

    def fails(self) -> list[str]:
        return [f.reason for f in self.of(PlanFailed)]

    def snapshot(self) -> dict[str, object]:
        return self.runtime.behaviour_snapshot(PATH)


def ready(**how: object) -> Room:
    room = Room(**how)  # type: ignore[arg-type]
    room.know()
    return room


# --- a cycle ----------------------------------------------------------------------------------------------------------
def test_one_plan_a_quarter_hour_each_signed_for_its_problem() -> None:
    room = ready()
    room.run(3 * 900 - 1)
    plans = room.of(PlanReady)
    assert [p.problem.start for p in plans] == [START + timedelta(minutes=15 * i) for i in range(3)]
    assert all(verify(p.plan, p.problem) for p in plans)
    assert plans[0].took_s == pytest.approx(3.0)
    assert len({p.problem.id for p in plans}) == 3
    assert len(room.of(ForecastReady)) == 3 and room.fails() == []
    assert room.snapshot()["made"] == 3 and room.snapshot()["busy"] is None


def test_the_problem_holds_what_was_seen() -> None:
    room = ready()
    room.publish(rooms(AIR, on=("hall",)))
    room.run(30)
    (problem,) = room.problems
    assert problem.battery is not None and problem.battery.soc == 0.5
    assert [r.name for r in problem.rooms] == ["hall", "bath"]
    assert (problem.rooms[0].air_c, problem.rooms[0].relay_on, problem.rooms[1].relay_on) == (20.0, True, False)
    assert problem.mode_now is not None and problem.mode_now.composite is Composite.REGULAR
    assert problem.mode_held_slots > 4, "what ran before we looked has run long enough"
    assert problem.steps == 192 and all(problem.price_known)
    assert room.requests[0].start == START and room.requests[0].steps == 192


def test_a_mode_that_has_just_begun_counts_its_slots() -> None:
    room = ready()
    room.run(100)
    room.publish(inverter(0.5, composite=Composite.HOLD))
    room.run(2 * 900)
    last = room.problems[-1]
    assert last.mode_now is not None and last.mode_now.composite is Composite.HOLD
    assert last.mode_held_slots == 1


TRIP = Trip(id="t", kind="manual", points=("*",), reason="", tripped_at=START, hold_off_s=0.0)


@pytest.mark.parametrize("news", [TRIP, LinkState(up=True)])
def test_events_bring_a_new_plan_at_once(news: object) -> None:
    room = ready()
    room.run(100)
    room.publish(news)
    room.run(30)
    assert len(room.of(PlanReady)) == 2


def test_prices_that_reach_a_day_further_bring_a_new_plan_and_others_do_not() -> None:
    room = ready()
    room.run(100)
    room.publish(PricesKnown(prices=prices([0.1] * 96 * 3)))
    room.run(60)
    assert len(room.of(PlanReady)) == 1
    room.publish(PricesKnown(prices=prices([0.1] * 96 * 4)))
    room.run(60)
    assert len(room.of(PlanReady)) == 2


@pytest.mark.parametrize(("dt_min", "horizon_h"), [(5.0, 24.0), (30.0, 48.0), (60.0, 48.0), (15.0, 0.25), (15.0, 6.0)])
def test_slots_of_any_length_and_horizons_of_any_length_are_planned(dt_min: float, horizon_h: float) -> None:
    room = ready(settings=PlanSettings(dt_min=dt_min, horizon_h=horizon_h), forecast_s=1.0)
    room.run(400)
    room.publish(LinkState(up=True))
    room.run(4000)
    assert room.fails() == []
    for plan in room.of(PlanReady):
        assert plan.problem.start <= plan.problem.issued < plan.problem.start + timedelta(minutes=dt_min)
        assert plan.problem.dt_h == dt_min / 60 and plan.problem.steps == round(horizon_h * 60 / dt_min)


# --- what is missing --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("missing", ["prices", "weather", "the inverter's SOC", "room temperatures"])
def test_it_waits_for_what_it_needs_and_raises_no_alarm_for_that(missing: str) -> None:
    room = Room()
    known = {
        "prices": PricesKnown(prices=prices([0.1] * 288)), "weather": WeatherKnown(weather=weather()),
        "the inverter's SOC": inverter(0.5), "room temperatures": rooms(dict(AIR)),
    }  # fmt: skip
    for name, event in known.items():
        if name != missing:
            room.publish(event)
    if missing == "the inverter's SOC":
        room.publish(inverter(None))
        room.publish(inverter(0.9, online=False))
    room.run(60)
    assert set(room.fails()) == {f"waiting for {missing}"}
    assert room.of(Alarm) == [] and room.requests == []
    room.publish(known[missing])
    room.run(30)
    assert len(room.of(PlanReady)) == 1


def test_a_battery_that_has_been_silent_for_long_is_not_planned_on_its_last_word() -> None:
    room = ready(soc_max_age_s=1000.0)
    room.run(1900)
    assert set(room.fails()) == {"waiting for the inverter's SOC"} and len(room.of(PlanReady)) == 2
    room.publish(inverter(0.4))
    room.run(30)
    assert room.problems[-1].battery is not None and room.problems[-1].battery.soc == 0.4


def test_the_mode_that_runs_comes_with_its_rate_and_stop_soc_as_read_back() -> None:
    room = ready()
    room.run(100)
    running = InverterMode(composite=Composite.CHARGE_FROM_GRID, stop_soc=0.8, rate=0.5)
    room.publish(replace(inverter(0.5, composite=running.composite), stop_soc=0.8, rate=0.5))
    room.run(900)
    assert room.problems[-1].mode_now == running


def test_a_relay_that_a_person_or_a_trip_holds_is_not_the_plans_to_switch_until_it_is_given_back() -> None:
    room = ready()
    hall, bath = "room.hall.relay", "room.bath.relay"
    room.publish(Holding(point=hall, value="on", level=Level.USER, until_s=room.clock.monotonic() + 1500.0))
    room.publish(Holding(point=bath, value="off", level=Level.SAFETY_TRIP, until_s=None))
    room.run(30)
    first = room.problems[-1].rooms
    assert [(r.forced_slots, r.forced_duty) for r in first] == [(2, 1.0), (192, 0.0)]
    soon_s = room.clock.monotonic() + 400.0  # shed under the fuse: over before the slot is
    room.publish(Holding(point=bath, value="off", level=Level.GRID_OPERATOR, until_s=soon_s))
    room.run(900)
    assert room.problems[-1].rooms[1].forced_slots == 0
    room.publish(Holding(point=bath, value="auto", level=Level.DEFAULT, until_s=None))
    room.run(1800)
    assert [r.forced_slots for r in room.problems[-1].rooms] == [0, 0]


def test_a_thermostat_that_a_person_holds_is_heat_that_is_not_the_plans_to_move() -> None:
    house = HOUSE.model_copy(
        update={"rooms": (HOUSE.rooms[0].model_copy(update={"control": "setpoint"}), *HOUSE.rooms[1:])}
    )
    room = ready(house=house)
    until_s = room.clock.monotonic() + 3600.0
    for name in ("hall", "bath"):  # the bath's relay is ours: its thermostat decides nothing
        room.publish(Holding(point=f"room.{name}.setpoint_c", value=22.0, level=Level.USER, until_s=until_s))
    room.run(30)
    hall, bath = room.problems[-1].rooms
    assert (hall.forced_slots, bath.forced_slots) == (4, 0) and hall.forced_duty > 0.5
    room.publish(Holding(point="room.hall.setpoint_c", value=18.0, level=Level.USER, until_s=until_s))
    room.run(900)
    assert (room.problems[-1].rooms[0].forced_slots, room.problems[-1].rooms[0].forced_duty) == (3, 0.0)
    room.publish(Holding(point="room.hall.setpoint_c", value=None, level=Level.SAFETY_TRIP, until_s=None))
    room.run(900)
    assert room.problems[-1].rooms[0].forced_slots == 0, "its own thermostat heats it, about as a plan would"


def test_a_room_that_a_trip_has_given_back_has_no_card_for_no_plan_acts_on_it() -> None:
    room = ready()
    room.run(30)
    until_s = room.clock.monotonic() + 3600.0
    room.publish(Holding(point="room.hall.relay", value="auto", level=Level.SAFETY_TRIP, until_s=None))
    room.publish(Holding(point="room.bath.relay", value="auto", level=Level.USER, until_s=until_s))
    room.tell(ASKER, PlanQuestion(kind="card", room="hall", at=START + timedelta(hours=9)))
    room.tell(ASKER, PlanQuestion(kind="card", room="bath"))
    assert [a.reason.split(":")[0] for a in room.answers if isinstance(a, NoAnswer)] == [
        "hall is left to its own thermostat by a trip", "bath is left to its own thermostat by a person",
    ]  # fmt: skip
    room.tell(ASKER, PlanQuestion(kind="card", room="bath", at=START + timedelta(hours=2)))
    room.publish(Holding(point="room.hall.relay", value="off", level=Level.SAFETY_TRIP, until_s=None))
    room.tell(ASKER, PlanQuestion(kind="card", room="hall"))
    room.run(5)
    assert [isinstance(a, NoAnswer) for a in room.answers] == [True, True, False, False], "the card itself says who"


def test_prices_that_end_now_are_stood_in_for_and_flagged() -> None:
    room = ready()
    room.publish(PricesKnown(prices=prices([0.1] * 200, start=START - timedelta(hours=48))))
    room.run(30)
    (problem,) = room.problems
    assert problem.price_known == (True,) * 8 + (False,) * 184


def test_prices_without_a_single_known_day_are_no_prices() -> None:
    room = ready()
    room.publish(PricesKnown(prices=prices([0.1] * 4)))
    room.run(30)
    assert room.fails() == ["no prices, and too few known days to stand in for them"]
    assert room.alarms("planner") == [True]


# --- what fails -------------------------------------------------------------------------------------------------------
def broken(_: object) -> object:
    raise DataError("too little of the weather is known")


def test_when_the_forecaster_fails_the_last_forecast_goes_on() -> None:
    room = ready()
    room.run(30)
    room.forecaster = broken
    room.run(900)
    assert room.alarms("planner") == [True, False], "said when it failed, over when the plan came"
    assert "forecast error: DataError: too little" in room.fails()[0]
    second = room.of(PlanReady)[1].problem
    assert second.start == START + timedelta(minutes=15) and second.steps == 191
    assert second.outdoor_c[0] == pytest.approx(0.1), "shifted by one slot"


def test_a_forecast_is_used_until_less_than_half_of_it_or_of_a_day_is_left() -> None:
    room = ready(settings=PlanSettings(horizon_h=2.0))
    room.run(30)
    room.forecaster = broken
    room.run(6 * 900)
    assert len(room.of(PlanReady)) == 5
    assert room.fails()[-1] == "no forecast that reaches 1 h ahead"


def test_without_any_forecast_there_is_no_plan() -> None:
    room = ready(forecaster=broken)
    room.run(30)
    assert [f.split(":")[0] for f in room.fails()] == ["forecast error", "no forecast that reaches 24 h ahead"]
    assert room.problems == []


def test_a_plan_past_its_deadline_is_one_alarm_until_the_next_plan() -> None:
    room = ready(plan_s=1000.0)
    room.run(2 * 900 + 300)
    assert len(room.fails()) == 6, "in each quarter hour it is asked for once more, and then no more"
    assert all("plan deadline" in reason for reason in room.fails())
    assert room.alarms("planner") == [True]
    room.seconds["plan"] = 1.0
    room.run(900)
    assert room.alarms("planner") == [True, False]
    assert len(room.of(PlanReady)) == 1


def test_a_plan_that_was_lost_with_its_worker_is_asked_for_again_soon() -> None:
    room = ready(plan_s=1000.0)
    room.run(50)
    assert ["plan deadline" in reason for reason in room.fails()] == [True]
    room.seconds["plan"] = 1.0
    room.run(30)
    assert [p.problem.start for p in room.of(PlanReady)] == [START], "not only in the next quarter hour"
    room.run(800)
    assert len(room.problems) == 2


def test_a_plan_that_took_a_cold_worker_too_long_has_more_time_with_the_next_one() -> None:
    room = ready(plan_s=100.0)
    room.run(300)
    assert ["not done within 30 s" in f or "not done within 60 s" in f for f in room.fails()] == [True, True]
    room.run(900)
    assert len(room.of(PlanReady)) == 1, "within four times as long"
    room.seconds["plan"] = 1.0
    room.run(900)
    room.seconds["plan"] = 1000.0
    room.run(900)
    assert "not done within 30 s" in room.fails()[2], "patience is for what was lost just before"


def test_a_forecaster_that_begins_cold_has_more_time_too() -> None:
    room = ready(forecast_s=25.0)
    room.run(900 + 60)
    assert room.fails()[0].startswith("forecast deadline: not done within 20 s")
    assert len(room.of(PlanReady)) == 1


def test_the_days_since_a_full_charge_outlive_a_restart() -> None:
    room = ready(tick_s=3600.0, replan_s=86_400.0)
    for _ in range(2):
        room.publish(inverter(0.5))
        room.run(13 * 86_400 // 2)
        room.runtime.restart(PATH, "test")
    room.know()
    room.publish(PricesKnown(prices=prices([0.1] * 96 * 20)))
    room.run(86_400)
    battery = room.problems[-1].battery
    assert battery is not None and battery.full_by_slot is not None and battery.full_by_slot < 96


def test_a_battery_at_the_highest_soc_it_may_have_is_full() -> None:
    assert HOUSE.battery is not None
    most = HOUSE.battery.model_copy(update={"soc_max": 0.9, "full_charge_every_days": 1})
    room = ready(house=HOUSE.model_copy(update={"battery": most}), soc_max_age_s=1e9)
    for _ in range(4 * 30):
        room.publish(inverter(0.9))
        room.run(900)
    battery = room.problems[-1].battery
    assert battery is not None and battery.full_by_slot == 95, "a whole day after it was full"


def test_the_base_load_is_what_is_left_of_the_load_without_heating_and_without_losses() -> None:
    load = KnownLoad()
    room = ready(load=lambda: load)
    charging = 0.5 + 5.0 * (1.0 / HOUSE.inverter.eff_charge_ac - 1.0)
    room.publish(replace(inverter(0.5, load_kw=charging), battery_kw=5.0, pv_kw=0.0))
    assert load.seen[-1] == pytest.approx(0.5)
    count = len(load.seen)
    room.publish(replace(inverter(0.5, load_kw=charging), battery_kw=None))
    assert len(load.seen) == count, "how much of it is lost is not known"


def test_a_plan_that_waits_behind_a_question_that_hangs_has_its_whole_time_all_the_same() -> None:
    room = ready(plan_s=25.0, forecast_s=1.0)
    room.run(899)
    assert len(room.of(PlanReady)) == 1
    room.seconds["card"] = 1000.0
    room.tell(ASKER, PlanQuestion(kind="card"))
    room.run(60)
    assert room.fails() == [] and len(room.of(PlanReady)) == 2
    (answer,) = room.answers
    assert isinstance(answer, NoAnswer) and "deadline" in answer.reason
    room.seconds["plan"] = 1000.0
    room.run(900)
    assert "not done within 30 s" in room.fails()[0], "no question is open any more"


def test_one_plan_at_a_time_however_much_happens() -> None:
    room = ready(plan_s=25.0)
    for _ in range(30):
        room.run(3)
        room.publish(LinkState(up=True))
    assert len(room.requests) == 3


@pytest.mark.parametrize(
    ("spoil", "says"),
    [(lambda p: "a plan", "plan answered with str"), (lambda p: signed(replace(p, id="other")), "signature"),
     (lambda p: replace(signed(p), signature="0" * 64), "signature"), (broken, "plan error")],
)  # fmt: skip
def test_an_answer_that_is_no_signed_plan_for_this_problem_is_no_plan(
    spoil: Callable[[PlanProblem], object], says: str
) -> None:
    room = ready(optimizer=spoil)
    room.run(30)
    assert room.of(PlanReady) == [] and says in room.fails()[0]
    assert room.alarms("planner") == [True]


def test_an_answer_to_a_question_of_a_former_life_is_passed_over() -> None:
    room = ready()
    room.run(5)
    room.tell(PATH, WorkerDone(id="plan-0.9-1", method="plan", value="x", took_s=0.0))
    room.run(30)
    assert room.fails() == [] and len(room.of(PlanReady)) == 1


def test_a_new_life_plans_again() -> None:
    room = ready()
    room.run(30)
    room.runtime.restart(PATH)
    room.run(15)
    room.know()
    room.run(30)
    assert len(room.of(PlanReady)) == 2


# --- sun that was measured --------------------------------------------------------------------------------------------
def test_measured_sun_goes_to_the_forecaster_in_quarter_means_and_is_unknown_where_it_may_be_curtailed() -> None:
    room = ready()
    for minute in range(60):
        cheap = 15 <= minute < 30
        room.publish(PricesKnown(prices=prices([-0.1 if cheap else 0.1] * 288)))
        room.publish(inverter(0.5, pv_kw=1.0 + minute % 2, grid_kw=0.0))
        room.run(60)
    room.run(30)
    history = room.requests[-1].pv_history
    assert history is not None and history.end <= START + timedelta(hours=1)
    curtailed, third = history.kw[-2:]
    assert third == pytest.approx(1.5, abs=0.05)
    assert math.isnan(curtailed)
    assert all(map(math.isnan, history.kw[:-4])), "before anybody looked"


def test_perfect_foresight_asks_no_forecaster() -> None:
    room = ready(forecast=as_asked)
    room.run(30)
    assert room.requests == [] and len(room.of(PlanReady)) == 1


def test_the_days_since_a_full_charge_are_counted() -> None:
    room = ready(tick_s=3600.0, replan_s=86_400.0)
    room.publish(inverter(0.99))
    room.publish(inverter(0.5))
    room.run(13 * 86400)
    room.publish(PricesKnown(prices=prices([0.1] * 96 * 20)))
    room.publish(rooms(dict(AIR)))
    room.run(86_400)
    battery = room.problems[-1].battery
    assert battery is not None and battery.full_by_slot is not None and battery.full_by_slot < 96


def test_a_mode_that_a_person_holds_is_planned_with_until_its_end() -> None:
    room = ready()
    until_s = room.runtime.clock.monotonic() + 3600.0
    room.publish(Holding(point="inverter.mode", value=REGULAR, level=Level.USER, until_s=until_s))
    room.run(900)
    assert room.problems[-1].mode_forced_slots in (3, 4)
    room.publish(Holding(point="inverter.mode", value=REGULAR, level=Level.PLAN, until_s=None))
    room.run(900)
    assert room.problems[-1].mode_forced_slots == 0


def test_a_plan_is_asked_to_keep_to_the_one_before() -> None:
    room = ready()
    room.run(30)
    assert room.problems[0].commitment is None
    room.run(900)
    commitment = room.problems[-1].commitment
    assert commitment is not None
    assert commitment.modes == room.of(PlanReady)[-2].plan.result.modes[1:]
    assert (commitment.at_most_eur, commitment.left_eur) == (0.005, 0.03)


def test_a_price_on_power_comes_with_the_peak_of_the_month() -> None:
    tariff = HOUSE.tariff.model_copy(update={"peak_eur_per_kw": 5.0})
    room = ready(house=HOUSE.model_copy(update={"tariff": tariff}), reading_max_age_s=900.0)
    room.run(30)
    assert room.problems[0].peak == PeakPrice(eur_per_kw=5.0, measured_kw=0.0)
    for _ in range(3):
        room.publish(inverter(0.5, grid_kw=6.0))
        room.run(900)
    assert room.problems[-1].peak == PeakPrice(eur_per_kw=5.0, measured_kw=6.0)


def test_a_measured_load_that_cannot_be_kept_is_an_alarm_until_it_can() -> None:
    load = KnownLoad()
    room = ready(load=lambda: load, reading_max_age_s=900.0)
    for problem in ("the disk is full", "the disk is full", ""):
        load.problem = problem
        room.publish(inverter(0.5, load_kw=1.0))
    assert room.alarms("load_unsaved") == [True, False]
    assert room.of(Alarm)[0].text == "measured base load would be forgotten at a restart: the disk is full"


def test_a_peak_that_cannot_be_read_or_kept_is_an_alarm_until_it_can(tmp_path: Path) -> None:
    (tmp_path / PEAKS_FILE).write_text("{")
    room = ready(peaks=FilePeaks(tmp_path), reading_max_age_s=900.0)
    assert room.alarms("peak_unsaved") == [True]
    said = room.of(Alarm)[0].text
    assert "highest import would be forgotten" in said and PEAKS_FILE in said
    room.publish(inverter(0.5, grid_kw=6.0))
    room.run(900)
    room.publish(inverter(0.5, grid_kw=0.0))
    assert room.alarms("peak_unsaved") == [True, False], "written anew"

    tmp_path.rename(tmp_path.parent / "gone")  # the disk is away
    for kw in (7.0, 0.0):
        room.publish(inverter(0.5, grid_kw=kw))
        room.run(900)
    assert room.alarms("peak_unsaved") == [True, False, True]
    tmp_path.mkdir()
    for _ in range(2):
        room.publish(inverter(0.5, grid_kw=0.0))
        room.run(900)
    assert room.alarms("peak_unsaved") == [True, False, True, False], "tried again without a higher one"
    month, kw = FilePeaks(tmp_path).load() or ((0, 0), 0.0)
    assert month == (2021, 2) and kw == pytest.approx(7.0, rel=0.02)


def test_the_reserve_of_the_house_file_is_planned_for() -> None:
    room = ready(settings=PlanSettings(reserve_soc=0.3))
    room.run(30)
    battery = room.problems[0].battery
    assert battery is not None and battery.reserve_soc == 0.3
