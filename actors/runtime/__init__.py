"""Supervised actors on threads or on a stepper; knows pykka and nothing of energy."""

from __future__ import annotations

from actors.runtime.behaviour import Behaviour
from actors.runtime.clock import Clock, ManualClock, ScaledClock, SystemClock, real_floor
from actors.runtime.codec import Codec, JsonCodec
from actors.runtime.context import Context
from actors.runtime.envelope import (
    Abandoned,
    Answer,
    Busy,
    Dead,
    DeadLetter,
    Envelope,
    Epoch,
    Failed,
    GaveUp,
    Lane,
    ReplyToken,
    Restarted,
    Started,
    Stopped,
    Terminated,
    TimedOut,
)
from actors.runtime.errors import (
    ActorError,
    AskDead,
    AskTimeout,
    BehaviourFailed,
    CodecError,
    Hang,
    SpecError,
    Unhandled,
    UnknownPathError,
    WorkerError,
)
from actors.runtime.ports import (
    FunctionWorker,
    Port,
    Worker,
    WorkerCall,
    WorkerDone,
    WorkerEnded,
    WorkerFailed,
    WorkerHost,
    WorkerStarted,
)
from actors.runtime.process import ProcessWorker
from actors.runtime.runtime import Runtime
from actors.runtime.spec import ChildSpec, SupervisorSpec
from actors.runtime.stats import CellStats, Ledger
from actors.runtime.stepper import StepRuntime
from actors.runtime.threads import PykkaRuntime
from actors.runtime.worker import serve

__all__ = [
    "Abandoned",
    "ActorError",
    "Answer",
    "AskDead",
    "AskTimeout",
    "Behaviour",
    "BehaviourFailed",
    "Busy",
    "CellStats",
    "ChildSpec",
    "Clock",
    "Codec",
    "CodecError",
    "Context",
    "Dead",
    "DeadLetter",
    "Envelope",
    "Epoch",
    "Failed",
    "FunctionWorker",
    "GaveUp",
    "Hang",
    "JsonCodec",
    "Lane",
    "Ledger",
    "ManualClock",
    "Port",
    "ProcessWorker",
    "PykkaRuntime",
    "ReplyToken",
    "Restarted",
    "Runtime",
    "ScaledClock",
    "SpecError",
    "Started",
    "StepRuntime",
    "Stopped",
    "SupervisorSpec",
    "SystemClock",
    "Terminated",
    "TimedOut",
    "Unhandled",
    "UnknownPathError",
    "Worker",
    "WorkerCall",
    "WorkerDone",
    "WorkerEnded",
    "WorkerError",
    "WorkerFailed",
    "WorkerHost",
    "WorkerStarted",
    "real_floor",
    "serve",
]
