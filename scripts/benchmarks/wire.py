"""Minimal HTTP/1.1 (keep-alive and Content-Length only), so that the rig is not the bottleneck."""

import re
from collections.abc import Awaitable, Callable

import trio

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
Handler = Callable[[bytes, bytes, bytes], Awaitable[tuple[int, bytes]]]  # method, path, body -> status, body


class Connection:
    """One keep-alive connection, client or server side."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self._buffer = bytearray()

    async def message(self) -> tuple[bytes, bytes] | None:
        """The next message as (head, body); None when the connection ends."""
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            if not await self._more():
                return None
        head = bytes(self._buffer[:end])
        match = _LENGTH.search(head)
        total = end + 4 + (int(match[1]) if match else 0)
        while len(self._buffer) < total:
            if not await self._more():
                return None
        body = bytes(self._buffer[end + 4 : total])
        del self._buffer[:total]
        return head, body

    async def _more(self) -> bool:
        data = await self._stream.receive_some(65536)
        self._buffer += data
        return bool(data)

    async def send(self, data: bytes) -> None:
        await self._stream.send_all(data)

    async def call(self, request: bytes) -> tuple[int, bytes]:
        """Send a request. Returns status and body of its answer."""
        await self.send(request)
        answer = await self.message()
        if answer is None:
            raise ConnectionError("the subject closed the connection")
        head, body = answer
        return int(head[9:12]), body


def post(path: str, body: bytes, headers: dict[str, str]) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "host: 127.0.0.1", f"content-length: {len(body)}"]
    lines += ["content-type: application/json", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def serve(handler: Handler, *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED) -> None:
    """Serve on a free port of loopback until cancelled; `task_status` gets the port."""

    async def connection(stream: trio.SocketStream) -> None:
        try:
            wire = Connection(stream)
            while (request := await wire.message()) is not None:
                head, body = request
                method, path, _ = head.split(b" ", 2)
                status, answer = await handler(method, path, body)
                start = f"HTTP/1.1 {status} OK\r\ncontent-length: {len(answer)}\r\n"
                await wire.send(start.encode() + b"content-type: application/json\r\n\r\n" + answer)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass

    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1", backlog=1024)
    task_status.started(listeners[0].socket.getsockname()[1])
    await trio.serve_listeners(connection, listeners)
