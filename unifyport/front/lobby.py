"""The lobby: where new connections wait for their first request in a crowd.

A task for each connection costs several times as much as a short answer. While connections come faster than
they are accepted, a new one gets its task when its first request has come and is to be looked at. A request
that the application refuses by its head alone is answered here, and its connection ends.
"""

import contextlib
import select
import socket
from collections.abc import Callable, Iterable

import attrs
import trio

from .connections import Connections, Phase
from .http1 import Head, RequestError, RequestReader, encode_head
from .limits import Limits

AT_ONCE = 256  # connections that are looked at in one turn of the loop
SERVED_AT_ONCE = 64  # of them get a task; then the application sees them before more of them do
_NEVER = float("inf")


@attrs.frozen
class Refusal:
    """An answer that needed no more than the head of its request."""

    status: int
    fields: Iterable[tuple[bytes, bytes]]
    body: bytes


Refuse = Callable[[Head], Refusal | None]
GoOn = Callable[[socket.socket, str | None, str | None, bytes], None]


class _Guest:
    """A member of `Connections` that has sent nothing yet."""

    __slots__ = ("_leave", "client", "deadline", "peer", "phase", "since", "socket")

    def __init__(
        self, accepted: socket.socket, client: str | None, peer: str | None, leave: Callable[["_Guest"], None]
    ) -> None:
        self.socket = accepted
        self.client, self.peer = client, peer
        self.phase = Phase.IDLE
        self.since = trio.current_time()
        self.deadline = _NEVER
        self._leave = leave

    def fileno(self) -> int:
        return self.socket.fileno()

    @property
    def body_rate(self) -> float:
        return _NEVER

    def overdue(self) -> None:
        self.close()

    def peer_closed(self, gone: bool) -> None:
        """Not asked of connections without a request."""

    def close(self) -> None:
        self._leave(self)
        self.socket.close()


class Lobby:
    """`refuse`: the answer to a request that is not looked at, or None. `go_on`: serve a connection whose
    first bytes are given, in a task; it gets the socket, the client and the peer as `Connection` has them.
    """

    def __init__(self, connections: Connections, limits: Limits, refuse: Refuse, go_on: GoOn) -> None:
        self._connections = connections
        self._limits = limits
        self._refuse = refuse
        self._go_on = go_on
        self._epoll = select.epoll()
        self._guests: dict[int, _Guest] = {}

    def enter(self, accepted: socket.socket, client: str | None, peer: str | None) -> None:
        """Raises `OSError` if the kernel watches no more sockets; then nothing has happened."""
        self._epoll.register(accepted, select.EPOLLIN)
        guest = _Guest(accepted, client, peer, self._leave)
        guest.deadline = guest.since + self._limits.head_seconds
        self._guests[accepted.fileno()] = guest
        self._connections.add(guest)

    async def run(self) -> None:
        """Look after the guests until cancelled; then they are closed."""
        try:
            while True:
                await trio.lowlevel.wait_readable(self._epoll.fileno())
                if len(self._guests) > AT_ONCE:
                    self._connections.note_crowd()
                served = 0
                for number, _ in self._epoll.poll(0, AT_ONCE):
                    if (guest := self._guests.get(number)) is not None:
                        served += self._look_at(guest)
                    if served >= SERVED_AT_ONCE:
                        break
        finally:
            for guest in list(self._guests.values()):
                guest.close()
            self._epoll.close()

    def _leave(self, guest: _Guest) -> None:
        number = guest.fileno()
        if self._guests.pop(number, None) is not None:
            self._epoll.unregister(number)
            self._connections.remove(guest)

    def _look_at(self, guest: _Guest) -> bool:
        """Whether the connection is served from now on."""
        try:
            data = guest.socket.recv(self._limits.read_bytes)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            guest.close()
        elif (answer := self._answer(data)) is not None:
            with contextlib.suppress(OSError):
                guest.socket.send(answer)
            guest.close()
        else:
            self._leave(guest)
            self._go_on(guest.socket, guest.client, guest.peer, data)
            return True
        return False

    def _answer(self, data: bytes) -> bytes | None:
        """The refusal of a request that has come whole, and alone: unread bytes would cut the answer off."""
        reader = RequestReader(self._limits)
        reader.feed(data)
        try:
            head = reader.next_head()
        except RequestError:
            return None
        if head is None or head.length != reader.buffered or head.method == "HEAD":
            return None
        refusal = self._refuse(head)
        if refusal is None:
            return None
        framing = self._connections.date + b"content-length: %d\r\nconnection: close\r\n" % len(refusal.body)
        return encode_head(refusal.status, refusal.fields, framing) + refusal.body
