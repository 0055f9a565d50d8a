"""What bending a rule costs, and what is left at the end is worth: prices in EUR, scaled to the prices at hand.

Only physics is hard. Everything else is a price, in tiers whose order must hold whatever the market does: connection
and safety reserve above comfort, comfort above money, money above calm. Pure Python: makers and checker share it.
"""

from __future__ import annotations

from dataclasses import dataclass

from solvers.problem import PlanProblem

_LEAST_PRICE = 0.05  # EUR/kWh: scales stay meaningful on days when everything is nearly free
_ORDINARY_PEAK = 0.5  # EUR/kWh: up to here comfort prices are taken as configured
_LAST_DAY_H = 24.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiers:
    """Prices of one problem."""

    comfort_below_eur_per_kh: float
    comfort_above_eur_per_kh: float
    over_limit_eur_per_kwh: float  # above the connection, phase or export limit
    reserve_depletion_eur_per_kwh: float  # taking the battery further below its reserve
    reserve_hold_eur_per_kwh_h: float  # staying below it: low, so that a spike is waited out
    full_charge_eur_per_kwh: float  # missing at the balancing charge
    final_eur_per_kwh: float  # missing at the end of a planning case
    soc_end_eur_per_kwh: float
    heat_end_eur_per_kwh: float


def tiers(problem: PlanProblem) -> Tiers:
    """Prices for bent rules and for what is left at the end of the horizon.

    Returns
    -------
    Tiers
        All >= 0.
    """
    ordered = sorted(problem.scale_prices or problem.price_import)
    typical = max(_LEAST_PRICE, ordered[len(ordered) // 2])
    peak = max(typical, ordered[-1])
    comfort = problem.comfort_eur_per_kh * max(1.0, peak / _ORDINARY_PEAK)
    return Tiers(
        comfort_below_eur_per_kh=comfort,
        comfort_above_eur_per_kh=comfort / 2.0,
        over_limit_eur_per_kwh=max(20.0 * comfort, 50.0 * peak),
        reserve_depletion_eur_per_kwh=0.0 if problem.free else 2.0 * peak,
        reserve_hold_eur_per_kwh_h=typical if problem.free else 0.05 * typical,
        full_charge_eur_per_kwh=typical,
        final_eur_per_kwh=10.0 * peak,
        soc_end_eur_per_kwh=soc_end_value(problem),
        heat_end_eur_per_kwh=heat_end_value(problem),
    )


def last_known_day(problem: PlanProblem) -> list[float]:
    """Import prices of the last 24 h that are really known, sorted; of the whole horizon if none is."""
    known = [p for p, k in zip(problem.price_import, problem.price_known, strict=True) if k]
    return sorted((known or list(problem.price_import))[-max(1, round(_LAST_DAY_H / problem.dt_h)) :])


def soc_end_value(problem: PlanProblem) -> float:
    """Worth of one stored kWh at the end [EUR/kWh].

    It will replace imports at about the mean of the cheaper half of a day, after losses and wear. Capped by what
    refilling costs in the cheapest quarter, so that a plan never buys at a peak to be full at the end. A planning case
    with `soc_final` asks for nothing beyond it: 0.
    """
    battery = problem.battery
    if battery is None or battery.soc_final is not None:
        return 0.0
    if problem.soc_end_value_eur_per_kwh is not None:
        return problem.soc_end_value_eur_per_kwh
    day = last_known_day(problem)
    cheaper = day[: max(1, len(day) // 2)]
    later = battery.eff_discharge * sum(cheaper) / len(cheaper) - battery.wear_eur_per_kwh
    return max(0.0, min(later, battery.eff_charge_ac * day[len(day) // 4]))


def heat_end_value(problem: PlanProblem) -> float:
    """Worth of one kWh of heat in air and slab at the end [EUR/kWh].

    A little below the cheapest quarter of a day: heat leaks away while it waits, and at a value above the cheapest
    price rooms would run to the top of their band at the end of each plan.
    """
    if problem.heat_end_value_eur_per_kwh is not None:
        return problem.heat_end_value_eur_per_kwh
    day = last_known_day(problem)
    cheapest = day[: max(1, len(day) // 4)]
    return max(0.0, 0.8 * sum(cheapest) / len(cheapest))


@dataclass(frozen=True, slots=True, kw_only=True)
class SocTarget:
    """What the SOC should be at the end of one slot, softly."""

    soc: float
    miss_eur_per_kwh: float  # for each kWh below it at the end of this slot
    rule: str


def soc_targets(problem: PlanProblem, prices: Tiers) -> tuple[SocTarget, ...] | None:
    """Soft lower targets of the SOC per slot: reserve, window after a start below it, balancing charge, final SOC.

    Returns
    -------
    tuple of SocTarget or None
        One per slot; None where no rule asks for any.
    """
    b = problem.battery
    if b is None:
        return None
    below = b.soc < b.soc_min - 0.005
    if b.reserve_soc is None and b.full_by_slot is None and b.soc_final is None and not below:
        return None
    base = base_target(problem)
    hold = SocTarget(
        soc=base, miss_eur_per_kwh=prices.reserve_hold_eur_per_kwh_h * problem.dt_h, rule="battery.reserve"
    )
    out = [hold] * problem.steps
    if b.full_by_slot is not None and 0 <= b.full_by_slot < problem.steps:
        out[b.full_by_slot] = SocTarget(
            soc=b.soc_max, miss_eur_per_kwh=prices.full_charge_eur_per_kwh, rule="battery.full_charge"
        )
    if b.soc_final is not None:
        final = max(b.soc_final, out[-1].soc)
        out[-1] = SocTarget(soc=final, miss_eur_per_kwh=prices.final_eur_per_kwh, rule="battery.soc_final")
    return tuple(out)


def base_target(problem: PlanProblem) -> float:
    """The SOC that the reserve, or the window, asks for at any time."""
    b = problem.battery
    if b is None:
        return 0.0
    return max(b.soc_min, b.reserve_soc or 0.0)
