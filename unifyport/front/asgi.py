"""Serving ASGI applications with hypercorn's trio worker: the settings that every listener shares."""

import ipaddress
from collections.abc import Awaitable, Callable, Iterable, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

import attrs
import trio
from hypercorn.config import Config
from hypercorn.events import Closed
from hypercorn.protocol import ProtocolWrapper
from hypercorn.protocol.h11 import H2CProtocolRequiredError, H2ProtocolAssumedError
from hypercorn.trio import serve as hypercorn_serve
from hypercorn.trio import tcp_server

from unifyport.net.guard import Network

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

KEEP_ALIVE_SECONDS = 65.0
HANDSHAKE_SECONDS = 10.0
MAX_HEADERS = 16 * 1024  # bytes of a request's line and headers together
_LONGEST_CHAIN = 16  # proxies named by one request


@attrs.frozen
class TlsFiles:
    """PEM: the certificate with its chain, and its key."""

    cert: Path
    key: Path


class _Http1Only(ProtocolWrapper):
    """Refuses HTTP/2 without TLS, which hypercorn cannot turn off.

    hypercorn does not close idle connections of that protocol when it stops.
    """

    async def handle(self, event: Any) -> None:
        try:
            await self.protocol.handle(event)
        except (H2ProtocolAssumedError, H2CProtocolRequiredError):
            await self.send(Closed())


tcp_server.ProtocolWrapper = _Http1Only  # type: ignore[attr-defined]


def new_config(bind: str, *, graceful: float, tls: TlsFiles | None = None) -> Config:
    """The configuration of one listener. `graceful`: seconds for requests in flight when it stops."""
    config = Config()
    config.bind = [bind]
    config.graceful_timeout = graceful
    config.keep_alive_timeout = KEEP_ALIVE_SECONDS
    config.ssl_handshake_timeout = HANDSHAKE_SECONDS
    config.accesslog = None
    config.errorlog = None
    config.include_server_header = False
    config.h11_max_incomplete_size = MAX_HEADERS
    if tls is not None:
        config.certfile, config.keyfile = str(tls.cert), str(tls.key)
        config.alpn_protocols = ["http/1.1"]
    return config


def finishing_sends(app: App) -> Any:
    """Wrap the application so that each `send` that has begun is finished, even if its task is cancelled.

    When hypercorn 0.18 sends the end of a response, the same call also ends the request for the application
    and then starts the timer of the idle connection. quart-trio 0.12 cancels the request's tasks when the
    request ends, that call included. The timer would then never start: idle connections would have no
    time-out, and a graceful stop would wait for them.
    """

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":  # not supported: refuse the handshake (HTTP 403)
            await send({"type": "websocket.close"})
            return

        async def send_whole(message: Any) -> None:
            with trio.CancelScope(shield=True):
                await send(message)

        await app(scope, receive, send_whole)

    return wrapped


def within_limits(app: App) -> App:
    """Wrap the application so that it gets no request whose line and headers exceed `MAX_HEADERS`.

    hypercorn applies its own limit only to incomplete heads: a head that one read delivers may be longer.
    """

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            length = len(scope["raw_path"]) + len(scope["query_string"])
            length += sum(len(name) + len(value) for name, value in scope["headers"])
            if length > MAX_HEADERS:
                status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
                await respond(send, status, status.phrase.lower().encode(), b"text/plain")
                return
        await app(scope, receive, send)

    return wrapped


def behind_proxies(app: App, trusted: Sequence[Network]) -> App:
    """Wrap the application so that it sees the client that trusted proxies report.

    The headers are `X-Forwarded-For` and `X-Forwarded-Proto`. The client is the last address of the chain
    that is not a trusted proxy; the addresses before it can be forged.
    """
    if not trusted:
        return app

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _is_trusted(_peer(scope), trusted):
            scope = {**scope, **_read_forwarded(scope, trusted)}
        await app(scope, receive, send)

    return wrapped


def _read_forwarded(scope: Scope, trusted: Sequence[Network]) -> Scope:
    """The `client` and `scheme` that the proxies report; a key is missing if they report none."""
    chain: list[str] = []
    reported: Scope = {}
    for name, value in scope["headers"]:
        if name == b"x-forwarded-for":
            chain += [part.strip() for part in value.decode("latin-1").split(",")]
        elif name == b"x-forwarded-proto" and value in (b"http", b"https"):
            reported["scheme"] = value.decode()
    for text in reversed(chain[-_LONGEST_CHAIN:]):
        try:
            ipaddress.ip_address(text)
        except ValueError:
            break
        reported["client"] = (text, 0)
        if not _is_trusted(text, trusted):
            break
    return reported


def _peer(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else ""


def _is_trusted(text: str, trusted: Iterable[Network]) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return any(address.version == network.version and address in network for network in trusted)


async def respond(
    send: Send,
    status: HTTPStatus,
    body: bytes,
    content_type: bytes,
    *,
    headers: Iterable[tuple[bytes, bytes]] = (),
) -> None:
    """Send a complete answer."""
    start = [(b"content-type", content_type), (b"content-length", b"%d" % len(body)), *headers]
    await send({"type": "http.response.start", "status": int(status), "headers": start})
    await send({"type": "http.response.body", "body": body})


async def serve(
    app: Any,
    config: Config,
    *,
    until: Callable[[], Awaitable[None]] | None = None,
    task_status: trio.TaskStatus[list[str]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until `until` returns, then stop gracefully. `task_status` gets the base URLs."""
    await hypercorn_serve(
        finishing_sends(within_limits(app)),
        config,
        shutdown_trigger=until,
        task_status=task_status,
        mode="asgi",
    )
