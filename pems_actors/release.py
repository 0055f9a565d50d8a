"""Give the house back: every point at its default, read back."""

from __future__ import annotations

from actors.devices.registry import DEVICES
from actors.messages import Release, Released
from actors.runtime import AskDead, AskTimeout, Lane, Runtime


def release_all(runtime: Runtime, *, timeout_s: float) -> dict[str, str]:
    """Ask every device with points to give them back and verify it.

    Returns
    -------
    dict
        What could not be verified, by point (or device, if it did not answer), with why; empty: all is back.
    """
    pending: dict[str, str] = {}
    for device in DEVICES:
        path = f"/devices/{device.id}"
        if path not in runtime.cells:
            continue
        try:
            answer = runtime.ask(path, Release(), timeout_s, lane=Lane.URGENT)
        except (AskTimeout, AskDead) as error:
            pending[path] = str(error)
            continue
        if isinstance(answer, Released):
            pending.update(dict(answer.unverified))
    return pending
