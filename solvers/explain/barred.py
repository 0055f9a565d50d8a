"""What else the inverter could do where a composite is barred, and what that loses."""

from __future__ import annotations

from models.types.mode import Composite
from solvers.composites.bill import Array, Heat
from solvers.composites.labels import Player
from solvers.composites.options import ACTIVE, OPTIONS, REST, running_options
from solvers.composites.table import Bar, Table
from solvers.problem import PlanProblem


def bar(problem: PlanProblem, composite: Composite, start: int, stop: int, *, since: int | None = None) -> Bar | str:
    """What forbids a composite in some slots of its run; or why it cannot be forbidden.

    Parameters
    ----------
    problem : PlanProblem
        With a battery whose composites are chosen.
    composite : Composite
        Of the run; `hold` and `sell_production` are one option.
    start, stop : int
        Those slots.
    since : int, optional
        First slot of the run; None: `start`.

    Returns
    -------
    Bar or str
        From the first slot on in which something else may run.
    """
    options = tuple(i for i, o in enumerate(OPTIONS) if o.composite is composite)
    options = options or (REST,)  # sell_production
    begun = problem.forced_modes
    running, age = running_options(problem, begun)
    free = len(begun)
    first = start if since is None else since
    if first <= free and running and options[0] not in ACTIVE:  # a charge or discharge may rest at any time
        free += max(0, problem.min_mode_slots - age)
    if free >= stop:
        held = "is held by hand, by a limit or by a trip" if len(begun) >= stop else "has not run for its minimum time"
        return f"it {held} over all of these slots: nothing else may run"
    return Bar(options, max(start, free), stop)


class Choice:
    """One problem with its heating decided: what barring some composites loses.

    Parameters
    ----------
    problem : PlanProblem
        With a battery whose composites are chosen.
    duty : ndarray, shape (rooms, steps)
        Heating.
    peak_kw : float
        Import that is reached anyway, for a price on power.
    """

    def __init__(self, problem: PlanProblem, duty: Array, *, peak_kw: float = 0.0) -> None:
        self._problem, self._duty, self._peak_kw = problem, duty, peak_kw
        self._heat = Heat.of(problem, duty)
        self._free: Table | None = None

    def worth_eur(self, barred: Bar, changed: PlanProblem | None = None, *, until: int | None = None) -> float:
        """What barring loses, for this problem or for one that differs from it in prices, sun and load before `until`.

        Returns
        -------
        float
            >= 0; 0 where the choice is not worth having.
        """
        if self._free is None:
            self._free = Table(self._problem, self._heat, self._peak_kw)
        free, p = self._free, self._problem
        if changed is not None:
            p, free = changed, Table(changed, self._heat, self._peak_kw, beyond=_beyond(free, until, changed))
        without = Table(p, self._heat, self._peak_kw, barred=barred, like=free, beyond=_beyond(free, barred.stop, p))
        begun = p.forced_modes
        soc = Player.after(p, self._heat, begun).soc
        return without.value(begun, soc) - free.value(begun, soc)


def _beyond(table: Table, until: int | None, problem: PlanProblem) -> tuple[Table, int] | None:
    return None if until is None or until >= problem.steps else (table, until)
