"""The listening sockets of a gateway, and the front behind each.

Each listener admits some audiences (`api/http/doors.py`). The owner's socket beside the database needs no API
key: a user who may open it may read the database as well.
"""

import contextlib
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import trio

from unifyport.api.app import Front
from unifyport.api.http.doors import Audience, Door
from unifyport.config.settings import ServerSettings, split_bind
from unifyport.front.asgi import asgi_app
from unifyport.front.connections import Connections
from unifyport.front.hypercorn_front import serve_with_hypercorn
from unifyport.front.limits import LIMITS
from unifyport.front.listener import Listener
from unifyport.front.tls import HTTP_1_1, HTTP_2_TOO, Certificate, TlsFiles
from unifyport.net.guard import is_loopback

log = logging.getLogger("unifyport.server")

LONGEST_SOCKET_PATH = 107  # bytes; sockaddr_un of Linux has 108
_BACKLOG = 65_535  # connections that wait to be accepted; the kernel takes less, `net.core.somaxconn`


class AddressInUse(Exception):
    """The configured address cannot be listened on."""


class Listeners:
    """`directory`: of the configuration file; `control`: the path of the owner's socket."""

    def __init__(self, server: ServerSettings, directory: Path, control: Path) -> None:
        self._server = server
        self._control = control
        self._sockets: dict[str, socket.socket] = {}
        self._tls: TlsFiles | None = None
        if server.tls is not None:
            self._tls = TlsFiles(directory / server.tls.cert, directory / server.tls.key)
        self.certificate: Certificate | None = None

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        """Bind, before anything runs, so that a taken port is a clear error. Raises `AddressInUse`."""
        with contextlib.ExitStack() as held:
            for bind in doors(self._server):
                self._sockets[bind] = held.enter_context(listen(bind))
            if self._tls is not None:
                http_2 = self._server.front == "hypercorn"
                self.certificate = Certificate(self._tls, HTTP_2_TOO if http_2 else HTTP_1_1)
            yield

    @property
    def urls(self) -> list[str]:
        """The base URL of each listener, that of the API first."""
        return [_url(listening, tls=self._tls is not None) for listening in self._sockets.values()]

    @property
    def docs_url(self) -> str:
        """The page of the API, on the listener of operators; empty if there is none."""
        for bind, audiences in doors(self._server).items():
            if Audience.OPERATORS in audiences:
                return f"{_url(self._sockets[bind], tls=self._tls is not None)}/docs"
        return ""

    async def serve(
        self,
        api: Front,
        connections: Connections,
        until: Callable[[], Awaitable[None]],
        listening: Callable[[], None],
    ) -> None:
        """Serve until `until` returns and requests in work are answered; `listening` is called at once."""
        async with trio.open_nursery() as overseeing:
            overseeing.start_soon(connections.run)
            if self.certificate is not None:
                overseeing.start_soon(self.certificate.run)
            with self._owners_socket() as control:
                async with trio.open_nursery() as serving:
                    if control is not None:
                        owner = api.behind(Door(frozenset(Audience), owner=True))
                        serving.start_soon(Listener(control, owner, connections).serve, until)
                    for bind, audiences in doors(self._server).items():
                        serving.start_soon(self._serve, bind, api, Door(audiences), connections, until)
                    listening()
            overseeing.cancel_scope.cancel()

    async def _serve(
        self,
        bind: str,
        api: Front,
        door: Door,
        connections: Connections,
        until: Callable[[], Awaitable[None]],
    ) -> None:
        server, handler = self._server, api.behind(door)
        if server.front == "hypercorn":
            app = asgi_app(handler, server.proxies)
            await serve_with_hypercorn(self._sockets[bind], app, certificate=self.certificate, until=until)
            return
        listener = Listener(
            self._sockets[bind],
            handler,
            connections,
            certificate=self.certificate,
            trusted=server.proxies,
            proxy_protocol=server.proxy_protocol,
            refuse=api.refusing(door),
        )
        await listener.serve(until)

    @contextlib.contextmanager
    def _owners_socket(self) -> Iterator[socket.socket | None]:
        path = self._control
        if len(os.fsencode(path)) > LONGEST_SOCKET_PATH:
            log.warning("no control socket: its path is too long (%s)", path)
            yield None
            return
        with socket.socket(socket.AF_UNIX) as control:
            mask = os.umask(0o177)
            try:
                path.unlink(missing_ok=True)
                control.bind(os.fspath(path))
            except OSError as error:  # a full disk, or one that is read-only
                log.warning("no control socket: %s cannot be made (%s)", path, error.strerror)
                yield None
                return
            finally:
                os.umask(mask)
            control.listen(_BACKLOG)
            try:
                yield control
            finally:
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)


def doors(server: ServerSettings) -> dict[str, frozenset[Audience]]:
    """The audiences of each listener. Operators have a listener of their own, or use a private one."""
    found = {server.bind: {Audience.CUSTOMERS, Audience.RECEIVERS}}
    for bind, audiences in (
        (server.ingress_bind or server.bind, {Audience.PLATFORMS, Audience.RECEIVERS}),
        (server.admin_bind or _private(server), {Audience.OPERATORS}),
    ):
        if bind is not None:
            found.setdefault(bind, set()).update(audiences)
    return {bind: frozenset(audiences) for bind, audiences in found.items()}


def _private(server: ServerSettings) -> str | None:
    """The API's listener, if only this machine reaches it, and no proxy forwards to it; else None."""
    where = [split_bind(server.bind)[0]]
    if server.public_url is not None:
        where.append(urlsplit(server.public_url).hostname or "")
    return server.bind if all(map(is_loopback, where)) and not server.trusted_proxies else None


def listen(bind: str) -> socket.socket:
    """A socket that listens on `host:port`. Raises `AddressInUse`."""
    host, port = split_bind(bind)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise AddressInUse(f"cannot listen on {bind}: {error.strerror or error}") from None
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; connections inherit it (tcp(7))
        milliseconds = int(LIMITS.write_seconds * 1000)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
    return listening


def _url(listening: socket.socket, *, tls: bool) -> str:
    host, port = listening.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  to call, not to listen on
    return f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"
