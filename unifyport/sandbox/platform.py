"""What all local platforms share: an application, faults that can be ordered, and a memory of who called."""

import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
import trio
from quart import Response, request
from quart_trio import QuartTrio

from .faults import Faults
from .serving import new_app

KEPT = 10_000  # sent messages and connections remembered

Answer = Callable[[], Awaitable[Response]]


class LocalPlatform:
    """Subclasses say what their platform answers when it limits a rate or fails."""

    name: str

    def __init__(self) -> None:
        self.faults = Faults()
        self.connections: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self.app: QuartTrio = new_app(f"sandbox.{self.name}")

    def rate_limited(self, seconds: int) -> Response:
        raise NotImplementedError

    def failed(self) -> Response:
        raise NotImplementedError

    async def answer(self, account: str, method: str, handler: Answer) -> Response:
        """One call of the platform's API: remembered, spoilt where a fault was ordered, else handled."""
        peer = request.scope.get("client")
        self.connections.append(
            {
                "at": time.time(),
                "peer": f"{peer[0]}:{peer[1]}" if peer else "",
                "account": account,
                "method": method,
            }
        )
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

    def order_fault(self, order: dict[str, Any]) -> None:
        """Raises `ValueError`."""
        self.faults.add(order)


def _cut_off() -> Response:
    """A body that ends in the middle: the server then closes the connection."""

    async def body() -> AsyncIterator[bytes]:
        yield b'{"'
        raise ConnectionAbortedError("a fault was ordered")

    return Response(body(), 200, {"content-length": "100"}, content_type="application/json")


def as_json(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, content_type="application/json")
