"""The in-memory link: the wire to the twin of the house, with the topics and payloads of the real one.

Rules that every link keeps: one slot per point in the outbox, the latest wish wins, each with its time to live; a
queue of old commands is never replayed.
"""

from __future__ import annotations

from actors.messages import Incoming, LinkState, Outgoing, Tick
from actors.runtime import Behaviour, WorkerCall, WorkerDone, WorkerFailed
from models.types.twin_wire import TwinExchange, TwinOutput, WireMessage

TWIN_PORT = "/io/twin"
LOOK_AGAIN_S = (1.0, 2.0, 4.0, 8.0, 12.0)  # after a command: the twin answers within 10 s


class TwinLink(Behaviour):
    """Carries messages between devices and the twin.

    Handles  Outgoing, Tick, WorkerDone, WorkerFailed
    Sends    WorkerCall to the twin's port; publishes Incoming, LinkState and the twin's meters (TwinOutput)
    Fails    never on what it carries
    """

    def __init__(self, *, tick_s: float, deadline_s: float, quick: bool) -> None:
        self._tick_s, self._deadline_s, self._quick = tick_s, deadline_s, quick
        self._outbox: dict[str, Outgoing] = {}
        self._busy = False
        self._up: bool | None = None
        self._calls = 0
        self.expired = 0
        self.sent = 0

    def on_start(self) -> None:
        self.ctx.every(self._tick_s, Tick(name="look"), name="look")
        self._exchange()

    def handle(self, message: object) -> None:
        match message:
            case Outgoing():
                self._outbox[message.slot] = message
                self._exchange()
                if self._quick:  # virtual time: look for the answer when it may be there, not a whole tick later
                    for wait_s in LOOK_AGAIN_S:
                        self.ctx.after(wait_s, Tick(name="look"), name=f"look-{wait_s}")
            case Tick():
                self._exchange()
            case WorkerDone(value=TwinOutput() as output):
                self._busy = False
                self._arrived(output)
                if self._outbox:
                    self._exchange()
            case WorkerDone():
                self._busy = False
                self._say(False, f"the twin answered with {type(message.value).__name__}")
            case WorkerFailed():
                self._busy = False
                self._say(False, message.reason)
            case _:
                super().handle(message)

    def _exchange(self) -> None:
        if self._busy:
            return
        at_s = self.ctx.clock.monotonic()
        commands = []
        for outgoing in self._outbox.values():
            if at_s >= outgoing.expires_s:
                self.expired += 1
                continue
            commands.append(WireMessage(topic=outgoing.topic, payload=outgoing.payload.decode()))
        self.sent += len(commands)
        self._outbox.clear()
        self._calls += 1
        self._busy = True
        body = TwinExchange(until=self.ctx.clock.now(), commands=tuple(commands))
        self.ctx.tell(
            TWIN_PORT,
            WorkerCall(id=f"twin-{self._calls}", method="exchange", body=body, deadline_s=self._deadline_s),
        )

    def _arrived(self, output: TwinOutput) -> None:
        self._say(True, "")
        at_s = self.ctx.clock.monotonic()
        for message in output.messages:
            self.ctx.publish(
                Incoming(
                    topic=message.topic, payload=message.payload.encode(), retained=message.retained, received_s=at_s
                )
            )
        self.ctx.publish(output)

    def _say(self, up: bool, reason: str) -> None:
        if up is not self._up:
            self._up = up
            self.ctx.publish(LinkState(up=up, reason=reason))

    def snapshot(self) -> dict[str, object]:
        return {"up": self._up, "sent": self.sent, "expired": self.expired, "waiting": sorted(self._outbox)}
