"""The same applications, served by hypercorn's trio worker for HTTP/2 (`[server] front = "hypercorn"`)."""

import os
import socket
import ssl
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import trio
from hypercorn.config import Config
from hypercorn.events import Closed
from hypercorn.protocol import ProtocolWrapper
from hypercorn.protocol.h11 import H2CProtocolRequiredError, H2ProtocolAssumedError
from hypercorn.trio import serve as hypercorn_serve
from hypercorn.trio import tcp_server

from .exchange import AsgiApp, Receive, Scope, Send
from .limits import LIMITS
from .tls import Certificate


class _NoPlainHttp2(ProtocolWrapper):
    """Refuses HTTP/2 without TLS, which hypercorn cannot turn off.

    hypercorn does not close idle connections of that protocol when it stops.
    """

    async def handle(self, event: Any) -> None:
        try:
            await self.protocol.handle(event)
        except (H2ProtocolAssumedError, H2CProtocolRequiredError):
            await self.send(Closed())


tcp_server.ProtocolWrapper = _NoPlainHttp2  # type: ignore[attr-defined]


class _Config(Config):
    """A configuration whose certificate may be replaced while it is in use."""

    certificate: Certificate | None = None

    @property
    def ssl_enabled(self) -> bool:
        return self.certificate is not None

    def create_ssl_context(self) -> ssl.SSLContext | None:
        certificate = self.certificate
        if certificate is None:
            return None

        def use_current(connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
            connection.context = certificate.context

        first = certificate.context
        first.sni_callback = use_current  # also called where the client names no server
        return first


async def serve_with_hypercorn(
    listening: socket.socket,
    app: AsgiApp,
    *,
    certificate: Certificate | None,
    until: Callable[[], Awaitable[None]],
) -> None:
    """Serve until `until` returns, then stop gracefully. The socket stays open."""
    config = _Config()
    config.certificate = certificate
    config.bind = [f"fd://{os.dup(listening.fileno())}"]  # hypercorn closes it
    config.graceful_timeout = LIMITS.stop_seconds
    config.keep_alive_timeout = LIMITS.idle_seconds
    config.ssl_handshake_timeout = LIMITS.handshake_seconds
    config.accesslog = None
    config.errorlog = None
    config.include_server_header = False
    config.h11_max_incomplete_size = LIMITS.head_bytes
    wrapped: Any = _finishing_sends(_within_limits(app))
    await hypercorn_serve(wrapped, config, shutdown_trigger=until, mode="asgi")


def _finishing_sends(app: AsgiApp) -> AsgiApp:
    """Wrap the application so that each `send` that has begun is finished, even if its task is cancelled.

    When hypercorn 0.18 sends the end of a response, the same call also ends the request for the application
    and then starts the timer of the idle connection. quart-trio 0.12 cancels the request's tasks when the
    request ends, that call included. The timer would then never start: idle connections would have no
    time-out, and a graceful stop would wait for them.
    """

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":  # not supported: refuse the handshake (HTTP 403)
            await send({"type": "websocket.close"})
        elif scope["type"] == "http":

            async def send_whole(message: Any) -> None:
                with trio.CancelScope(shield=True):
                    await send(message)

            await app(scope, receive, send_whole)
        elif scope["type"] == "lifespan":  # hypercorn serves nothing before it is answered
            kind = ""
            while kind != "lifespan.shutdown":
                kind = (await receive())["type"]
                await send({"type": f"{kind}.complete"})

    return wrapped


def _within_limits(app: AsgiApp) -> AsgiApp:
    """Wrap the application so that it gets no request whose line and fields exceed the limit.

    hypercorn applies its own limit only to incomplete heads: a head that one read delivers may be longer.
    """

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            length = len(scope["raw_path"]) + len(scope["query_string"])
            length += sum(len(name) + len(value) for name, value in scope["headers"])
            if length > LIMITS.head_bytes:
                status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
                text = status.phrase.lower().encode()
                fields = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(text))]
                await send({"type": "http.response.start", "status": int(status), "headers": fields})
                await send({"type": "http.response.body", "body": text})
                return
        await app(scope, receive, send)

    return wrapped
