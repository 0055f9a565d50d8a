"""Cards of what is chosen freely, a room's heating or the battery's flow in a planning case, on the relaxation.

The choice is fixed to its opposite in its slots and the linear program solved again. Both optima are exact there, so
the extra cost is never below 0, and the price at which it vanishes follows by Newton's method: its slope is the energy
that the two plans buy differently.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from models.errors import PlanError
from solvers.explain.cards import Alternative, DecisionCard, Facts, Flip, HeatSpan, Quantity
from solvers.explain.facts import facts
from solvers.explain.flips import Window, changed, price_range
from solvers.explain.ledger import Ledger, local, slot_time, terms
from solvers.explain.probe import Fix, Probe, battery_fixes
from solvers.model.kept import Solution
from solvers.problem import PlanProblem
from solvers.result import PlanResult

_HEATS = 0.02  # of a slot: less is rounding
_FLOWS_KW = 1e-3
_OTHERWISE = 0.1  # of the duty: more is another plan for the room
_MOVED_KWH = 0.02
_MOST_SPANS = 6
_WORTH_EUR = 1e-6
_TRIES = 6  # each is two solves; mostly the edge is met exactly before
_ON_TRIAL_H = 1.0  # a heater that rests is tried on for this long
METHOD = "linear relaxation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A choice over slots start .. stop-1, and what undoes it."""

    point: str
    what: str
    start: int
    stop: int
    fixes: tuple[Fix, ...]
    base: tuple[Fix, ...] = ()  # what is fixed with the choice and without it
    no_alternative: str = ""
    room: int | None = None


def heat_block(problem: PlanProblem, result: PlanResult, room: int, slot: int) -> Block:
    """The room's heating that runs in a slot, or its rest there."""
    r, duty = problem.rooms[room], result.duty[room]
    on = [d > _HEATS for d in duty]
    start, stop = _run(on, slot)
    if not on[slot]:
        start, stop = slot, min(stop, slot + max(1, round(_ON_TRIAL_H / problem.dt_h)))
    free = max(start, min(r.forced_slots, problem.steps))
    held = "" if free < stop else "the room is held by hand, by a limit or by a trip over all of these slots"
    return Block(
        point=f"room.{r.name}.relay",
        what="heat" if on[slot] else "off",
        start=start,
        stop=stop,
        fixes=(Fix("duty", free, stop, 0.0 if on[slot] else 1.0, row=room),) if not held else (),
        no_alternative=held,
        room=room,
    )


def flow_block(problem: PlanProblem, result: PlanResult, slot: int) -> Block:
    """What the battery of a planning case does in a slot."""
    signs = [
        1 if c > _FLOWS_KW else -1 if d > _FLOWS_KW else 0
        for c, d in zip(result.charge_kw, result.discharge_kw, strict=True)
    ]
    start, stop = _run(signs, slot)
    names = {1: ("charge_pv", "charge_ac"), -1: ("discharge",), 0: ()}[signs[slot]]
    idle = ""
    if not names:
        busy = [t for t in range(problem.steps) if signs[t]]
        near = min(busy, key=lambda t: abs(t - slot), default=None)
        idle = "the battery rests, which has no single opposite"
        if near is not None:
            idle += f"; it works at {local(problem, slot_time(problem, near))}"
    return Block(
        point="battery",
        what={1: "charge", -1: "discharge", 0: "rest"}[signs[slot]],
        start=start,
        stop=stop,
        fixes=tuple(Fix(name, start, stop, 0.0) for name in names),
        no_alternative=idle,
    )


def _run(values: Sequence[object], slot: int) -> tuple[int, int]:
    at = 0
    for _, group in groupby(values):
        length = len(list(group))
        if at <= slot < at + length:
            return at, at + length
        at += length
    raise PlanError(f"slot {slot} is outside the plan")


