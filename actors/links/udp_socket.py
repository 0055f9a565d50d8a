"""A UDP socket with a thread that listens, so that an actor never waits for the network."""

from __future__ import annotations

import select
import socket
import sys
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from models.errors import LinkError

DATAGRAM_LIMIT = 2048  # bytes; the Miniserver sends at most some hundred
WAITING_LIMIT = 4000  # datagrams; what comes on top of that is dropped and counted
BATCH = 64  # datagrams that are read before the owner is woken
BUFFER_BYTES = 1 << 20  # asked of the kernel, which may give less
SO_RXQ_OVFL = 40  # Linux: each datagram tells how many the kernel had to drop before it
NOTES_BYTES = socket.CMSG_SPACE(4)
LOOK_S = 1.0  # how often the thread looks whether its owner still lives


@dataclass(frozen=True, slots=True)
class Datagram:
    """What arrived. A payload of more than `DATAGRAM_LIMIT` bytes is cut off just above it."""

    payload: bytes
    source: str  # address of the sender


class DatagramSocket(Protocol):
    """What a link needs of a socket."""

    def send(self, payload: bytes) -> None:
        """Hand one datagram to the network; OSError if it is not taken now."""

    def take(self, most: int) -> list[Datagram]:
        """What has arrived since, oldest first, at most that many."""

    @property
    def failure(self) -> str:
        """Why it hears nothing any more; empty while it does."""

    @property
    def dropped(self) -> int:
        """Datagrams that came while too many were waiting, here or in the kernel."""

    def close(self) -> None:
        """Let go of it; may be called twice."""


class UdpSocket:
    """A bound UDP socket that sends to one peer and hears everybody.

    Parameters
    ----------
    listen, peer : (address, port)
        IPv4. `peer` is where `send` sends to.
    wake : callable
        Called on the listening thread when something arrived or the socket failed.
    owned : callable
        False when the owner is gone without a word: the socket closes itself, so that the next one can have its port.

    Raises
    ------
    LinkError
        The address cannot be had; names the settings.
    """

    def __init__(
        self,
        listen: tuple[str, int],
        peer: tuple[str, int],
        *,
        wake: Callable[[], object],
        owned: Callable[[], bool],
    ) -> None:
        self._peer, self._wake, self._owned = peer, wake, owned
        self._waiting: deque[Datagram] = deque()
        self._lock = threading.Lock()
        self._failure = ""
        self._dropped = self._overflowed = 0
        self._closing = False
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.bind(listen)
        except OSError as error:
            self._socket.close()
            raise LinkError(
                f"loxone.udp_listen_address {listen[0]}, udp_listen_port {listen[1]}: {error.strerror or error}",
                hint="is it this computer's address, and does no other program listen there?",
            ) from error
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        if sys.platform == "linux":
            self._socket.setsockopt(socket.SOL_SOCKET, SO_RXQ_OVFL, 1)
        self._stop, self._stopper = socket.socketpair()
        self._thread = threading.Thread(target=self._listen, name=f"udp-{listen[1]}", daemon=True)
        self._thread.start()

    def send(self, payload: bytes) -> None:
        """Hand one datagram to the network; OSError if it is not taken now (it is never waited for)."""
        self._socket.sendto(payload, self._peer)

    def take(self, most: int) -> list[Datagram]:
        """What has arrived since, oldest first, at most that many."""
        with self._lock:
            return [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]

    @property
    def failure(self) -> str:
        """Why it hears nothing any more; empty while it does."""
        return self._failure

    @property
    def dropped(self) -> int:
        """Datagrams that came while too many were waiting, here or in the kernel."""
        return self._dropped + self._overflowed

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._socket.getsockname()[1])

    def close(self) -> None:
        """Let go of the port; may be called twice."""
        if self._closing:
            return
        self._closing = True
        self._stopper.close()  # wakes the thread
        if self._thread is not threading.current_thread():
            self._thread.join(LOOK_S)

    def _listen(self) -> None:
        try:
            while self._owned():
                ready, _, _ = select.select([self._socket, self._stop], [], [], LOOK_S)
                if self._stop in ready:
                    break
                if ready and self._receive():
                    self._wake()
        except OSError as error:
            self._failure = error.strerror or str(error)
            self._wake()
        finally:
            self._socket.close()
            self._stop.close()

    def _receive(self) -> bool:
        """Some datagrams, at most a batch: in a flood, too, the owner hears of them and closing is not put off."""
        found = False
        for _ in range(BATCH):
            try:
                payload, notes, _, address = self._socket.recvmsg(DATAGRAM_LIMIT + 1, NOTES_BYTES)
            except BlockingIOError:  # no more, or announced and then found damaged by the kernel
                break
            found = True
            for level, kind, data in notes:
                if (level, kind) == (socket.SOL_SOCKET, SO_RXQ_OVFL):
                    self._overflowed = int.from_bytes(data[:4], sys.byteorder)
            with self._lock:
                if len(self._waiting) >= WAITING_LIMIT:
                    self._dropped += 1
                else:
                    self._waiting.append(Datagram(payload, str(address[0])))
        return found
