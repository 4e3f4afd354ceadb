"""Connections on non-blocking sockets: each system call is tried first, and waits only if it would block.

A `trio.SocketStream` (and `trio.SSLStream` on it) costs about twice as much per delivery. They add locks
against a second writer and a checkpoint in each call, which a connection with one request at a time does not
need.
"""

import select
import socket
import ssl
from collections.abc import Callable

import trio

from .readiness import Readable
from .wire import NothingSent

_CHUNK = 65536


def _new_poll(connected: socket.socket) -> "select.poll":
    """A poll object that says, cheaply and without waiting, whether there is something to read."""
    poll = select.poll()
    poll.register(connected, select.POLLIN)
    return poll


class Plain:
    """TCP. See `wire.Wire`."""

    __slots__ = ("_poll", "_readable", "_socket")

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._poll = _new_poll(connected)
        self._readable = Readable(connected.fileno())

    async def send(self, data: bytes) -> None:
        try:
            sent = self._socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            raise NothingSent(str(error)) from None
        if sent < len(data):
            await self._send_rest(memoryview(data)[sent:])

    async def _send_rest(self, rest: memoryview) -> None:
        while rest:
            await trio.lowlevel.wait_writable(self._socket)
            try:
                rest = rest[self._socket.send(rest) :]
            except BlockingIOError:
                continue

    async def receive(self) -> bytes:
        while True:
            await self._readable.wait()
            try:
                data = self._socket.recv(_CHUNK)
            except BlockingIOError:
                self._readable.drained(empty=True)
                continue
            if len(data) < _CHUNK:
                self._readable.drained()
            return data

    def stale(self) -> bool:
        return bool(self._poll.poll(0))

    def close(self) -> None:
        if self._socket.fileno() >= 0:
            self._readable.close()
            trio.lowlevel.notify_closing(self._socket)
            self._socket.close()

    def release(self) -> socket.socket:
        """The socket, which is the caller's from now on."""
        self._readable.close()
        return self._socket


class Tls:
    """TLS on TCP. See `wire.Wire`.

    `keep`, if there is one, is called at most once, with a TLS session that a later connection may resume.
    """

    __slots__ = ("_keep", "_poll", "_readable", "_socket")

    def __init__(self, connected: ssl.SSLSocket, keep: Callable[[ssl.SSLSession], None] | None) -> None:
        self._socket = connected
        self._readable = Readable(connected.fileno())
        self._poll = _new_poll(connected)
        self._keep = keep

    async def send(self, data: bytes) -> None:
        rest: bytes | memoryview = data
        begun = False
        while True:
            try:
                sent = self._socket.send(rest)
            except ssl.SSLWantWriteError:
                begun = True  # a part of the record may have left
                await trio.lowlevel.wait_writable(self._socket)
            except ssl.SSLWantReadError:
                begun = True
                await trio.lowlevel.wait_readable(self._socket)
            except OSError as error:
                if begun:
                    raise
                raise NothingSent(str(error)) from None
            else:
                if sent == len(rest):
                    return
                begun = True
                rest = memoryview(rest)[sent:]

    async def receive(self) -> bytes:
        if self._socket.fileno() < 0:
            raise trio.ClosedResourceError
        waited = False
        while True:
            try:
                data = self._socket.recv(_CHUNK)
                break
            except ssl.SSLWantReadError:
                self._readable.drained(empty=True)
                await self._readable.wait()
            except ssl.SSLWantWriteError:
                await trio.lowlevel.wait_writable(self._socket)
            waited = True
        if self._keep is not None:
            self._keep_session(self._keep)
        if not waited:  # a peer can send many tiny records: let other tasks run between them
            await trio.lowlevel.checkpoint()
        return data

    def _keep_session(self, keep: Callable[[ssl.SSLSession], None]) -> None:
        """Called with the first answer, because TLS 1.3 sends tickets after the handshake."""
        self._keep = None
        session = self._socket.session
        if session is not None and session.has_ticket:
            keep(session)

    def stale(self) -> bool:
        if not self._poll.poll(0) and not self._socket.pending():
            return False  # the usual case; a TLS read costs ten times as much
        try:
            self._socket.recv(1)
        except ssl.SSLWantReadError:
            return False  # no data, or a session ticket
        except OSError:
            return True
        return True

    def close(self) -> None:
        if self._socket.fileno() >= 0:
            self._readable.close()
            trio.lowlevel.notify_closing(self._socket)
            self._socket.close()
