"""What the gateway stick publishes on `energy/solar`: the device's names, units and resolutions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

from models.physics.hybrid import Priority
from models.twins.inverter import InverterTwin
from models.twins.registers import SLOTS, Holding, slot_address

STATUS_NORMAL, STATUS_FAULT = 1, 3
OFFLINE = b'{"InverterStatus":-1}'  # the stick's last will, on the same topic
OPEN_V, LOADED_V = 560.0, 480.0  # string voltage falls from the first to the second as the string is loaded


def telemetry(
    twin: InverterTwin, pv_kw: Sequence[float], peak_kw: Sequence[float], *, at: datetime, battery_c: float
) -> dict[str, float | int]:
    """One telemetry message.

    Parameters
    ----------
    twin : InverterTwin
        After it ran up to `at`.
    pv_kw, peak_kw : sequence of float, one per array
        DC power available, and rated [kW]. The device has two inputs: all but the first array are on the second.
    at : datetime
        Aware; shown as the inverter's own clock.
    battery_c : float
        Cell temperature [degC].
    """
    f, r, meters = twin.flows, twin.registers, twin.meters
    available = sum(pv_kw)
    share = f.pv_used_kw / available if available > 0.0 else 0.0
    first = pv_kw[0] * share if pv_kw else 0.0
    values: dict[str, float | int] = {
        "InverterStatus": STATUS_FAULT if twin.fault else STATUS_NORMAL,
        "InputPower": _watts(f.pv_used_kw),
        "PV1InputPower": _watts(first),
        "PV2InputPower": _watts(f.pv_used_kw - first),
        "PV1Voltage": _volts(first, pv_kw[:1], peak_kw[:1]),
        "PV2Voltage": _volts(f.pv_used_kw - first, pv_kw[1:], peak_kw[1:]),
        "ACPowerToUser": _watts(max(0.0, f.grid_kw)),
        "ACPowerToGrid": _watts(max(0.0, -f.grid_kw)),
        "INVPowerToLocalLoad": _watts(twin.load_kw),
        "OutputPower": _watts(twin.load_kw - f.loss_kw - f.grid_kw),  # below 0 while it buys for the battery
        "EnergyToUserToday": _kwh(meters.import_kwh),
        "EnergyToGridToday": _kwh(meters.export_kwh),
        "LocalLoadEnergyToday": _kwh(meters.load_kwh),
        "TodayGenerateEnergy": _kwh(meters.pv_kwh),
        "CurrentMode": int(twin.running),
        "LoadFirstStopSOC": r[Holding.LOAD_FIRST_STOP_SOC],
        "ExportLimitFlag": r[Holding.EXPORT_LIMIT_FLAG],
        "ExportLimitValue": r[Holding.EXPORT_LIMIT_VALUE] / 10.0,
        "BattFirstSOC": r[Holding.BATTERY_FIRST_STOP_SOC],
        "BattFirstPwrRate": r[Holding.BATTERY_FIRST_RATE],
        "BattFirstACChrg": r[Holding.BATTERY_FIRST_AC_CHARGE],
        "GridFirstSOC": r[Holding.GRID_FIRST_STOP_SOC],
        "GridFirstPwrRate": r[Holding.GRID_FIRST_RATE],
        **clock_fields(twin.clock(at)),
    }
    if twin.battery is not None:  # without one the device leaves these out: there is no SOC of nothing
        values |= {
            "SOC": math.floor(twin.soc * 100.0 + 1e-6),
            "ChargePower": _watts(max(0.0, f.battery_kw)),
            "DischargePower": _watts(max(0.0, -f.battery_kw)),
            "BatteryTemperature": round(battery_c, 1),
            "ChargeEnergyToday": _kwh(meters.charge_kwh),
            "DischargeEnergyToday": _kwh(meters.discharge_kwh),
        }
    for name, priority in (("Batt", Priority.BATTERY_FIRST), ("Grid", Priority.GRID_FIRST)):
        for number in range(1, SLOTS + 1):
            address = slot_address(priority, number)
            values[f"{name}Slot{number}Start"] = r[address]
            values[f"{name}Slot{number}Stop"] = r[address + 1]
            values[f"{name}Slot{number}En"] = r[address + 2]
    return values


def clock_fields(clock: datetime) -> dict[str, float | int]:
    """The inverter's own clock as it reports it."""
    return {
        "SystemYear": clock.year % 100,
        "SystemMonth": clock.month,
        "SystemDay": clock.day,
        "SystemHour": clock.hour,
        "SystemMinute": clock.minute,
        "SystemSecond": clock.second,
    }


def _watts(kw: float) -> float:
    return round(kw * 1000.0, 1) + 0.0  # no -0.0


def _kwh(kwh: float) -> float:
    return math.floor(kwh * 10.0 + 1e-6) / 10.0


def _volts(used_kw: float, pv_kw: Sequence[float], peak_kw: Sequence[float]) -> float:
    """String voltage: near open circuit while curtailed, lower under load, 0 in the dark."""
    if sum(pv_kw) < 0.005:
        return 0.0
    return round(OPEN_V - (OPEN_V - LOADED_V) * min(1.0, used_kw / sum(peak_kw)), 1)
