"""One TCP connection of a client to a data centre: the key exchange, then packets of its sessions.

What is to be sent is collected in the sessions; one task writes it, so that their order is the wire's.
"""

import time
from typing import TYPE_CHECKING

import trio

from unifyport.protocols.mtproto.encryption import is_plain, open_plain, seal_plain
from unifyport.protocols.mtproto.errors import MTProtoError
from unifyport.protocols.mtproto.server_exchange import ServerExchange
from unifyport.protocols.mtproto.transports import ServerTransport

from ...sockets import Connection
from .authorizations import Authorization, Session

if TYPE_CHECKING:
    from .server import Centre

_NO_KEY = 404
_CHUNK = 65_536
_LAST_SECONDS = 5  # for what is written last


class Link:
    """`closing`: set to end the connection, after what is written."""

    def __init__(self, centre: "Centre", connection: Connection) -> None:
        self._centre = centre
        self._connection = connection
        self._transport = ServerTransport()
        self._exchange: ServerExchange | None = None
        self._sessions: list[Session] = []
        self._packets: list[bytes] = []  # outside of sessions
        self._news = trio.Event()
        self._closing = False
        self._last_plain_id = 0
        self.peer = connection.peer

    @property
    def now(self) -> float:
        """The server's clock, in seconds of the epoch."""
        return time.time() + self._centre.server.skew

    def wake(self) -> None:
        """There is something to write."""
        self._news.set()

    def write(self, packet: bytes) -> None:
        """Send this packet, which is of no session, or which a session would not send."""
        self._packets.append(packet)
        self.wake()

    def close(self) -> None:
        self._closing = True
        self.wake()

    def cut(self) -> None:
        """Reset the connection; what was not written stays unwritten."""
        self._leave()
        self._connection.reset()

    async def run(self) -> None:
        """Serve the connection until it ends."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write)
                await self._read()
                if not self._closing:
                    nursery.cancel_scope.cancel()
                nursery.cancel_scope.deadline = trio.current_time() + _LAST_SECONDS
        finally:
            self._leave()

    def _leave(self) -> None:
        for session in self._sessions:
            if session.link is self:
                session.link = None

    async def _read(self) -> None:
        while not self._closing:
            data = await self._connection.stream.receive_some(_CHUNK)
            if not data:
                return
            try:
                for packet in self._transport.receive(data):
                    self._take(packet)
            except MTProtoError:
                return  # the server closes the connection of a client that breaks the protocol
            self.wake()

    async def _write(self) -> None:
        while True:
            await self._news.wait()
            self._news = trio.Event()
            if self._centre.server.noise.silent:
                continue
            now = self.now
            packets, self._packets = self._packets, []
            for session in self._sessions:
                packets += self._centre.server.noise.lose(session.protocol.flush(now))
            for packet in packets:
                await self._connection.send(self._transport.send(packet))
            if self._closing:
                await self._connection.stream.aclose()
                return

    def _take(self, packet: bytes) -> None:
        now = self.now
        if is_plain(packet):
            self._exchange_keys(packet, now)
            return
        authorization = self._centre.authorizations.get(packet[:8])
        if authorization is None:
            self._fail(_NO_KEY)
            return
        session = authorization.session_of(packet)
        if session.link is not self:
            session.link = self
            self._sessions.append(session)
            session.protocol.reconnect()
        for called in session.protocol.receive(packet, now):
            self._centre.answer(session, called)

    def _exchange_keys(self, packet: bytes, now: float) -> None:
        _, body = open_plain(packet)
        if self._exchange is None or self._exchange.key is not None:
            self._exchange = ServerExchange(self._centre.server.private_key)
        answer = self._exchange.receive(body, now)
        self._last_plain_id = max(self._last_plain_id + 4, (int(now * 2**32) & ~3) | 1)
        self.write(seal_plain(self._last_plain_id, answer))
        if (key := self._exchange.key) is not None:
            made = Authorization(key, self._centre.dc, self._exchange.salt)
            self._centre.authorizations[key.id] = made

    def _fail(self, code: int) -> None:
        self.write((-code).to_bytes(4, "little", signed=True))
        self.close()
