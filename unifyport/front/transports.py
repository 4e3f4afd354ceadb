"""The bytes of one connection: a socket, or TLS on a socket.

Any task may call `close`; the task that waits in `receive` or `send` then gets `Disconnected`.
"""

import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import Protocol, TypeVar

import trio
from trio.lowlevel import notify_closing, wait_readable, wait_writable

from .exchange import Disconnected

_ENCRYPTED = 32 * 1024  # bytes read at once
_RECORD_HEADER, _LONGEST_RECORD, _HANDSHAKE = 5, 16 * 1024, 22  # of TLS
_T = TypeVar("_T")
_LOST = (OSError, trio.BrokenResourceError, trio.ClosedResourceError)


class Transport(Protocol):
    def fileno(self) -> int:
        """Of the socket; -1 after `close`."""

    async def receive(self, most: int, *, expected: bool = False) -> bytes:
        """Bytes that have come, empty at the end. Raises `Disconnected`.

        `expected`: they have probably come already. Then it is not a checkpoint without TLS if they have.
        """

    async def send(self, data: bytes | memoryview) -> None:
        """Send all of it. Raises `Disconnected`.

        Not a checkpoint without TLS, where the socket takes it at once.
        """

    def try_send(self, data: bytes) -> None:
        """Send what can be sent at once, before a close. Raises nothing."""

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

    async def wait_readable(self) -> None:
        """Wait until something has come. Raises `Disconnected`."""
        self._check_open()
        try:
            await wait_readable(self._socket)
        except _LOST:
            raise Disconnected from None

    async def receive(self, most: int, *, expected: bool = False) -> bytes:
        while True:
            if not expected:
                await self.wait_readable()
            expected = False
            try:
                return self._socket.recv(most)
            except BlockingIOError:
                pass
            except OSError:
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


async def receive_hello(plain: SocketTransport) -> bytes:
    """The first record of a TLS client, or what shows that it is none. Raises `Disconnected`.

    A record has a header of five bytes, which ends with its length (RFC 8446, section 5.1).
    """
    hello = b""
    while len(hello) < _RECORD_HEADER or (
        hello[0] == _HANDSHAKE
        and len(hello) < _RECORD_HEADER + min(_LONGEST_RECORD, int.from_bytes(hello[3:5]))
    ):
        piece = await plain.receive(_ENCRYPTED)
        if not piece:
            raise Disconnected
        hello += piece
    return hello


class TlsTransport:
    """TLS on a socket, as a server. One task may receive while another one sends.

    It is here, and not trio's, as that one leaves a reference cycle with hundreds of KiB for each connection.
    """

    __slots__ = ("_incoming", "_outgoing", "_sending", "_socket", "_tls")

    def __init__(self, connected: SocketTransport, context: ssl.SSLContext, begin: bytes = b"") -> None:
        """`begin`: what has come already."""
        self._socket = connected
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._incoming.write(begin)
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._sending = trio.Lock()  # what is encrypted must be sent in its order

    def fileno(self) -> int:
        return self._socket.fileno()

    async def shake_hands(self) -> None:
        """Before anything else. Raises `Disconnected`."""
        await self._until_done(self._tls.do_handshake)
        await self._flush()

    async def receive(self, most: int, *, expected: bool = False) -> bytes:
        return await self._until_done(lambda: self._read(most))

    async def send(self, data: bytes | memoryview) -> None:
        try:
            self._tls.write(data)
        except ssl.SSLError:
            raise Disconnected from None
        await self._flush()

    def try_send(self, data: bytes) -> None:
        with contextlib.suppress(ssl.SSLError):
            self._tls.write(data)
            self._try_flush()

    def half_close(self) -> None:
        """Send `close_notify`, so that the peer knows that nothing was cut off."""
        with contextlib.suppress(ssl.SSLError):
            self._tls.unwrap()  # raises: the peer has not closed yet
        self._try_flush()

    async def end(self) -> None:
        self.half_close()
        self.close()

    def close(self) -> None:
        self._socket.close()

    def _read(self, most: int) -> bytes:
        """What has come, of all records; empty if the peer sends nothing more. Raises `ssl.SSLError`."""
        pieces = list[bytes]()
        while most > 0:
            try:
                piece = self._tls.read(most)
            except ssl.SSLError:
                if not pieces:
                    raise
                break  # it comes again
            if not piece:
                break
            pieces.append(piece)
            most -= len(piece)
        return b"".join(pieces)

    async def _until_done(self, act: Callable[[], _T]) -> _T:
        """Give the peer's bytes to TLS until it can do something."""
        while True:
            try:
                return act()
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError:
                self._try_flush()  # the alert that tells the peer why
                raise Disconnected from None
            if self._outgoing.pending:
                await self._flush()
            if data := await self._socket.receive(_ENCRYPTED):
                self._incoming.write(data)
            else:
                self._incoming.write_eof()

    async def _flush(self) -> None:
        async with self._sending:
            await self._socket.send(self._outgoing.read())

    def _try_flush(self) -> None:
        if not self._sending.locked():
            self._socket.try_send(self._outgoing.read())
