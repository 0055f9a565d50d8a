"""Row M8: whatever arrives from the wire, no device crashes, and nothing impossible is believed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.devices import inverter, rooms
from actors.devices.base import DeviceTiming
from actors.devices.inverter_job import InverterExtras
from actors.memory import MemoryWear
from actors.messages import Alarm, Incoming
from models.types.reading import InverterReading, RoomsReading
from tests.actors.devices.bench import Bench, a_house

INVERTER, ROOMS = "/devices/inverter", "/devices/rooms"
TOPICS = ("energy/solar", "energy/solar/result", "loxone/status", "loxone/heating/hall/status",
          "loxone/heating/nowhere/status", "loxone/temperature/hall/current", "loxone//status", "loxone/")  # fmt: skip
TIMING = DeviceTiming(
    tick_s=0.5, lease_s=10.0, settle_s=30.0, answer_s=12.0, heartbeat_s=15.0, command_ttl_s=30.0, effect_s=120.0
)


class Listening(Bench):
    """Both devices, and what they published."""

    def __init__(self) -> None:
        house = a_house()
        extras = InverterExtras(wear=MemoryWear())
        super().__init__(
            {INVERTER: lambda: inverter.make(house, TIMING, extras), ROOMS: lambda: rooms.make(house, TIMING, None)},
            ears=("/io/link",),
            events=(InverterReading, RoomsReading, Alarm),
        )
        self.start()

    def hear(self, topic: str, payload: bytes, *, retained: bool = False) -> None:
        received_s = self.clock.monotonic()
        self.publish(Incoming(topic=topic, payload=payload, retained=retained, received_s=received_s))

    @property
    def rejected(self) -> int:
        return sum(int(str(self.runtime.behaviour_snapshot(p)["rejected"])) for p in (INVERTER, ROOMS))

    def lives(self) -> None:
        failed = {cell.path: cell.last_error for cell in self.runtime.cells.values() if cell.failed}
        assert not failed, failed


VALUE = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=6)
    | st.sampled_from(["55,5", "NaN", "on", "auto", 101, -1, 1e308, 1e999, 65535]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
FIELD = st.sampled_from(
    ["InverterStatus", "SOC", "PV1InputPower", "ChargePower", "ACPowerToUser", "BattSlot1Start", "SystemMonth",
     "correlationId", "success", "relay", "mode", "temperature", "target_temp", "state", "hall", "CurrentMode"]
)  # fmt: skip
OBJECT = st.dictionaries(FIELD | st.text(max_size=4), VALUE, max_size=6).map(
    lambda body: json.dumps(body, allow_nan=True).encode()
)
PAYLOAD = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=80).map(lambda text: text.encode("utf-8", "surrogatepass")),
    OBJECT,
    OBJECT.map(lambda raw: raw[:-1]),  # cut
    st.integers(1, 3000).map(lambda n: b"[" * n + b"]" * n),  # deep
    st.integers(1, 3000).map(lambda n: b'{"a":' * n + b"1" + b"}" * n),
    st.tuples(FIELD, VALUE).map(lambda f: f'{{"{f[0]}":{json.dumps(f[1])},"{f[0]}":1}}'.encode()),  # twice
    st.sampled_from([b"", b"\x00", b"{}", b"null", b"\xff\xfe{}", b" " * 65_537, b'{"SOC":' + b"9" * 5000 + b"}"]),
)


def believed(listening: Listening) -> None:
    """Everything published is possible."""
    for reading in listening.of(InverterReading):
        assert reading.soc is None or 0.0 <= reading.soc <= 1.0
        for kw in (reading.pv_kw, reading.battery_kw, reading.grid_kw, reading.load_kw):
            assert kw is None or -120.0 <= kw <= 120.0
    for published in listening.of(RoomsReading):
        for room in published.rooms.values():
            assert room.air_c is None or -30.0 <= room.air_c <= 60.0
            assert room.setpoint_c is None or 0.0 <= room.setpoint_c <= 40.0


def test_no_payload_of_a_thousand_makes_a_device_crash_or_believe_the_impossible() -> None:
    listening = Listening()  # one for all: what a payload leaves behind must not make the next one crash either
    tried = 0

    @settings(max_examples=1500)
    @given(topic=st.sampled_from(TOPICS), payload=PAYLOAD, retained=st.booleans())
    def attack(topic: str, payload: bytes, retained: bool) -> None:
        nonlocal tried
        tried += 1
        listening.events.clear()
        listening.hear(topic, payload, retained=retained)
        listening.lives()
        believed(listening)

    attack()
    assert tried >= 1000
    assert listening.rejected > 100


@pytest.mark.parametrize(
    ("topic", "payload", "alarm"),
    [("energy/solar", b"32 MB" * 20_000, "inverter_payload"), ("energy/solar", b'{"SOC":NaN}', "inverter_payload"),
     ("energy/solar", b'{"InverterStatus":1,"SOC":101}', "inverter_payload"),
     ("energy/solar", b'{"InverterStatus":1,"SOC":"55,5"}', "inverter_payload"),
     ("loxone/status", b'{"relay":1}', "loxone_payload"), ("loxone/status", b"\xff", "loxone_payload")],
)  # fmt: skip
def test_a_wrong_payload_is_counted_each_time_and_told_once(topic: str, payload: bytes, alarm: str) -> None:
    fresh = Listening()
    for _ in range(5):
        fresh.hear(topic, payload)
    assert [a.name for a in fresh.of(Alarm)] == [alarm]
    assert fresh.rejected == 5
