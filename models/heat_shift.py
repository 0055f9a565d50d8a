"""How far a policy moved heating to where it is cheap, told by its quarter hours and those of plain rules.

*What heating costs* is taken at the margin of a house without battery: the export price (0 if negative: it would be
curtailed) for what the sun leaves of the base load, the import price beyond. Sun and base load are those of plain
rules for every policy. So heating is neither credited with the battery's work nor with a bill of its own making.

*A price peak* is a run of quarter hours among the dearest fifth of their local day, by import price.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby
from zoneinfo import ZoneInfo

from models.price_rank import dearest_fifth
from models.scorecard import SLOT_H, EvidenceRow
from models.types.house import House
from models.types.slots import USUAL_DAY

LEAST_KWH_PER_DAY = 0.05  # bought by plain rules in peaks: less is judged by nobody
LEAST_EUR_PER_DAY = 0.05  # of plain rules' heating
LEAST_DAYS = 0.95  # a day of 92 quarter hours is one

Rows = Sequence[EvidenceRow]


def preheated_share(rows: Rows, *, rules: Rows, house: House) -> float | None:
    """Share of the heat that plain rules buy in price peaks which a policy had stored before and did not buy.

    For each peak and room two things are measured: how much less heat the policy bought during the peak than plain
    rules, and how much more heat its slab and air held just before the peak (nominal capacities of the house file). The
    smaller of the two counts, not below zero; the sum is a share of what plain rules bought in all peaks. A peak that
    the run begins with has nothing before it and is left out.

    Each of the two could be had for nothing. Who lets rooms go cold buys no heat in the peak either, but has none
    stored. Who keeps rooms warm all day has stored, but goes on buying. A warm pantry does not make up for a cold
    living room.

    Parameters
    ----------
    rows, rules : sequence of EvidenceRow
        Run and tail of the policy and of plain rules: the same slots of one market.
    house : House
        Time zone, heaters and heat capacities.

    Returns
    -------
    float or None
        0..1, plain rules 0; None: no peaks can be told, or plain rules bought less than `LEAST_KWH_PER_DAY` in them.
    """
    dear = dearest_fifth({row.time_utc: row.price_import for row in rows}, ZoneInfo(house.site.timezone))
    run = [slot for slot in zip(rows, rules, strict=True) if slot[0].phase == "run"]
    moved, bought = [], []
    for first, end in _peaks([dear.get(ours.time_utc, False) for ours, _ in run]):
        before = run[first - 1]
        for index in range(len(rows[0].rooms)):
            ours_kwh, rules_kwh = (_bought_kwh([slot[who] for slot in run[first:end]], index, house) for who in (0, 1))
            spare_kwh = _heat_kwh(before[0], index, house) - _heat_kwh(before[1], index, house)
            bought.append(rules_kwh)
            moved.append(max(min(rules_kwh - ours_kwh, spare_kwh), 0.0))
    total = math.fsum(bought)
    if total < LEAST_KWH_PER_DAY * len(run) / USUAL_DAY or total <= 0:
        return None
    return min(math.fsum(moved) / total, 1.0)


def _peaks(dear: Sequence[bool]) -> Iterator[tuple[int, int]]:
    first = 0
    for is_dear, slots in groupby(dear):
        end = first + len(list(slots))
        if is_dear and first > 0:
            yield first, end
        first = end


def _bought_kwh(rows: Rows, index: int, house: House) -> float:
    heater_kw = house.room(rows[0].rooms[index].name).heater_kw
    return math.fsum(row.rooms[index].relay_share for row in rows) * heater_kw * SLOT_H


def _heat_kwh(row: EvidenceRow, index: int, house: House) -> float:
    """Heat in slab and air of one room above 0 degC, by the nominal capacities."""
    state = row.rooms[index]
    per_m2 = house.thermal.slab_kwh_per_k_m2 * state.slab_c + house.thermal.air_kwh_per_k_m2 * state.temperature_c
    return per_m2 * house.room(state.name).area_m2


def heating_cost_eur(rows: Rows, *, rules: Rows, phase: str) -> float:
    """What heating cost in one phase, at the margin of a house without battery [EUR]; the module says how.

    Slots with an unknown price are left out.
    """
    costs = []
    for row, plain in zip(rows, rules, strict=True):
        if row.phase == phase and row.priced:
            spare_kw = max(plain.pv_available_kw - plain.load_kw, 0.0)
            sunny_kw = min(row.heating_kw, spare_kw)
            bought_kw = row.heating_kw - sunny_kw
            costs.append((sunny_kw * max(row.price_export, 0.0) + bought_kw * row.price_import) * SLOT_H)
    return math.fsum(costs)


def heating_saved_share(rows: Rows, *, rules: Rows) -> float | None:
    """Heating cost saved against plain rules, as a share of theirs; whether comfort was kept is for the caller to ask.

    What is left in the rooms is worth what it saves in the tail: saved is counted over run and tail, the share is one
    of the run's cost. Over less than a day that says nothing: a morning may heat for the whole day to come.

    Parameters
    ----------
    rows, rules : sequence of EvidenceRow
        Run and tail of the policy and of plain rules: the same slots of one market.

    Returns
    -------
    float or None
        < 0 if it cost more; 1 if nothing was paid and the tail cost the same. None: a run of less than a day,
        or plain rules paid less than `LEAST_EUR_PER_DAY` of it.
    """
    paid = {phase: heating_cost_eur(rules, rules=rules, phase=phase) for phase in ("run", "tail")}
    days = sum(row.phase == "run" for row in rules) / USUAL_DAY
    if days < LEAST_DAYS or paid["run"] < LEAST_EUR_PER_DAY * days:
        return None
    saved = math.fsum(eur - heating_cost_eur(rows, rules=rules, phase=phase) for phase, eur in paid.items())
    return saved / paid["run"]
