"""The planner: asks the forecaster, then the optimizer, and publishes plans that carry the checker's signature."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from actors.memory import MemoryFullCharge, MemoryPeaks
from actors.messages import (
    Alarm,
    ForecastReady,
    Holding,
    LinkState,
    OperatorLimits,
    PlanFailed,
    PlanReady,
    PricesKnown,
    Tick,
    Trip,
    WeatherKnown,
)
from actors.planning.assemble import Now, PlanSettings, assemble
from actors.planning.calm import Calm
from actors.planning.full_charge import FullStore, LastFull
from actors.planning.holds import Holds
from actors.planning.measured_pv import MeasuredPv
from actors.planning.oddities import Oddities
from actors.planning.outlook import price_outlook
from actors.planning.peaks import MonthPeak, PeakStore
from actors.planning.questions import OpenQuestions, PlanQuestion, RunningPlan, left_to_itself
from actors.planning.rooms_tracker import RoomStates
from actors.runtime import Behaviour, WorkerCall, WorkerDone, WorkerFailed
from models.physics.hybrid import conversion_loss_kw
from models.physics.rooms import RoomPlant
from models.types.forecast import HouseForecast, PriceSeries, WeatherForecast
from models.types.forecast_request import ForecastRequest, MeasuredSeries
from models.types.house import House
from models.types.mode import InverterMode
from models.types.operator import ImportLimit
from models.types.reading import InverterReading, RoomsReading
from models.types.slots import floor_slot
from solvers.checker import verify
from solvers.problem import PlanProblem
from solvers.result import SignedPlan

FORECASTER, OPTIMIZER = "/plan/forecaster", "/plan/optimizer"
HISTORY_DAYS = 35.0
PATIENCE_DOUBLINGS = 2  # a new worker begins cold, which may be what took it too long
NEWS = timedelta(hours=6)  # prices that reach this much further are worth a new plan at once


class Load(Protocol):
    """Measured base load, and in the perfect-foresight policy what is to come."""

    problem: str  # why what was measured is not on disk; empty: all is well

    def see(self, now: datetime, kw: float) -> None: ...
    def history(self, now: datetime, days: float) -> MeasuredSeries: ...
    def known(self, now: datetime, steps: int) -> MeasuredSeries | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannerSetup:
    """What the planner is built with."""

    house: House
    zone: ZoneInfo
    settings: PlanSettings
    plants: Sequence[RoomPlant]  # the rooms as the planner believes them
    load: Callable[[], Load]
    states: Callable[[], RoomStates]
    method: str = "plan"  # of the optimizer worker
    replan_s: float = 900.0
    tick_s: float = 15.0
    soc_max_age_s: float = 900.0
    reading_max_age_s: float = 60.0  # of the grid's power, for the peak that is billed
    forecast_deadline_s: float = 20.0
    plan_deadline_s: float = 30.0
    forecast: Callable[[ForecastRequest], HouseForecast] | None = None  # perfect foresight: no worker
    peaks: PeakStore = field(default_factory=MemoryPeaks)
    full_charge: FullStore = field(default_factory=MemoryFullCharge)


class Planner(Behaviour):
    """One plan every quarter hour and on events; one at a time. One that is lost with its worker is asked for again,
    once in a quarter hour.

    Handles  readings, prices, weather, Tick, PlanQuestion, WorkerDone, WorkerFailed
    Sends    WorkerCall to the ports; publishes ForecastReady, PlanReady, PlanFailed, Alarm
    Fails    on bugs only; without a plan the last one goes on, then the rules
    """

    def __init__(self, setup: PlannerSetup) -> None:
        self._setup, settings = setup, setup.settings
        self._holds = Holds(setup.house.rooms, slot_s=settings.dt_min * 60.0, horizon_s=settings.horizon_h * 3600.0)
        self._prices: PriceSeries | None = None
        self._weather: WeatherForecast | None = None
        self._soc: tuple[float, float] | None = None  # (soc, monotonic)
        self._mode: tuple[InverterMode, float] | None = None  # (as read back, its composite since monotonic)
        self._relays: dict[str, bool] = {}
        self._limits: tuple[ImportLimit, ...] = ()
        self._pv = MeasuredPv()
        self._forecast: HouseForecast | None = None
        self._planned_slot: datetime | None = None
        self._busy: str | None = None
        self._began_s = 0.0
        self._again = ""
        self._lost = dict.fromkeys((FORECASTER, OPTIMIZER), 0)  # calls in a row that went past their deadline
        self._asked_twice: datetime | None = None  # the slot whose plan was lost and is asked for once more
        self._number = 0
        self._problem: PlanProblem | None = None
        self._running: RunningPlan | None = None
        self._alarmed = False
        self._unsaved: set[str] = set()  # alarms of what is on no disk
        self.made, self.failed = 0, 0

    def on_start(self) -> None:
        self._load = self._setup.load()
        self._states = self._setup.states()
        self._questions = OpenQuestions(self.ctx, OPTIMIZER)
        self._oddities = Oddities(self.ctx)
        self._peak = MonthPeak(self._setup.zone, self._setup.peaks, stale_s=self._setup.reading_max_age_s)
        self._tell_unsaved("peak_unsaved", "the month's highest import", self._peak.problem)
        battery, settings = self._setup.house.battery, self._setup.settings
        self._full = LastFull(1.0 if battery is None else battery.soc_max, self._setup.full_charge)
        self._calm = Calm(
            self._setup.zone, at_most_eur=settings.keep_plan_eur, per_day_eur=settings.keep_plan_eur_per_day
        )
        ctx = self.ctx
        ctx.subscribe(InverterReading, coalesce=lambda _: "inverter")
        ctx.subscribe(RoomsReading, coalesce=lambda _: "rooms")
        ctx.subscribe(PricesKnown, coalesce=lambda _: "prices")
        ctx.subscribe(WeatherKnown, coalesce=lambda _: "weather")
        ctx.subscribe(Trip, LinkState, Holding, OperatorLimits)
        ctx.every(self._setup.tick_s, Tick(name="plan"), name="plan")

    def handle(self, message: object) -> None:
        match message:
            case Tick():
                self._consider()
            case InverterReading():
                self._see_inverter(message)
            case RoomsReading():
                self._see_rooms(message)
            case PricesKnown(prices=prices):
                if self._prices is not None and prices.end - self._prices.end >= NEWS:
                    self._again = "new prices"
                self._prices = prices
            case WeatherKnown(weather=weather):
                self._weather = weather
                self._states.see_weather(weather)
            case Holding():
                self._holds.see(message)
            case OperatorLimits(limits=limits):
                self._see_limits(limits)
            case Trip() | LinkState():
                self._again = type(message).__name__.lower()
            case WorkerDone() | WorkerFailed() if message.id == self._busy:
                self._continue(message)
            case PlanQuestion():
                not_ours = left_to_itself(message, self._setup.house.rooms, self._holds.points, self.ctx.clock)
                if not_ours is not None:
                    self.ctx.reply(not_ours)
                else:
                    self._questions.ask(message, self._running)
            case WorkerDone() | WorkerFailed():
                self._questions.answered(message)  # or else an answer to a question of a former life
            case _:
                super().handle(message)

    # --- what is seen -----------------------------------------------------------------------------------------------
    def _see_inverter(self, reading: InverterReading) -> None:
        if not reading.online:
            return
        at_s, now = self.ctx.clock.monotonic(), self.ctx.clock.now()
        if reading.soc is not None:
            self._soc = (reading.soc, at_s)
            self._full.see(now, reading.soc)
            self._tell_unsaved("full_charge_unsaved", "when the battery was full last", self._full.problem)
        if reading.mode is not None:
            if self._mode is None:
                since_s = -1e9  # what ran before we looked has run long enough
            else:
                since_s = self._mode[1] if self._mode[0].composite is reading.mode.composite else at_s
            self._mode = (reading.mode, since_s)
        base_kw = self._base_load_kw(reading)
        if base_kw is not None:
            self._load.see(now, base_kw)
            self._tell_unsaved("load_unsaved", "measured base load", self._load.problem)
        if reading.grid_kw is not None:
            self._peak.see(now, reading.grid_kw)
            self._tell_unsaved("peak_unsaved", "the month's highest import", self._peak.problem)
        if reading.pv_kw is not None:
            self._pv.see(now, reading.pv_kw, curtailed=self._curtailed(reading.grid_kw))

    def _base_load_kw(self, reading: InverterReading) -> float | None:
        """What is drawn beside heating; a plan adds the losses of its own charging, so those of today are no load."""
        house = self._setup.house
        if reading.load_kw is None or len(self._relays) < len(house.rooms):
            return None
        loss_kw = 0.0
        if house.battery is not None:
            if reading.battery_kw is None or reading.pv_kw is None:
                return None
            loss_kw = conversion_loss_kw(reading.battery_kw, reading.pv_kw, house.inverter)
        return reading.load_kw - loss_kw - sum(r.heater_kw for r in house.rooms if self._relays[r.name])

    def _tell_unsaved(self, name: str, what: str, problem: str) -> None:
        """An alarm while something measured is on no disk that can be read and written."""
        if bool(problem) == (name in self._unsaved):
            return
        text = ""
        if problem:
            self._unsaved.add(name)
            text = f"{what} would be forgotten at a restart: {problem}"
        else:
            self._unsaved.discard(name)
        self.ctx.publish(Alarm(at=self.ctx.clock.now(), name=name, active=bool(problem), text=text))

    def _curtailed(self, grid_kw: float | None) -> bool:
        """Whether the export limit may hold PV back: feeding in does not pay now, and hardly anything is drawn."""
        spot = None if self._prices is None else self._prices.at(self.ctx.clock.now())
        return grid_kw is not None and grid_kw < 0.3 and spot is not None and spot < self._setup.house.tariff.export_fee

    def _see_limits(self, limits: tuple[ImportLimit, ...]) -> None:
        """A limit that came or was lifted brings a plan at once; one that is over was planned with its end."""
        now = self.ctx.clock.now()
        if set(limits) != {limit for limit in self._limits if limit.end > now}:
            self._again = "the grid operator's limits"
        self._limits = limits

    def _see_rooms(self, reading: RoomsReading) -> None:
        self._states.see_rooms(reading, self.ctx.clock.monotonic())
        self._relays = {n: r.relay_on for n, r in reading.rooms.items() if r.relay_on is not None}

    # --- one cycle --------------------------------------------------------------------------------------------------
    def _consider(self) -> None:
        slot = floor_slot(self.ctx.clock.now(), timedelta(seconds=self._setup.replan_s))
        if self._busy is not None or (slot == self._planned_slot and not self._again):
            return
        missing = self._missing()
        if missing:
            self._fail(f"waiting for {missing}")
            return
        self._planned_slot, self._again = slot, ""
        self._began_s = self.ctx.clock.monotonic()
        request = self._forecast_request()
        if self._setup.forecast is not None:
            self._forecast = self._setup.forecast(request)
            self._plan()
        else:
            self._call(FORECASTER, "forecast", request, self._setup.forecast_deadline_s)

    def _missing(self) -> str:
        if self._prices is None:
            return "prices"
        if self._weather is None:
            return "weather"
        old_s = self.ctx.clock.monotonic() - self._setup.soc_max_age_s
        if self._setup.house.battery is not None and (self._soc is None or self._soc[1] < old_s):
            return "the inverter's SOC"
        if self._setup.house.rooms and not self._states.ready():
            return "room temperatures"
        return ""

    def _call(self, port: str, method: str, body: object, deadline_s: float) -> None:
        self._number += 1
        epoch = self.ctx.epoch
        self._busy = f"{method}-{epoch.boot}.{epoch.incarnation}-{self._number}"
        patient_s = deadline_s * 2 ** min(self._lost[port], PATIENCE_DOUBLINGS)
        self.ctx.tell(port, WorkerCall(id=self._busy, method=method, body=body, deadline_s=patient_s))

    def _forecast_request(self) -> ForecastRequest:
        now, settings = self.ctx.clock.now(), self._setup.settings
        assert self._weather is not None
        steps = round(settings.horizon_h * 60 / settings.dt_min)
        return ForecastRequest(
            issued=now,
            start=floor_slot(now, timedelta(minutes=settings.dt_min)),
            dt_s=settings.dt_min * 60.0,
            steps=steps,
            house=self._setup.house,
            weather=self._weather,
            load_history=self._load.history(now, HISTORY_DAYS),
            pv_history=self._pv.history(),
            known_load=self._load.known(now, steps),
        )

    def _continue(self, message: WorkerDone | WorkerFailed) -> None:
        self._busy = None
        port = FORECASTER if message.method == "forecast" else OPTIMIZER
        late = isinstance(message, WorkerFailed) and message.kind == "deadline"
        self._lost[port] = self._lost[port] + 1 if late else 0
        match message:
            case WorkerDone(value=HouseForecast() as forecast):
                self._forecast = forecast
                self.ctx.publish(ForecastReady(forecast=forecast))
                self._plan()
            case WorkerDone(value=SignedPlan() as plan):
                self._planned(plan)
            case WorkerFailed(method="forecast"):
                self._fail(f"forecast {message.kind}: {message.reason}")
                self._plan()  # the last forecast, shifted, while it still reaches far enough ahead
            case WorkerFailed(kind=kind):
                self._fail(f"{message.method} {kind}: {message.reason}")
                if kind in ("deadline", "crashed") and self._asked_twice != self._planned_slot:
                    self._asked_twice, self._again = self._planned_slot, "the plan was lost with its worker"
            case _:
                self._fail(f"{message.method} answered with {type(message.value).__name__}")

    def _plan(self) -> None:
        now, setup = self.ctx.clock.now(), self._setup
        step = timedelta(minutes=setup.settings.dt_min)
        enough_h = min(24.0, setup.settings.horizon_h / 2)
        forecast = None if self._forecast is None else _from(self._forecast, floor_slot(now, step), enough_h)
        if forecast is None or self._prices is None:
            self._fail(f"no forecast that reaches {enough_h:g} h ahead")
            return
        outlook = price_outlook(
            self._prices, start=forecast.start, dt_s=forecast.dt_s, steps=len(forecast.load_kw),
            tariff=setup.house.tariff, zone=setup.zone,
            caution=setup.settings.price_caution,
        )
        if outlook is None:
            self._fail("no prices, and too few known days to stand in for them")
            return
        problem = assemble(
            f"plan-{now:%Y%m%dT%H%M%S}-{self._number}", self._now(now, forecast), forecast, outlook, house=setup.house,
            plants=setup.plants, settings=setup.settings, zone=setup.zone,
        )
        self._problem = problem
        self._call(OPTIMIZER, setup.method, problem, setup.plan_deadline_s + self._questions.left_s())

    def _now(self, now: datetime, forecast: HouseForecast) -> Now:
        at_s, into_s = self.ctx.clock.monotonic(), (now - forecast.start).total_seconds()
        mode, held = None, 0
        if self._mode is not None:
            mode = self._mode[0]
            held = int((at_s - self._mode[1]) // (self._setup.settings.dt_min * 60.0))
        states = self._states.states(at_s)
        return Now(
            at=now, soc=None if self._soc is None else self._soc[0], mode=mode, mode_held_slots=held, rooms=states,
            relay_on=self._relays, forced=self._holds.heat(at_s, into_s), held_c=self._holds.setpoints(at_s, into_s),
            mode_forced_slots=self._holds.mode_slots(at_s, into_s), days_since_full=self._full.days(now),
            export_limit_kw=self._setup.house.connection.export_contract_kw,
            peak_kw=self._peak.measured_kw(now), import_limits=self._limits,
            commitment=self._calm.commitment(forecast.start, forecast.dt_s / 3600.0, now),
        )

    def _planned(self, plan: SignedPlan) -> None:
        problem = self._problem
        if problem is None or not verify(plan, problem):
            self._fail("the plan's signature does not fit its problem")
            return
        self.made += 1
        self._running = RunningPlan(problem=problem, plan=plan)
        self._calm.planned(plan.result, self.ctx.clock.now())
        self._oddities.planned(plan.remarks)
        if self._alarmed:
            self._alarmed = False
            self.ctx.publish(Alarm(at=self.ctx.clock.now(), name="planner", active=False, text=""))
        took_s = self.ctx.clock.monotonic() - self._began_s
        self.ctx.publish(PlanReady(plan=plan, problem=problem, took_s=took_s))

    def _fail(self, reason: str) -> None:
        self.failed += 1
        self.ctx.publish(PlanFailed(reason=reason))
        if not self._alarmed and not reason.startswith("waiting"):
            self._alarmed = True
            self.ctx.publish(Alarm(at=self.ctx.clock.now(), name="planner", active=True, text=reason))

    def snapshot(self) -> dict[str, object]:
        return {
            "made": self.made,
            "kept": self._calm.kept,
            "regret_today_eur": round(self._calm.regret_eur, 4),
            "failed": self.failed,
            "busy": self._busy,
            "planned_slot": None if self._planned_slot is None else self._planned_slot.isoformat(),
            "prices_until": None if self._prices is None else self._prices.end.isoformat(),
            "forecast": None if self._forecast is None else self._forecast.source,
        }


def _from(forecast: HouseForecast, start: datetime, enough_h: float) -> HouseForecast | None:
    """The forecast from a later slot on; None when less than `enough_h` of it is left."""
    skip = round((start - forecast.start).total_seconds() / forecast.dt_s)
    left = len(forecast.load_kw) - skip
    if skip < 0 or left * forecast.dt_s < enough_h * 3600.0:
        return None
    if skip == 0:
        return forecast
    windows: Mapping[str, tuple[float, ...]] = forecast.window_w_per_m2
    return HouseForecast(
        issued=forecast.issued, source=forecast.source, start=start, dt_s=forecast.dt_s,
        pv_kw=tuple(kw[skip:] for kw in forecast.pv_kw), load_kw=forecast.load_kw[skip:],
        outdoor_c=forecast.outdoor_c[skip:], window_w_per_m2={k: v[skip:] for k, v in windows.items()},
    )
