"""The tree as it is described: who supervises whom, and what to do when one fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from actors.runtime.behaviour import Behaviour
from actors.runtime.errors import SpecError

Strategy: TypeAlias = Literal["one_for_one", "one_for_all", "rest_for_one"]
Restart: TypeAlias = Literal["permanent", "transient", "temporary"]
OnGiveUp: TypeAlias = Literal["escalate", "park"]


@dataclass(frozen=True, kw_only=True)
class ChildSpec:
    """One actor.

    Parameters
    ----------
    id : str
        Last part of its path.
    make : callable
        Builds the behaviour, on the actor's own thread, at each start. An exception is a failed start.
    restart : str
        "permanent": always; "transient": after a failure only; "temporary": never.
    shutdown_s, handle_timeout_s, start_timeout_s : float
        How long stopping, one message and starting may take before the thread is abandoned [s]; None: for ever.
    on_give_up : str
        After too many restarts: "escalate" to the supervisor, or "park": stay down and be tried every 15 min. A parking
        child has a count of restarts of its own, the escalating ones share that of their supervisor.
    mailbox_bound : int
        Messages the user lane holds before it refuses.
    intensity : int, optional
        Restarts allowed within the supervisor's period, if not as many as the supervisor says.
    """

    id: str
    make: Callable[[], Behaviour]
    restart: Restart = "permanent"
    shutdown_s: float = 5.0
    handle_timeout_s: float | None = None
    start_timeout_s: float = 10.0
    on_give_up: OnGiveUp = "escalate"
    mailbox_bound: int = 10_000
    intensity: int | None = None


@dataclass(frozen=True, kw_only=True)
class SupervisorSpec:
    """A supervisor and its children, started left to right and stopped right to left.

    Parameters
    ----------
    strategy : str
        Who is restarted when one fails: "one_for_one" that one, "one_for_all" everyone, "rest_for_one" that one and
        those after it.
    intensity, period_s : int, float
        More than `intensity` restarts within `period_s` mean giving up.
    on_give_up : str
        "escalate": fail towards the own supervisor, which at the root ends the process; "park": stay down, all
        children with it, and try again every `park_retry_s`.
    backoff_first_s, backoff_max_s, jitter : float
        The first restart comes at once, the second after `backoff_first_s`, then doubling up to `backoff_max_s`, each
        stretched or shortened by up to the share `jitter`.
    healthy_s : float
        A life this long makes the next failure a first one again.
    """

    id: str
    children: tuple[ChildSpec | SupervisorSpec, ...]
    strategy: Strategy = "one_for_one"
    intensity: int = 5
    period_s: float = 300.0
    on_give_up: OnGiveUp = "escalate"
    backoff_first_s: float = 0.5
    backoff_max_s: float = 60.0
    jitter: float = 0.2
    healthy_s: float = 600.0
    park_retry_s: float = 900.0
    restart: Restart = "permanent"


def check_spec(root: SupervisorSpec) -> None:
    """Refuse a tree that cannot be built.

    Raises
    ------
    SpecError
        Names the place, the value and the limit.
    """
    _check(root, "/")


def child_path(parent: str, child_id: str) -> str:
    """Path of a child: `/` and `core` give `/core`."""
    return f"{parent.rstrip('/')}/{child_id}"


def _check(spec: SupervisorSpec, path: str) -> None:
    if spec.strategy not in ("one_for_one", "one_for_all", "rest_for_one"):
        raise SpecError(f"{path}: strategy {spec.strategy!r} is unknown", hint="one_for_one, one_for_all, rest_for_one")
    _positive(path, "period_s", spec.period_s)
    _choice(path, spec.on_give_up, spec.restart)
    if spec.intensity < 0:
        raise SpecError(f"{path}: intensity is {spec.intensity}, must be 0 or more")
    seen: set[str] = set()
    for child in spec.children:
        here = child_path(path, child.id)
        if not child.id or "/" in child.id:
            raise SpecError(f"{path}: child id {child.id!r} is empty or holds a slash", hint="use letters, digits, _")
        if child.id in seen:
            raise SpecError(f"{here} is there twice", hint="ids of one supervisor must differ")
        seen.add(child.id)
        if isinstance(child, SupervisorSpec):
            _check(child, here)
        else:
            _check_child(child, here)


def _check_child(child: ChildSpec, path: str) -> None:
    _choice(path, child.on_give_up, child.restart)
    _positive(path, "shutdown_s", child.shutdown_s)
    _positive(path, "start_timeout_s", child.start_timeout_s)
    _positive(path, "mailbox_bound", child.mailbox_bound)
    if child.handle_timeout_s is not None:
        _positive(path, "handle_timeout_s", child.handle_timeout_s)
    if child.intensity is not None and child.intensity < 0:
        raise SpecError(f"{path}: intensity is {child.intensity}, must be 0 or more")


def _choice(path: str, on_give_up: str, restart: str) -> None:
    if on_give_up not in ("escalate", "park"):
        raise SpecError(f"{path}: on_give_up {on_give_up!r} is unknown", hint='"escalate" or "park"')
    if restart not in ("permanent", "transient", "temporary"):
        raise SpecError(f"{path}: restart {restart!r} is unknown", hint='"permanent", "transient" or "temporary"')


def _positive(path: str, field: str, value: float) -> None:
    if not value > 0:
        raise SpecError(f"{path}: {field} is {value}, must be above 0")
