"""From a duty to a relay: pulses that deliver the planned heat under minimum on and off times.

A ten-minute minimum in a quarter-hour slot would leave only 0 or two thirds. So each room keeps account of the heat it
owes (planned minus delivered, in seconds of full power) and switches when the debt leaves a band one minimum time wide:
on for at least `band / (1 - duty)` and off for at least `band / duty`, and never more than about one start in four
bands. Rooms begin with different debts, so that their pulses do not fall together.
"""

from __future__ import annotations

import math

BAND_SHARE = 1.2  # of the longer minimum time: a tick too early never meets the minimum
DEBT_LIMIT_BANDS = 1.5  # what could not be delivered (fuse, override) is not chased for ever


class Pulses:
    """The relay of one room.

    Parameters
    ----------
    min_s : float
        The longer of minimum on and minimum off time [s].
    phase : float
        0..1: where in its band this room starts.
    starts_per_h : int
        Starts that the gate allows in an hour; one start takes four bands or more.
    """

    def __init__(self, min_s: float, phase: float, starts_per_h: int = 4) -> None:
        self._band_s = max(min_s, 3600.0 / (4 * starts_per_h)) * BAND_SHARE
        self.debt_s = (phase - 0.5) * self._band_s

    def delivered(self, duty: float, on: bool, dt_s: float) -> None:
        """`dt_s` seconds went by with this planned duty and this relay."""
        debt_s = self.debt_s + (duty - (1.0 if on else 0.0)) * dt_s
        limit_s = DEBT_LIMIT_BANDS * self._band_s
        self.debt_s = min(max(debt_s, -limit_s), limit_s)

    def wanted(self, duty: float, on: bool) -> bool:
        """Shall the relay be on now?"""
        if math.isnan(duty):
            return on
        half_s = self._band_s / 2
        if duty <= 0.0 and self.debt_s < half_s:
            return False
        if duty >= 1.0 and self.debt_s > -half_s:
            return True
        if on:
            return self.debt_s > -half_s
        return self.debt_s >= half_s
