"""A front on loopback, and a peer that speaks bytes."""

import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Sequence
from typing import Any

import attrs
import trio
from trio.testing import wait_all_tasks_blocked

from unifyport.front.connections import Connections
from unifyport.front.exchange import Exchange, Handler
from unifyport.front.limits import LIMITS, Limits
from unifyport.front.listener import Listener
from unifyport.front.lobby import Refuse
from unifyport.front.tls import Certificate
from unifyport.net.guard import Network

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
RESET = struct.pack("ii", 1, 0)


def post(body: bytes, more: bytes = b"") -> bytes:
    return b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n%b\r\n%b" % (len(body), more, body)


@attrs.define
class Answer:
    status: int
    fields: dict[str, str]
    body: bytes


class Peer:
    """One connection to a front."""

    def __init__(self, stream: trio.SocketStream | trio.SSLStream) -> None:
        self.stream = stream
        self._buffer = bytearray()

    @property
    def socket(self) -> trio.socket.SocketType:
        return (
            self.stream.transport_stream if isinstance(self.stream, trio.SSLStream) else self.stream
        ).socket

    async def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            await self.stream.send_all(piece)

    async def half_close(self) -> None:
        await self.stream.send_eof()

    def reset(self) -> None:
        """Close with RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.socket.close()

    async def until(self, end: bytes) -> bytes:
        """What comes, up to and with `end`; it fails when the connection ends before."""
        while (at := self._buffer.find(end)) < 0:
            await self._more()
        return self._take(at + len(end))

    async def exactly(self, count: int) -> bytes:
        while len(self._buffer) < count:
            await self._more()
        return self._take(count)

    async def rest(self) -> bytes:
        """Everything until the connection ends in order."""
        while piece := await self.stream.receive_some(65536):
            self._buffer += piece
        return self._take(len(self._buffer))

    async def _more(self) -> None:
        piece = await self.stream.receive_some(65536)
        assert piece, f"the connection ended with {bytes(self._buffer[-200:])!r}"
        self._buffer += piece

    def _take(self, count: int) -> bytes:
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    async def head(self) -> tuple[int, dict[str, str]]:
        first, *lines = (await self.until(b"\r\n\r\n")).decode("latin-1").split("\r\n")[:-2]
        fields = dict(line.split(": ", 1) for line in lines)
        assert len(fields) == len(lines), lines
        return int(first.split(" ")[1]), fields

    async def answer(self) -> Answer:
        """The next answer, whose length is told."""
        status, fields = await self.head()
        return Answer(status, fields, await self.exactly(int(fields.get("content-length", "0"))))

    async def cut_off(self) -> bool:
        """Wait for the end: whether the connection ended by a reset."""
        try:
            await self.rest()
        except trio.BrokenResourceError:
            return True
        return False


@attrs.define
class Front:
    listener: Listener
    connections: Connections
    address: Any
    stop: trio.Event = attrs.field(factory=trio.Event)
    stopped: trio.Event = attrs.field(factory=trio.Event)

    async def connect(self, source: str | None = None) -> Peer:
        if source is None:
            return Peer(await trio.open_tcp_stream(*self.address))
        return Peer(await trio.open_tcp_stream(*self.address, local_address=source))

    async def count(self, expected: int) -> None:
        """Wait until there are so many connections."""
        while len(self.connections) != expected:
            await wait_all_tasks_blocked(0.001)

    async def works(self) -> bool:
        """Whether a new connection is answered."""
        peer = await self.connect()
        async with peer.stream:
            await peer.send(b"GET /works HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            return (await peer.rest()).startswith(b"HTTP/1.1 ")


@contextlib.asynccontextmanager
async def front(
    handler: Handler,
    *,
    most: int = 100,
    limits: Limits = LIMITS,
    certificate: Certificate | None = None,
    trusted: Sequence[Network] = (),
    proxy_protocol: bool = False,
    refuse: Refuse | None = None,
) -> AsyncIterator[Front]:
    connections = Connections(lambda: most)
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listening:
        listener = Listener(
            listening,
            handler,
            connections,
            certificate=certificate,
            limits=limits,
            trusted=trusted,
            proxy_protocol=proxy_protocol,
            refuse=refuse,
        )
        made = Front(listener, connections, listening.getsockname())

        async def serve() -> None:
            await listener.serve(made.stop.wait)
            made.stopped.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(connections.run)
            nursery.start_soon(serve)
            yield made
            nursery.cancel_scope.cancel()


async def read_all(exchange: Exchange) -> bytes:
    body = b""
    while piece := await exchange.read():
        body += piece
    return body


async def echo(exchange: Exchange) -> None:
    """Answer with the method, the path and the body."""
    body = await read_all(exchange)
    await exchange.respond(
        200, [(b"x-made", b"by-test")], b"%b %b " % (exchange.method.encode(), exchange.path) + body
    )


async def settle(seconds: float = 0.01) -> None:
    """Wait until the front has nothing to do but wait."""
    await wait_all_tasks_blocked(seconds)
