"""Listening: connections are accepted, counted, opened (PROXY protocol, TLS) and served, each in a task."""

import contextlib
import errno
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from http import HTTPStatus

import trio
from trio.lowlevel import wait_readable

from unifyport.net.guard import Network

from .connection import Connection, refusal
from .connections import Connections, Phase, peer_of
from .exchange import Disconnected, Handler
from .forwarded import is_trusted
from .limits import LIMITS, Limits
from .lobby import Lobby, Refuse
from .proxy_protocol import ProxyHeaderError, read_client
from .tls import Certificate
from .transports import SocketTransport, TlsTransport, Transport, receive_hello

log = logging.getLogger("unifyport.front")

ACCEPTS = 64  # in one turn of the loop
_ACCEPTS_IN_A_CROWD = 256  # into the lobby: one costs little
_FULL = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
_FULL_PAUSE = 0.05
_FULL_TURNS = 4  # of accepting, one after another, that make a crowd


class Listener:
    """One listening socket, and what its connections share.

    `trusted`: proxies whose reports of the client are believed. `proxy_protocol`: each connection begins with
    a PROXY header, and comes from one of them. `refuse`: the answer to a request that the application does
    not look at, by its head; with it there is a lobby, unless connections begin with something else.
    """

    def __init__(
        self,
        listening: socket.socket,
        handler: Handler,
        connections: Connections,
        *,
        certificate: Certificate | None = None,
        trusted: Sequence[Network] = (),
        proxy_protocol: bool = False,
        refuse: Refuse | None = None,
        limits: Limits = LIMITS,
    ) -> None:
        listening.setblocking(False)
        self._socket = listening
        self._local = listening.family == socket.AF_UNIX
        if not self._local and hasattr(socket, "TCP_NOTSENT_LOWAT"):  # connections inherit it
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, limits.unsent_bytes)
        self._certificate = certificate
        self._proxy_protocol = proxy_protocol
        self._refuse = None if certificate is not None or proxy_protocol else refuse
        self._lobby: Lobby | None = None  # while it serves
        self._open: set[Connection] = set()
        self.handler = handler
        self.connections = connections
        self.limits = limits
        self.trusted = trusted
        self.scheme = "http" if certificate is None else "https"
        self.stopping = False

    async def serve(self, until: Callable[[], Awaitable[None]]) -> None:
        """Serve until `until` returns; then requests in work have `stop_seconds` to be answered."""
        async with trio.open_nursery() as serving:
            with _spare_descriptor() as spare:
                async with trio.open_nursery() as accepting:
                    if self._refuse is not None:
                        self._lobby = self._open_lobby(self._refuse, serving)
                        accepting.start_soon(self._lobby.run)
                    accepting.start_soon(self._accept, serving, spare)
                    await until()
                    accepting.cancel_scope.cancel()
            self.stopping = True
            for connection in list(self._open):
                if connection.phase in (Phase.IDLE, Phase.HEAD):
                    connection.close()
            serving.cancel_scope.deadline = trio.current_time() + self.limits.stop_seconds

    # -- accepting -------------------------------------------------------------------------------------------

    async def _accept(self, serving: trio.Nursery, spare: "_Spare") -> None:
        full_turns = 0
        while True:
            await wait_readable(self._socket)
            try:
                lobby = self._lobby if self.connections.crowded else None
                for _ in range(ACCEPTS if lobby is None else _ACCEPTS_IN_A_CROWD):
                    self._begin(*self._socket.accept(), serving, lobby)
                full_turns += 1
                if full_turns >= _FULL_TURNS:
                    self.connections.note_crowd()
            except BlockingIOError:
                full_turns = 0
            except OSError as error:
                if error.errno in _FULL:  # by others: the front keeps to its part
                    spare.refuse_one(self._socket, self.connections.date)
                    self.connections.refused += 1
                    await trio.sleep(_FULL_PAUSE)

    def _begin(
        self, accepted: socket.socket, address: object, serving: trio.Nursery, lobby: Lobby | None
    ) -> None:
        accepted.setblocking(False)
        client = str(address[0]) if isinstance(address, tuple) else None
        trusted = self.trusts(client)
        if self._proxy_protocol and not trusted:
            accepted.close()
            return
        peer = None if trusted else peer_of(client)
        if not self.connections.make_room(peer):
            _turn_away(accepted, self.connections.date)
            return
        if not self._local:
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if lobby is not None:
            try:
                lobby.enter(accepted, client, peer)
            except OSError:  # the kernel watches no more sockets
                _turn_away(accepted, self.connections.date)
                self.connections.refused += 1
            return
        connection = Connection(self, SocketTransport(accepted), client, peer)
        self._open.add(connection)
        self.connections.add(connection)
        opens = self._certificate is not None or self._proxy_protocol
        serving.start_soon(connection.run, self._opener(accepted) if opens else None)

    def _open_lobby(self, refuse: Refuse, serving: trio.Nursery) -> Lobby:
        def go_on(accepted: socket.socket, client: str | None, peer: str | None, first: bytes) -> None:
            connection = Connection(self, SocketTransport(accepted), client, peer, first)
            self._open.add(connection)
            self.connections.add(connection)
            serving.start_soon(connection.run, None)

        return Lobby(self.connections, self.limits, refuse, go_on)

    def _opener(self, accepted: socket.socket) -> Callable[[Connection], Awaitable[Transport]]:
        async def open_transport(connection: Connection) -> Transport:
            plain = SocketTransport(accepted)
            if self._proxy_protocol:
                try:
                    connection.introduce(await read_client(plain.receive))
                except ProxyHeaderError as error:
                    log.warning("a proxy did not introduce its client: %s", error)
                    raise Disconnected from None
            return plain if self._certificate is None else await self._shake_hands(plain)

        return open_transport

    async def _shake_hands(self, plain: SocketTransport) -> Transport:
        assert self._certificate is not None
        try:
            hello = await receive_hello(plain)  # a peer that sends none costs no TLS state
            secured = TlsTransport(plain, self._certificate.context, hello)
            await secured.shake_hands()
        except Disconnected:
            self.connections.failed_handshakes += 1
            raise
        return secured

    # -- for its connections ---------------------------------------------------------------------------------

    def trusts(self, address: str | None) -> bool:
        """Whether a peer is a trusted proxy."""
        return is_trusted(address, self.trusted)

    def ended(self, connection: Connection) -> None:
        self._open.discard(connection)
        self.connections.remove(connection)


