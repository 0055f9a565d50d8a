"""What goes over the console's socket: JSON-RPC 2.0, one message a line, of limited size."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SOCKET_FILE = "console.sock"
REQUEST_LIMIT_BYTES = 65_536
ANSWER_LIMIT_BYTES = 16_000_000
_PATH_LIMIT = 100  # bytes of a socket's path; the kernel's limit is 108

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
UNKNOWN_METHOD = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
REFUSED = -32000  # the house understood and says no: message and data.hint are for people


class TooLongError(Exception):
    """A line is longer than its limit."""


def line(message: object) -> bytes:
    """One message as it is sent. Values that JSON has no word for are shown as text, NaN as null."""
    return json.dumps(_finite(message), ensure_ascii=False, default=str, separators=(",", ":")).encode() + b"\n"


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not (-float("inf") < value < float("inf")):
        return None
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_finite(item) for item in value]
    return value


class Lines:
    """Lines from a socket."""

    def __init__(self, channel: socket.socket, limit_bytes: int) -> None:
        self._channel, self._limit = channel, limit_bytes
        self._buffer = bytearray()

    def next(self) -> bytes | None:
        """The next line without its end; None when the other side has closed. TooLongError beyond the limit."""
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched > self._limit:
                raise TooLongError
            data = self._channel.recv(65_536)
            if not data:
                return None
            self._buffer += data
        found = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        if len(found) > self._limit:
            raise TooLongError
        return found


@contextmanager
def reachable(path: Path) -> Iterator[str]:
    """A name of the socket that is short enough for the kernel, valid inside the block."""
    if len(os.fsencode(path)) <= _PATH_LIMIT:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
