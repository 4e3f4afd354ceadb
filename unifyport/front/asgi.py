"""ASGI in both directions (https://asgi.readthedocs.io/en/latest/specs/www.html).

`run_asgi` lets an ASGI application answer an exchange; `asgi_app` makes an ASGI application of a handler, so
that any ASGI server can serve it.
"""

import contextlib
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import trio

from unifyport.net.guard import Network

from .exchange import (
    WITHOUT_BODY,
    AsgiApp,
    BodyTooSlow,
    Disconnected,
    Exchange,
    Handler,
    Receive,
    Scope,
    Send,
    answer_text,
)
from .forwarded import is_trusted, read_forwarded
from .http1 import Fields

SILENCE_SECONDS = 10.0  # in which another server must have a piece of the body, or its end
_DISCONNECT = {"type": "http.disconnect"}


async def run_asgi(exchange: Exchange, app: AsgiApp, more: Scope, gone: trio.Event) -> None:
    """Let an application answer. `more` is added to its scope; `gone`: set when the peer has gone."""
    client = exchange.client
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": exchange.method,
        "scheme": exchange.scheme,
        "path": unquote(exchange.path.decode("latin-1")),
        "raw_path": exchange.path,
        "query_string": exchange.query,
        "root_path": "",
        "headers": exchange.fields,
        "client": None if client is None else (client, 0),
        "server": None,
        "extensions": {},
        **more,
    }
    over = answered = ended = False

    async def receive() -> Any:
        nonlocal over, ended
        if over:
            await gone.wait()
            return _DISCONNECT
        try:
            piece = await exchange.read()
        except Disconnected:
            return _DISCONNECT
        except BodyTooSlow:
            ended = True
            if not answered:
                with contextlib.suppress(Disconnected):
                    await answer_text(exchange, HTTPStatus.REQUEST_TIMEOUT)
            return _DISCONNECT
        over = not piece
        return {"type": "http.request", "body": piece, "more_body": not over}

    head: Any = None

    async def send(message: Any) -> None:
        """Send nothing any more once the peer has gone, as the specification has it."""
        nonlocal head, answered, ended
        if ended:
            return
        if message["type"] == "http.response.start":
            head = message
            return
        first, head, answered = head, None, True
        try:
            await _send_body(exchange, first, message)
        except Disconnected:
            ended = True
            gone.set()

    await app(scope, receive, send)


async def _send_body(exchange: Exchange, head: Any, message: Any) -> None:
    """`head`: the message that began the answer, if nothing of it was sent yet."""
    last, body = not message.get("more_body", False), bytes(message.get("body", b""))
    if head is not None and last:
        await exchange.respond(head["status"], head["headers"], body)
        return
    if head is not None:
        await exchange.start(head["status"], head["headers"])
    await exchange.write(body)
    if last:
        await exchange.finish()


class AsgiExchange:
    """A request as an ASGI server gives it."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, trusted: Sequence[Network]) -> None:
        self.method: str = scope["method"]
        self.path: bytes = scope["raw_path"]
        self.query: bytes = scope["query_string"]
        self.fields: Fields = [(name.lower(), value) for name, value in scope["headers"]]
        self._scope, self._receive, self._send = scope, receive, send
        self._over = False
        peer = scope["client"][0] if scope.get("client") else None
        client, scheme = read_forwarded(self.fields, trusted) if is_trusted(peer, trusted) else (None, None)
        self.client: str | None = client or peer
        self.scheme: str = scheme or scope["scheme"]

    async def read(self) -> bytes:
        while not self._over:
            message = None
            with trio.move_on_after(SILENCE_SECONDS):
                message = await self._receive()
            if message is None:
                raise BodyTooSlow
            if message["type"] == "http.disconnect":
                raise Disconnected
            self._over = not message.get("more_body", False)
            if piece := bytes(message.get("body", b"")):
                return piece
        return b""

    async def respond(self, status: int, fields: Iterable[tuple[bytes, bytes]], body: bytes) -> None:
        if status in WITHOUT_BODY:
            body = b""
        else:
            fields = [*fields, (b"content-length", b"%d" % len(body))]
        await self.start(status, fields)
        await self._send({"type": "http.response.body", "body": body})

    async def start(self, status: int, fields: Iterable[tuple[bytes, bytes]]) -> None:
        await self._send({"type": "http.response.start", "status": status, "headers": list(fields)})

    async def write(self, piece: bytes) -> None:
        await self._send({"type": "http.response.body", "body": piece, "more_body": True})

    async def finish(self) -> None:
        await self._send({"type": "http.response.body", "body": b""})

    async def wait_gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def run_asgi(self, app: AsgiApp, more: Scope) -> None:
        client = None if self.client is None else (self.client, 0)
        await app({**self._scope, "client": client, "scheme": self.scheme, **more}, self._receive, self._send)


def asgi_app(handler: Handler, trusted: Sequence[Network] = ()) -> AsgiApp:
    """An ASGI application; `trusted`: proxies whose reports of the client are believed."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        with contextlib.suppress(Disconnected):  # the server ends an answer that is cut off
            await handler(AsgiExchange(scope, receive, send, trusted))

    return app
