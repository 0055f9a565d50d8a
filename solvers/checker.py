"""Judges plans without a solver: plays the decisions through the house and adds up the bill again.

A plan is signed only if every flow, state, cost and bent rule that it claims comes out the same. Standard library and
physics only; nothing of the model that made the plan is imported here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from models.errors import PlanError
from models.types.mode import REGULAR, RESTING, TRADING
from solvers.account import Account, account
from solvers.problem import BatteryProblem, PlanProblem
from solvers.replay import replay
from solvers.result import PlanResult, Quality, SignedPlan
from solvers.signature import signature, verify

__all__ = ["check", "sign", "verify"]

_TOLERANCE = 1e-6  # kW, K, SOC, EUR; relative above 1


def sign(problem: PlanProblem, result: PlanResult) -> SignedPlan:
    """Signs a plan that is fit.

    Raises
    ------
    PlanError
        Says the first thing that is wrong with it, and how many more there are.
    """
    faults = check(problem, result)
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise PlanError(f"plan of {result.maker} is not fit: {faults[0]}{more}", hint="the next planner is asked")
    bill = account(problem, result, result.modes, result.duty)
    return SignedPlan(result=result, signature=signature(problem, result), checked_cost_eur=bill.cost_eur)


def check(problem: PlanProblem, result: PlanResult) -> list[str]:
    """Everything that is wrong with a plan; empty if nothing is."""
    if result.quality is Quality.FAILED:
        return [f"there is no plan: {result.message}"]
    faults = list(_form(problem, result))
    if faults:
        return faults
    faults += _decisions(problem, result)
    free = problem.free
    if free and any(m != REGULAR for m in result.modes):
        faults.append("modes in a plan whose flows are chosen freely, must be regular")
    faults += _free_flows(problem, result) if free else _played(problem, result)
    faults += _limits(problem, result)
    if not faults:
        faults += _bill(result, account(problem, result, result.modes, result.duty))
    return faults


def _form(problem: PlanProblem, result: PlanResult) -> Iterator[str]:
    n, rooms = problem.steps, len(problem.rooms)
    if result.problem_id != problem.id or result.start != problem.start or result.dt_h != problem.dt_h:
        yield f"it answers problem {result.problem_id!r} from {result.start}, not {problem.id!r} from {problem.start}"
    series = {
        "modes": result.modes,
        "export_limit_kw": result.export_limit_kw,
        "charge_kw": result.charge_kw,
        "discharge_kw": result.discharge_kw,
        "import_kw": result.import_kw,
        "export_kw": result.export_kw,
        "pv_used_kw": result.pv_used_kw,
        "curtailed_kw": result.curtailed_kw,
    }
    if problem.battery is not None:
        series["soc"] = result.soc
    for name, values in series.items():
        if len(values) != n:
            yield f"{name} has {len(values)} slots, must have {n}"
        elif name != "modes" and not _finite(values):  # type: ignore[arg-type]
            yield f"{name} holds a value that is not a number"
    for name, table in (("duty", result.duty), ("air_c", result.air_c), ("slab_c", result.slab_c)):
        if len(table) != rooms or any(len(row) != n for row in table):
            yield f"{name} must have {rooms} rooms of {n} slots"
        elif not all(_finite(row) for row in table):
            yield f"{name} holds a value that is not a number"
    for name in ("cost_eur", "objective_eur"):
        if not math.isfinite(getattr(result, name)):
            yield f"{name} {getattr(result, name)} is not a number"


def _finite(values: Sequence[float]) -> bool:
    return all(map(math.isfinite, values))


def _decisions(problem: PlanProblem, result: PlanResult) -> Iterator[str]:
    """What is commanded lies in what may be commanded."""
    running = True  # still the run that was on when the plan began: it may have to end its dwell time
    for t, mode in enumerate(result.modes):
        if mode.stop_soc is not None and not 0.0 <= mode.stop_soc <= 1.0:
            yield f"slot {t}: stop SOC {mode.stop_soc}, must be 0 to 1"
        if mode.rate is not None and not 0.0 < mode.rate <= 1.0:
            yield f"slot {t}: rate {mode.rate}, must be above 0 to 1"
        now = problem.mode_now
        running = running and now is not None and mode.composite is now.composite
        if mode.composite in TRADING and not problem.price_known[t] and not running:
            yield f"slot {t}: {mode.composite} at a price that is not known"
        if mode.composite in RESTING and not problem.may_charge_from_grid(t) and _charges(problem, result, t):
            yield f"slot {t}: {mode} draws from the grid at a price that is not known"
    for t, forced in enumerate(problem.forced_modes):
        if result.modes[t] != forced:
            yield f"slot {t}: {result.modes[t]} while somebody holds {forced}"
    allowed = problem.export_allowed_kw
    for t, limit in enumerate(result.export_limit_kw):
        if not 0.0 <= limit <= problem.export_limit_kw + _TOLERANCE:
            yield f"slot {t}: export limit {limit} kW, must be 0 to {problem.export_limit_kw}"
        if limit > allowed[t] + _TOLERANCE:
            yield f"slot {t}: export limit {limit} kW while exporting costs {-problem.price_export[t]:.4f} EUR/kWh"
    for room, duty in zip(problem.rooms, result.duty, strict=True):
        for t, on in enumerate(duty):
            low, high = room.duty_bounds(t)
            if not low - _TOLERANCE <= on <= high + _TOLERANCE:
                yield f"slot {t}: duty of {room.name} {on}, must be {low} to {high}"


def _charges(problem: PlanProblem, result: PlanResult, t: int) -> bool:
    """The battery gains more than the sun can give: its stop SOC is above what it holds."""
    b = problem.battery
    before = result.soc[t - 1] if t else (b.soc if b is not None else 0.0)
    held = result.modes[t].stop_soc
    sunny_kw = problem.pv_kw[t] * (b.eff_charge_pv if b is not None else 0.0)
    return held is not None and held > before and result.charge_kw[t] > sunny_kw + _TOLERANCE


def _played(problem: PlanProblem, result: PlanResult) -> Iterator[str]:
    """The claimed flows and states are what the inverter and the rooms make of the decisions."""
    truth = replay(problem, result.modes, result.export_limit_kw, result.duty)
    for name in ("charge_kw", "discharge_kw", "soc", "import_kw", "export_kw", "pv_used_kw", "curtailed_kw"):
        yield from _same(name, getattr(result, name), getattr(truth, name))
    for name in ("air_c", "slab_c"):
        for room, claimed, true in zip(problem.rooms, getattr(result, name), getattr(truth, name), strict=True):
            yield from _same(f"{name} of {room.name}", claimed, true)


def _same(name: str, claimed: Sequence[float], true: Sequence[float]) -> Iterator[str]:
    for t, (a, b) in enumerate(zip(claimed, true, strict=True)):
        if abs(a - b) > _TOLERANCE * max(1.0, abs(b)):
            yield f"slot {t}: {name} {a:.6f} claimed, {b:.6f} when played"
            return


def _free_flows(problem: PlanProblem, result: PlanResult) -> Iterator[str]:
    """Freely chosen flows balance: SOC, DC side, AC side, rooms."""
    b = problem.battery
    assert b is not None
    soc = b.soc
    for t in range(problem.steps):
        soc += (result.charge_kw[t] - result.discharge_kw[t]) * problem.dt_h / b.capacity_kwh
        if abs(soc - result.soc[t]) > _TOLERANCE:
            yield f"slot {t}: soc {result.soc[t]:.6f} claimed, {soc:.6f} when added up"
            return
        heat = sum(r.heater_kw * d[t] for r, d in zip(problem.rooms, result.duty, strict=True))
        fault = _balance(problem, b, result, t, problem.load_kw[t] + heat)
        if fault:
            yield f"slot {t}: {fault}"
            return
    rooms = replay(problem, (REGULAR,) * problem.steps, (0.0,) * problem.steps, result.duty)
    for room, claimed, true in zip(problem.rooms, result.air_c, rooms.air_c, strict=True):
        yield from _same(f"air_c of {room.name}", claimed, true)
    for room, claimed, true in zip(problem.rooms, result.slab_c, rooms.slab_c, strict=True):
        yield from _same(f"slab_c of {room.name}", claimed, true)


def _balance(problem: PlanProblem, b: BatteryProblem, result: PlanResult, t: int, load_kw: float) -> str | None:
    used, curtailed = result.pv_used_kw[t], result.curtailed_kw[t]
    if abs(used + curtailed - problem.pv_kw[t]) > _TOLERANCE * max(1.0, problem.pv_kw[t]):
        return f"pv used {used:.6f} and curtailed {curtailed:.6f} kW do not add up to {problem.pv_kw[t]:.6f}"
    # What charges from the sun follows from the AC side: grid = load + ac_charge - pv_to_ac - discharge.
    grid = result.import_kw[t] - result.export_kw[t]
    missing = grid - load_kw + used + b.eff_discharge * result.discharge_kw[t]
    from_sun = result.charge_kw[t] / b.eff_charge_ac - missing
    per_kw = 1.0 / b.eff_charge_ac - 1.0 / b.eff_charge_pv
    tolerance = _TOLERANCE * max(1.0, load_kw, used, abs(grid))
    if abs(per_kw) < 1e-9:
        return None if abs(from_sun) <= tolerance else f"the AC side is {from_sun:.6f} kW out of balance"
    charge_pv = from_sun / per_kw
    high = min(result.charge_kw[t], used * b.eff_charge_pv)
    slack = tolerance / abs(per_kw)
    return None if -slack <= charge_pv <= high + slack else f"{charge_pv:.6f} kW would charge from {used:.6f} kW of sun"


def _limits(problem: PlanProblem, result: PlanResult) -> Iterator[str]:
    """Physics that nothing may bend, whoever planned."""
    b = problem.battery
    for t in range(problem.steps):
        if min(result.charge_kw[t], result.discharge_kw[t]) > _TOLERANCE:
            yield f"slot {t}: charges {result.charge_kw[t]} and discharges {result.discharge_kw[t]} kW at once"
        if min(result.import_kw[t], result.export_kw[t]) > _TOLERANCE:
            yield f"slot {t}: imports {result.import_kw[t]} and exports {result.export_kw[t]} kW at once"
        for name in ("charge_kw", "discharge_kw", "import_kw", "export_kw", "curtailed_kw", "pv_used_kw"):
            if getattr(result, name)[t] < -_TOLERANCE:
                yield f"slot {t}: {name} {getattr(result, name)[t]} is negative"
        if b is None:
            continue
        low, high = min(b.soc_min, b.soc), max(b.soc_max, b.soc)
        if not low - _TOLERANCE <= result.soc[t] <= high + _TOLERANCE:
            yield f"slot {t}: soc {result.soc[t]:.6f}, must be {low} to {high}"
        if result.charge_kw[t] > b.charge_kw + _TOLERANCE:
            yield f"slot {t}: charges {result.charge_kw[t]} kW, rated {b.charge_kw}"
        if result.discharge_kw[t] > b.discharge_kw + _TOLERANCE:
            yield f"slot {t}: discharges {result.discharge_kw[t]} kW, rated {b.discharge_kw}"


def _bill(result: PlanResult, bill: Account) -> Iterator[str]:
    """Claimed money and bent rules are the recomputed ones."""
    for name, true in (("cost_eur", bill.cost_eur), ("objective_eur", bill.objective_eur)):
        claimed = getattr(result, name)
        if abs(claimed - true) > _TOLERANCE * max(1.0, abs(true)):
            yield f"{name} {claimed:.8f} claimed, {true:.8f} when added up"
    claimed_rules = {(r.rule, r.slot): r for r in result.bent_rules}
    true_rules = {(r.rule, r.slot): r for r in bill.bent_rules}
    for key in sorted(claimed_rules.keys() | true_rules.keys()):
        a, b = claimed_rules.get(key), true_rules.get(key)
        if a is None or b is None:
            amount = (a or b).amount  # type: ignore[union-attr]
            if amount > 1e-4 + _TOLERANCE:
                yield f"slot {key[1]}: {key[0]} bent by {amount:.6f} is only {'claimed' if b is None else 'true'}"
        elif abs(a.amount - b.amount) > _TOLERANCE * max(1.0, abs(b.amount)) or a.unit != b.unit:
            yield f"slot {key[1]}: {key[0]} bent by {b.amount:.6f} {b.unit}, {a.amount:.6f} {a.unit} claimed"
        elif abs(a.cost_eur - b.cost_eur) > _TOLERANCE * max(1.0, abs(b.cost_eur)):
            yield f"slot {key[1]}: {key[0]} costs {b.cost_eur:.6f} EUR, {a.cost_eur:.6f} claimed"
