"""WebSocket and raw TCP protocols of a platform, and the faults that can be ordered for their connections.

A platform passes a handler, an async function that serves one open connection; when it returns, the
connection is closed. The handler passes each request to `Connection.answer`, which does what
`HttpPlatform.answer` does for a call, and pushes messages with `Connection.send`.

Faults: opening a connection counts as a call whose method is the protocol's name; `answer` counts as a call
of the method that it is given. `disconnect` resets the connection (and, when it is ordered, every open one),
`delay` waits, `garbage` sends meaningless bytes, `lost_answer` handles the request and resets the connection.
"""

import contextlib
import logging
import socket
import struct
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import TypeVar
from urllib.parse import urlsplit

import trio
import trio_websocket

from .faults import Fault
from .platform import LocalPlatform, WireProtocol
from .serving import MAX_BODY, is_local

log = logging.getLogger(__name__)

GARBAGE = b"\xff\xfe<html>bad gateway</html>"
HANDSHAKE_SECONDS = 10.0
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER, 0 s: closing resets the connection (socket(7))


class Cut(Exception):
    """A fault ended the connection. Handlers let it pass."""


class Connection:
    """One open TCP connection of a platform's protocol."""

    def __init__(self, platform: LocalPlatform, protocol: str, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.protocol = protocol
        self._platform = platform
        self.peer = ""
        with contextlib.suppress(OSError):  # the client may have disconnected already
            host, port = stream.socket.getpeername()[:2]
            self.peer = f"{host}:{port}"

    async def send(self, data: bytes) -> None:
        """Send bytes as they are. Raises `trio.BrokenResourceError`, `trio.ClosedResourceError`."""
        await self.stream.send_all(data)

    def reset(self) -> None:
        """Close with a TCP reset: the client's next read fails, and so does the handler's."""
        if self.stream.socket.fileno() == -1:
            return
        self.stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.stream.socket.close()

    async def answer(self, account: str, method: str, handler: Callable[[], Awaitable[bytes | None]]) -> None:
        """Answer a request: record it, apply a fault that was ordered, else call `handler`.

        `handler` returns the bytes to send back, None for nothing. Raises `Cut`, and what `send` raises.
        """
        self._platform.remember(self.peer, account, method)
        fault = self._platform.faults.next(method, "disconnect", "delay", "garbage", "lost_answer")
        if fault is not None and fault.kind == "garbage":
            await self.send(GARBAGE)
            return
        await self._meet(fault)
        answer = await handler()
        if fault is not None and fault.kind == "lost_answer":
            self.reset()
            raise Cut
        if answer is not None:
            await self.send(answer)

    async def opened(self) -> None:
        """Record the opening as a call, apply its fault; `garbage` replaces the handshake. Raises `Cut`."""
        self._platform.remember(self.peer, "", self.protocol)
        fault = self._platform.faults.next(self.protocol, "disconnect", "delay", "garbage")
        if fault is not None and fault.kind == "garbage":
            await self.stream.send_all(GARBAGE)
            raise Cut
        await self._meet(fault)

    async def _meet(self, fault: Fault | None) -> None:
        match fault.kind if fault is not None else None:
            case "disconnect":
                self.reset()
                raise Cut
            case "delay":
                await trio.sleep(fault.value if fault is not None else 0)


class WebSocket(Connection):
    """One open WebSocket connection: `send` sends one binary message."""

    def __init__(
        self,
        connection: Connection,
        websocket: trio_websocket.WebSocketConnection,
        headers: Sequence[tuple[bytes, bytes]],
    ) -> None:
        super().__init__(connection._platform, connection.protocol, connection.stream)
        self.websocket = websocket
        self.headers = headers  # of the client's request

    @property
    def path(self) -> str:
        """Path and query of the client's request."""
        return self.websocket.path or "/"

    async def receive(self) -> bytes:
        """The next message; a text message as UTF-8. Raises `trio_websocket.ConnectionClosed`."""
        message = await self.websocket.get_message()
        return message.encode() if isinstance(message, str) else message

    async def send(self, data: bytes) -> None:
        await self.websocket.send_message(data)


_C = TypeVar("_C", bound=Connection)
Handler = Callable[[_C], Awaitable[None]]

_GONE = (Cut, trio.BrokenResourceError, trio.ClosedResourceError, trio_websocket.ConnectionClosed)


def tcp(
    platform: LocalPlatform, name: str, endpoints: tuple[str, ...], handler: Handler[Connection]
) -> WireProtocol:
    """A raw TCP protocol."""
    return WireProtocol(name, "tcp", endpoints, partial(_serve, platform, name, handler))


def websocket(
    platform: LocalPlatform,
    name: str,
    endpoints: tuple[str, ...],
    handler: Handler[WebSocket],
    *,
    origin: str | None = None,
) -> WireProtocol:
    """A WebSocket protocol; it accepts every path.

    Web pages of other hosts are refused, except those of `origin`, which the platform's own clients name.
    """
    upgraded = partial(_upgrade, handler, origin)
    return WireProtocol(name, "websocket", endpoints, partial(_serve, platform, name, upgraded))


async def _serve(
    platform: LocalPlatform, name: str, handler: Handler[Connection], listener: trio.SocketListener
) -> None:
    """Accept until cancelled, then close the listener and every connection."""

    async def attend(stream: trio.SocketStream) -> None:
        connection = Connection(platform, name, stream)
        platform.open.add(connection)
        try:
            await connection.opened()
            await handler(connection)
        except* _GONE:
            log.debug("%s: the connection of %s ended", name, connection.peer)
        except* Exception:  # as an HTTP server that answers 500: other connections go on
            log.exception("%s: a handler failed", name)
        finally:
            platform.open.discard(connection)
            await trio.aclose_forcefully(stream)

    await trio.serve_listeners(attend, [listener])


async def _upgrade(handler: Handler[WebSocket], origin: str | None, connection: Connection) -> None:
    async with trio.open_nursery() as nursery:
        request = None
        # trio_websocket does not report a client that disconnects before the handshake.
        with trio.move_on_after(HANDSHAKE_SECONDS):
            request = await trio_websocket.wrap_server_stream(
                nursery, connection.stream, max_message_size=MAX_BODY
            )
        if request is not None and _is_foreign(request.headers, origin):
            await request.reject(421, body=b"this is a sandbox: use 127.0.0.1\n")
        elif request is not None:
            websocket = await request.accept()
            try:
                await handler(WebSocket(connection, websocket, request.headers))
            finally:
                with trio.move_on_after(1):
                    await websocket.aclose()
        nursery.cancel_scope.cancel()


def _is_foreign(headers: Iterable[tuple[bytes, bytes]], accepted: str | None) -> bool:
    """Whether the request comes from a web page of another host: browsers let any page open WebSockets."""
    origins = [value.decode("latin-1") for name, value in headers if name.lower() == b"origin"]
    return not all(origin == accepted or is_local(urlsplit(origin).netloc) for origin in origins)
