"""When a policy bought for the battery and sold to the grid, told by its quarter hours alone.

How a row tells apart what it does not say:

- *Charged from the grid* is the import that would not have been, had the battery rested: `min(battery_kw, grid_kw)`
  where both are positive. Sun so serves the house first; only what it leaves can charge for free. It counts where the
  inverter could buy at all: in slots that ran, or are next to one that ran, `charge_from_grid` or `hold`. In any other
  composite charging and import in one quarter hour are a cloud between two minutes, not a purchase.
- *Sold from the battery* likewise: `min(-battery_kw, -grid_kw)` where both are negative. It is what was drawn last, so
  what was drawn from the deep part of the battery in that quarter hour is the sale's first.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby
from zoneinfo import ZoneInfo

from models.price_rank import cheapest_fifth
from models.scorecard import SLOT_H, EvidenceRow
from models.scorecard_bill import deep_drawn_kwh
from models.types.house import House
from models.types.mode import Composite
from models.types.slots import USUAL_DAY

LEAST_KWH_PER_DAY = 0.05  # charged from the grid: less is judged by nobody
LEAST_EUR_PER_DAY = 0.05  # of opportunity: relay pulses alone make a cent or two
_BUYING = (Composite.CHARGE_FROM_GRID.value, Composite.HOLD.value)  # battery first: it may draw on the grid
_SAME_EUR = 1e-9  # per kWh: prices closer than this are one price

Rows = Sequence[EvidenceRow]
_Slot = tuple[EvidenceRow, float, float, float]  # the policy's row; earned by it, by plain rules, by foresight [EUR]


def grid_charged_kwh(rows: Rows) -> list[float]:
    """Energy charged from the grid in each of consecutive slots [kWh at the terminals]; the module says how it is told.

    Parameters
    ----------
    rows : sequence of EvidenceRow
        Consecutive quarter hours.

    Returns
    -------
    list of float, one per row
        Never negative.
    """
    buying = [row.composite in _BUYING for row in rows]
    found = []
    for index, row in enumerate(rows):
        could = any(buying[max(index - 1, 0) : index + 2])
        found.append(max(min(row.battery_kw, row.grid_kw), 0.0) * SLOT_H if could else 0.0)
    return found


def battery_sold_kwh(row: EvidenceRow) -> float:
    """Energy sold from the battery in one slot [kWh]: export that a resting battery had not caused."""
    return max(min(-row.battery_kw, -row.grid_kw), 0.0) * SLOT_H


def cheap_charging_share(rows: Rows, *, house: House) -> float | None:
    """Share of the energy charged from the grid in the run that was charged in the cheapest fifth of its day.

    The day's slots are ranked by import price at the meter, those of the tail included: a run may end at noon. Slots
    with an unknown price and days that tell nothing (`models.price_rank`) count on neither side.

    Parameters
    ----------
    rows : sequence of EvidenceRow
        Run and tail of one policy.
    house : House
        Time zone and battery.

    Returns
    -------
    float or None
        0..1; None: no battery, or less than `LEAST_KWH_PER_DAY` charged from the grid on days that tell.
    """
    if house.battery is None:
        return None
    prices = {row.time_utc: row.price_import for row in rows}
    cheap = cheapest_fifth(prices, ZoneInfo(house.site.timezone))
    run = [row for row in rows if row.phase == "run"]
    charged = zip(run, grid_charged_kwh(run), strict=True)
    told = [(kwh, cheap[row.time_utc]) for row, kwh in charged if row.time_utc in cheap]
    total = math.fsum(kwh for kwh, _ in told)
    if total < LEAST_KWH_PER_DAY * len(run) / USUAL_DAY:
        return None
    return min(math.fsum(kwh for kwh, is_cheap in told if is_cheap) / total, 1.0)


def export_captured_share(rows: Rows, *, rules: Rows, foresight: Rows, house: House) -> float | None:
    """Share of the profitable export opportunity that a policy took.

    An *opportunity* is a run of quarter hours at one export price (within it, when is all the same) in which foresight
    earned more by selling than plain rules did; its size is the difference. Earned is the export's revenue less the
    wear of what the battery gave to it. Taken is what the policy earned there beyond plain rules, up to the
    opportunity's size. So neither the surplus counts that plain rules export by themselves, nor selling where foresight
    did not, however much. What is sold is missing later: that is in `arbitrage_vs_bound`, not here, and why a battery
    that never stores scores well.

    Parameters
    ----------
    rows, rules, foresight : sequence of EvidenceRow
        Run and tail of the policy, of plain rules and of perfect foresight: the same slots of one market.
    house : House
        Prices of wear, that of deep cycles included.

    Returns
    -------
    float or None
        0..1, foresight 1, plain rules 0; None: opportunities of less than `LEAST_EUR_PER_DAY` of the run.
    """
    ours, plain, best = (_run(policy) for policy in (rows, rules, foresight))
    earned = (_sold_eur(run, house) for run in (ours, plain, best))
    size, taken = [], []
    for slots in _same_export_price(list(zip(ours, *earned, strict=True))):
        own, least, most = (max(math.fsum(eur), 0.0) for eur in list(zip(*slots, strict=True))[1:])
        size.append(max(most - least, 0.0))
        taken.append(min(max(own - least, 0.0), size[-1]))
    total = math.fsum(size)
    if total < LEAST_EUR_PER_DAY * len(ours) / USUAL_DAY or total <= 0:
        return None
    return min(math.fsum(taken) / total, 1.0)


def _run(rows: Rows) -> list[EvidenceRow]:
    return [row for row in rows if row.phase == "run"]


def _sold_eur(run: Rows, house: House) -> list[float]:
    """Revenue of each slot's export less the wear of what the battery gave to it."""
    battery = house.battery
    deep_kwh = deep_drawn_kwh(run, battery) or [0.0] * len(run)
    wear, wear_deep = (battery.wear_eur_per_kwh, battery.wear_deep_eur_per_kwh) if battery else (0.0, 0.0)
    return [
        row.export_kwh * row.price_export - sold_kwh * wear - min(sold_kwh, deep) * wear_deep
        for row, sold_kwh, deep in zip(run, map(battery_sold_kwh, run), deep_kwh, strict=True)
    ]


def _same_export_price(run: Sequence[_Slot]) -> Iterator[list[_Slot]]:
    """Runs of priced slots at one export price; a slot of unknown price, left out for all, ends none."""
    priced = [slot for slot in run if slot[0].priced]
    for _, slots in groupby(priced, key=lambda slot: round(slot[0].price_export / _SAME_EUR)):
        yield list(slots)
