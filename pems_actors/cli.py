"""The command line: which commands there are, and how mistakes are told: one line `error: ...`, exit code 2."""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Sequence

import typer

from config.load import HouseFileError
from models.errors import PemsError

USER_ERROR = 2
INTERNAL_ERROR = 70
INTERRUPTED = 130
PROGRAM = "python -m pems_actors"
DEBUG_VARIABLE = "PEMS_DEBUG"
_NUMBERS = ("KW", "VALUE")  # arguments that may be numbers; none of them may be negative

# typer carries its own copy of click since 0.20 and exports only some of its exceptions; their base is found by name
_UsageProblem: type[Exception] = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")

_HELP = """PEMS runs a house: it forecasts, plans 48 hours ahead and acts through one gate.

Begin with: `run` (the demo house, live), `simulate` (a week in minutes, with a scorecard), `check` (your own house
file). While a house runs, ask it from another terminal: `ps`, `tree`, `why room.obyvak.relay`.
"""


def build() -> typer.Typer:
    """The application with all its commands."""
    from pems_actors.commands import (
        ask,
        check,
        command,
        diagnose,
        explain,
        failsafe,
        limit,
        plan,
        run,
        simulate,
        twin,
        wires,
    )

    app = typer.Typer(
        help=_HELP,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode="markdown",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for module in (run, simulate, plan, check, wires, failsafe, twin, ask, explain, diagnose, command, limit):
        module.register(app)
    return app


def main(arguments: Sequence[str]) -> int:
    """Run one command.

    Returns
    -------
    int
        Exit code: 0 done, 2 a mistake that one line explains, 3 something could not be verified, 70 a bug of ours.
    """
    try:
        code = build()(list(arguments), prog_name=PROGRAM, standalone_mode=False)
        sys.stdout.flush()
    except HouseFileError as error:
        for fault in error.faults:
            tell(f"{error.path}: {fault}")
        return USER_ERROR
    except PemsError as error:
        tell(str(error))
        return USER_ERROR
    except typer.Exit as stop:
        code = stop.exit_code
    except (typer.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    except BrokenPipeError:  # `ps | head`: nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except _UsageProblem as error:
        if _usage(error):  # empty: no command was named, and the help has been shown
            tell(_usage(error))
        return USER_ERROR
    except Exception as error:
        if os.environ.get(DEBUG_VARIABLE):
            traceback.print_exc()
        text = " ".join(str(error).split())[:300]
        tell(f"internal: {type(error).__name__}: {text}; this is a bug, set {DEBUG_VARIABLE}=1 to see where")
        return INTERNAL_ERROR
    if code == INTERRUPTED:
        tell("interrupted")
    return code if isinstance(code, int) else 0


def tell(text: str) -> None:
    """One line to the standard error stream."""
    print(f"error: {' '.join(text.split())}", file=sys.stderr)


def _usage(error: Exception) -> str:
    message = getattr(error, "format_message", lambda: str(error))().rstrip(".")
    context = getattr(error, "ctx", None)
    path = getattr(context, "command_path", "") or PROGRAM
    if re.fullmatch(r"-\d", str(getattr(error, "option_name", ""))):  # a number below 0 reads as an option
        arguments = [p.metavar for p in context.command.params if p.param_type_name == "argument"] if context else []
        message = "".join(f"{name} is 0 or more" for name in arguments if name in _NUMBERS) or message
    return f"{message}; see {path} --help" if message else ""
