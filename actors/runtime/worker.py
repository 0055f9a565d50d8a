"""The worker's side of a port: read a call, run it, send the result; end when the core has gone."""

from __future__ import annotations

import os
import select
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Any

from actors.runtime.codec import Codec
from actors.runtime.frames import Unpacker, pack

Methods = Mapping[str, Callable[[object], object]]
_ORPHAN_GRACE_S = 2.0


def serve(fd: int, methods: Methods, codec: Codec) -> None:
    """Answer calls on the inherited socket `fd` until the other side closes it.

    An exception in a method is answered as an error with its text. Standard input and output are not used: solvers
    write to them as they please. If the core dies while a method runs, the process ends 2 s later.
    """
    channel = socket.socket(fileno=fd)
    returned = threading.Event()
    threading.Thread(target=_end_with_the_core, args=(fd, returned), name="orphan watch", daemon=True).start()
    unpacker = Unpacker()
    try:
        while data := channel.recv(1 << 16):
            for head, body in unpacker.feed(data):
                channel.sendall(_answer(head, body, methods, codec))
    except (BrokenPipeError, ConnectionResetError):
        pass  # the core has gone: nobody is left to tell
    finally:
        returned.set()
        channel.close()


def _answer(head: dict[str, Any], body: bytes, methods: Methods, codec: Codec) -> bytes:
    serial = head.get("id")
    try:
        name = str(head.get("method"))
        method = methods.get(name)
        if method is None:
            raise LookupError(f"no method {name!r} here; there are {', '.join(sorted(methods))}")
        return pack({"id": serial, "ok": True}, codec.encode(method(codec.decode(body))))
    except Exception as error:  # noqa: BLE001 - a failed call is an answer; the worker lives on
        text = str(error) if isinstance(error, LookupError) else f"{type(error).__name__}: {error}"
        return pack({"id": serial, "ok": False, "error": " ".join(text.split())[:2000]}, b"")


def _end_with_the_core(fd: int, returned: threading.Event) -> None:
    # POLLHUP alone: an orderly end closes only one direction and lets the call in hand finish
    poller = select.poll()
    poller.register(fd, 0)
    poller.poll()
    if not returned.wait(_ORPHAN_GRACE_S):
        os._exit(1)
