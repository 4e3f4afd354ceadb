"""The bytes of one connection: a socket, or TLS on a socket.

Any task may call `close`; the task that waits in `receive` or `send` then gets `Disconnected`.
"""

import contextlib
import socket
from typing import Protocol

import trio
from trio.lowlevel import notify_closing, wait_readable, wait_writable

from .exchange import Disconnected

_CLOSE_SECONDS = 1.0
_LOST = (OSError, trio.BrokenResourceError, trio.ClosedResourceError)


class Transport(Protocol):
    def fileno(self) -> int:
        """Of the socket; -1 after `close`."""

    async def receive(self, most: int) -> bytes:
        """Bytes that have come, empty at the end. Raises `Disconnected`."""

    async def send(self, data: bytes | memoryview) -> None:
        """Send all of it. Not a checkpoint where the socket takes it at once. Raises `Disconnected`."""

    def try_send(self, data: bytes) -> None:
        """Send what can be sent at once, before a close; nothing where that takes a task. Raises nothing."""

    def half_close(self) -> None:
        """Tell the peer that nothing more will be sent, where that leaves the other direction open."""

    async def end(self) -> None:
        """Close in order. Raises nothing."""

    def close(self) -> None:
        """Close the socket at once."""


class SocketTransport:
    __slots__ = ("_socket",)

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected

    def fileno(self) -> int:
        return self._socket.fileno()

    async def receive(self, most: int) -> bytes:
        try:
            while True:
                self._check_open()
                await wait_readable(self._socket)
                with contextlib.suppress(BlockingIOError):
                    return self._socket.recv(most)
        except _LOST:
            raise Disconnected from None

    async def send(self, data: bytes | memoryview) -> None:
        try:
            try:
                sent = self._socket.send(data)
            except BlockingIOError:
                sent = 0
            if sent == len(data):
                return
            left = memoryview(data)[sent:]
            while left:
                self._check_open()
                await wait_writable(self._socket)
                with contextlib.suppress(BlockingIOError):
                    left = left[self._socket.send(left) :]
        except _LOST:
            raise Disconnected from None

    def _check_open(self) -> None:
        if self._socket.fileno() < 0:  # trio would take -1 for a descriptor that tasks share
            raise Disconnected

    def try_send(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            self._socket.send(data)

    def half_close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    async def end(self) -> None:
        self.close()

    def close(self) -> None:
        if self._socket.fileno() >= 0:
            notify_closing(self._socket)
            self._socket.close()


class TlsTransport:
    """`stream` has finished its handshake."""

    __slots__ = ("_socket", "_stream")

    def __init__(self, stream: "trio.SSLStream[trio.SocketStream]") -> None:
        self._stream = stream
        self._socket = stream.transport_stream.socket

    def fileno(self) -> int:
        return self._socket.fileno()

    async def receive(self, most: int) -> bytes:
        try:
            return bytes(await self._stream.receive_some(most))
        except _LOST:
            raise Disconnected from None

    async def send(self, data: bytes | memoryview) -> None:
        try:
            await self._stream.send_all(data)
        except _LOST:
            raise Disconnected from None

    def try_send(self, data: bytes) -> None:
        pass

    def half_close(self) -> None:
        pass

    async def end(self) -> None:
        """Send `close_notify`, so that the peer knows that nothing was cut off."""
        with trio.move_on_after(_CLOSE_SECONDS), contextlib.suppress(*_LOST):
            await self._stream.aclose()

    def close(self) -> None:
        self._socket.close()
