"""The core's side of a worker process: spawn, talk in frames on a thread of its own, kill, reap."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from actors.runtime.codec import Codec
from actors.runtime.errors import CodecError, WorkerError
from actors.runtime.frames import Unpacker, pack

if TYPE_CHECKING:
    from actors.runtime.ports import WorkerHost


class ProcessWorker:
    """A spawned process that calls `serve`; it lives in a session of its own, so Ctrl-C does not reach it.

    Parameters
    ----------
    command : sequence of str
        What to run; `--fd N` is added.
    codec : Codec
        The same as on the other side.
    nice : int
        Added to the process's niceness.
    env : mapping, optional
        Variables set in addition to this process's own.
    log_path : Path, optional
        File to which its standard output and error are appended; None: they are dropped.
    grace_s : float
        How long an orderly end may take before it is killed [s, real].
    """

    def __init__(
        self,
        command: Sequence[str],
        codec: Codec,
        nice: int = 0,
        env: Mapping[str, str] | None = None,
        *,
        log_path: Path | None = None,
        grace_s: float = 2.0,
    ) -> None:
        self._command = list(command)
        self._codec = codec
        self._nice = nice
        self._env = env
        self._log_path = log_path
        self._grace_s = grace_s
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None
        self._out: deque[bytes] = deque()
        self._closing = False
        self._killed = False

    @property
    def pid(self) -> int | None:
        """Process id while it lives."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    def start(self, host: WorkerHost) -> None:
        """Spawn it.

        Raises
        ------
        WorkerError
            The system does not let us.
        """
        ours, theirs = socket.socketpair()
        self._wake, wake = socket.socketpair()
        try:
            self._process = self._spawn(theirs.fileno())
        except OSError as error:
            for end in (ours, self._wake, wake):
                end.close()
            raise WorkerError(f"{self._command[0]} cannot be started: {error}") from error
        finally:
            theirs.close()
        if self._nice:
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, self._process.pid, self._nice)
        self._thread = threading.Thread(
            target=self._talk, args=(ours, wake, host), name=f"worker {self._process.pid}", daemon=True
        )
        self._thread.start()

    def _spawn(self, fd: int) -> subprocess.Popen[bytes]:
        log: int = subprocess.DEVNULL
        opened = None
        if self._log_path is not None:
            self._log_path.parent.mkdir(parents=True, exist_ok=True)
            log = opened = os.open(self._log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            return subprocess.Popen(
                [*self._command, "--fd", str(fd)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(fd,),
                start_new_session=True,
                env={**os.environ, **self._env} if self._env is not None else None,
            )
        finally:
            if opened is not None:
                os.close(opened)

    def submit(self, serial: int, method: str, body: object) -> None:
        """Hand over a call; the result comes through the host. Does not block.

        Raises
        ------
        CodecError, WorkerError
            The body cannot travel.
        """
        self._out.append(pack({"id": serial, "method": method}, self._codec.encode(body)))
        self._nudge()

    def kill(self) -> None:
        """End it at once, with its children."""
        process = self._process
        self._killed = True
        if process is not None and process.poll() is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)

    def close(self) -> None:
        """Let it finish and go; kill it if that takes longer than its grace."""
        self._closing = True
        self._nudge()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(self._grace_s)
            if self._thread.is_alive():
                self.kill()
                self._thread.join(1.0)

    def _nudge(self) -> None:
        with contextlib.suppress(OSError):
            self._wake.send(b"x", socket.MSG_DONTWAIT)

    # -- the thread that talks -------------------------------------------------------------------------------------

    def _talk(self, channel: socket.socket, wake: socket.socket, host: WorkerHost) -> None:
        why = ""
        try:
            why = self._exchange(channel, wake, host)
        finally:
            channel.close()
            wake.close()
            self._wake.close()
            host.lost(self._reap(why))

    def _exchange(self, channel: socket.socket, wake: socket.socket, host: WorkerHost) -> str:
        channel.setblocking(False)
        unpacker = Unpacker()
        pending = memoryview(b"")
        poller = select.poll()
        poller.register(wake, select.POLLIN)
        half_closed = False
        while True:
            if not pending and self._out:
                pending = memoryview(self._out.popleft())
            if self._closing and not pending and not self._out and not half_closed:
                half_closed = True
                with contextlib.suppress(OSError):
                    channel.shutdown(socket.SHUT_WR)
            poller.register(channel, select.POLLIN | (select.POLLOUT if pending else 0))
            events = dict(poller.poll())
            if wake.fileno() in events:
                wake.recv(4096)
            try:
                if events.get(channel.fileno(), 0) & select.POLLOUT:
                    pending = pending[channel.send(pending) :]
                if events.get(channel.fileno(), 0) & ~select.POLLOUT:
                    data = channel.recv(1 << 18)
                    if not data:
                        return ""
                    for head, body in unpacker.feed(data):
                        self._deliver(head, body, host)
            except BlockingIOError:
                continue
            except OSError:
                return ""  # it has gone; how, its exit code tells better
            except (WorkerError, CodecError) as error:
                self.kill()
                return f"it does not keep the protocol: {error}"

    def _deliver(self, head: dict[str, object], body: bytes, host: WorkerHost) -> None:
        serial = head.get("id")
        if not isinstance(serial, int):
            raise WorkerError(f"an answer has the id {serial!r}")
        if head.get("ok") is True:
            host.result(serial, self._codec.decode(body))
        else:
            host.error(serial, str(head.get("error", "no reason given")))

    def _reap(self, why: str) -> str:
        process = self._process
        assert process is not None
        try:
            code = process.wait(self._grace_s)
        except subprocess.TimeoutExpired:
            self.kill()
            code = process.wait()
        if why:
            return why
        if code < 0:
            name = signal.Signals(-code).name if -code in signal.Signals._value2member_map_ else str(-code)
            return f"killed by {name}"
        return f"exit code {code}"
