"""What a house is: its devices, rooms, connection and tariff, each with unit, range and meaning.

These descriptions are shared by the twins (which add their own seeded deviations), the planner, the safety rules and
the house file (`config/schema.py` assembles them). They hold no state.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

RoomName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$", description="lower case, digits and _")]
Facing = Literal["S", "E", "W", "none"]


class Settings(BaseModel):
    """A frozen table of settings; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Site(Settings):
    """Where the house stands."""

    latitude_deg: float = Field(ge=-66, le=66, description="north positive")
    longitude_deg: float = Field(ge=-180, le=180, description="east positive")
    altitude_m: float = Field(200.0, ge=-100, le=4000)
    timezone: str = Field("Europe/Berlin", description="IANA name; market days and tariff hours are local")


class PvArray(Settings):
    """One roof."""

    name: RoomName
    azimuth_deg: float = Field(ge=0, lt=360, description="clockwise from north; south is 180")
    tilt_deg: float = Field(ge=0, le=90)
    peak_kw: float = Field(gt=0, le=100, description="kWp at standard test conditions")
    losses: float = Field(0.15, ge=0, le=0.5, description="soiling, wiring, mismatch: a fraction")
    gamma_per_c: float = Field(-0.0037, ge=-0.01, le=0, description="power change per degree of cell temperature")


class Inverter(Settings):
    """The hybrid inverter between roofs, battery, house and grid."""

    ac_limit_kw: float = Field(10.0, gt=0, le=100, description="AC output")
    standby_kw: float = Field(0.06, ge=0, le=1, description="own use, always")
    eff_charge_pv: float = Field(0.97, gt=0.5, le=1, description="PV to battery, DC side")
    eff_charge_ac: float = Field(0.92, gt=0.5, le=1, description="grid to battery")
    eff_discharge: float = Field(0.93, gt=0.5, le=1, description="battery to AC")
    battery_first_draw_kw: float = Field(
        1.2, ge=0, le=10, description="what battery first takes from the grid up to its stop SOC, AC flag off"
    )


class Battery(Settings):
    """The battery. Powers are at its terminals: SOC moves by power x time / capacity."""

    capacity_kwh: float = Field(ge=0.5, le=200, description="nominal: SOC 0..1")
    soc_min: float = Field(0.20, ge=0, le=0.95, description="a fraction: 20 % is written 0.20")
    soc_max: float = Field(1.0, gt=0, le=1)
    charge_kw: float = Field(gt=0, le=100, description="rated charging power")
    discharge_kw: float = Field(gt=0, le=100, description="rated discharging power")
    taper_above_soc: float = Field(0.90, gt=0, le=1, description="above, charging power falls linearly")
    taper_end_share: float = Field(0.20, gt=0, le=1, description="share of rated charging power left at SOC 1")
    cold_below_c: float = Field(5.0, description="below, charging power falls linearly to 0 at 0 degC")
    wear_eur_per_kwh: float = Field(0.04, ge=0, le=1, description="per kWh discharged")
    deep_below_soc: float = Field(0.30, ge=0, le=1, description="what is drawn from below here is a deep cycle")
    wear_deep_eur_per_kwh: float = Field(0.0, ge=0, le=1, description="what such a kWh wears on top")
    full_charge_every_days: int = Field(14, ge=1, le=365, description="balancing charge to soc_max")

    @model_validator(mode="after")
    def _window(self) -> Battery:
        if self.soc_min >= self.soc_max:
            raise ValueError(f"soc_min {self.soc_min} must be below soc_max {self.soc_max}")
        return self


class Connection(Settings):
    """The grid connection and the feed-in contract."""

    phases: Literal[1, 3] = 3
    fuse_a: float = Field(32.0, gt=0, le=200, description="per phase")
    voltage_v: float = Field(230.0, ge=100, le=260)
    export_contract_kw: float = Field(10.0, ge=0, le=200)

    @property
    def import_limit_kw(self) -> float:
        """Power that the fuses carry on all phases together."""
        return self.phases * self.fuse_a * self.voltage_v / 1000.0


