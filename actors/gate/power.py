"""Power at the connection: how much may still be added to each phase, and what is missing for a wish.

Index 0 of every mapping is the whole connection, 1..3 are its phases; with a single phase there is only the whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from models.types.house import House
from models.types.mode import Composite, InverterMode
from models.types.point import RelayRule
from models.types.reading import InverterReading

HEADROOM_MARGIN_KW = 0.3
PAUSED_SHARE = 0.1  # a commanded charge that takes less than this has not begun, or pauses while its slot is renewed
AT_STOP_SOC = 0.015


def phase_shares(kw: float, phase: int) -> dict[int, float]:
    """How a load spreads over the phases [kW]; phase 0 means all three alike."""
    return dict.fromkeys((1, 2, 3), kw / 3) if phase == 0 else {phase: kw}


def rule_shares(rule: RelayRule) -> dict[int, float]:
    """What a relay adds to the connection and to each phase [kW]."""
    return {0: rule.heater_kw} | phase_shares(rule.heater_kw, rule.phase)


def headroom_kw(
    *,
    limit_kw: float,
    phases: int,
    grid_kw: float,
    running: Iterable[RelayRule],
    unseen_kw: float,
    operator_kw: float | None = None,
) -> Mapping[int, float]:
    """Power that may still be added [kW].

    Parameters
    ----------
    limit_kw : float
        What the fuses of the whole connection carry; one of three phases has a third of it.
    phases : int
        1 or 3.
    grid_kw : float
        Import as the meter shows it.
    running : iterable of RelayRule
        Relays that are on. All else (base load, PV, battery) is taken to spread evenly over the phases.
    unseen_kw : float
        Power that is ordered already and that the meter does not show yet.
    operator_kw : float, optional
        What the grid operator allows now: at the meter, so on whichever phases. None: it limits nothing.
    """
    total = grid_kw + unseen_kw
    allowed_kw = limit_kw if operator_kw is None else min(limit_kw, operator_kw)
    whole = {0: allowed_kw - total - HEADROOM_MARGIN_KW}
    if phases == 1:
        return whole
    on = {1: 0.0, 2: 0.0, 3: 0.0}
    for rule in running:
        for phase, kw in phase_shares(rule.heater_kw, rule.phase).items():
            on[phase] += kw
    rest = (total - sum(on.values())) / 3
    return whole | {p: limit_kw / 3 - (rest + on[p]) - HEADROOM_MARGIN_KW / 3 for p in (1, 2, 3)}


def coming_charge_kw(house: House, mode: object, reading: InverterReading | None) -> float:
    """Grid power of a commanded charge that does not flow yet [kW].

    Renewing a slot pauses the charge for up to a minute. Relays that took this gap for free power would be shed as
    soon as the charge goes on.
    """
    battery = house.battery
    if battery is None or reading is None or not isinstance(mode, InverterMode):
        return 0.0
    if mode.composite is not Composite.CHARGE_FROM_GRID or reading.soc is None:
        return 0.0
    stop = battery.soc_max if mode.stop_soc is None else mode.stop_soc
    if reading.soc >= stop - AT_STOP_SOC:
        return 0.0
    ordered_kw = battery.charge_kw * (1.0 if mode.rate is None else mode.rate)
    flows_kw = max(reading.battery_kw or 0.0, 0.0)
    return ordered_kw / house.inverter.eff_charge_ac if flows_kw < PAUSED_SHARE * ordered_kw else 0.0


def missing_kw(rule: RelayRule, headroom: Mapping[int, float]) -> dict[int, float]:
    """What must be freed before this relay fits [kW], where anything is."""
    shares = rule_shares(rule)
    missing = {phase: shares.get(phase, 0.0) - left_kw for phase, left_kw in headroom.items() if phase in shares}
    return {phase: kw for phase, kw in missing.items() if kw > 0.0}
