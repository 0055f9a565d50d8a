"""What a heater waits for, function by function; and a thermostat whose setpoint would start it."""

from __future__ import annotations

import pytest

from actors.devices.registry import all_points
from actors.gate.decision import Decision
from actors.gate.hindrance import Hindrance, RelayHistory, Until, must_wait, relay_hindrance
from actors.gate.power import phase_shares
from models.types.command import Level, Value
from tests.properties.house import EXPORT, RELAYS, SETPOINTS, house_file

POINTS = {p.name: p for p in all_points(house_file().house)}
RELAY, LIMIT, SETPOINT = POINTS[RELAYS[0]], POINTS[EXPORT], POINTS[SETPOINTS[0]]
RULE = RELAY.relay
assert RULE is not None
ROOMY = {0: 10.0, 1: 5.0, 2: 5.0, 3: 5.0}


@pytest.mark.parametrize(
    ("wanted", "history", "headroom", "reason", "until"),
    [
        ("auto", RelayHistory(), None, "", None),
        ("on", RelayHistory(on=True, switched_s=999.0), None, "", None),
        ("on", RelayHistory(), ROOMY, "the relay's state is not known yet", Until.KNOWN),
        ("off", RelayHistory(on=True, switched_s=500.0), None, "minimum on time: 100 s left", Until.TIME),
        ("off", RelayHistory(on=True, switched_s=400.0), None, "", None),
        ("on", RelayHistory(on=False, switched_s=500.0), ROOMY, "minimum off time: 100 s left", Until.TIME),
        ("on", RelayHistory(on=False), ROOMY, "", None),
        ("on", RelayHistory(on=False, starts_s=(-2700.0, 0.0, 1.0, 2.0, 3.0)), ROOMY,
         "4 starts in the last hour, limit 4", Until.STARTS),
        ("on", RelayHistory(on=False, starts_s=(-2601.0, 1.0, 2.0, 3.0)), ROOMY, "", None),
        ("on", RelayHistory(on=False), None, "grid power is not known", Until.KNOWN),
        ("on", RelayHistory(on=False), {**ROOMY, 0: 1.0}, "1.2 kW more than the 1.0 kW left on the connection",
         Until.CONNECTION),
        ("on", RelayHistory(on=False), {**ROOMY, 1: -2.0}, "1.2 kW more than the 0.0 kW left on phase 1", Until.PHASE),
        ("on", RelayHistory(on=False), {**ROOMY, 2: 0.0}, "", None),
    ],
)  # fmt: skip
def test_what_a_relay_waits_for(
    wanted: str, history: RelayHistory, headroom: dict[int, float] | None, reason: str, until: Until | None
) -> None:
    hindrance = relay_hindrance(RULE, wanted, history, at_s=1000.0, headroom_kw=headroom)
    assert hindrance == (None if until is None else Hindrance(reason, until))


@pytest.mark.parametrize(
    ("value", "level", "waits"),
    [("on", Level.PLAN, True), ("off", Level.USER, True), ("on", Level.GRID_OPERATOR, True),
     ("off", Level.GRID_OPERATOR, False), ("off", Level.SAFETY_TRIP, False), ("on", Level.EMERGENCY_STOP, False),
     (5.0, Level.PLAN, False)],
)  # fmt: skip
def test_protection_does_not_wait_for_a_contact(value: Value, level: Level, waits: bool) -> None:
    assert must_wait(RELAY, Decision(value=value, level=level, reason="")) is waits
    assert must_wait(LIMIT, Decision(value=value, level=level, reason="")) is False


def test_a_setpoint_waits_as_its_heater_does_and_its_absence_for_nothing() -> None:
    assert must_wait(SETPOINT, Decision(value=21.0, level=Level.USER, reason=""))
    assert not must_wait(SETPOINT, Decision(value=None, level=Level.DEFAULT, reason=""))
    assert not must_wait(SETPOINT, Decision(value=21.0, level=Level.SAFETY_TRIP, reason=""))


def test_a_relays_history_remembers_switches_and_the_starts_of_an_hour() -> None:
    history = RelayHistory().seen(True, 0.0).seen(True, 5.0)
    assert history == RelayHistory(on=True, switched_s=0.0, starts_s=(0.0,))
    history = history.seen(False, 100.0).seen(True, 200.0)
    assert history.starts_s == (0.0, 200.0)
    assert history.seen(False, 300.0).seen(True, 3700.0).starts_s == (200.0, 3700.0)


def test_a_load_on_all_phases_is_shared_evenly() -> None:
    assert phase_shares(3.0, 0) == {1: 1.0, 2: 1.0, 3: 1.0} and phase_shares(3.0, 2) == {2: 3.0}
