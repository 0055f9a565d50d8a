"""What a policy cost and how warm the rooms were, from 15-minute means that an outsider can add up again.

Everything but the two counters of switches and writes follows from the rows alone. Decisions behind the figures:

- *Money* is on the net mean of each slot: `grid_kw` > 0 buys, < 0 sells. Import and export of one slot are never both
  positive, whatever happened inside it, because that is all that the rows (and `POLICY.csv`) tell.
- *An unknown price* (NaN) leaves the slot out of the money, for every policy alike: a slot is left out when either of
  its prices is unknown, so that two policies are compared over the same slots. `unpriced_slots` counts them.
- *Comfort* is judged `COMFORT_TOLERANCE_K` beyond the band: K·h count only what lies beyond it, and a room hour is a
  violation only beyond it. `deepest_k` is measured from the band itself.
- *Too warm by heating or by sun*: by heating if the room's relay was on in the slot or in the `HEAT_MEMORY` before it
  (the slab's time constant is under two hours, so after six nothing of that heat is still to come); else by sun alone.
  What was on before the first row is not known and not held against anyone.
- *Power and deep cycles* are billed where the house has a price for them (`models/scorecard_bill.py` says how); else
  they are None, not 0.
- *Cycles* are kWh discharged over the nominal capacity: the unit in which makers state a battery's life.
- *Tail* rows (the 72 h after, under plain rules for all) count for `tail_eur` and nothing else: no power and no wear.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Literal, get_args

from models.errors import DataError
from models.scorecard_bill import deep_drawn_kwh, power_eur
from models.types.house import House
from models.types.slots import QUARTER, floor_slot

Phase = Literal["run", "tail"]
PHASES: tuple[str, ...] = get_args(Phase)

SLOT_H = 0.25
COMFORT_TOLERANCE_K = 0.2
HEAT_MEMORY = timedelta(hours=6)
BALANCE_TOLERANCE_KW = 1e-3  # what rounding of meters and means may leave open
_NOISE = 1e-9  # a difference below this is floating point, not physics
_DECIMALS = 6  # of the figures in JSON: a micro-euro


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomRow:
    """One room over one slot."""

    name: str
    temperature_c: float  # mean of the slot
    slab_c: float  # mean of the slot
    relay_share: float  # share of the slot with the relay on, 0..1
    lower_c: float  # band at the slot's start
    upper_c: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceRow:
    """Fifteen minutes of one policy: means of power, unless said otherwise. Never edited, only written down.

    `grid_kw == load_kw + heating_kw + battery_kw - pv_kw` within `BALANCE_TOLERANCE_KW`.
    """

    time_utc: datetime  # slot start, aware UTC
    phase: Phase
    price_import: float  # EUR/kWh at the meter; NaN: unknown, never 0
    price_export: float  # EUR/kWh; NaN: unknown
    pv_kw: float  # used
    pv_available_kw: float  # what the sun offered
    load_kw: float  # base load, standby and conversion losses; without heating
    heating_kw: float
    battery_kw: float  # terminals; > 0 charges
    grid_kw: float  # net; > 0 imports
    soc: float  # END of the slot, fraction; NaN: the house has no battery
    composite: str  # the one that ran longest in the slot
    rooms: tuple[RoomRow, ...]

    @property
    def import_kwh(self) -> float:
        """Energy bought, on the slot's net mean."""
        return max(self.grid_kw, 0.0) * SLOT_H

    @property
    def export_kwh(self) -> float:
        """Energy sold, on the slot's net mean."""
        return max(-self.grid_kw, 0.0) * SLOT_H

    @property
    def discharged_kwh(self) -> float:
        """Energy taken from the battery at its terminals, on the slot's net mean."""
        return max(-self.battery_kw, 0.0) * SLOT_H

    @property
    def priced(self) -> bool:
        """Both prices are known."""
        return math.isfinite(self.price_import) and math.isfinite(self.price_export)

    @property
    def energy_eur(self) -> float:
        """Money on the meter in this slot; 0 where a price is unknown: see `priced`."""
        if not self.priced:
            return 0.0
        return self.import_kwh * self.price_import - self.export_kwh * self.price_export


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyScore:
    """One policy over one period. Lower is better, except for `mean_room_c`."""

    cost_eur: float  # energy + power + wear + deep wear + tail
    energy_eur: float  # money on the meter
    power_eur: float | None  # highest quarter hours, at the price on power; None: power is not billed
    wear_eur: float  # kWh discharged, at the price of wear
    deep_wear_eur: float | None  # kWh drawn from the deep part, on top; None: they have no price
    tail_eur: float  # money on the meter in the tail: what is left in battery and rooms, at its honest value
    import_kwh: float
    export_kwh: float
    peak_import_kw: float  # dearest quarter hour
    comfort_kh: float  # K·h below the band, or above it by heating, beyond the tolerance
    comfort_share: float  # of all room hours
    worst_room: str | None  # None: no room ever left its band
    worst_room_share: float
    deepest_k: float  # below the band, or above it by heating, from the band itself
    overheat_kh: float  # above the band by sun alone, beyond the tolerance
    mean_room_c: float | None  # None: no rooms
    cycles: float
    relay_switches: int | None  # None: not counted
    setting_writes: int | None
    unpriced_slots: int  # run and tail

    def as_dict(self) -> dict[str, float | int | str | None]:
        """Ready for JSON, figures to a millionth."""
        return {k: round(v, _DECIMALS) if isinstance(v, float) else v for k, v in asdict(self).items()}


