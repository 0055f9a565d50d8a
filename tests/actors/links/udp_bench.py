"""A network without a network: a fake socket, and a Miniserver's twin at its other end on virtual time."""

from __future__ import annotations

from collections.abc import Callable

from actors.links.loxone_udp import LoxoneUdp, OpenSocket
from actors.links.udp_socket import Datagram, DatagramSocket
from actors.messages import Tick
from actors.runtime import Behaviour
from models.errors import LinkError
from models.twins.loxone_udp import LoxoneUdpTwin
from models.types.loxone import Loxone

HOST = "192.168.1.77"


def settings(**changes: object) -> Loxone:
    """Loxone by UDP; values end after 15 s, so that a summary comes every 5 s."""
    table = {"via": "udp", "udp_host": HOST, "udp_listen_address": "192.168.1.5", "udp_max_age_s": 15.0, **changes}
    return Loxone.model_validate(table)


class FakeSocket:
    """Remembers what is sent; hears what the test says."""

    def __init__(self, network: Network, wake: Callable[[], object]) -> None:
        self._network, self._wake = network, wake
        self.closed, self.failure, self.dropped = False, "", 0
        self._waiting: list[Datagram] = []

    def send(self, payload: bytes) -> None:
        if self._network.refusal:
            raise OSError(101, self._network.refusal)
        self._network.sent.append(payload)
        self._network.reached(payload)

    def take(self, most: int) -> list[Datagram]:
        taken, self._waiting = self._waiting[:most], self._waiting[most:]
        return taken

    def arrive(self, payload: bytes, source: str = HOST) -> None:
        self._waiting.append(Datagram(payload, source))
        self._wake()

    def close(self) -> None:
        self.closed = True


class Network:
    """Where sockets come from."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.sockets: list[FakeSocket] = []
        self.refusal = ""  # why sending fails
        self.taken = ""  # why no socket can be had
        self.reached: Callable[[bytes], None] = lambda _: None

    def open(self, wake: Callable[[], object], owned: Callable[[], bool]) -> DatagramSocket:
        if self.taken:
            raise LinkError(self.taken)
        self.sockets.append(FakeSocket(self, wake))
        return self.sockets[-1]

    @property
    def socket(self) -> FakeSocket:
        return self.sockets[-1]

    def link(self, rooms: tuple[str, ...], loxone: Loxone | None = None) -> Callable[[], LoxoneUdp]:
        opener: OpenSocket = self.open
        return lambda: LoxoneUdp(rooms, loxone or settings(), tick_s=1.0, open_socket=opener)


class Miniserver(Behaviour):
    """The twin's clock: every second it lives on and sends what it has to say."""

    def __init__(self, twin: LoxoneUdpTwin, network: Network) -> None:
        self._twin, self._network = twin, network

    def on_start(self) -> None:
        self._network.reached = lambda datagram: self._twin.receive(datagram, self.ctx.clock.now())
        self.ctx.every(1.0, Tick(name="live"), name="live")

    def handle(self, message: object) -> None:
        _, datagrams = self._twin.advance(self.ctx.clock.now())
        for datagram in datagrams:
            if self._network.sockets:
                self._network.socket.arrive(datagram)
