"""Loxone's names and words over MQTT as the house file has them, and as PEMS speaks of them. Pure functions.

Inside PEMS a room's topics are those of `models.types.loxone`, their payloads JSON. On the wire they may be called
otherwise, and carry bare numbers.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from actors.links.loxone_words import WordsError, number_in, told
from actors.messages import Outgoing
from models.types.loxone import (
    HEARTBEAT,
    RELAY_SET,
    RELAY_STATUS,
    SETPOINT_SET,
    SUMMARY,
    TEMPERATURE,
    Kind,
    Loxone,
)
from models.units import shown

# A relay's status as a number: the contact, plus 2 while PEMS decides.
STATUSES = {0.0: ("off", "auto"), 1.0: ("on", "auto"), 2.0: ("off", "manual"), 3.0: ("on", "manual")}


class LoxoneNames:
    """Translates between the two for one house; what is not Loxone's passes as it is.

    Parameters
    ----------
    rooms : sequence of str
        Names of the rooms.
    loxone : Loxone
        Topic templates and payload style of the wire.

    Attributes
    ----------
    heard : tuple of str
        Topics on the wire to subscribe to, each in full (a room's name may be a part of a level).
    """

    def __init__(self, rooms: Sequence[str], loxone: Loxone) -> None:
        self._numbers = loxone.style == "number"
        self._out: dict[str, tuple[str, Kind | None]] = {HEARTBEAT: (loxone.heartbeat, None)}
        self._back: dict[str, tuple[str, Kind | None]] = {loxone.summary: (SUMMARY, None)}
        for room in rooms:
            self._out[RELAY_SET.format(room=room)] = (_filled(loxone.relay_set, room), "relay")
            self._out[SETPOINT_SET.format(room=room)] = (_filled(loxone.setpoint_set, room), "setpoint")
            self._back[_filled(loxone.relay_status, room)] = (RELAY_STATUS.format(room=room), "relay")
            self._back[_filled(loxone.temperature, room)] = (TEMPERATURE.format(room=room), "temp")
        self.heard = tuple(self._back)

    def out(self, message: Outgoing) -> Outgoing:
        """A message for the wire, under its name and in its words there.

        Raises
        ------
        WordsError
            No number stands for its payload.
        """
        found = self._out.get(message.topic)
        if found is None:
            return message
        topic, kind = found
        payload = told(kind, message.payload).encode() if self._numbers and kind is not None else message.payload
        return replace(message, topic=topic, payload=payload)

    def back(self, topic: str, payload: bytes) -> tuple[str, bytes]:
        """A message from the wire, under the name and in the words of PEMS.

        Raises
        ------
        WordsError
            Its payload is no number, or none that means something there.
        """
        found = self._back.get(topic)
        if found is None:
            return topic, payload
        name, kind = found
        if not self._numbers or kind is None:
            return name, payload
        value = number_in(topic, payload.decode("ascii", "replace").strip())
        if kind == "temp":
            return name, _json({"temperature": value, "unit": "celsius"})
        if value not in STATUSES:
            raise WordsError("out_of_range", f"{topic}: {shown(payload)} is none of 0 .. 3")
        relay, mode = STATUSES[value]
        return name, _json({"relay": relay, "mode": mode})


def _filled(template: str, room: str) -> str:
    return template.replace("{room}", room)


def _json(body: dict[str, object]) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()
