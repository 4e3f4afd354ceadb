"""The exchange of our own front: a request that `http1.py` has read, and the bytes of its answer."""

from collections.abc import Iterable
from typing import Protocol

import trio

from .asgi import run_asgi
from .exchange import WITHOUT_BODY, AsgiApp, Scope
from .http1 import LAST_CHUNK, Fields, Head, encode_chunk, encode_head

_SENT_ALONE = 32 * 1024  # bytes; longer bodies are not copied to stand behind their head


class Link(Protocol):
    """What an exchange needs of its connection."""

    @property
    def date(self) -> bytes:
        """The line of the Date field."""

    @property
    def may_go_on(self) -> bool:
        """Whether another request can follow one that is answered now."""

    def reported(self, fields: Fields) -> tuple[str | None, str]:
        """(client, scheme), as trusted proxies report them."""

    async def read_body(self, *, expected: bool) -> bytes:
        """The next piece, empty at the end. `expected`: the peer waits to be told to send it."""

    def skip_buffered(self) -> None:
        """Take what has come of the body and was not asked for."""

    async def send(self, data: bytes) -> None:
        """Send all of it."""


class ConnectionExchange:
    """The exchange of our own front."""

    __slots__ = (
        "_chunked",
        "_connection",
        "_expected",
        "_gone",
        "_http_1_0",
        "_left",
        "fields",
        "finished",
        "keep_alive",
        "method",
        "path",
        "query",
        "started",
    )

    def __init__(self, connection: Link, head: Head) -> None:
        self.method = head.method
        self.path = head.path
        self.query = head.query
        self.fields = head.fields
        self.keep_alive = head.keep_alive
        self.started = self.finished = False
        self._connection = connection
        self._http_1_0 = head.http_1_0
        self._expected = head.expects_continue
        self._gone: trio.Event | None = None
        self._chunked = False
        self._left: int | None = None  # bytes of the answer's body, if it is not a stream

    @property
    def client(self) -> str | None:
        return self._connection.reported(self.fields)[0]

    @property
    def scheme(self) -> str:
        return self._connection.reported(self.fields)[1]

    async def read(self) -> bytes:
        expected, self._expected = self._expected and not self.started, False
        return await self._connection.read_body(expected=expected)

    async def respond(self, status: int, fields: Iterable[tuple[bytes, bytes]], body: bytes) -> None:
        connection = self._connection
        self._begin()
        self._left = len(body)
        framing = connection.date
        if status in WITHOUT_BODY:
            body = b""
        else:
            framing += b"content-length: %d\r\n" % len(body)
        head = encode_head(status, self._judge(fields), framing + self._connection_line())
        if self.method == "HEAD":
            body = b""
        if len(body) > _SENT_ALONE:
            await connection.send(head)
            await connection.send(body)
        else:
            await connection.send(head + body)
        self.finished = True

    async def start(self, status: int, fields: Iterable[tuple[bytes, bytes]]) -> None:
        known = self._judge(fields)
        self._begin()
        framing = self._connection.date
        length = next((value for name, value in known if name == b"content-length"), None)
        if status in WITHOUT_BODY:
            self._left = 0
        elif length is not None:
            self._left = int(length)
            framing += b"content-length: %d\r\n" % self._left
        elif self._http_1_0:
            self.keep_alive = False
        else:
            self._chunked = True
            framing += b"transfer-encoding: chunked\r\n"
        await self._connection.send(encode_head(status, known, framing + self._connection_line()))

    async def write(self, piece: bytes) -> None:
        if not piece or self.method == "HEAD":
            return
        if self._left is not None:
            if len(piece) > self._left:
                raise ValueError("the answer is longer than its Content-Length")
            self._left -= len(piece)
        await self._connection.send(encode_chunk(piece) if self._chunked else piece)

    async def finish(self) -> None:
        if self._chunked and self.method != "HEAD":
            await self._connection.send(LAST_CHUNK)
        self.finished = not self._left or self.method == "HEAD"

    async def wait_gone(self) -> None:
        await self.gone.wait()

    async def run_asgi(self, app: AsgiApp, more: Scope) -> None:
        await run_asgi(self, app, more, self.gone)

    # -- for the connection ----------------------------------------------------------------------------------

    @property
    def streaming(self) -> bool:
        """Whether an answer without an end in sight is being sent."""
        return self.started and not self.finished and self._left is None

    @property
    def gone(self) -> trio.Event:
        """Set when the peer has gone."""
        if self._gone is None:
            self._gone = trio.Event()
        return self._gone

    def _begin(self) -> None:
        if self.started:
            raise RuntimeError("the request has been answered")
        self._connection.skip_buffered()
        self.started = True

    def _judge(self, fields: Iterable[tuple[bytes, bytes]]) -> Fields:
        """The fields of the answer, without what is the connection's business."""
        known = list(fields)
        if any(name == b"connection" for name, _ in known):
            self.keep_alive = False  # the application knows only `close`
            known = [field for field in known if field[0] != b"connection"]
        return known

    def _connection_line(self) -> bytes:
        self.keep_alive = self.keep_alive and self._connection.may_go_on
        if not self.keep_alive:
            return b"connection: close\r\n"
        return b"connection: keep-alive\r\n" if self._http_1_0 else b""
