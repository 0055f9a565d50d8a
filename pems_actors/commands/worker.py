"""`worker NAME --fd N`: one worker process, started by the core and never by hand."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from models.errors import PemsError


def main(arguments: Sequence[str]) -> int:
    """Serve until the core is gone.

    Returns
    -------
    int
        0, or 2 with one line on the standard error stream.
    """
    parser = argparse.ArgumentParser(prog="worker", description="A worker process of a house. It is started by `run`.")
    parser.add_argument("name")
    parser.add_argument("--fd", type=int, required=True, help="inherited socket to the core")
    parser.add_argument("--config", type=Path, default=None)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--speed", type=float, default=1.0, help="of the twin: house seconds per real second")
    parser.add_argument("--state", type=Path, default=None, help="of the inputs: folder of the house")
    parser.add_argument("--limit-s", type=float, default=None, help="of the optimizer: seconds for one plan's solvers")
    given = parser.parse_args(arguments)
    from pems_actors.workers import serve_worker

    try:
        serve_worker(
            given.name, given.fd, config=given.config, seed=given.seed, speed=given.speed, state=given.state,
            limit_s=given.limit_s,
        )  # fmt: skip
    except PemsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: worker {given.name}: --fd {given.fd}: {error.strerror}; it is started by run", file=sys.stderr)
        return 2
    return 0