def relaxed_card(problem: PlanProblem, result: PlanResult, block: Block, probe: Probe, *, flips: bool) -> DecisionCard:
    """The card of one block; `asked` and `took_s` are left to the caller."""
    p, start, stop = problem, block.start, block.stop
    what: Facts = facts(p, result, start, stop, block.room)
    ours = theirs = None
    base: Solution | None = None
    other: Solution | None = None
    if block.fixes:
        held = _as_it_runs(p, result, block, probe)
        block = replace(block, base=held, fixes=(*held, *block.fixes))
        base = probe.solve(p, held) if held else probe.base
        other = probe.solve(p, block.fixes)
        ours, theirs = Ledger.of_solution(p, base), Ledger.of_solution(p, other)
    return DecisionCard(
        problem_id=p.id,
        point=block.point,
        asked=p.start,
        start=slot_time(p, start),
        end=slot_time(p, stop),
        what=block.what,
        running=start == 0 and block.room is not None and p.rooms[block.room].relay_on == (block.what == "heat"),
        facts=what,
        terms=() if ours is None or theirs is None else terms(p, ours, theirs, start, stop),
        alternative=None
        if other is None or base is None
        else Alternative(
            extra_eur=max(0.0, other.objective_eur - base.objective_eur),
            start=slot_time(p, block.fixes[-1].start),
            end=slot_time(p, stop),
            modes=(),
            heat=() if block.room is None else _moved(p, block.room, base, other),
            method=METHOD,
        ),
        no_alternative=block.no_alternative,
        flips=() if not flips or base is None or other is None else (_price_flip(p, block, probe, base, other),),
        flip_method=f"re-solves of the {METHOD}" if flips and other is not None else "",
        more_losses_kwh=None
        if ours is None or theirs is None or p.battery is None
        else ours.losses_kwh - theirs.losses_kwh,
        kept_eur=result.kept_eur,
        gap_eur=result.gap_eur,
        took_s=0.0,
    )


def _as_it_runs(problem: PlanProblem, result: PlanResult, block: Block, probe: Probe) -> tuple[Fix, ...]:
    """The battery as the plan runs it, where the room is heated at this time because of that.

    The relaxation's battery can do anything. Where the inverter's modes cannot follow it, heating was planned again for
    what they do, and only beside that battery is the choice what it was.
    """
    b = problem.battery
    if block.room is None or b is None or problem.free:
        return ()
    here = slice(block.start, block.stop)
    planned, relaxed = np.array(result.duty[block.room][here]), probe.base.values["duty"][block.room][here]
    return battery_fixes(problem, result) if float(np.mean(np.abs(planned - relaxed))) > _OTHERWISE else ()


def _moved(problem: PlanProblem, room: int, ours: Solution, theirs: Solution) -> tuple[HeatSpan, ...]:
    """Where the room is heated more, and less, without the choice; the largest spans, in order of time."""
    more = (theirs.values["duty"][room] - ours.values["duty"][room]) * problem.rooms[room].heater_kw * problem.dt_h
    sign = np.sign(np.where(np.abs(more) < 1e-6, 0.0, more))
    found, at = list[HeatSpan](), 0
    for value, group in groupby(sign.tolist()):
        length = len(list(group))
        kwh = float(np.sum(more[at : at + length]))
        if value and abs(kwh) >= _MOVED_KWH:
            found.append(HeatSpan(start=slot_time(problem, at), end=slot_time(problem, at + length), kwh=kwh))
        at += length
    largest = sorted(found, key=lambda s: -abs(s.kwh))[:_MOST_SPANS]
    return tuple(sorted(largest, key=lambda s: s.start))


def _price_flip(problem: PlanProblem, block: Block, probe: Probe, base: Solution, other: Solution) -> Flip:
    """The shift of the market's price, while the choice runs, at which it is worth nothing."""
    window = Window(quantity=Quantity.PRICE, start=block.start, stop=block.stop)
    low, high = price_range(problem)
    now = float(np.mean(problem.price_import[block.start : block.stop]))
    by, ours, theirs, found = 0.0, base, other, False
    tried = low, high
    for attempt in range(_TRIES):
        worth = theirs.objective_eur - ours.objective_eur
        if worth <= _WORTH_EUR:
            found = True
            break
        slope = _net_kwh(problem, block, theirs) - _net_kwh(problem, block, ours)
        if abs(slope) < 1e-6:
            break
        by -= worth / slope
        if not low <= by <= high:
            break
        moved = changed(problem, window, by)
        if attempt % 2:  # each from the basis of its like
            ours, theirs = probe.solve(moved, block.base), probe.solve(moved, block.fixes)
        else:
            theirs, ours = probe.solve(moved, block.fixes), probe.solve(moved, block.base)
    else:  # still worth something there, and no nearer: Newton's steps stop short of an edge
        found = theirs.objective_eur - ours.objective_eur <= _WORTH_EUR
        tried = min(0.0, by), max(0.0, by)
    return Flip(
        quantity=Quantity.PRICE,
        unit="EUR/kWh",
        start=slot_time(problem, block.start),
        end=slot_time(problem, block.stop),
        now=now,
        flips_at=now + by if found else None,
        searched=(now + tried[0], now + tried[1]),
    )


def _net_kwh(problem: PlanProblem, block: Block, solution: Solution) -> float:
    v = solution.values
    net = v["imported"] + v["over"] - v["exported"] - (0.0 if problem.pv_curtailable else v["curtailed"])
    return problem.dt_h * float(np.sum(net[block.start : block.stop]))
