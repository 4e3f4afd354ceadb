"""One connection of our own front: its requests one after the other, in one task.

No task, scope or timer is made for a request that comes whole: `Connections` looks for deadlines and for
peers that have gone. Only a wait for more of a body has a scope.
"""

import contextlib
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TYPE_CHECKING

import trio

from .connection_exchange import ConnectionExchange
from .connections import GRACE, Phase
from .exchange import BodyTooSlow, Disconnected
from .forwarded import read_forwarded
from .http1 import CONTINUE, Fields, Head, RequestError, RequestReader, encode_head
from .transports import SocketTransport, Transport

if TYPE_CHECKING:
    from .listener import Listener

log = logging.getLogger("unifyport.front")

_NEVER = float("inf")
_RETRY_AFTER = (b"retry-after", b"1")  # places become free all the time


class Connection:
    """A member of `Connections`.

    `client`: the address that the application is told. `peer`: the one whose connections are counted, None
    for a peer that may have all of them. `first`: bytes that were read already.
    """

    __slots__ = (
        "_body_bytes",
        "_body_waited",
        "_exchange",
        "_listener",
        "_new",
        "_reader",
        "_refused",
        "_scope",
        "_transport",
        "_trusted",
        "client",
        "deadline",
        "peer",
        "phase",
        "since",
    )

    def __init__(
        self,
        listener: "Listener",
        transport: SocketTransport,
        client: str | None,
        peer: str | None,
        first: bytes = b"",
    ) -> None:
        self.client = client
        self.peer = peer
        self._trusted = listener.trusts(client)
        self.phase = Phase.IDLE
        self.since = trio.current_time()
        self.deadline = self.since + listener.limits.head_seconds
        self._listener = listener
        self._transport: Transport = transport
        self._reader = RequestReader(listener.limits)
        self._reader.feed(first)
        self._scope = trio.CancelScope()
        self._exchange: ConnectionExchange | None = None
        self._new = not first  # nothing was read yet
        self._refused = False
        self._body_bytes = 0  # of the request in work ...
        self._body_waited = 0.0  # ... and the seconds that were waited for them

    async def run(self, open_transport: Callable[["Connection"], Awaitable[Transport]] | None) -> None:
        """Serve until the connection ends. `open_transport`: makes what the requests come through."""
        try:
            with self._scope, contextlib.suppress(Disconnected):
                await self._serve(open_transport)
        except Exception:  # a bug here must not end the other connections
            log.exception("a connection crashed")
        finally:
            self._listener.ended(self)
            self._transport.close()

    async def _serve(self, open_transport: Callable[["Connection"], Awaitable[Transport]] | None) -> None:
        """Raises `Disconnected`."""
        try:
            if open_transport is not None:
                self._enter(Phase.HEAD, self._listener.limits.handshake_seconds)
                self._transport = await open_transport(self)
                self._enter(Phase.IDLE, self._listener.limits.head_seconds)
            while await self._serve_next():
                pass
        except RequestError as error:
            await self._refuse(error.status)
        except Disconnected:
            if not self._refused:
                return
        await self._end()

    def introduce(self, client: str | None) -> None:
        """The proxy at the other end says whose connection this is; None: its own."""
        if client is not None:
            self.client = client
            self._trusted = self._listener.trusts(client)

    # -- one request -----------------------------------------------------------------------------------------

    async def _serve_next(self) -> bool:
        """Serve one request. Whether another may follow."""
        head = await self._read_head()
        if head is None:
            return False
        exchange = self._exchange = ConnectionExchange(self, head)
        self._body_bytes, self._body_waited = 0, 0.0
        try:
            await self._listener.handler(exchange)
        except Disconnected:
            raise
        except BodyTooSlow:
            await self._refuse(HTTPStatus.REQUEST_TIMEOUT)
            return False
        except Exception:
            log.exception("a request crashed")
            if exchange.started:
                raise Disconnected from None
            await self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR)
            return False
        self._exchange = None
        if not (exchange.finished and exchange.keep_alive) or self._listener.stopping:
            return False
        self._enter(Phase.IDLE, self._listener.limits.idle_seconds)
        if self._reader.buffered:
            await trio.lowlevel.checkpoint()  # many requests may have come at once
        return True

    async def _read_head(self) -> Head | None:
        reader, limits = self._reader, self._listener.limits
        while (head := reader.next_head()) is None:
            if reader.buffered and self.phase is Phase.IDLE:
                self._enter(Phase.HEAD, limits.head_seconds)
            expected, self._new = self._new, False
            data = await self._transport.receive(limits.read_bytes - reader.buffered, expected=expected)
            if not data:
                return None
            reader.feed(data)
        self._enter(Phase.WORK, _NEVER)
        return head

    async def read_body(self, *, expected: bool) -> bytes:
        try:
            piece = self._reader.next_piece()
            if piece is None and expected:
                await self.send(CONTINUE)
            while piece is None:
                self._reader.feed(await self._receive_body())
                piece = self._reader.next_piece()
            if self._reader.buffered and not self._reader.body_over:
                await trio.lowlevel.cancel_shielded_checkpoint()  # many pieces may have come at once
            return piece
        except RequestError as error:
            await self._refuse(error.status)
            raise Disconnected from None

    async def _receive_body(self) -> bytes:
        """Raises `Disconnected`, `BodyTooSlow`. The time that the application takes is not the peer's."""
        limits, transport = self._listener.limits, self._transport
        while True:
            began = self.since = trio.current_time()
            self.phase = Phase.BODY
            data = None
            try:
                with trio.move_on_after(limits.body_window - self._body_waited):
                    data = await transport.receive(limits.read_bytes)
            finally:
                self._enter(Phase.WORK, _NEVER)
            self._body_waited += self.since - began
            self._body_bytes += len(data) if data else 0
            if self._body_waited >= limits.body_window:
                if self._body_bytes < limits.body_rate * self._body_waited:
                    raise BodyTooSlow
                self._body_bytes, self._body_waited = 0, 0.0
            if data:
                return data
            if data is not None:
                raise Disconnected

    async def send(self, data: bytes) -> None:
        """Send all of it. Cancelled: the connection is closed, as its answer is cut off.

        Raises `Disconnected`.
        """
        if self._refused:
            raise Disconnected
        most = self._listener.limits.write_bytes
        if len(data) <= most:
            await self._send_piece(data)
            return
        view = memoryview(data)
        for at in range(0, len(data), most):
            await self._send_piece(view[at : at + most])

    async def _send_piece(self, piece: bytes | memoryview) -> None:
        self.deadline = trio.current_time() + self._listener.limits.write_seconds
        try:
            await self._transport.send(piece)
        except trio.Cancelled:
            self.close()
            raise
        self.deadline = _NEVER

    # -- the end ---------------------------------------------------------------------------------------------

    async def _refuse(self, status: HTTPStatus) -> None:
        """Answer what is no request of ours, or what crashed; the connection ends with it."""
        if self._exchange is None or not self._exchange.started:
            await self.send(refusal(status, self.date))
            self._refused = True

    async def _end(self) -> None:
        """Close after an answer. A peer that still sends would lose the answer if we closed at once."""
        limits = self._listener.limits
        if self._refused or self._reader.buffered or not self._reader.body_over:
            self._enter(Phase.HEAD, limits.linger_seconds)
            self._transport.half_close()
            left = limits.linger_bytes
            while left > 0 and (data := await self._transport.receive(min(left, limits.read_bytes))):
                left -= len(data)
        await self._transport.end()

    # -- what `Connections` asks for -------------------------------------------------------------------------

    def fileno(self) -> int:
        return self._transport.fileno()

    @property
    def body_rate(self) -> float:
        waited = self._body_waited + trio.current_time() - self.since
        return self._body_bytes / waited if waited >= GRACE else float("inf")

    def overdue(self) -> None:
        if self.phase is Phase.HEAD and self._reader.buffered and self._exchange is None:
            self._transport.try_send(refusal(HTTPStatus.REQUEST_TIMEOUT, self.date))
        self.close()

    def peer_closed(self, gone: bool) -> None:
        exchange = self._exchange
        if exchange is None:
            return
        if exchange.streaming or (gone and exchange.method in ("GET", "HEAD")):
            self._scope.cancel()
        elif gone:
            exchange.gone.set()

    def close(self) -> None:
        self.deadline = _NEVER
        self._transport.close()

    # -- what an exchange asks for ---------------------------------------------------------------------------

    @property
    def date(self) -> bytes:
        return self._listener.connections.date

    @property
    def may_go_on(self) -> bool:
        return self._reader.body_over and not self._listener.stopping

    def skip_buffered(self) -> None:
        with contextlib.suppress(RequestError):  # the body is not over, so the connection ends
            self._reader.next_piece()

    def reported(self, fields: Fields) -> tuple[str | None, str]:
        client, scheme = self.client, self._listener.scheme
        if self._trusted:
            reported_client, reported_scheme = read_forwarded(fields, self._listener.trusted)
            return reported_client or client, reported_scheme or scheme
        return client, scheme

    def _enter(self, phase: Phase, seconds: float) -> None:
        self.phase, self.since = phase, trio.current_time()
        self.deadline = self.since + seconds


def refusal(status: HTTPStatus, date: bytes) -> bytes:
    """A whole answer to what is no request of ours. `date`: the line of the Date field."""
    text = status.phrase.lower().encode()
    framing = date + b"content-length: %d\r\nconnection: close\r\n" % len(text)
    fields = [(b"content-type", b"text/plain")]
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        fields.append(_RETRY_AFTER)
    return encode_head(status, fields, framing) + text
