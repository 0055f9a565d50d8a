"""As much of a broker as it takes to do what a real one seldom does: bytes in a script, one connection at a time."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

CONNACK = bytes([0x20, 3, 0, 0, 0])
SUBSCRIBE, PUBLISH = 0x80, 0x30


def refused(code: int) -> bytes:
    """A CONNACK that says no."""
    return bytes([0x20, 3, 0, code, 0])


def goodbye(code: int) -> bytes:
    """A DISCONNECT with its reason."""
    return bytes([0xE0, 2, code, 0])


def publish(topic: bytes, payload: bytes, *, retained: bool = False) -> bytes:
    """A PUBLISH at QoS 0."""
    body = len(topic).to_bytes(2, "big") + topic + b"\x00" + payload
    assert len(body) < 128
    return bytes([PUBLISH | retained, len(body)]) + body


class FakeBroker:
    """Answers each CONNECT with `connack`, each SUBSCRIBE with a receipt and then `after`.

    Attributes
    ----------
    receipts : bool
        Whether publishes are confirmed.
    """

    def __init__(self, *, connack: bytes = CONNACK, after: bytes = b"", close: bool = False,
                 grant: Callable[[int], int] = lambda i: 1, receipts: bool = True) -> None:
        self.connack, self.after, self.close_after, self.grant, self.receipts = connack, after, close, grant, receipts
        self.connections = 0
        self.most_open = 0  # publishes without a receipt
        self._server = socket.create_server(("127.0.0.1", 0))
        self._over = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self._server.getsockname()[1]}"

    def __enter__(self) -> FakeBroker:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(5)

    def _run(self) -> None:
        while not self._over:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self.connections += 1
            with connection:
                connection.settimeout(5)
                try:
                    self._serve(connection)
                except OSError:
                    continue

    def _serve(self, connection: socket.socket) -> None:
        stream = connection.makefile("rb")
        opened = 0
        while head := stream.read(1):
            body = stream.read(_length(stream.read))
            match head[0] & 0xF0:
                case 0x10:
                    connection.sendall(self.connack)
                    if self.connack[3]:
                        return
                case 0x80:
                    topics = _topics(body)
                    granted = bytes(self.grant(i) for i in range(topics))
                    connection.sendall(bytes([0x90, 3 + topics]) + body[:2] + b"\x00" + granted + self.after)
                    if self.close_after:
                        return
                case 0x30:
                    opened += 1
                    self.most_open = max(self.most_open, opened)
                    if self.receipts:
                        size = int.from_bytes(body[:2], "big")
                        connection.sendall(bytes([0x40, 2]) + body[2 + size : 4 + size])
                        opened -= 1
                case 0xC0:
                    connection.sendall(bytes([0xD0, 0]))


def _length(read: Callable[[int], bytes]) -> int:
    size, shift = 0, 0
    while True:
        byte = read(1)[0]
        size |= (byte & 0x7F) << shift
        if byte < 0x80:
            return size
        shift += 7


def _topics(body: bytes) -> int:
    at, count = 3 + body[2], 0
    while at < len(body):
        at += 3 + int.from_bytes(body[at : at + 2], "big")
        count += 1
    return count
