"""The in-memory link: one slot per point, the latest wish wins, and nothing old is ever replayed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from actors.links.twin import TWIN_PORT, TwinLink
from actors.messages import Incoming, LinkState, Outgoing
from actors.runtime import FunctionWorker, Port
from models.errors import DataError
from models.types.twin_wire import TwinExchange, TwinOutput, WireMessage
from tests.actors.devices.bench import START, Bench

PATH = "/io/link"


def nothing(body: TwinExchange) -> object:
    return TwinOutput(until=body.until, messages=())


class Wire(Bench):
    """A link to a twin that answers as told, after some time."""

    def __init__(
        self, answer: Callable[[TwinExchange], object] = nothing, *, takes_s: float = 0.0, quick: bool = False,
        tick_s: float = 10.0,
    ) -> None:  # fmt: skip
        self.answer, self.takes, self.asked = answer, {"exchange": takes_s}, list[TwinExchange]()
        super().__init__(
            {
                TWIN_PORT: lambda: Port(lambda: FunctionWorker({"exchange": self._exchange}, self.takes)),
                PATH: lambda: TwinLink(tick_s=tick_s, deadline_s=60.0, quick=quick),
            },
            events=(Incoming, LinkState, TwinOutput),
        )
        self.start()

    def _exchange(self, body: object) -> object:
        assert isinstance(body, TwinExchange)
        self.asked.append(body)
        return self.answer(body)

    def send(self, payload: str, *, slot: str = "a", ttl_s: float = 30.0) -> None:
        expires_s = self.clock.monotonic() + ttl_s
        self.tell(PATH, Outgoing(topic=f"to/{slot}", payload=payload.encode(), expires_s=expires_s, slot=slot))

    @property
    def carried(self) -> list[str]:
        return [c.payload for exchange in self.asked for c in exchange.commands]

    def snapshot(self) -> dict[str, object]:
        return self.runtime.behaviour_snapshot(PATH)


def test_a_command_goes_out_at_once_and_only_once() -> None:
    wire = Wire()
    wire.send("one")
    wire.run(60)
    assert wire.carried == ["one"]
    assert wire.snapshot() == {"up": True, "sent": 1, "expired": 0, "waiting": []}


def test_what_the_twin_says_is_published_in_order_with_its_time_and_retain_flag() -> None:
    said = (WireMessage(topic="x", payload="ü"), WireMessage(topic="y", payload="2", retained=True))
    wire = Wire(lambda body: TwinOutput(until=body.until, messages=said, import_kwh=1.5))
    assert [(m.topic, m.payload, m.retained) for m in wire.of(Incoming)] == [
        ("x", "ü".encode(), False), ("y", b"2", True),
    ]  # fmt: skip
    assert wire.of(TwinOutput)[0].import_kwh == 1.5 and wire.of(TwinOutput)[0].until == START


def test_while_the_wire_is_busy_the_latest_wish_of_each_point_waits() -> None:
    wire = Wire(takes_s=5.0)
    for payload in ("1", "2", "3"):
        wire.send(payload, slot="a")
    wire.send("other", slot="b")
    assert wire.carried == [] and wire.snapshot()["waiting"] == ["a", "b"]
    wire.run(6)
    assert wire.carried == ["3", "other"]


def test_a_command_that_waited_past_its_time_is_dropped_and_counted() -> None:
    wire = Wire(takes_s=50.0)
    wire.send("old", slot="a", ttl_s=30.0)
    wire.send("young", slot="b", ttl_s=90.0)
    wire.run(51)
    assert wire.carried == ["young"]
    assert wire.snapshot()["expired"] == 1


def broken(_: TwinExchange) -> object:
    raise DataError("the record ends here")


@pytest.mark.parametrize("fault", [broken, lambda body: {"not": "an output"}])
def test_a_wire_that_fails_is_said_once_and_tried_at_every_tick_until_it_is_up_again(
    fault: Callable[[TwinExchange], object]
) -> None:
    wire = Wire(tick_s=10.0)
    wire.run(5)
    wire.answer = fault
    wire.run(60)
    assert [(s.up, bool(s.reason)) for s in wire.of(LinkState)] == [(True, False), (False, True)]
    asked = len(wire.asked)
    wire.answer = nothing
    wire.run(20)
    assert [s.up for s in wire.of(LinkState)] == [True, False, True]
    assert asked >= 6


def test_what_was_sent_into_a_dead_wire_is_not_replayed() -> None:
    wire = Wire(broken)
    wire.send("lost")
    wire.answer = nothing
    wire.run(60)
    assert wire.carried == ["lost"], "the device asks again if it still wants it"


def test_a_twin_past_its_deadline_is_a_wire_that_is_down() -> None:
    wire = Wire(takes_s=100.0)
    wire.run(70)
    assert [s.up for s in wire.of(LinkState)] == [False]


def test_in_virtual_time_it_looks_for_the_answer_when_it_may_be_there() -> None:
    slow, quick = Wire(tick_s=60.0), Wire(tick_s=60.0, quick=True)
    for wire in (slow, quick):
        wire.send("x")
        wire.run(15)
    assert len(slow.asked) == 2
    assert [(e.until - START).total_seconds() for e in quick.asked] == [0.0, 0.0, 1.0, 2.0, 4.0, 8.0, 12.0]
