"""How long things may take: the [timing] table, at real time, in a fast replay and in simulation.

A *period* is how often something is done, an *allowance* how long its absence is borne. Faster than real time both grow
with the speed, so that no allowance falls under a stated real time (a busy computer must not trip the house), and every
allowance keeps room for several of the periods that feed it.
"""

from __future__ import annotations

from pydantic import Field

from models.types.house import Settings

# allowance -> (the period that renews it, how many of them it must outlast)
OUTLASTS: dict[str, tuple[str, float]] = {
    "permit_s": ("permit_renew_s", 2.0),
    "lease_s": ("relay_refresh_s", 3.0),
    "telemetry_max_age_s": ("telemetry_s", 3.0),
    "rooms_max_age_s": ("telemetry_s", 3.0),
    "heartbeat_timeout_s": ("heartbeat_s", 3.0),
    "settle_s": ("telemetry_s", 2.0),
    "effect_s": ("telemetry_s", 2.0),
    "meter_settle_s": ("telemetry_s", 2.0),
}
PERIODS = ("permit_renew_s", "gate_tick_s", "device_tick_s", "relay_refresh_s", "telemetry_s", "heartbeat_s")
ALLOWANCES = (*OUTLASTS, "answer_s", "command_ttl_s")
RENEWALS_PER_PERMIT = 4.0


class Timing(Settings):
    """Durations in seconds of house time."""

    permit_s: float = Field(2.0, gt=0, le=7200, description="leave to act ends this long after its last renewal")
    permit_renew_s: float = Field(0.5, gt=0, le=3600, description="how often the safety actor renews it")
    gate_tick_s: float = Field(0.5, gt=0, le=3600, description="how often the gate looks at every point")
    device_tick_s: float = Field(0.5, gt=0, le=3600, description="how often a device actor looks at its orders")
    lease_s: float = Field(10.0, gt=0, le=7200, description="without refresh a relay is at its default after")
    relay_refresh_s: float = Field(3.0, gt=0, le=3600, description="how often the gate refreshes what is leased")
    telemetry_s: float = Field(5.0, gt=0, le=3600, description="how often devices report")
    telemetry_max_age_s: float = Field(60.0, gt=0, le=7200, description="older inverter and meter readings are stale")
    rooms_max_age_s: float = Field(600.0, gt=0, le=14400, description="older room readings are stale")
    heartbeat_s: float = Field(15.0, gt=0, le=3600, description="how often we tell Loxone that we live")
    heartbeat_timeout_s: float = Field(60.0, gt=0, le=7200, description="Loxone returns to its own thermostat after")
    settle_s: float = Field(30.0, gt=0, le=7200, description="until a written value must have come back")
    answer_s: float = Field(12.0, gt=0, le=7200, description="until the inverter must have answered a command")
    command_ttl_s: float = Field(30.0, gt=0, le=7200, description="an unsent command is dropped after")
    effect_s: float = Field(120.0, gt=0, le=7200, description="until the power flow must show a new mode")
    meter_settle_s: float = Field(15.0, gt=0, le=7200, description="until a switched relay shows in the meter")
    replan_s: float = Field(900.0, ge=60, le=86400, description="how often a new plan is made, apart from events")
    min_real_s: float = Field(1.0, ge=0.1, le=60, description="in a replay no allowance falls under this real time")
    real_step_s: float = Field(0.1, ge=0.01, le=10, description="in a replay nothing is done more often, in real time")

    def at_speed(self, speed: float, real_step_s: float | None = None) -> Timing:
        """These durations for a house whose time runs `speed` times faster than ours.

        Parameters
        ----------
        speed : float
            House seconds per real second, > 0. At 1 and below nothing changes.
        real_step_s : float, optional
            Shortest period in real seconds; default: the table's own.

        Returns
        -------
        Timing
            Still in house seconds: at speed 60 a permit of 2 s is 60 s long, which is one second on the wall.
        """
        if speed <= 1.0:
            return self
        step_s = (self.real_step_s if real_step_s is None else real_step_s) * speed
        return self._at_least(step_s, self.min_real_s * speed)

    def for_simulation(self, tick_s: float = 60.0) -> Timing:
        """These durations where nothing happens more often than every `tick_s` of virtual time.

        A permit outlasts two missed renewals there, a lease three refreshes; readings are as old as the tick.
        """
        return self._at_least(tick_s, 2.5 * tick_s)

    def _at_least(self, step_s: float, allowance_s: float) -> Timing:
        own: dict[str, float] = {name: getattr(self, name) for name in (*PERIODS, *ALLOWANCES)}
        new = {name: max(own[name], step_s) for name in PERIODS}
        for name in ALLOWANCES:
            period, times = OUTLASTS.get(name, ("gate_tick_s", 1.0))
            new[name] = max(own[name], allowance_s, times * new[period] * 1.1)
        # Renewals may be as rare as the longer permit allows: fewer messages for the same promise.
        new["permit_renew_s"] = max(new["permit_renew_s"], min(new["permit_s"] / RENEWALS_PER_PERMIT, allowance_s))
        new["relay_refresh_s"] = max(new["relay_refresh_s"], new["lease_s"] * own["relay_refresh_s"] / own["lease_s"])
        return self.model_copy(update={name: round(seconds, 6) for name, seconds in new.items()})
