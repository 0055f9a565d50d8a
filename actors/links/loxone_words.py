"""Loxone's UDP words: `key=value` to it, `name;value` from it, numbers only. Pure functions."""

from __future__ import annotations

import json
import re

from actors.links.udp_socket import DATAGRAM_LIMIT
from models.errors import PayloadError
from models.types.command import RelayState
from models.types.loxone import Kind, UdpKeys
from models.units import is_number, shown

RELAY_NUMBERS = {RelayState.OFF.value: 0, RelayState.ON.value: 1, RelayState.AUTO.value: 2}
SETPOINT_C = (5.0, 30.0)  # what the Loxone program follows; 0 gives the setpoint back
TARGET_C = (0.0, 40.0)
PAYLOAD_LIMIT = 1024
_NUMBER = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,9})?")  # no exponent, comma, nan or inf: what the Miniserver writes
_STAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")  # its logger begins a line with one


class WordsError(PayloadError):
    """A datagram or one line of it says nothing that we know. `kind` is what it is counted as."""

    def __init__(self, kind: str, problem: str) -> None:
        super().__init__(problem)
        self.kind = kind


def lines_of(payload: bytes) -> list[str]:
    """The lines of a datagram that are not empty.

    Raises
    ------
    WordsError
        It is too long, or not plain text.
    """
    if len(payload) > DATAGRAM_LIMIT:
        raise WordsError("too_long", f"a datagram of more than {DATAGRAM_LIMIT} bytes")
    try:
        text = payload.decode("ascii")
    except UnicodeDecodeError:
        raise WordsError("not_text", f"{shown(payload)} is not plain text") from None
    return [line for part in text.replace("\r", "\n").split("\n") if (line := part.strip(" \t\x00"))]


def said_in(line: str, keys: UdpKeys) -> tuple[Kind, str, float]:
    """(kind, room, value) of one line, `name;value` or with the logger's time in front.

    Raises
    ------
    WordsError
        No such form, no such name, no number, or one that cannot be meant.
    """
    parts = [part.strip(" \t") for part in line.split(";")]
    if len(parts) == 3 and _STAMP.fullmatch(parts[0]):
        del parts[0]
    if len(parts) != 2:
        raise WordsError("not_a_pair", f"{shown(line)} is not name;value")
    name, text = parts
    if name not in keys.said:
        raise WordsError("unknown_name", f"name {shown(name)} is none of this house")
    value = number_in(name, text)
    kind, room = keys.said[name]
    if kind in ("relay", "auto") and value not in (0.0, 1.0):
        raise WordsError("out_of_range", f"{name}: {text} is neither 0 nor 1")
    if kind == "target" and not TARGET_C[0] <= value <= TARGET_C[1]:
        raise WordsError("out_of_range", f"{name}: {text}, limits {TARGET_C[0]:g} .. {TARGET_C[1]:g} degC")
    return kind, room, value


def number_in(name: str, text: str) -> float:
    """The number that a text is: digits with at most one dot, so it is always finite.

    Raises
    ------
    WordsError
        It is something else; `name` tells whose it was to be.
    """
    if not _NUMBER.fullmatch(text):
        raise WordsError("not_a_number", f"{name}: {shown(text)} is not a number")
    return float(text)


def told(kind: Kind, payload: bytes) -> str:
    """The number that stands for the JSON body of a command.

    Raises
    ------
    WordsError
        The body is none that a number stands for.
    """
    body = _object(payload)
    if kind == "relay":
        state = body.get("state")
        if not isinstance(state, str) or state not in RELAY_NUMBERS:
            raise WordsError("unfit_order", f"relay state {shown(state)} is none of {', '.join(RELAY_NUMBERS)}")
        return str(RELAY_NUMBERS[state])
    value = body.get("target_temperature", ...)
    if value is None:  # given back; numbers have no null
        return "0"
    if not is_number(value) or not isinstance(value, (int, float)):
        raise WordsError("unfit_order", f"setpoint {shown(value)} is not a number")
    if not SETPOINT_C[0] <= value <= SETPOINT_C[1]:
        raise WordsError("unfit_order", f"setpoint {value:g}, limits {SETPOINT_C[0]:g} .. {SETPOINT_C[1]:g} degC")
    return f"{value:.2f}"


def _object(payload: bytes) -> dict[str, object]:
    try:
        body = json.loads(payload) if len(payload) <= PAYLOAD_LIMIT else None
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise WordsError("unfit_order", f"{shown(payload)} is no JSON object of at most {PAYLOAD_LIMIT} bytes")
    return body
