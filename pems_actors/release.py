"""Give the house back: every point at its default, read back."""

from __future__ import annotations

from actors.devices.registry import DEVICES
from actors.messages import Release, Released
from actors.runtime import AskDead, AskTimeout, Lane, Runtime


def release_all(runtime: Runtime, *, timeout_s: float) -> dict[str, str]:
    """Have every device give its points back and verify it, all at once.

    Parameters
    ----------
    timeout_s : float
        For all of them together, in the runtime's clock [s].

    Returns
    -------
    dict
        What could not be verified, by point (or device, if it did not answer), with why; empty: all is back.
    """
    paths = [f"/devices/{device.id}" for device in DEVICES]
    for path in paths:
        runtime.tell(path, Release(), lane=Lane.URGENT)
    ends_s = runtime.clock.monotonic() + timeout_s
    pending: dict[str, str] = {}
    for path in paths:
        left_s = max(ends_s - runtime.clock.monotonic(), 0.0)
        answer = _ask(runtime, path, Release(), left_s) or _ask(runtime, path, Release(wait=False), 5.0)
        if answer is None:
            pending[path] = "the device actor does not answer"
        else:
            pending.update(dict(answer.unverified))
    return pending


def _ask(runtime: Runtime, path: str, release: Release, timeout_s: float) -> Released | None:
    try:
        answer = runtime.ask(path, release, timeout_s, lane=Lane.URGENT)
    except (AskTimeout, AskDead):
        return None
    return answer if isinstance(answer, Released) else None
