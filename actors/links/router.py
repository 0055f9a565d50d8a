"""One link for the devices where there are several wires: each message goes to the wire that has its topic."""

from __future__ import annotations

from collections.abc import Mapping

from actors.messages import Alarm, Outgoing
from actors.runtime import Behaviour, Lane
from models.errors import ConfigError
from models.units import shown


class LinkRouter(Behaviour):
    """Passes on what devices send. What comes in is published by each wire itself, and so is its LinkState.

    Handles  Outgoing
    Sends    the same to the link of its topic
    Fails    on bugs only; a topic that has no wire is counted and said once

    Parameters
    ----------
    routes : mapping of str to str
        Beginning of a topic -> path of a link. The longest beginning that fits decides.
    """

    def __init__(self, routes: Mapping[str, str]) -> None:
        if not routes:
            raise ConfigError("a router without routes", hint="name at least one beginning of a topic and its link")
        self._routes = sorted(routes.items(), key=lambda route: -len(route[0]))
        self.passed = dict.fromkeys(routes.values(), 0)
        self.unknown = 0
        self._last = ""

    def handle(self, message: object) -> None:
        match message:
            case Outgoing():
                self._pass(message)
            case _:
                super().handle(message)

    def _pass(self, message: Outgoing) -> None:
        for beginning, path in self._routes:
            if message.topic.startswith(beginning):
                self.passed[path] += 1
                # The lane it came on is not known here; in front of all, the order in which it was passed stays, and a
                # trip that overtook on its way here is not put behind what the wire has yet to hear.
                self.ctx.tell(path, message, lane=Lane.URGENT)
                return
        self.unknown += 1
        self._last = shown(message.topic)
        if self.unknown == 1:
            text = f"topic {self._last} belongs to no wire"
            self.ctx.publish(Alarm(at=self.ctx.clock.now(), name="link:no_wire", active=True, text=text))

    def snapshot(self) -> dict[str, object]:
        return {"routes": dict(self._routes), "passed": dict(self.passed), "unknown": self.unknown, "last": self._last}