async def serve_alone(
    listening: socket.socket,
    handler: Handler,
    *,
    most: int,
    certificate: Certificate | None = None,
    limits: Limits = LIMITS,
) -> None:
    """Serve one socket with at most so many connections, until cancelled."""
    connections = Connections(lambda: most)
    listener = Listener(listening, handler, connections, certificate=certificate, limits=limits)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(connections.run)
        nursery.start_soon(listener.serve, trio.sleep_forever)


class _Spare:
    """A descriptor that is given up for the moment in which a connection is accepted and refused."""

    def __init__(self) -> None:
        self._number = os.open(os.devnull, os.O_RDONLY)

    def refuse_one(self, listening: socket.socket, date: bytes) -> None:
        self.close()
        try:
            with contextlib.suppress(OSError):
                _turn_away(listening.accept()[0], date)
        finally:
            with contextlib.suppress(OSError):
                self._number = os.open(os.devnull, os.O_RDONLY)

    def close(self) -> None:
        if self._number >= 0:
            os.close(self._number)
            self._number = -1


@contextlib.contextmanager
def _spare_descriptor() -> Iterator[_Spare]:
    spare = _Spare()
    try:
        yield spare
    finally:
        spare.close()


def _turn_away(accepted: socket.socket, date: bytes) -> None:
    """Answer 503 as far as that goes at once, and close."""
    accepted.setblocking(False)
    with contextlib.suppress(OSError):
        accepted.send(refusal(HTTPStatus.SERVICE_UNAVAILABLE, date))
    accepted.close()
