"""`failsafe`: hand the house back when nothing else runs. Every point to its default, read back, named if not."""

from __future__ import annotations

import contextlib
from pathlib import Path

from actors.devices.inverter_job import WearLog
from actors.memory import MemoryTrips, MemoryWear
from actors.runtime import PykkaRuntime, SupervisorSpec, SystemClock
from actors.store.boot import next_boot
from actors.store.wear import FileWear
from config.schema import HouseFile
from models.types.mqtt import Mqtt
from pems_actors import outside
from pems_actors.lock import StateLock
from pems_actors.release import release_all
from pems_actors.wiring import Parts, house_tree


def hand_back(config: HouseFile, mqtt: Mqtt, state: Path | None, *, timeout_s: float) -> dict[str, str]:
    """Write the safe profile and verify it.

    The devices' own actors do it, with their pacing, read-backs and three tries, on the real wire. There is no gate
    and no permit: a device that nobody permits wants its default.

    Parameters
    ----------
    state : Path or None
        Folder of the house that ran: it must not run any more, and the writes are counted there. None: not counted.
    timeout_s : float
        For everything together [s].

    Returns
    -------
    dict
        What could not be verified, by point, with why; empty: the house is back.

    Raises
    ------
    ConfigError
        A house runs in `state`.
    """
    with contextlib.ExitStack() as stack:
        wear: WearLog = MemoryWear()
        clock, boot = SystemClock(), 1
        if state is not None:
            stack.enter_context(StateLock(state))
            life = next_boot(state)
            boot, wear = life.number, FileWear(state, life, clock.now())
        runtime = PykkaRuntime(_tree(config, mqtt, wear), clock=clock, boot=boot)
        runtime.start()
        try:
            return release_all(runtime, timeout_s=timeout_s)
        finally:
            runtime.stop(5.0)


def _tree(config: HouseFile, mqtt: Mqtt, wear: WearLog) -> SupervisorSpec:
    """Wires and devices of the house, and nothing that could want something else."""

    def nothing() -> object:
        raise AssertionError("nothing plans here")

    parts = Parts(
        io=lambda: outside.mqtt_wires(config, mqtt),
        optimizer=nothing,  # type: ignore[arg-type]
        forecaster=None,
        load=nothing,  # type: ignore[arg-type]
        trips=MemoryTrips(),
        wear=wear,
    )
    whole = house_tree(config, parts)
    kept = {child.id: child for child in whole.children if child.id in ("io", "devices")}
    return SupervisorSpec(id=whole.id, children=(kept["io"], kept["devices"]), on_give_up="park")