def score(
    rows: Sequence[EvidenceRow],
    *,
    house: House,
    wear_eur_per_kwh: float | None = None,
    measured_kw: float = 0.0,
    switches: int | None = None,
    writes: int | None = None,
) -> PolicyScore:
    """Add up one policy.

    Parameters
    ----------
    rows : sequence of EvidenceRow
        Consecutive quarter hours, run first, then tail (may be absent). Checked by `check_rows`.
    house : House
        Names the rooms, the battery and the tariff.
    wear_eur_per_kwh : float, optional
        Price of one kWh discharged; default: the house's battery.
    measured_kw : float
        Highest import that the month of the first row had before it, where power is billed by the month.
    switches, writes : int, optional
        Relay switches and counted setting writes during the run: quarter-hour means cannot tell them.

    Raises
    ------
    DataError
        Rows that are no evidence (see `check_rows`), or that show other rooms than the house has; a measured peak that
        is no power.
    """
    check_rows(rows)
    named, known = {room.name for room in rows[0].rooms}, {room.name for room in house.rooms}
    if named != known:
        odd = sorted(named ^ known)
        raise DataError(
            f"rooms: {', '.join(odd)} {'is' if len(odd) == 1 else 'are'} in only one of rows and house",
            hint="score the rows with the house file they were made with",
        )
    run = [row for row in rows if row.phase == "run"]
    discharged_kwh = math.fsum(row.discharged_kwh for row in run)
    if wear_eur_per_kwh is None:
        wear_eur_per_kwh = house.battery.wear_eur_per_kwh if house.battery else 0.0
    energy_eur = math.fsum(row.energy_eur for row in run)
    wear_eur = discharged_kwh * wear_eur_per_kwh
    tail_eur = math.fsum(row.energy_eur for row in rows if row.phase == "tail")
    paid_eur = power_eur(run, house=house, measured_kw=measured_kw)
    deep_eur = _deep_eur(run, house)
    comfort = _comfort(run)
    return PolicyScore(
        cost_eur=energy_eur + (paid_eur or 0.0) + wear_eur + (deep_eur or 0.0) + tail_eur,
        energy_eur=energy_eur,
        power_eur=paid_eur,
        wear_eur=wear_eur,
        deep_wear_eur=deep_eur,
        tail_eur=tail_eur,
        import_kwh=math.fsum(row.import_kwh for row in run),
        export_kwh=math.fsum(row.export_kwh for row in run),
        peak_import_kw=max(0.0, *(row.grid_kw for row in run)),
        comfort_kh=comfort.discomfort_kh,
        comfort_share=comfort.share,
        worst_room=comfort.worst_room,
        worst_room_share=comfort.worst_share,
        deepest_k=comfort.deepest_k,
        overheat_kh=comfort.overheat_kh,
        mean_room_c=comfort.mean_c,
        cycles=discharged_kwh / house.battery.capacity_kwh if house.battery else 0.0,
        relay_switches=switches,
        setting_writes=writes,
        unpriced_slots=sum(not row.priced for row in rows),
    )


def _deep_eur(run: Sequence[EvidenceRow], house: House) -> float | None:
    deep_kwh = deep_drawn_kwh(run, house.battery)
    if deep_kwh is None or house.battery is None:
        return None
    return math.fsum(deep_kwh) * house.battery.wear_deep_eur_per_kwh


