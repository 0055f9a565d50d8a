"""A plan with its problem as text: how it is saved, and how a running house hands it over."""

from __future__ import annotations

from pathlib import Path

from models.errors import ConfigError, DataError, PemsError
from pems_actors.workers import codec
from solvers.checker import verify
from solvers.problem import PlanProblem
from solvers.result import SignedPlan


def to_text(problem: PlanProblem, plan: SignedPlan) -> str:
    """Both as one JSON text."""
    return codec("optimizer").encode([problem, plan]).decode()


def from_text(text: str) -> tuple[PlanProblem, SignedPlan]:
    """Both again.

    Raises
    ------
    DataError
        It is no saved plan, or problem and plan are not those that were checked and signed.
    """
    try:
        value = codec("optimizer").decode(text.strip().encode())
    except PemsError:
        what = "this is no saved plan: cut short, changed, written anew by another program, or something else"
        raise DataError(what, hint="`explain --save FILE` writes one") from None
    match value:
        case (PlanProblem() as problem, SignedPlan() as plan):
            if not verify(plan, problem):
                raise DataError("the plan's signature does not fit its problem", hint="save it again, and do not edit")
            return problem, plan
    raise DataError("this is no saved plan", hint="`explain --save FILE` writes one")


def save(path: Path, problem: PlanProblem, plan: SignedPlan) -> None:
    """Write both. ConfigError if the file cannot be written."""
    try:
        path.write_text(to_text(problem, plan) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--save {path}: {error.strerror or error}", hint="choose another place") from error


def load(path: Path) -> tuple[PlanProblem, SignedPlan]:
    """Read both. ConfigError if the file cannot be read, DataError if it holds something else."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"--plan {path}: {reason}", hint="a file of `explain --save`, or a planning case") from None
    try:
        return from_text(text)
    except DataError as error:
        raise DataError(f"--plan {path}: {error.problem}", hint=error.hint) from None