class Tariff(Settings):
    """How the spot price becomes the price at the meter, in EUR/kWh; hours are local time.

    import = (spot + import_fee + distribution) x (1 + vat);  export = spot - export_fee, never VAT.
    """

    import_fee: float = Field(0.020, ge=-1, le=1)
    distribution: float = Field(0.055, ge=0, le=1)
    distribution_high: float = Field(0.085, ge=0, le=1)
    high_hours: tuple[Annotated[int, Field(ge=0, le=23)], ...] = (10, 12, 14, 17)
    vat: float = Field(0.21, ge=0, le=1)
    export_fee: float = Field(0.014, ge=-1, le=1)
    peak_eur_per_kw: float = Field(0.0, ge=0, le=1000, description="price of peak import; 0: power is not billed")
    peak_per: Literal["month", "slot"] = Field("month", description="the highest quarter hour of a month, or each")
    peak_free_kw: float = Field(0.0, ge=0, le=1000, description="import up to this power is not billed as peak")


class ThermalDefaults(Settings):
    """Per square metre of floor."""

    slab_kwh_per_k_m2: float = Field(0.020, gt=0, le=1)
    air_kwh_per_k_m2: float = Field(0.090, gt=0, le=1, description="air, furniture and light structure")
    slab_air_kw_per_k_m2: float = Field(0.012, gt=0, le=1)
    neighbour_kw_per_k_m2: float = Field(0.001, ge=0, le=1, description="to the next rooms in the list, shared")
    window_m2_per_m2: float = Field(0.05, ge=0, le=1, description="effective window gain area")


Control = Literal["relay", "setpoint"]


class Room(Settings):
    """One electrically heated room (floor heating on one relay)."""

    name: RoomName
    heater_kw: float = Field(gt=0, le=20)
    area_m2: float = Field(gt=0, le=500)
    ua_w_per_k: float = Field(ge=0, le=2000, description="heat loss to the outside")
    day_min_c: float = Field(ge=5, le=30)
    night_min_c: float = Field(ge=5, le=30)
    max_c: float = Field(ge=10, le=35)
    facing: Facing = "none"
    phase: Literal[0, 1, 2, 3] = Field(0, description="phase of the heater; 0: all three")
    floor_max_c: float = Field(35.0, ge=20, le=45, description="relay is switched off above (floor or slab)")
    control: Control = Field(
        "relay", description="what a plan moves: the relay itself, or the setpoint of the thermostat that switches it"
    )

    @model_validator(mode="after")
    def _band(self) -> Room:
        lowest = max(self.day_min_c, self.night_min_c)
        if lowest >= self.max_c:
            raise ValueError(f"max_c {self.max_c} must be above the lower band {lowest} (day_min_c, night_min_c)")
        return self

    @property
    def lowest_c(self) -> float:
        """Lower edge of its band when that is lowest [°C]."""
        return min(self.day_min_c, self.night_min_c)

    def lower_c(self, local_hour: float, day_starts_h: float, day_ends_h: float) -> float:
        """Lower edge of the comfort band at a local hour [°C]."""
        return self.day_min_c if day_starts_h <= local_hour < day_ends_h else self.night_min_c


class House(Settings):
    """Everything that does not change while the house runs."""

    site: Site
    arrays: tuple[PvArray, ...] = ()
    inverter: Inverter = Inverter()
    battery: Battery | None = None
    connection: Connection = Connection()
    tariff: Tariff = Tariff()
    thermal: ThermalDefaults = ThermalDefaults()
    rooms: tuple[Room, ...] = Field((), description="in shedding order: the first is shed first")
    day_starts_h: float = Field(6.0, ge=0, le=24)
    day_ends_h: float = Field(22.0, ge=0, le=24)
    relay_min_on_s: float = Field(600.0, ge=0, le=7200)
    relay_min_off_s: float = Field(600.0, ge=0, le=7200)
    relay_starts_per_h: int = Field(4, ge=1, le=60)
    frost_c: float = Field(8.0, ge=3, le=15, description="below, heating stays permitted whatever plan or price")

    @model_validator(mode="after")
    def _names(self) -> House:
        for what, names in (("rooms", [r.name for r in self.rooms]), ("arrays", [a.name for a in self.arrays])):
            twice = sorted({n for n in names if names.count(n) > 1})
            if twice:
                raise ValueError(f"{what}: name {twice[0]!r} is used twice; each needs its own")
        return self

    def room(self, name: str) -> Room:
        """The room of that name; KeyError if there is none."""
        for room in self.rooms:
            if room.name == name:
                return room
        raise KeyError(name)
