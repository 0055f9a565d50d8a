"""Strategies as behaviour: what a policy did with prices, sun and heat, told by its quarter hours alone.

Nothing here asks a planner what it meant. Each figure follows from the rows (`POLICY.csv`) of the policy, of plain
rules and of perfect foresight, so that an outsider finds the same. None: the figure has no meaning (the policy it is
measured against is not there, nothing of the kind happened, or prices tell nothing). Unknown prices (NaN) are left out,
for all policies alike. A day is a local day.

How each is told, and why it cannot be had for nothing, stands where it is computed: `models/battery_trade.py` (buying
and selling), `models/battery_bound.py` (what a battery could earn), `models/heat_shift.py` (heating),
`models/price_rank.py` (the cheapest and dearest fifth of a day).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby, pairwise
from zoneinfo import ZoneInfo

from models.battery_bound import BatteryDay, battery_day
from models.battery_trade import cheap_charging_share, export_captured_share, grid_charged_kwh
from models.errors import DataError
from models.heat_shift import heating_saved_share, preheated_share
from models.scorecard import EvidenceRow, PolicyScore, check_rows, score
from models.scorecard_bill import soc_before
from models.types.house import House
from models.types.slots import USUAL_DAY

LEAST_EUR_PER_DAY = 0.05  # of what a battery could earn: less is judged by nobody
_SAME_KH = 1e-6  # K·h: discomfort closer than this is no difference
_DECIMALS = 6  # of the figures in JSON

Rows = Sequence[EvidenceRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyScore:
    """What one policy did over one period."""

    grid_charged_kwh: float | None
    """Energy charged from the grid in the run [kWh at the terminals]; None: no battery."""
    cheap_charging_share: float | None
    """Share of it in the cheapest fifth of its day's quarter hours, by import price [0..1]."""
    export_captured_share: float | None
    """Share of what foresight earned by selling more than plain rules at one price, net of wear, that this policy
    earned there too [0..1]."""
    preheated_share: float | None
    """Share of the heat that plain rules buy in price peaks that this policy had put into the room before the peak and
    did not buy in it [0..1]."""
    heating_saved_share: float | None
    """Heating cost saved against plain rules over the run and its tail, as a share of theirs over the run [< 0 if it
    cost more]; None also for less than a day, and where the policy left more K·h of discomfort than they did."""
    arbitrage_eur_per_day: float | None
    """What the battery earned net of wear, against spreading each day's change of charge evenly over it [EUR/day]; with
    a price on the power of each slot, without one on a month's peak: that is no day's."""
    arbitrage_vs_bound: float | None
    """That, as a share of what perfect choice would have earned each day with the same sun, load and heating, from and
    to the same charge [<= 1; < 0: even had been better]. Each policy has its own bound: with heating on the surplus,
    little is left to earn."""
    peak_import_vs_rules: float | None
    """Dearest quarter hour of import as a multiple of that of plain rules [ratio, less is better]."""
    mode_changes_per_day: float | None
    """Quarter hours that ran another composite than the one before [1/day, less is better]; None: no battery, so no
    modes."""
    relay_switches_per_day: float | None
    """Relay switches counted during the run [1/day, less is better]; None: not counted (quarter hours do not tell
    them), or no rooms."""

    def as_dict(self) -> dict[str, float | None]:
        """Ready for JSON, figures to a millionth."""
        return {k: None if v is None else round(v, _DECIMALS) for k, v in asdict(self).items()}


def strategies(
    policies: Mapping[str, Rows],
    *,
    house: House,
    switches: Mapping[str, int | None] | None = None,
    rules: str = "rules",
    foresight: str = "foresight",
) -> dict[str, StrategyScore]:
    """Tell what each policy did.

    Parameters
    ----------
    policies : mapping of str to sequence of EvidenceRow
        Rows of each policy, all of the same slots, phases and prices. Checked by `check_rows`.
    house : House
        Time zone, battery, inverter and rooms.
    switches : mapping of str to int or None, optional
        Relay switches during the run, where they were counted.
    rules, foresight : str
        Which policies are plain rules and perfect foresight; either may be absent.

    Returns
    -------
    dict of str to StrategyScore
        In the order of `policies`.

    Raises
    ------
    DataError
        Rows that are no evidence, or policies that did not live through the same slots of the same market.
    """
    _check_same_market(policies)
    scores = {name: score(rows, house=house) for name, rows in policies.items()}
    counted = switches or {}
    return {
        name: _strategy(
            rows,
            plain=policies.get(rules),
            best=policies.get(foresight),
            house=house,
            ours=scores[name],
            theirs=scores.get(rules),
            switches=counted.get(name),
        )
        for name, rows in policies.items()
    }