def deviations(rows: Sequence[EvidenceRow], room: int) -> list[tuple[float, bool]]:
    """How far one room is from its band in each slot, and whether its heating has a part in that.

    Parameters
    ----------
    rows : sequence of EvidenceRow
        Consecutive slots; the heating before the first is taken as off.
    room : int
        Index into each row's `rooms`.

    Returns
    -------
    list of (float, bool), one per row
        Deviation [K], < 0 below the band, 0 inside, > 0 above; True if the relay was on within `HEAT_MEMORY`.
    """
    memory_slots = HEAT_MEMORY // QUARTER
    found: list[tuple[float, bool]] = []
    last_heated = -memory_slots - 1
    for index, row in enumerate(rows):
        state = row.rooms[room]
        if state.relay_share > _NOISE:
            last_heated = index
        below_k = state.lower_c - state.temperature_c
        above_k = state.temperature_c - state.upper_c
        deviation_k = -below_k if below_k > 0 else max(above_k, 0.0)
        found.append((deviation_k, index - last_heated <= memory_slots))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Comfort:
    discomfort_kh: float
    overheat_kh: float
    share: float
    worst_room: str | None
    worst_share: float
    deepest_k: float
    mean_c: float | None


def _comfort(run: Sequence[EvidenceRow]) -> _Comfort:
    names = [room.name for room in run[0].rooms]
    discomfort: list[float] = []
    overheat: list[float] = []
    shares: list[float] = []
    deepest_k = 0.0
    for index in range(len(names)):
        violated = 0
        for deviation_k, heated in deviations(run, index):
            beyond_k = abs(deviation_k) - COMFORT_TOLERANCE_K
            if deviation_k > 0 and not heated:
                overheat.append(max(beyond_k, 0.0) * SLOT_H)
                continue
            deepest_k = max(deepest_k, abs(deviation_k))
            if beyond_k > _NOISE:
                violated += 1
                discomfort.append(beyond_k * SLOT_H)
        shares.append(violated / len(run))
    worst = max(range(len(names)), key=shares.__getitem__, default=None)
    temperatures = [room.temperature_c for row in run for room in row.rooms]
    return _Comfort(
        discomfort_kh=math.fsum(discomfort),
        overheat_kh=math.fsum(overheat),
        share=math.fsum(shares) / len(shares) if shares else 0.0,
        worst_room=names[worst] if worst is not None and shares[worst] > 0 else None,
        worst_share=max(shares, default=0.0),
        deepest_k=deepest_k,
        mean_c=math.fsum(temperatures) / len(temperatures) if temperatures else None,
    )


def check_rows(rows: Sequence[EvidenceRow]) -> None:
    """Refuse rows that are no evidence.

    Raises
    ------
    DataError
        No run rows; times that are naive, off the quarter hour, unsorted, double or with a gap; a run row after a tail
        row; a value that is missing (only prices may be), out of range or of another unit; powers that do not
        balance; rooms that differ from row to row. Names the row's time, the field, the value and the limit.
    """
    if not rows or rows[0].phase != "run":
        raise DataError("evidence has no rows of the run", hint="the first row must have phase 'run'")
    names = tuple(room.name for room in rows[0].rooms)
    if len(set(names)) < len(names):
        raise DataError("rooms: a name is used twice in one row")
    no_battery = math.isnan(rows[0].soc)
    previous: EvidenceRow | None = None
    for row in rows:
        _check_order(row, previous)
        _check_powers(row, no_battery=no_battery)
        if tuple(room.name for room in row.rooms) != names:
            raise DataError(f"{_at(row)}: rooms differ from those of the first row")
        for room in row.rooms:
            _check_room(row, room)
        previous = row


def _at(row: EvidenceRow) -> str:
    return f"row {row.time_utc.isoformat()}"


def _check_order(row: EvidenceRow, previous: EvidenceRow | None) -> None:
    if row.time_utc.utcoffset() != timedelta(0):
        raise DataError(f"{_at(row)}: time_utc is not UTC", hint="write 2021-02-08T00:00:00Z")
    if floor_slot(row.time_utc) != row.time_utc:
        raise DataError(f"{_at(row)}: time_utc is not the start of a quarter hour")
    if row.phase not in PHASES:
        raise DataError(f"{_at(row)}: phase is {row.phase!r}, must be one of {', '.join(PHASES)}")
    if previous is None:
        return
    if row.time_utc - previous.time_utc != QUARTER:
        raise DataError(
            f"{_at(row)}: follows {previous.time_utc.isoformat()}, must be 15 minutes later",
            hint="rows are consecutive quarter hours: none missing, double or out of order",
        )
    if previous.phase == "tail" and row.phase == "run":
        raise DataError(f"{_at(row)}: phase 'run' after phase 'tail'")


