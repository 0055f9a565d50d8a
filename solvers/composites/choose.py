"""The cheapest sequence of composites for a house whose heating is decided."""

from __future__ import annotations

from collections.abc import Sequence

from models.types.mode import REGULAR, InverterMode
from solvers.composites.bill import Array, Heat
from solvers.composites.labels import Player, label
from solvers.composites.table import Bar, Table
from solvers.problem import PlanProblem


def choose_modes(
    problem: PlanProblem,
    duty: Array,
    *,
    peak_kw: float = 0.0,
    begun: Sequence[InverterMode] = (),
    barred: Bar | None = None,
) -> tuple[InverterMode, ...]:
    """The cheapest sequence of composites for a house whose heating is decided.

    Parameters
    ----------
    problem : PlanProblem
        A house without battery is left on `regular`.
    duty : ndarray, shape (rooms, steps)
        Share of each slot that each heater is on.
    peak_kw : float
        Import that the plan reaches anyway: only what lies above it (and above what was measured) pays for power here.
        The highest import of a path is no stage cost, so this is what a dynamic program can know of it.
    begun : sequence of InverterMode
        Modes of the first slots that are decided; `mode_forced_slots` of the problem come first.
    barred : Bar, optional
        What may not run.

    Returns
    -------
    tuple of InverterMode
        One per slot, equal within a run, with the stop SOC that the run reaches.
    """
    if problem.battery is None:
        return (REGULAR,) * problem.steps
    heat = Heat.of(problem, duty)
    forced = problem.forced_modes
    begun = (*forced, *begun[len(forced) :])
    player = Player.after(problem, heat, begun)
    options = Table(problem, heat, peak_kw, barred=barred).roll_out(begun, player.soc)
    return (*begun, *label(problem, player, options, begun))
