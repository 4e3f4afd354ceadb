"""One request and its answer, as a server gives them to the application: a function of an `Exchange`.

Our own front has `ConnectionExchange`; `asgi.py` makes one of what any ASGI server gives.
"""

from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from typing import Any, Protocol

from .http1 import Fields

WITHOUT_BODY = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)  # no field frames such an answer either
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]


class Disconnected(Exception):
    """The peer went away, or was closed: nothing can be read or answered any more."""


class BodyTooSlow(Exception):
    """The body comes slower than the front allows."""


class Exchange(Protocol):
    """`path` is percent-encoded, as sent; names of `fields` are in lower case.

    The answer is one call of `respond`, or `start`, any number of `write`, and `finish`. The server adds the
    fields that frame it. A request that is cancelled after `start` ends its connection.
    """

    method: str
    path: bytes
    query: bytes
    fields: Fields

    @property
    def client(self) -> str | None:
        """The caller's address, as trusted proxies report it; None on a local socket."""

    @property
    def scheme(self) -> str:
        """`http` or `https`, as trusted proxies report it."""

    async def read(self) -> bytes:
        """The next piece of the body, empty at its end. Raises `Disconnected`, `BodyTooSlow`."""

    async def respond(self, status: int, fields: Iterable[tuple[bytes, bytes]], body: bytes) -> None:
        """The whole answer. Raises `Disconnected`."""

    async def start(self, status: int, fields: Iterable[tuple[bytes, bytes]]) -> None:
        """Begin an answer; without a Content-Length it is a stream. Raises `Disconnected`."""

    async def write(self, piece: bytes) -> None:
        """Raises `Disconnected`."""

    async def finish(self) -> None:
        """Raises `Disconnected`."""

    async def wait_gone(self) -> None:
        """Wait until the peer has gone. The body must have been read."""

    async def run_asgi(self, app: AsgiApp, more: Scope) -> None:
        """Let an ASGI application answer; `more` is added to its scope."""


Handler = Callable[[Exchange], Awaitable[None]]


async def answer_text(
    exchange: Exchange,
    status: HTTPStatus,
    text: str = "",
    *,
    fields: Iterable[tuple[bytes, bytes]] = (),
) -> None:
    """A complete answer in plain text: the status' own phrase by default."""
    body = (text or status.phrase.lower()).encode()
    await exchange.respond(int(status), [(b"content-type", b"text/plain"), *fields], body)
