"""The house's side of the console: answers on a Unix socket that only its own user can reach. No TCP, no eval."""

from __future__ import annotations

import json
import os
import select
import socket
import stat
import struct
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import structlog

from models.errors import ConsoleError, PemsError
from pems_actors.console.wire import (
    ANSWER_LIMIT_BYTES,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    PARSE_ERROR,
    REFUSED,
    REQUEST_LIMIT_BYTES,
    UNKNOWN_METHOD,
    Lines,
    TooLongError,
    line,
    reachable,
)

log = structlog.get_logger(__name__)

Handler = Callable[[dict[str, Any]], object]
_UCRED = struct.Struct("3i")  # pid, uid, gid


class ConsoleServer:
    """Answers JSON-RPC calls with the handlers' answers.

    A handler gets the call's `params` as a dict and returns JSON values. A PemsError it raises is told to the caller
    as a refusal; anything else it raises is answered as an internal error and logged. Handlers run on the server's
    threads, several at a time, and must bound their own waiting.

    Parameters
    ----------
    path : Path
        Of the socket; a stale one is replaced (the state folder's lock says that nobody else serves it).
    handlers : mapping
        Method name to handler.
    clients : int
        Connections at a time; more are told to try again.
    idle_s : float
        A connection that says nothing for so long is closed [s].
    uid : int, optional
        Who may call, apart from root; default: the process's own user.
    """

    def __init__(
        self,
        path: Path,
        handlers: Mapping[str, Handler],
        *,
        clients: int = 8,
        idle_s: float = 60.0,
        uid: int | None = None,
    ) -> None:
        self._path = path
        self._handlers = dict(handlers)
        self._idle_s = idle_s
        self._uid = os.getuid() if uid is None else uid
        self._slots = threading.BoundedSemaphore(clients)
        self._clients: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self._wake: tuple[socket.socket, socket.socket] | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen.

        Raises
        ------
        ConsoleError
            The folder is missing or open to others, or something that is no socket is in the way.
        """
        listener = _listen(self._path)
        self._listener, self._wake = listener, socket.socketpair()
        self._thread = threading.Thread(
            target=self._accept, args=(listener, self._wake[1]), name="console", daemon=True
        )
        self._thread.start()

    def stop(self, timeout_s: float = 2.0) -> None:
        """Stop listening, close all connections and remove the socket. Stopping twice is no error."""
        listener, self._listener = self._listener, None
        if listener is None or self._wake is None or self._thread is None:
            return
        self._wake[0].send(b"x")
        self._thread.join(timeout_s)
        listener.close()
        with suppress(OSError):
            self._path.unlink()
        with self._lock:
            for client in self._clients:
                with suppress(OSError):
                    client.shutdown(socket.SHUT_RDWR)
        for end in self._wake:
            end.close()

    def __enter__(self) -> ConsoleServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # --- connections ------------------------------------------------------------------------------------------
    def _accept(self, listener: socket.socket, woken: socket.socket) -> None:
        while True:
            ready, _, _ = select.select([listener, woken], [], [])
            if woken in ready:
                return
            try:
                client, _ = listener.accept()
            except OSError as error:  # out of descriptors, or the caller has gone already
                log.warning("console.accept_failed", reason=str(error))
                if select.select([woken], [], [], 0.1)[0]:
                    return
                continue
            self._admit(client)

    def _admit(self, client: socket.socket) -> None:
        client.settimeout(self._idle_s)
        uid = _UCRED.unpack(client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))[1]
        if uid not in (self._uid, 0):
            log.warning("console.stranger_refused", uid=uid)
            client.close()
            return
        if not self._slots.acquire(blocking=False):
            with suppress(OSError):
                client.sendall(line(_error(None, REFUSED, "the console has its hands full", "try again in a moment")))
            client.close()
            return
        with self._lock:
            self._clients.add(client)
        threading.Thread(target=self._serve, args=(client,), name="console client", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        lines = Lines(client, REQUEST_LIMIT_BYTES)
        try:
            while (request := lines.next()) is not None:
                answer = self.answer(request)
                if answer is not None:
                    client.sendall(answer)
        except TooLongError:
            with suppress(OSError):
                client.sendall(
                    line(_error(None, INVALID_REQUEST, f"a request has at most {REQUEST_LIMIT_BYTES} bytes"))
                )
        except OSError:
            pass  # idle for too long, gone, or we are stopping
        finally:
            with self._lock:
                self._clients.discard(client)
            client.close()
            self._slots.release()

    # --- calls ------------------------------------------------------------------------------------------------
    def answer(self, request: bytes) -> bytes | None:
        """The line that answers one request line; None for a notification."""
        try:
            call = json.loads(request)
        except (ValueError, RecursionError):
            return line(_error(None, PARSE_ERROR, "not JSON"))
        if not isinstance(call, dict):
            return line(_error(None, INVALID_REQUEST, "one call per line, as a JSON object"))
        answer = self._call(call)
        if "id" not in call and "error" not in answer:
            return None  # a notification; one that went wrong is told all the same
        try:
            sent = line(answer)
        except (TypeError, ValueError, RecursionError) as error:
            log.error("console.answer_unsendable", method=str(call.get("method"))[:100], reason=str(error))
            sent = line(_error(_id(call), INTERNAL_ERROR, "the answer cannot be sent"))
        if len(sent) > ANSWER_LIMIT_BYTES:
            sent = line(_error(_id(call), INTERNAL_ERROR, f"the answer has {len(sent)} bytes, too many to send"))
        return sent

    def _call(self, call: dict[str, Any]) -> dict[str, object]:
        method, params = call.get("method"), call.get("params", {})
        if call.get("jsonrpc") != "2.0" or not isinstance(method, str) or not isinstance(call.get("id", 0), (int, str)):
            return _error(
                _id(call), INVALID_REQUEST, 'a call is {"jsonrpc": "2.0", "id": 1, "method": "ps", "params": {}}'
            )
        handler = self._handlers.get(method)
        if handler is None:
            return _error(
                _id(call),
                UNKNOWN_METHOD,
                f"no method {method[:100]!r}",
                f"there are {', '.join(sorted(self._handlers))}",
            )
        if not isinstance(params, dict):
            return _error(_id(call), INVALID_PARAMS, "params are named values: a JSON object")
        try:
            result = handler(params)
        except PemsError as error:
            return _error(_id(call), REFUSED, error.problem, error.hint)
        except Exception as error:
            log.exception("console.handler_failed", method=method)
            return _error(_id(call), INTERNAL_ERROR, f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")
        return {"jsonrpc": "2.0", "id": _id(call), "result": result}


def _id(call: Mapping[str, Any]) -> int | str | None:
    value = call.get("id")
    return value if isinstance(value, (int, str)) else None


def _error(call_id: int | str | None, code: int, message: str, hint: str | None = None) -> dict[str, object]:
    error: dict[str, object] = {"code": code, "message": message}
    if hint:
        error["data"] = {"hint": hint}
    return {"jsonrpc": "2.0", "id": call_id, "error": error}


def _listen(path: Path) -> socket.socket:
    folder = path.parent
    try:
        status = folder.stat()
    except OSError as error:
        raise ConsoleError(f"{folder}: {error.strerror or error}", hint="choose another --state") from error
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ConsoleError(
            f"{folder}: mode {stat.S_IMODE(status.st_mode):04o} lets others write in the state folder",
            hint=f"chmod 700 {folder}, or choose another --state",
        )
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise ConsoleError(f"{path}: is in the way and is no socket", hint="move it away")
        path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with reachable(path) as name:
            listener.bind(name)
        path.chmod(0o600)  # before listen: nobody can have connected by then
        listener.listen(16)
    except OSError as error:
        listener.close()
        raise ConsoleError(f"{path}: {error.strerror or error}", hint="choose another --state") from error
    return listener
