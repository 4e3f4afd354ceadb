"""The HTTP of one account on real sockets: crowds take turns, nothing is left to the garbage collector, and
what is no call goes by httpx.
"""

import gc
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio

from supervisors.turnstile import Turnstile
from tests.providers.platform import answer, scripted
from unifyport.model.proxy import Proxy
from unifyport.net.answer import Answer
from unifyport.net.clients import NotConnected, Response, ssl_context
from unifyport.net.connection import Connection
from unifyport.net.platform import PlatformClient


@pytest.fixture
async def client() -> AsyncIterator[PlatformClient]:
    made = PlatformClient(ssl_context(), connections=4)
    yield made
    await made.aclose()


async def test_every_read_goes_through_the_turnstile(
    client: PlatformClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered = 0
    enter = Turnstile.enter

    async def counted(self: Turnstile) -> None:
        nonlocal entered
        entered += 1
        await enter(self)

    monkeypatch.setattr(Turnstile, "enter", counted)
    async with scripted(answer(b"ok")) as platform:
        assert (await client.request("POST", platform.url, timeout=5)).body == b"ok"
    assert entered >= 1


async def test_a_call_leaves_no_cycles(client: PlatformClient) -> None:
    closing = answer(b"ok").replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")
    async with scripted(*[answer(b"ok")] * 2, *[closing] * 5, *[answer(b"ok")] * 5) as platform:
        await client.request("POST", platform.url, content=b"{}", timeout=5)
        gc.collect()
        gc.disable()
        try:
            for _ in range(11):
                await client.request("POST", platform.url, content=b"{}", timeout=5)
            gc.set_debug(gc.DEBUG_SAVEALL)
            gc.collect()
            left: list[Any] = [
                each for each in gc.garbage if isinstance(each, Response | Answer | Connection)
            ]
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()
    assert left == []


async def test_what_is_streamed_goes_by_httpx(client: PlatformClient) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"a"
        await trio.lowlevel.checkpoint()
        yield b"b"

    got = bytearray()

    async def sink(chunk: bytes) -> None:
        got.extend(chunk)
        await trio.lowlevel.checkpoint()

    async with scripted(answer(b"1"), answer(b"file")) as platform:
        headers = {"content-length": "2"}
        response = await client.request("POST", platform.url, content=body(), headers=headers, timeout=5)
        assert response.body == b"1"
        assert await client.download(platform.url, sink, limit=10, timeout=5) == (200, 4)
    assert (platform.requests[0].body, bytes(got)) == (b"ab", b"file")


async def test_through_a_proxy_that_speaks_tls_everything_goes_by_httpx() -> None:
    told: list[bytes] = []

    async def hang_up(stream: trio.SocketStream) -> None:
        async with stream:
            told.append(bytes(await stream.receive_some()))

    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    proxy = Proxy("https", "127.0.0.1", listener.socket.getsockname()[1])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, hang_up, [listener])
        client = PlatformClient(ssl_context(), connections=1, proxy=proxy)
        with pytest.raises(NotConnected, match="proxy_error"):
            await client.request("POST", "http://platform.example/", timeout=5)
        await client.aclose()
        nursery.cancel_scope.cancel()
    assert [data[:1] for data in told] == [b"\x16"]  # a TLS handshake


async def test_a_closed_client_connects_no_more(client: PlatformClient) -> None:
    async def sink(chunk: bytes) -> None: ...

    async with scripted() as platform:
        await client.aclose()
        with pytest.raises(NotConnected, match="closed"):
            await client.request("POST", platform.url, timeout=5)
        with pytest.raises(NotConnected, match="closed"):
            await client.download(platform.url, sink, limit=10, timeout=5)
