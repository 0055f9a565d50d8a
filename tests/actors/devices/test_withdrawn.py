"""What still waits for a dead wire does not go out later, when nobody wishes it any more."""

from __future__ import annotations

from actors.devices.base import DeviceTiming
from actors.devices.inverter import DEVICE, EXPORT
from actors.devices.inverter_job import InverterExtras
from actors.memory import MemoryWear
from actors.messages import ApprovedSetpoint, Incoming, Outgoing, Permit
from models.types.command import Level
from tests.actors.devices.bench import Bench, a_house
from tests.actors.devices.test_growatt import payload

PATH, LINK = "/devices/inverter", "/io/link"
TIMING = DeviceTiming(
    tick_s=1.0, lease_s=10.0, settle_s=30.0, answer_s=12.0, heartbeat_s=15.0, command_ttl_s=30.0, effect_s=120.0
)


class Desk(Bench):
    """An inverter's driver with its telemetry; what it tells the link stays there unanswered."""

    def __init__(self) -> None:
        extras = InverterExtras(wear=MemoryWear())
        super().__init__({PATH: lambda: DEVICE.make(a_house(), TIMING, extras)}, ears=(LINK,))
        self.start()
        self.publish(Permit(epoch=(1, 1), until_s=self.clock.monotonic() + 1e6))
        self.hear()

    def hear(self) -> None:
        at_s = self.clock.monotonic()
        self.publish(Incoming(topic="energy/solar", payload=payload(), retained=False, received_s=at_s))

    def order(self, value: float, number: int) -> None:
        self.tell(
            PATH,
            ApprovedSetpoint(
                point=EXPORT, value=value, level=Level.PLAN, until_s=self.clock.monotonic() + 3600.0,
                request_id=f"r{number}", cause="t", gate_epoch=(1, 1), number=number,
            ),
        )  # fmt: skip
        self.run(2)
        self.hear()

    def sent(self) -> list[str]:
        """Slots of the commands that the link was given."""
        return [o.slot for o in self.told(LINK, Outgoing) if o.payload]

    def withdrawn(self) -> list[str]:
        """Slots that were emptied."""
        return [o.slot for o in self.told(LINK, Outgoing) if not o.payload and o.expires_s <= self.clock.monotonic()]


def test_a_write_in_the_outbox_is_withdrawn_when_its_order_is_replaced() -> None:
    desk = Desk()
    desk.order(0.0, 1)
    (slot,) = desk.sent()
    assert slot.startswith(EXPORT) and desk.withdrawn() == []
    desk.order(5.0, 2)
    assert desk.withdrawn() == [slot]


def test_a_write_that_was_never_answered_is_withdrawn_too() -> None:
    desk = Desk()
    desk.order(0.0, 1)
    desk.run(13)
    desk.hear()
    assert desk.sent()[0] in desk.withdrawn()
