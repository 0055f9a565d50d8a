"""The house file: what this house is, what it runs on and how careful it is. One class per table, frozen.

The tables that describe the house itself ([site], [inverter], [battery], ..., [[rooms]]) are the classes of
`models.types.house`; the others are defined here. Faults of single values are found by these classes, unsafe
combinations by `config.combinations`; `config.load` reads the file and words both for people.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ConfigDict, Field, ValidationError, create_model, model_validator

from config.timing import Timing
from models.types.house import (
    Battery,
    Connection,
    House,
    Inverter,
    PvArray,
    Room,
    Settings,
    Site,
    Tariff,
    ThermalDefaults,
)
from models.types.loxone import Loxone
from models.types.mqtt import Mqtt
from models.types.services import PriceService, PvService, WeatherService

HOUSE_TABLES = ("site", "arrays", "inverter", "battery", "connection", "tariff", "thermal", "rooms")

if TYPE_CHECKING:
    HouseRules = Settings
else:  # the remaining fields of House are the [house] table: named once, there
    _RULES: dict[str, Any] = {
        name: (field.annotation, field) for name, field in House.model_fields.items() if name not in HOUSE_TABLES
    }
    HouseRules = create_model("HouseRules", __base__=Settings, **_RULES)


class Run(Settings):
    """[run]: the main job."""

    start: dt.date | None = Field(None, description="first local day of a replay, from midnight on")
    speed: float = Field(1.0, ge=1, le=3600, description="house seconds per real second in a replay")
    state_dir: str = Field("var", min_length=1, max_length=400, description="folder of socket, lock and store")
    base_load_kw: float = Field(
        0.5, ge=0, le=20, description="of a live house without heating, until its own is measured"
    )
    allow_inject: bool = Field(False, description="may faults be injected? never in a house that people live in")


class DataFiles(Settings):
    """[data]: recorded inputs of a replay; paths are relative to the folder of the house file."""

    prices: Path = Field(Path("data/price_de_lu_2021_60min.csv.gz"), description="day-ahead spot prices")
    weather: Path = Field(Path("data/weather_aachen_2021_15min.csv.gz"), description="measured weather")
    load: Path = Field(Path("data/load_paris_2007_2008_60min.csv.gz"), description="base load of a real home")
    load_year: int = Field(2021, ge=1990, le=2100, description="year onto which the load is moved, by whole weeks")
    load_kwh_per_year: float = Field(4500.0, gt=0, le=100_000, description="the load is scaled to this")

    def at(self, folder: Path) -> DataFiles:
        """The same with paths that no longer depend on where one stands."""
        paths = {name: (folder / getattr(self, name)).resolve() for name in ("prices", "weather", "load")}
        return self.model_copy(update=paths)


class WeatherError(Settings):
    """[weather_error]: how wrong the replayed weather forecasts are; sizes are RMS one day ahead.

    Sources: temperature and wind, ECMWF's yearly evaluation of its forecasts (2 m temperature in Europe 1.2-2 K at
    day one); irradiance, Lorenz et al., 24th EU PVSEC, 2009, and Perez et al., Solar Energy 94, 2013: single sites
    35-45 % of the daytime mean, a good site-corrected forecast 25 %.
    """

    temperature_k: float = Field(1.5, ge=0, lt=20, description="air temperature")
    irradiance_share: float = Field(0.25, ge=0, le=2, description="of the mean global irradiance by day: a fraction")
    wind_m_per_s: float = Field(1.2, ge=0, lt=20, description="wind speed")
    base_share: float = Field(0.4, ge=0, le=1, description="part of it that is there at lead 0: a fraction")
    base_h: float = Field(6.0, gt=0, le=240, description="correlation time of what no forecast resolves")
    growth_h: float = Field(48.0, gt=0, le=480, description="time constant of the growth with lead time")
    issue_every_s: float = Field(10800.0, ge=900, le=86400, description="a new forecast appears this often")

    def arguments(self) -> dict[str, float]:
        """Keyword arguments of `actors.feeds.weather_error.WeatherErrorSpec`."""
        return self.model_dump(exclude={"issue_every_s"})


class Planner(Settings):
    """[planner]: horizon, care and patience of the optimiser."""

    horizon_h: float = Field(48.0, ge=1, le=168, description="how far a plan looks")
    dt_min: Literal[5, 15, 30, 60] = Field(15, description="length of a slot")
    back_off_k: float = Field(0.15, ge=0, le=2, description="kept from the edges of the comfort band")
    comfort_eur_per_kh: float = Field(2.0, gt=0, le=1000, description="price of one kelvin hour outside the band")
    mode_change_eur: float = Field(0.02, ge=0, le=10, description="price of one change of the composite")
    keep_plan_eur: float = Field(0.005, ge=0, le=10, description="what keeping to the last plan may cost, each time")
    keep_plan_eur_per_day: float = Field(0.03, ge=0, le=100, description="and in all on one day")
    min_mode_slots: int = Field(4, ge=1, le=96, description="a composite is held at least this many slots")
    reserve_soc: float | None = Field(None, ge=0, le=1, description="soft reserve, a fraction: 30 % is written 0.30")
    price_caution: float = Field(0.0, ge=0, le=1, description="unpublished prices: 0 as a week's mean, 1 as its worst")
    solve_deadline_s: float = Field(20.0, ge=5, le=600, description="one plan may take this long, wall time")
    forecast_deadline_s: float = Field(10.0, ge=5, le=600, description="one forecast may take this long, wall time")

    @property
    def steps(self) -> int:
        """Slots of one plan."""
        return round(self.horizon_h * 60 / self.dt_min)


class Safety(Settings):
    """[safety]: patience of trips, and how often stored registers may be written.

    The limits themselves are physics of this house and stand with it: `floor_max_c` and `max_c` of a room, `frost_c`,
    `fuse_a`; how old a reading may be is in [timing]. What the rules add to them are constants of `models.safety`.
    """

    hold_off_s: float = Field(60.0, ge=0, le=86400, description="a trip cannot be reset earlier")
    writes_per_day: int = Field(24, ge=12, le=500, description="of one stop SOC, rate or flag: they wear the memory")
    slot_writes_per_day: int = Field(48, ge=8, le=500, description="of time slots")


class Simulation(Settings):
    """[simulation]: weeks in minutes."""

    tick_s: float = Field(60.0, ge=5, le=300, description="nothing happens more often")
    warmup_days: int = Field(3, ge=0, le=30, description="of plain rules before all policies fork")
    tail_h: int = Field(72, ge=0, le=240, description="under plain rules after the end: the value of what is stored")
    tail_pairs: int = Field(4, ge=0, le=64, description="of lives after the end, whose mean counts; 0: one life")
    seed: int = Field(1, ge=0, le=2**31 - 1, description="of everything that is random")


class User(Settings):
    """[user]: overrides by people."""

    override_s: float = Field(7200.0, ge=60, le=604800, description="an override lasts this long if nobody says")
    third_hand_s: float = Field(
        7200.0, ge=0, le=604800, description="what somebody else sets at a device stands so long; 0: it is taken back"
    )
    override_max_s: float = Field(604800.0, ge=60, le=604800, description="and never longer than this")


class SecretsTable(Settings):
    """[secrets]: where they are; never what they are."""

    dir: Path | None = Field(None, description="folder with one file per secret, readable by its owner only")


class HouseFile(Settings):
    """Everything a house file may say."""

    model_config = ConfigDict(serialize_by_alias=True)

    site: Site
    arrays: tuple[PvArray, ...] = ()
    inverter: Inverter = Inverter()
    battery: Battery | None = None
    connection: Connection = Connection()
    tariff: Tariff = Tariff()
    thermal: ThermalDefaults = ThermalDefaults()
    rooms: tuple[Room, ...] = Field((), description="in shedding order: the first is shed first")
    rules: HouseRules = Field(default_factory=HouseRules, alias="house")
    run: Run = Run()
    data: DataFiles = DataFiles()
    timing: Timing = Timing()
    weather_error: WeatherError = WeatherError()
    planner: Planner = Planner()
    safety: Safety = Safety()
    simulation: Simulation = Simulation()
    user: User = User()
    secrets: SecretsTable = SecretsTable()
    mqtt: Mqtt | None = None  # None: the twin in memory
    loxone: Loxone = Loxone()
    prices: PriceService | None = None  # these three None: a replay of [data]
    weather: WeatherService | None = None
    pv_forecast: PvService | None = None

    @model_validator(mode="after")
    def _is_a_house(self) -> HouseFile:
        try:
            _ = self.house
        except ValidationError as error:
            raise ValueError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None
        return self

    @property
    def live(self) -> bool:
        """Prices and weather come from services, time is the world's; else the house lives in recorded days."""
        return self.prices is not None

    @property
    def house(self) -> House:
        """The house as models, planner and safety rules know it."""
        tables = {name: getattr(self, name) for name in HOUSE_TABLES}
        return House(**tables, **self.rules.model_dump())

    def at_speed(self, speed: float) -> HouseFile:
        """The same house in a replay: allowances in house time grow with the speed, see `Timing.at_speed`.

        The workers' deadlines are wall time, so in house time they are `speed` times as long.
        """
        planner = self.planner.model_copy(
            update={
                "solve_deadline_s": self.planner.solve_deadline_s * max(speed, 1.0),
                "forecast_deadline_s": self.planner.forecast_deadline_s * max(speed, 1.0),
            }
        )
        return self.model_copy(update={"timing": self.timing.at_speed(speed), "planner": planner})

    def for_simulation(self) -> HouseFile:
        """The same house on virtual time, at the tick of its [simulation] table."""
        return self.model_copy(update={"timing": self.timing.for_simulation(self.simulation.tick_s)})
