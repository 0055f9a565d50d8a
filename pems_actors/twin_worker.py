"""The twin of the house as a worker: the house that PEMS drives, and the same house under plain rules beside it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from pathlib import Path

from config.load import load
from models.errors import ConfigError
from models.twins.house import HouseTwin
from models.types.twin_wire import TwinExchange, TwinOutput, WireMessage
from pems_actors.simulation.world import Recorded

STEP_S = 15.0  # of the integration


class TwinHouse:
    """Lives from the first exchange on.

    Parameters
    ----------
    config : Path
        The house file.
    seed : int
    speed : float
        House seconds per real second: what the house bears in real time stays the same.
    """

    def __init__(self, config: Path, seed: int, speed: float) -> None:
        file = load(config).at_speed(speed)
        self._config, self._seed = file, seed
        self._world = Recorded.of(file, seed).world()
        self._twin: HouseTwin | None = None
        self._rules: HouseTwin | None = None

    def exchange(self, body: object) -> TwinOutput:
        """Commands in, messages out, and both meters."""
        assert isinstance(body, TwinExchange)
        if self._twin is None or self._rules is None:
            timing = self._config.timing
            self._twin = HouseTwin(
                self._config.house,
                self._world,
                start=body.until,
                seed=self._seed,
                step_s=STEP_S,
                telemetry_s=timing.telemetry_s,
                status_s=max(timing.telemetry_s, 30.0),
                heartbeat_timeout_s=timing.heartbeat_timeout_s,
            )
            self._rules = copy.deepcopy(self._twin)
        twin, rules = self._twin, self._rules
        messages = twin.advance(body.until)
        for command in body.commands:
            twin.publish(command.topic, command.payload.encode(), body.until)
        if body.commands:
            messages = [*messages, *twin.advance(body.until)]
        rules.advance(body.until)
        own, other = twin.truth().meters, rules.truth().meters
        return TwinOutput(
            until=body.until,
            messages=tuple(WireMessage(topic=m.topic, payload=m.payload.decode()) for m in messages),
            import_kwh=own.import_kwh,
            export_kwh=own.export_kwh,
            rules_import_kwh=other.import_kwh,
            rules_export_kwh=other.export_kwh,
        )

    def inject(self, body: object) -> bool:
        """Switch a fault of the house: {"fault": NAME, "value": ...}."""
        assert isinstance(body, dict)
        if self._twin is None:
            raise ConfigError("the twin has not begun to live", hint="ask again in a moment")
        self._twin.inject(str(body["fault"]), body["value"])
        return True


def methods(config: Path, seed: int, speed: float) -> Mapping[str, Callable[[object], object]]:
    """What the core may call."""
    house = TwinHouse(config, seed, speed)
    return {"exchange": house.exchange, "inject": house.inject}
