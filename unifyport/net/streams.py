"""The sockets of HTTP clients: trio streams for httpcore, whose readers pass the turnstile.

When a platform closes ten thousand connections at once, each of their readers has milliseconds of work: to
translate errors, to close a client, to put an account into back-off. The reader waits at the turnstile before
all of that, and does little before the turnstile.
"""

import ssl
from collections.abc import Iterable
from typing import Any

import httpcore
import httpx
import trio

from supervisors import turnstile

_LOST = (trio.BrokenResourceError, trio.ClosedResourceError)


class _Socket(trio.abc.Stream):
    """A connected socket. `receive_some` passes the turnstile once there is something to read."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._turnstile = turnstile()
        self.socket = stream.socket

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        if self.socket.fileno() < 0:
            raise trio.ClosedResourceError
        await trio.lowlevel.wait_readable(self.socket)
        await self._turnstile.enter()
        return bytes(await self._stream.receive_some(max_bytes))

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self._stream.aclose()


class _Stream(httpcore.AsyncNetworkStream):
    """A socket, or TLS on a socket, or TLS on TLS (through an https proxy)."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            if timeout is None:
                return bytes(await self._stream.receive_some(max_bytes))
            with trio.fail_after(timeout):
                return bytes(await self._stream.receive_some(max_bytes))
        except trio.TooSlowError as error:
            raise httpcore.ReadTimeout(str(error)) from None
        except _LOST as error:
            raise httpcore.ReadError(str(error)) from None

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        try:
            if timeout is None:
                return await self._stream.send_all(buffer)
            with trio.fail_after(timeout):
                await self._stream.send_all(buffer)
        except trio.TooSlowError as error:
            raise httpcore.WriteTimeout(str(error)) from None
        except _LOST as error:
            raise httpcore.WriteError(str(error)) from None

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        stream = trio.SSLStream(
            self._stream, ssl_context, server_hostname=server_hostname, https_compatible=True
        )
        try:
            with trio.fail_after(float("inf") if timeout is None else timeout):
                await stream.do_handshake()
        except trio.TooSlowError as error:
            await self.aclose()
            raise httpcore.ConnectTimeout(str(error)) from None
        except trio.BrokenResourceError as error:
            await self.aclose()
            raise httpcore.ConnectError(str(error.__cause__ or error)) from None
        except BaseException:
            await trio.aclose_forcefully(self._stream)
            raise
        return _Stream(stream)

    def get_extra_info(self, info: str) -> Any:
        match info:
            case "ssl_object":
                return self._stream if isinstance(self._stream, trio.SSLStream) else None
            case "socket":
                return self._socket()
            case "client_addr":
                return self._socket().getsockname()
            case "server_addr":
                return self._socket().getpeername()
            case "is_readable":
                return self._socket().fileno() < 0 or self._socket().is_readable()
        return None

    def _socket(self) -> trio.socket.SocketType:
        stream: Any = self._stream
        while isinstance(stream, trio.SSLStream):
            stream = stream.transport_stream
        socket: trio.socket.SocketType = stream.socket
        return socket


class _Backend(httpcore.AsyncNetworkBackend):
    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            with trio.fail_after(float("inf") if timeout is None else timeout):
                stream = await trio.open_tcp_stream(host, port, local_address=local_address)
                for option in socket_options or ():
                    stream.setsockopt(*option)
                return _Stream(_Socket(stream))
        except trio.TooSlowError as error:
            raise httpcore.ConnectTimeout(str(error)) from None
        except (OSError, UnicodeError) as error:  # UnicodeError: not a valid name
            raise httpcore.ConnectError(str(error)) from None

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds)


def new_transport(**options: Any) -> httpx.AsyncHTTPTransport:
    """httpx's transport on these streams; `options` are those of `httpx.AsyncHTTPTransport`."""
    transport = httpx.AsyncHTTPTransport(**options)
    transport._pool._network_backend = _BACKEND  # an option of httpcore that httpx does not pass on
    return transport


_BACKEND = _Backend()
