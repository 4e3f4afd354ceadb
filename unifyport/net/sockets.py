"""Dials connections, with TLS where the URL says so.

TLS verifies the name of the URL, against the system's and the operator's trust anchors. TLS sessions can be
resumed: a full handshake costs as much as about 35 deliveries on an open connection.
"""

import errno
import functools
import socket
import ssl
from collections import OrderedDict

import trio

from unifyport.net.guard import Address, Target

from .wire import DialFailed, LocalTrouble, Wire
from .wires import Plain, Tls

_Place = tuple[str, int]  # host and port
_SESSIONS = 1024  # hosts whose TLS session is kept for resumption
_OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL})
_REASONS = {
    errno.ECONNREFUSED: "connection_refused",
    errno.ENETUNREACH: "network_unreachable",
    errno.EHOSTUNREACH: "host_unreachable",
    errno.ETIMEDOUT: "connect_timeout",
}


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
        return await self.secure(plain, target) if target.scheme == "https" else plain

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
        connected = plain.release()
        secured: ssl.SSLSocket | None = None
        try:
            secured = self._context.wrap_socket(
                connected,  # the new object takes the descriptor over
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
            connected.close()
            if secured is not None:
                secured.close()
            self._sessions.pop(place, None)
            if isinstance(error, ssl.SSLCertVerificationError):
                raise DialFailed("certificate_not_trusted") from None
            if isinstance(error, OSError | ValueError):  # ValueError: a host that no certificate can name
                raise DialFailed("tls_error") from None
            raise
        return Tls(secured, functools.partial(self._keep_session, place) if self._resume else None)

    def _keep_session(self, place: _Place, session: ssl.SSLSession) -> None:
        self._sessions[place] = session
        self._sessions.move_to_end(place)
        if len(self._sessions) > _SESSIONS:
            self._sessions.popitem(last=False)
