"""A WebSocket client (RFC 6455) for binary messages, over the wires of this package: it dials as the HTTP
clients do, through the account's proxy if there is one.

wsproto is the protocol; here are only the reads and writes. Unlike trio-websocket this client has no task of
its own, so a connector can open it in `login` and read it in `receive`; pings are answered while it is read.
"""

import ssl
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

import trio
from wsproto import ConnectionType, WSConnection
from wsproto.connection import Connection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Message,
    Ping,
    RejectConnection,
    RejectData,
    Request,
)
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from unifyport.model.proxy import Proxy

from .guard import NameNotResolved
from .tcp import connect
from .urls import NotAUrl, authority, host_of
from .wire import DialFailed, LocalTrouble, Wire

_SCHEMES = {"ws": ("http", 80), "wss": ("https", 443)}


class WebSocketFailed(Exception):
    """The connection could not be opened. `reason`: `http_<status>` where the server refused it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class WebSocketLost(Exception):
    """The connection has ended, in whichever way. The text is a machine-readable reason.

    `code`: that of the peer's close frame (RFC 6455, section 7.4); None if there was none.
    """

    def __init__(self, reason: str, code: int | None = None) -> None:
        super().__init__(reason)
        self.code = code


class WebSocket:
    """An open connection. One task may receive while others send; a message is sent whole.

    `protocol`: without its opening handshake, which is half of its memory. `limit`: bytes of one incoming
    message.
    """

    def __init__(self, wire: Wire, protocol: Connection, limit: int) -> None:
        self._wire = wire
        self._protocol = protocol
        self._limit = limit
        self._writing = trio.Lock()
        self._closed = False

    async def send(self, data: bytes) -> None:
        """Send one binary message. Raises `WebSocketLost`. Cancelled while bytes are written: closed."""
        async with self._writing:
            await self._write(Message(data=data))

    async def receive(self) -> bytes:
        """The next message. Raises `WebSocketLost`. Cancelled: nothing is lost that was not begun."""
        parts: list[bytes] = []
        size = 0
        while True:
            for event in self._protocol.events():
                match event:
                    case BytesMessage(data=data, message_finished=finished):
                        parts.append(bytes(data))
                        size += len(data)
                        if size > self._limit:
                            self.close()
                            raise WebSocketLost("message_too_large")
                        if finished:
                            return b"".join(parts)
                    case Ping():
                        async with self._writing:
                            await self._write(event.response())
                    case CloseConnection(code=code):
                        self.close()
                        raise WebSocketLost("closed_by_peer", code)
            await self._read()

    def close(self) -> None:
        """Close at once; a task that waits in `receive` gets `WebSocketLost`. May be called again."""
        self._closed = True
        self._wire.close()

    async def _read(self) -> None:
        try:
            data = await self._wire.receive()
            self._protocol.receive_data(data or None)
        except (OSError, trio.ClosedResourceError, RemoteProtocolError, LocalProtocolError):
            self.close()
            raise WebSocketLost("connection_lost") from None
        if not data and self._protocol.state.name == "CLOSED":
            self.close()
            raise WebSocketLost("connection_lost")

    async def _write(self, event: Event) -> None:
        if self._closed:
            raise WebSocketLost("connection_lost")
        written = False
        try:
            await self._wire.send(self._protocol.send(event))
            written = True
        except (OSError, trio.ClosedResourceError, LocalProtocolError):
            raise WebSocketLost("connection_lost") from None
        finally:
            if not written:
                self.close()


async def open_websocket(
    url: str,
    context: ssl.SSLContext,
    *,
    proxy: Proxy | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = 20.0,
    limit: int = 16 * 1024 * 1024,
) -> WebSocket:
    """Connect to a `ws` or `wss` URL within `timeout` s. Raises `WebSocketFailed`. Cancelled: closed."""
    if proxy is not None and proxy.type == "https":
        raise WebSocketFailed("proxy_not_supported")
    scheme, host, port, path = _locate(url)
    deadline = trio.current_time() + timeout
    try:
        with trio.fail_at(deadline):
            wire = await connect((scheme, host, port), context, proxy=proxy, deadline=deadline)
            try:
                return await _upgrade(
                    wire, authority(scheme, host, port), path, headers=(headers or {}).items(), limit=limit
                )
            except BaseException:
                wire.close()
                raise
    except (DialFailed, LocalTrouble, NameNotResolved) as error:
        known = isinstance(error, DialFailed)
        raise WebSocketFailed(str(error) if known else "not_connected") from None
    except trio.TooSlowError:
        raise WebSocketFailed("connect_timeout") from None


def _locate(url: str) -> tuple[str, str, int, str]:
    """(http or https, host, port, path). Raises `WebSocketFailed`."""
    try:
        parts = urlsplit(url)
        scheme, usual = _SCHEMES[parts.scheme]
        port, host = parts.port or usual, host_of(parts.netloc)
    except (ValueError, KeyError, NotAUrl):
        raise WebSocketFailed("unsupported_url") from None
    path = parts.path or "/"
    return scheme, host, port, f"{path}?{parts.query}" if parts.query else path


async def _upgrade(
    wire: Wire, host: str, path: str, *, headers: Iterable[tuple[str, str]], limit: int
) -> WebSocket:
    """The opening handshake. Raises `WebSocketFailed`."""
    protocol = WSConnection(ConnectionType.CLIENT)
    extra = [(name.encode(), value.encode()) for name, value in headers]
    try:
        await wire.send(protocol.send(Request(host=host, target=path, extra_headers=extra)))
        while True:
            data = await wire.receive()
            protocol.receive_data(data or None)
            for event in protocol.events():
                match event:
                    case AcceptConnection() if protocol.connection is not None:
                        return WebSocket(wire, protocol.connection, limit)
                    case RejectConnection(status_code=status) if status:
                        raise WebSocketFailed(f"http_{status}")
                    case RejectData() | CloseConnection():
                        break
            if not data:
                raise WebSocketFailed("connection_lost")
    except (OSError, trio.ClosedResourceError, RemoteProtocolError, LocalProtocolError):
        raise WebSocketFailed("connection_lost") from None
