"""What the actor layer raises."""

from __future__ import annotations

from models.errors import PemsError


class ActorError(PemsError):
    """Something is wrong with the use of the actor layer."""


class SpecError(ActorError):
    """The tree of supervisors and children cannot be built as described."""


class UnknownPathError(ActorError):
    """No actor lives at that path."""


class AskTimeout(ActorError):
    """Nobody answered in time."""


class AskDead(ActorError):
    """The actor asked cannot answer: unknown, stopped, parked, full, or failed with the question in hand."""


class CodecError(ActorError):
    """A value cannot be sent to, or what arrived from, a worker process is not what it claims to be."""


class WorkerError(ActorError):
    """A worker process could not be started or does not keep the protocol."""


class Unhandled(Exception):
    """The behaviour does not know this message: a counted dead letter, not a failure."""


class BehaviourFailed(Exception):
    """A behaviour said of itself that it cannot go on (`ctx.fail`)."""


class Hang(BaseException):
    """Raised by a handler to simulate one that never returns, on either runtime.

    The actor stays busy with the message in hand, as with an endless loop, until its supervisor finds it overdue and
    abandons it. Can be injected: `runtime.inject(path, Hang())`.
    """
