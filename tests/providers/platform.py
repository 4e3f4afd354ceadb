"""A platform on loopback that follows a script: what it answers to each request, byte by byte."""

import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import attrs
import msgspec
import trio

from actors.account.memory_session import MemorySession
from unifyport.net.clients import ssl_context
from unifyport.providers.contract.base import ConnectorContext
from unifyport.providers.contract.session import Session


@attrs.define
class Request:
    line: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return self.line.split()[1]


Step = bytes | Callable[[Request], Awaitable[bytes]]  # the bytes of an answer; empty: the connection is reset


def answer(body: bytes | dict[str, Any], status: int = 200, *, length: int | None = None) -> bytes:
    """An HTTP answer; with `length` its header announces another number of bytes."""
    content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    announced = len(content) if length is None else length
    return f"HTTP/1.1 {status} X\r\ncontent-length: {announced}\r\n\r\n".encode() + content


@attrs.define
class Platform:
    """`script`: the steps that are left. `requests`: what came in."""

    url: str = ""
    script: list[Step] = attrs.field(factory=list)
    requests: list[Request] = attrs.field(factory=list)

    async def serve(self, stream: trio.SocketStream) -> None:
        with contextlib.suppress(trio.BrokenResourceError):
            while (request := await _read(stream)) is not None:
                self.requests.append(request)
                step = self.script.pop(0)
                sent = step if isinstance(step, bytes) else await step(request)
                head, _, body = sent.partition(b"\r\n\r\n")
                await stream.send_all(sent)
                if not sent or f"content-length: {len(body)}\r\n" not in head.decode().lower() + "\r\n":
                    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return


async def _read(stream: trio.SocketStream) -> Request | None:
    data = b""
    while b"\r\n\r\n" not in data:
        if not (more := await stream.receive_some()):
            return None
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    line, *rest = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (item.partition(": ") for item in rest)}
    while len(body) < int(headers.get("content-length", 0)):
        body += await stream.receive_some()
    return Request(line, headers, body)


@contextlib.asynccontextmanager
async def scripted(*steps: Step) -> AsyncIterator[Platform]:
    platform = Platform(script=list(steps))
    async with trio.open_nursery() as nursery:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        platform.url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}"

        async def handle(stream: trio.SocketStream) -> None:
            async with stream:
                await platform.serve(stream)

        nursery.start_soon(trio.serve_listeners, handle, [listener])
        yield platform
        nursery.cancel_scope.cancel()


def context(session: Session | None = None, **credentials: str) -> ConnectorContext:
    return ConnectorContext(credentials, "poll", session or MemorySession({}), None, ssl_context())
