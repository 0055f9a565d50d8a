"""What the tests of commands share."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pems_actors.cli import main

Said = Callable[..., tuple[int, str, str]]  # exit code, standard output, standard error


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    """Runs a command line in this process."""

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(arguments)
        out, err = capsys.readouterr()
        return code, out, err

    return run
