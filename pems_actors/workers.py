"""The worker processes: which methods each has, and what may travel between it and the core."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from actors.runtime import JsonCodec, ProcessWorker, serve
from models.errors import ConfigError

Methods = Mapping[str, Callable[[object], object]]
NAMES = ("optimizer", "forecaster", "store", "twin", "inputs")


def codec(name: str) -> JsonCodec:
    """What crosses the boundary between the core and this worker; a worker loads no types but its own."""
    return JsonCodec(*_types(name))


def _types(name: str) -> tuple[type, ...]:
    match name:
        case "optimizer":
            from solvers.diagnose.diagnosis import ToldDiagnosis
            from solvers.explain.cards import DecisionCard
            from solvers.explain.marginal_table import MarginalTable
            from solvers.explain.questions import CardQuestion, DiagnosisQuestion, MarginalQuestion
            from solvers.problem import PlanProblem
            from solvers.result import SignedPlan

            questions = (CardQuestion, MarginalQuestion, DiagnosisQuestion)
            return (PlanProblem, SignedPlan, *questions, DecisionCard, MarginalTable, ToldDiagnosis)
        case "forecaster":
            from models.types.forecast import HouseForecast
            from models.types.forecast_request import ForecastRequest

            return ForecastRequest, HouseForecast
        case "store":
            from actors.store.rows import Row, Rows

            return Row, Rows
        case "twin":
            from models.types.twin_wire import TwinExchange, TwinOutput

            return TwinExchange, TwinOutput
        case "inputs":
            from actors.feeds.services.types import TYPES

            return TYPES
        case _:
            raise ConfigError(f"worker {name!r} is not known", hint=f"one of {', '.join(NAMES)}")


def process(name: str, *, args: tuple[str, ...] = (), nice: int = 0, log: Path | None = None) -> ProcessWorker:
    """A worker process, not started yet; `worker NAME` stands on its command line."""
    command = (sys.executable, "-m", "pems_actors", "worker", name, *args)
    return ProcessWorker(command, codec(name), nice=nice, log_path=log)


def serve_worker(
    name: str,
    fd: int,
    *,
    config: Path | None = None,
    seed: int = 1,
    speed: float = 1.0,
    state: Path | None = None,
    limit_s: float | None = None,
) -> None:
    """Run one worker until the core is gone.

    Parameters
    ----------
    config : Path, optional
        Of the twin and of the inputs.
    seed, speed
        Of the twin.
    state : Path, optional
        Of the inputs: where they remember what services said.
    limit_s : float, optional
        Of the optimizer: when its solvers stop by themselves, before the worker is killed and its models with it.
    """
    serve(fd, _methods(name, config, seed, speed, state, limit_s), codec(name))


def _methods(
    name: str, config: Path | None, seed: int, speed: float, state: Path | None, limit_s: float | None = None
) -> Methods:
    match name:
        case "optimizer":
            from solvers.worker import methods as optimizer

            return optimizer() if limit_s is None else optimizer(time_limit_s=limit_s)
        case "forecaster":
            from actors.forecasting.worker import methods as forecaster

            return forecaster()
        case "store":
            from actors.store.worker import methods as store

            return store()
        case "twin":
            from pems_actors.twin_worker import methods as twin

            if config is None:
                raise ConfigError("worker twin needs --config", hint="it is started by run")
            return twin(config, seed, speed)
        case "inputs":
            from pems_actors.inputs_worker import methods as inputs

            if config is None or state is None:
                raise ConfigError("worker inputs needs --config and --state", hint="it is started by run")
            return inputs(config, state)
        case _:
            raise ConfigError(f"worker {name!r} is not known", hint=f"one of {', '.join(NAMES)}")
