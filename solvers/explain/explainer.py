"""Decision cards from a plan: the choice at a time, the best plan without it, and what would change it.

The inverter's runs are compared with the plan that the dynamic program finds when the run's composite is barred from
its slots, made the way plans are made. A room's heating, and the flows of a planning case, are compared on the
relaxation: there the choice is fixed to nothing (or, where a heater rests, to full power for an hour) and the linear
program solved again, from the basis that it has.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from models.errors import PlanError
from models.types.mode import Composite, InverterMode
from solvers.adapt import Adapter
from solvers.composites.options import runs
from solvers.composites.table import Bar
from solvers.explain.barred import Choice, bar
from solvers.explain.cards import Alternative, DecisionCard, Flip, ModeSpan, Quantity
from solvers.explain.facts import facts
from solvers.explain.flips import find, windows
from solvers.explain.ledger import Ledger, local, slot_time, terms
from solvers.explain.probe import Fix, Probe
from solvers.explain.relaxed import flow_block, heat_block, relaxed_card
from solvers.free import duties
from solvers.model.frame import Array
from solvers.model.kept import KeptModel, Limits, Solution
from solvers.problem import PlanProblem
from solvers.pyomo_highs import highest_import_kw
from solvers.result import PlanResult, Quality

_AWHILE_H = 1.0  # for so long is the regular mode forbidden
INVERTER = "inverter.mode"
DP = "dynamic program over composites"


class Explainer:
    """Makes cards for one plan.

    Parameters
    ----------
    model : KeptModel
        Of the problem's shape; warm if it has just planned.
    problem : PlanProblem
        What was asked.
    result : PlanResult
        What runs.
    limits : Limits
        Of each re-solve.

    Raises
    ------
    PlanError
        The plan has no series: there is nothing to explain.
    """

    def __init__(self, model: KeptModel, problem: PlanProblem, result: PlanResult, limits: Limits) -> None:
        if result.quality is Quality.FAILED or not result.import_kw:
            raise PlanError(f"there is no plan to explain: {result.message or 'it failed'}")
        self._model, self._problem, self._result, self._limits = model, problem, result, limits
        self._made: Probe | None = None

    @property
    def _probe(self) -> Probe:
        if self._made is None:
            self._made = Probe(self._model, self._problem, self._limits)
        return self._made

    def card(self, at: datetime, *, room: str | None = None, flips: bool = True) -> DecisionCard:
        """The card of the choice that holds at a time.

        Parameters
        ----------
        at : datetime
            Within the horizon, aware.
        room : str, optional
            Its heating; None: the inverter's mode (the battery's flow in a planning case).
        flips : bool
            Whether to look for what would change it, the longer part of the work.

        Raises
        ------
        PlanError
            The time is outside the horizon, there is no such room, or nothing is decided there.
        """
        started = time.perf_counter()
        slot = slot_of(self._problem, at)
        if room is not None:
            block = heat_block(self._problem, self._result, self._index(room), slot)
            card = relaxed_card(self._problem, self._result, block, self._probe, flips=flips)
        elif self._problem.battery is None:
            names = ", ".join(r.name for r in self._problem.rooms[:3])
            raise PlanError(
                "the house has no battery, so the inverter has nothing to choose",
                hint=f"ask for a room: {names}, ..." if names else "there are no heated rooms either",
            )
        elif self._problem.free:
            block = flow_block(self._problem, self._result, slot)
            card = relaxed_card(self._problem, self._result, block, self._probe, flips=flips)
        else:
            card = self._mode_card(slot, flips)
        return replace(card, asked=at, took_s=time.perf_counter() - started)

    def _index(self, room: str) -> int:
        names = [r.name for r in self._problem.rooms]
        if room in names:
            return names.index(room)
        near = [n for n in names if room.lower() in n.lower() or n.lower() in room.lower()][:3] or names[:3]
        raise PlanError(
            f"no heated room is called {room!r}", hint=f"such as {', '.join(near)}" if near else "there is none"
        )

    # --- the inverter -----------------------------------------------------------------------------------------------
    def _mode_card(self, slot: int, flips: bool) -> DecisionCard:
        p, r = self._problem, self._result
        start, stop = next((a, b) for a, b in runs(r.modes) if a <= slot < b)
        mode = r.modes[start]
        now = p.mode_now
        plain = DecisionCard(
            problem_id=p.id,
            point=INVERTER,
            asked=p.start,
            start=slot_time(p, start),
            end=slot_time(p, stop),
            what=str(mode),
            running=start == 0 and now is not None and now.composite is mode.composite,
            facts=facts(p, r, start, stop),
            terms=(),
            alternative=None,
            no_alternative="",
            flips=(),
            flip_method="",
            more_losses_kwh=None,
            kept_eur=r.kept_eur,
            gap_eur=r.gap_eur,
            took_s=0.0,
        )
        since = start
        if mode.composite is Composite.REGULAR:  # runs for days; what is asked is why nothing else is done then
            start, stop = slot, min(stop, slot + max(1, round(_AWHILE_H / p.dt_h)))
        barred = bar(p, mode.composite, start, stop, since=since)
        if isinstance(barred, str):
            return replace(plain, no_alternative=barred)
        peak_kw = 0.0 if p.peak is None else highest_import_kw(p, self._probe.base)
        choice = Choice(p, np.array(r.duty).reshape(-1, p.steps), peak_kw=peak_kw)
        other = self._without(barred, peak_kw)
        ours, theirs = Ledger.of_result(p, r), Ledger.of_result(p, other)
        adapted = other.duty != r.duty
        more = ours.import_kwh - ours.export_kwh - theirs.import_kwh + theirs.export_kwh
        more_kwh = float(np.sum(more[start:stop]))
        return replace(
            plain,
            terms=terms(p, ours, theirs, start, stop),
            alternative=Alternative(
                extra_eur=other.objective_eur - r.objective_eur,
                modes=_spans(p, other.modes, barred, mode.composite),
                start=slot_time(p, barred.start),
                end=slot_time(p, barred.stop),
                heat=(),
                method=f"{DP}, heating {'adapted' if adapted else 'as planned'}",
            ),
            flips=tuple(self._flips(choice, barred, (start, stop), more_kwh)) if flips else (),
            flip_method=f"re-solves of the {DP}, heating as planned" if flips else "",
            more_losses_kwh=ours.losses_kwh - theirs.losses_kwh,
        )

    def _without(self, barred: Bar, peak_kw: float) -> PlanResult:
        """The best plan with the choice barred, made the way plans are made: from the heating of the relaxation, and
        from that of this plan, whichever leads to the cheaper one.
        """
        p, r = self._problem, self._result
        adapter = Adapter(p, self._refined, self._limits.time_s, peak_kw=peak_kw, barred=barred)
        begins = [r.duty]
        if p.rooms:
            begins.append(tuple(map(tuple, duties(p, self._probe.base.values).tolist())))
        found = [adapter.improve(adapter.with_modes(r, duty)) for duty in begins]
        return min(found, key=lambda plan: plan.objective_eur)

    def _refined(self, fixed: Mapping[str, Array], time_s: float) -> Solution | None:
        """Heating for a battery that is decided; None: its path is no plan of the relaxation."""
        try:
            return self._probe.solve(self._problem, [Fix(name, 0, len(v), v) for name, v in fixed.items()])
        except PlanError:
            return None

    def _flips(self, choice: Choice, barred: Bar, slots: tuple[int, int], more_kwh: float) -> list[Flip]:
        """`more_kwh`: what the plan buys more than its alternative while the choice runs."""
        p = self._problem
        here = choice.worth_eur(barred)
        found = []
        for window in windows(p, *slots):

            def worth(problem: PlanProblem, until: int = window.stop) -> float:
                return here if problem is p else choice.worth_eur(barred, problem, until=until)

            slope = -more_kwh if window.quantity is Quantity.PRICE else None
            flip = find(p, window, worth, slope=slope) if here > 1e-6 else None
            if flip is not None:
                found.append(flip)
        return found


def slot_of(problem: PlanProblem, at: datetime) -> int:
    """The slot that holds a time.

    Raises
    ------
    PlanError
        It is outside the horizon.
    """
    slot = math.floor((at - problem.start) / timedelta(hours=problem.dt_h))
    if not 0 <= slot < problem.steps:
        end = slot_time(problem, problem.steps)
        raise PlanError(
            f"{local(problem, at)} is outside the plan, which goes from {local(problem, problem.start)} to "
            f"{local(problem, end)} ({problem.timezone})",
            hint="ask for a time within it",
        )
    return slot


def _spans(
    problem: PlanProblem, modes: Sequence[InverterMode], barred: Bar, composite: Composite
) -> tuple[ModeSpan, ...]:
    """What runs where something is barred. A charge or discharge that began before may rest there at its stop SOC."""
    found = []
    for a, b in runs(modes):
        if a < barred.stop and b > barred.start:
            rests = ", begun before and at rest" if modes[a].composite is composite else ""
            start, end = slot_time(problem, max(a, barred.start)), slot_time(problem, min(b, barred.stop))
            found.append(ModeSpan(start=start, end=end, mode=f"{modes[a]}{rests}"))
    return tuple(found)