def _strategy(
    rows: Rows,
    *,
    plain: Rows | None,
    best: Rows | None,
    house: House,
    ours: PolicyScore,
    theirs: PolicyScore | None,
    switches: int | None,
) -> StrategyScore:
    run = [row for row in rows if row.phase == "run"]
    days = len(run) / USUAL_DAY
    stored = house.battery is not None
    battery = _battery_days(run, house)
    captured = moved = saved = None
    if plain is not None:
        moved = preheated_share(rows, rules=plain, house=house)
        if theirs is not None and ours.comfort_kh <= theirs.comfort_kh + _SAME_KH:
            saved = heating_saved_share(rows, rules=plain)
        if best is not None:
            captured = export_captured_share(rows, rules=plain, foresight=best, house=house)
    return StrategyScore(
        grid_charged_kwh=math.fsum(grid_charged_kwh(run)) if stored else None,
        cheap_charging_share=cheap_charging_share(rows, house=house),
        export_captured_share=captured,
        preheated_share=moved,
        heating_saved_share=saved,
        arbitrage_eur_per_day=math.fsum(day.earned_eur for day in battery) / days if battery else None,
        arbitrage_vs_bound=_vs_bound(battery, days),
        peak_import_vs_rules=_peak_ratio(ours, theirs),
        mode_changes_per_day=sum(a.composite != b.composite for a, b in pairwise(run)) / days if stored else None,
        relay_switches_per_day=switches / days if switches is not None and house.rooms else None,
    )


def _battery_days(run: Rows, house: House) -> list[BatteryDay]:
    """Of each local day that the run touches, whole or not."""
    if house.battery is None:
        return []
    zone, found = ZoneInfo(house.site.timezone), []
    soc = soc_before(run[0], house.battery)
    for _, slots in groupby(run, key=lambda row: row.time_utc.astimezone(zone).date()):
        rows = list(slots)
        day = battery_day(rows, house=house, start_soc=soc)
        soc = rows[-1].soc
        if day is not None:
            found.append(day)
    return found


def _vs_bound(battery: Sequence[BatteryDay], days: float) -> float | None:
    bound_eur = math.fsum(day.bound_eur for day in battery)
    if bound_eur < LEAST_EUR_PER_DAY * days or bound_eur <= 0:
        return None
    return min(math.fsum(day.earned_eur for day in battery) / bound_eur, 1.0)


def _peak_ratio(ours: PolicyScore, rules: PolicyScore | None) -> float | None:
    if rules is None or rules.peak_import_kw <= 0:
        return None
    return ours.peak_import_kw / rules.peak_import_kw


def _check_same_market(policies: Mapping[str, Rows]) -> None:
    reference: tuple[str, Rows] | None = None
    for name, rows in policies.items():
        check_rows(rows)
        if reference is None:
            reference = name, rows
            continue
        other, theirs = reference
        if len(rows) != len(theirs):
            raise DataError(
                f"{name} has {len(rows)} quarter hours, {other} has {len(theirs)}",
                hint="policies are compared over one period: run them together",
            )
        for ours, its in zip(rows, theirs, strict=True):
            for field in ("time_utc", "phase", "price_import", "price_export"):
                a, b = getattr(ours, field), getattr(its, field)
                if a != b and not (a != a and b != b):  # NaN is NaN: unknown for both
                    raise DataError(
                        f"row {ours.time_utc.isoformat()}: {field} is {a} for {name}, {b} for {other}",
                        hint="policies are compared in one market: run them together",
                    )
