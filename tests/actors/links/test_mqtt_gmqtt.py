"""What the link relies on inside gmqtt 0.8.0, and the behaviours it works around: a new version must pass here."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import gmqtt
from gmqtt.storage import PersistentStorage

from actors.links.mqtt_connection import NEVER
from tests.actors.links.broker import Broker, broker

__all__ = ["broker"]


def client_of(**settings: Any) -> Any:
    return gmqtt.Client("pins", clean_session=True, **settings)


def test_every_packet_passes_one_method_that_can_be_replaced_on_the_instance(broker: Broker) -> None:
    async def story() -> list[int]:
        client, seen = client_of(), list[int]()
        handler = client._package_handler
        inner = handler._handle_packet

        def tapped(command: int, packet: bytes) -> None:
            seen.append(command & 0xF0)
            inner(command, packet)

        handler._handle_packet = tapped
        await client.connect("127.0.0.1", broker.port)
        client.publish("a", b"x", qos=1)
        for _ in range(200):
            if 0x40 in seen:
                break
            await asyncio.sleep(0.01)
        await client.disconnect()
        return seen

    seen = asyncio.run(story())
    assert seen[0] == 0x20
    assert 0x40 in seen


def test_packet_ids_are_learnt_from_the_storage_it_is_given(broker: Broker) -> None:
    told: list[tuple[str, int]] = []

    class Storage(PersistentStorage):  # type: ignore[misc]
        def push_message(self, mid: int, raw_package: bytes) -> None:
            super().push_message(mid, raw_package)
            told.append(("sent", mid))

        def remove_message_by_mid(self, mid: int) -> None:
            super().remove_message_by_mid(mid)
            told.append(("confirmed", mid))

    async def story() -> None:
        client = client_of(persistent_storage=Storage())
        await client.connect("127.0.0.1", broker.port)
        client.publish("a", b"x", qos=1)
        assert told == [("sent", 1)]  # before anything else can happen
        for _ in range(200):
            if len(told) == 2:
                break
            await asyncio.sleep(0.01)
        await client.disconnect()

    asyncio.run(story())
    assert told == [("sent", 1), ("confirmed", 1)]


def test_stop_reconnect_does_not_stop_it_but_a_number_below_minus_one_does(broker: Broker) -> None:
    async def allowed(stop: Any) -> bool:
        client = client_of()
        stop(client)
        await client.connect("127.0.0.1", broker.port)
        answer = bool(client._allow_reconnect())
        await client.disconnect()
        return answer

    assert asyncio.run(allowed(lambda c: c.stop_reconnect()))
    assert not asyncio.run(allowed(lambda c: c.set_config({"reconnect_retries": NEVER})))


def test_the_reason_of_a_refused_publish_is_dropped(tmp_path: Path, broker: Broker) -> None:
    broker.kill()
    (broker.folder / "acl").write_text("topic read #\n")
    broker.configure(f"acl_file {broker.folder / 'acl'}")
    broker.start()

    async def story() -> list[bytes]:
        client, seen = client_of(), list[bytes]()
        handler = client._package_handler
        inner = handler._handle_packet

        def tapped(command: int, packet: bytes) -> None:
            seen.append(packet)
            inner(command, packet)

        handler._handle_packet = tapped
        await client.connect("127.0.0.1", broker.port)
        client.publish("a", b"x", qos=1)
        for _ in range(200):
            if client._persistent_storage.is_empty:
                break
            await asyncio.sleep(0.01)
        assert client._persistent_storage.is_empty  # as if it had been taken
        await client.disconnect()
        return seen

    assert any(len(packet) > 2 and packet[2] == 0x87 for packet in asyncio.run(story()))


def test_a_broken_connection_ends_in_an_empty_disconnect_and_the_transport_is_where_we_cut_it(broker: Broker) -> None:
    async def story() -> list[bytes]:
        client, seen = client_of(), list[bytes]()
        client.set_config({"reconnect_retries": NEVER})
        client.on_disconnect = lambda c, packet, exc=None: seen.append(packet)
        await client.connect("127.0.0.1", broker.port)
        client._connection._transport.abort()
        for _ in range(200):
            if seen:
                break
            await asyncio.sleep(0.01)
        return seen

    assert asyncio.run(story()) == [b""]
