"""A worker for the tests: `python -m tests.actors.runtime.echo --fd N`."""

from __future__ import annotations

import os
import sys
import threading
from dataclasses import dataclass

from actors.runtime import JsonCodec, serve


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A registered type with numbers that JSON alone does not know."""

    name: str
    values: tuple[float, ...]


CODEC = JsonCodec(Job)


def _chatter(body: object) -> object:
    print("solvers print to 1")
    os.write(2, b"and to 2\n")
    return body


def _fail(body: object) -> object:
    raise ValueError(f"cannot do\n{body}")


def _hang(body: object) -> object:
    threading.Event().wait(60)
    return body


def _die(body: object) -> object:
    os._exit(int(str(body)))


def _nonsense(body: object) -> object:
    fd = int(sys.argv[sys.argv.index("--fd") + 1])
    os.write(fd, str(body).encode().ljust(64))
    return None


METHODS = {
    "echo": lambda body: body,
    "chatter": _chatter,
    "double": lambda job: Job(name=job.name, values=tuple(2 * v for v in job.values)),
    "env": lambda name: os.environ.get(str(name)),
    "nice": lambda _: os.nice(0),
    "pid": lambda _: os.getpid(),
    "fail": _fail,
    "hang": _hang,
    "die": _die,
    "nonsense": _nonsense,
    "unsendable": lambda _: object(),
}

if __name__ == "__main__":
    serve(int(sys.argv[sys.argv.index("--fd") + 1]), METHODS, CODEC)
