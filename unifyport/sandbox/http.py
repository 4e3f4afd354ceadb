"""HTTP platforms: an application, and the faults that can be ordered for its calls."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import msgspec
import trio
from quart import Response, request
from quart_trio import QuartTrio

from .platform import LocalPlatform, WireProtocol
from .serving import new_app, serve_app

Answer = Callable[[], Awaitable[Response]]


def http(app: QuartTrio, name: str, endpoints: tuple[str, ...]) -> WireProtocol:
    """A protocol served by an ASGI application."""
    return WireProtocol(name, "http", endpoints, partial(serve_app, app))


class HttpPlatform(LocalPlatform):
    """Subclasses declare `app` as a protocol, and build the answers for a rate limit and a failure."""

    def __init__(self) -> None:
        super().__init__()
        self.app: QuartTrio = new_app(f"sandbox.{self.name}")

    def rate_limited(self, seconds: int) -> Response:
        raise NotImplementedError

    def failed(self) -> Response:
        raise NotImplementedError

    async def answer(self, account: str, method: str, handler: Answer) -> Response:
        """Answer an API call: record it, apply a fault that was ordered, else call `handler`."""
        peer = request.scope.get("client")
        self.remember(f"{peer[0]}:{peer[1]}" if peer else "", account, method)
        fault = self.faults.next(
            method, "disconnect", "error_500", "rate_limit", "delay", "garbage", "lost_answer"
        )
        match fault.kind if fault is not None else None:
            case "disconnect":
                return _cut_off()
            case "error_500":
                return self.failed()
            case "rate_limit":
                return self.rate_limited(max(1, round(fault.value)) if fault is not None else 1)
            case "garbage":
                return Response(b"<html>bad gateway</html>", 502, content_type="text/html")
            case "delay":
                await trio.sleep(fault.value if fault is not None else 0)
            case "lost_answer":
                await handler()
                return _cut_off()
        return await handler()


def _cut_off() -> Response:
    """A body that ends in the middle: the server then closes the connection."""

    async def body() -> AsyncIterator[bytes]:
        yield b'{"'
        raise ConnectionAbortedError("a fault was ordered")

    return Response(body(), 200, {"content-length": "100"}, content_type="application/json")


def as_json(value: Any, status: int = 200) -> Response:
    return Response(as_bytes(value), status, content_type="application/json")


def as_bytes(value: Any) -> bytes:
    """JSON. Half of a surrogate pair, which no UTF-8 has, is written as an escape, as platforms do."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return json.dumps(value).encode()
