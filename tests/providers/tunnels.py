"""Proxies on loopback that pass bytes on: HTTP `CONNECT` and SOCKS 5, without a password."""

import contextlib
from collections.abc import AsyncIterator

import attrs
import trio


@attrs.define
class Tunnel:
    """`passed_on`: `host:port` of the connections that it opened, as the far side sees them."""

    port: int
    passed_on: set[str] = attrs.field(factory=set)


@contextlib.asynccontextmanager
async def tunnel(kind: str) -> AsyncIterator[Tunnel]:
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    made = Tunnel(listener.socket.getsockname()[1])

    async def serve(near: trio.SocketStream) -> None:
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            port = await (_socks(near) if kind == "socks5" else _connect(near))
            far = await trio.open_tcp_stream("127.0.0.1", port)
            host, number = far.socket.getsockname()[:2]
            made.passed_on.add(f"{host}:{number}")
            async with near, far, trio.open_nursery() as nursery:
                nursery.start_soon(_pass_on, near, far)
                await _pass_on(far, near)
                nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        yield made
        nursery.cancel_scope.cancel()


async def _socks(near: trio.SocketStream) -> int:
    """The port that is asked for; 127.0.0.1 is the only address."""
    assert await near.receive_some(3) == b"\x05\x01\x00"
    await near.send_all(b"\x05\x00")
    asked = await near.receive_some(10)
    assert asked[:8] == b"\x05\x01\x00\x01\x7f\x00\x00\x01"
    await near.send_all(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x12\x34")
    return int.from_bytes(asked[8:])


async def _connect(near: trio.SocketStream) -> int:
    head = b""
    while b"\r\n\r\n" not in head:
        head += await near.receive_some()
    assert head.startswith(b"CONNECT 127.0.0.1:")
    await near.send_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
    return int(head.split()[1].rpartition(b":")[2])


async def _pass_on(source: trio.SocketStream, sink: trio.SocketStream) -> None:
    while data := await source.receive_some():
        await sink.send_all(data)
