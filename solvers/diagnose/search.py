"""Which limits conflict: for each limit that a plan bends, the smallest set of other limits that makes it bend.

Nothing is infeasible here, so a bent rule *is* the conflict. Each one is split into what no plan could avoid, what
other limits force, what is bent because keeping it would cost more, and what only the plan's execution bends. Where
other limits force it, groups of them are freed one at a time (a deletion filter; duals tell at once which ones do not
matter) until those are left without any of which the limit could be kept. `solvers.diagnose.words` says it in a line.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from models.errors import PlanError
from solvers.diagnose.diagnosis import (
    CONNECTION,
    EXPORT,
    FUSE,
    HELD,
    OPERATOR,
    PHASES,
    SHARED,
    UNKNOWN_PRICES,
    Conflict,
    Diagnosis,
    Miss,
    Parts,
    Reason,
    Remedy,
)
from solvers.diagnose.groups import Group, beginning, group_of
from solvers.diagnose.lp import Answer, Asked, Elastic
from solvers.problem import PlanProblem
from solvers.result import BentRule, PlanResult, Quality

_MOST = 0.5  # a set of limits explains a miss if it forces at least this share of what is forced
_NEARLY = 0.02  # and a remedy must leave at most this share of it
_ROUNDING = 1e-3  # kW, K or SOC, over one slot
_MANY = 4  # rooms; more are looked at together
_GAP_H = 1.0  # misses closer together than this are one
_LONG_H = 6.0  # a longer miss is understood by this much of it, or by what there is to its worst slot
_AFTER_H = 6.0  # looked beyond the last miss: what others need soon after takes part



def diagnose(
    problem: PlanProblem, result: PlanResult, *, most: int = 8, time_limit_s: float = 30.0
) -> Diagnosis:
    """Explains the bent rules of a plan.

    Parameters
    ----------
    problem, result : PlanProblem, PlanResult
        A plan and what was asked for; any maker's.
    most : int
        Misses to look into, dearest first; cheaper ones are told where they take part in a conflict that is known.
    time_limit_s : float
        For all solves together; what is not explained by then is counted in `untold`.

    Raises
    ------
    PlanError
        There is no plan.
    """
    started = time.monotonic()
    if result.quality is Quality.FAILED:
        raise PlanError(f"there is no plan to diagnose: {result.message}", hint="mend that first")
    found = sorted(misses(problem, result.bent_rules), key=lambda m: -m.cost_eur)
    if not found:
        return Diagnosis(conflicts=(), untold=0, solves=0, wall_s=time.monotonic() - started)
    short = beginning(problem, max(_understood(problem, m) for m in found[:most]) + round(_AFTER_H / problem.dt_h))
    lp = Elastic(short, (b for b in result.bent_rules if b.slot < short.steps), deadline_s=started + time_limit_s)
    told: list[Conflict] = []
    left, stopped = list(found), ""
    try:
        for rank, miss in enumerate(found):
            known = next((i for i, c in enumerate(told) if _takes_part(c, miss)), None)
            if rank >= most and (known is None or miss.first_slot >= short.steps or miss.limit in SHARED):
                continue  # a cheap one is told only where it is one more who cannot get enough
            if known is None:
                told.extend(_explained(lp, miss, result))
            else:
                found_too = (*told[known].misses, miss)
                told[known] = replace(
                    told[known], misses=found_too, limits=_ordered(told[known].limits, found_too)
                )
            left.remove(miss)
        conflicts = tuple(_with_remedies(lp, c) for c in _joined(told))
    except PlanError as error:  # what was found so far stands, and why there is no more of it is told
        conflicts, stopped = tuple(_joined(told)), str(error)
    return Diagnosis(
        conflicts=conflicts, untold=len(left), solves=lp.solves, wall_s=time.monotonic() - started, stopped=stopped
    )


def misses(problem: PlanProblem, bent: Iterable[BentRule]) -> Iterator[Miss]:
    """Bent rules by limit and time: neighbouring slots are one miss."""
    by_limit: dict[str, list[BentRule]] = {}
    for b in sorted(bent, key=lambda b: b.slot):
        by_limit.setdefault(limit_of(problem, b), []).append(b)
    gap = max(1, round(_GAP_H / problem.dt_h))
    for limit, rules in by_limit.items():
        run: list[BentRule] = []
        for b in rules:
            if run and b.slot - run[-1].slot > gap:
                yield _miss(limit, run)
                run = []
            run.append(b)
        yield _miss(limit, run)


def limit_of(problem: PlanProblem, bent: BentRule) -> str:
    """The group whose limit is bent; the operator's and the connection's bend one rule."""
    group = group_of(bent.rule)
    dimmed = problem.import_allowed_kw(bent.slot) < problem.import_limit_kw - 1e-9
    return OPERATOR if group == CONNECTION and dimmed else group


def _miss(limit: str, run: Sequence[BentRule]) -> Miss:
    worst = max(run, key=lambda b: b.amount)
    return Miss(
        limit=limit,
        first_slot=run[0].slot,
        last_slot=run[-1].slot,
        worst_slot=worst.slot,
        amount=worst.amount,
        unit=worst.unit,
        cost_eur=sum(b.cost_eur for b in run),
    )


def _takes_part(conflict: Conflict, miss: Miss) -> bool:
    """Whether a miss is the other side of a conflict that is known."""
    return conflict.reason is Reason.CONFLICT and miss.limit in conflict.limits and _meets(conflict, miss)


def _meets(conflict: Conflict, miss: Miss) -> bool:
    return any(m.first_slot <= miss.last_slot and miss.first_slot <= m.last_slot for m in conflict.misses)


def _joined(told: Iterable[Conflict]) -> list[Conflict]:
    """Conflicts at one time over one limit on power are one: everybody runs into the same fuse."""
    out: list[Conflict] = []
    for c in told:
        shared = set(SHARED) & set(c.limits)
        for i, other in enumerate(out):
            same = set(c.limits) == set(other.limits) or bool(shared & set(other.limits))
            both = c.reason is Reason.CONFLICT is other.reason
            if both and same and any(_meets(other, m) for m in c.misses):
                found = tuple(sorted({*other.misses, *c.misses}, key=lambda m: (-m.cost_eur, m.limit, m.first_slot)))
                out[i] = replace(
                    other, misses=found, limits=_ordered({*other.limits, *c.limits}, found), remedies=()
                )
                break
        else:
            out.append(c)
    return out


def _ordered(limits: Iterable[str], found: Sequence[Miss]) -> tuple[str, ...]:
    """Bent ones first, limits on power last."""
    bent = [m.limit for m in found]
    return tuple(
        sorted(limits, key=lambda name: (name in SHARED, bent.index(name) if name in bent else len(bent), name))
    )


# --- one miss ---------------------------------------------------------------------------------------------------------
def _asked(lp: Elastic, found: Iterable[Miss]) -> list[Asked]:
    """What is asked about misses: of each limit once, all slots from the first to the last that is looked at."""
    slots: dict[str, set[int]] = {}
    for m in found:
        slots.setdefault(m.limit, set()).update(range(m.first_slot, m.last_slot + 1))
    return [Asked.of(lp.groups[name], where) for name, where in slots.items()]


def _understood(problem: PlanProblem, miss: Miss) -> int:
    """How many slots it takes to understand a miss: a long one from its beginning to its worst."""
    end = max(miss.worst_slot + 1, miss.first_slot + round(_LONG_H / problem.dt_h))
    return min(miss.last_slot + 1, end)


def _explain(lp: Elastic, miss: Miss, result: PlanResult) -> Conflict:
    asked = _asked(lp, [miss])
    planned = _total(lp, miss, result)
    tolerance = _tolerance(lp, planned)
    forced = lp.least(asked, ())
    alone = lp.least(asked, lp.groups)
    at_least = min(planned, alone.total)
    with_others = min(planned, max(at_least, forced.total))
    rest = planned - with_others
    relaxed = planned
    if rest > max(tolerance, with_others - at_least, at_least):  # else it is not the reason
        relaxed = min(planned, float(lp.relaxed()[asked[0].columns].sum()) * lp.problem.dt_h)
    parts = Parts(
        physics=at_least,
        conflict=with_others - at_least if with_others - at_least > tolerance else 0.0,
        price=max(0.0, relaxed - with_others),
        execution=max(0.0, planned - max(relaxed, with_others)),
    )
    base = Conflict(reason=parts.reason, misses=(miss,), limits=(miss.limit,), remedies=(), parts=parts)
    match parts.reason:
        case Reason.CONFLICT:
            with_whom = _smallest(lp, asked, alone.total + _MOST * parts.conflict, forced.felt)
            return replace(base, limits=_ordered({miss.limit, *with_whom}, [miss]))
        case Reason.PHYSICS:
            return replace(base, kept_from_slot=_kept_from(lp, asked[0], alone))
        case Reason.PRICE:
            return replace(base, keeping_eur=lp.price_of_keeping(asked, with_others + tolerance))
        case _:
            return base


def _explained(lp: Elastic, miss: Miss, result: PlanResult) -> list[Conflict]:
    """A miss and its reason; where no plan could avoid only the beginning of it, the rest has a reason of its own."""
    told = _explain(lp, miss, result)
    kept_from = told.kept_from_slot
    if kept_from is None:
        return [told]
    bent = [b for b in result.bent_rules if miss.first_slot <= b.slot <= miss.last_slot]
    run = [b for b in bent if limit_of(lp.problem, b) == miss.limit]
    first, rest = ([b for b in run if (b.slot >= kept_from) is late] for late in (False, True))
    if not first or not rest or max(b.amount for b in rest) <= _ROUNDING:
        return [told]
    begins = _explain(lp, _miss(miss.limit, first), result)
    return [replace(begins, kept_from_slot=kept_from), _explain(lp, _miss(miss.limit, rest), result)]


def _kept_from(lp: Elastic, asked: Asked, alone: Answer) -> int | None:
    """The first slot in which a limit could be kept if it alone mattered; None: none that was looked at."""
    slots = asked.group.slots[asked.here]
    after = int(max(slots[alone.misses[0] > _ROUNDING], default=int(slots[0]) - 1)) + 1
    return after if after < lp.problem.steps else None


def _total(lp: Elastic, miss: Miss, result: PlanResult) -> float:
    here = range(miss.first_slot, min(miss.last_slot + 1, lp.problem.steps))
    bent = (b for b in result.bent_rules if b.slot in here and limit_of(lp.problem, b) == miss.limit)
    return lp.problem.dt_h * sum(b.amount for b in bent)


def _tolerance(lp: Elastic, total: float) -> float:
    return max(_ROUNDING * lp.problem.dt_h, 0.02 * total)


def _smallest(lp: Elastic, asked: Sequence[Asked], enough: float, felt: Iterable[str]) -> list[str]:
    """The deletion filter: limits without any of which no miss above `enough` is left.

    What users can move least is tried last, so that it stays: limits on power, then holds and what is not known. Many
    rooms on one fuse are tried together: without any one of them there would be enough for the others, which takes
    long to find out and says no more than that they share it.
    """
    rooms = sorted(n for n in felt if n.startswith("room.") and not n.endswith(HELD))
    others = sorted(set(felt) - set(rooms), key=lambda name: (_rank(name), name))
    blocks = [rooms] if len(rooms) > _MANY else [[n] for n in rooms]
    candidates = [*blocks, *([n] for n in others)]
    kept: list[str] = []
    while candidates:
        block, *candidates = candidates
        in_force = {*kept, *(n for c in candidates for n in c)}
        answer = lp.least(asked, set(lp.groups) - in_force)
        if answer.total <= enough:
            kept += block
        else:  # it bends without them too, and without what is not felt any more
            candidates = [left for c in candidates if (left := [n for n in c if n in answer.felt])]
    return kept


def _rank(name: str) -> int:
    if name in SHARED or name == EXPORT:
        return 2
    return 1 if name == UNKNOWN_PRICES or name.endswith(HELD) else 0


# --- what would help --------------------------------------------------------------------------------------------------
def _with_remedies(lp: Elastic, conflict: Conflict) -> Conflict:
    """The same with each single limit that, moved, would let all that is bent here be kept as far as physics can."""
    asked = _asked(lp, conflict.misses)
    if EXPORT in conflict.limits and lp.problem.free and not lp.problem.pv_curtailable:
        return conflict  # the relaxation burns sun by charging and discharging at once: it asks for too little
    if conflict.reason is Reason.PHYSICS and conflict.limits[0] in (*SHARED, EXPORT):
        by_kw = lp.higher(asked[0])
        return replace(conflict, remedies=(Remedy(limit=conflict.limits[0], by=by_kw, unit="kW"),))
    if conflict.reason is not Reason.CONFLICT:
        return conflict
    alone, forced = lp.least(asked, lp.groups), lp.least(asked, ())
    most = alone.total + max(_NEARLY * (forced.total - alone.total), _tolerance(lp, alone.total))
    found = []
    for name in reversed(conflict.limits):
        group = lp.groups[name]
        if name in {m.limit for m in conflict.misses}:
            continue
        if not group.elastic:
            if lp.least(asked, [name]).total <= most:
                found.append(Remedy(limit=name, by=None, unit=""))
        elif (by := lp.enough(asked, most, {name: 1.0})) is not None:
            found.append(Remedy(limit=name, by=by, unit=_unit(group)))
    if not found and PHASES in conflict.limits:  # the phases are a third of the connection: both are one fuse
        by = lp.enough(asked, most, {CONNECTION: 1.0, PHASES: 1.0 / 3.0})
        found += [] if by is None else [Remedy(limit=FUSE, by=by, unit="kW")]
    return replace(conflict, remedies=tuple(found))


def _unit(group: Group) -> str:
    if group.name.startswith("battery."):
        return "soc"
    return "K" if group.name.startswith("room.") else "kW"
