"""What can be said to a point, as people write it and as the console carries it.

room.R.relay              on | off | auto
room.R.setpoint_c         21.5
inverter.export_limit_kw  4
inverter.mode             regular | hold | sell_production | charge_from_grid to 90% at 50% | discharge_to_grid to 30%
"""

from __future__ import annotations

import math
import re

from models.errors import ConfigError
from models.types.command import RelayState, Value
from models.types.mode import TRADING, Composite, InverterMode

POINT = re.compile(r"inverter\.(mode|export_limit_kw)|room\.[a-z][a-z0-9_]{0,31}\.(relay|setpoint_c)")
POINTS_HELP = "inverter.mode, inverter.export_limit_kw, room.NAME.relay or room.NAME.setpoint_c"
_MODE = re.compile(r"(?P<word>[a-z_]+)(?:\s+to\s+(?P<stop>[\d.]+)\s*%)?(?:\s+at\s+(?P<rate>[\d.]+)\s*%)?")
_SETPOINT_C = (5.0, 30.0)
_EXPORT_KW = (0.0, 200.0)


def check_point(point: str) -> str:
    """The name of a point, if it can be one. ConfigError if not; whether this house has it, only the house knows."""
    if not POINT.fullmatch(point):
        raise ConfigError(f"{point!r} is no point", hint=f"write {POINTS_HELP}")
    return point


def parse_value(point: str, text: str) -> Value:
    """What a person asks a point to be.

    Raises
    ------
    ConfigError
        Not a point, or not one of its values; names what is.
    """
    kind = check_point(point).rsplit(".", 1)[1]
    words = " ".join(text.split()).lower()
    if kind == "relay":
        if words not in tuple(RelayState):
            raise ConfigError(f"{point} cannot be {text!r}", hint=f"one of {', '.join(RelayState)}")
        return words
    if kind == "mode":
        return _mode(point, words)
    return _number(point, words, *(_SETPOINT_C if kind == "setpoint_c" else _EXPORT_KW))


def to_json(value: Value) -> object:
    """The value as the console carries it."""
    if isinstance(value, InverterMode):
        return {"composite": value.composite.value, "stop_soc": value.stop_soc, "rate": value.rate}
    return value


def from_json(point: str, value: object) -> Value:
    """The value that the console carried, checked again: whoever reaches the socket may send anything.

    Raises
    ------
    ConfigError
        Not a value of this point.
    """
    match value:
        case {"composite": str(word), **rest} if set(rest) <= {"stop_soc", "rate"} and point == "inverter.mode":
            stop, rate = rest.get("stop_soc"), rest.get("rate")
            return _made(point, word, _fraction(point, "stop_soc", stop), _fraction(point, "rate", rate))
        case str():
            return parse_value(point, value)
        case bool():
            pass
        case int() | float():
            return parse_value(point, repr(float(value)))
    raise ConfigError(f"{point} cannot be {str(value)[:60]!r}", hint="see `override --help`")


def _mode(point: str, words: str) -> InverterMode:
    found = _MODE.fullmatch(words)
    if found is None:
        raise ConfigError(f"{point} cannot be {words!r}", hint="write such as 'charge_from_grid to 90% at 50%'")
    return _made(point, found["word"], _share(point, found["stop"]), _share(point, found["rate"]))


def _made(point: str, word: str, stop_soc: float | None, rate: float | None) -> InverterMode:
    known = [composite.value for composite in Composite]
    if word not in known:
        raise ConfigError(f"{point} cannot be {word[:60]!r}", hint=f"one of {', '.join(known)}")
    composite = Composite(word)
    if composite is Composite.REGULAR and (stop_soc is not None or rate is not None):
        raise ConfigError(f"{point}: regular takes neither a stop SOC nor a rate", hint="write regular alone")
    if composite in TRADING and stop_soc is None:
        raise ConfigError(f"{point}: {word} needs an end", hint=f"write such as '{word} to 80%'")
    return InverterMode(composite=composite, stop_soc=stop_soc, rate=rate)


def _share(point: str, percent: str | None) -> float | None:
    if percent is None:
        return None
    try:
        value = float(percent)
    except ValueError:
        value = math.nan
    if not 1 <= value <= 100:
        raise ConfigError(f"{point}: {percent} % is outside 1 to 100 %", hint="write such as 'hold to 60%'")
    return value / 100


def _fraction(point: str, name: str, value: object) -> float | None:
    if value is None:
        return None
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0.01 <= value <= 1:
        raise ConfigError(f"{point}: {name} is {str(value)[:40]}, must be a fraction 0.01 to 1")
    return float(value)


def _number(point: str, words: str, low: float, high: float) -> float:
    try:
        value = float(words)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        unit = "degC" if point.endswith("_c") else "kW"
        raise ConfigError(f"{point} cannot be {words[:60]!r}", hint=f"a number from {low:g} to {high:g} {unit}")
    return value
