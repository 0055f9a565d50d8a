"""`python -m pems_actors`: the command line."""

from __future__ import annotations

import sys


def main() -> None:
    """Run one command and exit with its code."""
    if sys.argv[1:2] == ["worker"]:  # a worker needs no command line library: it starts faster and stays smaller
        from pems_actors.commands.worker import main as worker

        sys.exit(worker(sys.argv[2:]))
    from pems_actors.cli import main as cli

    sys.exit(cli(sys.argv[1:]))


if __name__ == "__main__":
    main()