def _check_powers(row: EvidenceRow, *, no_battery: bool) -> None:
    for name in ("pv_kw", "pv_available_kw", "load_kw", "heating_kw", "battery_kw", "grid_kw"):
        value = getattr(row, name)
        if not math.isfinite(value):
            raise DataError(f"{_at(row)}: {name} is {value}", hint="a power must be known in every row")
        if name not in ("battery_kw", "grid_kw") and value < -BALANCE_TOLERANCE_KW:
            raise DataError(f"{_at(row)}: {name} is {value:.4g}, must not be negative")
    for name in ("price_import", "price_export"):
        if math.isinf(getattr(row, name)):
            raise DataError(f"{_at(row)}: {name} is infinite", hint="an unknown price is NaN")
    if row.pv_kw > row.pv_available_kw + BALANCE_TOLERANCE_KW:
        raise DataError(f"{_at(row)}: pv_kw {row.pv_kw:.4g} is more than pv_available_kw {row.pv_available_kw:.4g}")
    open_kw = row.load_kw + row.heating_kw + row.battery_kw - row.pv_kw - row.grid_kw
    if abs(open_kw) > BALANCE_TOLERANCE_KW:
        raise DataError(
            f"{_at(row)}: powers leave {open_kw:+.4f} kW open, limit {BALANCE_TOLERANCE_KW} kW",
            hint="grid_kw = load_kw + heating_kw + battery_kw - pv_kw; losses and standby belong to load_kw",
        )
    if math.isnan(row.soc) != no_battery or not (no_battery or -_NOISE <= row.soc <= 1 + _NOISE):
        raise DataError(f"{_at(row)}: soc is {row.soc:.6g}, must be a fraction 0..1", hint="NaN only without a battery")


def _check_room(row: EvidenceRow, room: RoomRow) -> None:
    for name in ("temperature_c", "slab_c", "relay_share", "lower_c", "upper_c"):
        value = getattr(room, name)
        if not math.isfinite(value):
            raise DataError(f"{_at(row)}: {room.name}.{name} is {value}", hint="it must be known in every row")
    if not -_NOISE <= room.relay_share <= 1 + _NOISE:
        raise DataError(f"{_at(row)}: {room.name}.relay_share is {room.relay_share:.4g}, must be a fraction 0..1")
    if room.lower_c >= room.upper_c:
        raise DataError(f"{_at(row)}: {room.name}.lower_c {room.lower_c} must be below upper_c {room.upper_c}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanStats:
    """How planning went. None: no plan was made, or none came with a bound."""

    count: int
    median_s: float | None
    p95_s: float | None
    gap_eur: float | None  # mean over plans of what the bound leaves possible

    @classmethod
    def of(cls, wall_s: Iterable[float], gap_eur: Iterable[float]) -> PlanStats:
        """Of the wall times and gaps of all plans; gaps without a bound (NaN, infinite) are left out of the mean."""
        times = sorted(wall_s)
        gaps = [gap for gap in gap_eur if math.isfinite(gap)]
        return cls(
            count=len(times),
            median_s=_nearest_rank(times, 0.50),
            p95_s=_nearest_rank(times, 0.95),
            gap_eur=math.fsum(gaps) / len(gaps) if gaps else None,
        )


def _nearest_rank(ordered: Sequence[float], share: float) -> float | None:
    return ordered[max(math.ceil(share * len(ordered)), 1) - 1] if ordered else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorecard:
    """Everything `simulate --json` says."""

    policies: Mapping[str, PolicyScore]
    violations: int  # breaches of invariants
    checks: Mapping[str, int]  # evaluations per invariant
    plans: PlanStats
    trace_hash: str
    seed: int

    def as_dict(self) -> dict[str, object]:
        """Ready for JSON."""
        return {
            "policies": {name: one.as_dict() for name, one in self.policies.items()},
            "violations": self.violations,
            "checks": dict(self.checks),
            "plans": asdict(self.plans),
            "trace_hash": self.trace_hash,
            "seed": self.seed,
        }
