"""A local HTTP server that plays a service, with its faults; and a client whose waits are only noted."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from actors.feeds.services.http import Http, HttpLimits

BODIES = Path(__file__).parent / "bodies"


def body(name: str) -> bytes:
    """A hand-made answer."""
    return (BODIES / name).read_bytes()


def changed(name: str, change: Callable[[Any], object]) -> bytes:
    """A hand-made JSON answer after something was done to it; what `change` returns replaces it, unless None."""
    answer = json.loads(body(name))
    other = change(answer)
    return json.dumps(answer if other is None else other).encode()


@dataclass
class Reply:
    """What the server says to one request."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    stall: threading.Event | None = None  # say nothing until then
    cut: bool = False  # promise more than comes


@dataclass
class Asked:
    """What it was asked."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]


class Service:
    """Answers by a function, or by a list of replies one after the other (the last one stays)."""

    def __init__(self) -> None:
        self.replies: list[Reply] | Callable[[Asked], Reply] = [Reply()]
        self.asked: list[Asked] = []
        self.release = threading.Event()
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                service._answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def say(self, *replies: Reply | bytes) -> None:
        self.replies = [r if isinstance(r, Reply) else Reply(r) for r in replies]

    def close(self) -> None:
        self.release.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        query = {k: v[0] for k, v in parse_qs(parts.query).items()}
        asked = Asked(parts.path, query, {k.lower(): v for k, v in handler.headers.items()})
        self.asked.append(asked)
        if callable(self.replies):
            reply = self.replies(asked)
        else:
            reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if reply.stall is not None:
            reply.stall.wait(10)
        try:
            handler.send_response(reply.status)
            for name, value in reply.headers.items():
                handler.send_header(name, value)
            handler.send_header("Content-Length", str(len(reply.body) + (1000 if reply.cut else 0)))
            handler.end_headers()
            handler.wfile.write(reply.body)
        except OSError:
            pass  # the client had enough


@contextmanager
def a_service() -> Iterator[Service]:
    service = Service()
    try:
        yield service
    finally:
        service.close()


def a_client(waits: list[float] | None = None, **limits: Any) -> Http:
    """A client that does not sleep but notes for how long it would have."""
    given: dict[str, Any] = {"connect_s": 2.0, "read_s": 2.0, **limits}
    secrets = given.pop("secrets", ())
    return Http(
        HttpLimits(**given), secrets=secrets, sleep=(waits if waits is not None else []).append, rng=random.Random(1)
    )
