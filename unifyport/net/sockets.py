"""Connections on non-blocking sockets: each system call is tried first, and waits only if it would block.

A `trio.SocketStream` (and `trio.SSLStream` on it) costs about twice as much per delivery. They add locks
against a second writer and a checkpoint in each call, which a connection with one request at a time does not
need.

TLS verifies the name of the URL, against the system's and the operator's trust anchors. TLS sessions are
resumed: a full handshake costs as much as about 35 deliveries on an open connection.
"""

import errno
import functools
import select
import socket
import ssl
from collections import OrderedDict
from collections.abc import Callable

import trio

from unifyport.net.guard import Address, Target

from .readiness import Readable
from .wire import DialFailed, LocalTrouble, NothingSent, Wire

_Place = tuple[str, int]  # host and port
_CHUNK = 65536
_SESSIONS = 1024  # hosts whose TLS session is kept for resumption
_OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL})
_REASONS = {
    errno.ECONNREFUSED: "connection_refused",
    errno.ENETUNREACH: "network_unreachable",
    errno.EHOSTUNREACH: "host_unreachable",
    errno.ETIMEDOUT: "connect_timeout",
}


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

    def release(self) -> None:
        """Leave the socket to another object."""
        self._readable.close()


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


class Sockets:
    """Dials connections. See `wire.Backend`. `context`: the TLS context, with its trust anchors.

    `resume`: keep TLS sessions, by host and port. They tell a peer that two connections come from the same
    client, so accounts that must not be connected with each other do not share them.
    """

    def __init__(self, context: ssl.SSLContext, *, resume: bool = True) -> None:
        self._context = context
        self._resume = resume
        self._sessions: OrderedDict[_Place, ssl.SSLSession] = OrderedDict()  # the oldest is dropped first

    async def connect(self, target: Target, address: Address) -> Wire:
        plain = await self.open(address, target.port)
        return plain if target.scheme == "http" else await self.secure(plain, target)

    async def open(self, address: Address, port: int) -> Plain:
        """Dial without TLS. Errors and cancellation as with `connect`."""
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        try:
            connection = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:
            if error.errno == errno.EAFNOSUPPORT:
                raise DialFailed("network_unreachable") from None
            raise LocalTrouble(str(error)) from None
        try:
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await self._connect(connection, (str(address), port))
            return Plain(connection)
        except BaseException:
            connection.close()
            raise

    async def _connect(self, connection: socket.socket, where: tuple[str, int]) -> None:
        code = connection.connect_ex(where)
        if code == errno.EINPROGRESS:
            await trio.lowlevel.wait_writable(connection)
            code = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code == errno.EADDRNOTAVAIL and connection.family == socket.AF_INET6:
            raise DialFailed("network_unreachable")  # what a machine without IPv6 answers, and always will
        if code in _OURS:
            raise LocalTrouble(errno.errorcode[code])
        if code:
            raise DialFailed(_REASONS.get(code, "connect_error"))

    async def secure(self, plain: Plain, target: Target) -> Tls:
        """TLS on a connection; the certificate must be for the target's host. Errors as with `connect`.

        Cancelled, or failed: the connection is closed.
        """
        place = (target.host, target.port)
        plain.release()
        secured: ssl.SSLSocket | None = None
        try:
            secured = self._context.wrap_socket(
                plain._socket,  # the new object takes the descriptor over
                server_hostname=target.host,
                do_handshake_on_connect=False,
                session=self._sessions.get(place),
            )
            while True:
                try:
                    secured.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    await trio.lowlevel.wait_readable(secured)
                except ssl.SSLWantWriteError:
                    await trio.lowlevel.wait_writable(secured)
        except BaseException as error:
            plain.close()
            if secured is not None:
                secured.close()
            self._sessions.pop(place, None)
            if isinstance(error, ssl.SSLCertVerificationError):
                raise DialFailed("certificate_not_trusted") from None
            if isinstance(error, OSError):
                raise DialFailed("tls_error") from None
            raise
        return Tls(secured, functools.partial(self._keep_session, place) if self._resume else None)

    def _keep_session(self, place: _Place, session: ssl.SSLSession) -> None:
        self._sessions[place] = session
        self._sessions.move_to_end(place)
        if len(self._sessions) > _SESSIONS:
            self._sessions.popitem(last=False)
