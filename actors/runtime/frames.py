"""Frames on a stream socket: four bytes of length, a line of JSON, then the body as the codec made it."""

from __future__ import annotations

import json
import struct
from typing import Any, Final

from actors.runtime.errors import WorkerError

FRAME_LIMIT: Final = 64 * 1024 * 1024
_LENGTH: Final = struct.Struct(">I")


def pack(head: dict[str, Any], body: bytes) -> bytes:
    """One frame.

    Raises
    ------
    WorkerError
        It is longer than the other side would accept.
    """
    line = json.dumps(head).encode() + b"\n"
    length = len(line) + len(body)
    if length > FRAME_LIMIT:
        raise WorkerError(f"a message of {length} bytes is over the limit of {FRAME_LIMIT}")
    return _LENGTH.pack(length) + line + body


class Unpacker:
    """Cuts what arrives into frames."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> list[tuple[dict[str, Any], bytes]]:
        """Add bytes; returns the (head, body) of each frame that is complete now.

        Raises
        ------
        WorkerError
            The other side does not keep the protocol.
        """
        self._data += data
        frames: list[tuple[dict[str, Any], bytes]] = []
        while len(self._data) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._data)
            if length > FRAME_LIMIT:
                raise WorkerError(f"a frame of {length} bytes is announced, the limit is {FRAME_LIMIT}")
            end = _LENGTH.size + length
            if len(self._data) < end:
                break
            frames.append(_split(bytes(self._data[_LENGTH.size : end])))
            del self._data[:end]
        return frames


def _split(frame: bytes) -> tuple[dict[str, Any], bytes]:
    line, newline, body = frame.partition(b"\n")
    try:
        head = json.loads(line)
    except ValueError as error:
        raise WorkerError(f"a frame begins with {frame[:40]!r}, not with a line of JSON") from error
    if not newline or not isinstance(head, dict):
        raise WorkerError(f"a frame begins with {frame[:40]!r}, not with a JSON object")
    return head, body
